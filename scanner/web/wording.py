"""Plain words for the fixed names of the contract: what a tired reader sees instead of `weak_protection`.

Every topic, problem kind, severity, state and role of the contract has an entry here; a test compares the lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from scanner.labels import LABELS as EXPLAINED

LONDON = ZoneInfo("Europe/London")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic in the reader's words. `data`: it concerns data protection, so a DPO sees it wherever it was routed."""

    title: str
    meaning: str
    data: bool = False


@dataclass(frozen=True, slots=True)
class ProblemWords:
    title: str
    meaning: str
    what_to_do: str


TOPICS: Mapping[str, Topic] = {
    "personal_data": Topic(
        "Personal data sent outside",
        "Information about an identifiable living person went to somebody outside the organisation, without "
        "protection that works. The ordinary contact details of the sender and the recipients do not count.",
        data=True,
    ),
    "weak_protection": Topic(
        "Protection that does not protect",
        "A file looks locked but is not: for example a PDF that opens without a password, or a zip file with an old, "
        "breakable lock.",
        data=True,
    ),
    "password_exposed": Topic(
        "Password sent with the locked file",
        "The password of a locked file travelled with it, or went to the same person in another e-mail. What lay behind the "
        "lock then counts as readable, and is shown with the e-mail that carried the file.",
        data=True,
    ),
    "credentials_in_mail": Topic(
        "Log-in details in a message",
        "A password or another secret that opens a system was written in a message.",
        data=True,
    ),
    "personal_address": Topic(
        "Work sent to a private address",
        "Work content went to the sender's own private address, or to that of another member of staff.",
        data=True,
    ),
    "personal_account_use": Topic(
        "Work business from a private address",
        "A member of staff used a private address for work business.",
        data=True,
    ),
    "auto_forward": Topic(
        "Automatic forwarding outside",
        "A mailbox rule or setting sends mail outside the organisation without anybody pressing a button.",
        data=True,
    ),
    "sharing_personal_contact": Topic(
        "Private contact details given to a pupil or parent",
        "A member of staff gave a private address, telephone number or social account to a pupil or parent.",
    ),
    "staff_pupil_contact": Topic(
        "Staff and pupil outside official systems",
        "A member of staff and a pupil wrote to each other outside the official systems.",
    ),
    "misdirected_mail": Topic(
        "May have reached the wrong person",
        "Something suggests a wrong recipient: another name in the greeting, a look-alike address, the family of "
        "another pupil, or a list of parents that everybody could see.",
        data=True,
    ),
    "chain_mail": Topic(
        "Chain mail",
        "The sender started or passed on a chain letter, a hoax or a pass-it-on message. Receiving one does not count.",
    ),
    "junk_bulk_mail": Topic(
        "Unsolicited bulk mail",
        "A blanket or mass message that nobody asked for, such as a round-robin of jokes.",
    ),
    "inappropriate_language": Topic(
        "Inappropriate language",
        "Obscene, vulgar or abusive words of the sender's own. Quoted words of others do not count.",
    ),
    "sexual_content": Topic("Sexual content", "Sexually explicit or suggestive words of the sender's own."),
    "threats": Topic(
        "Threats", "Words that threaten or intimidate, or that teach, offer or praise a crime that may harm somebody."
    ),
    "harassment_discrimination": Topic(
        "Harassment or discrimination",
        "Bullying, harassment, or derogatory words about a protected characteristic.",
    ),
    "defamation_disrepute": Topic(
        "Disparaging statements",
        "Words that disparage the organisation or make damaging statements about a person.",
    ),
    "confidential_info": Topic(
        "Confidential business sent outside",
        "Business that is marked or plainly confidential went outside without protection.",
        data=True,
    ),
    "safeguarding_concern": Topic(
        "Safeguarding concern",
        "Something written points at a child at risk. This is a hand-over to the safeguarding lead, not an accusation "
        "against anybody.",
    ),
    "gambling": Topic("Gambling", "The message is about gambling or a betting syndicate."),
    "auctions": Topic(
        "Private sale or auction",
        "The message is about the sender's own buying or selling, at an online auction or from hand to hand.",
    ),
    "private_business": Topic("Private business", "Work mail was used to run a private business."),
    "copyright_media": Topic("Copyright material", "Music or film that seems to be passed on unlicensed."),
    "malware_executables": Topic(
        "Dangerous attachment", "A program, or a shortcut that can start one, was sent or stored."
    ),
    "phishing": Topic("Phishing", "A suspicious message, after log-in details or money, was passed on or answered."),
    "impersonation": Topic(
        "Impersonation",
        "Somebody or something passes for what it is not: another's name, a way into another's account, papers made up for money.",
    ),
    "subject_line": Topic("Subject line", "The subject line is missing, or names a child in full."),
    "disclaimer": Topic("Disclaimer", "The disclaimer that the policy asks for is not in mail that left."),
    "out_of_hours": Topic("Out of hours", "An answer was demanded at a time when the policy lets nobody expect one."),
    "contract_commitment": Topic(
        "Contract commitment", "The message may bind the organisation to a contract without authority."
    ),
    "personal_use": Topic("Personal use", "Work mail was used for private matters beyond what the policy allows."),
    "personal_cloud": Topic(
        "Private cloud storage",
        "Work files, by the message's own words, went to a private cloud storage service.",
        data=True,
    ),
    "ai_service": Topic(
        "AI service", "A message links to an AI service, or speaks of putting work into one.", data=True
    ),
}
DATA_TOPICS = frozenset(name for name, topic in TOPICS.items() if topic.data)

