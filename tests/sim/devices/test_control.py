"""Setpoints on leases, switches and faults."""

from __future__ import annotations

import struct

import pytest

from sim.devices.control import LEASE_OWN_S, SetpointHold, ramped
from sim.plant import Verdict


def _hold() -> SetpointHold:
    return SetpointHold(default=0.0, low=-10.0, high=16.1)


def test_lease_runs_out_by_itself() -> None:
    hold = _hold()
    assert hold.take(5.0, at_s=100.0, lease_s=60.0) is Verdict.ACCEPTED
    hold.expire(159.0)
    assert hold.value == 5.0
    hold.expire(160.0)
    assert hold.value == 0.0
    assert hold.since_s == 160.0


def test_a_new_setpoint_renews_the_lease() -> None:
    hold = _hold()
    hold.take(5.0, at_s=0.0, lease_s=60.0)
    hold.take(5.0, at_s=50.0, lease_s=60.0)
    hold.expire(100.0)
    assert hold.value == 5.0
    assert hold.since_s == 0.0


def test_no_lease_means_the_devices_own() -> None:
    hold = _hold()
    hold.take(5.0, at_s=0.0, lease_s=None)
    hold.expire(LEASE_OWN_S - 1)
    assert hold.value == 5.0
    hold.expire(LEASE_OWN_S)
    assert hold.value == 0.0


@pytest.mark.parametrize("value", [-10.1, 16.2, float("nan"), float("inf")])
def test_out_of_range_moves_nothing(value: float) -> None:
    hold = _hold()
    assert hold.take(value, at_s=0.0, lease_s=60.0) is Verdict.OUT_OF_RANGE
    assert hold.value == 0.0


def test_the_rating_survives_single_precision() -> None:
    hold = _hold()
    (wire,) = struct.unpack("f", struct.pack("f", 16.1))
    assert wire > 16.1
    assert hold.take(wire, at_s=0.0, lease_s=60.0) is Verdict.ACCEPTED
    assert hold.value == 16.1


def test_local_and_fault_refuse_and_drop() -> None:
    hold = _hold()
    hold.take(5.0, at_s=0.0, lease_s=600.0)
    hold.remote = False
    assert hold.check(1.0) is Verdict.LOCAL
    hold.expire(1.0)
    assert hold.value == 0.0
    hold.remote, hold.fault = True, True
    assert hold.take(1.0, at_s=2.0, lease_s=60.0) is Verdict.BLOCKED


def test_ramp_stops_at_the_target() -> None:
    assert ramped(0.0, 10.0, per_s=2.0, dt_s=3.0) == 6.0
    assert ramped(6.0, 10.0, per_s=2.0, dt_s=3.0) == 10.0
    assert ramped(10.0, -10.0, per_s=2.0, dt_s=3.0) == 4.0
