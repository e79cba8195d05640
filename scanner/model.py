"""The nouns: what a message is made of, what was seen in it, and what was decided.

All frozen. `Envelope` is what a source hands over, `Part` what reading made of it, `Hit` what a detector saw,
`Finding` what a rule decided, `Verdict` the whole answer for one message. Formats that leave the program are
fixed by the contract; a `Hit` never leaves the worker process, because it alone holds a found value.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

Direction = Literal["outbound", "internal", "inbound", "stored"]
Severity = Literal["minor", "moderate", "severe"]
SegmentOwner = Literal["sender", "quoted", "forwarded", "signature", "disclaimer", "banner"]
Grade = Literal["none", "signed", "weak", "strong", "unknown"]
ReadState = Literal["all", "part", "none"]
RecipientKind = Literal["to", "cc", "bcc"]
ProblemKind = Literal[
    "encrypted",
    "corrupt",
    "too_large",
    "too_deep",
    "too_many_parts",
    "timed_out",
    "budget",
    "unsupported",
    "crashed",
    "unavailable",
    "skipped",
]
PersonRole = Literal["staff", "pupil", "governor", "contractor", "shared"]
AddressKind = Literal["ours", "trusted", "protected", "outside"]
# `automatic_reply` and `mailbox_rule` are settings of a mailbox that speak or act towards outsiders.
ItemKind = Literal["message", "document", "automatic_reply", "mailbox_rule"]
ShareScope = Literal["anyone", "organisation", "person", "unknown"]

SEVERITIES: tuple[Severity, ...] = ("minor", "moderate", "severe")
# `encrypted` is counted apart and `skipped` is a choice; every other kind means that something was not looked at.
PROBLEMS_THAT_LEAVE_COMPLETE = frozenset({"encrypted", "skipped"})


# --- what a source hands over ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox in a header (RFC 5322 section 3.4). `address` is lower case, `name` the decoded display name."""

    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Recipient:
    kind: RecipientKind
    address: str
    name: str = ""

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Body:
    """One rendering of the message text as it came: `text/plain` or `text/html` source."""

    media_type: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Blob:
    """One attachment or inline file as bytes. `name` and `claimed_type` are the sender's word and prove nothing."""

    name: str
    claimed_type: str
    data: bytes = field(repr=False)
    inline: bool = False
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """One way in which somebody besides the owner can open a document: a link or a grant.

    `anyone` needs no sign-in, `organisation` is every account of ours, `person` is `address` (empty where the service names
    nobody), `unknown` a group, or an account that nobody names; guests in a group are named as persons beside it where it could
    be read. `until` is the end in UTC.
    """

    scope: ShareScope
    address: str = ""
    may_edit: bool = False
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message or a single document, the same whether it came from Graph JSON, MIME or a file.

    `direction` is None until the people snapshot is asked. A document has no sender, no recipients, no bodies and one blob.
    `from_` is the From header, `sender` the Sender header where there is one (RFC 5322 section 3.6.2).
    `audience` says who can open a document or hears an automatic reply; None where that is not known.
    """

    source: str
    mailbox: str = ""
    provider_id: str = ""
    internet_id: str = ""
    thread_id: str = ""
    direction: Direction | None = None
    sent_at: datetime | None = None
    sender: Address | None = None
    from_: Address | None = None
    reply_to: tuple[Address, ...] = ()
    recipients: tuple[Recipient, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    subject: str = field(default="", repr=False)
    bodies: tuple[Body, ...] = ()
    blobs: tuple[Blob, ...] = ()
    problems: tuple[Problem, ...] = ()
    kind: ItemKind = "message"
    audience: tuple[Share, ...] | None = None

    def header(self, name: str) -> str:
        """The first header of that name, decoded, or an empty string."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")


# --- what reading made of it ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Segment:
    """Whose words a stretch of a part's text is. `start` and `end` count code points of `Part.text`."""

    owner: SegmentOwner
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cell spans `(start, end)` into `Part.text`, in reading order; an empty cell has start == end."""

    rows: tuple[tuple[tuple[int, int], ...], ...]
    name: str = field(default="", repr=False)
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Protection:
    """How a file is locked, judged from its bytes. What counts as *protected* is the policy pack's decision."""

    grade: Grade
    mechanism: str = ""
    readable_without_password: bool = True
    reasons: tuple[str, ...] = ()


