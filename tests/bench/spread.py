"""Are the copies of an outbreak found among other mail, at what cost, and how does the cost grow with the store?

    python tests/bench/spread.py [--outbreaks 50] [--copies 200] [--others 190000] [--sizes 10000,100000,1000000] [--measures found,growth]

Copies are made hop by hop: forwarded with headers, quoted, pasted, re-wrapped, with comments and small print, two words of a
hundred changed at each hop, to one to twelve people. The signs in them are found by the real detector. The other mails are
letters of their own from the same words and formulas; every one of them is stored as if it were a chain letter, which in life
hardly any is.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import sqlalchemy as sa

import detectors
from scanner.extract.segments import segments
from scanner.inspection import SEVERAL
from scanner.model import Hit, Part, Reached, Spread
from scanner.sketch import bands, handed_on, passed_on, sketch
from scanner.store import Store, outbreaks
from scanner.store.tables import MESSAGE, SPREAD

KEY = b"b" * 32
PROBES = 300
NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
THINGS = (
    "lantern candle baker boat raffle drawer shop harbour teacher garden letter coin river bridge window kettle farmer train "
    "daughter soldier sparrow orchard postman doctor island blanket violin market cousin winter hamper promise horse tower "
    "neighbour ticket angel kitchen ladder sailor basket mirror uncle meadow church rabbit lottery boiler sister caravan"
).split()
DEEDS = (
    "kept found lost won sent opened carried painted sold forgot hid mended borrowed counted followed buried remembered "
    "wrapped refused posted"
).split()
KINDS = (
    "old small lucky broken golden quiet distant blue honest wooden sudden careful famous tired bright strange".split()
)
FORMULAS = (
    "Send this to ten people before midnight or your luck will turn.",
    "Please forward this to everyone in your address book, it only takes a second.",
    "Pass it on to seven friends within four days and something good will happen.",
    "Do not break the chain. Forward it to everyone you know.",
    "Copy and paste this and send it to all your friends, do not just share it.",
)
COMMENTS = (
    "Ooh, look!",
    "Not sure about it but here goes x",
    "This one is so true, had to think of you all.",
    "lol",
    "",
)
SMALL_PRINT = tuple(
    f"This email and any attachment are confidential to {name} and intended solely for the addressee. If you have received "
    f"it in error please tell the sender and delete it. {name} accepts no liability for viruses."
    for name in (
        "Alder Trust",
        "Birch College",
        "Cedar Homes",
        "Dale Council",
        "Elm Dental",
        "Fir Freight",
        "Gorse Bank",
    )
)


def sentence(dice: random.Random) -> str:
    one, two, three = dice.sample(THINGS, 3)
    words = (
        f"the {dice.choice(KINDS)} {one} {dice.choice(DEEDS)} a {dice.choice(KINDS)} {two} near the {three}",
        f"nobody {dice.choice(DEEDS)} the {one} until a {two} {dice.choice(DEEDS)} it for the {dice.choice(KINDS)} {three}",
        f"when a {one} {dice.choice(DEEDS)} her {dice.choice(KINDS)} {two}, the {three} was {dice.choice(KINDS)} again",
    )
    return dice.choice(words).capitalize() + "."


def letter(dice: random.Random) -> str:
    story = [sentence(dice) for _ in range(dice.randint(4, 14))]
    story.insert(dice.randrange(len(story)), dice.choice(FORMULAS))
    cut = dice.choice((len(story), len(story) // 2 + 1))
    return "\n\n".join(" ".join(part) for part in (story[:cut], story[cut:]) if part)


def passed(text: str, dice: random.Random) -> tuple[str, bool]:
    """The next hop's mail, and whether its subject says that it is handed on, or it went to several at once."""
    words = text.split(" ")
    for at in range(len(words)):
        if words[at].isalpha() and dice.random() < 0.005:
            words[at] = dice.choice(THINGS)
    text = " ".join(words)
    if dice.random() < 0.3:
        text = "\n\n".join(textwrap.fill(part, dice.randint(50, 90)) for part in text.split("\n\n"))
    way = dice.random()
    if way < 0.55:
        head = "From: A B <a@b.example>\nSent: 3 March 2026 10:11\nTo: C D; E F <e@f.example>\nSubject: FW: this\n\n"
        text = f"{dice.choice(COMMENTS)}\n\n-----Original Message-----\n{head}{text}"
    elif way < 0.8:
        text = f"{dice.choice(COMMENTS)}\n\nOn 3 March 2026, A B wrote:\n" + "\n".join(
            "> " + line for line in text.split("\n")
        )
    elif way < 0.9:
        text = f"{dice.choice(COMMENTS)}\n\n{text}"
    return f"{text}\n\n{dice.choice(SMALL_PRINT)}" if dice.random() < 0.4 else text, (
        way < 0.8 or dice.randint(1, 12) >= SEVERAL
    )


