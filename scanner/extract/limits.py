"""How much of one message is read before reading stops and says so.

Limits come before work: a size is asked for before a byte is unpacked, and what was left out becomes a `Problem`.
"""

from __future__ import annotations

from dataclasses import dataclass

from scanner.errors import UnreadablePart


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one message with everything in it; sizes in bytes unless the name says otherwise."""

    max_depth: int = 20
    max_parts: int = 1000
    max_part_bytes: int = 50_000_000
    max_total_bytes: int = 200_000_000
    max_text_chars: int = 2_000_000
    max_cells: int = 500_000
    max_pages: int = 2_000
    # Pictures of text: pages and seconds of processor time for one message, pixels for one picture. No page means off.
    ocr_pages: int = 20
    ocr_seconds: float = 20.0
    ocr_pixels: int = 60_000_000
    # What trying words of a message as passwords on its locked files may cost; 0 tries none.
    key_milliseconds: int = 4_000


class Account:
    """What one message has used of its limits so far."""

    __slots__ = ("_limits", "bytes_read", "ocr_pages", "ocr_seconds", "parts")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.bytes_read = 0
        self.parts = 0
        self.ocr_pages = 0
        self.ocr_seconds = 0.0

    def add_part(self) -> None:
        """Count one more part. Raises UnreadablePart("too_many_parts") when there are more than allowed."""
        if self.parts >= self._limits.max_parts:
            raise UnreadablePart("too_many_parts", f"more than {self._limits.max_parts} parts in one message")
        self.parts += 1

    def reserve(self, size: int) -> None:
        """Ask for `size` bytes before reading or unpacking them. Raises UnreadablePart("too_large")."""
        if size > self._limits.max_part_bytes:
            raise UnreadablePart("too_large", f"{size} bytes, allowed are {self._limits.max_part_bytes} for one part")
        if self.bytes_read + size > self._limits.max_total_bytes:
            raise UnreadablePart("too_large", f"more than {self._limits.max_total_bytes} bytes in one message")
        self.bytes_read += size
