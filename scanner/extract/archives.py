"""Archives: zip, tar and single packed files; the locks of all, and of 7z and RAR from their own headers."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial

import pyzipper

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.extract.normal import clean
from scanner.model import UNPROTECTED, Protection

_ENCRYPTED_FLAG, _STRONG_FLAG = 0x0001, 0x0040
_AES_METHOD, _AES_EXTRA = 99, 0x9901
_AES_BITS = {1: 128, 2: 192, 3: 256}
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    IndexError,
)
# pyzipper has its own classes by the same names.
_KEY_ERRORS = (*_ZIP_ERRORS, pyzipper.BadZipFile, pyzipper.LargeZipFile)
_ODF_ENCRYPTED = re.compile(rb"<manifest:encryption-data[\s>]|encrypted-package")


def open_zip(data: bytes) -> zipfile.ZipFile:
    """The archive. Raises UnreadablePart("corrupt") where it has no readable directory."""
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (*_ZIP_ERRORS, NotImplementedError) as error:
        raise UnreadablePart("corrupt", f"zip without a readable list of its files ({fault_of(error)})") from None


def lock(data: bytes) -> Protection:
    """How a zip is locked: the worst of its entries, because one open entry is an open archive."""
    try:
        with open_zip(data) as archive:
            return _lock(archive)
    except UnreadablePart as error:
        return Protection("unknown", "zip, cannot be read", False, (error.detail,))


def _lock(archive: zipfile.ZipFile) -> Protection:
    files = [info for info in archive.infolist() if not info.filename.endswith("/")]
    locks = [_entry_lock(info) for info in files]
    closed = [one for one in locks if one.grade != "none"]
    if not closed:
        return _odf_lock(archive)
    # An empty entry has nothing to lock and is stored open by most programs.
    still_open = [info for info, one in zip(files, locks, strict=True) if one.grade == "none" and info.file_size]
    names = "names of the entries can be read"
    if still_open:
        mechanism = f"{closed[0].mechanism} on {len(closed)} of {len(files)} entries"
        return Protection("none", mechanism, True, ("some entries are open", names))
    worst = next((one for one in closed if one.grade == "weak"), closed[0])
    return Protection(worst.grade, worst.mechanism, False, (*worst.reasons, names))


def _entry_lock(info: zipfile.ZipInfo) -> Protection:
    """APPNOTE 4.4.4 bit 0 and AES as WinZip writes it (method 99, extra field 0x9901)."""
    if not info.flag_bits & _ENCRYPTED_FLAG:
        return UNPROTECTED
    if info.compress_type == _AES_METHOD:
        bits = _aes_bits(info.extra)
        return Protection("strong", f"zip AES-{bits}" if bits else "zip AES", False, ("password needed to open",))
    if info.flag_bits & _STRONG_FLAG:
        return Protection("unknown", "zip strong encryption (PKWARE)", False, ("cipher not told outside",))
    return Protection("weak", "ZipCrypto", False, ("an old cipher that can be broken without the password",))


def _aes_bits(extra: bytes) -> int:
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, position)
        if kind == _AES_EXTRA and position + 9 <= len(extra):
            return _AES_BITS.get(extra[position + 8], 0)
        position += 4 + length
    return 0


def _odf_lock(archive: zipfile.ZipFile) -> Protection:
    """OpenDocument 1.2 part 3 section 3: the manifest names the encrypted entries; the zip itself shows no lock."""
    info = archive.NameToInfo.get("META-INF/manifest.xml")
    if info is None or info.file_size > 5_000_000:
        return UNPROTECTED
    try:
        manifest = archive.read(info)
    except (*_ZIP_ERRORS, NotImplementedError, RuntimeError):
        return UNPROTECTED
    if not _ODF_ENCRYPTED.search(manifest):
        return UNPROTECTED
    if b"lowfish" in manifest and b"aes" not in manifest.lower():
        return Protection("weak", "OpenDocument, Blowfish", False, ("cipher of OpenDocument 1.1",))
    derivation = ", Argon2id" if b"argon2id" in manifest else ""
    return Protection("strong", f"OpenDocument, AES-256{derivation}", False, ("password needed to open",))


def read_zip(data: bytes, claimed: str, limits: Limits) -> Content:
    """The names of the entries as text (anyone can read them, lock or not), the entries as children."""
    archive = open_zip(data)
    protection = _lock(archive)
    files = [info for info in archive.infolist() if not info.filename.endswith("/")]
    content = Content("\n".join(clean(info.filename) for info in files[:10_000]), protection=protection)
    content.children = _entries(archive, files, limits)
    return content


def _entries(archive: zipfile.ZipFile, files: list[zipfile.ZipInfo], limits: Limits) -> Iterator[Child]:
    for info in files:
        protection = _entry_lock(info)
        if protection.grade != "none":
            locked = Trouble("encrypted", protection.mechanism)
            yield Child(info.filename, None, info.file_size, protection=protection, trouble=locked)
        else:
            yield Child(info.filename, partial(unpack, archive, info, limits), info.file_size)


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> bytes:
    """The bytes of one entry; not one more is unpacked than its directory entry announces, whatever the data would give."""
    if info.file_size > limits.max_part_bytes:
        raise UnreadablePart("too_large", f"{info.file_size} bytes, allowed are {limits.max_part_bytes} for one part")
    try:
        with archive.open(info) as stream:
            return stream.read(info.file_size)
    except (NotImplementedError, RuntimeError) as error:
        raise UnreadablePart("unsupported", f"zip entry: {fault_of(error)}") from None
    except _ZIP_ERRORS as error:
        raise UnreadablePart("corrupt", f"zip entry: {fault_of(error)}") from None


class _ZipKeys:
    """The locked entries of a zip with one password to try: ZipCrypto or WinZip AES (pyzipper reads both)."""

    def __init__(self, data: bytes) -> None:
        self._archive = pyzipper.AESZipFile(io.BytesIO(data))
        self._locked = [info for info in self._archive.infolist() if info.flag_bits & _ENCRYPTED_FLAG]

    def opens(self, password: str, limits: Limits) -> bool:
        """Proved on the smallest locked entry, whose checksum or authentication code must fit."""
        with_content = [info for info in self._locked if info.file_size] or self._locked
        smallest = min(with_content, key=lambda info: info.file_size, default=None)
        if smallest is None or smallest.file_size > limits.max_part_bytes:
            return False
        try:
            self._archive.read(smallest, pwd=password.encode())
        except (RuntimeError, NotImplementedError, *_KEY_ERRORS):
            return False
        return True

    def children(self, password: str, limits: Limits) -> Iterator[Child]:
        for info in self._locked:
            yield Child(info.filename, partial(self._unpack, info, password, limits), info.file_size)

    def _unpack(self, info: zipfile.ZipInfo, password: str, limits: Limits) -> bytes:
        if info.file_size > limits.max_part_bytes:
            raise UnreadablePart(
                "too_large", f"{info.file_size} bytes, allowed are {limits.max_part_bytes} for one part"
            )
        try:
            with self._archive.open(info, pwd=password.encode()) as stream:
                return bytes(stream.read(info.file_size))
        except (RuntimeError, NotImplementedError, *_KEY_ERRORS) as error:
            raise UnreadablePart("corrupt", f"locked zip entry: {fault_of(error)}") from None


def zip_keys(data: bytes) -> _ZipKeys:
    """For trying passwords on a zip. Raises UnreadablePart("corrupt")."""
    try:
        return _ZipKeys(data)
    except (*_KEY_ERRORS, NotImplementedError, RuntimeError) as error:
        raise UnreadablePart("corrupt", f"zip: {fault_of(error)}") from None


def read_tar(data: bytes, claimed: str, limits: Limits) -> Content:
    """Regular files as children; links and devices hold nothing of their own."""
    content = Content()
    members: list[tarfile.TarInfo] = []
    try:
        archive = tarfile.TarFile(fileobj=io.BytesIO(data), mode="r")
    except (tarfile.TarError, *_ZIP_ERRORS) as error:
        raise UnreadablePart("corrupt", f"tar: {fault_of(error)}") from None
    try:
        for member in archive:
            if member.isfile():
                members.append(member)
            if len(members) > limits.max_parts:
                break
    except (tarfile.TarError, *_ZIP_ERRORS) as error:
        content.missed(Trouble("corrupt", f"tar breaks off: {fault_of(error)}", "part"))
    content.text = "\n".join(clean(member.name) for member in members)
    content.children = (Child(one.name, partial(_tar_bytes, archive, one), one.size) for one in members)
    return content


def _tar_bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    try:
        stream = archive.extractfile(member)
        return stream.read() if stream else b""
    except (tarfile.TarError, *_ZIP_ERRORS, KeyError) as error:
        raise UnreadablePart("corrupt", f"tar entry: {fault_of(error)}") from None


def read_packed(data: bytes, claimed: str, limits: Limits) -> Content:
    """gzip, bzip2 and xz: one file each. Unpacked at most to the limit, whatever the header says."""
    return Content(children=(Child("content", lambda: _unpacked(data, limits)),))


def _unpacked(data: bytes, limits: Limits) -> bytes:
    most = limits.max_part_bytes
    source = io.BytesIO(data)
    try:
        if data.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=source) as unzipped:
                result = unzipped.read(most + 1)
        elif data.startswith(b"BZh"):
            with bz2.BZ2File(source) as unpacked:
                result = unpacked.read(most + 1)
        else:
            with lzma.LZMAFile(source) as expanded:
                result = expanded.read(most + 1)
    except _ZIP_ERRORS as error:
        raise UnreadablePart("corrupt", f"packed file: {fault_of(error)}") from None
    if len(result) > most:
        raise UnreadablePart("too_large", f"unpacks to more than {most} bytes")
    return result


# --- the locks of 7z and RAR ----------------------------------------------------------------------------------------


def foreign_lock(data: bytes) -> Protection:
    """The lock of a 7z or RAR archive from its headers; `unknown` where these cannot be followed."""
    try:
        if data.startswith(b"7z\xbc\xaf\x27\x1c"):
            return _seven_zip_lock(data)
        if data.startswith(b"Rar!\x1a\x07\x01\x00"):
            return _rar5_lock(data)
        return _rar4_lock(data)
    except (IndexError, struct.error, lzma.LZMAError, ValueError, EOFError):
        return Protection("unknown", "archive headers cannot be read", True, ("headers cut off or damaged",))


# Coder identifiers of 7z (7zFormat.txt, Methods.txt).
_LZMA1, _LZMA2, _SEVEN_AES = b"\x03\x01\x01", b"\x21", b"\x06\xf1\x07\x01"
_MAX_SEVEN_HEADER = 20_000_000
_USUAL_RAR_ROUNDS = 15


def _seven_zip_lock(data: bytes) -> Protection:
    offset, size = struct.unpack_from("<QQ", data, 12)
    if not size:
        return UNPROTECTED
    header = data[32 + offset : 32 + offset + size]
    if len(header) < size or size > _MAX_SEVEN_HEADER:
        raise EOFError
    if header[0] == 0x17:
        # The header is itself packed: its own description says how, and whether that was with a password.
        if _SEVEN_AES in header:
            return Protection("strong", "7z AES-256, names encrypted", False, ("password needed even for the names",))
        header = _seven_unpack_header(data, header)
    if _SEVEN_AES in header:
        return Protection(
            "strong", "7z AES-256", False, ("password needed to open", "names of the entries can be read")
        )
    return UNPROTECTED


def _seven_unpack_header(data: bytes, header: bytes) -> bytes:
    """Unpack an EncodedHeader of one LZMA folder, the only kind that 7-Zip writes."""
    position = 1

    def number() -> int:
        # 7zFormat.txt: the first byte's leading ones count the bytes that follow, little end first.
        nonlocal position
        first = header[position]
        position += 1
        value = 0
        mask = 0x80
        for index in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << (8 * index)
            value |= header[position] << (8 * index)
            position += 1
            mask >>= 1
        return value

    if header[position] != 0x06:
        raise ValueError
    position += 1
    pack_position, streams = number(), number()
    if streams != 1 or header[position] != 0x09:
        raise ValueError
    position += 1
    packed_size = number()
    coder = header.find(_LZMA1, position)
    start = 32 + pack_position
    packed = data[start : start + packed_size]
    if coder >= 0 and header[coder - 1] & 0x2F == 0x23:
        properties = header[coder + 4 : coder + 4 + header[coder + 3]]
        code, dictionary = properties[0], struct.unpack_from("<I", properties, 1)[0]
        filters = [
            {"id": lzma.FILTER_LZMA1, "lc": code % 9, "lp": code // 9 % 5, "pb": code // 45,
             "dict_size": max(4096, min(dictionary, 64_000_000))}
        ]  # fmt: skip
        return lzma.LZMADecompressor(format=lzma.FORMAT_RAW, filters=filters).decompress(packed, _MAX_SEVEN_HEADER)
    raise ValueError


def _rar4_lock(data: bytes) -> Protection:
    """RAR 1.5 to 4: archive header flag 0x0080 encrypts all headers, file header flag 0x0004 the content; 0x0001 says that
    the content begins in an earlier part.
    """
    position = 7
    files = closed = 0
    continued = False
    version = 29
    while position + 7 <= len(data):
        kind = data[position + 2]
        flags, size = struct.unpack_from("<HH", data, position + 3)
        if kind == 0x73 and flags & 0x0080:
            return Protection(
                "strong", "RAR 4 AES-128, names encrypted", False, ("password needed even for the names",)
            )
        if size < 7:
            break
        added = struct.unpack_from("<I", data, position + 7)[0] if flags & 0x8000 or kind in (0x74, 0x7A) else 0
        if kind == 0x74:
            continued = continued or (not files and bool(flags & 0x0001))
            files += 1
            closed += bool(flags & 0x0004)
            version = min(version, data[position + 24])
        position += size + added
        if kind == 0x7B:
            break
    if closed and version < 29:
        # AES came with the format of RAR 2.9; what was before is the authors' own cipher.
        return Protection("weak", f"RAR {version / 10:.1f} cipher", False, ("obsolete cipher",))
    return _rar_verdict("RAR 4 AES-128", files, closed, continued)


def _vint(data: bytes, at: int) -> tuple[int, int]:
    """RAR 5: seven bits a byte, little end first, the top bit says that more follow. The number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80 or shift > 63:
            return value, at


