"""Every setting there is: one typed table, read from `mailwarden.yaml`, then the environment, which wins (D18).

A setting `web.port` is `MAILWARDEN_WEB__PORT` in the environment. Secrets are never settings: a `…_file` setting names
the file that holds one. All mistakes are reported at once, each with file and line or the variable, and what is allowed.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import quote, urlsplit, urlunsplit

from annotated_types import Ge, Le, MinLen
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from scanner.errors import ConfigError, ConfigErrors
from scanner.yaml_source import Node
from scanner.yaml_source import load as load_yaml

PREFIX = "MAILWARDEN_"
CONFIG_VARIABLE = "MAILWARDEN_CONFIG"
DEFAULT_FILE = "mailwarden.yaml"
MAX_SECRET_BYTES = 64 * 1024
HIDDEN = "***"

Words = Annotated[str, MinLen(1)]
# These go into addresses of the directory: nothing that could turn into another path.
Identifier = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,127}$", title="an id or a domain: letters, digits, hyphens, dots")
]
Address = Annotated[str, Field(pattern=r"^[^\s@,;<>]{1,64}@[^\s@,;<>]{1,255}$", title="an e-mail address")]

PackName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$", title="the name of a policy pack, such as base")]


class Section(BaseModel):
    """A part of the table; unknown keys are mistakes, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: object) -> object:
        """`true` is no number and no word, whatever pydantic makes of it; no setting of ours takes one."""
        if isinstance(value, bool):
            raise ValueError("a truth value")
        return value


class Mailboxes(Section):
    include: tuple[Address, ...] = Field(default=(), description="scan only these mailboxes; none named means all")
    exclude: tuple[Address, ...] = Field(default=(), description="never scan these mailboxes")


