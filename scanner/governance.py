"""Who may look at what: whether the policy in force, with the authorisations on record, lets a mailbox be read now (Never 1).

Pure: it is asked for each message with the time of that moment, so that a lapsed authorisation stops a scan in mid-run.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scanner.directory import Directory
from scanner.errors import MailwardenError
from scanner.model import Authorisation, AuthorisationKind
from scanner.policy import Policy

# Which kinds of authorisation open a mailbox to scanning in a mode. A random sample opens what it drew, in every mode that
# knows random checks; `cause` never opens a scan, only the reading of a private mail behind a case.
OPENS: dict[str, tuple[AuthorisationKind, ...]] = {
    "routine": ("standing", "grant", "sample"),
    "by_grant": ("grant",),
    "stated_purpose": ("purpose",),
    "none_stated": ("authority",),
}
ALLOWED_KINDS: dict[str, tuple[AuthorisationKind, ...]] = {mode: (*kinds, "cause") for mode, kinds in OPENS.items()}
MALWARE = frozenset({"malware_executables"})
LEAST_WORDS = 10


class NotAuthorisedError(MailwardenError):
    """The policy in force does not allow it; the sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What may be judged in a mailbox now: everything (`topics` None), some topics, or nothing (an empty set); and why."""

    topics: frozenset[str] | None
    because: str

    @property
    def nothing(self) -> bool:
        return self.topics is not None and not self.topics


def leave(policy: Policy, given: Iterable[Authorisation], mailbox: str, now: datetime) -> Leave:
    """What the policy and the authorisations that live at `now` allow for one mailbox."""
    if policy.scan_mode == "routine" and policy.words["authorisation"] == "not_needed":
        return Leave(None, "the policy allows routine scanning without an authorisation on record")
    wanted = OPENS[policy.scan_mode]
    ours = [item for item in given if item.policy == policy.slug and item.kind in wanted]
    if policy.words["random_checks"] != "allowed":
        ours = [item for item in ours if item.kind != "sample"]
    topics: set[str] = set()
    for item in ours:
        if item.covers(mailbox) and item.lives(now):
            if not item.topics:
                return Leave(None, f"authorisation {item.id} by {item.approver}")
            topics.update(item.topics)
    if policy.words["malware_scan"] == "always":
        topics |= MALWARE
    if topics:
        return Leave(frozenset(topics), "only what the policy or an authorisation names")
    lapsed = [item for item in ours if item.covers(mailbox)]
    if lapsed:
        return Leave(frozenset(), f"authorisation {lapsed[-1].id} has ended, or its review is overdue")
    return Leave(
        frozenset(),
        f"policy {policy.slug} ({policy.scan_mode.replace('_', ' ')}) asks for an authorisation of kind {' or '.join(wanted)}",
    )


def may_read(policy: Policy, given: Iterable[Authorisation], mailbox: str, private: bool, now: datetime) -> Leave:
    """Whether a person may read a mail behind a case, beyond giving a reason. `private`: its sender marked it so."""
    needs: dict[str, tuple[AuthorisationKind, ...]] = {
        "cause": ("cause", "grant"),
        "grant": ("grant", "purpose", "authority", "cause"),
    }
    rule = policy.words["private_material"]
    if rule not in needs or (rule == "cause" and not private):
        return Leave(None, "the policy asks for no more than a reason")
    for item in given:
        if item.policy == policy.slug and item.kind in needs[rule] and item.covers(mailbox) and item.lives(now):
            return Leave(None, f"authorisation {item.id} by {item.approver}")
    if rule == "cause":
        return Leave(
            frozenset(),
            "the mail is marked private: the policy asks for a reasonable cause on record (authorise record --kind cause)",
        )
    return Leave(frozenset(), "the policy shows content only within a live authorisation for this mailbox")


def check(policy: Policy, wanted: Authorisation, directory: Directory | None) -> None:
    """Refuses an authorisation that the policy cannot give. Raises NotAuthorisedError with every reason.

    `directory`: where it knows who holds the approver's role, the approver must be that person.
    """
    wrong: list[str] = []
    allowed = ALLOWED_KINDS[policy.scan_mode]
    if wanted.kind not in allowed:
        wrong.append(
            f"policy {policy.slug} knows no authorisation of kind {wanted.kind} (allowed: {', '.join(allowed)})"
        )
    if wanted.kind == "sample" and policy.words["random_checks"] != "allowed":
        wrong.append(f"random checks are {policy.words['random_checks']} under policy {policy.slug}")
    if "anyone_named" not in policy.may_authorise and wanted.approver_role not in policy.may_authorise:
        wrong.append(
            f"{wanted.approver_role or 'nobody'} cannot approve it (allowed: {', '.join(policy.may_authorise)})"
        )
    if not wanted.approver.strip():
        wrong.append("an approver with a name or an address is needed")
    if directory is not None and "@" in wanted.approver:
        holders = {address.lower() for address in directory.people.roles.get(wanted.approver_role, {}).values()}
        if holders and wanted.approver.lower() not in holders:
            wrong.append(f"{wanted.approver} is not {wanted.approver_role} in the directory")
    if len(wanted.purpose.strip()) < LEAST_WORDS:
        wrong.append(f"a purpose of at least {LEAST_WORDS} characters is needed")
    if policy.purposes and wanted.kind == "purpose" and wanted.purpose not in policy.purposes:
        wrong.append(f"the policy knows no purpose {wanted.purpose!r} (allowed: {'; '.join(policy.purposes)})")
    if not wanted.scope:
        wrong.append("a scope is needed: mailboxes, or * where the policy allows it")
    if "*" in wanted.scope and wanted.kind in ("grant", "purpose", "cause"):
        wrong.append(f"an authorisation of kind {wanted.kind} names its mailboxes one by one")
    if wanted.kind in ("grant", "authority", "cause") and len(wanted.grounds.strip()) < LEAST_WORDS:
        what = "the authority it rests on" if wanted.kind == "authority" else "its grounds"
        wrong.append(
            f"an authorisation of kind {wanted.kind} says {what} in at least {LEAST_WORDS} characters (--grounds)"
        )
    if policy.longest_days and (wanted.end is None or wanted.end > wanted.start + timedelta(days=policy.longest_days)):
        wrong.append(f"it must end within {policy.longest_days} days (--until)")
    if wanted.end is not None and wanted.end < wanted.start:
        wrong.append("it ends before it starts")
    if wrong:
        raise NotAuthorisedError("; ".join(wrong))


def draw(frame: Sequence[str], size: int, seed: str) -> tuple[tuple[str, ...], str]:
    """A random sample of mailboxes and the frame's hash: the same seed over the same frame draws the same, whoever draws it.

    Raises MailwardenError where the frame is smaller than the sample.
    """
    ordered = sorted({mailbox.lower() for mailbox in frame})
    if not 1 <= size <= len(ordered):
        raise MailwardenError(f"a sample of {size} cannot be drawn from {len(ordered)} mailboxes")
    if not seed.strip():
        raise MailwardenError("a sample needs a seed, so that everybody can see that it was drawn and not chosen")
    mark = hashlib.sha256("\n".join(ordered).encode()).hexdigest()
    drawn = random.Random(f"{seed}\0{mark}").sample(ordered, size)  # noqa: S311 repeatable on purpose, guards no secret
    return tuple(sorted(drawn)), mark
