"""A member of staff gives a private number, address or social account: the detail together with words that make it theirs."""

from __future__ import annotations

import re
from collections.abc import Iterable

from detectors.base import MessageDetector
from detectors.names import is_private_provider
from scanner.model import Hit
from scanner.ports import Message

_NEAR = 120
# "my own mobile", "ring me at home", "add me on Instagram": the words that make a detail the writer's private one.
_MINE = re.compile(
    r"\b(?:my (?:own |personal |private |home |new )?(?:mobile|number|phone|cell|landline|home number|whats ?app|e-?mail|gmail|hotmail|"
    r"insta(?:gram)?|snap(?:chat)?|facebook|tik ?tok|discord|address)"
    r"|(?:text|ring|call|phone|message|whats ?app|dm|e-?mail|reach|write to|get|catch|add|follow|find|snap) (?:me|us) (?:on|at|by|via)"
    r"|i am|i'm|mine is|at home)\b|\bhome (?=\(?0)",
    re.IGNORECASE,
)
_SERVICE = r"(?:whats ?app|insta(?:gram)?|snap(?:chat)?|facebook|tik ?tok|discord|telegram|signal|messenger)"
_HANDLE = r"(?<![\w.@])@[\w.]{3,30}"
_ACCOUNT = re.compile(
    rf"\b{_SERVICE}\b[^\n]{{0,60}}?{_HANDLE}"
    rf"|{_HANDLE}[^\n]{{0,40}}?\b{_SERVICE}\b"
    rf"|\b(?:join|add you to|set up|made|started|our|my)\b[^\n.]{{0,30}}\b(?:private )?{_SERVICE}[^\n.]{{0,15}}\bgroup\b",
    re.IGNORECASE,
)
# The school's own, or somebody else's: these take the meaning away.
_NOT_MINE = re.compile(
    r"\b(?:school|trip|office|work|department|reception|trust|academy|club|duty)(?:'s)? (?:trip )?"
    r"(?:mobile|phone|number|line|e-?mail|landline)"
    r"|\b(?:your|his|her|their) (?:own |new |home )?(?:mobile|number|phone|e-?mail|contact)",
    re.IGNORECASE,
)


def _to_pupil_or_parent(message: Message) -> bool:
    """Only pupils, parents and carers matter here: between adults a private number is nobody's business."""
    for item in message.envelope.recipients:
        person = message.directory.person(item.address)
        if (person is not None and person.role == "pupil") or message.directory.contact(item.address) is not None:
            return True
    return False


class PrivateContact(MessageDetector):
    """A private number, address or account of the sender's own is given in the sender's own words."""

    labels = ("private_contact",)

    def detect(self, message: Message) -> Iterable[Hit]:
        if not _to_pupil_or_parent(message):
            return
        for part in message.parts:
            if part.kind != "body":
                continue
            for hit in message.hits:
                if hit.part != part.path or hit.owner != "sender":
                    continue
                if hit.label == "phone" or (hit.label == "email" and is_private_provider(hit.value.rpartition("@")[2])):
                    around = part.text[max(0, hit.start - _NEAR) : hit.start + 40]
                    line = part.text[part.text.rfind("\n", 0, hit.start) + 1 : hit.end]
                    if _MINE.search(around) and not _NOT_MINE.search(line):
                        reason = f"a {'number' if hit.label == 'phone' else 'private address'} given as one's own"
                        yield Hit("private_contact", hit.start, hit.end, hit.value, 0.85, (reason,), part=part.path)
            for match in _ACCOUNT.finditer(part.text):
                if part.owner_at(match.start()) == "sender" and not _NOT_MINE.search(match.group()):
                    why = ("a social account or private group",)
                    yield Hit("private_contact", match.start(), match.end(), match.group(), 0.8, why, part=part.path)
