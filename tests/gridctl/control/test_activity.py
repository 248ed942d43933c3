"""The book of uses: hours of today and of the season, over midnight and with a use that goes on."""

from __future__ import annotations

import pytest

from gridctl.control.activity import DAY_S, Activity
from gridctl.model.command import CommandState

MIDNIGHT_S = 100 * DAY_S


def test_hours_of_the_day_begin_at_midnight_and_those_of_the_season_do_not() -> None:
    book = Activity(utc_offset_s=0.0)
    book.note("G", CommandState.CONFIRMED, "", MIDNIGHT_S - 7200.0, 40.0)
    book.note("G", CommandState.RELEASED, "REPLACED", MIDNIGHT_S - 3600.0, 40.0)
    book.note("G", CommandState.RELEASED, "EXPIRED", MIDNIGHT_S + 1800.0, 40.0)
    book.note("G", CommandState.CONFIRMED, "", MIDNIGHT_S + 7200.0, 40.0)
    book.today(MIDNIGHT_S + 9000.0)
    use = book.of("G")
    assert use.hours_today == pytest.approx(0.5 + 0.5)
    assert use.hours_season == pytest.approx(2.5 + 0.5)
    assert use.starts_today == 1
    book.today(MIDNIGHT_S + 401 * DAY_S)
    assert book.of("G").starts_today == 0
    assert book.of("H").hours_season == 0.0


def test_what_is_drawn_ahead_is_no_use_and_is_remembered_until_the_next_one_ends() -> None:
    book = Activity(utc_offset_s=0.0, precooled=["G"])
    begin_s = MIDNIGHT_S + 3600.0
    book.note("G", CommandState.CONFIRMED, "", begin_s, -20.0)
    book.today(begin_s + 900.0)
    assert book.of("G").starts_today == 0
    assert book.of("G").active_since_s is None
    assert book.of("G").precooled == ((begin_s, begin_s + 900.0, 20.0),)
    book.note("G", CommandState.CONFIRMED, "", begin_s + 1800.0, 40.0)
    book.note("G", CommandState.RELEASED, "REPLACED", begin_s + 1801.0, -20.0)
    book.today(begin_s + 2700.0)
    assert book.of("G").active_since_s == begin_s + 1800.0
    assert book.of("G").starts_today == 1
    assert book.of("G").precooled == ((begin_s, begin_s + 1800.0, 20.0),)
    book.note("G", CommandState.RELEASED, "EXPIRED", begin_s + 5400.0, 40.0)
    book.today(begin_s + 5400.0)
    assert book.of("G").precooled == ()
    assert book.of("G").released_at_s == begin_s + 5400.0


def test_cooled_for_nothing_needs_no_rest_afterwards() -> None:
    book = Activity(utc_offset_s=0.0, precooled=["G"])
    book.note("G", CommandState.CONFIRMED, "", MIDNIGHT_S, -20.0)
    book.note("G", CommandState.RELEASED, "EXPIRED", MIDNIGHT_S + 900.0, -20.0)
    book.today(MIDNIGHT_S + 1800.0)
    use = book.of("G")
    assert (use.released_at_s, use.starts_today, use.hours_today) == (None, 0, 0.0)
    assert use.precooled == ((MIDNIGHT_S, MIDNIGHT_S + 900.0, 20.0),)
    book.today(MIDNIGHT_S + 2 * DAY_S)
    assert book.of("G").precooled == ()


def test_a_battery_that_charges_is_in_use_as_before() -> None:
    book = Activity(utc_offset_s=0.0, precooled=["G"])
    book.note("B", CommandState.CONFIRMED, "", MIDNIGHT_S, -20.0)
    assert book.of("B").active_since_s == MIDNIGHT_S
