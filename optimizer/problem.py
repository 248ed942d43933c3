"""The numbers behind a `PlanningTask`: what flows without control, and what each control adds.

Conventions, the same for the linear programme and for the AC check:

- *Base case*: no control at all. Load groups shed nothing, batteries idle, PV inverters give what
  the sun gives (`optimizer.resources.pv.available_kw`), generators stand still; an excluded battery
  or generator goes on with the power that flows now. All consumers are scaled by one factor per
  interval such that the AC import at the head equals the task's forecast at its chance level
  (`quantile`).
- *Injection*: kW by which a resource lowers the load at its own terminals: shed minus rebound,
  discharge minus charge, minus curtailment, a generator's output. Load groups take their kvar along
  (power factor), generators give theirs; batteries and PV inverters run at unity.
- A resource without a setpoint is at its default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gridctl.model.planning import PlanningTask, Position, ResourceState, Setpoint
from gridctl.model.resource import (
    Battery,
    Generator,
    Hvac,
    LoadGroup,
    PvInverter,
    Resource,
    WaterHeater,
)
from optimizer.arrays import IntArray
from optimizer.block import Block
from optimizer.network import ControlColumn, FlowResult
from optimizer.regulated import RegulatedNetwork
from optimizer.resources import battery, ev, generator, hvac, load_group, pv, water_heater
from optimizer.standing import moving_only
from optimizer.tap_steps import Mover, movers_of, pinned_at
from optimizer.timegrid import FloatArray, TimeGrid, time_grid

GRID_TOLERANCE = 1e-6
RELEASE_MIN_KW = 0.5
RELEASE_SHARE = 0.01
EXPORT_LOSSES = 0.05
"""Share of an export that is given besides, for losses on its way: what is too much, loads take."""
HALVINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """Input of one AC power flow over the horizon: `load_scale` (T,), injections (n, T); `pinned`:
    positions (T,) by row of what a plan moves."""

    load_scale: FloatArray
    injection_kw: FloatArray
    injection_kvar: FloatArray
    pinned: Mapping[int, IntArray] = field(default_factory=dict)

    def flow(
        self,
        network: RegulatedNetwork,
        *,
        start: FlowResult | None = None,
        guess: IntArray | None = None,
        rough: bool = False,
    ) -> FlowResult:
        """The AC power flow of this case; arguments as `RegulatedNetwork.solve`."""
        return network.pinned(self.pinned).solve(
            load_scale=self.load_scale,
            injection_kw=self.injection_kw,
            injection_kvar=self.injection_kvar,
            start=start,
            guess=guess,
            rough=rough,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """A planning task in numbers.

    `head_kw` (T,): forecast import without control at the chance level; `base`: the base case that
    gives it; `base_flow`: its AC power flow; `columns`: where each resource's kW go, in the order
    of the task's resources; `excluded`: why a resource may not be planned with, by mrid.
    """

    task: PlanningTask
    grid: TimeGrid
    head_kw: FloatArray
    base: Case
    base_flow: FlowResult
    columns: tuple[ControlColumn, ...]
    states: Mapping[str, ResourceState]
    excluded: Mapping[str, str]
    movers: tuple[Mover, ...] = ()

    def series_of(self, setpoints: Sequence[Setpoint]) -> tuple[FloatArray, FloatArray]:
        """kW and kvar (resources, T) that `setpoints` ask for, the default where there is none.

        Raises ValueError for a setpoint of an unknown resource or outside the horizon.
        """
        rows = {r.mrid: i for i, r in enumerate(self.task.resources)}
        default = np.array([default_kw(r) for r in self.task.resources], dtype=np.float64)
        kw = np.repeat(default[:, None], self.grid.count, axis=1)
        kvar = np.zeros(kw.shape)
        for setpoint in setpoints:
            if setpoint.resource not in rows or not 0 <= setpoint.interval < self.grid.count:
                raise ValueError(
                    f"setpoint of {setpoint.resource} in interval {setpoint.interval} "
                    "is not part of the task"
                )
            kw[rows[setpoint.resource], setpoint.interval] = setpoint.kw
            kvar[rows[setpoint.resource], setpoint.interval] = setpoint.kvar
        return kw, kvar

    def injection(self, kw: FloatArray, kvar: FloatArray) -> tuple[FloatArray, FloatArray]:
        """By how much setpoints of `kw` lower the load at each resource's terminals, kW, and the
        kvar that they ask for besides, all (resources, T)."""
        found_kw, found_kvar = np.zeros_like(kw), np.zeros_like(kvar)
        for i, resource in enumerate(self.task.resources):
            if resource.mrid not in self.excluded:
                state = self.states[resource.mrid]
                found_kw[i] = injection_kw(resource, state, self.grid, kw[i])
                found_kvar[i] = kvar[i]
        return found_kw, found_kvar

    def case(self, injection_kw: FloatArray, injection_kvar: FloatArray | None = None) -> Case:
        """The base case plus `injection_kw`, and `injection_kvar` besides, (resources, T) at the
        resources' terminals."""
        kw, kvar = self.base.injection_kw.copy(), self.base.injection_kvar.copy()
        for i, (column, series) in enumerate(zip(self.columns, injection_kw, strict=True)):
            for row, kw_share, kvar_per_kw in column.shares:
                kw[row] += kw_share * series
                kvar[row] += kvar_per_kw * series
                if injection_kvar is not None:
                    kvar[row] += kw_share * injection_kvar[i]
        return Case(load_scale=self.base.load_scale, injection_kw=kw, injection_kvar=kvar)

    def flow(
        self,
        case: Case,
        network: RegulatedNetwork,
        *,
        start: FlowResult | None = None,
        rough: bool = False,
    ) -> FlowResult:
        """The AC power flow of `case` with the feeder's controls acting, looked for near where they
        are without a plan."""
        return case.flow(network, start=start, guess=self.base_flow.positions, rough=rough)

    def case_with(self, setpoints: Sequence[Setpoint], positions: Sequence[Position] = ()) -> Case:
        """The base case with a plan's setpoints and positions."""
        case = self.case(*self.injection(*self.series_of(setpoints)))
        return replace(case, pinned=pinned_at(self.movers, positions, self.grid.count))


