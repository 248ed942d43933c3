"""The console in Chromium against the mock server of ui/test: policy, staleness, STOP, approval.

Real parts: the built bundle, a browser, HTTP and a WebSocket. Only the utility is invented.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.ui.chromium import ARGUMENTS, AXE, CHROMIUM, axe

ROOT = Path(__file__).resolve().parents[2]
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(NODE is None, reason="no Node on this machine"),
    pytest.mark.skipif(
        not (ROOT / "gridctl/web/static/app.js").is_file(),
        reason="the console is not built: python hatch_build.py",
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def server() -> Iterator[str]:
    """Address of a mock server of its own, on a free port."""
    process = subprocess.Popen(
        [NODE or "node", "ui/test/mock-server.mjs", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        yield line.removeprefix("mock server: ").strip()
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def said() -> list[str]:
    """What the browser's console complains about: policy, scripts, warnings."""
    return []


@pytest.fixture
def page(browser: Browser, server: str, said: list[str]) -> Iterator[Page]:
    """An operator who has signed in."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    opened = context.new_page()

    def hear(message: ConsoleMessage) -> None:
        # The first question, "is there a session?", is answered with 401, and Chromium notes it.
        if message.type in ("error", "warning") and "401" not in message.text:
            said.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: said.append(str(error)))
    sign_in(opened, server, "operator1")
    yield opened
    context.close()


def sign_in(page: Page, server: str, user: str) -> None:
    page.goto(server)
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill("any")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("application")).to_be_visible()


def ask(page: Page, path: str) -> None:
    """Tell the mock server something."""
    page.request.post(page.url.split("#")[0].rstrip("/") + path)


def test_no_screen_breaks_the_content_security_policy(page: Page, said: list[str]) -> None:
    for screen in ("plans", "commands", "alarms", "tags", "audit", "comms", "overview"):
        page.locator(f'nav a[href="#/{screen}"]').click()
        expect(page.locator(f"main.{screen}")).to_be_visible()
        page.wait_for_timeout(300)
    page.get_by_role("link", name="Review").first.click()
    expect(page.get_by_role("heading", name="AC check")).to_be_visible()
    page.wait_for_timeout(300)
    assert said == []


def test_sg13_stale_data_dims_the_values_and_blocks_approval(page: Page) -> None:
    """SG-13: at most 3 s after the last frame, plus one tick."""
    page.get_by_role("link", name="Review").first.click()
    approve = page.get_by_role("button", name="Approve…")
    expect(approve).to_be_enabled()
    ask(page, "/mock/silence")
    expect(page.get_by_text("DATA STALE")).to_be_visible(timeout=5_500)
    expect(approve).to_be_disabled()
    expect(page.locator('.shell[data-stale="yes"]')).to_have_count(1)
    ask(page, "/mock/speak")
    expect(approve).to_be_enabled(timeout=4_000)


def test_field_link_down_blocks_approval_and_says_so(page: Page) -> None:
    page.get_by_role("link", name="Review").first.click()
    ask(page, "/mock/cut-field")
    expect(page.get_by_role("button", name="Approve…")).to_be_disabled(timeout=4_000)
    expect(page.locator("#blocks").get_by_text("The field link is down.").first).to_be_visible()


def test_stop_by_two_keys_from_any_screen_also_from_a_dialog(page: Page) -> None:
    """SG-21: F9 and Enter."""
    page.get_by_role("link", name="Review").first.click()
    page.get_by_role("button", name="Approve…").click()
    page.keyboard.press("F9")
    expect(page.get_by_role("button", name="Stop all dispatch now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("DISPATCH STOPPED")).to_be_visible()
    expect(page.get_by_role("button", name="Resume…")).to_be_attached()


def test_sg10_a_large_plan_needs_two_people_and_nothing_is_shown_as_done_before(
    page: Page, browser: Browser, server: str
) -> None:
    """SG-04, SG-06, SG-10: focus on Cancel, first approval sends nothing, then the ladder moves."""
    page.get_by_role("link", name="Review").first.click()
    page.get_by_role("button", name="Approve…").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    expect(page.get_by_text("A second person must approve")).to_be_visible()
    page.get_by_role("button", name="Approve 22 commands").click()
    expect(page.locator(".told")).to_contain_text("Nothing is sent until a second person")
    expect(page.get_by_role("button", name="Approve…")).to_be_disabled()
    expect(page.get_by_role("heading", name="Execution")).to_have_count(0)
    context = browser.new_context()
    second = context.new_page()
    sign_in(second, server, "supervisor1")
    second.get_by_role("link", name="Review").first.click()
    second.get_by_role("button", name="Approve…").click()
    second.get_by_role("button", name="Approve 22 commands").click()
    context.close()
    expect(page.get_by_role("heading", name="Execution")).to_be_visible(timeout=4_000)
    expect(page.get_by_text("Nothing is sent until")).to_have_count(0)
    tally = page.locator(".tally li")
    expect(tally.nth(0)).to_contain_text("22 of 22")
    expect(tally.nth(4)).to_contain_text("0 of 22")
    # What passed the wire, once something has.
    page.locator('nav a[href="#/commands"]').click()
    wire = page.get_by_role("button", name=re.compile("^Wire")).first
    sent = page.locator("table.ladder tbody tr").first.locator("td.rung.done")
    expect(sent.nth(1)).to_be_visible(timeout=15_000)
    wire.click()
    expect(page.locator(".wire li").first).to_contain_text("→ device")
    expect(page.locator(".wire li .octets").first).to_have_text(re.compile("^[0-9a-f ]+$"))
    wire.click()
    expect(page.locator(".wire")).to_have_count(0)


def test_a_plan_that_ends_under_review_stays_and_the_next_is_a_link_away(page: Page) -> None:
    """SG-08, SG-09: nothing is swapped under the hand, neither with a question open nor without."""
    page.get_by_role("link", name="Review").first.click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("P-0")
    first = heading.inner_text().split()[1]
    page.get_by_role("button", name="Approve…").click()
    ask(page, "/mock/expire")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The plan is expired")
    expect(dialog.get_by_role("heading")).to_contain_text(first)
    expect(dialog.get_by_role("button", name=re.compile(r"^Approve \d"))).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    expect(heading).to_contain_text(f"{first} v1 expired")
    expect(page.get_by_role("button", name="Approve…")).to_be_disabled()
    expect(page.locator("#blocks")).to_contain_text("The plan is expired")
    note = page.locator(".review-head .newer")
    expect(note).to_contain_text("kept here as it was")
    # The link leads to the other plan with no question open about it; also out of the dialog.
    note.get_by_role("link", name="Review P-0").click()
    expect(heading).not_to_contain_text(first)
    page.get_by_role("button", name="Approve…").click()
    ask(page, "/mock/expire")
    page.get_by_role("dialog").get_by_role("link", name="Review P-0").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Approve…")).to_be_enabled()
    expect(page.locator(".newer")).to_have_count(0)


def test_sg37_closed_loop_says_what_it_may_and_ends_with_one_click(page: Page) -> None:
    page.goto(page.url.split("#")[0] + "#/shift")
    north = page.get_by_role("region", name="Area NORTH")
    expect(north).to_contain_text("operator-a and supervisor")
    expect(north).to_contain_text("200 kW away from the defaults")
    expect(north).to_contain_text("LG01, LG02, BESS01")
    east = page.get_by_role("region", name="Area EAST")
    expect(east.get_by_role("table")).to_contain_text("14 to 21")
    east.get_by_role("button", name="Approve…").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    expect(page.get_by_role("dialog")).to_contain_text("without anybody being asked")
    expect(page.get_by_role("dialog").get_by_role("table")).to_contain_text("14 to 21")
    with page.expect_request(lambda r: r.url.endswith("/modes/approve")) as approved:
        page.get_by_role("button", name="Approve closed loop of EAST").click()
    assert approved.value.post_data_json == {"area": "EAST", "digest": "5d" * 32}
    expect(page.get_by_role("region", name="Area SOUTH")).to_contain_text("20 are needed")
    with page.expect_request(lambda r: r.url.endswith("/modes")) as ended:
        north.get_by_role("button", name="End closed loop of NORTH now").click()
    assert ended.value.post_data_json == {
        "area": "NORTH", "mode": "advisory", "reason": "demoted at the desk",
    }  # fmt: skip


def test_a_refused_certificate_is_shown_with_what_would_trust_it(page: Page) -> None:
    """Trust is decided on the field's host: the console says how, and has no button for it."""
    ask(page, "/mock/cut-field")
    page.locator('nav a[href="#/comms"]').click()
    page.get_by_role("button", name="More about link DER").click()
    shown = page.get_by_role("group", name="Certificate that was refused")
    expect(shown).to_contain_text("BadCertificateUntrusted")
    expect(shown).to_contain_text("CN=DER gateway")
    expect(shown.get_by_text("6B6B6B6B 6B6B6B6B")).to_be_visible()
    expect(shown.locator("code")).to_contain_text("gridctl opcua trust accept 6B6B")
    expect(shown.get_by_role("button")).to_have_count(0)


