"""The demo tenant: an autumn term's mail of an invented trust with two schools, written as data and built as mail.

`people.yaml` says who is who, `mails_*.yml` hold the messages with their attachments, `expected.yml` what a data
protection officer would want to be told. `build` turns them into `mail/<mailbox>/<folder>/NNN.eml`: each message lies
in the sender's `sentitems` and in the inbox of every recipient of ours, as it would in a real tenant.
"""

from __future__ import annotations

import hashlib
import html
import shutil
import textwrap
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, timezone
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from connectors.faketenant.demo import attachments
from scanner.errors import ConfigError

HERE = Path(__file__).parent
# Summer time ends on the last Sunday of October; no time zone database is needed for one autumn.
CLOCKS_GO_BACK = datetime(2026, 10, 25, 2)  # noqa: DTZ001 - compared with the local times in the data
LONGEST_LINE = 72


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as the data has it.

    Addresses are a local part of ours (`t.achebe`), an address, or `Name <address>`. `date` is local time. `sign` is
    `name`, `full` or `none`; by default a member of staff signs fully to outsiders and by first name inside. `reply` and
    `forward` name an earlier message, which is quoted below in the manner `quote`. `filed` puts the recipients' copies
    into another folder than the inbox.
    """

    id: str
    date: datetime
    from_: str
    to: tuple[str, ...]
    subject: str
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    text: str = ""
    html: str = ""
    look: Literal["plain", "html", "both"] = "plain"
    sign: str = ""
    reply: str = ""
    forward: str = ""
    quote: Literal["outlook", "gmail"] = "outlook"
    attach: tuple[Mapping[str, Any], ...] = ()
    logo: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    filed: Literal["inbox", "archive"] = "inbox"


@dataclass(frozen=True, slots=True)
class Expected:
    """Topics that must be found in a message, and those about which one may think either way."""

    expect: tuple[str, ...]
    allow: tuple[str, ...] = ()
    complete: bool = True


def build(folder: Path) -> None:
    """Write `people.yaml` and the mailboxes of the demo tenant below `folder`, the same bytes each time.

    Messages of an earlier build that are no longer in the data are removed; nothing else is touched.
    Raises ConfigError where the data contradicts itself, OSError where the folder cannot be written.
    """
    post = _Post()
    written = set()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(HERE / "people.yaml", folder / "people.yaml")
    counters: dict[tuple[str, str], int] = defaultdict(int)
    for letter in post.letters:
        for mailbox, place in post.copies(letter):
            counters[mailbox, place] += 1
            path = folder / "mail" / mailbox / place / f"{counters[mailbox, place]:03d}.eml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(post.mime(letter, sent=place == "sentitems"))
            written.add(path)
    for path in (folder / "mail").glob("*/*/[0-9][0-9][0-9].eml"):
        if path not in written:
            path.unlink()


def expected() -> dict[str, Expected]:
    """What should be found, by Message-ID; a message that is not among the keys should be clean and wholly read."""
    post = _Post()
    found = {}
    for name, entry in _load(HERE / "expected.yml").items():
        if name not in post.by_id:
            raise ConfigError("expected.yml", f"no mail has the id {name!r}")
        topics: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
        }
        found[post.message_id(post.by_id[name])] = Expected(**({"expect": ()} | topics))
    return found


class _Post:
    """All letters in the order of their dates, and how each becomes MIME."""

    def __init__(self) -> None:
        people = _load(HERE / "people.yaml")
        self._domains = frozenset(people["domains"])
        self._people = {person["email"]: person for person in people["people"]}
        self._names = {**{entry["email"]: entry["name"] for entry in people["contacts"]}}
        self._names |= {address: person["name"] for address, person in self._people.items()}
        self._short: dict[str, list[str]] = defaultdict(list)
        for address in self._people:
            self._short[address.partition("@")[0]].append(address)
        self._letterhead = _load(HERE / "letterhead.yml")
        self.letters = sorted(_letters(), key=lambda letter: (letter.date, letter.id))
        self.by_id = {letter.id: letter for letter in self.letters}
        if len(self.by_id) != len(self.letters):
            raise ConfigError("mails_*.yml", "two mails share an id")

    def copies(self, letter: Letter) -> Iterator[tuple[str, str]]:
        """Mailbox and folder of each copy that lies in the tenant."""
        sender = self.address(letter.from_).addr_spec
        if self._ours(sender):
            yield sender, "sentitems"
        everybody = (self.address(text).addr_spec for text in (*letter.to, *letter.cc, *letter.bcc))
        for mailbox in dict.fromkeys(everybody):
            if self._ours(mailbox):
                yield mailbox, letter.filed

    def _ours(self, address: str) -> bool:
        return address.partition("@")[2] in self._domains

    def address(self, text: str) -> Address:
        """`t.achebe`, `a@b.example` or `Name <a@b.example>` as an address with the name the directory gives it."""
        name, address = parseaddr(text)
        if "@" not in address:
            known = self._short.get(address, [])
            if len(known) != 1:
                raise ConfigError("mails_*.yml", f"{text!r} is no local part of exactly one person (write the address)")
            address = known[0]
        return Address(name or self._names.get(address, ""), addr_spec=address)

    def message_id(self, letter: Letter) -> str:
        domain = self.address(letter.from_).domain
        return f"<{hashlib.sha256(letter.id.encode()).hexdigest()[:24]}@mail.{domain}>"

    # --- text ---------------------------------------------------------------------------------------------------------

    def own_text(self, letter: Letter) -> str:
        """What the sender wrote, with the signature below."""
        return "\n\n".join(piece for piece in (letter.text.strip("\n"), self._signature(letter)) if piece)

    def whole_text(self, letter: Letter) -> str:
        below = self._quotation(letter)
        return self.own_text(letter) + ("\n\n" + below if below else "")

    def _signature(self, letter: Letter) -> str:
        sender = self.address(letter.from_).addr_spec
        person = self._people.get(sender)
        if person is None or not self._ours(sender):
            return ""
        recipients = [self.address(text).addr_spec for text in (*letter.to, *letter.cc, *letter.bcc)]
        outside = not all(self._ours(address) for address in recipients)
        style = letter.sign or ("full" if outside and person["role"] in ("staff", "shared") else "name")
        if style == "none":
            return ""
        if style == "name":
            return str(person["name"]) if person["role"] == "shared" else str(person["name"]).split()[0]
        lines = [person["name"], person.get("job_title", ""), *self._letterhead[person.get("school", "")]]
        disclaimer = textwrap.fill(self._letterhead["disclaimer"], LONGEST_LINE)
        return "Kind regards\n\n" + "\n".join(line for line in lines if line) + "\n\n" + disclaimer

    def _quotation(self, letter: Letter) -> str:
        if letter.forward:
            return self._forwarded(self.earlier(letter, letter.forward), letter.quote)
        if letter.reply:
            return self._replied(self.earlier(letter, letter.reply), letter.quote)
        return ""

    def earlier(self, letter: Letter, name: str) -> Letter:
        found = self.by_id.get(name)
        if found is None or found.date >= letter.date:
            raise ConfigError("mails_*.yml", f"{letter.id}: {name!r} is no earlier mail")
        return found

    def _replied(self, old: Letter, style: str) -> str:
        if style == "gmail":
            when = f"{old.date:%a}, {old.date.day} {old.date:%b %Y at %H:%M}"
            quoted = "\n".join(f"> {line}".rstrip() for line in self.whole_text(old).splitlines())
            return f"On {when}, {self.address(old.from_)} wrote:\n\n{quoted}"
        return "_" * 32 + "\n" + self._headings(old) + "\n\n" + self.whole_text(old)

    def _forwarded(self, old: Letter, style: str) -> str:
        line = "---------- Forwarded message ---------" if style == "gmail" else "-----Original Message-----"
        return f"{line}\n{self._headings(old)}\n\n{self.whole_text(old)}"

    def _headings(self, old: Letter) -> str:
        lines = [f"From: {self.address(old.from_)}", f"Sent: {old.date.day} {old.date:%B %Y %H:%M}"]
        lines.append("To: " + "; ".join(str(self.address(text)) for text in old.to))
        if old.cc:
            lines.append("Cc: " + "; ".join(str(self.address(text)) for text in old.cc))
        return "\n".join([*lines, f"Subject: {old.subject}"])

    # --- MIME ---------------------------------------------------------------------------------------------------------

    def mime(self, letter: Letter, *, sent: bool) -> bytes:
        """The message as RFC 5322 bytes. The sender's copy shows the blind recipients, the others how it arrived."""
        message = EmailMessage(SMTP)
        when = letter.date.replace(tzinfo=timezone(timedelta(hours=1 if letter.date < CLOCKS_GO_BACK else 0)))
        sender = self.address(letter.from_)
        if not sent:
            # RFC 5321 section 4.4; the one trace header that every received copy has.
            message["Received"] = f"from mail.{sender.domain} by mx.wrenfold.example; {format_datetime(when)}"
        message["From"] = sender
        for field_name, entries in (("To", letter.to), ("Cc", letter.cc), ("Bcc", letter.bcc if sent else ())):
            if entries:
                message[field_name] = [self.address(text) for text in entries]
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(when)
        message["Message-ID"] = self.message_id(letter)
        if letter.reply:
            message["In-Reply-To"] = message["References"] = self.message_id(self.earlier(letter, letter.reply))
        for name, value in letter.headers:
            message[name] = value
        self._fill(message, letter)
        for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
            if part.get_content_maintype() == "multipart":
                # Left to itself the library draws the boundary at random.
                part.set_boundary(f"=_{hashlib.sha256(f'{letter.id} {number}'.encode()).hexdigest()[:28]}")
        return message.as_bytes()

    def _fill(self, message: EmailMessage, letter: Letter) -> None:
        text = self.whole_text(letter)
        page = letter.html or _page(text, logo=letter.logo)
        if letter.look == "html":
            message.set_content(page, subtype="html")
        else:
            message.set_content(text + "\n")
            if letter.look == "both" or letter.logo:
                message.add_alternative(page, subtype="html")
        if letter.logo:
            shown = next(part for part in message.walk() if part.get_content_type() == "text/html")
            shown.add_related(attachments.logo(), "image", "png", cid="<badge@wrenfold.example>", filename="badge.png")
        for item in letter.attach:
            self._attach(message, letter, item)

    def _attach(self, message: EmailMessage, letter: Letter, item: Mapping[str, Any]) -> None:
        data = attachments.make(item, f"mails_*.yml: {letter.id}", lambda name: self._enclosed(letter, name))
        kind = item.get("claimed") or attachments.media_type(item["name"])
        if kind == "message/rfc822":
            # RFC 2046 section 5.2.1 allows no encoding round an enclosed message other than 7bit, 8bit or binary.
            part = EmailMessage(SMTP)
            part["Content-Type"] = kind
            part["Content-Disposition"] = "attachment"
            part.set_param("filename", item["name"], header="Content-Disposition")
            part["Content-Transfer-Encoding"] = "8bit"
            part.set_payload(data.decode("ascii", "surrogateescape"))
            message.make_mixed()
            message.attach(part)
            return
        major, _, minor = kind.partition("/")
        message.add_attachment(data, major, minor, filename=item["name"])

    def _enclosed(self, letter: Letter, name: str) -> bytes:
        return self.mime(self.earlier(letter, name), sent=False)


