"""What a tenant's set-up lets us do, found by trying: sign-in, each permission, each surface, clock, certificate, proxy.

Permissions are judged by calls and not by the token alone: what Exchange grants by RBAC for Applications never shows in it. The
token's roles only tell what was granted beyond need.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from connectors.entra import Credential, EntraTokens, PemCertificate, PfxCertificate
from connectors.graph import GraphClient, segment, text
from connectors.m365_settings import GAPS
from scanner.errors import ConnectorError

Grade = Literal["good", "note", "bad"]
_SAMPLE = 5
_SKEW_SECONDS = 120
_EXPIRES_SOON = timedelta(days=30)
# What the scanning app may need, and no more.
_WANTED = frozenset(
    {
        "Mail.Read", "MailboxSettings.Read", "User.Read.All", "GroupMember.Read.All", "Files.Read.All", "Sites.Read.All",
        "Sites.Selected", "Mail.Send",
    }
)  # fmt: skip
_CONSENT = (
    "Entra admin centre › App registrations › (the app) › API permissions: add it as an application permission and press"
    " 'Grant admin consent'"
)
_SCOPE = "Exchange Online PowerShell: Test-ServicePrincipalAuthorization -Identity (the app) -Resource (the mailbox)"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried. `mend` is the admin's next step where it did not work."""

    name: str
    grade: Grade
    said: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class _Surface:
    name: str
    permission: str
    path: str
    params: dict[str, str]
    without: str
    needed: bool = True


def examine(
    tokens: EntraTokens,
    client: GraphClient,
    credential: Credential,
    *,
    files: bool,
    sites: bool,
    mailbox_settings: bool,
    sharing_changes: bool,
    sends: bool,
    wanted: Callable[[str], bool],
    groups: Sequence[str] = (),
    now: datetime,
) -> list[Check]:
    """Every check of one tenant, in the order in which to mend. Never raises for what the tenant does."""
    checks = [*_certificate(credential, now), *_proxy()]
    try:
        tokens.token()
    except ConnectorError as error:
        mend = "compare tenant_id, client_id and the credential with the app registration's overview page"
        return [*checks, Check("sign-in", "bad", str(error), mend)]
    checks.append(Check("sign-in", "good", "a token was given"))
    mailboxes: dict[str, str] = {}
    try:
        for user in client.pages(
            "/users", what="reading the directory", params={"$select": "id,mail,userType", "$top": "100"}
        ):
            if user.get("mail") and str(user.get("userType") or "Member").lower() != "guest":
                mailboxes[str(user["mail"]).lower()] = text(user, "id", "reading the directory")
            if len(mailboxes) >= 200:
                break
        checks.append(Check("User.Read.All", "good", "users can be read"))
    except ConnectorError as error:
        checks.append(Check("User.Read.All", "bad", f"{error}; without it nobody's mailbox is found", _CONSENT))
    checks += _clock(client)
    surfaces = [
        _Surface("organisation", "User.Read.All", "/organization", {"$select": "id"}, "no domain is known as ours"),
        *(
            _Surface("groups", "GroupMember.Read.All", f"/groups/{segment(group)}/transitiveMembers", {"$top": "1"},
                     "nobody is exempted or sealed by group")
            for group in groups
        ),
    ]  # fmt: skip
    if sites:
        surfaces.append(
            _Surface("SharePoint", "Sites.Read.All", "/sites/getAllSites", {"$top": "1"}, "no site is looked at")
        )
    checks += [_try(client, surface) for surface in surfaces]
    inside = [address for address in sorted(mailboxes) if wanted(address)]
    checks += _sample(client, mailboxes, inside[:_SAMPLE], mailbox_settings=mailbox_settings, files=files)
    if len(mailboxes) > len(inside):
        checks.append(
            Check("scope", "note", f"{len(mailboxes) - len(inside)} of {len(mailboxes)} mailboxes are left out here")
        )
    roles = tokens.roles()
    checks += _beyond(roles, sharing_changes=sharing_changes, sends=sends)
    if files and roles and "GroupMember.Read.All" not in roles:
        said = "guests in a group that a file is shared with are not seen without it"
        checks.append(Check("GroupMember.Read.All", "bad", said, _CONSENT))
    checks += [Check("cannot be seen", "note", gap) for gap in GAPS]
    return checks


def examine_sender(tokens: EntraTokens, credential: Credential, *, now: datetime) -> list[Check]:
    """The registration that only sends notices: its certificate, its sign-in, and that it may do no more. Nothing is sent."""
    checks = _certificate(credential, now)
    try:
        tokens.token()
    except ConnectorError as error:
        mend = "compare notices.app with the overview page of its own app registration"
        return [*checks, Check("sign-in", "bad", str(error), mend)]
    roles = tokens.roles()
    checks.append(Check("sign-in", "good", "a token was given"))
    if "Mail.Send" in roles:
        checks.append(
            Check(
                "Mail.Send",
                "note",
                "granted for every mailbox: this app may send as anybody",
                "scope it: scope.ps1 -Sends",
            )
        )
    else:
        said = "not in the token, as it is where Exchange grants it for one mailbox"
        checks.append(Check("Mail.Send", "note", said, _SCOPE))
    beyond = [
        Check(
            "more than needed", "bad", f"{role} is granted and never used", f"take {role} away from this registration"
        )
        for role in sorted(roles - {"Mail.Send"})
    ]
    return [*checks, *beyond]


