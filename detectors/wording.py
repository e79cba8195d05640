"""Word lists as data: reading `rules/lists/*.yml`, finding their entries in a text, and what stands around an entry.

A list is a mapping with `groups` (and `slots`, named alternatives for use in terms). A group has a `label`, a `weight`
and `means` (words for a hit's reasons), may be `exact` (case counts, for acronyms) and has `terms`. A term is plain words
in a small notation, chosen so that nothing in it can run super-linearly:

- a blank stands for blanks, line ends or hyphens; a hyphen may also be left out or be a blank; an apostrophe may be left out
- `(a|b)` alternatives, `(a|b)?` or `x?` optional, `[ab]` one of these characters, `{1,3}` so many times, `\\d` a digit
- `…` up to six other words of the same sentence
- `<name>` one of the slot's alternatives

Terms match whole words only, which is what keeps Scunthorpe, Cockburn and grape harmless.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from detectors.base import Waking
from scanner.errors import ConfigError

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
_ALLOWED = re.compile(r"[\w \-'&/.,:;!=£$€@+#%()|?\[\]{}<>…\\]+\Z")
_BRACES = re.compile(r"\{\d(?:,\d)?\}")
_SLOT = re.compile(r"<([a-z_]+)>")
_BLANK = r"[\s\-]{1,3}"
# Between two words of one sentence: a little punctuation, or one line end, never an empty line.
_BETWEEN = r"(?:[^\w.!?;\n]{1,3}|[^\w.!?;\n]{0,2}\n[^\w.!?;\n]{0,2})"
_GAP = rf"(?:{_BETWEEN}\w{{1,30}}){{0,6}}?{_BETWEEN}"
_GAP_WIDTH = 220
_TERM_WIDTH = 90
MOST_PER_ENTRY = 300
MOST_PER_TEXT = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One term of a list, ready to be looked for. `anchors` are the Hyperscan expressions that say where to look."""

    label: str
    weight: str
    means: str
    group: str
    pattern: re.Pattern[str]
    anchors: tuple[str, ...]
    has_gap: bool
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
    slots: dict[str, str] = {}
    for slot, words in (content.get("slots") or {}).items():
        slots[str(slot)] = "(?:" + "|".join(_body(str(word), slots, f"{place}: slot {slot}") for word in words) + ")"
    entries: list[Entry] = []
    seen: dict[tuple[str, bool], int] = {}
    for number, group in enumerate(content["groups"], 1):
        where = f"{place}: group {number}"
        entries.extend(_group(group, slots, where, labels, weights, seen))
    return tuple(entries)


