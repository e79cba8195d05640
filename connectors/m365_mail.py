"""Mail of Microsoft 365 mailboxes: the folders of a mailbox, what changed in each, and the messages themselves.

One delta cursor for each folder. The delta page already asks for the body and everything else that an `Envelope` needs,
so that a message without attachments costs no request of its own; one with attachments is fetched whole, as MIME.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.graph import GraphClient, Json, is_state_gone, items, missing, segment, text
from scanner.errors import ConnectorError
from scanner.model import Address, Blob, Body, Cursor, Envelope, Problem, ProblemKind, Recipient, RecipientKind
from scanner.ports import Folder, ItemRef, Page, RawItem, SpooledItem

# Well-known names work as folder ids in every language; v1.0 folders do not say which of them they are.
WELL_KNOWN = ("inbox", "sentitems", "drafts", "deleteditems", "junkemail", "archive", "outbox", "conversationhistory")
# Outside the visible tree, so that only its name leads there.
_DUMPSTER = "recoverableitemsdeletions"
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
# What a walk asks for where a message in it breaks every page that holds bodies (docs-contrib#7758).
_THIN_PROPERTIES = "id"
_PAGE = 50
_RESTARTS = 3
# A delta with a filter gives at most so many messages (delta query overview); from there on it may have left some out.
_FILTERED_AT_MOST = 5_000
# Attachments that are fetched one by one are held in memory, unlike a whole MIME message.
_BLOB_BYTES = 16 * 1024 * 1024
_BLOBS_BYTES = 48 * 1024 * 1024
# MAPI property PidTagMessageClass ([MS-OXPROPS] 2.1058).
_MESSAGE_CLASS = "String 0x001A"
_FILTERED = re.compile(r"filtered ([0-9]{1,6}) (.+)", re.DOTALL)
# A cloud link has no content here; base64 makes the MIME of the others a third larger.
_MIME_GROWTH = 1.4
# The header block of a real message is far smaller; nobody gets to make us search megabytes for a blank line.
_HEADER_BYTES = 1024 * 1024
# Bodies whose sense Graph's JSON loses: signed, encrypted, TNEF and read-receipt messages are taken as MIME.
_ONLY_AS_MIME = ("multipart/signed", "pkcs7", "multipart/encrypted", "ms-tnef", "multipart/report", "rpmsg.message")


class M365Mail:
    """A `Source` over the mailboxes of one tenant. A mailbox is named by its address, or by its object id.

    `mailbox_ids` gives the object id for an address (`M365People.mailbox_ids`): ids survive a renamed user and need no care
    with odd characters. `hidden` also walks hidden folders, `recoverable` what was deleted from Deleted Items; folders of
    the kinds in `leave_out` are not walked, nor what lies below them. `look_back` bounds the first walk of a folder by the
    time of receipt; zero takes all. `max_message_bytes` bounds one MIME message. `drives_are_read`: files that mails only
    link to are looked at where they lie, so that a link is no gap.
    """

    name = "m365_mail"

    def __init__(
        self,
        client: GraphClient,
        *,
        mailbox_ids: Callable[[], Mapping[str, str]] | None = None,
        hidden: bool = False,
        recoverable: bool = False,
        leave_out: Collection[str] = (),
        look_back: timedelta = timedelta(0),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        page_size: int = _PAGE,
        max_message_bytes: int = 160 * 1024 * 1024,
        drives_are_read: bool = False,
    ) -> None:
        self._client = client
        self._mailbox_ids = mailbox_ids
        self._hidden = "true" if hidden else "false"
        self._recoverable = recoverable
        self._leave_out = frozenset(leave_out)
        self._look_back = look_back
        self._clock = clock
        self._drives_are_read = drives_are_read
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
                if kinds.get(folder) in self._leave_out:
                    continue
                yield Folder(mailbox, folder, kinds.get(folder, "folder"), str(item.get("displayName") or ""))
                if children > 0 and depth < _DEEPEST_FOLDER:
                    waiting.append((f"/mailFolders/{segment(folder)}/childFolders", depth + 1))
        if self._recoverable and (dumpster := self._folder_id(mailbox, _DUMPSTER)) and dumpster not in seen:
            yield Folder(mailbox, dumpster, _DUMPSTER)

    def changes(self, folder: Folder, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of new and changed messages since `cursor`.

        A page's token is the link to the page after it, or to the next round. An expired link starts the folder again;
        what was handed over before then comes once more. An item without envelope and internet id is a partial update
        (a read mark, say) of a message that is most likely known already; `fetch` reads it where it is not.
        """
        what = f"reading changes of {folder.mailbox}"
        first = f"{self._of(folder.mailbox)}/mailFolders/{segment(folder.id)}/messages/delta"
        # A link of another Graph host (the cloud was changed in the settings) is as good as expired.
        link, told = _resumed(cursor)
        if link is not None and not self._client.is_own_link(link):
            link, told = None, None
        oldest = self._oldest(cursor) if link is None else None
        thin = False
        size = self._page_size
        restarts = 0
        while True:
            try:
                page = self._client.get(
                    link or first,
                    what=what,
                    mailbox=folder.mailbox,
                    params=None if link else _first(thin, oldest),
                    headers=_prefer(f"odata.maxpagesize={size}"),
                    # A smaller page is a better answer to a failure than the same page again and again.
                    attempts=2 if size > 1 or not thin else None,
                )
            except ConnectorError as error:
                if is_state_gone(error) and link and restarts < _RESTARTS:
                    link, told, restarts, oldest = None, None, restarts + 1, self._oldest(cursor)
                elif error.status == 400 and oldest is not None and not link:
                    oldest = None  # some mailboxes refuse the filter (microsoft-graph-docs#18636): what is old is left out later
                elif error.status in (500, 503, 504) and size > 1:
                    size //= 2  # a page with large bodies can be too much for the server (504 UnknownError)
                elif error.status == 500 and not thin:
                    # One message breaks the page that it is on. Ids alone pass, and `fetch` finds the message that does not.
                    thin, link, told, size, oldest = True, None, None, self._page_size, self._oldest(cursor)
                else:
                    raise
                continue
            following, last = _onward(page, what)
            if following == link and not last:
                raise ConnectorError(f"{what}: Graph gave the same page again as the next one", permanent=False)
            found = items(page, what)
            if not link and oldest is not None:
                told = 0
            told = told + len(found) if told is not None else None
            refs = _once([self._item(folder, entry) for entry in found])
            if last and told is not None and told >= _FILTERED_AT_MOST:
                yield Page(refs, f"filtered {told - len(found)} {link}" if link else "", last=False)
                link, told, oldest = None, None, None
                continue
            yield Page(refs, following if last or told is None else f"filtered {told} {following}", last)
            if last:
                return
            link = following

    def _oldest(self, cursor: Cursor | None) -> datetime | None:
        """From when on the first walk of a folder looks; of a folder that was walked before, nothing since then is left out."""
        if not self._look_back:
            return None
        return (cursor.saved_at if cursor is not None else self._clock()) - self._look_back

    def fetch(self, ref: ItemRef) -> Envelope | RawItem | SpooledItem:
        """The whole message. Raises ConnectorError; status 404 means that it was moved or deleted meanwhile."""
        if ref.envelope is not None:
            envelope, mime, files = ref.envelope, ref.has_attachments, ref.has_files
        else:
            envelope, mime, files = self._read(ref)
        if not mime:
            return envelope
        listed = self._attachments(ref) if files else None
        problems = tuple(self._links(listed or []))
        if listed is not None and sum(_size(item) for item in listed) * _MIME_GROWTH > self._max_message_bytes:
            return self._singly(ref, envelope, listed)
        try:
            whole = self._client.stream(
                f"{self._message(ref)}/$value",
                what=f"fetching a message of {ref.mailbox}",
                mailbox=ref.mailbox,
                limit=self._max_message_bytes,
                headers=_prefer(),
            )
        except ConnectorError as error:
            if error.code == "TooLarge" or (error.status == 500 and self._is_alone(ref)):
                return self._singly(ref, envelope, listed if listed is not None else self._attachments(ref))
            raise
        head = whole.head(_HEADER_BYTES)
        if not head.strip():
            return self._singly(ref, envelope, listed if listed is not None else self._attachments(ref))
        blind = _blind_copies(head, envelope)
        if whole.file is None:
            return RawItem(blind + whole.data, "message/rfc822", problems=problems)
        return SpooledItem(RawItem(blind, "message/rfc822", problems=problems), whole.file, whole.size)

    def _message(self, ref: ItemRef) -> str:
        """Below the mailbox and not below the folder, where Graph refuses `$value` with 405 (microsoft-graph-docs#14943)."""
        return f"{self._of(ref.mailbox)}/messages/{segment(ref.id)}"

    def _attachments(self, ref: ItemRef) -> list[Json]:
        """What is attached, without its content: in a list that comes for all at once, and not at all for large ones."""
        what = f"listing attachments of a message of {ref.mailbox}"
        return list(
            self._client.pages(
                f"{self._message(ref)}/attachments",
                what=what,
                mailbox=ref.mailbox,
                params={"$select": "id,name,contentType,size,isInline", "$top": "50"},
                headers=_prefer(),
            )
        )

    def _links(self, listed: Sequence[Json]) -> Iterator[Problem]:
        """A file that lies in a drive and is only linked to: v1.0 tells no address, and its `$value` is refused with 405."""
        for item in listed:
            if item.get("@odata.type") == "#microsoft.graph.referenceAttachment":
                kind: ProblemKind = "skipped" if self._drives_are_read else "unavailable"
                yield Problem("attachment", "fetch", kind, "none", "a link to a file in a drive, not a file")

    def _singly(self, ref: ItemRef, envelope: Envelope, listed: Sequence[Json]) -> Envelope:
        """The message from JSON with each attachment by itself, where its MIME is too large, empty or cannot be made."""
        problems = [*envelope.problems, *self._links(listed)]
        blobs: list[Blob] = []
        what = f"fetching an attachment of a message of {ref.mailbox}"
        for number, item in enumerate(listed, 1):
            if item.get("@odata.type") == "#microsoft.graph.referenceAttachment":
                continue
            name = str(item.get("name") or "attachment").replace("/", "_")
            attached = item.get("@odata.type") == "#microsoft.graph.itemAttachment"
            claimed = "message/rfc822" if attached else str(item.get("contentType") or "application/octet-stream")
            left = min(_BLOB_BYTES, _BLOBS_BYTES - sum(len(blob.data) for blob in blobs))
            kind: ProblemKind = "too_large"
            detail = f"larger than the {_BLOB_BYTES:,} bytes that one attachment of so large a message may have"
            if _size(item) <= left:
                try:
                    data = self._client.get_bytes(
                        f"{self._message(ref)}/attachments/{segment(text(item, 'id', what))}/$value",
                        what=what,
                        mailbox=ref.mailbox,
                        limit=left,
                        headers=_prefer(),
                    )
                except ConnectorError as error:
                    if not error.permanent and error.status != 500:
                        raise
                    if error.code != "TooLarge":
                        kind, detail = "unavailable", f"could not be fetched (status {error.status})"
                else:
                    if data or not _size(item):
                        blobs.append(Blob(name, claimed, data, bool(item.get("isInline"))))
                        continue
                    kind, detail = "unavailable", "Graph gave no content for it"
            problems.append(Problem(f"attachment/{number}/{name}", "fetch", kind, "none", detail))
        if not listed and not envelope.blobs:
            locked = self._is_encrypted(ref)
            detail = "an encrypted message (class IPM.Note.SMIME)" if locked else "Graph gave an empty MIME message"
            problems.append(Problem("attachment", "fetch", "encrypted" if locked else "unavailable", "none", detail))
        return replace(envelope, blobs=tuple(blobs), problems=tuple(problems))

    def _is_encrypted(self, ref: ItemRef) -> bool:
        """By the message class: v1.0 has no property for it. IPM.Note.SMIME.MultipartSigned is only signed."""
        page = self._client.get(
            self._message(ref),
            what=f"reading the class of a message of {ref.mailbox}",
            mailbox=ref.mailbox,
            params={"$select": "id", "$expand": f"singleValueExtendedProperties($filter=id eq '{_MESSAGE_CLASS}')"},
            headers=_prefer(),
        )
        values = [str(each.get("value") or "") for each in page.get("singleValueExtendedProperties") or ()]
        return any(value.upper().startswith("IPM.NOTE.SMIME") and "SIGNED" not in value.upper() for value in values)

    def _is_alone(self, ref: ItemRef) -> bool:
        """Whether only this message fails: its folder answers."""
        try:
            self._client.get(
                f"{self._of(ref.mailbox)}/mailFolders/{segment(ref.folder)}",
                what=f"opening a folder of {ref.mailbox}",
                mailbox=ref.mailbox,
                params={"$select": "id"},
            )
        except ConnectorError:
            return False
        return True

    def _of(self, mailbox: str) -> str:
        known = self._mailbox_ids() if self._mailbox_ids is not None else {}
        return f"/users/{segment(known.get(mailbox, mailbox))}"

    def _well_known(self, mailbox: str) -> dict[str, str]:
        """Folder id → well-known name. Folder ids are constant, so a mailbox is asked once."""
        if mailbox not in self._kinds:
            kinds: dict[str, str] = {}
            for kind in WELL_KNOWN:
                if identifier := self._folder_id(mailbox, kind):
                    kinds[identifier] = kind
            self._kinds[mailbox] = kinds
        return self._kinds[mailbox]

    def _folder_id(self, mailbox: str, name: str) -> str:
        """The id of a well-known folder; empty where the mailbox has none of that name."""
        what = f"looking for {name} of {mailbox}"
        try:
            item = self._client.get(
                f"{self._of(mailbox)}/mailFolders/{name}", what=what, mailbox=mailbox, params={"$select": "id"}
            )
        except ConnectorError as error:
            if error.status == 404 and error.code.lower() in ("erroritemnotfound", "errorfoldernotfound"):
                return ""
            raise
        return text(item, "id", what)

    def _item(self, folder: Folder, entry: Json) -> tuple[str, ItemRef]:
        """One entry of a delta page, with the time of its last change for telling repeats apart."""
        identifier = text(entry, "id", f"reading changes of {folder.mailbox}")
        if "@removed" in entry:
            return "", ItemRef(folder.mailbox, folder.id, identifier, gone=True)
        if _lacking(entry):
            return "", ItemRef(folder.mailbox, folder.id, identifier)
        envelope = self._envelope(folder.mailbox, identifier, entry)
        ref = ItemRef(
            folder.mailbox,
            folder.id,
            identifier,
            envelope.internet_id,
            _is_mime_needed(entry),
            envelope=envelope,
            has_files=bool(entry["hasAttachments"]),
        )
        return str(entry.get("lastModifiedDateTime") or ""), ref

    def _read(self, ref: ItemRef) -> tuple[Envelope, bool, bool]:
        """A message that the listing did not hold whole: its envelope, whether MIME is needed, whether it has files."""
        what = f"reading a message of {ref.mailbox}"
        try:
            entry = self._client.get(
                self._message(ref),
                what=what,
                mailbox=ref.mailbox,
                params={"$select": _PROPERTIES},
                headers=_prefer(),
            )
        except ConnectorError as error:
            if error.status == 500 and self._is_alone(ref):
                raise ConnectorError(
                    f"{error}; its folder answers", permanent=True, status=500, code=error.code
                ) from error
            raise
        lacking = _lacking(entry)
        if lacking:
            raise missing(what, *lacking)
        return self._envelope(ref.mailbox, ref.id, entry), _is_mime_needed(entry), bool(entry["hasAttachments"])

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
        if str(header.get("name") or "").lower() in ("content-type", "content-class")
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


