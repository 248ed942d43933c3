"""What happens when nobody says anything any more: leases run out, and STOP is a file.

Losing the office needs no message to be safe. Every setpoint is held until its lease ends; then the
point's default is written with a permit of the field's own, again and again until the feedback
shows it. Nothing here asks whether the office lives.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from gridctl.field.spool import FieldMemory, Lease
from gridctl.model.clock import Clock

log = logging.getLogger(__name__)

STOP_POLL_S = 0.5
"""Real seconds between two looks at the stop file (SG-21)."""
RETRY_S = 5.0
"""Real seconds between two attempts to write a default; writing a default twice does no harm."""
CLOCK_BACK_MAX_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A device is on its way back and shows `value`; `wait_s`: grid time until the next step."""

    value: float
    wait_s: float


Revert = Callable[[Lease], Awaitable[str | Step | None]]
"""Returns a device to its default; None when its feedback shows it, a Step when it is on its way,
else why not yet."""


class StopSwitch:
    """STOP: by order (remembered in the spool) or by the presence of the stop file."""

    def __init__(self, file: Path, memory: FieldMemory) -> None:
        self._file = file
        self._memory = memory
        self._file_seen = self.file_present

    @property
    def file_present(self) -> bool:
        """Looks at the file now. A folder that cannot be looked into counts as STOP."""
        try:
            return self._file.exists()
        except OSError:
            return True

    @property
    def stopped(self) -> bool:
        """Looks at the file as well, so that it holds the moment it is there."""
        return self._memory.state.stopped or self.file_present

    def poll(self) -> bool:
        """Whether the file came or went since the last look."""
        now = self.file_present
        changed, self._file_seen = now != self._file_seen, now
        return changed


class Deadman:
    """Runs leases out. `tick` is called every STOP_POLL_S by the agent."""

    def __init__(
        self,
        *,
        memory: FieldMemory,
        clock: Clock,
        busy: Callable[[str], bool],
        revert: Revert,
        alarm: Callable[[str, str, bool], None],
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._busy = busy
        self._revert = revert
        self._alarm = alarm
        self._last_now_s = clock.now_s()
        self._next_try_s: dict[str, float] = {}
        self._next_step_s: dict[str, float] = {}
        self.clock_fault: str | None = None

    def due(self) -> list[Lease]:
        """Leases that have run out and whose turn it is."""
        now_s, mono_s = self._clock.now_s(), self._clock.monotonic_s()
        return [
            held
            for held in self._memory.state.leases
            if held.until_s <= now_s
            and not self._busy(held.point)
            and self._next_try_s.get(held.point, mono_s) <= mono_s
            and self._next_step_s.get(held.point, now_s) <= now_s
        ]

    def watch_clock(self) -> None:
        """A grid clock that was set back must not prolong a lease: they move back with it."""
        now_s = self._clock.now_s()
        back_s = self._last_now_s - now_s
        self._last_now_s = now_s
        if back_s > CLOCK_BACK_MAX_S:
            self._memory.shift(-back_s)
            self.clock_fault = f"the clock was set back by {back_s:.1f} s"
            self._alarm("clock_step", f"the field's {self.clock_fault}", True)
        elif self.clock_fault is not None:
            # One whole tick of sane time has passed.
            self.clock_fault = None
            self._alarm("clock_step", "the field's clock runs on", False)

    async def run_out(self, held: Lease) -> bool:
        """Return the device of an expired lease to its default; true when it is there."""
        key = f"revert.{held.point}"
        self._next_try_s[held.point] = self._clock.monotonic_s() + RETRY_S
        outcome = await self._revert(held)
        if isinstance(outcome, Step):
            # By OT's own steps and pauses: no jump, and no alarm on the way (SG-24).
            self._next_try_s.pop(held.point, None)
            self._next_step_s[held.point] = self._clock.now_s() + outcome.wait_s
            log.info("deadman: %s is on its way back, at %g", held.point, outcome.value)
            return False
        self._next_step_s.pop(held.point, None)
        if outcome is None:
            self._next_try_s.pop(held.point, None)
            self._memory.let_go(held.point)
            self._alarm(key, f"{held.point} is back at its default", False)
            return True
        log.warning("deadman: %s not at its default yet: %s", held.point, outcome)
        self._alarm(key, f"{held.point} is not back at its default: {outcome}", True)
        return False
