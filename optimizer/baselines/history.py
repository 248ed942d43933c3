"""A customer's load by local days, and the days that must not count, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

import numpy as np

from gridctl.model.errors import Refusal, RefusedError
from optimizer.arrays import FloatArray, IntArray
from optimizer.validation.grid import Grid

DAY_S = 86_400.0
WEEKDAY, SATURDAY, SUNDAY = 0, 1, 2
_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class History:
    """`load_kw` (d, s) mean power of each slot, NaN where nothing usable was measured; `kind` (d,)
    weekday, Saturday, Sunday or holiday; `excluded` by day: why it is no reference. Days of 23 or
    25 hours are never one: their slots are not the others' hours. `temperature_c` (d, s) or None;
    any unit will do as long as it is one."""

    first: date
    step_h: float
    load_kw: FloatArray
    kind: IntArray
    excluded: Mapping[int, str]
    event_days: frozenset[int]
    temperature_c: FloatArray | None = None

    @property
    def slots(self) -> int:
        return int(self.load_kw.shape[1])

    def date_of(self, day: int) -> date:
        return self.first + timedelta(days=day)

    def day_of(self, when: date) -> int:
        """Its number. Raises RefusedError for a day that the history does not hold."""
        day = (when - self.first).days
        if not 0 <= day < len(self.kind):
            raise _refused(
                f"{when} is not in the readings, which go from {self.first} to "
                f"{self.date_of(len(self.kind) - 1)}"
            )
        return day


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`day` of the history and its slots [start, end)."""

    day: int
    start: int
    end: int


def history_of(
    grid: Grid,
    usable: FloatArray,
    *,
    local: tzinfo = UTC,
    temperature: FloatArray | None = None,
    holidays: Collection[date] = (),
    event_days: Collection[date] = (),
) -> History:
    """From `usable` (n,) kW of one point on `grid`. Raises RefusedError for steps that do not
    divide an hour or a day."""
    step_h = grid.step_s / 3600.0
    whole = round(24.0 / step_h)
    if step_h > 1.0 or abs(round(1.0 / step_h) - 1.0 / step_h) > 1e-9:  # noqa: PLR2004 - rounding
        raise _refused(f"intervals of {grid.step_s:g} s do not divide an hour")
    first = datetime.fromtimestamp(float(grid.time_s[0]), local).date()
    days = grid.by_day(usable[None])[0]
    length = np.bincount(grid.day)
    excluded: dict[int, str] = {}
    for day, count in enumerate(length.tolist()):
        if count != whole and 0 < day < len(length) - 1:
            excluded[day] = f"a day of {count * step_h:g} hours"
    own = np.full((len(length), whole), np.nan)
    own[:, : min(whole, days.shape[1])] = days[:, :whole]
    degrees = None
    if temperature is not None:
        degrees = np.full_like(own, np.nan)
        table = grid.by_day(temperature[None])[0]
        degrees[:, : min(whole, table.shape[1])] = table[:, :whole]
    kind = np.where(
        grid.weekday == _SUNDAY, SUNDAY, np.where(grid.weekday == _SATURDAY, SATURDAY, WEEKDAY)
    )
    numbers = {(when - first).days for when in holidays}
    for day in range(len(kind)):
        if day in numbers:
            kind[day] = SUNDAY
    return History(
        first=first,
        step_h=step_h,
        load_kw=own,
        kind=kind.astype(np.intp),
        excluded=excluded,
        event_days=frozenset((when - first).days for when in event_days),
        temperature_c=degrees,
    )


def event_of(history: History, when: date, start_h: float, end_h: float) -> Event:
    """Local hours [start_h, end_h) of a day. Raises RefusedError, in words, for what no baseline
    can be computed for."""
    day = history.day_of(when)
    if day in history.excluded:
        raise _refused(f"{when}: {history.excluded[day]}: settle by firm service level")
    start, end = start_h / history.step_h, end_h / history.step_h
    if abs(start - round(start)) > 1e-6 or abs(end - round(end)) > 1e-6:  # noqa: PLR2004
        raise _refused(f"{start_h:g} … {end_h:g} h are no whole intervals of {history.step_h:g} h")
    if not 0 <= start < end <= history.slots:
        raise _refused(f"{start_h:g} … {end_h:g} h: an event lies within one day")
    return Event(day=day, start=round(start), end=round(end))


def _refused(why: str) -> RefusedError:
    return RefusedError(Refusal(code="baseline", reasons=(why,)))
