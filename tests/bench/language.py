"""What is heard of inappropriate language, and what is heard where nothing was said.

    .venv/bin/python tests/bench/language.py suite [--misses]     the functional suite beside this file, by class
    .venv/bin/python tests/bench/language.py words [--misses]     severe and strong terms in a sentence; innocent look-alikes
    .venv/bin/python tests/bench/language.py sets                 EDOS, Davidson and openings, beside two peers where installed
    .venv/bin/python tests/bench/language.py calibration          of what was said with so much confidence, how much was so
    .venv/bin/python tests/bench/language.py fairness             neutral mentions of people that are flagged, by characteristic
    .venv/bin/python tests/bench/language.py share FOLDER...      mail files: how many sentences the model is asked about

The peers are no part of the requirements: `pip install alt-profanity-check better-profanity` for the comparison.

Whole mails through `inspect`, as a member of staff sends them to a colleague, or to the address a class names.
"""

from __future__ import annotations

import argparse
import csv
import email
import email.policy
import functools
import itertools
import json
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import envelope
import fresh
from ruamel.yaml import YAML

import detectors
from connectors.people_file import load_people
from detectors.hostility import Hostility
from detectors.language import Language
from scanner import inspection
from scanner.directory import Directory
from scanner.evidence import FingerprintKey
from scanner.extract import Limits
from scanner.inspection import HitCache, Instruments, Regime
from scanner.model import Address, Body, Envelope, Recipient
from scanner.policy import load_policy
from scanner.routing import load_routing
from scanner.rulebook import load_rulebook

if TYPE_CHECKING:
    from train_hostility import Row

