"""The data behind the fake tenant: users, mailboxes with folders, messages as MIME, and a log of changes for each folder.

Ids are made from the content's place, so that the same demo folder gives the same ids at every start. As in Exchange, a message
has an immutable id, and another id that changes when it moves; both may hold `/`, `+` and `=`.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses, parsedate_to_datetime
from functools import lru_cache
from mimetypes import guess_type
from pathlib import Path
from typing import Any, Literal, cast

from connectors.people_file import load_people
from scanner.errors import ConfigError
from scanner.model import People

Json = dict[str, Any]
Change = Literal["added", "updated", "removed"]
# Name in the address, display name. Top-level folders number more than the default page of ten.
_STANDARD = (
    ("inbox", "Inbox"),
    ("sentitems", "Sent Items"),
    ("drafts", "Drafts"),
    ("deleteditems", "Deleted Items"),
    ("junkemail", "Junk Email"),
    ("archive", "Archive"),
    ("outbox", "Outbox"),
    ("conversationhistory", "Conversation History"),
)
# From about this size on, Graph has left contentBytes out of lists (wisecom-oy/atlas#60).
_LARGE = 3 * 1024 * 1024
_EPOCH = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)


def stable_id(kind: str, *parts: object) -> str:
    """An id in Exchange's manner, the same at every start. `kind` is its readable beginning."""
    digest = hashlib.sha512("\x00".join(map(str, parts)).encode()).digest()
    return kind + base64.b64encode(digest[:40]).decode()


def stable_guid(*parts: object) -> str:
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


@dataclass(slots=True)
class FakeUser:
    """One user object. `mailbox`: `ok`, `none` (404), `denied` (403 by access policy)."""

    address: str
    name: str
    id: str = ""
    principal: str = ""
    job_title: str = ""
    department: str = ""
    office: str = ""
    manager: str = ""
    aliases: tuple[str, ...] = ()
    enabled: bool = True
    licensed: bool = True
    user_type: str = "Member"
    mailbox: Literal["ok", "none", "denied"] = "ok"
    purpose: str = "user"
    reply: str = ""
    reply_audience: str = "all"
    replies: bool = True


@dataclass(slots=True)
class FakeRule:
    """An inbox rule. `actions` None and `read_only` is one that Graph cannot model."""

    name: str
    actions: Json | None
    enabled: bool = True
    read_only: bool = False


@dataclass(slots=True)
class FakeGroup:
    """`members` are addresses of users and ids of groups."""

    id: str
    name: str
    members: list[str]


@dataclass(slots=True)
class FakeItem:
    """A file or folder (`data` None) of a drive with its permissions as Graph writes them."""

    id: str
    name: str
    parent: str
    data: bytes | None
    permissions: list[Json] = field(default_factory=list)
    malware: bool = False
    gone: bool = False
    revision: int = 1


@dataclass(slots=True)
class FakeDrive:
    """`log` holds the ids of items in the order in which they changed. `tells_sharing`: a new permission is a change."""

    id: str
    root: str
    owner: str = ""
    items: dict[str, FakeItem] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    tells_sharing: bool = True


@dataclass(slots=True)
class FakeSite:
    id: str
    name: str
    url: str
    personal: bool = False
    drives: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FakeFolder:
    id: str
    name: str
    parent: str
    well_known: str = ""
    hidden: bool = False
    search: bool = False
    log: list[tuple[Change, FakeMessage]] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class FakeMessage:
    id: str
    mime: bytes = field(repr=False)
    folder: str
    received: datetime
    moves: int = 0
    read: bool = False
    revision: int = 1
    links: tuple[str, ...] = ()
    poisoned: bool = False

    @property
    def mutable_id(self) -> str:
        return stable_id("AAMk", self.id, self.moves)


