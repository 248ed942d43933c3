"""Pictures of every screen of a running demo: `make screenshots`.

Starts a pilot of its own, walks a plan from proposal to STOP with two operators in Chromium, and
takes each screen at two sizes in both palettes into `test-artifacts/screens`. The pictures of the
documentation are copied from that walk: none of them is drawn. On the way axe-core looks at each
screen, with its real data, and what the browser's console complains about is told.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, Page, StorageState, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.journeys.closed_pilot import AREAS, allow_closed_loop
from tests.journeys.running_demo import make_quick_pilot
from tests.ui.chromium import ARGUMENTS, CHROMIUM, axe, listen
from tests.ui.pilot import Pilot

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"1920": (1920, 1080), "1366": (1366, 768)}
PALETTES = ("dark", "light")
SCREENS = (
    "overview", "plans", "forecast", "health", "settlements", "commands", "alarms", "tags", "audit",
    "shift", "comms", "account",
)  # fmt: skip
WAITING = "the plan that waits"
RATE = 20.0
SETTLE_MS = 700
WAIT_MS = 90_000
"""A busy machine takes its time."""
DECIDE_MS = 30_000
DECISIONS_MAX = 4
"""A plan lives 300 s; the pictures of what waits take about as long. Whoever comes too late decides
on the next one."""
ENVELOPE = {
    "Away from the defaults at once, at most, kW": "900",
    "Moved within 5 minutes, at most, kW": "900",
    "From hour, local": "0",
    "To hour, local": "24",
    "For hours, 12 at most": "6",
}
DOCUMENTED = {
    "dispatch-overview-1920-dark.png": "overview.png",
    "waiting-review-1920-dark.png": "plan-review.png",
    "waiting-approve-dialog.png": "approve-dialog.png",
    "waiting-shift-1920-dark.png": "shift.png",
    "dispatch-review-1920-dark.png": "execution.png",
    "stopped-alarms-1920-dark.png": "alarms.png",
    "tagged-tags-1920-dark.png": "tags.png",
    "closed-shift-1920-dark.png": "closed-loop.png",
    "left-review-1920-dark.png": "left-to-people.png",
}


def main() -> int:
    """Exit code 0 when every picture was taken, and neither axe-core nor the console complained."""
    parser = argparse.ArgumentParser(description="Pictures of every screen of a running demo.")
    parser.add_argument("--out", type=Path, default=ROOT / "test-artifacts" / "screens")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs" / "img")
    parser.add_argument(
        "--quick", action="store_true", help="One size and palette only: those of the docs."
    )
    chosen = parser.parse_args()
    if CHROMIUM is None:
        sys.stderr.write("no Chromium on this machine: apt-get install chromium\n")
        return 1
    expect.set_options(timeout=WAIT_MS)
    shutil.rmtree(chosen.out, ignore_errors=True)
    chosen.out.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="gridctl-screens-") as folder, ExitStack() as stack:
        closed = make_quick_pilot(Path(folder) / "closed")
        users = allow_closed_loop(closed)
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with Pilot.started(Path(folder) / "pilot", rate=RATE) as pilot:
            walk = Walk(browser, pilot, chosen.out, quick=chosen.quick)
            walk.walk()
        with Pilot.started(closed, rate=RATE, users=users) as pilot:
            walk.walk_closed_loop(pilot)
        browser.close()
    for taken, name in DOCUMENTED.items():
        shutil.copyfile(chosen.out / taken, chosen.docs / name)
    sys.stdout.write(f"{len(list(chosen.out.glob('*.png')))} pictures in {chosen.out}\n")
    sys.stdout.write(f"axe-core looked {walk.looked} times: {len(walk.found)} violations\n")
    sys.stdout.write(f"complaints in the browser's console: {len(walk.said)}\n")
    sys.stderr.writelines(f"{line}\n" for line in (*walk.found, *walk.said))
    return 1 if walk.found or walk.said else 0


class Walk:
    """One plan from proposal to STOP, photographed."""

    def __init__(self, browser: Browser, pilot: Pilot, out: Path, *, quick: bool) -> None:
        self._sizes = {"1920": SIZES["1920"]} if quick else SIZES
        self._palettes = ("dark",) if quick else PALETTES
        self._browser = browser
        self._pilot = pilot
        self._out = out
        self._state: StorageState | None = None
        self.found: list[str] = []
        self.said: list[str] = []
        self.looked = 0

    def walk(self) -> None:
        """All moments in order."""
        self._login()
        first, second = (self._sign_in(user) for user in self._pilot.users)
        self._state = first.context.storage_state()
        self._waiting(first)
        self._moment("waiting", [WAITING, *SCREENS])
        self._dialog(first)
        plan = self._decided(first, second)
        time.sleep(7)
        self._moment("dispatch", ["overview", plan, "commands"])
        expect(self._opened(first, plan).get_by_text("as promised").first).to_be_visible(
            timeout=60_000
        )
        self._moment("effect", ["overview", plan, "commands"])
        first.keyboard.press("F9")
        first.get_by_role("button", name="Stop all dispatch now").click()
        expect(first.get_by_text("DISPATCH STOPPED")).to_be_visible()
        self._moment("stopped", ["overview", "plans", plan, "alarms", "audit"])
        self._tag(first, "control inhibit", "the contactor is exchanged, nobody switches it")
        self._tag(first, "caution", "its meter reads 4 % too high until it is exchanged")
        self._moment("tagged", ["tags", "overview"])

    def walk_closed_loop(self, pilot: Pilot) -> None:
        """Asked for on one screen, allowed on two others; one area less, and people decide."""
        self._pilot = pilot
        first, second, third = (self._sign_in(u) for u in ("operator-a", "operator-b", "engineer"))
        self._state = first.context.storage_state()
        for area in AREAS:
            self._ask(third, area)
        self._moment("asked", ["shift"])
        for area in AREAS[:-1]:
            for page in (first, second):
                self._allow(page, area)
        self._moment("left", [WAITING])
        for page in (first, second):
            self._allow(page, AREAS[-1])
        expect(first.get_by_role("button", name=re.compile("End closed loop"))).to_have_count(3)
        running = self._opened(first, "plans").get_by_role("link", name="Execution").first
        expect(running).to_be_visible(timeout=WAIT_MS)
        plan = (running.get_attribute("href") or "")[2:]
        time.sleep(7)
        self._moment("closed", ["shift", plan, "overview"])
        first.keyboard.press("F9")
        first.get_by_role("button", name="Stop all dispatch now").click()
        expect(first.get_by_text("DISPATCH STOPPED")).to_be_visible()
        self._moment("demoted", ["shift", "alarms"])

    def _ask(self, page: Page, area: str) -> None:
        region = self._opened(page, "shift").get_by_role("region", name=f"Area {area}")
        region.get_by_text(f"Ask for closed loop of {area}").click()
        for label, value in ENVELOPE.items():
            region.get_by_label(label).fill(value)
        region.get_by_role("button", name="All that OT allows").click()
        for cause in ("head limit", "emergency"):
            region.get_by_label(cause).check()
        region.get_by_label("Why", exact=True).fill("a hot week")
        if area == AREAS[0]:
            self._take(page, "asked-form")
        region.get_by_role("button", name="Ask; two others approve").click()
        expect(region).to_contain_text("engineer asks for closed loop")

    def _allow(self, page: Page, area: str) -> None:
        self._opened(page, "overview")
        region = self._opened(page, "shift").get_by_role("region", name=f"Area {area}")
        region.get_by_role("button", name="Approve…").click()
        self._take(page, "asked-dialog")
        page.get_by_role("button", name=f"Approve closed loop of {area}").click()
        expect(page.get_by_role("dialog")).to_have_count(0)

    def _tag(self, page: Page, kind: str, reason: str) -> None:
        self._opened(page, "tags").get_by_role("button", name="Place a tag…").click()
        devices = page.get_by_label("Device")
        devices.select_option(index=3 if kind == "caution" else 1)
        page.get_by_label("Kind").select_option(kind)
        page.get_by_label("Reason").fill(reason)
        page.get_by_label("Work order").fill("W-2041")
        if kind == "caution":
            self._take(page, "tagged-dialog")
        page.get_by_role("button", name="Place tag").click()
        expect(page.get_by_role("row", name=re.compile(kind))).to_be_visible()

    def _contexts(self) -> Iterator[tuple[str, Page]]:
        for size, (width, height) in self._sizes.items():
            for palette in self._palettes:
                context = self._browser.new_context(
                    viewport={"width": width, "height": height},
                    storage_state=self._state,
                    color_scheme="dark" if palette == "dark" else "light",
                )
                page = context.new_page()
                listen(page, self.said)
                yield f"{size}-{palette}", page
                context.close()

    def _login(self) -> None:
        for name, page in self._contexts():
            page.goto(self._pilot.url)
            expect(page.get_by_label("Password")).to_be_visible()
            self._take(page, f"login-{name}")

    def _moment(self, moment: str, screens: list[str]) -> None:
        for name, page in self._contexts():
            page.goto(self._pilot.url)
            expect(page.get_by_role("application")).to_be_visible()
            for wanted in screens:
                screen = self._waiting(page) if wanted == WAITING else wanted
                self._opened(page, screen)
                expect(page.locator("main p.waiting")).to_have_count(0)
                page.wait_for_timeout(SETTLE_MS)
                word = "review" if screen.startswith("plans/") else screen
                self._take(page, f"{moment}-{word}-{name}")
                if name.startswith(min(self._sizes)):
                    self.found += axe(page, f"{moment} {word} {name}")
                    self.looked += 1

    def _opened(self, page: Page, screen: str) -> Page:
        page.evaluate("to => { location.hash = to; }", f"#/{screen}")
        expect(page.locator(f"main.{screen.split('/', maxsplit=1)[0]}")).to_be_visible()
        return page

    def _waiting(self, page: Page) -> str:
        """The screen of the plan that waits for people now."""
        review = self._opened(page, "plans").get_by_role("link", name="Review").first
        expect(review).to_be_visible(timeout=WAIT_MS)
        return (review.get_attribute("href") or "")[2:]

    def _dialog(self, page: Page) -> None:
        self._opened(page, self._waiting(page))
        page.get_by_role("button", name="Approve…").click()
        self._take(page, "waiting-approve-dialog")
        page.get_by_role("button", name="Cancel").click()

    def _decided(self, first: Page, second: Page) -> str:
        """The screen of the plan that both have approved."""
        for _ in range(DECISIONS_MAX):
            plan = self._waiting(first)
            try:
                if self._approve(first, plan):
                    self._approve(second, plan)
            except (PlaywrightTimeout, AssertionError):
                ended = self._opened(first, plan).get_by_role("button", name="Approve…")
                if ended.is_visible() and ended.is_enabled():
                    raise
                first.keyboard.press("Escape")
                second.keyboard.press("Escape")
                continue
            return plan
        raise RuntimeError(f"{DECISIONS_MAX} plans in a row ended before both had decided")

    def _approve(self, page: Page, plan: str) -> bool:
        """Say yes; whether another person has to."""
        self._opened(page, plan)
        page.get_by_role("button", name="Approve…").click(timeout=DECIDE_MS)
        page.get_by_role("button", name=re.compile(r"^Approve \d+ commands")).click(
            timeout=DECIDE_MS
        )
        told = page.locator(".told")
        expect(told).to_be_visible(timeout=DECIDE_MS)
        return "second person" in told.inner_text()

    def _sign_in(self, user: str) -> Page:
        context = self._browser.new_context(viewport={"width": 1366, "height": 768})
        page = context.new_page()
        page.goto(self._pilot.url)
        page.get_by_label("User").fill(user)
        page.get_by_label("Password").fill(self._pilot.users[user])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("application")).to_be_visible(timeout=WAIT_MS)
        return page

    def _take(self, page: Page, name: str) -> None:
        page.screenshot(path=self._out / f"{name}.png")


if __name__ == "__main__":
    raise SystemExit(main())
