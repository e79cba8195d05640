"""A small transformer that reads a short mail, or a stretch of a longer one, as a whole: what somebody means, whatever words they
choose.

What the user sees: "reads as a threat", "reads as bullying", with the place of the sentence that says it most and never its text.
Lists of wordings know what their authors thought of; this model has learnt from thousands of sentences and mails what a breach of each
kind sounds like, and what only resembles one. Which of it counts by itself, and which only beside a listed sign, is for the rules to
say.

The layers of MiniLM (BERT: Devlin et al. 2018; MiniLM: Wang et al. 2020) with one output a class, in 8 bits, run by ONNX Runtime on
one thread. Few passages get that far: it is asked only for what a rule could use, and a table of words, some microseconds a passage,
says which are worth asking about; of one text at most MOST_ASKED are and some more of a long one, the likeliest first; what is left
out is said. Data, licences, figures and known faults: `models/meaning.md`; made by `tests/bench/train_meaning.py`.
"""

from __future__ import annotations

import base64
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from detectors.base import Context, TextDetector, Waking
from detectors.whose_words import NOT_MEANT, introduced, is_challenged, is_lesson, is_report, mostly_quoted
from detectors.wording import sentences
from scanner.model import Hit

_MODELS = Path(__file__).parent / "models"
# The network, its vocabulary (WordPiece, a token a line), and its classes with their thresholds and the table of words.
NETWORK, TOKENS, TABLE = _MODELS / "meaning.onnx", _MODELS / "meaning_tokens.txt", _MODELS / "meaning.json"
# In the order of the network's outputs. The label of a class is `reads_as_` and its name; `scanner/labels.py` explains it.
CLASSES = (
    "threat", "harassment", "discrimination", "sexual", "insult", "disrepute", "disclosure", "staff_pupil",
    "private_contact", "sensitive", "credentials", "confidential", "chain", "hoax", "round_robin", "phishing",
    "impersonation", "ai_service", "personal_cloud", "contract_commitment", "copyright", "gambling", "auction",
    "private_business",
)  # fmt: skip
_LANGUAGE = frozenset({"threat", "harassment", "discrimination", "sexual", "insult", "disrepute"})
_LISTED = frozenset({"threat", "harassment", "discrimination", "sexual", "profanity", "abuse", "disparagement"})
# Alike in their words: who writes to whom decides which it is, and that is for the rules.
_TWINS: Mapping[str, tuple[str, ...]] = {"staff_pupil": ("sexual",), "sexual": ("staff_pupil",)}
# So far a lesson is talked of.
_NEAR = 250
# Tokens that are read of a passage.
LONGEST = 112
# Of the sentences of one so many are asked about, the likeliest by their words.
_MOST_LIKELY = 3
# Passages that read as a breach in which is looked for the sentence that says it, and for quotations.
_MOST_LOOKED_INTO = 12
# With fewer words nothing is judged: a cell of a table, a greeting.
_ENOUGH_WORDS = 4
# Four words have so many characters at least.
_SHORTEST = 7
# Of one text; a long one has more to say, and its cost stays linear.
MOST_ASKED, PER_ASKED = 16, 8_000
_BATCH = 8
# Of characters, so that it is nearly always less than LONGEST tokens.
_STRETCH = 400
# A quotation of several words; in single marks it cannot be told from apostrophes.
_QUOTATION = re.compile(r"\"[^\"\n]{20,400}\"|“[^“”]{20,400}”|«[^«»]{20,400}»|„[^„“”]{20,400}[“”]")
_CELL = re.compile(r"[^\t]+")
_WORD = re.compile(r"[a-z0-9£$*@']+")
# More than LONGEST tokens of ordinary text.
_MOST_READ = 600
_CLS, _SEP, _UNKNOWN = 101, 102, 100
_LOGIT_OF_HIGH = math.log(0.75 / 0.25)


