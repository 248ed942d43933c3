"""The questions and answers that pass between the office and the mind.

The office asks with a `ForecastTask` or a `PlanningTask`; the mind (its own process) answers with a
`Forecast` or a `PlanningResult`. All of it is plain data, so that a decision can be replayed.

Intervals: interval `k` covers grid time [start_s + k*step_s, start_s + (k+1)*step_s).
Import at the feeder head is positive into the feeder, kW.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from gridctl.model.enrolment import Window
from gridctl.model.network import Feeder
from gridctl.model.policy import NO_WISHES, Policy
from gridctl.model.program import DispatchRequest
from gridctl.model.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The time grid of a plan or forecast."""

    start_s: float
    step_s: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Regular history of one quantity: `values[i]` is the mean over interval i; None is a gap."""

    start_s: float
    step_s: float
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vintage:
    """Archived weather forecasts: each series holds, at the moment that it is about, what had been
    said `lead_s` before it; None where nothing is archived."""

    lead_s: float
    temperature_c: Series | None = None
    sun_w_m2: Series | None = None
    wind_ms: Series | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastTask:
    """Forecast the feeder head's import from its history and from the weather where it is known.

    `history` ends at or before `horizon.start_s`; the weather (°C, W/m2, m/s) is measured up to
    there and forecast into the horizon: a series that does not reach over it is not used.
    `vintages` say how good those forecasts have been. `holidays`: local days, counted from
    1970-01-01. `utc_offset_s`: local standard time minus UTC, for the day's shape. `path_count`:
    how many correlated paths are wanted beside the quantiles. `now_kw`: what the head draws now
    without control, where the forecast is to begin from it (`gridctl.model.nowcast`).
    """

    history: Series
    temperature_c: Series | None
    horizon: Horizon
    quantiles: tuple[float, ...]
    utc_offset_s: float
    sun_w_m2: Series | None = None
    wind_ms: Series | None = None
    vintages: tuple[Vintage, ...] = ()
    holidays: tuple[int, ...] = ()
    path_count: int = 0
    now_kw: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Import at the head, kW: `values_kw[q][k]` for quantile q and interval k, non-crossing.

    `nmae_pct`: mean |error| of the median / mean |load| over the last days, judged on origins
    before the forecast's own (None when history is too short). `method` in words. `paths_kw`
    (path, interval): what a whole horizon may look like, equally likely each, through the
    quantiles and with the errors' own correlation; none where too few errors are known.
    """

    horizon: Horizon
    quantiles: tuple[float, ...]
    values_kw: tuple[tuple[float, ...], ...]
    method: str
    history_days: float
    nmae_pct: float | None
    paths_kw: tuple[tuple[float, ...], ...] = ()

    def at_quantile(self, q: float) -> tuple[float, ...]:
        """The series of quantile `q`; KeyError when it was not asked for."""
        try:
            return self.values_kw[self.quantiles.index(q)]
        except ValueError:
            raise KeyError(f"forecast has no quantile {q}: {self.quantiles}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceState:
    """What is known of a resource now. Unknown means no: an excluded one has no variable.

    `available_kw`: load group: kW that can be shed now; battery: rating; PV: kW the sun gives.
    `setpoint_kw`: what the device confirms now. `excluded`: why it may not be used, or None.
    `starts_today`, `hours_today`, `hours_season`, `active_since_s`, `released_at_s`: history that a
    rolling run must not reset (hours of ended runs and of the one that is on). `announced`:
    (start_s, end_s) of calls that customers have been told of: they are kept.
    `blocked`: windows of the horizon in which it may not be used (enrolments, opt-outs).
    `precooled`: (start_s, end_s, kW) that a load group drew ahead since its last release, up to
    now; `precool_kw`: what may be drawn ahead, None: as it is rated.
    """

    resource: str
    available_kw: float
    power_kw: float
    setpoint_kw: float
    soc_pct: float | None
    excluded: str | None
    starts_today: int = 0
    active_since_s: float | None = None
    released_at_s: float | None = None
    hours_today: float = 0.0
    hours_season: float = 0.0
    announced: tuple[tuple[float, float], ...] = ()
    blocked: tuple[Window, ...] = ()
    precooled: tuple[tuple[float, float, float], ...] = ()
    precool_kw: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkState:
    """Measured state of the network now: taps, capacitors, switches, node voltages (pu by
    "node.phase", good ones only) with how old they are, and the head's import; used to anchor the
    model to the field. `held_regulators`: those whose tap changers do not move, as far as is known:
    a plan takes them as standing where they are."""

    head_kw: float
    head_kvar: float
    taps: dict[str, tuple[int, ...]]
    closed_capacitors: tuple[str, ...]
    open_switches: tuple[str, ...]
    voltages_pu: dict[str, float]
    voltage_ages_s: dict[str, float] = field(default_factory=dict)
    held_regulators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLimits:
    """Limits that a plan must respect."""

    head_import_kw: float
    voltage_min_pu: float
    voltage_max_pu: float
    loading_max_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningTask:
    """Everything that a plan depends on; its digest is the plan's input digest.

    `forecast` is the import *without* any control (baseline: active sheds added back);
    `quantile` says which series the import limit is held against (chance level).
    `deadline_s`: real seconds the worker has before it is killed. `policy`: what is wanted beyond
    the limits; its default is nothing.
    """

    feeder: Feeder
    resources: tuple[Resource, ...]
    states: tuple[ResourceState, ...]
    network: NetworkState
    limits: NetworkLimits
    forecast: Forecast
    quantile: float
    requests: tuple[DispatchRequest, ...]
    horizon: Horizon
    now_s: float
    utc_offset_s: float
    deadline_s: float
    policy: Policy = NO_WISHES


class SolveStatus(StrEnum):
    """How planning ended; only OPTIMAL and FEASIBLE carry setpoints."""

    OPTIMAL = "optimal"
    FEASIBLE = "feasible"
    NOT_NEEDED = "not_needed"
    INFEASIBLE = "infeasible"
    TIMEOUT = "timeout"
    DIVERGED = "diverged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setpoint:
    """What a resource is asked to do in interval `k`, in the sign of `gridctl.model.resource`.

    `effect_kw`: by how much this lowers the head's import in that interval; `kvar`: what it injects
    besides, of a resource that takes such a setpoint.
    """

    resource: str
    interval: int
    kw: float
    effect_kw: float
    kvar: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a movable regulator (tap) or capacitor (1 closed, 0 open) stands in interval `k`."""

    equipment: str
    phases: str
    interval: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One AC power flow case (worst over all intervals)."""

    converged: bool
    worst_voltage_pu: float
    worst_voltage_at: str
    highest_voltage_pu: float
    highest_voltage_at: str
    worst_loading_pct: float
    worst_loading_at: str
    violations: int
    losses_kw: float
    head_kw: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeVoltage:
    """Voltage of one node-phase in the interval of the deepest action, before and after."""

    node: str
    phase: str
    before_pu: float
    after_pu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """AC check of a plan by the Z-bus power flow: the same case without and with the plan."""

    engine: str
    before: CaseResult
    after: CaseResult
    linear_error_pu: float
    voltages: tuple[NodeVoltage, ...]
    ok: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A resource that the plan does not use, and why."""

    resource: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A limit that binds: what, where, when, and what one kW (or 0.01 pu) of it would save.

    `price`: objective per unit, "one valid price" where duals are degenerate.
    """

    limit: str
    where: str
    interval: int
    price: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A limit or target that could not be met: a slack that the solution uses."""

    limit: str
    where: str
    interval: int
    amount: float
    unit: str


class FindingKind(StrEnum):
    """What a finding is about."""

    REASON = "reason"
    BINDING = "binding"
    SHORTFALL = "shortfall"
    EXCLUDED = "excluded"
    CONFLICT = "conflict"
    REMEDY = "remedy"
    FORECAST = "forecast"
    FIELD = "field"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One sentence about a plan for a person, with its numbers: what it is for (REASON: an event
    that limits the export, a price of import), why it is so, what is missing, who is left out, what
    stands against doing more, what would help, what a wrong forecast would do, how measurements
    corrected the model (FIELD).

    `first`, `last`: intervals that it is about (None: all); `amount` in `unit`, a price for
    BINDING; `cost`: what a REMEDY would cost in the plan's unit of cost, None where it is free or
    not known; `resources` by mrid.
    """

    kind: FindingKind
    text: str
    first: int | None = None
    last: int | None = None
    amount: float | None = None
    unit: str = ""
    cost: float | None = None
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointReason:
    """Why `resource` is moved in the intervals `first` to `last`, as the end of a sentence that
    begins with it."""

    resource: str
    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningResult:
    """What the mind answers. `reason` says in words why there are no setpoints, if there are none.
    `why`: a reason for each setpoint that moves its resource.

    `head_before_kw`, `head_after_kw`: expected import per interval at the chance level.
    """

    status: SolveStatus
    reason: str
    horizon: Horizon
    setpoints: tuple[Setpoint, ...]
    head_before_kw: tuple[float, ...]
    head_after_kw: tuple[float, ...]
    cost: float
    verification: Verification | None
    excluded: tuple[Exclusion, ...]
    bindings: tuple[Binding, ...]
    shortfalls: tuple[Shortfall, ...]
    solver: str
    rounds: int
    solve_s: float
    findings: tuple[Finding, ...] = ()
    positions: tuple[Position, ...] = ()
    why: tuple[SetpointReason, ...] = ()
