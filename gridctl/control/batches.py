"""A plan's setpoints of one interval → commands → batches. Pure.

Canary first: one small device proves the whole way before many follow (SG-17). No batch is larger
than the shares below, an order's size, or what an area's budget holds at once (SG-05).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gridctl.model.command import Command
from gridctl.model.limits import DeviceLimit, LimitSet
from gridctl.model.link import LeaseInfo
from gridctl.model.measurement import Point
from gridctl.model.order import COMMANDS_PER_ORDER_MAX
from gridctl.model.plan import Plan
from gridctl.model.planning import Horizon, Setpoint
from gridctl.model.resource import Resource

BATCH_SHARE = 0.20
RENEW_SHARE = 0.3
"""A lease is renewed when less than this share of the longest lease is left."""
LEASE_SHARE = 0.98
"""Of the longest lease that OT allows: the clocks of office and field are not the same."""
GIVEN_BACK_S = 600.0
"""A default is held no longer than it takes to see it; then the use of the device is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a device was last told by us and what that is worth at the head, kW."""

    value: float
    effect_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What the commands of an interval are made from. `k`: the interval; `now_s`: grid time;
    `excluded`: why a device may not be used now, or None."""

    plan: Plan
    k: int
    now_s: float
    resources: Mapping[str, Resource]
    points: Mapping[str, Point]
    devices: Mapping[str, DeviceLimit]
    leases: Mapping[str, LeaseInfo]
    held: Mapping[str, Held]
    excluded: Callable[[str], str | None]