def test_a_viewer_has_no_stop_and_no_approval(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, server, "viewer1")
    expect(page.get_by_role("button", name="STOP")).to_have_count(0)
    page.get_by_role("link", name="Review").first.click()
    expect(page.get_by_role("button", name="Approve…")).to_be_disabled()
    context.close()


def test_the_wall_display_has_nothing_to_click_but_stop(page: Page) -> None:
    page.locator("details.user summary").click()
    page.get_by_role("link", name="Wall display").click()
    expect(page.locator("nav.rail")).to_have_count(0)
    expect(page.get_by_role("application")).to_be_visible()
    expect(page.locator(".plan-card").first).to_be_visible()
    expect(page.locator("main").get_by_role("button")).to_have_count(0)
    expect(page.get_by_role("button", name="STOP")).to_be_visible()
    box = page.locator(".shell").bounding_box()
    assert box is not None
    assert box["height"] <= 769, "it fits the screen: nobody scrolls a wall"
    assert axe(page, "wall") == []
    page.locator("details.user summary").click()
    page.get_by_role("link", name="Leave the wall display").click()
    expect(page.locator("nav.rail")).to_be_visible()


def test_the_one_line_is_one_tab_stop_that_arrow_keys_walk(page: Page) -> None:
    diagram = page.get_by_role("application")
    diagram.focus()
    page.keyboard.press("ArrowRight")
    first = page.locator(".oneline-card h3").inner_text()
    page.keyboard.press("ArrowRight")
    second = page.locator(".oneline-card h3").inner_text()
    assert first.startswith("Node")
    assert second.startswith("Node")
    assert first != second
    assert diagram.locator("[tabindex]").count() == 0


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles"])
def test_times_are_the_sites_wherever_the_browser_is(
    browser: Browser, server: str, zone: str
) -> None:
    """The mock site is five hours behind UTC; an operator looks at it from elsewhere."""
    context = browser.new_context(timezone_id=zone, viewport={"width": 1366, "height": 768})
    page = context.new_page()
    sign_in(page, server, "operator1")
    at = page.evaluate(
        """async () => {
          const frame = await (await fetch('/api/v1/overview')).json();
          const site = new Date(new Date(frame.at).getTime() - 5 * 3600 * 1000);
          return [-1, 0, 1, 2].map((m) =>
            new Date(site.getTime() + m * 60000).toISOString().slice(11, 16));
        }"""
    )
    clock = page.locator(".gridtime")
    expect(clock).to_contain_text("site time")
    assert clock.locator(".num").inner_text()[:5] in at
    expect(clock).to_have_attribute("title", re.compile(r"site time \(UTC\u22125\).* UTC$"))
    page.locator('nav a[href="#/audit"]').click()
    expect(page.get_by_role("columnheader", name="Time, site time")).to_be_visible()
    row = page.locator("table.audit time").first
    shown, iso = row.inner_text(), row.get_attribute("datetime") or ""
    site_hour = (int(iso[11:13]) - 5) % 24
    assert f" {site_hour:02d}:{iso[14:16]}" in shown
    context.close()


