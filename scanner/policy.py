"""Policy packs: what the trust's own acceptable-use policy says, as data in `rules/policies/`.

Five real policies contradict one another in 32 places; each of these is a key here with its allowed words (`KEYS`), and what
the key does is said beside it. A pack cites clauses, may switch rules off or change their severity, says which locks count as
protection, who may authorise a scan, who is told. No trust's name is in code: the pack is the only place.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scanner.clauses import Clause, load_register
from scanner.directory import Directory
from scanner.errors import ConfigError
from scanner.model import (
    SEVERITIES,
    AddressKind,
    Direction,
    Envelope,
    Grade,
    Part,
    Person,
    PersonRole,
    Recipient,
    Severity,
)
from scanner.routing import Line, read_lines
from scanner.rulebook import TOPICS, Rule, Rulebook
from scanner.yaml_source import Node, Reader, load

SCAN_MODES = ("routine", "by_grant", "stated_purpose", "none_stated")
# Topics about the protection of data: what a pack says of internal mail and trusted recipients counts for these.
DATA_TOPICS = frozenset({"personal_data", "weak_protection"})
# Judged whoever the sender is: a child at risk, or a program that would run, is nobody's conduct.
FOR_EVERYBODY = frozenset({"safeguarding_concern", "malware_executables"})
ACTS = ("block", "quarantine", "delete", "revoke_link", "tell_sender")
APPROVERS = (
    "headteacher", "governors", "chair_of_governors", "dpo", "it_security", "authorised_officer", "authorised_employee",
    "senior_leadership", "anyone_named",
)  # fmt: skip
# What only some policies bar, each found by rules of its own; `only_where: {forbids: [word]}` names it.
FORBIDDEN: dict[str, str] = {
    "rude_tone": "contempt and scolding without a rude word",
    "embarrassing_remarks": "harsh remarks about people even among colleagues",
    "stored_material": "offensive files, music and films, and private papers in the trust's storage",
    "unlicensed_software": "licence keys, installers and archives of software",
    "large_transfers": "more than `large_transfer_mb` in one mail, and links to transfer services",
    "pupil_privacy": "pupils who give away their own or others' details, or record people",
    "illegal_acts": "words that instruct in, offer or praise crimes, papers made up for money, tools and talk of breaking in",
    "pupil_requests": "a friend request from a pupil that nobody was told of",
    "published_names": "pupils' names in documents that are open to anybody",
}
EXEMPTIONS = ("whistleblowing", "education", "authorities", "family")
_REPORT_TO = ("it_security", "dpo", "deputy_dpo", "hr", "dsl", "headteacher", "chair_of_governors", "investigator")


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a pack: the words it may have (none where it is no plain word), what it does, which of the 32 contradictions
    it settles, and what part of its effect waits for a later issue.
    """

    says: str
    words: tuple[str, ...] = ()
    default: str = ""
    settles: tuple[int, ...] = ()
    waits: str = ""