class Tokeniser:
    """BERT's uncased WordPiece (Devlin et al. 2018, appendix A.2; Wu et al. 2016), the longest piece first."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._number = {token: number for number, token in enumerate(tokens)}

    def numbers(self, text: str) -> list[int]:
        """Token numbers with BERT's first and last, at most LONGEST."""
        plain = "".join(map(_as_read, unicodedata.normalize("NFD", text[:_MOST_READ].lower())))
        found = [_CLS]
        for word in plain.split():
            found.extend(self._pieces(word))
            if len(found) >= LONGEST - 1:
                break
        return [*found[: LONGEST - 1], _SEP]

    def _pieces(self, word: str) -> list[int]:
        whole = self._number.get(word)
        if whole is not None:
            return [whole]
        if len(word) > 100:
            return [_UNKNOWN]
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = self._number.get(prefix + word[start:end])
                if piece is not None:
                    pieces.append(piece)
                    start = end
                    break
            else:
                return [_UNKNOWN]
        return pieces


def _as_read(character: str) -> str:
    """What BERT's first step makes of a character: accents and controls go, punctuation stands by itself."""
    if "\u4e00" <= character <= "\u9fff":
        return f" {character} "
    if character.isalnum() or character in " £":
        return character
    kind = unicodedata.category(character)
    if kind == "Mn" or character in "\0\ufffd" or (kind in ("Cc", "Cf", "Cn", "Co") and character not in "\t\n\r"):
        return ""
    if kind[0] == "P" or character in "$+<=>^`|~":
        return f" {character} "
    return " " if kind == "Zs" else character


def words_of(sentence: str) -> list[str]:
    """The words of a sentence as the table has them."""
    return _WORD.findall(sentence.lower().replace("’", "'"))


def terms(words: Sequence[str]) -> set[str]:
    """What the table of words weighs: the distinct words of a sentence and the pairs of neighbours."""
    return {*words, *(f"{first} {second}" for first, second in pairwise(words))}


