"""Files and folders on disk as a source: single files, folders walked in order, Maildirs. Nothing is opened beyond reading bytes.

A path given is a folder of the source; an item's id is that path, as given, joined with the relative path below it.
What cannot be read is an item too, with a problem, so that it is never passed over in silence.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scanner.errors import ConnectorError
from scanner.model import Cursor, Envelope, Problem, ProblemKind
from scanner.ports import Folder, ItemRef, Page, RawItem

_PAGE = 100
_DEEPEST = 200
_TOKEN_BYTES = 256 * 1024 * 1024
_MAILDIR = frozenset({"cur", "new", "tmp"})


@dataclass(frozen=True, slots=True)
class _Found:
    """One path on disk. `mark` changes with the content; `problem` says why it cannot be read."""

    path: str
    mark: str = ""
    problem: ProblemKind | None = None
    detail: str = ""


class FileSource:
    """A `Source` over paths. `mailbox` means nothing here and is the empty string. `max_bytes` bounds one file.

    `leave_out`: a file that is no document even where it lies in one of the folders; it is read where it is named itself.
    """

    name = "files"

    def __init__(self, paths: Sequence[str], *, max_bytes: int = 512 * 1024 * 1024, leave_out: str = "") -> None:
        self._paths = tuple(dict.fromkeys(paths))
        self._leave_out = os.path.realpath(leave_out) if leave_out else ""
        self._max_bytes = max_bytes

    def check(self) -> list[str]:
        """One sentence for each path that is not there or is neither a file nor a folder."""
        return [f"{shown_path(path)}: {said}" for path in self._paths if (said := _unusable(path))]

    def folders(self, mailbox: str = "") -> Iterator[Folder]:
        """The paths that are there."""
        yield from (Folder(mailbox, path) for path in self._paths if not _unusable(path))

    def changes(self, folder: Folder, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of new, changed and vanished files since `cursor`.

        Only the last page's token goes forward: a round that was broken off begins again, and nothing that changed
        meanwhile is lost. A token that is not ours means a full round.
        """
        if said := _unusable(folder.id):
            raise ConnectorError(f"{shown_path(folder.id)}: {said}", permanent=True)
        before = _unpacked(cursor.token) if cursor is not None else {}
        start = cursor.token if cursor is not None else ""
        marks: dict[str, str] = {}
        waiting: list[ItemRef] = []
        for found in _walk(folder.id):
            if self._leave_out and found.path != folder.id and os.path.realpath(found.path) == self._leave_out:
                continue
            marks[found.path] = found.mark
            if before.get(found.path) != found.mark:
                waiting.append(_item(folder, found))
            if len(waiting) == _PAGE:
                yield Page(tuple(waiting), start, last=False)
                waiting = []
        gone = (ItemRef(folder.mailbox, folder.id, path, gone=True) for path in before if path not in marks)
        yield Page((*waiting, *gone), _packed(marks), last=True)

    def fetch(self, ref: ItemRef) -> Envelope | RawItem:
        """The bytes of a file; an envelope with a problem where there are none to be had."""
        if ref.envelope is not None:
            return ref.envelope
        try:
            data = self._read(ref.id)
        except OSError as error:
            return _unread(ref.id, "unavailable", error.strerror or "cannot be read")
        if data is None:
            return _unread(ref.id, "too_large", f"larger than {self._max_bytes:,} bytes")
        claimed = "message/rfc822" if _is_in_maildir(ref.id) else "application/octet-stream"
        return RawItem(data, claimed, shown_path(os.path.basename(ref.id)))

    def _read(self, path: str) -> bytes | None:
        """The bytes of a regular file, None above the limit. A pipe that took its place in the meantime does not block."""
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(0, "is not a regular file")
            data = file.read(self._max_bytes + 1)
        return data if len(data) <= self._max_bytes else None


