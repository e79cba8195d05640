"""The greedy reading of spaCy's entity recogniser, without its transition loop.

spaCy 3.8 asks at every token whether each of the 74 moves is allowed, and its compiled wheel takes Python's lock for each
question: 37 of the 70 microseconds that a token costs. The moves of a recogniser without preset entities are few enough to
decide with three array operations (decision 0016); `tests/test_analysis.py` holds the result against spaCy's own on every text
it has. The model, its tokenizer and its vectors stay spaCy's.

Facts: spaCy 3.8 `pipeline/_parser_internals/ner.pyx` (which move is valid where), `_state.pxd` (which tokens a state looks
at), `ml/parser_model.pyx` (how a state is scored).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

_Scores = npt.NDArray[np.float32]


def entity_decoder(ner: Any) -> EntityDecoder | None:
    """A decoder for the `ner` pipe of a loaded model; None for one of another build (beam search, other features), which
    only spaCy itself can read.
    """
    attributes = ner.model.attrs
    greedy = ner.cfg.get("beam_width", 1) == 1 and attributes.get("has_upper") and not attributes.get("unseen_classes")
    if not greedy:
        return None
    lower = ner.model.get_ref("lower")
    return EntityDecoder(ner) if lower.get_dim("nF") == 3 and lower.get_dim("nP") >= 2 else None


class EntityDecoder:
    """Entities of documents by the greedy algorithm of one spaCy `ner` pipe."""

    def __init__(self, ner: Any) -> None:
        model = ner.model
        lower, upper = model.get_ref("lower"), model.get_ref("upper")
        self._vectors = model.get_ref("tok2vec")
        weights = lower.get_param("W")
        self._lower: _Scores = np.ascontiguousarray(weights.reshape(-1, weights.shape[-1]).T)
        self._shape = weights.shape[:-1]
        self._bias: _Scores = lower.get_param("b")
        # What stands for the entity's first and last token while none is open.
        self._no_entity: _Scores = lower.get_param("pad")[0, 1] + lower.get_param("pad")[0, 2]
        self._upper: _Scores = np.ascontiguousarray(upper.get_param("W").T)
        self._upper_bias: _Scores = upper.get_param("b")
        moves = [ner.moves.get_class_name(number).partition("-")[::2] for number in range(ner.moves.n_moves)]
        self._labels = tuple(label for _, label in moves)
        self._kinds = tuple(kind for kind, _ in moves)
        self._starts = self._penalty(lambda kind, label: kind == "O" or (kind in ("B", "U") and label != ""))
        self._last_starts = self._penalty(lambda kind, label: kind == "O" or (kind == "U" and label != ""))
        self._blank_starts = self._penalty(lambda kind, _: kind == "O")
        self._inner = {label: number for number, (kind, label) in enumerate(moves) if kind == "I"}
        self._final = {label: number for number, (kind, label) in enumerate(moves) if kind == "L"}

    def _penalty(self, allowed: Callable[[str, str], bool]) -> _Scores:
        kept = [allowed(kind, label) for kind, label in zip(self._kinds, self._labels, strict=True)]
        return np.where(kept, 0.0, -np.inf).astype(np.float32)

    def decode(self, documents: Sequence[Any]) -> list[list[tuple[int, int, str]]]:
        """Per document the entities as (first token, token after the last, label), in order."""
        read = [document for document in documents if len(document)]
        vectors: _Scores = self._vectors.predict(read) if read else np.zeros((0, 0), dtype=np.float32)
        found: list[list[tuple[int, int, str]]] = []
        first = 0
        for document in documents:
            after = first + len(document)
            found.append(self._entities(document, vectors[first:after]) if after > first else [])
            first = after
        return found

    def _entities(self, document: Any, vectors: _Scores) -> list[tuple[int, int, str]]:
        size = len(vectors)
        features = (vectors @ self._lower).reshape(size, *self._shape)
        outside = self._scores(features[:, 0] + self._no_entity) + self._starts
        outside[size - 1] += self._last_starts
        outside[document.to_array("IS_SPACE").astype(bool)] += self._blank_starts
        chosen = outside.argmax(axis=1).tolist()
        found: list[tuple[int, int, str]] = []
        place = 0
        while place < size:
            move = chosen[place]
            kind, label = self._kinds[move], self._labels[move]
            if kind == "B":
                end = self._end(features, place, label)
                found.append((place, end, label))
                place = end
                continue
            if kind == "U":
                found.append((place, place + 1, label))
            place += 1
        return found

    def _end(self, features: _Scores, first: int, label: str) -> int:
        """The token after the last one of the entity that begins at `first`."""
        inner, final = self._inner[label], self._final[label]
        for place in range(first + 1, len(features) - 1):
            state = features[place, 0] + features[first, 1] + features[place - 1, 2]
            scores = self._scores(state[np.newaxis])[0]
            if scores[final] > scores[inner] or (scores[final] == scores[inner] and final < inner):
                return place + 1
        return len(features)

    def _scores(self, summed: _Scores) -> _Scores:
        """Scores of the moves in states whose summed features these are."""
        pieces = summed + self._bias
        # Two or three pieces: pairs are compared ten times faster than `max` walks so short an axis.
        hidden: _Scores = reduce(np.maximum, (pieces[:, :, piece] for piece in range(pieces.shape[2])))
        return hidden @ self._upper + self._upper_bias