@dataclass(slots=True)
class FakeMailbox:
    """Folders in order of making, messages by immutable id."""

    address: str
    root: str
    folders: dict[str, FakeFolder] = field(default_factory=dict)
    messages: dict[str, FakeMessage] = field(default_factory=dict)
    rules: list[FakeRule] = field(default_factory=list)

    def folder(self, name_or_id: str) -> FakeFolder | None:
        if name_or_id in self.folders:
            return self.folders[name_or_id]
        return next((f for f in self.folders.values() if f.well_known and f.well_known == name_or_id.lower()), None)

    def children(self, parent: str) -> list[FakeFolder]:
        return [folder for folder in self.folders.values() if folder.parent == parent]

    def message(self, identifier: str) -> FakeMessage | None:
        if identifier in self.messages:
            return self.messages[identifier]
        return next((m for m in self.messages.values() if m.mutable_id == identifier), None)

    def inside(self, folder: FakeFolder) -> list[FakeMessage]:
        return [message for message in self.messages.values() if message.folder == folder.id]


class _Mailboxes(dict[str, FakeMailbox]):
    """Mailboxes by address; one that was only announced is made when somebody first asks for it."""

    def __init__(self) -> None:
        super().__init__()
        self.announced: dict[str, Callable[[], FakeMailbox]] = {}

    def __missing__(self, address: str) -> FakeMailbox:
        return self.announced.pop(address)()


