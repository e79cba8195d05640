"""A lock with the key beside it: words of the message tried as passwords on its locked files.

What is kept is that a file opened and where the word stood; the word itself is not. Trying is work, so each try costs what
its key derivation costs, and a message may spend so much and no more (`Limits.key_milliseconds`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from scanner.errors import UnreadablePart
from scanner.extract import archives, foreign, legacy, opendocument, pdf
from scanner.extract.content import Child, Content, Trouble
from scanner.extract.limits import Limits
from scanner.extract.sniff import ODF, OOXML_LOCKED

Origin = Literal["message", "companion", "another", "guess"]

_MOST_WORDS = 400
_SHORTEST, _LONGEST = 4, 64
# A try that costs more than so many milliseconds is made for likely words only, and for few of them.
_DEAR, _DEAR_TRIES, _LIKELY = 20.0, 12, 3
# One that costs more than so many is not made at all. An honest file asks for 250 and less (Office: 100,000 rounds).
_DEAREST = 2_000.0
_TOLD_SCORE = 3
_TELLING = ("passw", "passc", "passp", "pass w", "pw ", "pw:", "pwd", " pin ", "code", "unlock", "open")
_SHORT_MESSAGE, _MOST_LOOKED_AT = 1_500, 50_000
_ADDRESS = re.compile(r"@|://|^www\.|\.(?:uk|com|org|net|example)\b", re.IGNORECASE)
# What surrounds a password in a sentence and can also be its end: both are tried.
_OPENING, _CLOSING = "\"'`([{<*_", "\"'`)]}>*_.,;:!?"
_TOLD = re.compile(
    r"pass ?words?|pass ?codes?|pass ?phrase|\bpw\b|\bpwd\b|\bpin\b|\bcode\b|unlock|\bopens?\b|\bkey\b|\blocked\b",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"(?:pass ?(?:word|code|phrase)|\bpwd?\b|\bpin\b|\bcode\b)[^\n:=]{0,60}?(?:\bis\b|[:=]|\bwill be\b)\s*([^\n]{4,64})",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"'`]([^\"'`\n]{4,64})[\"'`]")
_TOKEN = re.compile(r"\S{4,64}")
_DIGITS = re.compile(r"\d")
_LETTERS = re.compile(r"[A-Za-z]")
_SIGNS = re.compile(r"[^\w\s]")
_NAME_PIECES = re.compile(r"[\s_()\[\]{}=,;]+")
_DATE = re.compile(r"\b(\d{1,2})[/.-](\d{1,2})[/.-]((?:19|20)\d\d|\d\d)\b")
_POSTCODE = re.compile(r"\b([A-Z]{1,2}\d[A-Z\d]?) ?(\d[A-Z]{2})\b")
_COMMON = (
    "password", "Password", "Password1", "password1", "Password1!", "Password123", "password123", "Passw0rd", "1234",
    "12345", "123456", "12345678", "0000", "letmein", "welcome", "Welcome1", "school", "School1", "secret", "Secret1",
    "qwerty", "abc123", "confidential", "Confidential1",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """One candidate, and the part in whose text or name it stands. Not to be logged or printed."""

    value: str = field(repr=False)
    part: str
    origin: Origin
    score: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A lock that a word has opened: the locked part, and in which part the word stood ('' where it was guessed, or came
    from another message). `companion` numbers the other message whose lock it was; 0 for a lock of this one.
    """

    part: str
    where: str
    origin: Origin
    mechanism: str
    companion: int = 0


@dataclass(slots=True)
class Purse:
    """What a message may still spend on trying, in milliseconds of processor time as estimated per try."""

    left: float


# --- candidates -----------------------------------------------------------------------------------------------------


def words_in(texts: Iterable[tuple[str, str]], origin: Origin = "message") -> list[Word]:
    """Candidates in `(part, text)` pairs, the likeliest first: what is told to be a password, then what looks like one."""
    scored: dict[str, tuple[int, int, str]] = {}
    for part, text in texts:
        for score, value in _candidates(text[:200_000]):
            known = scored.get(value)
            if known is None or known[0] < score:
                scored[value] = (score, len(scored), part)
    ranked = sorted(scored.items(), key=lambda item: (-item[1][0], item[1][1]))
    return [Word(value, part, origin, score) for value, (score, _, part) in ranked[:_MOST_WORDS]]


