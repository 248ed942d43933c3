"""What a single command is held against in the field: points, limits, tags, pace, lease, plant.

Everything here reads; nothing lets anything through. The guard asks for each command of an order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from gridctl.field.spool import FieldMemory
from gridctl.field.tags import FieldTags
from gridctl.model.budget import Move, count, last_s, moved_kw, spent_kw
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.limits import AreaLimit, DeviceLimit, LimitSet
from gridctl.model.measurement import Measurement, PointKind
from protocols.driver import PointAddress

HOUR_S = 3_600.0
REMOTE_SUFFIXES = (".Rem", ".Remote", ".LocRem")
FAULT_SUFFIXES = (".Flt", ".Fault")

Objection = tuple[str, str]
"""A refusal code and its reason."""


class PlantView(Protocol):
    """What the guard asks about the plant and the agent at the moment of an order."""

    @property
    def stopped(self) -> bool:
        """STOP holds, by order or by file."""
        ...

    @property
    def stop_file_present(self) -> bool: ...

    @property
    def clock_fault(self) -> str | None:
        """Why grid time cannot be trusted, or None."""
        ...

    @property
    def room(self) -> int:
        """How many frames the line to the office can still keep."""
        ...

    def present(self, point: str) -> Measurement | None: ...

    def link_up(self, link: str) -> bool: ...

    def busy(self, point: str) -> str | None:
        """Who holds the point, since when and until when at the latest, in words; None: nobody
        (SG-03)."""
        ...


class CommandChecks:
    """Holds commands against OT's limits, the points, the tags and the plant as it is now."""

    def __init__(
        self,
        *,
        limits: LimitSet,
        memory: FieldMemory,
        tags: FieldTags,
        plant: PlantView,
        clock: Clock,
    ) -> None:
        self._devices: Mapping[str, DeviceLimit] = {d.point: d for d in limits.devices}
        self._areas: Mapping[str, AreaLimit] = {a.area: a for a in limits.areas}
        self._inhibited = frozenset(limits.inhibited)
        self._memory = memory
        self._tags = tags
        self._plant = plant
        self._clock = clock
        self._addresses: Mapping[str, PointAddress] = {}
        self._switches: Mapping[str, tuple[str, ...]] = {}

    def use(self, addresses: Sequence[PointAddress]) -> None:
        """Judge commands by these points from now on."""
        self._addresses = {a.point.mrid: a for a in addresses}
        self._switches = _switches(addresses)

    def one(self, command: Command) -> Iterator[Objection]:
        """Why this command may not go out."""
        name = command.point
        address = self._addresses.get(name)
        limit = self._devices.get(name)
        if address is None:
            yield ("unknown_point", f"{name} is not a point of this field")
            return
        if address.point.kind not in (PointKind.SETPOINT, PointKind.CONTROL):
            yield ("not_commandable", f"{name} is a {address.point.kind}, it takes no command")
            return
        if limit is None:
            yield ("no_limit", f"{name} has no limits: it is not ours to move (SG-05)")
            return
        if command.mrid in self._memory.state.admitted:
            yield ("repeated", f"{name}: command {command.mrid} was let through before (SG-19)")
        if name in self._inhibited:
            yield ("inhibited", f"{name} is inhibited (SG-26)")
        for tag in self._tags.on(name):
            yield ("tagged", f"{name}: {tag.words()}")
        holder = self._plant.busy(name)
        if holder is not None:
            yield ("busy", f"{name}: {holder} (SG-03)")
        yield from self._expectation(command, address)
        yield from _range(command, limit, address)
        yield from self._step(command, limit)
        yield from self._pace(command, limit)
        yield from self._lease(command, limit)
        yield from self._interlocks(command, address)

    def _expectation(self, command: Command, address: PointAddress) -> Iterator[Objection]:
        """Each command says what it expects to see, and it is what the points file says (SG-02)."""
        point = address.point
        if command.expect_point != point.expect or command.expect_point not in self._addresses:
            yield (
                "wrong_expectation",
                f"{point.mrid} shows in {point.expect}, not in {command.expect_point} (SG-02)",
            )
        allowed = point.tolerance if point.tolerance is not None else 0.0
        if not 0 <= command.tolerance <= allowed:
            yield (
                "wrong_expectation",
                f"{point.mrid}: tolerance {command.tolerance:g}, {allowed:g} is allowed (SG-02)",
            )

    def _step(self, command: Command, limit: DeviceLimit) -> Iterator[Objection]:
        present = self._plant.present(command.expect_point)
        if present is None or not present.quality.is_good:
            yield (
                "present_unknown",
                f"{command.point}: what it holds now ({command.expect_point}) is not known (SG-12)",
            )
            return
        step = abs(command.value - present.value)
        if step > limit.step_max + command.tolerance:
            yield (
                "step_too_large",
                (
                    f"{command.point}: a step of {step:g} from {present.value:g}, "
                    f"{limit.step_max:g} is allowed (SG-05)"
                ),
            )

    def _pace(self, command: Command, limit: DeviceLimit) -> Iterator[Objection]:
        moves, now_s = self._memory.state.moves, self._clock.now_s()
        last = last_s(moves, point=command.point)
        if last is not None and now_s - last < limit.interval_min_s:
            yield (
                "too_soon",
                (
                    f"{command.point}: commanded {now_s - last:.0f} s ago, "
                    f"{limit.interval_min_s:g} s must lie between (SG-05)"
                ),
            )
        if count(moves, point=command.point, now_s=now_s, window_s=HOUR_S) >= limit.per_hour_max:
            yield (
                "too_often",
                f"{command.point}: {limit.per_hour_max} commands in the last hour already (SG-05)",
            )

    def _lease(self, command: Command, limit: DeviceLimit) -> Iterator[Objection]:
        left_s = command.lease_until_s - self._clock.now_s()
        if left_s <= 0:
            yield ("lease_over", f"{command.point}: its lease is over already (SG-22)")
        elif left_s > limit.lease_max_s:
            yield (
                "lease_too_long",
                (
                    f"{command.point}: a lease of {left_s:.0f} s, {limit.lease_max_s:g} s allowed "
                    "(SG-22)"
                ),
            )
        if command.default_value != limit.default_value:
            yield (
                "wrong_default",
                (
                    f"{command.point} returns to {limit.default_value:g}, "
                    f"not to {command.default_value:g} (SG-22)"
                ),
            )

    def _interlocks(self, command: Command, address: PointAddress) -> Iterator[Objection]:
        if not self._plant.link_up(address.link):
            yield ("link_down", f"{command.point}: link {address.link} is down (SG-27)")
        for mrid in self._switches.get(address.point.equipment, ()):
            seen = self._plant.present(mrid)
            if seen is None or not seen.quality.is_good:
                yield ("switch_unknown", f"{command.point}: {mrid} is not known (SG-27)")
            elif mrid.endswith(REMOTE_SUFFIXES) and seen.value == 0:
                yield ("local", f"{address.point.equipment} is switched to local (SG-27)")
            elif mrid.endswith(FAULT_SUFFIXES) and seen.value != 0:
                yield ("fault", f"{address.point.equipment} reports a fault (SG-27)")

    def together(self, commands: Sequence[Command]) -> Iterator[Objection]:
        """Why these may not go out in one order: what their areas may still be moved."""
        now_s = self._clock.now_s()
        asked: dict[str, float] = {}
        for command in commands:
            move = self.move(command, now_s)
            asked[move.area] = asked.get(move.area, 0.0) + move.kw
        for area, kw in asked.items():
            budget = self._areas.get(area)
            if budget is None:
                continue  # its device has no limits either, which is told already
            spent = spent_kw(
                self._memory.state.moves, area=area, now_s=now_s, window_s=budget.window_s
            )
            if spent + kw > budget.budget_kw:
                yield (
                    "over_budget",
                    (
                        f"area {area}: {spent:.0f} kW moved in {budget.window_s:g} s, "
                        f"{kw:.0f} kW more is above {budget.budget_kw:g} kW (SG-05)"
                    ),
                )

    def move(self, command: Command, now_s: float) -> Move:
        """What the command takes from its area's budget."""
        limit = self._devices.get(command.point)
        present = self._plant.present(command.expect_point)
        kw = moved_kw(
            command,
            present_kw=math.inf if present is None else present.value,
            renews=self._memory.lease(command.point) is not None,
        )
        area = "" if limit is None else limit.area
        return Move(at_s=now_s, point=command.point, area=area, kw=kw)


def _range(command: Command, limit: DeviceLimit, address: PointAddress) -> Iterator[Objection]:
    lows = [limit.min_value, *([] if address.min_value is None else [address.min_value])]
    highs = [limit.max_value, *([] if address.max_value is None else [address.max_value])]
    if not (max(lows) <= command.value <= min(highs)):
        yield (
            "out_of_range",
            f"{command.point}: {command.value:g} is outside {max(lows):g} … {min(highs):g} (SG-05)",
        )


def _switches(addresses: Sequence[PointAddress]) -> Mapping[str, tuple[str, ...]]:
    """Local/remote switches and fault flags by the equipment that they belong to."""
    found: dict[str, tuple[str, ...]] = {}
    for address in addresses:
        point = address.point
        is_switch = point.mrid.endswith(REMOTE_SUFFIXES + FAULT_SUFFIXES)
        if point.kind is PointKind.DISCRETE and is_switch:
            found[point.equipment] = (*found.get(point.equipment, ()), point.mrid)
    return found
