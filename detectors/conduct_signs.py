"""Signs of the smaller breaches, from word lists: lures for log-ins and payments, commitments by mail, demands for an answer at
night, private errands, gossip, AI services and private clouds, forwarding that runs by itself, copied works; a scolding tone, crimes,
work under another's log-in, people recorded.

What the user sees: the kind of sign. What it means depends on whose words they are, when they were sent and on the policy.
Words: `rules/lists/conduct_signs.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from detectors.base import MessageDetector
from detectors.wording import LISTS, SignsDetector, WordList, read_list
from scanner.model import Hit
from scanner.ports import Message

LABELS = (
    "phishing_lure",
    "login_lure",
    "commitment",
    "reply_demand",
    "private_errand",
    "gossip",
    "ai_link",
    "cloud_link",
    "school_records",
    "ai_fed",
    "forwarding_told",
    "work_copied",
    "licensed_copy",
    "macro_urged",
    "payment_urged",
    "rude_tone",
    "illegal_act",
    "fraud",
    "hacking",
    "others_login",
    "charged_to_us",
    "transfer_link",
    "recording_of_people",
)
_WEIGHTS = ("strong", "sign", "part", "against")


class ConductSigns(SignsDetector):
    """Signs of smaller breaches, from a telling phrase, several signs of one kind, or the parts that a breach consists of."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "conduct_signs.yml",)
    near: ClassVar[int] = 800
    recipes: ClassVar[Mapping[str, tuple[frozenset[str], ...]]] = {
        "login_lure": (frozenset({"login", "click", "pressure"}), frozenset({"login", "parcel", "pressure"})),
        "commitment": (
            frozenset({"firm", "terms"}),
            frozenset({"firm", "binds"}),
            frozenset({"accepts", "terms", "binds"}),
            frozenset({"accepts", "supplier", "binds"}),
            frozenset({"accepts", "terms", "supplier"}),
        ),
        "cloud_link": (frozenset({"put", "private_store"}),),
        "ai_fed": (frozenset({"ai", "put", "records"}), frozenset({"ai", "output", "records"})),
        "charged_to_us": (frozenset({"ours", "own"}),),
        "forwarding_told": (frozenset({"automatic", "mailbox", "elsewhere"}),),
        "work_copied": (
            frozenset({"work", "copied", "evades", "shared"}),
            frozenset({"circumvents", "shared"}),
            frozenset({"licence", "evades", "shared"}),
            frozenset({"work", "licence", "shared"}),
            frozenset({"work", "licence", "evades"}),
        ),
        "payment_urged": (
            frozenset({"pay", "hurry", "hush"}),
            frozenset({"vouchers", "hurry"}),
            frozenset({"vouchers", "hush"}),
        ),
    }
    hints: ClassVar[Mapping[str, tuple[frozenset[str], ...]]] = {
        "ai_fed": (frozenset({"ai", "put"}), frozenset({"ai", "output"})),
        "cloud_link": (frozenset({"private_store"}),),
    }
    _words = WordList(read_list("conduct_signs", LABELS, _WEIGHTS))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    def sure(self, strong: int, signs: int) -> float | None:
        if strong:
            return 0.9 if strong > 1 else 0.85 if signs else 0.78
        return 0.6 if signs > 2 else None


_TOOL = re.compile(
    r"mimikatz|key-?_?logger|keygen|password[ _-]?crack|stresser|hashcat|(?:^|[ _-])hydra-\d", re.IGNORECASE
)
# What can be a tool or hold one. A lesson's slides may have such a name; what they teach runs on no machine.
_HOLDS_A_PROGRAM = re.compile(
    r"\.(?:exe|msi|com|scr|bat|cmd|ps1|sh|jar|apk|zip|7z|rar|tar|t?gz|iso|img|dmg)$", re.IGNORECASE
)
_PROGRAMS = ("application/x-msdownload", "application/x-executable", "application/x-mach-binary", "application/x-msi")
_TAUGHT = re.compile(
    r"lessons?|homework|worksheets?|slides|computing|computer science|gcse|curriculum|scheme of work|training|cyber security",
    re.IGNORECASE,
)


class ToolForBreakingIn(MessageDetector):
    """A program or an archive, sent by one of us, that bears the name of a tool for breaking in; less sure where it is taught."""

    labels: ClassVar[tuple[str, ...]] = ("hacking",)

    def detect(self, message: Message) -> Iterable[Hit]:
        if message.direction not in ("outbound", "internal"):
            return
        for part in message.parts:
            if part.kind != "attachment" or not _TOOL.search(part.name):
                continue
            if part.media_type not in _PROGRAMS and not _HOLDS_A_PROGRAM.search(part.name):
                continue
            taught = _TAUGHT.search(part.name) or _TAUGHT.search(message.own_words())
            reasons = ("a program or an archive named as a tool for breaking in", *(["taught"] if taught else []))
            yield Hit("hacking", 0, 0, "", 0.45 if taught else 0.85, reasons, part=part.path)