def interval(horizon: Horizon, now_s: float) -> int:
    """The interval of `horizon` that `now_s` lies in; negative before, >= count after."""
    return int((now_s - horizon.start_s) // horizon.step_s)


def wanted(release: Release) -> dict[int, dict[str, Setpoint]]:
    """Setpoints that are not just the device's default, by interval and resource."""
    found: dict[int, dict[str, Setpoint]] = {}
    for setpoint in release.plan.result.setpoints:
        name = release.resources[setpoint.resource].points.setpoint
        device, point = release.devices.get(name), release.points.get(name)
        tolerance = 0.0 if point is None or point.tolerance is None else point.tolerance
        if device is None or abs(setpoint.kw - device.default_value) > tolerance:
            found.setdefault(setpoint.interval, {})[setpoint.resource] = setpoint
    return found


def last_interval(plan: Plan) -> int:
    """The last interval in which the plan wants anything; -1 when it never does."""
    return max((s.interval for s in plan.result.setpoints if s.effect_kw != 0), default=-1)


def due(release: Release, *, first_number: int) -> list[Command]:
    """Commands that interval `k` needs now: new or changed values, leases to be renewed, and what
    an earlier plan holds and this one does not want.

    Largest effect first. A renewal's effect is 0: it moves nothing.
    """
    commands: list[Command] = []
    by_interval = wanted(release)
    for mrid, setpoint in by_interval.get(release.k, {}).items():
        resource = release.resources[mrid]
        name = resource.points.setpoint
        point, device = release.points.get(name), release.devices.get(name)
        if point is None or device is None or point.expect is None or point.tolerance is None:
            continue  # the interlock names it
        until_s = _lease_until_s(release, by_interval, mrid, device)
        held, lease = release.held.get(mrid), release.leases.get(name)
        same = (
            held is not None
            and lease is not None
            and abs(held.value - setpoint.kw) <= point.tolerance
        )
        if same and lease is not None and not _needs_renewal(lease, device, until_s, release.now_s):
            continue
        before_kw = 0.0 if held is None or lease is None else held.effect_kw
        commands.append(
            Command(
                mrid="",
                plan=release.plan.mrid,
                resource=mrid,
                point=name,
                value=float(setpoint.kw),
                expect_point=point.expect,
                tolerance=float(point.tolerance),
                lease_until_s=until_s,
                default_value=float(device.default_value),
                effect_kw=0.0 if same else float(setpoint.effect_kw - before_kw),
                batch=0,
            )
        )
    commands += _given_back(release, by_interval.get(release.k, {}))
    commands.sort(key=lambda c: (-abs(c.effect_kw), c.point))
    return [
        replace(command, mrid=f"{release.plan.mrid}.{number:04d}")
        for number, command in enumerate(commands, first_number)
    ]


def _given_back(release: Release, wanted_now: Mapping[str, Setpoint]) -> Iterator[Command]:
    """Back to the default at once, for as long as the old lease would have held something else: a
    plan is checked against the feeder as it wants it, not against what is left of another."""
    for mrid, resource in release.resources.items():
        name = resource.points.setpoint
        lease, point = release.leases.get(name), release.points.get(name)
        device = release.devices.get(name)
        if mrid in wanted_now or lease is None or device is None:
            continue
        if point is None or point.expect is None or point.tolerance is None:
            continue
        if abs(lease.value - device.default_value) <= point.tolerance:
            continue
        if release.excluded(mrid) is not None:
            continue
        held = release.held.get(mrid)
        yield Command(
            mrid="",
            plan=release.plan.mrid,
            resource=mrid,
            point=name,
            value=float(device.default_value),
            expect_point=point.expect,
            tolerance=float(point.tolerance),
            lease_until_s=float(min(lease.until_s, release.now_s + GIVEN_BACK_S)),
            default_value=float(device.default_value),
            effect_kw=0.0 if held is None else -float(held.effect_kw),
            batch=0,
        )


def split(
    commands: Sequence[Command], limits: LimitSet, *, canary: bool, first_batch: int
) -> list[tuple[Command, ...]]:
    """Batches in the order in which they go (SG-17). With `canary`, the first one is the smallest
    single device."""
    waiting = list(commands)
    batches: list[list[Command]] = []
    total_kw = sum(abs(c.effect_kw) for c in waiting)
    if canary and waiting:
        smallest = min(waiting, key=lambda c: (abs(c.effect_kw), c.point))
        waiting.remove(smallest)
        batches.append([smallest])
    budgets = {a.area: a.budget_kw for a in limits.areas}
    areas = {d.point: d.area for d in limits.devices}
    for command in waiting:
        fits = batches and not (canary and len(batches) == 1)
        if not fits or not _fits(batches[-1], command, total_kw, budgets, areas):
            batches.append([])
        batches[-1].append(command)
    return [
        tuple(replace(c, batch=number) for c in batch)
        for number, batch in enumerate(batches, first_batch)
    ]


def worth_sending(
    commands: Iterable[Command], *, now_s: float, hold_min_s: float
) -> tuple[Command, ...]:
    """Those whose device has at least `hold_min_s` (grid seconds) to follow and to hold before its
    lease ends. The others would move nothing that counts, or be refused as over."""
    return tuple(c for c in commands if c.lease_until_s - now_s >= hold_min_s)


def _fits(
    batch: Sequence[Command],
    command: Command,
    total_kw: float,
    budgets: Mapping[str, float],
    areas: Mapping[str, str],
) -> bool:
    if len(batch) >= COMMANDS_PER_ORDER_MAX:
        return False
    if _kw((*batch, command)) > BATCH_SHARE * total_kw:
        return False
    area = areas.get(command.point, "")
    in_area = [c for c in (*batch, command) if areas.get(c.point, "") == area]
    return _kw(in_area) <= budgets.get(area, 0.0)


def _kw(commands: Iterable[Command]) -> float:
    return sum(abs(c.effect_kw) for c in commands)


def _lease_until_s(
    release: Release,
    by_interval: Mapping[int, Mapping[str, Setpoint]],
    resource: str,
    device: DeviceLimit,
) -> float:
    """Until the plan wants the device back, or as long as OT allows: then it is renewed."""
    horizon = release.plan.result.horizon
    k = release.k
    while resource in by_interval.get(k + 1, {}):
        k += 1
    run_end_s = horizon.start_s + (k + 1) * horizon.step_s
    return float(min(run_end_s, release.now_s + LEASE_SHARE * device.lease_max_s))


def _needs_renewal(lease: LeaseInfo, device: DeviceLimit, until_s: float, now_s: float) -> bool:
    left_s = lease.until_s - now_s
    return until_s > lease.until_s + 1.0 and left_s < RENEW_SHARE * device.lease_max_s
