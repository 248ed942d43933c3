"""From a snapshot to what planning asks: the state of each resource and of the network.

Unknown means no: a resource of which anything needed is not good is excluded, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gridctl.control.activity import Activity
from gridctl.control.delivery import Given
from gridctl.model.limits import LimitSet
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Measurement, Point, PointKind, Snapshot
from gridctl.model.network import Feeder, VoltageRegulator
from gridctl.model.planning import NetworkState, ResourceState
from gridctl.model.quantity import Phase, Unit
from gridctl.model.resource import (
    Battery,
    Generator,
    Hvac,
    LoadGroup,
    Precool,
    PvInverter,
    Resource,
)

_PHASES = (Phase.A, Phase.B, Phase.C)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known now: the snapshot, the field's points and links, OT's limits; which areas may
    not be commanded (SG-37), which devices a tag keeps from it (SG-26), which an enrolment or an
    opt-out withdraws, and which did not do what they were told last, each with why; regulators
    whose tap changers do not move."""

    snapshot: Snapshot
    points: Mapping[str, Point]
    links: tuple[LinkHealth, ...]
    limits: LimitSet
    not_commanded: Mapping[str, str]
    withdrawn: Mapping[str, str] = field(default_factory=dict)
    tagged: Mapping[str, str] = field(default_factory=dict)
    distrusted: Mapping[str, str] = field(default_factory=dict)
    still_regulators: tuple[str, ...] = ()


def why_excluded(resource: Resource, known: Known) -> str | None:
    """Why `resource` may not be used now (SG-12, SG-26, SG-27, SG-37), or None."""
    return (
        known.tagged.get(resource.mrid)
        or known.not_commanded.get(resource.area)
        or known.withdrawn.get(resource.mrid)
        or _why_unusable(resource, known)
        or known.distrusted.get(resource.mrid)
    )


def _why_unusable(resource: Resource, known: Known) -> str | None:
    names = resource.points
    setpoint = known.points.get(names.setpoint)
    if setpoint is None:
        return f"the field does not know its setpoint {names.setpoint}"
    if setpoint.unit is not Unit.KW or not setpoint.kind.commandable:
        return f"{names.setpoint} is not a setpoint in kW"
    if names.setpoint in known.limits.inhibited:
        return "inhibited by OT"
    if all(device.point != names.setpoint for device in known.limits.devices):
        return "OT has set no limits for it"
    down = [link.link for link in known.links if link.state != "up"]
    if setpoint.link in down:
        return f"link {setpoint.link} is down"
    needed = (names.feedback, names.power, names.available, names.soc, names.remote, names.fault)
    for mrid in needed:
        if mrid is not None and known.snapshot.good(mrid) is None:
            return f"{mrid} is {quality_words(mrid, known.snapshot)}"
    if _value(names.remote, known.snapshot) == 0:
        return "switched to local"
    if (_value(names.fault, known.snapshot) or 0) != 0:
        return "reports a fault"
    return None


def given_now(batteries: Sequence[Battery], snapshot: Snapshot) -> dict[str, Given]:
    """What each battery shows of which setpoint, power and charge are good."""
    found = {}
    for battery in batteries:
        names = battery.points
        setpoint_kw, power_kw = _value(names.feedback, snapshot), _value(names.power, snapshot)
        soc_pct = _value(names.soc, snapshot)
        if setpoint_kw is not None and power_kw is not None and soc_pct is not None:
            found[battery.mrid] = Given(setpoint_kw=setpoint_kw, power_kw=power_kw, soc_pct=soc_pct)
    return found


def resource_states(
    resources: Sequence[Resource],
    known: Known,
    activity: Activity,
    *,
    at_most_kw: Mapping[str, float],
) -> tuple[ResourceState, ...]:
    """The state of each resource, in their order; `at_most_kw` (`gridctl.control.delivery`): what
    those have available that gave less than they confirmed."""
    states: list[ResourceState] = []
    for resource in resources:
        excluded = why_excluded(resource, known)
        done = activity.of(resource.mrid)
        states.append(
            ResourceState(
                resource=resource.mrid,
                available_kw=min(
                    _available_kw(resource, known.snapshot), at_most_kw.get(resource.mrid, math.inf)
                ),
                power_kw=_value(resource.points.power, known.snapshot) or 0.0,
                setpoint_kw=_value(resource.points.feedback, known.snapshot) or 0.0,
                soc_pct=_value(resource.points.soc, known.snapshot),
                excluded=excluded,
                starts_today=done.starts_today,
                active_since_s=done.active_since_s,
                released_at_s=done.released_at_s,
                hours_today=done.hours_today,
                hours_season=done.hours_season,
                precooled=done.precooled,
                precool_kw=_precool_kw(resource, known.limits),
            )
        )
    return tuple(states)