def _try(client: GraphClient, surface: _Surface) -> Check:
    try:
        client.get(surface.path, what=f"trying {surface.name}", params=surface.params)
    except ConnectorError as error:
        return Check(surface.permission, "bad", f"{error}; without it {surface.without}", _CONSENT)
    return Check(surface.permission, "good", f"{surface.name} can be read")


def _sample(
    client: GraphClient, ids: dict[str, str], sample: Sequence[str], *, mailbox_settings: bool, files: bool
) -> list[Check]:
    """A few mailboxes, each surface tried. One that is out of scope is a fact; all of them are a missing permission."""
    surfaces = [("Mail.Read", "mailFolders/inbox/messages", {"$select": "id,body", "$top": "1"}, "no mail is read")]
    if mailbox_settings:
        surfaces.append(
            ("MailboxSettings.Read", "mailFolders/inbox/messageRules", {"$top": "1"}, "no forwarding rule is seen")
        )
    if files:
        surfaces.append(("Files.Read.All", "drives", {"$select": "id"}, "no OneDrive is looked at"))
    found = []
    for permission, path, params, without in surfaces:
        refused: list[ConnectorError] = []
        absent = 0
        for address in sample:
            try:
                client.get(
                    f"/users/{segment(ids[address])}/{path}",
                    what=f"trying {permission} on {address}",
                    mailbox="" if permission.startswith("Files") else address,
                    params=params,
                )
            except ConnectorError as error:
                if error.status == 404:
                    absent += 1
                else:
                    refused.append(error)
        reached = len(sample) - len(refused) - absent
        said = f"{reached} of {len(sample)} sampled mailboxes can be read, {len(refused)} refused, {absent} have none"
        if refused and not reached:
            found.append(
                Check(
                    permission,
                    "bad",
                    f"{said}: {refused[0]}; without it {without}",
                    f"{_CONSENT}; or, where mailboxes are scoped: {_SCOPE}",
                )
            )
        elif refused:
            found.append(Check(permission, "note", f"{said}: {refused[0]}", _SCOPE))
        else:
            found.append(Check(permission, "good" if reached or not sample else "note", said))
    return found


def _beyond(roles: frozenset[str], *, sharing_changes: bool, sends: bool) -> list[Check]:
    wanted = _WANTED | ({"Sites.FullControl.All"} if sharing_changes else frozenset())
    found = [
        Check("more than needed", "bad" if ".ReadWrite" in role or "FullControl" in role else "note",
              f"{role} is granted and never used", f"take {role} away from the app registration")
        for role in sorted(roles - wanted)
    ]  # fmt: skip
    if "Mail.Send" in roles and not sends:
        mend = (
            "take Mail.Send away, or give it to a registration of its own (notices.app) that may send from one mailbox"
        )
        found.append(Check("more than needed", "bad", "Mail.Send lets the scanning app send as anybody", mend))
    if sharing_changes and roles and "Sites.FullControl.All" not in roles:
        found.append(
            Check("Sites.FullControl.All", "bad", "new sharing links are seen only daily without it", _CONSENT)
        )
    return found


def _clock(client: GraphClient) -> list[Check]:
    if client.skew is None:
        return []
    seconds = abs(client.skew)
    if seconds <= _SKEW_SECONDS:
        return [Check("clock", "good", f"within {_SKEW_SECONDS} s of Microsoft's")]
    said = f"{seconds:.0f} s {'ahead of' if client.skew > 0 else 'behind'} Microsoft's; tokens and cursors go wrong"
    return [Check("clock", "bad", said, "let the machine keep time by NTP (timedatectl set-ntp true)")]


def _certificate(credential: Credential, now: datetime) -> list[Check]:
    if not isinstance(credential, PemCertificate | PfxCertificate):
        return []
    try:
        if isinstance(credential, PemCertificate):
            certificate: x509.Certificate | None = x509.load_pem_x509_certificate(credential.certificate.read_bytes())
        else:
            password = credential.passphrase.encode() or None
            certificate = pkcs12.load_key_and_certificates(credential.file.read_bytes(), password)[1]
    except (OSError, ValueError) as error:
        return [
            Check("certificate", "bad", f"cannot be read ({type(error).__name__})", "check the file and its password")
        ]
    if certificate is None:
        return [Check("certificate", "bad", "the file holds none", "export it again with its private key")]
    left = certificate.not_valid_after_utc - now.astimezone(UTC)
    said = f"valid until {certificate.not_valid_after_utc:%Y-%m-%d}"
    mend = "upload a new one to the app registration (deploy/entra) before it ends, then change the setting"
    if left < timedelta(0):
        return [Check("certificate", "bad", f"ran out on {certificate.not_valid_after_utc:%Y-%m-%d}", mend)]
    return [
        Check("certificate", "note" if left < _EXPIRES_SOON else "good", said, mend if left < _EXPIRES_SOON else "")
    ]


def _proxy() -> list[Check]:
    """Which proxy is used; never its user and password."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        if os.environ.get(name):
            host = os.environ[name].rpartition("@")[2].rpartition("//")[2]
            return [Check("proxy", "note", f"{name} leads through {host}")]
    return []
