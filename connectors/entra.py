"""Access tokens from Microsoft Entra ID by the client credentials flow (msal), for an app with a secret or a certificate.

One `EntraTokens` for each tenant and app in a process: msal keeps the tokens in memory and renews them by itself.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msal

from connectors.graph import GLOBAL_GRAPH, HttpSession
from scanner.errors import ConfigError, ConnectorError

GLOBAL_AUTHORITY = "https://login.microsoftonline.com"
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,253}")
# `error` values of RFC 6749 section 5.2 and Entra that asking again may mend.
_TRANSIENT_ERRORS = frozenset({"temporarily_unavailable", "server_error", "service_unavailable"})
# What a machine's identity service says where asking again is of no use; anything else of it passes (its documentation asks
# for new attempts after 404, 410, 429 and 5xx, and msal does not tell the status).
_LASTING_IDENTITY_ERRORS = frozenset({"invalid_request", "invalid_resource", "invalid_scope", "unauthorized_client"})
_ADVICE = {
    "AADSTS7000215": "the client secret is wrong (its value is needed, not its id)",
    "AADSTS7000222": "the client secret has expired",
    "AADSTS700016": "the app (client_id) is not known in this tenant",
    "AADSTS90002": "the tenant (tenant_id) does not exist in this cloud",
    "AADSTS700027": "the certificate is not the one uploaded to the app registration, or has expired",
    "AADSTS70021": "no federated credential of the app registration fits the token file (issuer, subject or audience)",
    "AADSTS700024": "the token file is out of date; whoever writes it has stopped, or a clock is wrong",
    "Identity not found": "this machine has no such identity (managed_identity)",
    "AADSTS500011": "this cloud does not know the Graph address (graph_url)",
}


@dataclass(frozen=True, slots=True)
class ClientSecret:
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PemCertificate:
    """A certificate and its private key as PEM files, which may be one file. `passphrase` opens an encrypted key."""

    certificate: Path
    key: Path
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class PfxCertificate:
    """Certificate and private key in one PKCS #12 file."""

    file: Path
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class FederatedToken:
    """Workload identity: a file with a token that the app registration trusts, which whoever wrote it keeps renewing."""

    file: Path


@dataclass(frozen=True, slots=True)
class ManagedIdentity:
    """The identity of the machine in Azure: no secret at all. An empty `client_id` is the system-assigned one."""

    client_id: str = ""


Credential = ClientSecret | PemCertificate | PfxCertificate | FederatedToken | ManagedIdentity