# National clouds: (login host, Graph root). GCC uses the global addresses (docs-contrib concepts/deployments.md).
CLOUDS = {
    "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "us_gov": ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "us_dod": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": ("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
}
FolderKind = Literal["drafts", "deleteditems", "junkemail", "archive", "outbox", "conversationhistory"]


class SchoolWord(Section):
    word: Words = Field(description="what office or department holds")
    school: Words = Field(description="the school's name as in people.yaml")


class Tenant(Section):
    name: Words | None = Field(default=None, description="what this tenant is called here; default its tenant_id")
    tenant_id: Identifier = Field(description="directory (tenant) id of the app registration")
    client_id: Identifier = Field(description="application (client) id of the app registration")
    client_secret_file: Path | None = Field(default=None, description="file with the client secret's value")
    certificate_file: Path | None = Field(default=None, description="certificate, PEM or PFX; better than a secret")
    certificate_key_file: Path | None = Field(default=None, description="private key of a PEM certificate")
    certificate_password_file: Path | None = Field(
        default=None, description="file with the password of the PFX file or the key"
    )
    federated_token_file: Path | None = Field(
        default=None, description="file with a token that the app trusts (workload identity); it is read anew each time"
    )
    managed_identity: Words | None = Field(
        default=None, description="system, or the client id of a user-assigned identity of the machine in Azure"
    )
    cloud: Literal["global", "us_gov", "us_dod", "china"] = Field(
        default="global", description="national cloud; sets graph_url and authority"
    )
    graph_url: Words = Field(
        default="https://graph.microsoft.com", description="where Graph is, if not where cloud says"
    )
    authority: Words = Field(
        default="https://login.microsoftonline.com", description="where tokens come from, if not where cloud says"
    )
    ca_file: Path | None = Field(default=None, description="PEM certificates to trust instead of the public ones")
    mailboxes: Mailboxes = Mailboxes()
    leave_out_folders: tuple[FolderKind, ...] = Field(
        default=(), description="folders that are not walked: drafts, deleteditems, junkemail, archive, outbox …"
    )
    also_folders: tuple[Literal["hidden", "recoverable"], ...] = Field(
        default=(), description="hidden folders, and what was deleted from Deleted Items"
    )
    mailbox_settings: Literal["on", "off"] = Field(
        default="on", description="inbox rules and automatic replies; needs MailboxSettings.Read"
    )
    files: Literal["off", "onedrive", "all"] = Field(
        default="off", description="files that are shared: of people, or of SharePoint sites too; needs Files.Read.All"
    )
    files_sharing_changes: Literal["on", "off"] = Field(
        default="off", description="see new links at once instead of daily; needs Sites.FullControl.All"
    )
    files_leave_out: tuple[Words, ...] = Field(
        default=(".mp4", ".mov", ".mp3", ".iso"), description="endings of names of files that are not opened"
    )
    files_max_bytes: int = Field(
        default=100_000_000, ge=1_000, le=1_000_000_000, description="size of one file in a drive"
    )
    requests_per_mailbox: int = Field(default=3, ge=1, le=4, description="requests at a time to one mailbox")
    requests_at_once: int = Field(default=12, ge=1, le=200, description="requests at a time in all; falls on 429")
    schools: tuple[SchoolWord, ...] = Field(
        default=(),
        description="which school somebody belongs to, by what office or department holds; the first that fits",
    )
    exempt_groups: tuple[Identifier, ...] = Field(
        default=(), description="object ids of groups whose members' mailboxes are never scanned"
    )
    protected_groups: tuple[Identifier, ...] = Field(
        default=(), description="object ids of groups whose members' correspondence is sealed"
    )
    policy: PackName | None = Field(default=None, description="policy pack of this tenant; default the one above")
    people_file: Path | None = Field(default=None, description="people.yaml of this tenant; default the one above")

    @property
    def label(self) -> str:
        return self.name or self.tenant_id

    @property
    def addresses(self) -> tuple[str, str]:
        """Login host and Graph root: as set, else of the cloud."""
        given = type(self).model_fields
        login, graph = CLOUDS[self.cloud]
        return (
            self.authority if self.authority != given["authority"].default else login,
            self.graph_url if self.graph_url != given["graph_url"].default else graph,
        )


class Limits(Section):
    max_depth: int = Field(default=20, ge=1, le=100, description="archives and mails inside each other")
    max_parts: int = Field(default=1_000, ge=1, le=100_000, description="parts of one message")
    max_part_bytes: int = Field(
        default=50_000_000, ge=1_000, le=2_000_000_000, description="size of one part, unpacked"
    )
    max_total_bytes: int = Field(
        default=200_000_000, ge=1_000, le=8_000_000_000, description="size of one message, unpacked"
    )
    max_text_chars: int = Field(
        default=2_000_000, ge=1_000, le=100_000_000, description="characters of one part's text"
    )
    wall_seconds: float = Field(default=60.0, ge=1, le=3_600, description="time for one message")
    cpu_seconds: int = Field(default=45, ge=1, le=3_600, description="processor time for one message")
    rss_mb: int = Field(default=700, ge=300, le=16_384, description="memory of one worker")
    ocr_pages: int = Field(default=20, ge=0, le=1_000, description="pictures of text read in one message; 0 reads none")
    ocr_seconds: float = Field(
        default=20.0, ge=1, le=3_600, description="processor time for the pictures of one message"
    )
    ocr_rss_mb: int = Field(default=1_200, ge=300, le=16_384, description="memory of one worker that reads pictures")


class Scan(Section):
    minutes: int = Field(default=15, ge=1, le=1_440, description="minutes from one round of mail to the next")
    people_hours: int = Field(
        default=24, ge=1, le=168, description="hours from one reading of the directory to the next"
    )
    look_back_days: int = Field(default=30, ge=0, le=3_650, description="how old mail may be at the first round")
    workers: int = Field(default=2, ge=1, le=64, description="worker processes on this machine")
    work: Literal["here", "shared"] = Field(
        default="here",
        description="shared: mailboxes are shared out with `mailwarden worker` on further machines over PostgreSQL",
    )
    sealed_folders: tuple[Words, ...] = Field(
        default=(), description="names of folders whose mail is counted and never read, such as Union"
    )
    keep_clean_days: int = Field(default=14, ge=0, le=365, description="days that facts about clean messages are kept")
    limits: Limits = Limits()


class StoreSettings(Section):
    url: Words = Field(
        default="sqlite:///mailwarden.db", description="sqlite:///path or postgresql+psycopg://user@host/database"
    )
    password_file: Path | None = Field(default=None, description="file with the database password")


class Web(Section):
    host: Words = Field(
        default="127.0.0.1", description="address to listen on; a reverse proxy with TLS stands in front"
    )
    port: int = Field(default=8765, ge=1, le=65_535, description="port to listen on")
    public_url: str = Field(
        default="", description="address that people type and notices link to; default http://host:port"
    )


class NoticeApp(Section):
    client_id: Identifier = Field(description="application (client) id of a registration that may only send")
    client_secret_file: Path | None = Field(default=None, description="file with its client secret")
    certificate_file: Path | None = Field(default=None, description="its certificate, PEM or PFX")
    certificate_key_file: Path | None = Field(default=None, description="private key of a PEM certificate")
    certificate_password_file: Path | None = Field(default=None, description="password of the PFX file or key")


class Push(Section):
    url: str = Field(
        default="",
        description="https address under which Graph reaches /graph/notifications of this page; empty: no push",
    )


class Notices(Section):
    via: Literal["graph", "smtp", "none"] = Field(default="none", description="how notices go out")
    from_mailbox: Address | None = Field(default=None, description="mailbox that notices come from")
    app: NoticeApp | None = Field(
        default=None, description="a separate app registration for via: graph, so that the scanning app cannot send"
    )
    smtp_host: Words | None = Field(default=None, description="mail host")
    smtp_port: int = Field(default=587, ge=1, le=65_535, description="port of the mail host")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="none: for a relay without a password"
    )
    smtp_user: Words | None = Field(default=None, description="user name at the mail host")
    smtp_password_file: Path | None = Field(default=None, description="file with the password at the mail host")
    smtp_ca_file: Path | None = Field(default=None, description="PEM certificates to trust instead of the public ones")


