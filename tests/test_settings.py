"""Settings, secret files and the root key: mistakes first, each with its place and what is allowed."""

from __future__ import annotations

import os
import stat
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.entra import GLOBAL_AUTHORITY
from connectors.graph import GLOBAL_GRAPH
from scanner import extract, worker
from scanner.errors import ConfigError, ConfigErrors
from scanner.keys import KEY_BYTES, RootKey, WrongKey, create_root_key, load_root_key, seal, unseal
from scanner.settings import Limits, Settings, Tenant, describe, each_tenant, load, read_secret, store_url, variable_of

TENANT = """\
tenant:
  tenant_id: 0a1b2c3d-0000-0000-0000-000000000001
  client_id: 0a1b2c3d-0000-0000-0000-000000000002
  client_secret_file: secret
"""


@pytest.fixture(autouse=True)
def _nothing_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.upper().startswith("MAILWARDEN_"):
            monkeypatch.delenv(name)


def written(text: str, name: str = "mailwarden.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def wrong(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(written(text))
    return [str(error) for error in caught.value.errors]


# --- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("webb:\n  port: 1\n", "mailwarden.yaml:1: unknown key 'webb' (allowed: tenant, scan,"),
        ("web:\n  port: 80\n  prot: 1\n", "mailwarden.yaml:3: unknown key 'prot' (allowed: host, port, public_url)"),
        ("web:\n  port: soon\n", "mailwarden.yaml:2: web.port must be a whole number from 1 to 65535"),
        ("web:\n  port: true\n", "mailwarden.yaml:2: web.port must be a whole number from 1 to 65535"),
        ("web:\n  port: 70000\n", "mailwarden.yaml:2: web.port must be a whole number from 1 to 65535"),
        ("scan:\n  minutes: 2.5\n", "mailwarden.yaml:2: scan.minutes must be a whole number from 1 to 1440"),
        ("scan:\n  limits:\n    wall_seconds: .nan\n", "scan.limits.wall_seconds must be a number from 1 to 3600"),
        ("scan: 3\n", "mailwarden.yaml:1: scan must be a mapping with the keys minutes,"),
        ("- a\n", "mailwarden.yaml:1: must be a mapping with the keys tenant,"),
        ("notices:\n  via: pigeon\n", "mailwarden.yaml:2: notices.via must be one of graph, smtp, none"),
        ("notices:\n  from_mailbox: nobody\n", "notices.from_mailbox must be an e-mail address"),
        ("policy: ../base\n", "mailwarden.yaml:1: policy must be the name of a policy pack"),
        ("root_key_file: [a]\n", "mailwarden.yaml:1: root_key_file must be the path of a file or folder"),
        (TENANT.replace("0a1b", "../0a1b", 1), "mailwarden.yaml:2: tenant.tenant_id must be an id or a domain"),
        ("tenant:\n  client_id: a\n  client_secret_file: s\n", "mailwarden.yaml:2: tenant.tenant_id is missing"),
        (TENANT + "  mailboxes:\n    include:\n      - a b\n", "mailwarden.yaml:7: tenant.mailboxes.include"),
        (TENANT + "  mailboxes:\n    include: a@b.example\n", "must be a list of e-mail addresses"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(text: str, said: str) -> None:
    [sentence] = wrong(text)
    assert said in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            TENANT.replace("  client_secret_file: secret\n", ""),
            ":2: tenant needs one of client_secret_file, certificate_file",
        ),
        (TENANT + "  certificate_file: c.pfx\n", ":4: tenant.client_secret_file and tenant.certificate_file exclude"),
        (TENANT.replace("client_secret_file", "certificate_file"), ":4: tenant.certificate_file is not a .pfx"),
        (TENANT + "  certificate_key_file: k\n", ":5: tenant.certificate_key_file belongs to a PEM"),
        (TENANT + "  certificate_password_file: k\n", ":5: tenant.certificate_password_file belongs to"),
        (TENANT + "  graph_url: http://graph.example\n", ":5: tenant.graph_url must be an https:// address"),
        (TENANT + "  authority: https://u@login.example\n", ":5: tenant.authority must be an https:// address"),
        (
            TENANT + "  mailboxes: {include: [a@b.example], exclude: [A@B.example]}\n",
            ":5: tenant.mailboxes.exclude and include both name a@b.example",
        ),
        (TENANT + "notices: {via: graph}\n", ":5: notices.via graph needs notices.from_mailbox"),
        ("notices: {via: graph, from_mailbox: a@b.example}\n", ":1: notices.via graph needs a tenant"),
        ("notices: {via: smtp, from_mailbox: a@b.example}\n", ":1: notices.via smtp needs notices.smtp_host"),
        ("notices: {smtp_host: mail.example}\n", ":1: notices.smtp_host is only for notices.via smtp"),
        ("notices: {smtp_user: a}\n", ":1: notices.smtp_user stands alone"),
        ("notices: {smtp_password_file: a}\n", ":1: notices.smtp_password_file stands alone"),
        ("notices: {smtp_user: a, smtp_password_file: a, smtp_security: none}\n", "a password is never sent in clear"),
        ("store: {url: mysql://a}\n", ":1: store.url must be sqlite:///path or postgresql+psycopg://"),
        ("store: {password_file: p}\n", ":1: store.password_file is only for PostgreSQL"),
        ("store: {url: 'postgresql://u:p@h/d', password_file: p}\n", "and a password in store.url exclude each other"),
        ("web: {host: 0.0.0.0}\n", ":1: web.host is not a loopback address"),
        ("web: {host: 10.1.2.3, public_url: 'http://mw.example'}\n", ":1: web.host is not a loopback address"),
        ("web: {public_url: 'javascript:alert(1)'}\n", ":1: web.public_url must be an http:// or https:// address"),
        ("web: {public_url: 'https://[bad'}\n", ":1: web.public_url must be an http:// or https:// address"),
        ("scan: {limits: {max_total_bytes: 1000}}\n", "max_part_bytes is greater than scan.limits.max_total_bytes"),
    ],
)
def test_what_does_not_fit_together_is_refused(text: str, said: str) -> None:
    [sentence] = wrong(text)
    assert said in sentence