def default_kw(resource: Resource) -> float:
    """The setpoint at which nothing is asked of `resource`."""
    match resource:
        case LoadGroup():
            return load_group.default_kw(resource)
        case Battery():
            return battery.default_kw(resource)
        case PvInverter():
            return pv.default_kw(resource)
        case Generator():
            return generator.default_kw(resource)


def astray(problem: Problem) -> set[str]:
    """Resources that may be commanded and whose confirmed setpoint is not their default."""
    found = set()
    for resource in problem.task.resources:
        state = problem.states.get(resource.mrid)
        if state is None or state.excluded is not None:
            continue
        off_kw = state.setpoint_kw - default_kw(resource)
        if abs(off_kw) > max(RELEASE_MIN_KW, RELEASE_SHARE * resource.rating_kw):
            found.add(resource.mrid)
    return found


def injection_kw(
    resource: Resource, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray
) -> FloatArray:
    """By how much `setpoint_kw` (T,) lowers the load at the resource's terminals, kW (T,)."""
    match resource:
        case LoadGroup():
            return load_group.injection_kw(resource, state, grid, setpoint_kw)
        case Battery():
            return battery.injection_kw(resource, state, grid, setpoint_kw)
        case PvInverter():
            return pv.injection_kw(resource, state, grid, setpoint_kw)
        case Generator():
            return generator.injection_kw(resource, state, grid, setpoint_kw)


def unusable(resource: Resource, state: ResourceState, grid: TimeGrid) -> str | None:
    """Why `resource` may not be planned with, or None."""
    match resource:
        case LoadGroup():
            return load_group.unusable(resource, state, grid)
        case Battery():
            return battery.unusable(resource, state, grid)
        case PvInverter():
            return pv.unusable(resource, state, grid)
        case Generator():
            return generator.unusable(resource, state, grid)


def block(resource: Resource, state: ResourceState, grid: TimeGrid) -> Block:
    """The columns and rules of a usable `resource`."""
    match resource:
        case LoadGroup():
            return load_group.block(resource, state, grid)
        case Battery():
            return battery.block(resource, state, grid)
        case PvInverter():
            return pv.block(resource, state, grid)
        case Generator():
            return generator.block(resource, state, grid)


