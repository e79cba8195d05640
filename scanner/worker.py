"""The process round `inspect`: a fresh interpreter that holds no credential and meets the hostile bytes (D3, D4).

This module is both ends of the pipe. The child (`python -m scanner.worker`) builds detectors and rules, then answers
tasks; it announces each part before it opens it. The parent (`Worker`) watches the clock and the memory; when the child
dies or overruns it starts again with the guilty part set aside, at most three times, and then records the message as
`crashed`. Frames are length-prefixed msgpack with a declared type on both sides: nothing that a child sends can make
the parent build anything but the answers below.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NoReturn

import msgspec

from scanner.directory import Directory
from scanner.errors import ConfigError, ConfigErrors, MailwardenError
from scanner.evidence import FingerprintKey
from scanner.exemptions import load_exemptions
from scanner.extract import Limits, grade, open_item, read
from scanner.inspection import Failure, Instruments, Regime, Silence, inspect, is_private, prove, prove_patterns
from scanner.model import Envelope, Part, People, Problem, ProblemKind, Protection, Verdict, Versions
from scanner.patterns import load_patterns, texts_of
from scanner.policy import load_policy
from scanner.ports import Detectors, RawItem, SpooledItem
from scanner.routing import load_routing, parties
from scanner.rulebook import load_rulebook
from scanner.sandbox import PrivateFolder, Wall, conceal, enclose

MAX_FRAME = 1 << 30
_PIECE = 1 << 20
_LENGTH = struct.Struct(">I")
_NO_ANSWER = "the worker answered with something else than an answer"
# Of the parent's environment the child sees only these: no token, no password, no proxy with a password in it.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What one worker may use. Seconds of wall clock and CPU count anew for each message, bytes for the process (D4)."""

    wall_seconds: float = 60.0
    cpu_seconds: int = 45
    start_seconds: float = 60.0
    rss_bytes: int = 700 * 1024 * 1024
    ocr_rss_bytes: int = 1200 * 1024 * 1024  # where pictures are read
    address_space_bytes: int = 3 * 1024**3
    restarts: int = 3
    messages_before_renewal: int = 20_000


# --- frames from parent to child ------------------------------------------------------------------------------------


class Start(msgspec.Struct, tag=True, frozen=True):
    """The first frame: everything a worker needs to know. `key` and `spread_key` are its only secrets, subkeys for
    fingerprints and for recognising what is passed on.
    """

    rules_dir: str
    policy: str
    people: People
    limits: Limits
    key_number: int
    key: bytes
    address_space_bytes: int
    cpu_seconds: int
    as_outbound: bool = False
    deep: bool = False
    spread_key: bytes = b""
    # Where a worker finds what one before it compiled; '' for nowhere. Only the parent writes there.
    kept_dir: str = ""

    def __repr__(self) -> str:
        return f"Start(rules_dir={self.rules_dir!r}, policy={self.policy!r}, key_number={self.key_number})"


class Companion(msgspec.Struct, frozen=True):
    """Another message of the same sender to the same recipient (D22): an envelope, or a member of an item."""

    item: RawItem | None
    envelope: Envelope | None
    member: str = ""

    @staticmethod
    def of(fetched: RawItem | SpooledItem | Envelope, member: str = "") -> Companion | None:
        """None for one that is too big for memory: it is not read a second time for this."""
        if isinstance(fetched, SpooledItem):
            fetched.close()
            return None
        return Companion(fetched, None, member) if isinstance(fetched, RawItem) else Companion(None, fetched)


class InspectTask(msgspec.Struct, tag=True, frozen=True):
    """Open an item, or take an envelope, and judge each message in it. Members before `skip` are already answered;
    `only_one`: nothing behind the first is asked for. Locked files of `companions` are tried with the words at hand, and
    the other way round.

    So many bytes as `follows` says come after the frame and belong to the item's data: they were too many for the parent.
    """

    item: RawItem | None
    envelope: Envelope | None
    skip: int
    set_aside: dict[str, dict[str, ProblemKind]]
    explain: bool = False
    companions: tuple[Companion, ...] = ()
    only_one: bool = False
    follows: int = 0
    only_topics: frozenset[str] | None = None


