"""How many published identifiers are found, how many wrong ones are reported, and what chance alone reports.

    .venv/bin/python tests/bench/vectors.py

Reads `../shared/reference/identifier-vectors.csv`. A valid value counts as found where its label is seen with at least
0.5 in a sentence that names it; an invalid one as reported where its label is seen there with 0.75 or more.
"""

from __future__ import annotations

import csv
import random
import sys
import time
from pathlib import Path

import detectors
from scanner.ports import Detectors

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "reference" / "identifier-vectors.csv"
FOUND, REPORTED = 0.5, 0.75

# How somebody would name each kind in a sentence.
SENTENCES = {
    "nino": "Her National Insurance number is {} as on the payslip.",
    "nhs": "The NHS number is {} according to the surgery.",
    "chi": "The CHI number is {} according to the surgery.",
    "upn": "The pupil's UPN is {} in the census.",
    "uln": "The unique learner number (ULN) is {} for this learner.",
    "uci": "The candidate's UCI is {} on the statement of entry.",
    "trn": "His teacher reference number (TRN) is {} from QTS.",
    "utr": "Her unique taxpayer reference (UTR) is {} for self assessment.",
    "vat": "The VAT registration number is {} on the form.",
    "iban": "Please pay to IBAN {} by transfer.",
    "payment_card": "The card number is {} for the payment.",
    "driving_licence": "The driving licence number is {} for the minibus.",
    "uk_passport": "The passport number is {} for the trip.",
    "vrn": "The car registration number is {} for the car park.",
    "sort_code_account": "Bank details: sort code and account number {} for the salary.",
    "postcode": "Their home address has the postcode {} now.",
    "phone": "Her phone number is {} for emergencies.",
    "dbs_certificate": "The DBS certificate number is {} (enhanced).",
    "urn_school": "The school's URN is {} on the register.",
    "laestab": "The LAESTAB is {} on the register.",
    "pnc_id": "The PNC ID is {} at the police.",
    "ip_address": "The IP address was {} in the log.",
    "email": "The e-mail address is {} for the parents.",
}


def confidence(seen: Detectors, label: str, value: str) -> float:
    """The best confidence with which the label is seen in the sentence."""
    hits = seen.content(SENTENCES[label].format(value), names_near=())
    return max((hit.confidence for hit in hits if hit.label == label), default=0.0)


def vectors() -> list[tuple[str, str, bool]]:
    """`(label, value, valid)` for each published value."""
    with VECTORS.open(encoding="utf-8", newline="") as file:
        return [(row["identifier"].lower(), row["value"], row["valid"] == "yes") for row in csv.DictReader(file)]


def main() -> int:
    if not VECTORS.is_file():
        print(f"no vectors at {VECTORS}", file=sys.stderr)
        return 2
    started = time.perf_counter()
    seen = detectors.load()
    print(
        f"detectors ready in {time.perf_counter() - started:.2f} s (libraries already imported are not counted again)"
    )
    rows = vectors()
    missed = [(label, value) for label, value, valid in rows if valid and confidence(seen, label, value) < FOUND]
    false = [(label, value) for label, value, valid in rows if not valid and confidence(seen, label, value) >= REPORTED]
    valid_rows = sum(valid for _, _, valid in rows)
    print(f"valid values found: {valid_rows - len(missed)} of {valid_rows}")
    for label, value in missed:
        print(f"  missed {label} {value}")
    print(f"invalid values reportable: {len(false)} of {len(rows) - valid_rows}")
    for label, value in false:
        print(f"  reported {label} {value}")
    for name, numbers in chance().items():
        reported = sum(any(hit.confidence >= REPORTED for hit in seen.content(line, names_near=())) for line in numbers)
        print(f"{name}: {reported} of {len(numbers)} texts reportable ({100 * reported / len(numbers):.3f} %)")
    return 0


def chance() -> dict[str, list[str]]:
    """Numbers without a word about them: what is reportable here is reported by chance."""
    draw = random.Random(2)
    return {
        "random ten-digit numbers": [f"{draw.randrange(10**10):010}" for _ in range(200_000)],
        "Unix timestamps": [str(draw.randrange(1_400_000_000, 1_900_000_000)) for _ in range(25_000)],
        "invoice numbers": [f"INV-{draw.randrange(10**8):08}" for _ in range(25_000)],
        "ISBN-13": [f"978{draw.randrange(10**10):010}" for _ in range(25_000)],
        "UK telephone numbers": [f"0{draw.randrange(1, 3)}{draw.randrange(10**9):09}" for _ in range(25_000)],
    }


if __name__ == "__main__":
    raise SystemExit(main())
