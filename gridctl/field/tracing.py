"""A trace of one running link: asked for by a file, as a reload is, and answered by one.

The request `TRACE` beside the stop file holds id, link and seconds as JSON; the answer is
`trace.json`, for the agent's user only. One trace at a time. The link goes on as before.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gridctl.model.clock import Clock
from protocols.driver import Driver
from protocols.tracing import TraceSource, trace_source

log = logging.getLogger(__name__)

REQUEST_NAME = "TRACE"
ANSWER_NAME = "trace.json"
SECONDS_MAX = 300.0
LINES_MAX = 10_000
REQUEST_CHARS_MAX = 1_000


def request_file(stop_file: Path) -> Path:
    """Where a trace is asked for."""
    return stop_file.with_name(REQUEST_NAME)


def answer_file(stop_file: Path) -> Path:
    """Where it stands when it is over."""
    return stop_file.with_name(ANSWER_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    request: str
    link: str
    source: TraceSource
    until_mono_s: float


class TraceWatch:
    """Turns requests into traces; `poll` is called twice a second."""

    def __init__(self, stop_file: Path, *, drivers: Mapping[str, Driver], clock: Clock) -> None:
        self._request = request_file(stop_file)
        self._answer = answer_file(stop_file)
        self._drivers = drivers
        self._clock = clock
        self._running: _Running | None = None

    @property
    def traced(self) -> str | None:
        """The link that is being traced now."""
        return None if self._running is None else self._running.link

    async def poll(self) -> None:
        """Begin what was asked for, end what is over."""
        running = self._running
        if running is not None and self._clock.monotonic_s() >= running.until_mono_s:
            self._running = None
            await self._finish(running)
        asked = self._taken()
        if asked is not None:
            self._begin(asked)

    def _taken(self) -> dict[str, Any] | None:
        mine = self._request.with_suffix(".taken")
        try:
            self._request.replace(mine)
            asked = json.loads(mine.read_text(encoding="utf-8")[:REQUEST_CHARS_MAX])
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("field: %s cannot be read: %s", self._request, error)
            return None
        finally:
            with contextlib.suppress(OSError):
                mine.unlink()
        return asked if isinstance(asked, dict) else {}

    def _begin(self, asked: Mapping[str, Any]) -> None:
        request, link = str(asked.get("request", ""))[:64], str(asked.get("link", ""))
        seconds = asked.get("seconds")
        source = trace_source(self._drivers.get(link))
        if self._running is not None:
            refused = f"link {self._running.link} is being traced; one at a time"
        elif link not in self._drivers:
            refused = f"link {link} is not configured; one of {', '.join(sorted(self._drivers))}"
        elif source is None:
            refused = f"the driver of link {link} keeps no trace"
        elif not isinstance(seconds, int | float) or not 0 < seconds <= SECONDS_MAX:
            refused = f"from above 0 to {SECONDS_MAX:g} s can be traced, not {seconds!r}"
        else:
            source.start_trace()
            self._running = _Running(
                request=request,
                link=link,
                source=source,
                until_mono_s=self._clock.monotonic_s() + seconds,
            )
            return
        self._write({"request": request, "accepted": False, "text": refused})

    async def _finish(self, one: _Running) -> None:
        one.source.stop_trace()
        lines = list(await asyncio.to_thread(one.source.trace_lines))
        pcap = await asyncio.to_thread(one.source.trace_pcap)
        self._write(
            {
                "request": one.request,
                "accepted": True,
                "link": one.link,
                "text": f"{len(lines)} messages",
                "left_out": max(0, len(lines) - LINES_MAX),
                "lines": lines[-LINES_MAX:],
                "pcap": "" if pcap is None else base64.b64encode(pcap).decode(),
            }
        )

    def _write(self, answer: Mapping[str, Any]) -> None:
        aside = self._answer.with_suffix(".new")
        try:
            aside.unlink(missing_ok=True)
            aside.touch(mode=0o600)
            aside.write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
            aside.replace(self._answer)
        except OSError as error:
            log.warning("field: the answer to a trace cannot be written: %s", error)
