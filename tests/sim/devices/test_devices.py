"""Load groups, batteries and PV inverters each move as their kind does."""

from __future__ import annotations

import pytest

from sim.devices.battery import BatteryDevice
from sim.devices.load_group import LoadGroupDevice
from sim.devices.pv import PvDevice
from sim.feeder import load_feeder
from sim.fleet import Fleet, load_fleet

_DEMAND_KW = 100.0


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return load_fleet(load_feeder("ieee123"))


def _group(fleet: Fleet) -> LoadGroupDevice:
    site = next(s for s in fleet.load_groups if s.resource.rating_kw > 25)
    return LoadGroupDevice(site)


def _run_group(group: LoadGroupDevice, start_s: float, seconds: float) -> float:
    at_s = start_s
    while at_s < start_s + seconds:
        at_s += 5.0
        group.step(at_s=at_s, dt_s=5.0, demand_kw=_DEMAND_KW)
    return at_s


def test_shed_waits_ramps_and_holds(fleet: Fleet) -> None:
    group = _group(fleet)
    at_s = _run_group(group, 0.0, 60.0)
    assert group.power_kw == _DEMAND_KW
    assert group.available_kw == pytest.approx(group.site.flex_share * _DEMAND_KW)
    group.hold.take(20.0, at_s=at_s, lease_s=1800.0)
    _run_group(group, at_s, group.site.delay_s - 5.0)
    assert group.shed_kw == 0.0
    _run_group(group, at_s + group.site.delay_s, group.site.ramp_s / 3)
    assert 0.0 < group.shed_kw < 20.0
    _run_group(group, at_s + 120.0, 120.0)
    assert group.shed_kw == 20.0
    assert group.power_kw == pytest.approx(_DEMAND_KW - 20.0)


def test_shed_never_exceeds_what_flows(fleet: Fleet) -> None:
    group = _group(fleet)
    group.step(at_s=0.0, dt_s=1.0, demand_kw=_DEMAND_KW)
    group.hold.take(group.site.resource.rating_kw, at_s=0.0, lease_s=1800.0)
    for k in range(1, 100):
        group.step(at_s=5.0 * k, dt_s=5.0, demand_kw=40.0)
    assert group.shed_kw == pytest.approx(group.site.flex_share * 40.0)


def test_rebound_pays_back_its_share(fleet: Fleet) -> None:
    group = _group(fleet)
    group.hold.take(20.0, at_s=0.0, lease_s=1800.0)
    at_s = _run_group(group, 0.0, 1800.0)  # the lease ends here: released by itself
    shed_kwh = 0.0
    paid_kwh = 0.0
    for _ in range(800):
        at_s = _run_group(group, at_s, 5.0)
        shed_kwh += group.shed_kw * 5.0 / 3600.0
        paid_kwh += group.rebound_kw * 5.0 / 3600.0
    assert group.hold.value == 0.0
    assert group.rebound_kw == 0.0
    total_kwh = 20.0 * 1800.0 / 3600.0
    assert paid_kwh == pytest.approx(sum(group.site.resource.rebound) * total_kwh, rel=0.06)


def test_faulty_group_has_nothing_to_give(fleet: Fleet) -> None:
    group = _group(fleet)
    group.hold.fault = True
    group.step(at_s=0.0, dt_s=1.0, demand_kw=_DEMAND_KW)
    assert group.available_kw == 0.0
    assert group.power_kw == _DEMAND_KW


def test_battery_ramps_and_drains_by_its_efficiency(fleet: Fleet) -> None:
    battery = BatteryDevice(fleet.batteries[0])
    resource = battery.site.resource
    battery.hold.take(resource.rating_kw, at_s=0.0, lease_s=1800.0)
    battery.step(at_s=1.0, dt_s=1.0)
    assert battery.power_kw == pytest.approx(resource.rating_kw / battery.site.ramp_s)
    before = battery.soc_pct
    injected_kwh = 0.0
    for k in range(2, 902):
        battery.step(at_s=float(k), dt_s=1.0)
        injected_kwh += battery.power_kw / 3600.0
    assert battery.power_kw == resource.rating_kw
    drained_kwh = (before - battery.soc_pct) / 100 * resource.energy_kwh
    assert drained_kwh == pytest.approx(injected_kwh / resource.efficiency)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_battery_stops_at_its_limits(fleet: Fleet, sign: float) -> None:
    battery = BatteryDevice(fleet.batteries[0])
    resource = battery.site.resource
    for k in range(600):
        battery.hold.take(sign * resource.rating_kw, at_s=60.0 * k, lease_s=1800.0)
        battery.step(at_s=60.0 * k, dt_s=60.0)
        assert resource.soc_min_pct - 1e-9 <= battery.soc_pct <= resource.soc_max_pct + 1e-9
    assert battery.power_kw == pytest.approx(0.0, abs=1e-6)
    edge = resource.soc_min_pct if sign > 0 else resource.soc_max_pct
    assert battery.soc_pct == pytest.approx(edge)


def test_pv_gives_the_sun_below_its_ceiling(fleet: Fleet) -> None:
    pv = PvDevice(fleet.pvs[0])
    rating_kw = pv.site.resource.rating_kw
    sun = {"S": 0.5, "SW": 0.5, "W": 0.5}
    pv.step(at_s=0.0, dt_s=1.0, sun_pu=sun)
    assert pv.power_kw == pv.available_kw == 0.5 * rating_kw
    pv.hold.take(0.2 * rating_kw, at_s=0.0, lease_s=600.0)
    pv.step(at_s=10.0, dt_s=10.0, sun_pu=sun)
    assert pv.power_kw == pytest.approx(0.2 * rating_kw)
    assert pv.available_kw == 0.5 * rating_kw
    pv.step(at_s=700.0, dt_s=690.0, sun_pu=sun)
    assert pv.power_kw == 0.5 * rating_kw


def test_fleet_is_as_large_as_promised(fleet: Fleet) -> None:
    assert len(fleet.load_groups) >= 20
    assert len(fleet.batteries) >= 10
    assert {len(b.resource.terminals) for b in fleet.batteries} == {1, 3}
    assert len(fleet.pvs) >= 30
    assert sum(b.resource.rating_kw for b in fleet.batteries) == pytest.approx(600.0)
    assert 1100 < sum(p.resource.rating_kw for p in fleet.pvs) < 1300
    for resource in fleet.resources():
        assert sum(t.share for t in resource.terminals) == pytest.approx(1.0)
