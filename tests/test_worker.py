"""One part lost, never the run: real child processes are killed, hung and bloated in the middle of a part (D3, D4)."""

from __future__ import annotations

import base64
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from every_format import FILES, PICTURES
from made_up import GOOD, KEY, SHIPPED, TRUST, mail, rules_with

from scanner.errors import ConfigErrors, MailwardenError
from scanner.extract import Limits
from scanner.model import Envelope, People, Person, Verdict
from scanner.ports import RawItem
from scanner.work import WorkerPool
from scanner.worker import Companion, Outcome, Start, Worker, WorkerLimits, _keep

POISONED = (sys.executable, str(Path(__file__).parent / "poisoned_worker.py"))
# Enough for a busy machine; only the tests that wait for a limit set a short one.
LIMITS = WorkerLimits(wall_seconds=60, cpu_seconds=30)
RULE = GOOD.replace("severity: moderate", "severity: severe")


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Start:
    rules = rules_with(
        tmp_path_factory.mktemp("rules"),
        number=RULE,
        illness=RULE.replace("[nino]", "[health]").replace("topic: personal_data", "topic: confidential_info"),
    )
    shutil.copy(SHIPPED / "routing.yml", rules)
    (rules / "policies").mkdir()
    (rules / "policies" / "base.yml").write_text("title: t\nsource: s\nscan_mode: routine\nclauses: {}\n")
    return Start(
        rules_dir=str(rules),
        policy="base",
        people=TRUST,
        limits=Limits(),
        key_number=1,
        key=KEY.secret,
        address_space_bytes=LIMITS.address_space_bytes,
        cpu_seconds=LIMITS.cpu_seconds,
    )


@pytest.fixture(scope="module")
def shared(start: Start) -> Iterator[Worker]:
    """One worker for the tests that do not look at the process itself."""
    with Worker(start, LIMITS, POISONED) as worker:
        yield worker


def mime(*files: tuple[str, str], body: str = "See attached.", subject: str = "Order") -> bytes:
    """A mail with text attachments, encoded so that their words stand nowhere in the raw bytes."""
    lines = [
        "From: jane.smith@elt.example", "To: sales@printco.example", f"Subject: {subject}", "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="=b="', "", "--=b=", "Content-Type: text/plain", "", body,
    ]  # fmt: skip
    for name, text in files:
        encoded = base64.b64encode(text.encode()).decode()
        lines += [
            "--=b=", "Content-Type: text/plain", "Content-Transfer-Encoding: base64",
            f'Content-Disposition: attachment; filename="{name}"', "", encoded,
        ]  # fmt: skip
    return "\r\n".join([*lines, "--=b=--", ""]).encode()


def item(*files: tuple[str, str], **more: str) -> RawItem:
    return RawItem(mime(*files, **more), "message/rfc822")


def judge(worker: Worker, what: RawItem | Envelope) -> Verdict:
    (outcome,) = worker.inspect(what)
    return outcome.verdict


def told(verdict: Verdict) -> list[tuple[str, str]]:
    return [(problem.part, problem.kind) for problem in verdict.problems]


def evidence(verdict: Verdict) -> set[tuple[str, str]]:
    return {(line.label, line.part) for finding in verdict.findings for line in finding.evidence}


# --- a healthy worker -----------------------------------------------------------------------------------------------


def test_a_harmless_mail_is_judged_whole(shared: Worker) -> None:
    verdict = judge(shared, item(("a.txt", "nothing"), ("b.txt", "number QQ123456C")))
    assert verdict.complete
    assert told(verdict) == []
    assert evidence(verdict) == {("nino", "attachment/2/b.txt")}
    assert verdict.direction == "outbound"
    assert verdict.elapsed_ms > 0


def test_an_envelope_and_a_document_are_judged_too(shared: Worker) -> None:
    assert evidence(judge(shared, mail(body="QQ123456C"))) == {("nino", "body")}
    assert evidence(judge(shared, RawItem(b"QQ123456C", "document", "a.txt"))) == {("nino", "document")}


def test_each_message_of_a_mailbox_is_judged_in_its_place(shared: Worker) -> None:
    outcomes = list(shared.inspect(mailbox(mime(), mime(body="QQ123456C"), mime())))
    assert [outcome.member for outcome in outcomes] == ["!/1", "!/2", "!/3"]
    assert [len(outcome.verdict.findings) for outcome in outcomes] == [0, 1, 0]