def part_of(text: str) -> Part:
    return Part("body", "text/plain", text=text, segments=segments(text))


def row(number: int) -> dict[str, object]:
    return {
        "id": number, "source": "s", "mailbox": "m", "provider_id": str(number), "folder": "f", "internet_id": "",
        "content_hash": f"h{number}", "direction": "internal", "sent_at": NOW, "complete": True, "unread_protected": 0,
        "parts": 1, "elapsed_ms": 1.0, "rules_version": "", "policy_version": "", "detectors_version": "", "committed_at": NOW,
        "day": NOW.date(), "coverage": "read",
    }  # fmt: skip


def spread_of(part: Part, hits: list[Hit], handed: bool) -> Spread | None:
    """As `inspection` does it."""
    words = passed_on([part], hits)
    signed = bool(words)
    if not words and (handed or any(segment.owner == "forwarded" for segment in part.segments)):
        words = handed_on([part])
    return Spread(sketch(words, KEY), "a", (Reached("b", False),), 1, "passed", signed) if words else None


def found_and_merged(options: argparse.Namespace, store: Store) -> None:
    dice = random.Random(20260309)
    loaded = detectors.load()
    mails: list[tuple[int, str, bool]] = []  # outbreak or -1, text, whether it is seen to be handed on
    for number in range(options.outbreaks):
        copies = [(letter(dice), False)]
        while len(copies) < options.copies:
            copies.append(passed(dice.choice(copies[-60:])[0], dice))
        mails += [(number, text, handed) for text, handed in copies]
    mails += [(-1, "", False) for _ in range(options.others)]
    dice.shuffle(mails)
    seconds = {"sign": 0.0, "join": 0.0}
    truth: dict[int, int] = {}
    unsigned = unknown = 0
    for start in range(0, len(mails), 2_000):
        with store.writing.begin() as connection:
            connection.execute(
                sa.insert(MESSAGE), [row(start + at + 1) for at in range(len(mails[start : start + 2_000]))]
            )
            for at, (outbreak, text, handed) in enumerate(mails[start : start + 2_000]):
                number = start + at + 1
                truth[number] = outbreak
                if outbreak < 0:
                    text = letter(dice)
                part = part_of(text)
                hits = [Hit("chain_letter", 0, 1, "", 0.9, part="body")]
                if outbreak >= 0:
                    hits = [
                        Hit(h.label, h.start, h.end, "", h.confidence, part="body")
                        for h in loaded.content(text, names_near=())
                    ]
                began = time.perf_counter()
                made = spread_of(part, hits, handed)
                seconds["sign"] += time.perf_counter() - began
                if made is None:
                    unknown += 1
                    continue
                unsigned += not made.signed
                began = time.perf_counter()
                outbreaks.join(connection, number, f"h{number}", made, NOW + timedelta(seconds=number), accused=True)
                seconds["join"] += time.perf_counter() - began
    with store.reading.begin() as connection:
        placed = {
            r.message_id: r.outbreak for r in connection.execute(sa.select(SPREAD.c.message_id, SPREAD.c.outbreak))
        }
    report(truth, placed)
    print(f"copies without a sign: {unsigned}, without a sketch: {unknown}, of {options.outbreaks * options.copies}")
    for what, spent in seconds.items():
        print(f"{what}: {1000 * spent / len(mails):.3f} ms a mail")


