"""Word lists as data: reading `rules/lists/*.yml`, finding their entries in a text, and what stands around an entry.

A list is a mapping with `groups` (and `slots`, named alternatives for use in terms). A group has a `label`, a `weight`
and `means` (words for a hit's reasons), may be `exact` (case counts, for acronyms) and has `terms`. A term is plain words
in a small notation, chosen so that nothing in it can run super-linearly:

- a blank stands for blanks, line ends or hyphens; a hyphen may also be left out or be a blank; an apostrophe may be left out
- `(a|b)` alternatives, `(a|b)?` or `x?` optional, `[ab]` one of these characters, `{1,3}` so many times
- `#` a digit, `~` up to twelve more letters
- `…` up to six other words of the same sentence, `……` up to fourteen
- `<name>` one of the slot's alternatives

Terms match whole words only, which is what keeps Scunthorpe, Cockburn and grape harmless.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from pathlib import Path
from typing import ClassVar

import yaml

from detectors.base import Context, Phrase, TextDetector, Waking, as_words
from scanner.errors import ConfigError
from scanner.model import Hit
from scanner.ports import NameBudget

_CHECKOUT = Path(__file__).resolve().parents[1]
# In a checkout `rules/` lies beside this package; the wheel carries it inside `scanner` (D1).
LISTS = next(
    (
        folder
        for folder in (_CHECKOUT / "rules" / "lists", _CHECKOUT / "scanner" / "rules" / "lists")
        if folder.is_dir()
    ),
    _CHECKOUT / "rules" / "lists",
)

_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ALLOWED = re.compile(r"[\w \-'&/.,:;!=£$€@+#%()|?\[\]{}<>…~]+\Z")
_TIMES = re.compile(r"\d{1,2}(?:,\d{1,2})?\Z")
_CLASS = re.compile(r"[\w.,:;!?'’£$@-]+\Z")
_SLOT = re.compile(r"<([a-z_]+)>")
_BLANK = r"[\s\-]{1,3}"
# Python's white space beyond ASCII, which Hyperscan's `\s` leaves out: a mail from a word processor is full of the second.
MORE_BLANKS = "\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Between two words of one sentence: a little punctuation, or one line end, never an empty line.
_BETWEEN = r"(?:[^\w.!?;\n]{1,3}|[^\w.!?;\n]{0,2}\n[^\w.!?;\n]{0,2})"
_GAP = rf"(?:{_BETWEEN}\w{{1,30}}){{0,6}}?{_BETWEEN}"
_GAP_WIDTH = 220
_WIDE_GAP = rf"(?:{_BETWEEN}\w{{1,30}}){{0,14}}?{_BETWEEN}"
_WIDE_GAP_WIDTH = 480
MOST_PER_ENTRY = 300
MOST_PER_TEXT = 5_000
MOST_READ = 2_500_000
# Looking for a literal costs so much less than trying an expression.
_CHEAPER = 20


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One term of a list, ready to be looked for. `anchors` are the Hyperscan expressions that say where to look."""

    label: str
    weight: str
    means: str
    group: str
    pattern: re.Pattern[str]
    anchors: tuple[str, ...]
    # The most characters of the term that can stand before and after the end of an anchor.
    before: int
    after: int
    # Literals in lower case: of each group one stands in every form of the term.
    company: tuple[tuple[str, ...], ...]
    # Guards of a group: which company it needs (`aimed`, …). Read by the detector that owns the list.
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    entry: Entry
    start: int
    end: int


def read_list(name: str, labels: Sequence[str], weights: Sequence[str]) -> tuple[Entry, ...]:
    """The entries of `rules/lists/<name>.yml`. Raises ConfigError naming the file and group of the first mistake."""
    path = LISTS / f"{name}.yml"
    place = f"rules/lists/{name}.yml"
    try:
        content = yaml.load(path.read_bytes(), Loader=_LOADER)  # noqa: S506 - a safe loader, only the C one
    except OSError as error:
        raise ConfigError(place, f"cannot be read: {error.strerror or error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(place, f"is not YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("groups"), list):
        raise ConfigError(place, "needs a list `groups` (and may have a mapping `slots`)")
    slots: dict[str, tuple[_Piece, ...]] = {}
    for slot, words in (content.get("slots") or {}).items():
        parts = [_Notation(str(word), slots, f"{place}: slot {slot}").read() for word in words]
        slots[str(slot)] = (_one_of(parts),)
    entries: list[Entry] = []
    seen: dict[tuple[str, str, bool], int] = {}
    for number, group in enumerate(content["groups"], 1):
        where = f"{place}: group {number}"
        entries.extend(_group(group, slots, where, labels, weights, seen))
    return tuple(entries)