def test_explaining_says_why_the_other_rules_stayed_quiet(shared: Worker) -> None:
    (plain,) = shared.inspect(item())
    (explained,) = shared.inspect(item(), explain=True)
    assert plain.silences == ()
    assert {silence.rule for silence in explained.silences} == {"number", "illness"}


def test_what_a_library_prints_goes_nowhere_and_an_interrupt_is_the_parents_business(
    shared: Worker, capfd: pytest.CaptureFixture[str]
) -> None:
    verdict = judge(shared, item(("a.txt", "VENOM-chatter POISON-chatter POISON-interrupt QQ123456C")))
    assert told(verdict) == []
    assert evidence(verdict) == {("nino", "attachment/1/a.txt")}
    assert capfd.readouterr() == ("", "")


# --- one part lost --------------------------------------------------------------------------------------------------

DEATHS = ["VENOM-kill", "POISON-kill", "VENOM-exit", "POISON-exit", "VENOM-segfault", "POISON-segfault"]
LIES = ["POISON-garbage", "POISON-endless_frame", "POISON-wrong_answer", "POISON-half_a_frame", "POISON-deaf"]


def expect_one_loss(worker: Worker, marker: str, kind: str) -> Verdict:
    """The part in the middle is lost, the ones before and behind it are read and their findings are there."""
    verdict = judge(
        worker,
        item(("a.txt", "number QQ123456C"), ("bad.txt", f"{marker} QQ654321C"), ("c.txt", "asthma"), body="asthma"),
    )
    assert told(verdict) == [("attachment/2/bad.txt", kind)]
    assert not verdict.complete
    assert evidence(verdict) == {
        ("nino", "attachment/1/a.txt"),
        ("health", "attachment/3/c.txt"),
        ("health", "body"),
    }
    return verdict


@pytest.mark.parametrize("marker", DEATHS)
def test_a_part_that_ends_the_process_is_one_problem(shared: Worker, marker: str) -> None:
    verdict = expect_one_loss(shared, marker, "crashed")
    assert verdict.problems[0].detail.startswith("the worker process ended (")


@pytest.mark.parametrize("marker", LIES)
def test_a_part_that_makes_the_child_answer_nonsense_is_one_problem(shared: Worker, marker: str) -> None:
    verdict = expect_one_loss(shared, marker, "crashed")
    assert verdict.problems[0].detail.startswith("the worker ")


def test_an_exception_in_a_detector_is_one_problem_without_its_words(shared: Worker) -> None:
    verdict = expect_one_loss(shared, "POISON-raise", "crashed")
    assert "VALUE-IN-A-MESSAGE" not in repr(verdict)


def test_an_exception_in_a_reader_is_one_problem_without_its_words(shared: Worker) -> None:
    verdict = expect_one_loss(shared, "VENOM-raise", "crashed")
    assert "VALUE-IN-A-MESSAGE" not in repr(verdict)


@pytest.mark.parametrize("marker", ["VENOM-spin", "POISON-sleep"])
def test_a_part_that_hangs_is_one_problem_after_the_wall_clock_limit(start: Start, marker: str) -> None:
    with Worker(start, replace(LIMITS, wall_seconds=2.5), POISONED) as worker:
        verdict = expect_one_loss(worker, marker, "timed_out")
        assert verdict.problems[0].detail == "took longer than 2.5 s"


def test_a_part_that_burns_its_cpu_seconds_is_one_problem_long_before_the_wall_clock(start: Start) -> None:
    with Worker(msgspec.structs.replace(start, cpu_seconds=1), replace(LIMITS, cpu_seconds=1), POISONED) as worker:
        verdict = expect_one_loss(worker, "POISON-spin", "timed_out")
        assert verdict.problems[0].detail == "used more than 1 s of CPU"


@pytest.mark.parametrize("step", ["VENOM", "POISON"])
def test_a_part_that_bloats_is_one_problem(start: Start, step: str) -> None:
    with Worker(start, replace(LIMITS, rss_bytes=350 << 20, ocr_rss_bytes=350 << 20), POISONED) as worker:
        verdict = expect_one_loss(worker, f"{step}-bloat", "too_large")
        assert verdict.problems[0].detail == "needed more than 350 MB of memory"


