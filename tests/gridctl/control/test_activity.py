"""The book of uses: hours of today and of the season, over midnight and with a use that goes on."""

from __future__ import annotations

import pytest

from gridctl.control.activity import DAY_S, Activity
from gridctl.model.command import CommandState

MIDNIGHT_S = 100 * DAY_S


def test_hours_of_the_day_begin_at_midnight_and_those_of_the_season_do_not() -> None:
    book = Activity(utc_offset_s=0.0)
    book.note("G", CommandState.CONFIRMED, "", MIDNIGHT_S - 7200.0)
    book.note("G", CommandState.RELEASED, "REPLACED", MIDNIGHT_S - 3600.0)
    book.note("G", CommandState.RELEASED, "EXPIRED", MIDNIGHT_S + 1800.0)
    book.note("G", CommandState.CONFIRMED, "", MIDNIGHT_S + 7200.0)
    book.today(MIDNIGHT_S + 9000.0)
    use = book.of("G")
    assert use.hours_today == pytest.approx(0.5 + 0.5)
    assert use.hours_season == pytest.approx(2.5 + 0.5)
    assert use.starts_today == 1
    book.today(MIDNIGHT_S + 401 * DAY_S)
    assert book.of("G").starts_today == 0
    assert book.of("H").hours_season == 0.0
