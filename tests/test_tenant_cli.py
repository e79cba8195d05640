"""The commands that speak to a tenant, as an admin types them: `doctor` and `run --once` over the fake tenant, words and exit codes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from graph.contract import checked_fake
from graph.tenants import JO, SAM, mail, two_mailboxes
from ruamel.yaml import YAML

from connectors.faketenant.faults import Fault, Plan
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeRule, FakeUser, Tenant

Start = Callable[..., subprocess.Popen[str]]
Call = Callable[..., subprocess.CompletedProcess[str]]
BREACH = b"letter 1.\n\nLeila Haddad, NHS number 943 476 5919\n"
KIM = "kim.yarrow@south.example"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests here, so that the rules prove themselves once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def start(cache: Path, tmp_path: Path) -> Start:
    def begin(*arguments: str, config: dict[str, Any]) -> subprocess.Popen[str]:
        file = tmp_path / "mailwarden.yaml"
        with file.open("w", encoding="utf-8") as opened:
            YAML().dump(
                {"store": {"url": f"sqlite:///{tmp_path / 'store.db'}"}, "notices": {"via": "none"}, **config}, opened
            )
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MAILWARDEN")}
        kept |= {"XDG_CACHE_HOME": str(cache), "COLUMNS": "200"}
        command = [sys.executable, "-m", "scanner.cli", *arguments, "--config", str(file)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=kept)

    return begin


@pytest.fixture
def call(start: Start) -> Call:
    def run(*arguments: str, config: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        with start(*arguments, config=config) as process:
            out, error = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, error)

    return run


def of(fake: FakeTenant, folder: Path, **more: Any) -> dict[str, Any]:
    """The settings of one tenant that signs in with a secret."""
    secret = folder / f"{fake.port}.secret"
    secret.write_text(fake.client_secret + "\n")
    own = {} if "certificate_file" in more else {"client_secret_file": str(secret)}
    addresses = {"graph_url": fake.url, "authority": fake.url, "ca_file": str(fake.ca_file)}
    return {"tenant_id": fake.tenant_id, "client_id": fake.client_id, **addresses, **own, **more}


def pfx(folder: Path, days: int) -> tuple[Path, bytes]:
    """A PFX file with its password beside it in `pfx-password`, and the certificate as it is uploaded to the app registration."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scanner app")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    locked = serialization.BestAvailableEncryption(b"made-up")
    file = folder / "app.pfx"
    file.write_bytes(pkcs12.serialize_key_and_certificates(b"app", key, certificate, None, locked))
    (folder / "pfx-password").write_text("made-up\n")
    return file, certificate.public_bytes(serialization.Encoding.PEM)


# --- doctor -----------------------------------------------------------------------------------------------------------