KEYS: dict[str, Key] = {
    "title": Key("the policy's name, shown in the web page and in notices"),
    "source": Key("the document that the pack puts into data"),
    "scan_mode": Key(
        "what an authorisation must be before a mailbox is read: routine (a standing one, or none: see authorisation), by_grant "
        "(one for the very mailbox with its grounds), stated_purpose (one with a purpose of `purposes`), none_stated (one that "
        "names the authority it rests on)",
        SCAN_MODES, "routine", (1,),
    ),
    "from": Key("first day on which the policy was in force; mail sent before it cites no clause of the pack"),
    "until": Key("last day on which it was in force"),
    "review_by": Key("the day by which the policy is to be reviewed; `policy list` warns when it has passed"),
    "approved_by": Key("who approved the policy"),
    "authorisation": Key(
        "whether routine scanning needs a standing authorisation on record; in every other mode one is always needed",
        ("needed", "not_needed"), "needed", (1,),
    ),
    "purposes": Key("the purposes that an authorisation may state; any where the pack lists none", settles=(1,)),
    "malware_scan": Key(
        "always: mail without an authorisation is still looked at for programs, and for nothing else; as_content: it is left alone",
        ("always", "as_content"), "as_content", (1,),
    ),
    "random_checks": Key(
        "allowed: `authorise sample` draws mailboxes from a recorded seed and frame; else it is refused",
        ("allowed", "excluded", "unstated"), "unstated", (2,),
    ),
    "may_authorise": Key("whose approval `authorise` takes: " + ", ".join(APPROVERS), settles=(3,)),
    "review_days": Key("an authorisation lapses so many days after its start or last review; 0: no review", settles=(4,)),
    "longest_days": Key("longest time an authorisation may run; 0: it may be open-ended", settles=(4,)),
    "private_material": Key(
        "what reading a mail marked private asks for beyond a reason: cause (an authorisation of kind cause for the mailbox), "
        "grant (a live authorisation that names it, for every mail), no_shield or silent (nothing further)",
        ("cause", "grant", "no_shield", "silent"), "silent", (5,),
    ),
    "routes": Key("entries as in routing.yml, tried before those; `also` names further people to be told", settles=(6, 7)),
    "titles": Key("local titles of the route roles, used in a case's reasons", settles=(6, 7)),
    "dpo_part": Key(
        "authorises: a transfer grant of the dpo excuses data sent out, and what leaves locked without one is a finding; "
        "receives, not_named: a grant excuses nothing",
        ("receives", "authorises", "not_named"), "not_named", (8,),
    ),
    "encryption": Key(
        "how strict the duty is; said in the reasons of a personal data finding. with_authorisation also asks for a transfer grant",
        ("must", "should", "should_not_unless", "where_appropriate", "with_authorisation", "unstated"), "unstated", (9,),
    ),
    "trusted_recipients": Key(
        "excused: data may go to trusted domains; count: these are outsiders too", ("excused", "count"), "excused", (9,)
    ),
    "protected_grades": Key(
        "which locks count as protection, if they need a password to open: " + ", ".join(get_args(Grade)), settles=(10,)
    ),
    "internal_mail": Key(
        "whether personal data in mail among ourselves counts: left_out, attachments (only there), all",
        ("left_out", "attachments", "all"), "left_out", (11,),
    ),
    "personal_cloud": Key(
        "never: rule personal_cloud always holds; if_encrypted: excused where the mail's own file is locked; with_dpo, "
        "with_headteacher: excused by a transfer grant; unstated: the rule is off",
        ("never", "if_encrypted", "with_dpo", "with_headteacher", "unstated"), "unstated", (12,),
        "removable media leave no trace in mail; stored documents are not asked for it yet",
    ),
    "personal_use": Key(
        "forbidden, own_devices: private mail from the work account is found (rule personal_use); allowed: only in working hours "
        "where personal_hours are given; unstated: never",
        ("forbidden", "own_devices", "allowed", "unstated"), "unstated", (13,),
    ),
    "personal_hours": Key("windows {from, to, days} left to personal use, in local time; weekends always are", settles=(14,)),
    "reply_window": Key(
        "{from, to}: nobody may expect an answer then (rule out_of_hours); our own notices wait until it is over", settles=(15,)
    ),
    "personal_account": Key(
        "work on a private account: send_and_receive and send find both directions, storage and no_rule only what goes out",
        ("send_and_receive", "send", "storage", "no_rule"), "send_and_receive", (16,),
    ),
    "chain_mail": Key(
        "not_named: rule chain_mail is off; nuisance: minor at most; the others as the rule says",
        ("originate_or_participate", "send_or_forward", "nuisance", "not_named"), "send_or_forward", (17,),
    ),
    "jokes": Key(
        "barred: even a clean joke or gossip to one person (rule jokes_and_gossip)",
        ("barred", "discriminatory_only", "unstated"), "unstated", (18,),
    ),
    "bulk": Key(
        "none_at_all: any all-user mail (rule all_user_mail); unsolicited, junk, relevant_only: junk sent round; unstated: neither",
        ("none_at_all", "unsolicited", "junk", "relevant_only", "unstated"), "junk", (19,),
    ),
    "bulk_limit": Key("more recipients than this are a crowd", settles=(19,)),
    "forbids": Key("what else the policy bars: " + "; ".join(f"{name} ({says})" for name, says in FORBIDDEN.items())),
    "large_transfer_mb": Key("a mail whose files are larger than so many million bytes together is a large transfer"),
    "topics": Key("state (on, off) and severity by topic; gambling, auctions, subject_line … are switched here", settles=(20, 27)),
    "rules": Key("state (on, off) of single rules; stronger than the topic's"),
    "disclaimer": Key("phrases of which one must stand in mail that leaves (rule disclaimer)", settles=(20,)),
    "contracts": Key(
        "unless_authorised: agreeing to terms by mail is found unless a contract grant is on record",
        ("unless_authorised", "unstated"), "unstated", (20,),
    ),
    "private_business": Key(
        "banned: no grant excuses it; school_related, with_permission: a business grant does; unstated: the rule is off",
        ("banned", "school_related", "with_permission", "unstated"), "banned", (21,),
    ),
    "sending_as": Key(
        "if_authorised: a send_as grant makes it right; own_account_only, no_exemption: no grant does (rule sent_as_other_granted)",
        ("if_authorised", "own_account_only", "no_exemption"), "if_authorised", (22,),
    ),
    "contact_details": Key(
        "to whom staff may not give private details: pupils, parents, former_pupils; none: the rule is off", settles=(23,)
    ),
    "suspicious_mail": Key(
        "what staff do with it: delete_and_report and no_forward find a forward, no_reply finds a reply, caution and unstated nothing",
        ("delete_and_report", "no_forward", "no_reply", "caution", "unstated"), "unstated", (24,),
    ),
    "social_accounts": Key(
        "barred: sign-up and account mail of a social network to a work address is found (rule social_media_account)",
        ("barred", "unstated"), "unstated", (13,),
    ),
    "ai_services": Key(
        "barred: links to AI services and talk of feeding them are found (rule ai_service); records: only records about people that "
        "were put into one (rule records_to_ai), which barred finds as well",
        ("barred", "records", "unstated"), "unstated", (20,),
    ),
    "misdirected_received": Key(
        "what the advice of such a finding asks of the person who got it",
        ("tell_and_delete", "tell", "unstated"), "unstated", (25,),
    ),
    "acts": Key(
        "what the policy lets a person with authority do with the mail itself: " + ", ".join(ACTS) + "; said in the advice of findings "
        "about programs and suspicious mail. Mailwarden itself does none of it",
        settles=(26,),
    ),
    "ladder": Key(
        "flat: everything is severe; two_outcomes: minor becomes moderate; three_levels, threshold, none: as rules and topics say",
        ("three_levels", "two_outcomes", "threshold", "flat", "none"), "none", (27,),
    ),
    "repeats": Key("[{of, months, becomes}]: so grave after a confirmed case of grade `of` in the same mailbox", settles=(27,)),
    "pursue": Key(
        "must: a confirmed case is closed only with a note that says what was done", ("must", "may", "graded"), "may", (28,)
    ),
    "covers": Key("roles that the policy binds: others' mailboxes are not read and their mail is not judged", settles=(29,)),
    "exemptions": Key(
        "whistleblowing (mail to `whistleblowing` addresses is sealed), education (an education grant excuses language), authorities "
        "(confidential business may go to `authorities`), family (private details to one's own family)",
        settles=(30,),
    ),
    "whistleblowing": Key("addresses and domains whose mail is sealed before it is read", settles=(30,)),
    "authorities": Key("domains, with everything below them, that count as an appropriate authority", settles=(30,)),
    "defamation": Key(
        "perception, disparages: milder words count too (rule disparagement_mild); false_statement: only grave ones",
        ("perception", "false_statement", "disparages"), "false_statement", (31,),
    ),
    "retention": Key("months after which a case that is done is forgotten, by severity; none: it stays", settles=(32,)),
    "may_reveal": Key("account roles that may read a mail behind a case: dpo, manager"),
    "patterns": Key("by topic {times, days}: a single message is kept in shadow until as many came from one mailbox", settles=(14,)),
    "ocr": Key("whether text in pictures is read; off: pictures are listed as skipped", ("on", "off"), "on"),
    "time_zone": Key("IANA name of the zone in which hours are meant"),
    "clauses": Key("clauses by topic, for a pack without a register in policies/clauses/"),
}  # fmt: skip
PACK_KEYS = tuple(KEYS)
_DUTY = {
    "must": "the policy says that it must be encrypted",
    "should": "the policy says that it should be encrypted",
    "should_not_unless": "the policy says not to send it unless it is locked",
    "where_appropriate": "the policy asks for approved recipients, and for encryption where appropriate",
    "with_authorisation": "the policy asks for an authorisation beforehand and for encryption",
}
# Between adults a mild word is a matter of taste, which a pack decides; towards a child or a parent it is looked at everywhere.
NEVER_OFF = {"mild_language_to_families": "a mild word to a pupil or parent is looked at under every policy"}
_EDUCATIONAL = frozenset({"inappropriate_language", "sexual_content", "harassment_discrimination"})
_EXCUSES = {
    "transfer_granted": "policy: the transfer was authorised beforehand",
    "business_granted": "policy: the business was permitted",
    "contract_granted": "policy: the sender may commit the organisation",
    "auction_granted": "policy: the auction was authorised for work",
    "education_granted": "policy: an educational purpose was authorised",
}
_CLOUD_EXCUSES = {
    "locked_part": "policy: encrypted data may lie in a personal cloud",
    "transfer_granted": "policy: a personal cloud was authorised beforehand",
}
_ACT_WORDS = {
    "block": "block it",
    "quarantine": "put it into quarantine",
    "delete": "delete it",
    "revoke_link": "take back its sharing",
    "tell_sender": "tell the sender",
}
_MISDIRECTED = {
    "tell_and_delete": "Whoever got it in error tells the sender, deletes it and makes no use of it.",
    "tell": "Whoever got it in error tells the sender.",
    "unstated": "",
}


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the day in local time; it may run over midnight. `weekdays` leaves Saturday and Sunday out."""

    start: time
    end: time
    weekdays: bool = False

    def holds(self, local: datetime) -> bool:
        if self.weekdays and local.weekday() > 4:
            return False
        moment = local.time()
        if self.start <= self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


@dataclass(frozen=True, slots=True)
class Repeat:
    """After a confirmed case of grade `of` within `months` (0: ever) a further one of that grade becomes `becomes`."""

    of: Severity
    months: int
    becomes: Severity


@dataclass(frozen=True, slots=True)
class Pattern:
    """So many messages from one mailbox within so many days make a finding; fewer stay in shadow."""

    times: int
    days: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One pack. `words` holds the plain keys, `clauses` the clauses of a topic, `off` the rules that do not apply."""

    slug: str
    title: str
    source: str
    time_zone: str
    words: Mapping[str, str]
    protected_grades: tuple[Grade, ...]
    clauses: Mapping[str, tuple[Clause, ...]]
    register: tuple[Clause, ...]
    severity: Mapping[str, Severity]
    off: frozenset[str]
    version: str
    from_: date | None = None
    until: date | None = None
    review_by: date | None = None
    approved_by: str = ""
    purposes: tuple[str, ...] = ()
    may_authorise: tuple[str, ...] = ("anyone_named",)
    review_days: int = 0
    longest_days: int = 0
    routes: tuple[Line, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    personal_hours: tuple[Window, ...] = ()
    reply_window: Window | None = None
    bulk_limit: int = 30
    forbids: tuple[str, ...] = ()
    large_transfer_mb: int = 20
    disclaimer: tuple[str, ...] = ()
    contact_details: tuple[str, ...] = ("pupils", "parents")
    acts: tuple[str, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    covers: tuple[PersonRole, ...] = get_args(PersonRole)
    exemptions: frozenset[str] = frozenset()
    whistleblowing: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    retention: Mapping[Severity, int] = field(default_factory=dict)
    may_reveal: tuple[str, ...] = ("dpo", "manager")
    patterns: Mapping[str, Pattern] = field(default_factory=dict)

    @property
    def scan_mode(self) -> str:
        return self.words["scan_mode"]

    def local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.time_zone))

    def applying(self, rulebook: Rulebook) -> str:
        """`45 of 75 rules apply, 30 are off`: a rule is off where its file says so, or where the pack does."""
        off = sum(not rule.runs or rule.id in self.off for rule in rulebook.rules)
        return f"{len(rulebook.rules) - off} of {len(rulebook.rules)} rules apply, {off} are off"

    # --- clauses ------------------------------------------------------------------------------------------------

    def cite(self, rules: Iterable[str], topic: str, sent_at: datetime | None) -> tuple[str, ...]:
        """The clauses that the rules enforce, else those of the topic, as far as they were in force when the mail was sent."""
        day = self.local(sent_at).date() if sent_at is not None else None
        wanted = frozenset(rules)
        found = [clause for clause in self.register if wanted & {*clause.rules, *clause.cited_by}] or self.clauses.get(
            topic, ()
        )
        return tuple(clause.id for clause in found if clause.in_force(day, self.from_, self.until))

    def wording(self) -> dict[str, str]:
        """What each clause says, by id."""
        listed = [clause for group in self.clauses.values() for clause in group]
        return {clause.id: clause.says for clause in (*listed, *self.register)}

    # --- severity -----------------------------------------------------------------------------------------------

    def grade(self, topic: str, severity: Severity) -> Severity:
        """The pack's grade for a finding that the rules grade `severity`."""
        if self.words["ladder"] == "flat":
            return "severe"
        graded = self.severity.get(topic, severity)
        if topic == "chain_mail" and self.words["chain_mail"] == "nuisance":
            graded = "minor"
        if self.words["ladder"] == "two_outcomes" and graded == "minor":
            return "moderate"
        return graded

    def after_repeat(self, severity: Severity, confirmed: Callable[[Severity, int], int]) -> tuple[Severity, str]:
        """The grade after what was confirmed before, and why it rose. `confirmed` counts the cases of a grade in so many months."""
        for step in self.repeats:
            if step.of == severity and confirmed(step.of, step.months):
                window = f" within {step.months} months" if step.months else ""
                return step.becomes, f"repeated {step.of} breach{window}: {step.becomes}"
        return severity, ""

    # --- one message --------------------------------------------------------------------------------------------

    def seals(self, address: str) -> bool:
        """Whether mail with this address is protected correspondence under the pack."""
        return "whistleblowing" in self.exemptions and _within(address, self.whistleblowing)

    def unbound(self, envelope: Envelope, directory: Directory) -> PersonRole | None:
        """The sender's role where the policy is not for it, else None: also for somebody the directory does not know."""
        origin = envelope.sender or envelope.from_
        person = directory.person(origin.address) if origin is not None else None
        return None if person is None or person.role in self.covers else person.role

    def left_out(self) -> tuple[str, ...]:
        """A sentence for each role that the policy does not bind, for whoever wonders what nobody looks at."""
        return tuple(
            f"mailboxes of the role {role}, and mail of theirs that lies elsewhere beyond programs and children at risk: "
            f"the policy {self.title} does not bind them"
            for role in get_args(PersonRole)
            if role not in self.covers
        )

    def outsiders(self, topic: str, direction: Direction) -> frozenset[AddressKind]:
        """The kinds of address that count as outside for a topic."""
        if topic not in DATA_TOPICS:
            return frozenset()
        kinds: set[AddressKind] = set()
        if self.words["trusted_recipients"] == "count":
            kinds.add("trusted")
        if self.words["internal_mail"] != "left_out" and direction == "internal":
            kinds.add("ours")
        return frozenset(kinds)

    def accepts(self, part: Part) -> bool:
        """Whether the part's lock counts as protection: of an accepted grade, and shut without its password."""
        return part.protection.grade in self.protected_grades and not part.protection.readable_without_password

    def is_working_time(self, local: datetime) -> bool:
        """Whether the pack leaves this moment to work: no personal hours are running, and it is no weekend."""
        return (
            bool(self.personal_hours) and local.weekday() < 5 and not any(w.holds(local) for w in self.personal_hours)
        )

    def facts(
        self, envelope: Envelope, direction: Direction, parts: Sequence[Part], directory: Directory
    ) -> frozenset[str]:
        """Those of `conditions.POLICY_FACTS` that hold for a message."""
        found: set[str] = set()
        origin = envelope.from_ or envelope.sender
        if envelope.sent_at is not None:
            local = self.local(envelope.sent_at)
            if self.reply_window is not None and self.reply_window.holds(local):
                found.add("in_reply_window")
            if self.is_working_time(local):
                found.add("in_working_hours")
        if len(envelope.recipients) > self.bulk_limit:
            found.add("over_bulk_limit")
        if sum(_size(part) for part in parts) > self.large_transfer_mb * 1_000_000:
            found.add("large_transfer")
        if direction == "outbound" and self.disclaimer and not _has_phrase(self.disclaimer, parts):
            found.add("disclaimer_missing")
        locked = [part for part in parts if part.kind in ("attachment", "document", "body")]
        if any(part.protection.grade == "weak" and not self.accepts(part) for part in locked):
            found.add("weak_lock")
        if any(self.accepts(part) for part in locked):
            found.add("locked_part")
        if any(self._is_covered(item, envelope.sent_at, directory) for item in envelope.recipients):
            found.add("contact_covered")
        if origin is not None:
            found |= _grants(origin.address, envelope, directory)
        holders = {address.lower() for role in _REPORT_TO for address in directory.people.roles.get(role, {}).values()}
        if envelope.recipients and all(
            item.address in holders or _looks_into_it(directory.person(item.address)) for item in envelope.recipients
        ):
            found.add("report")
        return frozenset(found)

    def _is_covered(self, recipient: Recipient, sent_at: datetime | None, directory: Directory) -> bool:
        address = recipient.address
        person = directory.person(address)
        if (group := directory.stands_for(recipient)) != "":
            return ("pupils" if group == "pupil" else "parents") in self.contact_details
        if person is not None and person.role == "pupil":
            left = person.leaves_on is not None and sent_at is not None and person.leaves_on < sent_at.date()
            return ("former_pupils" if left else "pupils") in self.contact_details
        return "parents" in self.contact_details and directory.contact(address) is not None

    def excused_by(self, topic: str) -> frozenset[str]:
        """What of a message may excuse a finding of the topic: facts of `facts`, or `addresses` where addresses decide."""
        found: set[str] = set()
        if topic in DATA_TOPICS and self.words["dpo_part"] == "authorises":
            found.add("transfer_granted")
        if topic == "personal_cloud":
            if self.words["personal_cloud"] == "if_encrypted":
                found.add("locked_part")
            elif self.words["personal_cloud"] in ("with_dpo", "with_headteacher"):
                found.add("transfer_granted")
        if topic == "private_business" and self.words["private_business"] != "banned":
            found.add("business_granted")
        found |= {"contract_commitment": {"contract_granted"}, "auctions": {"auction_granted"}}.get(topic, set())
        if "education" in self.exemptions and topic in _EDUCATIONAL:
            found.add("education_granted")
        if ("authorities" in self.exemptions and topic == "confidential_info") or (
            "family" in self.exemptions and topic == "sharing_personal_contact"
        ):
            found.add("addresses")
        return frozenset(found)

    def excuse(self, topic: str, envelope: Envelope, directory: Directory, facts: frozenset[str]) -> str | None:
        """Why the pack excuses a finding of a topic, in words; None where it does not. The finding stays visible."""
        by = self.excused_by(topic)
        fact = next(iter(sorted(by & facts)), None)
        if fact is not None:
            return (_CLOUD_EXCUSES if topic == "personal_cloud" else _EXCUSES)[fact]
        if "addresses" not in by:
            return None
        if topic == "confidential_info":
            outside = [item for item in envelope.recipients if directory.kind(item.address) in ("outside", "trusted")]
            if outside and all(_within(item.address, self.authorities) for item in outside):
                return "policy: a disclosure to an appropriate authority"
        elif _is_family(envelope, directory):
            return "policy: the recipient is of the sender's own family"
        return None

    def remark(self, topic: str) -> str:
        """What a finding of the topic says of the policy's own duty, for its reasons."""
        return _DUTY.get(self.words["encryption"], "") if topic == "personal_data" else ""

    def advice(self, topic: str) -> str:
        """What the pack adds to a rule's advice."""
        if topic in ("malware_executables", "phishing"):
            if not self.acts:
                return "The policy names nobody who may alter or remove the mail itself: ask before that is done."
            allowed = " or ".join(_ACT_WORDS[act] for act in self.acts)
            return f"The policy lets a person with authority {allowed}; Mailwarden itself changes nothing."
        return _MISDIRECTED[self.words["misdirected_received"]] if topic == "misdirected_mail" else ""

    def holds_notices(self, now: datetime) -> bool:
        """Whether our own notices wait: nobody is to be expected to read them at this hour."""
        return self.reply_window is not None and self.reply_window.holds(self.local(now))


