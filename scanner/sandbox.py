"""The walls round a worker: no network, no other program, no file written but in its own temporary folder, none read but the
program's own.

Linux gives them without privileges, each where its kernel allows: seccomp, Landlock, an own network namespace. What could
not be put up is said at the start (`Wall.stands`), never passed over. Resource limits hold everywhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import platform
import resource
import shutil
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_MAX_OPEN_FILES = 256
_MAX_FILE_BYTES = 512 * 1024 * 1024

_PR_SET_NO_NEW_PRIVS, _PR_SET_DUMPABLE = 38, 4
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_THREAD = 0x10000000, 0x40000000, 0x00010000
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_RET_ALLOW, _RET_ERRNO = 0x7FFF0000, 0x00050000
# Offsets in struct seccomp_data: number, architecture, low half of the first argument.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
# Where a library may look late: other libraries, time zones, fonts, what the processor can do. No folder here holds a secret.
_SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store", "/dev", "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone",
    "/etc/ssl/openssl.cnf", "/etc/fonts", "/etc/mime.types", "/etc/nsswitch.conf", "/etc/passwd", "/proc/self", "/proc/cpuinfo",
    "/proc/meminfo", "/proc/stat", "/proc/sys", "/sys/devices/system",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Machine:
    """System call numbers of one architecture (the kernel's unistd tables)."""

    audit: int
    refused: tuple[int, ...]
    own_alone: tuple[int, ...]
    clone: int
    clone3: int = 435
    seccomp: int = 0
    unshare: int = 0


# socket, socketpair, connect, bind, listen, accept, sendto; fork, vfork, execve, execveat; ptrace, mount, umount2, pivot_root,
# setns, unshare, process_vm_readv, process_vm_writev, init_module, finit_module, kexec_load, bpf, perf_event_open, userfaultfd,
# keyctl, add_key, request_key, io_uring_setup, link, symlink and their *at forms; truncate (Landlock holds it from ABI 3 on),
# chmod, chown and their kin (Landlock never); tkill and the calls that queue a signal; setpriority, sched_setparam,
# sched_setscheduler, sched_setattr, ioprio_set, migrate_pages, move_pages, kcmp, name_to_handle_at, open_by_handle_at, pidfd_getfd,
# process_madvise, process_mrelease. `own_alone` are kill, tgkill, prlimit64 and sched_setaffinity: a crash is a signal to oneself
# and must be seen as one, and limits are one's own; for anybody else they are refused.
_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        (41, 53, 42, 49, 50, 43, 288, 44, 57, 58, 59, 322, 101, 165, 166, 155, 308, 272, 310, 311, 175, 313, 246, 321, 298, 323,
         250, 248, 249, 425, 86, 88, 265, 266, 76, 90, 91, 268, 452, 92, 93, 94, 260, 200, 129, 297, 424,
         141, 142, 144, 314, 251, 256, 279, 312, 303, 304, 438, 440, 448),
        own_alone=(62, 234, 302, 203), clone=56, seccomp=317, unshare=272,
    ),
    "aarch64": _Machine(
        0xC00000B7,
        (198, 199, 203, 200, 201, 202, 242, 206, 221, 281, 117, 40, 39, 41, 268, 97, 270, 271, 105, 273, 104, 280, 241, 282,
         219, 217, 218, 425, 36, 37, 45, 52, 53, 452, 54, 55, 130, 138, 240, 424,
         140, 118, 119, 274, 30, 238, 239, 272, 264, 265, 438, 440, 448),
        own_alone=(129, 131, 261, 122), clone=220, seccomp=277, unshare=97,
    ),
}  # fmt: skip

# Landlock, ABI 1: everything that changes a file system, and reading files and folders.
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_WRITES = 0x02 | 0x10 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800 | 0x1000
_LANDLOCK_FILE_WRITES = 0x02
_LANDLOCK_READS, _LANDLOCK_FILE_READS = 0x04 | 0x08, 0x04


@dataclass(frozen=True, slots=True)
class Wall:
    """One protection: what it keeps out, and whether it stands here; `note` says by what, or why not."""

    keeps_out: str
    stands: bool
    note: str


# A folder younger than this may not be held yet by whoever is making it.
_FOLDER_PREFIX, _SETTLED_SECONDS = "mailwarden-worker-", 60.0


