"""Signing in: secret, PEM and PFX certificate, and every way in which it is set up wrongly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from graph.contract import tokens_for

from connectors.entra import ClientSecret, EntraTokens, PemCertificate, PfxCertificate
from connectors.faketenant.faults import Fault, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import Tenant
from scanner.errors import ConfigError, ConnectorError

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
        fake.trust((key_files / "app.pem").read_bytes())
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
