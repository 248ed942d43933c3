"""Settlement runs and the health page, in Chromium, in front of the real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.gridctl.web.test_settlements import QUERY, readings
from tests.ui.chromium import ARGUMENTS, CHROMIUM
from tests.ui.signin_server import SignInServer

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
PASSWORD = "correct horse battery"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(
        not (ROOT / "gridctl/web/static/app.js").is_file(),
        reason="the console is not built: python hatch_build.py",
    ),
]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with (
        SignInServer.started({"anne": "OPERATOR"}, password=PASSWORD) as server,
        sync_playwright() as playwright,
    ):
        browser: Browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        made = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        made.goto(server.origin)
        made.get_by_label("User").fill("anne")
        made.get_by_label("Password").fill(PASSWORD)
        made.get_by_role("button", name="Sign in", exact=True).click()
        expect(made.get_by_role("application")).to_be_visible()
        yield made
        browser.close()


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
    found = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa']})")
    return [f"{one['id']}: {one['help']}" for one in found["violations"]]


def test_a_run_stands_in_the_list_and_says_how_sure_it_is(page: Page) -> None:
    page.locator('nav a[href="#/settlements"]').click()
    expect(page.get_by_text("Nothing has been settled yet")).to_be_visible()
    # A customer's own readings come over the API, with the session's own token.
    made = page.evaluate(
        """async ([query, body]) => {
            const me = await (await fetch("/api/v1/session")).json();
            const answer = await fetch(`/api/v1/settlements?${new URLSearchParams(query)}`,
                {method: "POST", body, headers: {"X-CSRF-Token": me.csrf}});
            return [answer.status, await answer.json()];
        }""",
        [QUERY, readings()],
    )
    assert made[0] == 201, made
    page.locator('nav a[href="#/overview"]').click()
    page.locator('nav a[href="#/settlements"]').click()
    page.get_by_role("link", name=re.compile("^load 2026-07-14")).click()
    expect(page.get_by_text("made again just now from its stored readings")).to_be_visible()
    expect(page.get_by_text("kWh (90 %)")).to_be_visible()
    expect(page.get_by_text("CAISO 10-in-10", exact=False).first).to_be_visible()
    links = [a.get_attribute("href") or "" for a in page.get_by_role("link").all()]
    assert {"statement.html", "statement.pdf", "intervals.csv"} <= {
        href.rsplit("/", 1)[-1] for href in links
    }
    assert violations(page) == []


def test_a_point_without_history_is_refused_in_words(page: Page) -> None:
    page.get_by_role("button", name="Settle an event…").click()
    page.get_by_label("Point of the load, kW").fill("NOBODY")
    page.get_by_label("Day of the event").fill("2026-07-14")
    page.get_by_label("Baseline").select_option("caiso-10-in-10")
    page.get_by_label("Committed, kW").fill("20")
    page.get_by_role("button", name="Settle", exact=True).click()
    expect(page.get_by_text("NOBODY has no history")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()


def test_health_says_what_it_waits_for(page: Page) -> None:
    page.locator('nav a[href="#/health"]').click()
    expect(page.get_by_text("What this page waits for")).to_be_visible()
    expect(page.get_by_text("The first look: it comes when the field has told")).to_be_visible()
    assert violations(page) == []