REPOSITORY = Path(__file__).resolve().parents[2]
EVAL = REPOSITORY.parent / "shared" / "eval"
SUITE = Path(__file__).with_name("language_suite.yml")
HIGH = 0.75  # contract section 3
TOPICS = frozenset({"inappropriate_language", "sexual_content", "threats", "harassment_discrimination"})
FROM, COLLEAGUE = "jane.smith@elt.example", "sam.lee@elt.example"
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One filled template. `expect` is empty where no topic of the language group may be found."""

    kind: str
    text: str
    expect: frozenset[str]
    to: str


def sentences(path: Path = SUITE) -> list[Sentence]:
    """The suite with every slot filled with each of its values."""
    content = YAML(typ="safe").load(path.read_text("utf-8"))
    return [
        Sentence(
            each["class"],
            text,
            frozenset(each[key] for key in ("expect", "or") if each.get(key)),
            each.get("to", COLLEAGUE),
        )
        for each in content["classes"]
        for template in each["templates"]
        for text in _filled(template, content["slots"])
    ]


def _filled(template: str, slots: Mapping[str, Sequence[str]]) -> Iterator[str]:
    names = list(dict.fromkeys(_SLOT.findall(template)))
    for values in itertools.product(*(slots[name] for name in names)):
        text = template
        for name, value in zip(names, values, strict=True):
            text = text.replace("{" + name + "}", value)
        yield text[:1].upper() + text[1:] if template.startswith("{") else text


class Judge:
    """The shipped rules and the default cast of the examples, as `inspect` is called everywhere."""

    def __init__(self) -> None:
        rules = REPOSITORY / "rules"
        seen = detectors.load()
        rulebook = load_rulebook(rules, seen.labels)
        self.regime = Regime(rulebook, load_policy(rules, "base", rulebook), load_routing(rules))
        self.directory = Directory(load_people(rules / "examples.people.yml"))
        self.seen = seen
        self.instruments = Instruments(seen, Limits(), FingerprintKey(0, b"\0" * 32), HitCache())

    def topics(self, text: str, to: str = COLLEAGUE) -> frozenset[str]:
        """The topics of the language group found in one mail with this body."""
        envelope = Envelope(
            source="bench",
            sent_at=datetime(2026, 9, 7, 10, 0, tzinfo=UTC),
            from_=Address(FROM, "Jane Smith"),
            recipients=(Recipient("to", to),),
            subject="Monday",
            bodies=(Body("text/plain", text),),
        )
        verdict = inspection.inspect(envelope, self.directory, self.regime, self.instruments)
        return frozenset(finding.topic for finding in verdict.findings if not finding.shadow) & TOPICS


def suite(judge: Judge, show_misses: bool) -> None:
    """Per class: how many sentences were judged as expected, and the share."""
    right: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    wrong: list[tuple[str, str, str]] = []
    for each in sentences():
        found = judge.topics(each.text, each.to)
        total[each.kind] += 1
        if bool(found & each.expect) if each.expect else not found:
            right[each.kind] += 1
        else:
            wrong.append((each.kind, each.text, ", ".join(sorted(found)) or "nothing"))
    must = {each.kind for each in sentences() if each.expect}
    for title, kinds in (("must be found", must), ("must pass", set(total) - must)):
        print(f"{title}: {sum(right[kind] for kind in kinds)} of {sum(total[kind] for kind in kinds)}")
        for kind in total:
            if kind in kinds:
                print(f"  {kind:36}{right[kind]:4} of {total[kind]:3}  {right[kind] / total[kind]:7.1%}")
    if show_misses:
        for kind, text, found in wrong:
            print(f"  {kind}: {text} -> {found}")


def words(judge: Judge, show_misses: bool) -> None:
    """The severe and strong terms of the lists, each called by somebody in a sentence; and strings that hold one by accident."""
    folder = EVAL / "wordlists"
    with (folder / "surge_profanity_en.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["severity_description"], row["category_1"]) for row in csv.DictReader(file)]
    for grade in ("Severe", "Strong"):
        terms = sorted({(text, category) for text, severity, category in rows if severity == grade})
        missed = [(text, category) for text, category in terms if not _heard(judge, text)]
        print(f"Surge {grade.lower()} terms found: {len(terms) - len(missed)} of {len(terms)}")
        for text, category in missed if show_misses else ():
            print(f"  {category}: {text}")
    innocent = (folder / "innocent_lookalikes.txt").read_text("utf-8").split("\n")
    innocent = [line.strip() for line in innocent if line.strip()]
    flagged = [line for line in innocent if _reportable(judge, f"We talked about {line} today.")]
    print(f"innocent look-alikes flagged: {len(flagged)} of {len(innocent)} ({len(flagged) / len(innocent):.3%})")
    for line in flagged if show_misses else ():
        print(f"  {line}")


# A term may be a noun, an adjective or something one does: one natural sentence for each.
FRAMES = ("You are a {}.", "He is such a {} and you know it.", "You {}!", "That is {}, frankly.")


def _heard(judge: Judge, term: str) -> bool:
    return any(_reportable(judge, frame.format(term)) for frame in FRAMES)


READ = frozenset(f"reads_as_{name}" for name in ("threat", "harassment", "discrimination", "sexual", "insult"))
LABELS = frozenset({"profanity", "abuse", "sexual", "threat", "harassment", "discrimination"}) | READ


def _reportable(judge: Judge, text: str) -> bool:
    hits: Iterable[detectors.Hit] = judge.seen.content(text, names_near=())
    return any(hit.label in LABELS and hit.confidence >= HIGH for hit in hits)


# --- public sets, beside the peers ----------------------------------------------------------------------------------

Judgement = Callable[[Sequence[str]], list[bool]]
# The model's own reasons: without them what is left is the word list.
_MODEL_REASONS = frozenset({"the whole sentence", "the whole sentence reads so"})
_CONTEMPT = frozenset({"discrimination", "reads_as_discrimination"})
DAVIDSON_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Heard:
    """The surest hit of one text, by who speaks: all, the word list alone, all that speaks of a protected characteristic."""

    all: float
    listed: float
    contempt: float


def systems(judge: Judge) -> dict[str, Judgement]:
    """Each by name: does a text hold inappropriate language? Ours at each band of the contract, section 3."""

    @functools.cache
    def heard(text: str) -> Heard:
        hits = [hit for hit in judge.seen.content(text, names_near=()) if hit.label in LABELS]
        listed = [hit for hit in hits if hit.label not in READ and not _MODEL_REASONS & set(hit.reasons)]
        return Heard(_surest(hits), _surest(listed), _surest(hit for hit in hits if hit.label in _CONTEMPT))

    found: dict[str, Judgement] = {
        "reportable": lambda texts: [heard(text).all >= HIGH for text in texts],
        "medium": lambda texts: [heard(text).all >= 0.5 for text in texts],
        "noted": lambda texts: [heard(text).all > 0 for text in texts],
        "list alone": lambda texts: [heard(text).listed >= HIGH for text in texts],
        "contempt": lambda texts: [heard(text).contempt >= HIGH for text in texts],
    }
    try:
        import profanity_check

        found["alt-profanity"] = lambda texts: [bool(each) for each in profanity_check.predict(list(texts))]
    except ImportError:
        print("alt-profanity-check is not installed: left out")
    try:
        from better_profanity import profanity

        profanity.load_censor_words()
        found["better-prof."] = lambda texts: [profanity.contains_profanity(text) for text in texts]
    except ImportError:
        print("better-profanity is not installed: left out")
    return found


def _surest(hits: Iterable[detectors.Hit]) -> float:
    return max((hit.confidence for hit in hits), default=0.0)


def _scores(said: Sequence[bool], wanted: Sequence[bool]) -> str:
    """F1, and precision and recall behind it."""
    true = sum(a and b for a, b in zip(said, wanted, strict=True))
    precision, recall = true / max(sum(said), 1), true / max(sum(wanted), 1)
    return f"{2 * precision * recall / max(precision + recall, 1e-9):.3f} ({precision:.3f}/{recall:.3f})"


FOLDS = 3
_BANDS = ((0.5, 0.75), (0.75, 0.85), (0.85, 0.93), (0.93, 1.01))


def _reliability(pairs: Sequence[tuple[float, bool]]) -> str:
    """How often what was said with so much confidence was so."""
    shown = []
    for low, high in _BANDS:
        band = [true for said, true in pairs if low <= said < high]
        shown.append(
            f"{low:.2f} to {min(high, 1):.2f}: {sum(band)} of {len(band)}"
            + (f" ({sum(band) / len(band):.2f})" if band else "")
        )
    return "  ".join(shown)


def folds(judge: Judge) -> dict[str, tuple[list[bool], list[bool]]]:
    """Davidson by models that never saw the row they are asked about: what each says, and what is so.

    Without the sentence model (`reads_as_…`), which learnt some of these rows and is not trained anew here.
    """
    import train_hostility as training

    rows = training.davidson()
    asked = set(range(0, len(rows), max(len(rows) // DAVIDSON_ROWS, 1)))
    sentences = Language._sentences
    shipped, scored = sentences.model, []
    peer: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(FOLDS):
            known = [row for number, row in enumerate(rows) if number % FOLDS != fold]
            path = Path(folder) / f"{fold}.npz"
            path.write_bytes(training.train([*training.edos("train"), *known, *training.neutral("learn")])[0])
            model = sentences.model = Hostility.load(path)
            tested = [rows[number] for number in sorted(asked) if number % FOLDS == fold]
            for row in tested:
                hits = [
                    hit
                    for hit in judge.seen.content(row.text, names_near=())
                    if hit.label in LABELS and hit.label not in READ
                ]
                others = any({"quoted", "reported speech", "in quotation marks"} & set(hit.reasons) for hit in hits)
                abusive = model.probabilities(row.text)["abuse"] >= 0.5
                scored.append((_surest(hits), abusive, row.kind != "neither", others))
            peer += _peer_recipe(known, tested)
    sentences.model = shipped
    truth = [each[2] for each in scored]
    found = {
        "linear model": ([each[1] for each in scored], truth),
        "list or linear": ([each[1] or each[0] >= HIGH for each in scored], truth),
        "list, model behind": ([each[0] >= HIGH for each in scored], truth),
    }
    if peer:
        found["recipe of alt-prof."] = (peer, truth)
    missed = [others for surest, _, true, others in scored if true and surest < HIGH]
    print(f"Davidson in {FOLDS} folds, {len(scored)} rows, none seen in training")
    print(
        f"  of {len(missed)} missed by the list with the model behind it {sum(missed)} were taken for somebody else's words"
    )
    print("  how often it was so  " + _reliability([(each[0], each[2]) for each in scored if each[0] >= 0.5]))
    return found


def _peer_recipe(known: Sequence[Row], tested: Sequence[Row]) -> list[bool]:
    """alt-profanity-check's vectoriser and classifier as they ship, trained on the fold instead. Empty where it is not installed."""
    try:
        from profanity_check import profanity_check as peer
    except ImportError:
        return []
    from sklearn.base import clone

    vectoriser, classifier = clone(peer.vectorizer), clone(peer.model)
    classifier.fit(vectoriser.fit_transform([row.text for row in known]), [row.kind != "neither" for row in known])
    return [bool(each) for each in classifier.predict(vectoriser.transform([row.text for row in tested]))]


