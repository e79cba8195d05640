"""Compound files (MS-CFB): locked OOXML and the Office formats before 2007, and how these are locked."""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass
from xml.parsers.expat import ExpatError

import msoffcrypto
import olefile
from msoffcrypto.exceptions import DecryptionError, FileFormatError, InvalidKeyError, ParseError

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.model import UNPROTECTED, Protection

OLE_ERRORS = (
    OSError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    TypeError,
    OverflowError,
    struct.error,
    RecursionError,
)
# Excel locks write-protected books with this password and opens them without asking (MS-OFFCRYPTO section 2.4.2.3).
_EXCEL_DEFAULT_PASSWORD = "VelvetSweatshop"  # noqa: S105 -- a published constant
_MAX_SPIN_COUNT = 200_000
_KEY_BITS = re.compile(rb'<keyData[^>]{0,500}keyBits="(\d{1,4})"')
_CIPHER = re.compile(rb'<keyData[^>]{0,500}cipherAlgorithm="([A-Za-z0-9]{1,20})"')

_LOCKED = "password needed to open"


@dataclass(frozen=True, slots=True)
class _Lock:
    protection: Protection
    default_password: bool = False  # worth trying the one that Excel uses by itself


def lock(data: bytes) -> Protection:
    """How a compound file is locked; `unknown` where its directory cannot be read."""
    try:
        found = _lock(data)
    except UnreadablePart as error:
        return Protection("unknown", "compound file, cannot be read", False, (error.detail,))
    if _opened_by_excel(data, found) is not None:
        return _default_lock(found.protection)
    return found.protection


def _opened_by_excel(data: bytes, found: _Lock) -> bytes | None:
    """The content, where Excel opens the file by itself and trying that costs no more than the lock of an honest file."""
    if not found.default_password or _rounds(data) > _MAX_SPIN_COUNT:
        return None
    return opened(data, _EXCEL_DEFAULT_PASSWORD)


def _default_lock(protection: Protection) -> Protection:
    return Protection(
        "weak", f"{protection.mechanism}, Excel default password", True, ("opens without a password being asked for",)
    )


def _lock(data: bytes) -> _Lock:
    try:
        with olefile.OleFileIO(data) as ole:
            if _has_rights_management(ole):
                return _Lock(Protection("strong", "rights management (IRM)", False, ("key held by the rights server",)))
            if ole.exists("EncryptedPackage"):
                return _ooxml_lock(ole)
            if ole.exists("WordDocument"):
                return _Lock(_word_lock(ole))
            for name in ("Workbook", "Book"):
                if ole.exists(name):
                    return _excel_lock(ole.openstream(name).read())
            if ole.exists("Current User"):
                return _Lock(_powerpoint_lock(ole))
    except OLE_ERRORS as error:
        raise UnreadablePart("corrupt", f"compound file: {fault_of(error)}") from None
    return _Lock(UNPROTECTED)


def _has_rights_management(ole: olefile.OleFileIO) -> bool:
    """MS-OFFCRYPTO section 2.2 and MS-OXORMMS: a DRM data space, and no EncryptionInfo beside it."""
    names = {entry[-1].lower() for entry in ole.listdir(streams=True, storages=True)}
    drm = {"drmencrypteddataspace", "drmencryptedtransform", "\tdrmtransform", "\tdrmcontent", "\tdrmdataspace"}
    return bool(names & drm) and "encryptioninfo" not in names


def _ooxml_lock(ole: olefile.OleFileIO) -> _Lock:
    """MS-OFFCRYPTO section 2.3.4: agile, standard or extensible encryption, told by EncryptionInfo's version."""
    if not ole.exists("EncryptionInfo"):
        return _Lock(Protection("unknown", "Office package, lock of no known kind", False, ("no EncryptionInfo",)))
    info = ole.openstream("EncryptionInfo").read(100_000)
    major, minor, flags = struct.unpack_from("<HHI", info)
    if (major, minor) == (4, 4):
        bits, cipher = _KEY_BITS.search(info), _CIPHER.search(info)
        name = f"{cipher.group(1).decode() if cipher else 'AES'}-{bits.group(1).decode() if bits else '?'}"
        weak = name.startswith(("RC2", "RC4", "DES-"))
        protection = Protection("weak" if weak else "strong", f"Office agile encryption, {name}", False, (_LOCKED,))
        return _Lock(protection, default_password=True)
    if minor == 2 and flags & 0x04:
        bits_value = struct.unpack_from("<I", info, 12 + 16)[0]
        if flags & 0x20:
            return _Lock(Protection("strong", f"Office standard encryption, AES-{bits_value}", False, (_LOCKED,)), True)
        return _Lock(
            Protection("weak", f"Office RC4 CryptoAPI, {bits_value or 40} bits", False, ("legacy cipher",)), True
        )
    if minor == 3:
        return _Lock(Protection("unknown", "Office extensible encryption", False, ("cipher chosen by a third party",)))
    return _Lock(Protection("unknown", f"Office encryption {major}.{minor}", False, ("no known version",)))