def for_examples(rule: Rule) -> Policy:
    """The pack that a rule's examples are judged under, whatever pack is in force: every rule on, each key at its default but
    for the rule's own `only_where`, and hours and a disclaimer to tell by.
    """
    words = {name: key.default for name, key in KEYS.items() if key.words}
    return Policy(
        slug="examples",
        title="",
        source="",
        time_zone="Europe/London",
        words={**words, "authorisation": "not_needed", **{key: values[0] for key, values in rule.only_where}},
        protected_grades=("strong",),
        clauses={},
        register=(),
        severity={},
        off=frozenset(),
        version="examples",
        personal_hours=(Window(time(16, 30), time(8, 30)),),
        reply_window=Window(time(18), time(6)),
        disclaimer=("intended solely for the use of the addressee",),
    )


# Offices whose work it is to look into what others wrote, as job titles and shared mailboxes name them.
_OFFICE = re.compile(
    r"\b(?:safeguarding|DSL|DDSL|child protection|designated|pastoral|welfare|behaviour|human resources|HR|"
    r"people (?:team|partner|services)|data protection|information governance|IT (?:security|support|services|manager)|"
    r"network manager|cyber|head ?teacher|principal|executive head|investigat\w{1,4}|whistle-?blowing|complaints)\b",
    re.IGNORECASE,
)