@pytest.mark.parametrize("where", ["subject", "body"])
def test_subject_and_body_can_be_the_lost_part(shared: Worker, where: str) -> None:
    verdict = judge(shared, item(("a.txt", "QQ123456C"), **{where: "POISON-kill"}))
    assert told(verdict) == [(where, "crashed")]
    assert evidence(verdict) == {("nino", "attachment/1/a.txt")}


def test_several_bad_parts_are_several_problems(shared: Worker) -> None:
    verdict = judge(
        shared,
        item(("a.txt", "VENOM-kill"), ("b.txt", "QQ123456C"), ("c.txt", "POISON-exit"), body="POISON-segfault"),
    )
    assert sorted(told(verdict)) == [
        ("attachment/1/a.txt", "crashed"),
        ("attachment/3/c.txt", "crashed"),
        ("body", "crashed"),
    ]
    assert evidence(verdict) == {("nino", "attachment/2/b.txt")}


def test_a_bad_part_deep_in_an_attached_mail_is_lost_alone(shared: Worker) -> None:
    inner = mime(("deep.txt", "VENOM-kill"), ("good.txt", "QQ123456C"), subject="inner").decode()
    head, _, rest = mime(("a.txt", "asthma")).partition(b"--=b=--")
    nested = "\r\n".join(
        ["--=b=", "Content-Type: message/rfc822", 'Content-Disposition: attachment; filename="fwd.eml"', "",
         inner.replace("=b=", "=i="), "--=b=--", ""]
    )  # fmt: skip
    verdict = judge(shared, RawItem(head + nested.encode() + rest, "message/rfc822"))
    assert told(verdict) == [("attachment/2/fwd.eml/attachment/1/deep.txt", "crashed")]
    assert ("health", "attachment/1/a.txt") in evidence(verdict)


def test_a_telling_file_name_is_withheld_in_the_problem_too(shared: Worker) -> None:
    verdict = judge(shared, item(("QQ123456C.txt", "POISON-kill"), ("b.txt", "asthma")))
    assert told(verdict) == [("attachment/1/[name withheld].txt", "crashed")]
    assert "QQ123456C" not in repr(verdict)
    assert ("health", "attachment/2/b.txt") in evidence(verdict)


# --- the message lost, never the run --------------------------------------------------------------------------------


def test_a_message_that_kills_again_and_again_is_recorded_as_crashed_and_the_next_is_judged(shared: Worker) -> None:
    hopeless = item(*((f"{number}.txt", "VENOM-kill") for number in range(6)))
    verdict = judge(shared, hopeless)
    assert told(verdict) == [("document", "crashed")]
    assert not verdict.complete
    assert verdict.findings == ()
    assert evidence(judge(shared, item(body="QQ123456C"))) == {("nino", "body")}


def test_exactly_three_lost_parts_are_borne(shared: Worker) -> None:
    files = [(f"{number}.txt", "VENOM-kill") for number in range(3)]
    assert len(told(judge(shared, item(*files, ("last.txt", "QQ123456C"))))) == 3
    assert told(judge(shared, item(*files, ("last.txt", "VENOM-kill")))) == [("document", "crashed")]


def mailbox(*messages: bytes) -> RawItem:
    parts = [
        b"From jane@elt.example Mon Sep  7 10:00:00 2026\n" + raw.replace(b"\r\n", b"\n") + b"\n" for raw in messages
    ]
    return RawItem(b"".join(parts), "application/mbox")


def test_a_bad_message_of_a_mailbox_costs_the_others_nothing(shared: Worker) -> None:
    bad = mime(("a.txt", "VENOM-kill"), ("b.txt", "QQ123456C"))
    hopeless = mime(*((f"{number}.txt", "POISON-exit") for number in range(5)))
    outcomes = list(shared.inspect(mailbox(mime(body="asthma"), bad, hopeless, mime(body="QQ123456C"))))
    assert [outcome.member for outcome in outcomes] == ["!/1", "!/2", "!/3", "!/4"]
    assert [told(outcome.verdict) for outcome in outcomes] == [
        [],
        [("attachment/1/a.txt", "crashed")],
        [("document", "crashed")],
        [],
    ]
    assert [len(outcome.verdict.findings) for outcome in outcomes] == [1, 1, 0, 1]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_message_that_kills_while_it_is_parsed_costs_the_others_nothing(shared: Worker, place: int) -> None:
    messages = [mime(body="QQ123456C")] * 2
    messages.insert(place, mime(subject="BANE-kill"))
    outcomes = list(shared.inspect(mailbox(*messages)))
    assert [outcome.member for outcome in outcomes] == ["!/1", "!/2", "!/3"]
    for number, outcome in enumerate(outcomes):
        assert told(outcome.verdict) == ([("document", "crashed")] if number == place else [])
        assert len(outcome.verdict.findings) == (0 if number == place else 1)


