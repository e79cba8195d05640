"""The figures of the rules: wrong files refused, right edits accepted, 500 rules loaded, word lists' cost, the back-test.

    .venv/bin/python tests/bench/rules.py [mutations] [load] [words] [backtest]

Prints one JSON object a figure. Everything is made up here; nothing is fetched and nothing outside a temporary folder is touched.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from throughput import mails_of

import detectors
from connectors.people_file import load_people
from scanner.backtest import compare
from scanner.conditions import KEYS
from scanner.directory import Directory
from scanner.errors import ConfigError, ConfigErrors
from scanner.evidence import FingerprintKey
from scanner.extract import Limits, open_item
from scanner.inspection import Instruments, Regime, inspect
from scanner.model import Evidence, Fact, Finding, Route, Verdict, Versions
from scanner.patterns import load_patterns
from scanner.policy import load_policy
from scanner.ports import RawItem
from scanner.routing import load_routing
from scanner.rulebook import TOPICS, load_rulebook
from scanner.store import Committed, Store

REPOSITORY = Path(__file__).resolve().parents[2]
RULES = REPOSITORY / "rules"
_ALLOWED = re.compile(
    r"allowed|must be|must name|known:|needs|missing|unknown key|never|would always|shadowed|costs too much|not valid YAML|"
    r"not allowed|twice|no detector|stem is|names no"
)


def say(figure: str, **values: object) -> None:
    print(json.dumps({"figure": figure, **values}), flush=True)


# --- 1. mutations -----------------------------------------------------------------------------------------------------

GOOD = """\
title: Example {n}
topic: {topic}
category: conduct
severity: minor
owner: admin
state: on
advice: Send it another way.
owners: [sender, quoted]
when:
  direction: [outbound, internal]
  labels: {{any: [nino, nhs], confidence: 0.{c}, count: {k}, parts: [body]}}
  recipients: {{at_least: {k}}}
  near: {{of: [person], to: [health], within: {w}}}
  sent: {{days: [mon, tue], after: '0{h}:00'}}
examples:
  must_flag:
    - why: it names a number
      mail: {{from: jane.smith@elt.example, to: [sales@printco.example], body: The number.}}
  must_pass:
    - why: it names none
      mail: {{from: jane.smith@elt.example, to: [sales@printco.example], body: No number.}}
