"""Tasks on a feeder of two nodes with next to no impedance: optima can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gridctl.model.network import (
    ACLineSegment,
    Connection,
    ConnectivityNode,
    EnergyConsumer,
    Feeder,
    LoadModel,
    Source,
)
from gridctl.model.planning import (
    Forecast,
    Horizon,
    NetworkLimits,
    NetworkState,
    PlanningTask,
    ResourceState,
)
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.model.resource import (
    Battery,
    Generator,
    LoadGroup,
    PvInverter,
    Resource,
    ResourcePoints,
    Terminal,
)

HOUR_S = 3600.0
START_S = 1_782_561_600.0
KV = 12.47
THREE_PHASES = tuple(Terminal(node="load", phase=p, share=1 / 3) for p in "ABC")


def _diagonal(value: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(value if i == j else 0.0 for j in range(3)) for i in range(3))


def two_nodes(*, r_ohm: float = 1e-4, x_ohm: float = 1e-4, rating_a: float = 400.0) -> Feeder:
    """Source, one line, one load of 1200 kW."""
    return Feeder(
        mrid="two",
        name="Two nodes",
        version=1,
        frequency_hz=60.0,
        source=Source(
            node="head",
            nominal_kv=KV,
            voltage_pu=1.0,
            r1_ohm=1e-5,
            x1_ohm=1e-5,
            r0_ohm=1e-5,
            x0_ohm=1e-5,
        ),
        nodes=tuple(
            ConnectivityNode(mrid=name, nominal_kv=KV, phases="ABC") for name in ("head", "load")
        ),
        lines=(
            ACLineSegment(
                mrid="line",
                from_node="head",
                to_node="load",
                phases="ABC",
                length_km=1.0,
                r_ohm_per_km=_diagonal(r_ohm),
                x_ohm_per_km=_diagonal(x_ohm),
                b_us_per_km=_diagonal(0.0),
                rating_a=rating_a,
            ),
        ),
        switches=(),
        transformers=(),
        regulators=(),
        capacitors=(),
        consumers=(
            EnergyConsumer(
                mrid="town",
                node="load",
                phases="ABC",
                connection=Connection.WYE,
                model=LoadModel.CONSTANT_POWER,
                kw=(400.0, 400.0, 400.0),
                kvar=(100.0, 100.0, 100.0),
                nominal_kv=KV,
            ),
        ),
    )


def _points(mrid: str) -> ResourcePoints:
    return ResourcePoints(setpoint=f"{mrid}.S", feedback=f"{mrid}.F", power=f"{mrid}.P")


GROUP = LoadGroup(
    mrid="G",
    name="G",
    area="A",
    terminals=THREE_PHASES,
    points=_points("G"),
    rating_kw=100.0,
    power_factor=1.0,
    customers=10,
    cost_per_kwh=0.3,
    priority=1,
    duration_min_s=HOUR_S,
    duration_max_s=4 * HOUR_S,
    recovery_s=HOUR_S,
    starts_per_day_max=2,
    rebound=(),
)
BATTERY = Battery(
    mrid="B",
    name="B",
    area="A",
    terminals=THREE_PHASES,
    points=_points("B"),
    rating_kw=60.0,
    energy_kwh=100.0,
    soc_min_pct=10.0,
    soc_max_pct=90.0,
    efficiency=0.9,
    cost_per_kwh=0.1,
)
PV = PvInverter(
    mrid="P",
    name="P",
    area="A",
    terminals=THREE_PHASES,
    points=_points("P"),
    rating_kw=300.0,
    rating_kva=300.0,
    cost_per_kwh=0.06,
)

GENERATOR = Generator(
    mrid="D",
    name="D",
    area="A",
    terminals=THREE_PHASES,
    points=_points("D"),
    rating_kw=120.0,
    rating_kva=150.0,
    power_factor=1.0,
    level_min=0.3,
    start_s=60.0,
    ramp_kw_per_min=120.0,
    run_min_s=HOUR_S / 2,
    run_max_s=8 * HOUR_S,
    rest_s=HOUR_S / 2,
    starts_per_day_max=3,
    start_cost=12.0,
    idle_cost_per_h=2.0,
    cost_per_kwh=0.34,
)


def group(mrid: str, **changes: object) -> LoadGroup:
    """A load group of 100 kW, an hour or more at a time."""
    return replace(GROUP, mrid=mrid, name=mrid, points=_points(mrid), **changes)  # type: ignore[arg-type]


def at_rest(resource: Resource, **changes: object) -> ResourceState:
    """A healthy resource of which nothing is asked; batteries half full, PV in full sun."""
    pv = isinstance(resource, PvInverter)
    state = ResourceState(
        resource=resource.mrid,
        available_kw=resource.rating_kw,
        power_kw=resource.rating_kw if pv else 0.0,
        setpoint_kw=resource.rating_kw if pv else 0.0,
        soc_pct=50.0 if isinstance(resource, Battery) else None,
        excluded=None,
    )
    return replace(state, **changes)  # type: ignore[arg-type]


def demand_event(target_kw: float, first: int, last: int, *, mrid: str = "R") -> DispatchRequest:
    """An event from the beginning of hour `first` to the end of hour `last`."""
    return DispatchRequest(
        mrid=mrid,
        event_id=mrid,
        name=f"Event {mrid}",
        source="utility",
        start_s=START_S + first * HOUR_S,
        end_s=START_S + (last + 1) * HOUR_S,
        target_kw=target_kw,
        priority=1,
        received_s=START_S,
        state=RequestState.RECEIVED,
    )


def hourly_task(
    head_kw: Sequence[float],
    *resources: Resource,
    states: Sequence[ResourceState] | None = None,
    limit_kw: float = 1000.0,
    requests: tuple[DispatchRequest, ...] = (),
    feeder: Feeder | None = None,
    after_start_s: float = 0.0,
    loading_max_pct: float = 100.0,
) -> PlanningTask:
    """A task in hours, with one forecast series for all quantiles."""
    horizon = Horizon(start_s=START_S, step_s=HOUR_S, count=len(head_kw))
    series = tuple(float(v) for v in head_kw)
    return PlanningTask(
        feeder=feeder if feeder is not None else two_nodes(),
        resources=resources,
        states=tuple(states) if states is not None else tuple(at_rest(r) for r in resources),
        network=NetworkState(
            head_kw=series[0],
            head_kvar=0.0,
            taps={},
            closed_capacitors=(),
            open_switches=(),
            voltages_pu={},
        ),
        limits=NetworkLimits(
            head_import_kw=limit_kw,
            voltage_min_pu=0.95,
            voltage_max_pu=1.05,
            loading_max_pct=loading_max_pct,
        ),
        forecast=Forecast(
            horizon=horizon,
            quantiles=(0.1, 0.5, 0.9),
            values_kw=(series, series, series),
            method="by hand",
            history_days=0.0,
            nmae_pct=None,
        ),
        quantile=0.9,
        requests=requests,
        horizon=horizon,
        now_s=START_S + after_start_s,
        utc_offset_s=0.0,
        deadline_s=20.0,
    )