class ProveTask(msgspec.Struct, tag=True, frozen=True):
    """Run the rules' examples with this cast."""

    cast: People
    only: tuple[str, ...] = ()


class GradeTask(msgspec.Struct, tag=True, frozen=True):
    """Say how a file is protected."""

    data: bytes
    name: str


class RevealTask(msgspec.Struct, tag=True, frozen=True):
    """Give the text of a message, part by part, for the eyes of one reviewer. Its locked files are tried with words of
    `companions`, of which nothing is shown.
    """

    item: RawItem | None
    envelope: Envelope | None
    follows: int = 0
    companions: tuple[Companion, ...] = ()


class NewPeople(msgspec.Struct, tag=True, frozen=True):
    """A newer people snapshot."""

    people: People


Request = Start | InspectTask | ProveTask | GradeTask | RevealTask | NewPeople

# --- frames from child to parent ------------------------------------------------------------------------------------


class Ready(msgspec.Struct, tag=True, frozen=True):
    versions: Versions
    labels: tuple[str, ...]
    proof: str
    walls: tuple[Wall, ...] = ()
    # What this worker had to compile and the next one need not: its name, and what it is.
    made: tuple[str, bytes] | None = None


class Opening(msgspec.Struct, tag=True, frozen=True):
    """The child is about to work on this part of this member, or to parse the member where `part` is empty."""

    index: int
    member: str
    part: str


class Judged(msgspec.Struct, tag=True, frozen=True):
    member: str
    verdict: Verdict
    silences: tuple[Silence, ...] = ()
    parties: tuple[str, ...] = ()


class Proved(msgspec.Struct, tag=True, frozen=True):
    number: int
    failures: tuple[Failure, ...]


class Graded(msgspec.Struct, tag=True, frozen=True):
    media_type: str
    protection: Protection


class Revealed(msgspec.Struct, tag=True, frozen=True):
    """A message as text: headings, parts with whose words they are, and every party's address. Never HTML, never a file."""

    headings: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    problems: tuple[Problem, ...]
    parties: tuple[str, ...]
    private: bool = False


class Done(msgspec.Struct, tag=True, frozen=True):
    pass


class Refused(msgspec.Struct, tag=True, frozen=True):
    """A configuration error, each sentence with its place; or `fault`, what else kept the child from starting: the kind of
    the exception and where, never its words.
    """

    errors: tuple[tuple[str, str], ...]
    fault: str = ""


Reply = Ready | Opening | Judged | Proved | Graded | Revealed | Done | Refused

_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPLIES: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
_ENCODER = msgspec.msgpack.Encoder()


def _framed(frame: Request | Reply) -> bytes:
    data = _ENCODER.encode(frame)
    if len(data) > MAX_FRAME:
        raise MailwardenError(f"a frame of {len(data):,} bytes is too large for the worker's pipe")
    return _LENGTH.pack(len(data)) + data


def _write(stream: BinaryIO, frame: Reply) -> None:
    stream.write(_framed(frame))
    stream.flush()


# === the child ======================================================================================================


