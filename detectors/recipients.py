"""Signs in greeting, recipients and names that a mail reached the wrong person.

A greeting that names somebody else whom the records know, a pupil of another family than the recipient's, a domain one
keystroke away from a trusted one, many families that can see one another's addresses, a namesake outside, one outsider among
those a group is greeted as, a remark about somebody who reads it; and the sender's own word that it went astray.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from detectors.base import MessageDetector
from detectors.names import fold, is_private_provider, same_first_name, words
from detectors.relations import families, pupils_first_names, pupils_of
from scanner.directory import Directory
from scanner.model import Contact, Hit, Person, Recipient
from scanner.ports import Message

_TELLING = frozenset(
    {"health", "sen", "safeguarding", "behaviour", "criminal", "care_status", "payroll", "class_list", "nhs", "nino", "upn",
     "date_of_birth", "confidential", "religion", "ethnicity", "sexual_orientation", "union"}
)  # fmt: skip
_NEAR = 160
FAMILIES_VISIBLE = 5  # fewer may well know one another: two parents, a lift share
_GREETING = re.compile(
    r"^[ \t]*(?:dear|hi|hello|hey|good (?:morning|afternoon|evening)|morning|afternoon)[ \t]+([^\n,!.:;]{2,60})(?:[,!:]|[.;]?[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)
# Greetings that name nobody.
_NOBODY = frozenset(
    "all team colleagues colleague everyone everybody both there sir madam folks governors trustees parents parent carers carer "
    "guardians guardian families family staff students pupils class year ladies gentlemen guys friends residents neighbours "
    "applicant candidate customer member members head headteacher principal editor office admissions reception support sales "
    "accounts chair clerk again from or to the whom it may concern of for in".split()
)
_CAPITALISED = re.compile(r"\b[^\W\d_a-z][^\W\d_]{1,30}\b")


class Recipients(MessageDetector):
    """Signs that the message reached, or shows, people it should not have."""

    labels = (
        "wrong_salutation",
        "wrong_family",
        "lookalike_domain",
        "visible_families",
        "sent_in_error",
        "misdirected_disclosed",
    )

    def detect(self, message: Message) -> Iterable[Hit]:
        if message.direction in ("internal", "outbound"):
            yield from _passed_on(message)
        if message.direction == "internal":
            yield from _namesake_inside(message)
        if message.direction != "outbound":
            return
        outside = [
            item for item in message.envelope.recipients
            if message.directory.kind(item.address) == "outside" and message.directory.person(item.address) is None
        ]  # fmt: skip
        if not outside:
            return
        yield from _lookalikes(outside, message.directory)
        yield from _visible_families(outside, message.directory)
        if len([item for item in outside if item.kind == "to"]) == 1:
            yield from _wrong_salutation(message, next(item for item in outside if item.kind == "to"))
        yield from _wrong_family(message, outside)
        yield from _namesake_outside(message, outside)
        yield from _odd_one(message, outside)
        yield from _sent_in_error(message)


def _wrong_salutation(message: Message, recipient: Recipient) -> Iterable[Hit]:
    greeted = [word for word in _greeted(message) if len(word) > 1 and word != "and"]
    if not greeted or any(word in _NOBODY for word in greeted):
        return
    directory = message.directory
    contact = directory.contact(recipient.address)
    known = set(words(recipient.name))
    if contact is not None:
        known |= set(words(contact.name)).union(*(words(pupil.name) for pupil in contact.pupils))
    local = fold(recipient.address.rpartition("@")[0])
    for word in greeted:
        if any(same_first_name(word, name) for name in known) or (len(word) >= 3 and word in local):
            return
    others = [item for item in message.envelope.recipients if item.address != recipient.address]
    if any(set(greeted) & set(words(item.name or _person_name(item.address, directory))) for item in others):
        return
    if _somebody_else(greeted, recipient.address, directory):
        yield _hit(
            "wrong_salutation", recipient.address, 0.85, "the greeting names somebody else whom the records know"
        )
    elif _colleague_by_first_name(greeted, directory) and _REMARK.search(message.own_words()[:20_000]):
        yield _hit("wrong_salutation", recipient.address, 0.8, "a remark to a colleague reached somebody outside")
    elif _colleague_by_first_name(greeted, directory) and _tells(message):
        # Many share a first name: something else has to say that a colleague was meant.
        if local in _COUNTERS:
            yield _hit(
                "wrong_salutation", recipient.address, 0.8, "a colleague is greeted at a sales desk, about people"
            )
        elif _INSIDE.search(message.own_words()[:5_000]):
            yield _hit(
                "wrong_salutation", recipient.address, 0.8, "a colleague greeted, a meeting among ourselves named"
            )
        elif any(_one_slip("".join(words(local)), "".join(words(person.name))) for person in directory.people.people):
            yield _hit(
                "wrong_salutation", recipient.address, 0.8, "a colleague is greeted at an address like one of ours"
            )
    elif known:
        yield _hit("wrong_salutation", recipient.address, 0.55, "the greeting is not the recipient's name")


# "Lynne, between us …": no greeting, and yet somebody is spoken to.
_SPOKEN_TO = re.compile(r"\A\s*([^\W\d_a-z][^\W\d_]{1,20})[,:–-]\s")


def _greeted(message: Message) -> tuple[str, ...]:
    """The words of the name in the greeting, or with which the text begins."""
    greeting = _GREETING.search(message.own_words())
    if greeting is not None:
        return words(greeting.group(1))
    body = next((part for part in message.parts if part.kind == "body"), None)
    spoken = _SPOKEN_TO.match(body.text) if body is not None and body.owner_at(0) == "sender" else None
    if spoken is None:
        return ()
    named = words(spoken.group(1))
    return named if _colleague_by_first_name(list(named), message.directory) else ()


def _person_name(address: str, directory: Directory) -> str:
    known = directory.person(address) or directory.contact(address)
    return known.name if known else ""


def _somebody_else(greeted: list[str], address: str, directory: Directory) -> bool:
    """The greeted surname is that of another family on record, or the whole name that of a member of staff.

    A first name alone is anybody's.
    """
    if families(directory).get(greeted[-1], frozenset()) - {address}:
        return True
    return len(greeted) > 1 and any(
        set(greeted) <= set(words(person.name)) for person in directory.people.people if person.role == "staff"
    )


_INSIDE = re.compile(
    r"\b(?:in-?house|(?:in|to) (?:my|your|our) (?:room|office|classroom)|staff ?-?room|our (?:briefing|team meeting)|"
    r"after briefing|your appraisal|"
    r"your pay(?:slip| point| scale)?|line management|see you (?:at|in) (?:briefing|the staff))\b",
    re.IGNORECASE,
)
_COUNTERS = frozenset(
    "sales orders shop quotes accounts bookings marketing info enquiries hello reception support".split()
)


def _colleague_by_first_name(greeted: list[str], directory: Directory) -> bool:
    return len(greeted) == 1 and any(
        words(person.name)[:1] == (greeted[0],) for person in directory.people.people if person.role == "staff"
    )


def _tells(message: Message) -> bool:
    """Something sensitive or confidential about people in the sender's words or files."""
    return any(hit.label in _TELLING and hit.owner == "sender" and hit.confidence >= 0.5 for hit in message.hits)


