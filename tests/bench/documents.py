"""Figures about reading: protection against its truth, parts that nothing accounts for, share of real files with text, files
and MB a second by format.

    python tests/bench/documents.py [--eval ../shared/eval] [--beside PACKAGES]

`--beside` names a folder into which `pip install --target PACKAGES markitdown[all]` was done; its package reads the same files
in the same run, each side in its own process. Nothing of it is needed by the program.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from scanner.extract import Limits, grade, open_item, read
from scanner.ports import RawItem

HERE = Path(__file__).resolve().parent.parent.parent


def unpacked(archive: Path, folder: Path) -> Path:
    target = folder / archive.name.partition(".")[0]
    with tarfile.open(archive) as opened:
        opened.extractall(target, filter="data")
    return target


# What a row of the truth table allows. `opens-no-password` is encrypted on disk and open to anyone: that is weak.
ALLOWED = {
    "plain": {"none", "signed"},
    "encrypted": {"weak", "strong"},
    "opens-no-password": {"weak"},
    "signed": {"signed"},
}


def protection(documents: Path, folder: Path) -> None:
    right = wrong = 0
    undecided: list[str] = []
    with (documents / "protection_truth.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            place = folder / row["archive"].partition(".")[0]
            path = next(
                (
                    one
                    for one in (place / row["file"], place / row["archive"].partition(".")[0] / row["file"])
                    if one.is_file()
                ),
                None,
            )
            if path is None:
                print(f"  not there: {row['archive']}/{row['file']}")
                continue
            kind, found = grade(path.read_bytes())
            allowed = ALLOWED.get(row["state"])
            said = f"{row['archive']}/{row['file']}: {row['state']} {row['note']} -> {found.grade}, {found.mechanism or kind}"
            if allowed is None:
                undecided.append(said)
            elif found.grade in allowed:
                right += 1
            else:
                wrong += 1
                print(f"  WRONG {said}")
    print(f"protection_truth.csv: {right} right, {wrong} wrong, {len(undecided)} undecided")
    for said in undecided:
        print(f"  undecided {said}")


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def share_with_text(folder: Path) -> dict[str, bool]:
    found: dict[str, bool] = {}
    kinds: Counter[str] = Counter()
    silent: list[str] = []
    for path in files_in(folder):
        text = problems = 0
        for _, envelope in open_item(RawItem(path.read_bytes(), "", path.name), Limits()):
            reading = read(envelope, Limits())
            text += sum(len(part.text.strip()) for part in reading.parts)
            problems += len(reading.problems)
            kinds.update(problem.kind for problem in reading.problems)
        found[str(path.relative_to(folder))] = text > 0
        if not text and not problems:
            silent.append(str(path.relative_to(folder)))
    print(f"{folder.name}: {sum(found.values())} of {len(found)} files with text; problems {dict(kinds)}")
    print(f"  neither text nor problem (looked into, and nothing in them): {', '.join(silent) or 'none'}")
    return found


def unaccounted(folder: Path) -> None:
    """Every attachment and body is a part or a problem; every part is read, or a problem says how far it is not."""
    messages = parts = 0
    silent: list[str] = []
    for path in files_in(folder):
        for member, envelope in open_item(RawItem(path.read_bytes(), "", path.name), Limits()):
            messages += 1
            reading = read(envelope, Limits())
            said = {problem.part for problem in reading.problems if problem.read != "all"}
            paths = [part.path for part in reading.parts]
            parts += len(paths)
            places = [*paths, *(problem.part for problem in reading.problems)]
            wanted = (
                ["document"]
                if envelope.kind == "document"
                else [f"attachment/{n}/" for n in range(1, len(envelope.blobs) + 1)]
            )
            wanted += ["body"] if envelope.bodies else []
            silent += [
                f"{path.name}{member} {one}: nowhere" for one in wanted if not any(p.startswith(one) for p in places)
            ]
            silent += [
                f"{path.name}{member} {p.path}: {p.read}"
                for p in reading.parts
                if p.read != "all" and p.path not in said
            ]
            silent += [f"{path.name}{member}: two parts with one path" for _ in range(len(paths) - len(set(paths)))]
    print(f"{folder.name}: {messages} messages, {parts} parts, {len(silent)} unaccounted")
    for one in silent:
        print(f"  {one}")


BESIDE = """
import json, sys, time, logging, warnings
sys.path.insert(0, sys.argv[1]); logging.disable(logging.CRITICAL); warnings.simplefilter("ignore")
from markitdown import MarkItDown
reader = MarkItDown()
found = {}
started = time.process_time()
for path in json.load(sys.stdin):
    try:
        found[path] = len((reader.convert(path).text_content or "").strip())
    except BaseException as error:
        found[path] = -1
