"""The demo tenant's data: whole, repeatable, invented, and as varied as a real term's mail."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import os
import re
import zipfile
from collections import Counter
from email.message import EmailMessage
from pathlib import Path

import msoffcrypto
import openpyxl
import pytest
from docx import Document
from pypdf import PdfReader
from ruamel.yaml import YAML

from connectors.faketenant import demo
from connectors.faketenant.demo import attachments
from scanner.errors import ConfigError

ROOT = Path(__file__).parent.parent
HERE = ROOT / "connectors" / "faketenant" / "demo"
EXAMPLE = ROOT / "deploy" / "mailwarden.example.yaml"
# The topics of contract section 2 that a message, as opposed to a mailbox setting or a clock, can show.
TOPICS = {
    "personal_data", "weak_protection", "password_exposed", "credentials_in_mail", "personal_address",
    "personal_account_use", "sharing_personal_contact", "staff_pupil_contact", "misdirected_mail", "chain_mail",
    "junk_bulk_mail", "inappropriate_language", "sexual_content", "threats", "harassment_discrimination",
    "defamation_disrepute", "confidential_info", "safeguarding_concern", "gambling", "auctions", "private_business",
    "copyright_media", "malware_executables", "phishing", "impersonation", "subject_line", "contract_commitment",
    "personal_cloud", "ai_service",
}  # fmt: skip
ALLOWED_ONLY = {"personal_use"}


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo.build(folder)
    return folder


@pytest.fixture(scope="module")
def mails(tenant: Path) -> dict[Path, EmailMessage]:
    return {
        path: email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted((tenant / "mail").glob("*/*/*.eml"))
    }


def one_of_each(mails: dict[Path, EmailMessage]) -> dict[str, EmailMessage]:
    return {message["Message-ID"]: message for message in mails.values()}


def by_subject(mails: dict[Path, EmailMessage], subject: str) -> EmailMessage:
    return next(message for message in mails.values() if message["Subject"] == subject)


def attachment(message: EmailMessage, name: str) -> bytes:
    for part in message.iter_attachments():
        if part.get_filename() == name:
            return part.get_payload(decode=True)
    raise AssertionError(f"no attachment {name}")


def people(folder: Path) -> dict[str, object]:
    return YAML(typ="safe").load((folder / "people.yaml").read_text(encoding="utf-8"))


# --- size and shape ---------------------------------------------------------------------------------------------------


def test_it_has_at_least_twelve_mailboxes_in_two_schools_and_150_mails(tenant: Path, mails: dict[Path, EmailMessage]):
    mailboxes = {path.parent.parent.name for path in mails}
    assert len(mailboxes) >= 12
    for school in ("tarnside", "quillmoor"):
        assert sum(1 for mailbox in mailboxes if mailbox.endswith(f"@{school}.wrenfold.example")) >= 4
    assert len(one_of_each(mails)) >= 150


def test_about_two_fifths_of_the_mails_are_breaches(mails: dict[Path, EmailMessage]):
    share = sum(1 for entry in demo.expected().values() if entry.expect) / len(one_of_each(mails))
    assert 0.3 < share < 0.5


def test_two_builds_are_the_same_to_the_byte_and_an_old_mail_is_cleared_away(tmp_path: Path, tenant: Path):
    stale = tmp_path / "mail" / "b.stannard@tarnside.wrenfold.example" / "inbox" / "999.eml"
    stale.parent.mkdir(parents=True)
    stale.write_text("Subject: of an earlier build\n\n")
    kept = tmp_path / "mail" / "notes.txt"
    kept.write_text("not ours to remove")
    demo.build(tmp_path)
    assert not stale.exists()
    assert kept.exists()
    kept.unlink()

    def tree(folder: Path) -> dict[Path, bytes]:
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert tree(tmp_path) == tree(tenant)


def test_files_are_numbered_in_the_order_of_their_dates(mails: dict[Path, EmailMessage]):
    folders: dict[Path, list[EmailMessage]] = {}
    for path, message in mails.items():
        folders.setdefault(path.parent, []).append(message)
        assert int(path.stem) == len(folders[path.parent])
    for messages in folders.values():
        dates = [message["Date"].datetime for message in messages]
        assert dates == sorted(dates)
        assert dates[0].year == dates[-1].year == 2026


def test_a_message_lies_in_the_senders_sent_items_and_in_each_of_our_recipients_inboxes(
    tenant: Path, mails: dict[Path, EmailMessage]
):
    ours = tuple(f"@{domain}" for domain in people(tenant)["domains"])
    lying: dict[str, set[tuple[str, str]]] = {}
    addressed: dict[str, set[tuple[str, str]]] = {}
    for path, message in mails.items():
        key = message["Message-ID"]
        folder = "inbox" if path.parent.name == "archive" else path.parent.name
        lying.setdefault(key, set()).add((path.parent.parent.name, folder))
        wanted = addressed.setdefault(key, set())
        sender = message["From"].addresses[0].addr_spec
        if sender.endswith(ours):
            wanted.add((sender, "sentitems"))
        for field in ("To", "Cc", "Bcc"):
            for address in message[field].addresses if message[field] else ():
                if address.addr_spec.endswith(ours):
                    wanted.add((address.addr_spec, "inbox"))
    assert lying == addressed


def test_blind_recipients_show_only_in_the_senders_copy(mails: dict[Path, EmailMessage]):
    copies = [(path.parent.name, m) for path, m in mails.items() if m["Subject"] == "Harvest picnic, rain plan"]
    assert {folder: bool(message["Bcc"]) for folder, message in copies} == {"sentitems": True, "inbox": False}


def test_every_mail_parses_without_a_defect(mails: dict[Path, EmailMessage]):
    for path, message in mails.items():
        for part in message.walk():
            assert part.defects == [], path
        assert message["From"] is not None
        assert message["Date"].datetime.utcoffset() is not None, path


def test_the_clock_goes_back_in_the_last_week_of_october(mails: dict[Path, EmailMessage]):
    hours = {
        message["Date"].datetime.date().isoformat(): message["Date"].datetime.utcoffset().seconds // 3600
        for message in mails.values()
    }
    assert hours["2026-10-23"] == 1
    assert hours["2026-10-26"] == 0


# --- what hangs on the mails ------------------------------------------------------------------------------------------


def test_workbooks_documents_and_tables_open_and_hold_their_rows(mails: dict[Path, EmailMessage]):
    book = openpyxl.load_workbook(
        io.BytesIO(attachment(by_subject(mails, "Children for the Saturday robotics sessions"), "robotics-signup.xlsx"))
    )
    assert [cell.value for cell in book.worksheets[0][2]][:3] == ["Ridd", "Callie", "14/02/2014"]
    plan = Document(
        io.BytesIO(attachment(by_subject(mails, "Draft plan after Tuesday's review"), "Draft plan KA.docx"))
    )
    assert plan.paragraphs[0].text.startswith("Education, Health and Care Plan")
    export = attachment(by_subject(mails, "Upload for the reading scheme"), "export.csv").decode()
    assert len(list(csv.DictReader(io.StringIO(export)))) == 7


def test_a_hidden_sheet_is_hidden_and_a_protected_one_opens(mails: dict[Path, EmailMessage]):
    hidden = by_subject(mails, "Attendance summary for the benchmark")
    book = openpyxl.load_workbook(io.BytesIO(attachment(hidden, "attendance-summary.xlsx")))
    assert {sheet.title: sheet.sheet_state for sheet in book} == {"Totals": "visible", "source": "hidden"}
    protected = by_subject(mails, "Leavers' information for the breakfast club")
    book = openpyxl.load_workbook(io.BytesIO(attachment(protected, "breakfast-club.xlsx")))
    assert book.worksheets[0].protection.sheet
    assert book.worksheets[0]["A2"].value == "Filip Sobczak"


def test_pdfs_read_as_written(mails: dict[Path, EmailMessage]):
    page = PdfReader(io.BytesIO(attachment(by_subject(mails, "Respite place from Monday"), "letter.pdf"))).pages[0]
    assert "Dora Lasky (9M, born 27 May 2013)" in page.extract_text()


def test_the_old_zip_cipher_opens_with_its_password_and_with_no_other(mails: dict[Path, EmailMessage]):
    data = attachment(by_subject(mails, "Half-term holiday club, again"), "club-forms.zip")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = archive.infolist()[0]
        assert entry.flag_bits & 1
        assert archive.read(entry, b"Chapel-Rise-3").startswith(b"Collection list")
        with pytest.raises(RuntimeError):
            archive.read(entry)
        with pytest.raises((RuntimeError, zipfile.BadZipFile)):
            archive.read(entry, b"Chapel-Rise-4")


def test_an_archive_in_an_archive_holds_the_report(mails: dict[Path, EmailMessage]):
    outer = zipfile.ZipFile(io.BytesIO(attachment(by_subject(mails, "Papers for the new referral"), "papers.zip")))
    inner = zipfile.ZipFile(io.BytesIO(outer.read("part-1.zip")))
    assert "speech" in Document(io.BytesIO(inner.read("report.docx"))).paragraphs[0].text.lower()


def test_an_enclosed_mail_is_a_mail_again(mails: dict[Path, EmailMessage]):
    enclosed = next(by_subject(mails, "For your advice").iter_attachments())
    assert enclosed.get_content_type() == "message/rfc822"
    inner = enclosed.get_content()
    assert inner["Subject"] == "Notes after the conference"
    assert "core group" in inner.get_content()


def test_a_cut_document_does_not_open_and_the_rest_do(mails: dict[Path, EmailMessage]):
    for message in one_of_each(mails).values():
        for part in message.iter_attachments():
            name = part.get_filename() or ""
            if not name.endswith((".docx", ".xlsx")) or name in locked_names():
                continue
            whole = zipfile.is_zipfile(io.BytesIO(part.get_payload(decode=True)))
            assert whole is (name != "winter play script.docx"), name


def locked_names() -> dict[str, str]:
    """File and password of each table row in the folder's README; an empty password where none is needed."""
    table = (HERE / "locked" / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)`|no password at all) \|", table, re.M))


def test_the_folder_of_locked_files_and_its_table_agree():
    assert {path.name for path in (HERE / "locked").iterdir()} - {"README.md"} == set(locked_names())


@pytest.mark.parametrize(("name", "password"), locked_names().items())
def test_a_locked_file_opens_with_the_password_of_the_table_and_with_no_other(name: str, password: str):
    data = (HERE / "locked" / name).read_bytes()
    if name.endswith(".pdf"):
        reader = PdfReader(io.BytesIO(data))
        assert reader.is_encrypted
        assert bool(reader.decrypt("")) is (password == "")
        assert reader.decrypt(password)
        assert reader.pages[0].extract_text()
        return
    office = msoffcrypto.OfficeFile(io.BytesIO(data))
    assert office.is_encrypted()
    office.load_key(password=password)
    opened = io.BytesIO()
    office.decrypt(opened)
    assert openpyxl.load_workbook(opened).worksheets[0].max_row > 1
    with pytest.raises(msoffcrypto.exceptions.InvalidKeyError):
        msoffcrypto.OfficeFile(io.BytesIO(data)).load_key(password=password + "x", verify_password=True)


def test_the_passwords_that_mails_give_away_are_the_right_ones(mails: dict[Path, EmailMessage]):
    given = {
        "dashboard-upload.xlsx": by_subject(mails, "Pupil premium file for the dashboard").get_body().get_content(),
        "bundle-index.xlsx": by_subject(mails, "And the key").get_content(),
        "manifest.xlsx": by_subject(mails, "Trip manifest, password for the file: Bittern-88-Reed")["Subject"],
    }
    for name, text in given.items():
        assert locked_names()[name] in text


# --- what should be found ---------------------------------------------------------------------------------------------


def test_every_topic_that_a_mail_can_show_is_expected_somewhere(mails: dict[Path, EmailMessage]):
    expected = demo.expected()
    assert expected.keys() <= one_of_each(mails).keys()
    found = Counter(topic for entry in expected.values() for topic in entry.expect)
    assert set(found) == TOPICS
    assert {topic for entry in expected.values() for topic in entry.allow} <= TOPICS | ALLOWED_ONLY
    assert found["personal_data"] >= 20


def test_a_quoted_reply_repeats_what_it_answers(mails: dict[Path, EmailMessage]):
    answer = by_subject(mails, "RE: Photo day - who may not be photographed")
    question = by_subject(mails, "Photo day - who may not be photographed")
    assert answer["In-Reply-To"] == question["Message-ID"]
    own, _, quoted = answer.get_content().partition("_" * 32)
    assert "restraining order" in quoted
    assert "restraining order" not in own


# --- nobody real ------------------------------------------------------------------------------------------------------


def everything() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.y*ml")))


def test_every_host_is_reserved_or_a_mail_provider():
    providers = {
        "gmail.com", "hotmail.com", "hotmail.co.uk", "outlook.com", "btinternet.com", "icloud.com", "proton.me",
        "virginmedia.com", "yahoo.co.uk", "sky.com", "wp.pl", "live.co.uk", "talktalk.net", "aol.com",
    }  # fmt: skip
    hosts = set(re.findall(r"[\w+-]@([a-z0-9.-]+\.[a-z]+)", everything()))
    assert {host for host in hosts if not host.endswith(".example")} <= providers


def test_every_telephone_number_is_from_the_drama_ranges():
    numbers = re.findall(r"\b0\d{4} ?\d{6}\b", everything())
    assert len(numbers) > 10
    for number in numbers:
        assert number.startswith(("01632 960", "07700 900")), number


def test_every_postcode_lies_in_a_district_that_does_not_exist():
    # No range of postcodes is reserved for fiction. Truro's districts end at TR27, apart from the large user TR93.
    postcodes = re.findall(r"\b([A-Z]{1,2}\d{1,2}) \d[A-Z]{2}\b", everything())
    assert len(postcodes) > 10
    assert set(postcodes) <= {f"TR{district}" for district in range(41, 47)}


def test_every_nhs_number_is_from_the_synthetic_range():
    numbers = re.findall(r"\b\d{3} \d{3} \d{4}\b", everything())
    assert len(numbers) > 5
    assert all(number.startswith("999 ") for number in numbers)


# --- mistakes in the data ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ("a: {date: 2026-09-01 09:00, from: nobody.at.all, to: b.stannard, subject: x}", "nobody.at.all"),
        ("a: {date: 2026-09-01 09:00, from: b.stannard, to: c.trask, subject: x, sbuject: y}", "unknown key 'sbuject'"),
        ("a: {date: 2026-09-01 09:00, from: b.stannard, to: c.trask, subject: x, reply: b}", "no earlier mail"),
        (
            "a: {date: 2026-09-01 09:00, from: b.stannard, to: c.trask, subject: x, attach: [{name: a.bin}]}",
            "no known content",
        ),
        ("a: [", "YAML"),
    ],
)
def test_a_mistake_in_the_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, complaint: str):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("people.yaml", "letterhead.yml"):
        (data / name).write_bytes((HERE / name).read_bytes())
    (data / "mails_one.yml").write_text(entry, encoding="utf-8")
    monkeypatch.setattr(demo, "HERE", data)
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        demo.build(tmp_path / "out")


def test_the_badge_is_a_png_of_its_size():
    assert attachments.logo()[:8] == b"\x89PNG\r\n\x1a\n"
    assert attachments.logo()[16:24] == bytes([0, 0, 0, 32, 0, 0, 0, 32])


# --- the deployment's example settings --------------------------------------------------------------------------------


def test_the_example_settings_load_and_every_path_in_them_is_absolute(monkeypatch: pytest.MonkeyPatch):
    from scanner import settings

    forget_environment(monkeypatch)
    loaded = settings.load(EXAMPLE)
    assert loaded.public_url == "https://mailwarden.trust.example"
    assert loaded.tenant is not None
    assert loaded.tenant.mailboxes.include == ("head@trust.example", "office@trust.example")
    written = re.findall(r"(?:_file|_dir): (\S+)", EXAMPLE.read_text(encoding="utf-8"))
    assert len(written) >= 10
    assert all(path.startswith("/") for path in written)


def test_the_example_names_every_setting_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from scanner import settings

    forget_environment(monkeypatch)
    text = EXAMPLE.read_text(encoding="utf-8")
    for row in settings.describe(settings.load(EXAMPLE)):
        assert re.search(rf"^ *(?:# )?{row.name.rpartition('.')[2]}:", text, re.M), f"{row.name} is not in the example"
    # Every commented line, uncommented, is a setting as well; what excludes another takes its place.
    text = re.sub(r"^( *)# (?=[a-z_]+: \S)", r"\1", text, flags=re.M)
    alternatives = (
        "client_secret_file",
        "federated_token_file",
        "managed_identity",
        "smtp_host",
        "smtp_user",
        "smtp_password_file",
    )
    for alternative in alternatives:
        text = re.sub(rf"^ *{alternative}:.*\n", "", text, flags=re.M)
    everything = tmp_path / "mailwarden.yaml"
    everything.write_text(text, encoding="utf-8")
    settings.load(everything)


def test_the_defaults_that_the_example_gives_are_the_real_ones():
    from scanner import settings

    text = EXAMPLE.read_text(encoding="utf-8")
    table = settings.Settings.model_construct()
    sections = {
        "tenant": settings.Tenant(tenant_id="t", client_id="c"),
        "scan": table.scan,
        "web": table.web,
        "limits": table.scan.limits,
    }
    checked = 0
    for section, model in sections.items():
        for name, value in model:
            written = re.search(rf"^ *# {name}: ([^\s#\[]+)", text, re.M)
            if written and value is not None:
                assert float(written[1]) == value if isinstance(value, int | float) else written[1] == value, (
                    section,
                    name,
                )
                checked += 1
    assert checked >= 15


def test_the_unit_hands_over_the_credentials_that_the_example_names():
    unit = (ROOT / "deploy" / "systemd" / "mailwarden.service").read_text(encoding="utf-8")
    given = set(re.findall(r"^LoadCredential=([^:]+):", unit, re.M))
    used = set(re.findall(r"^ *[a-z_]+_file: /run/credentials/mailwarden\.service/(\S+)", EXAMPLE.read_text(), re.M))
    assert used == given


def forget_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("MAILWARDEN_")]:
        monkeypatch.delenv(name)