"""


def good(n: int) -> str:
    k = n % 7 + 1
    return GOOD.format(n=n, topic=TOPICS[n % len(TOPICS)], c=75 + n % 20, k=k, w=100 + n, h=n % 9 + 1)


def swap(old: str, new: str) -> Callable[[str, random.Random], str]:
    def do(text: str, _: random.Random) -> str:
        changed = re.sub(old, new, text, count=1, flags=re.MULTILINE)
        assert changed != text, old
        return changed

    return do


def misspell(text: str, chance: random.Random) -> str:
    """One letter of one top-level key is doubled."""
    key = chance.choice(["title", "topic", "category", "severity", "owner", "advice", "when", "examples"])
    at = chance.randrange(len(key))
    return re.sub(rf"^{key}:", f"{key[: at + 1]}{key[at:]}:", text, count=1, flags=re.MULTILINE)


def drop_line(text: str, chance: random.Random) -> str:
    key = chance.choice(["title", "topic", "category", "severity", "owner", "advice"])
    return re.sub(rf"^{key}: .*\n", "", text, count=1, flags=re.MULTILINE)


MUTATIONS: dict[str, Callable[[str, random.Random], str]] = {
    "misspelt key": misspell,
    "missing key": drop_line,
    "unknown topic": swap(r"^topic: .*", "topic: gardening"),
    "unknown category": swap(r"^category: .*", "category: misc"),
    "unknown severity": swap(r"^severity: .*", "severity: big"),
    "unknown state": swap(r"^state: .*", "state: maybe"),
    "unknown owner of words": swap(r"owners: \[sender", "owners: [writer"),
    "unknown condition": swap(r"^  labels:", "  lables:"),
    "unknown setting": swap(r"confidence:", "sureness:"),
    "number too great": swap(r"confidence: 0\.\d+", "confidence: 7"),
    "number in words": swap(r"at_least: \d+", "at_least: many"),
    "truth for a number": swap(r"within: \d+", "within: true"),
    "mapping for a list": swap(r"any: \[nino, nhs\]", "any: {nino: nhs}"),
    "unknown label": swap(r"\[nino, nhs\]", "[nino, library_card]"),
    "empty list": swap(r"of: \[person\]", "of: []"),
    "can never match": swap(r"direction: \[outbound, internal\]", "direction: stored"),
    "key twice": swap(r"^severity: minor", "severity: minor\nseverity: minor"),
    "alias": swap(r"^title: (.*)", r"title: &a \1\nadvice: *a"),
    "broken indentation": swap(r"^  direction", "direction"),
    "unclosed bracket": swap(r"days: \[mon, tue\]", "days: [mon, tue"),
    "time that no clock shows": swap(r"after: '.*?'", "after: '27:00'"),
    "no must_pass": swap(r"^  must_pass:\n(?:    .*\n?)*", ""),
    "example without recipient": swap(r", to: \[sales@printco.example\]", ""),
}

EDITS: dict[str, Callable[[str, random.Random], str]] = {
    "comment": lambda text, chance: "# " + "x" * chance.randrange(60) + "\n" + text,
    "comment behind a value": lambda text, _: text.replace("state: on", "state: on  # as agreed"),
    "quoted words": lambda text, _: text.replace("owner: admin", 'owner: "admin"'),
    "single for list": lambda text, _: text.replace("of: [person]", "of: person"),
    "block list": lambda text, _: text.replace("owners: [sender, quoted]", "owners:\n  - sender\n  - quoted"),
    "Windows line ends": lambda text, _: text.replace("\n", "\r\n"),
    "byte order mark": lambda text, _: "\ufeff" + text,
    "empty lines": lambda text, _: text.replace("\nwhen:", "\n\n\nwhen:"),
    "order of keys": lambda text, _: re.sub(r"(?m)^(topic: .*\n)(category: .*\n)", r"\2\1", text),
    "document mark": lambda text, _: "---\n" + text,
}


def mutations() -> None:
    chance = random.Random(20261101)
    known = detectors.load().labels
    refused = accepted = 0
    wrong: list[str] = []
    slowest = 0.0

    def outcome(text: str) -> str | None:
        """None where it is accepted, else the sentences."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rules" / "detect"
            path.mkdir(parents=True)
            (path / "example_rule.yml").write_bytes(text.encode())
            try:
                load_rulebook(path.parent, known)
            except (ConfigError, ConfigErrors) as error:
                return str(error)
            return None

    for name, mutate in MUTATIONS.items():
        for n in range(50):
            started = time.perf_counter()
            said = outcome(mutate(good(n), chance))
            slowest = max(slowest, time.perf_counter() - started)
            placed = said is not None and all(
                re.match(r"rules/detect/example_rule\.yml:\d+: ", line) for line in said.splitlines()
            )
            if placed and said is not None and _ALLOWED.search(said):
                refused += 1
            else:
                wrong.append(f"{name} {n}: {said}")
    kinds = list(EDITS.values())
    for n in range(200):
        said = outcome(kinds[n % len(kinds)](good(n), chance))
        if said is None:
            accepted += 1
        else:
            wrong.append(f"edit {n}: {said}")
    say(
        "mutations", operators=len(MUTATIONS), files=50, refused_with_place_and_words=refused, of=len(MUTATIONS) * 50,
        edits_accepted=accepted, edits=200, slowest_ms=round(slowest * 1000, 1), wrong=wrong[:5], conditions=len(KEYS),
    )  # fmt: skip


# --- 2. and 3. many rules -----------------------------------------------------------------------------------------------


def many(folder: Path, number: int) -> Path:
    """The shipped set with so many further word lists, each a label, and a rule for each."""
    rules = folder / "rules"
    shutil.copytree(RULES, rules)
    patterns = rules / "patterns"
    patterns.mkdir(exist_ok=True)
    chance = random.Random(7)
    for n in range(number):
        words = [
            f"{chance.choice(['Project', 'Plan', 'Case'])} {''.join(chance.choices('abcdefghijklmnop', k=7))}"
            for _ in range(10)
        ]
        (patterns / f"own_words_{n}.yml").write_text(
            f"title: own words {n}\nowner: admin\nwords: {json.dumps(words)}\nmust_match: [{json.dumps(words[0])}]\nmust_pass: [nothing]\n"
        )
        (rules / "detect" / f"own_rule_{n}.yml").write_text(
            f"title: Own rule {n}\ntopic: confidential_info\ncategory: security\nseverity: moderate\nowner: admin\nadvice: Ask first.\n"
            f"when:\n  direction: [outbound, stored]\n  audience: outside\n  labels: {{any: [own_words_{n}]}}\n"
            "examples:\n  must_flag:\n    - why: a word\n      mail: {from: jane.smith@elt.example, to: [sales@printco.example], "
            f"body: 'About {words[0]}.'}}\n  must_pass:\n    - why: none\n      mail: {{from: jane.smith@elt.example, "
            "to: [sales@printco.example], body: Hello.}\n"
        )
    return rules


def regime_of(rules: Path) -> tuple[Regime, Instruments]:
    built = detectors.load(own=load_patterns(rules))
    rulebook = load_rulebook(rules, built.labels)
    regime = Regime(rulebook, load_policy(rules, "base", rulebook), load_routing(rules))
    return regime, Instruments(built, Limits(), FingerprintKey(1, b"k" * 32), as_outbound=True)


