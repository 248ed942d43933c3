"""Orders of plans that no person has approved one by one (SG-37): held to OT's bounds and to the
envelope that two persons have approved. Without bounds of OT's for an area there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from gridctl.field.spool import FieldMemory
from gridctl.model.budget import Move, spent_kw
from gridctl.model.command import Command
from gridctl.model.envelope import (
    RAMP_WINDOW_S,
    FieldSight,
    Promotion,
    beyond,
    exceeded,
)
from gridctl.model.limits import ClosedLoopLimit, DeviceLimit, LimitSet
from gridctl.model.order import Order
from protocols.driver import PointAddress


class StandingOrders:
    """What the guard asks about an order that names promotions."""

    def __init__(self, limits: LimitSet, memory: FieldMemory) -> None:
        self._devices: Mapping[str, DeviceLimit] = {d.point: d for d in limits.devices}
        self._bounds: Mapping[str, ClosedLoopLimit] = {c.area: c for c in limits.closed_loop}
        self._limits_digest = limits.digest()
        self._memory = memory
        self._equipment: Mapping[str, str] = {}

    def use(self, addresses: Sequence[PointAddress]) -> None:
        """These are the points from now on."""
        self._equipment = {a.point.mrid: a.point.equipment for a in addresses}

    def objections(
        self, order: Order, *, now_s: float, move: Callable[[Command, float], Move]
    ) -> Iterator[tuple[str, str]]:
        """Why `order` is not let through, code and reason. `move`: what a command counts as."""
        by_area = {p.envelope.area: p for p in order.standing}
        if len(by_area) < len(order.standing):
            yield ("envelope", "two promotions of one area (SG-37)")
        commands: dict[str, list[Command]] = {}
        for command in order.commands:
            limit = self._devices.get(command.point)
            if limit is not None:  # else it is told already
                commands.setdefault(limit.area, []).append(command)
        for area, its in commands.items():
            promotion = by_area.get(area)
            if promotion is None:
                yield ("envelope", f"nobody has promoted area {area} to closed loop (SG-37)")
                continue
            missing = set(promotion.approved_by) - set(order.approved_by)
            if missing:
                yield ("not_approved", f"the order does not name {', '.join(sorted(missing))}")
            yield from self._bounds_of_ot(promotion, its)
            sight = self._sight(area, its, now_s, sum(move(c, now_s).kw for c in its))
            for reason in exceeded(promotion, its, sight, lambda p: self._equipment.get(p, p)):
                yield ("envelope", reason)

    def _bounds_of_ot(
        self, promotion: Promotion, commands: Sequence[Command]
    ) -> Iterator[tuple[str, str]]:
        area, bound = promotion.envelope.area, self._bounds.get(promotion.envelope.area)
        if bound is None:
            yield ("no_closed_loop", f"OT allows no closed loop in area {area} (SG-37)")
            return
        if promotion.limits_digest != self._limits_digest:
            yield ("limits_changed", f"area {area} was promoted with other limits (SG-37)")
        for reason in beyond(promotion.envelope, bound):
            yield ("beyond_bounds", reason)
        for command in commands:
            if command.point not in bound.points:
                yield (
                    "beyond_bounds",
                    f"{command.point}: OT lets it move with a person's approval only (SG-37)",
                )

    def _sight(
        self, area: str, commands: Sequence[Command], now_s: float, moves_kw: float
    ) -> FieldSight:
        touched = {c.point for c in commands}
        state = self._memory.state
        return FieldSight(
            now_s=now_s,
            held_kw=sum(
                abs(lease.value - lease.default_value)
                for lease in state.leases
                if lease.point not in touched
                and lease.point in self._devices
                and self._devices[lease.point].area == area
            ),
            moved_kw=spent_kw(state.moves, area=area, now_s=now_s, window_s=RAMP_WINDOW_S),
            moves_kw=moves_kw,
        )