SEVERITIES: Mapping[str, tuple[str, str]] = {
    "severe": ("Severe", "Look at it today. Several people, or very sensitive data, or a person at risk."),
    "moderate": ("Moderate", "Look at it this week. A real breach with limited reach."),
    "minor": ("Minor", "Look when there is time. A slip, or a habit worth a word."),
}

STATES: Mapping[str, tuple[str, str]] = {
    "new": ("New", "Nobody has looked at it yet."),
    "open": ("Open", "Somebody is looking at it, or it was reopened."),
    "confirmed": ("Confirmed", "A person decided that it is a breach."),
    "false_alarm": ("False alarm", "A person decided that it is not a breach."),
    "excused": ("Excused", "An exception that came later excuses it; nothing more to do."),
    "closed": ("Closed", "Done; nothing more to do."),
}

PROBLEMS: Mapping[str, ProblemWords] = {
    "encrypted": ProblemWords(
        "Locked",
        "The content is encrypted, or lies with a secure-mail service, so it was not read. Where the kind of lock allows it, words of "
        "the message and of others sent to the same person about then were tried as passwords, and so were common ones. "
        "To lock it may be exactly right. It is never counted as clean.",
        "Nothing, where something locked is expected for this recipient. Otherwise ask the sender what it was.",
    ),
    "corrupt": ProblemWords(
        "Damaged",
        "The file or message is broken, or not what it claims to be.",
        "Ask the sender for a good copy if the content matters.",
    ),
    "too_large": ProblemWords(
        "Too large",
        "It is larger than the limit set for scanning.",
        "Look at it by hand, or raise the limit in the settings.",
    ),
    "too_deep": ProblemWords(
        "Packed too deep",
        "Archives or messages inside one another, more levels than the limit allows.",
        "Look at it by hand: deep packing is unusual and sometimes meant to hide something.",
    ),
    "too_many_parts": ProblemWords(
        "Too many parts",
        "It holds more files than the limit allows; those beyond the limit were not read.",
        "Look at it by hand, or raise the limit in the settings.",
    ),
    "timed_out": ProblemWords(
        "Took too long",
        "Reading it was stopped after the time allowed for one message.",
        "Look at it by hand if it matters; it is not tried again by itself.",
    ),
    "budget": ProblemWords(
        "Only partly searched",
        "There was more than the time allowed for it: so long a text that the search for people's names, a word list or the "
        "model that reads whole sentences left some of it out, or so many pictures that the rest of them was not read. The other checks "
        "read all the text there is.",
        "Look at it by hand if the message matters, or raise the limit in the settings.",
    ),
    "unsupported": ProblemWords(
        "File type not read",
        "Mailwarden cannot read this type of file yet, for example a recording, a film or a drawing.",
        "Look at it by hand if the message matters.",
    ),
    "crashed": ProblemWords(
        "Reading failed",
        "The reader stopped on this part, so it was set aside. The rest of the message was read.",
        "Tell whoever runs Mailwarden: this should be mended.",
    ),
    "unavailable": ProblemWords(
        "Could not be fetched",
        "Microsoft 365 did not hand over the message or the attachment, or the attachment is only a link to a file in a drive.",
        "Look at it by hand if it matters. Where there are many, the administrator should check the permissions.",
    ),
    "skipped": ProblemWords(
        "Left out on purpose",
        "Logos, tracking pixels, pictures where reading them is switched off, mail of protected people and folders, mail from before the "
        "look-back, or mail that the policy or an authorisation leaves unjudged.",
        "Nothing.",
    ),
}

