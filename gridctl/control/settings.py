"""What the office is told at its start. `gridctl.config` fills it; nothing that moves power has a
default here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from gridctl.model.approval import ApprovalPolicy
from gridctl.model.assets import ThermalAsset
from gridctl.model.limits import LimitSet
from gridctl.model.mode import Mode
from gridctl.model.network import Feeder
from gridctl.model.plan import OnFailure
from gridctl.model.plausibility import PlausibilityBounds
from gridctl.model.policy import NO_WISHES, Policy
from gridctl.model.resource import Resource
from gridctl.model.validation import NO_CROSS_RULES, CrossRules


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningSettings:
    """`step_s`, `count`: the horizon, grid seconds. `quantile`: chance level of the head limit.
    `path_count`: correlated paths of the forecast, against which the limit is held as well;
    `cvar_weight`: how much the worst of them count (0 … 1). `deadline_s`: real seconds the worker
    has. `cycle_s`: real seconds between two cycles, `retry_s`: after one that was
    held up by what may come any moment."""

    step_s: float
    count: int
    quantile: float
    deadline_s: float
    cycle_s: float
    retry_s: float
    path_count: int = 0
    cvar_weight: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftBounds:
    """How far the feeder may move from the plan's snapshot before the plan is void (SG-14):
    the head by max(`head_pct` of it, `head_kw`), any voltage by `voltage_pu`."""

    head_pct: float
    head_kw: float
    voltage_pu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModePolicy:
    """`first`: mode of an area that nobody has set yet. To leave shadow an area needs
    `shadow_plans_min` scored shadow plans whose mean forecast error is at most
    `forecast_error_max_pct`.

    Closed loop needs as many over `evidence_days`, `advisory_plans_min` of them approved by people
    and carried out, with a mean error of the promised head of at most `plan_error_max_pct` of its
    limit; and somebody of the desk who has done something within `presence_s` (real seconds)."""

    first: Mode
    shadow_plans_min: int
    forecast_error_max_pct: float
    evidence_days: float = 14.0
    advisory_plans_min: int = 5
    plan_error_max_pct: float = 10.0
    presence_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeatherSettings:
    """Points of the measured weather (None: not measured), where the service's file lies, and the
    days that are like Sundays."""

    sun_point: str | None = None
    wind_point: str | None = None
    forecast_file: Path | None = None
    holidays: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeSettings:
    """All of it.

    `batch_settle_s`, `effect_settle_s`, `effect_watch_s`, `sample_interval_s`: grid seconds, the
    time of the devices.
    `confirm_timeout_s`, `clock_offset_max_s`: real seconds. `utc_offset_s`: local standard time
    minus UTC. `limits`: the office's read-only copy of the OT file. `price_by_hour`: of a kWh of
    import in each local hour, for economic dispatch; none: not asked for.
    """

    feeder: Feeder
    resources: tuple[Resource, ...]
    limits: LimitSet
    head_point: str
    head_limit_kw: float
    temperature_point: str | None
    utc_offset_s: float
    voltage_min_pu: float
    voltage_max_pu: float
    loading_max_pct: float
    planning: PlanningSettings
    approval: ApprovalPolicy
    modes: ModePolicy
    on_failure: OnFailure
    drift: DriftBounds
    batch_settle_s: float
    effect_settle_s: float
    effect_watch_s: float
    confirm_timeout_s: float
    sample_interval_s: float
    clock_offset_max_s: float
    history_days: float
    stop_file: Path
    plausibility: PlausibilityBounds
    policy: Policy = NO_WISHES
    price_by_hour: tuple[float, ...] = ()
    weather: WeatherSettings = WeatherSettings()
    transformers: tuple[ThermalAsset, ...] = ()
    cross_rules: CrossRules = NO_CROSS_RULES
