"""Chromium as the tests start it, and what its console complains about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

AXE = Path(__file__).resolve().parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser."""
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield made
        finally:
            made.close()


def axe(page: Page, where: str) -> list[str]:
    """What axe-core holds against the page (WCAG 2.2 A and AA), one line a violation."""
    # Through the debugger, so that the page's policy against foreign scripts stays in force.
    page.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", AXE_TAGS)
    return [
        f"{where}: {v['impact']} {v['id']}: {v['help']} at "
        + ", ".join(str(n["target"][0]) for n in v["nodes"][:3])
        for v in found["violations"]
    ]


def listen(page: Page, said: list[str]) -> None:
    """Note what the browser's console complains about: policy, scripts, warnings."""

    def hear(message: ConsoleMessage) -> None:
        # The first question, "is there a session?", is answered with 401, and Chromium notes it.
        if message.type in ("error", "warning") and "401" not in message.text:
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
