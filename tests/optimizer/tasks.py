"""Planning tasks for tests: the IEEE 123-node feeder with its whole fleet, and small ones."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from gridctl.model.network import Feeder
from gridctl.model.planning import (
    Forecast,
    Horizon,
    NetworkLimits,
    NetworkState,
    PlanningTask,
    ResourceState,
)
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter, Resource
from sim.feeder import load_feeder
from sim.fleet import load_fleet

NOON_S = 1_782_561_600.0
"""2026-06-27 12:00 UTC; the tests' local time is UTC-5."""
UTC_OFFSET_S = -5 * 3600.0
AFTERNOON_S = NOON_S + 9 * 3600.0
"""16:00 local."""
QUANTILES = (0.1, 0.5, 0.9)


@cache
def ieee123() -> Feeder:
    """The feeder with its published figures."""
    return load_feeder("ieee123")


@cache
def fleet() -> tuple[Resource, ...]:
    """All of its load groups, batteries and PV inverters."""
    return load_fleet(ieee123()).resources()


def state_of(resource: Resource) -> ResourceState:
    """A healthy resource in the afternoon that nothing is asked of."""
    power, setpoint = 0.0, 0.0
    available = 0.8 * resource.rating_kw
    soc: float | None = None
    match resource:
        case LoadGroup() | Generator():
            pass
        case Battery():
            available, power, setpoint, soc = resource.rating_kw, 0.0, 0.0, 80.0
        case PvInverter():
            available = power = 0.5 * resource.rating_kw
            setpoint, soc = resource.rating_kw, None
    return ResourceState(
        resource=resource.mrid,
        available_kw=available,
        power_kw=power,
        setpoint_kw=setpoint,
        soc_pct=soc,
        excluded=None,
    )


def network_state(head_kw: float) -> NetworkState:
    """The feeder as its file says it is."""
    return NetworkState(
        head_kw=head_kw,
        head_kvar=0.0,
        taps={r.mrid: r.taps for r in ieee123().regulators},
        closed_capacitors=tuple(c.mrid for c in ieee123().capacitors if c.is_closed),
        open_switches=tuple(s.mrid for s in ieee123().switches if s.is_open),
        voltages_pu={},
    )


def evening_peak(count: int, step_s: float, *, base_kw: float, peak_kw: float) -> np.ndarray:
    """A bell of two hours' width around 18:30 local, seen from 16:00."""
    hours = 16.0 + (np.arange(count) + 0.5) * step_s / 3600.0
    return base_kw + (peak_kw - base_kw) * np.asarray(np.exp(-(((hours - 18.5) / 1.5) ** 2)))


def forecast_of(values: np.ndarray, horizon: Horizon) -> Forecast:
    """A forecast whose 90 % quantile is `values`."""
    p90 = tuple(float(v) for v in values)
    return Forecast(
        horizon=horizon,
        quantiles=QUANTILES,
        values_kw=(tuple(0.94 * v for v in p90), tuple(0.97 * v for v in p90), p90),
        method="test",
        history_days=14.0,
        nmae_pct=3.0,
    )


def request(
    *, target_kw: float, start_s: float, end_s: float, mrid: str = "REQ1"
) -> DispatchRequest:
    """A demand event."""
    return DispatchRequest(
        mrid=mrid,
        event_id=f"event-{mrid}",
        name=f"Event {mrid}",
        source="utility",
        start_s=start_s,
        end_s=end_s,
        target_kw=target_kw,
        priority=1,
        received_s=start_s - 3600.0,
        state=RequestState.RECEIVED,
    )


def ieee123_task(
    *,
    count: int = 24,
    step_s: float = 900.0,
    limit_kw: float = 3200.0,
    base_kw: float = 2900.0,
    peak_kw: float = 3550.0,
    now_s: float = AFTERNOON_S + 120.0,
    requests: tuple[DispatchRequest, ...] = (),
) -> PlanningTask:
    """An evening peak above the head's limit."""
    horizon = Horizon(start_s=AFTERNOON_S, step_s=step_s, count=count)
    values = evening_peak(count, step_s, base_kw=base_kw, peak_kw=peak_kw)
    return PlanningTask(
        feeder=ieee123(),
        resources=fleet(),
        states=tuple(state_of(r) for r in fleet()),
        network=network_state(float(values[0])),
        limits=NetworkLimits(
            head_import_kw=limit_kw,
            voltage_min_pu=0.95,
            voltage_max_pu=1.05,
            loading_max_pct=100.0,
        ),
        forecast=forecast_of(values, horizon),
        quantile=0.9,
        requests=requests,
        horizon=horizon,
        now_s=now_s,
        utc_offset_s=UTC_OFFSET_S,
        deadline_s=20.0,
    )


def with_state(task: PlanningTask, mrid: str, **changes: object) -> PlanningTask:
    """The task with one resource's state changed."""
    return replace(
        task,
        states=tuple(replace(s, **changes) if s.resource == mrid else s for s in task.states),  # type: ignore[arg-type]
    )
