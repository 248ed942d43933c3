"""Voltages measured in the field correct those of the model.

The model is solved once more for now: import as measured, devices as they stand, taps where they
are. What each good measurement reads beside it is the model's error there. A node-phase that is not
measured takes the error of the nearest one that is, of its own phase. Errors fade with the age of
their reading and over the horizon (what is wrong now need not be so in hours), and a reading that
is too far from the model is not believed, but said: it is a meter, a tap or a switch that somebody
should look at.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from gridctl.model.network import Feeder
from gridctl.model.planning import Finding, FindingKind, PlanningTask, ResourceState
from gridctl.model.policy import VoltageCorrection
from gridctl.model.resource import LoadGroup, Resource
from optimizer.arrays import FloatArray
from optimizer.problem import control_columns
from optimizer.regulated import RegulatedNetwork
from optimizer.timegrid import SECONDS_PER_HOUR, time_grid

NAMED_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correction:
    """`offset_pu` (n, T), None where nothing is corrected; and what is said of it."""

    offset_pu: FloatArray | None
    finding: Finding | None


def correction_of(task: PlanningTask, network: RegulatedNetwork) -> Correction:
    """By how much the plan's voltages move because of what is measured. Raises ValueError when the
    task's time or a resource's place does not fit the feeder."""
    wish = task.policy.voltage_correction
    if wish is None:
        return Correction(offset_pu=None, finding=None)
    rows = {f"{node}.{phase}": i for i, (node, phase) in enumerate(network.node_phases)}
    measured = {
        rows[place]: value
        for place, value in task.network.voltages_pu.items()
        if place in rows and network.judged[rows[place]] and np.isfinite(value)
    }
    if not measured:
        return _told("No measured voltage is good: the plan's voltages are the model's own.")
    model_pu = _present_pu(task, network)
    if model_pu is None:
        return _told(
            f"{len(measured)} measured voltages are not used: the model does not converge at the"
            " measured import, so the plan's voltages are its own."
        )
    error = {row: value - float(model_pu[row]) for row, value in measured.items()}
    believed = {row: e for row, e in error.items() if abs(e) <= wish.offset_max_pu}
    ages_s = task.network.voltage_ages_s
    aged = {
        row: e * 0.5 ** (_age_h(ages_s, ".".join(network.node_phases[row])) / wish.half_life_h)
        for row, e in believed.items()
    }
    spread = _spread(task.feeder, network, aged, task.network.open_switches)
    grid = time_grid(task.horizon, now_s=task.now_s, utc_offset_s=task.utc_offset_s)
    ahead_h = np.maximum(grid.begin_s - task.now_s, 0.0) / SECONDS_PER_HOUR
    fade = 0.5 ** (ahead_h / wish.half_life_h)
    return Correction(
        offset_pu=np.outer(spread, fade) if believed else None,
        finding=_finding(network, error, aged, wish),
    )


def _age_h(ages_s: dict[str, float], place: str) -> float:
    age_s = ages_s.get(place, 0.0)
    return max(age_s, 0.0) / SECONDS_PER_HOUR if np.isfinite(age_s) else 0.0


def _told(text: str) -> Correction:
    return Correction(offset_pu=None, finding=Finding(kind=FindingKind.FIELD, text=text))


def _present_pu(task: PlanningTask, network: RegulatedNetwork) -> FloatArray | None:
    """(n,) the model's voltages now: import as measured, devices and controls as they stand."""
    states = {s.resource: s for s in task.states}
    kw = np.zeros((len(network.node_phases), 1))
    kvar = np.zeros_like(kw)
    columns = control_columns(task.resources, network)
    for resource, column in zip(task.resources, columns, strict=True):
        now_kw = _present_kw(resource, states.get(resource.mrid))
        for row, kw_share, kvar_per_kw in column.shares:
            if network.energised[row]:
                kw[row] += kw_share * now_kw
                kvar[row] += kvar_per_kw * now_kw
    head_kw = np.array([task.network.head_kw])
    scale = np.maximum((head_kw + kw.sum()) / max(network.nominal_load_kw, 1e-9), 0.0)
    flow = network.solve(
        load_scale=scale,
        injection_kw=kw,
        injection_kvar=kvar,
        hold=network.start[:, None],
        head_kw=head_kw,
    )
    return flow.v_pu[:, 0] if flow.converged else None


def _present_kw(resource: Resource, state: ResourceState | None) -> float:
    """What a resource injects now; a load group, of what it would draw, what it sheds."""
    if state is None:
        return 0.0
    kw = max(state.setpoint_kw, 0.0) if isinstance(resource, LoadGroup) else state.power_kw
    return kw if np.isfinite(kw) else 0.0


def _spread(
    feeder: Feeder,
    network: RegulatedNetwork,
    error: dict[int, float],
    open_switches: tuple[str, ...],
) -> FloatArray:
    """(n,): each row's own error, or that of the nearest row of its phase that has one."""
    found = np.zeros(len(network.node_phases))
    rows = {place: i for i, place in enumerate(network.node_phases)}
    beside = _neighbours(feeder, open_switches)
    seen = set(error)
    queue = deque(sorted(error))
    for row, value in error.items():
        found[row] = value
    while queue:
        row = queue.popleft()
        node, phase = network.node_phases[row]
        for other in beside.get(node, ()):
            at = rows.get((other, phase))
            if at is not None and at not in seen:
                seen.add(at)
                found[at] = found[row]
                queue.append(at)
    return found


def _neighbours(feeder: Feeder, open_switches: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    joined = [(line.from_node, line.to_node) for line in feeder.lines]
    joined += [(s.from_node, s.to_node) for s in feeder.switches if s.mrid not in open_switches]
    joined += [(t.from_node, t.to_node) for t in feeder.transformers]
    joined += [(r.from_node, r.to_node) for r in feeder.regulators]
    joined += [
        (first, other) for e in feeder.equivalents for first, *rest in [e.nodes()] for other in rest
    ]
    for one, other in joined:
        found.setdefault(one, []).append(other)
        found.setdefault(other, []).append(one)
    return found


def _finding(
    network: RegulatedNetwork,
    error: dict[int, float],
    believed: dict[int, float],
    wish: VoltageCorrection,
) -> Finding:
    def place(row: int) -> str:
        return ".".join(network.node_phases[row])

    text, largest = "No measured voltage corrects the plan.", 0.0
    if believed:
        worst = max(believed, key=lambda row: abs(believed[row]))
        largest = abs(believed[worst])
        text = (
            f"{_count(len(believed))} the plan's; the largest correction is"
            f" {believed[worst]:+.4f} pu ({place(worst)}) now and half of it"
            f" in {wish.half_life_h:g} h."
        )
    wrong = sorted(error.keys() - believed.keys(), key=lambda row: -abs(error[row]))
    if wrong:
        named = ", ".join(f"{place(row)} {error[row]:+.3f}" for row in wrong[:NAMED_MAX])
        more = f" and {len(wrong) - NAMED_MAX} more" if len(wrong) > NAMED_MAX else ""
        text += (
            f" Not believed, because more than {wish.offset_max_pu:g} pu from the model:"
            f" {named}{more}. Look at the meter, the tap and the switches there."
        )
    return Finding(kind=FindingKind.FIELD, text=text, amount=round(largest, 6), unit="pu")


def _count(number: int) -> str:
    return "1 measured voltage corrects" if number == 1 else f"{number} measured voltages correct"