class EntraTokens:
    """Tokens for Graph as the app itself. Satisfies `connectors.graph.Tokens`; safe to share between threads.

    `authority` is the login host of the cloud, as the settings name it. msal is kept from asking that host (or the global cloud, for
    one that it does not know) which other names it goes by: nothing is to be had from that, and where it fails msal shows its
    failure instead of the refusal that matters.
    """

    def __init__(
        self,
        *,
        tenant_id: str,
        client_id: str,
        credential: Credential,
        authority: str = GLOBAL_AUTHORITY,
        graph_url: str = GLOBAL_GRAPH,
        ca_file: Path | None = None,
    ) -> None:
        if not _TENANT.fullmatch(tenant_id):
            raise ConfigError("tenant_id", "must be the tenant's id (a GUID) or one of its domains")
        if tenant_id.lower() in ("common", "organizations", "consumers"):
            raise ConfigError("tenant_id", f"must name one tenant, not {tenant_id!r}")
        if not client_id:
            raise ConfigError("client_id", "is empty; it is the application (client) id of the app registration")
        parts = urlsplit(authority)
        if parts.scheme != "https" or not parts.hostname:
            raise ConfigError("authority", f"must be an https address such as {GLOBAL_AUTHORITY}")
        self._authority = f"{authority.rstrip('/')}/{tenant_id}"
        self._host = (
            parts.hostname if not isinstance(credential, ManagedIdentity) else "this machine's identity service"
        )
        self._client_id = client_id
        self._identity = credential if isinstance(credential, ManagedIdentity) else None
        self._credential = _for_msal(credential) if not isinstance(credential, ManagedIdentity) else ""
        self._resource = graph_url.rstrip("/")
        self._scopes = [graph_url.rstrip("/") + "/.default"]
        self._session = HttpSession(ca_file)
        self._app: Any = None
        self._last = ""
        self._lock = threading.Lock()

    def token(self) -> str:
        """A token that is valid for some minutes at least. Raises ConnectorError or ConfigError."""
        with self._lock:
            return self._acquire(None)

    def replace(self, rejected: str, claims: str | None = None) -> str:
        """Another token than the one Graph refused; threads that were refused together ask only once."""
        with self._lock:
            if self._last == rejected and self._identity is None:
                self._application().remove_tokens_for_client()
            elif self._last == rejected and claims is None:
                self._app = None  # a managed identity's cache is dropped with its client
            return self._acquire(claims)

    def roles(self) -> frozenset[str]:
        """The application permissions that the token names; empty where it is opaque. Permissions that Exchange grants by
        RBAC are never among them, so that an absent role proves nothing.
        """
        try:
            claims = json.loads(base64.urlsafe_b64decode(self.token().split(".")[1] + "=="))
            return frozenset(str(role) for role in claims.get("roles", ()))
        except (IndexError, ValueError, AttributeError, TypeError):
            return frozenset()

    def _acquire(self, claims: str | None) -> str:
        try:
            if self._identity is not None:
                result = self._application().acquire_token_for_client(resource=self._resource, claims_challenge=claims)
            else:
                result = self._application().acquire_token_for_client(self._scopes, claims_challenge=claims)
        except (ValueError, TypeError) as error:
            if self._identity is not None:
                raise ConnectorError(f"{self._host} did not answer with a token", permanent=False) from error
            raise self._unusable(error) from error
        except msal.exceptions.MsalError as error:
            # What msal raises for any 5xx of the token endpoint; it answers from memory for some seconds afterwards.
            raise ConnectorError(f"{self._host}: the sign-in service is busy ({error})", permanent=False) from error
        token = result.get("access_token")
        if not isinstance(token, str) or not token:
            raise self._refusal(result)
        self._last = token
        return token

    def _application(self) -> Any:
        """Built on first use, because msal asks the authority for its addresses while it is being built."""
        if self._app is None and self._identity is not None:
            identity = (
                msal.UserAssignedManagedIdentity(client_id=self._identity.client_id)
                if self._identity.client_id
                else msal.SystemAssignedManagedIdentity()
            )
            # The identity's endpoint is on this machine or its link-local address and answers by plain HTTP.
            self._app = msal.ManagedIdentityClient(identity, http_client=self._session)
        if self._app is None:
            try:
                self._app = msal.ConfidentialClientApplication(
                    self._client_id,
                    client_credential=self._credential,
                    authority=self._authority,
                    http_client=self._session,
                    instance_discovery=False,
                    # Without it Entra sends no claims challenge and we could not answer one.
                    client_capabilities=["CP1"],
                )
            except (ValueError, TypeError) as error:
                raise self._unusable(error) from error
        return self._app

    def _unusable(self, error: Exception) -> ConnectorError:
        """msal's own ValueError. Its text may quote an answer of the server, so only what is known to be safe is shown."""
        said = str(error)
        known = next((advice for code, advice in _ADVICE.items() if code in said), "")
        if "authority" in said.lower() or "openid" in said.lower() or "tenant" in said.lower():
            sentence = known or "no sign-in service for this tenant there; check tenant_id and authority"
            return ConnectorError(f"{self._host}: {sentence}", permanent=True, code="invalid_authority")
        return ConnectorError(f"{self._host}: the credential cannot be used ({type(error).__name__})", permanent=True)

    def _refusal(self, result: dict[str, Any]) -> ConnectorError:
        code = str(result.get("error") or "no_token")
        described = str(result.get("error_description") or "").split("\n", 1)[0]
        advice = next((advice for key, advice in _ADVICE.items() if key in described), "")
        numbers = re.search(r"AADSTS[0-9]{1,8}", described)
        sentence = f"{self._host} gave no token: {code}"
        sentence += f" {numbers[0]}" if numbers else ""
        sentence += f": {advice}" if advice else ""
        lasting = code in _LASTING_IDENTITY_ERRORS if self._identity is not None else code not in _TRANSIENT_ERRORS
        return ConnectorError(sentence, permanent=lasting, code=code)


def _for_msal(credential: ClientSecret | PemCertificate | PfxCertificate | FederatedToken) -> str | dict[str, object]:
    """The credential in msal's form; without a thumbprint given, msal takes the SHA-256 of the certificate."""
    if isinstance(credential, ClientSecret):
        if not credential.value.strip():
            raise ConfigError("client_secret", "is empty")
        return credential.value.strip()
    if isinstance(credential, FederatedToken):
        _read(credential.file, "federated_token_file")
        return {"client_assertion": lambda: _assertion(credential.file)}
    if isinstance(credential, PfxCertificate):
        _read(credential.file, "certificate")
        return {
            "private_key_pfx_path": str(credential.file),
            "passphrase": credential.passphrase or None,
            "public_certificate": True,
        }
    certificate = _read(credential.certificate, "certificate")
    key = _read(credential.key, "certificate_key")
    if b"-----BEGIN CERTIFICATE-----" not in certificate:
        raise ConfigError("certificate", f"{credential.certificate} holds no PEM certificate")
    if b"PRIVATE KEY-----" not in key:
        raise ConfigError("certificate_key", f"{credential.key} holds no PEM private key")
    return {
        "private_key": key.decode("ascii", "replace"),
        "public_certificate": certificate.decode("ascii", "replace"),
        "passphrase": credential.passphrase or None,
    }


def _assertion(path: Path) -> str:
    """The token file as it is now: whoever writes it replaces it every hour or so, and may be at it."""
    try:
        token = path.read_bytes().decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConnectorError(f"{path} (federated_token_file) cannot be read just now", permanent=False) from error
    if not token:
        raise ConnectorError(f"{path} (federated_token_file) is empty just now", permanent=False)
    return token


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(setting, f"{path} cannot be read: {error.strerror or error}") from error
