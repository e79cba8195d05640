"""What a file is, from its bytes; its name and claimed type are only compared with that."""

from __future__ import annotations

import csv
import io
import re
import struct
import zipfile
import zlib

import olefile

from scanner.extract.normal import decode

EXECUTABLES = frozenset(
    {
        "application/x-msdownload",
        "application/x-executable",
        "application/x-mach-binary",
        "application/java-vm",
        "application/x-ms-shortcut",
        "application/x-msi",
        "text/x-script",
    }
)
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
OOXML_LOCKED = "application/x-ooxml-encrypted"
ODF = "application/vnd.oasis.opendocument"

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"{\\rtf", "application/rtf"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0", "application/x-ms-shortcut"),
    (b"#!", "text/x-script"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x76\xe8\x04\x60\xc4\x11\xe3\x86", "application/x-microsoft-rpmsg-message"),
    (b"\x78\x9f\x3e\x22", "application/ms-tnef"),
    (b"!BDN", "application/vnd.ms-outlook-pst"),
    (bytes.fromhex("e4525c7b8cd8a74daeb15378d02996d3"), "application/onenote"),
    (bytes.fromhex("a12fff43d9ef764c9ee210ea5722765f"), "application/onenote"),
    (b"age-encryption.org/v1", "application/x-age-encryption"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf2", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR", "audio/amr"),
    (b"\x1aE\xdf\xa3", "video/x-matroska"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
    (b"wOFF", "font/woff"),
    (b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (b"MZ\x90\x00", "application/x-msdownload"),
)
# The same for text, where a mark or white space may come first.
_TEXT_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"-----BEGIN PGP MESSAGE-----", "application/pgp-encrypted"),
    (b"-----BEGIN PGP PUBLIC KEY BLOCK-----", "application/pgp-keys"),
    (b"-----BEGIN PGP SIGNATURE-----", "application/pgp-signature"),
    (b"-----BEGIN PKCS7-----", "application/pkcs7-mime"),
    (b"-----BEGIN CMS-----", "application/pkcs7-mime"),
    (b"BEGIN:VCALENDAR", "text/calendar"),
    (b"BEGIN:VCARD", "text/vcard"),
)
_OLE_ERRORS = (
    OSError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    TypeError,
    OverflowError,
    RecursionError,
    struct.error,
)
_ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, OSError, ValueError, NotImplementedError,
    RuntimeError, EOFError, IndexError,
)  # fmt: skip
# CLSID of a Windows Installer database, as it lies in the root entry of the compound file.
_MSI_CLSID = "000C1084-0000-0000-C000-000000000046"
# DER of a CMS ContentInfo: SEQUENCE, then one of the OIDs 1.2.840.113549.1.7.x or the S/MIME ones 1.9.16.1.x.
_CMS_OIDS = (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07", b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01")
_FTYP = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
}
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|title|meta|style|table|div|p|br|span|font|center|a\s+href|h[1-6]|b|i|ul|ol|img)"
    rb"[\s>/]",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_MAIL_HEADERS = frozenset(
    b"from to cc bcc subject date message-id received return-path delivered-to mime-version content-type reply-to sender "
    b"x-mailer x-received dkim-signature in-reply-to references content-transfer-encoding importance".split()
)
_POSTMARK = re.compile(rb"From [^\r\n]{0,500}\r?\n")
# A separator of an mbox (RFC 4155): blank line, `From `, an address, a time; then a header.
MBOX_SEPARATOR = re.compile(rb"\n\r?\nFrom [^\r\n]{1,300}\d\d:\d\d[^\r\n]{0,100}\r?\n(?=[!-9;-~]{1,100}:)")
_ROOT = re.compile(rb"<([A-Za-z_][\w.:-]{0,100})[\s>]")
_CONTROL = bytes(c for c in range(32) if c not in b"\t\n\v\f\r\x1b") + b"\x7f"