# Which classes of `sentences/language.jsonl` a label speaks of. Coarse words stand in all of them.
_SPEAKS_OF = {
    "profanity": frozenset({"insult", "threat", "harassment", "discrimination", "sexual"}),
    "abuse": frozenset({"insult", "harassment", "threat", "discrimination"}),
    "harassment": frozenset({"harassment", "discrimination"}),
    "discrimination": frozenset({"discrimination", "harassment"}),
    "disparagement": frozenset({"disrepute"}),
    "reads_as_insult": frozenset({"insult"}),
    "reads_as_disrepute": frozenset({"disrepute"}),
}
_JUDGED = LABELS | {"disparagement", "reads_as_disrepute"}
_LANGUAGE_TOPICS = TOPICS | {"defamation_disrepute"}
_RELIABLE = ((0.5, 0.75), (0.75, 0.85), (0.85, 0.95), (0.95, 1.01))


def calibration(judge: Judge, show_misses: bool) -> None:
    """Of the hits of a label with so much confidence, how many were so, with Wilson's interval of 95 %, on what nothing was fitted to."""
    pairs: dict[str, list[tuple[float, bool, bool]]] = defaultdict(list)
    lines = (Path(__file__).with_name("sentences") / "language.jsonl").read_text("utf-8").splitlines()
    for row in map(json.loads, lines[1::2]):
        surest: dict[str, float] = {}
        for hit in judge.seen.content(row["text"], names_near=()):
            if hit.label in _JUDGED and hit.confidence >= 0.5:
                surest[hit.label] = max(surest.get(hit.label, 0.0), hit.confidence)
        for label, sure in surest.items():
            name = label.removeprefix("reads_as_")
            of_it = _SPEAKS_OF.get(label, frozenset({name}))
            pairs[label].append((sure, row["label"] in of_it, row["label"] != "none"))
    print(
        f"even lines of sentences/language.jsonl ({len(lines) // 2}; half are look-alikes): so, and some breach of language"
    )
    model = [pair for label, each in pairs.items() if label in READ | {"reads_as_disrepute"} for pair in each]
    listed = [pair for label, each in pairs.items() if label not in READ | {"reads_as_disrepute"} for pair in each]
    for title, each in (("sentence model", model), ("list", listed), *sorted(pairs.items())):
        _bins(title, [(sure, so) for sure, so, _ in each], [(sure, some) for sure, _, some in each])
    print("whole mails, even halves of three sets of fresh/: the finding's topic is one that the mail is labelled with")
    found: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for name in ("language", "staffroom", "corridor"):
        verdicts = dict(fresh.verdicts_in(fresh.HERE / name))
        for file, expect, allow, _ in fresh.labelled(fresh.HERE / name, "even"):
            for finding in verdicts[file]["findings"]:
                if finding["topic"] not in _LANGUAGE_TOPICS or finding["exempted_by"] or finding["topic"] in allow:
                    continue
                labels = {each["label"] for each in finding["evidence"]}
                source = "sentence model" if all(label.startswith("reads_as_") for label in labels) else "list"
                for title in ("all", source, finding["topic"]):
                    found[title].append((finding["confidence"], finding["topic"] in expect))
    for title, pairs_of in found.items():
        _bins(title, pairs_of)