def test_a_mail_that_kills_while_it_is_parsed_is_lost_once(shared: Worker) -> None:
    assert told(judge(shared, item(subject="BANE-kill"))) == [("document", "crashed")]


def test_lost_messages_of_one_mailbox_are_not_taken_for_copies_of_one_another(shared: Worker) -> None:
    hopeless = mime(*((f"{number}.txt", "POISON-exit") for number in range(5)))
    outcomes = list(shared.inspect(mailbox(hopeless, mime(), hopeless)))
    assert [told(outcome.verdict) for outcome in outcomes] == [[("document", "crashed")], [], [("document", "crashed")]]
    assert outcomes[0].verdict.content_hash != outcomes[2].verdict.content_hash


def test_giving_up_in_the_middle_of_a_mailbox_leaves_no_answers_for_the_next_item(shared: Worker) -> None:
    asked = shared.inspect(mailbox(mime(body="asthma"), mime(body="asthma"), mime(body="asthma")))
    assert next(asked).member == "!/1"
    asked.close()  # type: ignore[attr-defined]
    assert evidence(judge(shared, item(body="QQ123456C"))) == {("nino", "body")}


def test_an_old_child_is_replaced_between_two_messages(start: Start) -> None:
    with Worker(start, replace(LIMITS, messages_before_renewal=1), POISONED) as worker:
        first, second = judge(worker, item(body="QQ123456C")), judge(worker, item(body="QQ123456C"))
    assert replace(first, elapsed_ms=0) == replace(second, elapsed_ms=0)


# --- what the child may know ----------------------------------------------------------------------------------------


def test_the_child_holds_no_secret_of_the_parent(start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = "hunter2-hunter2-hunter2"
    for name in ("MAILWARDEN_CLIENT_SECRET", "AZURE_CLIENT_SECRET", "PGPASSWORD", "HTTPS_PROXY", "PYTHONPATH", "HOME"):
        monkeypatch.setenv(name, f"/{secret}")
    held = tmp_path / secret
    held.write_text("key")
    with held.open() as opened, Worker(start, LIMITS, POISONED) as worker:
        opened.fileno()
        verdict = judge(worker, item(body="TELL-YOUR-SURROUNDINGS"))
    (finding,) = verdict.findings
    seen = "\n".join(finding.reasons)
    assert "PATH=" in seen, "the child did not tell: the test proves nothing"
    assert secret not in seen
    assert KEY.secret.decode() not in seen
    assert str(tmp_path) not in seen


def test_the_first_frame_keeps_its_key_to_itself_when_it_is_printed(start: Start) -> None:
    assert KEY.secret.decode() not in repr(start)


# --- configuration --------------------------------------------------------------------------------------------------


def test_configuration_errors_come_back_with_their_places_all_at_once(start: Start, tmp_path: Path) -> None:
    rules = rules_with(tmp_path, first=GOOD.replace("nino", "ninoo"), second=GOOD.replace("[nino]", "[health, sen]"))
    with Worker(msgspec.structs.replace(start, rules_dir=str(rules)), LIMITS, POISONED) as worker:
        for _ in range(2):
            with pytest.raises(ConfigErrors) as caught:
                list(worker.inspect(item()))
            assert [error.place for error in caught.value.errors] == [
                "rules/detect/first.yml:1",
                "rules/detect/second.yml:1",
            ]
            assert "no detector gives the label 'ninoo'" in str(caught.value)


def test_an_unknown_pack_is_a_configuration_error(start: Start) -> None:
    with (
        Worker(msgspec.structs.replace(start, policy="other"), LIMITS, POISONED) as worker,
        pytest.raises(ConfigErrors) as caught,
    ):
        worker.ready()
    assert "there is no such pack (allowed: base)" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(3)", "exit status 3"),
        ("import time; time.sleep(3600)", "took longer than"),
        ("print('hello, this is no frame')", "could not be started"),
    ],
)
def test_a_child_that_cannot_start_is_one_plain_sentence_each_time(start: Start, code: str, words: str) -> None:
    with Worker(start, replace(LIMITS, start_seconds=1.0), (sys.executable, "-c", code)) as worker:
        for _ in range(2):
            with pytest.raises(MailwardenError, match=words) as caught:
                list(worker.inspect(item()))
            assert not isinstance(caught.value, ConfigErrors)


