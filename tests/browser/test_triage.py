"""A DPO's morning in a real browser: sign in, filter, open a case, read its message, note, false alarm.

Needs a Chromium: `$CHROMIUM`, one on PATH, or, where we are root, one installed by apt. Screenshots go to the folder
named by `MAILWARDEN_SCREENSHOTS`, else to the test's own temporary folder.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
import uvicorn
import web_cases
from playwright.sync_api import BrowserContext, Page, Playwright, expect, sync_playwright

from scanner.inspection import Silence
from scanner.rulebook import load_rulebook
from scanner.store import Store
from scanner.web import Explained, WebServices, create_app

pytestmark = pytest.mark.browser
SILENCES = tuple(
    Silence(name, "sender", "no threat", 1, 2, ("no threat of confidence 0.75 or more",), 0.5)
    for name in ("auctions", "chain_mail", "gambling", "phishing_passed_on", "sexual_content", "threats")
)

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str:
    """The path of a Chromium. Fails the test with a sentence where there is none and none can be had."""
    named = os.environ.get("CHROMIUM", "")
    if named:
        if not os.access(named, os.X_OK):
            pytest.fail(f"CHROMIUM names {named}, which is not a program that can be started")
        return named
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-y", "chromium"], check=False, capture_output=True, timeout=600)
        found = shutil.which("chromium")
    if found is None:
        pytest.fail(
            "The browser test needs Chromium: set CHROMIUM to its path, or put one of "
            f"{', '.join(NAMES)} on PATH, or run as root where apt-get can install it."
        )
    return found


@dataclass
class Site:
    """The triage page, served on loopback over a temporary store."""

    url: str
    store: Store


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('triage') / 'triage.db'}")
    web_cases.commit(store, web_cases.sample_messages())
    web_cases.add_account(store, "dana", "dpo", web_cases.DPO)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    started = time.monotonic()
    services = WebServices(
        store=store,
        clock=lambda: web_cases.NOW + timedelta(hours=1, seconds=time.monotonic() - started),
        session_key=b"k" * 32,
        public_url=url,
        reveal=web_cases.revealed,
        rulebook=load_rulebook(Path(__file__).parents[2] / "rules"),
        explain=lambda place: Explained((web_cases.CLASS_LIST,), SILENCES),
        policy_title="Example Learning Trust acceptable use",
    )
    server = uvicorn.Server(uvicorn.Config(create_app(lambda: services), log_level="warning", server_header=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    for _ in range(200):
        if server.started:
            break
        time.sleep(0.05)
    yield Site(url, store)
    server.should_exit = True
    thread.join(timeout=10)
    listener.close()
    store.close()


@dataclass
class Witness:
    """What the browser asked for and complained about."""

    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture(scope="module")
def playing() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


def open_browser(
    playing: Playwright, folder: Path, *, dark: bool = False, width: int = 1280, scripts: bool = True
) -> BrowserContext:
    """A browser with an empty profile of its own."""
    return playing.chromium.launch_persistent_context(
        str(folder),
        executable_path=find_chromium(),
        args=list(FLAGS),
        color_scheme="dark" if dark else "light",
        viewport={"width": width, "height": 900},
        java_script_enabled=scripts,
        locale="en-GB",
    )


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("MAILWARDEN_SCREENSHOTS") or tmp_path / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sign_in(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/")
    page.get_by_label("Account name").fill("dana")
    page.get_by_label("Password").fill(web_cases.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Cases").wait_for()


def test_a_dpo_walks_from_sign_in_to_a_decision(site: Site, playing: Playwright, tmp_path: Path, shots: Path) -> None:
    with open_browser(playing, tmp_path / "profile") as browser:
        page = browser.pages[0]
        witness = Witness()
        witness.watch(page)

        page.goto(f"{site.url}/cases/1")
        assert "/sign-in?next=" in page.url
        page.screenshot(path=shots / "sign-in.png")
        sign_in(page, site)
        assert page.locator(".cases li").count() == 3
        page.screenshot(path=shots / "list.png", full_page=True)

        # The filter changes the list in place, and the address with it.
        page.get_by_label("Severity").select_option("severe")
        page.wait_for_url("**severity=severe**")
        expect(page.locator(".cases li")).to_have_count(1)
        expect(page.get_by_role("status").first).to_have_text("1 case shown")
        page.get_by_role("link", name="Several people's records went outside").click()
        page.get_by_role("heading", name="Evidence, masked").wait_for()
        assert "••••••••19" in page.content()
        page.screenshot(path=shots / "case.png", full_page=True)

        page.get_by_label("Why do you need to read it?").fill("Is it the whole class, or the team only?")
        page.get_by_role("button", name="Reveal the message").click()
        page.get_by_role("heading", name="Message of case 1").wait_for()
        assert "Ada Byron" in page.content()
        page.screenshot(path=shots / "reveal.png", full_page=True)
        page.get_by_role("link", name="Back to the case, to decide").click()

        page.get_by_label("Note", exact=True).fill("Rang the club: the list was a made-up example.")
        page.get_by_role("button", name="Add note only").click()
        page.get_by_text("Your note was added.").wait_for()
        page.get_by_role("button", name="False alarm").click()
        page.get_by_text("you marked this a false alarm").wait_for()
        page.screenshot(path=shots / "decided.png", full_page=True)
        assert "Ada Byron" not in page.content()

        page.get_by_role("link", name="Could not scan").click()
        page.get_by_role("heading", name="Could not scan").wait_for()
        page.screenshot(path=shots / "problems.png", full_page=True)
        page.goto(f"{site.url}/cases/3")
        page.get_by_role("button", name="Explain").click()
        page.get_by_role("heading", name="Stayed quiet, the nearest miss first").wait_for()
        page.get_by_text("1 more that was further off").click()
        page.screenshot(path=shots / "explain.png", full_page=True)
        page.get_by_role("link", name="Rules").click()
        page.get_by_role("heading", name="How right they are").wait_for()
        page.screenshot(path=shots / "rules.png", full_page=True)
        page.get_by_role("link", name="Coverage").click()
        page.get_by_role("heading", name="Coverage").wait_for()
        page.screenshot(path=shots / "coverage.png", full_page=True)
        page.get_by_role("link", name="Help", exact=True).click()
        page.screenshot(path=shots / "help.png")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_text("You are signed out.").wait_for()

    assert witness.hosts == {site.url.removeprefix("http://")}
    assert witness.complaints == []
    done = [(entry.actor, entry.action, entry.object) for entry in reversed(site.store.audit_entries(object="case/1"))]
    assert done == [("dana", action, "case/1") for action in ("reveal", "note", "false_alarm")]
    assert site.store.verify_audit() is None
    detail = site.store.case(1)
    assert detail is not None
    assert detail.case.state == "false_alarm"


@pytest.mark.parametrize(
    ("look", "dark", "width"), [("dark", True, 1280), ("narrow", False, 390), ("narrow-dark", True, 390)]
)
def test_it_fits_dark_rooms_and_narrow_screens(
    site: Site, playing: Playwright, tmp_path: Path, shots: Path, look: str, dark: bool, width: int
) -> None:
    with open_browser(playing, tmp_path / "profile", dark=dark, width=width) as browser:
        page = browser.pages[0]
        sign_in(page, site)
        for name, path in (
            ("list", "/cases"),
            ("case", "/cases/1"),
            ("problems", "/problems"),
            ("coverage", "/coverage"),
            ("rules", "/rules"),
        ):
            page.goto(site.url + path)
            page.screenshot(path=shots / f"{name}-{look}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                f"{path} scrolls sideways"
            )


def test_it_works_without_scripts_and_by_keyboard(site: Site, playing: Playwright, tmp_path: Path) -> None:
    with open_browser(playing, tmp_path / "profile", scripts=False) as browser:
        page = browser.pages[0]
        sign_in(page, site)
        page.goto(f"{site.url}/cases")
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        assert skip.evaluate("element => element === document.activeElement")
        page.get_by_label("Topic").select_option("weak_protection")
        page.get_by_role("button", name="Filter").press("Enter")
        page.wait_for_url("**topic=weak_protection**")
        assert page.locator(".cases li").count() == 1
        page.get_by_role("link", name="A file that only looks locked").press("Enter")
        page.get_by_role("button", name="Confirm").press("Enter")
        page.get_by_text("you confirmed that this is a breach").wait_for()


# The pairs of text and ground that the stylesheet makes, in both schemes (WCAG 2.2, success criterion 1.4.3).
PAIRS = """() => {
  const seen = [];
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
      if (colour[3] > 0) return null;
    }
    return [255, 255, 255];
  };
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own) continue;
    const behind = ground(element);
    const [a, b] = behind ? [light(parse(getComputedStyle(element).color)), light(behind)] : [0, 0];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) seen.push(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
  }
  return seen;
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_its_ground(site: Site, playing: Playwright, tmp_path: Path, dark: bool) -> None:
    with open_browser(playing, tmp_path / "profile", dark=dark) as browser:
        page = browser.pages[0]
        sign_in(page, site)
        for path in (
            "/cases",
            "/cases/1",
            "/cases/3",
            "/cases/1?done=note",
            "/problems?kind=corrupt",
            "/coverage",
            "/rules",
            "/help",
            "/nowhere",
        ):
            page.goto(site.url + path)
            assert page.evaluate(PAIRS) == [], path
