"""Everything that sees. `load()` walks this folder, builds one instance of each detector and puts the gate in front.

A detector is one file here and one case file of the same stem in `tests/cases/`; there is no list to edit.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import pkgutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

# numpy's matrix library starts a thread for each core, and on matrices as small as a sentence's they cost ten times what they
# save. It reads this when numpy is first imported; a worker has it in its environment already.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from detectors.analysis import Analysis
from detectors.base import Context, MessageDetector, PatternDetector, TextDetector, Waking
from detectors.gate import Gate
from detectors.normalise import WAKE, view
from detectors.own_patterns import own_patterns
from detectors.tables import TableMap, delimited, records
from scanner.errors import ConfigError, ConfigErrors
from scanner.model import Hit, People, Table
from scanner.ports import SENTENCE_END, Detectors, Message, NameBudget, NamesNear, OwnPattern

AnyDetector = PatternDetector | TextDetector | MessageDetector
_FOLDER = Path(__file__).parent
# A name matters to a rule only near something at least this sure; see `ports.Detectors.content`.
_NAMES_STAGE = 3
# The gate's own customer: where it wakes the text is put right before anybody reads it.
_NORMALISE = "normalise"
# Of one detector in one text: far more than any export of a trust, and less than a second of the slowest.
MOST_WAKINGS = 20_000


def load(
    extra: Sequence[AnyDetector] = (),
    *,
    model: Path | None = None,
    own: Sequence[OwnPattern] = (),
    kept: Path | None = None,
) -> Detectors:
    """All detectors of this folder and `extra` behind one door. `model` is the folder of another spaCy model, `own` are
    the patterns of admins, `kept` the folder where what was compiled before may lie.

    Raises ConfigErrors naming every file that cannot be imported and every label or name that is used twice.
    """
    found = walk(extra)
    if own:
        taken = frozenset(label for each in found.values() for label in each.labels)
        found["own_patterns"] = own_patterns(own, taken)
    return _Loaded(found, model, own, kept)


def walk(extra: Sequence[AnyDetector] = ()) -> dict[str, AnyDetector]:
    """One instance of each detector by file stem (`stem.Class` where a file has several); raises as `load` does."""
    errors: list[ConfigError] = []
    found: dict[str, AnyDetector] = {}
    for module in sorted(pkgutil.iter_modules([str(_FOLDER)]), key=lambda module: module.name):
        try:
            loaded = importlib.import_module(f"{__name__}.{module.name}")
        except (ImportError, SyntaxError, ValueError, TypeError, AttributeError, OSError, ConfigError) as error:
            errors.append(ConfigError(f"detectors/{module.name}.py", f"cannot be imported: {error}"))
            continue
        own = [kind for _, kind in inspect.getmembers(loaded, inspect.isclass) if kind.__module__ == loaded.__name__]
        kinds = [kind for kind in own if issubclass(kind, AnyDetector) and not inspect.isabstract(kind)]
        for kind in kinds:
            found[module.name if len(kinds) == 1 else f"{module.name}.{kind.__name__}"] = kind()
    for detector in extra:
        name = type(detector).__name__
        if name in found:
            errors.append(ConfigError(f"detectors/{name}", "the name is used twice"))
        found[name] = detector
    errors.extend(_label_clashes(found))
    if errors:
        raise ConfigErrors(errors)
    return found


def _label_clashes(found: Mapping[str, AnyDetector]) -> list[ConfigError]:
    """A label belongs to one file, so that an admin who reads it in a rule knows where it comes from."""
    owners: dict[str, set[str]] = defaultdict(set)
    for name, detector in found.items():
        for label in detector.labels:
            owners[label].add(name.partition(".")[0])
    return [
        ConfigError(f"detectors/{', '.join(sorted(names))}", f"the label {label!r} is used by more than one of them")
        for label, names in sorted(owners.items())
        if len(names) > 1
    ]


class _Loaded:
    """The `Detectors` port."""

    def __init__(
        self, found: Mapping[str, AnyDetector], model: Path | None, own: Sequence[OwnPattern], kept: Path | None
    ) -> None:
        self._patterns = {name: each for name, each in found.items() if isinstance(each, PatternDetector)}
        self._texts = {name: each for name, each in found.items() if isinstance(each, TextDetector)}
        self._messages = {name: each for name, each in found.items() if isinstance(each, MessageDetector)}
        awake: dict[str, PatternDetector | TextDetector] = {**self._patterns, **self._texts}
        self._gate = Gate({_NORMALISE: WAKE, **{name: each.wake for name, each in awake.items() if each.wake}}, kept)
        self._analysis = Analysis(self._patterns) if model is None else Analysis(self._patterns, model)
        self._stages = sorted({each.stage for each in self._texts.values()} | {_NAMES_STAGE})
        self._labels = frozenset(label for each in found.values() for label in each.labels)
        self._on_demand = frozenset(label for each in self._texts.values() if each.on_demand for label in each.labels)
        self._version = _version(found, self._analysis.model_version + (repr(tuple(own)) if own else ""))

    @property
    def version(self) -> str:
        return self._version

    @property
    def labels(self) -> frozenset[str]:
        return self._labels

    @property
    def on_demand(self) -> frozenset[str]:
        return self._on_demand

    @property
    def made(self) -> tuple[str, bytes] | None:
        return self._gate.made

    def content(
        self,
        text: str,
        tables: tuple[Table, ...] = (),
        *,
        people: People | None = None,
        names_near: tuple[NamesNear, ...] | None = None,
        budget: NameBudget | None = None,
        others: tuple[tuple[int, int], ...] = (),
        wanted: frozenset[str] | None = None,
    ) -> list[Hit]:
        wakings = self._gate.scan(text)
        seen = view(text, frozenset(waking.index for waking in wakings.get(_NORMALISE, ())), tabular=bool(tables))
        if seen is not None:
            if seen.cut and budget is not None:
                budget.texts_cut += 1
            text, tables, others = seen.text, seen.moved(tables), seen.spans(others)
            wakings = self._gate.scan(text)
        tables = tables or delimited(text) or records(text)
        cells = TableMap(text, tables)
        hits = self._analysis.patterns(text, self._bounded(wakings, budget), cells)
        names: tuple[tuple[int, int], ...] = ()
        for stage in self._stages:
            if stage == _NAMES_STAGE:
                names = self._analysis.names(text, _places_for_names(text, hits, names_near), budget)
            context = Context(tables, people, tuple(hits), names, others, budget, wanted)
            for name, detector in self._texts.items():
                if detector.stage == stage and (not detector.wake or name in wakings):
                    hits.extend(_signed(name, detector.detect(text, wakings.get(name, ()), context), cells))
        if seen is not None:
            spans = [seen.original(hit.start, hit.end) for hit in hits]
            hits = [replace(hit, start=start, end=end) for hit, (start, end) in zip(hits, spans, strict=True)]
        hits.sort(key=lambda hit: (hit.start, hit.end, hit.label))
        return hits

    def _bounded(
        self, wakings: Mapping[str, Sequence[Waking]], budget: NameBudget | None
    ) -> Mapping[str, Sequence[Waking]]:
        """The wakings of the pattern detectors, of each the first MOST_WAKINGS; `budget` is told where more were left out."""
        bounded = {name: wakings[name] for name in self._patterns if name in wakings}
        for name, woken in bounded.items():
            if len(woken) > MOST_WAKINGS:
                bounded[name] = woken[:MOST_WAKINGS]
                if budget is not None:
                    budget.texts_cut += 1
        return bounded

    def message(self, message: Message) -> list[Hit]:
        hits: list[Hit] = []
        for detector in self._messages.values():
            hits.extend(detector.detect(message))
        return hits


def _places_for_names(
    text: str, hits: Sequence[Hit], names_near: tuple[NamesNear, ...] | None
) -> list[tuple[int, int]] | None:
    """The spans of the text in which a name would matter; None is everywhere."""
    if names_near is None:
        return None
    places: dict[tuple[int, int], None] = {}
    for need in names_near:
        found = [hit for hit in hits if hit.label in need.labels and hit.confidence >= need.confidence]
        if len(found) >= need.count:
            places.update((_reach(text, hit, need), None) for hit in found)
    return list(places)


def _reach(text: str, hit: Hit, need: NamesNear) -> tuple[int, int]:
    """As far around the hit as a name may stand; in a table its row counts, whatever the sentences."""
    low, high = max(0, hit.start - need.within), min(len(text), hit.end + need.within)
    if need.sentences is None or hit.row is not None:
        return low, high
    before = [match.end() for match in SENTENCE_END.finditer(text, low, hit.start)]
    if len(before) > need.sentences:
        low = before[-need.sentences - 1]
    after = islice((match.start() for match in SENTENCE_END.finditer(text, hit.end, high)), need.sentences, None)
    return low, next(after, high)


def _signed(name: str, hits: Iterable[Hit], cells: TableMap) -> Iterator[Hit]:
    """The hits with their detector and, where they lie in a table, their row."""
    for hit in hits:
        row = hit.row
        if row is None and cells.cells and (cell := cells.at(hit.start)) is not None:
            row = (cell.table, cell.row)
        yield replace(hit, detector=hit.detector or name, row=row)


def _version(found: Mapping[str, AnyDetector], model_version: str) -> str:
    """A hash over the detector files, the data they read and the name model."""
    digest = hashlib.sha256(model_version.encode())
    files = {Path(inspect.getfile(type(each))) for each in found.values()} | set(_FOLDER.glob("*.py"))
    for each in found.values():
        if not isinstance(each, MessageDetector):
            files.update(each.files)
    for file in sorted(files):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


__all__ = ["Context", "MessageDetector", "PatternDetector", "TextDetector", "Waking", "load", "walk"]
