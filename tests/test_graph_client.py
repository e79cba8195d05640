"""The one place for waiting, paging and pinning: what the client sends, repeats, refuses and says."""

from __future__ import annotations

import json
import os
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl

import pytest
from graph.contract import IMPATIENT, checked_fake, client_for, contract, tokens_for
from graph.tenants import JO, two_mailboxes

from connectors.entra import ClientSecret
from connectors.faketenant.faults import Fault, Plan, state_gone, throttled, unavailable
from connectors.faketenant.server import FakeTenant
from connectors.faketenant.tenant import FakeUser, Tenant
from connectors.graph import GraphClient, Patience, UnsureOutcome, is_state_gone, segment
from scanner.errors import ConfigError, ConnectorError

FOLDERS = f"/users/{segment(JO)}/mailFolders"
INBOX = f"{FOLDERS}/inbox"


def read_inbox(client: GraphClient) -> dict[str, object]:
    return client.get(INBOX, what="opening the inbox", mailbox=JO, params={"$select": "id"})


def test_it_pages_through_ten_at_a_time_and_asks_with_the_query_only_once() -> None:
    tenant = two_mailboxes()
    for number in range(25):
        tenant.add_folder(JO, f"Class {number}")
    with checked_fake(tenant) as fake:
        names = [
            f["displayName"]
            for f in client_for(fake).pages(FOLDERS, what="listing", mailbox=JO, params={"$select": "displayName"})
        ]
        requests = fake.graph("/mailFolders")
    assert len(names) == 25 + 10
    assert len(requests) == 4
    assert [[name for name, _ in request.query] for request in requests[1:]] == [["$skiptoken"]] * 3


def test_every_request_carries_its_own_request_id() -> None:
    with checked_fake(two_mailboxes()) as fake:
        client = client_for(fake)
        read_inbox(client)
        read_inbox(client)
        ids = {request.headers["client-request-id"] for request in fake.graph()}
    assert len(ids) == 2


def test_it_waits_exactly_as_long_as_retry_after_asks() -> None:
    waits: list[float] = []
    with checked_fake(two_mailboxes(), Plan(throttled("/inbox", "17"), throttled("/inbox", "3"))) as fake:
        read_inbox(client_for(fake, wait=waits.append))
    assert waits == [17.0, 3.0]


def test_it_reads_retry_after_as_a_date_too() -> None:
    waits: list[float] = []
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    with checked_fake(two_mailboxes(), Plan(throttled("/inbox", later))) as fake:
        read_inbox(client_for(fake, wait=waits.append))
    assert len(waits) == 1
    assert 60 < waits[0] <= 120


@pytest.mark.parametrize("header", [None, "soon", "-5", "1e3", "٣"])
def test_without_a_usable_retry_after_it_backs_off_with_jitter(header: str | None) -> None:
    waits: list[float] = []
    fault = throttled("/inbox", header, times=3)
    if header == "٣":
        fault.headers = {"Retry-After": "\u00b2"}  # a digit to Unicode and not to HTTP
    with checked_fake(two_mailboxes(), Plan(fault)) as fake:
        patience = Patience(attempts=4, first_wait=8, longest_backoff=20)
        read_inbox(client_for(fake, patience=patience, wait=waits.append))
    assert len(waits) == 3
    assert all(bound / 2 <= wait <= bound for wait, bound in zip(waits, (8, 16, 20), strict=True))


