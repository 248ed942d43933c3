"""Measurements on their way from the drivers to the office: inbox, image, line.

A big plant's second is ten thousands of values at once. They are taken in portions, between which
everything else has its turn: an order must not wait until all of them are through.
"""

from __future__ import annotations

import asyncio
from typing import Final

from gridctl.field.liveness import FieldImage
from gridctl.link_client import FieldLinkClient
from gridctl.model.clock import Clock
from protocols.events import EventQueue
from protocols.inbox import Inbox

TELEMETRY_S: Final = 0.25
"""Real seconds over which measurements are gathered into one frame."""
PORTION: Final = 500
"""Values in one turn of the event loop: under a millisecond."""


class Intake:
    """Inbox → image → office, for as long as `run` runs."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        events: EventQueue,
        image: FieldImage,
        client: FieldLinkClient,
        clock: Clock,
    ) -> None:
        self._inbox = inbox
        self._events = events
        self._image = image
        self._client = client
        self._clock = clock

    async def run(self) -> None:
        """Ends by cancellation only. Silence is judged even when nothing comes in."""
        while True:
            values = await self._inbox.get(timeout_s=TELEMETRY_S)
            self._client.happened(self._events.take())
            for at in range(0, len(values), PORTION):
                portion = values[at : at + PORTION]
                self._client.report(self._image.accept(portion, self._clock.monotonic_s()))
                await asyncio.sleep(0)
            told = self._image.judge(self._clock.monotonic_s())
            if told:
                self._client.report(told)
            if values:
                await asyncio.sleep(TELEMETRY_S)