def _wrong_family(message: Message, outside: list[Recipient]) -> Iterable[Hit]:
    """Pupils named in the mail, none of them the recipient's: the recipient is the parent of another child. Where their own is
    named too, another's is still a matter if something sensitive stands beside the name.
    """
    directory = message.directory
    contacts = [(item, contact) for item in outside if (contact := directory.contact(item.address)) is not None]
    if not contacts:
        return
    pupils = pupils_of(directory)
    named_hits = [
        hit for hit in message.hits
        if hit.label == "person" and hit.owner == "sender" and fold(hit.value) in pupils
    ]  # fmt: skip
    named = {fold(hit.value) for hit in named_hits}
    said = message.own_words()[:20_000]
    yield from _families_together(message, contacts, set(words(said)))
    spoken = set(words(said))
    first_named = {fold(match.group()) for match in _CAPITALISED.finditer(said)} & pupils_first_names(directory)
    for recipient, contact in contacts:
        own = {fold(pupil.name) for pupil in contact.pupils}
        first = {words(name)[0] for name in own if words(name)}
        surnames = {words(name)[-1] for name in own if words(name)} | set(words(contact.name)[-1:])
        strangers = {name for name in named - own if words(name) and words(name)[-1] not in surnames}
        if strangers and not named & own and not first & spoken:
            yield _hit(
                "wrong_family",
                recipient.address,
                0.85,
                "it names a pupil of another family and none of the recipient's",
            )
        elif strangers and _sensitive_beside(message, [hit for hit in named_hits if fold(hit.value) in strangers]):
            yield _hit(
                "wrong_family", recipient.address, 0.8, "it tells something sensitive about another family's child"
            )
        elif not first & spoken and first_named and not strangers and _about_a_child(said):
            others = {name for name in first_named if not any(same_first_name(name, mine) for mine in first)}
            if others and others == first_named and not others & set(words(contact.name)):
                yield _hit(
                    "wrong_family",
                    recipient.address,
                    0.78,
                    "it is about a child whose first name is none of the recipient's",
                )


