"""What every kind of resource in `optimizer/resources` promises, whatever is asked of it.

Each kind's block is put into a linear programme of its own and pushed in random directions. A new
kind is one more entry in `KINDS`; the rules then check it by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from gridctl.model.planning import Horizon, ResourceState
from gridctl.model.resource import (
    Battery,
    Comfort,
    DepthCost,
    EvCharging,
    Hvac,
    LoadGroup,
    Pickup,
    Precool,
    PvInverter,
    Reactive,
    Resource,
    WaterHeater,
)
from optimizer.block import Block
from optimizer.problem import block, default_kw, injection_kw, unusable, with_appliance
from optimizer.resources.battery import energy_kwh
from optimizer.resources.pv import available_kw
from optimizer.runs import broken_rules
from optimizer.timegrid import TimeGrid, time_grid
from tests.optimizer.small import BATTERY, GENERATOR, PV, at_rest, group

START_S = 1_782_561_600.0
COUNT = 12
PUSHES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource in one state, and the kW that it can do at most, up and down from its default."""

    resource: Resource
    state: ResourceState
    least_kw: float
    most_kw: float


def _kind(resource: Resource, least: float, most: float, **state: object) -> Kind:
    return Kind(resource=resource, state=at_rest(resource, **state), least_kw=least, most_kw=most)


SHORT = group(
    "G", duration_min_s=1800.0, duration_max_s=5400.0, recovery_s=1800.0, rebound=(0.3, 0.2)
)
HVAC = Hvac(mass_kwh_per_k=60.0, resistance_k_per_kw=0.05, band_k=2.0, cop=3.0, recovery_h=1.0)
TANKS = WaterHeater(litres=4000.0, band_k=10.0, efficiency=0.95, heater_kw=140.0, standing_h=48.0)
CARS = EvCharging(slack_h=0.5)


def made_of(appliance: Hvac | WaterHeater | EvCharging) -> Resource:
    """A group of such appliances, with the rules that follow."""
    return with_appliance(replace(SHORT, rebound=(), appliance=appliance), 900.0)


KVA = Reactive(rating_kva=310.0, kvar_max=150.0)
KVA_OF_BATTERY = Reactive(rating_kva=65.0, kvar_max=65.0)
AHEAD = Precool(rating_kw=40.0, energy_kwh=25.0, ahead_s=3600.0, fade_h=4.0)
DEPTH = (DepthCost(to_pct=20.0, per_kwh=0.02), DepthCost(to_pct=60.0, per_kwh=0.2))
KINDS = {
    "load group": _kind(SHORT, 0, 70, available_kw=70.0),
    "load group at full level": _kind(replace(SHORT, level_min=0.5), 0, 70, available_kw=70.0),
    "load group that is on": _kind(
        SHORT,
        0,
        70,
        available_kw=70.0,
        setpoint_kw=40.0,
        active_since_s=START_S - 600.0,
        starts_today=1,
    ),
    "load group after a release": _kind(
        SHORT, 0, 100, released_at_s=START_S - 60.0, starts_today=1
    ),
    "load group in stages": _kind(replace(SHORT, stages=(0.3, 0.6, 1.0)), 0, 70, available_kw=70.0),
    "load group with a slow ramp": _kind(
        replace(SHORT, ramp_kw_per_min=1.0), 0, 70, available_kw=70.0
    ),
    "load group within comfort": _kind(
        replace(SHORT, comfort=Comfort(energy_kwh=40.0, fade_h=2.0)), 0, 70, available_kw=70.0
    ),
    "air conditioning": _kind(made_of(HVAC), 0, 70, available_kw=70.0),
    "water heaters": _kind(made_of(TANKS), 0, 70, available_kw=70.0),
    "charging points": _kind(made_of(CARS), 0, 70, available_kw=70.0),
    "load group that is cooled ahead": _kind(
        replace(SHORT, precool=AHEAD), -40, 70, available_kw=70.0
    ),
    "load group that is being cooled ahead": _kind(
        replace(SHORT, precool=AHEAD, comfort=Comfort(energy_kwh=40.0, fade_h=2.0)),
        -40,
        70,
        available_kw=70.0,
        setpoint_kw=-20.0,
        precooled=((START_S - 1800.0, START_S, 20.0),),
    ),
    "load group that may not be cooled ahead": _kind(
        replace(SHORT, precool=AHEAD), 0, 70, available_kw=70.0, precool_kw=0.0
    ),
    "air conditioning that is cooled ahead": _kind(
        made_of(replace(HVAC, ahead_k=1.0, ahead_kw=30.0, ahead_h=1.0)), -30, 70, available_kw=70.0
    ),
    "load group with pickup": _kind(
        replace(SHORT, pickup=(Pickup(after_s=2700.0, shares=(0.5,)),)), 0, 70, available_kw=70.0
    ),
    "load group with few hours": _kind(
        replace(SHORT, hours_per_day_max=1.0), 0, 70, available_kw=70.0
    ),
    "load group that was announced": _kind(
        SHORT, 0, 100, announced=((START_S + 3600.0, START_S + 7200.0),)
    ),
    "battery": _kind(BATTERY, -60, 60),
    "battery with less power": _kind(BATTERY, -25, 25, available_kw=25.0),
    "battery below its reserve": _kind(BATTERY, -60, 60, soc_pct=4.0),
    "battery above its limit": _kind(BATTERY, -60, 60, soc_pct=97.0),
    "battery that wears by depth": _kind(replace(BATTERY, depth_costs=DEPTH), -60, 60),
    "battery with kvar that wears by depth": _kind(
        replace(BATTERY, depth_costs=DEPTH, reactive=KVA_OF_BATTERY), -60, 60
    ),
    "generator": _kind(GENERATOR, 0, 120),
    "generator with a slow ramp": _kind(replace(GENERATOR, ramp_kw_per_min=2.0), 0, 120),
    "generator within its kVA": _kind(replace(GENERATOR, rating_kva=80.0, power_factor=0.8), 0, 64),
    "generator that runs": _kind(
        GENERATOR, 0, 120, setpoint_kw=50.0, active_since_s=START_S - 600.0, starts_today=1
    ),
    "generator after a stop": _kind(
        GENERATOR, 0, 120, released_at_s=START_S - 60.0, starts_today=1
    ),
    "pv": _kind(PV, 0, 300),
    "pv with kvar": _kind(replace(PV, reactive=KVA), 0, 300),
    "battery with kvar": _kind(replace(BATTERY, reactive=KVA_OF_BATTERY), -60, 60),
    "pv under cloud": _kind(PV, 0, 300, available_kw=80.0, power_kw=80.0),
}