UNPROTECTED = Protection("none")


@dataclass(frozen=True, slots=True)
class Normalised:
    """A rewritten text and the way back to the one it was made from; both ways count code points.

    `_positions` are the places in `text` from which `_shifts` (place in the source minus it) hold, ascending; `_ends` says
    where the source of a character ends that stands for several.
    """

    text: str = field(repr=False)
    _positions: tuple[int, ...] = ()
    _shifts: tuple[int, ...] = ()
    _ends: Mapping[int, int] = field(default_factory=dict)

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the source for the span `start` to `end` of `text`."""
        if not self._positions:
            return start, end
        first = self._origin(start)
        if end <= start:
            return first, first
        return first, max(first, self._ends.get(end - 1, self._origin(end - 1) + 1))

    def position(self, place: int) -> int:
        """Where the character at `place` of the source came to stand; what was dropped stands where the next one does."""
        low, high = 0, len(self._positions)
        while low < high:
            middle = (low + high) // 2
            if self._positions[middle] + self._shifts[middle] <= place:
                low = middle + 1
            else:
                high = middle
        moved = place - (self._shifts[low - 1] if low else 0)
        limit = self._positions[low] if low < len(self._positions) else len(self.text)
        return min(moved, limit)

    def _origin(self, position: int) -> int:
        index = bisect_right(self._positions, position) - 1
        return position + (self._shifts[index] if index >= 0 else 0)


def rewrite(text: str, changes: Iterable[tuple[int, int, str]]) -> Normalised:
    """`text` with each span `start` to `end` replaced; the changes are in order and apart from each other."""
    pieces: list[str] = []
    positions: list[int] = []
    shifts: list[int] = []
    ends: dict[int, int] = {}
    done = length = 0  # in the source; of the result so far
    for start, end, replacement in changes:
        pieces.append(text[done:start])
        pieces.append(replacement)
        length += start - done + len(replacement)
        done = end
        if len(replacement) == end - start:
            continue
        # Each letter of a longer replacement lies at the one place it came from.
        for letter in range(1, len(replacement)):
            positions.append(length - len(replacement) + letter)
            shifts.append(start - positions[-1])
        if replacement:
            ends[length - 1] = end
        positions.append(length)
        shifts.append(done - length)
    pieces.append(text[done:])
    return Normalised("".join(pieces), tuple(positions), tuple(shifts), ends)


@dataclass(frozen=True, slots=True)
class Part:
    """One readable or unreadable piece of a message: subject, body, attachment, member of an archive, document.

    `text` is normalised once at the edge (spaces, dashes, zero-width characters) and never changed after.
    `media_type` was decided from bytes. `disguised` says that name or claimed type tell something else,
    `by_ocr` that the text was recognised in a picture and may be wrong here and there.
    """

    path: str
    media_type: str
    claimed_type: str = ""
    name: str = ""
    text: str = field(default="", repr=False)
    tables: tuple[Table, ...] = ()
    segments: tuple[Segment, ...] = ()
    protection: Protection = UNPROTECTED
    depth: int = 0
    sha256: str = ""
    size: int = 0
    read: ReadState = "all"
    disguised: bool = False
    inline: bool = False
    by_ocr: bool = False

    def owner_at(self, position: int) -> SegmentOwner:
        """The owner of the character at `position`; words in no segment are the sender's."""
        for segment in self.segments:
            if segment.start <= position < segment.end:
                return segment.owner
        return "sender"

    @property
    def kind(self) -> str:
        """`subject`, `body`, `attachment`, `document` or `headers`: what rules call the kind of a part."""
        return self.path.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was not read, or not wholly. `detail` never holds content, `part` never a name that tells."""

    part: str
    stage: str
    kind: ProblemKind
    read: ReadState = "none"
    detail: str = ""


# --- what was seen --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing a detector saw. Lives only in the worker; `value` is left out of `repr` so that no log can show it.

    `start` and `end` count code points of the part's text. `row` is `(table, row)` where the hit lies in a table.
    `subject` numbers the data subject within the message once that is known, counting from 1.
    """

    label: str
    start: int
    end: int
    value: str = field(repr=False)
    confidence: float
    reasons: tuple[str, ...] = ()
    part: str = ""
    owner: SegmentOwner = "sender"
    row: tuple[int, int] | None = None
    subject: int | None = None
    detector: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """What the store may know of a hit (D10): no text and no value, only a keyed fingerprint."""

    label: str
    part_kind: str
    owner: SegmentOwner
    row: int | None
    distance: int
    confidence: float
    subject: int | None
    fingerprint: str


