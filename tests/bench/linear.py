"""CPU time of the content detectors over texts made to be slow, at doubling sizes (DESIGN section 5, worst text).

    python tests/bench/linear.py [--kind NAME …] [--largest CHARACTERS]

A kind passes where the largest text (1 MB) takes under a second of CPU, or was stopped at a budget that says so, and where
doubling the text never more than doubles the time, with a margin for the fixed cost of small texts. CPU time, not the clock:
other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import gc
import time

import detectors
from scanner.inspection import NAME_CHARACTERS
from scanner.model import Table
from scanner.ports import NameBudget, NamesNear

LARGEST = 1_000_000
STEPS = 4
# What a rule asks for: names near anything sensitive, and near identifiers.
NEAR = (
    NamesNear(frozenset({"health", "sen", "safeguarding", "criminal", "behaviour", "payroll", "date_of_birth"}), 0.5),
    NamesNear(frozenset({"nhs", "uln", "trn", "address", "phone"}), 0.5),
)
PROSE = "The caretaker opened the gate at eight and the coach left for the museum with everybody on board. "
KINDS = {
    "prose": PROSE,
    "one letter": "a",
    "one digit": "7",
    "blanks": " ",
    "line ends": "\n",
    "NHS numbers": "NHS number 943 476 5919 ",
    "ten digits": "4012345678 ",
    "UPNs": "B801200005001 ",
    "card numbers": "4012 8888 8888 1881 ",
    "sort codes": "08-99-99 66374958 ",
    "telephone": "07700 900123 ",
    "half telephone": "07700 90 ",
    "plus signs": "+44 (0)77 (0) ",
    "postcodes": "LS1 4AB ",
    "addresses": "12 Elm Grove, Leeds, LS1 4AB\n",
    "half addresses": "12 Aa Bb Cc, Dd Ee, Ff Gg\n",
    "houses": "Rose Cottage, Walsh Drive, Leeds, ",
    "small addresses": "15 smith avenue, deborahmouth, ",
    "dates of birth": "DOB 04/03/2012 ",
    "half dates": "born 1/1 2/2 3/3 ",
    "e-mail": "jane.smith@gmail.com ",
    "at signs": "a@a.",
    "network addresses": "IP 10.1.2.3 ::1:2:3 ",
    "names": "Callum Hughes told Amira Khan. ",
    "forename lines": "Callum Hughes 9B\n",
    "surname, forename": "Hughes, Callum\n",
    "capitals": "AB CD EF GH ",
    "initials": "A. B. C. Dd Ee. ",
    "owners": "Oliwia's mum ",
    "told names": "Her name is Rubija. Name: Aa Bb\n",
    "sensitive": "He has epilepsy and was excluded. ",
    "one sensitive word": "epilepsy ",
    "sensitive and names": "Callum Hughes has epilepsy. ",
    "confidential": "CONFIDENTIAL settlement agreement ",
    "passwords": "password: Hunter2! ",
    "abuse": "you utter wanker ",
    "chain letter": "forward this to ten friends ",
    "entities": "&nbsp;&#49;",
    "half entities": "&#",
    "look-alike letters": "АB ",
    "Russian": "дети в 2020 году ",
    "zero width": "9\u200b4\u200b3\u200b ",
    "O and l": "O7700 9OO12l ",
    "wrapped numbers": PROSE[:70] + "943 476\n5919 ",
    "wrapped digits": "12 34 56 78 90 12 34 56 78 90 12 34 56 78\n",
    "delimited lines": "Name,DOB,UPN\nAmy Lee,04/03/2012,B801200005001\n",
    "commas": "a,b,",
    "references": "crime ref 42/123456/26 CAD 1234/15JAN26 ",
    "slashes": "police 12/34/",
    "roll numbers": "roll number 1234/5678 ",
    "candidates": "candidate 0147 1234 ",
    "labelled blocks": "Pupil: Amy Lee\nForm: 9B\n",
    "labels": "Name: a\n",
    "blanks in records": "Name:" + " " * 230 + "y\n",
    "names kept apart": "Hughes      Callum      9B\n",
    "electors": "elector number AB 12 CD 34 ",
    "blanks behind a label": " ",
}
# What stands once before the rest, and once behind it.
AROUND = {"blanks behind a label": ("Name: a\nForm: 7B\n" * 4 + "Form:", "y")}


SHEETS = ("sheet", "sheet without headings", "small sheets", "wide sheet")


def table_of(size: int, kind: str) -> tuple[str, tuple[Table, ...]]:
    """A sheet of so many characters: heading row, then rows of three cells. Of the other kinds the one has no headings, the next
    is many sheets of eight rows, the last a few rows as wide as can be.
    """
    text, rows = "", []
    tables = []
    pieces: list[str] = []
    length = 0
    row = ["Name", "DOB", "NHS number"]
    cells = ["Amy Lee", "04/03/2012", "943 476 5919"]
    if kind == "sheet without headings":
        row = cells = ["Lee", "Amy", "9B", "04/03/2012"]
    if kind == "wide sheet":
        row = cells = ["Amy Lee", "9B"] * (size // 60)
    while length < size:
        spans = []
        for cell in row:
            spans.append((length, length + len(cell)))
            pieces.append(cell + "\t")
            length += len(cell) + 1
        pieces.append("\n")
        length += 1
        rows.append(tuple(spans))
        row = cells
        if kind == "small sheets" and len(rows) == 8:
            tables.append(Table(tuple(rows)))
            rows = []
    text = "".join(pieces)
    return text, (*tables, Table(tuple(rows)))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kind", nargs="*", default=[], help="only these kinds")
    parser.add_argument("--largest", type=int, default=LARGEST, help="characters of the largest text")
    options = parser.parse_args()
    seen = detectors.load()
    seen.content(PROSE * 20, names_near=None)
    # A full collection walks all of spaCy's objects and would hit any one text at random.
    gc.collect()
    gc.freeze()
    sizes = [options.largest >> step for step in reversed(range(STEPS))]
    print(
        f"{'kind':22} " + " ".join(f"{size / 1000:7.0f} k" for size in sizes) + "   growth  hits     budget   verdict"
    )
    bad = 0
    for kind in [*KINDS, *SHEETS]:
        if options.kind and kind not in options.kind:
            continue
        times, hits, cut = [], 0, False
        for size in sizes:
            before, after = AROUND.get(kind, ("", ""))
            text, tables = (
                table_of(size, kind)
                if kind in SHEETS
                else (before + (KINDS[kind] * (size // len(KINDS[kind]) + 1))[:size] + after, ())
            )
            budget = NameBudget(NAME_CHARACTERS)
            started = time.process_time()
            hits = len(seen.content(text, tables, names_near=NEAR, budget=budget))
            times.append(time.process_time() - started)
            cut = bool(budget.windows_dropped or budget.texts_cut)
        growth = times[-1] / max(times[-2], 0.02)
        slow = (times[-1] > 1.0 and not cut) or growth > 3.0
        bad += slow
        print(
            f"{kind:22} "
            + " ".join(f"{1000 * each:6.0f} ms" for each in times)
            + f"   {growth:5.2f} {hits:8}   {'stopped' if cut else '-':8} {'TOO SLOW' if slow else 'ok'}",
            flush=True,
        )
    print(f"{bad} kinds too slow")
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
