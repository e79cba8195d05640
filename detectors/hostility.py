"""A linear model of hostile sentences: how much one reads like prejudice, a threat or abuse, whatever words it uses.

It stands behind the word list (`language`): sure where the list is unsure, silent where the list has seen nothing to
begin with. Features are hashed words, pairs of words and character 3- to 5-grams, present or not; the score is their
weights' sum over the square root of their number, through a logistic curve fitted on sentences the weights never saw.
Weights and curve: `models/hostility.npz`, made by `tests/bench/train_hostility.py`; data, licences, figures and known
bias: `models/hostility.md`. Needs numpy only.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MODEL = Path(__file__).parent / "models" / "hostility.npz"
HEADS = ("discrimination", "sexism", "threat", "abuse")
BITS = 17
_LONGEST = 400
_ADDRESS = re.compile(r"https?://\S{1,200}|www\.\S{1,200}|\[url\]", re.IGNORECASE)
_SOMEBODY = re.compile(r"@\w{1,40}|\[user\]", re.IGNORECASE)
_MARKUP = re.compile(r"&(?:amp|lt|gt|#\d{1,7});")
_LONG_RUN = re.compile(r"(.)\1{2,}")
_WORD = re.compile(r"[a-z0-9*$']+")
_OTHER = re.compile(r"[^a-z0-9*$'!?.,]+")
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(1_000_003)


def features(sentence: str) -> NDArray[np.int64]:
    """The distinct feature numbers (0 to 2**BITS - 1) of the sentence's first 400 characters, ascending."""
    text = _MARKUP.sub(" ", sentence[: _LONGEST * 2].lower().replace("’", "'"))
    text = _SOMEBODY.sub(" ", _ADDRESS.sub(" ", text))[:_LONGEST]
    text = _LONG_RUN.sub(r"\1\1", text)
    words = _WORD.findall(text)
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    hashed = [zlib.crc32(term.encode()) & ((1 << BITS) - 1) for term in (*words, *pairs)]
    row = np.frombuffer(f" {_OTHER.sub(' ', text).strip()} ".encode("ascii", "replace"), dtype=np.uint8)
    letters = row.astype(np.uint64)
    found = [np.asarray(hashed, dtype=np.int64)]
    for length in (3, 4, 5):
        if len(letters) < length:
            break
        number = np.full(len(letters) - length + 1, length, dtype=np.uint64)
        for place in range(length):
            number = number * _STEP + letters[place : len(letters) - length + 1 + place]
        found.append(((number * _MULTIPLIER) >> np.uint64(64 - BITS)).astype(np.int64))
    return np.unique(np.concatenate(found))


@dataclass(frozen=True, slots=True)
class Hostility:
    """The model as loaded: `weights` one row a head in 16 bits, `scales` what one step of them is worth, `curve` slope and offset."""

    weights: NDArray[np.int16]
    scales: tuple[float, ...]
    curve: tuple[tuple[float, float], ...]

    @classmethod
    def load(cls, path: Path = MODEL) -> Hostility:
        """Raises OSError where the file is missing and ValueError where it is no such model."""
        with np.load(path, allow_pickle=False) as data:
            weights = data["weights"]
            if weights.shape != (len(HEADS), 1 << BITS) or weights.dtype != np.int16:
                raise ValueError(f"{path.name} holds no model of {len(HEADS)} heads and {1 << BITS} features")
            curve = tuple((float(slope), float(offset)) for slope, offset in data["curve"])
            return cls(weights, tuple(map(float, data["scales"])), curve)

    def probabilities(self, sentence: str) -> dict[str, float]:
        """For each head the calibrated probability that somebody who labels such sentences would say so."""
        numbers = features(sentence)
        if not len(numbers):
            return dict.fromkeys(HEADS, 0.0)
        sums = self.weights[:, numbers].sum(axis=1, dtype=np.int64) / math.sqrt(len(numbers))
        return {
            head: 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, slope * float(total) * scale + offset))))
            for head, total, scale, (slope, offset) in zip(HEADS, sums, self.scales, self.curve, strict=True)
        }