def test_it_does_not_cut_a_long_retry_after_short_but_gives_up_for_now() -> None:
    waits: list[float] = []
    with checked_fake(two_mailboxes(), Plan(throttled("/inbox", "90000"))) as fake:
        with pytest.raises(ConnectorError) as caught:
            read_inbox(client_for(fake, wait=waits.append))
        assert len(fake.graph("/inbox")) == 1
    assert not waits
    assert not caught.value.permanent


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_it_repeats_what_the_server_could_not_do_and_stops_at_the_bound(status: int) -> None:
    with checked_fake(two_mailboxes(), Plan(unavailable("/inbox", status, times=99))) as fake:
        with pytest.raises(ConnectorError) as caught:
            read_inbox(client_for(fake, patience=IMPATIENT))
        assert len(fake.graph("/inbox")) == IMPATIENT.attempts
    assert (caught.value.permanent, caught.value.status, caught.value.code) == (False, status, "UnknownError")


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_it_never_repeats_what_cannot_succeed(status: int) -> None:
    fault = Fault("/mailFolders", status=status, code="ErrorAccessDenied", message="No.\r\nInjected: line", times=9)
    with FakeTenant(two_mailboxes(), Plan(fault)) as fake:
        with pytest.raises(ConnectorError, match="request-id") as caught:
            read_inbox(client_for(fake))
        assert len(fake.graph()) == 1
    assert caught.value.permanent
    assert caught.value.status == status
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["before", "amid"])
def test_a_broken_connection_is_tried_again(kind: str) -> None:
    with checked_fake(two_mailboxes(), Plan(Fault("/inbox", times=2, reset=kind))) as fake:  # type: ignore[arg-type]
        assert read_inbox(client_for(fake))["id"]
        assert len(fake.graph("/inbox")) == 3


def test_an_expired_token_is_replaced_once_and_a_second_refusal_is_final() -> None:
    with checked_fake(two_mailboxes()) as fake:
        client = client_for(fake)
        read_inbox(client)
        fake.sign_in.expire()
        read_inbox(client)
        assert [request.status for request in fake.graph()] == [200, 401, 200]
        fake.plan.add(Fault("/inbox", times=9, status=401, code="InvalidAuthenticationToken"))
        with pytest.raises(ConnectorError) as caught:
            read_inbox(client)
        assert len(fake.graph()) == 5
    assert caught.value.permanent


def test_a_claims_challenge_reaches_the_sign_in() -> None:
    challenge = (
        'Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZX19fQ=="'
    )
    fault = Fault("/inbox", status=401, code="InvalidAuthenticationToken", headers={"WWW-Authenticate": challenge})
    with checked_fake(two_mailboxes(), Plan(fault)) as fake:
        read_inbox(client_for(fake))
        forms = [e.body for e in fake.exchanges if e.path.endswith("/token")]
    assert len(forms) == 2
    asked = [dict(parse_qsl(form.decode()))["claims"] for form in forms]
    assert all("CP1" in claims for claims in asked)  # without it Entra would send no challenge
    assert ["essential" in claims for claims in asked] == [False, True]


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com.evil.example/v1.0/users",
        "https://evil.example/v1.0/users",
        "http://127.0.0.1/v1.0/users",
        "https://127.0.0.1:1/v1.0/users",
        "https://127.0.0.1@evil.example/v1.0/users",
        "//evil.example/v1.0/users",
        "users",
    ],
)
def test_a_link_to_another_host_is_never_followed(link: str) -> None:
    def elsewhere(page: dict[str, object]) -> dict[str, object]:
        return {**page, "@odata.nextLink": link}

    with FakeTenant(two_mailboxes(), Plan(Fault("/mailFolders", change=elsewhere))) as fake:
        with pytest.raises(ConnectorError) as caught:
            list(client_for(fake).pages(FOLDERS, what="listing", mailbox=JO))
        assert len(fake.graph()) == 1
    assert caught.value.permanent


def test_a_link_that_names_the_host_with_another_user_does_not_count_as_the_host() -> None:
    with FakeTenant(two_mailboxes()) as fake:
        client = client_for(fake)
        with pytest.raises(ConnectorError, match="configured Graph host"):
            client.get(fake.url.replace("https://", "https://someone@") + "/v1.0/users", what="reading")