def _page(text: str, *, logo: bool) -> str:
    """The plain text as the HTML a mail program makes of it: one paragraph a blank line, breaks kept."""
    paragraphs = [html.escape(block, quote=False).replace("\n", "<br>\n") for block in text.split("\n\n")]
    badge = '<p><img src="cid:badge@wrenfold.example" alt="Wrenfold"></p>\n' if logo else ""
    return f"<html><body>\n{badge}" + "\n".join(f"<p>{block}</p>" for block in paragraphs) + "\n</body></html>\n"


def _load(path: Path) -> dict[str, Any]:
    try:
        data = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise ConfigError(path.name, f"cannot be read as YAML ({type(error).__name__})") from error
    if not isinstance(data, dict):
        raise ConfigError(path.name, "holds no mapping at the top")
    return data


def _letters() -> Iterator[Letter]:
    allowed = {field.name for field in fields(Letter)} - {"from_"} | {"from"}
    for path in sorted(HERE.glob("mails_*.yml")):
        for name, entry in _load(path).items():
            unknown = entry.keys() - allowed
            if unknown:
                raise ConfigError(
                    f"{path.name}: {name}", f"unknown key {min(unknown)!r} (allowed: {', '.join(sorted(allowed))})"
                )
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
            }
            for key in ("to", "cc", "bcc"):
                if isinstance(values.get(key), str):
                    values[key] = (values[key],)
            values["headers"] = tuple(entry.get("headers", {}).items())
            values["from_"] = values.pop("from")
            values["date"] = datetime.strptime(values["date"], "%Y-%m-%d %H:%M")  # noqa: DTZ007 - local time
            yield Letter(id=name, **values)
