"""A small made-up trust for unit tests, and short ways to write its mails. Everybody is invented; domains are reserved ones
or providers of private mail that the product must know by name.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pyzipper

from scanner.directory import Directory
from scanner.evidence import FingerprintKey
from scanner.model import (
    Address,
    Blob,
    Body,
    Contact,
    Envelope,
    Hit,
    People,
    Person,
    Pupil,
    Recipient,
    Table,
)
from scanner.ports import Message, NameBudget, NamesNear

SCHOOL = "Northfield Academy"
JANE = "jane.smith@elt.example"
HEAD = "head@elt.example"
SHIPPED = Path(__file__).parent.parent / "rules"
SUPPLIER = "sales@printco.example"
KEY = FingerprintKey(1, b"k" * 32)

TRUST = People(
    organisation="Example Learning Trust",
    domains=("elt.example", "northfield.elt.example"),
    trusted_domains=("nhs.net.example",),
    schools=(SCHOOL,),
    roles={
        "dpo": {"": "dpo@elt.example"},
        "deputy_dpo": {"": "deputy@elt.example"},
        "it_security": {"": "it@elt.example"},
        "hr": {"": "hr@elt.example"},
        "headteacher": {SCHOOL: HEAD, "": "ceo@elt.example"},
        "dsl": {SCHOOL: "dsl@elt.example"},
    },
    people=(
        Person(JANE, "Jane Smith", "staff", "Teacher", SCHOOL, HEAD, ("jane.smith84@gmail.com",), ("j.smith@elt.example",)),
        Person(HEAD, "Hilary Moss", "staff", "Headteacher", SCHOOL, "ceo@elt.example", ("hilary.moss@outlook.com",)),
        Person("sam.lee@elt.example", "Sam Lee", "staff", "Teacher", SCHOOL, HEAD, ("sammylee@btinternet.com",)),
        Person("new@elt.example", "Nora Field", "staff", "Teacher", SCHOOL),
        Person("dpo@elt.example", "Delia Orr", "staff", "Data Protection Officer", personal_addresses=("delia@gmail.com",)),
        Person("office@elt.example", "Northfield Office", "shared", school=SCHOOL),
        Person("22bjones@northfield.elt.example", "Ben Jones", "pupil", school=SCHOOL),
        Person("gov.pat@gmail.com", "Patrick Gould", "governor"),
    ),
    contacts=(
        Contact("pat.jones@gmail.com", "Pat Jones", (Pupil("Ben Jones"), Pupil("Sam Jones"))),
        Contact("nadia.khan@hotmail.co.uk", "Nadia Khan", (Pupil("Amira Khan"),)),
    ),
    published=("01632 960 000",),
    protected=("union.example", "advice@law.example"),
    version="1",
)  # fmt: skip
DIRECTORY = Directory(TRUST)


# A rule that is right in every way; tests break one thing of it.
GOOD = """\
title: Example
topic: personal_data
category: personal_data
severity: moderate
owner: dpo
advice: Send it another way.
when:
  labels: {any: [nino]}
examples:
  must_flag:
    - why: it names a number
      mail: {from: jane.smith@elt.example, to: [sales@printco.example], body: The number.}
  must_pass:
    - why: it names none
      mail: {from: jane.smith@elt.example, to: [sales@printco.example], body: No number.}
