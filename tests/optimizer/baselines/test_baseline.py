"""Each method against numbers worked out by hand, to the last bit; then what must hold for all.

The history: from Monday 2026-06-01 on, day k drawing 100 + k kW the whole day (k counts all days,
weekends too); the event on Monday 2026-06-22 (k = 21) from 15:00 to 17:00, hourly values.
The ten weekdays before it are k = 18 17 16 15 14 11 10 9 8 7: mean 12.5, so B = 112.5 kW.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridctl.model.errors import RefusedError
from optimizer.baselines.baseline import Baseline, baseline
from optimizer.baselines.history import Event, History
from optimizer.baselines.methods import load_methods
from optimizer.baselines.placebo import placebo, placebo_events, scored

METHODS = load_methods()
EVENT = Event(day=21, start=15, end=17)


def history(
    days: int = 22,
    *,
    event_days: frozenset[int] = frozenset({21}),
    temperature: np.ndarray | None = None,
) -> History:
    load = np.repeat(100.0 + np.arange(days)[:, None], 24, axis=1)
    weekday = np.arange(days) % 7
    kind = np.where(weekday == 6, 2, np.where(weekday == 5, 1, 0)).astype(np.intp)
    return History(
        first=date(2026, 6, 1), step_h=1.0, load_kw=load, kind=kind, excluded={},
        event_days=event_days, temperature_c=temperature,
    )  # fmt: skip


def made(
    past: History, method: str, event: Event = EVENT, firm_kw: float | None = None
) -> Baseline:
    return baseline(past, event, METHODS[method], methods=METHODS, firm_kw=firm_kw)


def test_caiso_10_in_10_ratio_of_s_4_to_s_2() -> None:
    past = history()
    past.load_kw[21, 11:14] = 123.75  # 1.1 x 112.5; the hour before the event is not looked at
    past.load_kw[21, 14] = 999.0
    found = made(past, "caiso-10-in-10")
    assert found.days == (18, 17, 16, 15, 14, 11, 10, 9, 8, 7)
    assert found.unadjusted_kw.tolist() == [112.5, 112.5]
    assert found.raw == 1.1
    assert found.baseline_kw == pytest.approx([123.75, 123.75], abs=1e-12)


@pytest.mark.parametrize(("load", "cap"), [(200.0, 1.2), (20.0, 0.8)])
def test_caiso_cap(load: float, cap: float) -> None:
    past = history()
    past.load_kw[21, 11:14] = load
    found = made(past, "caiso-10-in-10")
    assert found.raw == load / 112.5
    assert found.used == cap
    assert found.baseline_kw.tolist() == [112.5 * cap] * 2


def test_caiso_pre_and_post() -> None:
    past = history()
    past.load_kw[21, 11:13] = 112.5  # two hours ending two hours before
    past.load_kw[21, 13:15] = 999.0
    past.load_kw[21, 17:19] = 999.0
    past.load_kw[21, 19:21] = 135.0  # two hours from two hours after
    found = made(past, "caiso-10-in-10-pre-post")
    assert found.raw == 1.1


def test_caiso_too_few_days_takes_event_days_with_the_highest_load() -> None:
    event_days = frozenset({21, 18, 17, 16, 15, 14, 11})
    found = made(history(event_days=event_days), "10-in-10-unadjusted")
    # Left over: 10 9 8 7 and 4 3 2 1 0 are nine: enough, no event day is needed.
    assert found.days == (10, 9, 8, 7, 4, 3, 2, 1, 0)
    event_days |= {10, 9, 8, 7, 4}
    found = made(history(event_days=event_days), "10-in-10-unadjusted")
    # Four are left; the fifth is the event day with the highest load.
    assert found.days == (18, 3, 2, 1, 0)
    assert found.baseline_kw.tolist() == [104.8, 104.8]


def test_a_weekend_looks_at_four_weekend_days() -> None:
    found = made(history(), "10-in-10-unadjusted", Event(day=20, start=15, end=17))
    assert found.days == (19, 13, 12, 6)
    assert found.baseline_kw.tolist() == [112.5, 112.5]


def test_pjm_high_4_of_5_and_what_is_added() -> None:
    past = history()
    past.load_kw[21, 11:14] = [120.0, 121.0, 122.0]
    found = made(past, "pjm-high-4-of-5")
    # Of 18 17 16 15 14 the lowest goes: mean 116.5; added: 121 - 116.5.
    assert found.days == (18, 17, 16, 15)
    assert found.unadjusted_kw.tolist() == [116.5, 116.5]
    assert found.raw == 4.5
    assert found.baseline_kw.tolist() == [121.0, 121.0]


def test_pjm_drops_a_day_on_which_nobody_was_there_and_never_goes_below_zero() -> None:
    past = history()
    past.load_kw[17, 15:17] = 20.0  # a quarter of the mean of (118+20+116+115+114)/5 is 24.15
    found = made(past, "pjm-high-4-of-5")
    assert found.days == (18, 16, 15, 14)
    assert (17, "use below a quarter of the mean") in found.passed
    past.load_kw[21, 11:14] = 0.0
    assert made(past, "pjm-high-4-of-5").baseline_kw.min() >= 0.0
    past.load_kw[:, 15:17] /= 100.0
    assert made(past, "pjm-high-4-of-5").baseline_kw.tolist() == [0.0, 0.0]


def test_pjm_a_saturday_is_like_saturdays_alone() -> None:
    past = history(27)
    found = made(past, "pjm-high-4-of-5", Event(day=26, start=15, end=17))
    # Saturdays 19 12 5: the two highest.
    assert found.days == (19, 12)


def test_nyiso_high_5_of_10_begins_two_days_before() -> None:
    past = history()
    past.load_kw[21, 11:13] = 127.6  # 1.1 x 116
    found = made(past, "nyiso-high-5-of-10")
    assert found.days == (18, 17, 16, 15, 14)
    assert found.unadjusted_kw.tolist() == [116.0, 116.0]
    assert found.raw == pytest.approx(1.1, abs=1e-15)
    monday_after = made(history(23), "nyiso-high-5-of-10", Event(day=22, start=15, end=17))
    assert 21 not in monday_after.days


def test_nyiso_low_day_against_the_running_mean_with_its_seed() -> None:
    past = history()
    past.load_kw[17, 15:17] = 29.0  # seed 118, then 118: a quarter of the mean is 29.5
    found = made(past, "nyiso-high-5-of-10")
    assert 17 not in found.days
    past.load_kw[17, 15:17] = 30.0
    assert 17 not in [day for day, _ in made(past, "nyiso-high-5-of-10").passed]


def test_ercot_middle_8_of_10_by_energy_of_the_day() -> None:
    past = history()
    past.load_kw[21, 12:14] = 112.5 * 1.5  # no cap
    found = made(past, "ercot-middle-8-of-10")
    assert found.days == (17, 16, 15, 14, 11, 10, 9, 8)
    assert found.unadjusted_kw.tolist() == [112.5, 112.5]
    assert found.used == 1.5


def test_match_day_by_the_hours_that_the_event_did_not_touch() -> None:
    past = history()
    past.load_kw[21] = 109.1
    past.load_kw[21, 14:18] = 0.0  # event and one hour beside it
    found = made(past, "match-day")
    assert found.days == (10, 9, 8)
    assert found.baseline_kw.tolist() == [109.0, 109.0]


def test_weather_match_four_closest_highest_temperatures() -> None:
    degrees = np.full((22, 24), 10.0)
    degrees[:, 15] = 10.0 + np.arange(22)
    degrees[[1, 4, 8, 11], 15] = [30.5, 31.5, 31.0, 40.0]
    past = history(temperature=degrees)
    found = made(past, "weather-match")
    # 31 on the day itself; 31.0, 30.5, 31.5, then 28 of day 18; 40 is too far.
    assert found.days == (18, 8, 4, 1)
    assert found.unadjusted_kw.tolist() == [107.75, 107.75]
    with pytest.raises(RefusedError, match="no temperature"):
        made(history(), "weather-match")


def test_firm_service_level() -> None:
    assert made(history(), "firm-service-level", firm_kw=80.0).baseline_kw.tolist() == [80.0, 80.0]
    with pytest.raises(RefusedError, match="must be named"):
        made(history(), "firm-service-level")


def test_days_that_do_not_count_are_told_with_their_reason() -> None:
    past = history()
    past.load_kw[18, 16] = np.nan
    past = History(
        first=past.first, step_h=1.0, load_kw=past.load_kw, kind=past.kind,
        excluded={17: "a day of 23 hours"}, event_days=frozenset({21, 16}),
    )  # fmt: skip
    found = made(past, "10-in-10-unadjusted")
    assert dict(found.passed) == {
        18: "readings are missing or not usable",
        17: "a day of 23 hours",
        16: "event day",
    }
    assert found.days == (15, 14, 11, 10, 9, 8, 7, 4, 3, 2)


def test_one_day_of_history_is_refused_in_words() -> None:
    with pytest.raises(RefusedError, match="1 like days in 45 days, 4 are needed"):
        made(history(2), "pjm-high-4-of-5", Event(day=1, start=15, end=17))


def test_no_reading_before_the_event_no_adjustment_and_a_note() -> None:
    past = history()
    past.load_kw[21, :15] = np.nan
    found = made(past, "caiso-10-in-10")
    assert found.used is None
    assert found.notes == ("no adjustment: no reading in its hours",)


@pytest.mark.parametrize(
    "method", [m for m in METHODS if m not in ("firm-service-level", "regression-caiso")]
)
def test_all_scale_with_the_unit_and_none_looks_at_the_event_or_beyond_its_day(method: str) -> None:
    random = np.random.default_rng(5)
    degrees = 20.0 + 5.0 * random.standard_normal((120, 24))
    past = history(120, event_days=frozenset(), temperature=degrees)
    past.load_kw[:] *= 1.0 + 0.1 * random.standard_normal(past.load_kw.shape)
    event = Event(day=112, start=15, end=17)
    found = made(past, method, event)
    past.load_kw[112, 15:17] = random.uniform(0, 1000, 2)
    past.load_kw[113:] = random.uniform(0, 1000, past.load_kw[113:].shape)
    assert (made(past, method, event).baseline_kw == found.baseline_kw).all()
    past.load_kw[:] *= 1000.0
    assert made(past, method, event).baseline_kw == pytest.approx(1000.0 * found.baseline_kw)


@settings(max_examples=60)
@given(st.floats(0.0, 1e6), st.sampled_from(["caiso-10-in-10", "nyiso-high-5-of-10"]))
def test_a_cap_holds_whatever_the_day_does(load: float, method: str) -> None:
    past = history()
    past.load_kw[21] = load
    found = made(past, method)
    assert (found.baseline_kw >= 0.8 * found.unadjusted_kw - 1e-9).all()
    assert (found.baseline_kw <= 1.2 * found.unadjusted_kw + 1e-9).all()


def test_the_mean_of_two() -> None:
    past = history(120, event_days=frozenset())
    event = Event(day=112, start=15, end=17)
    parts = [made(past, name, event).baseline_kw for name in ("regression", "caiso-10-in-10")]
    assert made(past, "regression-caiso", event).baseline_kw == pytest.approx(
        np.mean(parts, axis=0)
    )


def test_score_by_hand_and_its_gate() -> None:
    load = [np.array([100.0, 100.0]), np.array([200.0, 200.0])]
    found = scored(load, [np.array([110.0, 90.0]), np.array([230.0, 230.0])], 1)
    assert found.rrmse_pct == pytest.approx(100.0 * np.sqrt(2000.0 / 4.0) / 150.0)
    assert found.bias_pct == pytest.approx(10.0)
    assert found.event_sigma_kw == pytest.approx(np.sqrt(900.0 / 2.0))
    assert [why.split(" ")[0] for why in found.why_not] == ["2", "bias"]
    fine = scored([np.array([100.0])] * 40, [np.array([103.9])] * 40, 0)
    assert fine.why_not == ()
    assert scored([np.array([100.0])] * 40, [np.array([104.1])] * 40, 0).why_not != ()
    assert scored([], [], 3).why_not[0] == "0 placebo events, 40 are needed"


def test_placebo_events_are_the_same_every_time_and_none_was_an_event() -> None:
    past = history(200, event_days=frozenset({100, 101}))
    like = Event(day=190, start=15, end=17)
    events = placebo_events(past, like)
    assert events == placebo_events(past, like)
    assert len(events) == 40
    assert not {event.day for event in events} & {100, 101}
    score, _ = placebo(past, events, lambda e: made(past, "10-in-10-unadjusted", e))
    assert score.events == 40