def may_hold_key(texts: Iterable[tuple[str, str]]) -> bool:
    """Is there a word with letters and digits that is told to be a password, or stands alone in a short message? Such a
    word is worth trying on files of other messages. Every message is asked, so this is quick and only a first look.
    """
    texts = list(texts)
    is_short = sum(len(text) for _, text in texts) <= _SHORT_MESSAGE
    for _, text in texts:
        head = text[:_MOST_LOOKED_AT]
        if is_short and any(" " not in line and _is_key_like(line) for line in head.split("\n")):
            return True
        lower = head.lower()
        for telling in _TELLING:
            position = lower.find(telling)
            while position >= 0:
                # Its line, as far as that is near, and the line after it.
                start = max(head.rfind("\n", 0, position), position - 200)
                first_end = head.find("\n", position)
                end = head.find("\n", first_end + 1) if first_end >= 0 else -1
                window = head[start + 1 : min(position + 400, len(head) if end < 0 else end)]
                if any(_is_key_like(token) for token in window.split()):
                    return True
                position = lower.find(telling, position + 200)
    return False


def _is_key_like(token: str) -> bool:
    """Digits and letters, of a password's length, and no address."""
    return (
        _SHORTEST <= len(token) <= _LONGEST
        and not token.isalpha()
        and _DIGITS.search(token) is not None
        and _LETTERS.search(token) is not None
        and not _ADDRESS.search(token)
    )


def words_in_name(name: str) -> str:
    """A file's name as a text of words, without its ending."""
    stem = name.rpartition(".")[0] or name
    return " ".join(filter(None, _NAME_PIECES.split(stem)))


def guesses(texts: Iterable[tuple[str, str]], names: Iterable[str]) -> list[Word]:
    """What people take when they take the first thing: common words, the file's name, names of schools, dates and
    postcodes of the message, written in other ways than there.
    """
    found: dict[str, None] = dict.fromkeys(_COMMON[:4])
    for name in names:
        plain = name.rpartition(".")[0] or name
        squeezed = re.sub(r"\W+", "", plain)
        for form in (
            plain,
            squeezed,
            squeezed.lower(),
            squeezed.capitalize(),
            f"{squeezed}1",
            f"{squeezed.capitalize()}1",
        ):
            if _SHORTEST <= len(form) <= _LONGEST:
                found.setdefault(form)
    found |= dict.fromkeys(_COMMON)
    for _, text in texts:
        for day, month, year in _DATE.findall(text[:50_000])[:20]:
            full = year if len(year) == 4 else f"20{year}"
            for form in (
                f"{day:0>2}{month:0>2}{full}",
                f"{day:0>2}{month:0>2}{full[2:]}",
                f"{full}{month:0>2}{day:0>2}",
            ):
                found.setdefault(form)
        for outward, inward in _POSTCODE.findall(text[:50_000])[:20]:
            for form in (outward + inward, (outward + inward).lower()):
                found.setdefault(form)
    return [Word(value, "", "guess", _LIKELY) for value in list(found)[:_MOST_WORDS]]


def _candidates(text: str) -> Iterator[tuple[int, str]]:
    near = 0
    for line in text.split("\n"):
        told = bool(_TOLD.search(line))
        near = 2 if told else max(0, near - 1)
        if near:
            for match in _AFTER.finditer(line):
                yield from _phrases(match.group(1))
            for match in _QUOTED.finditer(line):
                yield 9, match.group(1).strip()
        tokens = _TOKEN.findall(line)
        for token in tokens:
            score = _TOLD_SCORE * bool(near) + 2 * (len(tokens) == 1)
            score += 2 * bool(_DIGITS.search(token) and _LETTERS.search(token)) + bool(_SIGNS.search(token[1:-1]))
            if not told and score < 2 and not _DIGITS.search(token) and token.islower():
                continue  # a plain word of a line that speaks of no password
            yield from ((score, form) for form in _forms(token))


