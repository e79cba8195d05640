"""The triage page: who may see what, signing in, deciding, reading a message once, and what every answer carries."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import get_args

import httpx
import pyotp
import pytest
import web_cases
from fastapi.testclient import TestClient
from web_cases import ADMIN, DPO, HEAD, NOW, PASSWORD

from scanner.conditions import KindIs
from scanner.errors import ConnectorError, MailwardenError
from scanner.exemptions import Exemption, Exemptions
from scanner.governance import NotAuthorisedError
from scanner.inspection import Silence
from scanner.model import CaseState, ProblemKind, Segment, SegmentOwner
from scanner.policy import load_policy
from scanner.rule_sets import Change
from scanner.rulebook import TOPICS, load_rulebook
from scanner.store import Appearance, Store
from scanner.web import Explained, RevealResult, WebServices, create_app, hash_password, wording
from scanner.web import session as session_module
from scanner.web.pages import plain
from scanner.web.session import Sessions, password_fits, totp_step
from scanner.web.sign_in import safe_target
from scanner.web.urls import URLS

KEY = b"k" * 32
STATIC = Path(session_module.__file__).parent / "static"


RULES = Path(__file__).parents[1] / "rules"
RULEBOOK = load_rulebook(RULES)
POLICY = load_policy(RULES, "base", RULEBOOK)


def _exception(name: str, last_day: int) -> Exemption:
    return Exemption(
        name, ("gambling",), KindIs(("message",)), "Agreed.", "dpo", date(2026, 10, last_day), "rules/exceptions.yml:2"
    )


class Desk:
    """A store with the sample cases, a clock that can be moved, and a browser."""

    rules_notice = ""
    not_judged = ""
    may_reveal = frozenset({"dpo", "manager"})

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(f"sqlite:///{folder / 'triage.db'}")
        web_cases.commit(self.store, web_cases.sample_messages())
        web_cases.add_account(self.store, "dana", "dpo", DPO)
        web_cases.add_account(self.store, "hal", "manager", HEAD)
        web_cases.add_account(self.store, "ada", "admin", ADMIN)
        self.now = NOW + timedelta(hours=1)
        self.asked: list[Appearance] = []
        self.answer: RevealResult | MailwardenError | None = None

    def reveal(self, place: Appearance) -> RevealResult:
        self.asked.append(place)
        if isinstance(self.answer, MailwardenError):
            raise self.answer
        return self.answer or web_cases.revealed(place)

    def explain(self, place: Appearance) -> Explained:
        self.asked.append(place)
        if isinstance(self.answer, MailwardenError):
            raise self.answer
        return Explained(
            (web_cases.CLASS_LIST,),
            (Silence("gambling", "sender", "no gambling", 1, 2, ("no gambling of confidence 0.75 or more",), 0.5),),
            self.answer.parties if self.answer else frozenset(),
            self.not_judged,
        )

    def browser(self, public_url: str = "http://127.0.0.1:8025", base_url: str = "http://testserver") -> TestClient:
        services = WebServices(
            store=self.store,
            clock=lambda: self.now,
            session_key=KEY,
            public_url=public_url,
            reveal=self.reveal,
            explain=self.explain,
            may_reveal=self.may_reveal,
            rulebook=RULEBOOK,
            policy=POLICY,
            exemptions=Exemptions((_exception("centre", 4), _exception("theatre", 5))),
            rules_notice=self.rules_notice,
            rule_changes=lambda: [Change(NOW, "ada", "approved", "0123456789ab", "fewer false alarms")],
            policy_title="Example Learning Trust acceptable use",
            gaps=("forwarding that an administrator set on a mailbox",),
        )
        return TestClient(
            create_app(lambda: services), follow_redirects=False, base_url=base_url, raise_server_exceptions=False
        )

    def signed_in(self, name: str) -> TestClient:
        browser = self.browser()
        assert sign_in(browser, name).status_code == 303
        return browser


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Filled once; each test works on a copy, because argon2 takes its time."""
    folder = tmp_path_factory.mktemp("triage")
    Desk(folder).store.close()
    return folder / "triage.db"


@pytest.fixture
def desk(filled: Path, tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "triage.db").write_bytes(filled.read_bytes())
    desk = Desk.__new__(Desk)
    desk.store = Store.open(f"sqlite:///{tmp_path / 'triage.db'}")
    desk.now = NOW + timedelta(hours=1)
    desk.asked = []
    desk.answer = None
    yield desk
    desk.store.close()


