"""What is heard of inappropriate language, and what is heard where nothing was said.

    .venv/bin/python tests/bench/language.py suite [--misses]     the functional suite beside this file, by class
    .venv/bin/python tests/bench/language.py words [--misses]     severe and strong terms in a sentence; innocent look-alikes
    .venv/bin/python tests/bench/language.py sets                 EDOS, Davidson and openings, beside two peers where installed
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
import itertools
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
DAVIDSON_ROWS = 5_000


def systems(judge: Judge) -> dict[str, Judgement]:
    """Each by name: does a text hold inappropriate language?"""

    def best(text: str, model: bool, labels: frozenset[str] = LABELS) -> float:
        hits = [
            hit for hit in judge.seen.content(text, names_near=()) if hit.label in (labels if model else labels - READ)
        ]
        return max((hit.confidence for hit in hits if model or not _MODEL_REASONS & set(hit.reasons)), default=0.0)

    found: dict[str, Judgement] = {
        "mailwarden, reportable": lambda texts: [best(text, True) >= HIGH for text in texts],
        "mailwarden, discrimination": lambda texts: [
            best(text, True, frozenset({"discrimination", "reads_as_discrimination"})) >= HIGH for text in texts
        ],
        "mailwarden, medium": lambda texts: [best(text, True) >= 0.5 for text in texts],
        "mailwarden, list alone": lambda texts: [best(text, False) >= HIGH for text in texts],
    }
    try:
        import profanity_check

        found["alt-profanity-check"] = lambda texts: [bool(each) for each in profanity_check.predict(list(texts))]
    except ImportError:
        print("alt-profanity-check is not installed: left out")
    try:
        from better_profanity import profanity

        profanity.load_censor_words()
        found["better-profanity"] = lambda texts: [profanity.contains_profanity(text) for text in texts]
    except ImportError:
        print("better-profanity is not installed: left out")
    return found


def _scores(said: Sequence[bool], wanted: Sequence[bool]) -> str:
    true = sum(a and b for a, b in zip(said, wanted, strict=True))
    precision, recall = true / max(sum(said), 1), true / max(sum(wanted), 1)
    return f"P {precision:.3f}  R {recall:.3f}  F1 {2 * precision * recall / max(precision + recall, 1e-9):.3f}"


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


def folds(judge: Judge) -> None:
    """Davidson with a model that never saw the row it is asked about: everything else of it is as shipped."""
    import train_hostility as training

    rows = training.davidson()
    asked = set(range(0, len(rows), max(len(rows) // DAVIDSON_ROWS, 1)))
    sentences = Language._sentences
    shipped, scored = sentences.model, []
    with tempfile.TemporaryDirectory() as folder:
        for fold in range(FOLDS):
            known = [row for number, row in enumerate(rows) if number % FOLDS != fold]
            path = Path(folder) / f"{fold}.npz"
            path.write_bytes(training.train([*training.edos("train"), *known, *training.neutral("learn")])[0])
            sentences.model = Hostility.load(path)
            for number in sorted(asked):
                if number % FOLDS == fold:
                    hits = [hit for hit in judge.seen.content(rows[number].text, names_near=()) if hit.label in LABELS]
                    best = max(hits, key=lambda hit: hit.confidence, default=None)
                    others = any({"quoted", "reported speech", "in quotation marks"} & set(hit.reasons) for hit in hits)
                    scored.append((best.confidence if best else 0.0, rows[number].kind != "neither", others))
    sentences.model = shipped
    said, truth = [each[0] >= HIGH for each in scored], [each[1] for each in scored]
    print(f"Davidson in {FOLDS} folds, the whole product, no row seen in training ({len(scored)} rows)")
    print(f"  reportable           {_scores(said, truth)}")
    missed = [
        others
        for found, true, others in zip(said, truth, (each[2] for each in scored), strict=True)
        if true and not found
    ]
    print(f"  of {len(missed)} missed {sum(missed)} were heard and taken for somebody else's words (quoted, reported)")
    print("  reliability          " + _reliability([(each[0], each[1]) for each in scored if each[0] >= 0.5]))


def fairness(judge: Judge, show_misses: bool) -> None:
    """Neutral sentences that name people by a characteristic, none of which the model has learnt: how many are flagged."""
    import train_hostility as training

    rows = training.neutral("ask")
    found = systems(judge)
    found = {name: system for name, system in found.items() if not name.endswith("list alone")}
    said = {name: system([row.text for row in rows]) for name, system in found.items()}
    for kind in dict.fromkeys(row.kind for row in rows):
        places = [number for number, row in enumerate(rows) if row.kind == kind]
        shown = "  ".join(
            f"{name} {sum(each[place] for place in places) / len(places):.3f}" for name, each in said.items()
        )
        print(f"  {kind:20}{len(places):4} sentences: {shown}")
    if show_misses:
        for row, flagged in zip(rows, said["mailwarden, medium"], strict=True):
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
    """EDOS dev (sexist), Davidson (hate or offensive) and openings by kind; then the model across the sets."""
    import train_hostility as training  # scikit-learn: only here

    rows = training.edos("dev")
    tweets = training.davidson()
    tweets = tweets[:: max(len(tweets) // DAVIDSON_ROWS, 1)]
    openings = {
        path.stem.removeprefix("rtp_"): [line.strip() for line in path.read_text("utf-8").split("\n") if line.strip()]
        for path in sorted((EVAL / "language" / "openings").glob("*.txt"))
    }
    # The openings have no harmless half: the harmless EDOS dev rows stand in for it, as many as there are openings.
    harmless = [row.text for row in rows if row.kind == "none"][: sum(map(len, openings.values()))]
    print(
        f"EDOS dev {len(rows)}, Davidson {len(tweets)}, openings {sum(map(len, openings.values()))} + {len(harmless)} harmless"
    )
    print("(the shipped model has seen Davidson: judge it there by the word list alone, and by the folds below)")
    for name, system in systems(judge).items():
        said = system([row.text for row in rows])
        print(f"{name}\n  EDOS sexist          {_scores(said, [row.kind != 'none' for row in rows])}")
        for kind in sorted({row.kind for row in rows} - {"none"}):
            of = [found for found, row in zip(said, rows, strict=True) if row.kind == kind]
            print(f"    {kind[:44]:46}{sum(of):4} of {len(of)}")
        said = system([row.text for row in tweets])
        print(f"  Davidson             {_scores(said, [row.kind != 'neither' for row in tweets])}")
        for kind in ("hate", "offensive"):
            of = [found for found, row in zip(said, tweets, strict=True) if row.kind == kind]
            print(f"    {kind:46}{sum(of):4} of {len(of)}")
        false = system(harmless)
        every = [system(lines) for lines in openings.values()]
        flat = [found for each in every for found in each]
        print(f"  openings             {_scores(flat + false, [True] * len(flat) + [False] * len(false))}")
        for kind, each in zip(openings, every, strict=True):
            print(f"    {kind:46}{sum(each):4} of {len(each)}")
    chances = (
        [judge_model.probabilities(row.text) for row in rows] if (judge_model := Language._sentences.model) else []
    )
    pairs = [
        (max(each["discrimination"], each["sexism"]), row.kind != "none")
        for each, row in zip(chances, rows, strict=True)
    ]
    print("the model on EDOS dev, which it has not seen: how often what it said was so")
    print("  " + _reliability([pair for pair in pairs if pair[0] >= 0.5]))
    folds(judge)
    print("the model alone, trained on one and tested on another (at a probability of 0.5)")
    print("\n".join(f"  {line}" for line in training.across()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("suite", "words", "sets", "fairness", "share"))
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
        {"suite": suite, "words": words, "sets": sets, "fairness": fairness}[options.what](judge, options.misses)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