def test_all_mistakes_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWARDEN_SCAN__WORKERS", "many")
    monkeypatch.setenv("MAILWARDEN_WEB__PROT", "1")
    monkeypatch.setenv("MAILWARDEN_WEBB", "1")
    sentences = wrong("web:\n  port: soon\nnotices:\n  via: pigeon\n")
    assert [sentence.partition(": ")[0] for sentence in sentences] == [
        "MAILWARDEN_WEBB",
        "MAILWARDEN_SCAN__WORKERS",
        "mailwarden.yaml:2",
        "MAILWARDEN_WEB__PROT",
        "mailwarden.yaml:4",
    ]


def test_a_file_that_is_named_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read"):
        load(Path("nowhere.yaml"))
    monkeypatch.setenv("MAILWARDEN_CONFIG", "elsewhere.yaml")
    with pytest.raises(ConfigError, match=r"elsewhere\.yaml: cannot be read"):
        load()


def test_malformed_yaml_is_one_sentence_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"mailwarden\.yaml:3: is not valid YAML"):
        load(written("web:\n  port: [1\n"))


@given(st.text(max_size=60))
def test_no_text_makes_it_fail_in_another_way(text: str) -> None:
    path = Path("fuzz.yaml")
    path.write_text(text, encoding="utf-8", errors="replace")
    said = ""
    try:
        load(path)
    except (ConfigError, ConfigErrors) as error:
        said = str(error)
    assert not said or "fuzz.yaml" in said


# --- what is right --------------------------------------------------------------------------------------------------


def test_without_a_file_everything_has_its_default() -> None:
    settings = load()
    assert settings.tenant is None
    assert settings.policy == "base"
    assert settings.store.url == f"sqlite:///{Path.cwd() / 'mailwarden.db'}"
    assert settings.public_url == "http://127.0.0.1:8765"
    assert {row.source for row in describe(settings)} == {"default"}


def test_an_empty_file_and_empty_keys_say_nothing() -> None:
    assert load(written("")).scan == load(written("scan:\nweb:\n  port:\n")).scan == Settings().scan


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(TENANT + "  mailboxes:\n    include: [a@elt.example]\nweb:\n  port: 9000\n  host: ::1\n")
    monkeypatch.setenv("MAILWARDEN_WEB__PORT", "9001")
    monkeypatch.setenv("MAILWARDEN_TENANT__MAILBOXES__INCLUDE", "b@elt.example, c@elt.example")
    monkeypatch.setenv("MAILWARDEN_TENANT__MAILBOXES__EXCLUDE", '["d@elt.example"]')
    settings = load(file)
    assert (settings.web.host, settings.web.port, settings.public_url) == ("::1", 9001, "http://[::1]:9001")
    assert settings.tenant is not None
    assert settings.tenant.mailboxes.include == ("b@elt.example", "c@elt.example")
    assert settings.tenant.mailboxes.exclude == ("d@elt.example",)
    rows = {row.name: row for row in describe(settings)}
    assert rows["web.port"].source == "MAILWARDEN_WEB__PORT"
    assert rows["web.host"].source == "mailwarden.yaml:9"
    assert rows["web.public_url"].source == "default"
    assert rows["tenant.mailboxes.include"].value == "b@elt.example, c@elt.example"


