"""The loops of the office. Each has one job and none of them waits for another.

Frames from the field, the control cycle, dispatch of what was approved, samples, and a watch over
everything that just goes on by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from gridctl.control.agenda import Agenda
from gridctl.control.approvals import Approvals
from gridctl.control.audit import RecordFault
from gridctl.control.closedloop import ClosedLoop
from gridctl.control.cycle import Cycle
from gridctl.control.demotion import Triggers
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.intake import Intake
from gridctl.control.journal import CommandBook
from gridctl.control.planrecord import OpenPlan
from gridctl.control.ports import FieldLink
from gridctl.control.sampling import Sampling
from gridctl.control.settings import PlanningSettings
from gridctl.control.tags import TagBook
from gridctl.control.telemetry import ProcessImage
from gridctl.control.watch import Watch
from gridctl.model.clock import Clock
from gridctl.model.errors import GridctlError, UnavailableError
from gridctl.model.plan import PlanState

log = logging.getLogger(__name__)

WATCH_S = 0.5
SWEEP_S = 10.0


class Standing(Protocol):
    """Keeps alarms of what lasts; called twice a second."""

    async def look(self) -> None:
        """Look once, and raise or clear."""
        ...


class Loops:
    """What runs from the start of the office to its end."""

    def __init__(
        self,
        *,
        link: FieldLink,
        clock: Clock,
        planning: PlanningSettings,
        intake: Intake,
        sampling: Sampling,
        cycle: Cycle,
        approvals: Approvals,
        dispatcher: Dispatcher,
        watch: Watch,
        triggers: Triggers,
        closed_loop: ClosedLoop,
        book: CommandBook,
        tags: TagBook,
        standing: Sequence[Standing],
        image: ProcessImage,
        stopped: Callable[[], bool],
        fault: RecordFault,
        wake: asyncio.Event,
        agenda: Agenda,
    ) -> None:
        self._link = link
        self._clock = clock
        self._planning = planning
        self._intake = intake
        self._sampling = sampling
        self._cycle = cycle
        self._approvals = approvals
        self._dispatcher = dispatcher
        self._watch = watch
        self._triggers = triggers
        self._closed_loop = closed_loop
        self._book = book
        self._tags = tags
        self._standing = standing
        self._image = image
        self._stopped = stopped
        self._fault = fault
        self._wake = wake
        self._agenda = agenda
        self._carrying: asyncio.Task[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises what a loop could not cope with: a bug ends the office, and
        the field goes on without it."""
        self._agenda.start()
        loops = [
            asyncio.create_task(part, name=name)
            for name, part in (
                ("office.frames", self._frames()),
                ("office.cycle", self._cycle_loop()),
                ("office.dispatch", self._dispatch_loop()),
                ("office.samples", self._sampling.run()),
                ("office.watch", self._watch_loop()),
            )
        ]
        ending = asyncio.create_task(stop.wait(), name="office.stop")
        try:
            done, _ = await asyncio.wait([*loops, ending], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ending}:
                task.result()
        finally:
            self._agenda.stop()
            ending.cancel()
            parts = loops if self._carrying is None else [*loops, self._carrying]
            for task in parts:
                task.cancel()
            await asyncio.gather(*parts, ending, return_exceptions=True)

    async def _frames(self) -> None:
        async for frame in self._link.frames():
            await self._intake.take(frame)

    async def _cycle_loop(self) -> None:
        """The fast cycle: its own loop on the injected clock; a late step is not made up for."""
        next_s = self._clock.monotonic_s()
        while True:
            if self._clock.monotonic_s() >= next_s or self._wake.is_set():
                self._wake.clear()
                began_s, planning = self._clock.monotonic_s(), self._planning
                await self._cycle.step(self._clock.now_s())
                # At the start and after a lost line: as soon as it can be planned, it is.
                held_up = self._cycle.is_held_up
                next_s = began_s + (planning.retry_s if held_up else planning.cycle_s)
            await asyncio.sleep(WATCH_S)

    async def _dispatch_loop(self) -> None:
        """What was approved is carried out, one plan at a time; a newer one takes over."""
        while True:
            await _soon(self._approvals.decided, WATCH_S)
            self._approvals.decided.clear()
            chosen = await self._take_approved()
            if chosen is None:
                continue
            self._dispatcher.coming = chosen
            if self._carrying is not None and not self._carrying.done():
                self._dispatcher.halt(PlanState.COMPLETED, f"replaced by plan {chosen.plan.mrid}")
                await self._carrying
            self._carrying = asyncio.create_task(
                self._dispatcher.carry_out(chosen), name=f"plan {chosen.plan.mrid}"
            )
            self._carrying.add_done_callback(_show_failure)

    async def _take_approved(self) -> OpenPlan | None:
        if self._stopped():
            return None
        try:
            return await self._approvals.take()
        except UnavailableError as error:
            log.error("office: an approved plan cannot be released: %s", error)
            return None

    async def _watch_loop(self) -> None:
        """What goes on by itself: expiry, STOP from elsewhere, alarms, forgotten commands."""
        next_sweep_s = self._clock.monotonic_s() + SWEEP_S
        while True:
            try:
                await self._watch.plans()
                await self._triggers.look()
                await self._closed_loop.step()
                if self._clock.monotonic_s() >= next_sweep_s:
                    next_sweep_s = self._clock.monotonic_s() + SWEEP_S
                    await self._book.sweep(self._image.leases)
                    await self._tags.step()
            except UnavailableError as error:
                self._fault.reason = str(error)
                log.error("office: %s", error)
            for one in self._standing:
                await one.look()
            await asyncio.sleep(WATCH_S)


async def _soon(event: asyncio.Event, real_s: float) -> None:
    """Wait for `event`, at most `real_s`."""
    try:
        async with asyncio.timeout(real_s):
            await event.wait()
    except TimeoutError:
        return


def _show_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        kind = "store" if isinstance(error, GridctlError) else "bug"
        log.error("office: %s ended badly (%s): %r", task.get_name(), kind, error)
