"""From an envelope to its parts: recursion, limits and the promise that nothing is left out silently.

Each file ends as exactly one `Part`: read, partly read or not read; the last two with a `Problem` that says why.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from scanner.errors import UnreadablePart, fault_of
from scanner.extract import (
    archives,
    binary_office,
    foreign,
    legacy,
    mail_stores,
    office,
    onenote,
    opendocument,
    pdf,
    pictures,
    portals,
    sealed,
    texts,
    tnef,
)
from scanner.extract.content import Child, Content, Trouble, tables_in
from scanner.extract.keys import Opened, Purse, Word, guesses, open_with, words_in, words_in_name
from scanner.extract.limits import Account, Limits
from scanner.extract.mail import messages_in, parse_message
from scanner.extract.markup import html_text
from scanner.extract.normal import clean, plain_name
from scanner.extract.segments import all_owned, is_reply_subject, segments
from scanner.extract.sniff import (
    DOCX,
    EXECUTABLES,
    ODF,
    OOXML_LOCKED,
    PPTX,
    XLSX,
    hidden_archive,
    is_disguised,
    media_type,
)
from scanner.model import Blob, Body, Envelope, Part, Problem, ProblemKind, Segment
from scanner.ports import RawItem


@dataclass(frozen=True, slots=True)
class Reading:
    """All parts of one message in reading order, everything that was not read, and which locks opened with what lay near."""

    parts: tuple[Part, ...]
    problems: tuple[Problem, ...]
    opened: tuple[Opened, ...] = ()


# Texts whose cells may be parted by tabs without the reader knowing of tables.
_MAY_HAVE_TABS = ("text/", "application/rtf", "image/", ODF)

Reader = Callable[[bytes, str, Limits], Content]

# One reader for each media type that can be read. A type that is not here is a recorded `unsupported` problem.
_READERS: dict[str, Reader] = {
    "application/x-empty": texts.read_nothing,
    "text/plain": texts.read_plain,
    "text/x-script": texts.read_plain,
    "text/html": texts.read_html,
    "text/xml": texts.read_xml,
    "text/csv": texts.read_table,
    "text/calendar": texts.read_properties,
    "text/vcard": texts.read_properties,
    "application/json": texts.read_json,
    "application/rtf": texts.read_rtf,
    "application/pgp-keys": texts.read_plain,
    "application/pgp-signature": sealed.read_signature,
    "application/pgp-encrypted": sealed.read_pgp,
    "application/pkcs7-mime": sealed.read_cms,
    "application/x-microsoft-rpmsg-message": sealed.read_rpmsg,
    "application/x-age-encryption": sealed.read_age,
    "application/pdf": pdf.read_pdf,
    DOCX: office.read_document,
    PPTX: office.read_slides,
    XLSX: office.read_workbook,
    OOXML_LOCKED: legacy.read_locked,
    "application/msword": binary_office.read_legacy,
    "application/vnd.ms-excel": binary_office.read_legacy,
    "application/vnd.ms-powerpoint": binary_office.read_legacy,
    "application/x-ole-storage": binary_office.read_storage,
    "application/vnd.ms-outlook": mail_stores.read_outlook_message,
    "application/ms-tnef": tnef.read_tnef,
    "application/vnd.ms-outlook-pst": mail_stores.read_outlook_store,
    "message/partial": texts.read_fragment,
    "application/zip": archives.read_zip,
    "application/x-tar": archives.read_tar,
    "application/gzip": archives.read_packed,
    "application/x-bzip2": archives.read_packed,
    "application/x-xz": archives.read_packed,
    "application/x-7z-compressed": foreign.read_seven_zip,
    "application/vnd.rar": foreign.read_rar,
    "application/onenote": onenote.read_onenote,
}


def open_item(
    item: RawItem, limits: Limits, skip: int = 0, opening: Callable[[str], None] = lambda member: None
) -> Iterator[tuple[str, Envelope]]:
    """The messages of one item: `("", envelope)` for a mail or document, `("!/1", …)` and on for those in an mbox.

    The type comes from the bytes; `claimed_type` only helps where a mail has hardly any headers. Never raises.
    The first `skip` messages are left out unparsed; `opening(member)` is called before one is parsed.
    """
    for member, envelope in _members(item, limits, skip, opening):
        yield member, replace(envelope, problems=(*envelope.problems, *item.problems)) if item.problems else envelope
        item = replace(item, problems=())  # said once, of the first message


def _members(
    item: RawItem, limits: Limits, skip: int, opening: Callable[[str], None]
) -> Iterator[tuple[str, Envelope]]:
    claimed = item.claimed_type.partition(";")[0].strip().lower()
    # A mail that lies in a drive is a document of its owner, and who wrote it to whom says nothing about who can open it.
    kind = media_type(item.data, claimed) if claimed != "document" and item.sharing is None else ""
    if kind == "application/mbox":
        for number, message in enumerate(messages_in(item.data), 1):
            if number > skip:
                opening(f"!/{number}")
                yield f"!/{number}", parse_message(message, limits)
        return
    if kind == "application/vnd.ms-outlook-pst":
        opening("")
        yield from mail_stores.store_messages(item.data, item.name, limits, skip, opening)
        return
    if skip:
        return
    opening("")
    if kind == "message/rfc822":
        yield "", parse_message(item.data, limits)
    elif (
        kind == "application/vnd.ms-outlook"
        and (envelope := mail_stores.outlook_envelope(item.data, limits)) is not None
    ):
        yield "", envelope
    else:
        blobs = (Blob(item.name, item.claimed_type, item.data),)
        document = Envelope(source="document", kind="document", blobs=blobs)
        if item.sharing is not None:
            where = item.sharing
            document = replace(document, mailbox=where.owner, provider_id=where.item, audience=where.audience)
        yield "", document


def read(
    envelope: Envelope,
    limits: Limits,
    opening: Callable[[str], None] = lambda path: None,
    set_aside: Mapping[str, ProblemKind] = {},
    companions: Sequence[Envelope] = (),
    guessable: Sequence[str] = (),
) -> Reading:
    """Read every part of `envelope`. Never raises for what the parts contain.

    Locked files are tried with words of the message, with `guessable` ones (names of schools), and then with words of
    `companions`, other messages of the same sender to the same recipient; locked files of theirs with words of this one.

    `opening(path)` is called before each part is opened, so that whoever watches knows which one was the last;
    a path in `set_aside` is not opened and becomes a problem of that kind.
    """
    reader = _Reader(limits, opening, set_aside)
    if envelope.kind == "document":
        reader.problems.extend(envelope.problems)
        for blob in envelope.blobs:
            reader.blob("document", blob, 0)
    else:
        reader.message(envelope, "", 0, own=True)
    reader.try_keys(guessable)
    elsewhere = list(_companions_opened(reader, companions, limits))
    return Reading(tuple(reader.parts), tuple(reader.problems), (*reader.opened, *elsewhere))


def _companions_opened(reader: _Reader, companions: Sequence[Envelope], limits: Limits) -> Iterator[Opened]:
    """Locked files of other messages that words of this one open; of those messages nothing else is kept. What their words
    open here is read like everything else of this message.
    """
    if not companions:
        return
    words = words_in(reader.words_at_hand(), "companion")
    for number, companion in enumerate(companions, 1):
        other = reader.beside(replace(limits, ocr_pages=0))
        other.message(companion, f"companion/{number}/", 0, own=True)
        reader.try_words_of(other)
        other.try_words(words)
        yield from (replace(one, companion=number) for one in other.opened)


@dataclass(frozen=True, slots=True)
class _Locked:
    """A locked file that waits for the message to have been read to its end: the key may come later in it."""

    path: str
    kind: str
    depth: int
    data: bytes = field(repr=False)


class _Reader:
    def __init__(self, limits: Limits, opening: Callable[[str], None], set_aside: Mapping[str, ProblemKind]) -> None:
        self.parts: list[Part] = []
        self.problems: list[Problem] = []
        self._limits = limits
        self._account = Account(limits)
        self._opening = opening
        self._set_aside = set_aside
        self._paths: set[str] = set()
        self._is_full = False
        self._locked: list[_Locked] = []
        self._purse = Purse(limits.key_milliseconds)
        self.opened: list[Opened] = []

    def beside(self, limits: Limits) -> _Reader:
        """A reader for another message, which announces its parts and leaves out the same ones."""
        return _Reader(limits, self._opening, self._set_aside)

    # --- messages ---------------------------------------------------------------------------------------------------

    def message(self, envelope: Envelope, prefix: str, depth: int, own: bool) -> None:
        """Subject, body and attachments. `own` is False for an attached mail: its words are forwarded."""
        self.problems.extend(replace(problem, part=prefix + problem.part) for problem in envelope.problems)
        if envelope.subject:
            self._text_part(prefix + "subject", "text/plain", lambda: (envelope.subject, ()), depth, own)
        if envelope.bodies:
            is_html = any(body.media_type == "text/html" for body in envelope.bodies)
            author = envelope.from_.name if envelope.from_ else ""
            self._text_part(
                prefix + "body",
                "text/html" if is_html else "text/plain",
                lambda: _body(envelope.bodies, envelope.subject, author),
                depth,
                own,
                envelope.bodies,
            )
        if own and is_reply_subject(envelope.subject):
            self._leave_subject(envelope, prefix)
        for number, blob in enumerate(envelope.blobs, 1):
            if self._is_full:
                return
            self.blob(f"{prefix}attachment/{number}/{plain_name(blob.name) or 'unnamed'}", blob, depth)

    def _leave_subject(self, envelope: Envelope, prefix: str) -> None:
        """The subject of an answer was chosen by whoever is answered: here by what the headers or the quoted mail say."""
        read = {part.path: place for place, part in enumerate(self.parts)}
        subject, body = read.get(prefix + "subject"), read.get(prefix + "body")
        if subject is None:
            return
        quotes = body is not None and any(segment.owner == "quoted" for segment in self.parts[body].segments)
        if quotes or envelope.header("In-Reply-To") or envelope.header("References"):
            part = self.parts[subject]
            self.parts[subject] = replace(part, segments=all_owned(part.text, "quoted"))

    def _text_part(
        self,
        path: str,
        kind: str,
        text_of: Callable[[], tuple[str, tuple[Segment, ...]]],
        depth: int,
        own: bool,
        sources: tuple[Body, ...] = (),
    ) -> None:
        part = Part(path=path, media_type=kind, claimed_type=kind, depth=depth, read="none")
        troubles: list[Trouble] = []
        if path in self._set_aside:
            troubles.append(Trouble(self._set_aside[path], "set aside after it could not be read"))
        else:
            self._opening(path)
            try:
                text, owned = text_of()
                text, cut = self._cut(text)
                troubles.extend(cut)
                if cut:
                    owned = tuple(
                        Segment(s.owner, s.start, min(s.end, len(text))) for s in owned if s.start < len(text)
                    )
                data = text.encode("utf-8", "surrogatepass")
                part = replace(
                    part,
                    text=text,
                    tables=tables_in(text),
                    segments=owned if own else all_owned(text, "forwarded"),
                    sha256=hashlib.sha256(data).hexdigest(),
                    size=len(data),
                    read="part" if cut else "all",
                )
                if "-----BEGIN PGP MESSAGE-----" in text:
                    part, trouble = sealed.inline_armour(part)
                    troubles.extend(trouble)
                if own and sources:
                    part, trouble = portals.notice(part, sources)
                    troubles.extend(trouble)
            except Exception as error:  # the promise of read(): whatever a body holds, the other parts are read
                troubles.append(_trouble_of(error))
        self._add(part, troubles)

    # --- files ------------------------------------------------------------------------------------------------------

    def blob(self, path: str, blob: Blob, depth: int) -> None:
        """One attachment or document."""
        child = Child(blob.name, lambda: blob.data, len(blob.data), blob.claimed_type)
        self._file(path, child, depth, inline=blob.inline, content_id=blob.content_id)

    def _file(self, path: str, child: Child, depth: int, inline: bool = False, content_id: str = "") -> None:
        try:
            self._account.add_part()
        except UnreadablePart as error:
            if not self._is_full:
                self._is_full = True
                self.problems.append(Problem(path, "limits", "too_many_parts", "none", error.detail))
            return
        path = self._unique(path)
        claimed = child.claimed_type.partition(";")[0].strip().lower()
        part = Part(
            path=path, media_type="application/octet-stream", claimed_type=claimed, name=child.name, depth=depth,
            protection=child.protection, size=child.size, read="none", inline=inline,
        )  # fmt: skip
        if child.trouble is not None or child.unpack is None:
            self._add(part, [child.trouble or Trouble("unsupported", "no content")])
            return
        if path in self._set_aside:
            self._add(part, [Trouble(self._set_aside[path], "set aside after it could not be read")])
            return
        self._opening(path)
        behind = data = b""
        kind = ""
        try:
            self._account.reserve(child.size)
            data = child.unpack()
            part = replace(part, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            kind = media_type(data, claimed)
            behind = hidden_archive(data, kind)
            disguised = is_disguised(child.name, claimed, kind) or (bool(behind) and kind not in EXECUTABLES)
            part = replace(part, media_type=kind, disguised=disguised)
            if kind in ("message/rfc822", "application/mbox"):
                self._mails(part, data, kind, child.own_words)
                return
            content = self._content(kind, data, child, inline, content_id)
            text = content.text if content.tables else clean(content.text)
            text, cut = self._cut(text)
            for trouble in cut:
                content.missed(trouble)
            tables = content.tables or (tables_in(text) if kind.startswith(_MAY_HAVE_TABS) else ())
            part = replace(
                part, text=text, tables=tables if not cut else (), protection=content.protection, read=content.read,
                by_ocr=content.by_ocr,
            )  # fmt: skip
        except Exception as error:  # the promise of read(): whatever a file holds, the other parts are read
            self._add(part, [_trouble_of(error)])
            content = Content()
        else:
            self._add(part, content.troubles)
        if behind:
            content.children = chain(content.children, (Child("hidden.zip", lambda: behind, len(behind)),))
        if content.protection.grade in ("weak", "strong", "none") and (
            not content.protection.readable_without_password or content.protection.mechanism
        ):
            self._locked.append(_Locked(path, kind, depth, data))
        self._children(path, content, depth)

    # --- locks with the key beside them -----------------------------------------------------------------------------

    def try_keys(self, guessable: Sequence[str]) -> None:
        """Try what the message itself says, and then what anybody would guess, on the files that stayed locked."""
        if self._locked:
            self.try_words(words_in(self.words_at_hand()))
        if self._locked:
            names = [*guessable, *(locked.path.rpartition("/")[2] for locked in self._locked)]
            self.try_words(guesses(self.words_at_hand(), names))

    def try_words_of(self, other: _Reader) -> None:
        """Try what another message says on the files that stayed locked, with as much time as the message itself had."""
        if self._locked:
            self._purse = Purse(self._limits.key_milliseconds)
            self.try_words(words_in((("", text) for _, text in other.words_at_hand()), "another"))

    def words_at_hand(self) -> list[tuple[str, str]]:
        """Every text of the message, and the names of its files, with the part each belongs to."""
        texts = [(part.path, part.text) for part in self.parts if part.text]
        names = [(part.path, words_in_name(part.name)) for part in self.parts if part.name]
        return [*names, *texts]

    def try_words(self, words: Sequence[Word]) -> None:
        """Read what the words open in place of the problem that it was locked. Files inside may be locked again."""
        waiting, self._locked = self._locked, []
        still: list[_Locked] = []
        while waiting:
            locked = waiting.pop(0)
            self._opening(locked.path)
            try:
                found = open_with(locked.kind, locked.data, words, self._limits, self._purse)
                if found is None:
                    still.append(locked)
                    continue
                self._opened(locked, *found)
            except Exception as error:  # the promise of read(): whatever a file holds, the other parts are read
                self._problem(locked.path, _trouble_of(error))
            waiting.extend(self._locked)
            self._locked = []
        self._locked = still

    def _opened(self, locked: _Locked, word: Word, content: Content) -> None:
        inside = locked.path + "/"
        place = next(index for index, part in enumerate(self.parts) if part.path == locked.path)
        # What was recorded as locked is read now; entries that were open all along stay as they are.
        closed = {item.part for item in self.problems if item.kind == "encrypted" and item.part.startswith(inside)}
        self.parts = [part for part in self.parts if part.path not in closed]
        self._paths -= closed
        self.problems = [
            item
            for item in self.problems
            if item.kind != "encrypted" or not (item.part == locked.path or item.part in closed)
        ]
        text, cut = self._cut(clean(content.text))
        for trouble in (*content.troubles, *cut):
            self._problem(locked.path, trouble)
        part = self.parts[place]
        self.parts[place] = replace(part, text=part.text or text, read="part" if cut else content.read)
        self.opened.append(Opened(locked.path, word.part, word.origin, part.protection.mechanism))
        self._children(locked.path, content, locked.depth)

    def _content(self, kind: str, data: bytes, child: Child, inline: bool, content_id: str) -> Content:
        if kind.startswith("image/"):
            return pictures.read_picture(data, kind, inline or bool(content_id), self._limits, self._account)
        if kind.startswith(("audio/", "video/")):
            return pictures.read_recording(data)
        reader = _READERS.get(kind)
        if reader is not None:
            return reader(data, child.claimed_type, self._limits)
        if kind.startswith(ODF):
            return opendocument.read_open_document(data, child.claimed_type, self._limits)
        if kind == "application/epub+zip":
            return archives.read_zip(data, child.claimed_type, self._limits)
        if kind in EXECUTABLES:
            # Recognised for what it is; a program has no words to read.
            return Content()
        if kind == "application/octet-stream" and (lock := portals.package(data, child.name)) is not None:
            return Content(protection=lock, read="none", troubles=[Trouble("encrypted", lock.mechanism)])
        raise UnreadablePart("unsupported", f"no reader for {kind}")

    def _children(self, path: str, content: Content, depth: int) -> None:
        number = 0
        children = iter(content.children)
        while True:
            try:
                child = next(children, None)
            except Exception as error:  # an archive whose list breaks off in the middle
                self._problem(path, _trouble_of(error))
                self._breaks_off(path, number)
                return
            if child is None:
                return
            if depth + 1 > self._limits.max_depth:
                self._problem(path, Trouble("too_deep", f"more than {self._limits.max_depth} files inside each other"))
                self._breaks_off(path, number)
                return
            number += 1
            if not child.name and child.unpack is not None:
                self._wrapped(path, child, child.unpack, depth)
                continue
            name = "/".join(filter(None, (plain_name(piece) for piece in re.split(r"[/\\]", child.name))))
            self._file(f"{path}/{name or number}", child, depth + 1)
            if self._is_full:
                self._breaks_off(path, number)
                return

    def _breaks_off(self, path: str, number: int) -> None:
        """The list of what lies inside ended after so many entries: a part without any, and without words, is not read."""
        place = next(index for index, part in enumerate(self.parts) if part.path == path)
        part = self.parts[place]
        if part.read == "all":
            self.parts[place] = replace(part, read="part" if number or part.text else "none")

    def _wrapped(self, path: str, child: Child, unpack: Callable[[], bytes], depth: int) -> None:
        """What a seal holds, read in its place: the mail under an opaque signature has no name of its own."""
        try:
            data = unpack()
            self._account.reserve(len(data))
            if media_type(data, child.claimed_type) == "message/rfc822":
                self.message(parse_message(data, self._limits), path + "/", depth + 1, own=child.own_words)
                return
        except Exception as error:  # the promise of read(): whatever a file holds, the other parts are read
            self._problem(path, _trouble_of(error))
            return
        self._file(f"{path}/content", replace(child, name="content"), depth + 1)

    def _mails(self, container: Part, data: bytes, kind: str, own: bool) -> None:
        """An attached mail or mailbox file; what is in an opaque signature is the sender's own (`own`)."""
        if container.depth >= self._limits.max_depth:
            self._add(container, [Trouble("too_deep", f"more than {self._limits.max_depth} mails inside each other")])
            return
        messages = messages_in(data) if kind == "application/mbox" else iter((data,))
        first = True
        for number, message in enumerate(messages, 1):
            envelope = parse_message(message, self._limits)
            if first:
                text = "" if own or kind == "application/mbox" else _headers_shown(envelope)
                self._add(replace(container, text=text, segments=all_owned(text, "forwarded"), read="all"), [])
                first = False
            prefix = container.path if kind == "message/rfc822" else f"{container.path}/{number}"
            if kind == "application/mbox" and (text := _headers_shown(envelope)):
                heading = replace(container, path=self._unique(prefix), media_type="message/rfc822", name="", text=text,
                                  segments=all_owned(text, "forwarded"), size=len(message), sha256="", read="all")  # fmt: skip
                self._add(heading, [])
            self.message(envelope, prefix + "/", container.depth + 1, own)
            if self._is_full:
                return

    # --- keeping the books ------------------------------------------------------------------------------------------

    def _add(self, part: Part, troubles: list[Trouble]) -> None:
        self.parts.append(part)
        for trouble in troubles:
            self._problem(part.path, trouble)

    def _problem(self, path: str, trouble: Trouble) -> None:
        self.problems.append(Problem(path, "extract", trouble.kind, trouble.read, trouble.detail))

    def _cut(self, text: str) -> tuple[str, list[Trouble]]:
        most = self._limits.max_text_chars
        if len(text) <= most:
            return text, []
        return text[:most], [Trouble("too_large", f"text of {len(text)} characters read to {most}", "part")]

    def _unique(self, path: str) -> str:
        """Two members of an archive may have the same name; each needs a path of its own."""
        wanted, number = path, 1
        while path in self._paths:
            number += 1
            path = f"{wanted}~{number}"
        self._paths.add(path)
        return path