def held_back(
    resource: Resource, state: ResourceState, grid: TimeGrid, setpoint_kw: FloatArray, t: int
) -> str | None:
    """Why `resource` lowers the import in interval `t` by no more than its setpoints (T,) say, as
    the end of a sentence that begins with it; None where no rule of its own forbids more."""
    match resource:
        case LoadGroup():
            return load_group.held_back(resource, state, grid, setpoint_kw, t)
        case Battery():
            return battery.held_back(resource, state, grid, setpoint_kw, t)
        case PvInverter():
            return pv.held_back(resource, state, grid, setpoint_kw, t)
        case Generator():
            return generator.held_back(resource, state, grid, setpoint_kw, t)


def control_column(resource: Resource, network: RegulatedNetwork) -> ControlColumn:
    """Where a resource's kW go. KeyError for a node-phase that the feeder does not have."""
    kvar_per_kw = 0.0
    if isinstance(resource, LoadGroup):
        kvar_per_kw = math.tan(math.acos(min(max(resource.power_factor, 1e-3), 1.0)))
    elif isinstance(resource, Generator):
        kvar_per_kw = generator.kvar_per_kw(resource)
    return ControlColumn(
        shares=tuple(
            (network.index(t.node, t.phase), t.share, t.share * kvar_per_kw)
            for t in resource.terminals
        )
    )


def control_columns(
    resources: Sequence[Resource], network: RegulatedNetwork
) -> tuple[ControlColumn, ...]:
    """Where the kW of each go. ValueError that names who sits nowhere."""
    found = []
    for resource in resources:
        try:
            found.append(control_column(resource, network))
        except KeyError:
            places = ", ".join(f"{t.node}.{t.phase}" for t in resource.terminals)
            raise ValueError(f"{resource.mrid} sits at an unknown node-phase: {places}") from None
    return tuple(found)


def kvar_max(resource: Resource) -> float:
    """The most kvar that a setpoint may ask of `resource`."""
    if isinstance(resource, Battery | PvInverter) and resource.reactive is not None:
        return resource.reactive.kvar_max
    return 0.0


def kvar_column(resource: Resource, network: RegulatedNetwork) -> ControlColumn:
    """Where the kvar of a resource go that takes such a setpoint, per kvar."""
    return ControlColumn(
        shares=tuple((network.index(t.node, t.phase), 0.0, t.share) for t in resource.terminals)
    )


def with_appliance(resource: Resource, step_s: float) -> Resource:
    """A load group with the comfort, the rebound and the precooling of its appliance, where none
    are given."""
    if not isinstance(resource, LoadGroup) or resource.appliance is None:
        return resource
    own = resource.appliance
    precool = resource.precool
    if isinstance(own, Hvac):
        comfort, rebound = hvac.comfort(own), hvac.rebound(own, resource, step_s)
        precool = precool or hvac.precool(own)
    elif isinstance(own, WaterHeater):
        comfort, rebound = water_heater.comfort(own), water_heater.rebound(own, resource, step_s)
    else:
        comfort, rebound = ev.comfort(own, resource), ev.rebound(own, step_s)
    return replace(
        resource,
        comfort=resource.comfort or comfort,
        rebound=resource.rebound or rebound,
        precool=precool,
    )


def build_problem(task: PlanningTask, network: RegulatedNetwork) -> Problem:
    """The numbers of `task` on `network`.

    Raises ValueError when horizon and forecast do not fit each other or a terminal is unknown.
    A base case that does not converge is told by `base_flow.converged`.
    """
    step_s = task.horizon.step_s
    task = replace(task, resources=tuple(with_appliance(r, step_s) for r in task.resources))
    grid = time_grid(task.horizon, now_s=task.now_s, utc_offset_s=task.utc_offset_s)
    head_kw = _forecast_kw(task)
    if mistakes := task.policy.mistakes(grid.count, network.branch_names):
        raise ValueError("; ".join(mistakes))
    held = task.network.held_regulators
    movers = movers_of(task.feeder, moving_only(task.policy, held).movable)
    states = {s.resource: s for s in task.states}
    columns = control_columns(task.resources, network)
    grid = replace(grid, sun_share=_sun_share(task, grid, head_kw))
    dead = np.flatnonzero(~network.energised)
    excluded: dict[str, str] = {}
    kw = np.zeros((len(network.node_phases), grid.count))
    for resource, column in zip(task.resources, columns, strict=True):
        state = states.get(resource.mrid)
        reason = _excluded(resource, column, state, grid, dead)
        if reason is not None:
            excluded[resource.mrid] = reason
        series = _base_kw(resource, state, grid)
        for row, share, _ in column.shares:
            kw[row] += share * series
    kw[dead] = 0.0
    base, flow = _scaled(network, head_kw, kw)
    return Problem(
        task=task,
        grid=grid,
        head_kw=head_kw,
        base=base,
        base_flow=flow,
        columns=columns,
        states=states,
        excluded=excluded,
        movers=movers,
    )


