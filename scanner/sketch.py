"""Recognising a passed-on text again without keeping it: a keyed MinHash sketch (Broder 1997) by one hash a run of words and
128 bins (Li, Owen and Zhang 2012), made in the worker.

What is passed on is cut out first: the forwarded or quoted words where there are enough of them, else the sender's, without
quotation marks, headers of forwarded mails, signatures and small print. Two texts agree in about as many bins as they share
runs of three words. Without the key nobody can make a sketch to compare with.
"""

from __future__ import annotations

import hashlib
import re
import struct
import unicodedata
from collections.abc import Sequence

from scanner.model import Hit, Part, SegmentOwner

BINS = 128
ROWS = 4  # of a band: two texts that agree in a half share a band with 64 %, in four fifths with 99.98 %
# From here on two sketches are of one text, by the measurements of tests/bench/spread.py.
SAME = 0.40
LEAST_WORDS = 12
# A text in which nobody sees a sign must be longer to be worth remembering.
LEAST_WITHOUT_SIGN = 25
MOST_WORDS = 600
# So many characters of a part are looked at.
_READ = 20_000
# One merry phrase is a comment on what is passed on, and no sign of where it stands.
SIGNS = {"chain_letter": 0.2, "joke_round_robin": 0.75}
_RUN = 3
_EMPTY = 0xFFFF
_NUMBERS = struct.Struct(f"<{BINS}H")
_QUOTED = re.compile(r"^[ \t>|*]+", re.MULTILINE)
_HEADER = re.compile(
    r"^(?:from|sent|date|to|cc|bcc|subject|reply-to|importance|attachments) ?:[^\n]*$|^[-_=*]{4,}[^\n]*$"
    r"|^begin forwarded message[^\n]*$|^on [^\n]{4,160} wrote:$",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE = re.compile(r"[^.!?]{1,600}[.!?]?")
# Small print is the same below mails of all kinds: two of these in a sentence say that nobody meant to pass it on.
_SMALL_PRINT = re.compile(
    r"\bconfidential|\bintended (?:solely|only)|\b(?:addressee|intended recipient)|\b(?:received|receive) (?:it|this)[^.]{0,40}\bin error"
    r"|\bdelete it|\bviruses?\b|\bliability\b|\bregistered (?:in|office|charity)|\bdo not necessarily|\bopinions\b|\bunsubscribe\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_HANDED_ON: frozenset[SegmentOwner] = frozenset({"forwarded", "quoted"})
_FOUND_IN = ("body", "document", "attachment")


def passed_on(parts: Sequence[Part], hits: Sequence[Hit]) -> tuple[str, ...]:
    """The folded words of the text with the signs of a chain letter or joke; empty where there is none, or next to none."""
    signs: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.confidence >= SIGNS.get(hit.label, 2.0):
            signs.setdefault(hit.part, []).append(hit)
    best = max(
        (part for part in parts if part.kind in _FOUND_IN and part.path in signs),
        key=lambda part: len(signs[part.path]),
        default=None,
    )
    if best is None:
        return ()
    words = _words_of(best, _HANDED_ON)
    if len(words) < LEAST_WORDS or all(best.owner_at(hit.start) not in _HANDED_ON for hit in signs[best.path]):
        words = _words_of(best, frozenset({"sender"})) or words
    return words if len(words) >= LEAST_WORDS else ()


def handed_on(parts: Sequence[Part]) -> tuple[str, ...]:
    """The folded words of the body that might be one more copy although no sign is seen in it; empty where it is short."""
    body = next((part for part in parts if part.kind == "body"), None)
    if body is None:
        return ()
    words = _words_of(body, _HANDED_ON)
    if len(words) < LEAST_WITHOUT_SIGN:
        words = _words_of(body, frozenset({"sender"}))
    return words if len(words) >= LEAST_WITHOUT_SIGN else ()


def _words_of(part: Part, owners: frozenset[SegmentOwner]) -> tuple[str, ...]:
    """The first words that belong to one of `owners`, small print left out."""
    pieces: list[str] = []
    done = 0
    for segment in (*part.segments, None):
        start = min(len(part.text), _READ) if segment is None else min(segment.start, _READ)
        if "sender" in owners and start > done:  # words in no segment are the sender's
            pieces.append(part.text[done:start])
        if segment is None:
            break
        if segment.owner in owners:
            pieces.append(part.text[segment.start : min(segment.end, _READ)])
        done = max(done, segment.end)
    text = _SENTENCE.sub(_printed, "\n".join(pieces))
    plain = unicodedata.normalize("NFKC", _HEADER.sub(" ", _QUOTED.sub("", text))).casefold()
    return tuple(match.group() for _, match in zip(range(MOST_WORDS), _WORD.finditer(plain), strict=False))


def _printed(sentence: re.Match[str]) -> str:
    """The sentence, or nothing where it is small print."""
    small_print = len({sign.casefold() for sign in _SMALL_PRINT.findall(sentence.group())}) > 1
    return "\n" if small_print else sentence.group()


def sketch(words: Sequence[str], key: bytes) -> bytes:
    """256 bytes: the keyed hashes of all runs of three words fall into 128 bins, and of each bin the least is kept."""
    least = [_EMPTY] * BINS
    for run in {" ".join(words[at : at + _RUN]) for at in range(max(1, len(words) - _RUN + 1))}:
        made = hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=4, key=key, salt=b"spread").digest()
        place, value = made[0] % BINS, made[1] << 8 | made[2]
        if value < least[place]:
            least[place] = value
    return _NUMBERS.pack(*least)


def bands(made: bytes) -> tuple[int, ...]:
    """Sixteen numbers for an index, signed 64 bits: texts that are much alike have one in common.

    Two bins make one; one that is empty still borrows from the next that is not, in a way of its own for each distance.
    """
    numbers = _NUMBERS.unpack(made)
    pairs = [min(numbers[at], numbers[at + 1]) for at in range(0, BINS, 2)]
    if all(number == _EMPTY for number in pairs):
        return ()
    full = []
    for at in range(len(pairs)):
        far = next(far for far in range(len(pairs)) if pairs[(at + far) % len(pairs)] != _EMPTY)
        full.append(far << 16 | pairs[(at + far) % len(pairs)])
    return tuple(
        int.from_bytes(
            hashlib.blake2b(
                struct.pack(f"<{ROWS}I", *full[at : at + ROWS]), digest_size=8, salt=at.to_bytes(2, "big")
            ).digest(),
            "big",
            signed=True,
        )
        for at in range(0, len(full), ROWS)
    )


def agreement(one: bytes, other: bytes) -> float:
    """The share of bins with the same number, of those that are not empty in both: an estimate of the runs of words in common
    (Jaccard), 0 to 1."""
    pairs = zip(_NUMBERS.unpack(one), _NUMBERS.unpack(other), strict=True)
    filled = [a == b for a, b in pairs if a != _EMPTY or b != _EMPTY]
    return sum(filled) / len(filled) if filled else 0.0