def test_of_a_child_that_cannot_start_the_kind_and_place_are_told_and_no_words(start: Start, tmp_path: Path) -> None:
    code = (
        "from scanner import worker\n"
        "def fail(start): open('/nonexistent/model')\n"
        "def quote(start): raise RuntimeError('VALUE-IN-A-MESSAGE')\n"
        "worker._Bench.build = staticmethod({0})\n"
        "worker.main()"
    )
    for deed, words in (("fail", "FileNotFoundError about /nonexistent/model at "), ("quote", "RuntimeError at ")):
        command = (sys.executable, "-c", code.format(deed))
        with Worker(start, LIMITS, command) as worker, pytest.raises(MailwardenError) as caught:
            worker.ready()
        assert f"could not be started: {words}" in str(caught.value)
        assert "VALUE" not in str(caught.value)
        assert not isinstance(caught.value, ConfigErrors)


def test_a_child_that_a_hook_and_no_path_leads_to_its_packages_can_be_ready(start: Start) -> None:
    """As an editable installation does it: what is imported behind the walls must be readable there."""
    root = str(Path(__file__).resolve().parent.parent)
    code = (
        "import importlib.abc, importlib.util, os, sys\n"
        f"root = {root!r}\n"
        "sys.path[:] = [path for path in sys.path if path and os.path.realpath(path) != os.path.realpath(root)]\n"
        "class Finder(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('scanner', 'detectors', 'connectors'):\n"
        "            folder = os.path.join(root, name)\n"
        "            init = os.path.join(folder, '__init__.py')\n"
        "            return importlib.util.spec_from_file_location(name, init, submodule_search_locations=[folder])\n"
        "sys.meta_path.append(Finder())\n"
        "import scanner.worker\n"
        "assert 'detectors' not in sys.modules\n"
        "scanner.worker.main()"
    )
    with Worker(start, LIMITS, (sys.executable, "-I", "-c", code)) as worker:
        assert "nino" in worker.ready().labels