# --- people ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account of ours, or whom the directory lists (contract section 5)."""

    email: str
    name: str
    role: PersonRole
    job_title: str = ""
    school: str = ""
    manager: str = ""
    personal_addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    leaves_on: date | None = None
    class_name: str = ""


@dataclass(frozen=True, slots=True)
class Pupil:
    name: str
    school: str = ""
    class_name: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """A parent or carer from the school's records, with the pupils they answer for."""

    email: str
    name: str
    pupils: tuple[Pupil, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """A standing permission: `send_as`, `broadcast`, `auction`, `business`, `transfer`, `contract` or `education`."""

    kind: str
    who: str
    for_: str = ""
    until: date | None = None


@dataclass(frozen=True, slots=True)
class People:
    """The snapshot of who is who that a verdict was made with; `version` changes with its content."""

    organisation: str = ""
    domains: tuple[str, ...] = ()
    trusted_domains: tuple[str, ...] = ()
    schools: tuple[str, ...] = ()
    # A role's value is one address, or one address for each school under the school's name ("" = the whole trust).
    roles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    people: tuple[Person, ...] = ()
    contacts: tuple[Contact, ...] = ()
    published: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    version: str = ""


# --- what was decided -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a finding may show of its hits: a mask and a keyed fingerprint, never the value (contract section 2)."""

    label: str
    part: str
    mask: str
    count: int
    confidence: float
    fingerprint: str = ""
    # Where a mask shows nothing: (line, sentence of it) in the part's text, counted from 1; sentence 0 is the whole line.
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Who gets the case, in one sentence why, and whether it is a fallback for somebody who is missing or a party."""

    role: str
    person: str
    because: str
    fallback: bool = False


# What a rule may ask of the messages that came before (D22); each is about one of the recipients.
PastFact = Literal["first_time", "twin", "outside_thread", "known_self", "emptying", "unknown_sender"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach: at most one for each topic and segment owner of a message (D5)."""

    key: str
    rule: str
    rule_version: str
    title: str
    topic: str
    category: str
    severity: Severity
    confidence: float
    owner: SegmentOwner
    subjects: int
    evidence: tuple[Evidence, ...]
    reasons: tuple[str, ...]
    clauses: tuple[str, ...] = ()
    exempted_by: str | None = None
    route: Route | None = None
    advice: str = ""
    shadow: bool = False
    # Holds only where the messages before show all of these.
    past: tuple[PastFact, ...] = ()


# What is said to more people at once has no single target.
MOST_TARGETS = 5
_HEATED = frozenset({"inappropriate_language", "harassment_discrimination", "threats", "sexual_content"})
# What is aimed at somebody. Swearing by itself is aimed at nobody.
_DIRECTED = frozenset({"abuse", "harassment", "discrimination", "threat", "sexual"})


def is_heated(finding: Finding) -> bool:
    """Whether a finding speaks of the sender's own language against somebody, and counts."""
    return (
        finding.topic in _HEATED
        and finding.owner == "sender"
        and not finding.shadow
        and finding.exempted_by is None
        and any(item.label in _DIRECTED for item in finding.evidence)
    )


@dataclass(frozen=True, slots=True)
class Versions:
    rules: str
    policy: str
    detectors: str


@dataclass(frozen=True, slots=True)
class Tie:
    """A recipient as the past may know them: keyed fingerprints. `twins` are others of the same first name, `marks` what a
    confirmed finding would have called the address if it was a private one.
    """

    address: str
    outside: bool
    twins: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ties:
    """Who wrote to whom, in which conversation (D22): keyed fingerprints and counts, no text. `files` counts those of the
    message, once, where it went to a private address of our staff, their household, or one that vanishes; else it is 0. `leaving`: the
    directory says that the sender, who sends files to their own address, leaves within a notice period.
    """

    sender: str
    thread: str
    to: tuple[Tie, ...]
    files: int
    leaving: bool = False


SpreadAct = Literal["started", "passed", "replied", "received"]


@dataclass(frozen=True, slots=True)
class Trail:
    """What may link a message with others of the same sender (D22): keyed fingerprints of addresses, counts, no text.

    `locks` counts the locked files that stayed closed to the message's own words; `may_hold_key` says that some word in it
    looks like a password, `heated` that a finding speaks of the sender's own language against somebody, to these few recipients.
    """

    sender: str
    recipients: tuple[str, ...]
    locks: int
    may_hold_key: bool
    heated: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """Somebody a passed-on text went to: a keyed fingerprint of the address, and whether it lies outside."""

    address: str
    outside: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """What recognises a passed-on text again in other messages (D22): numbers and keyed fingerprints, no text.

    `sketch` is a keyed MinHash of the passage. `depth` counts the mails it was forwarded or quoted through, as its headers
    say. `act`: `started`, `passed` or `replied` by one of ours, `received` from outside. `signed`: a sign of a chain letter
    was seen in it; without one it counts only as a further copy of a text in which one was.
    """

    sketch: bytes
    sender: str
    reached: tuple[Reached, ...]
    depth: int
    act: SpreadAct
    signed: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole answer for one message or document."""

    message_id: str
    direction: Direction
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    complete: bool
    unread_protected: int
    facts: tuple[Fact, ...]
    versions: Versions
    content_hash: str
    sent_at: datetime | None = None
    parts: int = 0
    elapsed_ms: float = 0.0
    # A keyed fingerprint of the one of us who sent it, for repeats and patterns; empty for mail from outside.
    sender: str = ""
    trail: Trail | None = None
    spread: Spread | None = None
    # Which of the messages beside it have a lock that opened with a word of this one: their places in the list, from 0.
    opens: tuple[int, ...] = ()
    # What would be found if the messages before showed what these findings ask; `correlate.settled` decides.
    ties: Ties | None = None
    pending: tuple[Finding, ...] = ()
    # Why it was not judged, or only for some topics, by the policy's or somebody's decision; empty where it was judged in full.
    not_judged: str = ""


# --- the service's own nouns ----------------------------------------------------------------------------------------

AuthorisationKind = Literal["standing", "grant", "purpose", "authority", "sample", "cause"]


@dataclass(frozen=True, slots=True)
class Authorisation:
    """Leave to look, given by somebody with a name (Never 1).

    `scope` holds mailbox addresses, or `*` for all. `topics`: nothing else is judged; empty means everything. `review`: from that
    day on it counts only after a further review. `grounds` says why, or which authority it rests on. `seed`, `frame` and `size`
    belong to a random sample: the same seed over the same frame draws the same mailboxes.
    """

    id: int
    policy: str
    kind: AuthorisationKind
    purpose: str
    scope: tuple[str, ...]
    topics: tuple[str, ...]
    approver: str
    approver_role: str
    grounds: str
    start: date
    review: date | None
    end: date | None
    recorded_at: datetime
    recorded_by: str
    ended_at: datetime | None = None
    seed: str = ""
    frame: str = ""
    frame_size: int = 0

    def covers(self, mailbox: str) -> bool:
        return "*" in self.scope or mailbox.lower() in self.scope

    def lives(self, now: datetime) -> bool:
        """Begun, not ended, not past its end or its review."""
        day = now.date()
        return (
            self.ended_at is None
            and self.start <= day
            and (self.end is None or day <= self.end)
            and (self.review is None or day <= self.review)
        )


CaseState = Literal["new", "open", "confirmed", "false_alarm", "excused", "closed"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a source stands in one folder. `token` is opaque outside the connector that made it."""

    source: str
    mailbox: str
    folder: str
    token: str
    saved_at: datetime