def media_type(data: bytes, claimed: str = "") -> str:
    """The media type of `data`, from bytes. `claimed` (a media type) only breaks ties between kinds of text.

    An empty file is `application/x-empty`, one of no known kind `application/octet-stream`.
    """
    if not data:
        return "application/x-empty"
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if claimed == "message/partial":
        return claimed
    if data.startswith(olefile.MAGIC):
        return _ole_type(data)
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zip_type(data)
    if data[:2] == b"MZ" and (len(data) < 64 or b"\x00" in data[:512]):
        return "application/x-msdownload"
    if data[4:8] == b"ftyp":
        return _FTYP.get(data[8:12], "video/mp4")
    if data[:4] == b"RIFF":
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(
            data[8:12], "application/octet-stream"
        )
    if data[:2] == b"BM" and data[6:10] == b"\x00\x00\x00\x00":
        return "image/bmp"
    if data[257:262] == b"ustar":
        return "application/x-tar"
    if data[:1] == b"\x30" and any(oid in data[:40] for oid in _CMS_OIDS):
        return "application/pkcs7-mime"
    # Acrobat looks for the header in the first kilobyte (ISO 32000-1, implementation note 13), and so do attackers.
    if b"%PDF-" in data[:1024] and b"\nFrom" not in data[:1024] and not is_mail(data):
        return "application/pdf"
    if is_mail(data, sure=claimed == "message/rfc822"):
        return "application/mbox" if is_mbox(data) else "message/rfc822"
    return _text_type(data, claimed)


def is_mail(data: bytes, sure: bool = False) -> bool:
    """Do these bytes open like a mail: header lines, at least two of them (one where `sure`) that only mails have?"""
    start = len(data) - len(data.lstrip(b"\r\n \t\xef\xbb\xbf"))
    postmark = _POSTMARK.match(data, start)
    if postmark:
        start = postmark.end()
    head = data[start : start + 65536]
    seen: set[bytes] = set()
    enough = 1 if sure or postmark else 2
    for line_number, line in enumerate(head.split(b"\n")):
        if line in (b"", b"\r"):
            break
        if line[:1] in b" \t":
            if not line_number:
                return False
        elif line.startswith(b">From ") and line_number < 3:
            pass  # a postmark that another program has escaped
        elif _HEADER_LINE.match(line):
            name = line.partition(b":")[0].strip().lower()
            if name in _MAIL_HEADERS:
                seen.add(name)
                if len(seen) >= enough:
                    return True
        else:
            # A line that is no header ends the block; real mails do lose their blank line.
            break
    return False


def is_mbox(data: bytes) -> bool:
    """More than one message: a leading `From ` line and at least one separator further down."""
    if not data.lstrip(b"\r\n").startswith(b"From ") or (b"\n\nFrom " not in data and b"\n\r\nFrom " not in data):
        return False
    return MBOX_SEPARATOR.search(data) is not None


def _ole_type(data: bytes) -> str:
    try:
        with olefile.OleFileIO(data) as ole:
            # Only the top of the tree: an embedded workbook does not make a letter a workbook.
            streams = {entry[0].lower() for entry in ole.listdir(streams=True, storages=True) if len(entry) == 1}
            clsid = ole.root.clsid if ole.root is not None else ""
    except _OLE_ERRORS:
        return "application/x-ole-storage"
    if "encryptedpackage" in streams:
        return OOXML_LOCKED
    if "worddocument" in streams:
        return "application/msword"
    if "workbook" in streams or "book" in streams:
        return "application/vnd.ms-excel"
    if "powerpoint document" in streams or "pp97_dualstorage" in streams:
        return "application/vnd.ms-powerpoint"
    if "__properties_version1.0" in streams:
        return "application/vnd.ms-outlook"
    return "application/x-msi" if clsid == _MSI_CLSID else "application/x-ole-storage"