def test_what_a_child_says_it_opened_is_one_of_what_it_was_given(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = Worker._judged

    def forged(self: Worker, watch: object) -> Iterator[object]:
        for one in judged(self, watch):  # type: ignore[arg-type]
            yield msgspec.structs.replace(one, verdict=replace(one.verdict, opens=(-1, 0, 1, 7)))

    monkeypatch.setattr(Worker, "_judged", forged)
    with Worker(start, LIMITS, POISONED) as worker:
        companions = [Companion.of(item()), Companion.of(item())]
        (two,) = worker.inspect(item(), companions=[one for one in companions if one is not None])
        (none,) = worker.inspect(item())
    assert (two.verdict.opens, none.verdict.opens) == ((0, 1), ())


def test_a_pack_of_rules_and_versions_is_told_when_ready(shared: Worker) -> None:
    ready = shared.ready()
    assert ready.labels == ("health", "nino", "person")
    assert ready.versions.detectors == "words"
    assert ready is shared.ready()


# --- its other answers ----------------------------------------------------------------------------------------------


def test_a_newer_snapshot_of_people_counts_from_the_next_message_on(start: Start) -> None:
    sealed = replace(TRUST, protected=("printco.example",), version="2")
    with Worker(start, LIMITS, POISONED) as worker:
        assert len(judge(worker, item(body="QQ123456C")).findings) == 1
        worker.new_people(sealed)
        assert judge(worker, item(body="QQ123456C")).findings == ()
        judge(worker, item(("a.txt", "POISON-kill")))
        assert judge(worker, item(body="QQ123456C")).findings == (), "a restarted child must know the newer snapshot"


def test_grading_a_file_that_kills_says_unknown_and_the_next_is_graded(shared: Worker) -> None:
    _, protection = shared.grade(b"VENOM-kill", "a.pdf")
    assert (protection.grade, protection.readable_without_password) == ("unknown", False)
    media_type, protection = shared.grade(b"plain words", "a.txt")
    assert (media_type, protection.grade, protection.readable_without_password) == ("text/plain", "none", True)


def test_revealing_a_message_whose_part_kills_says_which(shared: Worker) -> None:
    lost = shared.reveal(item(("a.txt", "VENOM-kill")))
    assert [(problem.part, problem.kind) for problem in lost.problems] == [("attachment/1/a.txt", "crashed")]
    shown = shared.reveal(item(("a.txt", "words"), body="Good morning."))
    assert {part.path: part.text for part in shown.parts} == {
        "subject": "Order",
        "body": "Good morning.",
        "attachment/1/a.txt": "words",
    }
    assert shown.parties == ("jane.smith@elt.example", "sales@printco.example")
    assert ("Subject", "Order") in shown.headings


# --- the pool -------------------------------------------------------------------------------------------------------


def test_a_pool_hands_on_every_answer_and_every_failure_in_its_place(start: Start) -> None:
    def unreadable() -> RawItem:
        raise MailwardenError("cannot be read")

    def loading(what: RawItem) -> Callable[[], RawItem]:
        return lambda: what

    pool = WorkerPool(start, 1, LIMITS)
    pool._workers[0]._command = POISONED
    with pool:
        items = [
            ("bad", loading(item(("a.txt", "VENOM-kill")))),
            ("gone", unreadable),
            ("good", loading(item(body="QQ123456C"))),
        ]
        answers = dict(pool.judge_all(iter(items)))
    assert isinstance(answers["gone"], MailwardenError)
    bad, good = answers["bad"], answers["good"]
    assert isinstance(bad, list)
    assert isinstance(good, list)
    assert told(bad[0].verdict) == [("attachment/1/a.txt", "crashed")]
    assert isinstance(good[0], Outcome)
    assert len(good[0].verdict.findings) == 1


def test_a_pool_of_nobody_is_refused(start: Start) -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        WorkerPool(start, 0)


# --- the real thing -------------------------------------------------------------------------------------------------


def test_the_real_child_with_all_detectors_and_the_shipped_rules_judges_a_mail(start: Start) -> None:
    with Worker(msgspec.structs.replace(start, rules_dir=str(SHIPPED)), LIMITS) as worker:
        verdict = judge(worker, item(("a.txt", "The NHS number of Leila Haddad is 943 476 5919."), body="As promised."))
        assert {"nhs", "person", "health", "address_self"} <= set(worker.ready().labels)
    assert [finding.topic for finding in verdict.findings] == ["personal_data"]
    assert ("nhs", "attachment/1/a.txt") in evidence(verdict)
    assert verdict.findings[0].route is not None
    assert verdict.findings[0].route.role == "dpo"


def test_a_child_that_takes_nothing_in_holds_nobody_up(start: Start) -> None:
    crowd = People(people=tuple(Person(f"p{number}@elt.example", "A B", "staff") for number in range(5_000)))
    deaf = msgspec.structs.replace(start, people=crowd)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        Worker(deaf, WorkerLimits(wall_seconds=1, start_seconds=30), command) as worker,
        pytest.raises(MailwardenError, match="does not take its work"),
    ):
        worker.ready()


LATE = ("book.xlsx", "book.xls", "page.pdf", "files.7z", "files 5.rar", "mail.msg", "letter.docx")


def test_what_one_worker_compiled_the_next_need_not(start: Start, tmp_path: Path) -> None:
    """The service's process writes it down; a name that leads elsewhere is not followed."""
    kept = tmp_path / "cache" / "compiled"
    keeping = msgspec.structs.replace(start, rules_dir=str(SHIPPED), kept_dir=str(kept))
    written = []
    for _ in range(2):
        with Worker(keeping, LIMITS) as worker:
            assert worker.ready().made is None  # megabytes that nobody needs any more
            body = "For the form: Ron Tanner, national insurance number AB 12 34 56 C."
            # Everything that loads late, the recognition model among it, must be readable behind the walls.
            files = [("scan.png", PICTURES["picture.png"]()), *((name, FILES[name].data) for name in LATE)]
            (outcome,) = worker.inspect(mail(body=body, files=files))
            assert outcome.verdict.problems == ()
            assert "personal_data" in [item.topic for item in outcome.verdict.findings]
        written.append([(path.name, path.stat().st_mtime_ns) for path in kept.iterdir()])
    assert len(written[0]) == 1
    assert written[0] == written[1]
    _keep(kept, "../outside", b"data")
    assert [path.name for path in kept.parent.iterdir()] == ["compiled"]
    for number in range(10):
        _keep(kept, f"{number:064x}", b"data")
    assert len(list(kept.iterdir())) == 8