def network_state(feeder: Feeder, known: Known, *, head_point: str) -> NetworkState | None:
    """The network as measured; None when the head's import itself is not known.

    What is not measured (or not good) stays as the model has it: taps, capacitors, switches.
    """
    head = known.snapshot.good(head_point)
    if head is None:
        return None
    voltages = _voltages(feeder, known)
    by_equipment: dict[str, list[Point]] = {}
    for point in known.points.values():
        by_equipment.setdefault(point.equipment, []).append(point)
    head_equipment = known.points[head_point].equipment
    return NetworkState(
        head_kw=head.value,
        head_kvar=_head_kvar(by_equipment.get(head_equipment, ()), known.snapshot),
        taps={
            r.mrid: _taps(r.taps, r.phases, by_equipment.get(r.mrid, ()), known.snapshot)
            for r in feeder.regulators
        },
        closed_capacitors=tuple(
            c.mrid
            for c in feeder.capacitors
            if _is_on(by_equipment.get(c.mrid, ()), known.snapshot, default=c.is_closed)
        ),
        # A switch's status point is 1 when it is closed.
        open_switches=tuple(
            s.mrid
            for s in feeder.switches
            if not _is_on(by_equipment.get(s.mrid, ()), known.snapshot, default=not s.is_open)
        ),
        voltages_pu={place: m.value for place, m in voltages.items()},
        voltage_ages_s={
            place: round(max(known.snapshot.at_s - m.source_time_s, 0.0), 3)
            for place, m in voltages.items()
        },
        held_regulators=known.still_regulators,
    )


def measured_taps(regulator: VoltageRegulator, known: Known) -> dict[str, int]:
    """Tap by phase where it is measured and good."""
    points = [p for p in known.points.values() if p.equipment == regulator.mrid]
    return _measured_taps(regulator.phases, points, known.snapshot)


def precool_of(resource: Resource) -> Precool | Hvac | None:
    """What says that `resource` may be drawn ahead of a call, or None."""
    if not isinstance(resource, LoadGroup):
        return None
    own = resource.appliance
    ahead = own if isinstance(own, Hvac) and own.ahead_kw is not None else None
    return resource.precool or ahead


def _precool_kw(resource: Resource, limits: LimitSet) -> float | None:
    """As far below zero as OT's limits let its setpoint go; None where it is never asked."""
    if precool_of(resource) is None:
        return None
    lows = [d.min_value for d in limits.devices if d.point == resource.points.setpoint]
    return max([0.0, *(-low for low in lows)])


def _available_kw(resource: Resource, snapshot: Snapshot) -> float:
    match resource:
        case Battery() if resource.points.available is None:
            return resource.rating_kw
        case Battery():
            return max(0.0, _value(resource.points.available, snapshot) or 0.0)
        case LoadGroup() | PvInverter() | Generator():
            available = _value(resource.points.available, snapshot)
            if available is None:
                available = _value(resource.points.power, snapshot)
            return max(0.0, available or 0.0)


def _value(mrid: str | None, snapshot: Snapshot) -> float | None:
    if mrid is None:
        return None
    measured = snapshot.good(mrid)
    return None if measured is None else measured.value


def quality_words(mrid: str, snapshot: Snapshot) -> str:
    """What is to be said of a measurement's quality."""
    measured = snapshot.values.get(mrid)
    if measured is None:
        return "not known"
    flags = ", ".join(flag.words for flag in sorted(measured.quality.flags))
    return f"{measured.quality.validity}" + (f" ({flags})" if flags else "")


def _head_kvar(points: Iterable[Point], snapshot: Snapshot) -> float:
    for point in points:
        if point.unit is Unit.KVAR and point.phase is Phase.ABC:
            return _value(point.mrid, snapshot) or 0.0
    return 0.0


def _taps(
    modelled: tuple[int, ...], phases: str, points: Iterable[Point], snapshot: Snapshot
) -> tuple[int, ...]:
    measured = _measured_taps(phases, points, snapshot)
    return tuple(measured.get(phase, tap) for phase, tap in zip(phases, modelled, strict=True))


def _measured_taps(phases: str, points: Iterable[Point], snapshot: Snapshot) -> dict[str, int]:
    measured: dict[str, int] = {}
    for point in points:
        value = _value(point.mrid, snapshot)
        if value is not None and point.unit in (Unit.COUNT, Unit.STATE):
            for phase in phases if point.phase not in _PHASES else point.phase:
                measured[phase] = round(value)
    return measured


def _is_on(points: Iterable[Point], snapshot: Snapshot, *, default: bool) -> bool:
    for point in points:
        if point.kind is PointKind.DISCRETE:
            value = _value(point.mrid, snapshot)
            if value is not None:
                return value != 0
    return default


def measured_pu(feeder: Feeder, known: Known) -> dict[str, float]:
    """Good voltages by "node.phase"."""
    return {place: m.value for place, m in _voltages(feeder, known).items()}


def _voltages(feeder: Feeder, known: Known) -> dict[str, Measurement]:
    """Good ones only, by "node.phase"."""
    nodes = feeder.node_index()
    found: dict[str, Measurement] = {}
    for point in known.points.values():
        if point.unit is Unit.VOLT_PU and point.equipment in nodes and point.phase in _PHASES:
            measured = known.snapshot.good(point.mrid)
            if measured is not None:
                found[f"{point.equipment}.{point.phase}"] = measured
    return found
