"""Which rule set is in force: a copy that nobody edits, its version, and who changed it why.

The service never runs the folder that an admin edits: it takes a copy once the set has proved itself, so that a half-saved file
cannot reach a worker. A set that is bad, or not yet approved, changes nothing: the last good one stays in force, and says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from scanner.errors import ConfigError, ConfigErrors, MailwardenError

log = logging.getLogger("mailwarden.rule_sets")
MOST_FILES = 5_000
_ENDINGS = (".yml", ".md", ".json")


class Change(msgspec.Struct, frozen=True):
    """One line of the change log. `what`: proposed, approved, in force, refused."""

    at: datetime
    actor: str
    what: str
    version: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class InForce:
    """The folder to run, its version, and in a sentence why it is not the one that was asked for (empty where it is)."""

    folder: Path
    version: str
    notice: str = ""


def content_version(folder: Path) -> str:
    """A hash over names and bytes of all files of a rule set: the same in every checkout."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


class RuleSets:
    """The sets kept under `home`: one folder a version, the name of the one in force, and the change log.

    `record` is handed each change once it was checked and before it is made; what it raises keeps the change from being made.
    """

    def __init__(self, home: Path, record: Callable[[Change], None] = lambda change: None) -> None:
        self._home = home
        self._record = record

    def in_force(self) -> InForce | None:
        """The set in force; None where there never was one, and where it is lost (see `lost`)."""
        version = self._named()
        folder = self._folder(version)
        # A copy that somebody changed is not the set that proved itself.
        return InForce(folder, version) if folder.is_dir() and content_version(folder) == version else None

    def lost(self) -> str:
        """The version that was put in force and whose copy is no more what it was; empty where there is none such."""
        if self.in_force() is not None:
            return ""
        entered = (change.version for change in reversed(self.log()) if change.what in ("in force", "approved"))
        return self._named() or next(entered, "")

    def log(self) -> list[Change]:
        """Every change, oldest first. A line that a crash tore is passed over, and said: its change was never made."""
        try:
            lines = (self._home / "changes.jsonl").read_bytes().splitlines()
        except OSError:
            return []
        changes = []
        for number, line in enumerate(lines, 1):
            try:
                if line.strip():
                    changes.append(msgspec.json.decode(line, type=Change))
            except msgspec.DecodeError:
                log.warning("changes.jsonl:%d is no whole line of the change log and is passed over", number)
        return changes

    def keep(self, source: Path) -> str:
        """Copies the set beside the others and returns its version."""
        version = content_version(source)
        folder = self._folder(version)
        if folder.is_dir() and content_version(folder) == version:
            return version
        self._home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._home) as temporary:
            copy = Path(temporary) / "rules"
            for path in _files(source):
                target = copy / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
            if content_version(copy) != version:
                raise ConfigError(str(source), "was changed while it was being copied; try again")
            shutil.rmtree(folder.parent, ignore_errors=True)
            folder.parent.mkdir(parents=True)
            copy.rename(folder)
        return version

    def put_in_force(self, version: str, change: Change) -> InForce:
        self._note(change)
        waiting = self._home / "in-force.new"
        waiting.write_text(version + "\n", "ascii")
        waiting.replace(self._home / "in-force")
        return InForce(self._folder(version), version)

    def propose(self, version: str, actor: str, why: str, now: datetime) -> None:
        self._note(Change(now, actor, "proposed", version, _reason(why)))

    def approve(self, version: str, actor: str, why: str, now: datetime) -> InForce:
        """The second pair of eyes. Raises MailwardenError where it is the first one's, or nothing was proposed."""
        proposals = [change for change in self.log() if change.version == version and change.what == "proposed"]
        if not proposals:
            known = ", ".join(change.version for change in self.log() if change.what == "proposed") or "none"
            raise MailwardenError(f"version {version} was not proposed (proposed: {known})")
        if any(change.actor == actor for change in proposals):
            raise MailwardenError(f"{actor} proposed version {version}, so somebody else has to approve it")
        if content_version(self._folder(version)) != version:
            raise MailwardenError(f"the copy of version {version} was changed; propose it again")
        return self.put_in_force(version, Change(now, actor, "approved", version, _reason(why)))

    def settle(
        self, source: Path, *, check: Callable[[Path], None], four_eyes: bool, now: datetime, say: Callable[[str], None]
    ) -> InForce:
        """The set to run now. `check` raises ConfigError(s) for a set that is not good.

        Without a set in force a bad one stops the start. The first set ever needs no approval: there is nothing to protect. Where
        four eyes are asked for and the set in force is lost, ConfigError: spoiling the copy is no way round the second pair.
        """
        current = self.in_force()
        version = content_version(source)
        if four_eyes and self.lost() not in ("", version):
            raise ConfigError(
                self._home.name,
                f"the copy of version {self.lost()}, the set in force, was changed or taken away; put it back, or have another "
                "set proposed and approved",
            )
        if current is not None and current.version == version:
            check(current.folder)
            return current
        if current is not None and four_eyes:
            notice = f"The rules in {source.name} (version {version}) are not approved; version {current.version} stays in force."
            say(notice)
            check(current.folder)
            return InForce(current.folder, current.version, notice)
        kept = self._folder(self.keep(source))
        try:
            check(kept)
        except (ConfigError, ConfigErrors) as error:
            if current is None:
                raise
            first = str(error).splitlines()[0][:500]
            notice = f"The rules in {source.name} (version {version}) are refused; version {current.version} stays in force. {first}"
            say(notice)
            if not any(change.what == "refused" and change.version == version for change in self.log()):
                self._note(Change(now, "service", "refused", version, first))
            check(current.folder)
            return InForce(current.folder, current.version, notice)
        return self.put_in_force(version, Change(now, "service", "in force", version))

    def _named(self) -> str:
        try:
            return (self._home / "in-force").read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def _folder(self, version: str) -> Path:
        # The folder itself is called as the shipped one, so that places in messages read alike.
        return self._home / version / "rules"

    def _note(self, change: Change) -> None:
        self._record(change)
        self._home.mkdir(parents=True, exist_ok=True)
        with (self._home / "changes.jsonl").open("a+b") as lines:
            if lines.seek(0, os.SEEK_END):
                lines.seek(-1, os.SEEK_END)
                if lines.read(1) != b"\n":
                    lines.write(b"\n")  # the last line was torn; this one is to stand by itself
            lines.write(msgspec.json.encode(change) + b"\n")
            lines.flush()
            with contextlib.suppress(OSError):
                os.fsync(lines.fileno())


def _files(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in _ENDINGS)
    if len(found) > MOST_FILES:
        raise ConfigError(str(folder), f"holds more than {MOST_FILES:,} files; is it a folder of rules?")
    return found


def _reason(why: str) -> str:
    text = " ".join(why.split())
    if len(text) < 8:
        raise MailwardenError("--why: say in at least eight characters why the rules change")
    return text[:500]
