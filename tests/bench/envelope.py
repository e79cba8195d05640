"""Precision and recall on 300 mails of our own about chain mail, bulk mail, private addresses and wrong recipients.

    python tests/bench/envelope.py write FOLDER     the corpus in the form of the contract's section 6
    python tests/bench/envelope.py                  write, scan and print a figure per topic with its interval
    python tests/bench/envelope.py --errors         ... and each miss and false alarm

The mails lie in `envelope/mails.txt`, a block each: `== topics | why`, then F(rom), T(o), C(c), B(cc), S(ubject) and the
text; `@ name` starts an attachment that holds the lines after it. A topic with `?` may be found and need not be; topics
other than these seven are not labelled and may be found. Addresses of the trust are written without their domain.
`mails.txt` was written before its author had read a detector or a rule, `holdout.txt` after words and rules had been tuned on
the first. The first run over each is its honest figure (`envelope_figures.md`); later ones measure words that have met the mails.
Neither file is changed to suit. Everybody is invented.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
TOPICS = (
    "chain_mail",
    "personal_address",
    "misdirected_mail",
    "personal_account_use",
    "sharing_personal_contact",
    "junk_bulk_mail",
    "staff_pupil_contact",
)
FIELDS = {"F": "From", "T": "To", "C": "Cc", "B": "Bcc"}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One mail and what is to be found in it."""

    file: str
    mail: EmailMessage
    expect: tuple[str, ...]
    allow: tuple[str, ...]
    why: str


def _people() -> dict[str, str]:
    """Short name -> `Name <address>` of everybody in the directory."""
    known: dict[str, str] = {}
    for person in yaml.safe_load((HERE / "envelope" / "people.yaml").read_text("utf-8"))["people"]:
        local, _, domain = person["email"].partition("@")
        for short in (local, f"{local}@{domain.split('.')[0]}", person["email"]):
            known[short] = f"{person['name']} <{person['email']}>"
    return known


def mails(name: str = "mails") -> Iterator[Labelled]:
    """All of them, in the order of the file; a block that cannot be read stops with its number."""
    known = _people()
    sent = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    blocks = ("\n" + (HERE / "envelope" / f"{name}.txt").read_text("utf-8")).split("\n== ")[1:]
    for number, block in enumerate(blocks, 1):
        head, *lines = block.rstrip("\n").split("\n")
        labels, why = head.split(" | ", 1)
        names = [] if labels == "none" else labels.split()
        if unknown := {name.rstrip("?") for name in names} - set(TOPICS):
            raise SystemExit(f"{name}.txt, mail {number}: unknown topics {sorted(unknown)}")
        mail = EmailMessage()
        while lines and lines[0][:1] in FIELDS and lines[0][1:3] == ": ":
            kind, who = lines.pop(0).split(": ", 1)
            mail[FIELDS[kind]] = ", ".join(known.get(one.strip(), one.strip()) for one in who.split(","))
        if not lines or lines[0][:2] != "S:":
            raise SystemExit(f"{name}.txt, mail {number}: no subject")
        mail["Subject"] = lines.pop(0)[2:].strip()
        mail["Date"] = format_datetime(sent)
        mail["Message-ID"] = f"<{number:03}@envelope.example>"
        sent += timedelta(days=3 if sent.weekday() == 4 else 1) if number % 12 == 0 else timedelta(minutes=25)
        if number % 12 == 0:
            sent = sent.replace(hour=9, minute=0)
        text, *files = "\n".join(lines).split("\n@ ") if lines[:1] != [] else [""]
        mail.set_content(text + "\n")
        for file in files:
            name, _, content = file.partition("\n")
            subtype = "csv" if name.endswith(".csv") else "plain"
            mail.add_attachment(content + "\n", subtype=subtype, filename=name)
        expect = tuple(name for name in names if not name.endswith("?"))
        yield Labelled(f"mail/{number:03}.eml", mail, expect, tuple(n[:-1] for n in names if n.endswith("?")), why)


def write(folder: Path, name: str = "mails") -> list[Labelled]:
    """Write people.yaml, the mails and labels.jsonl below `folder`."""
    (folder / "mail").mkdir(parents=True, exist_ok=True)
    (folder / "people.yaml").write_bytes((HERE / "envelope" / "people.yaml").read_bytes())
    written = list(mails(name))
    with (folder / "labels.jsonl").open("w", encoding="utf-8") as labels:
        for one in written:
            (folder / one.file).write_bytes(one.mail.as_bytes())
            label = {"file": one.file, "expect": one.expect, "allow": one.allow, "complete": True, "why": one.why}
            labels.write(json.dumps(label, ensure_ascii=False) + "\n")
    return written


def wilson(hits: int, total: int) -> str:
    """`share [low, high]` at 95 % (Wilson 1927)."""
    if not total:
        return "none"
    z, share = 1.96, hits / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return f"{share:.3f} [{middle - half:.3f}, {middle + half:.3f}] ({hits}/{total})"


def score(written: list[Labelled], output: str, *, errors: bool) -> None:
    """Print precision and recall of each topic."""
    found: dict[str, set[str]] = {}
    for line in output.splitlines():
        said = json.loads(line)
        topics = {finding["topic"] for finding in said["findings"] if not finding["exempted_by"]}
        found[Path(said["path"]).name] = topics & set(TOPICS)
    hits, missed, false = Counter[str](), Counter[str](), Counter[str]()
    for one in written:
        got, expected = found[Path(one.file).name], set(one.expect)
        hits.update(got & expected)
        missed.update(expected - got)
        false.update(got - expected - set(one.allow))
        if errors:
            for topic in sorted(expected - got):
                print(f"{one.file} missed {topic}: {one.why}")
            for topic in sorted(got - expected - set(one.allow)):
                print(f"{one.file} false  {topic}: {one.why}")
    print("| topic | precision | recall |\n|---|---|---|")
    for topic in TOPICS:
        h, m, f = hits[topic], missed[topic], false[topic]
        print(f"| {topic} | {wilson(h, h + f)} | {wilson(h, h + m)} |")
    h, m, f = hits.total(), missed.total(), false.total()
    print(f"| all seven | {wilson(h, h + f)} | {wilson(h, h + m)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("act", nargs="?", choices=("score", "write"), default="score")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--errors", action="store_true", help="print each miss and false alarm")
    parser.add_argument("--holdout", action="store_true", help="the later mails instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        written = write(folder, "holdout" if options.holdout else "mails")
        if options.act == "score":
            scan = [sys.executable, "-m", "scanner.cli", "scan", str(folder / "mail")]
            scan += ["--people", str(folder / "people.yaml"), "--format", "jsonl"]
            done = subprocess.run(scan, capture_output=True, text=True, check=False)
            if done.returncode not in {0, 1}:
                print(done.stderr, file=sys.stderr)
            score(written, done.stdout, errors=options.errors)


if __name__ == "__main__":
    main()
