"""The product as a customer system and two operators see it: the real demo in a real browser.

An OpenADR event → login → review → first approval (nothing is sent) → second person, second
browser → commands over DNP3 and OPC UA → effect at the feeder head → a VEN reports, the customer
system reads what came of it → STOP. Nothing here is played by anyone but the simulator's devices.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.running_demo import RunningDemo, make_quick_pilot, running_demo
from tests.journeys.test_by_hand import (
    Client,
    add_clients,
    demand_event_of_the_readme,
    reports_about,
    until,
)
from tests.ui.chromium import CHROMIUM, chromium, listen

pytestmark = [
    pytest.mark.browser,
    pytest.mark.journey,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

RATE = 10.0
PLAN_MS = 60_000
EFFECT_MS = 120_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    instance = make_quick_pilot(tmp_path_factory.mktemp("browser") / "pilot")
    asyncio.run(add_clients(instance))
    with running_demo(instance, rate=RATE) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def sign_in(browser: Browser, demo: RunningDemo, user: str, said: list[str]) -> Page:
    """A browser of their own for `user`, who has read the password off the terminal."""
    page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
    listen(page, said)
    page.goto(demo.url)
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(demo.secrets[user])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("application")).to_be_visible()
    return page


def came_of_it(told: Any) -> Any:
    """The outcome, when a device and the VEN's meter are said to have taken part."""
    took_part = [p["device"] for p in told["participants"] if p["outcome"] == "took_part"]
    return told if None in took_part and len(took_part) > 1 else None


def approve(page: Page, words: str) -> int:
    """Approve the plan on the screen; how many commands the dialog names."""
    page.get_by_role("button", name="Approve…").click()
    expect(page.get_by_role("dialog")).to_contain_text(words)
    button = page.get_by_role("button", name=re.compile(r"^Approve \d+ commands?, "))
    found = re.search(r"\d+", button.inner_text())
    assert found is not None
    button.click()
    return int(found[0])


def answering(demo: RunningDemo, event: str) -> Any:
    """The plan that answers `event` and waits for people."""
    with demo.signed_in("operator-a") as remote:

        def found() -> Any:
            asked = {r["id"] for r in remote.get("/overview")["requests"] if r["event_id"] == event}
            plans = remote.get("/plans")["plans"]
            mine = [p for p in plans if p["state"] == "proposed" and asked & {*p["requests"]}]
            return mine[0] if asked and mine else None

        return until(found, PLAN_MS / 1_000, demo.why)


def test_event_login_review_approve_effect_outcome_stop(
    demo: RunningDemo, browser: Browser, tmp_path: Path
) -> None:
    event = demand_event_of_the_readme(demo)
    customer, ven = Client(demo, "customer-system"), Client(demo, "site-7")
    answering(demo, event["id"])
    said: list[str] = []
    first = sign_in(browser, demo, "operator-a", said)
    links = first.locator(".links-panel, main")
    for link in ("SUB", "DR", "DER"):
        expect(links.get_by_text(link, exact=True).first).to_be_visible()

    first.get_by_role("link", name="Review").click(timeout=PLAN_MS)
    expect(first.get_by_role("heading", name="AC check")).to_be_visible()
    expect(first.locator(".review-head")).to_contain_text("Answers hot afternoon (event-")
    expect(first.locator(".signatures")).to_contain_text("second person")
    commands = approve(first, "First of two")
    expect(first.locator(".told")).to_contain_text("Nothing is sent until a second person")
    expect(first.get_by_role("button", name="Approve…")).to_be_disabled()
    assert demo.commands_at_devices() == 0
    plan = first.url.rpartition("/")[2]

    second = sign_in(browser, demo, "operator-b", said)
    second.get_by_role("link", name="Review").click()
    assert second.url.rpartition("/")[2] == plan
    assert approve(second, "Second of two") == commands

    expect(first.get_by_role("heading", name="Execution")).to_be_visible(timeout=10_000)
    tally = first.locator(".tally li")
    confirmed, effective = tally.nth(3), tally.nth(4)
    expect(confirmed).to_contain_text("confirmed")
    expect(effective).to_contain_text("effective")
    expect(effective).to_contain_text(re.compile(r"[1-9]\d* of"), timeout=EFFECT_MS)
    expect(first.get_by_text("✓ as promised").first).to_be_visible(timeout=EFFECT_MS)
    assert demo.commands_at_devices() > 0

    reports_about(event, ven)
    outcome = f"/api/v1/dispatch-requests/{event['id']}/outcome"
    told = until(lambda: came_of_it(customer.asks(outcome)), EFFECT_MS / 1_000, demo.why)
    assert plan in [p["id"] for p in told["plans"]]
    words = {p["device"] or p["openadrResource"]: p["outcome"] for p in told["participants"]}
    assert words.pop("meter") == "took_part"
    with demo.signed_in("operator-a") as remote:
        rows = remote.get(f"/commands?plan={plan}")["commands"]
    assert {words[row["resource"]] for row in rows} <= {"took_part", "unverified"}
    assert {row["protocol"] for row in rows} == {"dnp3", "opcua"}

    second.locator('nav a[href="#/overview"]').click()
    expect(second.get_by_text(re.compile(r"of \d+ confirmed"))).to_be_visible()
    second.locator('nav a[href="#/audit"]').click()
    record = second.locator("main.audit")
    for person in ("operator-a", "operator-b"):
        expect(record).to_contain_text(person)
    expect(record).to_contain_text("plan.approve")

    second.keyboard.press("F9")
    second.keyboard.press("Enter")
    for page in (first, second):
        expect(page.get_by_text("DISPATCH STOPPED")).to_be_visible(timeout=5_000)
    first.screenshot(path=tmp_path / "stopped.png")
    assert said == []
