"""Capacitors with voltage control, with their lift taken at a flow."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from gridctl.model.network import Feeder
from optimizer.arrays import FloatArray
from optimizer.network import ControlColumn
from optimizer.regulation import Bank, Relay, controlled, upstream_of
from optimizer.ties import PhaseIndex


def banks_of(
    feeder: Feeder,
    index: PhaseIndex,
    relays: Sequence[Relay],
    open_switches: Collection[str] | None,
    dv_of: Callable[[ControlColumn], FloatArray],
) -> tuple[Bank, ...]:
    """One for each capacitor that switches by itself; `dv_of`: (n,) pu by which voltages change per
    kvar on each of its phases."""
    found: list[Bank] = []
    upstream = upstream_of(feeder, relays, open_switches) if controlled(feeder) else {}
    for capacitor in controlled(feeder):
        if capacitor.open_above_pu is None:
            continue
        rows = tuple(index.rows(capacitor.node, capacitor.phases, capacitor.mrid))
        # One column of a kvar on each phase, as a control of no kW.
        column = ControlColumn(
            shares=tuple((row, 0.0, q) for row, q in zip(rows, capacitor.kvar, strict=True))
        )
        found.append(
            Bank(
                rows=rows,
                upstream=tuple(upstream[capacitor.node, phase] for phase in capacitor.phases),
                open_above_pu=capacitor.open_above_pu,
                close_below_pu=capacitor.close_below_pu or 0.0,
                lift_pu=float(dv_of(column)[list(rows)].mean()),
            )
        )
    return tuple(found)
