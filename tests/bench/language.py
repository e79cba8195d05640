"""What is heard of inappropriate language, and what is heard where nothing was said.

    .venv/bin/python tests/bench/language.py suite [--misses]     the functional suite beside this file, by class
    .venv/bin/python tests/bench/language.py words [--misses]     severe and strong terms in a sentence; innocent look-alikes
    .venv/bin/python tests/bench/language.py sets                 EDOS, Davidson and openings, beside two peers where installed

The peers are no part of the requirements: `pip install alt-profanity-check better-profanity` for the comparison.

Whole mails through `inspect`, as a member of staff sends them to a colleague, or to the address a class names.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ruamel.yaml import YAML

import detectors
from connectors.people_file import load_people
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


LABELS = frozenset({"profanity", "abuse", "sexual", "threat", "harassment", "discrimination"})


def _reportable(judge: Judge, text: str) -> bool:
    hits: Iterable[detectors.Hit] = judge.seen.content(text, names_near=())
    return any(hit.label in LABELS and hit.confidence >= 0.75 for hit in hits)


# --- public sets, beside the peers ----------------------------------------------------------------------------------

Judgement = Callable[[Sequence[str]], list[bool]]
# The model's own reasons: without them what is left is the word list.
_MODEL_REASONS = frozenset({"the whole sentence", "the whole sentence reads so"})
DAVIDSON_ROWS = 5_000


def systems(judge: Judge) -> dict[str, Judgement]:
    """Each by name: does a text hold inappropriate language?"""

    def best(text: str, model: bool) -> float:
        hits = [hit for hit in judge.seen.content(text, names_near=()) if hit.label in LABELS]
        return max((hit.confidence for hit in hits if model or not _MODEL_REASONS & set(hit.reasons)), default=0.0)

    found: dict[str, Judgement] = {
        "mailwarden, reportable": lambda texts: [best(text, True) >= 0.75 for text in texts],
        "mailwarden, medium": lambda texts: [best(text, True) >= 0.5 for text in texts],
        "mailwarden, list alone": lambda texts: [best(text, False) >= 0.75 for text in texts],
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
    print("the model alone, trained on one and tested on another (at a probability of 0.5)")
    print("\n".join(f"  {line}" for line in training.across()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("suite", "words", "sets"))
    parser.add_argument("--misses", action="store_true", help="print every sentence that was judged otherwise")
    options = parser.parse_args()
    if options.what != "suite" and not EVAL.is_dir():
        print(f"no evaluation material at {EVAL}", file=sys.stderr)
        return 2
    judge = Judge()
    {"suite": suite, "words": words, "sets": sets}[options.what](judge, options.misses)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
