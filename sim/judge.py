"""The judge: what a run cost, measured at the truth, and whether the scenario lets it pass.

- Limits: head import above its limit in kW·min, the worst voltage outside its band in pu·min.
- Supply: energy that customers without supply would have drawn, kWh.
- Commands: wasted are those that a device refused, and those that repeat within a minute what it
  was told already.
- Comfort: customer-hours of shed, each customer as far as the group's flexible load was shed.

A figure is an integral over the run: the value at each tick holds until the next one. Of whoever
heeds the safeguards nothing is asked of the head while they let nobody order anything
(`Exam.bound`); that part is a figure of its own, and no other figure is excused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from sim.devices.load_group import LoadGroupDevice
from sim.earthing import floating_nodes
from sim.plant import Verdict
from sim.scenario import Exam, Scenario
from sim.world import World

REPEAT_S: Final = 60.0
_WHOLE: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The truth at one tick: everything that a judge needs, and nothing that an operator sees.

    `low_pu`, `high_pu`: worst voltages where there is supply. `shed_customers`: customers under
    shed. `commands`, `wasted`: counted from the start. `diverged`: no power flow for this tick.
    """

    at_s: float
    head_kw: float
    low_pu: float
    high_pu: float
    unserved_kw: float
    shed_customers: float
    commands: int
    wasted: int
    diverged: bool


MOMENT_FIELDS: Final = tuple(Moment.__dataclass_fields__)


class Witness:
    """Takes moments of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        # Behind a delta winding nothing holds the neutral: such voltages to ground mean nothing,
        # as long as there are others.
        floating = floating_nodes(world.feeder)
        names = [name.rsplit(".", 1)[0] for name in world.grid.engine.node_phases]
        self._nodes = np.array(names)
        self._counts = ~np.isin(self._nodes, list(floating))
        if all(c.node in floating for c in world.feeder.consumers):
            self._counts[:] = True
        self._last: dict[str, tuple[float, float]] = {}
        self._seen = 0
        self._wasted = 0

    def moment(self) -> Moment:
        """Now."""
        world = self._world
        counts = self._counts
        if world.outages.dark:
            counts = counts & ~np.isin(self._nodes, list(world.outages.dark))
        size = np.abs(world.grid.solution.voltages_pu[counts])
        self._count_commands()
        return Moment(
            at_s=world.at_s,
            head_kw=world.grid.solution.head_kw,
            low_pu=float(size.min()) if size.size else 1.0,
            high_pu=float(size.max()) if size.size else 1.0,
            unserved_kw=world.unserved_kw,
            shed_customers=self._shed_customers(),
            commands=self._seen,
            wasted=self._wasted,
            diverged=world.diverged,
        )

    def _shed_customers(self) -> float:
        total = 0.0
        for device in self._world.devices.values():
            if isinstance(device, LoadGroupDevice):
                flexible_kw = device.shed_kw + max(0.0, device.available_kw - device.shed_kw)
                if device.shed_kw > 0 and flexible_kw > 0:
                    total += device.site.resource.customers * device.shed_kw / flexible_kw
        return total

    def _count_commands(self) -> None:
        log = self._world.log
        total = sum(self._world.received.values())
        new = min(total - self._seen, len(log))
        self._seen = total
        for command in list(log)[len(log) - new :] if new else ():
            last = self._last.get(command.point)
            repeated = (
                last is not None and last[0] == command.value and command.at_s - last[1] < REPEAT_S
            )
            if repeated or command.verdict is not Verdict.ACCEPTED:
                self._wasted += 1
            if command.verdict is Verdict.ACCEPTED:
                self._last[command.point] = command.value, command.at_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a run cost. Every figure is "less is better"; `failed` says which are above what the
    scenario lets pass, in words."""

    minutes: float
    head_kw_min: float
    head_kw_min_bound: float
    voltage_pu_min: float
    unserved_kwh: float
    commands: int
    wasted_commands: int
    discomfort_customer_h: float
    head_peak_kw: float
    worst_low_pu: float
    worst_high_pu: float
    diverged_ticks: int
    failed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failed

    def as_json(self) -> dict[str, Any]:
        """Plain values, rounded to what they mean."""
        found = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return {"passed": self.passed, **found, "failed": list(self.failed)}