class Tenant:
    """Everything that the fake server can be asked for. Change it through its methods while the server runs: they lock."""

    def __init__(
        self, organisation: str = "Example Learning Trust", domains: tuple[str, ...] = ("elt.example",)
    ) -> None:
        self.organisation = organisation
        self.domains = domains
        self.id = stable_guid("tenant", organisation)
        self.users: dict[str, FakeUser] = {}
        self.mailboxes: dict[str, FakeMailbox] = _Mailboxes()
        self.groups: dict[str, FakeGroup] = {}
        self.drives: dict[str, FakeDrive] = {}
        self.sites: dict[str, FakeSite] = {}
        self.changed_users: list[str] = []
        self.sent: list[tuple[str, Json]] = []
        self.lock = threading.RLock()
        self._made = 0

    @classmethod
    def from_folder(cls, path: Path) -> Tenant:
        """The tenant laid out as `people.yaml` and `mail/<address or its local part>/<folder>/<name>.eml`.

        `<folder>` is a well-known name (`inbox`, `sentitems`, …) or makes a folder of that name; `inbox/Trips` lies below.
        Everybody in people.yaml with an address in one of its domains gets a mailbox.
        """
        people = load_people(path / "people.yaml")
        tenant = cls(people.organisation, people.domains)
        tenant._add_people(people)
        mail = path / "mail"
        if not mail.is_dir():
            raise ConfigError(
                str(mail), "is not a folder; a tenant folder holds people.yaml and mail/<mailbox>/<folder>/*.eml"
            )
        for box in sorted(entry for entry in mail.iterdir() if entry.is_dir()):
            address = tenant._address_of(box)
            for file in sorted(box.rglob("*.eml")):
                names = file.relative_to(box).parent.parts
                if not names:
                    raise ConfigError(str(file), "lies in no folder; put it in inbox, sentitems or another one")
                tenant.deliver(address, "/".join(names), file.read_bytes())
        return tenant

    def _add_people(self, people: People) -> None:
        for person in people.people:
            if person.email.rpartition("@")[2] not in people.domains:
                continue
            self.add_user(
                FakeUser(
                    person.email,
                    person.name,
                    job_title=person.job_title or {"pupil": "Pupil"}.get(person.role, ""),
                    department={"pupil": "Pupils"}.get(person.role, ""),
                    office=person.school,
                    manager=person.manager,
                    aliases=person.aliases,
                    enabled=person.role != "shared",
                )
            )

    def _address_of(self, box: Path) -> str:
        name = box.name.lower()
        known = [address for address in self.users if name in (address, address.partition("@")[0])]
        if len(known) != 1:
            said = "is nobody's mailbox" if not known else f"could be {' or '.join(sorted(known))}"
            raise ConfigError(str(box), f"{said}; name it by an address of people.yaml or the part before its @")
        return known[0]

    def add_user(self, user: FakeUser) -> FakeMailbox:
        """The user and, in it, a mailbox with the standard folders, a search folder and a hidden one."""
        address = user.address.lower()
        user.id = user.id or stable_guid("user", address)
        user.principal = user.principal or address
        with self.lock:
            self.users[address] = user
            self.changed_users.append(address)
            return self._mailbox(address)

    def _mailbox(self, address: str) -> FakeMailbox:
        box = self.mailboxes[address] = FakeMailbox(address, stable_id("AQMk", address, "root"))
        for well_known, name in _STANDARD:
            self.add_folder(address, name, well_known=well_known)
        self.add_folder(address, "Unread mail", search=True)
        self.add_folder(address, "PersonMetadata", hidden=True)
        self.add_folder(address, "RSS Feeds")
        # Beside the visible tree and not in it: only its name leads there.
        dumpster = FakeFolder(stable_id("AQMk", address, "dumpster"), "Deletions", "", "recoverableitemsdeletions")
        box.folders[dumpster.id] = dumpster
        return box

    def add_folder(
        self,
        address: str,
        name: str,
        *,
        below: str = "",
        well_known: str = "",
        hidden: bool = False,
        search: bool = False,
    ) -> FakeFolder:
        with self.lock:
            box = self.mailboxes[address]
            parent = box.root
            if below:
                above = box.folder(below)
                if above is None:
                    raise KeyError(below)
                parent = above.id
            folder = FakeFolder(stable_id("AQMk", address, parent, name), name, parent, well_known, hidden, search)
            box.folders[folder.id] = folder
            return folder

    def announce(self, user: FakeUser, fill: Callable[[Tenant, str], None]) -> None:
        """A user whose mailbox is made and filled when it is first asked for: thousands of them cost nothing at start."""
        address = user.address.lower()
        user.id = user.id or stable_guid("user", address)
        user.principal = user.principal or address
        with self.lock:
            self.users[address] = user

        def make() -> FakeMailbox:
            with self.lock:
                box = self._mailbox(address)
                fill(self, address)
                return box

        cast(_Mailboxes, self.mailboxes).announced[address] = make

    def add_group(self, name: str, members: Sequence[str]) -> FakeGroup:
        group = FakeGroup(stable_guid("group", name), name, list(members))
        self.groups[group.id] = group
        return group

    def change_user(self, address: str, **changed: Any) -> None:
        """Change properties of a user, which delta then tells."""
        with self.lock:
            for name, value in changed.items():
                setattr(self.users[address], name, value)
            self.changed_users.append(address)

    def remove_user(self, address: str) -> None:
        with self.lock:
            self.changed_users.append("-" + self.users.pop(address).id)

    def add_drive(self, owner: str, *, tells_sharing: bool = True) -> FakeDrive:
        """The OneDrive of a user, or a library of the site whose id `owner` is."""
        number = sum(drive.owner == owner for drive in self.drives.values())
        drive = FakeDrive("b!" + stable_guid("drive", owner, number), stable_guid("root", owner, number), owner)
        drive.tells_sharing = tells_sharing
        drive.items[drive.root] = FakeItem(drive.root, "root", "", None)
        drive.log.append(drive.root)
        self.drives[drive.id] = drive
        if owner in self.sites:
            self.sites[owner].drives.append(drive.id)
        return drive

    def add_site(self, name: str) -> FakeSite:
        host = "elt.sharepoint.example"
        identifier = f"{host},{stable_guid('collection', name)},{stable_guid('site', name)}"
        site = self.sites[identifier] = FakeSite(identifier, name, f"https://{host}/sites/{name.replace(' ', '')}")
        return site

    def put_file(self, drive: FakeDrive, path: str, data: bytes, *permissions: Json, malware: bool = False) -> FakeItem:
        """A file at `folder/…/name`, made or changed; folders on the way are made."""
        with self.lock:
            parent = drive.root
            *folders, name = path.split("/")
            for folder in folders:
                parent = self._child(drive, parent, folder, None).id
            item = self._child(drive, parent, name, data)
            item.data, item.malware = data, malware
            item.permissions.extend(permissions)
            item.revision += 1
            drive.log.append(item.id)
            return item

    @staticmethod
    def _child(drive: FakeDrive, parent: str, name: str, data: bytes | None) -> FakeItem:
        for item in drive.items.values():
            if item.parent == parent and item.name == name and not item.gone:
                return item
        item = FakeItem(stable_guid("item", drive.id, parent, name, len(drive.items)), name, parent, data)
        drive.items[item.id] = item
        drive.log.append(item.id)
        return item

    def share(self, drive: FakeDrive, item: FakeItem, *permissions: Json) -> None:
        """Replace an item's own permissions; whether delta tells is the drive's habit."""
        with self.lock:
            item.permissions[:] = permissions
            if drive.tells_sharing:
                drive.log.append(item.id)

    def remove_file(self, drive: FakeDrive, item: FakeItem) -> None:
        with self.lock:
            item.gone = True
            drive.log.append(item.id)

    def deliver(self, address: str, folder: str, mime: bytes) -> FakeMessage:
        """Put a message into a folder, named by well-known name, id or path (made where it does not exist)."""
        with self.lock:
            box = self.mailboxes[address]
            place = self._folder_at(address, folder)
            self._made += 1
            identifier = stable_id("AAkA", address, len(box.messages), hashlib.sha256(mime).hexdigest(), self._made)
            message = FakeMessage(identifier, mime, place.id, _EPOCH + timedelta(minutes=self._made))
            box.messages[identifier] = message
            place.log.append(("added", message))
            return message

    def _folder_at(self, address: str, path: str) -> FakeFolder:
        box = self.mailboxes[address]
        found = box.folder(path)
        parent = box.root
        for name in () if found is not None else path.split("/"):
            found = next((f for f in box.children(parent) if name.lower() in (f.name.lower(), f.well_known)), None)
            found = found or self.add_folder(address, name, below="" if parent == box.root else parent)
            parent = found.id
        assert found is not None
        return found

    def move(self, address: str, identifier: str, folder: str) -> None:
        """Move a message: it is removed from the one folder and appears in the other, with the same immutable id."""
        with self.lock:
            box = self.mailboxes[address]
            message, target = box.messages[identifier], self._folder_at(address, folder)
            box.folders[message.folder].log.append(("removed", message))
            message.folder, message.moves = target.id, message.moves + 1
            target.log.append(("added", message))

    def delete(self, address: str, identifier: str) -> None:
        with self.lock:
            box = self.mailboxes[address]
            message = box.messages.pop(identifier)
            box.folders[message.folder].log.append(("removed", message))

    def mark_read(self, address: str, identifier: str) -> None:
        """A change that delta reports with a few properties only."""
        with self.lock:
            box = self.mailboxes[address]
            message = box.messages[identifier]
            message.read, message.revision = True, message.revision + 1
            box.folders[message.folder].log.append(("updated", message))

    def user(self, identifier: str) -> FakeUser | None:
        """By object id, user principal name or primary address."""
        wanted = identifier.lower()
        with self.lock:
            return next((u for u in self.users.values() if wanted in (u.id, u.principal.lower(), u.address)), None)