def _looks_into_it(person: Person | None) -> bool:
    """Whether job title, or the name of a shared mailbox, says that looking into such mail is this one's work."""
    if person is None or person.role not in ("staff", "shared"):
        return False
    return _OFFICE.search(person.name if person.role == "shared" else person.job_title) is not None


def _within(address: str, listed: Sequence[str]) -> bool:
    """The address itself, or its domain or one above it, is listed."""
    address = address.lower()
    domain = address.rpartition("@")[2]
    return any(address == entry or domain == entry or domain.endswith("." + entry) for entry in listed)


def _size(part: Part) -> int:
    """Bytes of an attached file; what lies inside another file was counted with it."""
    return part.size if part.kind == "attachment" and part.path.count("/") == 2 else 0


def _has_phrase(phrases: Sequence[str], parts: Sequence[Part]) -> bool:
    bodies = [" ".join(part.text.split()).casefold() for part in parts if part.kind == "body"]
    return any(phrase in body for phrase in phrases for body in bodies)


def _grants(sender: str, envelope: Envelope, directory: Directory) -> set[str]:
    """`<kind>_granted` for the live grants of the sender. A transfer grant must cover every outside recipient."""
    sent = envelope.sent_at.date() if envelope.sent_at else None
    live = [
        grant
        for grant in directory.people.grants
        if grant.who.lower() == sender and (grant.until is None or sent is None or sent <= grant.until)
    ]
    found = {f"{grant.kind}_granted" for grant in live if grant.kind not in ("transfer", "send_as")}
    targets = [grant.for_.lower() for grant in live if grant.kind == "transfer"]
    outside = [item for item in envelope.recipients if directory.kind(item.address) in ("outside", "trusted")]
    if targets and outside and all("" in targets or _within(item.address, targets) for item in outside):
        found.add("transfer_granted")
    return found & {"broadcast_granted", "auction_granted", "business_granted", "contract_granted", "education_granted",
                    "transfer_granted"}  # fmt: skip