def _trouble_of(error: Exception) -> Trouble:
    """What an exception means for the part. Of one that nobody foresaw only its kind is told, never its text."""
    if isinstance(error, UnreadablePart):
        return Trouble(error.kind, error.detail)  # type: ignore[arg-type]
    if isinstance(error, RecursionError):
        return Trouble("too_deep", "nested too deeply")
    if isinstance(error, MemoryError):
        return Trouble("too_large", "needs more memory than allowed")
    return Trouble("crashed", f"the reader failed: {fault_of(error)}")


def _headers_shown(envelope: Envelope) -> str:
    """The header lines that a reader of the attached mail sees."""
    lines = []
    if envelope.from_:
        lines.append(f"From: {envelope.from_.name} <{envelope.from_.address}>")
    lines.extend(f"{one.kind.title()}: {one.name} <{one.address}>" for one in envelope.recipients[:200])
    return "\n".join(lines)


# --- bodies ---------------------------------------------------------------------------------------------------------

_WORD = re.compile(r"\w+")
# What plain variants carry for links and pictures; no words of anybody.
_LINK_NOISE = re.compile(
    r"<(?:https?|mailto|tel|cid):[^<>\s]{1,2000}>|https?://[^\s<>\"]{1,2000}|\[(?:cid|image):[^\]\n]{0,300}\]"
)