def token(answer: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert found, answer.text[:400]
    return found[1]


def sign_in(
    browser: TestClient, name: str, password: str = PASSWORD, code: str = "", next_: str = "/"
) -> httpx.Response:
    csrf = token(browser.get("/sign-in"))
    return browser.post(
        "/sign-in", data={"csrf": csrf, "name": name, "password": password, "code": code, "next": next_}
    )


def titles(answer: httpx.Response) -> list[str]:
    return re.findall(r'<a class="title" href="/cases/\d+">([^<]+)</a>', answer.text)


def acts(desk: Desk) -> list[tuple[str, str, str]]:
    return [(entry.actor, entry.action, entry.object) for entry in desk.store.audit_entries()]


# --- signing in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [url.path.replace("{case_id}", "1") for url in URLS if url.method == "GET"])
def test_nothing_but_the_sign_in_page_is_shown_to_a_stranger(desk: Desk, path: str) -> None:
    answer = desk.browser().get(path)
    if path in {"/sign-in", "/health"}:
        assert answer.status_code == 200
    elif path.startswith("/api/"):
        assert (answer.status_code, answer.json()) == (401, {"error": "Sign in first."})
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?next=")
    assert "NHS" not in answer.text


@pytest.mark.parametrize(
    ("name", "password"),
    [("dana", "wrong horse battery"), ("nobody", PASSWORD), ("dana", ""), ("", PASSWORD), ("da\x00na", PASSWORD)],
)
def test_a_wrong_name_or_password_is_refused_in_the_same_words(desk: Desk, name: str, password: str) -> None:
    browser = desk.browser()
    answer = sign_in(browser, name, password)
    assert answer.status_code == 401
    assert "The account name, the password or the code is not right." in answer.text
    assert browser.get("/cases").status_code == 303


def test_it_lets_the_right_person_in_and_goes_on_to_where_they_wanted(desk: Desk) -> None:
    browser = desk.browser()
    answer = sign_in(browser, " Dana ", next_="/cases/1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/cases/1")
    assert browser.get("/cases/1").status_code == 200
    assert ("dana", "signed in", "account/dana") in acts(desk)


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\nb", "/" + "x" * 600],
)
def test_it_never_goes_on_to_another_host(target: str) -> None:
    assert safe_target(target) == "/"


def test_five_wrong_tries_lock_the_account_with_a_clear_sentence(desk: Desk) -> None:
    browser = desk.browser()
    for _ in range(4):
        assert "locked" not in sign_in(browser, "dana", "wrong horse battery").text
    assert "this account is locked until 5 October 2026, 11:4" in sign_in(browser, "dana", "wrong horse battery").text
    answer = sign_in(browser, "dana")
    assert answer.status_code == 401
    assert "locked until" in answer.text
    desk.now += timedelta(minutes=16)
    assert sign_in(browser, "dana").status_code == 303


def test_a_code_is_asked_for_where_the_account_has_one_and_works_once(desk: Desk) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    web_cases.add_account(desk.store, "tess", "dpo", "tess@elt.example", totp_secret=secret)
    code = pyotp.TOTP(secret).at(desk.now)
    assert sign_in(desk.browser(), "tess").status_code == 401
    assert sign_in(desk.browser(), "tess", code="000000").status_code == 401
    browser = desk.browser()
    assert sign_in(browser, "tess", code=f"{code[:3]} {code[3:]}").status_code == 303
    assert sign_in(browser, "tess", code=code).status_code == 401


def test_codes_of_the_neighbouring_steps_count_and_no_other() -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    totp = pyotp.TOTP(secret)
    for seconds, fits in ((-90, False), (-30, True), (0, True), (30, True), (90, False)):
        code = totp.at(NOW + timedelta(seconds=seconds))
        assert (totp_step(secret, code, NOW) is not None) is fits
    assert totp_step(secret, "12345", NOW) is None


