"""Entra's side of the fake tenant: tokens for a secret, a certificate, a federated token or a machine's own identity.

What it refuses, it refuses in Entra's words and numbers. Access tokens can run out, be revoked with a claims challenge, and are good
for one cloud only, as in earnest.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connectors.faketenant.exchange import Answer, Exchange, Refused

# The audience of a token that Entra takes instead of a secret.
_EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
_MACHINE = "/metadata/identity/oauth2/token"


@dataclass(frozen=True, slots=True)
class _Federation:
    issuer: str
    subject: str
    key: rsa.RSAPublicKey


class SignIn:
    """`login` is the address of the sign-in service, `graph` that of the one resource that tokens are given for.

    `roles` go into each token. `identities`: the machine's own identities by client id, "" for the system-assigned one.
    """

    def __init__(self, tenant_id: str, client_id: str, roles: tuple[str, ...]) -> None:
        self.tenant_id = tenant_id
        self.client_id = client_id
        self.client_secret = secrets.token_urlsafe(24)
        self.login = self.graph = ""
        self.roles = roles
        self.identities: set[str] = set()
        self._certificates: dict[str, x509.Certificate] = {}
        self._federations: list[_Federation] = []
        # Token → the claims that its sign-in asked for; None for one of a machine's identity, which asks for none.
        self._tokens: dict[str, str | None] = {}
        self._revoked: set[str] = set()
        self._demanded = ""
        self._lock = threading.Lock()

    def trust(self, certificate_pem: bytes) -> None:
        """Let the app sign in with the private key of this certificate."""
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        self._certificates[_base64url(certificate.fingerprint(hashes.SHA256()))] = certificate

    def federate(self, issuer: str, subject: str, key: rsa.RSAPublicKey) -> None:
        """Let the app sign in with tokens that this issuer gives this subject (workload identity federation)."""
        self._federations.append(_Federation(issuer, subject, key))

    def expire(self) -> None:
        """Access tokens given so far are refused from now on."""
        with self._lock:
            self._tokens.clear()

    def challenge(self, claims: Mapping[str, Any]) -> None:
        """Revoke the tokens given so far; the app gets on only with one whose sign-in asked for these claims."""
        with self._lock:
            self._revoked |= set(self._tokens)
            self._demanded = json.dumps(claims)

    def admit(self, exchange: Exchange) -> None:
        """Raises `Refused` with 401 unless the request carries a token that is good now."""
        scheme, _, token = exchange.headers.get("authorization", "").partition(" ")
        with self._lock:
            known = scheme == "Bearer" and token in self._tokens
            asked = self._tokens.get(token)
            revoked = token in self._revoked
            demanded = self._demanded
        where = f'Bearer realm="", authorization_uri="{self.login}/common/oauth2/authorize"'
        if not known:
            said = "Access token has expired or is not yet valid."
            raise Refused(401, "InvalidAuthenticationToken", said, {"WWW-Authenticate": where})
        if demanded and (revoked or (asked is not None and not _asks_for(asked, demanded))):
            claims = base64.b64encode(demanded.encode()).decode()
            where += f', error="insufficient_claims", claims="{claims}"'
            said = "Continuous access evaluation resulted in challenge with result: InteractionRequired."
            raise Refused(401, "InvalidAuthenticationToken", said, {"WWW-Authenticate": where})

    def answer(self, exchange: Exchange) -> Answer:
        if exchange.path == _MACHINE:
            return self._machine(exchange)
        base = f"{self.login}/{self.tenant_id}"
        if exchange.path == f"/{self.tenant_id}/v2.0/.well-known/openid-configuration":
            return Answer(
                200,
                {
                    "issuer": f"{base}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                    "jwks_uri": f"{base}/discovery/v2.0/keys",
                    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                },
            )
        if exchange.path != f"/{self.tenant_id}/oauth2/v2.0/token" or exchange.method != "POST":
            return _no(
                400, "invalid_tenant", 90002, "Tenant not found. Check to make sure you have the correct tenant ID."
            )
        return self._token(dict(parse_qsl(exchange.body.decode("utf-8", "replace"))), f"{base}/oauth2/v2.0/token")

    def _token(self, form: dict[str, str], endpoint: str) -> Answer:
        if form.get("grant_type") != "client_credentials" or not form.get("scope", "").endswith("/.default"):
            return _no(400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is not valid.")
        if form["scope"] != f"{self.graph}/.default":
            return _no(400, "invalid_resource", 500011, "The resource principal was not found in the tenant.")
        if form.get("client_id") != self.client_id:
            return _no(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        if "client_assertion" in form:
            refusal = self._assertion(form["client_assertion"], endpoint)
            if refusal is not None:
                return refusal
        elif not secrets.compare_digest(form.get("client_secret", ""), self.client_secret):
            return _no(401, "invalid_client", 7000215, "Invalid client secret provided.")
        token = self._give(form.get("claims", ""))
        return Answer(200, {"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": token})

    def _machine(self, exchange: Exchange) -> Answer:
        """What the instance metadata service of a machine in Azure answers (api-version 2018-02-01)."""
        query = dict(exchange.query)
        if exchange.headers.get("metadata") != "true" or query.get("resource") != self.graph:
            return Answer(
                400, {"error": "invalid_request", "error_description": "Required metadata header not specified"}
            )
        if query.get("client_id", "") not in self.identities:
            return Answer(400, {"error": "invalid_request", "error_description": "Identity not found"})
        given = {
            "expires_in": "86399",
            "resource": self.graph,
            "token_type": "Bearer",
            "access_token": self._give(None),
        }
        return Answer(200, given)

    def _give(self, claims: str | None) -> str:
        content = {
            "aud": self.graph,
            "appid": self.client_id,
            "roles": list(self.roles),
            "jti": secrets.token_urlsafe(24),
        }
        token = ".".join(_base64url(json.dumps(part).encode()) for part in ({"alg": "none"}, content)) + ".made-up"
        with self._lock:
            self._tokens[token] = claims
        return token

    def _assertion(self, assertion: str, endpoint: str) -> Answer | None:
        """None for a JWT that proves the app (RFC 7523 section 3): signed by a trusted certificate, or from a federated issuer."""
        try:
            head64, claims64, signature64 = assertion.split(".")
            head, claims = json.loads(_unbase64url(head64)), json.loads(_unbase64url(claims64))
            signature, signed = _unbase64url(signature64), f"{head64}.{claims64}".encode()
            late = float(claims.get("exp", 0)) <= datetime.now(UTC).timestamp()
        except (ValueError, AttributeError, TypeError):
            return _no(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
        if claims.get("iss") == self.client_id:
            if not self._is_own(head, claims, signed, signature, endpoint) or late:
                said = "The certificate with identifier used to sign the client assertion is not registered on application."
                return _no(401, "invalid_client", 700027, said)
            return None
        federation = next((f for f in self._federations if f.issuer == claims.get("iss")), None)
        if federation is None:
            said = "No matching federated identity record found for presented assertion issuer."
            return _no(401, "invalid_client", 700211, said)
        if claims.get("sub") != federation.subject or claims.get("aud") != _EXCHANGE_AUDIENCE:
            said = "No matching federated identity record found for presented assertion subject."
            return _no(401, "invalid_client", 700213, said)
        try:
            federation.key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return _no(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
        if late:
            return _no(401, "invalid_client", 700024, "Client assertion is not within its valid time range.")
        return None

    def _is_own(self, head: Any, claims: Any, signed: bytes, signature: bytes, endpoint: str) -> bool:
        """Signed by PS256 with a trusted certificate's key, for this endpoint and app."""
        certificate = self._certificates.get(str(head.get("x5t#S256")).rstrip("="))
        if certificate is None or head.get("alg") != "PS256":
            return False
        key = certificate.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        try:
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
            key.verify(signature, signed, pss, hashes.SHA256())
        except InvalidSignature:
            return False
        return bool(claims.get("sub") == self.client_id and claims.get("aud") == endpoint)


def _no(status: int, error: str, number: int, said: str) -> Answer:
    return Answer(status, {"error": error, "error_description": f"AADSTS{number}: {said}", "error_codes": [number]})


def _asks_for(asked: str, demanded: str) -> bool:
    """Whether a sign-in's claims hold those of the challenge; what the client adds of its own does not matter."""
    try:
        given, wanted = json.loads(asked), json.loads(demanded)
    except ValueError:
        return False
    return all(item in given.get(part, {}).items() for part, claims in wanted.items() for item in claims.items())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