def _families_together(message: Message, contacts: list[tuple[Recipient, Contact]], spoken: set[str]) -> Iterable[Hit]:
    """Two families in one mail, each told something sensitive about the other's child."""
    families: dict[frozenset[str], frozenset[str]] = {}
    for _, contact in contacts:
        children = frozenset(fold(pupil.name) for pupil in contact.pupils)
        families[children] = frozenset(words(name)[0] for name in children if words(name))
    apart = [children for children in families if not any(children & other for other in families if other != children)]
    told = [children for children in apart if families[children] & spoken]
    if len(told) > 1 and _tells(message):
        yield _hit("wrong_family", "", 0.8, "families are told something sensitive about one another's children")


_CHILD_MATTER = re.compile(
    r"\b(?:report|progress|homework|attendance|detention|exclu\w+|behaviour|mock|results?|grades?|therap\w+|psychologist|reading|"
    r"phonics|maths|he|she|his|her|they|their|(?:parents?|mother|father|mum|dad|carers?|family) of [A-Z]|lesson|class|"
    r"school day|inhaler|assessment|meeting)\b",
    re.IGNORECASE,
)


def _about_a_child(said: str) -> bool:
    return _CHILD_MATTER.search(said) is not None


def _sensitive_beside(message: Message, names: list[Hit]) -> bool:
    return any(
        hit.label in _TELLING and hit.confidence >= 0.5 and hit.owner == "sender" and hit.part == name.part
        and (hit.start - name.end <= _NEAR and name.start - hit.end <= _NEAR)
        for name in names
        for hit in message.hits
    )  # fmt: skip


def _namesake_outside(message: Message, outside: list[Recipient]) -> Iterable[Hit]:
    """Autocomplete took somebody else: a colleague's full name at another organisation, or a parent's surname and greeting at an
    address that the records do not have, where the mail tells something about people.
    """
    directory = message.directory
    to = [item for item in outside if item.kind == "to" and directory.contact(item.address) is None]
    if len(to) != 1 or not _tells(message) or is_private_provider(to[0].domain):
        return
    recipient = to[0]
    local = words(recipient.address.rpartition("@")[0])
    shown = words(recipient.name) or local
    mailbox = recipient.address.rpartition("@")[0]
    if any(
        (len(shown) > 1 and set(words(person.name)) == set(shown))
        or (
            len(mailbox) > 5
            and mailbox == person.email.lower().rpartition("@")[0]
            and words(person.name)[-1] in mailbox
        )
        for person in directory.people.people
        if person.role == "staff" and words(person.name)
    ):
        yield _hit("wrong_salutation", recipient.address, 0.8, "a namesake of a colleague at another organisation")
        return
    greeting = _GREETING.search(message.own_words())
    greeted = words(greeting.group(1)) if greeting else ()
    for contact in directory.people.contacts:
        name = words(contact.name)
        if len(name) < 2 or name[-1] not in local or not greeted:
            continue
        initials = {word[0] for word in local if word != name[-1]}
        if name[0] == greeted[0] and initials and name[0][0] not in initials:
            yield _hit("wrong_salutation", recipient.address, 0.8, "a parent is greeted at a namesake's address")
            return