def _word_lock(ole: olefile.OleFileIO) -> Protection:
    """MS-DOC section 2.5.2: fEncrypted 0x0100, fObfuscated 0x8000, fWhichTblStm 0x0200 of FibBase; 2.2.6 for the kind."""
    base = ole.openstream("WordDocument").read(32)
    flags = struct.unpack_from("<H", base, 0x0A)[0]
    if not flags & 0x0100:
        return UNPROTECTED
    if flags & 0x8000:
        return Protection("weak", "Word XOR obfuscation", False, ("not encryption",))
    table = "1Table" if flags & 0x0200 else "0Table"
    major, minor = struct.unpack("<HH", ole.openstream(table).read(4)) if ole.exists(table) else (0, 0)
    return _legacy_cipher("Word", major, minor)


def _legacy_cipher(product: str, major: int, minor: int) -> Protection:
    """MS-OFFCRYPTO sections 2.3.5 and 2.3.6."""
    if (major, minor) == (1, 1):
        return Protection("weak", f"{product} RC4, 40 bits", False, ("every key can be tried out",))
    if minor == 2:
        return Protection("weak", f"{product} RC4 CryptoAPI", False, ("legacy cipher",))
    return Protection("weak", f"{product} legacy encryption {major}.{minor}", False, ("legacy cipher",))


def _excel_lock(stream: bytes) -> _Lock:
    """MS-XLS: FilePass (2.4.117) right after BOF; Protect (2.4.207) with a one in it locks sheets or structure only."""
    position = 0
    protects = False
    while position + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, position)
        body = stream[position + 4 : position + 4 + min(size, 8)]
        if kind == 0x2F:
            scheme, major, minor = struct.unpack("<HHH", body[:6].ljust(6, b"\x00"))
            if scheme == 0:
                return _Lock(Protection("weak", "Excel XOR obfuscation", False, ("not encryption",)), True)
            return _Lock(_legacy_cipher("Excel", major, minor), True)
        if kind in (0x12, 0x19) and body[:2] == b"\x01\x00":
            protects = True
        position += 4 + size
    if protects:
        return _Lock(Protection("weak", "sheet or structure protection", True, ("nothing is encrypted",)))
    return _Lock(UNPROTECTED)


def _powerpoint_lock(ole: olefile.OleFileIO) -> Protection:
    """MS-PPT section 2.3.2: the header token of CurrentUserAtom."""
    atom = ole.openstream("Current User").read(16)
    if len(atom) == 16 and struct.unpack_from("<I", atom, 12)[0] == 0xF3D1C4DF:
        return Protection("weak", "PowerPoint RC4 CryptoAPI", False, ("legacy cipher",))
    return UNPROTECTED


_OPENING_ERRORS = (
    FileFormatError, InvalidKeyError, DecryptionError, ParseError, ExpatError, NotImplementedError, *OLE_ERRORS,
)  # fmt: skip


def fits(data: bytes, password: str) -> bool:
    """Does the password open the file? Its own verifier tells, where it has one (MS-OFFCRYPTO 2.3.4.9, 2.3.4.13, 2.3.6.4)."""
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(data))
        if getattr(office, "type", "") in ("agile", "standard"):
            office.load_key(password=password, verify_password=True)
            return True
        return opened(data, password) is not None
    except _OPENING_ERRORS:
        return False


def cost_of_a_try(data: bytes) -> float:
    """Milliseconds for one password: the key of an agile or standard lock is hashed tens of thousands of times."""
    rounds = _rounds(data)
    if rounds:
        return max(1.0, rounds / 400)
    return 60.0 if b"E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k" in data else 3.0


def _rounds(data: bytes) -> int:
    """How often an agile lock hashes a password; 0 for other locks.

    Asked of what would do the hashing: the number can stand in the file more than once, and only one of them counts.
    """
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(data))
        return int(office.info["spinValue"]) if getattr(office, "type", "") == "agile" else 0
    except _OPENING_ERRORS:
        return 0


def opened(data: bytes, password: str) -> bytes | None:
    """The content, where the password opens it."""
    try:
        office = msoffcrypto.OfficeFile(io.BytesIO(data))
        office.load_key(password=password)
        plain = io.BytesIO()
        office.decrypt(plain)
    except _OPENING_ERRORS:
        return None
    result = plain.getvalue()
    # A wrong password that nothing checked gives noise.
    return result if result.startswith((b"PK", olefile.MAGIC)) and result != data else None


def read_locked(data: bytes, claimed: str, limits: Limits) -> Content:
    """A locked Office file: `encrypted`, unless Excel's default password opens it; then its content is a child."""
    found = _lock(data)
    if (plain := _opened_by_excel(data, found)) is not None:
        return Content(
            protection=_default_lock(found.protection), children=(Child("opened", lambda: plain, len(plain)),)
        )
    content = Content(protection=found.protection)
    content.missed(Trouble("encrypted", found.protection.mechanism))
    return content