def test_the_file_may_be_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWARDEN_CONFIG", str(written("policy: partnership\n", "other.yaml")))
    assert load().policy == "partnership"
    assert load(written("policy: laat\n")).policy == "laat"


def test_relative_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    file = folder / "mailwarden.yaml"
    file.write_text(TENANT + "rules_dir: rules\nroot_key_file: /var/key\nstore: {url: 'sqlite:///x.db'}\n")
    settings = load(file)
    assert settings.tenant is not None
    assert settings.tenant.client_secret_file == folder / "secret"
    assert (settings.rules_dir, settings.root_key_file) == (folder / "rules", Path("/var/key"))
    assert settings.store.url == f"sqlite:///{folder / 'x.db'}"
    file.write_text("store: {url: 'sqlite:////var/x.db'}\n")
    assert load(file).store.url == "sqlite:////var/x.db"


def test_a_loopback_host_needs_no_tls_and_another_needs_a_proxy_with_it() -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"):
        load(written(f"web: {{host: '{host}'}}\n"))
    settings = load(written("web: {host: 0.0.0.0, public_url: 'https://mw.example/'}\n"))
    assert settings.public_url == "https://mw.example"


def test_the_table_is_frozen() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.web.port = 1


def test_every_setting_says_what_it_means_and_how_its_variable_is_called() -> None:
    rows = describe(load(written(TENANT)))
    assert [row.name for row in rows if not row.meaning] == []
    assert [row.name for row in rows if row.variable != variable_of(tuple(row.name.split(".")))] == []
    assert len({row.name for row in rows}) == len(rows) > 35


def test_defaults_that_stand_in_two_places_are_the_same() -> None:
    limits = Limits().model_dump()
    for name, value in {**asdict(extract.Limits()), **asdict(worker.WorkerLimits())}.items():
        if name in limits:
            assert limits[name] == value, name
    assert limits["rss_mb"] * 1024 * 1024 == worker.WorkerLimits().rss_bytes
    assert Tenant.model_fields["graph_url"].default == GLOBAL_GRAPH
    assert Tenant.model_fields["authority"].default == GLOBAL_AUTHORITY


# --- secrets --------------------------------------------------------------------------------------------------------

SECRET = "hunter2-Tr0mbone"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://mw:{SECRET}@db.example/mw",
        f"postgresql://:{SECRET}@db.example/mw",
        f"postgresql://mw@db.example/mw?sslmode=require&password={SECRET}",
        f"postgresql://mw:{SECRET}@[bad/mw",
    ],
)
def test_a_password_in_an_address_is_not_printed(url: str) -> None:
    rows = describe(load(written(f"store: {{url: '{url}'}}\n")))
    assert SECRET not in str(rows)
    assert "***" in str(rows)


def test_no_secret_is_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILWARDEN_STORE__URL", f"mysql://mw:{SECRET}@db/mw")
    monkeypatch.setenv("MAILWARDEN_WEB__PORT", SECRET)
    with pytest.raises(ConfigErrors) as caught:
        load()
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)


def test_the_database_password_comes_from_its_file() -> None:
    Path("pw").write_text("p@ss/w:rd\n")
    file = written("store: {url: 'postgresql+psycopg://mw@db.example:5433/mw?sslmode=require', password_file: pw}\n")
    settings = load(file)
    assert store_url(settings) == "postgresql+psycopg://mw:p%40ss%2Fw%3Ard@db.example:5433/mw?sslmode=require"
    assert "p@ss" not in str(describe(settings))
    assert "p%40ss" not in str(describe(settings))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\r\n", "is empty"),
        (b"\xff\xfe" + SECRET.encode(), "is not UTF-8 text"),
        (b"x" * 70_000, "is larger than 65,536 bytes"),
    ],
)
def test_a_secret_file_without_a_secret_is_refused(content: bytes, said: str) -> None:
    Path("secret").write_bytes(content)
    with pytest.raises(ConfigError, match=said) as caught:
        read_secret(Path("secret"), "tenant.client_secret_file")
    assert caught.value.place == "tenant.client_secret_file"
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_secret_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"tenant\.client_secret_file: secret cannot be read: No such file"):
        read_secret(Path("secret"), "tenant.client_secret_file")


def test_a_secret_ends_before_its_line_end_and_keeps_its_spaces() -> None:
    Path("secret").write_bytes(b"\xef\xbb\xbf spaced secret \r\n")
    assert read_secret(Path("secret"), "x") == " spaced secret "