def _namesake_inside(message: Message) -> Iterable[Hit]:
    """The greeting is one colleague's full name, the only recipient another one of the same first name."""
    recipients = [item for item in message.envelope.recipients if item.kind == "to"]
    if len(recipients) != 1 or len(message.envelope.recipients) != 1:
        return
    directory = message.directory
    reached = directory.person(recipients[0].address)
    greeting = _GREETING.search(message.own_words())
    if greeting is None:
        return
    greeted = tuple(word for word in words(greeting.group(1)) if len(word) > 1)
    if directory.stands_for(recipients[0]) and _colleague_by_first_name(list(greeted), directory):
        yield _hit("wrong_salutation", recipients[0].address, 0.8, "it greets one colleague and went to a whole group")
        return
    if reached is None or reached.role not in ("staff", "pupil"):
        return
    own = words(reached.name)
    if _another_is_greeted(greeted, reached, directory) and (reached.role == "pupil" or _tells(message)):
        reader = "a pupil" if reached.role == "pupil" else "another member of staff"
        yield _hit("wrong_salutation", reached.email, 0.8, f"it greets a member of staff and went to {reader}")
        return
    if len(greeted) < 2 or not own or greeted[-1] == own[-1] or not same_first_name(greeted[0], own[0]):
        return
    for person in directory.people.people:
        name = words(person.name)
        if person.role == "staff" and name[-1:] == greeted[-1:] and name[:1] == greeted[:1]:
            yield _hit(
                "wrong_salutation", reached.email, 0.85, "it greets a colleague and went to one of the same first name"
            )
            return


def _another_is_greeted(greeted: tuple[str, ...], reached: Person, directory: Directory) -> bool:
    """By a first name or in full, a member of staff is greeted whose name has nothing in common with the reader's."""
    if not greeted or any(word in _NOBODY for word in greeted):
        return False
    own = words(reached.name)
    if any(same_first_name(word, name) for word in greeted for name in own):
        return False
    return any(
        person.role == "staff"
        and (words(person.name)[:1] == greeted[:1] or (len(greeted) == 1 and words(person.name)[-1:] == greeted))
        and set(greeted) <= set(words(person.name))
        for person in directory.people.people
    )


_GROUP = re.compile(
    r"^[ \t]*(?:dear|hi|hello|hey)[ \t]+(?:all )?(?:governors|trustees|colleagues|slt|team|staff|leadership team|panel)\b",
    re.IGNORECASE | re.MULTILINE,
)
_REMARK = re.compile(
    r"\bbetween (?:us|you and me|ourselves)\b|\bthis (?:mother|father|mum|dad|parent|family|woman|man|lady|bloke|child|kid)\b"
    r"|\b(?:she|he|they)(?:['’]s| is| are)? (?:a |an |such a |absolutely |completely )?(?:nightmare|pain|liar|bully|nutter|mad|"
    r"impossible|difficult|deluded)\b",
    re.IGNORECASE,
)


def _odd_one(message: Message, outside: list[Recipient]) -> Iterable[Hit]:
    """A parent among the governors or colleagues that the greeting speaks to, or among the readers of a remark about them."""
    directory = message.directory
    parents = [item for item in outside if directory.contact(item.address) is not None]
    inner = [item for item in message.envelope.recipients if directory.person(item.address) is not None]
    if not parents or not inner:
        return
    said = message.own_words()[:20_000]
    if _GROUP.search(said) and _tells(message):
        yield _hit("wrong_salutation", parents[0].address, 0.8, "a parent among those who are greeted as a group")
    elif _REMARK.search(said):
        greeted = set(words(said.strip()[:60]))
        if any(set(words(person.name)) & greeted for item in inner if (person := directory.person(item.address))):
            yield _hit(
                "wrong_salutation", parents[0].address, 0.78, "a remark to a colleague about somebody who can read it"
            )


