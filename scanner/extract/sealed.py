"""Mail seals: S/MIME (CMS, RFC 8551 and 5652), OpenPGP (RFC 9580), Purview rights management (MS-OXORMMS), age."""

from __future__ import annotations

import base64
import binascii
import bz2
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

import olefile
from asn1crypto import cms, pem

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.extract.normal import decode
from scanner.model import UNPROTECTED, Part, Protection

_ASN1_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)
# Content types of RFC 5652 and RFC 5083 that hide what is in them; all others only wrap it.
_SEALED_KINDS = frozenset(
    {
        "enveloped_data",
        "signed_and_enveloped_data",
        "encrypted_data",
        "authenticated_enveloped_data",
        "auth_enveloped_data",
    }
)
_WEAK_CIPHERS = ("rc2", "rc4", "des", "1.2.840.113549.3.2", "1.2.840.113549.3.4", "1.3.14.3.2.7")

SIGNED = Protection("signed", "signature", True, ("signed, not encrypted",))


# --- S/MIME ---------------------------------------------------------------------------------------------------------


def cms_lock(data: bytes) -> Protection:
    """Decided by the CMS content type; the `smime-type` of the mail proves nothing."""
    try:
        kind, info = _cms(data)
    except UnreadablePart as error:
        return Protection("unknown", "CMS, cannot be read", False, (error.detail,))
    if kind == "signed_data":
        return Protection("signed", "S/MIME signature", True, ("readable by anyone",))
    if kind not in _SEALED_KINDS:
        return UNPROTECTED
    cipher = _cipher(info)
    if cipher.startswith(_WEAK_CIPHERS):
        return Protection("weak", f"S/MIME {cipher}", False, ("obsolete cipher",))
    return Protection(
        "strong", f"S/MIME enveloped, {cipher}" if cipher else "S/MIME enveloped", False, ("private key needed",)
    )


def _cms(data: bytes) -> tuple[str, cms.ContentInfo]:
    try:
        if pem.detect(data[:10_000]):
            _, _, data = pem.unarmor(data)
        info = cms.ContentInfo.load(data)
        return str(info["content_type"].native), info
    except _ASN1_ERRORS as error:
        raise UnreadablePart("corrupt", f"CMS: {fault_of(error)}") from None


def _cipher(info: cms.ContentInfo) -> str:
    try:
        content = info["content"]
        name = "auth_encrypted_content_info" if "auth" in str(info["content_type"].native) else "encrypted_content_info"
        algorithm = content[name]["content_encryption_algorithm"]["algorithm"]
        return str(algorithm.native).replace("_", "-")
    except _ASN1_ERRORS:
        return ""


def read_cms(data: bytes, claimed: str, limits: Limits) -> Content:
    """Enveloped: `encrypted`. Opaque signature and compressed data: what is in them is the sender's own mail."""
    kind, info = _cms(data)
    protection = cms_lock(data)
    content = Content(protection=protection)
    if not protection.readable_without_password:
        content.missed(Trouble("encrypted", protection.mechanism))
        return content
    try:
        inner = _inner(kind, info, limits)
    except _ASN1_ERRORS as error:
        raise UnreadablePart("corrupt", f"CMS: {fault_of(error)}") from None
    if inner is not None:
        content.children = (Child("", lambda: inner, len(inner), "message/rfc822", own_words=True),)
    return content


def _inner(kind: str, info: cms.ContentInfo, limits: Limits) -> bytes | None:
    """The content under a signature or compression; None for a detached signature or a bag of certificates."""
    body = info["content"]
    if kind == "data":
        return bytes(body.native or b"")
    if kind not in ("signed_data", "compressed_data", "digested_data"):
        raise UnreadablePart("unsupported", "CMS content of a kind that is not read")
    encapsulated = body["encap_content_info"]["content"]
    raw = encapsulated.native if encapsulated is not None else None
    if not isinstance(raw, bytes):
        return None
    if kind == "compressed_data":
        stream = zlib.decompressobj()
        try:
            raw = stream.decompress(raw, limits.max_part_bytes)
        except zlib.error:
            raise UnreadablePart("corrupt", "CMS: compressed data") from None
        if stream.unconsumed_tail:
            raise UnreadablePart("too_large", f"unpacks to more than {limits.max_part_bytes} bytes")
    return raw