@pytest.fixture(params=KINDS, ids=[name.replace(" ", "-") for name in KINDS])
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(params=[0.0, 500.0], ids=["at-the-start", "within-the-first-interval"])
def grid(request: pytest.FixtureRequest) -> TimeGrid:
    return time_grid(
        Horizon(start_s=START_S, step_s=900.0, count=COUNT),
        now_s=START_S + request.param,
        utc_offset_s=0.0,
    )


def pushed(own: Block, price: np.ndarray, *, whole: bool = True) -> np.ndarray:
    """The block's cheapest columns when each kW of its action costs `price` (T,) besides."""
    integrality = np.zeros(own.columns, dtype=np.int64)
    if own.runs is not None and whole:
        integrality[np.concatenate([own.runs.on, own.runs.start, own.runs.stop])] = 1
    rows = []
    if own.matrix.shape[0]:
        rows.append(LinearConstraint(own.matrix, own.row_lower, own.row_upper))
    result = milp(
        own.cost + own.action.T @ price,
        bounds=Bounds(own.lower, own.upper),
        constraints=rows,
        integrality=integrality,
    )
    assert result.x is not None, result.message
    return np.asarray(result.x)


def setpoints(own: Block, x: np.ndarray) -> np.ndarray:
    """The series of setpoints (T,) as the plan would write it."""
    action = own.action @ x
    return np.where(np.abs(action) > 1e-6, own.offset_kw + action, own.default_kw)


def each_push(kind: Kind, grid: TimeGrid, check: Callable[[Block, np.ndarray], None]) -> None:
    own = block(kind.resource, kind.state, grid)
    random = np.random.default_rng(11)
    for _ in range(PUSHES):
        check(own, pushed(own, random.normal(size=COUNT)))


def test_never_beyond_its_capability(kind: Kind, grid: TimeGrid) -> None:
    def check(own: Block, x: np.ndarray) -> None:
        series = setpoints(own, x)
        assert series.min() >= kind.least_kw - 1e-6
        assert series.max() <= kind.most_kw + 1e-6

    each_push(kind, grid, check)


def test_kw_and_kvar_stay_inside_the_kva(kind: Kind, grid: TimeGrid) -> None:
    """Pushed in kW and kvar at once: never outside the circle, and often near it."""
    own = block(kind.resource, kind.state, grid)
    reactive = getattr(kind.resource, "reactive", None)
    assert (own.kvar is not None) == (reactive is not None)
    if own.kvar is None or reactive is None:
        return
    random, near = np.random.default_rng(5), 0
    for _ in range(PUSHES):
        pushing = replace(own, cost=own.cost + own.kvar.T @ random.normal(size=COUNT))
        x = pushed(pushing, random.normal(size=COUNT))
        kw = setpoints(own, x)
        if isinstance(kind.resource, PvInverter):
            kw = np.minimum(kw, available_kw(kind.resource, kind.state, grid))
        kva, kvar = np.hypot(kw, own.kvar @ x), np.abs(own.kvar @ x)
        assert kva.max() <= reactive.rating_kva + 1e-6
        assert kvar.max() <= reactive.kvar_max + 1e-6
        near += int((kva > 0.99 * reactive.rating_kva).sum())
    assert near > PUSHES, "the room is used"


