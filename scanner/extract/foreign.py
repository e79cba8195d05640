"""7z by py7zr and RAR by UnRAR's own library (decision 0009): content of archives that Python itself cannot open.

UnRAR wants a file by name: it gets one that exists in memory only.
"""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import struct
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import py7zr
from py7zr.exceptions import ArchiveError, PasswordRequired
from py7zr.io import Py7zIO, WriterFactory

from scanner.errors import UnreadablePart
from scanner.extract.archives import foreign_lock, old_rar_files
from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.extract.normal import clean
from scanner.model import UNPROTECTED, Protection

_SEVEN_ERRORS = (
    ArchiveError, PasswordRequired, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError,
    lzma.LZMAError, zlib.error, struct.error, OverflowError, AssertionError, RuntimeError,
)  # fmt: skip
# Codes of UnRAR's dll.hpp.
_RAR_END, _RAR_UNKNOWN, _RAR_NO_VOLUME, _RAR_NO_PASSWORD, _RAR_BAD_PASSWORD = 10, 14, 15, 22, 24
_RAR_BAD_DATA = 12
_ANY_NUMBER = 1 << 31
_LOCKED_ENTRY = 0x04
_STOP = -1
_AES, _USUAL_ROUNDS = b"\x06\xf1\x07\x01", 19


def read_seven_zip(data: bytes, claimed: str, limits: Limits, password: str = "") -> Content:
    """The names as text, the files as children; `encrypted` where locked and without the right password."""
    content = Content(protection=seven_zip_lock(data))
    if not content.protection.readable_without_password and not password:
        content.missed(Trouble("encrypted", content.protection.mechanism))
        return content
    archive = _seven_zip(data, password)
    files = [info for info in archive.list() if not info.is_directory]
    total = sum(info.uncompressed for info in files)
    if total > limits.max_total_bytes:
        raise UnreadablePart("too_large", f"7z unpacks to {total} bytes")
    content.text = "\n".join(clean(info.filename) for info in files[:10_000])
    content.children = _seven_files(archive, limits)
    return content


def seven_zip_lock(data: bytes) -> Protection:
    """From the headers; where these are packed in a way that is not followed there, py7zr is asked."""
    found = foreign_lock(data)
    if found.grade != "unknown":
        return found
    try:
        with py7zr.SevenZipFile(io.BytesIO(data)) as archive:
            locked = archive.needs_password()
    except PasswordRequired:
        return Protection("strong", "7z AES-256, names encrypted", False, ("password needed even for the names",))
    except _SEVEN_ERRORS:
        return found
    names = "names of the entries can be read"
    return Protection("strong", "7z AES-256", False, ("password needed to open", names)) if locked else UNPROTECTED


def seven_zip_rounds(data: bytes) -> int:
    """The binary logarithm of how often 7z hashes a password (Methods.txt: 19 as 7-Zip writes it, up to 24 or none at all)."""
    found = [_USUAL_ROUNDS]
    try:
        with py7zr.SevenZipFile(io.BytesIO(data)) as archive:
            folders = archive.header.main_streams.unpackinfo.folders
            found += [
                coder["properties"][0] & 0x3F for one in folders for coder in one.coders if coder["method"] == _AES
            ]
    except _SEVEN_ERRORS:
        # Names encrypted: what the header is locked with stands in the open at the end.
        at = data.rfind(_AES)
        if 0 <= at < len(data) - len(_AES) - 1:
            found.append(data[at + len(_AES) + 1] & 0x3F)
    return max(found)


def seven_zip_opens(data: bytes, password: str, limits: Limits) -> bool:
    """Does the password fit? Told by the checksum of what comes out."""
    try:
        archive = _seven_zip(data, password)
        smallest = min(
            (info for info in archive.list() if info.uncompressed and not info.is_directory),
            key=lambda info: info.uncompressed,
            default=None,
        )
        if smallest is None or smallest.uncompressed > limits.max_part_bytes:
            return False
        archive.extract(targets=[smallest.filename], factory=_Memory(limits.max_total_bytes))
    except (UnreadablePart, *_SEVEN_ERRORS):
        return False
    return True


def _seven_zip(data: bytes, password: str) -> py7zr.SevenZipFile:
    try:
        return py7zr.SevenZipFile(io.BytesIO(data), password=password or None)
    except _SEVEN_ERRORS as error:
        raise UnreadablePart("corrupt", f"7z: {type(error).__name__}") from None


