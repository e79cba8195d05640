"""Pictures of documents: what is told of somebody on a photograph or a scan is found as if it were text.

    python tests/bench/pictures.py [--errors]

Each document is drawn from invented data, turned by one to three degrees, given noise, uneven light and JPEG artefacts, sent to
an untrusted outsider and judged with the base policy; the same words as text stand beside it.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from random import Random

from bulk import as_mail, children
from envelope import wilson
from personal_data import TRUST, Bench, personal
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from scanner.directory import Directory

Line = tuple[int, int, int, str]  # left, top, size of the letters, words
PAGE = (1654, 1100)


def _check(field: str) -> str:
    """ICAO 9303 part 3."""
    values = (0 if c == "<" else int(c, 36) for c in field)
    return str(sum(value * (7, 3, 1)[place % 3] for place, value in enumerate(values)) % 10)


def passport() -> list[Line]:
    number, born, expiry, rest = "925665416", "140307", "310915", "<" * 14
    fields = [field + _check(field) for field in (number, born, expiry)]
    line = f"{fields[0]}GBR{fields[1]}F{fields[2]}{rest}"
    line += "<" + _check(fields[0] + fields[1] + fields[2] + rest + "<")
    return [
        (80, 60, 40, "UNITED KINGDOM OF GREAT BRITAIN AND NORTHERN IRELAND"),
        (600, 160, 30, "Type/Type  P      Code/Code  GBR      Passport No./Passeport No."), (1250, 210, 38, number),
        (600, 280, 28, "Surname/Nom (1)"), (600, 320, 40, "VASILESCU"), (600, 390, 28, "Given names/Prénoms (2)"),
        (600, 430, 40, "DELPHINE ROSE"), (600, 500, 28, "Date of birth/Date de naissance (4)"), (600, 540, 40, "07 MAR / MARS 14"),
        (600, 610, 28, "Date of expiry/Date d'expiration (8)"), (600, 650, 40, "15 SEP / SEPT 31"),
        (60, 900, 52, "P<GBRVASILESCU<<DELPHINE<ROSE".ljust(44, "<")), (60, 980, 52, line),
    ]  # fmt: skip


def licence() -> list[Line]:
    return [
        (100, 60, 60, "DRIVING LICENCE"), (1200, 60, 60, "UK"), (600, 180, 42, "1.  THRELFALL"), (600, 240, 42, "2.  MR EWAN"),
        (600, 300, 42, "3.  14.09.1981  LEEDS"), (600, 360, 42, "4a. 02.03.2021   4c. DVLA"), (600, 420, 42, "4b. 01.03.2031"),
        (600, 480, 42, "5.  THREL809141E99XY 21"), (600, 620, 42, "8.  27 HOBB END, THORNMERE, CB4 2DH"),
        (600, 700, 42, "9.  AM/B1/B/f/k/q"),
    ]  # fmt: skip


def plan() -> list[Line]:
    return [
        (100, 80, 60, "EDUCATION, HEALTH AND CARE PLAN"), (100, 200, 40, "Thornshire County Council"),
        (100, 300, 38, "Name of child: Gruffydd Chowdhury"), (100, 370, 38, "Date of birth: 26/10/2014"),
        (100, 440, 38, "UPN: Z873400188961"), (100, 510, 38, "Primary need: Autism spectrum condition"),
        (100, 580, 38, "Address: 14 Tanner Row, Thornmere, CB5 8DJ"), (100, 650, 38, "School named in Section I: Thornmere High"),
    ]  # fmt: skip


def register() -> list[Line]:
    lines: list[Line] = [(100, 40, 44, "9K Registration group   Week 34")]
    for place, child in enumerate(children(12)):
        top = 120 + 68 * place
        lines += [
            (100, top, 36, f"{child.surname}, {child.forename}"),
            (620, top, 36, child.dob),
            (900, top, 36, child.form),
            (1050, top, 36, "/ \\ / \\ N N"),
        ]
    return lines


def letter() -> list[Line]:
    said = (
        "Thornmere High School", "14 May 2026", "Dear Mrs Yeboah,", "Ikram Yeboah (9K), date of birth 05/02/2012",
        "I am writing to confirm that Ikram has been suspended for three days for bringing",
        "a knife into school. The police have been informed. Ikram has ADHD and his social",
        "worker, Ms Nettleship, will attend the reintegration meeting.", "Yours sincerely", "P Sandhu",
    )  # fmt: skip
    return [(100, 60 + 90 * place, 36, line) for place, line in enumerate(said)]


def record() -> list[Line]:
    said = (
        "SCHOOL MEDICAL RECORD", "Pupil: Keziah Nwosu     Form: 7R", "NHS number: 943 476 5919", "GP: Weir Lane Surgery",
        "Conditions: epilepsy, penicillin allergy", "Emergency medication: buccal midazolam",
    )  # fmt: skip
    return [(120, 80 + 110 * place, 44, line) for place, line in enumerate(said)]


def timetable() -> list[Line]:
    days = ("Mon", "Tue", "Wed", "Thu", "Fri")
    lines: list[Line] = [(300 + 250 * place, 60, 40, day) for place, day in enumerate(days)]
    for period in range(1, 6):
        lines.append((80, 60 + 150 * period, 40, f"Period {period}"))
        lines += [
            (300 + 250 * place, 60 + 150 * period, 36, f"{subject} 9A")
            for place, subject in enumerate(("Maths", "English", "PE", "Art", "History"))
        ]
    return lines


def poster() -> list[Line]:
    said = (
        "SUMMER FAIR",
        "Saturday 20 June, 11 am to 3 pm",
        "Bouncy castle, cake stall, raffle",
        "Thornmere High, Mill Bank Road, CB5 8AA",
        "Ring the office on 01632 960123",
    )
    return [(150, 80 + 150 * place, 56, line) for place, line in enumerate(said)]


def blank_form() -> list[Line]:
    said = (
        "MEDICAL INFORMATION FORM",
        "Name of pupil: ______________________",
        "Date of birth: ____ / ____ / ____",
        "NHS number: ______________",
        "Medical conditions: ______________________",
        "Signed (parent or carer): ______________",
    )
    return [(120, 80 + 120 * place, 44, line) for place, line in enumerate(said)]


def drawn(lines: list[Line], *, degrees: float, noise: float, quality: int, seed: int) -> bytes:
    page = Image.new("L", PAGE, 250)
    pen = ImageDraw.Draw(page)
    for left, top, size, words in lines:
        if "<<" in words:  # letters of one width, as on the page of a passport
            font = ImageFont.load_default(44)
            for place, letter_ in enumerate(words):
                pen.text((left + 34 * place, top), letter_, 25, font=font)
        else:
            pen.text((left, top), words, 25, font=ImageFont.load_default(size))
    page = page.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=215)
    shade = Image.linear_gradient("L").resize(page.size).point(lambda value: 200 + value // 5)
    page = Image.blend(page, Image.composite(page, shade, page.point(lambda value: 255 if value < 120 else 128)), 0.3)
    if noise:
        grain = Image.effect_noise(page.size, noise * 60)
        page = Image.blend(page, grain, 0.12 * noise).filter(
            ImageFilter.GaussianBlur(0.6 * noise + Random(seed).random() * 0.3)
        )
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


CONDITIONS = ((0.0, 0.0, 92), (1.0, 0.5, 80), (-2.0, 1.0, 70), (3.0, 1.0, 60))
TOLD: tuple[Callable[[], list[Line]], ...] = (passport, licence, plan, register, letter, record)
UNTOLD: tuple[Callable[[], list[Line]], ...] = (timetable, poster, blank_form)


def pictures(documents: tuple[Callable[[], list[Line]], ...]) -> Iterator[tuple[str, str, bytes]]:
    for document in documents:
        rows: dict[int, list[str]] = {}
        for _, top, _, words in document():
            rows.setdefault(top, []).append(words)
        text = "\n".join("\t".join(row) for row in rows.values())
        yield f"{document.__name__} as text", f"{document.__name__}.txt", text.encode()
        for seed, (degrees, noise, quality) in enumerate(CONDITIONS):
            data = drawn(document(), degrees=degrees, noise=noise, quality=quality, seed=seed)
            yield f"{document.__name__} {degrees:+} degrees, noise {noise}", f"IMG_{seed:04}.jpg", data


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--errors", action="store_true", help="name each picture that was judged wrongly, with the reasons"
    )
    parser.add_argument("--all", action="store_true", help="the reasons of every picture")
    options = parser.parse_args()
    bench, directory = Bench(), Directory(TRUST)
    for documents, wanted in ((TOLD, True), (UNTOLD, False)):
        number = found = 0
        for name, file_name, content in pictures(documents):
            findings = personal(bench.verdicts(as_mail(file_name, content), directory))
            number += not name.endswith("as text")
            found += bool(findings) and not name.endswith("as text")
            if options.all or (options.errors and bool(findings) != wanted):
                why = "; ".join(reason for finding in findings for reason in finding.reasons)
                print(f"{name}: {'found' if findings else 'not found'}. {why}")
        print(f"{'pictures found' if wanted else 'false alarms'} {wilson(found, number)}")


if __name__ == "__main__":
    main()