_SENT_IN_ERROR = re.compile(
    r"\b(?:e-?mail|message|attachment|file|letter|report|spreadsheet|this|that|it|one)\b[^.!?\n]{0,60}?"
    r"\b(?:was|were) (?:meant|intended) for (?:another|somebody else|someone else|a different|the other|other|a colleague)"
    r"|\b(?:that|this|it|which|the (?:last|previous|earlier) (?:e-?mail|message))\b[^.!?\n]{0,30}?"
    r"\b(?:was|were) not (?:meant |intended )?for you\b"
    r"|\b(?:sent|e-?mailed|forwarded|attached|copied|shared)\b[^.!?\n]{0,40}\b(?:to you|you)\b[^.!?\n]{0,20}"
    r"\b(?:by mistake|in error|by accident|accidentally)\b"
    r"|\b(?:attached|sent|enclosed|included|forwarded)\b[^.!?\n]{0,25}\bthe wrong (?:\w+ ){0,2}?(?:['’]s |pupil|child|student|family|"
    r"person|attachment|file|report|letter|results|parent)"
    r"|\b(?:please|kindly) (?:delete|destroy|ignore|disregard)\b[^.!?\n]{0,60}\b(?:without (?:reading|opening)|not for you|wrong (?:person|"
    r"recipient|attachment|family|parent|address))"
    r"|\bwrong (?:recipient|e-?mail address|sarah|parent|person)\b[^.!?\n]{0,40}\b(?:delete|ignore|sorry)\b",
    re.IGNORECASE,
)
# That it belongs to somebody else, and the wish that it be undone: each is harmless alone.
_ASKS_TO_DELETE = re.compile(
    r"\b(?:delete|bin|destroy|erase|shred|get rid of|not (?:to )?open|don['’]?t (?:open|read|look)|disregard|ignore|return|send back|"
    r"throw away)\b[^.!?\n]{0,25}\b(?:(?:e-?)?mail|message|attachment|file|it|that|them|this|copy|letter|list|one|sheet|report)\b",
    re.IGNORECASE,
)
_SORRY = re.compile(
    r"\b(?:was|were|is|are)(?:n['’]?t| not) (?:yours|for you|meant for you|intended for you|about your|"
    r"your (?:child|son|daughter)['’]?s?)\b"
    r"|\b(?:should(?:n['’]?t| not)|ought not to|was never meant to|were never meant to) (?:have )?(?:come|gone|go|reach(?:ed)?|been sent|"
    r"been attached|been in|land(?:ed)?)\b"
    r"|\b(?:belong(?:s|ed)?|meant|intended|was|were|for|about) (?:to |for |with )?(?:an?|the)? ?(?:different|another|other) "
    r"(?:household|family|child|pupil|student|parent|person|class|recipient|school|carer|mother|father)\b"
    r"|\b(?:somebody|someone) else['’]s\b|\bnot (?:yours|for you|meant for you)\b|\banother (?:family|child|pupil|parent|person|"
    r"student|member of staff)(?:['’]s)?\b|\bwrong (?:address|person|parent|family|recipient|\w+['’]s)\b",
    re.IGNORECASE,
)
# One of these stands in whatever the expressions find: most mail has none, and a look for a word costs next to nothing.
_ERROR_WORDS = (
    "wrong", "mistake", "in error", "accident", "meant for", "intended for", "not for you", "without reading", "without opening",
)  # fmt: skip
_DELETE_WORDS = (
    "delete", "bin", "destroy", "erase", "shred", "get rid of", "open", "t read", "t look", "disregard", "ignore", "return",
    "send back", "throw away",
)  # fmt: skip
_RECALLS = re.compile(r"\A[ \t]*(?:recall|message recall)[ \t]*:|\bwould like to recall the message\b", re.IGNORECASE)


