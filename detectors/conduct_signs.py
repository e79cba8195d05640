"""Signs of the smaller breaches, from word lists: lures for log-ins and payments, commitments by mail, demands for an answer at
night, private errands, gossip, AI services and private clouds, forwarding that runs by itself, copied works; a scolding tone, crimes,
work under another's log-in, people recorded.

What the user sees: the kind of sign. What it means depends on whose words they are, when they were sent and on the policy.
Words: `rules/lists/conduct_signs.yml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from detectors.wording import LISTS, SignsDetector, WordList, read_list

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
