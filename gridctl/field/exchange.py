"""One configuration follows another while the agent runs: prepared apart, then taken in one step.

Nothing awaits between the last objection and the moment at which guard, executor and image have the
new points; only letting go of old sessions takes time, and nobody waits for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from gridctl.field.configuration import (
    Change,
    FieldConfiguration,
    difference,
    load_configuration,
    objections,
)
from gridctl.field.execution import Executor
from gridctl.field.guard import Guard
from gridctl.field.links import FieldLinks
from gridctl.field.liveness import FieldImage
from gridctl.field.settings import FieldSettings
from gridctl.field.spool import FieldMemory
from gridctl.link_client import FieldLinkClient
from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.measurement import Flag, Measurement
from protocols.events import EventQueue
from protocols.inbox import Inbox


class Exchange:
    """Everybody in the agent who has the points. `configuration` is the one in force."""

    def __init__(
        self,
        configuration: FieldConfiguration,
        *,
        again: Callable[[], FieldSettings],
        drivers: FieldLinks,
        inbox: Inbox,
        events: EventQueue,
        image: FieldImage,
        guard: Guard,
        executor: Executor,
        memory: FieldMemory,
        client: FieldLinkClient,
        clock: Clock,
    ) -> None:
        self.configuration = configuration
        self._again = again
        self._drivers = drivers
        self._inbox = inbox
        self._events = events
        self._image = image
        self._guard = guard
        self._executor = executor
        self._memory = memory
        self._client = client
        self._clock = clock

    async def reload(self) -> Change:
        """Follow the files, whole or not at all. Raises GridctlError with every reason."""
        new = await asyncio.to_thread(lambda: load_configuration(self._again()))
        old = self.configuration
        change = difference(old, new)
        built = self._drivers.build(new, change.starting)
        self._object(old, new)
        lost = self._lost(change)
        ending = self._drivers.swap(change, built)
        self.configuration = new
        self._inbox.resize(len(new.addresses))
        self._events.watch(new.sequence_points)
        self._guard.use(new.addresses)
        self._executor.use(new.addresses)
        self._adapt(change)
        if change.points_differ:
            self._client.greet_again(points_max=len(new.addresses))
        self._client.report(lost)
        await self._drivers.end(ending)
        # The last words of a session that is gone, in the meaning that its points had then.
        self._inbox.forget(a.point.mrid for link in change.stopping for a in old.rows[link])
        self._adapt(change)
        self._drivers.start(change.starting)
        return change

    def _object(self, old: FieldConfiguration, new: FieldConfiguration) -> None:
        state = self._memory.state
        held = [*(h.point for h in state.leases), *(one.command.point for one in state.under_way)]
        reasons = objections(old, new, held=held, busy=self._executor.in_flight)
        if reasons:
            raise RefusedError(Refusal(code="points_in_use", reasons=tuple(reasons)))

    def _adapt(self, change: Change) -> None:
        self._image.change(
            [a.point for a in self.configuration.addresses],
            heartbeats=self.configuration.heartbeats,
            restarted=(*change.stopping, *change.added),
            mono_s=self._clock.monotonic_s(),
        )

    def _lost(self, change: Change) -> list[Measurement]:
        """What the office believes of links that go down now, as it should believe it."""
        stopping = set(change.stopping)
        return [
            replace(m, quality=m.quality.degraded(Flag.COMM_LOST))
            for m in self._image.all()
            if (point := self._image.point(m.point)) is not None and point.link in stopping
        ]
