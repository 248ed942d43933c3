"""Relays: compensation, band, delay, ends; the capacitor's lockout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.model.network import ReverseControl, VoltageRegulator
from sim.feeder import load_feeder
from sim.regulation import CapacitorControl, PhaseReading, RegulatorControl, relay_volts


@pytest.fixture
def regulator() -> VoltageRegulator:
    """Band 119 to 121 V, R = X = 0.4 V at 50 A, PT 20, delay 45 s."""
    return next(r for r in load_feeder("ieee123").regulators if r.mrid == "REG2")


def _seen(volts: float, amps: complex = 0.0) -> PhaseReading:
    return PhaseReading(voltage_v=complex(volts * 20), current_a=complex(amps))


def test_compensation_takes_off_the_line_drop(regulator: VoltageRegulator) -> None:
    assert relay_volts(regulator, 0, _seen(122.0)) == pytest.approx(122.0)
    assert relay_volts(regulator, 0, _seen(122.0, 50.0)) == pytest.approx(
        abs(122 - complex(0.4, 0.4))
    )


def test_waits_for_its_delay_then_goes_on_at_the_mechanisms_pace(
    regulator: VoltageRegulator,
) -> None:
    control = RegulatorControl(regulator, "A")
    start = control.tap
    assert not control.step(_seen(117.0), dt_s=44.0)
    assert control.step(_seen(117.0), dt_s=1.0)
    assert control.tap == start + 1
    assert control.step(_seen(118.0), dt_s=5.0)
    assert control.tap == start + 2
    assert not control.step(_seen(119.5), dt_s=100.0)
    assert not control.step(_seen(117.0), dt_s=44.0)


def test_back_in_the_band_forgets_the_wait(regulator: VoltageRegulator) -> None:
    control = RegulatorControl(regulator, "A")
    control.step(_seen(123.0), dt_s=44.0)
    control.step(_seen(120.0), dt_s=1.0)
    assert not control.step(_seen(123.0), dt_s=44.0)


def test_never_past_the_last_tap(regulator: VoltageRegulator) -> None:
    control = RegulatorControl(regulator, "A")
    for _ in range(100):
        control.step(_seen(100.0), dt_s=60.0)
    assert control.tap == regulator.tap_max
    assert control.wanted(_seen(100.0)) == 0
    assert control.wanted(_seen(125.0)) == -1


def test_fed_from_behind_it_holds_the_other_side(regulator: VoltageRegulator) -> None:
    two_way = replace(regulator, reverse=ReverseControl(vreg_v=124.0, band_v=2.0))
    control = RegulatorControl(two_way, "A", turned=True)
    assert (control.place, control.band_v) == (regulator.from_node, 2.0)
    assert control.wanted(_seen(122.0, 50.0)) == -1, "its other side rises as the tap falls"
    assert control.wanted(_seen(125.5, 50.0)) == 1
    assert control.wanted(_seen(124.5, 50.0)) == 0, "without compensation"
    assert control.off_v(_seen(125.5)) == pytest.approx(1.5)
    without = RegulatorControl(regulator, "A", turned=True)
    assert without.place == regulator.to_node, "no settings for it: as ever"


def test_capacitor_switches_once_and_locks_out() -> None:
    published = next(c for c in load_feeder("ieee123").capacitors if c.mrid == "C83")
    with pytest.raises(ValueError, match="C83 has no voltage control"):
        CapacitorControl(published)
    control = CapacitorControl(replace(published, close_below_pu=0.985, open_above_pu=1.048))
    assert not control.step(1.06, dt_s=59.0)
    assert control.step(1.06, dt_s=1.0)
    assert not control.closed
    assert not control.step(0.97, dt_s=120.0)
    assert control.step(0.97, dt_s=180.0)
    assert control.closed