def _is_family(envelope: Envelope, directory: Directory) -> bool:
    """Every pupil and parent among the recipients has the sender's surname. Family by another name needs a person's word."""
    person = directory.person(envelope.from_.address) if envelope.from_ else None
    surname = person.name.split()[-1].casefold() if person is not None and person.name else ""
    names = []
    for item in envelope.recipients:
        listed = directory.person(item.address) or directory.contact(item.address)
        if listed is not None:
            names.append(listed.name.split()[-1].casefold() if listed.name else "")
    return bool(surname) and bool(names) and all(name == surname for name in names)


# --- reading a pack -------------------------------------------------------------------------------------------------


def packs(folder: Path) -> list[str]:
    """The slugs of the packs in `folder/policies`."""
    return sorted(path.stem for path in (folder / "policies").glob("*.yml"))


def load_policy(folder: Path, slug: str, rulebook: Rulebook | None = None) -> Policy:
    """The pack `folder/policies/<slug>.yml` with its register. Raises ConfigErrors with every mistake and the words that are
    allowed. `rulebook` is what rule ids and the rules' `only_where` are checked against.
    """
    known = packs(folder)
    if slug not in known:
        raise ConfigError(f"policy {slug!r}", f"there is no such pack (allowed: {', '.join(known) or 'none found'})")
    path = folder / "policies" / f"{slug}.yml"
    shown = f"{folder.name}/policies/{path.name}"
    reader = Reader()
    root = load(path, shown)
    found = reader.mapping(root, PACK_KEYS, needed=("title", "source", "scan_mode"))
    register, register_bytes = load_register(reader, folder, slug, rulebook)
    if not register and isinstance(root.value, dict) and "clauses" not in root.value:
        reader.wrong(root, f"key 'clauses' is missing, and there is no {folder.name}/policies/clauses/{slug}.yml")
    words = {name: reader.choice(found.get(name), key.words, key.default) for name, key in KEYS.items() if key.words}
    severity, off_topics = _topics(reader, found.get("topics"))
    forbids = _some(reader, found.get("forbids"), tuple(FORBIDDEN), ())
    off = _off(reader, found.get("rules"), off_topics, {**words, "forbids": forbids}, rulebook)
    grades = reader.choices(found["protected_grades"], get_args(Grade)) if "protected_grades" in found else ("strong",)
    policy = Policy(
        slug=slug,
        title=reader.text(found.get("title")),
        source=reader.text(found.get("source")),
        time_zone=_zone(reader, found.get("time_zone"), root),
        words=words,
        protected_grades=grades,  # type: ignore[arg-type]
        clauses=_clauses(reader, found.get("clauses"), slug),
        register=register,
        severity=severity,
        off=off,
        version=hashlib.sha256(path.read_bytes() + register_bytes).hexdigest()[:12],
        from_=_day(reader, found.get("from")),
        until=_day(reader, found.get("until")),
        review_by=_day(reader, found.get("review_by")),
        approved_by=reader.text(found.get("approved_by")),
        purposes=reader.texts(found.get("purposes")),
        may_authorise=_some(reader, found.get("may_authorise"), APPROVERS, ("anyone_named",)),
        review_days=reader.count(found.get("review_days"), 0, 0, 3660),
        longest_days=reader.count(found.get("longest_days"), 0, 0, 3660),
        routes=read_lines(reader, found.get("routes")),
        titles=_titles(reader, found.get("titles")),
        personal_hours=tuple(_window(reader, item) for item in reader.items(found.get("personal_hours"))),
        reply_window=_window(reader, found["reply_window"]) if "reply_window" in found else None,
        bulk_limit=reader.count(found.get("bulk_limit"), 30),
        forbids=forbids,
        large_transfer_mb=reader.count(found.get("large_transfer_mb"), 20),
        disclaimer=tuple(" ".join(text.split()).casefold() for text in reader.texts(found.get("disclaimer"))),
        contact_details=_some(
            reader,
            found.get("contact_details"),
            ("pupils", "parents", "former_pupils", "nobody"),
            ("pupils", "parents"),
        ),
        acts=_some(reader, found.get("acts"), ACTS, ()),
        repeats=tuple(_repeat(reader, item) for item in reader.items(found.get("repeats"))),
        covers=_some(reader, found.get("covers"), get_args(PersonRole), get_args(PersonRole)),  # type: ignore[arg-type]
        exemptions=frozenset(_some(reader, found.get("exemptions"), EXEMPTIONS, ())),
        whistleblowing=tuple(text.lower() for text in reader.texts(found.get("whistleblowing"))),
        authorities=tuple(text.lower() for text in reader.texts(found.get("authorities"))),
        retention=_retention(reader, found.get("retention")),
        may_reveal=_some(reader, found.get("may_reveal"), ("dpo", "manager"), ("dpo", "manager")),
        patterns=_patterns(reader, found.get("patterns")),
    )
    if policy.from_ is not None and policy.until is not None and policy.until < policy.from_:
        reader.wrong(found["until"], "is before the day the policy came into force")
    reader.stop_if_wrong()
    return policy


