"""OpenDocument (ODF 1.2 and 1.3): text, sheets and slides of LibreOffice and its kin, and the passwords of locked ones.

A package is locked entry by entry (part 3 section 3), or as LibreOffice 24 does it, as one package inside another. Its zip
shows neither; the manifest tells.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from docx.oxml import parse_xml

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.archives import lock as zip_lock
from scanner.extract.archives import open_zip, unpack
from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.extract.normal import clean
from scanner.extract.office import MAX_XML_DEPTH, XML_ERRORS, local_name, properties

# content.xml holds the text, styles.xml the headers and footers (OpenDocument 1.2 part 1).
_WORDS = ("content.xml", "styles.xml")
_BREAKS = {"tab": "\t", "line-break": "\n", "s": " "}
# Programs fill a sheet to its last column with one repeated empty cell.
_MOST_REPEATED = 1_000
_MANIFEST = "META-INF/manifest.xml"
_WHOLE = "encrypted-package"
_MOST_MANIFEST = 5_000_000


def read_open_document(data: bytes, claimed: str, limits: Limits) -> Content:
    """Text, spreadsheet or presentation with its properties and pictures; locked ones are `encrypted`."""
    package = open_zip(data)
    protection = zip_lock(data)
    content = Content(protection=protection)
    if not protection.readable_without_password:
        content.missed(Trouble("encrypted", protection.mechanism))
        return content
    names = [name for name in package.NameToInfo if name.rpartition("/")[2] in _WORDS]
    if not names:
        raise UnreadablePart("corrupt", "OpenDocument without content")
    pieces: list[str] = []
    length = 0
    for name in sorted(names):
        try:
            root = parse_xml(unpack(package, package.NameToInfo[name], limits))
        except XML_ERRORS as error:
            raise UnreadablePart("corrupt", f"XML part: {fault_of(error)}") from None
        for line in _lines(root):
            length += len(line)
            if length > limits.max_text_chars:
                content.missed(Trouble("too_large", f"text read to {limits.max_text_chars} characters", "part"))
                break
            pieces.append(line)
        pieces.append("\n")
    content.text = "".join(pieces)
    content.children = _inside(package, limits)
    return content


def _inside(package: zipfile.ZipFile, limits: Limits) -> Iterator[Child]:
    """Who wrote it, as a part of its own, and the pictures."""
    info = package.NameToInfo.get("meta.xml")
    if info is not None:
        known = "\n".join(properties(unpack(package, info, limits)))
        if known:
            yield Child("properties", lambda: known.encode("utf-8", "replace"), len(known), "text/plain; charset=utf-8")
    for name, info in package.NameToInfo.items():
        if name.startswith(("Pictures/", "media/")) and not info.filename.endswith("/"):
            yield Child(name, partial(unpack, package, info, limits), info.file_size, claimed_type="image/embedded")


_PLAIN = ("desc", "title", "header-decl", "footer-decl", "hidden-text", "hidden-paragraph", "change-track-table-cell")
_WITH_WORDS = tuple(
    f"{{*}}{name}" for name in ("p", "h", "table", "table-row", "table-cell", "covered-table-cell", *_PLAIN)
)


def _lines(root: Any) -> Iterator[str]:
    """Paragraphs, and rows of cells parted by tabs. Empty cells that only fill up a row are left out."""
    empty = 0
    is_first = False
    for element in root.iter(*_WITH_WORDS):
        name = local_name(element)
        if name in _PLAIN:
            # Alternative texts, decks' head and foot lines, hidden text, and what a cell held before a tracked change.
            hidden = next((value for key, value in element.attrib.items() if key.endswith("}string-value")), "")
            yield " ".join(filter(None, (hidden, *element.itertext()))) + "\n"
        elif name == "table":
            title = next((value for key, value in element.attrib.items() if key.endswith("}name")), "")
            yield "\n" + clean(title)
        elif name == "table-row":
            yield "\n"
            empty, is_first = 0, True
        elif name.endswith("table-cell"):
            repeated = next((v for key, v in element.attrib.items() if key.endswith("}number-columns-repeated")), "1")
            times = min(int(repeated) if repeated.isdecimal() else 1, _MOST_REPEATED)
            words = " ".join("".join(_words(paragraph)) for paragraph in element if local_name(paragraph) in ("p", "h"))
            if not words.strip():
                empty += times
                continue
            # The first cell of a row has no tab in front of it.
            yield "\t" * (empty + (not is_first)) + "\t".join([clean(words).replace("\t", " ")] * times)
            empty, is_first = 0, False
        elif not local_name(element.getparent()).endswith("table-cell"):
            yield "".join(_words(element)) + "\n"


def _words(element: Any, depth: int = 0) -> Iterator[str]:
    if element.text:
        yield element.text
    for child in element:
        name = local_name(child)
        if name in _BREAKS:
            yield _BREAKS[name]
        elif name not in ("p", "h", "frame", "custom-shape") and depth < MAX_XML_DEPTH:
            yield from _words(child, depth + 1)
        if child.tail:
            yield child.tail


# --- passwords ------------------------------------------------------------------------------------------------------

_CRYPTO_ERRORS = (ValueError, TypeError, OverflowError, InvalidTag, UnsupportedAlgorithm, MemoryError, zlib.error)
# What a document may ask of one key, and in milliseconds all its entries together: LibreOffice writes 100,000 rounds an entry.
_MOST_ROUNDS, _MOST_MILLISECONDS = 2_000_000, 6_000.0
_MOST_ARGON_KB, _MOST_ARGON_PASSES, _MOST_ARGON_LANES = 262_144, 8, 16
# Measured: milliseconds for a round of PBKDF2 with SHA-1 and 32 bytes, and for a pass of Argon2 over a megabyte.
_ROUND_COST, _ARGON_COST = 0.0009, 1.2
_PROOF = 65_536
_GCM_NONCE = 12


@dataclass(frozen=True, slots=True)
class _Sealed:
    """One locked entry as the manifest describes it (part 3 section 4.8, and LibreOffice's extension for Argon2)."""

    name: str
    size: int
    is_gcm: bool
    start_hash: str
    key_size: int
    nonce: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    rounds: int
    argon_kb: int
    argon_lanes: int
    # False for a lock of an unknown kind, and for one that asks too much work of whoever opens it.
    can_be_tried: bool

    @property
    def cost(self) -> float:
        """Milliseconds for one key."""
        if self.argon_kb:
            return self.rounds * self.argon_kb / 1024 * _ARGON_COST
        return self.rounds * _ROUND_COST


class OdfKeys:
    """A locked OpenDocument file with passwords to try. Raises UnreadablePart("corrupt") where its manifest cannot be read."""

    def __init__(self, data: bytes) -> None:
        self._package = open_zip(data)
        self._keys: dict[tuple[str, bytes, int], bytes] = {}

    @cached_property
    def _sealed(self) -> list[_Sealed]:
        info = self._package.NameToInfo.get(_MANIFEST)
        if info is None or info.file_size > _MOST_MANIFEST:
            raise UnreadablePart("corrupt", "OpenDocument without manifest")
        try:
            root = parse_xml(unpack(self._package, info, Limits()))
            found = [one for entry in root.iter("{*}file-entry") if (one := _sealed_entry(entry)) is not None]
        except (*XML_ERRORS, binascii.Error) as error:
            raise UnreadablePart("corrupt", f"OpenDocument manifest: {fault_of(error)}") from None
        return [one for one in found if one.name in self._package.NameToInfo]

    @property
    def _proof(self) -> _Sealed | None:
        """The entry that is tried: the whole package where it is one, else the text."""
        by_name = {one.name: one for one in self._sealed}
        proof = by_name.get(_WHOLE) or by_name.get("content.xml")
        return proof if proof is not None and proof.can_be_tried else None

    @property
    def cost(self) -> float:
        """Milliseconds for one try."""
        return self._proof.cost if self._proof else 1.0

    def opens(self, password: str, limits: Limits) -> bool:
        """Proved by the authentication tag, or by text that unpacks to the beginning of an XML document."""
        proof = self._proof
        if proof is None:
            return False
        plain = self._opened(proof, password, limits, most=None if proof.is_gcm else _PROOF)
        return plain is not None and plain.startswith((b"PK", b"<?xml", b"<office"))

    def children(self, password: str, limits: Limits) -> Iterator[Child]:
        """The document as it was before it was locked; what would cost too much is left out and said."""
        proof = self._proof
        if proof is not None and proof.name == _WHOLE:
            whole = self._opened(proof, password, limits)
            if whole is None:
                raise UnreadablePart("corrupt", "the password fits, and what it opens cannot be read")
            yield Child("opened", partial(bytes, whole), len(whole))
            return
        sealed = {one.name: one for one in self._sealed}
        plain = io.BytesIO()
        spent, room = 0.0, limits.max_total_bytes
        with zipfile.ZipFile(plain, "w") as written:
            for name, info in self._package.NameToInfo.items():
                if name == _MANIFEST or info.filename.endswith("/"):
                    continue
                one = sealed.get(name)
                room -= one.size if one is not None else info.file_size
                spent += one.cost if one is not None else 0
                if room < 0 or spent > _MOST_MILLISECONDS:
                    yield Child(name, None, trouble=Trouble("budget", "entry of a locked OpenDocument file"))
                elif one is None:
                    written.writestr(name, unpack(self._package, info, limits))
                elif not one.can_be_tried:
                    yield Child(name, None, trouble=Trouble("encrypted", "entry of a locked OpenDocument file"))
                elif (content := self._opened(one, password, limits)) is not None:
                    written.writestr(name, content)
                else:
                    yield Child(name, None, trouble=Trouble("corrupt", "entry of a locked OpenDocument file"))
        whole = plain.getvalue()
        yield Child("opened", partial(bytes, whole), len(whole))

    def _opened(self, one: _Sealed, password: str, limits: Limits, most: int | None = None) -> bytes | None:
        """The entry's content, or at least its first `most` bytes; None where the password is wrong or it is damaged."""
        raw = unpack(self._package, self._package.NameToInfo[one.name], limits)
        largest = min(max(one.size, 1), limits.max_part_bytes)
        try:
            key = self._key(one, password)
            if one.is_gcm:
                packed = _gcm(key, one.nonce, raw)
                if packed is None or packed.startswith(b"PK"):
                    return packed
            else:
                decryptor = Cipher(algorithms.AES(key), modes.CBC(one.nonce)).decryptor()
                packed = decryptor.update(raw[: most - most % 16] if most else raw[: len(raw) // 16 * 16])
            return zlib.decompressobj(-15).decompress(packed, min(most or largest, largest))
        except _CRYPTO_ERRORS:
            return None

    def _key(self, one: _Sealed, password: str) -> bytes:
        known = (password, one.salt, one.rounds)
        if known not in self._keys:
            start = hashlib.new(one.start_hash, password.encode(), usedforsecurity=False).digest()
            if one.argon_kb:
                derivation = Argon2id(
                    salt=one.salt,
                    length=one.key_size,
                    iterations=one.rounds,
                    lanes=one.argon_lanes,
                    memory_cost=one.argon_kb,
                )
                self._keys = {known: derivation.derive(start)}
            else:
                # Of one try only the latest key is kept: every entry has a salt of its own.
                self._keys = {known: hashlib.pbkdf2_hmac("sha1", start, one.salt, one.rounds, one.key_size)}
        return self._keys[known]


def _gcm(key: bytes, nonce: bytes, raw: bytes) -> bytes | None:
    """XML Encryption 1.1 section 5.2.4 puts the nonce before the text; the manifest has it as well."""
    for number, sealed in ((raw[:_GCM_NONCE], raw[_GCM_NONCE:]), (nonce, raw)):
        try:
            return AESGCM(key).decrypt(number, sealed, None)
        except (InvalidTag, ValueError):
            continue
    return None


def _sealed_entry(entry: Any) -> _Sealed | None:
    """What the manifest says of one locked entry; None for an open one."""
    said: dict[str, str] = {}
    for element in entry.iter():
        name = local_name(element)
        said |= {f"{name} {key.rpartition('}')[2]}": value for key, value in element.attrib.items()}
    cipher = said.get("algorithm algorithm-name", "").lower()
    if not cipher:
        return None
    derivation = said.get("key-derivation key-derivation-name", "").lower()
    is_argon = "argon2id" in derivation
    rounds = int(said.get("key-derivation argon2-iterations" if is_argon else "key-derivation iteration-count", "1024"))
    memory = int(said.get("key-derivation argon2-memory", "65536")) if is_argon else 0
    lanes = int(said.get("key-derivation argon2-lanes", "4")) if is_argon else 0
    most = _MOST_ARGON_PASSES if is_argon else _MOST_ROUNDS
    is_known = "aes" in cipher and cipher.endswith(("cbc", "gcm")) and (is_argon or derivation.endswith("pbkdf2"))
    is_cheap = 0 < rounds <= most and memory <= _MOST_ARGON_KB and lanes <= _MOST_ARGON_LANES
    return _Sealed(
        name=said.get("file-entry full-path", ""),
        size=max(0, int(said.get("file-entry size", "0"))),
        is_gcm=cipher.endswith("gcm"),
        start_hash="sha256"
        if "sha256" in said.get("start-key-generation start-key-generation-name", "").lower()
        else "sha1",
        key_size=int(said.get("key-derivation key-size", "16")),
        nonce=base64.b64decode(said.get("algorithm initialisation-vector", "")),
        salt=base64.b64decode(said.get("key-derivation salt", "")),
        rounds=rounds,
        argon_kb=memory,
        argon_lanes=lanes,
        can_be_tried=is_known and is_cheap,
    )