def test_sg28_an_alarm_that_returned_to_normal_is_shown_as_such_until_it_is_seen(
    page: Page,
) -> None:
    page.locator('nav a[href="#/alarms"]').click()
    row = page.get_by_role("row").filter(has_text="PV-12 scans late")
    expect(row).to_contain_text("returned to normal, not acknowledged")
    row.get_by_role("button", name="Acknowledge").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="All", exact=True).click()
    expect(row).to_contain_text("returned to normal")
    expect(row).not_to_contain_text("not acknowledged")
    expect(row.get_by_role("button")).to_have_count(0)


SCREENS = ("overview", "plans", "commands", "alarms", "tags", "audit", "shift", "comms")


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci in ui/")
@pytest.mark.parametrize("palette", ["dark", "light"])
def test_axe_finds_no_violation_on_any_screen(browser: Browser, server: str, palette: str) -> None:
    """WCAG 2.2 A and AA, both palettes; dialogs and the state of STOP, too."""
    scheme: Literal["dark", "light"] = "dark" if palette == "dark" else "light"
    context = browser.new_context(
        viewport={"width": 1366, "height": 768}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(server)
    expect(page.get_by_label("Password")).to_be_visible()
    found = axe(page, "login")
    sign_in(page, server, "operator1")
    for screen in SCREENS:
        page.locator(f'nav a[href="#/{screen}"]').click()
        expect(page.locator(f"main.{screen}")).to_be_visible()
        page.wait_for_timeout(300)
        found += axe(page, screen)
    page.locator('nav a[href="#/overview"]').click()
    page.get_by_role("button", name="Table").click()
    found += axe(page, "node table")
    page.get_by_role("link", name="Review").first.click()
    expect(page.get_by_role("heading", name="AC check")).to_be_visible()
    found += axe(page, "review")
    page.get_by_role("button", name="Approve…").click()
    found += axe(page, "approve dialog")
    page.keyboard.press("F9")
    found += axe(page, "stop dialog")
    page.keyboard.press("Enter")
    expect(page.get_by_text("DISPATCH STOPPED")).to_be_visible()
    found += axe(page, "stopped review")
    context.close()
    assert not found, "\n".join(found)


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_sg21_stop_from_every_screen(page: Page, how: str) -> None:
    """The dialog is one act away on every screen, and closes again without an effect."""
    review = page.get_by_role("link", name="Review").first.get_attribute("href") or ""
    for address in [f"#/{s}" for s in SCREENS] + [review]:
        page.evaluate("to => { location.hash = to; }", address)
        expect(page.locator(f"main.{address[2:].split('/', maxsplit=1)[0]}")).to_be_visible()
        if how == "mouse":
            page.get_by_role("button", name="STOP", exact=False).first.click()
        else:
            page.keyboard.press("F9")
        expect(page.get_by_role("button", name="Stop all dispatch now")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.get_by_text("DISPATCH STOPPED").count() == 0
    page.keyboard.press("F9")
    expect(page.get_by_role("button", name="Stop all dispatch now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("DISPATCH STOPPED")).to_be_visible()