def _zip_type(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.NameToInfo
            if "[Content_Types].xml" in names:
                for folder, kind in (("word/", DOCX), ("xl/", XLSX), ("ppt/", PPTX)):
                    if any(name.startswith(folder) for name in names):
                        return kind
            if "mimetype" in names and names["mimetype"].file_size < 200 and not names["mimetype"].flag_bits & 1:
                kind = archive.read("mimetype").decode("ascii", "replace").strip()
                if kind.startswith(ODF) or kind == "application/epub+zip":
                    return kind
    except _ZIP_ERRORS:
        # Cut off or spoilt: the local headers still tell a letter from an archive.
        for mark, kind in ((b"word/", DOCX), (b"xl/", XLSX), (b"ppt/", PPTX)):
            if b"[Content_Types].xml" in data[:65536] and mark in data[:65536]:
                return kind
    return "application/zip"


def _text_type(data: bytes, claimed: str) -> str:
    head = data[:65536]
    if not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        wide = head[:2000].count(0) > len(head[:2000]) // 4
        odd = len(head) - len(head.translate(None, _CONTROL)) if not wide else 0
        if wide and not _looks_wide(head):
            return "application/octet-stream"
        if odd * 300 > len(head):
            return "application/octet-stream"
    start = head.lstrip(b"\xef\xbb\xbf\r\n\t ")[:2048]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in head[:100]:
        start = decode(head).lstrip("\ufeff\r\n\t ")[:2048].encode("utf-8", "replace")
    if start.startswith(b"<"):
        if start.startswith(b"<?xml") and not re.search(rb"<html[\s>]", start, re.IGNORECASE):
            return "text/xml"
        if _HTML.search(start):
            return "text/html"
        if claimed in ("text/xml", "application/xml", "image/svg+xml") or start.startswith(b"<svg"):
            return "text/xml"
        # An export whose program wrote no declaration: it ends with the element that it began with.
        root = _ROOT.match(start)
        if root is not None and data[-200:].rstrip().endswith(b"</" + root[1] + b">"):
            return "text/xml"
    for magic, kind in _TEXT_MAGIC:
        if start.startswith(magic):
            return kind
    if claimed == "text/html" and re.search(rb"<[a-z!/]", start, re.IGNORECASE):
        return "text/html"
    if start[:1] in (b"{", b"[") and data.rstrip()[-1:] in (b"}", b"]"):
        return "application/json"
    return "text/csv" if delimiter_of(decode(head), claimed) else "text/plain"


def _looks_wide(head: bytes) -> bool:
    """UTF-16 without a mark: zeros in every second byte and hardly any control characters beside them."""
    text = head[: len(head) // 2 * 2].decode(
        "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be", "replace"
    )
    return sum(1 for c in text if (c < " " and c not in "\t\n\r") or c == "\ufffd") * 50 < len(text)


def delimiter_of(text: str, claimed: str = "") -> str:
    """The delimiter when the first lines are a table, else "". Prose has commas, but not equally many in each line."""
    lines = [line for line in text[:20_000].split("\n")[:30] if line.strip()]
    if len(text) > 20_000 and lines:
        lines.pop()
    says_table = claimed in ("text/csv", "text/tab-separated-values", "application/csv", "application/vnd.ms-excel")
    if len(lines) < (1 if says_table else 3):
        return ""
    for delimiter in "\t;,|":
        if delimiter not in lines[0]:
            continue
        try:
            counts = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        except csv.Error:
            continue
        if says_table and counts and counts[0] > 1:
            return delimiter
        # Two columns are too easily prose ("Dear Sir,"): those need a claim.
        if counts[0] >= 3 and len(set(counts)) == 1:
            return delimiter
    return ""


# --- two things in one ----------------------------------------------------------------------------------------------

# Files that other programs open from the front; a zip archive is opened from its end, so one can hang on behind.
_OPENED_FROM_THE_FRONT = (
    "application/pdf",
    "image/",
    "audio/",
    "video/",
    "application/rtf",
    "application/x-msdownload",
)
_ZIP_END_REACH = 66_000


def hidden_archive(data: bytes, kind: str) -> bytes:
    """The zip archive that hangs on behind a file of another kind, or nothing: such a file is two things in one."""
    if not kind.startswith(_OPENED_FROM_THE_FRONT) or data.rfind(b"PK\x05\x06", max(0, len(data) - _ZIP_END_REACH)) < 0:
        return b""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            starts = [info.header_offset for info in archive.infolist()]
    except _ZIP_ERRORS:
        return b""
    return data[min(starts) :] if starts and min(starts) > 0 else b""


# --- does the name tell the truth? ----------------------------------------------------------------------------------

_OFFICE_ZIP = frozenset({DOCX, XLSX, PPTX})
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/tiff", "image/bmp", "image/webp", "image/heic"})
# What the bytes of a file with this ending may be. Endings that are not listed, and text, prove and betray nothing.
_BY_ENDING: dict[str, frozenset[str]] = {
    **dict.fromkeys(("jpg", "jpeg", "png", "gif", "tif", "tiff", "bmp", "webp", "heic"), _PICTURES),
    "pdf": frozenset({"application/pdf"}),
    **dict.fromkeys(("docx", "docm", "dotx"), frozenset({DOCX, OOXML_LOCKED})),
    **dict.fromkeys(("xlsx", "xlsm", "xltx"), frozenset({XLSX, OOXML_LOCKED})),
    **dict.fromkeys(("pptx", "pptm", "ppsx"), frozenset({PPTX, OOXML_LOCKED})),
    "doc": frozenset({"application/msword", "application/rtf", "application/x-ole-storage"}),
    "xls": frozenset({"application/vnd.ms-excel", "application/x-ole-storage"}),
    "ppt": frozenset({"application/vnd.ms-powerpoint", "application/x-ole-storage"}),
    **dict.fromkeys(("mp3", "wav", "m4a", "mp4", "mov", "avi", "ogg"), frozenset({"audio/", "video/"})),
    **dict.fromkeys(
        ("txt", "csv", "htm", "html", "ics", "vcf", "log", "json", "xml", "md", "tsv"), frozenset({"text/"})
    ),
    "zip": frozenset({"application/zip", "application/vnd", "application/epub+zip"}),
}
# Types whose bytes leave no doubt; only these can give a name the lie.
_CERTAIN: frozenset[str] = (
    EXECUTABLES
    | _OFFICE_ZIP
    | _PICTURES
    | frozenset(
        {
            "application/pdf",
            "application/zip",
            "application/msword",
            "application/vnd.ms-excel",
            "application/vnd.ms-powerpoint",
            "application/x-7z-compressed",
            "application/vnd.rar",
            "application/gzip",
            OOXML_LOCKED,
        }
    )
)
_PROGRAM_ENDINGS = frozenset(
    "exe dll scr com pif msi cpl sys ocx lnk bat cmd ps1 vbs js jar class sh py pl rb php app bin run elf so dylib".split()
)


def is_disguised(name: str, claimed: str, kind: str) -> bool:
    """Do the name's ending or the claimed type say something that the bytes (`kind`) contradict, in a way that matters?

    A program whose name shows a harmless ending before or after the real one is disguised even when the last one is true.
    """
    endings = [ending.strip().lower() for ending in name.replace("\u202e", ".").split(".")[1:]]
    last = endings[-1] if endings else ""
    if kind in EXECUTABLES:
        if "\u202e" in name or any(ending in _BY_ENDING for ending in endings):
            return kind != "text/x-script" or last not in ("txt", "md")
        if last and last not in _PROGRAM_ENDINGS and kind != "text/x-script":
            return True
        return not last and claimed.startswith(("image/", "audio/", "video/", "application/pdf", "text/"))
    if kind not in _CERTAIN or last not in _BY_ENDING:
        return False
    return not any(
        kind == allowed
        or (allowed[-1] == "/" and kind.startswith(allowed))
        or (allowed == "application/vnd" and kind.startswith(allowed))
        for allowed in _BY_ENDING[last]
    )
