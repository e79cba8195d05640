"""Chain letters, hoaxes and jokes that ask to be passed on.

What the user sees: how many independent signs stand together, each in the reasons. A request to pass on is needed and never
enough: ordinary business says "please cascade" all day. Signs: `rules/lists/chain_mail.yml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from detectors.base import Context, TextDetector, Waking
from detectors.wording import LISTS, Match, WordList, read_list
from scanner.model import Hit

LABELS = ("chain_letter", "joke_round_robin")
_TELLING = frozenset({"luck", "reward", "hoax", "guilt", "no_share", "send_back", "money_list", "keep_going"})
_ORDINARY = frozenset({"testimony", "deadline"})
# Of these one is enough beside words that only speak of sending something to many; guilt and journeys are everywhere.
_HARD = frozenset({"luck", "reward", "hoax", "no_share", "send_back", "money_list"})
_ASKING = ("mass", "many", "plain", "keep_going")
# What somebody did is no request: "we have sent copies to twenty families".
_ASKED = frozenset({"mass", "many", "money_list"})
_NARRATED = re.compile(
    r"\b(?:I|we|he|she|they)(?:['’](?:ve|d|ll)| have| had| will)?\s\Z|\b(?:have|has|had|was|were|been)\s\Z",
    re.IGNORECASE,
)
KINDS = ("mass", "many", "plain", *sorted(_TELLING), *sorted(_ORDINARY), "against", "joke")
_CONDITION = re.compile(r"\b(?:if|unless) (?:you|u|ya|anyone|they|she|he)(?: [\w'’]{1,10})?\s{0,2}\Z", re.IGNORECASE)
# "Do not ignore this": the chain speaks.
_NEGATION = re.compile(r"\b(?:not|don['’]?t|never)\s{1,2}\Z", re.IGNORECASE)
# "Ignore it and your luck dies": what comes after the advice is a threat.
_OR_ELSE = re.compile(
    r"[ ,]{1,2}(?:and|or) (?:the|your|you|it|he|she|something|bad|nothing|watch|see)\b", re.IGNORECASE
)
# "It seems legit" vouches for it; "is it legit?" asks.
_ASSERTS = re.compile(
    r"\b(?:seems?|looks?|sounds?|must be|definitely|totally|is really) (?:legit|genuine|real|true|ok)\Z", re.IGNORECASE
)
_DISCLAIMER = re.compile(r"\bin error\b|\bintended (?:only|solely|recipient)|\bnot the intended\b", re.IGNORECASE)
# A chain letter is a short thing: signs further apart than this belong to different texts.
_APART = 900


class ChainMail(TextDetector):
    """Signs of a chain letter that stand together, scored as one."""

    labels: ClassVar[tuple[str, ...]] = LABELS
    files: ClassVar[tuple[Path, ...]] = (LISTS / "chain_mail.yml",)
    _words = WordList(read_list("chain_mail", LABELS, KINDS))
    wake: ClassVar[tuple[str, ...]] = _words.wake

    _asking = _words.places((*_ASKING, "joke"))

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        # Nothing counts without a request to pass on, and most mail has none: look for that first.
        asked = self._words.matches(
            text, [waking for waking in wakings if waking.index in self._asking], context.budget
        )
        if not any(match.entry.weight in (*_ASKING, "joke") for match in asked):
            return
        matches = self._words.matches(text, wakings, context.budget)
        for cluster in _clusters([match for match in matches if match.entry.label == "chain_letter"]):
            yield from _chain(text, cluster)
        yield from _jokes(text, [match for match in matches if match.entry.label == "joke_round_robin"])


def _clusters(matches: list[Match]) -> Iterator[list[Match]]:
    cluster: list[Match] = []
    for match in matches:
        if cluster and match.start - cluster[-1].end > _APART:
            yield cluster
            cluster = []
        cluster.append(match)
    if cluster:
        yield cluster


def _chain(text: str, cluster: list[Match]) -> Iterator[Hit]:
    told = [
        (match.start, match.end)
        for match in cluster
        if match.entry.weight in _ASKED and _NARRATED.search(text, max(0, match.start - 12), match.start)
    ]
    cluster = [
        match
        for match in cluster
        if (match.entry.weight != "against" or _speaks_against(text, match))
        and not (match.entry.weight in _ASKED and any(start <= match.start < end for start, end in told))
    ]
    kinds = {match.entry.weight: match.entry.means for match in cluster}
    if kinds.keys().isdisjoint(_ASKING):
        return
    telling = sorted(_TELLING & kinds.keys())
    ordinary = sorted(_ORDINARY & kinds.keys())
    number = len(telling) + len(ordinary)
    asks_many = "mass" in kinds or ("many" in kinds and bool(_HARD & kinds.keys()) and number > 1)
    if asks_many:
        confidence = (0.5, 0.8 if telling else 0.6, 0.9 if telling else 0.7)[min(2, number)]
    elif telling:
        hard = len({match.entry.pattern for match in cluster if match.entry.weight in _HARD})
        confidence = 0.55 if len(telling) == 1 and len(ordinary) < 2 and hard < 2 else 0.78
    else:
        return
    if len(telling) > 1:
        confidence = min(0.96, confidence + 0.05)
    asks = next(kind for kind in _ASKING if kind in kinds)
    reasons = [kinds[asks], *(kinds[kind] for kind in (*telling, *ordinary) if kind != asks)]
    if "against" in kinds and "no_share" not in kinds:
        confidence *= 0.45
        reasons.append(kinds["against"])
    last = -1
    for match in cluster:
        if match.entry.weight in _ORDINARY or match.entry.weight == "against" or match.start < last:
            continue
        last = match.end
        words = text[match.start : match.end]
        yield Hit("chain_letter", match.start, match.end, words, round(confidence, 3), tuple(reasons))


def _speaks_against(text: str, match: Match) -> bool:
    """Not "if you don't send it …" or "do not ignore this", which is the chain itself, nor the disclaimer of every mail."""
    if _CONDITION.search(text, max(0, match.start - 24), match.start):
        return False
    if _NEGATION.search(text, max(0, match.start - 12), match.start):
        return False
    if _OR_ELSE.match(text, match.end):
        return False
    if _ASSERTS.search(text, match.start, match.end):
        return False
    return not _DISCLAIMER.search(text, max(0, match.start - 250), match.end)


def _jokes(text: str, matches: list[Match]) -> Iterator[Hit]:
    number = len({match.entry.pattern for match in matches})
    confidence = (0.0, 0.55, 0.8, 0.88)[min(3, number)]
    last = -1
    for match in matches:
        if match.start >= last:
            last = match.end
            reasons = (match.entry.means, f"{number} such phrase{'s' if number > 1 else ''}")
            yield Hit("joke_round_robin", match.start, match.end, text[match.start : match.end], confidence, reasons)
