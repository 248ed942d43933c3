"""Chromium as the tests start it, and what its console complains about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

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


def listen(page: Page, said: list[str]) -> None:
    """Note what the browser's console complains about: policy, scripts, warnings."""

    def hear(message: ConsoleMessage) -> None:
        # The first question, "is there a session?", is answered with 401, and Chromium notes it.
        if message.type in ("error", "warning") and "401" not in message.text:
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