def _group(
    group: object,
    slots: Mapping[str, tuple[_Piece, ...]],
    where: str,
    labels: Sequence[str],
    weights: Sequence[str],
    seen: dict[tuple[str, str, bool], int],
) -> Iterator[Entry]:
    allowed = ("label", "weight", "means", "group", "exact", "needs", "terms")
    if not isinstance(group, dict):
        raise ConfigError(where, f"must be a mapping with {', '.join(allowed)}")
    unknown = sorted(str(key) for key in group if key not in allowed)
    if unknown:
        raise ConfigError(where, f"unknown key {unknown[0]!r} (allowed: {', '.join(allowed)})")
    label, weight = str(group.get("label", "")), str(group.get("weight", ""))
    if label not in labels:
        raise ConfigError(where, f"unknown label {label!r} (allowed: {', '.join(labels)})")
    if weight not in weights:
        raise ConfigError(where, f"unknown weight {weight!r} (allowed: {', '.join(weights)})")
    exact = bool(group.get("exact", False))
    terms = group.get("terms")
    if not isinstance(terms, list) or not terms:
        raise ConfigError(where, "needs terms: a list of words")
    for term in map(str, terms):
        if (label, term, exact) in seen:
            raise ConfigError(where, f"term {term!r} stands in the list twice (also group {seen[label, term, exact]})")
        seen[label, term, exact] = int(where.rpartition(" ")[2])
        pieces = _Notation(term, slots, where).read()
        body = _expression(pieces)
        try:
            pattern = re.compile(rf"(?<!\w){body}(?!\w)", re.NOFLAG if exact else re.IGNORECASE)
        except re.error as error:
            raise ConfigError(where, f"term {term!r} is not in the notation of lists: {error}") from error
        if pattern.match(""):
            raise ConfigError(where, f"term {term!r} matches nothing at all")
        anchoring = _anchoring(pieces)
        if anchoring is None and any(piece.kind == "gap" for piece in pieces):
            raise ConfigError(where, f"term {term!r} has … and no word rare enough to be found by")
        if anchoring is None:
            anchoring = _as_expressions(pieces)
        yield Entry(
            label,
            weight,
            str(group.get("means", "")),
            str(group.get("group", "")),
            pattern,
            anchoring.anchors,
            anchoring.before,
            anchoring.after,
            anchoring.company,
            str(group.get("needs", "")),
        )


# In the forms of a piece: anything at all may stand here.
_ANYTHING = "*"
# So many forms of a piece, or of a few words together, are written out.
_MOST_FORMS = 300


@dataclass(frozen=True, slots=True)
class _Piece:
    """A piece of a term: `expression` for Python, and what it may look like in the words that the gate sees."""

    expression: str
    kind: str = "other"  # letters, blank, gap, one of (alternatives), other
    parts: tuple[tuple[_Piece, ...], ...] = ()
    # The most characters it can stand for.
    width: int = 1
    # Each thing that it can stand for as `as_words` writes it; `*` is anything at all.
    forms: tuple[str, ...] = (_ANYTHING,)


