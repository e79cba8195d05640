"""Train the linear model of hostile sentences, detectors/models/hostility.npz, and say how good it is.

    .venv/bin/python tests/bench/train_hostility.py [--check]

Reads EDOS (split=train) and Davidson from `../shared/eval/language`, and `learn` of `neutral_mentions.yml` beside it; nothing
else. Fixed seeds, and one thread whatever the environment says (more add in another order, and the last bit differs): the
same data and the same library versions give the same bytes; `--check` trains anew and says whether they do. Needs scikit-learn
(dev extra).
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from detectors.hostility import BITS, HEADS, MODEL, features

NEUTRAL = Path(__file__).with_name("neutral_mentions.yml")
LANGUAGE = Path(__file__).resolve().parents[3] / "shared" / "eval" / "language"
SEED = 7
STRENGTH = {"discrimination": 8.0, "sexism": 16.0, "threat": 16.0, "abuse": 4.0}


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    source: str
    kind: str  # EDOS: "none" or its category; Davidson: hate, offensive, neither; neutral: the characteristic named


def edos(split: str) -> list[Row]:
    with gzip.open(LANGUAGE / "edos_train_dev.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [
            Row(row["text"], "edos", row["label_category"]) for row in csv.DictReader(file) if row["split"] == split
        ]


def davidson() -> list[Row]:
    names = {"0": "hate", "1": "offensive", "2": "neither"}
    with gzip.open(LANGUAGE / "davidson.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = [Row(row["tweet"], "davidson", names[row["class"]]) for row in csv.DictReader(file)]
    seen: set[str] = set()
    # Retweets of one tweet are one row, so that no fold tests what another trained on.
    return [row for row in rows if not ((key := _core(row.text)) in seen or seen.add(key))]  # type: ignore[func-returns-value]


def neutral(part: str) -> list[Row]:
    """Neutral sentences about people; `part` is `learn` or `ask`."""
    content = YAML(typ="safe").load(NEUTRAL.read_text("utf-8"))
    return [
        Row(sentence[:1].upper() + sentence[1:], "neutral", kind)
        for kind, groups in content["who"].items()
        for who in groups
        for sentence in (template.replace("{who}", who) for template in content[part])
    ]


def _core(text: str) -> str:
    words = text.lower().replace("!", " ").split()
    return " ".join(word for word in words if word != "rt" and not word.startswith(("@", "http")))


def target(head: str, row: Row) -> int | None:
    """1 or 0 where the row's label says so; None where it says nothing about this head."""
    if row.source == "neutral":
        return 0
    if head == "discrimination":
        if row.source == "edos":
            return int(row.kind != "none")
        return {"hate": 1, "neither": 0}.get(row.kind)
    if head == "sexism":
        return int(row.kind != "none") if row.source == "edos" else None
    if head == "threat":
        return int(row.kind.startswith("1")) if row.source == "edos" else {"neither": 0}.get(row.kind)
    return int(row.kind != "neither") if row.source == "davidson" else None


def matrix(texts: Sequence[str]) -> csr_matrix:
    """One row a text: each feature of it weighs one over the square root of their number."""
    columns = [features(text) for text in texts]
    ends = np.cumsum([0, *map(len, columns)])
    values = np.concatenate([np.full(len(each), 1.0 / max(len(each), 1) ** 0.5) for each in columns])
    return csr_matrix((values, np.concatenate(columns), ends), shape=(len(texts), 1 << BITS))


def fitted(head: str, given: csr_matrix, wanted: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weight of each feature: a logistic regression over features scaled by how much more often the positive rows hold
    them (Wang and Manning 2012), the scale multiplied back in, so that asking costs nothing more.
    """
    there = (given > 0).astype(np.float64)
    with_it, without = (1.0 + np.asarray(there[wanted == side].sum(axis=0)).ravel() for side in (1, 0))
    ratio = np.log((with_it / with_it.sum()) / (without / without.sum()))
    balanced = "balanced" if head == "threat" else None
    model = LogisticRegression(C=STRENGTH[head], solver="liblinear", class_weight=balanced, random_state=SEED)
    model.fit(given.multiply(ratio).tocsr(), wanted)
    return np.asarray(model.coef_[0] * ratio, dtype=np.float64)


def curve(head: str, given: csr_matrix, wanted: NDArray[np.int64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Scores of each row by weights that never saw it, and the logistic curve through them (Platt 1999)."""
    scores = np.zeros(len(wanted))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=SEED).split(given, wanted):
        scores[test] = given[test] @ fitted(head, given[train], wanted[train])
    platt = LogisticRegression(C=1e6, solver="lbfgs").fit(scores.reshape(-1, 1), wanted)
    return scores, (float(platt.coef_[0][0]), float(platt.intercept_[0]))


