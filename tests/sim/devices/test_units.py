"""Devices with a life of their own: what makes each of them hard to command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.resource import Battery, LoadGroup, Precool, PvInverter, ResourcePoints, Terminal
from sim.devices.battery import BatteryDevice
from sim.devices.breaker import CLOSED, OPEN, BreakerDevice
from sim.devices.ev import EvGroupDevice
from sim.devices.generator import GeneratorDevice, Running
from sim.devices.industrial import IndustrialDevice
from sim.devices.inverter_functions import VOLT_VAR, VOLT_WATT, on_curve
from sim.devices.pv import PvDevice
from sim.devices.surroundings import Surroundings
from sim.devices.thermal import ThermalGroupDevice
from sim.devices.units import UnitDevice
from sim.fleet import BatterySite, PvSite
from sim.fleet_units import (
    BreakerResource,
    BreakerSite,
    EvSite,
    GeneratorSite,
    IndustrialSite,
    ThermalSite,
)
from sim.plant import Verdict
from tests.optimizer.small import GENERATOR

POINTS = ResourcePoints(setpoint="X.Spt", feedback="X.Fb", power="X.TotW", available="X.Avail")
PLACE = (Terminal(node="1", phase="A", share=1.0),)
NOON_S = 1_784_000_000.0


def group(rating_kw: float) -> LoadGroup:
    return LoadGroup(
        mrid="X", name="X", area="A", terminals=PLACE, points=POINTS, rating_kw=rating_kw,
        power_factor=0.95, customers=20, cost_per_kwh=0.3, priority=1, duration_min_s=900.0,
        duration_max_s=7200.0, recovery_s=3600.0, starts_per_day_max=3, rebound=(0.1,),
    )  # fmt: skip


class Bench:
    """Lets one device live, from `hour` local time on."""

    def __init__(self, device: UnitDevice, *, hour: float = 12.0, air_c: float = 33.0) -> None:
        self.device = device
        self.at_s, self.hour, self.air_c = NOON_S, hour, air_c

    def run(self, hours: float, *, step_s: float = 30.0, lit: bool = True) -> list[float]:
        """The power at each step, kW."""
        seen = []
        for _ in range(round(hours * 3600.0 / step_s)):
            self.at_s += step_s
            self.hour += step_s / 3600.0
            self.device.step(
                Surroundings(
                    at_s=self.at_s, dt_s=step_s, local_h=self.hour % 24.0,
                    day=20_650 + int(self.hour // 24), temperature_c=self.air_c, lit=lit,
                )
            )  # fmt: skip
            seen.append(self.device.power_kw)
        return seen

    def tell(self, kw: float, lease_s: float = 1800.0) -> Verdict:
        return self.device.hold.take(kw, at_s=self.at_s, lease_s=lease_s)


def coolers() -> ThermalGroupDevice:
    return ThermalGroupDevice(
        ThermalSite(resource=group(100.0), application="cooling", units=40, unit_kw=2.5, seed=3)
    )


def test_thermostats_differ_and_follow_the_weather() -> None:
    mild, hot = Bench(coolers(), air_c=26.0), Bench(coolers(), air_c=36.0)
    mild_kw, hot_kw = mild.run(3.0)[120:], hot.run(3.0)[120:]
    assert 1.0 < np.mean(mild_kw) < 0.7 * np.mean(hot_kw) < 100.0
    assert np.std(hot_kw) < 0.35 * np.mean(hot_kw), "they do not all switch at once"


def test_a_shed_is_held_and_comes_back_as_a_rebound() -> None:
    bench = Bench(coolers())
    usual_kw = float(np.mean(bench.run(3.0)[120:]))
    bench.tell(0.6 * usual_kw, lease_s=1800.0)
    shed_kw = float(np.mean(bench.run(0.5)[10:]))
    assert shed_kw < 0.5 * usual_kw
    after_kw = bench.run(0.5)
    assert np.mean(after_kw) > 1.15 * usual_kw, "the rooms want it back"
    again_kw = float(np.mean(bench.run(6.0)[-240:]))
    assert again_kw == pytest.approx(usual_kw, rel=0.25)


def cooled_ahead() -> ThermalGroupDevice:
    ahead = Precool(rating_kw=30.0, energy_kwh=60.0, ahead_s=7200.0, fade_h=4.0)
    site = ThermalSite(
        resource=replace(group(100.0), precool=ahead),
        application="cooling",
        units=40,
        unit_kw=2.5,
        seed=3,
    )
    return ThermalGroupDevice(site)


def test_rooms_cooled_ahead_draw_more_before_a_call_and_less_after_it() -> None:
    usual, ahead = Bench(cooled_ahead()), Bench(cooled_ahead())
    usual_kw = float(np.mean(usual.run(3.0)[120:]))
    ahead.run(3.0)
    assert ahead.tell(-31.0) is Verdict.OUT_OF_RANGE
    assert Bench(coolers()).tell(-1.0) is Verdict.OUT_OF_RANGE, "only those that may be"
    before_kw = []
    for _ in range(3):
        assert ahead.tell(-25.0) is Verdict.ACCEPTED
        before_kw += ahead.run(0.5)
    usual.run(1.5)
    more_kwh = (np.mean(before_kw) - usual_kw) * 1.5
    assert 15.0 < more_kwh < 45.0
    after = {}
    for bench in (usual, ahead):
        bench.tell(0.5 * usual_kw)
        shed = bench.run(0.5)
        after[bench] = float(np.mean(shed + bench.run(2.0)))
    assert after[ahead] < after[usual] - 3.0, "what was drawn before is missing now"
    cold, warm = ahead.device, usual.device
    assert isinstance(cold, ThermalGroupDevice)
    assert isinstance(warm, ThermalGroupDevice)
    assert cold.discomfort_k_h <= warm.discomfort_k_h


def test_rooms_are_not_cooled_further_than_is_comfortable() -> None:
    bench = Bench(cooled_ahead())
    usual_kw = float(np.mean(bench.run(3.0)[120:]))
    drawn_kw = []
    for _ in range(16):
        bench.tell(-30.0)
        drawn_kw += bench.run(0.5)
    device = bench.device
    assert isinstance(device, ThermalGroupDevice)
    assert device.rooms_c.min() > 24.0 - 1.0 - 0.5 - 2.0 - 1.0
    assert np.mean(drawn_kw[:60]) > usual_kw + 10.0
    assert np.mean(drawn_kw[-120:]) < np.mean(drawn_kw[:60]), "cold rooms take no more"


def test_an_outage_ends_in_cold_load_pickup() -> None:
    bench = Bench(coolers())
    usual_kw = float(np.mean(bench.run(3.0)[120:]))
    assert max(bench.run(1.0, lit=False)) == 0.0
    assert max(bench.run(0.25)) > 1.6 * usual_kw


def test_a_compressor_rests_before_it_starts_again() -> None:
    device = coolers()
    bench = Bench(device)
    bench.run(2.0)
    bench.run(1.0, lit=False)
    bench.run(60.0 / 3600.0)
    assert device.on.any(), "after an hour all have rested"
    bench.tell(100.0, lease_s=60.0)
    bench.run(60.0 / 3600.0)
    assert not device.on.any()
    bench.run(60.0 / 3600.0)
    assert not device.on.any(), "not a minute after they stopped"
    bench.run(240.0 / 3600.0)
    assert device.on.any()


@pytest.mark.parametrize(("application", "air_c"), [("cooling", 36.0), ("heating", -8.0)])
def test_thermostats_whose_owners_have_overruled_it_go_on(application: str, air_c: float) -> None:
    site = ThermalSite(
        resource=group(100.0), application=application, units=40, unit_kw=2.5, seed=3
    )
    device = ThermalGroupDevice(site)
    bench = Bench(device, air_c=air_c)
    usual_kw = float(np.mean(bench.run(3.0)[120:]))
    device.overridden = True
    assert bench.tell(100.0) is Verdict.ACCEPTED
    assert np.mean(bench.run(0.4)) > 0.8 * usual_kw > 1.0
    assert device.available_kw == 0.0
    device.overridden = False
    assert max(bench.run(60.0 / 3600.0)) == 0.0


def test_water_heaters_store_what_is_shed() -> None:
    device = ThermalGroupDevice(
        ThermalSite(resource=group(180.0), application="water", units=40, unit_kw=4.5, seed=4)
    )
    bench = Bench(device, hour=5.0)
    usual_kw = float(np.mean(bench.run(4.0, step_s=60.0)[60:]))
    assert 3.0 < usual_kw < 120.0
    bench.tell(180.0, lease_s=1800.0)
    assert max(bench.run(0.45, step_s=60.0)) == 0.0
    assert np.mean(bench.run(0.5, step_s=60.0)) > usual_kw * 0.8


def test_cars_come_in_the_evening_and_keep_their_need() -> None:
    device = EvGroupDevice(
        EvSite(resource=group(150.0), points=20, point_kw=7.4, arrival_h=18.0, seed=5)
    )
    bench = Bench(device, hour=14.0)
    assert np.mean(bench.run(1.0, step_s=60.0)) < 10.0
    evening_kw = bench.run(5.0, step_s=60.0)
    assert max(evening_kw) > 30.0
    assert bench.tell(150.0, lease_s=900.0) is Verdict.ACCEPTED
    assert max(bench.run(0.2, step_s=60.0)) == 0.0
    owed_kwh = float(device.need_kwh.sum())
    assert owed_kwh > 0.0
    bench.run(9.0, step_s=300.0)
    assert device.need_kwh.sum() < 0.05 * owed_kwh
    assert device.unmet_kwh == 0.0


def test_blocks_go_off_whole_and_come_back_one_by_one() -> None:
    device = IndustrialDevice(
        IndustrialSite(
            resource=group(100.0), blocks_kw=(40.0, 30.0, 20.0, 10.0), from_h=6.0, to_h=20.0,
            run_min_s=1800.0, pause_min_s=600.0, stagger_s=120.0,
        )
    )  # fmt: skip
    bench = Bench(device)
    assert set(bench.run(0.6)) == {100.0}
    bench.tell(45.0, lease_s=300.0)
    assert bench.run(120.0 / 3600.0)[-1] == 30.0, "40 and 30 go: whole blocks, at least 45"
    back_kw = bench.run(0.4)
    levels = [kw for i, kw in enumerate(back_kw) if i == 0 or kw != back_kw[i - 1]]
    assert levels == [30.0, 70.0, 100.0]
    bench.tell(45.0, lease_s=300.0)
    assert device.available_kw < 100.0, "who has just started must run"


def test_a_generator_starts_ramps_holds_its_least_load_and_cools() -> None:
    device = GeneratorDevice(
        GeneratorSite(
            resource=replace(GENERATOR, terminals=PLACE, points=POINTS, rating_kw=100.0),
            start_s=15.0, ramp_kw_per_s=5.0, least_share=0.3, cool_s=60.0,
        )
    )  # fmt: skip
    bench = Bench(device)
    bench.tell(10.0)
    assert bench.run(10.0 / 3600.0, step_s=1.0)[-1] == 0.0
    assert device.state is Running.STARTING
    assert bench.run(20.0 / 3600.0, step_s=1.0)[-1] == 30.0, "never below its least load"
    bench.tell(100.0)
    assert bench.run(4.0 / 3600.0, step_s=1.0)[-1] == 50.0
    bench.tell(0.0)
    bench.run(30.0 / 3600.0, step_s=1.0)
    assert (device.state, device.power_kw) == (Running.COOLING, 0.0)
    bench.run(60.0 / 3600.0, step_s=1.0)
    assert (device.state, device.starts) == (Running.OFF, 1)
    bench.tell(50.0)
    bench.run(30.0 / 3600.0, step_s=1.0)
    assert bench.run(2.0 / 3600.0, step_s=1.0, lit=False)[-1] == 0.0
    device.hold.fault = True
    assert bench.tell(50.0) is Verdict.BLOCKED


def test_a_breaker_takes_its_time_and_keeps_its_position() -> None:
    device = BreakerDevice(
        BreakerSite(
            resource=BreakerResource(mrid="SW", name="SW", area="A", points=POINTS), operating_s=2.0
        )
    )
    assert device.hold.take(OPEN, at_s=0.0, lease_s=None) is Verdict.ACCEPTED
    assert not device.step(at_s=1.0)
    assert device.position == CLOSED
    assert device.step(at_s=2.0)
    assert (device.position, device.operations) == (OPEN, 1)
    assert not device.step(at_s=10_000.0), "it has no lease to run out"
    assert device.hold.take(0.5, at_s=3.0, lease_s=None) is Verdict.OUT_OF_RANGE
    device.hold.remote = False
    assert device.hold.take(CLOSED, at_s=3.0, lease_s=None) is Verdict.LOCAL


def pv(*functions: str) -> PvDevice:
    return PvDevice(
        PvSite(
            resource=PvInverter(
                mrid="PV", name="PV", area="A", terminals=PLACE, points=POINTS, rating_kw=100.0,
                rating_kva=110.0, cost_per_kwh=0.1,
            ),
            orientation="S", ramp_s=5.0, functions=frozenset(functions),
        )
    )  # fmt: skip


def let_shine(device: PvDevice, voltage_pu: float, seconds: int, at_s: float = 10_000.0) -> None:
    for k in range(seconds):
        device.step(at_s=at_s + k, dt_s=1.0, sun_pu={"S": 0.9}, voltage_pu=voltage_pu)


@pytest.mark.parametrize(
    ("curve", "voltage_pu", "value"),
    [
        (VOLT_VAR, 0.90, 0.44),
        (VOLT_VAR, 0.95, 0.22),
        (VOLT_VAR, 1.00, 0.0),
        (VOLT_VAR, 1.05, -0.22),
        (VOLT_VAR, 1.20, -0.44),
        (VOLT_WATT, 1.08, 0.6),
        (VOLT_WATT, 1.15, 0.2),
    ],
)
def test_the_standards_curves(
    curve: tuple[tuple[float, float], ...], voltage_pu: float, value: float
) -> None:
    assert on_curve(curve, voltage_pu) == pytest.approx(value)


def test_an_inverter_supports_the_voltage_only_when_it_is_told_to() -> None:
    plain, helping = pv(), pv("volt-var", "volt-watt")
    for device in (plain, helping):
        let_shine(device, 1.09, 120)
    assert (plain.power_kw, plain.power_kvar) == (90.0, 0.0)
    assert helping.power_kvar == pytest.approx(-0.44 * 110.0, rel=0.01)
    assert helping.power_kw == pytest.approx(40.0, rel=0.02)


@pytest.mark.parametrize(
    ("voltage_pu", "seconds", "trips"),
    [(1.25, 1, True), (1.15, 1, False), (1.15, 3, True), (0.6, 9, False), (0.6, 11, True)],
)
def test_ride_through(voltage_pu: float, seconds: int, trips: bool) -> None:
    device = pv("ride-through")
    let_shine(device, 1.0, 5)
    let_shine(device, voltage_pu, seconds, at_s=10_005.0)
    assert (device.power_kw == 0.0) is trips


def test_a_hot_battery_halves_its_power_until_it_is_cooler() -> None:
    resource = Battery(
        mrid="B", name="B", area="A", terminals=PLACE, points=POINTS, rating_kw=100.0,
        energy_kwh=1_000.0, soc_min_pct=5.0, soc_max_pct=95.0, efficiency=0.95, cost_per_kwh=0.1,
    )  # fmt: skip
    powers: dict[float | None, list[float]] = {}
    for limit_c in (None, 45.0):
        device = BatteryDevice(
            BatterySite(resource=resource, initial_soc_pct=95.0, ramp_s=10.0, cell_max_c=limit_c)
        )
        device.hold.take(100.0, at_s=0.0, lease_s=1800.0)
        powers[limit_c] = []
        for k in range(120):
            device.hold.take(100.0, at_s=60.0 * k, lease_s=1800.0)
            device.step(at_s=60.0 * (k + 1), dt_s=60.0, air_c=35.0)
            powers[limit_c].append(device.power_kw)
    assert set(powers[None]) == {100.0}
    assert powers[45.0][0] == 100.0
    assert 50.0 in powers[45.0]
    assert powers[45.0].index(50.0) > 10


@pytest.mark.parametrize("make", [coolers])
def test_the_same_life_twice(make: Callable[[], ThermalGroupDevice]) -> None:
    assert Bench(make()).run(2.0) == Bench(make()).run(2.0)