class _Notation:
    """Reads one term. Raises ConfigError naming list, group and term."""

    def __init__(self, term: str, slots: Mapping[str, tuple[_Piece, ...]], where: str) -> None:
        self.term, self.slots, self.where, self.at = term, slots, where, 0

    def fail(self, what: str) -> ConfigError:
        return ConfigError(self.where, f"term {self.term!r} {what}")

    def read(self) -> tuple[_Piece, ...]:
        if not _ALLOWED.match(self.term):
            raise self.fail("has characters that the notation of lists does not know")
        pieces = self._sequence(0)
        if self.at < len(self.term):
            raise self.fail(f"has {self.term[self.at]!r} where none may be")
        return pieces

    def _sequence(self, depth: int) -> tuple[_Piece, ...]:
        pieces: list[_Piece] = []
        term = self.term
        while self.at < len(term) and term[self.at] not in "|)":
            character = term[self.at]
            self.at += 1
            if character == "…":
                if depth:
                    raise self.fail("has … inside parentheses; it may only stand between them")
                while pieces and pieces[-1].kind == "blank":
                    pieces.pop()
                wide = term[self.at : self.at + 1] == "…"
                self.at += wide
                while term[self.at : self.at + 1] == " ":
                    self.at += 1
                pieces.append(
                    _Piece(_WIDE_GAP, "gap", (), _WIDE_GAP_WIDTH) if wide else _Piece(_GAP, "gap", (), _GAP_WIDTH)
                )
                continue
            piece = self._piece(character, depth)
            if term[self.at : self.at + 1] == "?":
                self.at += 1
                forms = tuple(dict.fromkeys(("", *piece.forms)))
                piece = _Piece(f"(?:{piece.expression})?", width=piece.width, forms=forms)
            elif piece.expression.startswith("{") and pieces:
                piece = _repeated(pieces.pop(), piece.expression)
            pieces.append(piece)
        return tuple(pieces)

    def _piece(self, character: str, depth: int) -> _Piece:
        term = self.term
        if character == "(":
            parts = [self._sequence(depth + 1)]
            while term[self.at : self.at + 1] == "|":
                self.at += 1
                parts.append(self._sequence(depth + 1))
            if term[self.at : self.at + 1] != ")":
                raise self.fail("has a parenthesis that is not closed")
            self.at += 1
            return _one_of(parts)
        if character == "<":
            found = _SLOT.match(term, self.at - 1)
            if found is None or found[1] not in self.slots:
                raise self.fail(f"names a slot that is not there (slots: {', '.join(self.slots)})")
            self.at = found.end()
            return self.slots[found[1]][0]
        if character in "[{":
            close = term.find("]" if character == "[" else "}", self.at)
            inside = term[self.at : close] if close > 0 else ""
            if not (_CLASS if character == "[" else _TIMES).match(inside):
                raise self.fail(f"has {character!r} that the notation of lists does not know")
            self.at = close + 1
            # A range is not written out.
            forms = (_ANYTHING,) if character == "{" or "-" in inside else tuple(dict.fromkeys(map(_plain, inside)))
            return _Piece(character + inside + term[close], forms=forms)
        if character == "~":
            return _Piece(r"\w{0,12}", width=12)
        if character == "#":
            return _Piece("[0-9]", forms=("0",))
        if character == " ":
            return _Piece(_BLANK, kind="blank", width=3, forms=(" ",))
        if character == "-":
            return _Piece(r"[\s\-]?", forms=("", " "))
        if character == "'":
            return _Piece("['’]?", forms=("", " "))
        if character in "?]}>":
            raise self.fail(f"has {character!r} with nothing before it")
        return _character(character)


@cache
def _character(character: str) -> _Piece:
    return _Piece(re.escape(character), kind="letters" if character.isalnum() else "other", forms=(_plain(character),))


def _one_of(parts: Sequence[tuple[_Piece, ...]]) -> _Piece:
    width = max(map(_width, parts))
    forms = tuple(dict.fromkeys(form for part in parts for form in _forms(part)))
    return _Piece("(?:" + "|".join(map(_expression, parts)) + ")", "one of", tuple(parts), width, forms)


def _repeated(piece: _Piece, times: str) -> _Piece:
    fewest, _, most = times.strip("{}").partition(",")
    low, high = int(fewest), int(most or fewest)
    few = range(low, high + 1) if high - low < 3 else range(min(low, 1), 2)
    forms = [_ANYTHING]
    if len(piece.forms) ** max(few) <= _MOST_FORMS and len(piece.forms) ** 2 <= _MOST_FORMS:
        forms = ["".join(each) for number in few for each in product(piece.forms, repeat=number)]
        if high - low >= 3:
            forms += [f"{first}{_ANYTHING}{last}" for first, last in product(piece.forms, repeat=2)]
    return _Piece(piece.expression + times, width=piece.width * max(high, 1), forms=tuple(dict.fromkeys(forms)))


def _plain(character: str) -> str:
    return character if character in "£€$" else as_words(character).decode()


def _forms(pieces: Sequence[_Piece], apart: bool = False) -> tuple[str, ...]:
    """What the pieces can stand for one after another; `apart`: no letter can touch them on either side.

    Where it would be too much to write out, the piece that tells least is anything at all.
    """
    each = [piece.forms for piece in pieces]
    while prod(map(len, each)) > _MOST_FORMS:
        least = min(
            (at for at, forms in enumerate(each) if len(forms) > 1),
            key=lambda at: (-_most_common(each[at]), -len(each[at])),
        )
        begins = _is_border(each[:least], -1, apart) and all(form == "" or form[-1] == " " for form in each[least])
        ends = _is_border(each[least + 1 :], 0, apart) and all(form == "" or form[0] == " " for form in each[least])
        each[least] = (f"{' ' if ends else ''}{_ANYTHING}{' ' if begins else ''}",)
    return tuple(dict.fromkeys(map("".join, product(*each))))


