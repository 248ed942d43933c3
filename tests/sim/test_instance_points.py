"""A group that may be cooled ahead of a call has a setpoint below zero, in its point and for OT."""

from __future__ import annotations

from dataclasses import replace

from gridctl.control.activity import Activity
from gridctl.control.resources import Known, precool_of, resource_states
from gridctl.model.limits import DeviceLimit, LimitSet
from gridctl.model.measurement import Snapshot
from gridctl.model.resource import Hvac, Precool
from sim.instance import _device_limit
from sim.instance_points import _group
from tests.optimizer.small import group

AHEAD = Precool(rating_kw=40.0, energy_kwh=60.0, ahead_s=7200.0, fade_h=4.0)


def test_the_points_and_limits_of_a_pilot_let_it_be_cooled_ahead() -> None:
    plain, cooled = group("G"), group("G", precool=AHEAD)
    assert next(iter(_group(plain))).low == 0.0
    assert next(iter(_group(cooled))).low == -40.0
    assert _device_limit(plain)["min_value"] == 0.0
    own = _device_limit(cooled)
    assert (own["min_value"], own["max_value"], own["step_max"]) == (-40.0, 100.0, 140.0)
    assert own["default_value"] == 0.0


def test_the_office_plans_as_far_below_zero_as_ot_allows() -> None:
    cooled = group("G", precool=AHEAD)
    limit = DeviceLimit(
        point="G.S", area="A", min_value=-15.0, max_value=100.0, step_max=115.0,
        interval_min_s=30.0, per_hour_max=60, lease_max_s=1800.0, default_value=0.0,
    )  # fmt: skip

    def precool_kw(*limits: DeviceLimit) -> float | None:
        known = Known(
            snapshot=Snapshot(revision=1, at_s=0.0, values={}),
            points={},
            links=(),
            limits=LimitSet(version=1, areas=(), devices=limits, inhibited=()),
            not_commanded={},
        )
        activity = Activity(utc_offset_s=0.0)
        return resource_states((cooled,), known, activity, at_most_kw={})[0].precool_kw

    assert precool_kw(limit) == 15.0
    assert precool_kw(replace(limit, min_value=0.0)) == 0.0
    assert precool_kw() == 0.0, "what OT does not say is not allowed"


def test_an_air_conditioner_may_be_cooled_ahead_where_it_says_how_far() -> None:
    own = Hvac(mass_kwh_per_k=60.0, resistance_k_per_kw=0.05, band_k=2.0, cop=3.0, recovery_h=1.0)
    assert precool_of(group("G", appliance=own)) is None
    ahead = replace(own, ahead_k=1.0, ahead_kw=20.0, ahead_h=1.0)
    assert precool_of(group("G", appliance=ahead)) is not None