def _blind_copies(head: bytes, envelope: Envelope) -> bytes:
    """A Bcc line to put before the MIME. Exchange makes that anew and may leave the blind copies out; the JSON has them."""
    blind = [recipient.address for recipient in envelope.recipients if recipient.kind == "bcc" and recipient.address]
    head = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0].lower()
    if not blind or head.startswith(b"bcc:") or b"\nbcc:" in head:
        return b""
    line = "Bcc: " + ",\r\n ".join("".join(address.split()) for address in blind) + "\r\n"
    return line.encode("utf-8")


def _size(item: Json) -> int:
    size = item.get("size")
    return size if isinstance(size, int) else 0


def _first(thin: bool, oldest: datetime | None) -> dict[str, str]:
    """The query of a walk's first request; everything after it is a link that Graph made."""
    query = {"$select": _THIN_PROPERTIES if thin else _PROPERTIES}
    if oldest is not None:
        query["$filter"] = f"receivedDateTime ge {oldest.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return query


def _resumed(cursor: Cursor | None) -> tuple[str | None, int | None]:
    """The link to go on from, and how many messages a walk with a filter has given so far, None for one without."""
    if cursor is None or not cursor.token:
        return None, None
    filtered = _FILTERED.fullmatch(cursor.token)
    return (filtered[2], int(filtered[1])) if filtered is not None else (cursor.token, None)
