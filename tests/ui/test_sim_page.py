"""The mirror's page in a browser: the clock goes, buttons throw faults, nodes are named."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from sim.faults import FaultBoard
from sim.instructor import Instructor
from sim.page import Page, page_served
from tests.sim.lively import Lively
from tests.ui.chromium import CHROMIUM, chromium, listen

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
]
TICK_S = 0.2


class Mirror:
    """A living feeder with its page, in a thread of its own."""

    def __init__(self) -> None:
        self.stage = Lively()
        self.address = ""
        self._up, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)

    async def _live(self) -> None:
        board = FaultBoard(self.stage.world, {})
        instructor = Instructor(socket=Path("unused"), world=self.stage.world, faults=board)
        page = Page(self.stage.world, board, instructor, {"link DR": "DNP3 127.0.0.1:24002"})
        async with page_served(page, 0) as self.address:
            self._up.set()
            while not self._end.is_set():
                self.stage.run(1)
                await asyncio.sleep(TICK_S)

    def __enter__(self) -> Mirror:
        self._thread.start()
        assert self._up.wait(30.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10.0)


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    with Mirror() as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
@pytest.mark.parametrize("palette", ["light", "dark"])
def test_the_clock_goes_and_a_fault_goes_on_and_off(
    mirror: Mirror, browser: Browser, width: int, height: int, palette: str
) -> None:
    said: list[str] = []
    scheme = "dark" if palette == "dark" else "light"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    listen(page, said)
    page.goto(mirror.address)
    clock = page.locator("#clock")
    expect(clock).not_to_have_text("–")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before, timeout=10_000)
    expect(page.get_by_text("Never let it face a network that you do not own")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Switch on")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.get_by_label("Fault").select_option("wrong-time")
    expect(page.get_by_label("Amount, s")).to_be_visible()
    page.get_by_label("Fault").select_option("breaker-trip")
    expect(page.get_by_label("Amount, s")).to_be_hidden()
    page.get_by_role("button", name="Switch on").click()
    active = page.locator("#active li").filter(has_text="breaker-trip")
    expect(active).to_be_visible()
    expect(active).to_contain_text("since ")
    expect(page.locator("#oneline .node.unlit").first).to_be_visible(timeout=10_000)
    active.get_by_role("button", name="Off").click()
    expect(page.locator("#active")).to_have_text("nothing")

    page.locator("#oneline .node").first.hover()
    expect(page.locator("#pointed")).to_contain_text("pu")
    page.get_by_label("Target").fill("nowhere")
    page.get_by_role("button", name="Switch on").click()
    expect(page.locator("#said")).to_contain_text("nowhere")
    context.close()
    # The browser notes the refusal of the line before; nothing else.
    assert [one for one in said if "409" not in one] == []
