"""What was moved, by the office's own books, against OT's budgets (SG-05).

The field keeps the same books and refuses what goes beyond: here it is foreseen, so that a plan
waits or says so instead of being refused half way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from gridctl.control.telemetry import ProcessImage
from gridctl.model.budget import Move, count, last_s, moved_kw, spent_kw
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.limits import AreaLimit, DeviceLimit, LimitSet

HOUR_S = 3_600.0


class Spending:
    """The moves of the last hour, and what they leave. All times are grid seconds."""

    def __init__(self, limits: LimitSet, *, image: ProcessImage, clock: Clock) -> None:
        self._devices: dict[str, DeviceLimit] = {d.point: d for d in limits.devices}
        self._areas: dict[str, AreaLimit] = {a.area: a for a in limits.areas}
        self._image = image
        self._clock = clock
        self._moves: list[Move] = []
        self.window_max_s: float = max((a.window_s for a in limits.areas), default=0.0)
        """After so long, every budget is whole again."""

    def moves(self, batch: Sequence[Command]) -> Sequence[Move]:
        """What `batch` will move; asked before it leaves, while the devices are where they are."""
        now_s = self._clock.now_s()
        return [self._move(command, now_s) for command in batch]

    def note(self, moves: Sequence[Move]) -> None:
        """These went out. Counted from now: by the field's books they went a little later than by
        ours."""
        now_s = self._clock.now_s()
        self._moves = [m for m in self._moves if m.at_s > now_s - HOUR_S]
        self._moves += [replace(move, at_s=now_s) for move in moves]

    def moved_kw(self, area: str, *, window_s: float) -> float:
        """What was moved in `area` within the last `window_s`."""
        return spent_kw(self._moves, area=area, now_s=self._clock.now_s(), window_s=window_s)

    def is_rested(self, command: Command) -> bool:
        """Whether its device may be told something again."""
        return self._since_s(command) >= self._devices[command.point].interval_min_s

    def too_fast(self, command: Command) -> str | None:
        """Why OT's limits forbid `command` so soon, or None."""
        device, now_s = self._devices[command.point], self._clock.now_s()
        since_s = self._since_s(command)
        if since_s < device.interval_min_s:
            return f"commanded {since_s:.0f} s ago"
        sent = count(self._moves, point=command.point, now_s=now_s, window_s=HOUR_S)
        if sent >= device.per_hour_max:
            return f"{sent} commands in the last hour"
        return None

    def over_budget(self, batch: Sequence[Command]) -> str | None:
        """Which area's budget has no room for `batch` now, or None."""
        asked: dict[str, float] = {}
        for move in self.moves(batch):
            asked[move.area] = asked.get(move.area, 0.0) + move.kw
        for area, kw in asked.items():
            limit = self._areas[area]
            spent = self.moved_kw(area, window_s=limit.window_s)
            if spent + kw > limit.budget_kw:
                return f"area {area}: {spent:.0f} + {kw:.0f} kW is above {limit.budget_kw:g} kW"
        return None

    def _since_s(self, command: Command) -> float:
        """Since the device was told something, infinite when it never was."""
        last = last_s(self._moves, point=command.point)
        return inf if last is None else self._clock.now_s() - last

    def _move(self, command: Command, now_s: float) -> Move:
        measured = self._image.good(command.expect_point)
        kw = moved_kw(
            command,
            present_kw=command.value if measured is None else measured.value,
            renews=command.point in self._image.leases,
        )
        area = self._devices[command.point].area
        return Move(at_s=now_s, point=command.point, area=area, kw=kw)
