"""How often the sender's own words are told from quotations and forwarded text, with every miss listed.

    python tests/bench/segments.py [--eval ../shared/eval]

Replies: talon's fixtures of ten mail programs, plain and HTML, whose new text is known. Forwards: those of
email-forward-parser, where whatever follows the forward's mark must not count as the sender's.
"""

from __future__ import annotations

import argparse
import re
import tarfile
import tempfile
from pathlib import Path

from scanner.extract import Limits, open_item, read
from scanner.model import Body, Envelope, Part
from scanner.ports import RawItem

HERE = Path(__file__).resolve().parent.parent.parent
# Its plain and its HTML text are two different answers of the sender's, and both are counted as such.
BOTH_ANSWERS = {"outlook.eml": "Allo! Follow up MIME!"}
# What the fixtures of `html_replies` were written to answer, by talon's own tests.
HTML_ANSWER = "Hi. I am fine.\n\nThanks,\nAlex"


def own(part: Part) -> str:
    """The sender's words, signature included: the fixtures do not part the two."""
    return "".join(
        part.text[segment.start : segment.end] for segment in part.segments if segment.owner in ("sender", "signature")
    ) if part.segments else part.text  # fmt: skip


def squeezed(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().lower()


def body_of(envelope: Envelope) -> Part | None:
    return next((part for part in read(envelope, Limits(ocr_pages=0)).parts if part.path == "body"), None)


def replies(folder: Path) -> None:
    right, misses = 0, []
    for mail in sorted(folder.rglob("standard_replies/*.eml")):
        expected_file = mail.with_name(mail.stem + "_reply_text")
        expected = expected_file.read_text() if expected_file.is_file() else BOTH_ANSWERS.get(mail.name, "Hello")
        ((_, envelope),) = list(open_item(RawItem(mail.read_bytes(), "message/rfc822"), Limits()))
        part = body_of(envelope)
        found = own(part) if part else ""
        if squeezed(found) == squeezed(expected):
            right += 1
        else:
            misses.append(
                f"{mail.name}: {len(squeezed(found))} characters as the sender's, {len(squeezed(expected))} are"
            )
    for page in sorted(folder.rglob("html_replies/*.html")):
        part = body_of(Envelope(source="mime", bodies=(Body("text/html", page.read_text(errors="replace")),)))
        found = own(part) if part else ""
        if squeezed(found) == squeezed(HTML_ANSWER):
            right += 1
        else:
            misses.append(
                f"{page.name}: {len(squeezed(found))} characters as the sender's, {len(squeezed(HTML_ANSWER))} are"
            )
    print(f"replies: {right} of {right + len(misses)} exactly right")
    for miss in misses:
        print(f"  {miss}")


def forwards(folder: Path) -> None:
    right, misses = 0, []
    for file in sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix in (".txt", ".html", ".eml")
    ):
        if "_subject" in file.stem:
            continue  # holds a subject line and no body
        text = file.read_text(errors="replace")
        part = body_of(Envelope(source="mime", subject="Fwd: x", bodies=(Body("text/plain", text),)))
        if part is None:
            continue
        owners = {segment.owner for segment in part.segments}
        if owners & {"forwarded", "quoted"}:
            right += 1
        else:
            misses.append(file.name)
    print(f"forwards: in {right} of {right + len(misses)} something is told to be another's")
    for miss in misses:
        print(f"  {miss}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval", type=Path, default=HERE.parent / "shared" / "eval")
    structure = parser.parse_args().eval / "structure"
    if not structure.is_dir():
        raise SystemExit(f"{structure} is not there: name the folder of measuring material with --eval")
    with tempfile.TemporaryDirectory() as temporary:
        for name, measure in (("reply_and_signature", replies), ("forwards_part", forwards)):
            target = Path(temporary) / name
            with tarfile.open(structure / f"{name}.tar.xz") as opened:
                opened.extractall(target, filter="data")
            measure(target)


if __name__ == "__main__":
    main()
