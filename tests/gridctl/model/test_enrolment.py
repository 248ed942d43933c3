"""Caps, notice and windows: what is left of a device, and the words for it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gridctl.model.enrolment import (
    DAY_S,
    Allowance,
    Terms,
    WeeklyWindow,
    Window,
    allowance,
    ordinal,
)

MONDAY_S = 4 * DAY_S + 2_000 * 7 * DAY_S
HOUR_S = 3_600.0


def left(
    terms: Terms,
    *,
    starts_s: tuple[float, ...] = (),
    now_s: float = MONDAY_S + 2 * DAY_S + 12 * HOUR_S,
    hours: float = 6.0,
    is_active: bool = False,
    asked_s: float | None = None,
) -> Allowance:
    return allowance(
        [terms],
        starts_s=starts_s,
        is_active=is_active,
        asked_s=now_s if asked_s is None else asked_s,
        now_s=now_s,
        end_s=now_s + hours * HOUR_S,
        utc_offset_s=0.0,
    )


def test_the_third_call_of_a_week_in_which_two_are_agreed() -> None:
    two = Terms(id="ENR-1", device="G", calls_per_week_max=2)
    starts = (MONDAY_S - HOUR_S, MONDAY_S + HOUR_S, MONDAY_S + DAY_S)
    assert left(two, starts_s=starts).excluded == "3rd call this week (ENR-1)"
    assert left(two, starts_s=starts, is_active=True).excluded is None
    assert left(two, starts_s=starts[:2]).excluded is None
    assert left(two, starts_s=starts, now_s=MONDAY_S + 7 * DAY_S).excluded is None


def test_the_starts_of_today_stay_in_what_the_planner_takes_them_off_from() -> None:
    three = Terms(id="ENR-1", device="G", calls_per_day_max=3)
    noon = MONDAY_S + 12 * HOUR_S
    assert left(three, starts_s=(noon - HOUR_S,), now_s=noon).starts_per_day_max == 3


def test_a_season_is_the_dates_of_the_enrolment() -> None:
    season = Terms(id="E", device="G", calls_per_season_max=1, first_s=MONDAY_S, last_s=None)
    assert left(season, starts_s=(MONDAY_S - 1.0,)).excluded is None
    assert left(season, starts_s=(MONDAY_S + 1.0,)).excluded == "2nd call this season (E)"


def test_the_last_call_of_a_week_is_not_planned_for_two_days() -> None:
    one = Terms(id="E", device="G", calls_per_week_max=1)
    found = left(one, now_s=MONDAY_S + 20 * HOUR_S, hours=8.0)
    assert [(w.start_s, w.end_s) for w in found.blocked] == [
        (MONDAY_S + DAY_S, MONDAY_S + 28 * HOUR_S)
    ]


def test_notice_counts_from_the_asking() -> None:
    now = MONDAY_S + 12 * HOUR_S
    notice = Terms(id="E", device="G", notice_s=2 * HOUR_S)
    assert left(notice, now_s=now).blocked[0].end_s == now + 2 * HOUR_S
    assert left(notice, now_s=now, asked_s=now - 3 * HOUR_S).blocked == ()
    assert left(notice, now_s=now, is_active=True).blocked == ()


def test_dates_and_windows() -> None:
    now = MONDAY_S + 12 * HOUR_S
    over = left(Terms(id="E", device="G", last_s=now), now_s=now)
    assert over.excluded == "the enrolment is over (E)"
    weekly = WeeklyWindow(weekdays=(0,), from_s=17 * HOUR_S, to_s=19 * HOUR_S, reason="dinner")
    found = left(Terms(id="E", device="G", weekly=(weekly,)), now_s=now)
    assert [(w.start_s, w.reason) for w in found.blocked] == [(MONDAY_S + 17 * HOUR_S, "dinner")]
    assert found.excluded is None


def test_ordinals() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th",
    ]  # fmt: skip


@given(
    st.lists(st.floats(-40 * DAY_S, 0.0), max_size=12),
    st.integers(0, 5),
    st.integers(0, 5),
    st.floats(0.0, 7 * DAY_S),
)
def test_more_calls_made_never_leave_more(
    before: list[float], day: int, week: int, offset_s: float
) -> None:
    now = MONDAY_S + offset_s
    starts = tuple(sorted(now + at for at in before))
    terms = Terms(id="E", device="G", calls_per_day_max=day, calls_per_week_max=week)
    fewer = left(terms, starts_s=starts, now_s=now)
    more = left(terms, starts_s=(*starts, now), now_s=now)
    assert fewer.excluded is None or more.excluded is not None


@given(st.floats(-10.0, 20.0), st.floats(0.1, 30.0))
def test_a_window_that_is_given_is_in_what_is_blocked(first_h: float, length_h: float) -> None:
    now = MONDAY_S
    window = Window(
        start_s=now + first_h * HOUR_S, end_s=now + (first_h + length_h) * HOUR_S, reason="out"
    )
    found = left(Terms(id="E", device="G", windows=(window,)), now_s=now)
    meets = window.end_s > now and window.start_s < now + 6 * HOUR_S
    assert (window in found.blocked) == meets


def test_in_an_emergency_the_notice_agreed_for_it_counts() -> None:
    """None at all, or a shorter one; without such an agreement the usual notice stands."""

    def until_s(terms: Terms) -> list[float]:
        found = allowance(
            [terms], starts_s=(), is_active=False, asked_s=MONDAY_S, now_s=MONDAY_S,
            end_s=MONDAY_S + DAY_S, utc_offset_s=0.0, is_emergency=True,
        )  # fmt: skip
        return [w.end_s - MONDAY_S for w in found.blocked]

    usual = Terms(id="E", device="G", notice_s=2 * HOUR_S)
    assert until_s(usual) == [2 * HOUR_S]
    assert until_s(replace(usual, emergency_notice_s=0.0)) == []
    assert until_s(replace(usual, emergency_notice_s=600.0)) == [600.0]
    assert left(replace(usual, emergency_notice_s=0.0), now_s=MONDAY_S).blocked != ()