class _Environment(EnvSettingsSource):
    """The environment; a list may be written as JSON or with commas."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return json.loads(value)
        except ValueError:
            return [item.strip() for item in value.split(",")] if get_origin(field.annotation) is tuple else value


class Settings(BaseSettings):
    """The whole table. Use `load`, which also resolves paths and checks what fits together."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    tenant: Tenant | None = None
    scan: Scan = Scan()
    store: StoreSettings = StoreSettings()
    web: Web = Web()
    notices: Notices = Notices()
    tenants: tuple[Tenant, ...] = Field(default=(), description="several tenants instead of one")
    push: Push = Push()
    policy: PackName = Field(default="base", description="policy pack in force: base, or another of rules/policies")
    rules_dir: Path | None = Field(
        default=None, description="folder with rules of your own; default: those that came with the program"
    )
    people_file: Path | None = Field(default=None, description="people.yaml with what the directory does not know")
    four_eyes: bool = Field(default=False, description="changed rules need the approval of a second person")
    root_key_file: Path = Field(default=Path("root.key"), description="the root key, 32 random bytes, mode 0600")
    root_key_number: int = Field(
        default=1, ge=1, le=1_000_000, description="raise it by one when the root key is replaced"
    )

    contacts_file: Path | None = Field(
        default=None,
        description="parents and carers as `contacts import` keeps them, encrypted; default beside the root key",
    )

    _places: _Places = PrivateAttr(default_factory=lambda: _Places(None))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (_Environment(settings_cls), init_settings)

    @property
    def public_url(self) -> str:
        """The address that notices link to, without a slash at the end."""
        host = f"[{self.web.host}]" if ":" in self.web.host else self.web.host
        return (self.web.public_url or f"http://{host}:{self.web.port}").rstrip("/")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each setting was written: the variable, else file and line, else its own name."""

    root: Node | None

    def of(self, name: tuple[str | int, ...], *, key: bool = False) -> str:
        """`key` asks for the place of the key itself, for one that should not be there."""
        for length in range(len(name), 0, -1):
            variable = variable_of(name[:length])
            if variable in {known.upper() for known in os.environ}:
                return variable
        node, place = self.root, ""
        for depth, step in enumerate(name):
            value = node.value if node is not None else None
            if isinstance(value, dict) and isinstance(step, str) and step in value:
                place = node.keys[step] if key and depth == len(name) - 1 else value[step].place  # type: ignore[union-attr]
                node = value[step]
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                node, place = value[step], value[step].place
            else:
                break
        return place or ".".join(str(step) for step in name)

    def source(self, name: tuple[str, ...]) -> str:
        """The place of this very setting, or `default` where nobody wrote it."""
        node = self.root
        for step in name:
            if node is not None and isinstance(node.value, list) and step.isdigit() and int(step) < len(node.value):
                node = node.value[int(step)]
                continue
            node = node.value.get(step) if node is not None and isinstance(node.value, dict) else None
        place = self.of(tuple(int(step) if step.isdigit() else step for step in name))
        return place if place.startswith(PREFIX) or (node is not None and node.value is not None) else "default"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of `mailwarden settings`. `source` is a place, or `default`; `is_missing`: a file that is not there."""

    name: str
    value: str
    source: str
    variable: str
    meaning: str
    is_missing: bool = False


