"""Text in pictures: a passport's lines, a class list, a page on its side, and pictures that hold none."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageDraw, ImageFont

from scanner.extract import Limits, Reading, read
from scanner.extract.limits import Account
from scanner.extract.ocr import read_pictures
from scanner.model import Blob, Envelope

LIMITS = Limits()
# A published specimen of the passport office.
MRZ = ("P<GBRSPECIMEN<<ANGELA<ZOE<<<<<<<<<<<<<<<<<<<", "9250764733GBR8809117F2007162<<<<<<<<<<<<<<08")


def drawn(lines: list[str], size: tuple[int, int] = (1400, 900), height: int = 34, step: int = 64) -> Image.Image:
    image = Image.new("L", size, 235)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(height)
    for number, line in enumerate(lines):
        pen.text((60, 60 + step * number), line, font=font, fill=25)
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def document(data: bytes, limits: Limits = LIMITS) -> Reading:
    return read(Envelope(source="document", kind="document", blobs=(Blob("scan.pdf", "", data),)), limits)


def test_a_plain_surface_has_no_words_and_is_read() -> None:
    reading = document(saved(Image.new("L", (1200, 900), 190)))
    assert not reading.parts[0].text
    assert not reading.problems
    assert not reading.parts[0].by_ocr


def test_a_list_keeps_its_lines_and_spaces() -> None:
    rows = ["Class 4M register", "Tamsin Oakley born 04/10/2017", "Bryn Calloway born 12/09/2017"]
    part = document(saved(drawn(rows), "JPEG", quality=80)).parts[0]
    assert part.by_ocr
    assert [line for line in part.text.split("\n") if line.strip()] == rows


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_every_kind_of_picture_is_opened(kind: str) -> None:
    assert "Tamsin Oakley" in document(saved(drawn(["Tamsin Oakley"]), kind)).parts[0].text


def test_pages_of_a_tiff_are_all_read() -> None:
    first, second = drawn(["first page of three"]), drawn(["second page of three"])
    text = document(saved(first, "TIFF", save_all=True, append_images=[second])).parts[0].text
    assert "first page" in text
    assert "second page" in text


def test_the_lines_of_a_passport_come_through() -> None:
    image = Image.new("L", (1500, 1000), 225)
    pen = ImageDraw.Draw(image)
    fonts = ("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf")
    font = None
    for name in fonts:
        try:
            font = ImageFont.truetype(name, 36)
            break
        except OSError:
            continue
    if font is None:
        pytest.skip("no monospaced font on this machine (looked for " + ", ".join(fonts) + ")")
    for number, line in enumerate(MRZ):
        pen.text((60, 780 + 60 * number), line, font=font, fill=30)
    text = document(saved(image.rotate(1.5, expand=True, fillcolor=90), "JPEG", quality=75)).parts[0].text
    assert MRZ[1] in text.replace(" ", "")


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_page_on_its_side_is_turned(degrees: int) -> None:
    lines = [
        "Minutes of the meeting of the trustees",
        "Present were Tamsin Oakley and Bryn Calloway",
        "Apologies from none",
    ]
    text = document(saved(drawn(lines).rotate(degrees, expand=True))).parts[0].text
    assert "Tamsin Oakley" in text


@pytest.mark.parametrize("degrees", [-2, -1, 1, 2])
def test_the_rows_of_a_list_that_lies_askew_stay_together(degrees: int) -> None:
    image = Image.new("L", (1500, 1000), 235)
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(34)
    rows = [("Callaway, Bryn", "28/07/2015", "7C"), ("Oakley, Tamsin", "05/10/2014", "7K"), ("Dunwoody, Hamza", "11/03/2015", "7B"),
            ("Pattinson, Ewan", "08/05/2015", "7A"), ("Jellicoe, Freya", "15/09/2014", "7C")]  # fmt: skip
    for number, row in enumerate(rows):
        for left, words in zip((60, 700, 1200), row, strict=True):
            pen.text((left, 100 + 80 * number), words, font=font, fill=25)
    text = document(saved(image.rotate(degrees, expand=True, fillcolor=220))).parts[0].text
    assert [line.split("\t") for line in text.split("\n")] == [list(row) for row in rows]


def test_limits_of_pages_and_pixels_are_said() -> None:
    image = saved(drawn(["some words of a page"]))
    blobs = tuple(Blob(f"{number}.png", "", image) for number in range(3))
    reading = read(Envelope(source="mime", blobs=blobs), Limits(ocr_pages=2))
    assert [(problem.part, problem.kind) for problem in reading.problems] == [("attachment/3/2.png", "budget")]
    assert [item.kind for item in document(image, Limits(ocr_pixels=1000)).problems] == ["too_large"]
    bomb = saved(Image.new("1", (16_000, 16_000)))  # more than Pillow itself will open
    assert [item.kind for item in document(bomb).problems] == ["too_large"]
    used_up = Account(LIMITS)
    used_up.ocr_seconds = LIMITS.ocr_seconds
    with pytest.raises(Exception, match="budget"):
        list(read_pictures(image, LIMITS, used_up))


def test_switched_off_it_is_skipped_and_said() -> None:
    reading = document(saved(drawn(["some words of a page"])), Limits(ocr_pages=0))
    assert [problem.kind for problem in reading.problems] == ["skipped"]
    assert not reading.parts[0].text
