"""What a shift that ends leaves to the next one (SG-35)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gridctl.control.planrecord import OpenPlan
from gridctl.control.stop import StopState
from gridctl.model.alarm import Alarm
from gridctl.model.link import LeaseInfo
from gridctl.model.mode import AreaMode, Mode
from gridctl.model.tag import Tag


def open_items(
    *,
    stop_state: StopState,
    modes: Iterable[AreaMode],
    plans: Mapping[str, OpenPlan],
    active: OpenPlan | None,
    leases: Iterable[LeaseInfo],
    inhibited: Iterable[str],
    tags: Iterable[Tag],
    alarms: Iterable[Alarm],
) -> list[str]:
    """One line for each thing that is not finished, the most restrictive first."""
    items = [f"STOP holds: {stop_state.reason}"] if stop_state.stopped else []
    items += [
        f"area {mode.area} is {mode.mode}: {mode.reason}"
        for mode in modes
        if mode.mode is not Mode.ADVISORY
    ]
    items += [
        f"plan {mrid} is {chosen.state}, {len(chosen.approvals)} approvals"
        for mrid, chosen in plans.items()
    ]
    items += [] if active is None else [f"plan {active.plan.mrid} is carried out"]
    items += [f"{lease.point} is held at {lease.value:g}" for lease in leases]
    items += [f"inhibited by OT: {point}" for point in inhibited]
    items += [f"tag on {tag.device}: {tag.words()}" for tag in tags]
    items += [f"alarm, priority {alarm.priority}, {alarm.state}: {alarm.text}" for alarm in alarms]
    return items