def _some(reader: Reader, node: Node | None, allowed: Sequence[str], default: tuple[str, ...]) -> tuple[str, ...]:
    return reader.choices(node, allowed) if node is not None else default


def _day(reader: Reader, node: Node | None) -> date | None:
    if node is None:
        return None
    if not isinstance(node.value, date):
        reader.wrong(node, "must be a day, such as 2026-09-01")
        return None
    return node.value


def _zone(reader: Reader, node: Node | None, root: Node) -> str:
    zone = reader.text(node, "Europe/London")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the database, such as Europe
        reader.wrong(node or root, f"{zone!r} is not a time zone of the IANA database, such as Europe/London")
        return "UTC"
    return zone


def _clauses(reader: Reader, node: Node | None, slug: str) -> dict[str, tuple[Clause, ...]]:
    clauses: dict[str, tuple[Clause, ...]] = {}
    if node is not None:
        for topic, listed in reader.mapping(node, TOPICS).items():
            entries = []
            for item in reader.items(listed):
                entry = reader.mapping(item, ("id", "says"), needed=("id", "says"))
                entries.append(Clause(f"{slug}:{reader.text(entry.get('id'))}", reader.text(entry.get("says"))))
            clauses[topic] = tuple(entries)
    return clauses


def _topics(reader: Reader, node: Node | None) -> tuple[dict[str, Severity], set[str]]:
    severity: dict[str, Severity] = {}
    off: set[str] = set()
    if node is not None:
        for topic, each in reader.mapping(node, TOPICS).items():
            entry = reader.mapping(each, ("severity", "state"))
            if "severity" in entry:
                severity[topic] = reader.choice(entry["severity"], SEVERITIES, "moderate")  # type: ignore[assignment]
            if reader.choice(entry.get("state"), ("on", "off"), "on") == "off":
                off.add(topic)
    return severity, off