def _seven_files(archive: py7zr.SevenZipFile, limits: Limits) -> Iterator[Child]:
    """Files lie behind one another in one stream: all are unpacked at once, within the limit."""
    memory = _Memory(limits.max_total_bytes)
    try:
        archive.extractall(factory=memory)
    except UnreadablePart:
        raise
    except _SEVEN_ERRORS as error:
        raise UnreadablePart("corrupt", f"7z: {type(error).__name__}") from None
    for name, file in memory.files.items():
        yield Child(name, partial(file.whole, limits), file.size())


class _File(Py7zIO):
    def __init__(self, memory: _Memory) -> None:
        self._memory = memory
        self._buffer = io.BytesIO()

    def write(self, s: bytes | bytearray) -> int:
        self._memory.take(len(s))
        return self._buffer.write(s)

    def read(self, size: int | None = None) -> bytes:
        return self._buffer.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._buffer.seek(offset, whence)

    def flush(self) -> None:
        self._buffer.flush()

    def size(self) -> int:
        return self._buffer.getbuffer().nbytes

    def whole(self, limits: Limits) -> bytes:
        return self._buffer.getvalue()


class _Memory(WriterFactory):
    """Where py7zr writes to: memory, and not a byte more than allowed, whatever the header announced."""

    def __init__(self, most: int) -> None:
        self.files: dict[str, _File] = {}
        self._left = most

    def create(self, filename: str) -> Py7zIO:
        return self.files.setdefault(filename, _File(self))

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise UnreadablePart("too_large", "7z unpacks to more than is allowed")


# --- RAR ------------------------------------------------------------------------------------------------------------


def read_rar(data: bytes, claimed: str, limits: Limits, password: str = "") -> Content:
    """The names as text, the files as children; `encrypted` where locked and without the right password."""
    content = Content(protection=foreign_lock(data))
    if not content.protection.readable_without_password and not password:
        content.missed(Trouble("encrypted", content.protection.mechanism))
        return content
    files = _rar_files(data, limits, password)
    content.text = "\n".join(clean(child.name) for child in files[:10_000])
    content.children = files
    return content


def rar_opens(data: bytes, password: str, limits: Limits) -> bool:
    """Does the password fit? Told by the checksum of the smallest locked file."""
    try:
        return any(child.unpack is not None for child in _rar_files(data, limits, password, only_smallest=True))
    except UnreadablePart:
        return False


def _rar_files(data: bytes, limits: Limits, password: str, only_smallest: bool = False) -> list[Child]:
    from unrar.cffi import unrarlib  # loads UnRAR's library, which only a RAR file should pay for

    if not password.isascii():
        raise UnreadablePart("unsupported", "RAR: password with letters outside ASCII")
    found: list[Child] = []
    left = limits.max_total_bytes
    with _in_memory(data) as path:
        try:
            smallest = _smallest(unrarlib, path, password) if only_smallest else None
            with _rar(unrarlib, path, unrarlib.C_RAR_OM_EXTRACT, password) as archive:
                for header in _headers(unrarlib, archive):
                    if header.Flags & unrarlib.FLAGS_RHDF_DIRECTORY or (smallest and header.FileNameW != smallest):
                        header.skip()
                        continue
                    size = header.UnpSize + (header.UnpSizeHigh << 32)
                    if len(found) > limits.max_parts:
                        return found
                    if size > limits.max_part_bytes or size > left:
                        found.append(Child(header.FileNameW, None, 0, trouble=Trouble("too_large", f"{size} bytes")))
                        header.skip()
                        continue
                    if header.Flags & _LOCKED_ENTRY and not password:
                        found.append(Child(header.FileNameW, None, size, trouble=Trouble("encrypted", "RAR entry")))
                        header.skip()
                        continue
                    left -= size
                    found.append(_rar_file(unrarlib, header, size))
                    if smallest:
                        break
        except unrarlib.BadRarFile as error:
            if not found and 0 < old_rar_files(data) < _ANY_NUMBER and error.code == _RAR_BAD_DATA:
                raise UnreadablePart("unsupported", "RAR of a version that UnRAR reads no more") from None
            if only_smallest or not found:
                raise _rar_error(error.code) from None
            if len(found) >= old_rar_files(data):
                return found  # comments of RAR 2 and older end in a header that UnRAR takes for a broken one
            found.append(Child("rest", None, 0, trouble=Trouble("corrupt", f"RAR breaks off (code {error.code})")))
        except (AssertionError, ValueError, OSError, MemoryError, UnicodeError) as error:
            raise UnreadablePart("corrupt", f"RAR: {type(error).__name__}") from None
    return found


