"""What every kind of device has in common, each in one living world: lease, switch, fault flag,
lost communication, and the customer who overrules."""

from __future__ import annotations

import pytest

from sim.devices.breaker import BreakerDevice
from sim.plant import Verdict
from sim.world import Commandable
from tests.sim.lively import Lively

STEP_S = 30.0
KINDS = (
    "LoadGroupDevice", "BatteryDevice", "PvDevice", "ThermalGroupDevice:cooling",
    "ThermalGroupDevice:heating", "ThermalGroupDevice:water", "EvGroupDevice", "IndustrialDevice",
    "GeneratorDevice", "BreakerDevice",
)  # fmt: skip
CUSTOMERS = ("LoadGroupDevice", "EvGroupDevice", "IndustrialDevice")
"""Thermostats, which may all rest in May: test_units."""


def kind_of(device: Commandable) -> str:
    application = getattr(device.site, "application", "")
    return ":".join(filter(None, (type(device).__name__, application)))


@pytest.fixture(scope="module")
def lively() -> Lively:
    found = Lively()
    found.run(4, STEP_S)
    return found


def one(lively: Lively, kind: str) -> Commandable:
    return next(d for d in lively.world.commandable.values() if kind_of(d) == kind)


def setpoint(device: Commandable) -> float:
    """Another value than the default, well inside the range."""
    if isinstance(device, BreakerDevice):
        return 1.0 - device.hold.value
    return 0.5 * device.hold.high


def test_the_world_has_every_kind(lively: Lively) -> None:
    assert {kind_of(d) for d in lively.world.commandable.values()} == set(KINDS)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "BreakerDevice"])
def test_a_lease_ends_at_the_device(lively: Lively, kind: str) -> None:
    device = one(lively, kind)
    resource, world = device.site.resource, lively.world
    default = device.hold.value
    value = setpoint(device)
    assert world.command(resource.points.setpoint, value, lease_s=120.0) is Verdict.ACCEPTED
    lively.run(3, STEP_S)
    assert world.read(resource.points.feedback).value == pytest.approx(value)
    lively.run(2, STEP_S)
    assert world.read(resource.points.feedback).value == pytest.approx(default)


@pytest.mark.parametrize("kind", KINDS)
def test_the_switch_stands_at_local(lively: Lively, kind: str) -> None:
    device = one(lively, kind)
    points, world = device.site.resource.points, lively.world
    value, default = setpoint(device), device.hold.value
    world.command(points.setpoint, value, lease_s=600.0)
    world.set_local(device.site.resource.mrid, on=True)
    lively.run(1, STEP_S)
    assert points.remote is not None
    assert world.read(points.remote).value == 0.0
    assert world.command(points.setpoint, value, lease_s=600.0) is Verdict.LOCAL
    stays = isinstance(device, BreakerDevice)
    assert device.hold.value == (value if stays else default), "who goes local lets go"
    world.set_local(device.site.resource.mrid, on=False)
    assert world.command(points.setpoint, default, lease_s=600.0) is Verdict.ACCEPTED
    lively.run(1, STEP_S)


@pytest.mark.parametrize("kind", KINDS)
def test_a_faulty_device_takes_and_does_nothing(lively: Lively, kind: str) -> None:
    device = one(lively, kind)
    points, world = device.site.resource.points, lively.world
    before = device.hold.value
    world.set_fault(device.site.resource.mrid, on=True)
    lively.run(1, STEP_S)
    assert points.fault is not None
    assert world.read(points.fault).value == 1.0
    assert world.command(points.setpoint, setpoint(device), lease_s=600.0) is Verdict.BLOCKED
    if points.available is not None:
        assert world.read(points.available).value == 0.0
    assert device.hold.value == before
    world.set_fault(device.site.resource.mrid, on=False)
    lively.run(1, STEP_S)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_device_shows_its_last_values_as_not_good(lively: Lively, kind: str) -> None:
    device = one(lively, kind)
    points, world = device.site.resource.points, lively.world
    last = world.read(points.power)
    world.lose_device(device.site.resource.mrid, lost=True)
    lively.run(4, STEP_S)
    shown = world.read(points.power)
    assert (shown.good, shown.value, shown.at_s) == (False, last.value, last.at_s)
    assert world.command(points.setpoint, setpoint(device), lease_s=600.0) is Verdict.BLOCKED
    world.lose_device(device.site.resource.mrid, lost=False)
    assert world.read(points.power).good


@pytest.mark.parametrize("kind", CUSTOMERS)
def test_customers_overrule_what_was_accepted(lively: Lively, kind: str) -> None:
    device = one(lively, kind)
    points, world = device.site.resource.points, lively.world
    device.overridden = True  # type: ignore[union-attr]
    lively.run(1, STEP_S)
    usual_kw = world.read(points.power).value
    assert world.command(points.setpoint, device.hold.high, lease_s=600.0) is Verdict.ACCEPTED  # type: ignore[union-attr]
    lively.run(6, STEP_S)
    assert points.available is not None
    assert world.read(points.available).value == 0.0
    assert world.read(points.power).value > 0.5 * usual_kw
    device.overridden = False  # type: ignore[union-attr]
    world.command(points.setpoint, 0.0, lease_s=600.0)
    lively.run(1, STEP_S)
