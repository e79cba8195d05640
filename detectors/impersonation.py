"""Mail in another person's name: Sender and From differ without a grant, the display name or the signature is a colleague's,
or a stranger writes under the name of one of ours.

RFC 5322 section 3.6.2: Sender is the mailbox of who sent, From of who wrote. A shared mailbox has no name of its own to take.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from detectors.base import MessageDetector
from detectors.names import TITLES, fold, is_private_provider, likeness, same_first_name, words
from detectors.recipients import lookalike
from scanner.directory import Directory
from scanner.model import Address, Hit, People, Person
from scanner.ports import Message

_CLOSING = re.compile(
    r"^[ \t]*(?:yours (?:sincerely|faithfully|truly|ever)|(?:kind(?:est)?|best|warm(?:est)?|many|with) (?:regards|wishes|thanks)|"
    r"regards|sincerely|best|all the best|many thanks|thanks|thank you|cheers)[ \t]*[,.!]?[ \t]*\r?$",
    re.IGNORECASE | re.MULTILINE,
)
# Said openly, it is no pretence: per procurationem, on behalf of, a draft for somebody to sign.
_OPENLY = re.compile(
    r"(?<!\w)(?:pp|p\.p\.|on behalf of|for and on behalf|dictated|(?:sent|signed|written|typed) (?:for|by)|in (?:her|his|their) absence|"
    r"draft|for (?:your|her|his) signature|template|reads?:|wrote:|says?:|writes:|quote[ds]?)(?!\w)",
    re.IGNORECASE,
)
# A claim in the first person: "I write as Headteacher of …".
_AS_HOLDER = re.compile(
    r"\bI (?:write|am writing|speak|sign|confirm this|make this|give this)(?: to you)? (?:as|in my (?:role|capacity) as) (?:the |your )?"
    r"(head ?teacher|headmaster|headmistress|principal|chief executive|deputy head(?: ?teacher)?|head of school|"
    r"chair(?= of (?:the )?(?:board of )?(?:governors|trustees)\b))\b"
    r"(?! (?:of|on|for) (?:the |our |your )?(?:[a-z]+ ){0,2}(?:pta|ptfa|friends|association|committee|council|union|club|society|panel)\b)",
    re.IGNORECASE,
)
_LINES_AFTER = 3
_SURE = 0.75
# A school's office sends what the head has written: no person's post is claimed by passing it on.
_OFFICE = re.compile(
    r"\b(?:office|admin\w*|secretar\w+|receptionist|clerk|pa|personal assistant|business manager|data manager)\b", re.I
)


class Impersonation(MessageDetector):
    """The message was sent, or signed, in another person's name without a grant on record."""

    labels = ("sent_as_other", "sent_as_other_granted", "signed_as_other", "posing_as_ours")

    def __init__(self) -> None:
        self._indexed: People | None = None
        self._by_surname: dict[str, list[tuple[str, Person]]] = {}

    def detect(self, message: Message) -> Iterable[Hit]:
        directory = message.directory
        shown, actual = message.envelope.from_, message.envelope.sender
        if shown is None:
            return
        if directory.kind(shown.address) != "ours":
            yield from _stranger(shown, message)
            return
        named = directory.person(shown.address)
        if actual is not None and actual.address != shown.address and named is not None and named.role != "shared":
            label = "sent_as_other_granted" if _granted(actual.address, shown.address, message) else "sent_as_other"
            why = f"From and Sender differ, {'a' if label.endswith('granted') else 'no'} grant on record"
            yield Hit(label, 0, 0, actual.address, 0.9, (why,), part="headers")
            return
        holder = _named(shown.name, directory, named)
        if holder is not None and named is not None and holder.email != named.email:
            if set(words(holder.name)) == set(words(named.name)):
                return  # two people of one name
            yield Hit(
                "sent_as_other", 0, 0, shown.address, 0.85, ("the display name is another person's",), part="headers"
            )
            return
        if named is not None and named.role != "shared":
            yield from _signed(named, message, self._surnames(directory))

    def _surnames(self, directory: Directory) -> dict[str, list[tuple[str, Person]]]:
        """First name and person by surname; made once for each snapshot of the people."""
        if self._indexed is not directory.people:
            index: dict[str, list[tuple[str, Person]]] = {}
            for person in directory.people.people:
                whole = words(person.name)
                if len(whole) > 1:
                    index.setdefault(whole[-1], []).append((whole[0], person))
            self._indexed, self._by_surname = directory.people, index
        return self._by_surname


def _granted(who: str, for_: str, message: Message) -> bool:
    when = message.envelope.sent_at
    return any(
        grant.kind == "send_as"
        and grant.who.lower() == who.lower()
        and grant.for_.lower() in ("", for_.lower())
        and (grant.until is None or when is None or when.date() <= grant.until)
        for grant in message.directory.people.grants
    )