def main() -> NoReturn:
    """Serve frames from standard input until it closes. Anything printed by a library goes nowhere."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    with contextlib.suppress(BrokenPipeError):
        _serve(requests, replies)
    os._exit(0)


def _requests(stream: BinaryIO) -> Iterator[Request]:
    while True:
        head = stream.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return
        (length,) = _LENGTH.unpack(head)
        frame = _REQUESTS.decode(stream.read(length))
        if isinstance(frame, InspectTask | RevealTask) and frame.follows and frame.item is not None:
            whole = bytearray(frame.item.data)
            while len(whole) < len(frame.item.data) + frame.follows:
                piece = stream.read(min(_PIECE, len(frame.item.data) + frame.follows - len(whole)))
                if not piece:
                    return
                whole += piece
            frame = msgspec.structs.replace(frame, item=replace(frame.item, data=bytes(whole)))
            del whole
        yield frame


def _serve(requests: BinaryIO, replies: BinaryIO) -> None:
    frames = _requests(requests)
    start = next(frames, None)
    if not isinstance(start, Start):
        return
    gc.disable()  # nothing of what is loaded now is rubbish
    walls = enclose(os.environ.get("TMPDIR") or "/nonexistent", (start.rules_dir, start.kept_dir))
    resource.setrlimit(resource.RLIMIT_AS, (start.address_space_bytes, start.address_space_bytes))
    try:
        bench = _Bench.build(start)
    except ConfigErrors as error:
        _write(replies, Refused(tuple((item.place, item.message) for item in error.errors)))
        return
    except ConfigError as error:
        _write(replies, Refused(((error.place, error.message),)))
        return
    except Exception as error:  # no mail has been read yet, and its words are left out all the same
        _write(replies, Refused((), _fault(error)))
        return
    labels = tuple(sorted(bench.detectors.labels))
    made = bench.detectors.made if start.kept_dir else None
    _write(replies, Ready(bench.versions, labels, bench.proof(start), walls, made))
    # What was loaded stays to the end: it need not be looked through for rubbish again and again.
    gc.freeze()
    gc.enable()
    for frame in frames:
        _arm_cpu(start.cpu_seconds)
        match frame:
            case InspectTask():
                for judged in bench.inspect(frame, replies):
                    _write(replies, judged)
                    _arm_cpu(start.cpu_seconds)
                _write(replies, Done())
            case ProveTask():
                only = frozenset(frame.only) or None
                number, failures = prove(Directory(frame.cast), bench.regime, bench.instruments, only)
                texts = texts_of(Path(start.rules_dir)) if only is None else []
                tried, missed = prove_patterns(texts, bench.detectors)
                _write(replies, Proved(number + tried, failures + missed))
            case GradeTask():
                _write(replies, Opening(0, "", frame.name))
                media_type, protection = grade(frame.data, frame.name)
                _write(replies, Graded(media_type, protection))
            case RevealTask():
                _write(replies, bench.reveal(frame, replies))
            case NewPeople():
                bench = replace(bench, directory=Directory(frame.people))
                _write(replies, Done())
            case Start():
                raise AssertionError("a worker is started once")


def _fault(error: Exception) -> str:
    """The kind of the exception, the file that it is about where it names one, and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    line = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    about = f" about {error.filename}" if isinstance(error, OSError) and isinstance(error.filename, str) else ""
    return f"{type(error).__name__}{about}{line}"