@dataclass(frozen=True, slots=True)
class _Rar:
    """An open archive, as the package's headers want to see one. The package's own gives the password to an archive that
    was not opened, and the process dies of it.
    """

    handle: Any
    _password_set: bool


@contextlib.contextmanager
def _rar(unrarlib: Any, path: str, mode: int, password: str) -> Iterator[_Rar]:
    asked = unrarlib.RAROpenArchiveDataEx(path, mode)
    handle = unrarlib.RAROpenArchiveEx(asked.value)
    if handle == unrarlib.ffi.NULL or asked.value.OpenResult:
        raise unrarlib.BadRarFile(asked.value.OpenResult or _RAR_BAD_DATA, "open")
    try:
        if password:
            unrarlib.RARSetPassword(handle, password.encode("ascii"))
        yield _Rar(handle, bool(password))
    finally:
        unrarlib.RARCloseArchive(handle)


def _headers(unrarlib: Any, archive: _Rar) -> Iterator[Any]:
    """The archive's files; the package's own loop takes a damaged header for the end."""
    while True:
        data = unrarlib.RARHeaderDataEx()
        code = unrarlib.RARReadHeaderEx(archive.handle, data)
        if code == _RAR_END:
            return
        if code:
            raise unrarlib.BadRarFile(code, "header")
        yield unrarlib.RarHeader(archive, data)


def _smallest(unrarlib: Any, path: str, password: str) -> str:
    """The name of the smallest locked file; raises the library's error where not even the names can be read."""
    with _rar(unrarlib, path, unrarlib.C_RAR_OM_LIST_INCSPLIT, password) as archive:
        sizes = []
        for header in _headers(unrarlib, archive):
            size = header.UnpSize + (header.UnpSizeHigh << 32)
            if header.Flags & _LOCKED_ENTRY and size:  # nothing proves the password of an empty file
                sizes.append((size, header.FileNameW))
            header.skip()
    if not sizes:
        raise UnreadablePart("corrupt", "RAR: no locked file")
    return str(min(sizes)[1])


def _rar_file(unrarlib: Any, header: Any, size: int) -> Child:
    """One file, unpacked here because UnRAR goes through an archive from front to back."""
    pieces: list[bytes] = []
    length = 0

    def answer(message: int, first: int, second: int) -> int:
        # The package's own callback says yes to everything, also to "is the next volume there now?", for ever.
        nonlocal length
        if message != unrarlib.UCM_PROCESSDATA:
            return _STOP
        length += second
        if length > size:
            return _STOP
        pieces.append(bytes(unrarlib.ffi.buffer(unrarlib.ffi.cast("char *", first), second)))
        return 1

    name = str(header.FileNameW)
    handle = unrarlib.ffi.new_handle(answer)
    unrarlib.RARSetCallbackPtr(header.handle, unrarlib.PyUNRARCALLBACKStub, handle)
    try:
        code = unrarlib.RARProcessFileW(header.handle, unrarlib.C_RAR_TEST, unrarlib.ffi.NULL, unrarlib.ffi.NULL)
    finally:
        unrarlib.RARSetCallbackPtr(header.handle, unrarlib.ffi.NULL, unrarlib.ffi.NULL)
    if code in (_RAR_BAD_PASSWORD, _RAR_NO_PASSWORD):
        raise unrarlib.BadRarPassword(code, "password")
    if code:
        error = _rar_error(code)
        return Child(name, None, size, trouble=Trouble(error.kind, error.detail))  # type: ignore[arg-type]
    whole = b"".join(pieces)
    return Child(name, lambda: whole, len(whole))


def _rar_error(code: int) -> UnreadablePart:
    if code in (_RAR_NO_PASSWORD, _RAR_BAD_PASSWORD):
        return UnreadablePart("encrypted", "RAR")
    if code in (_RAR_NO_VOLUME, _RAR_UNKNOWN):
        return UnreadablePart("unsupported", f"RAR: a volume is missing or the method is unknown (code {code})")
    return UnreadablePart("corrupt", f"RAR (code {code})")


@contextlib.contextmanager
def _in_memory(data: bytes) -> Iterator[str]:
    """A path under which the bytes can be opened; on Linux nothing touches a disk."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("archive")
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                stream.write(data)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        with tempfile.NamedTemporaryFile(suffix=".rar") as file:
            file.write(data)
            file.flush()
            yield file.name
