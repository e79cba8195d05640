"""The hostile set through a real worker: seconds, peak of memory, bytes left on disk, and what was said of each.

    python tests/bench/hostile.py

Ends with 1 when a file takes longer than the wall clock allowed to one message and a second more, when memory or disk go beyond
their limits, or when one of them ends as clean.
"""

from __future__ import annotations

import gzip
import io
import random
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import py7zr
import rars
from PIL import Image

from scanner.app import rules_folder, start_of
from scanner.keys import RootKey
from scanner.model import People
from scanner.ports import RawItem
from scanner.worker import Worker, WorkerLimits

HEAD = b"From: a@elt.example\r\nTo: b@elt.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
MAIL = "message/rfc822"
# Unpleasant, but there is an end to them and nothing in them that is not read.
READ_TO_THE_END = {"HTML nested 500,000 deep", "a font from hell"}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(megabytes)), packer.flush()])


def overlapping(number: int = 5_000) -> bytes:
    """Many directory entries that point at the same packed bytes (the idea of the "better zip bomb")."""
    kernel = zlib.compress(bytes(1_000_000), 9)[2:-4]
    sizes = (zlib.crc32(bytes(1_000_000)), len(kernel), 1_000_000)
    body = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, *sizes, 1, 0) + b"a" + kernel
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, *sizes, 1, 0, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, number, number, len(entry) * number, len(body), 0)
    return body + entry * number + end


def nested(levels: int) -> bytes:
    data = b"core"
    for level in range(levels):
        data = zipped({f"{level}.zip": data}) if level % 2 else gzip.compress(data)
    return data


def font_from_hell() -> bytes:
    """A page whose embedded font is noise, and large."""
    noise = random.Random(3).randbytes(2_000_000)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9999999 9999999]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length 44>>stream\nBT /F 99999 Tf 72 700 Td (words words) Tj ET\nendstream",
        b"<</Type/Font/Subtype/TrueType/BaseFont/X/FontDescriptor 6 0 R>>",
        b"<</Type/FontDescriptor/FontName/X/FontFile2 7 0 R/Flags 4>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(noise), noise),
    ]
    body, places = b"%PDF-1.7\n", b""
    for number, data in enumerate(objects, 1):
        places += b"%010d 00000 n \n" % len(body)
        body += b"%d 0 obj\n%s\nendobj\n" % (number, data)
    table = (
        b"xref\n0 8\n0000000000 65535 f \n"
        + places
        + b"trailer<</Root 1 0 R/Size 8>>\nstartxref\n%d\n%%%%EOF" % len(body)
    )
    return body + table


def picture(side: int) -> bytes:
    """One bit a pixel, all white: small on disk and large when drawn."""
    buffer = io.BytesIO()
    Image.MAX_IMAGE_PIXELS = None
    Image.new("1", (side, side), 1).save(buffer, "PNG")
    return buffer.getvalue()


def rar_bomb() -> bytes:
    builder = rars.RarBuilder("rar50", solid=True)
    for number in range(6):
        builder.add_bytes(bytes(45_000_000), f"{number}.txt")
    return bytes(builder.to_bytes())


def seven_zip_bomb() -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w") as archive:
        archive.writestr(bytes(260_000_000), "zeros.txt")
    return buffer.getvalue()


def hostile() -> Iterator[tuple[str, bytes, str]]:
    """Name, bytes and claimed type of each file."""
    yield "a gigabyte of zeros, packed", zeros(1024), ""
    yield "zip with a gigabyte", zipped({"a.txt": bytes(1 << 30)}), ""
    yield "overlapping zip", overlapping(), ""
    yield "sixty archives inside each other", nested(60), ""
    yield "solid RAR with 270 MB", rar_bomb(), ""
    yield "7z with 260 MB", seven_zip_bomb(), ""
    laughs = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    yield "a billion laughs", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">' + laughs + b"]><a>&a9;</a>", ""
    sheet = b"<worksheet><sheetData>" + b"<row><c><v>1</v></c></row>" * 2_000_000 + b"</sheetData></worksheet>"
    package = {"[Content_Types].xml": b"<Types/>"}
    yield (
        "workbook of two million rows",
        zipped(package | {"xl/workbook.xml": b"<a/>", "xl/worksheets/sheet1.xml": sheet}),
        "",
    )
    yield "letter nested 300,000 deep", zipped(package | {"word/document.xml": b"<a>" * 300_000}), ""
    parts = b"--b\r\nContent-Disposition: attachment; filename=a\r\n\r\nx\r\n" * 100_000
    yield "100,000 attachments", HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + parts + b"--b--", MAIL
    nest = b"x"
    for level in range(400):
        nest = b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n%s\r\n' % (level, level, nest)
    yield "400 multiparts inside each other", HEAD + nest, MAIL
    yield "HTML nested 500,000 deep", HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div><table><td>" * 500_000, MAIL
    yield "8 MB of regex bait", HEAD + b"\r\n" + b"password is : On wrote:\n> a@a@ 000-000 (((\n" * 200_000, MAIL
    yield "a font from hell", font_from_hell(), ""
    yield "picture of 40,000 by 40,000", picture(40_000), ""
    yield "RTF of a million groups", b"{\\rtf1 " + b"{\\b " * 1_000_000, ""


def peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def main() -> int:
    limits = WorkerLimits()
    allowed_mb = limits.ocr_rss_bytes >> 20
    failed = False
    print(f"{'file':36} {'KB':>8} {'s':>6} {'peak MB':>8} {'disk KB':>8}   ends as")
    with Worker(start_of(rules_folder(None), "base", People(), RootKey.random()), limits) as worker:
        for name, data, claimed in hostile():
            worker.ready()
            assert worker._process is not None
            assert worker._folder is not None
            pid, folder = worker._process.pid, Path(worker._folder.path)
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts anew
            started = time.monotonic()
            (outcome,) = list(worker.inspect(RawItem(data, claimed, "f")))
            seconds = time.monotonic() - started
            try:
                memory = peak(pid)
                disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) // 1024
            except FileNotFoundError:
                memory = disk = 0  # the watchdog has ended this worker
            kinds = sorted({problem.kind for problem in outcome.verdict.problems})
            is_bad = seconds > limits.wall_seconds + 1 or memory > allowed_mb or disk > 1024
            is_bad = is_bad or (outcome.verdict.complete and name not in READ_TO_THE_END)
            failed = failed or is_bad
            said = (", ".join(kinds) or "read") + (" !" if is_bad else "")
            print(f"{name:36} {len(data) // 1024:>8} {seconds:>6.1f} {memory:>8} {disk:>8}   {said}")
    print(f"limits: {limits.wall_seconds:g} s, {allowed_mb} MB resident, 1 MB left on disk")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