# --- Graph's JSON, derived from the data ------------------------------------------------------------------------------


def user_json(user: FakeUser) -> Json:
    return {
        "id": user.id,
        "userPrincipalName": user.principal,
        "mail": user.address if user.mailbox != "none" else None,
        "displayName": user.name,
        "givenName": user.name.partition(" ")[0],
        "surname": user.name.rpartition(" ")[2],
        "jobTitle": user.job_title or None,
        "department": user.department or None,
        "officeLocation": user.office or None,
        "accountEnabled": user.enabled,
        "userType": user.user_type,
        "proxyAddresses": [f"SMTP:{user.address}", *(f"smtp:{alias}" for alias in user.aliases)],
        "otherMails": [],
        "mobilePhone": None,
        "businessPhones": [],
        "preferredLanguage": None,
        "assignedLicenses": [{"skuId": stable_guid("sku"), "disabledPlans": []}] if user.licensed else [],
        "usageLocation": "GB",
        "mailNickname": user.address.partition("@")[0],
        "postalCode": None,
    }


def rule_json(box: FakeMailbox, number: int, rule: FakeRule) -> Json:
    found: Json = {
        "id": stable_id("AQAA", box.address, number, rule.name),
        "displayName": rule.name,
        "sequence": number,
        "isEnabled": rule.enabled,
        "hasError": False,
        "isReadOnly": rule.read_only,
    }
    if rule.actions is not None:
        found |= {"conditions": None, "exceptions": None, "actions": rule.actions}
    return found


def settings_json(user: FakeUser) -> Json:
    return {
        "timeZone": "GMT Standard Time",
        "userPurpose": user.purpose,
        "archiveFolder": None,
        "automaticRepliesSetting": {
            "status": "alwaysEnabled" if user.reply and user.replies else "disabled",
            "externalAudience": user.reply_audience,
            "internalReplyMessage": "",
            "externalReplyMessage": user.reply,
        },
    }