def _bins(title: str, *each: Sequence[tuple[float, bool]]) -> None:
    """A line a source: for each bin of confidence how many of how many, and Wilson's interval."""
    shown = []
    for low, high in _RELIABLE:
        parts = [[so for sure, so in pairs if low <= sure < high] for pairs in each]
        if parts[0]:
            shown.append(
                f"{low:.2f}-{min(high, 1):.2f}: " + "; ".join(envelope.wilson(sum(of), len(of)) for of in parts)
            )
    print(f"  {title:28}" + "\n".ljust(31).join(shown or ["nothing"]))


def fairness(judge: Judge, show_misses: bool) -> None:
    """Neutral sentences that name people by a characteristic, none of which the model has learnt: how many are flagged."""
    import train_hostility as training

    rows = training.neutral("ask")
    said = {name: system([row.text for row in rows]) for name, system in systems(judge).items()}
    said = {name: each for name, each in said.items() if name != "list alone"}
    _table("share flagged of sentences", said, [row.kind for row in rows], share_of=True)
    if show_misses:
        for row, flagged in zip(rows, said["medium"], strict=True):
            if flagged:
                print(f"  {row.kind}: {row.text}")


def share(judge: Judge, folders: Sequence[Path]) -> None:
    """Of the sentences of real mail, how many the list hears something in, and how many the model is asked about."""
    asked = Counting(Language._sentences.model)
    Language._sentences.model = asked  # type: ignore[assignment]
    mails = sentences_seen = heard = 0
    for folder in folders:
        for path in sorted(folder.iterdir()):
            raw = path.read_bytes()
            raw = raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw
            message = email.message_from_bytes(raw, policy=email.policy.default)
            body = message.get_body(("plain",))
            try:
                text = body.get_content() if body is not None else ""
            except (LookupError, ValueError):
                continue
            mails += 1
            sentences_seen += len(re.split(r"[.!?]\s|\n\s*\n", text))
            heard += any(hit.label in LABELS for hit in judge.seen.content(text, names_near=()))
    print(
        f"{mails} mails, {sentences_seen} sentences: something heard in {heard} mails; the model asked about "
        f"{asked.number} sentences ({asked.number / max(sentences_seen, 1):.3%}), {asked.number / max(mails, 1):.3f} a mail"
    )


