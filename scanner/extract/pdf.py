"""PDF (ISO 32000): how it is locked, its text, its form fields, notes and attached files.

Two engines, each for what it does well (decision 9): PDFium draws pages and reads their text many times faster; pypdf
knows locks, fields, notes and attachments, and reads the text of what PDFium refuses.
"""

from __future__ import annotations

import io
import logging
import re
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import islice, takewhile
from typing import Any

import pypdfium2
from pypdf import PasswordType, PdfReader
from pypdf.errors import DependencyError, PyPdfError
from pypdf.filters import ASCII85Decode, ASCIIHexDecode
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.content import Child, Content, Trouble, in_turn
from scanner.extract.limits import Limits
from scanner.model import UNPROTECTED, Protection

# pypdf quotes what it stumbles over; a log must hold no content.
logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)

# What pypdf lets out for a broken file, besides its own errors.
_BROKEN = (
    PyPdfError, DependencyError, KeyError, ValueError, TypeError, AttributeError, IndexError, AssertionError, EOFError,
    OSError, NotImplementedError, ZeroDivisionError, OverflowError,
)  # fmt: skip
# Fewer characters than a scanner's stamp or a page number need.
_FEW_CHARACTERS = 25
_PAGE_PICTURE_PIXELS = 250_000
# The long side of a page drawn for reading its words: A4 at about 200 dots an inch.
_DRAWN_PIXELS = 2_300


def lock(data: bytes) -> Protection:
    """How the PDF is locked. A file that cannot be parsed is `unknown`."""
    try:
        return _open(data)[1]
    except UnreadablePart as error:
        return Protection("unknown", "pdf, cannot be read", False, (error.detail,))


def read_pdf(data: bytes, claimed: str, limits: Limits, password: str = "") -> Content:
    """Text of all pages, then form fields and notes; attached files and pages that are pictures become children."""
    try:
        reader, protection = _open(data)
    except UnreadablePart as error:
        return _as_far_as_drawn(_Drawn(data, password), error, limits)
    if not protection.readable_without_password and not (password and opens_with(reader, password)):
        content = Content(protection=protection)
        content.missed(Trouble("encrypted", protection.mechanism))
        return content
    try:
        return _read(reader, protection, limits, _Drawn(data, password))
    except _BROKEN as error:
        raise UnreadablePart("corrupt", f"PDF: {fault_of(error)}") from None


def _as_far_as_drawn(drawn: _Drawn, error: UnreadablePart, limits: Limits) -> Content:
    """The words of a damaged file that PDFium can still follow, one without an end for instance. Raises `error` for none."""
    pages = (drawn.text(number) for number in range(limits.max_pages))
    text = "\n".join(takewhile(lambda one: one is not None, pages))  # type: ignore[arg-type]
    if not text.strip():
        raise error
    content = Content(text[: limits.max_text_chars])
    content.missed(Trouble("corrupt", error.detail, "part"))
    return content


def locked_reader(data: bytes) -> PdfReader:
    """For trying passwords on. Raises UnreadablePart."""
    return _open(data)[0]


def opens_with(reader: PdfReader, password: str) -> bool:
    """Does this password, as owner's or user's, open the file?"""
    try:
        return bool(reader.decrypt(password) != 0)
    except (*_BROKEN, RecursionError):
        return False


class _Drawn:
    """The same file in PDFium, opened when first needed; every answer may be None, and pypdf is asked instead."""

    def __init__(self, data: bytes, password: str) -> None:
        self._data = data
        self._password = password
        self._document: pypdfium2.PdfDocument | None = None
        self._refused = False

    def _opened(self) -> pypdfium2.PdfDocument | None:
        if self._document is None and not self._refused:
            try:
                self._document = pypdfium2.PdfDocument(self._data, password=self._password or None)
            except pypdfium2.PdfiumError:
                self._refused = True
        return self._document

    @property
    def refused(self) -> bool:
        """Does the password not open it?"""
        return self._opened() is None

    def text(self, number: int) -> str | None:
        """The text of a page, counting from 0."""
        document = self._opened()
        if document is None or number >= len(document):
            return None
        try:
            page = document[number]
            try:
                words = page.get_textpage()
                try:
                    return str(words.get_text_bounded()).replace("\r\n", "\n").replace("\ufffe", "-")
                finally:
                    words.close()
            finally:
                page.close()
        except pypdfium2.PdfiumError:
            return None

    def shows_more(self, number: int, text: str) -> bool:
        """Is there anything to be seen on a page without words? Letters may be drawn as lines, and small pictures hold some."""
        document = self._opened()
        if text.strip() or document is None or number >= len(document):
            return False
        try:
            page = document[number]
            try:
                longest = max(*page.get_size(), 1.0)
                darkest, brightest = page.render(scale=200 / longest, grayscale=True).to_pil().getextrema()
            finally:
                page.close()
        except (pypdfium2.PdfiumError, ValueError, MemoryError):
            return True  # nobody can say that there is nothing on it
        return bool(brightest - darkest > 40)

    def picture(self, number: int) -> bytes:
        """The page as a grey bitmap file. Raises UnreadablePart("corrupt")."""
        document = self._opened()
        if document is None or number >= len(document):
            raise UnreadablePart("corrupt", "PDF: the page cannot be drawn")
        try:
            page = document[number]
            try:
                longest = max(*page.get_size(), 1.0)
                image = page.render(scale=min(_DRAWN_PIXELS / longest, 10.0), grayscale=True).to_pil()
            finally:
                page.close()
        except (pypdfium2.PdfiumError, ValueError, MemoryError) as error:
            raise UnreadablePart("corrupt", f"PDF page: {fault_of(error)}") from None
        bitmap = io.BytesIO()
        image.save(bitmap, "BMP")
        return bitmap.getvalue()