def group_json(group: FakeGroup) -> Json:
    nickname = group.name.replace(" ", "").lower()
    return {
        "id": group.id,
        "deletedDateTime": None,
        "classification": None,
        "createdDateTime": _utc(_EPOCH),
        "description": None,
        "displayName": group.name,
        "expirationDateTime": None,
        "groupTypes": ["Unified"],
        "isAssignableToRole": None,
        "mail": f"{nickname}@elt.example",
        "mailEnabled": True,
        "mailNickname": nickname,
        "membershipRule": None,
        "membershipRuleProcessingState": None,
        "onPremisesLastSyncDateTime": None,
        "onPremisesProvisioningErrors": [],
        "onPremisesSecurityIdentifier": None,
        "onPremisesSyncEnabled": None,
        "preferredDataLocation": None,
        "preferredLanguage": None,
        "proxyAddresses": [f"SMTP:{nickname}@elt.example"],
        "renewedDateTime": _utc(_EPOCH),
        "resourceBehaviorOptions": [],
        "resourceProvisioningOptions": [],
        "securityEnabled": False,
        "theme": None,
        "visibility": "Private",
        # Only where one group is asked for by name.
        "allowExternalSenders": False,
        "autoSubscribeNewMembers": False,
        "isSubscribedByMail": False,
        "unseenCount": 0,
    }


def organisation_json(tenant: Tenant) -> Json:
    return {
        "id": tenant.id,
        "displayName": tenant.organisation,
        "assignedPlans": [],
        "businessPhones": [],
        "city": None,
        "country": None,
        "countryLetterCode": "GB",
        "verifiedDomains": [
            {"name": name, "isDefault": n == 0, "isInitial": False, "type": "Managed", "capabilities": "Email"}
            for n, name in enumerate(tenant.domains)
        ],
    }


def domain_json(name: str, first: bool) -> Json:
    return {
        "id": name,
        "authenticationType": "Managed",
        "availabilityStatus": None,
        "isAdminManaged": True,
        "isDefault": first,
        "isInitial": False,
        "isRoot": True,
        "isVerified": True,
        "supportedServices": ["Email"],
    }


def licence_json(tenant: Tenant) -> Json:
    return {
        "id": f"{tenant.id}_{stable_guid('sku')}",
        "skuId": stable_guid("sku"),
        "skuPartNumber": "STANDARDWOFFPACK_FACULTY",
        "appliesTo": "User",
        "capabilityStatus": "Enabled",
        "consumedUnits": sum(user.licensed for user in tenant.users.values()),
        "prepaidUnits": {"enabled": 500, "suspended": 0, "warning": 0},
        "servicePlans": [],
    }


def drive_json(drive: FakeDrive) -> Json:
    return {
        "id": drive.id,
        "name": "Documents",
        "driveType": "business",
        "owner": {"user": {"id": stable_guid("user", drive.owner), "displayName": "Owner"}},
        "quota": {
            "total": 1 << 40,
            "used": sum(len(item.data or b"") for item in drive.items.values()),
            "state": "normal",
        },
    }


def site_json(site: FakeSite) -> Json:
    return {
        "id": site.id,
        "name": site.name,
        "displayName": site.name,
        "description": "",
        "webUrl": site.url,
        "isPersonalSite": site.personal,
        "createdDateTime": _utc(_EPOCH),
        "lastModifiedDateTime": _utc(_EPOCH),
    }