def _arm_cpu(seconds: int) -> None:
    """Give the next message its CPU seconds: RLIMIT_CPU counts from the start of the process, so it moves along."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


@dataclass(frozen=True, slots=True)
class _Bench:
    """The second composition root: what the child built for its work."""

    detectors: Detectors
    regime: Regime
    directory: Directory
    instruments: Instruments

    @property
    def versions(self) -> Versions:
        return Versions(self.regime.rules_version, self.regime.policy.version, self.detectors.version)

    @staticmethod
    def build(start: Start) -> _Bench:
        import detectors as detector_package  # here alone, and in app: importing it loads every engine

        folder = Path(start.rules_dir)
        kept = Path(start.kept_dir) if start.kept_dir else None
        built = detector_package.load(own=load_patterns(folder), kept=kept)
        rulebook = load_rulebook(folder, built.labels)
        policy = load_policy(folder, start.policy, rulebook)
        instruments = Instruments(
            detectors=built,
            limits=start.limits if policy.words["ocr"] == "on" else replace(start.limits, ocr_pages=0),
            key=FingerprintKey(start.key_number, start.key),
            as_outbound=start.as_outbound,
            deep=start.deep,
            spread_key=FingerprintKey(start.key_number, start.spread_key) if start.spread_key else None,
        )
        regime = Regime(rulebook, policy, load_routing(folder), load_exemptions(folder, rulebook, built.labels))
        return _Bench(built, regime, Directory(start.people), instruments)

    def proof(self, start: Start) -> str:
        """What the examples' outcome depends on: rules, detectors with lists and model, and the default cast."""
        cast = Path(start.rules_dir) / "examples.people.yml"
        known = cast.read_bytes() if cast.is_file() else b""
        for pattern in sorted((Path(start.rules_dir) / "patterns").glob("*.yml")):
            known += pattern.read_bytes()
        return hashlib.sha256(
            f"{self.regime.rulebook.version} {self.versions.detectors} ".encode() + known
        ).hexdigest()[:32]

    def inspect(self, task: InspectTask, replies: BinaryIO) -> Iterator[Judged]:
        index = task.skip

        def member_opening(member: str) -> None:
            _write(replies, Opening(index, member, ""))

        if task.item is not None:
            members = open_item(task.item, self.instruments.limits, task.skip, member_opening)
        else:
            members = iter([("", task.envelope)] if task.envelope and not task.skip else [])
        companions = tuple(self._companions(task))
        for member, envelope in islice(members, 1) if task.only_one else members:
            started = time.perf_counter()
            silences: list[Silence] | None = [] if task.explain else None

            def part_opening(part: str, index: int = index, member: str = member) -> None:
                _write(replies, Opening(index, member, part))

            verdict = inspect(
                envelope,
                self.directory,
                self.regime,
                self.instruments,
                opening=part_opening,
                set_aside=task.set_aside.get(member, {}),
                silences=silences,
                today=datetime.now(UTC).date(),
                companions=companions,
                only_topics=task.only_topics,
            )
            verdict = replace(verdict, elapsed_ms=round((time.perf_counter() - started) * 1000, 2))
            involved = tuple(sorted(parties(envelope))) if task.explain else ()
            yield Judged(member, verdict, tuple(silences or ()), involved)
            index += 1

    def _companions(self, task: InspectTask | RevealTask) -> Iterator[Envelope]:
        for companion in task.companions:
            if companion.envelope is not None:
                yield companion.envelope
            elif companion.item is not None:
                members = open_item(companion.item, self.instruments.limits, _place_in_store(companion.member))
                # One for each, that their numbers stay true; an empty one where a mailbox file has become shorter.
                yield next((envelope for _, envelope in members), Envelope(source="document"))

    def reveal(self, task: RevealTask, replies: BinaryIO) -> Revealed:
        limits = self.instruments.limits
        members = iter([("", task.envelope)] if task.envelope else open_item(task.item, limits) if task.item else ())
        found = next(members, None)
        if found is None:
            return Revealed((), (), (Problem("document", "reveal", "corrupt", "none", "held no message"),), ())
        envelope = found[1]
        companions = tuple(self._companions(task))
        reading = read(envelope, limits, lambda part: _write(replies, Opening(0, "", part)), {}, companions)
        return Revealed(
            _headings(envelope), reading.parts, reading.problems, tuple(sorted(parties(envelope))), is_private(envelope)
        )


def _place_in_store(member: str) -> int:
    """How many messages of an item lie before this one: `!/3` is the third."""
    number = member.removeprefix("!/")
    return max(0, int(number) - 1) if number.isdigit() else 0


def _headings(envelope: Envelope) -> tuple[tuple[str, str], ...]:
    def listed(kind: str) -> str:
        return ", ".join(f"{item.name} <{item.address}>".strip() for item in envelope.recipients if item.kind == kind)

    rows = [
        ("From", f"{envelope.from_.name} <{envelope.from_.address}>".strip() if envelope.from_ else ""),
        ("To", listed("to")),
        ("Cc", listed("cc")),
        ("Bcc", listed("bcc")),
        ("Sent", envelope.sent_at.isoformat(" ", "minutes") if envelope.sent_at else ""),
        ("Subject", envelope.subject),
    ]
    return tuple((name, value) for name, value in rows if value)


# === the parent =====================================================================================================


@dataclass(frozen=True, slots=True)
class Outcome:
    """One message's verdict with its place in the item ('' or '!/n'); where it was to be explained, with who takes part in it."""

    member: str
    verdict: Verdict
    silences: tuple[Silence, ...] = ()
    parties: tuple[str, ...] = ()


class _Died(Exception):
    """The child is gone or was stopped; `kind` is the problem that its last announced part becomes."""

    def __init__(self, kind: ProblemKind, detail: str) -> None:
        super().__init__(detail)
        self.kind: ProblemKind = kind
        self.detail = detail


@dataclass(slots=True)
class _Watch:
    """What the parent remembers of the task in hand."""

    index: int = 0
    member: str = ""
    part: str = ""


