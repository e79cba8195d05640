"""Precision and recall of personal_data on our own 300 mails, and what real mail would be reported for.

    python tests/bench/personal_data.py own [--errors]      tests/bench/personal_data_mails.jsonl
    python tests/bench/personal_data.py ham [--errors]      eval/mail, ham treated as outbound: mails reported per 1,000, of three topics
    python tests/bench/personal_data.py deep [--every N]    findings with names everywhere beside those behind the gate
    python tests/bench/personal_data.py fresh [--errors]    tests/bench/personal_data_fresh.yml, written later still
    python tests/bench/personal_data.py narratives [--errors]   tests/bench/personal_data_narratives.yml, a line or two each

Intervals are Wilson's at 95 %. Variations of one text (`pattern`) are not independent of each other, so their interval is
narrower than the truth; the `hand` line is the honest one. `deep` goes over eval/mail, eval/school and our own mails.
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path

from envelope import wilson
from ruamel.yaml import YAML

import detectors
from scanner import inspection
from scanner.directory import Directory
from scanner.evidence import FingerprintKey
from scanner.extract import Limits, open_item
from scanner.inspection import Instruments, Regime
from scanner.model import Finding, People, Person, Verdict
from scanner.policy import load_policy
from scanner.ports import RawItem
from scanner.routing import load_routing
from scanner.rulebook import load_rulebook

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
EVAL = REPOSITORY.parent / "shared" / "eval"
TRUST = People(
    organisation="Thornmere High",
    domains=("thl.example",),
    people=(
        Person("n.abara@thl.example", "Nadia Abara", "staff"),
        Person("c.doyle@thl.example", "Colm Doyle", "staff"),
        Person("p.sandhu@thl.example", "Priya Sandhu", "staff"),
    ),
)


# What of real mail is read and judged by hand.
READ_IN_HAM = ("personal_data", "confidential_info", "credentials_in_mail")


class Bench:
    """The real thing, built once; each mail is judged with a cache of its own run."""

    def __init__(self, *, as_outbound: bool = False, deep: bool = False) -> None:
        rules = REPOSITORY / "rules"
        loaded = detectors.load()
        rulebook = load_rulebook(rules, loaded.labels)
        self.regime = Regime(rulebook, load_policy(rules, "base", rulebook), load_routing(rules))
        self.instruments = Instruments(
            loaded, Limits(), FingerprintKey(0, b"\0" * 32), as_outbound=as_outbound, deep=deep
        )

    def verdicts(self, raw: bytes, directory: Directory) -> list[Verdict]:
        item = RawItem(raw, "application/octet-stream")
        return [
            inspection.inspect(envelope, directory, self.regime, self.instruments)
            for _, envelope in open_item(item, Limits())
        ]


def personal(verdicts: list[Verdict]) -> list[Finding]:
    return [f for verdict in verdicts for f in verdict.findings if f.topic == "personal_data" and not f.shadow]


def as_mime(mail: dict[str, object]) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = str(mail["from"]), str(mail["to"]), str(mail["subject"])
    message["Date"] = "Fri, 22 May 2026 10:00:00 +0000"
    message["Message-ID"] = f"<{mail['id']}@thl.example>"
    message.set_content(str(mail["body"]))
    for file in mail["attachments"]:  # type: ignore[attr-defined]
        message.add_attachment(
            file["text"].encode(), maintype="text", subtype=Path(file["name"]).suffix.lstrip("."), filename=file["name"]
        )
    return message.as_bytes()


def own_mails() -> list[dict[str, object]]:
    lines = (HERE / "personal_data_mails.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def fresh_mails() -> list[dict[str, object]]:
    """The cases of `personal_data_fresh.yml` as mails of the same made-up trust."""
    cases = YAML(typ="safe").load((HERE / "personal_data_fresh.yml").read_text("utf-8"))
    return [
        {
            "id": f"fresh-{number:02}", "kind": "hand", "expect": case["expect"], "why": case["why"],
            "from": "c.doyle@thl.example", "to": case.get("to", "hello@brightminds-tutors.example"),
            "subject": case["subject"], "body": case.get("body", ""),
            "attachments": [case["file"]] if "file" in case else [],
        }
        for number, case in enumerate(cases, 1)
    ]  # fmt: skip


def narratives() -> list[dict[str, object]]:
    """The short texts of `personal_data_narratives.yml`, each in a mail to an outsider."""
    cases = YAML(typ="safe").load((HERE / "personal_data_narratives.yml").read_text("utf-8"))
    return [
        {
            "id": f"narrative-{number:03}", "kind": "hand", "expect": case["expect"], "why": "", "subject": "Monday",
            "from": "c.doyle@thl.example", "to": "hello@brightminds-tutors.example", "attachments": [],
            "body": f"Hi,\n\n{case['body']}\n\nColm",
        }
        for number, case in enumerate(cases, 1)
    ]  # fmt: skip


def own(mails: Sequence[dict[str, object]], errors: bool) -> None:
    bench, directory = Bench(), Directory(TRUST)
    counts: dict[str, list[int]] = {kind: [0, 0, 0, 0] for kind in ("hand", "pattern", "all")}
    for mail in mails:
        findings = personal(bench.verdicts(as_mime(mail), directory))
        cell = (0 if findings else 1) if mail["expect"] else (2 if findings else 3)
        for kind in (str(mail["kind"]), "all"):
            counts[kind][cell] += 1
        if errors and cell in (1, 2):
            why = "; ".join(reason for finding in findings for reason in finding.reasons)
            print(f"{'missed' if cell == 1 else 'FALSE '} {mail['id']}: {mail['why']} {why}")
    for kind, (true, missed, false, _) in counts.items():
        print(f"{kind:8} precision {wilson(true, true + false)}   recall {wilson(true, true + missed)}")


def ham() -> Iterator[tuple[str, bytes]]:
    archive = EVAL / "mail" / "spamassassin_part.tar.xz"
    if not archive.is_file():
        sys.exit(f"{archive} is not there")
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(archive) as tar:
        tar.extractall(temporary, filter="data")
        for path in sorted(Path(temporary).rglob("*.txt")):
            if "ham" in path.parent.name:
                yield f"{path.parent.name}/{path.name}", path.read_bytes()


def real(errors: bool) -> None:
    bench, directory = Bench(as_outbound=True), Directory(People())
    mails = 0
    found = dict.fromkeys(READ_IN_HAM, 0)
    for name, raw in ham():
        mails += 1
        told = [f for verdict in bench.verdicts(raw, directory) for f in verdict.findings if not f.shadow]
        for topic in found:
            findings = [finding for finding in told if finding.topic == topic]
            found[topic] += bool(findings)
            if errors:
                for finding in findings:
                    why = "; ".join(finding.reasons)
                    print(f"{name} {topic} {finding.rule} {finding.owner} {finding.confidence} {why}")
    for topic, number in found.items():
        print(
            f"{topic}: {number} of {mails} mails reported, {1000 * number / mails:.1f} per 1,000 (to be read with --errors)"
        )


def deep(every: int) -> None:
    gated, everywhere = Bench(as_outbound=True), Bench(as_outbound=True, deep=True)
    school = [(path.name, path.read_bytes()) for path in sorted((EVAL / "school" / "mail").glob("*.eml"))]
    mails = [*school, *((str(mail["id"]), as_mime(mail)) for mail in own_mails()), *list(ham())[::every]]
    different = dropped = 0
    for name, raw in mails:
        outcomes = []
        for bench in (gated, everywhere):
            verdicts = bench.verdicts(raw, Directory(TRUST))
            outcomes.append({(f.topic, f.owner, f.severity) for verdict in verdicts for f in verdict.findings})
            dropped += bench is gated and any(p.kind == "budget" for verdict in verdicts for p in verdict.problems)
        if outcomes[0] != outcomes[1]:
            different += 1
            print(f"{name}: gate only {outcomes[0] - outcomes[1]}, deep only {outcomes[1] - outcomes[0]}")
    print(f"{different} of {len(mails)} mails differ; {dropped} stopped at a budget behind the gate")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", choices=("own", "ham", "deep", "fresh", "narratives"))
    parser.add_argument(
        "--errors", action="store_true", help="name each mail that was judged wrongly, with the reasons"
    )
    parser.add_argument("--every", type=int, default=1, help="of the real mails only every nth (names are slow)")
    options = parser.parse_args()
    if options.what == "own":
        own(own_mails(), options.errors)
    elif options.what == "fresh":
        own(fresh_mails(), options.errors)
    elif options.what == "narratives":
        own(narratives(), options.errors)
    elif options.what == "ham":
        real(options.errors)
    else:
        deep(options.every)


if __name__ == "__main__":
    main()
