"""The experts and the protocol: nothing of the future, sorted bands, honest coverage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.arrays import FloatArray
from optimizer.forecasting.backtest import Protocol, ensemble_fit, run, standard_leads
from optimizer.forecasting.ensemble import Ensemble
from optimizer.forecasting.scores import score
from optimizer.forecasting.weather import Vintage
from tests.optimizer.forecasting.series import FIRST_DAY, gefcom, grid_of, hourly

LEADS = (1, 3, 12, 24, 36, 48)
HOLIDAYS = (FIRST_DAY + 10, FIRST_DAY + 33, FIRST_DAY + 61)


def said(
    load: FloatArray, temperature: FloatArray, origin: int, vintages: tuple[Vintage, ...] = ()
) -> FloatArray:
    """All experts and leads at `origin`, fitted a day before it."""
    grid = grid_of(load, temperature, holidays=HOLIDAYS)
    ensemble = Ensemble.fitted(grid, end=origin - 23, leads=LEADS, vintages=vintages)
    return ensemble.points(np.array([origin]))


@settings(max_examples=6, deadline=None)
@given(
    days=st.sampled_from([12, 40]),
    hour=st.integers(min_value=0, max_value=23),
    wild=st.floats(min_value=-1e6, max_value=1e6),
    gone=st.booleans(),
)
def test_what_comes_after_the_origin_never_enters(
    days: int, hour: int, wild: float, gone: bool
) -> None:
    load, temperature = hourly(days + 4, seed=3)
    origin = days * 24 + hour
    spoilt = load.copy()
    spoilt[origin + 1 :] = np.nan if gone else wild
    honest, peeking = said(load, temperature, origin), said(spoilt, temperature, origin)
    assert np.array_equal(honest, peeking, equal_nan=True)
    assert np.isfinite(honest[0]).all()


def test_a_long_history_does_not_peek_either() -> None:
    load, temperature = hourly(410, seed=5)
    origin = 404 * 24 + 7
    spoilt = load.copy()
    spoilt[origin + 1 :] = 9e5
    honest = said(load, temperature, origin)
    assert np.array_equal(honest, said(spoilt, temperature, origin))
    assert np.isfinite(honest).all()


def test_with_archived_forecasts_measured_weather_does_not_peek() -> None:
    load, temperature = hourly(50, seed=6)
    origin = 45 * 24 + 5
    random = np.random.default_rng(1)
    none = np.zeros((0, len(load)))
    vintages = tuple(
        Vintage(
            lead_slots=lead,
            temperature_c=(temperature + random.normal(0.0, 1.0, len(load)))[None],
            sun_w_m2=none,
            wind_ms=none,
        )
        for lead in (24, 48)
    )
    honest = said(load, temperature, origin, vintages)
    spoilt = temperature.copy()
    spoilt[origin + 1 :] += 30.0
    assert np.array_equal(honest, said(load, spoilt, origin, vintages))
    assert not np.array_equal(honest, said(load, spoilt, origin))
    # What was said only later than the origin is not known either: a day-ahead forecast of more
    # than 24 h ahead was not yet made.
    late = vintages[0].temperature_c.copy()
    late[:, origin + 25 :] += 30.0
    newer = (replace(vintages[0], temperature_c=late), vintages[1])
    assert np.array_equal(honest, said(load, temperature, origin, newer))


def test_the_history_decides_who_speaks() -> None:
    load, temperature = hourly(60)
    for days, silent in ((12, [1]), (40, [])):
        points = said(load, temperature, days * 24)
        assert [k for k in range(4) if not np.isfinite(points[k]).any()] == silent
    with pytest.raises(ValueError, match=r"7\.0 days are known: the experts need 8"):
        Ensemble.fitted(grid_of(load), end=7 * 24, leads=LEADS)
    with pytest.raises(ValueError, match="leads reach from one slot to 2 days"):
        Ensemble.fitted(grid_of(load), end=20 * 24, leads=(1, 49))


def test_gaps_silence_nobody() -> None:
    load, temperature = hourly(60)
    load[300:420] = np.nan
    load[np.random.default_rng(0).integers(0, 1100, 60)] = np.nan
    temperature[500:530] = np.nan
    origin = 46 * 24
    assert np.isfinite(said(load, temperature, origin)).all()


def test_between_fitted_leads_it_is_smooth() -> None:
    load, temperature = hourly(60)
    grid = grid_of(load, temperature)
    origin = np.array([50 * 24])
    coarse = Ensemble.fitted(grid, end=50 * 24, leads=(1, 3, 6, 9, 12, 18, 24, 25, 36, 48))
    fine = Ensemble.fitted(grid, end=50 * 24, leads=tuple(range(1, 49)))
    asked = tuple(range(1, 49))
    difference = coarse.points(origin, asked) - fine.points(origin, asked)
    assert np.abs(difference).mean() < 0.01 * load.mean()


@pytest.mark.parametrize(("per_day", "start", "days"), [(24, 60, 90), (96, 32, 48)])
def test_the_protocol_on_a_made_feeder(per_day: int, start: int, days: int) -> None:
    load, temperature = hourly(days, seed=2, per_day=per_day)
    grid = grid_of(load, temperature, per_day=per_day)
    leads = standard_leads(per_day)[::2]
    protocol = Protocol(start=start * per_day, end=days * per_day, leads=leads)
    found = run(grid, protocol, ensemble_fit(grid, leads))
    one = score(found.actual, found.quantiles)
    assert one is not None
    assert one.nmae_pct < 3.0
    assert 70.0 < one.coverage_80_pct < 94.0
    assert 88.0 < one.coverage_95_pct < 100.0
    known = np.isfinite(found.quantiles)
    assert np.all(np.diff(found.quantiles, axis=-1)[known[..., 1:]] >= 0.0)
    assert set(np.diff(found.origins)) == {30 * per_day // 24}


def test_leads_of_the_protocol() -> None:
    assert standard_leads(24) == (1, 2, 3, 6, 9, 12, 18, 24, 30, 36, 42, 48)
    assert standard_leads(144)[:3] == (1, 3, 6)
    assert standard_leads(96)[:3] == (1, 2, 4)
    assert standard_leads(288)[:4] == (2, 3, 6, 12)


@pytest.mark.soak
def test_three_real_zones_keep_the_floor() -> None:
    """GEFCom2012, 2007, weather as it was: forecasting.md 2.2 measured 5.15 over all series."""
    for zone, floor in (("z1", 4.9), ("z10", 4.4), ("z20", 4.2)):
        load, temperature = gefcom(zone)
        none = np.zeros((0, len(load)))
        first = 12_418
        grid = replace(
            grid_of(load),
            temperature_c=temperature,
            sun_w_m2=none,
            calendar=replace(grid_of(load).calendar, first=first * 24),
        )
        start = (13_514 - first) * 24
        protocol = Protocol(start=start, end=start + 365 * 24, leads=standard_leads(24))
        found = run(grid, protocol, ensemble_fit(grid, protocol.leads))
        one = score(found.actual, found.quantiles)
        assert one is not None
        assert one.nmae_pct < floor, zone