def _open(data: bytes) -> tuple[PdfReader, Protection]:
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if "/Encrypt" not in reader.trailer:
            return reader, UNPROTECTED
        encrypt = reader.trailer["/Encrypt"].get_object()
    except _BROKEN as error:
        raise UnreadablePart("corrupt", f"PDF: {fault_of(error)}") from None
    if not isinstance(encrypt, DictionaryObject):
        raise UnreadablePart("corrupt", "PDF: no encryption dictionary")
    handler = str(encrypt.get("/Filter", ""))
    cipher = _cipher(encrypt)
    if handler != "/Standard":
        # ISO 32000 section 7.6.5: public-key handlers; others belong to products and their servers.
        kind = f"pdf {handler.strip('/') or 'unnamed'} handler, {cipher}"
        return reader, Protection("strong" if "PubSec" in handler else "unknown", kind, False, ("no standard handler",))
    try:
        password = reader.decrypt("")
    except DependencyError:
        password = PasswordType.NOT_DECRYPTED
    except _BROKEN as error:
        raise UnreadablePart("corrupt", f"PDF: {fault_of(error)}") from None
    if password is PasswordType.OWNER_PASSWORD and _Drawn(data, "").refused:
        # Readers try the empty password as the user's alone.
        mechanism = f"pdf user password, empty owner password, {cipher}"
        return reader, Protection("weak", mechanism, True, ("the owner's password is empty and opens it",))
    if password is not PasswordType.NOT_DECRYPTED:
        return reader, Protection(
            "weak",
            f"pdf owner password only, {cipher}",
            True,
            ("opens without a password", "the lock is a request to readers"),
        )
    if cipher.startswith("RC4-") and int(cipher[4:]) < 112:
        return reader, Protection(
            "weak", f"pdf user password, {cipher}", False, (f"{cipher[4:]}-bit keys can be tried out",)
        )
    reasons = ["password needed to open"]
    if cipher.startswith("RC4"):
        reasons.append("RC4 is obsolete")
    return reader, Protection("strong", f"pdf user password, {cipher}", False, tuple(reasons))


def _cipher(encrypt: DictionaryObject) -> str:
    """ISO 32000-2 tables 20, 21 and 25: algorithm and key length from V, R, Length and the crypt filters."""
    version = _number(encrypt.get("/V"), 0)
    bits = _number(encrypt.get("/Length"), 40)
    if version == 1:
        return "RC4-40"
    if version in (2, 3):
        return f"RC4-{max(40, min(bits, 128))}"
    filters = encrypt.get("/CF")
    name = encrypt.get("/StmF", "/Identity")
    method = ""
    chosen = filters.get(str(name)) if isinstance(filters, DictionaryObject) else None
    if isinstance(chosen, DictionaryObject):
        method = str(chosen.get("/CFM", ""))
    if method == "/AESV3" or version == 5:
        return "AES-256"
    if method == "/AESV2":
        return "AES-128"
    if method == "/V2":
        # Writers leave Length out although the default is 40: V4 keys have 128 bits (table 25).
        return "RC4-128"
    return "attachments only" if str(name) == "/Identity" else f"V{version}"