def _sent_in_error(message: Message) -> Iterable[Hit]:
    """The sender says that an earlier mail went to the wrong person, or that it held the wrong file; or calls it back."""
    said = message.own_words()[:20_000]
    lowered = said.lower()
    in_error = any(word in lowered for word in _ERROR_WORDS) and _SENT_IN_ERROR.search(said)
    to_delete = any(word in lowered for word in _DELETE_WORDS)
    if in_error or (to_delete and _ASKS_TO_DELETE.search(said) and _SORRY.search(said)):
        yield _hit("sent_in_error", "", 0.85, "the sender says that something went to the wrong person")
    elif _RECALLS.search(message.envelope.subject) or _RECALLS.search(said[:500]):
        yield _hit("sent_in_error", "", 0.8, "a message is called back from somebody outside")


# What somebody says of a mail that came to them in error, and what says that it goes where it should have gone.
_REACHED_ME = re.compile(
    r"\b(?:came|come|sent|got|landed|reached|arrived|received|ended up|copied)\b"
    r"[^.!?\n]{0,40}\b(?:by mistake|in error|by accident|accidentally)\b"
    r"|\b(?:not|never|wasn['’]?t|weren['’]?t|isn['’]?t|clearly not|obviously not) (?:really )?(?:meant|intended) for (?:me|us|my eyes)\b"
    r"|\bI (?:should(?:n['’]?t| not)|was(?:n['’]?t| not) (?:meant|supposed) to) (?:have )?"
    r"(?:be |been |got|had|get|receive|received|see|seen)\b[^.!?\n]{0,20}\bthis\b"
    r"|\b(?:by mistake|in error|by accident|accidentally) (?:sent|copied|emailed|forwarded) (?:me|us|to me|to us)\b",
    re.IGNORECASE,
)
_TO_WHOM_IT_BELONGS = re.compile(
    r"\b(?:for|to|meant for|intended for|with) (?:you|yourself|the right person|the intended recipient|your team|your department)\b"
    r"|\b(?:yours|your one|one of yours|belongs to you|right person|whoever it (?:is|was) (?:for|meant for))\b"
    r"|\b(?:have|I['’]?ve|has been) (?:since )?(?:deleted|told|informed|let|reported)\b|\breport(?:ing)? (?:it|this)\b",
    re.IGNORECASE,
)
_FORWARD_SUBJECT = re.compile(r"\s*(?:fwd?|fw|wg|tr)\s*:", re.IGNORECASE)


def _passed_on(message: Message) -> Iterable[Hit]:
    """A mail that reached the sender in error is forwarded, and not to the person it was for."""
    forwarded = [
        part.text[segment.start : min(segment.end, segment.start + 10_000)]
        for part in message.parts
        if part.kind == "body"
        for segment in part.segments
        if segment.owner == "forwarded"
    ]
    if not forwarded and not _FORWARD_SUBJECT.match(message.envelope.subject):
        return
    said = message.own_words()[:20_000]
    if _TO_WHOM_IT_BELONGS.search(said):
        return
    if _REACHED_ME.search(said):
        yield _hit("misdirected_disclosed", "", 0.82, "the sender says that it came in error, and passes it on")
    elif any(_SENT_IN_ERROR.search(text) and not re.search(r"\bif you\b", text, re.IGNORECASE) for text in forwarded):
        yield _hit("misdirected_disclosed", "", 0.78, "what is passed on says that it went to the wrong person")