def _body(bodies: tuple[Body, ...], subject: str, author: str) -> tuple[str, tuple[Segment, ...]]:
    """One text for all renderings of a body, losing no word that only one of them has, and its segments."""
    plain = "\n".join(clean(body.text) for body in bodies if body.media_type != "text/html").strip("\n").rstrip()
    html = "\n".join(html_text(body.text) for body in bodies if body.media_type == "text/html")
    if not html or not plain:
        text = plain or html
        return text, segments(text, subject, author)
    if plain.split() == html.split():
        return plain, segments(plain, subject, author)
    plain_words, html_words = _words(plain), _words(html)
    only_html, only_plain = html_words - plain_words, plain_words - html_words
    text, other, missing = (html, plain, only_plain) if only_html else (plain, html, only_html)
    owned = segments(text, subject, author)
    if not missing:
        return text, owned
    return _with_missing_lines(text, owned, other, segments(other, subject, author), missing)


def _words(text: str) -> set[str]:
    if "://" in text or "mailto:" in text or "[" in text:
        text = _LINK_NOISE.sub(" ", text)
    return set(_WORD.findall(text))


def _with_missing_lines(
    text: str, owned: tuple[Segment, ...], other: str, others: tuple[Segment, ...], missing: set[str]
) -> tuple[str, tuple[Segment, ...]]:
    """Append the lines of the other rendering that hold words missing in `text`, each with its owner there."""
    result = list(owned)
    pieces = [text]
    length = len(text)
    position = 0
    index = 0
    for line in other.split("\n"):
        if not missing.isdisjoint(_words(line)):
            while index < len(others) - 1 and others[index].end <= position:
                index += 1
            pieces.append("\n" + line)
            end = length + 1 + len(line)
            owner = others[index].owner if others else "sender"
            if result and result[-1].owner == owner:
                result[-1] = Segment(owner, result[-1].start, end)
            else:
                result.append(Segment(owner, length, end))
            length = end
        position += len(line) + 1
    return "".join(pieces), tuple(result)