def shown_path(path: str) -> str:
    """A path that can be printed: bytes of a name that are not UTF-8 are written as escapes, control characters too."""
    printable = path.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in printable)


def _unusable(path: str) -> str:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return "there is no such file or folder"
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or 'not a path'}"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "is neither a file nor a folder"


def _walk(root: str) -> Iterator[_Found]:
    """Everything below `root` in the order of names. Links are followed to files inside the root only."""
    if not os.path.isdir(root):
        yield _file(root, os.stat(root))
        return
    real_root = os.path.realpath(root)
    # Depth first with an explicit stack, so that a deep tree costs no recursion; what waits on it is already in order.
    waiting: list[tuple[str, int]] = [(root, 0)]
    while waiting:
        path, depth = waiting.pop()
        try:
            # The root itself may be a link: whoever named it meant where it leads.
            info = os.lstat(path) if depth else os.stat(path)
            if stat.S_ISLNK(info.st_mode):
                yield from _linked(path, real_root)
            elif stat.S_ISREG(info.st_mode):
                yield _file(path, info)
            elif not stat.S_ISDIR(info.st_mode):
                yield _Found(path, "special", "unsupported", "is a device, pipe or socket")
            elif depth >= _DEEPEST:
                yield _Found(path, "deep", "too_deep", f"lies deeper than {_DEEPEST} folders")
            else:
                names = _names(path)
                waiting.extend((os.path.join(path, name), depth + 1) for name in sorted(names, reverse=True))
        except FileNotFoundError:
            continue  # deleted during the walk
        except OSError as error:
            yield _Found(path, f"unreadable {error.errno}", "unavailable", error.strerror or "cannot be read")


def _names(folder: str) -> list[str]:
    """The names in a folder; of a Maildir without `tmp`, where messages lie that are still being delivered."""
    names = os.listdir(folder)
    if set(names) >= _MAILDIR and all(os.path.isdir(os.path.join(folder, name)) for name in _MAILDIR):
        names.remove("tmp")
    return names


def _linked(path: str, real_root: str) -> Iterator[_Found]:
    target = os.path.realpath(path)
    if os.path.commonpath((real_root, target)) != real_root:
        yield _Found(path, "link out", "unavailable", "is a link that leads out of the folder")
    elif os.path.isfile(target):
        yield _file(path, os.stat(target))
    elif not os.path.isdir(target):
        yield _Found(path, "broken link", "unavailable", "is a link that leads nowhere")
    # A link to a folder inside the root shows nothing new: the walk comes to that folder by itself.


def _file(path: str, info: os.stat_result) -> _Found:
    return _Found(path, f"{info.st_mtime_ns:x}.{info.st_size:x}.{info.st_ino:x}")


def _is_in_maildir(path: str) -> bool:
    folder = Path(path).parent
    return folder.name in ("cur", "new") and all((folder.parent / name).is_dir() for name in _MAILDIR)


def _item(folder: Folder, found: _Found) -> ItemRef:
    if found.problem is None:
        return ItemRef(folder.mailbox, folder.id, found.path)
    return ItemRef(folder.mailbox, folder.id, found.path, envelope=_unread(found.path, found.problem, found.detail))


def _unread(path: str, kind: ProblemKind, detail: str) -> Envelope:
    return Envelope(
        source=FileSource.name, provider_id=path, problems=(Problem("document", "fetch", kind, "none", detail),)
    )


def _packed(marks: dict[str, str]) -> str:
    return base64.b85encode(zlib.compress(json.dumps(marks).encode("ascii"))).decode("ascii")


def _unpacked(token: str) -> dict[str, str]:
    try:
        unzip = zlib.decompressobj()
        content = unzip.decompress(base64.b85decode(token.encode("ascii")), _TOKEN_BYTES)
        marks = json.loads(content) if unzip.eof else {}
    except (ValueError, zlib.error, binascii.Error):
        return {}
    return marks if isinstance(marks, dict) else {}