class Counting:
    """The model, counting how often it is asked."""

    def __init__(self, model: Hostility) -> None:
        self.model, self.number = model, 0

    def probabilities(self, sentence: str) -> dict[str, float]:
        self.number += 1
        return self.model.probabilities(sentence)


def sets(judge: Judge, show_misses: bool) -> None:
    """EDOS dev (sexist), Davidson (hate or offensive) and openings by kind, each system beside the peers; then across the sets."""
    import train_hostility as training  # scikit-learn: only here

    rows = training.edos("dev")
    tweets = training.davidson()
    tweets = tweets[:: max(len(tweets) // DAVIDSON_ROWS, 1)]
    openings = [
        training.Row(line.strip(), "openings", path.stem.removeprefix("rtp_"))
        for path in sorted((EVAL / "language" / "openings").glob("*.txt"))
        for line in path.read_text("utf-8").split("\n")
        if line.strip()
    ]
    # The openings have no harmless half. The harmless EDOS dev rows are kin to them and hold abuse of other kinds; the lines of
    # school mail in which nothing is wrong are what a trust sends.
    foul = [training.Row(row.text, "edos", "none") for row in rows if row.kind == "none"][: len(openings)]
    school = [training.Row(text, "school", "none") for text in _harmless()][: len(openings)]
    asked = {
        "EDOS dev": rows,
        "Davidson": tweets,
        "openings, EDOS": [*openings, *foul],
        "openings, school": [*openings, *school],
    }
    every = systems(judge)
    said = {
        title: {name: system([row.text for row in of]) for name, system in every.items()} for title, of in asked.items()
    }
    truth = {title: [row.kind not in ("none", "neither") for row in of] for title, of in asked.items()}
    print("F1 (precision/recall); " + ", ".join(f"{title} {len(of)}" for title, of in asked.items()))
    print(f"{'':20}" + "".join(f"{title:>24}" for title in asked))
    for name in every:
        print(f"{name:20}" + "".join(f"{_scores(said[title][name], truth[title]):>24}" for title in asked))
    print(
        "The sentence model has learnt from some Davidson rows, alt-profanity-check from all of them: for those the folds speak."
    )
    for name, (found, so) in folds(judge).items():
        print(f"{name:20}{'':24}{_scores(found, so):>24}")
    for title in ("EDOS dev", "Davidson", "openings, school"):
        _table(f"found in {title}, by class", said[title], [row.kind for row in asked[title]])
    if show_misses:
        _misses(judge, "Davidson", [row for row in tweets if row.kind != "neither"])
        _misses(judge, "openings", openings)
    model = Language._sentences.model
    chances = [max(each["discrimination"], each["sexism"]) for each in (model.probabilities(row.text) for row in rows)]
    print("the linear model on EDOS dev, which it has not seen: how often what it said was so")
    print("  " + _reliability([pair for pair in zip(chances, truth["EDOS dev"], strict=True) if pair[0] >= 0.5]))
    print("the linear model alone, trained on one and tested on another (at a probability of 0.5)")
    print("\n".join(f"  {line}" for line in training.across()))


def _harmless() -> list[str]:
    """Lines of school mail in which nothing is wrong, other than those written to resemble an offence of language."""
    folder = Path(__file__).with_name("sentences")
    lines = [
        line for name in ("conduct", "envelope") for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    return [row["text"] for row in map(json.loads, lines[1::2]) if row["label"] == "none"]


def _table(title: str, said: Mapping[str, Sequence[bool]], kinds: Sequence[str], share_of: bool = False) -> None:
    """A line a kind, a column a system: how many of the kind it flags."""
    print(f"{title:52}" + "".join(f"{name:>15}" for name in said))
    for kind in sorted(set(kinds)):
        places = [place for place, each in enumerate(kinds) if each == kind]
        counts = (sum(flags[place] for place in places) for flags in said.values())
        shown = (f"{count / len(places):15.3f}" if share_of else f"{count:15}" for count in counts)
        print(f"  {kind[:43]:44}{len(places):6}" + "".join(shown))


def _misses(judge: Judge, title: str, rows: Sequence[Row]) -> None:
    """What kept the surest hit of each missed text from being reportable, by how often."""
    why: Counter[str] = Counter()
    for row in rows:
        hits = [hit for hit in judge.seen.content(row.text, names_near=()) if hit.label in LABELS]
        best = max(hits, key=lambda hit: hit.confidence, default=None)
        if best is None:
            why["nothing heard"] += 1
        elif best.confidence < HIGH:
            why["read, and not sure" if len(best.reasons) == 1 else best.reasons[-1]] += 1
    print(
        f"missed in {title}, by the last reason of the surest hit: "
        + ", ".join(f"{each} {n}" for each, n in why.most_common())
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("suite", "words", "sets", "calibration", "fairness", "share"))
    parser.add_argument("folders", nargs="*", type=Path, help="for `share`: folders of mail files")
    parser.add_argument("--misses", action="store_true", help="print every sentence that was judged otherwise")
    options = parser.parse_args()
    if options.what in ("words", "sets") and not EVAL.is_dir():
        print(f"no evaluation material at {EVAL}", file=sys.stderr)
        return 2
    judge = Judge()
    if options.what == "share":
        share(judge, options.folders)
    else:
        ways = {"suite": suite, "words": words, "sets": sets, "calibration": calibration, "fairness": fairness}
        ways[options.what](judge, options.misses)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