def train(rows: Sequence[Row]) -> tuple[bytes, list[str]]:
    """The model file and the lines that report on it."""
    weights = np.zeros((len(HEADS), 1 << BITS), dtype=np.int16)
    scales, curves, report = [], [], []
    for place, head in enumerate(HEADS):
        given, wanted = _labelled(head, rows)
        scores, (slope, offset) = curve(head, given, wanted)
        coefficients = fitted(head, given, wanted)
        scale = float(np.abs(coefficients).max()) / 32767
        weights[place] = np.round(coefficients / scale).astype(np.int16)
        scales.append(scale)
        curves.append((slope, offset))
        chance = 1 / (1 + np.exp(-(slope * scores + offset)))
        said = chance >= 0.5
        report.append(
            f"{head}: {len(wanted)} rows, {wanted.sum()} positive; out of fold P {precision_score(wanted, said):.3f} "
            f"R {recall_score(wanted, said):.3f} F1 {f1_score(wanted, said):.3f}"
        )
        for low in (0.1, 0.3, 0.5, 0.7, 0.8, 0.9):
            band = (chance >= low) & (chance < low + 0.1)
            if band.any():
                report.append(f"  said {low:.1f} to {low + 0.1:.1f}: true {wanted[band].mean():.2f} of {band.sum()}")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, weights=weights, scales=np.asarray(scales), curve=np.asarray(curves))
    return buffer.getvalue(), report


def across() -> list[str]:
    """Precision, recall and F1 of a model trained on one set and tested on another, where the heads mean the same."""
    known, unseen, tweets = edos("train"), edos("dev"), davidson()
    lines = []
    pairs = (
        ("discrimination: EDOS train, tested on EDOS dev (sexist)", known, unseen),
        ("discrimination: EDOS train, tested on Davidson (hate against neither)", known, tweets),
        ("discrimination: Davidson, tested on EDOS dev (sexist)", tweets, unseen),
    )
    for title, learnt, asked in pairs:
        (given, wanted), (tested, truth) = (_labelled("discrimination", rows) for rows in (learnt, asked))
        scores, (slope, offset) = curve("discrimination", given, wanted)
        said = slope * (tested @ fitted("discrimination", given, wanted)) + offset > 0
        lines.append(_line(title, truth, said))
    given, wanted = _labelled("abuse", tweets)
    scores, (slope, offset) = curve("abuse", given, wanted)
    lines.append(
        _line("abuse: Davidson in five folds without repeats (hate or offensive)", wanted, slope * scores + offset > 0)
    )
    return lines


def _labelled(head: str, rows: Sequence[Row]) -> tuple[csr_matrix, NDArray[np.int64]]:
    pairs = [(row.text, wanted) for row in rows if (wanted := target(head, row)) is not None]
    return matrix([text for text, _ in pairs]), np.asarray([wanted for _, wanted in pairs])


def _line(title: str, truth: NDArray[np.int64], said: NDArray[np.bool_]) -> str:
    return f"{title}: P {precision_score(truth, said):.3f} R {recall_score(truth, said):.3f} F1 {f1_score(truth, said):.3f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; say whether the shipped file is reproduced"
    )
    options = parser.parse_args()
    if not LANGUAGE.is_dir():
        print(f"no training data at {LANGUAGE}", file=sys.stderr)
        return 2
    with threadpool_limits(1):
        model, report = train([*edos("train"), *davidson(), *neutral("learn")])
    print("\n".join(report))
    for name in ("edos_train_dev.csv.gz", "davidson.csv.gz"):
        print(f"{name} sha256 {hashlib.sha256((LANGUAGE / name).read_bytes()).hexdigest()}")
    print(f"{MODEL.name} sha256 {hashlib.sha256(model).hexdigest()}, {len(model):,} bytes")
    if options.check:
        same = MODEL.is_file() and MODEL.read_bytes() == model
        print("reproduced to the bit" if same else "differs from the shipped file")
        return 0 if same else 1
    MODEL.write_bytes(model)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