def _number(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return default


def _read(reader: PdfReader, protection: Protection, limits: Limits, drawn: _Drawn) -> Content:
    pieces: list[str] = []
    characters = 0
    pages = len(reader.pages)
    pictures: list[int] = []
    broken = damaged = 0
    content = Content(protection=protection)
    wholeness, big = _Wholeness(), dict[int, bool]()
    for number in range(min(pages, limits.max_pages)):
        try:
            page = reader.pages[number]
            text = drawn.text(number)
            if text is None:
                text = page.extract_text()
        except (*_BROKEN, RecursionError):
            broken += 1
            continue
        # What is damaged beside the words takes no word away.
        try:
            notes, whole = _notes(page), wholeness.of(page)
        except (*_BROKEN, RecursionError):
            notes, whole = [], False
        damaged += not whole
        if len(text.strip()) < _FEW_CHARACTERS and (_is_picture(page, big) or drawn.shows_more(number, text)):
            pictures.append(number)
        pieces.append(text)
        pieces.extend(notes)
        characters += len(text)
        if characters > limits.max_text_chars:
            break
    try:
        pieces.extend(_fields(reader))
    except (*_BROKEN, RecursionError) as error:
        content.missed(Trouble("corrupt", f"PDF form fields: {fault_of(error)}", "part"))
    content.text = "\n".join(pieces)
    if pictures and not limits.ocr_pages:
        off = f"{len(pictures)} of {pages} pages are pictures: reading text in pictures is switched off"
        content.missed(Trouble("skipped", off, "none" if len(pictures) == pages else "part"))
        pictures = []
    if len(pictures) > limits.ocr_pages:
        more = f"{len(pictures) - limits.ocr_pages} of {pages} pages are pictures beyond the {limits.ocr_pages} allowed"
        content.missed(Trouble("budget", more, "part"))
    if broken:
        content.missed(
            Trouble("corrupt", f"{broken} of {pages} pages could not be read", "none" if broken == pages else "part")
        )
    if damaged:
        words = f"what is written on {damaged} of {pages} pages is damaged"
        content.missed(Trouble("corrupt", words, "part" if content.text.strip() else "none"))
    if wholeness.cut:
        content.missed(Trouble("budget", "not everything on its pages was looked at for damage", "part"))
    if pages > limits.max_pages:
        content.missed(Trouble("too_large", f"{limits.max_pages} of {pages} pages read", "part"))
    if not pages and not broken:
        raise UnreadablePart("corrupt", "PDF without pages")
    content.children = in_turn(
        ("properties", _properties(reader)),
        ("pages", _pages(drawn, pictures[: limits.ocr_pages])),
        ("form", _answers(reader)),
        ("attachments", _attached(reader)),
        ("pinned files", _pinned(reader, limits)),
    )
    return content


# How deep drawings lie in drawings, how many are looked at of one list and of one document.
_DRAWING_LEVELS, _MOST_DRAWINGS, _MOST_IN_ALL = 20, 50, 2_000
# Bytes of one document, packed or unpacked, whichever are more.
_MOST_CHECKED = 100_000_000


class _Wholeness:
    """Can everything that is written on a page be unpacked? PDFium leaves out what it cannot follow, and says nothing.

    One for a document: what several pages show, or what shows itself, is looked at once, and all of it within one bound.
    """

    def __init__(self) -> None:
        self._known: dict[int, bool] = {}
        self._drawings = 0
        self._left = _MOST_CHECKED
        # Something was left unlooked at, because a bound was reached.
        self.cut = False

    def of(self, page: Any) -> bool:
        """Raises what pypdf raises for a broken file."""
        contents = page.get("/Contents")
        if contents is None:
            return True  # an empty page
        held = contents.get_object()
        streams = list(held) if isinstance(held, ArrayObject) else [contents]
        return all(self._written(one) for one in streams) and self._shown(page.get("/Resources"), _DRAWING_LEVELS)

    def _written(self, reference: Any) -> bool:
        number = reference.idnum if isinstance(reference, IndirectObject) else -1
        if number >= 0 and number in self._known:
            return self._known[number]
        stream = reference.get_object()
        self._known[number] = whole = isinstance(stream, StreamObject) and self._unpacks(stream)
        return whole

    def _shown(self, resources: Any, levels: int) -> bool:
        """Form XObjects: text that a page shows by reference (ISO 32000-2 section 8.10)."""
        resources = resources.get_object() if isinstance(resources, IndirectObject) else resources
        objects = resources.get("/XObject") if isinstance(resources, DictionaryObject) else None
        objects = objects.get_object() if isinstance(objects, IndirectObject) else objects
        whole = True
        for reference in list(objects.values())[:_MOST_DRAWINGS] if isinstance(objects, DictionaryObject) else []:
            if not isinstance(reference, IndirectObject):
                continue  # no stream (7.3.8.1)
            number = reference.idnum
            thing = reference.get_object() if number not in self._known else None
            if isinstance(thing, StreamObject) and thing.get("/Subtype") == "/Form":
                if self._drawings >= _MOST_IN_ALL:
                    self.cut = True
                    break
                self._drawings += 1
                unpacks = self._written(reference)  # known before its own drawings are: one of them may be itself
                self._known[number] = unpacks and (levels <= 1 or self._shown(thing.get("/Resources"), levels - 1))
            whole = whole and self._known.get(number, True)
        return whole

    def _unpacks(self, stream: StreamObject) -> bool:
        """Is it packed as it says? Of filters only those are followed that programs write for text (7.4.2 to 7.4.4)."""
        filters = stream.get("/Filter")
        filters = filters.get_object() if filters is not None else ArrayObject()
        data = bytes(stream._data)
        try:
            for name in filters if isinstance(filters, ArrayObject) else [filters]:
                if len(data) > self._left:
                    self.cut = True
                    break
                packed = data
                if name in ("/ASCII85Decode", "/A85"):
                    data = bytes(ASCII85Decode.decode(packed))
                elif name in ("/ASCIIHexDecode", "/AHx"):
                    data = bytes(ASCIIHexDecode.decode(packed))
                elif name in ("/FlateDecode", "/Fl"):
                    unpacking = zlib.decompressobj()
                    data = unpacking.decompress(packed, self._left or 1)
                    if unpacking.unconsumed_tail:
                        self.cut = True
                    elif not unpacking.eof:
                        # Some programs leave the checksum at the end away: then the last block alone says that nothing is
                        # missing.
                        blocks = zlib.decompressobj(-zlib.MAX_WBITS)
                        blocks.decompress(packed[2:], self._left or 1)
                        if not blocks.eof:
                            return False
                else:
                    break
                self._left = max(0, self._left - max(len(packed), len(data)))
        except (*_BROKEN, RecursionError, zlib.error):
            return False
        return True


def _pages(drawn: _Drawn, numbers: list[int]) -> Iterator[Child]:
    for number in numbers:
        yield Child(f"page {number + 1}", lambda page=number: drawn.picture(page), claimed_type="image/bmp")  # type: ignore[misc]


def _is_picture(page: Any, known: dict[int, bool]) -> bool:
    """Does the page show a picture big enough to be a scanned sheet? `known` remembers it of the document's drawings."""
    try:
        return _has_big_picture(page.get("/Resources"), 3, known)
    except (*_BROKEN, RecursionError):
        return True  # nobody can say that there is nothing on it


def _has_big_picture(resources: Any, levels: int, known: dict[int, bool]) -> bool:
    resources = resources.get_object() if isinstance(resources, IndirectObject) else resources
    objects = resources.get("/XObject") if isinstance(resources, DictionaryObject) else None
    objects = objects.get_object() if isinstance(objects, IndirectObject) else objects
    for reference in list(objects.values())[:200] if isinstance(objects, DictionaryObject) else []:
        if not isinstance(reference, IndirectObject):
            continue  # no stream (7.3.8.1)
        if reference.idnum not in known:
            known[reference.idnum] = False  # until it is known: it may show itself
            thing = reference.get_object()
            if not isinstance(thing, StreamObject):
                continue
            if thing.get("/Subtype") == "/Image":
                pixels = _number(thing.get("/Width"), 0) * _number(thing.get("/Height"), 0)
                known[reference.idnum] = pixels >= _PAGE_PICTURE_PIXELS
            elif levels and thing.get("/Subtype") == "/Form":
                known[reference.idnum] = _has_big_picture(thing.get("/Resources"), levels - 1, known)
        if known[reference.idnum]:
            return True
    return False


_TAG = re.compile(r"<[^<>]{0,2000}>")
# What programs write where nobody has written anything.
_NOBODYS_WORDS = frozenset({"", "anonymous", "untitled", "unspecified", "unknown", "user", "author", "microsoft word"})


def _properties(reader: PdfReader) -> Iterator[Child]:
    """Who wrote it and what about (ISO 32000-2 table 349), as a part of its own: see `office`."""
    try:
        known: Any = reader.metadata or {}
        values = [(name, known.get(f"/{name}")) for name in ("Author", "Title", "Subject", "Keywords")]
    except (*_BROKEN, RecursionError) as error:
        raise UnreadablePart("corrupt", f"PDF properties: {fault_of(error)}") from None
    lines = "\n".join(
        f"{name}: {value.strip()}"
        for name, value in values
        if isinstance(value, str) and value.strip("() \n").lower() not in _NOBODYS_WORDS
    )
    if lines:
        yield Child("properties", lambda: lines.encode("utf-8", "replace"), len(lines), "text/plain; charset=utf-8")


def _notes(page: Any) -> list[str]:
    """The text of notes and stamps on a page (ISO 32000-2 section 12.5)."""
    found: list[str] = []
    annotations = page.get("/Annots")
    annotations = annotations.get_object() if isinstance(annotations, IndirectObject) else annotations
    for reference in list(annotations or [])[:1_000] if isinstance(annotations, ArrayObject) else []:
        note = reference.get_object()
        if not isinstance(note, DictionaryObject) or note.get("/Subtype") == "/Widget":
            continue
        said = [note.get(key) for key in ("/T", "/Subj", "/Contents")]  # who, about what, and the words
        if not isinstance(said[2], str) and isinstance(note.get("/RC"), str):
            said[2] = _TAG.sub(" ", str(note["/RC"]))
        found.extend(str(words) for words in said if isinstance(words, str) and words.strip())
    return found


def _fields(reader: PdfReader) -> list[str]:
    """Form fields as `name: value`; a filled form's answers are often nowhere else."""
    found = []
    for name, field in list((reader.get_fields() or {}).items())[:5_000]:
        value = field.get("/V")
        if isinstance(value, str) and value.strip() and value not in ("/Off", "/Yes"):
            found.append(f"{name}: {value}")
    return found


def _attached(reader: PdfReader) -> Iterator[Child]:
    try:
        attachments = list(reader.attachment_list)
    except (*_BROKEN, RecursionError) as error:
        raise UnreadablePart("corrupt", f"PDF attachments: {fault_of(error)}") from None
    for attachment in attachments:
        yield Child(str(attachment.name), lambda one=attachment: _bytes_of(one))  # type: ignore[misc]


def _answers(reader: PdfReader) -> Iterator[Child]:
    """What was filled into an XFA form (ISO 32000-1 section 12.7.8): pages of such a file may only ask for another program."""
    try:
        root: Any = reader.trailer["/Root"].get_object()
        form = root.get("/AcroForm")
        form = form.get_object() if form is not None else None
        packets = form.get("/XFA") if isinstance(form, DictionaryObject) else None
        packets = packets.get_object() if packets is not None else None
        streams = [item.get_object() for item in packets or ()] if isinstance(packets, ArrayObject) else [packets]
        found = [one for one in streams if isinstance(one, StreamObject)][:50]
    except (*_BROKEN, RecursionError) as error:
        raise UnreadablePart("corrupt", f"PDF form: {fault_of(error)}") from None
    for number, one in enumerate(found, 1):
        data = _stream_bytes(one)
        # Among templates and settings the answers are the packet of this name; a form in one piece has all in it.
        if data is None or b"datasets" in data:
            yield Child(f"form {number}.xml", partial(_said_bytes, data), len(data or b""), "text/xml")


def _pinned(reader: PdfReader, limits: Limits) -> Iterator[Child]:
    """Files pinned to a place on a page (ISO 32000-2 section 12.5.6.15)."""
    for page in islice(reader.pages, limits.max_pages):
        try:
            annotations = page.get("/Annots")
            annotations = annotations.get_object() if annotations is not None else None
            notes = [one.get_object() for one in annotations[:1_000]] if isinstance(annotations, ArrayObject) else []
            pins = [
                one for one in notes if isinstance(one, DictionaryObject) and one.get("/Subtype") == "/FileAttachment"
            ]
            files: list[Any] = [pin["/FS"].get_object() for pin in pins]
            named = [(str(one.get("/UF") or one.get("/F") or "file"), one["/EF"].get_object()) for one in files]
            streams = [(name, (held.get("/F") or held["/UF"]).get_object()) for name, held in named]
        except (*_BROKEN, RecursionError) as error:
            raise UnreadablePart("corrupt", f"PDF attachments: {fault_of(error)}") from None
        for name, stream in streams:
            yield Child(name, lambda stream=stream: _said_bytes(_stream_bytes(stream)))  # type: ignore[misc]


def _stream_bytes(stream: Any) -> bytes | None:
    try:
        return bytes(stream.get_data())
    except (*_BROKEN, RecursionError, zlib.error):
        return None


def _said_bytes(data: bytes | None) -> bytes:
    if data is None:
        raise UnreadablePart("corrupt", "PDF attachment")
    return data


def _bytes_of(attachment: Any) -> bytes:
    try:
        return bytes(attachment.content)
    except _BROKEN as error:
        raise UnreadablePart("corrupt", f"PDF attachment: {fault_of(error)}") from None