def lookalike(domain: str, wanted: Iterable[str]) -> str:
    """Why a domain looks like one of `wanted` and is none of them; empty where it does not."""
    known_ones = {known.lower() for known in wanted}
    if domain in known_ones:
        return ""
    if any(len(known) >= 6 and _one_slip(domain, known) for known in known_ones):
        return "one keystroke away from a domain of ours or a trusted one"
    if any(len(known) >= 6 and _squeezed(domain) == _squeezed(known) for known in known_ones):
        return "a domain of ours or a trusted one with dots and hyphens in other places"
    if any(_same_host_mistyped(domain, known) for known in known_ones):
        return "the name of our host mistyped"
    return ""


def _lookalikes(outside: list[Recipient], directory: Directory) -> Iterable[Hit]:
    wanted = {domain.lower() for domain in (*directory.people.domains, *directory.people.trusted_domains)}
    for recipient in outside:
        domain = recipient.domain.lower()
        reason = lookalike(domain, wanted)
        if not reason and (
            any(_same_host_mistyped(domain, known) for known in wanted) or _our_mailbox_elsewhere(recipient, directory)
        ):
            reason = "the name of our host mistyped"
        if not reason and not is_private_provider(domain) and any(_one_slip(domain, known) for known in _MUCH_USED):
            reason = "one keystroke away from a provider that everybody uses"
        if reason:
            yield _hit("lookalike_domain", recipient.address, 0.9, reason)


def _our_mailbox_elsewhere(recipient: Recipient, directory: Directory) -> bool:
    """c.stagg@elt-trust.example for c.stagg@elt.example: a mailbox of ours below a longer form of our domain's name."""
    local, _, domain = recipient.address.lower().rpartition("@")
    label = domain.partition(".")[0]
    for person in directory.people.people:
        ours, _, home = person.email.lower().rpartition("@")
        name = home.partition(".")[0]
        if (
            ours == local
            and len(local) > 4
            and len(name) > 2
            and label != name
            # a short name begins many others (elt, eltham), so that what follows must stand apart
            and re.match(rf"{re.escape(name)}[-_]{'?' if len(name) >= 5 else ''}[a-z]", label)
        ):
            return True
    return False


# The providers that most people mean when they mistype one; real neighbours such as mail.com and ymail.com are providers too.
_MUCH_USED = ("gmail.com", "googlemail.com", "hotmail.com", "hotmail.co.uk", "outlook.com", "yahoo.com", "yahoo.co.uk",
              "icloud.com", "btinternet.com", "live.co.uk", "virginmedia.com")  # fmt: skip


def _squeezed(domain: str) -> str:
    return domain.replace(".", "").replace("-", "")


def _same_host_mistyped(domain: str, known: str) -> bool:
    """stokley.trust-schools.example for stokely.trust.example: first label one slip off, and the next ones begin alike."""
    one, other = domain.split("."), known.split(".")
    if len(one) < 3 or len(other) < 3 or len(other[0]) < 6:
        return False
    if not one[1].startswith(other[1][:3]):
        return False
    return _one_slip(one[0], other[0]) or (one[0] == other[0] and one[1:] != other[1:])


def _one_slip(one: str, other: str) -> bool:
    """Exactly one letter added, left out, changed, or two neighbours swapped (Damerau-Levenshtein distance 1)."""
    if one == other or abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    a, b = one[start:], other[start:]
    if len(a) == len(b):
        return a[1:] == b[1:] or (len(a) > 1 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:])
    return a[1:] == b or a == b[1:]


def _visible_families(outside: list[Recipient], directory: Directory) -> Iterable[Hit]:
    """Private addresses in To and Cc, counted in families: two parents of one child are one."""
    families: set[str] = set()
    for recipient in outside:
        if recipient.kind == "bcc":
            continue
        contact = directory.contact(recipient.address)
        if contact is not None and contact.pupils:
            families.add(fold(contact.pupils[0].name))
        elif is_private_provider(recipient.domain):
            families.add(recipient.address)
    if len(families) >= FAMILIES_VISIBLE:
        yield _hit("visible_families", "", 0.9, f"{len(families)} families can see one another's addresses")


def _hit(label: str, address: str, confidence: float, reason: str) -> Hit:
    return Hit(label, 0, 0, address, confidence, (reason,), part="headers")
