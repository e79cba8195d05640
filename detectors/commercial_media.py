"""Words that say a piece of music, film or software is somebody else's and was copied, which count only beside a media file; and
licence keys of programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from detectors.base import Context, TextDetector, Waking
from scanner.model import Hit

# An expression, words of which one stands in all that it finds, and how sure that is.
_SIGNS = (
    (
        re.compile(
            r"\b(?:ripped|pirat\w+|bootleg\w*|torrent\w*|crack(?:ed)? (?:copy|version)|keygen)\b", re.IGNORECASE
        ),
        ("ripped", "pirat", "bootleg", "torrent", "crack", "keygen"),
        0.85,
    ),
    (
        re.compile(
            r"\b(?:copy of|copied|download(?:ed)?|burn(?:ed|t)?)\b[^\n.]{0,60}"
            r"\b(?:album|track|single|song|film|movie|series|episode|cd|dvd|"
            r"chart|for free)\b",
            re.IGNORECASE,
        ),
        ("copy of", "copied", "download", "burn"),
        0.8,
    ),
    (
        re.compile(
            r"\b(?:album|track|single|song|film|movie|series|episode|cd|dvd)\b[^\n.]{0,60}\b(?:copied|downloaded|without paying|"
            r"for free|off (?:the internet|youtube|spotify))\b",
            re.IGNORECASE,
        ),
        ("copied", "downloaded", "without paying", "for free", "off "),
        0.8,
    ),
)


class CommercialMedia(TextDetector):
    """The text says that a recording or program was copied from a commercial source."""

    labels = ("commercial_media",)
    wake = (
        r"\b(?:album|track|single|song|film|movie|series|episode|cd|dvd|ripped|pirat|bootleg|torrent|cracked|keygen)",
    )

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterable[Hit]:
        lowered = text.lower()
        for pattern, words, confidence in _SIGNS:
            if not any(word in lowered for word in words):
                continue
            for match in pattern.finditer(text):
                reasons = ("says that it was copied from a commercial source",)
                yield Hit("commercial_media", match.start(), match.end(), match.group(), confidence, reasons)


# Four or more groups of five (or five of four) characters, as makers of programs print their keys.
_KEY = re.compile(
    r"(?<![\w-])[A-Z0-9]{5}(?:-[A-Z0-9]{5}){3,5}(?![\w-])|(?<![\w-])[A-Z0-9]{4}(?:-[A-Z0-9]{4}){4,7}(?![\w-])"
)
_KEY_WORD = re.compile(
    r"\b(?:product|licen[cs]e|activation|serial|registration|install(?:ation)?|volume|unlock|cd|retail)[- ]?(?:keys?|numbers?|codes?)\b"
    r"|\b(?:activate|keygen|kms)\b",
    re.IGNORECASE,
)
_KEY_NEAR = 200


class LicenceKey(TextDetector):
    """A key that unlocks a program, with words near it that say so."""

    labels = ("licence_key",)
    wake = (r"\b[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}-", r"\b[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}-[A-Z0-9]{4}-")

    def detect(self, text: str, wakings: Sequence[Waking], context: Context) -> Iterable[Hit]:
        for match in _KEY.finditer(text):
            key = match.group()
            mixed = any(letter.isalpha() for letter in key) and any(letter.isdigit() for letter in key)
            around = text[max(0, match.start() - _KEY_NEAR) : match.end() + _KEY_NEAR]
            if mixed and _KEY_WORD.search(around):
                reasons = ("shaped like a licence key", "called one nearby")
                yield Hit("licence_key", match.start(), match.end(), key, 0.85, reasons)
