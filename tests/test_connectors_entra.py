"""Signing in: secret, PEM and PFX certificate, token file, a machine's identity, claims challenges, national clouds, and every way in
which it is set up wrongly."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import urllib3.util.connection as connection
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from graph.contract import client_for, tokens_for
from graph.tenants import JO, two_mailboxes

from connectors.entra import (
    ClientSecret,
    EntraTokens,
    FederatedToken,
    ManagedIdentity,
    PemCertificate,
    PfxCertificate,
)
from connectors.faketenant.faults import Fault, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.graph import GraphClient, HttpSession
from connectors.m365_people import M365People
from scanner.errors import ConfigError, ConnectorError
from scanner.settings import CLOUDS

PASSPHRASE = "a made-up passphrase"


@pytest.fixture(scope="module")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """app.pem (certificate), app.key, app.locked.key, app.both.pem, app.pfx; made anew for each run."""
    folder = tmp_path_factory.mktemp("keys")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scanner app")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    open_key = key.private_bytes(pem, pkcs8, serialization.NoEncryption())
    (folder / "app.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "app.key").write_bytes(open_key)
    (folder / "app.both.pem").write_bytes(open_key + certificate.public_bytes(pem))
    (folder / "app.locked.key").write_bytes(key.private_bytes(pem, pkcs8, locked))
    (folder / "app.pfx").write_bytes(pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, locked))
    return folder


def test_a_secret_gives_a_token_that_is_kept() -> None:
    with FakeTenant(Tenant()) as fake:
        tokens = tokens_for(fake)
        first = tokens.token()
        assert tokens.token() == first
        assert [e.path.rpartition("/")[2] for e in fake.exchanges] == ["openid-configuration", "token"]


def test_threads_that_were_refused_together_ask_for_one_new_token() -> None:
    with FakeTenant(Tenant()) as fake:
        tokens = tokens_for(fake)
        old = tokens.token()
        new = tokens.replace(old)
        assert new != old
        assert tokens.replace(old) == new
        assert len([e for e in fake.exchanges if e.path.endswith("/token")]) == 2


@pytest.mark.parametrize("form", ["pem", "locked pem", "one file", "pfx"])
def test_a_certificate_signs_an_assertion_that_the_service_can_check(form: str, key_files: Path) -> None:
    credential: Any = {
        "pem": PemCertificate(key_files / "app.pem", key_files / "app.key"),
        "locked pem": PemCertificate(key_files / "app.pem", key_files / "app.locked.key", PASSPHRASE),
        "one file": PemCertificate(key_files / "app.both.pem", key_files / "app.both.pem"),
        "pfx": PfxCertificate(key_files / "app.pfx", PASSPHRASE),
    }[form]
    with FakeTenant(Tenant()) as fake:
        fake.sign_in.trust((key_files / "app.pem").read_bytes())
        assert tokens_for(fake, credential=credential).token()


def test_a_certificate_that_was_not_uploaded_is_said_so(key_files: Path) -> None:
    with FakeTenant(Tenant()) as fake:
        credential = PemCertificate(key_files / "app.pem", key_files / "app.key")
        with pytest.raises(ConnectorError, match="AADSTS700027: the certificate is not the one uploaded") as caught:
            tokens_for(fake, credential=credential).token()
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"credential": ClientSecret("not-the-secret")}, "AADSTS7000215: the client secret is wrong"),
        ({"client_id": "11111111-2222-4333-8444-555555555555"}, "AADSTS700016: the app"),
        ({"tenant_id": "99999999-2222-4333-8444-555555555555"}, "check tenant_id and authority|does not exist"),
    ],
)
def test_wrong_credentials_are_a_lasting_error_without_the_secret(changed: dict[str, Any], said: str) -> None:
    with FakeTenant(Tenant()) as fake, pytest.raises(ConnectorError, match=said) as caught:
        tokens_for(fake, **changed).token()
    assert caught.value.permanent
    assert "not-the-secret" not in str(caught.value)


def test_a_busy_sign_in_service_may_be_asked_again() -> None:
    answer = {"error": "temporarily_unavailable", "error_description": "AADSTS90033: A transient error has occurred."}
    with (
        FakeTenant(Tenant(), Plan(Fault("/token", status=503, body=answer))) as fake,
        pytest.raises(ConnectorError, match="sign-in service is busy") as caught,
    ):
        tokens_for(fake).token()
    assert not caught.value.permanent


def test_an_unreachable_sign_in_service_is_named() -> None:
    with FakeTenant(Tenant()) as fake, pytest.raises(ConnectorError, match=r"127\.0\.0\.1"):
        tokens_for(fake, authority="https://127.0.0.1:1").token()


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"tenant_id": "common"}, "tenant_id"),
        ({"tenant_id": "a/../b"}, "tenant_id"),
        ({"tenant_id": ""}, "tenant_id"),
        ({"client_id": ""}, "client_id"),
        ({"authority": "http://login.example"}, "authority"),
        ({"credential": ClientSecret("  ")}, "client_secret"),
        ({"credential": PemCertificate(Path("none.pem"), Path("none.key"))}, "certificate"),
        ({"credential": PfxCertificate(Path("none.pfx"))}, "certificate"),
        ({"ca_file": Path("none.pem")}, "ca_file"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_sent(changed: dict[str, Any], place: str) -> None:
    settings: dict[str, Any] = {"tenant_id": "elt.example", "client_id": "app", "credential": ClientSecret("s")}
    with pytest.raises(ConfigError) as caught:
        EntraTokens(**{**settings, **changed})
    assert caught.value.place == place


def test_files_that_hold_something_else_are_refused(key_files: Path) -> None:
    for pair in (("app.key", "app.key"), ("app.pem", "app.pem")):
        with pytest.raises(ConfigError, match="holds no PEM"):
            EntraTokens(
                tenant_id="elt.example",
                client_id="app",
                credential=PemCertificate(key_files / pair[0], key_files / pair[1]),
            )


def test_a_wrong_passphrase_does_not_repeat_it(key_files: Path) -> None:
    with FakeTenant(Tenant()) as fake:
        for credential in (
            PfxCertificate(key_files / "app.pfx", "wrong-passphrase"),
            PemCertificate(key_files / "app.pem", key_files / "app.locked.key", "wrong-passphrase"),
        ):
            with pytest.raises(ConnectorError, match="credential cannot be used") as caught:
                tokens_for(fake, credential=credential).token()
            assert caught.value.permanent
            assert "wrong-passphrase" not in str(caught.value)


def test_no_secret_shows_in_a_printed_credential() -> None:
    shown = repr(
        (ClientSecret("hush"), PfxCertificate(Path("a"), "hush"), PemCertificate(Path("a"), Path("b"), "hush"))
    )
    assert "hush" not in shown


# --- a token file: workload identity federation -----------------------------------------------------------------------

ISSUER, SUBJECT = "https://cluster.elt.example/oidc", "system:serviceaccount:mailwarden:scanner"


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def projected(key: rsa.RSAPrivateKey, **changed: Any) -> str:
    """What a cluster writes into the file: a JWT for one audience that lives for some minutes."""
    claims = {
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": "api://AzureADTokenExchange",
        "exp": datetime.now(UTC).timestamp() + 600,
    }
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part({**claims, **changed})}"
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.fixture(scope="module")
def cluster_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def federated(cluster_key: rsa.RSAPrivateKey) -> Iterator[FakeTenant]:
    with FakeTenant(two_mailboxes()) as fake:
        fake.sign_in.federate(ISSUER, SUBJECT, cluster_key.public_key())
        yield fake


def test_a_token_file_signs_in_and_is_read_anew_each_time(
    federated: FakeTenant, cluster_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(projected(cluster_key) + "\n")
    tokens = tokens_for(federated, credential=FederatedToken(file))
    client = client_for(federated, tokens=tokens)
    assert client.get(f"/users/{JO}/mailFolders/inbox", what="opening", mailbox=JO)["id"]
    # What was in the file at first has run out meanwhile; what is in it now counts.
    file.write_text(projected(cluster_key, jti="second"))
    federated.sign_in.expire()
    assert client.get(f"/users/{JO}/mailFolders/inbox", what="opening", mailbox=JO)["id"]
    forms = [dict(parse_qsl(e.body.decode())) for e in federated.exchanges if e.path.endswith("/token")]
    assert len({form["client_assertion"] for form in forms}) == 2
    assert all("client_secret" not in form for form in forms)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exp": 1}, "AADSTS700024: the token file is out of date"),
        ({"sub": "system:serviceaccount:other:app"}, "AADSTS700213: no federated credential"),
        ({"iss": "https://other.example"}, "AADSTS700211: no federated credential"),
        ({"aud": "api://something"}, "AADSTS700213: no federated credential"),
    ],
)
def test_a_token_file_that_does_not_fit_says_what_to_mend(
    federated: FakeTenant, cluster_key: rsa.RSAPrivateKey, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    file = tmp_path / "token"
    file.write_text(projected(cluster_key, **changed))
    with pytest.raises(ConnectorError, match=said) as caught:
        tokens_for(federated, credential=FederatedToken(file)).token()
    assert caught.value.permanent
    assert file.read_text() not in str(caught.value)


def test_a_token_file_that_is_gone_or_empty_for_a_moment_is_waited_for(
    federated: FakeTenant, cluster_key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    with pytest.raises(ConfigError, match="federated_token_file"):
        tokens_for(federated, credential=FederatedToken(file))
    file.write_text("")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            file.unlink()
        else:
            file.write_text(projected(cluster_key))

    client = client_for(federated, tokens=tokens_for(federated, credential=FederatedToken(file)), wait=wait)
    assert client.get(f"/users/{JO}/mailFolders/inbox", what="opening", mailbox=JO)["id"]
    assert len(waits) == 2


# --- the identity of a machine in Azure -------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", ["", "33333333-4444-4555-8666-777777777777"])
def test_a_machine_signs_in_by_its_own_identity(identity: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeTenant(two_mailboxes()) as fake:
        fake.sign_in.identities.add(identity)
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", fake.url)
        tokens = tokens_for(fake, credential=ManagedIdentity(identity))
        client = client_for(fake, tokens=tokens)
        for _ in range(2):
            assert client.get(f"/users/{JO}/mailFolders/inbox", what="opening", mailbox=JO)["id"]
        asked = [e for e in fake.exchanges if "identity" in e.path]
        assert len(asked) == 1  # the token is kept
        # A resource and no scope; and nothing else of ours goes there.
        assert dict(asked[0].query)["resource"] == fake.url
        assert dict(asked[0].query).get("client_id", "") == identity
        fake.sign_in.expire()
        assert client.get(f"/users/{JO}/mailFolders/inbox", what="opening", mailbox=JO)["id"]


def test_a_machine_without_that_identity_is_told_so_and_a_busy_service_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FakeTenant(two_mailboxes()) as fake:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", fake.url)
        with pytest.raises(ConnectorError, match=r"identity service.*no such identity \(managed_identity\)") as caught:
            tokens_for(fake, credential=ManagedIdentity("another")).token()
        assert caught.value.permanent
        fake.sign_in.identities.add("")
        for fault in (
            Fault("/metadata", status=429, body={"error": "too_many_requests"}),
            Fault("/metadata", reset="before"),
        ):
            fake.plan.add(fault)
            with pytest.raises(ConnectorError) as caught:
                tokens_for(fake, credential=ManagedIdentity()).token()
            assert not caught.value.permanent


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1", "localhost"])
def test_no_proxy_stands_between_a_machine_and_its_identity_service(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    seen: list[dict[str, str]] = []

    def send(self: object, request: object, **settings: Any) -> Any:
        seen.append(dict(settings["proxies"]))
        raise OSError("not sent")

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)
    for address in (f"http://{host}/metadata", "http://elsewhere.example/metadata"):
        with pytest.raises(ConnectorError):
            HttpSession().get(address)
    assert "http" not in seen[0]
    assert seen[1]["http"] == "http://127.0.0.1:9"


# --- claims challenges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", [False, True])
def test_a_revoked_token_is_replaced_by_one_that_answers_the_challenge(
    identity: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeTenant(two_mailboxes()) as fake:
        fake.sign_in.identities.add("")
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", fake.url)
        credential = ManagedIdentity() if identity else ClientSecret(fake.client_secret)
        client = client_for(fake, tokens=tokens_for(fake, credential=credential))
        opened = [client.get(f"/users/{JO}/mailFolders/inbox", what="opening", mailbox=JO)]
        fake.sign_in.challenge({"access_token": {"nbf": {"essential": True, "value": "1700000000"}}})
        opened += [client.get(f"/users/{JO}/mailFolders/inbox", what="opening", mailbox=JO) for _ in range(2)]
        assert [e.status for e in fake.graph()] == [200, 401, 200, 200]
    assert len(opened) == 3


# --- national clouds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_in_each_cloud_login_and_graph_are_its_own_and_links_stay_there(
    cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, graph = CLOUDS[cloud]
    tenant = two_mailboxes()
    for number in range(150):
        tenant.add_user(FakeUser(f"p{number}@elt.example", f"P {number}"))
    plan = Plan()
    plan.page_cap = 100
    with FakeTenant(tenant, plan, cloud=(login, graph)) as fake:
        reached: list[tuple[str, int]] = []
        connect = connection.create_connection

        def nearby(address: tuple[str, int], *given: Any, **more: Any) -> Any:
            reached.append(address)
            return connect(("127.0.0.1", fake.port), *given, **more)

        monkeypatch.setattr(connection, "create_connection", nearby)
        tokens = tokens_for(fake, authority=login, graph_url=graph)
        client = GraphClient(tokens, graph_url=graph, ca_file=fake.ca_file)
        assert len(M365People(client).load().people) == 152
        assert len([e for e in fake.graph("/users") if "$skiptoken" in dict(e.query)]) == 1
        # A token of this cloud is good for no other one.
        elsewhere = next(root for _, root in CLOUDS.values() if root != graph)
        with pytest.raises(ConnectorError, match="AADSTS500011: this cloud does not know the Graph address"):
            tokens_for(fake, authority=login, graph_url=elsewhere).token()
    hosts = {login.removeprefix("https://"), graph.removeprefix("https://")}
    assert {host for host, _ in reached} == hosts