def _is_border(each: Sequence[Sequence[str]], side: int, apart: bool) -> bool:
    """Whether what stands before (`side` -1) or after (0) a piece surely ends or begins with a blank."""
    for forms in reversed(each) if side else each:
        if any(form and form[side] != " " for form in forms):
            return False
        if "" not in forms:
            return True
    return apart


def _most_common(forms: Sequence[str]) -> float:
    return max(_rate(_rarest(f" {form} ")) for form in forms)


def _width(pieces: Sequence[_Piece]) -> int:
    return sum(piece.width for piece in pieces)


def _expression(pieces: Sequence[_Piece]) -> str:
    return "".join(piece.expression for piece in pieces)


@dataclass(frozen=True, slots=True)
class _Anchoring:
    """Where to look for a term: wake expressions of which at least one stands in every form of it, and the most characters
    of the term before and after the end of one.
    """

    anchors: tuple[str, ...]
    before: int
    after: int
    company: tuple[tuple[str, ...], ...] = ()


_SIGNS = re.compile("[ £€$]+")
# A phrase costs as much as a waking in so many words.
_COST = 2e-5
# And a choice of phrases as one expression as much as so many of them.
_COST_OF_CHOICES = 1e-3
# From so many wakings a word on the term itself is the better anchor.
_EVERYWHERE = 0.2
_VERY_COMMON = frozenset(
    """
    a an the and or of to in on at by for with from as is are was be it its this that he she i me my you your we our they his her
    if not have has do so no up http www com
    """.split()
)
_COMMON = frozenset(
    """
    am us go don t s ll re ve but who their been were they would into over when them some more other there could
    should school schools pupil pupils child children student students staff teacher parent parents after before because
    being going where today every year please meeting also just like send email these those then than week time
    all any can had how out off own get got let may one two way man use see him good talk work people think what which
    about will did said say says only very much many make made take back here know need want first new day days now well home list
    mail net org name free look find help give call part even through most information
    """.split()
)
# How often a word of so many letters that is not common stands at a place of a text, roughly.
_RATES = (1.0, 3e-3, 1e-3, 5e-4, 3e-4, 2e-4, 1e-4, 7e-5)
_RATE_OF_MONEY = 2e-3
_MONEY = re.compile("([£€$]) ?0")


@cache
def _rate_of_word(word: str, whole: bool) -> float:
    if not word.strip("0"):
        return 3e-2
    rate = _RATES[min(len(word), len(_RATES) - 1)]
    if word in _VERY_COMMON:
        rate = 2e-2
    elif word in _COMMON:
        rate = 4e-3
    return rate if whole else min(1.0, 5 * rate)


@cache
def _rate(phrase: str) -> float:
    """How often the phrase stands at a place of a text, roughly; 1 where it has no letter."""
    if _MONEY.search(phrase):
        return _RATE_OF_MONEY
    words = _SIGNS.sub(" ", phrase).split(" ")
    last = len(words) - 1
    return prod(_rate_of_word(word, 0 < at < last) for at, word in enumerate(words) if word)


def _rarest(form: str) -> str:
    """The most telling stretch of a form without anything unknown in it."""
    return min(form.split(_ANYTHING), key=_rate)