print(json.dumps({"seconds": time.process_time() - started, "found": found}))
"""


def beside(packages: Path, folder: Path, ours: dict[str, bool], seconds: float) -> None:
    paths = [str(path) for path in files_in(folder)]
    done = subprocess.run(
        [sys.executable, "-c", BESIDE, str(packages)],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        timeout=1800,
    )
    if done.returncode:
        print(f"  markitdown could not be run: {done.stderr.strip().splitlines()[-1:]}")
        return
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    theirs = {str(Path(path).relative_to(folder)): length > 0 for path, length in answer["found"].items()}
    raised = sum(length < 0 for length in answer["found"].values())
    print(f"  markitdown on the same files: {sum(theirs.values())} of {len(theirs)} with text, {raised} refused")
    print(f"  processor time: theirs {answer['seconds']:.1f} s, ours {seconds:.1f} s")
    print(
        f"  text for them and not for us: {', '.join(sorted(name for name in ours if theirs.get(name) and not ours[name])) or 'none'}"
    )
    print(f"  text for us and not for them: {sum(ours[name] and not theirs.get(name, False) for name in ours)} files")


def throughput(folders: list[Path]) -> None:
    """Each format once over all its files, after one file to warm up."""
    by_ending: dict[str, list[bytes]] = defaultdict(list)
    for folder in folders:
        for path in files_in(folder):
            by_ending[path.suffix.lower().lstrip(".") or "no ending"].append(path.read_bytes())
    print(f"{'format':12} {'files':>6} {'MB':>8} {'files/s':>9} {'MB/s':>8}   slowest file")
    for ending, contents in sorted(by_ending.items()):
        if len(contents) < 2:
            continue
        slowest = 0.0
        total = 0.0
        for number, data in enumerate([contents[0], *contents]):
            started = time.process_time()
            for _, envelope in open_item(RawItem(data, "", f"f.{ending}"), Limits()):
                read(envelope, Limits())
            spent = time.process_time() - started
            if number:
                total += spent
                slowest = max(slowest, spent)
        size = sum(map(len, contents)) / 1e6
        print(
            f"{ending:12} {len(contents):>6} {size:>8.2f} {len(contents) / total:>9.1f} {size / total:>8.2f}   {slowest * 1000:.0f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval", type=Path, default=HERE.parent / "shared" / "eval")
    parser.add_argument("--beside", type=Path)
    options = parser.parse_args()
    documents = options.eval / "documents"
    if not documents.is_dir():
        raise SystemExit(f"{documents} is not there: name the folder of measuring material with --eval")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for archive in sorted(documents.glob("*.tar.xz")):
            unpacked(archive, folder)
        protection(documents, folder)
        for archive in sorted((options.eval / "structure").glob("*.tar.xz")):
            unaccounted(unpacked(archive, folder))
        if (options.eval / "school").is_dir():
            unaccounted(options.eval / "school" / "mail")
        started = time.process_time()
        ours = share_with_text(folder / "tika_plain_part")
        seconds = time.process_time() - started
        if options.beside:
            beside(options.beside, folder / "tika_plain_part", ours, seconds)
        throughput(
            [
                folder / name
                for name in ("tika_plain_part", "msoffcrypto", "pdf_encrypted", "rar", "pgp_messages", "dlp_samples")
            ]
        )


if __name__ == "__main__":
    main()