def _named(shown: str, directory: Directory, owner: Person | None) -> Person | None:
    """The one person of ours whom a display name names: in full, or a title with the surname (and perhaps an initial)."""
    if not shown:
        return None
    whole = directory.person_named(shown)
    if whole is not None:
        return None if whole.role == "shared" else whole
    given = words(shown)
    titled = any(word.strip(".") in TITLES for word in fold(shown).split())
    if owner is None or not given or given[-1] in words(owner.name) or not (titled or len(given) > 1):
        return None
    if len(given[0]) > 1 and len(given) > 1 and same_first_name(given[0], words(owner.name)[0]):
        return None  # a married name, a nickname: the first name is the owner's own
    found = [
        person
        for person in directory.people.people
        if person.role in ("staff", "governor")
        and len(words(person.name)) > 1
        and words(person.name)[-1] == given[-1]
        and (len(given) == 1 or words(person.name)[0][0] == given[0][0])
        and (len(given) == 1 or len(given[0]) == 1 or same_first_name(given[0], words(person.name)[0]))
    ]
    return found[0] if len(found) == 1 else None


def _signed(sender: Person, message: Message, by_surname: dict[str, list[tuple[str, Person]]]) -> Iterator[Hit]:
    """A letter that closes with another person's full name, or claims another's post, and says nowhere for whom it speaks."""
    text = message.own_words() + "\n" + _signatures(message)
    if _OPENLY.search(text):
        return
    holder = _closed_by(text, sender, by_surname)
    if holder is not None:
        if _OFFICE.search(sender.job_title):
            return  # it sends the head's letters to parents
        if any(item.address.lower() == holder.email.lower() for item in message.envelope.recipients):
            return  # a draft for that person
        if _granted(sender.email, holder.email, message) or set(words(sender.name)) == set(words(holder.name)):
            return
        yield Hit("signed_as_other", 0, 0, sender.email, 0.85, ("closed with another person's name",), part="headers")
        return
    claim = _AS_HOLDER.search(text)
    if claim is not None and sender.job_title and not _holds(claim[1], sender.job_title):
        yield Hit("signed_as_other", 0, 0, sender.email, 0.78, ("claims another person's post",), part="headers")


def _closed_by(text: str, sender: Person, by_surname: dict[str, list[tuple[str, Person]]]) -> Person | None:
    """The one other person whose name signs the text: below its last closing, among its last lines, and nobody's name after it."""
    closing = next(reversed(list(_CLOSING.finditer(text))), None)
    if closing is None:
        return None
    lines = [line.strip() for line in text[closing.end() : closing.end() + 600].split("\n") if line.strip()]
    own = words(sender.name)
    if own and {own[0], own[-1]} & set(words(" ".join(lines))):
        return None  # signed by both, or a letter passed on under one's own name
    if len(text) > closing.end() + 600 or len(lines) > 2 * _LINES_AFTER:
        return None  # the text goes on: it was no signature
    named = [
        (at, person)
        for at, line in enumerate(lines[: 2 * _LINES_AFTER])
        if (person := _person_in(line.partition(",")[0], by_surname)) is not None
    ]
    if len(named) != 1 or named[0][0] >= _LINES_AFTER or len(lines) - named[0][0] > _LINES_AFTER:
        return None  # several names are a list of people
    holder = named[0][1]
    return None if holder.email == sender.email or holder.role in ("shared", "pupil") else holder


def _signatures(message: Message) -> str:
    return "\n".join(
        part.text[segment.start : segment.end]
        for part in message.parts
        if part.kind == "body"
        for segment in part.segments
        if segment.owner == "signature"
    )


def _holds(post: str, job_title: str) -> bool:
    """Whether a job title may be said to be that post; any head, deputy or acting one may sign as the school's."""
    return (
        bool(set(words(post)) & set(words(job_title)))
        or re.search(r"head|principal|chief|chair", job_title, re.IGNORECASE) is not None
    )


def _person_in(line: str, by_surname: dict[str, list[tuple[str, Person]]]) -> Person | None:
    """The person whose first name (or initial) and surname make up a short line, titles left out."""
    given = words(line)
    if not 2 <= len(given) <= 4 or len(line) > 60:
        return None
    return next(
        (person for first, person in by_surname.get(given[-1], ()) if same_first_name(given[0], first)),
        None,
    )


def _stranger(shown: Address, message: Message) -> Iterator[Hit]:
    """From outside under the name of one of ours, or from a domain that is nearly ours."""
    directory = message.directory
    if message.direction != "inbound" or directory.person(shown.address) is not None:
        return
    if directory.kind(shown.address) in ("trusted", "protected") or directory.contact(shown.address) is not None:
        return  # a partner's name may well be like ours
    near = lookalike(shown.domain.lower(), directory.people.domains)
    holder = directory.person_named(shown.name) if shown.name else None
    if near:
        yield Hit(
            "posing_as_ours", 0, 0, shown.address, 0.9, ("the sender's domain is nearly one of ours",), part="headers"
        )
    elif holder is not None and holder.role == "staff" and directory.private_owner(shown.address) is None:
        # Somebody of ours may well write from home: an address that fits the name says that it is probably they, unless the mail
        # asks for money or a log-in: no record says that the address is theirs, and anybody can have one made to fit.
        own = is_private_provider(shown.domain) and likeness(shown.address, holder.name) > 0 and not _urges(message)
        reasons = ("the name of one of ours on an outside address",)
        yield Hit("posing_as_ours", 0, 0, shown.address, 0.4 if own else 0.6, reasons, part="headers")


def _urges(message: Message) -> bool:
    return any(hit.label in ("payment_urged", "login_lure") and hit.confidence >= _SURE for hit in message.hits)