def _anchor(stretch: str) -> str:
    """The wake expression for it: a sum of money wakes by its sign, which the words of a text are without."""
    money = _MONEY.search(stretch)
    if money is not None:
        return rf"{re.escape(money[1])}[\s{MORE_BLANKS}\-]{{0,3}}[0-9]"
    return Phrase(_SIGNS.sub(" ", stretch))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The pieces from one blank or gap to the next: words that are apart from what stands about them."""

    first: int
    following: int
    forms: tuple[str, ...]
    # A gap stands before it.
    after_gap: bool
    # A form holds something unknown.
    unknown: bool
    # How often one of the forms stands in a text; and of those with something unknown what comes before it, and after it.
    alone: float
    opening: float
    closing: float


def _stretches_of(pieces: Sequence[_Piece]) -> list[_Stretch]:
    found = []
    first, after_gap = 0, False
    for position in range(len(pieces) + 1):
        if position < len(pieces) and pieces[position].kind not in ("blank", "gap"):
            continue
        forms = _forms(pieces[first:position], apart=True)
        padded = [f" {form} " for form in forms]
        unknown = any(_ANYTHING in form for form in forms)
        alone = opening = closing = sum(_rate(_rarest(form)) for form in padded)
        if unknown:
            opening = sum(_rate(form.partition(_ANYTHING)[0]) for form in padded)
            closing = sum(_rate(form.rpartition(_ANYTHING)[2]) for form in padded)
        found.append(_Stretch(first, position, forms, after_gap, unknown, alone, opening, closing))
        first, after_gap = position + 1, position < len(pieces) and pieces[position].kind == "gap"
    return found


def _anchoring(pieces: Sequence[_Piece]) -> _Anchoring | None:
    """The phrases by which a term is found: few, and each of them rare. None where there is no form in words."""
    stretches = _stretches_of(pieces)
    best = (_EVERYWHERE, 0, 0, False)
    for low, first in enumerate(stretches):
        before, written, number = first.closing, len(first.forms), len(first.forms)
        best = min(best, (first.alone + _COST * number, low, low + 1, False))
        for high in range(low + 1, len(stretches)):
            last = stretches[high]
            number *= len(last.forms)
            written += len(last.forms)
            if last.after_gap:
                break
            rate = before * last.opening
            if number <= _MOST_FORMS:
                best = min(best, (rate + _COST * number, low, high + 1, False))
            best = min(best, (rate + _COST_OF_CHOICES + _COST * written, low, high + 1, True))
            if last.unknown:
                break
            before *= last.alone
    _, low, following, at_once = best
    if not following:
        return None
    chosen = stretches[low:following]
    if at_once:
        anchors = {_choices(chosen)}
    else:
        anchors = {_anchor(_rarest(f" {' '.join(form)} ")) for form in product(*(stretch.forms for stretch in chosen))}
    before, after = _width(pieces[: chosen[-1].following]), _width(pieces[chosen[0].first :])
    company = _company((*stretches[:low], *stretches[following:]))
    return _Anchoring(tuple(sorted(anchors)), before, after, company)


def _choices(stretches: Sequence[_Stretch]) -> str:
    """One phrase with a choice of words at each place, for what would be too many phrases."""
    written = ""
    for number, stretch in enumerate(stretches):
        words: dict[str, None] = {}
        for form in stretch.forms:
            if number == 0:
                begins = "" if _ANYTHING in form else " "
                word = begins + _SIGNS.sub(" ", form.rpartition(_ANYTHING)[2]).lstrip()
            else:
                word = _SIGNS.sub(" ", form.partition(_ANYTHING)[0]).lstrip()
            ends = "" if number and _ANYTHING in form else " "
            words[word.rstrip() + ends if word.strip() else ends if number == 0 else ""] = None
        written += f"(?:{'|'.join(words)})"
    return Phrase(written)


def _as_expressions(pieces: Sequence[_Piece]) -> _Anchoring:
    """A term that cannot be found by words, or each of its alternatives that cannot, for Hyperscan as it is."""
    if len(pieces) == 1 and len(pieces[0].parts) > 1:
        each = [_anchoring(part) or _as_expressions(part) for part in pieces[0].parts]
        anchors = tuple(dict.fromkeys(anchor for one in each for anchor in one.anchors))
        return _Anchoring(anchors, max(one.before for one in each), max(one.after for one in each))
    # No border where a sign such as £ begins or ends the term: none lies between it and a blank.
    opened, closed = (r"\b" if piece.kind == "letters" else "" for piece in (pieces[0], pieces[-1]))
    expression = _expression(pieces).replace(r"[\s", r"[\s" + MORE_BLANKS)
    # One waking for a run of signs is enough.
    expression, fewest = _TRAILING.sub(r"{\1}", expression), _TRAILING.search(expression)
    return _Anchoring((opened + expression + ("" if fewest else closed),), _width(pieces), _width(pieces))


_TRAILING = re.compile(r"\{([1-9]\d?),\d+\}\Z")


# So many literals at most are looked for before the expression itself is tried.
_MOST_COMPANY = 12


def _company(stretches: Sequence[_Stretch]) -> tuple[tuple[str, ...], ...]:
    """A word of each form of what a term consists of besides its phrase, the longest words first: cheaper to look for than it."""
    groups: list[tuple[str, ...]] = []
    for stretch in stretches:
        words = tuple(dict.fromkeys(max(_LITERAL.findall(form), key=len, default="") for form in stretch.forms))
        if all(words) and len(words) <= _MOST_COMPANY:
            groups.append(words)
    groups.sort(key=lambda group: -min(map(len, group)))
    return tuple(groups[:2])


_LITERAL = re.compile("[a-z_]+")


class WordList:
    """Entries by the expression that wakes them, and the search around each waking."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        by_anchor: dict[str, list[int]] = {}
        for number, entry in enumerate(entries):
            for anchor in entry.anchors:
                by_anchor.setdefault(anchor, []).append(number)
        self.entries = tuple(entries)
        self.wake = tuple(by_anchor)
        self._woken = tuple(tuple(group) for group in by_anchor.values())

    def places(self, weights: Sequence[str]) -> frozenset[int]:
        """The indices of the expressions that wake an entry of one of these weights."""
        return frozenset(
            place
            for place, group in enumerate(self._woken)
            if any(self.entries[number].weight in weights for number in group)
        )

    def matches(self, text: str, wakings: Sequence[Waking], budget: NameBudget | None = None) -> list[Match]:
        """Every place of every woken entry: by where it begins, the longest first, then as they stand in the list.

        `budget` is told where the bounds left something out. Bounded, so that cost stays linear: at most MOST_PER_ENTRY places
        of one entry, and MOST_READ characters read over all entries, which is far beyond any honest text of a megabyte and
        about a second of a hostile one.
        """
        by_entry: dict[int, list[int]] = {}
        for waking in wakings:
            if 0 <= waking.index < len(self._woken):
                for number in self._woken[waking.index]:
                    by_entry.setdefault(number, []).append(waking.end)
        if not by_entry:
            return []
        lowered = text.lower()
        # Lower case may be longer than the text ("İ"); then offsets in it mean nothing.
        comparable = len(lowered) == len(text)
        found: list[Match] = []
        left = MOST_READ
        cut_short = False
        length = len(text)
        for number in sorted(by_entry):
            places = by_entry[number]
            entry = self.entries[number]
            before, after, company = entry.before, entry.after, entry.company
            first = len(found)
            if len(places) == 1:
                stretches: Iterable[tuple[int, int]] = ((max(0, places[0] - before), min(length, places[0] + after)),)
            else:
                stretches = _stretches(places, before, after, length)
            for low, high in stretches:
                if left < 0 or len(found) >= MOST_PER_TEXT:
                    cut_short = True
                    break
                # More places of one entry would say nothing new.
                if len(found) - first >= MOST_PER_ENTRY:
                    break
                if company and comparable and not _has_company(lowered, low, high, company):
                    left -= (high - low) // _CHEAPER
                    continue
                left -= high - low
                for match in entry.pattern.finditer(text, low, high):
                    cut = match.end() == high < length and (text[high].isalnum() or text[high] == "_")
                    if not cut and len(found) - first < MOST_PER_ENTRY:
                        found.append(Match(entry, match.start(), match.end()))
        if cut_short and budget is not None:
            budget.texts_cut += 1
        return sorted(found, key=lambda match: (match.start, -match.end))