def test_a_session_ends_after_thirty_idle_minutes_and_after_eight_hours(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    desk.now += timedelta(minutes=29)
    assert browser.get("/cases").status_code == 200
    desk.now += timedelta(minutes=29)
    assert browser.get("/cases").status_code == 200
    desk.now += timedelta(minutes=31)
    assert browser.get("/cases").status_code == 303
    browser = desk.signed_in("dana")
    for _ in range(23):
        desk.now += timedelta(minutes=20)
        assert browser.get("/help").status_code == 200
    desk.now += timedelta(minutes=20)
    assert browser.get("/help").status_code == 303


def test_signing_out_ends_a_copied_cookie_too(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    stolen = browser.cookies["mailwarden"]
    answer = browser.post("/sign-out", data={"csrf": token(browser.get("/help"))})
    assert answer.headers["location"] == "/sign-in?bye=1"
    thief = TestClient(browser.app, follow_redirects=False, cookies={"mailwarden": stolen})
    assert thief.get("/cases").status_code == 303
    assert "You are signed out." in browser.get("/sign-in?bye=1").text


def test_a_changed_password_ends_the_sessions_of_the_old_one(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    desk.store.change_password("dana", password_hash=hash_password("another long password"), actor="ada", now=desk.now)
    assert browser.get("/cases").status_code == 303


def test_a_forged_or_foreign_cookie_is_nothing(desk: Desk) -> None:
    other = Sessions(b"x" * 32, secure=False)
    forged = other.write(other.start(desk.now, account="dana", password_hash="h"), desk.now)
    for cookie in (forged, "rubbish", "e30.x", ""):
        browser = desk.browser()
        browser.cookies.set("mailwarden", cookie)
        assert browser.get("/cases").status_code == 303


def test_signing_in_replaces_the_session_that_was_there_before(desk: Desk) -> None:
    browser = desk.browser()
    browser.get("/sign-in")
    before = browser.cookies["mailwarden"]
    sign_in(browser, "dana")
    planted = TestClient(browser.app, follow_redirects=False, cookies={"mailwarden": before})
    assert planted.get("/cases").status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(desk: Desk) -> None:
    plain_cookie = desk.browser().get("/sign-in").headers["set-cookie"]
    assert "HttpOnly" in plain_cookie
    assert "samesite=strict" in plain_cookie.lower()
    assert "Secure" not in plain_cookie
    secure = desk.browser("https://mailwarden.elt.example").get("/sign-in").headers["set-cookie"]
    assert secure.startswith("__Host-mailwarden=")
    assert "Secure" in secure
    assert "Path=/" in secure


def test_a_link_in_a_mail_is_asked_again_from_our_own_page(desk: Desk) -> None:
    from_mail = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    answer = desk.browser().get("/cases/1?x=%22%3E", headers=from_mail)
    assert answer.status_code == 200
    assert 'content="0; url=/cases/1?x=%22%3E"' in answer.text
    assert desk.browser().get("/cases/1", headers={"sec-fetch-site": "same-origin"}).status_code == 303


def test_a_password_is_long_and_its_hash_is_argon2id() -> None:
    with pytest.raises(ValueError, match="12 to 1024"):
        hash_password("short")
    hashed = hash_password(PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert password_fits(hashed, PASSWORD)
    assert not password_fits(hashed, PASSWORD + "x")
    assert not password_fits("not a hash", PASSWORD)
    assert not password_fits(None, "mailwarden nobody at all")


# --- who sees what --------------------------------------------------------------------------------------------------


def test_a_dpo_sees_their_own_and_data_cases_but_none_that_passed_them_by(desk: Desk) -> None:
    answer = desk.signed_in("dana").get("/cases")
    assert titles(answer) == [
        "Several people&#39;s records went outside",
        "Work sent to the sender&#39;s own address",
        "A file that only looks locked",
    ]
    lying = [mailbox for mailbox, _ in desk.store.case_places(range(1, 20)).values()]
    assert f'<p class="meta"><bdi>{lying[0]}</bdi> · Case' in answer.text


def test_a_manager_sees_only_what_was_sent_to_their_address(desk: Desk) -> None:
    browser = desk.signed_in("hal")
    assert titles(browser.get("/cases")) == [
        "Work sent to the sender&#39;s own address",
        "Abusive words to a colleague",
        "Chain mail passed on",
    ]
    for path in ("/problems", "/coverage"):
        assert browser.get(path).status_code == 403


def test_coverage_names_what_nobody_looks_at(desk: Desk) -> None:
    page = desk.signed_in("ada").get("/coverage").text
    assert "What nobody looks at" in page
    assert "forwarding that an administrator set on a mailbox" in page


def test_an_admin_sees_coverage_and_problems_and_no_case(desk: Desk) -> None:
    browser = desk.signed_in("ada")
    assert browser.get("/").headers["location"] == "/problems"
    assert browser.get("/problems").status_code == browser.get("/coverage").status_code == 200
    csrf = token(browser.get("/problems"))
    assert browser.get("/cases").status_code == 403
    assert browser.get("/cases/1").status_code == 403
    assert browser.get("/api/cases").status_code == 403
    assert browser.post("/cases/1/reveal", data={"csrf": csrf, "reason": "to look at it"}).status_code == 403
    assert desk.asked == []


@pytest.mark.parametrize(
    ("name", "case_id"), [("dana", 2), ("dana", 5), ("dana", 6), ("hal", 1), ("hal", 6), ("hal", 999)]
)
def test_a_case_of_somebody_else_looks_like_one_that_does_not_exist(desk: Desk, name: str, case_id: int) -> None:
    browser = desk.signed_in(name)
    csrf = token(browser.get("/help"))
    answers = [
        browser.get(f"/cases/{case_id}"),
        browser.post(f"/cases/{case_id}/decisions", data={"csrf": csrf, "action": "confirm"}),
        browser.post(f"/cases/{case_id}/reveal", data={"csrf": csrf, "reason": "to look at it"}),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert all("for somebody else to judge" in answer.text for answer in answers)
    assert browser.get(f"/api/cases/{case_id}").status_code == 404
    step = browser.post(f"/api/cases/{case_id}/decisions", json={"action": "confirm"}, headers={"x-csrf-token": csrf})
    assert step.status_code == 404
    assert desk.asked == []
    assert {row.state for row in desk.store.cases()} == {"new"}


def test_a_case_handed_to_its_own_sender_is_not_theirs_to_judge(desk: Desk) -> None:
    route = replace(web_cases.TO_HEAD, role="sender")
    (case_id,) = web_cases.commit(
        desk.store, [web_cases.message(50, [web_cases.finding("subject_line", "Subject line", route=route)])]
    )
    browser = desk.signed_in("hal")
    assert browser.get(f"/cases/{case_id}").status_code == 404
    assert "Subject line" not in titles(browser.get("/cases"))


def test_the_number_that_could_not_be_scanned_is_in_sight_for_everybody(desk: Desk) -> None:
    for name, path in (
        ("dana", "/cases"),
        ("hal", "/cases"),
        ("hal", "/cases/2"),
        ("ada", "/coverage"),
        ("hal", "/help"),
    ):
        assert "3 messages could not be fully scanned" in desk.signed_in(name).get(path).text


# --- the list -------------------------------------------------------------------------------------------------------


def test_filters_narrow_the_list_and_say_so_when_nothing_fits(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    assert titles(browser.get("/cases?severity=severe")) == ["Several people&#39;s records went outside"]
    assert titles(browser.get("/cases?topic=weak_protection&state=new")) == ["A file that only looks locked"]
    assert titles(browser.get("/cases?route=line_manager")) == ["Work sent to the sender&#39;s own address"]
    assert titles(browser.get("/cases?order=newest"))[0] == "A file that only looks locked"
    nothing = browser.get("/cases?state=closed")
    assert "No case fits this filter" in nothing.text
    assert "That does not mean that everything is clean: 3 messages" in nothing.text


@pytest.mark.parametrize(
    "query",
    ["state=gone", "severity=awful", "topic=nothing", "route=king", "order=random", "after=0", "after=99999999999"],
)
def test_a_filter_that_does_not_exist_is_an_error_not_an_empty_list(desk: Desk, query: str) -> None:
    browser = desk.signed_in("dana")
    assert browser.get(f"/cases?{query}").status_code == 422
    assert browser.get(f"/api/cases?{query}").status_code == 422


def test_pages_of_the_list_meet_without_a_gap_or_a_repeat(desk: Desk) -> None:
    more = [
        web_cases.message(n, [web_cases.finding("personal_data", f"Case {n}", route=web_cases.TO_DPO, seed=str(n))])
        for n in range(200, 320)
    ]
    web_cases.commit(desk.store, more)
    browser = desk.signed_in("dana")
    for order in ("newest", "severest"):
        seen: list[str] = []
        path = f"/cases?state=new&order={order}"
        while path:
            answer = browser.get(path)
            seen += re.findall(r'class="title" href="/cases/(\d+)"', answer.text)
            link = re.search(r'<a class="button" href="([^"]+)">Next', answer.text)
            path = link[1].replace("&amp;", "&") if link else ""
        assert len(seen) == len(set(seen)) == 123


def test_a_line_says_what_and_for_whom(desk: Desk) -> None:
    text = desk.signed_in("dana").get("/cases").text
    assert (
        "Personal data sent outside: NHS number, date of birth, name of a person, postal address, 1 more; about 12 people"
        in text
    )
    assert "Case 1 · sent 3 Oct 2026 · found 5 Oct 2026 · for the data protection officer" in text


# --- one case -------------------------------------------------------------------------------------------------------


def test_a_case_says_what_why_where_and_what_was_not_read(desk: Desk) -> None:
    text = desk.signed_in("dana").get("/cases/1").text
    for expected in (
        "Information about an identifiable living person went to somebody outside",
        "••••••••19",
        "Often mistaken for it: ten-digit order, telephone and ISBN numbers",
        "Attachment 1: list.xlsx › Class 4",
        "NHS number (12 times): check digit correct, &#39;NHS No&#39; heads the column",
        "base:personal_data",
        "personal_data_to_outsider (3f9a1c)",
        "because personal data that leaves the trust is for the data protection officer.",
        "It was seen in 2 places.",
        "Attachment 2: plan.docx",
        "The content is encrypted, or lies with a secure-mail service",
        "decide within 72 hours",
        "3 October 2026, 09:30",
    ):
        assert expected in text, expected


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("the address is like a name", "The address is like a name"),
        ("person of interest: seen", "Person of interest: seen"),
        ("date of birth (12 times): 'DOB' nearby", "Date of birth (12 times): 'DOB' nearby"),
        ("nhs: check digit correct", "NHS number: check digit correct"),
        ("nhs", "Nhs"),
    ],
)
def test_a_reason_names_its_label_in_words(reason: str, shown: str) -> None:
    assert wording.reason_words(reason, wording.LABELS) == shown


def test_times_follow_the_clocks_of_the_united_kingdom() -> None:
    assert wording.london(datetime(2026, 7, 1, 23, 30, tzinfo=UTC)) == "2 July 2026, 00:30"
    assert wording.london(datetime(2026, 12, 1, 23, 30, tzinfo=UTC)) == "1 December 2026, 23:30"
    assert wording.london(None) == "date not known"


def test_confirming_is_recorded_in_state_history_and_audit(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    answer = browser.post("/cases/1/decisions", data={"csrf": csrf, "action": "confirm", "note": "Rang the club."})
    assert answer.headers["location"] == "/cases/1?done=confirm"
    text = browser.get("/cases/1?done=confirm").text
    assert "you confirmed that this is a breach" in text
    assert "confirmed it as a breach" in text
    assert "Rang the club." in text
    assert desk.store.cases(state="confirmed")[0].id == 1
    assert ("dana", "confirm", "case/1") in acts(desk)
    assert desk.store.verify_audit() is None


def test_a_step_that_does_not_follow_is_refused_and_the_note_is_kept_in_the_form(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    browser.post("/cases/1/decisions", data={"csrf": csrf, "action": "false_alarm"})
    answer = browser.post("/cases/1/decisions", data={"csrf": csrf, "action": "confirm", "note": "My words"})
    assert answer.status_code == 409
    assert "the state of this case is “false alarm” by now" in answer.text
    assert ">My words</textarea>" in answer.text
    assert browser.post("/cases/1/decisions", data={"csrf": csrf, "action": "reopen"}).status_code == 303
    assert desk.store.cases(state="open")[0].id == 1


@pytest.mark.parametrize(("note", "status"), [("", 422), ("   \r\n", 422), ("x" * 2001, 422), ("a\x00b\u202e", 303)])
def test_a_note_has_words_and_no_characters_that_are_none(desk: Desk, note: str, status: int) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    assert browser.post("/cases/1/decisions", data={"csrf": csrf, "action": "note", "note": note}).status_code == status
    detail = desk.store.case(1)
    assert detail is not None
    assert [step.note for step in detail.decisions] == (["ab"] if status == 303 else [])


def test_an_unknown_action_changes_nothing(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    assert browser.post("/cases/1/decisions", data={"csrf": csrf, "action": "delete"}).status_code == 422
    assert ("dana", "delete", "case/1") not in acts(desk)


@pytest.mark.parametrize("path", ["/cases/1/decisions", "/cases/1/reveal", "/sign-out", "/sign-in"])
@pytest.mark.parametrize("csrf", ["", "wrong", "é"])
def test_a_form_without_this_sessions_token_does_nothing(desk: Desk, path: str, csrf: str) -> None:
    browser = desk.signed_in("dana")
    fields = {"csrf": csrf, "action": "confirm", "reason": "a good reason", "name": "dana", "password": PASSWORD}
    assert browser.post(path, data=fields).status_code == 403
    assert browser.get("/cases").status_code == 200
    assert desk.store.cases(state="new", topic="personal_data")[-1].id == 1
    assert desk.asked == []


# --- explain --------------------------------------------------------------------------------------------------------


def test_the_rules_explain_a_case_and_the_asking_is_recorded(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    answer = browser.post("/cases/1/explain", data={"csrf": token(browser.get("/cases"))})
    assert answer.status_code == 200
    assert "the nearest miss first" in answer.text
    assert f"No {wording.LABELS['gambling']} seen with a certainty of 75% or more" in answer.text
    assert "Betting or a syndicate over work mail" in answer.text
    assert "1 of 2 conditions hold" in answer.text
    assert ("dana", "rules explained", "case/1") in acts(desk)


def test_a_wish_is_put_in_words() -> None:
    labels = {"nhs": "NHS number"}
    assert wording.wish_words("no nhs or odd_one of confidence 0.8 or more; or no lock", labels) == (
        "No NHS number or odd one seen with a certainty of 80% or more; or no lock"
    )


def test_nobody_is_told_about_another_ones_case(desk: Desk) -> None:
    browser = desk.signed_in("hal")
    assert browser.post("/cases/1/explain", data={"csrf": token(browser.get("/cases"))}).status_code in (403, 404)
    assert desk.asked == []


def test_an_explanation_is_held_to_the_conditions_of_reading(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases"))
    desk.answer = NotAuthorisedError("authorisation 3 has ended, or its review is overdue")
    answer = browser.post("/cases/1/explain", data={"csrf": csrf})
    assert answer.status_code == 403
    assert "authorisation 3 has ended, or its review is overdue. Nothing was fetched." in answer.text
    desk.answer = replace(web_cases.revealed(None), parties=frozenset({DPO}))  # type: ignore[arg-type]
    answer = browser.post("/cases/1/explain", data={"csrf": csrf})
    assert answer.status_code == 403
    assert "You are a party to this message" in answer.text
    assert "the nearest miss first" not in answer.text
    assert ("dana", "explanation refused", "case/1") in acts(desk)


def test_an_account_that_may_not_read_asks_no_rules(desk: Desk) -> None:
    desk.may_reveal = frozenset({"manager"})
    browser = desk.signed_in("dana")
    answer = browser.post("/cases/1/explain", data={"csrf": token(browser.get("/cases"))})
    assert (answer.status_code, desk.asked) == (403, [])
    assert "lets others read" in answer.text


def test_an_explanation_that_cannot_be_fetched_says_so(desk: Desk) -> None:
    desk.answer = ConnectorError("gone", permanent=True, status=404)
    browser = desk.signed_in("dana")
    answer = browser.post("/cases/1/explain", data={"csrf": token(browser.get("/cases"))})
    assert answer.status_code == 502
    assert "could not be asked again" in answer.text


# --- rules ----------------------------------------------------------------------------------------------------------


def test_the_rules_page_shows_precision_shadow_and_who_changed_what(desk: Desk) -> None:
    desk.store.decide(1, actor="dana", action="confirm", note="", now=NOW)
    text = desk.signed_in("dana").get("/rules").text
    assert RULEBOOK.version in text
    assert "approved by <bdi>ada</bdi>: <bdi>fewer false alarms</bdi>" in text
    quiet, _, off = text.partition("rules that have found nothing yet")[2].partition("rules that are off")
    assert "<code>threats</code>" in quiet or "<code>chain_mail</code>" in quiet
    assert "off under this policy" not in quiet
    assert "<code>out_of_hours</code>: off under this policy" in off
    assert "4 October 2026 <strong>(ended: counts no more)</strong>" in text
    assert "<td>5 October 2026</td>" in text  # its last day


def test_a_refused_set_is_said_on_every_page(desk: Desk) -> None:
    desk.rules_notice = "The rules in rules are refused; version 1 stays in force."
    browser = desk.signed_in("dana")
    for path in ("/cases", "/coverage", "/rules", "/help"):
        assert "stays in force" in browser.get(path).text


def test_the_rules_page_is_not_for_a_line_manager(desk: Desk) -> None:
    assert desk.signed_in("hal").get("/rules").status_code == 403


# --- reveal ---------------------------------------------------------------------------------------------------------


def test_reading_needs_a_reason(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    for reason in ("", "short", "   a   b   ", "x" * 501):
        assert browser.post("/cases/1/reveal", data={"csrf": csrf, "reason": reason}).status_code == 422
    assert desk.asked == []
    assert not [act for act in acts(desk) if act[1] == "reveal"]


def test_a_message_is_shown_once_as_plain_text_and_the_act_is_recorded(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    answer = browser.post("/cases/1/reveal", data={"csrf": csrf, "reason": "Was it the  whole class?"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "Pat Jones &lt;pat@club.example&gt;" in answer.text
    assert "&lt;b&gt;anything&lt;/b&gt;" in answer.text
    assert "Ada Byron" in answer.text
    assert "Quoted from an earlier message" in answer.text
    assert "\u202e" not in answer.text
    assert "\x07" not in answer.text
    assert "Was it the whole class?" in answer.text
    assert [place.provider_id for place in desk.asked] == ["AAMk1"]
    assert ("dana", "reveal", "case/1") in acts(desk)
    history = browser.get("/cases/1").text
    assert "read the message" in history
    assert "Ada Byron" not in history


def test_the_sentence_that_the_evidence_names_is_marked_in_the_revealed_text(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    page = browser.get("/cases/1")
    assert "line 3, sentence 2" in page.text
    shown = browser.post("/cases/1/reveal", data={"csrf": token(page), "reason": "to be sure"}).text
    assert re.findall("<mark>(.*?)</mark>", shown, re.DOTALL) == [" Ring me if &lt;b&gt;anything&lt;/b&gt; is wrong."]
    assert "line 3, sentence 2, marked below." in shown


def test_what_was_revealed_is_in_no_column_of_the_database(desk: Desk, tmp_path: Path) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    assert "Ada Byron" in browser.post("/cases/1/reveal", data={"csrf": csrf, "reason": "to be sure"}).text
    desk.store.close()
    for file in tmp_path.iterdir():
        for word in (b"Ada Byron", b"999 000 0019", b"football club"):
            assert word not in file.read_bytes()


def test_the_act_is_recorded_before_the_message_is_fetched(desk: Desk) -> None:
    desk.answer = ConnectorError("gone", permanent=True, status=404)
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    answer = browser.post("/cases/1/reveal", data={"csrf": csrf, "reason": "to be sure"})
    assert answer.status_code == 502
    assert "it has probably been deleted or moved" in answer.text
    assert [place.mailbox for place in desk.asked] == [
        "j.smith@northfield.elt.example",
        "office@northfield.elt.example",
    ]
    assert ("dana", "reveal", "case/1") in acts(desk)
    desk.answer = ConnectorError("busy", permanent=False, status=503)
    assert "please try again later" in browser.post("/cases/1/reveal", data={"csrf": csrf, "reason": "to be sure"}).text


def test_a_party_to_the_message_does_not_get_to_read_it(desk: Desk) -> None:
    desk.answer = replace(web_cases.revealed(None), parties=frozenset({DPO, "pat@club.example"}))  # type: ignore[arg-type]
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    answer = browser.post("/cases/1/reveal", data={"csrf": csrf, "reason": "to be sure"})
    assert answer.status_code == 403
    assert "You are a party to this message" in answer.text
    assert "Ada Byron" not in answer.text
    assert ("dana", "reveal refused", "case/1") in acts(desk)


def test_overlapping_segments_show_no_word_twice_and_lose_none(desk: Desk) -> None:
    part = web_cases.revealed(None).parts[0]  # type: ignore[arg-type]
    text = "alpha beta gamma delta"
    part = replace(
        part, text=text, segments=(Segment("quoted", 6, 16), Segment("signature", 11, 16), Segment("quoted", 16, 99))
    )
    desk.answer = RevealResult(headings=(), parts=(part,))
    browser = desk.signed_in("dana")
    answer = browser.post("/cases/1/reveal", data={"csrf": token(browser.get("/cases/1")), "reason": "to be sure"})
    shown = " ".join(re.findall(r"<pre[^>]*>([^<]*)</pre>", answer.text)).split()
    assert shown == text.split()


def test_acting_characters_become_visible() -> None:
    assert plain("a\u202eb\x00c\x1b[31m\td\r\ne\u2066") == "a�b�c�[31m\td\ne�"


# --- problems, coverage, help ---------------------------------------------------------------------------------------


def test_the_problems_page_says_what_happened_and_what_to_do(desk: Desk) -> None:
    browser = desk.signed_in("ada")
    desk.store.park_mailbox("broken@elt.example", "access was refused five times", desk.now)
    web_cases.commit(
        desk.store,
        [web_cases.message(60, [web_cases.finding("threats", "Threat", route=replace(web_cases.TO_HEAD, person=""))])],
    )
    text = browser.get("/problems").text
    for expected in (
        "Damaged",
        "not an OLE file",
        "Attachment 1: report.doc",
        "Ask the sender for a good copy",
        "broken@elt.example",
        "access was refused five times",
        "1 case has nobody to judge it.",
    ):
        assert expected in text, expected
    chosen = browser.get("/problems?kind=corrupt").text
    assert "plan.docx" not in chosen
    assert browser.get("/problems?kind=boredom").status_code == 422


def test_the_ledger_adds_up(desk: Desk) -> None:
    text = desk.signed_in("ada").get("/coverage").text
    assert "<strong>9</strong> messages seen" in text
    assert "<strong>6</strong> read to the end" in text
    assert "j.smith@northfield.elt.example" in text
    assert "5 Oct 2026" in text


def test_the_rules_of_each_tenants_pack_can_be_looked_at(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    laat = load_policy(RULES, "laat", RULEBOOK)
    made = WebServices.__init__

    def with_two(self: WebServices, **given: object) -> None:
        made(self, **{**given, "policies": (("North", POLICY), ("South", laat))})  # type: ignore[arg-type]

    monkeypatch.setattr(WebServices, "__init__", with_two)
    browser = desk.signed_in("dana")
    first, second = browser.get("/rules").text, browser.get("/rules?tenant=1").text
    assert POLICY.applying(RULEBOOK) in first
    assert laat.applying(RULEBOOK) in second
    assert laat.applying(RULEBOOK) not in first
    assert '<option value="1" selected>South</option>' in second
    assert browser.get("/rules?tenant=2").status_code == 404


def test_what_was_not_judged_is_counted_apart_and_explained(desk: Desk) -> None:
    result = web_cases.sample_messages()[2]
    verdict = replace(result.verdict, findings=(), content_hash="lee", not_judged="the policy does not bind the sender")
    web_cases.commit(desk.store, (replace(result, provider_id="lee", verdict=verdict),))
    text = desk.signed_in("ada").get("/coverage").text
    assert "<strong>10</strong> messages seen" in text
    assert "<strong>6</strong> read to the end" in text
    assert "<strong>1</strong> not judged" in text
    assert "not judged: the policy does not bind the sender (1)" in text
    desk.not_judged = "the policy does not bind the sender (pupil)"
    browser = desk.signed_in("dana")
    answer = browser.post("/cases/1/explain", data={"csrf": token(browser.get("/cases"))})
    assert "the policy does not bind the sender (pupil)." in answer.text


def test_every_fixed_name_has_plain_words() -> None:
    assert set(wording.TOPICS) == set(TOPICS)
    assert set(wording.PROBLEMS) == set(get_args(ProblemKind))
    assert set(wording.STATES) == set(get_args(CaseState))
    assert set(wording.SEGMENT_OWNERS) == set(get_args(SegmentOwner))
    assert set(wording.SEVERITIES) == {"minor", "moderate", "severe"}


def test_help_says_which_topics_no_rule_looks_for(desk: Desk) -> None:
    text = desk.signed_in("hal").get("/help").text
    ruled = {rule.topic for rule in RULEBOOK.rules if rule.runs}
    for topic in TOPICS:
        words = text.partition(f'id="topic-{topic}"')[2].partition("</p>")[0]
        assert ("No rule in force looks for this." in words) == (topic not in ruled), topic


def test_help_explains_every_topic_and_problem(desk: Desk) -> None:
    text = desk.signed_in("hal").get("/help").text
    for topic in wording.TOPICS:
        assert f'id="topic-{topic}"' in text
    assert "What Mailwarden cannot see" in text


# --- the JSON API ---------------------------------------------------------------------------------------------------


def test_the_api_gives_the_same_cases_and_takes_decisions_with_the_token(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    me = browser.get("/api/me").json()
    assert (me["name"], me["roles"], me["could_not_scan"]) == ("dana", ["dpo"], 3)
    listed = browser.get("/api/cases?state=new").json()
    assert [case["id"] for case in listed["cases"]] == [1, 3, 4]
    assert listed["next"] is None
    detail = browser.get("/api/cases/1").json()
    assert detail["findings"][0]["evidence"][0] == {
        "label": "nhs",
        "part": "attachment/1/list.xlsx/Class 4",
        "mask": "••••••••19",
        "count": 12,
        "confidence": 0.97,
        "where": "",
    }
    assert detail["problems"][0]["kind"] == "encrypted"
    step = {"action": "false_alarm", "note": "A test list."}
    assert browser.post("/api/cases/1/decisions", json=step).status_code == 403
    answer = browser.post("/api/cases/1/decisions", json=step, headers={"x-csrf-token": me["csrf"]})
    assert answer.json() == {"state": "false_alarm"}
    again = browser.post("/api/cases/1/decisions", json=step, headers={"x-csrf-token": me["csrf"]})
    assert again.status_code == 409
    assert "false alarm" in again.json()["error"]
    odd = browser.post(
        "/api/cases/1/decisions", json={"action": "note", "who": "me"}, headers={"x-csrf-token": me["csrf"]}
    )
    assert odd.status_code == 422


# --- what every answer carries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/cases", "/cases/1", "/help", "/nowhere", "/cases/abc", "/api/cases", "/static/style.css"]
)
def test_every_answer_carries_the_headers(desk: Desk, path: str) -> None:
    headers = desk.signed_in("dana").get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")


def test_no_page_has_an_inline_script_style_or_another_host(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    csrf = token(browser.get("/cases/1"))
    pages = [browser.get(path).text for path in ("/cases", "/cases/1", "/problems", "/coverage", "/help", "/nowhere")]
    pages.append(browser.post("/cases/1/reveal", data={"csrf": csrf, "reason": "to be sure"}).text)
    for text in pages:
        assert re.findall(r"<script(?! src=\"/static/htmx.min.js\" defer></script>)", text) == []
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text)
        assert re.findall(r"(?:src|href|action)=\"(?!/|#)", text) == []


def test_every_field_has_a_label_and_every_id_is_used_once(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    for path in ("/cases", "/cases/1", "/problems", "/coverage", "/help"):
        text = browser.get(path).text
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path
        labelled = set(re.findall(r'<label for="([^"]+)"', text))
        for field in re.findall(r"<(?:input|select|textarea)([^>]*)>", text):
            if 'type="hidden"' not in field:
                name = re.search(r'id="([^"]+)"', field)
                assert name, field
                assert name[1] in labelled, field
        assert len(re.findall(r"<h1[ >]", text)) == 1
        assert "<main" in text
        assert 'lang="en-GB"' in text


def test_what_is_too_large_is_refused_before_it_is_read(desk: Desk) -> None:
    browser = desk.signed_in("dana")
    answer = browser.post(
        "/cases/1/decisions",
        content=b"note=" + b"x" * 70_000,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 413
    chunks = (b"x" * 10_000 for _ in range(10))
    answer = browser.post(
        "/cases/1/decisions", content=chunks, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert answer.status_code in {400, 413}


def test_a_page_that_breaks_says_so_without_details(desk: Desk) -> None:
    browser = desk.signed_in("dana")

    def broken(place: Appearance) -> RevealResult:
        raise RuntimeError("secret detail of the inside")

    desk.reveal = broken  # type: ignore[method-assign]
    browser = desk.signed_in("dana")
    answer = browser.post("/cases/1/reveal", data={"csrf": token(browser.get("/cases/1")), "reason": "to be sure"})
    assert answer.status_code == 500
    assert "This page failed" in answer.text
    assert "secret" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


def test_htmx_that_finds_nobody_signed_in_goes_to_the_sign_in_page(desk: Desk) -> None:
    answer = desk.browser().get("/cases?state=new", headers={"hx-request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in?next=%2Fcases%3Fstate%3Dnew"


def test_the_vendored_htmx_is_the_one_that_its_note_names() -> None:
    note = (STATIC / "README.md").read_text()
    assert hashlib.sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest() in note
    assert "0BSD" in note


def test_a_session_key_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Sessions(b"short", secure=True)
