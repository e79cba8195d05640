"""Words that say a piece of music, film or software is somebody else's and was copied: only beside a media file do they count."""

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