"""


def rules_with(folder: Path, **files: str) -> Path:
    """A folder `rules` with a rule file for each name."""
    detect = folder / "rules" / "detect"
    detect.mkdir(parents=True)
    for stem, text in files.items():
        (detect / f"{stem}.yml").write_text(text, "utf-8")
    return folder / "rules"


def mail(
    from_: str = JANE,
    to: Sequence[str] = (SUPPLIER,),
    *,
    cc: Sequence[str] = (),
    bcc: Sequence[str] = (),
    sender: str = "",
    subject: str = "",
    body: str = "",
    files: Sequence[tuple[str, bytes]] = (),
    name: str = "",
    internet_id: str = "<1@elt.example>",
    reply_to: str = "",
    sent_at: datetime | None = datetime(2026, 9, 7, 10, 0, tzinfo=UTC),
) -> Envelope:
    """A mail as a source would hand it over. A recipient may be written `Name <address>`."""
    kinds = (("to", to), ("cc", cc), ("bcc", bcc))
    return Envelope(
        source="test",
        internet_id=internet_id,
        sent_at=sent_at,
        from_=Address(from_, name) if from_ else None,
        sender=Address(sender) if sender else None,
        reply_to=(Address(reply_to),) if reply_to else (),
        recipients=tuple(
            Recipient(kind, text.rpartition("<")[2].rstrip(">"), text.rpartition("<")[0].strip())  # type: ignore[arg-type]
            for kind, texts in kinds
            for text in texts
        ),
        headers=(("Subject", subject),),
        subject=subject,
        bodies=(Body("text/plain", body),),
        blobs=tuple(Blob(file, "application/octet-stream", data) for file, data in files),
    )


SECRET = "Plover-Quay-19"
LIST = b"Name,NI number,Diagnosis\nRon Tanner,AB 12 34 56 C,epilepsy\nLeila Haddad,AB 65 43 21 C,asthma\n"


def _message(name: str, to: str, date: str, subject: str, body: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = JANE, to, subject
    message["Date"], message["Message-ID"] = date, f"<{name}@elt.example>"
    message.set_content(body)
    return message


def locked_zip(password: str = SECRET, name: str = "list.csv", data: bytes = LIST) -> bytes:
    """A list of people in an archive with AES."""
    buffer = io.BytesIO()
    with pyzipper.AESZipFile(buffer, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(password.encode())
        archive.writestr(name, data)
    return buffer.getvalue()


def locked_mail(body: str, to: str = "desk@outdoorcentre.example", archive: bytes = b"") -> bytes:
    """A mail of 7 September 2026 with a list of people that `SECRET` opens."""
    message = _message("lock", to, "Mon, 07 Sep 2026 10:12:00 +0100", "Secure file", body)
    message.add_attachment(archive or locked_zip(), "application", "zip", filename="file.zip")
    return message.as_bytes()


def key_mail(name: str, to: str, date: str) -> bytes:
    """A mail with that password and nothing else."""
    return _message(name, to, date, "Re: Secure file", f"{SECRET}\n\nR").as_bytes()


def hit(label: str, start: int = 0, *, confidence: float = 0.9, value: str = "", **more: object) -> Hit:
    """A hit of ten characters in the body unless `part`, `owner`, `row` or `subject` say otherwise."""
    given = {"part": "body", **more}
    return Hit(label, start, start + 10, value or f"{label} at {start}", confidence, **given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class WordDetectors:
    """Detectors that see what the test tells them to: a regular expression for each label, and hits about the message."""

    words: Mapping[str, str]
    about_message: Sequence[Hit] = ()
    confidence: float = 0.9
    version: str = "words"
    texts: list[str] = field(default_factory=list)
    made: tuple[str, bytes] | None = None
    on_demand: frozenset[str] = frozenset()
    wanted: list[frozenset[str] | None] = field(default_factory=list)

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(self.words) | {item.label for item in self.about_message}

    def content(
        self,
        text: str,
        tables: tuple[Table, ...] = (),
        *,
        people: People | None = None,
        names_near: tuple[NamesNear, ...] | None = None,
        budget: NameBudget | None = None,
        others: tuple[tuple[int, int], ...] = (),
        wanted: frozenset[str] | None = None,
    ) -> list[Hit]:
        self.texts.append(text)
        self.wanted.append(wanted)
        found = []
        for label, pattern in self.words.items():
            for match in re.finditer(pattern, text):
                rows = (
                    (number, index)
                    for number, table in enumerate(tables)
                    for index, cells in enumerate(table.rows)
                    if any(start <= match.start() < end for start, end in cells)
                )
                reasons = ("a word of the test",)
                found.append(
                    Hit(label, match.start(), match.end(), match[0], self.confidence, reasons, row=next(rows, None))
                )
        return sorted(found, key=lambda item: item.start)

    def message(self, message: Message) -> list[Hit]:
        return list(self.about_message)