def _off(
    reader: Reader,
    node: Node | None,
    off_topics: set[str],
    words: Mapping[str, str | tuple[str, ...]],
    rulebook: Rulebook | None,
) -> frozenset[str]:
    """Rules that do not run under the pack: switched off by themselves, by topic, or by their own `only_where`."""
    off: set[str] = set()
    on: set[str] = set()
    for item in reader.items(node):
        entry = reader.mapping(item, ("id", "state"), needed=("id", "state"))
        rule_id = reader.text(entry.get("id"))
        rule = rulebook.rule(rule_id) if rulebook is not None else None
        if rulebook is not None and rule is None:
            reader.wrong(item, f"there is no rule {rule_id!r}")
        state = reader.choice(entry.get("state"), ("on", "off"), "on")
        name = rule.id if rule is not None else rule_id
        if state == "off" and name in NEVER_OFF:
            reader.wrong(item, f"rule {name} is never off: {NEVER_OFF[name]}")
        (off if state == "off" else on).add(name)
    if rulebook is not None:
        off |= {rule.id for rule in rulebook.rules if rule.topic in off_topics} - on
        off |= {rule.id for rule in rulebook.rules if not _fits(reader, rule, words)}
    return frozenset(off)


def _fits(reader: Reader, rule: Rule, words: Mapping[str, str | tuple[str, ...]]) -> bool:
    """Each key of the rule's `only_where` has one of its words in the pack; `forbids` alone may have several words there."""
    fits = True
    for name, values in rule.only_where:
        allowed = tuple(FORBIDDEN) if name == "forbids" else KEYS[name].words if name in KEYS else ()
        if not allowed:
            plain = ", ".join(key for key, each in KEYS.items() if each.words or key == "forbids")
            reader.wrong(rule.place, f"only_where: a pack has no word for {name!r} (allowed: {plain})")
            continue
        for value in values:
            if value not in allowed:
                reader.wrong(rule.place, f"only_where: {name} is never {value!r} (allowed: {', '.join(allowed)})")
        said = words[name]
        fits = fits and any(word in values for word in ((said,) if isinstance(said, str) else said))
    return fits


def _titles(reader: Reader, node: Node | None) -> dict[str, str]:
    from_roles = Line.roles()
    return {} if node is None else {role: reader.text(text) for role, text in reader.mapping(node, from_roles).items()}


def _window(reader: Reader, node: Node) -> Window:
    entry = reader.mapping(node, ("from", "to", "days"), needed=("from", "to"))
    days = reader.choice(entry.get("days"), ("all", "weekdays"), "all")
    return Window(_time(reader, entry.get("from")), _time(reader, entry.get("to")), days == "weekdays")


def _time(reader: Reader, node: Node | None) -> time:
    try:
        return time.fromisoformat(reader.text(node, "00:00"))
    except ValueError:
        reader.wrong(node or "", 'must be a time of day in quotation marks, such as "08:30"')
        return time()


def _repeat(reader: Reader, node: Node) -> Repeat:
    entry = reader.mapping(node, ("of", "months", "becomes"), needed=("of", "becomes"))
    step = Repeat(
        reader.choice(entry.get("of"), SEVERITIES, "minor"),  # type: ignore[arg-type]
        reader.count(entry.get("months"), 0, 0, 240),
        reader.choice(entry.get("becomes"), SEVERITIES, "moderate"),  # type: ignore[arg-type]
    )
    if {"of", "becomes"} <= set(entry) and SEVERITIES.index(step.becomes) <= SEVERITIES.index(step.of):
        reader.wrong(node, "a repeat can only make a breach graver")
    return step


def _retention(reader: Reader, node: Node | None) -> dict[Severity, int]:
    if node is None:
        return {}
    return {name: reader.count(months, 12, 1, 240) for name, months in reader.mapping(node, SEVERITIES).items()}  # type: ignore[misc]