@dataclass(frozen=True)
class WordTable:
    """What words promise: logits of a logistic regression over all classes, each less that of "none of them". `rows`: the row of
    `weights` of a term, a column a class; the last row is zero. From `asked_from` on a passage is worth asking about.
    """

    rows: Mapping[str, int]
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    asked_from: float

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> WordTable:
        """From what `meaning.json` holds, the weights as steps in 8 bits. Raises ValueError where it is of other classes."""
        words = facts["words"]
        steps = np.frombuffer(base64.b64decode(facts["weights"]), np.int8).reshape(len(words), len(CLASSES))
        weights = np.zeros((len(words) + 1, len(CLASSES)), np.float32)
        weights[:-1] = steps * np.float32(facts["step"])
        rows = {word: row for row, word in enumerate(words)}
        return cls(rows, weights, np.asarray(facts["offsets"], np.float32), float(facts["asked_from"]))

    def promises(self, passages: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """A row a passage, given as its words, a column a class. No probabilities."""
        chosen: list[int] = []
        starts, numbers = [], []
        for words in passages:
            found = terms(words)
            starts.append(len(chosen))
            numbers.append(len(found) or 1)
            # Keeps apart a passage of which no term is known.
            chosen.append(len(self.rows))
            chosen += [row for row in map(self.rows.get, found) if row is not None]
        sums: NDArray[np.float32] = np.add.reduceat(self.weights[chosen], starts, axis=0)
        sums /= np.sqrt(np.asarray(numbers, np.float32))[:, None]
        sums += self.offsets
        return sums


@dataclass(frozen=True)
class Model:
    """The network as loaded. `bands`: for each class the raw scores from which it is medium (0.5) and high (0.75); `slope`: how
    fast, in logits, it gets surer beyond.
    """

    session: onnxruntime.InferenceSession
    tokeniser: Tokeniser
    bands: tuple[tuple[float, float], ...]
    slope: float
    table: WordTable

    @classmethod
    def load(cls, network: Path = NETWORK, tokens: Path = TOKENS, table: Path = TABLE) -> Model:
        """Raises OSError where a file is missing, ValueError where they do not belong together."""
        facts = json.loads(table.read_text("utf-8"))
        if tuple(facts["bands"]) != CLASSES:
            raise ValueError(f"{table.name} is of other classes than detectors/meaning.py")
        return cls(
            session_of(network),
            Tokeniser(tokens.read_text("utf-8").split("\n")),
            tuple((float(low), float(high)) for low, high in facts["bands"].values()),
            float(facts["slope"]),
            WordTable.read(facts),
        )

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A row a text, a column a class: the network's raw scores (logits). Texts of like length are asked together."""
        numbered = sorted(
            ((self.tokeniser.numbers(text), place) for place, text in enumerate(texts)), key=lambda each: len(each[0])
        )
        found = np.zeros((len(texts), len(CLASSES)), dtype=np.float32)
        for start in range(0, len(numbered), _BATCH):
            batch = numbered[start : start + _BATCH]
            width = max(len(numbers) for numbers, _ in batch)
            tokens = np.zeros((len(batch), width), dtype=np.int64)
            there = np.zeros((len(batch), width), dtype=np.float32)
            for row, (numbers, _) in enumerate(batch):
                tokens[row, : len(numbers)] = numbers
                there[row, : len(numbers)] = 1.0
            (raw,) = self.session.run(None, {"tokens": tokens, "there": there})
            for row, (_, place) in enumerate(batch):
                found[place] = raw[row, : len(CLASSES)]
        return found


def session_of(network: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(network.read_bytes(), options, providers=["CPUExecutionProvider"])


def passages(text: str, others: Sequence[tuple[int, int]] = ()) -> Iterator[tuple[int, int]]:
    """What is judged as one: neighbouring sentences, as many as the network can read at once, because what somebody means shows
    in what stands around. Stretches of equal length, none across a table's cells or into the words of `others`; cells too short for
    four words are left out.
    """
    for start, end in _own(text, others):
        for cell in _CELL.finditer(text, start, end):
            if len(cell[0]) < _SHORTEST:
                continue
            yield from _even(list(sentences(text[cell.start() : cell.end()], _STRETCH)), cell.start())


def _even(found: Sequence[tuple[int, int]], offset: int) -> Iterator[tuple[int, int]]:
    """Sentences joined to passages of about the same length, about _STRETCH at most."""
    if not found:
        return
    first, whole = found[0][0], found[-1][1] - found[0][0]
    number = math.ceil(whole / _STRETCH)
    for _, members in groupby(found, key=lambda each: ((each[0] + each[1]) / 2 - first) * number // (whole + 1)):
        joined = list(members)
        yield joined[0][0] + offset, joined[-1][1] + offset


def _own(text: str, others: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What lies between the spans of `others`."""
    start = 0
    for first, last in others:
        if first > start:
            yield start, first
        start = max(start, last)
    if start < len(text):
        yield start, len(text)


def _any_within(hits: Sequence[Hit], start: int, end: int) -> bool:
    return any(start < hit.end and hit.start < end for hit in hits)


def confidence(score: float, band: tuple[float, float], slope: float) -> float:
    """The score as a confidence. From where the class is high it is how many of a hundred such passages in mail are what they are
    read as (0.75 and up, to 0.97), with `slope` in logits; below, straight through 0.5 where the class is medium.
    """
    low, high = band
    if score < high:
        return max(0.0, 0.5 + 0.25 * (score - low) / (high - low))
    return min(0.97, 1.0 / (1.0 + math.exp(-min(30.0, _LOGIT_OF_HIGH + slope * (score - high)))))


def _label(name: str) -> str:
    return f"reads_as_{name}"


class Meaning(TextDetector):
    """Sentences that read as a breach of one kind or another."""

    labels: ClassVar[tuple[str, ...]] = tuple(map(_label, CLASSES))
    wake: ClassVar[tuple[str, ...]] = ()
    # After the lists, whose hits say which sentences have been heard already.
    stage: ClassVar[int] = 2
    files: ClassVar[tuple[Path, ...]] = (NETWORK, TOKENS, TABLE)
    on_demand: ClassVar[bool] = True

    @cached_property
    def model(self) -> Model:
        """Loaded when the first text comes: a tenth of a second that `--help` need not wait for."""
        return Model.load()

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterator[Hit]:
        wanted = CLASSES if context.wanted is None else [name for name in CLASSES if _label(name) in context.wanted]
        asked = sorted(self._promising(text, wanted, context)) if wanted else []
        if not asked:
            return
        report = is_report(text)
        listed = [hit for hit in context.hits if hit.label in _LISTED]
        heard = [hit for hit in listed if hit.confidence >= 0.75]
        excused = [hit for hit in listed if any(reason.startswith(NOT_MEANT) for reason in hit.reasons)]
        looked = 0
        for passage, row in zip(asked, self.model.scores([text[start:end] for start, end in asked]), strict=True):
            # A passage is read as one thing, that which it is most.
            best = CLASSES[int(np.argmax(row))]
            for name in (best, *_TWINS.get(best, ())):
                column = CLASSES.index(name)
                sure = confidence(float(row[column]), self.model.bands[column], self.model.slope)
                if sure < 0.5:
                    continue
                looked += 1
                closely = looked <= _MOST_LOOKED_INTO
                start, end = self._said(text, passage, column) if closely else passage
                # What a listed word says outright needs no second opinion of another name.
                if name in _LANGUAGE and _any_within(heard, start, end):
                    continue
                # One sentence does not say whose words it holds; what stands in and around it may.
                quoted = (
                    mostly_quoted(text, start, end)
                    or introduced(text, start)
                    or (closely and self._only_quoted(text, passage, column))
                )
                why = "quoted" if quoted else ""
                if name in _LANGUAGE and not why:
                    not_meant = _any_within(excused, start, end)
                    why = "its words are not meant" if not_meant else self._excused(text, start, end, report)
                reasons: tuple[str, ...] = ("a model took the passage for this, and may be wrong",)
                if why:
                    sure, reasons = sure * 0.6, (*reasons, why)
                yield Hit(_label(name), start, end, text[start:end], round(sure, 3), reasons)

    def _only_quoted(self, text: str, passage: tuple[int, int], column: int) -> bool:
        """Whether the passage reads so for what stands in quotation marks, and no longer without it."""
        start, end = passage
        rest = _QUOTATION.sub(" ", text[start:end])
        if len(rest) == end - start:
            return False
        return float(self.model.scores([rest])[0, column]) < self.model.bands[column][0]

    def _said(self, text: str, passage: tuple[int, int], column: int) -> tuple[int, int]:
        """The sentence of the passage that says it most; all of the passage where no sentence says it alone."""
        start, end = passage
        found = [(start + first, start + last) for first, last in sentences(text[start:end], _STRETCH)]
        if len(found) < 2:
            return passage
        if len(found) > _MOST_LIKELY:
            promises = self.model.table.promises([words_of(text[first:last]) for first, last in found])[:, column]
            found = [found[place] for place in np.sort(np.argsort(promises)[-_MOST_LIKELY:])]
        alone = self.model.scores([text[first:last] for first, last in found])[:, column]
        most = int(np.argmax(alone))
        return found[most] if alone[most] >= self.model.bands[column][0] else passage

    def _excused(self, text: str, start: int, end: int, report: bool) -> str:
        """What speaks for it that harsh words are not the writer's own, or not meant; empty where nothing does."""
        if report:
            return "in a report"
        if is_challenged(text, start, end):
            return "said to be wrong, not meant"
        return "talk of a lesson or text" if is_lesson(text[max(0, start - _NEAR) : end + _NEAR], to_you=False) else ""

    def _promising(self, text: str, wanted: Sequence[str], context: Context) -> list[tuple[int, int]]:
        """The passages worth asking about: those whose words promise most of what is wanted, at most MOST_ASKED and one for each
        PER_ASKED characters. None that begins in words of others. What is left out is said to the budget.
        """
        words = {each: words_of(text[slice(*each)]) for each in passages(text, context.others)}
        own = [each for each, said in words.items() if len(said) >= _ENOUGH_WORDS]
        if not own:
            return []
        columns = sorted({CLASSES.index(each) for name in wanted for each in (name, *_TWINS.get(name, ()))})
        promises = self.model.table.promises([words[each] for each in own])[:, columns].max(axis=1)
        chosen = np.flatnonzero(promises >= self.model.table.asked_from)
        most = MOST_ASKED + len(text) // PER_ASKED
        if len(chosen) > most:
            chosen = chosen[np.argsort(promises[chosen], kind="stable")[-most:]]
            if context.budget is not None:
                context.budget.texts_cut += 1
        return [own[place] for place in chosen]