def read_signature(data: bytes, claimed: str, limits: Limits) -> Content:
    """A detached OpenPGP signature: no words in it, but the message beside it is signed."""
    return Content(protection=replace(SIGNED, mechanism="OpenPGP signature"))


# --- OpenPGP --------------------------------------------------------------------------------------------------------

_ARMOUR = re.compile(rb"-----BEGIN PGP MESSAGE(?:, PART [0-9/]{1,9})?-----[ \t]*\r?\n")
_ARMOUR_END = b"-----END PGP MESSAGE"
# RFC 9580 section 5: packets that say "encrypted", and those that only wrap.
_ENCRYPTED_TAGS = frozenset({1, 3, 9, 18, 20})
_MAX_PACKETS = 1_000


def _dearmoured(data: bytes) -> bytes:
    """RFC 9580 section 6: the base64 between armour headers and checksum; binary data comes back as it is."""
    begin = _ARMOUR.search(data)
    if begin is None:
        return data
    end = data.find(_ARMOUR_END, begin.end())
    lines = data[begin.end() : len(data) if end < 0 else end].replace(b"\r\n", b"\n").split(b"\n")
    # Armour headers ("Version: …") end at an empty line.
    if b"" in [line.strip() for line in lines[:20]] and any(b":" in line for line in lines[:1]):
        lines = lines[[line.strip() for line in lines].index(b"") :]
    kept = b"".join(line.strip() for line in lines if not line.startswith(b"="))
    try:
        return base64.b64decode(kept + b"=" * (-len(kept) % 4))
    except (binascii.Error, ValueError):
        raise UnreadablePart("corrupt", "OpenPGP armour") from None


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet (RFC 9580 section 4.2), old and new format, partial lengths joined."""
    position = count = 0
    while position < len(data) and count < _MAX_PACKETS:
        count += 1
        first = data[position]
        position += 1
        if not first & 0x80:
            raise UnreadablePart("corrupt", "OpenPGP packet")
        if not first & 0x40:
            tag, kind = (first >> 2) & 15, first & 3
            if kind == 3:
                yield tag, data[position:]
                return
            size = int.from_bytes(data[position : position + (1, 2, 4)[kind]], "big")
            position += (1, 2, 4)[kind]
            yield tag, data[position : position + size]
            position += size
            continue
        tag = first & 63
        body = b""
        while True:
            length = data[position : position + 1]
            if not length:
                break
            octet = length[0]
            position += 1
            partial = False
            if octet < 192:
                size = octet
            elif octet < 224:
                size = ((octet - 192) << 8) + (data[position] if position < len(data) else 0) + 192
                position += 1
            elif octet == 255:
                size = int.from_bytes(data[position : position + 4], "big")
                position += 4
            else:
                size, partial = 1 << (octet & 31), True
            body += data[position : position + size]
            position += size
            if not partial:
                break
        yield tag, body


def _pgp(data: bytes, limits: Limits, depth: int = 0) -> tuple[Protection, bytes | None]:
    """The lock of an OpenPGP message, and its text where it is only packed or signed."""
    protection, text = UNPROTECTED, None
    for tag, body in _packets(data):
        if tag in _ENCRYPTED_TAGS:
            how = "password" if tag == 3 else "public key"
            mdc = tag != 9
            reasons = (f"{how} needed",) if mdc else (f"{how} needed", "no integrity protection")
            return Protection("strong", "OpenPGP", False, reasons), None
        if tag in (2, 4):
            protection = replace(SIGNED, mechanism="OpenPGP signature")
        elif tag == 8 and depth < 5:
            inner, text = _pgp(_decompressed(body, limits), limits, depth + 1)
            if inner.grade != "none":
                protection = inner
            if not protection.readable_without_password:
                return protection, None
        elif tag == 11 and len(body) > 6:
            text = body[2 + body[1] + 4 :]
    return protection, text


def _decompressed(body: bytes, limits: Limits) -> bytes:
    """RFC 9580 section 9.4: 1 raw deflate, 2 zlib, 3 bzip2."""
    kind = body[0] if body else 0
    try:
        if kind in (1, 2):
            return zlib.decompressobj(-15 if kind == 1 else 15).decompress(body[1:], limits.max_part_bytes)
        if kind == 3:
            return bz2.BZ2Decompressor().decompress(body[1:], limits.max_part_bytes)
    except (zlib.error, OSError, EOFError):
        raise UnreadablePart("corrupt", "OpenPGP compressed packet") from None
    return body[1:]


def pgp_lock(data: bytes) -> Protection:
    try:
        return _pgp(_dearmoured(data), Limits())[0]
    except UnreadablePart as error:
        return Protection("unknown", "OpenPGP, cannot be read", False, (error.detail,))


def read_pgp(data: bytes, claimed: str, limits: Limits) -> Content:
    """An armoured message: `encrypted`, or the text that was only signed or packed."""
    protection, text = _pgp(_dearmoured(data), limits)
    content = Content(protection=protection)
    if not protection.readable_without_password:
        content.missed(Trouble("encrypted", protection.mechanism))
    elif text is not None:
        content.children = (Child("content", lambda: text, len(text), own_words=True),)
    return content


def inline_armour(part: Part) -> tuple[Part, list[Trouble]]:
    """A body with an armoured message in it: what stands around the armour has been read, what is in it may not be."""
    data = part.text.encode("ascii", "replace")
    try:
        protection, text = _pgp(_dearmoured(data), Limits())
    except UnreadablePart as error:
        return replace(part, read="part"), [Trouble("corrupt", error.detail, "part")]
    if not protection.readable_without_password:
        return replace(part, read="part", protection=protection), [Trouble("encrypted", protection.mechanism, "part")]
    if text is not None:
        return replace(part, protection=protection, text=part.text + "\n" + decode(text)), []
    return replace(part, protection=protection), []


# --- Purview, age ---------------------------------------------------------------------------------------------------

_RPMSG_MAGIC = b"\x76\xe8\x04\x60\xc4\x11\xe3\x86"
_RPMSG_BLOCK = 0x0FA0


def rpmsg_lock(data: bytes) -> Protection:
    """MS-OXORMMS: a header, zlib blocks, and in them a compound file with DRMContent."""
    pieces = []
    position = len(_RPMSG_MAGIC)
    unpacked = 0
    try:
        while position + 12 <= len(data) and unpacked < 20_000_000:
            marker, after, before = struct.unpack_from("<III", data, position)
            if marker != _RPMSG_BLOCK:
                break
            # The order of the two sizes differs between descriptions: the one that fits is the packed one.
            packed = data[position + 12 :]
            stream = zlib.decompressobj()
            pieces.append(stream.decompress(packed, 1_000_000))
            unpacked += len(pieces[-1])
            used = len(packed) - len(stream.unused_data)
            position += 12 + (used if stream.eof else max(min(after, before), 1))
        with olefile.OleFileIO(b"".join(pieces)) as ole:
            names = {entry[-1].lower() for entry in ole.listdir(streams=True, storages=True)}
    except (zlib.error, struct.error, *_ASN1_ERRORS, OSError):
        return Protection("unknown", "message.rpmsg, cannot be read", False, ("no rights-managed content found in it",))
    if "\tdrmcontent" in names or "\tdrmviewercontent" in names:
        return Protection("strong", "Purview message encryption (rpmsg)", False, ("key held by the rights server",))
    return Protection("unknown", "message.rpmsg without DRMContent", False, ("no rights-managed content found in it",))


def read_rpmsg(data: bytes, claimed: str, limits: Limits) -> Content:
    content = Content(protection=rpmsg_lock(data))
    content.missed(Trouble("encrypted", content.protection.mechanism))
    return content


AGE_LOCK = Protection("strong", "age encryption", False, ("key or passphrase needed",))


def read_age(data: bytes, claimed: str, limits: Limits) -> Content:
    content = Content(protection=AGE_LOCK)
    content.missed(Trouble("encrypted", AGE_LOCK.mechanism))
    return content