def _excluded(
    resource: Resource,
    column: ControlColumn,
    state: ResourceState | None,
    grid: TimeGrid,
    dead: NDArray[np.intp],
) -> str | None:
    if state is None:
        return "nothing is known of its state"
    if any(row in dead for row, _, _ in column.shares):
        return "its node is not energised"
    return unusable(resource, state, grid)


def _forecast_kw(task: PlanningTask) -> FloatArray:
    """The forecast on the plan's horizon (it may be longer or begin earlier, on the same steps)."""
    given, wanted = task.forecast.horizon, task.horizon
    if given.step_s != wanted.step_s:
        raise ValueError(f"forecast in steps of {given.step_s:g} s, plan of {wanted.step_s:g} s")
    shift = (wanted.start_s - given.start_s) / wanted.step_s
    first = round(shift)
    try:
        values = task.forecast.at_quantile(task.quantile)
    except KeyError as missing:
        raise ValueError(str(missing.args[0])) from None
    if abs(shift - first) > GRID_TOLERANCE or first < 0 or first + wanted.count > len(values):
        raise ValueError("the forecast does not cover the plan's horizon")
    return np.asarray(values[first : first + wanted.count], dtype=np.float64)


def _sun_share(task: PlanningTask, grid: TimeGrid, head_kw: FloatArray) -> FloatArray | None:
    """The share of its rating that each inverter gives at least in each interval, so that an export
    that the forecast expects comes from somewhere: without any load, losses included. None where
    the sun's usual course suffices, or nothing else can give it either."""
    states = {s.resource: s for s in task.states}
    series = [(r, _base_kw(r, states.get(r.mrid), grid)) for r in task.resources]
    given_kw = sum((kw for _, kw in series), np.zeros(grid.count))
    missing_kw = -head_kw * (1.0 + EXPORT_LOSSES) - given_kw
    inverters = [(r.rating_kw, kw) for r, kw in series if isinstance(r, PvInverter)]
    if not inverters or not np.any((head_kw < 0.0) & (missing_kw > 0.0)):
        return None
    low, high = np.zeros(grid.count), np.ones(grid.count)
    for _ in range(HALVINGS):
        share = (low + high) / 2
        more_kw = sum(np.maximum(share * rating_kw - kw, 0.0) for rating_kw, kw in inverters)
        more = more_kw < missing_kw
        low, high = np.where(more, share, low), np.where(more, high, share)
    return np.where(missing_kw > 0.0, high, 0.0)


def _base_kw(resource: Resource, state: ResourceState | None, grid: TimeGrid) -> FloatArray:
    if state is None:
        return np.zeros(grid.count)
    match resource:
        case PvInverter():
            return pv.available_kw(resource, state, grid)
        case Battery() | Generator() if state.excluded is not None:
            return np.full(grid.count, state.power_kw)
        case Battery() | LoadGroup() | Generator():
            return np.zeros(grid.count)


def _scaled(
    network: RegulatedNetwork, head_kw: FloatArray, injection_kw: FloatArray
) -> tuple[Case, FlowResult]:
    """Scale all consumers until the AC import equals `head_kw`, with the feeder's controls acting.

    Taps move the import of loads that follow their voltage, so that the scales are moved while the
    controls act, until both stay.
    """
    nominal = max(network.nominal_load_kw, 1e-9)
    kvar = np.zeros_like(injection_kw)

    first = np.maximum((head_kw + injection_kw.sum(axis=0)) / nominal, 0.0)
    flow = network.solve(
        load_scale=first, injection_kw=injection_kw, injection_kvar=kvar, head_kw=head_kw
    )
    case = Case(load_scale=flow.load_scale, injection_kw=injection_kw, injection_kvar=kvar)
    return case, replace(flow, guess=flow.positions)