class PrivateFolder:
    """A folder for the temporary files of one worker, made and removed by the process that started it.

    Its owner holds it by a lock, which ends with the owner however that ends. Whoever makes the next folder removes those that
    nobody holds any more: after a `kill -9` what was unpacked lies about until then at most.
    """

    def __init__(self) -> None:
        _remove_abandoned()
        self.path = tempfile.mkdtemp(prefix=_FOLDER_PREFIX)
        self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def wipe(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(_FOLDER_PREFIX + "*"):
        with contextlib.suppress(OSError):  # another has removed it, or holds it
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                found = os.fstat(handle)
                if found.st_uid == os.geteuid() and time.time() - found.st_mtime > _SETTLED_SECONDS:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def conceal() -> None:
    """Close what /proc shows of the calling process to others of the same user: its environment, memory and open files."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def enclose(temporary: str, readable: Sequence[str] = ()) -> tuple[Wall, ...]:
    """Put up every wall that this system has round the calling process. `temporary` is where it may still write, `readable`
    what it may read besides its own program, the system's libraries and that.

    To be called before anything hostile is read and while the process has one thread. Never raises.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold mail
    _lower(resource.RLIMIT_NOFILE, _MAX_OPEN_FILES)
    _lower(resource.RLIMIT_FSIZE, _MAX_FILE_BYTES)
    if not sys.platform.startswith("linux"):
        return (Wall("network, other programs and files", False, f"{platform.system()} has no such walls"),)
    library = ctypes.CDLL(None, use_errno=True)
    conceal()
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    machine = _MACHINES.get(platform.machine())
    own_network = _try("own network namespace", lambda: _own_network(library))
    writing = _try("Landlock", lambda: _touch_nothing_but(library, temporary, readable))
    calls = _try("seccomp", lambda: _refuse_calls(library, machine))
    reached = _network_reached()
    network = Wall("network", not reached, " and ".join(name for name, fault in (own_network, calls) if not fault))
    if reached:
        network = Wall("network", False, "; ".join(f"{name}: {fault}" for name, fault in (own_network, calls)))
    return (
        network,
        Wall("other programs", not calls[1], calls[1] or calls[0]),
        Wall("writing outside its temporary folder", not writing[1], writing[1] or writing[0]),
        Wall("reading what is not the program's", not writing[1], writing[1] or writing[0]),
    )


def _try(name: str, put_up: Callable[[], None]) -> tuple[str, str]:
    """The wall's name, and why it does not stand; '' where it does."""
    try:
        put_up()
    except OSError as error:
        return name, f"not here ({errno.errorcode.get(error.errno or 0, 'no reason given')})"
    return name, ""


def _lower(limit: int, wanted: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(limit, (value, value))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def _own_network(library: ctypes.CDLL) -> None:
    """A network namespace with nothing in it, not even a loopback device that is up."""
    if library.unshare(_CLONE_NEWNET) != 0:
        _checked(library.unshare(_CLONE_NEWUSER | _CLONE_NEWNET))


def _touch_nothing_but(library: ctypes.CDLL, temporary: str, readable: Sequence[str]) -> None:
    attributes = struct.pack("<Q", _LANDLOCK_WRITES | _LANDLOCK_READS)
    rules = _checked(library.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0))
    allowed = {temporary: _LANDLOCK_WRITES | _LANDLOCK_READS, os.devnull: _LANDLOCK_FILE_WRITES | _LANDLOCK_FILE_READS}
    own = [sys.prefix, sys.base_prefix, *sys.path, *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    # An editable installation finds its packages by a hook and not on the path; in a checkout the rules lie beside them.
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    own += [os.path.join(root, name) for name in ("scanner", "detectors", "rules")]
    # Where packages put data beside their modules: the recognition model for one.
    own += [
        os.path.join(path, "../../../share") for path in sys.path if path.endswith(("site-packages", "dist-packages"))
    ]
    for path in (*_SYSTEM, *own, *readable):
        if path and os.path.exists(path):
            allowed.setdefault(path, _LANDLOCK_READS if os.path.isdir(path) else _LANDLOCK_FILE_READS)
    try:
        for path, access in allowed.items():
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            try:
                _checked(library.syscall(_LANDLOCK_ADD, rules, 1, struct.pack("<Qi", access, place), 0))
            finally:
                os.close(place)
        _checked(library.syscall(_LANDLOCK_RESTRICT, rules, 0))
    finally:
        os.close(rules)


def _refuse_calls(library: ctypes.CDLL, machine: _Machine | None) -> None:
    """A filter that refuses (EPERM) what no reader of files needs. Threads may be made, processes may not."""
    if machine is None:
        raise OSError(errno.ENOSYS, "")
    refuse, unknown = _RET_ERRNO | errno.EPERM, _RET_ERRNO | errno.ENOSYS
    program = [
        _load(_ARCHITECTURE),
        _jump_equal(machine.audit, 1, 0),
        _answer(refuse),
        _load(_NUMBER),
        # x32 numbers would pass by the list.
        _jump_at_least(0x40000000, 0, 1),
        _answer(refuse),
    ]
    for number in machine.refused:
        program += [_jump_equal(number, 0, 1), _answer(refuse)]
    signals = machine.own_alone[:2]
    for number in machine.own_alone:
        # To a signal 0 means the whole group of processes, to a limit oneself.
        program += [
            _jump_equal(number, 0, 5),
            _load(_FIRST_ARGUMENT),
            _jump_equal(os.getpid(), 1, 0),
            _jump_equal(os.getpid() if number in signals else 0, 0, 1),
            _answer(_RET_ALLOW),
            _answer(refuse),
        ]
    program += [
        _jump_equal(machine.clone3, 0, 1),
        _answer(unknown),  # the C library then takes clone, whose flags can be looked at
        _jump_equal(machine.clone, 0, 3),
        _load(_FIRST_ARGUMENT),
        _jump_set(_CLONE_THREAD, 1, 0),
        _answer(refuse),
        _answer(_RET_ALLOW),
    ]
    code = b"".join(program)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    _checked(library.syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, header))


def _instruction(code: int, true: int, false: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, true, false, value)


def _load(offset: int) -> bytes:
    return _instruction(0x20, 0, 0, offset)


def _jump_equal(value: int, true: int, false: int) -> bytes:
    return _instruction(0x15, true, false, value)


def _jump_at_least(value: int, true: int, false: int) -> bytes:
    return _instruction(0x35, true, false, value)


def _jump_set(value: int, true: int, false: int) -> bytes:
    return _instruction(0x45, true, false, value)


def _answer(value: int) -> bytes:
    return _instruction(0x06, 0, 0, value)


def _network_reached() -> bool:
    """Could a connection still be made? Asked of the kernel without sending anything: a route for a datagram is enough."""
    for family, address in (
        (socket.AF_INET, "192.0.2.1"),
        (socket.AF_INET6, "2001:db8::1"),
        (socket.AF_INET, "127.0.0.1"),
    ):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((address, 9))
                return True
        except OSError:
            continue
    return False
