"""7z by py7zr and RAR by rars (decision 9): content of archives that Python itself cannot open."""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import zip_longest
from typing import TypeVar

import py7zr
import rars
from py7zr.exceptions import ArchiveError, PasswordRequired
from py7zr.io import Py7zIO, WriterFactory

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.archives import foreign_lock
from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.extract.normal import clean
from scanner.model import UNPROTECTED, Protection

_SEVEN_ERRORS = (
    ArchiveError, PasswordRequired, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError,
    lzma.LZMAError, zlib.error, struct.error, OverflowError, AssertionError, RuntimeError,
)  # fmt: skip
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
        raise UnreadablePart("corrupt", f"7z: {fault_of(error)}") from None


def _seven_files(archive: py7zr.SevenZipFile, limits: Limits) -> Iterator[Child]:
    """Files lie behind one another in one stream: all are unpacked at once, within the limit."""
    memory = _Memory(limits.max_total_bytes)
    try:
        archive.extractall(factory=memory)
    except UnreadablePart:
        raise
    except _SEVEN_ERRORS as error:
        raise UnreadablePart("corrupt", f"7z: {fault_of(error)}") from None
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

_RAR_ERRORS = (rars.Error, MemoryError, KeyError, ValueError, OverflowError, OSError)
# The most that unpacking may hold besides what it gives: dictionaries of RAR 5 may be announced up to a terabyte.
_RAR_WORKSPACE = 256 << 20
_Answer = TypeVar("_Answer")


def read_rar(data: bytes, claimed: str, limits: Limits, password: str = "") -> Content:
    """The names as text, the files as children; `encrypted` where locked and without the right password."""
    content = Content(protection=foreign_lock(data))
    # What cannot be judged from the headers is tried all the same.
    if content.protection.grade != "unknown" and not content.protection.readable_without_password and not password:
        content.missed(Trouble("encrypted", content.protection.mechanism))
        return content
    archive = _rar(data, limits, password)
    files = [info for info in archive.infolist() if not info.is_dir()]
    content.text = "\n".join(clean(info.filename) for info in files[:10_000])
    content.children = _rar_files(archive, files, limits, bool(password))
    return content


def rar_opens(data: bytes, password: str, limits: Limits) -> bool:
    """Does the password fit? Told by what is kept of it in the archive, or by the checksum of the smallest locked file."""
    try:
        archive = _rar(data, limits, password)
        locked = [info for info in archive.infolist() if info.is_encrypted and info.file_size and not info.is_dir()]
        if not locked:
            return False  # nothing proves the password of an empty file
        # Files of a solid archive are unpacked from the first on, so that the first is the cheapest to ask.
        is_solid = any(info.is_solid for info in locked)
        _rar_bytes(archive, locked[0] if is_solid else min(locked, key=lambda info: info.file_size), limits)
    except UnreadablePart:
        return False
    return True


def _rar(data: bytes, limits: Limits, password: str) -> rars.RarFile:
    options = rars.ReadOptions(
        max_header_count=2 * limits.max_parts + 100,
        max_member_output_bytes=limits.max_part_bytes,
        max_total_output_bytes=limits.max_total_bytes,
        rar50_dictionary_size_limit=_RAR_WORKSPACE,
        max_reader_workspace_bytes=_RAR_WORKSPACE,
    )
    return _asked(lambda: rars.RarFile.from_bytes(data, password or None, options=options))


def _rar_files(archive: rars.RarFile, files: list[rars.RarInfo], limits: Limits, has_password: bool) -> Iterator[Child]:
    open_files: list[rars.RarInfo] = []
    for info in files:
        if info.is_split_before or info.is_split_after:
            yield Child(info.filename, None, 0, trouble=Trouble("unsupported", "RAR: goes on in another volume"))
        elif info.is_encrypted and not has_password:
            yield Child(info.filename, None, info.file_size, trouble=Trouble("encrypted", "RAR entry"))
        elif not info.compress_size:
            # Empty, or a link: of what it points to, the content stands elsewhere in the archive or nowhere.
            yield Child(info.filename, bytes)
        else:
            open_files.append(info)
    solid = _solid_files(archive, open_files) if any(info.is_solid for info in open_files) else []
    for info, whole in zip_longest(open_files, solid):
        unpack = partial(bytes, whole) if whole is not None else partial(_rar_bytes, archive, info, limits)
        yield Child(info.filename, unpack, info.file_size)


def _solid_files(archive: rars.RarFile, files: list[rars.RarInfo]) -> list[bytes]:
    """The files of a solid archive lie behind one another in one stream: read in one go, and as many as that gives.

    Asked for one by one, each would be unpacked together with all that lie before it. Where one is damaged, halving finds
    how far the stream can be read.
    """
    whole: list[bytes] = []
    low, high = 0, len(files)
    take = high
    while low < high:
        try:
            whole = _asked(partial(archive.read_many, files[:take]))
            low = take
        except UnreadablePart:
            high = take - 1
        take = (low + high + 1) // 2
    return whole


def _rar_bytes(archive: rars.RarFile, info: rars.RarInfo, limits: Limits) -> bytes:
    if info.file_size > limits.max_part_bytes:
        raise UnreadablePart("too_large", f"{info.file_size} bytes, allowed are {limits.max_part_bytes} for one part")
    return bytes(_asked(partial(archive.read, info)))


def _asked(question: Callable[[], _Answer]) -> _Answer:
    """What rars answers, or an UnreadablePart for the reason it gives for none."""
    try:
        return question()
    except (rars.PasswordRequired, rars.BadPassword):
        raise UnreadablePart("encrypted", "RAR") from None
    except rars.UnsupportedRarFeature:
        raise UnreadablePart("unsupported", "RAR: method or version that is not read") from None
    except MemoryError:
        raise UnreadablePart("too_large", "RAR: unpacks to more than is allowed") from None
    except _RAR_ERRORS as error:
        raise UnreadablePart("corrupt", f"RAR: {fault_of(error)}") from None
    except BaseException as error:
        # A mistake in the library's Rust comes as an exception that is not an Exception, and must not end the worker.
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadablePart("corrupt", "RAR: the reader gave up") from None