def _patterns(reader: Reader, node: Node | None) -> dict[str, Pattern]:
    patterns: dict[str, Pattern] = {}
    if node is not None:
        for topic, each in reader.mapping(node, TOPICS).items():
            entry = reader.mapping(each, ("times", "days"), needed=("times", "days"))
            patterns[topic] = Pattern(
                reader.count(entry.get("times"), 5, 2, 1000), reader.count(entry.get("days"), 28, 1, 366)
            )
    return patterns


def differences(one: Policy, other: Policy, rulebook: Rulebook) -> list[tuple[str, str, str]]:
    """(what, value in the first, value in the second) for every key and rule in which two packs differ."""
    rows: list[tuple[str, str, str]] = []
    for name in KEYS:
        if name in one.words:
            pair = (one.words[name], other.words[name])
        elif name not in (
            "title",
            "source",
            "clauses",
            "topics",
            "rules",
        ):  # the last two show in severity and in the rules
            attribute = {"from": "from_"}.get(name, name)
            pair = (_shown(getattr(one, attribute)), _shown(getattr(other, attribute)))
        else:
            continue
        if pair[0] != pair[1]:
            rows.append((name, *pair))
    for rule in rulebook.rules:
        if (rule.id in one.off) != (rule.id in other.off):
            rows.append(
                (f"rule {rule.id}", "off" if rule.id in one.off else "on", "off" if rule.id in other.off else "on")
            )
    for topic in TOPICS:
        if one.severity.get(topic) != other.severity.get(topic):
            grades = [str(each.severity.get(topic, "the rule's")) for each in (one, other)]
            rows.append((f"severity of {topic}", grades[0], grades[1]))
    return rows


def _shown(value: object) -> str:
    if isinstance(value, Window):
        return f"{value.start:%H:%M} to {value.end:%H:%M}" + (" on weekdays" if value.weekdays else "")
    if isinstance(value, Line):
        where = ", ".join(sorted(value.topics | value.categories)) or "everything else"
        return f"{where} → {', '.join(value.to)}"
    if isinstance(value, Pattern):
        return f"{value.times} in {value.days} days"
    if isinstance(value, Repeat):
        return f"{value.of} again within {value.months or 'any number of'} months: {value.becomes}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_shown(each)}" for key, each in sorted(value.items())) or "none"
    if isinstance(value, tuple | frozenset):
        listed = list(value) if isinstance(value, tuple) else sorted(value)
        return ", ".join(_shown(each) for each in listed) or "none"
    return str(value) if value not in (None, "") else "none"


def overdue(policy: Policy, now: datetime) -> bool:
    """Whether the policy should have been reviewed by now."""
    return policy.review_by is not None and policy.review_by < now.astimezone(UTC).date()


@dataclass(frozen=True, slots=True)
class Question:
    """One question of `policy new`: the key it sets, what is asked, and the answers that are taken (any text where none)."""

    key: str
    asks: str
    words: tuple[str, ...] = ()
    default: str = ""


def _asked(key: str, asks: str) -> Question:
    return Question(key, asks, KEYS[key].words, KEYS[key].default)


QUESTIONS: tuple[Question, ...] = (
    Question("title", "What is the policy called?"),
    Question("source", "Which document and version is it?"),
    Question("from", "Since which day is it in force (2026-09-01)?", default="2026-09-01"),
    _asked("scan_mode", "What does it say about monitoring mail?"),
    _asked("random_checks", "Random checks?"),
    _asked("private_material", "Who may read mail that is marked private?"),
    _asked("dpo_part", "What does the data protection officer do about data that is sent out?"),
    _asked("encryption", "How strict is the duty to encrypt?"),
    _asked("internal_mail", "Does personal data in mail among yourselves count?"),
    _asked("personal_use", "Private mail from the work account?"),
    _asked("personal_account", "Work on private accounts?"),
    _asked("chain_mail", "Chain mail?"),
    _asked("bulk", "Mail to everybody?"),
    _asked("private_business", "Private business from the work account?"),
    _asked("sending_as", "Sending from another's address?"),
    _asked("ladder", "How are breaches graded?"),
    _asked("pursue", "Must a confirmed breach be pursued?"),
)


def pack_text(folder: Path, answers: Mapping[str, str]) -> str:
    """A new pack: the answers first, then everything else as in base. Raises ConfigError for an answer that is not allowed."""
    asked = {question.key: question for question in QUESTIONS}
    for key, answer in answers.items():
        if key not in asked:
            raise ConfigError(key, f"is not asked (asked: {', '.join(asked)})")
        if asked[key].words and answer not in asked[key].words:
            raise ConfigError(key, f"must be one of {', '.join(asked[key].words)}, not {answer!r}")
    lines = ["# Made by `mailwarden policy new` from the base pack. Every key and its words: rules/policies/README.md."]
    for key, question in asked.items():
        answer = " ".join(answers.get(key, question.default).split())
        quoted = answer if question.words or key == "from" else json.dumps(answer or "not said", ensure_ascii=False)
        lines.append(f"{key}: {quoted}")
    for entry in (folder / "policies" / "base.yml").read_text("utf-8").split("\n\n"):
        kept = [block for block in _blocks(entry) if block.partition(":")[0] not in asked]
        if kept:
            lines += ["", "\n".join(kept).rstrip()]
    return "\n".join(lines) + "\n"


def _blocks(text: str) -> list[str]:
    """The top-level keys of a stretch of YAML, each with its indented lines; comments are left out."""
    blocks: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].strip():
            blocks.append(line)
        elif blocks:
            blocks[-1] += "\n" + line
    return blocks