def load() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rules = many(Path(folder), 500 - len(list((RULES / "detect").glob("*.yml"))))
        patterns = load_patterns(rules)
        labels = detectors.load(own=patterns).labels
        took = []
        for _ in range(3):
            started = time.perf_counter()
            rulebook = load_rulebook(rules, labels)
            took.append(time.perf_counter() - started)
        started = time.perf_counter()
        load_patterns(rules)
        say(
            "load",
            rules=len(rulebook.rules),
            seconds=round(min(took), 3),
            of_patterns=round(time.perf_counter() - started, 3),
            budget=1.0,
        )


def words() -> None:
    people = load_people(RULES / "examples.people.yml")
    envelopes = [
        envelope
        for data in mails_of(None)[:400]
        for _, envelope in open_item(RawItem(data, "message/rfc822", ""), Limits())
    ]
    with tempfile.TemporaryDirectory() as folder:
        plain, more = regime_of(RULES), regime_of(many(Path(folder), 500))
        seconds = {"shipped": [], "with 500 more": []}  # type: ignore[var-annotated]
        for _ in range(3):  # in turn, and in processor time: others use the machine too
            for name, (regime, instruments) in (("shipped", plain), ("with 500 more", more)):
                fresh = Instruments(instruments.detectors, instruments.limits, instruments.key, as_outbound=True)
                started = time.process_time()
                for envelope in envelopes:
                    inspect(envelope, Directory(people), regime, fresh)
                seconds[name].append(time.process_time() - started)
        a, b = (min(times) for times in seconds.values())
        say(
            "words",
            mails=len(envelopes),
            shipped_s=round(a, 2),
            with_500_s=round(b, 2),
            cost=round(b / a - 1, 3),
            budget=0.15,
        )


# --- 4. the back-test -----------------------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)


def regime(folder: Path) -> Regime:
    rulebook = load_rulebook(folder)
    return Regime(rulebook, load_policy(folder, "base", rulebook), ())


def backtest(number: int = 100_000) -> None:
    chance = random.Random(11)
    labels = ["nino", "nhs", "person", "health", "date_of_birth", "email", "phone", "profanity"]
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/b.db")
        old = load_rulebook(RULES)
        lead = next(rule for rule in old.rules if rule.id == "personal_data_identifier")
        batch: list[Committed] = []
        opened: list[int] = []
        for n in range(number):
            facts = [
                Fact(
                    chance.choice(labels),
                    "body",
                    "sender",
                    None,
                    chance.randrange(10),
                    round(chance.uniform(0.4, 0.99), 2),
                    1,
                    f"1:{n}",
                )
                for _ in range(chance.randrange(1, 7))
            ]
            facts += [
                Fact(label, "headers", "sender", 1, 1, 1.0, None, "")
                for label in ("@envelope", "@recipients:outside", "@audience:outside", "@thread:depth")
            ]
            findings = ()
            if n % 20 == 0:
                route = Route("dpo", "dpo@elt.example", "it is personal data")
                findings = (
                    Finding(f"k{n}", lead.id, lead.version, lead.title, lead.topic, lead.category, "moderate", 0.8, "sender", 1,
                            (Evidence("nino", "body", "••••", 1, 0.8),), (), route=route),
                )  # fmt: skip
            verdict = Verdict(
                f"<{n}@x>",
                "outbound",
                findings,
                (),
                True,
                0,
                tuple(facts),
                Versions(old.version, "p", "d"),
                f"c{n}",
                NOW,
                1,
                1.0,
            )
            batch.append(Committed(f"p{n}", f"<{n}@x>", "m@elt.example", "sent", verdict))
            if len(batch) == 2_000:
                opened += store.commit_page(
                    source="b", mailbox="m@elt.example", folder="sent", token="t", results=batch, now=NOW
                )
                batch = []
        for case_id in opened[:400]:
            store.decide(case_id, actor="d", action="confirm" if case_id % 3 else "false_alarm", note="", now=NOW)
        changed = Path(folder) / "rules"
        shutil.copytree(RULES, changed)
        for name, old_words, new_words in (
            ("personal_data_identifier", "payment_card, iban, utr]}", "payment_card, iban, utr], confidence: 0.9}"),
            ("inappropriate_language", "abuse], confidence: 0.5, distinct: 2", "abuse], confidence: 0.4, distinct: 1"),
        ):
            path = changed / "detect" / f"{name}.yml"
            text = path.read_text("utf-8")
            path.write_text(text.replace(old_words, new_words), "utf-8")
        before, new = regime(RULES), regime(changed)
        started = time.perf_counter()
        with store.past() as messages:
            found = compare(before, new, messages)
        took = time.perf_counter() - started
        say(
            "backtest",
            messages=found.messages,
            changed=found.changed,
            seconds=round(took, 1),
            budget=60,
            answer=found.words(),
        )
        store.close()


if __name__ == "__main__":
    every = {"mutations": mutations, "load": load, "words": words, "backtest": backtest}
    for wanted in sys.argv[1:] or every:
        every[wanted]()
