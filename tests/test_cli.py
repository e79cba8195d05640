"""The command line as a script sees it: formats, exit codes and sentences of the contract (sections 1 to 4)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path

import pytest

CLEAN = "Thank you, see you on Friday."
BREACH = "For the form: Ron Tanner, national insurance number AB 12 34 56 C."


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests here, so that the rules prove themselves once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(cache: Path):
    def call(*arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MAILWARDEN")}
        environment |= {"XDG_CACHE_HOME": str(cache), "COLUMNS": "160"}
        command = [sys.executable, "-m", "scanner.cli", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, env=environment, cwd=cwd, timeout=300)

    return call


def write_mail(path: Path, body: str, to: str = "desk@outdoorcentre.example") -> Path:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "jane.smith@elt.example", to, "Trip"
    message["Date"] = "Mon, 07 Sep 2026 10:00:00 +0100"
    message["Message-ID"] = f"<{path.stem}@elt.example>"
    message.set_content(body)
    path.write_bytes(message.as_bytes())
    return path


def lines_of(finished: subprocess.CompletedProcess[bytes]) -> list[dict]:
    return [json.loads(line) for line in finished.stdout.decode().splitlines()]


def test_scan_says_found_with_1_and_prints_only_json_on_a_pipe(run, tmp_path: Path) -> None:
    write_mail(tmp_path / "clean.eml", CLEAN)
    write_mail(tmp_path / "breach.eml", BREACH)
    finished = run("scan", str(tmp_path), "--format", "jsonl")
    assert finished.returncode == 1
    by_name = {Path(line["path"]).name: line for line in lines_of(finished)}
    assert by_name["clean.eml"]["findings"] == []
    [finding] = by_name["breach.eml"]["findings"]
    assert (finding["topic"], finding["category"], finding["clauses"]) == (
        "personal_data",
        "personal_data",
        ["base:1.1"],
    )
    assert finding["evidence"][0]["mask"].endswith("6C")
    assert b"AB 12 34" not in finished.stdout + finished.stderr
    assert b"Tanner" not in finished.stdout + finished.stderr


def test_scan_of_clean_mail_ends_with_0(run, tmp_path: Path) -> None:
    write_mail(tmp_path / "clean.eml", CLEAN)
    finished = run("scan", str(tmp_path))
    assert finished.returncode == 0
    assert b"1 clean" in finished.stdout


def test_a_missing_path_ends_with_2_and_the_rest_is_scanned_all_the_same(run, tmp_path: Path) -> None:
    write_mail(tmp_path / "breach.eml", BREACH)
    finished = run("scan", str(tmp_path / "nowhere.eml"), str(tmp_path / "breach.eml"), "--format", "jsonl")
    assert finished.returncode == 2
    assert b"nowhere.eml" in finished.stderr
    assert len(lines_of(finished)) == 1


def test_nothing_found_but_something_unread_ends_with_2(run, tmp_path: Path) -> None:
    (tmp_path / "unknown.bin").write_bytes(bytes(range(256)) * 40)
    finished = run("scan", str(tmp_path), "--format", "jsonl")
    assert finished.returncode == 2
    [line] = lines_of(finished)
    assert line["complete"] is False
    assert line["problems"][0]["kind"] == "unsupported"


def test_an_mbox_gives_a_line_for_each_message(run, tmp_path: Path) -> None:
    first = write_mail(tmp_path / "1.eml", CLEAN).read_bytes()
    second = write_mail(tmp_path / "2.eml", BREACH).read_bytes()
    store = tmp_path / "box"
    store.write_bytes(b"From a Mon Sep  7 10:00:00 2026\n" + first + b"\nFrom b Mon Sep  7 10:00:00 2026\n" + second)
    finished = run("scan", str(store), "--format", "jsonl")
    assert sorted(line["path"].rpartition("box")[2] for line in lines_of(finished)) == ["!/1", "!/2"]


def test_people_decide_who_is_inside(run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "inside.eml", BREACH, to="sam.lee@elt.example")
    people = Path(__file__).parents[1] / "rules" / "examples.people.yml"
    inside = run("scan", str(mail), "--people", str(people), "--format", "jsonl")
    assert (inside.returncode, lines_of(inside)[0]["direction"]) == (0, "internal")
    outside = run("scan", str(mail), "--people", str(people), "--as", "outbound", "--format", "jsonl")
    assert (outside.returncode, lines_of(outside)[0]["direction"]) == (1, "outbound")


def test_html_is_one_page_and_csv_has_a_row_for_each_finding(run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "breach.eml", BREACH)
    page = run("scan", str(mail), "--format", "html").stdout.decode()
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "http://" not in page
    rows = run("scan", str(mail), "--format", "csv").stdout.decode().splitlines()
    assert len(rows) == 2
    assert rows[1].split(",")[1] == "personal_data"


def test_explain_says_why_other_rules_stayed_quiet(run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "breach.eml", BREACH)
    [line] = lines_of(run("scan", str(mail), "--format", "jsonl", "--explain"))
    quiet = {item["rule"]: item["reason"] for item in line["silent_rules"]}
    assert "subject line says something" in quiet["subject_line"]


def test_explain_names_the_rules_that_wait_for_the_past(run, tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text(
        "organisation: X\ndomains: [elt.example]\npeople:\n"
        "  - {email: jane.smith@elt.example, name: Jane Smith, role: staff, personal_addresses: [jane84@mail.example]}\n"
    )
    heads = "From: jane.smith@elt.example\nTo: jane84@mail.example\nSubject: a\nDate: Mon, 07 Sep 2026 10:00:00 +0100\n"
    mail = tmp_path / "file.eml"
    mail.write_text(
        heads + "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nabc\n"
    )
    said = run("rules", "explain", str(mail), "--people", str(people)).stdout.decode()
    assert "personal_address_emptying waits for the past" in said
    assert "many files went to private addresses within a month" in said
    assert "personal_address_emptying stayed quiet" not in said
    [line] = lines_of(run("scan", str(mail), "--people", str(people), "--format", "jsonl", "--explain"))
    waiting = {item["rule"]: item["needs"] for item in line["waiting_rules"]}
    assert waiting["personal_address_emptying"] == ["many files went to private addresses within a month"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("organisation: X\ndomain: [a.example]\n", "people.yaml:2"),
        ("people:\n  - {email: nobody, name: A B, role: staff}\n", "people.yaml:2"),
        ("people: [", "people.yaml"),
    ],
)
def test_a_bad_people_file_names_place_and_what_is_allowed(run, tmp_path: Path, content: str, named: str) -> None:
    people = tmp_path / "people.yaml"
    people.write_text(content)
    finished = run("scan", str(write_mail(tmp_path / "a.eml", CLEAN)), "--people", str(people))
    assert finished.returncode == 2
    assert named in finished.stderr.decode()
    assert "Traceback" not in finished.stderr.decode()


def test_detect_prints_hits_with_code_point_offsets(run) -> None:
    text = "Siân’s NI number is AB\u00a012\u00a034\u00a056\u00a0C.\nNothing here.\n"
    finished = run("detect", "-", stdin=text.encode())
    assert finished.returncode == 1
    [hit] = [hit for hit in lines_of(finished) if hit["label"] == "nino"]
    assert text[hit["start"] : hit["end"]] == "AB\u00a012\u00a034\u00a056\u00a0C"
    assert hit["confidence"] >= 0.75
    by_line = run("detect", "-", "--lines", stdin=b"Nothing here.\nHer NI number is AB 12 34 56 C.\n")
    assert [hit["line"] for hit in lines_of(by_line) if hit["label"] == "nino"] == [2]
    assert run("detect", "-", stdin=b"Nothing here.").returncode == 0
    assert run("detect", "/nowhere.txt").returncode == 2


def test_protection_grades_by_bytes_and_ends_with_0(run, tmp_path: Path) -> None:
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.4 not much of one")
    finished = run("protection", str(file), "--format", "jsonl")
    assert finished.returncode == 0
    [line] = lines_of(finished)
    assert set(line) == {"path", "type", "protection", "mechanism", "readable_without_password", "reasons"}
    assert run("protection", str(tmp_path / "nowhere.pdf")).returncode == 2


def test_rules_check_and_test_pass_on_the_shipped_set_and_name_mistakes(run, tmp_path: Path) -> None:
    assert run("rules", "check").returncode == 0
    tested = run("rules", "test")
    assert tested.returncode == 0, tested.stdout.decode()
    detect = tmp_path / "rules" / "detect"
    detect.mkdir(parents=True)
    (detect / "broken.yml").write_text("title: Broken\nsevrity: minor\n")
    finished = run("rules", "check", "--rules", str(tmp_path / "rules"))
    assert finished.returncode == 2
    assert "rules/detect/broken.yml:2: unknown key 'sevrity' (allowed: title," in finished.stderr.decode()


def test_settings_hide_secrets_and_name_mistakes(run, tmp_path: Path) -> None:
    config = tmp_path / "mailwarden.yaml"
    config.write_text("web:\n  port: many\n")
    finished = run("settings", "--config", str(config))
    assert finished.returncode == 2
    assert "mailwarden.yaml:2" in finished.stderr.decode()
    config.write_text("store: {url: 'postgresql+psycopg://mw:hunter2pass@db.example/mw'}\n")
    finished = run("settings", "--config", str(config))
    assert b"hunter2pass" not in finished.stdout + finished.stderr


def test_run_without_a_tenant_is_one_sentence(run, tmp_path: Path) -> None:
    finished = run("run", "--once", cwd=tmp_path)
    assert finished.returncode == 2
    assert "no tenant is configured" in finished.stderr.decode()


def test_run_once_names_what_is_out_of_reach(run, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("made-up")
    (tmp_path / "mailwarden.yaml").write_text(
        "tenant: {tenant_id: 11111111-2222-3333-4444-555555555555, client_id: app, client_secret_file: secret,\n"
        "         graph_url: 'https://127.0.0.1:9', authority: 'https://127.0.0.1:9'}\n"
    )
    finished = run("run", "--once", cwd=tmp_path)
    assert finished.returncode == 2
    said = finished.stderr.decode()
    assert "127.0.0.1" in said
    assert "Traceback" not in said


def test_people_without_domains_are_refused_and_a_wrong_file_is_noticed(run, tmp_path: Path) -> None:
    mail = write_mail(tmp_path / "breach.eml", BREACH)
    people = tmp_path / "people.yaml"
    people.write_text("domains: []\n")
    nobody = run("scan", str(mail), "--people", str(people))
    assert nobody.returncode == 2
    assert "names no domains" in nobody.stderr.decode()
    people.write_text("domains: [elsewhere.example]\n")
    assert "is it the right file?" in run("scan", str(mail), "--people", str(people)).stderr.decode()


def test_nothing_to_scan_is_said(run, tmp_path: Path) -> None:
    finished = run("scan", str(tmp_path))
    assert (finished.returncode, finished.stdout.decode().strip()) == (2, "Nothing was read.")
    assert "no mail and no document" in finished.stderr.decode()


def test_an_empty_file_is_not_clean(run, tmp_path: Path) -> None:
    (tmp_path / "nothing.txt").touch()
    finished = run("scan", str(tmp_path))
    assert (finished.returncode, finished.stdout.decode().strip()) == (
        2,
        "1 looked at, 0 with findings, 1 empty, 0 clean.",
    )


def test_a_command_that_only_reads_makes_no_database_and_no_key(run, tmp_path: Path) -> None:
    config = tmp_path / "mailwarden.yaml"
    config.write_text(
        f"store: {{url: sqlite:///{tmp_path / 'mailwarden.db'}}}\nroot_key_file: {tmp_path / 'root.key'}\n"
    )
    finished = run("authorise", "list", "--config", str(config))
    assert finished.returncode == 2
    assert "there is no database yet" in finished.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == ["mailwarden.yaml"]


def test_a_rule_that_is_not_there_is_refused_with_those_that_are(run, tmp_path: Path) -> None:
    finished = run("rules", "explain", str(write_mail(tmp_path / "breach.eml", BREACH)), "--rule", "nosuch")
    assert finished.returncode == 2
    assert "there is no rule nosuch" in finished.stderr.decode()
    assert "personal_data_identifier" in finished.stderr.decode()


def test_missing_labels_are_named(run, tmp_path: Path) -> None:
    finished = run("rules", "backtest", "--rules", "rules", "--labelled", str(tmp_path))
    assert (finished.returncode, "there is no labels.jsonl in" in finished.stderr.decode()) == (2, True)


def test_settings_say_which_named_file_is_missing(run, tmp_path: Path) -> None:
    config = tmp_path / "mailwarden.yaml"
    config.write_text("people_file: nowhere.yaml\n")
    finished = run("settings", "--config", str(config))
    assert finished.returncode == 2
    assert "people_file" in finished.stderr.decode()
    assert "web.port = 8765" in finished.stdout.decode()


def test_scan_sees_the_wrong_sarah_by_who_was_written_to_before(run, tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text(
        "organisation: T\ndomains: [elt.example]\npeople:\n"
        "  - {email: jane.smith@elt.example, name: Jane Smith, role: staff}\n"
        "contacts:\n  - {email: sarah.arden@gmail.com, name: Sarah Arden, pupils: [Tom Arden]}\n"
        "  - {email: sarah.birch@gmail.com, name: Sarah Birch, pupils: [Una Birch]}\n"
    )
    mails = tmp_path / "mails"
    mails.mkdir()
    told = "He was diagnosed with epilepsy; the psychologist's report on his self-harm is on its way."
    write_mail(mails / "last.eml", told, "sarah.birch@gmail.com")

    def topics() -> set[str]:
        lines = lines_of(run("scan", str(mails), "--people", str(people), "--format", "jsonl"))
        last = next(line for line in lines if line["path"].endswith("last.eml"))
        return {finding["topic"] for finding in last["findings"]}

    assert "misdirected_mail" not in topics()
    for day in range(1, 7):
        path = write_mail(mails / f"{day}.eml", "The meeting is on Thursday.", "sarah.arden@gmail.com")
        path.write_bytes(path.read_bytes().replace(b"07 Sep 2026", f"0{day} Sep 2026".encode()))
    assert "misdirected_mail" in topics()


def test_scan_weighs_the_third_harsh_mail_to_one_person_more_whatever_the_order_of_the_files(
    run, tmp_path: Path
) -> None:
    for name, day in (("c", "07"), ("a", "08"), ("b", "09")):
        path = write_mail(
            tmp_path / f"{name}.eml", "Nobody here can stand you. We will make your life a misery until you resign."
        )
        path.write_bytes(path.read_bytes().replace(b"Mon, 07 Sep", day.encode() + b" Sep"))
    finished = run("scan", str(tmp_path), "--format", "jsonl")
    by_name = {Path(line["path"]).stem: line["findings"] for line in lines_of(finished)}
    severities = {name: found[0]["severity"] for name, found in by_name.items()}
    assert set(severities.values()) == {"severe"}  # by the rule; the third can weigh no more, and says why it would
    said = {
        name: any("3 messages of this kind" in why for why in found[0]["reasons"]) for name, found in by_name.items()
    }
    assert said == {"c": False, "a": False, "b": True}


def test_scan_tells_of_a_file_as_often_as_it_is_named(run, tmp_path: Path) -> None:
    harsh = write_mail(
        tmp_path / "a.eml", "Nobody here can stand you. We will make your life a misery until you resign."
    )
    calm = write_mail(tmp_path / "b.eml", "The meeting is on Thursday.")
    named = [str(harsh), str(calm), str(tmp_path)]
    lines = lines_of(run("scan", *named, "--format", "jsonl"))
    assert sorted(Path(line["path"]).name for line in lines) == ["a.eml"] * 2 + ["b.eml"] * 2