def report(truth: dict[int, int], placed: dict[int, str]) -> None:
    by_outbreak: dict[int, Counter[str]] = {}
    holds: dict[str, Counter[int]] = {}
    for number, outbreak in truth.items():
        place = placed.get(number, f"none {number}")
        if outbreak >= 0:
            by_outbreak.setdefault(outbreak, Counter())[place] += 1
        holds.setdefault(place, Counter())[outbreak if outbreak >= 0 else -number] += 1
    pairs = sum(n.total() * (n.total() - 1) // 2 for n in by_outbreak.values())
    together = sum(k * (k - 1) // 2 for n in by_outbreak.values() for k in n.values())
    # Whoever lies in one outbreak with a majority of another text was merged wrongly.
    wrong = sum(texts.total() - max(texts.values()) for texts in holds.values())
    print(f"pairs found: {together / pairs:.4f} ({together} of {pairs})")
    print(f"wrong merges: {wrong / len(truth):.5f} ({wrong} of {len(truth)} mails)")


def variant(of: bytes) -> bytes:
    """A sketch that agrees with another in about four fifths of its bins, as a copy after some hops does."""
    bins = np.frombuffer(of, dtype="<u2").copy()
    changed = np.random.default_rng().choice(len(bins), len(bins) // 5, replace=False)
    bins[changed] = np.frombuffer(os.urandom(2 * len(changed)), dtype="<u2")
    return bins.tobytes()


def load(store: Store, first: int, last: int) -> None:
    """Writes messages `first` to `last`, every fourth a text of its own and the others copies of it, as many as a band keeps.

    In the order of the band index, and its other index made anew: sixteen rows a message in no order at all write a page each,
    which was the reason why a million took hours.
    """
    band_rows: list[tuple[np.ndarray, int]] = []
    text = b""
    for start in range(first, last + 1, 10_000):
        numbers = range(start, min(last, start + 9_999) + 1)
        rows = []
        for number in numbers:
            text = os.urandom(256) if number % 4 == 1 or not text else text
            made = text if number % 4 == 1 else variant(text)
            rows.append((number, number, f"h{number - (number - 1) % 4}", f"h{number}", made, NOW.isoformat(" ")))
            band_rows.append((np.array(list(dict.fromkeys(bands(made))), dtype=np.int64), number))
        with store.writing.begin() as connection:
            connection.execute(sa.insert(MESSAGE), [row(number) for number in numbers])
            connection.exec_driver_sql(
                "INSERT INTO spread (id, message_id, outbreak, copy_of, sketch, sender, act, signed, accused, depth, sent_at)"
                " VALUES (?, ?, ?, ?, ?, 'a', 'passed', 1, 1, 1, ?)",
                rows,
            )
    under = np.concatenate([made for made, _ in band_rows])
    of = np.concatenate([np.full(len(made), number, dtype=np.int64) for made, number in band_rows])
    order = np.argsort(under, kind="stable")
    with store.writing.begin() as connection:
        connection.exec_driver_sql("DROP INDEX spread_band_of")
        for at in range(0, len(order), 100_000):
            some = order[at : at + 100_000]
            pairs = list(zip(under[some].tolist(), of[some].tolist(), strict=True))
            connection.exec_driver_sql("INSERT INTO spread_band (band, spread_id) VALUES (?, ?)", pairs)
        connection.exec_driver_sql("CREATE INDEX spread_band_of ON spread_band (spread_id)")


def growth(sizes: list[int], store: Store) -> None:
    """Milliseconds for one more mail with so many messages stored: looking its text up, and the whole of it with its commit."""
    stored = 0
    medians: dict[str, list[float]] = {}
    for size in sizes:
        began = time.perf_counter()
        load(store, stored + 1, size)
        print(f"{size:>9} stored, in {time.perf_counter() - began:.0f} s", flush=True)
        with store.reading.begin() as connection:
            some = [size - 4 * number - number % 4 for number in range(PROBES)]
            known = connection.execute(sa.select(SPREAD.c.sketch).where(SPREAD.c.id.in_(some))).scalars().all()
        stored = size
        probes = {"new text": [os.urandom(256) for _ in range(PROBES)], "one more copy": [variant(of) for of in known]}
        for name, sketches in probes.items():
            with store.reading.begin() as connection:
                looked = [seconds(partial(outbreaks.alike, connection, made)) for made in sketches]
            written = [seconds(partial(add, store, stored + at, made)) for at, made in enumerate(sketches, start=1)]
            stored += len(sketches)
            for what, spent in (("look-up", looked), ("looked up, written, committed", written)):
                medians.setdefault(f"{name}, {what}", []).append(1000 * statistics.median(spent))
                print(f"{'':>9} {name}, {what}: median {medians[f'{name}, {what}'][-1]:.3f} ms", flush=True)
    grew = math.log(sizes[-1]) / math.log(sizes[0])
    for what, cost in medians.items():
        print(
            f"{what}: {cost[-1] / cost[0]:.2f} times as dear from {sizes[0]} to {sizes[-1]}; logarithmic is {grew:.2f}"
        )


def add(store: Store, number: int, made: bytes) -> None:
    with store.writing.begin() as connection:
        connection.execute(sa.insert(MESSAGE), [row(number)])
        one = Spread(made, "a", (Reached("b", False),), 1, "passed", True)
        outbreaks.join(connection, number, f"h{number}", one, NOW, accused=True)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--outbreaks", type=int, default=50)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--others", type=int, default=190_000)
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--measures", default="found,growth")
    options = parser.parse_args()
    for measure in options.measures.split(","):
        with tempfile.TemporaryDirectory() as folder:
            store = Store.open(f"sqlite:///{Path(folder) / 'spread.db'}")
            if measure == "found":
                found_and_merged(options, store)
            else:
                growth([int(size) for size in options.sizes.split(",") if size], store)
            store.close()


if __name__ == "__main__":
    main()
