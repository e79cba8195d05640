"""A worker in which marked parts do what a hostile file would: `Worker(start, command=[sys.executable, __file__])`.

A text with `POISON-<deed>` does the deed when it is searched, a file with `VENOM-<deed>` when it is opened, a mail with
`BANE-<deed>` in its raw bytes when it is parsed. Everything else is the real worker, except for the detectors: three words
instead of every engine, so that a restart is quick.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import sys
import time
import types
from collections.abc import Sequence
from typing import IO, Any, NoReturn

from made_up import WordDetectors

from scanner import worker
from scanner.extract import reading
from scanner.model import Hit, Protection, Table
from scanner.ports import Detectors

_REPLIES: list[IO[bytes]] = []


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exit_() -> None:
    os._exit(3)


def segfault() -> None:
    ctypes.string_at(0)


def raise_() -> None:
    raise RuntimeError("VALUE-IN-A-MESSAGE")


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(3600)


def bloat() -> None:
    kept = []
    for _ in range(24):
        kept.append(bytearray(os.urandom(1) * (50 << 20)))
        time.sleep(0.05)
    sleep()


def deaf() -> None:
    """Close the pipe and live on."""
    os.closerange(0, 100)
    sleep()


def garbage() -> None:
    _REPLIES[0].write(b"\x00\x00\x00\x04\xff\xfe\xfd\xfc")
    _REPLIES[0].flush()
    sleep()


def endless_frame() -> None:
    _REPLIES[0].write(b"\xff\xff\xff\xff")
    _REPLIES[0].flush()
    sleep()


def wrong_answer() -> None:
    worker._write(_REPLIES[0], worker.Graded("text/plain", Protection("none")))
    sleep()


def half_a_frame() -> None:
    _REPLIES[0].write(b"\x00\x00\x10\x00half")
    _REPLIES[0].flush()
    kill()


def chatter() -> None:
    """What a careless library does: print."""
    print("VALUE-ON-STDOUT", flush=True)
    print("VALUE-ON-STDERR", file=sys.stderr, flush=True)
    os.write(1, b"VALUE-ON-STDOUT\n")


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


DEEDS = {
    "kill": kill, "exit": exit_, "segfault": segfault, "raise": raise_, "spin": spin, "sleep": sleep, "bloat": bloat,
    "deaf": deaf, "garbage": garbage, "endless_frame": endless_frame, "wrong_answer": wrong_answer,
    "half_a_frame": half_a_frame, "chatter": chatter, "interrupt": interrupt,
}  # fmt: skip
_IN_TEXT = re.compile(r"POISON-(\w+)")
_IN_BYTES = re.compile(rb"VENOM-(\w+)")
_IN_MAIL = re.compile(rb"BANE-(\w+)")


class PoisonedDetectors(WordDetectors):
    def content(self, text: str, tables: tuple[Table, ...] = (), **rest: Any) -> list[Hit]:
        for deed in _IN_TEXT.findall(text):
            DEEDS[deed]()
        hits = super().content(text, tables, **rest)
        if "TELL-YOUR-SURROUNDINGS" in text:
            hits.append(Hit("nino", 0, 1, "x", 0.9, (*_surroundings(),)))
        return hits


def _surroundings() -> list[str]:
    """What a hostile part could see of the service: environment, command line, open files, folder."""
    files = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that listed the folder
            files.append(os.readlink(f"/proc/self/fd/{number}"))
    names = [f"{name}={value}" for name, value in sorted(os.environ.items())]
    return ["\n".join(names), " ".join(sys.argv), "\n".join(files), os.getcwd()]


def load(extra: Sequence[object] = (), *, own: Sequence[object] = (), kept: object = None) -> Detectors:
    return PoisonedDetectors({"nino": r"\bQQ\d{6}C\b", "health": r"\basthma\b", "person": r"\bAva Reid\b"})


def main() -> NoReturn:
    detectors = types.ModuleType("detectors")
    detectors.load = load  # type: ignore[attr-defined]
    sys.modules["detectors"] = detectors
    in_reading, in_worker = vars(reading), vars(worker)
    opened, parsed = in_reading["media_type"], in_reading["parse_message"]
    write, graded = in_worker["_write"], in_worker["grade"]

    def media_type(data: bytes, *rest: Any) -> Any:
        _do(_IN_BYTES.findall(data))
        return opened(data, *rest)

    def parse_message(data: bytes, *rest: Any) -> Any:
        _do(_IN_MAIL.findall(data))
        return parsed(data, *rest)

    def grade(data: bytes, *rest: Any) -> Any:
        _do(_IN_BYTES.findall(data))
        return graded(data, *rest)

    def remember(stream: IO[bytes], frame: Any) -> None:
        _REPLIES[:] = [stream]
        write(stream, frame)

    in_reading.update(media_type=media_type, parse_message=parse_message)
    in_worker.update(grade=grade, _write=remember)
    worker.main()


def _do(deeds: list[bytes]) -> None:
    for deed in deeds:
        DEEDS[deed.decode()]()


if __name__ == "__main__":
    main()