def variable_of(name: tuple[str | int, ...]) -> str:
    """The variable of a setting: ("web", "port") is MAILWARDEN_WEB__PORT."""
    return PREFIX + "__".join(str(step) for step in name).upper()


def load(config: Path | None = None) -> Settings:
    """Reads the settings from `config`, else from the file that MAILWARDEN_CONFIG names, else from `mailwarden.yaml` in
    the working folder if it is there; then from the environment.

    Relative paths count from the folder of that file. Raises ConfigErrors with every mistake.
    """
    named = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    file = named or Path(DEFAULT_FILE)
    root = load_yaml(file) if named is not None or file.exists() else None
    places = _Places(root)
    try:
        settings = Settings(**_values(root))
    except ValidationError as error:
        raise ConfigErrors(_unknown_variables() + [_readable(each, places) for each in error.errors()]) from error
    settings = _with_absolute_paths(settings, file.absolute().parent)
    settings._places = places
    wrong = _unknown_variables() + cross_check(settings)
    if wrong:
        raise ConfigErrors(wrong)
    return settings


def cross_check(settings: Settings) -> list[ConfigError]:
    """What is wrong although each setting for itself is right."""
    return list(_contradictions(settings))


def _contradictions(settings: Settings) -> Iterator[ConfigError]:
    def wrong(name: str, message: str) -> ConfigError:
        steps = tuple(int(step) if step.isdigit() else step for step in name.split("."))
        return ConfigError(settings._places.of(steps), f"{name} {message}")

    notices, store = settings.notices, settings.store
    if settings.tenant is not None and settings.tenants:
        yield wrong("tenants", "and tenant exclude each other; put the one into the list")
    for prefix, tenant in each_tenant(settings):
        yield from _of_tenant(prefix, tenant, wrong)
    labels = [tenant.label.lower() for _, tenant in each_tenant(settings)]
    for label in sorted({label for label in labels if labels.count(label) > 1}):
        yield wrong("tenants", f"names {label} twice")
    if settings.push.url and not _is_plain_url(settings.push.url, ("https",)):
        yield wrong("push.url", "must be an https:// address that Microsoft can reach")
    if notices.app is not None:
        if notices.via != "graph":
            yield wrong("notices.app", "is only for notices.via graph")
        if (notices.app.client_secret_file is None) == (notices.app.certificate_file is None):
            yield wrong("notices.app", "needs client_secret_file or certificate_file, and only one of them")
    if notices.via != "none" and notices.from_mailbox is None:
        yield wrong("notices.via", f"{notices.via} needs notices.from_mailbox")
    if notices.via == "graph" and not each_tenant(settings):
        yield wrong("notices.via", "graph needs a tenant")
    if notices.via == "smtp" and notices.smtp_host is None:
        yield wrong("notices.via", "smtp needs notices.smtp_host")
    if notices.via != "smtp" and notices.smtp_host is not None:
        yield wrong("notices.smtp_host", "is only for notices.via smtp")
    if (notices.smtp_user is None) != (notices.smtp_password_file is None):
        given = "smtp_user" if notices.smtp_user is not None else "smtp_password_file"
        yield wrong(f"notices.{given}", "stands alone; smtp_user and smtp_password_file belong together")
    if notices.smtp_security == "none" and notices.smtp_password_file is not None:
        yield wrong("notices.smtp_security", "must be starttls or tls: a password is never sent in clear")
    scheme, _, rest = store.url.partition("://")
    if scheme not in ("sqlite", "postgresql", "postgresql+psycopg") or not rest:
        yield wrong("store.url", "must be sqlite:///path or postgresql+psycopg://user@host/database")
    elif store.password_file is not None and scheme == "sqlite":
        yield wrong("store.password_file", "is only for PostgreSQL; an SQLite file has no password")
    elif store.password_file is not None and _password_of(store.url):
        yield wrong("store.password_file", "and a password in store.url exclude each other; keep the file")
    if settings.web.public_url and not _is_plain_url(settings.web.public_url, ("https", "http")):
        yield wrong("web.public_url", "must be an http:// or https:// address without user, query or fragment")
    elif not _is_loopback(settings.web.host) and not settings.web.public_url.startswith("https://"):
        yield wrong(
            "web.host",
            "is not a loopback address: passwords would cross the network in clear. Keep 127.0.0.1, or put a proxy with "
            "TLS in front and set web.public_url to its https:// address",
        )
    if settings.scan.limits.max_part_bytes > settings.scan.limits.max_total_bytes:
        yield wrong("scan.limits.max_part_bytes", "is greater than scan.limits.max_total_bytes")


