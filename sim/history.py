"""The weeks before the story: the head's import and the air temperature, from the same world.

A fast path through the same demand, weather and network: one power flow in the middle of each
interval, taps where their relays want them, devices at their defaults. On a large feeder only each
fourth interval is solved; what the head draws beyond the sum of the loads (losses, voltage) is
interpolated between.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from gridctl.model.network import Feeder
from sim.demand import Demand
from sim.fleet import load_fleet
from sim.grid import Grid
from sim.scenario import Scenario
from sim.weather import DAY_S, Weather

LARGE_NODES: Final = 2_000
_SOLVED_EACH: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryTable:
    """Regular history: interval i covers [start_s + i*step_s, start_s + (i+1)*step_s)."""

    start_s: float
    step_s: float
    head_kw: tuple[float, ...]
    temperature_c: tuple[float, ...]


def history(
    feeder: Feeder,
    scenario: Scenario,
    *,
    end_s: float,
    days: int,
    step_s: float,
    solved_each: int | None = None,
) -> HistoryTable:
    """`days` of history that end at the last whole interval before grid time `end_s`.

    `solved_each`: one power flow for so many intervals; None: by the feeder's size.
    """
    if solved_each is None:
        solved_each = _SOLVED_EACH if len(feeder.nodes) > LARGE_NODES else 1
    weather = Weather(scenario.climate, scenario.turn.series)
    demand = Demand(feeder, weather, scenario.seed, scenario.turn)
    pvs = load_fleet(feeder, scenario.fleet).pvs
    places = list(dict.fromkeys((t.node, t.phase) for site in pvs for t in site.resource.terminals))
    # One row per orientation: kW at each place when the sun gives 1 pu.
    orientations = sorted({site.orientation for site in pvs})
    rated_kw = np.zeros((len(orientations), len(places)))
    for site in pvs:
        for terminal in site.resource.terminals:
            row, column = (
                orientations.index(site.orientation),
                places.index((terminal.node, terminal.phase)),
            )
            rated_kw[row, column] += terminal.share * site.resource.rating_kw
    grid = Grid(feeder, places)
    count = round(days * DAY_S / step_s)
    start_s = end_s // step_s * step_s - count * step_s
    weather.prepare(start_s, end_s)
    net_kw, temperature_c = np.zeros(count), []
    solved, beyond_kw = [], []
    for i in range(count):
        at_s = start_s + (i + 0.5) * step_s
        sun = weather.pv_pu(at_s)
        pv_kw = np.array([sun[name] for name in orientations]) @ rated_kw
        load_kw = demand.kw(at_s) * scenario.turn.factor(at_s)
        net_kw[i] = load_kw.sum() - pv_kw.sum()
        if i % solved_each == 0 or i == count - 1:
            grid.solve(
                np.concatenate([load_kw, -pv_kw]),
                np.concatenate([demand.kvar(load_kw), np.zeros(len(places))]),
            )
            solved.append(i)
            beyond_kw.append(grid.settle().head_kw - net_kw[i])
        temperature_c.append(weather.temperature_c(at_s))
    return HistoryTable(
        start_s=start_s,
        step_s=step_s,
        head_kw=tuple(map(float, net_kw + np.interp(np.arange(count), solved, beyond_kw))),
        temperature_c=tuple(temperature_c),
    )


def write_history(table: HistoryTable, path: Path) -> None:
    """As CSV: `t_s` (start of the interval), `head_kw`, `temperature_c`."""
    with path.open("x", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["t_s", "head_kw", "temperature_c"])
        for i, (kw, degrees) in enumerate(zip(table.head_kw, table.temperature_c, strict=True)):
            writer.writerow([table.start_s + i * table.step_s, round(kw, 3), round(degrees, 2)])