def item_json(drive: FakeDrive, item: FakeItem) -> Json:
    """A drive item as delta tells it: one that is gone has the `deleted` facet and no name."""
    if item.gone:
        return {"id": item.id, "deleted": {"state": "deleted"}}
    digest = hashlib.sha256(item.data or b"").hexdigest()
    found: Json = {
        "id": item.id,
        "name": item.name,
        "cTag": f'"c:{{{item.id}}},{digest[:8]}"',
        "eTag": f'"{{{item.id}}},{item.revision}"',
        "size": len(item.data or b""),
        "lastModifiedDateTime": _utc(_EPOCH + timedelta(minutes=item.revision)),
        "parentReference": {"driveId": drive.id, "driveType": "business", "id": item.parent},
    }
    if any("owner" not in permission.get("roles", ()) for permission in item.permissions):
        found["shared"] = {"scope": "users"}
    if item.id == drive.root:
        return {**found, "root": {}, "folder": {"childCount": len(drive.items) - 1}}
    if item.data is None:
        return {**found, "folder": {"childCount": sum(i.parent == item.id for i in drive.items.values())}}
    found["file"] = {
        "mimeType": guess_type(item.name)[0] or "application/octet-stream",
        "hashes": {"quickXorHash": digest[:27] + "="},
    }
    if item.malware:
        found["malware"] = {"description": "EICAR"}
    return found


def permissions_json(drive: FakeDrive, item: FakeItem) -> list[Json]:
    """The item's own permissions and those it inherits."""
    found: list[Json] = [
        {
            "id": "owner",
            "roles": ["owner"],
            "grantedTo": {"user": {"id": stable_guid("user", drive.owner), "displayName": "Owner"}},
            "grantedToV2": {"user": {"id": stable_guid("user", drive.owner), "displayName": "Owner"}},
        }
    ]
    place: FakeItem | None = item
    while place is not None:
        own = place is item
        found += [
            permission if own else {**permission, "inheritedFrom": {"driveId": drive.id, "id": place.id}}
            for permission in place.permissions
        ]
        place = drive.items.get(place.parent)
    return found


def folder_json(box: FakeMailbox, folder: FakeFolder, *, hidden: bool) -> Json:
    inside = box.inside(folder)
    shown = [child for child in box.children(folder.id) if hidden or not child.hidden]
    found: Json = {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": folder.parent,
        "childFolderCount": len(shown),
        "unreadItemCount": sum(not message.read for message in inside),
        "totalItemCount": len(inside),
        "isHidden": folder.hidden,
    }
    if folder.search:
        found = {
            "@odata.type": "#microsoft.graph.mailSearchFolder",
            **found,
            "isSupported": True,
            "includeNestedFolders": True,
            "sourceFolderIds": [box.root],
            "filterQuery": "isRead eq false",
        }
    return found


def message_json(box: FakeMailbox, message: FakeMessage, *, immutable: bool) -> Json:
    """Every property that a message can be asked for; `select` cuts it down."""
    mail = _parsed(message.mime)
    folder = box.folders[message.folder]
    sent = folder.well_known == "sentitems"
    when = stamp(mail.get("Date"), message.received)
    body = mail.get_body(("html", "plain"))
    from_ = _recipients(mail, "From")
    sender = _recipients(mail, "Sender") or from_
    change = f"CQAAABYAAA{message.revision:04d}"
    found: Json = {
        "@odata.etag": f'W/"{change}"',
        "id": message.id if immutable else message.mutable_id,
        "createdDateTime": _utc(message.received),
        "lastModifiedDateTime": _utc(message.received + timedelta(seconds=message.revision)),
        "changeKey": change,
        "categories": [],
        "receivedDateTime": _utc(when),
        "sentDateTime": _utc(when),
        "hasAttachments": bool(message.links) or any(not part["isInline"] for part in attachments_json(message)),
        "internetMessageId": str(mail.get("Message-ID", f"<{message.id[4:20]}@fake.example>")).strip(),
        "subject": str(mail.get("Subject", "")),
        "bodyPreview": "",
        "importance": "normal",
        "parentFolderId": message.folder,
        "conversationId": stable_id("AAQk", _thread(mail)),
        "isDeliveryReceiptRequested": None,
        "isReadReceiptRequested": False,
        "isRead": message.read or sent,
        "isDraft": folder.well_known == "drafts",
        "webLink": "https://outlook.example/owa/?exvsurl=1",
        "inferenceClassification": "focused",
        "body": {
            "contentType": "html" if body is not None and body.get_content_type() == "text/html" else "text",
            "content": _text(body),
        },
        "toRecipients": _recipients(mail, "To"),
        "ccRecipients": _recipients(mail, "Cc"),
        "bccRecipients": _recipients(mail, "Bcc"),
        "replyTo": _recipients(mail, "Reply-To"),
        "flag": {"flagStatus": "notFlagged"},
    }
    found["uniqueBody"] = found["body"]
    if from_:
        found["from"], found["sender"] = from_[0], sender[0]
    kind = mail.get_content_type()
    message_class = "IPM.Note.SMIME" if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime") else "IPM.Note"
    if kind == "multipart/signed":
        message_class = "IPM.Note.SMIME.MultipartSigned"
    found["singleValueExtendedProperties"] = [{"id": "String 0x1a", "value": message_class}]
    if not sent:
        found["internetMessageHeaders"] = [{"name": name, "value": str(value)} for name, value in mail.items()]
    return found


