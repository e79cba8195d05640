"""Coverage-guided fuzzing of reading: whatever the bytes are, the answer is parts and problems, and never an exception.

    pip install atheris
    python tests/fuzz/fuzz_extract.py {mail,archive,protection,office} FOLDER -max_total_time=600 -rss_limit_mb=2048
    python tests/fuzz/fuzz_extract.py mail FOLDER --pack

It starts from what `corpus.tar.xz` keeps for the target and from small valid files; what it finds worth keeping it writes into
FOLDER, and `--pack` takes that into the archive. A crash is written to `crash-…`: a test with its bytes goes with the mending.
"""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import rars

try:
    import atheris
except ImportError:
    raise SystemExit("atheris is not installed: pip install atheris (Linux, x86-64)") from None

with atheris.instrument_imports(include=["scanner.extract"]):
    from scanner.extract import Limits, grade, open_item, read
    from scanner.extract.reading import Reading
    from scanner.model import Blob, Envelope
    from scanner.ports import RawItem

# Small limits: the fuzzer looks for ways through the code, not for large files. Pictures are the business of Tesseract.
LIMITS = Limits(
    max_depth=6, max_parts=60, max_part_bytes=300_000, max_total_bytes=1_000_000, max_text_chars=100_000, max_cells=2_000,
    max_pages=10, ocr_pages=0, key_milliseconds=50,
)  # fmt: skip
CORPUS = Path(__file__).with_name("corpus.tar.xz")
GRADES = {"none", "signed", "weak", "strong", "unknown"}


def _check(reading: Reading) -> None:
    """The promise: one state a part, a problem for each that was not wholly read, and no crash among them."""
    paths = [part.path for part in reading.parts]
    troubled = {problem.part for problem in reading.problems}
    for part in reading.parts:
        assert part.protection.grade in GRADES
        assert part.read == "all" or part.path in troubled, f"{part.media_type} is {part.read} without a problem"
    assert len(set(paths)) == len(paths), "two parts with one path"
    for problem in reading.problems:
        assert problem.kind != "crashed", f"nobody foresaw this: {problem.detail}"


def mail(data: bytes) -> None:
    for _, envelope in open_item(RawItem(data, "message/rfc822"), LIMITS):
        _check(read(envelope, LIMITS))


def archive(data: bytes) -> None:
    _check(read(Envelope(source="document", kind="document", blobs=(Blob("f", "", data),)), LIMITS))


def protection(data: bytes) -> None:
    kind, found = grade(data)
    assert kind
    assert found.grade in GRADES


TARGETS: dict[str, Callable[[bytes], None]] = {
    "mail": mail,
    "archive": archive,
    "protection": protection,
    "office": archive,
}


def seeds(target: str) -> dict[str, bytes]:
    """Small valid files from which mutation starts."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("a.txt", "some words")
        written.writestr("b/c.csv", "a,b,c\n1,2,3\n4,5,6\n")
    taped = io.BytesIO()
    with tarfile.open(fileobj=taped, mode="w:gz") as tape:
        info = tarfile.TarInfo("a.txt")
        info.size = 4
        tape.addfile(info, io.BytesIO(b"text"))
    open_document = io.BytesIO()
    with zipfile.ZipFile(open_document, "w") as written:
        written.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        written.writestr(
            "content.xml",
            "<a xmlns:t='t'><t:table><t:table-row><t:table-cell><t:p>x</t:p></t:table-cell></t:table-row></t:table></a>",
        )
        written.writestr(
            "META-INF/manifest.xml",
            "<m xmlns:n='n'><n:file-entry n:full-path='content.xml'><n:algorithm n:algorithm-name='aes256-cbc'/>"
            "<n:key-derivation n:key-derivation-name='pbkdf2' n:iteration-count='9'/></n:file-entry></m>",
        )
    page = b"<html><form action=https://res.cisco.com/x><input value=" + b"QUJD" * 300 + b"></form></html>"
    packed_rar = rars.RarBuilder("rar50", solid=True)
    packed_rar.add_bytes(b"some words", "a.txt")
    packed_rar.add_bytes(b"more words", "b.txt")
    simple = b"From: a@b.example\nTo: c@d.example\nSubject: =?utf-8?q?x?=\n"
    nested = (
        simple
        + b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/html\n\n<p>x</p>\n'
        b"--b\nContent-Type: message/rfc822\n\n" + simple + b"\nx\n--b\nContent-Disposition: attachment; filename*0=a;"
        b" filename*1=.zip\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n--b--\n"
    )
    tnef = b"\x78\x9f\x3e\x22\x01\x00\x01\x0c\x80\x02\x00\x05\x00\x00\x00text\x00\xc0\x01"
    pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>"
    pgp = b"-----BEGIN PGP MESSAGE-----\n\nowEBMQDO/pANAwACAQ==\n-----END PGP MESSAGE-----\n"
    rtf = rb"{\rtf1\ansi\ansicpg1252 one \u8364?\par{\*\x y}\cell\row}"
    old_rar = b"Rar!\x1a\x07\x00\xcf\x90s\x00\x00\r\x00\x00\x00\x00\x00\x00\x00"
    seven = b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(24)
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    files = {
        "simple": simple + b"\nwords\n",
        "nested": nested,
        "zip": packed.getvalue(),
        "tgz": taped.getvalue(),
        "tnef": tnef,
    }
    more = {"pdf": pdf, "pgp": pgp, "rtf": rtf, "rar": old_rar, "seven": seven, "ole": ole}
    notes = bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3") + "some words".encode("utf-16-le") + b"\x01\x00more words"
    notes += bytes.fromhex("e716e3bd65261145a4c48d4d0b7a9eac") + b"\x05" + bytes(19) + b"words"
    more |= {"onenote": notes, "odf": open_document.getvalue(), "page": page, "rar5": bytes(packed_rar.to_bytes())}
    return dict(files if target == "mail" else files | more)


def kept() -> dict[str, bytes]:
    """The corpus by `target/name`."""
    if not CORPUS.is_file():
        return {}
    with tarfile.open(CORPUS) as archive:
        return {one.name: file.read() for one in archive if (file := archive.extractfile(one)) is not None}


def pack(target: str, folder: Path) -> None:
    """Put the files of `folder` in the place of what the corpus held for the target; equal packing for equal files."""
    files = {name: data for name, data in kept().items() if not name.startswith(f"{target}/")}
    files |= {f"{target}/{path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with tarfile.open(CORPUS, "w:xz", preset=9) as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        raise SystemExit(f"usage: fuzz_extract.py {{{','.join(TARGETS)}}} FOLDER [libFuzzer options | --pack]")
    target, folder = sys.argv[1], Path(sys.argv[2])
    if "--pack" in sys.argv:
        pack(target, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (kept() | {f"{target}/seed-{name}": data for name, data in seeds(target).items()}).items():
        if name.startswith(f"{target}/"):
            (folder / name.partition("/")[2]).write_bytes(data)
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