def test_doctor_finds_nothing_to_mend_and_ends_with_0(call: Call, tmp_path: Path) -> None:
    file, certificate = pfx(tmp_path, days=20)
    tenant = two_mailboxes()
    for address in (JO, SAM):
        tenant.add_drive(address)
    with checked_fake(tenant) as fake:
        fake.sign_in.trust(certificate)
        certified = {"certificate_file": str(file), "certificate_password_file": str(tmp_path / "pfx-password")}
        done = call("doctor", config={"tenant": of(fake, tmp_path, name="North", files="all", **certified)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "North" in done.stdout.splitlines()
    said = "\n".join(line for line in done.stdout.splitlines() if "sandbox" not in line)
    assert "MEND" not in said
    for name in ("sign-in", "Mail.Read", "MailboxSettings.Read", "Files.Read.All", "Sites.Read.All", "clock"):
        assert re.search(rf"ok +{re.escape(name)}: ", said), name
    assert re.search(r"note +certificate: valid until .*\n +→ upload a new one", said)
    assert re.search(r"note +trusted_domains: none are named.*\n +→ name in people.yaml", said)
    assert "ForwardingSmtpAddress" in said  # what cannot be seen


def test_doctor_ends_with_2_and_says_what_to_mend_for_each_tenant_by_itself(call: Call, tmp_path: Path) -> None:
    refused = {"status": 403, "code": "Authorization_RequestDenied", "message": "Insufficient privileges.", "times": 99}
    plan = Plan(*(Fault(on, **refused) for on in ("/organization", "/messageRules")))
    plan.skew = 3600
    with checked_fake(two_mailboxes()) as sound, checked_fake(two_mailboxes(), plan) as broken:
        broken.sign_in.roles = ("Mail.ReadWrite",)
        tenants = [
            of(sound, tmp_path, name="North"),
            of(broken, tmp_path, name="East"),
            of(sound, tmp_path, name="South", client_id="app-of-nobody"),
            of(sound, tmp_path, name="West", client_secret_file=str(tmp_path / "nowhere")),
        ]
        sender = {"client_id": "another-app", "client_secret_file": str(tmp_path / f"{sound.port}.secret")}
        notices = {"via": "graph", "from_mailbox": JO, "app": sender}
        done = call("doctor", config={"tenants": tenants, "notices": notices})
    assert done.returncode == 2, done.stdout + done.stderr
    parts = re.split(r"^(North|East|South|West|notices)\n", done.stdout, flags=re.MULTILINE)
    said = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert "MEND" not in said["North"]  # and what is sound does not cover for the others
    for line in (
        r"MEND +User.Read.All: .*no domain is known as ours\n +→ Entra admin centre",
        r"MEND +MailboxSettings.Read: .*no forwarding rule is seen\n +→ ",
        r"MEND +more than needed: Mail.ReadWrite is granted and never used\n +→ take Mail.ReadWrite away",
        r"MEND +clock: 3[56]\d\d s behind Microsoft's.*\n +→ let the machine keep time by NTP",
    ):
        assert re.search(line, said["East"]), line
    assert re.search(r"MEND +sign-in: .*AADSTS700016.*\n +→ compare tenant_id, client_id", said["South"])
    assert re.search(r"MEND +settings: .*client_secret_file.*\n +→ mend the setting", said["West"])
    assert re.search(r"MEND +sign-in: .*AADSTS700016.*\n +→ compare notices.app", said["notices"])
    assert sound.client_secret not in done.stdout + done.stderr


# --- run --once -------------------------------------------------------------------------------------------------------


def test_two_tenants_each_with_their_own_sign_in_schools_and_policy_pack(call: Call, tmp_path: Path) -> None:
    north = two_mailboxes(0)
    north.deliver(JO, "sentitems", mail(1).replace(b"letter 1.\n", BREACH))
    south = Tenant("South Trust", ("south.example",))
    south.add_user(FakeUser(KIM, "Kim Yarrow", job_title="Teacher", office="Room 4, Southfield"))
    south.deliver(KIM, "sentitems", mail(2, sender=KIM).replace(b"letter 2.\n", BREACH))
    file, certificate = pfx(tmp_path, days=300)
    with checked_fake(north) as one, checked_fake(south) as two:
        two.sign_in.trust(certificate)
        config = {
            "scan": {"workers": 1, "look_back_days": 0},
            "tenants": [
                of(one, tmp_path, name="North"),
                of(two, tmp_path, name="South", policy="partnership", schools=[{"word": "southfield", "school": "Southfield"}],
                   certificate_file=str(file), certificate_password_file=str(tmp_path / "pfx-password")),
            ],
        }  # fmt: skip
        leave = (
            "--approver",
            "chair@south.example",
            "--purpose",
            "mail policy",
            "--mailbox",
            "*",
            "--policy",
            "partnership",
        )
        recorded = call("authorise", "record", *leave, config=config)
        assert recorded.returncode == 0, recorded.stderr
        done = call("run", "--once", config=config)
        assert done.returncode == 0, done.stdout + done.stderr
        assert {e.path.split("/")[1] for e in one.exchanges if not e.is_graph} == {one.tenant_id}
        assert {e.path.split("/")[1] for e in two.exchanges if not e.is_graph} == {two.tenant_id}
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'store.db'}")
    query = (
        "select m.mailbox, f.clauses from finding f join appearance a on a.finding_id = f.id"
        " join message m on m.id = a.message_id where f.topic = 'personal_data'"
    )
    with engine.connect() as connection:
        found = {
            row.mailbox: json.loads(row.clauses)[0].partition(":")[0] for row in connection.execute(sa.text(query))
        }
    engine.dispose()
    assert found == {JO: "base", KIM: "partnership"}


def test_a_tenant_that_cannot_be_reached_is_said_while_it_is_tried_again(start: Start, tmp_path: Path) -> None:
    with FakeTenant(two_mailboxes(0)) as fake:
        config = of(fake, tmp_path, authority="https://127.0.0.1:1")
        with start("run", "--once", config={"tenant": config, "scan": {"workers": 1}}) as process:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "trying again" in line)
            assert process.poll() is None
            process.terminate()
            process.communicate(timeout=60)
    assert re.search(r"127\.0\.0\.1 cannot be reached \(Connection refused\); trying again in [0-9]+ s$", said.strip())


def test_settings_that_may_not_be_read_are_one_gap_and_leave_every_mailbox_scanned(call: Call, tmp_path: Path) -> None:
    tenant = two_mailboxes(1)
    forward = {"forwardTo": [{"emailAddress": {"name": "X", "address": "collector@mailbox.example"}}]}
    tenant.mailboxes[SAM].rules.append(FakeRule("all", forward))
    with checked_fake(tenant) as fake:
        refused = {"status": 403, "code": "ErrorAccessDenied", "message": "Access is denied.", "times": 99}
        fake.plan.add(Fault("/messageRules", **refused), Fault("/mailboxSettings", **refused))
        config = {"tenant": of(fake, tmp_path), "scan": {"workers": 1, "look_back_days": 0}}
        done = call("run", "--once", config=config)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 mailboxes, 4 messages judged" in done.stdout
        assert JO not in done.stdout
        assert done.stdout.count("MailboxSettings.Read") == 1
        assert re.search(r"^not seen: inbox rules .* grant MailboxSettings.Read or set", done.stdout, re.MULTILINE)
        status = call("status", config=config).stdout
        assert re.findall(r"^out of reach since .*", status, re.MULTILINE) == [
            line for line in status.splitlines() if ": every mailbox (m365_settings): inbox rules" in line
        ]
        assert status.count("MailboxSettings.Read") == 1