def _rar5_blocks(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Kind of each block, where its own fields begin, where its extra area begins and where that ends."""
    position = 8
    if len(data) < position + 8:
        raise EOFError
    while position + 7 < len(data):
        size, start = _vint(data, position + 4)
        kind, at = _vint(data, start)
        flags, at = _vint(data, at)
        extra_size = data_size = 0
        if flags & 1:
            extra_size, at = _vint(data, at)
        if flags & 2:
            data_size, at = _vint(data, at)
        end = start + size
        yield kind, at, end - extra_size, end
        if kind in (4, 5):
            return
        if not size:
            raise ValueError
        position = end + data_size


def _rar5_extra(data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Type and place of each record of an extra area."""
    while at < end:
        size, at = _vint(data, at)
        kind, fields = _vint(data, at)
        yield kind, fields
        at += max(size, 1)


def _rar5_lock(data: bytes) -> Protection:
    """RAR 5: a block of type 4 encrypts all headers, an extra record of type 1 in a file header its content. In the archive
    header flag 2 says that a number of the part follows, which the first part has not.
    """
    files = closed = 0
    later = False
    for kind, fields, extra, end in _rar5_blocks(data):
        if kind == 1:
            flags, number = _vint(data, fields)
            later = bool(flags & 2) and _vint(data, number)[0] > 0
        if kind == 4:
            return Protection(
                "strong", "RAR 5 AES-256, names encrypted", False, ("password needed even for the names",)
            )
        if kind == 2:
            files += 1
            closed += sum(record == 1 for record, _ in _rar5_extra(data, extra, end))
    return _rar_verdict("RAR 5 AES-256", files, closed, later)


def rar_rounds(data: bytes) -> int:
    """The binary logarithm of how often RAR 5 hashes a password; 15 as RAR writes it, up to 255 as an attacker does."""
    most = _USUAL_RAR_ROUNDS
    if not data.startswith(b"Rar!\x1a\x07\x01\x00"):
        return most
    try:
        for kind, fields, extra, end in _rar5_blocks(data):
            places = [fields] if kind == 4 else [at for record, at in _rar5_extra(data, extra, end) if record == 1]
            for place in places:
                _, place = _vint(data, place)  # version
                _, place = _vint(data, place)  # flags
                most = max(most, data[place])
    except (IndexError, EOFError, ValueError):
        return most
    return most


def _rar_verdict(mechanism: str, files: int, closed: int, later_part: bool) -> Protection:
    if later_part and (not closed or closed < files):
        return Protection("unknown", "RAR, a later part of a set", False, ("cannot be judged without the first part",))
    if not closed:
        return UNPROTECTED
    if closed < files:
        return Protection("none", f"{mechanism} on {closed} of {files} entries", True, ("some entries are open",))
    return Protection("strong", mechanism, False, ("password needed to open", "names of the entries can be read"))