class Worker:
    """One child process, started when first needed and again whenever it died. Not for use by two threads at once."""

    def __init__(self, start: Start, limits: WorkerLimits | None = None, command: Sequence[str] = ()) -> None:
        self._start = start
        self._limits = limits or WorkerLimits()
        self._rss_bytes = self._limits.ocr_rss_bytes if start.limits.ocr_pages else self._limits.rss_bytes
        self._command = tuple(command) or (sys.executable, "-I", "-m", "scanner.worker")
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = bytearray()
        self._answered = 0
        self._ready: Ready | None = None
        self._folder: PrivateFolder | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin:
                process.stdin.close()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        self._wipe()

    def _wipe(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.wipe()

    # --- what it can be asked ---

    def ready(self) -> Ready:
        """Start the child if need be. Raises ConfigErrors when rules, pack or lists are refused."""
        if self._process is not None and self._ready is not None:
            return self._ready
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        conceal()  # what this process knows, its environment included, is nothing for the child
        # Whatever a library writes to disk goes here, and is gone with the process.
        self._folder = PrivateFolder()
        environment |= {"OMP_THREAD_LIMIT": "1", "TMPDIR": self._folder.path, "HOME": self._folder.path}
        self._process = subprocess.Popen(  # noqa: S603  the command is our own interpreter and module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a library's message may quote what it read
            env=environment,
            cwd="/",
            start_new_session=True,  # the terminal's Ctrl-C is the parent's to handle
        )
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        self._buffer.clear()
        self._answered = 0
        try:
            self._send(self._start)
            reply = self._receive(time.monotonic() + self._limits.start_seconds)
            if not isinstance(reply, Ready | Refused):
                raise _Died("crashed", _NO_ANSWER)
        except _Died as died:
            self._kill()
            raise MailwardenError(f"the worker process could not be started: {died.detail}") from died
        if isinstance(reply, Refused):
            self.close()
            if reply.fault:
                raise MailwardenError(f"the worker process could not be started: {reply.fault}")
            raise ConfigErrors([ConfigError(place, message) for place, message in reply.errors])
        if reply.made is not None:
            _keep(Path(self._start.kept_dir), *reply.made)
        self._ready = msgspec.structs.replace(reply, made=None)
        return self._ready

    def inspect(
        self,
        what: RawItem | SpooledItem | Envelope,
        *,
        explain: bool = False,
        only_topics: frozenset[str] | None = None,
        companions: Sequence[Companion] = (),
        member: str | None = None,
    ) -> Iterator[Outcome]:
        """Judge each message of an item, whatever happens to the child: every message yields exactly one outcome.

        `member` asks for one of them alone; locked files of `companions` are tried with its words, and its own with theirs.
        """
        item = what.item if isinstance(what, SpooledItem) else what if isinstance(what, RawItem) else None
        spooled = what if isinstance(what, SpooledItem) else None
        envelope = what if isinstance(what, Envelope) else None
        skip = _place_in_store(member or "")
        set_aside: dict[str, dict[str, ProblemKind]] = {}
        details: dict[tuple[str, str], str] = {}
        restarts = 0
        while True:
            watch = _Watch(index=skip)
            task = InspectTask(
                item,
                envelope,
                skip,
                set_aside,
                explain,
                tuple(companions),
                member is not None,
                spooled.size if spooled else 0,
                only_topics,
            )
            try:
                self.ready()
                self._send(task, spooled)
                for judged in self._judged(watch):
                    verdict = _with_details(judged.verdict, judged.member, details)
                    # A child that read hostile mail may name others than those it was given.
                    verdict = replace(verdict, opens=tuple(n for n in verdict.opens if 0 <= n < len(companions)))
                    yield Outcome(judged.member, verdict, judged.silences, judged.parties)
                    skip += 1
                    restarts = 0
                    set_aside = {}
                self._renew_if_old()
                return
            except GeneratorExit:
                self._kill()  # nobody waits for the other answers; the next item must not get them
                raise
            except _Died as died:
                self._kill()
                skip = max(skip, watch.index)
                restarts += 1
                if watch.part and restarts <= self._limits.restarts:
                    aside = set_aside.setdefault(watch.member, {})
                    aside[watch.part] = died.kind
                    details[(watch.member, watch.part)] = died.detail
                    continue
                if not watch.part and restarts == 1:
                    continue  # no part can be blamed: the system may have ended it for want of memory
                # Without a word from the child the place is known all the same: only a mailbox has a second message.
                place = watch.member or (f"!/{skip + 1}" if skip else "")
                yield Outcome(place, self._lost(item, envelope, place, died))
                skip += 1
                restarts = 0
                set_aside = {}
                if not watch.member or member is not None:
                    return

    def grade(self, data: bytes, name: str) -> tuple[str, Protection]:
        """Type by bytes and protection of a file; `unknown` when looking at it killed the worker."""
        try:
            self.ready()
            self._send(GradeTask(data, name))
            reply = self._reply(_Watch())
            if not isinstance(reply, Graded):
                raise _Died("crashed", _NO_ANSWER)
        except _Died as died:
            self._kill()
            return "application/octet-stream", Protection("unknown", "could not be read", False, (died.detail,))
        return reply.media_type, reply.protection

    def prove(self, cast: People, only: tuple[str, ...] = ()) -> Proved:
        """Run the rules' examples. Raises MailwardenError when an example kills the worker."""
        self.ready()
        try:
            self._send(ProveTask(cast, only))
            reply = self._receive(time.monotonic() + 10 * self._limits.start_seconds)
            if not isinstance(reply, Proved):
                raise _Died("crashed", _NO_ANSWER)
        except _Died as died:
            self._kill()
            raise MailwardenError(f"a rule's example stopped the worker: {died.detail}") from died
        return reply

    def reveal(self, what: RawItem | SpooledItem | Envelope, companions: Sequence[Companion] = ()) -> Revealed:
        """The text of one message for one reviewer. What could not be read is among the problems."""
        beside = tuple(companions)
        watch = _Watch()
        try:
            self.ready()
            if isinstance(what, SpooledItem):
                self._send(RevealTask(what.item, None, what.size, beside), what)
            elif isinstance(what, RawItem):
                self._send(RevealTask(what, None, 0, beside))
            else:
                self._send(RevealTask(None, what, 0, beside))
            reply = self._reply(watch)
            if not isinstance(reply, Revealed):
                raise _Died("crashed", _NO_ANSWER)
        except _Died as died:
            self._kill()
            return Revealed((), (), (Problem(watch.part or "body", "reveal", died.kind, "none", died.detail),), ())
        return reply

    def new_people(self, people: People) -> None:
        """Use a newer snapshot from the next message on."""
        self._start = msgspec.structs.replace(self._start, people=people)
        if self._process is not None:
            try:
                self._send(NewPeople(people))
                self._reply(_Watch())
            except _Died:
                self._kill()

    def new_rules(self, rules_dir: str) -> None:
        """Use another rule set from the next message on."""
        if rules_dir != self._start.rules_dir:
            self.close()
            self._start = self.start_with(rules_dir)

    def start_with(self, rules_dir: str) -> Start:
        """What a worker of another rule set would start with, and with the same people."""
        return msgspec.structs.replace(self._start, rules_dir=rules_dir)

    # --- how it is watched ---

    def _judged(self, watch: _Watch) -> Iterator[Judged]:
        while True:
            reply = self._reply(watch)
            if isinstance(reply, Done):
                return
            if not isinstance(reply, Judged):
                raise _Died("crashed", _NO_ANSWER)
            watch.index += 1
            watch.member = watch.part = ""
            self._answered += 1
            yield reply

    def _reply(self, watch: _Watch) -> Reply:
        deadline = time.monotonic() + self._limits.wall_seconds
        while True:
            reply = self._receive(deadline)
            if not isinstance(reply, Opening):
                return reply
            if reply.index != watch.index:
                deadline = time.monotonic() + self._limits.wall_seconds
            watch.index, watch.member, watch.part = reply.index, reply.member, reply.part

    def _send(self, frame: Request, spooled: SpooledItem | None = None) -> None:
        """Hand over a frame, at most for as long as a message may take: a child that does not read holds nobody up."""
        deadline = time.monotonic() + self._limits.wall_seconds
        self._hand_over(memoryview(_framed(frame)), deadline)
        if spooled is not None:
            spooled.file.seek(0)
            while piece := spooled.file.read(_PIECE):
                self._hand_over(memoryview(piece), deadline)

    def _hand_over(self, left: memoryview, deadline: float) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        descriptor = self._process.stdin.fileno()
        while left:
            if not select.select([], [descriptor], [], max(deadline - time.monotonic(), 0))[1]:
                raise _Died("timed_out", "the worker process does not take its work")
            try:
                left = left[os.write(descriptor, left[:_PIECE]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _Died("crashed", "the worker process ended") from error

    def _receive(self, deadline: float) -> Reply:
        """The next frame; looks at the clock and the memory five times a second while it waits."""
        assert self._process is not None
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while True:
            if len(self._buffer) >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._buffer)
                if length > MAX_FRAME:
                    raise _Died("crashed", "the worker answered with a frame that is too large")
                if len(self._buffer) >= _LENGTH.size + length:
                    data = bytes(self._buffer[_LENGTH.size : _LENGTH.size + length])
                    del self._buffer[: _LENGTH.size + length]
                    try:
                        return _REPLIES.decode(data)
                    except msgspec.DecodeError as error:
                        raise _Died("crashed", _NO_ANSWER) from error
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise _Died("timed_out", f"took longer than {self._limits.wall_seconds:g} s")
            if not select.select([descriptor], [], [], min(remaining, 0.2))[0]:
                if self._resident() > self._rss_bytes:
                    raise _Died("too_large", f"needed more than {self._rss_bytes >> 20} MB of memory")
                continue
            chunk = os.read(descriptor, 1 << 20)
            if not chunk:
                raise self._how_it_died()
            self._buffer += chunk

    def _how_it_died(self) -> _Died:
        assert self._process is not None
        try:
            code = self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return _Died("crashed", "the worker process closed its pipe")
        if code == -signal.SIGXCPU:
            return _Died("timed_out", f"used more than {self._limits.cpu_seconds} s of CPU")
        name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return _Died("crashed", f"the worker process ended ({name})")

    def _resident(self) -> int:
        """Resident memory of the child in bytes; 0 where the system does not tell (anything but Linux)."""
        assert self._process is not None
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * resource.getpagesize()

    def _renew_if_old(self) -> None:
        """A child that grew or is old is replaced between two items, when nothing can be lost."""
        if self._answered >= self._limits.messages_before_renewal or self._resident() > self._rss_bytes:
            self.close()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()
        self._wipe()

    def _lost(self, item: RawItem | None, envelope: Envelope | None, member: str, died: _Died) -> Verdict:
        """The verdict on a message that could not be judged at all: nothing found, and said to be incomplete."""
        seed = item.data if item else (envelope.internet_id.encode() if envelope else b"")
        return Verdict(
            message_id=envelope.internet_id if envelope else "",
            direction="stored" if item and item.claimed_type != "message/rfc822" else "inbound",
            findings=(),
            problems=(Problem("document", "worker", "crashed", "none", died.detail),),
            complete=False,
            unread_protected=0,
            facts=(),
            versions=self._ready.versions if self._ready else Versions("", "", ""),
            content_hash=hashlib.sha256(seed + member.encode()).hexdigest()[:32],
        )


# How many compiled sets are kept: of several tenants with patterns of their own, and of rules that are being tried.
_MOST_KEPT = 8


def _keep(folder: Path, name: str, data: bytes) -> None:
    """Keep what a worker compiled before it met any mail. A folder that cannot be written costs each start a second."""
    if not re.fullmatch("[0-9a-f]{64}", name):
        return
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(data)
        os.replace(file.name, folder / name)
        for old in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)[:-_MOST_KEPT]:
            old.unlink()


def _with_details(verdict: Verdict, member: str, details: dict[tuple[str, str], str]) -> Verdict:
    """Say of each part that was set aside why, in the parent's words: the second child cannot know."""
    if not details:
        return verdict
    problems = tuple(
        replace(problem, detail=details.get((member, problem.part), problem.detail)) for problem in verdict.problems
    )
    return replace(verdict, problems=problems)


if __name__ == "__main__":
    main()
