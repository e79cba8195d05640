"""Mail of Microsoft 365 mailboxes: the folders of a mailbox, what changed in each, and the messages themselves.

One delta cursor for each folder. The delta page already asks for the body and everything else that an `Envelope` needs,
so that a message without attachments costs no request of its own; one with attachments is fetched whole, as MIME.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from connectors.graph import GraphClient, Json, is_state_gone, items, missing, segment, text
from scanner.errors import ConnectorError
from scanner.model import Address, Body, Cursor, Envelope, Problem, ProblemKind, Recipient, RecipientKind
from scanner.ports import Folder, ItemRef, Page, RawItem

# Well-known names work as folder ids in every language; v1.0 folders do not say which of them they are.
WELL_KNOWN = ("inbox", "sentitems", "drafts", "deleteditems", "junkemail", "archive", "outbox", "conversationhistory")
_FOLDER_PROPERTIES = "id,displayName,parentFolderId,childFolderCount,isHidden"
_FOLDERS_A_PAGE = "100"
_DEEPEST_FOLDER = 300  # Exchange allows no deeper hierarchy
# What must come with every whole message. Drafts and some system messages lack from and sender; only received ones have headers.
_NEEDED = (
    "internetMessageId",
    "conversationId",
    "subject",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "sentDateTime",
    "receivedDateTime",
    "hasAttachments",
    "isDraft",
    "body",
)
_PROPERTIES = ",".join(("id", *_NEEDED, "from", "sender", "lastModifiedDateTime", "internetMessageHeaders"))
_PAGE = 50
_RESTARTS = 3
# The header block of a real message is far smaller; nobody gets to make us search megabytes for a blank line.
_HEADER_BYTES = 1024 * 1024
# Bodies whose sense Graph's JSON loses: signed, encrypted, TNEF and read-receipt messages are taken as MIME.
_ONLY_AS_MIME = ("multipart/signed", "pkcs7", "multipart/encrypted", "ms-tnef", "multipart/report")


class M365Mail:
    """A `Source` over the mailboxes of one tenant. A mailbox is named by its address, or by its object id.

    `mailbox_ids` gives the object id for an address (`M365People.mailbox_ids`): ids survive a renamed user and need no care
    with odd characters. `hidden` also walks hidden folders. `max_message_bytes` bounds one MIME message.
    """

    name = "m365_mail"

    def __init__(
        self,
        client: GraphClient,
        *,
        mailbox_ids: Callable[[], Mapping[str, str]] | None = None,
        hidden: bool = False,
        page_size: int = _PAGE,
        max_message_bytes: int = 160 * 1024 * 1024,
    ) -> None:
        self._client = client
        self._mailbox_ids = mailbox_ids
        self._hidden = "true" if hidden else "false"
        self._page_size = page_size
        self._max_message_bytes = max_message_bytes
        self._kinds: dict[str, dict[str, str]] = {}

    def check(self) -> list[str]:
        """Sentences about sign-in, directory and one mailbox; an empty list means that mail can be read."""
        problems = self._client.check(self.name)
        if problems or self._mailbox_ids is None:
            return problems
        try:
            known = self._mailbox_ids()
            for address in sorted(known)[:1]:
                self._client.get(
                    f"{self._of(address)}/mailFolders/inbox",
                    what=f"opening the inbox of {address}",
                    mailbox=address,
                    params={"$select": "id"},
                )
        except ConnectorError as error:
            return [f"{self.name}: {error}"]
        return [] if known else [f"{self.name}: the directory lists no user with a mailbox"]

    def folders(self, mailbox: str) -> Iterator[Folder]:
        """Every mail folder, parents before children. Search folders are left out: they would show each mail twice."""
        kinds = self._well_known(mailbox)
        waiting = [("/mailFolders", 0)]
        seen: set[str] = set()
        while waiting:
            below, depth = waiting.pop()
            what = f"listing folders of {mailbox}"
            for item in self._client.pages(
                self._of(mailbox) + below,
                what=what,
                mailbox=mailbox,
                params={
                    "$select": _FOLDER_PROPERTIES,
                    "$top": _FOLDERS_A_PAGE,
                    "includeHiddenFolders": self._hidden,
                },
            ):
                if item.get("@odata.type") == "#microsoft.graph.mailSearchFolder":
                    continue
                folder = text(item, "id", what)
                children = item.get("childFolderCount")
                if not isinstance(children, int):
                    raise missing(what, "childFolderCount")
                if folder in seen:
                    continue
                seen.add(folder)
                yield Folder(mailbox, folder, kinds.get(folder, "folder"), str(item.get("displayName") or ""))
                if children > 0 and depth < _DEEPEST_FOLDER:
                    waiting.append((f"/mailFolders/{segment(folder)}/childFolders", depth + 1))

    def changes(self, folder: Folder, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of new and changed messages since `cursor`.

        A page's token is the link to the page after it, or to the next round. An expired link starts the folder again;
        what was handed over before then comes once more. An item without envelope and internet id is a partial update
        (a read mark, say) of a message that is most likely known already; `fetch` reads it where it is not.
        """
        what = f"reading changes of {folder.mailbox}"
        first = f"{self._of(folder.mailbox)}/mailFolders/{segment(folder.id)}/messages/delta"
        # A link of another Graph host (the cloud was changed in the settings) is as good as expired.
        link = cursor.token if cursor is not None and self._client.is_own_link(cursor.token) else None
        size = self._page_size
        restarts = 0
        while True:
            try:
                page = self._client.get(
                    link or first,
                    what=what,
                    mailbox=folder.mailbox,
                    params=None if link else {"$select": _PROPERTIES},
                    headers=_prefer(f"odata.maxpagesize={size}"),
                )
            except ConnectorError as error:
                if is_state_gone(error) and link and restarts < _RESTARTS:
                    link, restarts = None, restarts + 1
                    continue
                if error.status in (500, 503, 504) and size > 1:
                    # A page with large bodies can be too much for the server (504 UnknownError); smaller ones pass.
                    size = max(1, size // 5)
                    continue
                raise
            following, last = _onward(page, what)
            if following == link and not last:
                raise ConnectorError(f"{what}: Graph gave the same page again as the next one", permanent=False)
            yield Page(_once([self._item(folder, entry) for entry in items(page, what)]), following, last)
            if last:
                return
            link = following

    def fetch(self, ref: ItemRef) -> Envelope | RawItem:
        """The whole message. Raises ConnectorError; status 404 means that it was moved or deleted meanwhile."""
        envelope, mime = (ref.envelope, ref.has_attachments) if ref.envelope is not None else self._read(ref)
        if not mime:
            return envelope
        try:
            data = self._client.get_bytes(
                f"{self._of(ref.mailbox)}/messages/{segment(ref.id)}/$value",
                what=f"fetching a message of {ref.mailbox}",
                mailbox=ref.mailbox,
                limit=self._max_message_bytes,
                headers=_prefer(),
            )
        except ConnectorError as error:
            if error.code == "TooLarge":
                return _without_attachments(envelope, "too_large", f"larger than {self._max_message_bytes:,} bytes")
            if error.code.lower() == "errorcontentconversionfailed":
                return _without_attachments(envelope, "unavailable", "Exchange could not convert the message to MIME")
            raise
        if not data.strip():
            return _without_attachments(envelope, "unavailable", "Graph gave an empty MIME message")
        return RawItem(_with_blind_copies(data, envelope), "message/rfc822")

    def _of(self, mailbox: str) -> str:
        known = self._mailbox_ids() if self._mailbox_ids is not None else {}
        return f"/users/{segment(known.get(mailbox, mailbox))}"

    def _well_known(self, mailbox: str) -> dict[str, str]:
        """Folder id → well-known name. Folder ids are constant, so a mailbox is asked once."""
        if mailbox not in self._kinds:
            kinds: dict[str, str] = {}
            for kind in WELL_KNOWN:
                what = f"looking for {kind} of {mailbox}"
                try:
                    item = self._client.get(
                        f"{self._of(mailbox)}/mailFolders/{kind}", what=what, mailbox=mailbox, params={"$select": "id"}
                    )
                except ConnectorError as error:
                    if error.status == 404 and error.code.lower() in ("erroritemnotfound", "errorfoldernotfound"):
                        continue
                    raise
                kinds[text(item, "id", what)] = kind
            self._kinds[mailbox] = kinds
        return self._kinds[mailbox]

    def _item(self, folder: Folder, entry: Json) -> tuple[str, ItemRef]:
        """One entry of a delta page, with the time of its last change for telling repeats apart."""
        identifier = text(entry, "id", f"reading changes of {folder.mailbox}")
        if "@removed" in entry:
            return "", ItemRef(folder.mailbox, folder.id, identifier, gone=True)
        if _lacking(entry):
            return "", ItemRef(folder.mailbox, folder.id, identifier)
        envelope = self._envelope(folder.mailbox, identifier, entry)
        ref = ItemRef(
            folder.mailbox, folder.id, identifier, envelope.internet_id, _is_mime_needed(entry), envelope=envelope
        )
        return str(entry.get("lastModifiedDateTime") or ""), ref

    def _read(self, ref: ItemRef) -> tuple[Envelope, bool]:
        what = f"reading a message of {ref.mailbox}"
        entry = self._client.get(
            f"{self._of(ref.mailbox)}/messages/{segment(ref.id)}",
            what=what,
            mailbox=ref.mailbox,
            params={"$select": _PROPERTIES},
            headers=_prefer(),
        )
        lacking = _lacking(entry)
        if lacking:
            raise missing(what, *lacking)
        return self._envelope(ref.mailbox, ref.id, entry), _is_mime_needed(entry)

    def _envelope(self, mailbox: str, identifier: str, entry: Json) -> Envelope:
        what = f"reading a message of {mailbox}"
        from_, sender = _address(entry.get("from")), _address(entry.get("sender"))
        body = entry["body"] or {}
        content = body.get("content")
        if not isinstance(content, str):
            raise missing(what, "body.content")
        media_type = "text/html" if str(body.get("contentType")).lower() == "html" else "text/plain"
        return Envelope(
            source=self.name,
            mailbox=mailbox,
            provider_id=identifier,
            internet_id=entry["internetMessageId"] or "",
            thread_id=entry["conversationId"] or "",
            sent_at=_moment(entry["sentDateTime"] or entry["receivedDateTime"], what),
            # Graph fills in sender always; a Sender header exists only where it differs (RFC 5322 section 3.6.2).
            sender=sender if sender is not None and sender != from_ else None,
            from_=from_,
            reply_to=tuple(filter(None, map(_address, entry["replyTo"]))),
            recipients=(
                *_recipients("to", entry["toRecipients"], what),
                *_recipients("cc", entry["ccRecipients"], what),
                *_recipients("bcc", entry["bccRecipients"], what),
            ),
            headers=tuple(
                (str(header.get("name") or ""), str(header.get("value") or ""))
                for header in entry.get("internetMessageHeaders") or ()
            ),
            subject=entry["subject"] or "",
            bodies=(Body(media_type, content),) if content else (),
        )


def _prefer(*more: str) -> dict[str, str]:
    """Preferences count for one request only. Immutable ids survive a move; unsafe HTML is the text as it was sent."""
    return {"Prefer": ", ".join((*more, 'IdType="ImmutableId"', "outlook.allow-unsafe-html"))}


def _onward(page: Json, what: str) -> tuple[str, bool]:
    following, delta = page.get("@odata.nextLink"), page.get("@odata.deltaLink")
    if isinstance(following, str) and following:
        return following, False
    if isinstance(delta, str) and delta:
        return delta, True
    raise missing(what, "@odata.nextLink", "@odata.deltaLink")


def _once(found: list[tuple[str, ItemRef]]) -> tuple[ItemRef, ...]:
    """Each id once: a page may repeat an item, whole or in part, in any order; the whole and the later one counts."""
    best: dict[str, tuple[tuple[bool, bool, str], ItemRef]] = {}
    for changed, ref in found:
        rank = (ref.envelope is not None, not ref.gone, changed)
        if ref.id not in best or rank >= best[ref.id][0]:
            best[ref.id] = rank, ref
    return tuple(ref for _, ref in best.values())


def _lacking(entry: Json) -> list[str]:
    """The needed properties that are not there. Null is a value for a text and not for a list, a flag or the body."""
    nullable = ("internetMessageId", "conversationId", "subject", "sentDateTime", "receivedDateTime")
    return [name for name in _NEEDED if name not in entry or (entry[name] is None and name not in nullable)]


def _is_mime_needed(entry: Json) -> bool:
    """True when the JSON does not hold the whole message: attachments, inline parts (never counted by hasAttachments),
    no author, or a form that only MIME shows."""
    if entry["hasAttachments"] or (not entry["isDraft"] and not (entry.get("from") and entry.get("sender"))):
        return True
    body = entry["body"]
    if "cid:" in str(body.get("content") or "").lower():
        return True
    return any(
        form in str(header.get("value") or "").lower()
        for header in entry.get("internetMessageHeaders") or ()
        if str(header.get("name") or "").lower() == "content-type"
        for form in _ONLY_AS_MIME
    )


def _address(value: Any) -> Address | None:
    inner = value.get("emailAddress") if isinstance(value, dict) else None
    if not isinstance(inner, dict):
        return None
    address, name = str(inner.get("address") or "").strip().lower(), str(inner.get("name") or "").strip()
    return Address(address, name) if address or name else None


def _recipients(kind: RecipientKind, values: Any, what: str) -> Iterator[Recipient]:
    """A recipient whose address is absent stays one, under their name: it must not make a message look internal."""
    for value in values:
        if not isinstance(value, dict) or not isinstance(value.get("emailAddress"), dict):
            raise missing(what, f"{kind}Recipients.emailAddress")
        address = _address(value)
        if address is not None:
            yield Recipient(kind, address.address, address.name)


def _moment(value: Any, what: str) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise ConnectorError(f"{what}: Graph's answer holds a date that is none", permanent=True) from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _without_attachments(envelope: Envelope, kind: ProblemKind, detail: str) -> Envelope:
    """The message as far as the listing held it, saying that its attachments were not read."""
    return replace(envelope, problems=(*envelope.problems, Problem("attachment", "fetch", kind, "none", detail)))


def _with_blind_copies(data: bytes, envelope: Envelope) -> bytes:
    """Exchange makes the MIME anew and may leave the sender's blind copies out; the JSON has them."""
    blind = [recipient.address for recipient in envelope.recipients if recipient.kind == "bcc" and recipient.address]
    head = data[:_HEADER_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0].lower()
    if not blind or head.startswith(b"bcc:") or b"\nbcc:" in head:
        return data
    line = "Bcc: " + ",\r\n ".join("".join(address.split()) for address in blind) + "\r\n"
    return line.encode("utf-8") + data
