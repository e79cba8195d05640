"""Files in OneDrive and SharePoint that somebody besides their owner can open: what they hold, and who that is.

A file that is shared with nobody is nobody's breach and costs nothing here. What is shared shows in the `shared` facet of the
item or of a folder above it; who can open it stands in its permissions, which are read again for whatever changed, and
for everything shared once a day, because a new link need not show as a change (driveitem-delta). The item's id in the
store is made from drive item, content tag and audience: the same file is judged again when one of them changes, and not before.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.graph import GraphClient, Json, is_state_gone, items, segment, text
from scanner.errors import ConnectorError
from scanner.model import Blob, Cursor, Envelope, Problem, ProblemKind, Share
from scanner.ports import Folder, ItemRef, Page, RawItem, Sharing, SpooledItem

log = logging.getLogger("mailwarden.files")
_PROPERTIES = "id,name,size,file,folder,root,deleted,malware,shared,parentReference,cTag"
_PAGE = "200"
# With Sites.FullControl.All a new link shows as a change of the item; without, the daily reading finds it.
_SHARING_CHANGES = (
    "deltashowremovedasdeleted, deltatraversepermissiongaps, deltashowsharingchanges, hierarchicalsharing"
)
_TOKEN_BYTES = 64 * 1024 * 1024
_RECHECK = timedelta(days=1)
_KEPT = timedelta(hours=1)
# In the login name of "Everyone except external users".
_EVERYBODY = "spo-grid-all-users"
# What Graph writes for "no end".
_NO_END = 1
_GUEST = re.compile(r"(?:.*\|)?([^|]+)_([^_|]+)#ext#@.*", re.IGNORECASE)
_SPO_GUEST = re.compile(r".*urn:spo:guest#([^|#]+@[^|#]+)", re.IGNORECASE)
_LOGIN = re.compile(r"(?:.*\|)?([^|#]+@[^|#]+)")


@dataclass(slots=True)
class _State:
    """What a cursor holds: the link to go on from, the folders seen (parent, shared), the shared files, the last full check."""

    link: str = ""
    folders: dict[str, tuple[str, bool]] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    checked: str = ""
    root_open: bool = False

    def packed(self) -> str:
        plain = json.dumps([self.link, self.folders, self.shared, self.checked, self.root_open]).encode()
        return base64.b85encode(zlib.compress(plain)).decode()

    @staticmethod
    def of(token: str) -> _State:
        """The state in a token; an empty one, which means a full walk, where it is none of ours."""
        try:
            opener = zlib.decompressobj()
            link, folders, shared, checked, root_open = json.loads(
                opener.decompress(base64.b85decode(token), _TOKEN_BYTES)
            )
            known = {str(key): (str(value[0]), bool(value[1])) for key, value in folders.items()}
            return _State(str(link), known, dict(shared), str(checked), bool(root_open))
        except (ValueError, TypeError, KeyError, AttributeError, zlib.error, RecursionError):
            return _State()

    def is_open(self, folder: str) -> bool:
        """Whether a folder, or one above it, is shared. A loop in what Graph told ends."""
        for _ in range(len(self.folders) + 1):
            if folder not in self.folders:
                return self.root_open
            folder, shared = self.folders[folder]
            if shared:
                return True
        return False


class M365Files:
    """A `Source`. A mailbox is a user's address or, from `places`, the address of a SharePoint site; a folder is a drive.

    `user_ids`: address to object id. `leave_out` are endings of names that are not opened (`.mp4`), `max_bytes` bounds one
    file: larger ones become a problem. `sees_sharing`: the app has Sites.FullControl.All.
    """

    name = "m365_files"

    def __init__(
        self,
        client: GraphClient,
        *,
        user_ids: Callable[[], Mapping[str, str]],
        leave_out: Collection[str] = (),
        max_bytes: int = 100 * 1024 * 1024,
        sees_sharing: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._user_ids = user_ids
        self._who = _Who(client, user_ids, clock)
        self._leave_out = tuple(ending.lower() for ending in leave_out)
        self._max_bytes = max_bytes
        self._sees_sharing = sees_sharing
        self._clock = clock
        self._sites: dict[str, str] = {}

    def check(self) -> list[str]:
        """Sentences about sign-in, sites and one drive."""
        problems = self._client.check(self.name)
        if problems:
            return problems
        try:
            known = self._user_ids()
            for address in sorted(known)[:1]:
                list(self.folders(address))
        except ConnectorError as error:
            return [f"{self.name}: {error}"]
        return []

    def places(self) -> list[str]:
        """The web addresses of all SharePoint sites; people's own OneDrives are found by their addresses."""
        what = "listing sites"
        found: dict[str, str] = {}
        for site in self._client.pages(
            "/sites/getAllSites", what=what, params={"$select": "id,webUrl,isPersonalSite", "$top": _PAGE}
        ):
            if not site.get("isPersonalSite"):
                found[text(site, "webUrl", what)] = text(site, "id", what)
        self._sites = found
        return sorted(found)

    def folders(self, mailbox: str) -> Iterator[Folder]:
        """The drives of a user or site; none for somebody whose OneDrive was never opened."""
        if mailbox.startswith("https://") and mailbox not in self._sites:
            self.places()
        site = self._sites.get(mailbox)
        path = f"/sites/{segment(site)}" if site else f"/users/{segment(self._user_ids().get(mailbox, mailbox))}"
        what = f"listing drives of {mailbox}"
        try:
            for drive in self._client.pages(f"{path}/drives", what=what, params={"$select": "id"}):
                yield Folder(mailbox, text(drive, "id", what), "drive")
        except ConnectorError as error:
            if error.status != 404 or error.code.lower() not in ("resourcenotfound", "itemnotfound"):
                raise

    def changes(self, folder: Folder, cursor: Cursor | None) -> Iterator[Page]:
        """Pages of shared files since `cursor`; everything shared once a day. Each token stands for its page being done."""
        what = f"reading changes in a drive of {folder.mailbox}"
        first = f"/drives/{segment(folder.id)}/root/delta"
        state = _State.of(cursor.token) if cursor is not None else _State()
        if state.link and not self._client.is_own_link(state.link):
            state = _State()
        if not state.link:
            state.root_open = self._root_is_open(folder)
        restarted = False
        while True:
            try:
                page = self._client.get(
                    state.link or first,
                    what=what,
                    params=None if state.link else {"$select": _PROPERTIES, "$top": _PAGE},
                    headers={"Prefer": _SHARING_CHANGES} if self._sees_sharing else None,
                )
            except ConnectorError as error:
                if is_state_gone(error) and state.link and not restarted:
                    # Graph may offer a link that goes on with differences; a walk from the start comes to the same here.
                    state, restarted = _State(root_open=self._root_is_open(folder)), True
                    continue
                raise
            entries = {
                text(entry, "id", what): entry for entry in items(page, what)
            }  # the last of a repeated item counts
            refs = [ref for entry in self._changed(folder, state, entries) if (ref := self._item(folder, state, entry))]
            following, delta = page.get("@odata.nextLink"), page.get("@odata.deltaLink")
            last = not (isinstance(following, str) and following)
            onward = delta if last else following
            if not isinstance(onward, str) or not onward or (not last and onward == state.link):
                raise ConnectorError(f"{what}: Graph's answer lacks a link that leads on", permanent=False)
            state.link = onward
            if last:
                refs += self._checked(folder, state, {ref.id for ref in refs})
            yield Page(tuple({ref.id: ref for ref in refs}.values()), state.packed(), last)
            if last:
                return

    def fetch(self, ref: ItemRef) -> Envelope | RawItem | SpooledItem:
        """The file's bytes with who can open it. Raises ConnectorError; status 404 means that it is gone."""
        item = ref.id.partition(" ")[0]
        envelope = ref.envelope if ref.envelope is not None else self._again(ref, item)
        if envelope.blobs == ():
            return envelope
        what = f"fetching a file of {ref.mailbox}"
        path = f"/drives/{segment(ref.folder)}/items/{segment(item)}/content"
        (blob,) = envelope.blobs
        try:
            whole = self._client.download(path, what=what, limit=self._max_bytes)
        except ConnectorError as error:
            if error.code == "TooLarge":
                return _unread(envelope, "too_large", f"larger than {self._max_bytes:,} bytes")
            if "malware" in error.code.lower():
                return _unread(envelope, "unavailable", "the service took it for malware and does not hand it out")
            raise
        sharing = Sharing(self.name, envelope.mailbox, ref.id, envelope.audience or ())
        raw = RawItem(whole.data, blob.claimed_type, blob.name, sharing=sharing)
        return raw if whole.file is None else SpooledItem(raw, whole.file, whole.size)

    # --- what is shared ----------------------------------------------------------------------------------------------

    def _changed(self, folder: Folder, state: _State, entries: Mapping[str, Json]) -> list[Json]:
        """The files of a page that have to be looked at. Where a folder's sharing changed, those below it have to, too."""
        found = dict(entries)
        for identifier, entry in entries.items():
            if "deleted" in entry and entry["deleted"] is not None:
                state.folders.pop(identifier, None)
                state.shared.pop(identifier, None)
            elif entry.get("folder") is not None and entry.get("root") is None:
                parent = str((entry.get("parentReference") or {}).get("id") or "")
                before = state.folders.get(identifier)
                state.folders[identifier] = (parent, entry.get("shared") is not None)
                if before is not None and before[1] != (entry.get("shared") is not None):
                    for below in self._below(folder, state, identifier):
                        found.setdefault(str(below["id"]), below)
        return [entry for entry in found.values() if self._is_candidate(state, entry)]

    def _is_candidate(self, state: _State, entry: Json) -> bool:
        # A notebook is a package of files and has no facet `file` of its own.
        if entry.get("file") is None or entry.get("deleted") is not None:
            return False
        if str(entry.get("name") or "").lower().endswith(self._leave_out or ("\0",)):
            return False
        parent = str((entry.get("parentReference") or {}).get("id") or "")
        return entry.get("shared") is not None or entry["id"] in state.shared or state.is_open(parent)

    def _below(self, folder: Folder, state: _State, identifier: str) -> Iterator[Json]:
        """Every file below a folder, which Graph does not name when only the folder's sharing changes."""
        waiting = [identifier]
        while waiting:
            path = f"/drives/{segment(folder.id)}/items/{segment(waiting.pop())}/children"
            for entry in self._client.pages(
                path, what="listing a shared folder", params={"$select": _PROPERTIES, "$top": _PAGE}
            ):
                if entry.get("folder") is not None:
                    parent = str((entry.get("parentReference") or {}).get("id") or "")
                    state.folders[str(entry["id"])] = (parent, entry.get("shared") is not None)
                    waiting.append(str(entry["id"]))
                else:
                    yield entry

    def _checked(self, folder: Folder, state: _State, done: set[str]) -> list[ItemRef]:
        """Once a day everything that is shared is looked at again: a link that was added, changed or has run out."""
        today = self._clock()
        if state.checked and today - datetime.fromisoformat(state.checked) < _RECHECK:
            return []
        first = not state.checked
        state.checked = today.isoformat()
        if first:
            return []  # the walk that just ended looked at each of them
        is_open = self._root_is_open(folder)
        refs = []
        if is_open and not state.root_open:
            state.link = ""  # everything in the drive is open now: the next round walks it from the start
        state.root_open = is_open
        looked_at = {ref.partition(" ")[0] for ref in done}
        for identifier in [known for known in state.shared if known not in looked_at]:
            try:
                entry = self._client.get(
                    f"/drives/{segment(folder.id)}/items/{segment(identifier)}",
                    what="reading a shared file",
                    params={"$select": _PROPERTIES},
                )
            except ConnectorError as error:
                if error.status != 404:
                    raise
                state.shared.pop(identifier, None)
                continue
            if ref := self._item(folder, state, entry):
                refs.append(ref)
        return refs

    def _item(self, folder: Folder, state: _State, entry: Json) -> ItemRef | None:
        """The file with its audience; nothing where both are as they were."""
        what = f"reading a file of {folder.mailbox}"
        identifier = text(entry, "id", what)
        try:
            audience = self._audience(folder, identifier, what)
        except ConnectorError as error:
            if error.status == 404:
                return None  # deleted since
            raise
        mark = _mark(entry, audience)
        if state.shared.get(identifier) == mark:
            return None
        if audience or identifier in state.shared:
            state.shared[identifier] = mark
        if not audience:
            state.shared.pop(identifier, None)
        envelope = self._document(folder.mailbox, f"{identifier} {mark}", entry, audience)
        return ItemRef(
            folder.mailbox, folder.id, f"{identifier} {mark}", has_attachments=bool(envelope.blobs), envelope=envelope
        )

    def _document(self, owner: str, provider_id: str, entry: Json, audience: tuple[Share, ...]) -> Envelope:
        """The file before its bytes are there; a blob without bytes stands for what is still to fetch."""
        claimed = str((entry.get("file") or {}).get("mimeType") or "application/octet-stream")
        empty = Envelope(source="document", kind="document", mailbox=owner, provider_id=provider_id, audience=audience)
        size = entry.get("size")
        if entry.get("malware") is not None:
            return _unread(empty, "unavailable", "the service took it for malware and does not hand it out")
        if isinstance(size, int) and size > self._max_bytes:
            return _unread(empty, "too_large", f"larger than {self._max_bytes:,} bytes")
        if size == 0:
            return empty
        return replace(empty, blobs=(Blob(str(entry.get("name") or ""), claimed, b""),))

    def _again(self, ref: ItemRef, item: str) -> Envelope:
        what = f"reading a file of {ref.mailbox}"
        path = f"/drives/{segment(ref.folder)}/items/{segment(item)}"
        entry = self._client.get(path, what=what, params={"$select": _PROPERTIES})
        audience = self._audience(Folder(ref.mailbox, ref.folder), item, what)
        return self._document(ref.mailbox, ref.id, entry, audience)

    # --- who can open it ---------------------------------------------------------------------------------------------

    def _root_is_open(self, folder: Folder) -> bool:
        """Whether the whole drive is open to anybody without an account of ours, such as a guest of a site."""
        shares = self._audience(folder, "root", "opening a drive")
        known = self._user_ids()
        return any(
            share.scope == "anyone" or (share.scope == "person" and share.address not in known) for share in shares
        )

    def _audience(self, folder: Folder, item: str, what: str) -> tuple[Share, ...]:
        """Everybody besides the owner, each once; links that have run out are left out."""
        found: dict[Share, None] = {}
        for permission in self._client.pages(
            f"/drives/{segment(folder.id)}/items/{segment(item)}/permissions", what=what
        ):
            for share in _shares(permission, self._who):
                over = share.until is not None and share.until <= self._clock()
                if not over and share.address != folder.mailbox.lower():
                    found[share] = None
        return tuple(sorted(found, key=lambda share: (share.scope, share.address, share.may_edit)))