def _has_company(lowered: str, low: int, high: int, company: tuple[tuple[str, ...], ...]) -> bool:
    """Whether one literal of each group stands in the stretch."""
    for literals in company:
        for literal in literals:
            if lowered.find(literal, low, high) >= 0:
                break
        else:
            return False
    return True


def _stretches(ends: Sequence[int], before: int, after: int, length: int) -> Iterator[tuple[int, int]]:
    """Stretches about each place, joined where they meet, so that nothing is read twice."""
    low = high = -1
    for end in sorted(ends):
        if high >= 0 and end - before <= high:
            high = min(length, end + after)
            continue
        if high >= 0:
            yield low, high
        low, high = max(0, end - before), min(length, end + after)
    if high >= 0:
        yield low, high


_BEFORE_PARTS = 300
_AFTER_PARTS = 120
_PLACES_TRIED = 4


class SignsDetector(TextDetector):
    """A detector over one list with the weights `strong`, `sign`, `part` and `against`.

    Matches of a label less than `near` characters apart are one matter; what speaks against it halves how sure it is.
    A `part` names by its `group` one of the things a matter consists of (a stake, a bet, the odds). Parts say nothing alone:
    all those of one of the label's `recipes` must stand within `near` characters, in words of their own, and are then worth a
    telling phrase. What `hints` ask for is worth three signs: enough where a rule wants something else beside it.
    """

    near: ClassVar[int]
    recipes: ClassVar[Mapping[str, tuple[frozenset[str], ...]]] = {}
    hints: ClassVar[Mapping[str, tuple[frozenset[str], ...]]] = {}
    _words: ClassVar[WordList]

    @abstractmethod
    def sure(self, strong: int, signs: int) -> float | None:
        """How sure so many different telling phrases and signs make it; None where they are too few."""

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        by_label: dict[str, list[list[Match]]] = {}
        for match in self._words.matches(text, wakings, context.budget):
            groups = by_label.setdefault(match.entry.label, [])
            if groups and match.start - groups[-1][-1].end <= self.near:
                groups[-1].append(match)
            else:
                groups.append([match])
        for label, groups in by_label.items():
            for group in groups:
                parts = _parts(group, self.recipes.get(label, ()), self.near)
                hints = () if parts else _parts(group, self.hints.get(label, ()), self.near)
                yield from _weighed(text, label, group, parts, hints, self.sure)