# --- the root key ---------------------------------------------------------------------------------------------------


def test_a_root_key_is_made_once_and_only_for_its_owner() -> None:
    old = os.umask(0)
    try:
        create_root_key(Path("root.key"))
    finally:
        os.umask(old)
    first = Path("root.key").read_bytes()
    assert len(first) == KEY_BYTES
    assert stat.S_IMODE(Path("root.key").stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="never overwritten"):
        create_root_key(Path("root.key"))
    assert Path("root.key").read_bytes() == first
    with pytest.raises(ConfigError, match="cannot be created: No such file"):
        create_root_key(Path("nowhere/root.key"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o777])
def test_a_root_key_that_others_may_touch_is_refused(mode: int) -> None:
    create_root_key(Path("root.key"))
    Path("root.key").chmod(mode)
    with pytest.raises(ConfigError, match="set the mode to 0600 or 0400"):
        load_root_key(Path("root.key"))


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_root_key_of_another_size_is_refused(size: int) -> None:
    Path("root.key").write_bytes(b"k" * size)
    Path("root.key").chmod(0o600)
    with pytest.raises(ConfigError, match="exactly 32 bytes"):
        load_root_key(Path("root.key"))


def test_a_root_key_is_a_plain_file() -> None:
    Path("folder").mkdir(mode=0o700)
    with pytest.raises(ConfigError, match="plain file"):
        load_root_key(Path("folder"))
    os.mkfifo("pipe", 0o600)
    with pytest.raises(ConfigError, match="plain file"):
        load_root_key(Path("pipe"))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_root_key(Path("nowhere"))


def test_each_purpose_has_a_key_of_its_own_and_the_same_every_time() -> None:
    root = RootKey(bytes(range(32)))
    purposes = ("evidence", "contacts", "spread", "cache", "audit", "web")
    keys = {purpose: root.subkey(purpose) for purpose in purposes}
    assert len(set(keys.values())) == len(purposes)
    assert root.secret not in keys.values()
    assert keys == {purpose: RootKey(bytes(range(32))).subkey(purpose) for purpose in purposes}
    assert RootKey.random().subkey("web") != RootKey.random().subkey("web")
    # Fixed for ever: another value would orphan what is sealed in every database there is.
    assert keys["contacts"].hex() == "1b866dc79143e8fbbd92371cd77769af7d166bed506fa8a94daeac6c1fd175bb"


def test_a_key_does_not_show_itself() -> None:
    key = RootKey(b"k" * 32)
    assert "kkkk" not in repr(key)
    assert repr(key) == "RootKey(number=1)"


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_was_sealed_opens_with_the_same_key_at_the_same_place_only(data: bytes, place: str) -> None:
    key = b"k" * 32
    sealed = seal(key, data, place)
    assert unseal(key, sealed, place) == data
    assert seal(key, data, place) != sealed
    for other_key, other_sealed, other_place in (
        (b"x" * 32, sealed, place),
        (key, sealed, place + "x"),
        (key, sealed[:-1], place),
        (key, sealed[:-1] + bytes([sealed[-1] ^ 1]), place),
        (key, b"", place),
    ):
        with pytest.raises(WrongKey):
            unseal(other_key, other_sealed, other_place)


def test_several_tenants_are_each_checked_named_and_printed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    file = tmp_path / "mailwarden.yaml"
    entry = "  - {{name: {0}, tenant_id: {0}.example, client_id: c, client_secret_file: secret, cloud: us_gov}}\n"
    file.write_text("tenants:\n" + entry.format("north") + entry.format("south"))
    settings = load(file)
    assert [(prefix, tenant.label) for prefix, tenant in each_tenant(settings)] == [
        ("tenants.0", "north"),
        ("tenants.1", "south"),
    ]
    assert settings.tenants[0].client_secret_file == secret
    assert settings.tenants[0].addresses == ("https://login.microsoftonline.us", "https://graph.microsoft.us")
    rows = {row.name: row for row in describe(settings)}
    assert (rows["tenants.1.name"].value, rows["tenants.1.name"].source) == ("south", f"{file}:3")
    file.write_text("tenants:\n" + entry.format("north") * 2)
    with pytest.raises(ConfigErrors, match="names north twice"):
        load(file)
    file.write_text("tenants:\n  - {tenant_id: t, client_id: c, managed_identity: system, federated_token_file: f}\n")
    with pytest.raises(
        ConfigErrors, match=r"tenants\.0\.federated_token_file and tenants\.0\.managed_identity exclude"
    ):
        load(file)
