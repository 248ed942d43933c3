"""SG-13 and SG-21 against the real office: it is frozen in the middle of a review."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.ui.chromium import ARGUMENTS, CHROMIUM
from tests.ui.pilot import Pilot

ROOT = Path(__file__).resolve().parents[2]
STALE_S = 4.0
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(
        not (ROOT / "gridctl/web/static/app.js").is_file(),
        reason="the console is not built: python hatch_build.py",
    ),
]


@pytest.mark.timeout(240)
def test_sg13_a_frozen_office_is_seen_in_four_seconds_and_stop_works_without_it(
    tmp_path: Path,
) -> None:
    instance = tmp_path / "pilot"
    with Pilot.started(instance, rate=10.0) as pilot, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page()
        page.goto(pilot.url)
        page.get_by_label("User").fill("operator-a")
        page.get_by_label("Password").fill(pilot.users["operator-a"])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Review").first.click(timeout=60_000)
        approve = page.get_by_role("button", name="Approve…")
        expect(approve).to_be_enabled(timeout=20_000)
        pilot.process.send_signal(signal.SIGSTOP)
        try:
            frozen_s = time.monotonic()
            expect(page.get_by_text("DATA STALE")).to_be_visible(timeout=10_000)
            expect(approve).to_be_disabled()
            expect(page.locator('.shell[data-stale="yes"]')).to_have_count(1)
            # The last frame came up to a second before the office froze.
            took_s = time.monotonic() - frozen_s
            # STOP without the office: the stop file, which the field polls.
            stopped = subprocess.run(
                [
                    *(sys.executable, "-P", "-m", "gridctl.cli", "stop"),
                    *("--instance", str(instance), "--reason", "the console is frozen"),
                ],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            pilot.process.send_signal(signal.SIGCONT)
        assert took_s <= STALE_S
        assert stopped.returncode == 0, stopped.stderr
        expect(page.get_by_text("DATA STALE")).to_have_count(0, timeout=15_000)
        expect(page.get_by_text("DISPATCH STOPPED")).to_be_visible(timeout=15_000)
        expect(page.get_by_role("button", name="Approve…")).to_have_count(0)
        browser.close()
