"""Devices that something is under way to: a command that has not ended, a return to the default.

The field lets one thing at a time happen to a device (SG-03) and refuses an order whole. So the
office leaves such a device out, and tells it as soon as it is free; the others do not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gridctl.control.alarms import Condition
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import Clock
from gridctl.model.command import Command

TOLD_AFTER_S: Final = 15.0
"""Real seconds for which a device is waited for before people are told."""
NAMED_MAX: Final = 4


class InFlight:
    """What of a plan's commands waits for its device."""

    def __init__(self, *, image: ProcessImage, clock: Clock) -> None:
        self._image = image
        self._clock = clock
        self._since_mono_s: dict[str, float] = {}

    def free(self, commands: Sequence[Command]) -> tuple[Command, ...]:
        """Those whose device nothing is under way to, as the field told last."""
        busy = self._image.busy
        return tuple(command for command in commands if command.point not in busy)

    def waiting(self, plan: str, commands: Sequence[Command]) -> tuple[bool, Condition]:
        """Whether any of `commands` has waited for its device for long, and the alarm for that."""
        busy, now_s = self._image.busy, self._clock.monotonic_s()
        waits = {c.point: c for c in commands if c.point in busy}
        self._since_mono_s = {
            point: self._since_mono_s.get(point, now_s) for point in sorted(waits)
        }
        late = {p: now_s - s for p, s in self._since_mono_s.items() if now_s - s >= TOLD_AFTER_S}
        named = ", ".join(
            f"{waits[point].resource} ({for_s:.0f} s)"
            for point, for_s in list(late.items())[:NAMED_MAX]
        )
        more = f" and {len(late) - NAMED_MAX} more" if len(late) > NAMED_MAX else ""
        return bool(late), Condition(
            key="dispatch.waits",
            priority=3,
            text=f"plan {plan} waits for {named}{more}: something before it is still under way",
            response="the field ends it within its own deadline; the rest of the plan went out, "
            "and the device is told as soon as it is free",
        )