def test_excluded_it_may_not_be_planned_with(kind: Kind, grid: TimeGrid) -> None:
    state = replace(kind.state, excluded="tagged out")
    assert unusable(kind.resource, state, grid) == "tagged out"
    assert unusable(kind.resource, kind.state, grid) is None


def test_what_is_not_known_is_not_planned_with(kind: Kind, grid: TimeGrid) -> None:
    state = replace(kind.state, available_kw=math.nan, soc_pct=None)
    assert unusable(kind.resource, state, grid)


def test_left_alone_it_comes_to_rest_at_its_default(kind: Kind, grid: TimeGrid) -> None:
    own = block(kind.resource, kind.state, grid)
    assert own.default_kw == default_kw(kind.resource)
    series = setpoints(own, pushed(own, np.zeros(COUNT)))
    assert series[-1] == own.default_kw


def test_at_its_default_it_injects_nothing(kind: Kind, grid: TimeGrid) -> None:
    series = np.full(COUNT, default_kw(kind.resource))
    state = replace(kind.state, active_since_s=None)
    assert injection_kw(kind.resource, state, grid, series) == pytest.approx(np.zeros(COUNT))


def test_what_it_has_shed_before_now_comes_back_after_its_release(grid: TimeGrid) -> None:
    on = KINDS["load group that is on"]
    found = injection_kw(on.resource, on.state, grid, np.zeros(COUNT))
    kwh = 40.0 * (grid.now_s - (START_S - 600.0)) / 3600.0
    assert found[:2] * grid.hours[:2] == pytest.approx([-0.3 * kwh, -0.2 * kwh])
    assert found[2:] == pytest.approx(np.zeros(COUNT - 2))


def test_the_programme_and_the_check_agree_on_what_it_injects(kind: Kind, grid: TimeGrid) -> None:
    def check(own: Block, x: np.ndarray) -> None:
        said = own.injection @ x
        if own.runs is not None:
            after, constant = own.runs.aftermath(x[own.runs.on] > 0.5)
            said = said + after @ x + constant
        found = injection_kw(kind.resource, kind.state, grid, setpoints(own, x))
        assert found == pytest.approx(said, abs=1e-5)

    each_push(kind, grid, check)


def test_energy_balances(kind: Kind, grid: TimeGrid) -> None:
    resource, state = kind.resource, kind.state

    def check(own: Block, x: np.ndarray) -> None:
        series = setpoints(own, x)
        match resource:
            case Battery():
                now = (state.soc_pct or 0.0) / 100 * resource.energy_kwh
                stored = energy_kwh(resource, state, grid, series)
                # Charging and discharging at once burns energy: never more than without.
                low = min(resource.soc_min_pct / 100 * resource.energy_kwh, now)
                assert stored.min() >= low - 1e-6
            case LoadGroup() if state.active_since_s is None:
                shed = float(np.maximum(series, 0.0) @ grid.hours)
                ahead = float(np.maximum(-series, 0.0) @ grid.hours)
                before = sum(kw * (end - begin) / 3600 for begin, end, kw in state.precooled)
                net = float(injection_kw(resource, state, grid, series) @ grid.hours)
                drawn = resource.rating_kw * sum(sum(p.shares) for p in resource.pickup)
                back = sum(resource.rebound)
                assert net >= shed * (1 - back) - ahead - drawn - 1e-6
                assert net <= shed - ahead * (1 - back) + back * before + 1e-6
            case _:
                assert np.all(injection_kw(resource, state, grid, series) <= 1e-6 + kind.most_kw)

    each_push(kind, grid, check)


def test_runs_keep_their_rules_and_end(kind: Kind, grid: TimeGrid) -> None:
    def check(own: Block, x: np.ndarray) -> None:
        if own.runs is None:
            return
        on = x[own.runs.on] > 0.5
        assert broken_rules(own.runs.rules, on) == []
        series = setpoints(own, x)
        assert np.all((series > 0) == on), "on is visible at the device"

    each_push(kind, grid, check)


def test_the_relaxation_is_no_tighter_than_the_rules(kind: Kind, grid: TimeGrid) -> None:
    own = block(kind.resource, kind.state, grid)
    random = np.random.default_rng(3)
    for _ in range(5):
        price = random.normal(size=COUNT)
        cost = own.cost + own.action.T @ price
        assert cost @ pushed(own, price, whole=False) <= cost @ pushed(own, price) + 1e-6