def each_tenant(settings: Settings) -> tuple[tuple[str, Tenant], ...]:
    """Every tenant with the name of its setting: `tenant`, or `tenants.0` and on."""
    if settings.tenant is not None:
        return (("tenant", settings.tenant),)
    return tuple((f"tenants.{number}", tenant) for number, tenant in enumerate(settings.tenants))


def _of_tenant(prefix: str, tenant: Tenant, wrong: Callable[[str, str], ConfigError]) -> Iterator[ConfigError]:
    ways = {
        "client_secret_file": tenant.client_secret_file,
        "certificate_file": tenant.certificate_file,
        "federated_token_file": tenant.federated_token_file,
        "managed_identity": tenant.managed_identity,
    }
    given = [name for name, value in ways.items() if value is not None]
    if not given:
        yield wrong(prefix, f"needs one of {', '.join(ways)}")
    for name in given[:-1]:
        yield wrong(f"{prefix}.{name}", f"and {prefix}.{given[-1]} exclude each other; keep one")
    pem = tenant.certificate_file is not None and tenant.certificate_file.suffix.lower() not in (".pfx", ".p12")
    if pem and tenant.certificate_key_file is None:
        yield wrong(f"{prefix}.certificate_file", f"is not a .pfx or .p12 file and needs {prefix}.certificate_key_file")
    if not pem and tenant.certificate_key_file is not None:
        yield wrong(f"{prefix}.certificate_key_file", f"belongs to a PEM {prefix}.certificate_file")
    if tenant.certificate_file is None and tenant.certificate_password_file is not None:
        yield wrong(f"{prefix}.certificate_password_file", f"belongs to a {prefix}.certificate_file")
    for name, url in (("graph_url", tenant.graph_url), ("authority", tenant.authority)):
        if not _is_plain_url(url, ("https",)):
            yield wrong(f"{prefix}.{name}", "must be an https:// address without user, query or fragment")
    both = {name.lower() for name in tenant.mailboxes.include} & {name.lower() for name in tenant.mailboxes.exclude}
    if both:
        yield wrong(f"{prefix}.mailboxes.exclude", f"and include both name {', '.join(sorted(both))}; keep one")