def test_a_redirect_is_not_followed() -> None:
    fault = Fault("/inbox", status=302, headers={"Location": "https://evil.example/"})
    with FakeTenant(two_mailboxes(), Plan(fault)) as fake, pytest.raises(ConnectorError, match="redirect"):
        read_inbox(client_for(fake))


def test_a_page_without_value_is_an_error_and_not_an_empty_page() -> None:
    fault = Fault("/mailFolders", change=lambda page: {k: v for k, v in page.items() if k != "value"})
    with FakeTenant(two_mailboxes(), Plan(fault)) as fake, pytest.raises(ConnectorError, match="'value'"):
        list(client_for(fake).pages(FOLDERS, what="listing", mailbox=JO))


def test_an_answer_above_the_limit_is_cut_off() -> None:
    tenant = two_mailboxes()
    message = tenant.deliver(JO, "inbox", b"Subject: big\r\n\r\n" + b"x" * 500_000)
    with checked_fake(tenant) as fake:
        path = f"/users/{segment(JO)}/messages/{segment(message.id)}/$value"
        with pytest.raises(ConnectorError) as caught:
            client_for(fake).get_bytes(path, what="fetching", mailbox=JO, limit=100_000)
    assert caught.value.code == "TooLarge"


def test_at_most_three_requests_a_mailbox_are_in_flight() -> None:
    plan = Plan()
    plan.hold = threading.Event()
    with checked_fake(two_mailboxes(), plan) as fake:
        client = client_for(fake)
        threads = [threading.Thread(target=read_inbox, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert fake.limits.wait_for(JO, 3, seconds=10)
        assert not fake.limits.wait_for(JO, 4, seconds=0.2)
        plan.hold.set()
        for thread in threads:
            thread.join(10)
        assert fake.limits.peak[JO] == 3
        assert len(fake.graph("/inbox")) == 8


def test_the_fake_refuses_the_fifth_request_in_flight() -> None:
    plan = Plan()
    plan.hold = threading.Event()
    with checked_fake(two_mailboxes(), plan) as fake:
        threads: list[threading.Thread] = []

        def until_the_others_are_done(_: float) -> None:
            plan.hold.set()
            for thread in threads[:4]:
                thread.join(10)

        clients = [client_for(fake, wait=until_the_others_are_done) for _ in range(5)]
        threads += [threading.Thread(target=read_inbox, args=(client,)) for client in clients]
        for thread in threads[:4]:
            thread.start()
        assert fake.limits.wait_for(JO, 4, seconds=10)
        threads[4].start()
        for thread in threads:
            thread.join(10)
        statuses = sorted(request.status for request in fake.graph("/inbox"))
    assert statuses == [200] * 5 + [429]


def test_a_post_is_repeated_after_429_and_never_after_an_unclear_end() -> None:
    path, body = (
        f"/users/{segment(JO)}/sendMail",
        {"message": {"toRecipients": [{"emailAddress": {"address": "a@b.example"}}]}},
    )
    with checked_fake(two_mailboxes(), Plan(throttled("/sendMail", "1"))) as fake:
        client_for(fake, wait=lambda _: None).post(path, body, what="sending", mailbox=JO)
        assert len(fake.sent) == 1
    for fault in (unavailable("/sendMail", 504), unavailable("/sendMail", 503), Fault("/sendMail", reset="before")):
        with checked_fake(two_mailboxes(), Plan(fault)) as fake:
            with pytest.raises(UnsureOutcome):
                client_for(fake).post(path, body, what="sending", mailbox=JO)
            assert len(fake.graph("/sendMail")) == 1


def test_the_token_wins_over_an_entry_in_netrc(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = os.path.join(tmp_path, "netrc")
    with open(netrc, "w", encoding="ascii") as file:
        file.write("machine 127.0.0.1 login somebody password nothing\n")
    monkeypatch.setenv("NETRC", netrc)
    with checked_fake(two_mailboxes()) as fake:
        assert read_inbox(client_for(fake))["id"]


def test_the_given_trust_store_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: os.PathLike[str]
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", os.path.join(tmp_path, "none.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with checked_fake(two_mailboxes()) as fake:
        assert read_inbox(client_for(fake))["id"]


def test_an_unknown_certificate_is_refused_with_advice() -> None:
    with FakeTenant(two_mailboxes()) as fake:
        with pytest.raises(ConnectorError, match="ca_file") as caught:
            read_inbox(client_for(fake, ca_file=None))
        assert not fake.graph()
    assert caught.value.permanent


def test_a_host_that_is_not_there_is_named_and_may_be_tried_again() -> None:
    with socket.socket() as unused, FakeTenant(two_mailboxes()) as fake:
        unused.bind(("127.0.0.1", 0))
        client = client_for(fake, graph_url=f"https://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(ConnectorError, match=r"127\.0\.0\.1 cannot be reached \(Connection refused\)") as caught:
            read_inbox(client)
    assert not caught.value.permanent


def test_a_trust_file_that_has_gone_is_named() -> None:
    with FakeTenant(two_mailboxes()) as fake:
        client = client_for(fake)
        read_inbox(client)
    with pytest.raises(ConnectorError, match=r"ca\.pem is not a readable file of certificates"):
        read_inbox(client)


def test_a_busy_sign_in_service_is_waited_for() -> None:
    waits: list[float] = []
    with checked_fake(two_mailboxes(), Plan(Fault("openid-configuration", reset="before"))) as fake:
        assert read_inbox(client_for(fake, wait=waits.append))["id"]
    assert len(waits) == 1


def test_a_wrong_secret_is_said_in_one_sentence_by_check() -> None:
    with FakeTenant(two_mailboxes()) as fake:
        client = client_for(fake, tokens=tokens_for(fake, credential=ClientSecret("wrong-secret-value")))
        (sentence,) = client.check("mail")
    assert "client secret is wrong" in sentence
    assert "wrong-secret-value" not in sentence


@pytest.mark.parametrize(
    "url", ["http://graph.example", "graph.example", "https://", "https://user@graph.example", "https://g.example?x"]
)
def test_a_graph_url_that_is_not_https_is_refused(url: str) -> None:
    with FakeTenant(Tenant()) as fake, pytest.raises(ConfigError, match="graph_url"):
        client_for(fake, graph_url=url)


def test_expired_state_is_told_by_status_or_code_without_case() -> None:
    assert is_state_gone(ConnectorError("x", permanent=True, status=410))
    assert is_state_gone(ConnectorError("x", permanent=True, status=404, code="syncStateNotFound"))
    assert is_state_gone(ConnectorError("x", permanent=True, status=400, code="ResyncRequired"))
    assert not is_state_gone(ConnectorError("x", permanent=True, status=404, code="ErrorItemNotFound"))
    assert not is_state_gone(ConnectorError("x", permanent=False, status=503, code="resyncRequired"))
    assert state_gone("/").code == "SyncStateNotFound"


def test_no_error_body_at_all_still_makes_a_sentence() -> None:
    fault = Fault("/inbox", status=404, body={})
    with FakeTenant(Tenant(), Plan(fault)) as fake:
        fake.tenant.add_user(FakeUser(JO, "Jo Reed"))
        with pytest.raises(ConnectorError, match=r"opening the inbox: 404 \(request-id"):
            read_inbox(client_for(fake))


def test_the_contract_check_itself_notices_a_stray_header_and_an_unknown_parameter() -> None:
    with FakeTenant(two_mailboxes()) as fake:
        client_for(fake).get(
            INBOX,
            what="opening",
            mailbox=JO,
            params={"$color": "red"},
            headers={"X-Stray": "1", "client-request-id": "7"},
        )
        said = "\n".join(contract().violations(fake.exchanges))
    assert "$color is not described" in said
    assert "x-stray is not described" in said
    assert "client-request-id" in said
    assert json.loads(fake.exchanges[-1].answer)["id"]
