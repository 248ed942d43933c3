"""Asset health from a real store: a hot transformer, a hunting tap changer, a low voltage."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gridctl.control.ageing import dynamic_rating
from gridctl.control.alarms import AlarmBook
from gridctl.control.assetbook import STEP_S, AssetBook, thermal_health
from gridctl.control.chance import with_forecast
from gridctl.model.assets import ThermalAsset
from gridctl.model.clock import ManualClock
from gridctl.model.measurement import GOOD, Measurement, Point, PointKind, TimeQuality
from gridctl.model.planning import Forecast, Horizon, Series
from gridctl.model.policy import Policy
from gridctl.model.quantity import Phase, Unit
from gridctl.store.engine import temporary_store
from gridctl.web.asset_pages import waits_of

NOW_S = 20_640 * 86_400.0
ASSET = ThermalAsset(
    name="T1", kind="onan", rating_kva=1_000.0, load_point="HEAD", power_factor=1.0,
    upgraded=False, branch="t1",
)  # fmt: skip


def forecast_of(kw: float, *, paths: tuple[tuple[float, ...], ...] = ()) -> Forecast:
    return Forecast(
        horizon=Horizon(start_s=NOW_S, step_s=STEP_S, count=48),
        quantiles=(0.1, 0.5, 0.9),
        values_kw=((0.9 * kw,) * 48, (kw,) * 48, (1.1 * kw,) * 48),
        method="by hand",
        history_days=7.0,
        nmae_pct=None,
        paths_kw=paths,
    )


def reading(point: str, at_s: float, value: float) -> Measurement:
    return Measurement(
        point=point, value=value, quality=GOOD, source_time_s=at_s,
        time_quality=TimeQuality.SYNCHRONIZED, received_time_s=at_s,
    )  # fmt: skip


def point_of(mrid: str, kind: PointKind, unit: Unit) -> Point:
    return Point(
        mrid=mrid, name=mrid, equipment=f"{mrid}-equipment", kind=kind, unit=unit, phase=Phase.A,
        scan_s=60.0,
    )  # fmt: skip


def test_rated_load_at_twenty_degrees_is_rated_ageing() -> None:
    week = round(7 * 86_400 / STEP_S)
    found = thermal_health(
        ASSET, np.full(week, 1_000.0), np.full(week, 20.0), forecast_of(1_600.0), NOW_S
    )
    assert found.hot_spot_c == pytest.approx(98.0)
    assert found.top_oil_c == pytest.approx(72.0)
    assert found.ageing == pytest.approx(1.0)
    assert found.life_used_pct == pytest.approx(100.0 * 168 / 180_000)
    high = found.paths[-1]
    assert high.time_to_limit_min is not None
    assert found.is_alarm
    assert [path.headroom for path in found.paths] == sorted(
        (path.headroom for path in found.paths), reverse=True
    )
    # 1.5 times the rating is the limit of load: the headroom knows it, too.
    assert high.headroom <= 1.5 / 1.76 + 1e-6
    fine = thermal_health(ASSET, np.full(week, 500.0), np.full(week, 20.0), None, NOW_S)
    assert (fine.is_alarm, fine.paths) == (False, ())
    unknown = thermal_health(
        ASSET, np.full(week, math.nan), np.full(week, 20.0), forecast_of(500.0), NOW_S
    )
    assert unknown.hot_spot_c is None
    assert "less than half a day" in unknown.why


def test_a_transformer_carries_less_in_the_heat() -> None:
    rating = dynamic_rating(ASSET)
    assert rating is not None
    assert 0.5 < rating.below_pct_per_k < rating.above_pct_per_k < 1.2
    air = Series(start_s=NOW_S - 86_400.0, step_s=3_600.0, values=tuple(map(float, range(24))))
    paths = ((900.0,) * 48, (1_100.0,) * 48)
    policy = with_forecast(
        Policy(), forecast_of(1_000.0, paths=paths), cvar_weight=0.5, cvar_level=0.9,
        air_c=air, ratings=[rating],
    )  # fmt: skip
    # Nobody forecasts the air: it is as at the same time yesterday.
    assert policy.temperature_c[:5] == (0.0, 0.0, 0.0, 0.0, 1.0)
    assert policy.mistakes(48, ("t1",)) == []
    assert [one.probability for one in policy.scenarios] == [0.5, 0.5]
    assert policy.cvar_weight == 0.5
    same = with_forecast(
        Policy(), forecast_of(1.0), cvar_weight=0.5, cvar_level=0.9, air_c=None, ratings=[rating]
    )
    assert same == Policy()


async def test_a_look_at_everything_that_is_measured() -> None:
    clock = ManualClock(grid_s=NOW_S)
    async with temporary_store(clock) as store:
        readings = []
        for k in range(2 * 96):
            at_s = NOW_S - 2 * 86_400.0 + (k + 0.5) * STEP_S
            readings += [
                reading("HEAD", at_s, 1_000.0),
                reading("AIR", at_s, 20.0),
                reading("V", at_s, 0.88 if k == 100 else 1.0),
            ]
        taps = [0, 1, 0, 1, 0, 1, 0, 0]
        readings += [
            reading("TAP", NOW_S - 3_000.0 + 60.0 * k, float(tap)) for k, tap in enumerate(taps)
        ]
        await store.add_samples(readings)
        alarms = AlarmBook(store=store, clock=clock)
        book = AssetBook(
            store=store, clock=clock, alarms=alarms, transformers=[ASSET], temperature_point="AIR"
        )
        points = {
            "V": point_of("V", PointKind.ANALOG, Unit.VOLT_PU),
            "TAP": point_of("TAP", PointKind.ANALOG, Unit.COUNT),
        }
        assert await book.step({}, None) is None
        review = await book.step(points, forecast_of(1_600.0))
        assert review is not None
        assert await book.step(points, None) is review, "once an hour"
        assert review.transformers[0].hot_spot_max_c == pytest.approx(98.0, abs=0.1)
        assert (review.movements[0].operations, review.movements[0].hunting) == (6, 1)
        voltage = review.voltages[0]
        assert (voltage.complies, voltage.lowest_pu) == (None, 0.88)
        assert voltage.coverage < 0.25
        assert review.worst is not None
        assert [alarm.key for alarm in alarms.listed()] == ["thermal.T1"]
        clock.advance(3_600.0)
        await store.add_samples([reading("HEAD", NOW_S + 60.0, 400.0)])
        later = await book.step(points, forecast_of(400.0))
        assert later is not None
        assert later.transformers[0].load_pct == pytest.approx(40.0)
        assert alarms.all["thermal.T1"].cleared_s is not None


async def test_an_opening_wears_the_contacts_by_what_it_broke() -> None:
    """Two openings, at 8 kA and at next to nothing, of a switch whose current is measured; one of
    another whose current is not."""
    clock = ManualClock(grid_s=NOW_S)
    points = {
        mrid: replace(point_of(mrid, kind, unit), equipment=equipment)
        for mrid, equipment, kind, unit in (
            ("CB", "cb", PointKind.DISCRETE, Unit.STATE),
            ("CB.I", "cb", PointKind.ANALOG, Unit.AMPERE),
            ("SW", "sw", PointKind.DISCRETE, Unit.STATE),
        )
    }
    async with temporary_store(clock) as store:
        readings = []
        for k in range(30):
            at_s = NOW_S - 3_600.0 + 60.0 * k + 1.0
            readings += [
                reading("CB", at_s, 0.0 if k in (10, 11, 20) else 1.0),
                reading("CB.I", at_s, 8_000.0 if k == 9 else 5.0),
                reading("SW", at_s, 0.0 if k == 15 else 1.0),
            ]
        await store.add_samples(readings)
        alarms = AlarmBook(store=store, clock=clock)
        book = AssetBook(
            store=store, clock=clock, alarms=alarms, transformers=[], temperature_point=None
        )
        review = await book.step(points, None)
    assert review is not None
    moved = {one.point: one for one in review.movements}
    assert moved["CB"].openings == 2
    assert moved["CB"].contacts_pct == pytest.approx(100.0 * (1 / 150 + 1 / 10_000), rel=1e-6)
    assert moved["CB"].mechanical_pct == pytest.approx(100.0 * 2 / 2_000)
    assert (moved["SW"].openings, moved["SW"].contacts_pct) == (1, None)
    assert waits_of(review) == []
    assert "first look" in waits_of(None)[0]