def read_secret(file: Path, setting: str) -> str:
    """The secret in a file, without the line end after it. Raises ConfigError naming setting and file, never content."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_SECRET_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError(setting, f"{file} cannot be read: {getattr(error, 'strerror', error)}") from error
    if len(data) > MAX_SECRET_BYTES:
        raise ConfigError(setting, f"{file} is larger than {MAX_SECRET_BYTES:,} bytes and no secret")
    try:
        secret = data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        # `from None`: the original error holds the bytes.
        raise ConfigError(setting, f"{file} is not UTF-8 text") from None
    if not secret:
        raise ConfigError(setting, f"{file} is empty")
    return secret


def store_url(settings: Settings) -> str:
    """The address for `Store.open`, with the password from its file; not for printing."""
    url = settings.store.url
    if settings.store.password_file is None:
        return url
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    password = quote(read_secret(settings.store.password_file, "store.password_file"), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))


def describe(settings: Settings) -> list[Row]:
    """Every setting with its value, where that comes from and what it means; a password in an address is hidden."""
    rows: list[Row] = []
    for name, field, value in _every(settings, ()):
        dotted = ".".join(name)
        shown = _without_password(value) if dotted == "store.url" else _shown(value)
        # The root key is made at the first start; every other file that is named must be there.
        missing = isinstance(value, Path) and dotted != "root_key_file" and not value.exists()
        rows.append(
            Row(dotted, shown, settings._places.source(name), variable_of(name), field.description or "", missing)
        )
    return rows


# --- reading --------------------------------------------------------------------------------------------------------


def _values(root: Node | None) -> dict[str, Any]:
    if root is None or root.value is None:
        return {}
    if not isinstance(root.value, dict):
        raise ConfigErrors([ConfigError(root.place, f"must be a mapping with the keys {_keys(Settings)}")])
    plain = _set_keys(root.plain())
    assert isinstance(plain, dict)
    for key in plain:
        if key not in Settings.model_fields:
            raise ConfigErrors([ConfigError(root.keys[key], f"unknown key {key!r} (allowed: {_keys(Settings)})")])
    return plain


def _set_keys(value: object) -> object:
    """Without keys that have nothing after the colon: nothing is said about them."""
    if isinstance(value, dict):
        return {key: _set_keys(item) for key, item in value.items() if item is not None}
    return value


def _unknown_variables() -> list[ConfigError]:
    allowed = f"allowed: {CONFIG_VARIABLE}, {', '.join(variable_of((name,)) for name in Settings.model_fields)} and what is in them"
    return [
        ConfigError(variable, f"is not a setting ({allowed})")
        for variable in sorted(os.environ)
        if variable.upper().startswith(PREFIX)
        and variable.upper() != CONFIG_VARIABLE
        and variable.upper()[len(PREFIX) :].partition("__")[0].lower() not in Settings.model_fields
    ]


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    def absolute(section: BaseModel) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        for name, value in section:
            if isinstance(value, Path):
                changes[name] = folder / value
            elif isinstance(value, BaseModel):
                changes[name] = value.model_copy(update=absolute(value))
            elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
                changes[name] = tuple(item.model_copy(update=absolute(item)) for item in value)
        return changes

    changes = absolute(settings)
    scheme, _, path = settings.store.url.partition(":///")
    if scheme == "sqlite" and path and path != ":memory:":
        changes["store"] = changes["store"].model_copy(update={"url": f"sqlite:///{folder / path}"})
    return settings.model_copy(update=changes)


# --- saying what is wrong -------------------------------------------------------------------------------------------


def _readable(error: ErrorDetails, places: _Places) -> ConfigError:
    name = error["loc"]
    dotted = ".".join(str(step) for step in name)
    model, field = _field(name)
    if error["type"] == "extra_forbidden":
        return ConfigError(places.of(name, key=True), f"unknown key {str(name[-1])!r} (allowed: {_keys(model)})")
    if error["type"] == "missing":
        return ConfigError(places.of(name), f"{dotted} is missing")
    return ConfigError(places.of(name), f"{dotted} must be {_allowed(field)}")


def _field(name: tuple[str | int, ...]) -> tuple[type[BaseModel], FieldInfo | None]:
    """The section that a name points into, and the field there; None where there is no such field."""
    model: type[BaseModel] = Settings
    field: FieldInfo | None = None
    for depth, step in enumerate(name):
        if isinstance(step, int):
            if field is None or _section(field) is None:
                break
            continue
        field = model.model_fields.get(step)
        section = _section(field) if field is not None else None
        if section is None or depth == len(name) - 1:
            break
        model = section
    return model, field


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field is, may be, or is a list of."""
    for candidate in (field.annotation, *get_args(field.annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _keys(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def _allowed(field: FieldInfo | None) -> str:
    """What a field takes, in words."""
    if field is None:
        return "left out"
    section = _section(field)
    if section is not None:
        many = "a list of mappings" if get_origin(field.annotation) is tuple else "a mapping"
        return f"{many} with the keys {_keys(section)}"
    annotation, metadata, title = field.annotation, list(field.metadata), field.title
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    if type(None) in get_args(annotation):
        annotation = kinds[0]
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata += more
        title = next((mark.title for mark in more if isinstance(mark, FieldInfo)), title)
    if title:
        return title
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        if get_origin(inner) is Literal:
            return f"a list of {', '.join(map(str, get_args(inner)))}"
        return "a list of e-mail addresses" if inner is Address else f"a list ({field.description})"
    if get_origin(annotation) is Literal:
        return f"one of {', '.join(map(str, get_args(annotation)))}"
    if annotation in (int, float):
        low = next((mark.ge for mark in metadata if isinstance(mark, Ge)), None)
        high = next((mark.le for mark in metadata if isinstance(mark, Le)), None)
        return f"a {'whole ' if annotation is int else ''}number from {low} to {high}"
    if annotation is Path:
        return "the path of a file or folder"
    return f"text ({field.description})"


def _is_plain_url(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return False
    named = parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc
    return named and port_fits and not parts.query and not parts.fragment


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# --- printing -------------------------------------------------------------------------------------------------------


def _every(section: BaseModel, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], FieldInfo, object]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _every(value, (*above, name))
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            for number, item in enumerate(value):
                yield from _every(item, (*above, name, str(number)))
        else:
            yield (*above, name), field, value


def _shown(value: object) -> str:
    if value is None:
        return ""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _password_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = [item for item in parts.query.split("&") if item.lower().startswith("password=")]
    return parts.password or "".join(query)


def _without_password(value: object) -> str:
    url = str(value)
    if not _password_of(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    user, _, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    query = "&".join(
        f"password={HIDDEN}" if item.lower().startswith("password=") else item for item in parts.query.split("&")
    )
    at = "@" if user else ""
    return urlunsplit(parts._replace(netloc=f"{name}{colon}{HIDDEN if colon else ''}{at}{host}", query=query))