def _parts(group: Sequence[Match], recipes: Sequence[frozenset[str]], near: int) -> tuple[Match, ...]:
    """The matches that make up the first recipe whose parts all stand within `near` characters; none where no recipe does.

    No two of them share words, so that one phrase is never two parts. Of each part the last few places are tried, which
    keeps the cost linear.
    """
    parts = [match for match in group if match.entry.weight == "part"]
    for recipe in recipes:
        latest: dict[str, list[Match]] = {kind: [] for kind in recipe}
        for match in parts:
            kind = match.entry.group
            if kind not in latest:
                continue
            near_by = [
                [place for place in reversed(places) if match.end - place.start <= near]
                for other, places in latest.items()
                if other != kind
            ]
            chosen = _one_of_each((match,), near_by)
            if chosen:
                return tuple(sorted(chosen, key=lambda each: each.start))
            latest[kind] = [*latest[kind][1 - _PLACES_TRIED :], match]
    return ()


def _one_of_each(chosen: tuple[Match, ...], places: Sequence[Sequence[Match]]) -> tuple[Match, ...]:
    """One match from each list beside those chosen, none sharing words with another; empty where that cannot be."""
    if not places:
        return chosen
    for place in places[0]:
        if all(_apart(place, one) for one in chosen):
            found = _one_of_each((*chosen, place), places[1:])
            if found:
                return found
    return ()


def _apart(one: Match, other: Match) -> bool:
    return one.end <= other.start or other.end <= one.start


def _weighed(
    text: str,
    label: str,
    group: Sequence[Match],
    parts: Sequence[Match],
    hints: Sequence[Match],
    sure: Callable[[int, int], float | None],
) -> Iterator[Hit]:
    strong = {match.entry.pattern for match in group if match.entry.weight == "strong"}
    signs = {text[match.start : match.end].lower() for match in group if match.entry.weight == "sign"}
    told = parts or hints
    # What speaks against parts stands among them or close by; a disclaimer further down speaks of something else.
    low, high = (0, len(text)) if strong or not told else (told[0].start - _BEFORE_PARTS, told[-1].end + _AFTER_PARTS)
    against = next(
        (each.entry.means for each in group if each.entry.weight == "against" and each.end > low and each.start < high),
        None,
    )
    confidence = sure(len(strong) + bool(parts), len(signs) + (3 if hints else 0))
    if confidence is None:
        return
    if against:
        confidence *= 0.55
    # Parts count only because they stand together, so that each of them says so and names the others.
    named = list(dict.fromkeys(match.entry.means for match in told if match.entry.means))
    together = f"{', '.join(named[:-1])} and {named[-1]} stand together" if len(named) > 1 else ""
    shown = {"strong"} if strong or told else {"sign"}
    last = -1
    for match in group:
        if match.start < last or not (match.entry.weight in shown or match in told):
            continue
        last = match.end
        alone = "" if together and match.entry.means in named else match.entry.means
        reasons = tuple(reason for reason in (alone, together, against) if reason)
        yield Hit(label, match.start, match.end, text[match.start : match.end], round(confidence, 3), reasons)


# --- what stands around a match -------------------------------------------------------------------------------------