DIRECTIONS: Mapping[str, str] = {
    "outbound": "sent from us to at least one person outside",
    "internal": "sent and received inside the organisation",
    "inbound": "came from outside",
    "stored": "a stored document",
}

# In the middle of a sentence; `capital` makes the start of one.
ROUTE_ROLES: Mapping[str, str] = {
    "dpo": "the data protection officer",
    "deputy_dpo": "the deputy data protection officer",
    "it_security": "IT security",
    "hr": "human resources",
    "chair_of_governors": "the chair of governors",
    "headteacher": "the headteacher",
    "dsl": "the designated safeguarding lead",
    "line_manager": "the line manager",
    "governors": "the governors",
    "sender": "the sender",
}

ACTIONS: Mapping[str, str] = {
    "confirm": "confirmed it as a breach",
    "false_alarm": "marked it a false alarm",
    "note": "added a note",
    "reopen": "reopened it",
    "close": "closed it",
    "excuse": "excused it by an exception",
    "reveal": "read the message",
    "open": "opened it",
}

# In the middle of a sentence, as above.
LABELS: Mapping[str, str] = {label: words.title for label, words in EXPLAINED.items()}

SEGMENT_OWNERS: Mapping[str, str] = {
    "sender": "the sender's own words",
    "quoted": "quoted from an earlier message",
    "forwarded": "forwarded from somebody else",
    "signature": "signature",
    "disclaimer": "disclaimer",
    "banner": "added by the mail system",
}


def topic_title(topic: str) -> str:
    words = TOPICS.get(topic)
    return words.title if words else capital(spaced(topic))


def route_role(role: str) -> str:
    return ROUTE_ROLES.get(role, spaced(role))


def reason_words(reason: str, labels: Mapping[str, str]) -> str:
    """A reason of the verdict with its label in words: `nhs (12 times): …` → `NHS number (12 times): …`."""
    head, _, _ = reason.partition(":")
    name = head.partition(" (")[0]
    words = labels.get(name.replace(" ", "_")) if ":" in reason or head != name else None
    return capital(words + reason[len(name) :] if words else reason)


_WISH = re.compile(r"no ([a-z_]+(?: or [a-z_]+)*) of confidence ([0-9.]+) or more")


def wish_words(wish: str, labels: Mapping[str, str]) -> str:
    """What a rule missed, with labels in words: `no nhs of confidence 0.75 or more` → `No NHS number seen with …`."""

    def words(match: re.Match[str]) -> str:
        named = " or ".join(labels.get(label) or spaced(label) for label in match[1].split(" or "))
        return f"no {named} seen with a certainty of {float(match[2]):.0%} or more"

    return capital(_WISH.sub(words, wish))


def spaced(name: str) -> str:
    """`some_new_label` → `some new label`: for names this version has no better words for."""
    return name.replace("_", " ").strip()


def capital(words: str) -> str:
    """The first letter large, the others as they are."""
    return words[:1].upper() + words[1:]


def part_words(path: str) -> str:
    """A part path of contract section 2 in words: `attachment/2/list.xlsx/Sheet1` → `Attachment 2: list.xlsx › Sheet1`."""
    kind, _, rest = path.partition("/")
    if kind == "attachment":
        number, _, name = rest.partition("/")
        return f"Attachment {number}: {name.replace('/', ' › ')}" if name else f"Attachment {number}"
    known = {"subject": "Subject line", "body": "Message text", "document": "Document", "headers": "Message headers"}
    return known.get(kind, capital(spaced(kind))) + (f" › {rest.replace('/', ' › ')}" if rest else "")


SPREAD_ACTS: Mapping[str, str] = {
    "started": "sent it first",
    "passed": "passed it on",
    "replied": "replied with it",
    "received": "sent it in from outside",
}


def london(moment: datetime | None) -> str:
    """`3 September 2026, 14:05` in UK time; a moment without a zone is UTC, as the store keeps it."""
    if moment is None:
        return "date not known"
    local = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(LONDON)
    return f"{local.day} {local:%B %Y, %H:%M}"


def london_day(moment: datetime | None) -> str:
    """`3 Sep 2026` in UK time."""
    if moment is None:
        return "not known"
    local = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(LONDON)
    return f"{local.day} {local:%b %Y}"


def certainty(confidence: float) -> str:
    """The three bands of contract section 3."""
    if confidence >= 0.75:
        return "high"
    return "medium" if confidence >= 0.5 else "low"


def count_of(number: int, one: str, many: str) -> str:
    """`1 case`, `2 cases`, `1,204 cases`."""
    return f"{number:,} {one if number == 1 else many}"