def _group(
    group: object,
    slots: Mapping[str, str],
    where: str,
    labels: Sequence[str],
    weights: Sequence[str],
    seen: dict[tuple[str, bool], int],
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
        if (term, exact) in seen:
            raise ConfigError(where, f"term {term!r} stands in the list twice (also group {seen[term, exact]})")
        seen[term, exact] = int(where.rpartition(" ")[2])
        body = _body(term, slots, where)
        if "|" in re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", re.sub(r"\([^()]*\)", "", term))):
            raise ConfigError(where, f"term {term!r} has | outside parentheses")
        if any(stretch.count("(") != stretch.count(")") for stretch in term.split("…")):
            raise ConfigError(where, f"term {term!r} has … inside parentheses; it may only stand between them")
        try:
            pattern = re.compile(rf"(?<!\w){body}(?!\w)", re.NOFLAG if exact else re.IGNORECASE)
        except re.error as error:
            raise ConfigError(where, f"term {term!r} is not in the notation of lists: {error}") from error
        if pattern.match(""):
            raise ConfigError(where, f"term {term!r} matches nothing at all")
        whole = r"\b" + _body(max(term.split("…"), key=_sure).strip(), slots, where) + r"\b"
        yield Entry(
            label,
            weight,
            str(group.get("means", "")),
            str(group.get("group", "")),
            pattern,
            _anchors(term, whole),
            "…" in term,
            str(group.get("needs", "")),
        )


# Too common in school prose to say where to look.
_COMMON = frozenset(
    """
    that with have from their this been were they will would your about into over when them what some more other there could
    should school schools pupil pupils child children student students staff teacher parent parents after before because
    being going which where today every year please meeting also just like send email this these those then than week time
    """.split()
)
_RUN = re.compile(r"[a-z]+\??", re.IGNORECASE)
_GROUP = re.compile(r"\(([^()]*)\)(?!\?)")


def _anchors(term: str, fallback: str) -> tuple[str, ...]:
    """Hyperscan expressions of which at least one is in every form of the term: its longest rare word, where there is one.

    Else the rare words of one of its groups, a word for each alternative. Plain words compile far quicker than whole terms
    with their alternatives, and terms that share a word share the expression. `fallback` serves where no word is rare.
    """
    plain = _SLOT.sub(" . ", term)
    while "(" in plain:
        shorter = re.sub(r"\([^()]*\)\??", ".", plain)
        if shorter == plain:
            break
        plain = shorter
    word = _rarest(plain)
    if word:
        return (word,)
    best: tuple[str, ...] = ()
    for group in _GROUP.finditer(_SLOT.sub(" . ", term)):
        # A group inside an optional one need not be there at all.
        before = term[: term.find(group[0])]
        if before.count("(") != before.count(")"):
            continue
        words = tuple(_rarest(f".{alternative}.") for alternative in group[1].split("|"))
        if all(words) and (not best or min(map(len, words)) > min(map(len, best))):
            best = words
    return best or (fallback,)


def _rarest(plain: str) -> str:
    """The longest rare word of a stretch without groups, closed by word boundaries where the stretch certainly is."""
    best, length = "", 0
    for run in _RUN.finditer(plain):
        word, after, before = run[0], plain[run.end() : run.end() + 1], plain[run.start() - 1 : run.start()]
        if word.endswith("?"):
            word, after = word[:-2], "?"
        if len(word) >= (3 if word.isupper() else 4) and len(word) > length and word.lower() not in _COMMON:
            best = (r"\b" if before in ("", " ", "…") else "") + word + (r"\b" if after in ("", " ", "…") else "")
            length = len(word)
    return best


def _sure(stretch: str) -> int:
    """How many letters certainly stand in a stretch, slots and options counted as few: the rarer, the fewer false wakings."""
    fixed = _SLOT.sub("", re.sub(r"\([^()]*\)\??", "..", stretch))
    return sum(character.isalnum() for character in re.sub(r"\w\?", "", fixed)) + fixed.count("..")


def _body(term: str, slots: Mapping[str, str], where: str) -> str:
    rest = _BRACES.sub("", term)
    if not _ALLOWED.match(term) or "{" in rest or "\\" in rest.replace("\\d", ""):
        raise ConfigError(where, f"term {term!r} has characters that the notation of lists does not know")
    pieces: list[str] = []
    position = 0
    while position < len(term):
        character = term[position]
        if character == "<":
            found = _SLOT.match(term, position)
            if found is None or found[1] not in slots:
                raise ConfigError(where, f"term {term!r} names a slot that is not there (slots: {', '.join(slots)})")
            pieces.append(slots[found[1]])
            position = found.end()
            continue
        if character == "[":
            close = term.find("]", position)
            pieces.append(term[position : close + 1])
            position = close + 1 if close > 0 else len(term)
            continue
        if character == "{":
            close = term.index("}", position)
            pieces.append(term[position : close + 1])
            position = close + 1
            continue
        if character == "…":
            while pieces and pieces[-1] == _BLANK:
                pieces.pop()
            pieces.append(_GAP)
            while position + 1 < len(term) and term[position + 1] == " ":
                position += 1
        elif character == " ":
            pieces.append(r"(?:[\s\-]{1,3})" if term[position + 1 : position + 2] == "?" else _BLANK)
        elif character == "-":
            pieces.append(r"[\s\-]?")
        elif character == "'":
            pieces.append("['’]?")
        elif character == "(":
            pieces.append("(?:")
        elif character == "\\":
            pieces.append(r"\d")
            position += 1
        elif character in ")|?":
            pieces.append(character)
        else:
            pieces.append(re.escape(character))
        position += 1
    return "".join(pieces)


class WordList:
    """Entries by the expression that wakes them, and the search around each waking."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        by_anchor: dict[str, list[Entry]] = {}
        for entry in entries:
            for anchor in entry.anchors:
                by_anchor.setdefault(anchor, []).append(entry)
        self.entries = tuple(entries)
        self.wake = tuple(by_anchor)
        self._woken = tuple(tuple(group) for group in by_anchor.values())

    def matches(self, text: str, wakings: Sequence[Waking]) -> list[Match]:
        """Every place of every woken entry, in order; at most MOST_PER_ENTRY of one entry, so that cost stays linear."""
        found: dict[tuple[int, int], Match] = {}
        counts: dict[int, int] = {}
        searched: dict[int, int] = {}
        for waking in wakings:
            if not 0 <= waking.index < len(self._woken):
                continue
            for entry in self._woken[waking.index]:
                key = id(entry)
                if counts.get(key, 0) >= MOST_PER_ENTRY or len(found) >= MOST_PER_TEXT:
                    continue
                width = _GAP_WIDTH if entry.has_gap else _TERM_WIDTH
                low = max(0, waking.end - width, searched.get(key, 0))
                high = min(len(text), waking.end + width)
                for match in entry.pattern.finditer(text, low, high):
                    if match.end() == high and high < len(text) and (text[high].isalnum() or text[high] == "_"):
                        continue
                    if (key, match.start()) not in found:
                        found[key, match.start()] = Match(entry, match.start(), match.end())
                        counts[key] = counts.get(key, 0) + 1
                    searched[key] = match.end()
        return sorted(found.values(), key=lambda match: (match.start, -match.end))


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
    """.split()
)
_SOMEBODY = re.compile(
    r"\b(?:he|she|him|her|his|hers|himself|herself|he's|she's|he’s|she’s|mr|mrs|ms|miss|dr|mum|dad|mother|father|nan|gran|"
    r"stepdad|stepmum|sister|brother|uncle|auntie|husband|wife|son|daughter|"
    r"(?:the|this|that|our|a|one|poor|\d{1,2}[- ]year[- ]old|year \d{1,2}|y\d{1,2}) (?:boy|girl|lad|lass|woman|man|teenager|toddler|baby)|"
    r"(?:the|this|that) (?:pupil|student|child|young person|employee|colleague|applicant|candidate|family|parent|complainant))\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![\w.'’/@-])([A-Z][a-zà-ÿ]{1,20}(?:['’-][A-Z][a-zà-ÿ]{1,20})?)(?:['’]s)?(?![\w@])")
_VERB_AFTER = re.compile(
    r"(?:['’]s)?(?: [A-Z][\w'’-]{1,20}){0,2} (?:is|was|has|had|will|would|did|does|says|said|told|needs|takes|gets|suffers|lives|"
    r"came|went|left|got|hasn|isn|wasn|cannot|can|could|should|may|remains|receives|attends|uses|struggles)\b"
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