class _Who:
    """Who is behind a grant: a user of ours, a guest, or a group with the guests in it. What was read of a group or of somebody
    without a mailbox here counts for an hour.
    """

    def __init__(
        self, client: GraphClient, user_ids: Callable[[], Mapping[str, str]], clock: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._user_ids = user_ids
        self._clock = clock
        self._addresses: tuple[Mapping[str, str], dict[str, str]] = ({}, {})
        self._guests: dict[str, tuple[datetime, tuple[str, ...]]] = {}

    def guests(self, group: str) -> tuple[str, ...]:
        """The addresses of the guests in a group and in the groups in it; none where it cannot be read."""

        def read() -> Iterator[str]:
            for member in self._client.pages(
                f"/groups/{segment(group)}/transitiveMembers",
                what="reading a group that a file is shared with",
                params={"$select": "mail,userPrincipalName,userType", "$top": "999"},
            ):
                yield _guest(member)

        return self._kept(f"group {group}", read)

    def user(self, identifier: str) -> str:
        """The address of a guest whom a permission names by id alone; empty for anybody else."""

        def read() -> Iterator[str]:
            yield _guest(
                self._client.get(
                    f"/users/{segment(identifier)}",
                    what="reading whom a file is shared with",
                    params={"$select": "mail,userPrincipalName,userType"},
                )
            )

        return next(iter(self._kept(f"user {identifier}", read)), "")

    def address(self, identities: Mapping[str, Any]) -> str:
        """The address behind a grant. Guests carry theirs in the login name; a group or an app has none."""
        for kind in ("user", "siteUser"):
            identity = identities.get(kind)
            if not isinstance(identity, dict):
                continue
            identifier = str(identity.get("id") or "")
            if known := self._ours().get(identifier):
                return known
            if "@" in (email := str(identity.get("email") or "")):
                return email.lower()
            if named := _named(str(identity.get("loginName") or "")):
                return named
            if kind == "user" and identifier and not identities.get("siteUser"):
                return self.user(identifier)
        return ""

    def _ours(self) -> Mapping[str, str]:
        """Object id → address of everybody of ours; turned round once for each reading of the directory."""
        known = self._user_ids()
        if self._addresses[0] is not known:
            self._addresses = known, {identifier: address for address, identifier in known.items()}
        return self._addresses[1]

    def _kept(self, name: str, read: Callable[[], Iterator[str]]) -> tuple[str, ...]:
        now = self._clock()
        if name not in self._guests or now - self._guests[name][0] > _KEPT:
            try:
                found = tuple(sorted({address for address in read() if address}))
            except ConnectorError as error:
                if not error.permanent:
                    raise
                log.warning("whom a file is shared with is not known status=%s code=%s", error.status, error.code)
                found = ()
            self._guests[name] = now, found
        return self._guests[name][1]


def _guest(user: Json) -> str:
    """The address of a guest; empty for a member and for what is no user."""
    principal = str(user.get("userPrincipalName") or "")
    if str(user.get("userType") or "").lower() != "guest" and "#ext#" not in principal.lower():
        return ""
    return str(user.get("mail") or "").lower() or _named(principal)


def _named(login: str) -> str:
    """The address in a login name (`i:0#.f|membership|…`), in a guest's the one that they were invited under."""
    if guest := _SPO_GUEST.match(login):
        return guest[1].lower()
    if guest := _GUEST.match(login):
        return f"{guest[1]}@{guest[2]}".lower()
    if plain := _LOGIN.match(login):
        return plain[1].lower()
    return ""


def _shares(permission: Json, who: _Who) -> Iterator[Share]:
    roles = [str(role).lower() for role in permission.get("roles") or ()]
    link = permission.get("link") or {}
    may_edit = "write" in roles or "owner" in roles or str(link.get("type") or "").lower() == "edit"
    until = _end(permission.get("expirationDateTime"))
    scope = str(link.get("scope") or "").lower()
    if scope == "anonymous":
        yield Share("anyone", "", may_edit, until)
        return
    if scope == "organization":
        yield Share("organisation", "", may_edit, until)
        return
    granted = [permission.get("grantedToV2"), *(permission.get("grantedToIdentitiesV2") or ())]
    if not any(granted):
        granted = [permission.get("grantedTo"), *(permission.get("grantedToIdentities") or ())]
    named = False
    for identities in granted:
        if isinstance(identities, dict):
            named = True
            group = identities.get("group")
            if isinstance(group, dict) and group.get("id"):
                yield from (Share("person", guest, may_edit, until) for guest in who.guests(str(group["id"])))
            if _EVERYBODY in str((identities.get("siteUser") or {}).get("loginName") or ""):
                yield Share("organisation", "", may_edit, until)
                continue
            address = who.address(identities)
            yield Share("person" if address else "unknown", address, may_edit, until)
    invited = str((permission.get("invitation") or {}).get("email") or "").lower()
    if invited and not named:
        yield Share("person", invited, may_edit, until)


def _end(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    if moment.year == _NO_END:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _mark(entry: Json, audience: tuple[Share, ...]) -> str:
    """Changes with the content and with who can open it, and with nothing else."""
    hashes = (entry.get("file") or {}).get("hashes") or {}
    content = hashes.get("sha256Hash") or hashes.get("quickXorHash") or entry.get("cTag") or ""
    open_to = [f"{share.scope} {share.address} {share.may_edit}" for share in audience]
    return hashlib.sha256("\0".join((str(content), *open_to)).encode()).hexdigest()[:16]


def _unread(envelope: Envelope, kind: ProblemKind, detail: str) -> Envelope:
    problems = (*envelope.problems, Problem("document", "fetch", kind, "none", detail))
    return replace(envelope, blobs=(), problems=problems)