def _phrases(rest: str) -> Iterator[tuple[int, str]]:
    """Passwords of several words: what follows "the password is", up to four words, with and without the spaces."""
    words = rest.split()
    for number in range(1, min(4, len(words)) + 1):
        joined = " ".join(words[:number])
        for form in _forms(joined):
            yield 10 - number, form
            if number > 1:
                yield 6 - number, form.replace(" ", "")


def _forms(token: str) -> Iterator[str]:
    stripped = token.lstrip(_OPENING)
    for form in dict.fromkeys((token, stripped.rstrip(_CLOSING), stripped, stripped.rstrip(".,;:"), stripped[:-1])):
        if _SHORTEST <= len(form) <= _LONGEST:
            yield form


# --- locks ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Lock:
    """How words are tried on one file: what a try costs, whether a word fits, and what the open file holds."""

    cost: float
    fits: Callable[[str], bool]
    content: Callable[[str], Content]


def open_with(
    kind: str, data: bytes, words: Iterable[Word], limits: Limits, purse: Purse
) -> tuple[Word, Content] | None:
    """The word that opens the file and what is then to be read, or None.

    Raises UnreadablePart for a damaged lock, and for one that asks too much work of whoever tries a word on it.
    """
    if not limits.key_milliseconds:
        return None
    lock = _lock_of(kind, data, limits)
    if lock is None:
        return None
    if lock.cost > _DEAREST:
        raise UnreadablePart("budget", "no password tried: the lock asks for more work than is allowed")
    if lock.cost > _DEAR:
        words = [word for word in words if word.score >= _LIKELY][:_DEAR_TRIES]
    for word in words:
        if purse.left < lock.cost:
            return None
        purse.left -= lock.cost
        if lock.fits(word.value):
            try:
                return word, lock.content(word.value)
            except UnreadablePart as error:
                trouble = Trouble(error.kind, f"the password fits, and what it opens cannot be read ({error.detail})")  # type: ignore[arg-type]
                return word, Content(read="none", troubles=[trouble])
    return None


def _lock_of(kind: str, data: bytes, limits: Limits) -> _Lock | None:
    if kind == "application/zip":
        keys = archives.zip_keys(data)
        return _Lock(
            2.0, lambda word: keys.opens(word, limits), lambda word: Content(children=keys.children(word, limits))
        )
    if kind == "application/pdf":
        reader = pdf.locked_reader(data)
        return _Lock(3.0, lambda word: pdf.opens_with(reader, word), lambda word: pdf.read_pdf(data, "", limits, word))
    if kind == "application/x-7z-compressed":
        return _Lock(
            120.0 * 2.0 ** (foreign.seven_zip_rounds(data) - 19),
            lambda word: foreign.seven_zip_opens(data, word, limits),
            lambda word: foreign.read_seven_zip(data, "", limits, word),
        )
    if kind == "application/vnd.rar":
        return _Lock(
            20.0 * 2.0 ** (archives.rar_rounds(data) - 15),
            lambda word: foreign.rar_opens(data, word, limits),
            lambda word: foreign.read_rar(data, "", limits, word),
        )
    if kind.startswith(ODF):
        document = opendocument.OdfKeys(data)
        return _Lock(
            document.cost,
            lambda word: document.opens(word, limits),
            lambda word: Content(children=document.children(word, limits)),
        )
    if kind == OOXML_LOCKED or kind in (
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
    ):
        return _Lock(
            legacy.cost_of_a_try(data),
            lambda word: legacy.fits(data, word),
            lambda word: Content(children=(_office(data, word),)),
        )
    return None


def _office(data: bytes, word: str) -> Child:
    plain = legacy.opened(data, word)
    if plain is None:
        raise UnreadablePart("corrupt", "Office package")
    return Child("opened", lambda: plain, len(plain))