def judge(moments: Iterable[Moment], scenario: Scenario, *, heeds: bool = False) -> Score:
    """The score of a run. `heeds`: whoever acted heeds the office's safeguards. ValueError when
    there are fewer than two moments."""
    seen = list(moments)
    if len(seen) < 2:  # noqa: PLR2004 - two ends of an interval
        raise ValueError("a run of fewer than two ticks cannot be judged")
    sums = dict.fromkeys(("head", "bound", "voltage", "unserved", "discomfort"), 0.0)
    bounds = scenario.exam.bound if heeds and scenario.exam is not None else ()
    for now, then in pairwise(seen):
        minutes = (then.at_s - now.at_s) / 60.0
        outside_pu = max(
            0.0, scenario.voltage_min_pu - now.low_pu, now.high_pu - scenario.voltage_max_pu
        )
        is_bound = any(b.from_s <= now.at_s < b.to_s for b in bounds)
        above_kw = max(0.0, now.head_kw - scenario.head_limit_kw)
        sums["bound" if is_bound else "head"] += above_kw * minutes
        sums["voltage"] += outside_pu * minutes
        sums["unserved"] += now.unserved_kw * minutes / 60.0
        sums["discomfort"] += now.shed_customers * minutes / 60.0
    last = seen[-1]
    figures = {
        "head_kw_min": sums["head"],
        "voltage_pu_min": sums["voltage"],
        "unserved_kwh": sums["unserved"],
        "wasted_commands": last.wasted - seen[0].wasted,
        "discomfort_customer_h": sums["discomfort"],
    }
    diverged = sum(m.diverged for m in seen)
    minutes = (last.at_s - seen[0].at_s) / 60.0
    failed = _failed(figures, scenario.exam) + _too_short(minutes, scenario.exam)
    if diverged:
        failed += (f"{diverged} ticks without a power flow: what happened there is not known",)
    return Score(
        minutes=minutes,
        head_kw_min=sums["head"],
        head_kw_min_bound=sums["bound"],
        voltage_pu_min=sums["voltage"],
        unserved_kwh=sums["unserved"],
        commands=last.commands - seen[0].commands,
        wasted_commands=last.wasted - seen[0].wasted,
        discomfort_customer_h=sums["discomfort"],
        head_peak_kw=max(m.head_kw for m in seen),
        worst_low_pu=min(m.low_pu for m in seen),
        worst_high_pu=max(m.high_pu for m in seen),
        diverged_ticks=diverged,
        failed=failed,
    )


_WORDS: Final = {
    "head_kw_min": ("head above its limit", "kW·min"),
    "voltage_pu_min": ("voltage outside its band", "pu·min"),
    "unserved_kwh": ("energy not served", "kWh"),
    "wasted_commands": ("wasted commands", ""),
    "discomfort_customer_h": ("customers under shed", "customer·h"),
}


def _too_short(minutes: float, exam: Exam | None) -> tuple[str, ...]:
    if exam is None or minutes >= _WHOLE * exam.hours * 60.0:
        return ()
    return (f"the run covers {minutes:.0f} min of the {exam.hours * 60.0:.0f} to be judged",)


def _failed(figures: Mapping[str, float], exam: Exam | None) -> tuple[str, ...]:
    if exam is None:
        return ()
    found = []
    for name, (words, unit) in _WORDS.items():
        most = getattr(exam, f"{name}_max")
        if most is not None and figures[name] > most:
            found.append(f"{words}: {figures[name]:.4g} {unit}, at most {most:g} pass".strip())
    return tuple(found)