@lru_cache(maxsize=256)
def _parsed(mime: bytes) -> EmailMessage:
    """The message of these bytes; nobody changes it."""
    return message_from_bytes(mime, policy=policy.default)


def attachments_json(message: FakeMessage) -> list[Json]:
    """The attachments in order, each with `@odata.type`; `contentBytes` is there for files only."""
    mail = _parsed(message.mime)
    links = [
        {
            "@odata.type": "#microsoft.graph.referenceAttachment",
            "id": stable_id("AAMkLnk", message.id, name),
            "lastModifiedDateTime": _utc(message.received),
            "name": name,
            "contentType": None,
            "size": 420,
            "isInline": False,
        }
        for name in message.links
    ]
    return [_attachment(message, number, part) for number, part in enumerate(_attached(mail), 1)] + links


def attachment_content(message: FakeMessage, identifier: str) -> tuple[str, bytes] | None:
    """Media type and raw bytes of one attachment; the MIME source for an attached message."""
    mail = _parsed(message.mime)
    for number, part in enumerate(_attached(mail), 1):
        if stable_id("AAMkAtt", message.id, number) == identifier:
            return part.get_content_type(), _content(part)
    return None


def _attached(mail: EmailMessage) -> Iterator[EmailMessage]:
    """Attachments and inline files: every leaf that is not the body, attached messages whole."""
    bodies = {id(body) for kind in ("html", "plain") if (body := mail.get_body((kind,))) is not None}
    waiting: list[EmailMessage] = [mail]
    while waiting:
        part = waiting.pop(0)
        if part.get_content_maintype() == "multipart":
            waiting[:0] = cast(list[EmailMessage], list(part.iter_parts()))
        elif id(part) not in bodies:
            yield part


def _attachment(message: FakeMessage, number: int, part: EmailMessage) -> Json:
    content = _content(part)
    cid = str(part.get("Content-ID", "")).strip().strip("<>")
    name = part.get_filename() or ("message.eml" if part.get_content_maintype() == "message" else f"attachment{number}")
    found: Json = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "id": stable_id("AAMkAtt", message.id, number),
        "lastModifiedDateTime": _utc(message.received),
        "name": name,
        "contentType": part.get_content_type(),
        "size": len(content) + 300,
        "isInline": bool(cid) and part.get_content_disposition() != "attachment",
    }
    if part.get_content_type() == "message/rfc822":
        found["@odata.type"] = "#microsoft.graph.itemAttachment"
        return found
    found |= {"contentId": cid or None, "contentLocation": None}
    if len(content) < _LARGE:
        found["contentBytes"] = base64.b64encode(content).decode()
    return found


def _content(part: EmailMessage) -> bytes:
    if part.get_content_maintype() == "message":
        inner = part.get_payload(0) if part.is_multipart() else None
        return inner.as_bytes() if isinstance(inner, EmailMessage) else b""
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _text(body: Any) -> str:
    if body is None:
        return ""
    try:
        content = body.get_content()
    except (LookupError, UnicodeError):
        content = body.get_payload(decode=True).decode("latin-1")
    return str(content)


def _recipients(mail: EmailMessage, header: str) -> list[Json]:
    pairs = getaddresses([str(value) for value in mail.get_all(header, [])])
    return [{"emailAddress": {"name": name or address, "address": address}} for name, address in pairs if address]


def _thread(mail: EmailMessage) -> str:
    references = str(mail.get("References", mail.get("In-Reply-To", ""))).split()
    return references[0] if references else str(mail.get("Message-ID", "")).strip()


def stamp(header: Any, otherwise: datetime) -> datetime:
    try:
        found = parsedate_to_datetime(str(header))
    except ValueError:
        return otherwise
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