_REACH = 400
_STOP = re.compile(
    r"(?<!\bMr)(?<!\bDr)(?<!\bMs)(?<!\bMrs)(?<!\bSt)(?<!\be\.g)(?<!\bi\.e)(?<!\b[A-Z])[.!?]{1,5}[\"'”’)\]]?(?=\s)"
    r"|\n[ \t]*\n|\n[ \t]*(?=[-*•>])|\t"
)


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence, list item or table cell that holds `text[start:end]`, at most 400 characters to either side."""
    low = max(0, start - _REACH)
    first = low
    for stop in _STOP.finditer(text, low, start):
        first = stop.end()
    following = _STOP.search(text, end, min(len(text), end + _REACH))
    return first, following.start() if following else min(len(text), end + _REACH)


# Words that are capitalised in school prose and are no person's name.
_NO_NAMES = frozenset(
    """
    monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september
    october november december english maths mathematics science history geography french german spanish art music drama latin
    welsh british scottish irish european american year school academy trust council college primary secondary infant junior
    nursery university hospital clinic centre center surgery police court office department team group club house hall
    class key stage phase term autumn spring summer winter christmas easter eid diwali hanukkah ramadan hi hello dear thanks
    thank kind regards best yours the this that these those there here they we you it and but or so if when where why how what
    who which please all any some no not yes for from with about after before also as at by in of on to up out over under
    our your their its my email teams microsoft google word excel office windows outlook zoom ofsted dfe nhs gov uk england
    wales scotland ireland london head headteacher teacher governor governors deputy assistant principal director manager
    senco dsl hr pe re pshe ict it gcse gcses level levels btec ehcp sen send support policy plan report form forms row room
    national local authority service services social care children child adult pupil pupils student students staff parents
    jewish jew jews muslim muslims islam catholic catholics hindu hindus sikh sikhs christian christians buddhist god bible quran ramadan
    black white asian african caribbean pakistani indian somali polish romanian bangladeshi chinese traveller gypsy roma
    prevent channel marac mash lado sexting nspcc barnardos childline samaritans mind
    victorian roman tudor greek latin cpoms ofcom camhs macbeth shakespeare covid
    attendance behaviour homework progress lunch dinner sponsor workshop training everyone everybody nobody
    """.split()
)
_SOMEBODY = re.compile(
    r"\b(?:he|she|him|her|his|hers|himself|herself|he's|she's|he’s|she’s|mr|mrs|ms|miss|dr|mum|dad|mother|father|nan|gran|"
    r"stepdad|stepmum|sister|brother|uncle|auntie|husband|wife|son|daughter|"
    r"(?:the|this|that|our|a|one|poor|\d{1,2}[- ]year[- ]old|year \d{1,2}|y\d{1,2}) (?:boy|girl|lad|lass|woman|man|teenager|toddler|baby)|"
    # Whom a post tells, where something is said of its holder: "the head of maths has just been arrested".
    r"(?:the|our) (?:head of [a-z]{2,12}|site manager|caretaker|cleaner|cook|bursar|deputy head|headteacher|senco|receptionist|librarian|"
    r"business manager|finance officer|chair of governors) (?:has|had|is|was)\b|"
    r"(?:the|this|that) (?:pupil|student|child|young person|employee|colleague|applicant|candidate|family|parent|complainant))\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![\w.'’/@-])([A-Z][a-zà-ÿ]{1,20}(?:['’-][A-Z][a-zà-ÿ]{1,20})?)(?:['’]s)?(?![\w@])")
_VERB_AFTER = re.compile(
    r"(?:['’]s)?(?: [A-Z][\w'’-]{1,20}){0,2} (?:is|was|has|had|will|would|did|does|says|said|told|needs|takes|gets|suffers|lives|"
    r"came|went|left|got|hasn|isn|wasn|cannot|can|could|should|may|remains|receives|attends|uses|struggles)\b"
    r"|['’]s (?:on|off|in|at|under|with|been|got|had|not|now|just|still|going|having|back|away|out|a|an|very|really|no|due|also)\b"
)
_INITIALS = re.compile(r"(?<![\w.])(?:[A-Z]\.? ?){2,3}(?= \(?(?:Y(?:ear)? ?\d|\d{1,2}[A-Z]{1,3}\b)|\b in \d{1,2}[A-Z])")


def has_somebody(text: str, start: int, end: int) -> bool:
    """Whether the stretch speaks of one person: a singular pronoun, a title, "the boy", initials with a class, a name."""
    if _SOMEBODY.search(text, start, end):
        return True
    for name in _NAME.finditer(text, start, end):
        if name[1].lower() in _NO_NAMES:
            continue
        opens = not text[start : name.start()].strip(" \t\r\n\"'“‘(>-•*0123456789.")
        if not opens or _VERB_AFTER.match(text, name.end(1)):
            return True
    return _INITIALS.search(text, start, end) is not None


def sentences(text: str, longest: int) -> Iterator[tuple[int, int]]:
    """The sentences, list items and table cells of a text; one that is longer than `longest` characters is cut at a line's end
    or a blank. Blanks around them are left out.
    """
    start = 0
    ends = [*(match.end() for match in _STOP.finditer(text)), len(text)]
    for end in ends:
        while end - start > longest:
            cut = max(
                text.rfind("\n", start + longest // 2, start + longest),
                text.rfind(" ", start + longest // 2, start + longest),
            )
            cut = cut if cut > start else start + longest
            yield from _trimmed(text, start, cut)
            start = cut
        yield from _trimmed(text, start, end)
        start = end


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    inner = text[start:end].strip()
    if inner:
        first = text.index(inner, start)
        yield first, first + len(inner)
