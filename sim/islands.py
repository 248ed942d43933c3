"""What is left where the grid is cut off: islands that live off their batteries, and the dark."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from gridctl.model.resource import Terminal
from sim.devices.battery import BatteryDevice
from sim.devices.load_group import LoadGroupDevice
from sim.outages import Outages


def served_without_grid(
    outages: Outages,
    load_kw: NDArray[np.float64],
    batteries: Sequence[BatteryDevice],
    tripped: Collection[str],
) -> float:
    """Let the batteries of each island carry it, all or nothing; what is served so, kW."""
    for battery in batteries:
        battery.carried_kw = None
    total_kw = 0.0
    for island in outages.islands:
        here = np.isin(outages.load_nodes, list(island))
        total_kw += _carry(island, float(load_kw[here].sum()), batteries, tripped)
    return total_kw


def _carry(
    island: frozenset[str],
    load_kw: float,
    batteries: Sequence[BatteryDevice],
    tripped: Collection[str],
) -> float:
    able = [
        b
        for b in batteries
        if b.site.resource.mrid not in tripped
        and not b.hold.fault
        and b.soc_pct > b.site.resource.soc_min_pct
        and _stands_in(b, island)
    ]
    rating_kw = sum(b.site.resource.rating_kw for b in able)
    if load_kw <= 0 or rating_kw < load_kw:
        return 0.0
    for battery in able:
        battery.carried_kw = load_kw * battery.site.resource.rating_kw / rating_kw
    return load_kw


def leave_in_the_dark(
    outages: Outages,
    load_kw: NDArray[np.float64],
    groups: Sequence[LoadGroupDevice],
    members: Sequence[NDArray[np.intp]],
) -> NDArray[np.float64]:
    """What is left of the demand, and of what load groups show: nothing where it is dark."""
    dark = outages.dark_loads
    for group, mine in zip(groups, members, strict=True):
        if dark[mine].any():
            lit_kw = float(load_kw[mine][~dark[mine]].sum())
            share = lit_kw / group.power_kw if group.power_kw > 0 else 0.0
            group.available_kw *= min(1.0, max(0.0, share))
            group.power_kw = lit_kw
    return np.where(dark, 0.0, load_kw)


def is_dark(outages: Outages, terminals: Sequence[Terminal]) -> bool:
    """Whether a device has lost its supply at any of its terminals."""
    return bool(outages.dark) and any(t.node in outages.dark for t in terminals)


def is_off(outages: Outages, battery: BatteryDevice) -> bool:
    """Whether a battery has neither a grid nor an island to carry."""
    if not outages.dark:
        battery.carried_kw = None
    return battery.carried_kw is None and is_dark(outages, battery.site.resource.terminals)


def dark_voltage_pu(outages: Outages, node: str, batteries: Sequence[BatteryDevice]) -> float:
    """Voltage of a node that the grid does not reach: nominal where batteries hold its island."""
    carried = any(
        node in island
        and any(b.carried_kw is not None and _stands_in(b, island) for b in batteries)
        for island in outages.islands
    )
    return 1.0 if carried else 0.0


def _stands_in(battery: BatteryDevice, island: frozenset[str]) -> bool:
    return all(t.node in island for t in battery.site.resource.terminals)
