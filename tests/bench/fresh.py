"""Precision and recall on 840 mails whose authors had seen neither the product nor each other's mails.

    python tests/bench/fresh.py [--half odd|even|all] [--set NAME] [--errors]

Invented trusts lie in `fresh/`, each with `people.yaml`, `mails.mbox` and `labels.jsonl` (contract section 6; `file` names the
message in the mailbox): `data` (personal data, credentials, confidential business), `language`, `envelope` (chain and bulk mail,
private addresses, wrong recipients) and `conduct`. The odd-numbered mails were read while words and rules were tuned; the
even-numbered ones were scored and never read, so that only their figures speak about mail not yet seen (`fresh_figures.md`).
Two later sets, `staffroom` (language, private contact, secrets, personal data) and `office` (the envelope and conduct), are asked for
by `--set`; the errors of their odd halves were looked at once. `corridor` (all topics, spread as in a development corpus) came last and no
error of it was looked at. No file here is changed to suit. `safeguarding_concern` is a hand-over and
not scored, as in the contract.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from envelope import wilson

HERE = Path(__file__).resolve().parent / "fresh"
SETS = ("data", "language", "envelope", "conduct")
LATER = ("staffroom", "office", "corridor")
_NOT_SCORED = frozenset({"safeguarding_concern"})


def found_in(folder: Path) -> dict[str, set[str]]:
    """Topics found, by the message's number in the mailbox; exempted findings do not count."""
    command = (
        sys.executable,
        "-m",
        "scanner.cli",
        "scan",
        "mails.mbox",
        "--people",
        "people.yaml",
        "--format",
        "jsonl",
    )
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{folder.name}: scan ended with {done.returncode}: {done.stderr.strip()}")
    found: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        verdict = json.loads(line)
        topics = {each["topic"] for each in verdict["findings"] if not each["exempted_by"]}
        found[verdict["path"]] = topics - _NOT_SCORED
    return found


def labelled(folder: Path, half: str) -> Iterator[tuple[str, frozenset[str], frozenset[str], str]]:
    """File, expected and allowed topics, and why, of the mails of one half."""
    for line in (folder / "labels.jsonl").read_text("utf-8").splitlines():
        label = json.loads(line)
        odd = int(label["file"].rpartition("/")[2]) % 2 == 1
        if half == "all" or odd == (half == "odd"):
            yield label["file"], frozenset(label["expect"]), frozenset(label.get("allow", ())), label.get("why", "")


def score(name: str, half: str, errors: bool) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Prints the set's figures; returns hits, misses and false alarms by topic."""
    found = found_in(HERE / name)
    hits, missed, false = Counter[str](), Counter[str](), Counter[str]()
    silent = kept = 0
    for file, expect, allow, why in labelled(HERE / name, half):
        seen = found[file]
        hits.update(expect & seen)
        missed.update(expect - seen)
        false.update(seen - expect - allow)
        silent += not expect
        kept += not expect and not seen - allow
        if errors:
            for what, topics in (("missed", expect - seen), ("false", seen - expect - allow)):
                for topic in sorted(topics):
                    print(f"  {what:6} {topic:26} {name}/{file}  {why[:110]}")
    right, wrong, lost = hits.total(), false.total(), missed.total()
    print(
        f"{name:9} precision {wilson(right, right + wrong)}  recall {wilson(right, right + lost)}  silent kept {kept}/{silent}"
    )
    return hits, missed, false


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--half", choices=("odd", "even", "all"), default="even", help="odd: read while tuning; even: not"
    )
    parser.add_argument("--set", choices=(*SETS, *LATER), action="append", help="only this set; may be given again")
    parser.add_argument("--errors", action="store_true", help="each miss and false alarm of the odd half")
    options = parser.parse_args()
    if options.errors and options.half != "odd":
        parser.error("--errors shows the odd half only: the even one stays unread")
    hits, missed, false = Counter[str](), Counter[str](), Counter[str]()
    for name in options.set or SETS:
        for into, each in zip((hits, missed, false), score(name, options.half, options.errors), strict=True):
            into.update(each)
    for topic in sorted(hits | missed | false):
        precision, recall = (hits[topic], hits[topic] + false[topic]), (hits[topic], hits[topic] + missed[topic])
        print(f"{topic:28} precision {precision[0]:3}/{precision[1]:<3} recall {recall[0]:3}/{recall[1]}")
    right, wrong, lost = hits.total(), false.total(), missed.total()
    print(f"all       precision {wilson(right, right + wrong)}  recall {wilson(right, right + lost)}")


if __name__ == "__main__":
    main()
