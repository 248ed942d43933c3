"""Validation of the history: what trains a forecast is checked first, and people see the marks.

The rules that look at one value run as it comes in (`gridctl.control.plausibility`). Those that
need a past run here: over the head's history before each forecast, and once an hour over the head
and the resources' power for the page and the alarm; those that need other values, every quarter of
an hour. The raw values stay as they are; a mark takes a
value away from who learns, never from who looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from typing import TypeAlias

import numpy as np

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.ports import Store
from gridctl.model.clock import Clock
from gridctl.model.errors import RefusedError
from gridctl.model.planning import Series
from optimizer.arrays import FloatArray
from optimizer.validation.check import check
from optimizer.validation.grid import to_grid
from optimizer.validation.marks import REJECTED, RULES, Mark, has
from optimizer.validation.thresholds import Thresholds

HOUR_S = 3_600.0
DAY_S = 86_400.0
EVERY_S = 30.0
"""Real seconds; it has something to do once an hour of grid time."""
STEP_S = 900.0
DAYS = 35.0
UNLEARNED = REJECTED | Mark.FROZEN | Mark.SIGN | Mark.MULTIPLIER
"""What no forecast learns from. A value that is only far out is kept: the first hot day is."""
SAMPLES_MIN = 2 * 96

Look: TypeAlias = Callable[[float], Awaitable[Mapping[str, Mapping[Mark, int]]]]
"""At a moment: marked intervals by point and rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Of one point: samples of the last day by rule, those without any left out; `rejected` of
    `samples` are as if they were not there."""

    point: str
    samples: int
    rejected: int
    rules: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class VeeReview:
    """The last look: points with any mark, the worst first, of `looked` at."""

    at_s: float
    looked: int
    marked: tuple[Marked, ...]


def sound(series: Series, *, rating_kw: float, utc_offset_s: float) -> Series:
    """The series without the values that must not be learned from."""
    values = np.array([np.nan if v is None else v for v in series.values], dtype=np.float64)
    if np.isfinite(values).sum() < SAMPLES_MIN:
        return series
    marks = _marks({"": values}, series.start_s, series.step_s, {"": rating_kw}, utc_offset_s)
    if marks is None:
        return series
    bad = has(marks[0], UNLEARNED)
    kept = (None if b else v for v, b in zip(series.values, bad.tolist(), strict=True))
    return replace(series, values=tuple(kept))


class VeeBook:
    """`step` is a job of the agenda."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        alarms: AlarmBook,
        ratings_kw: Mapping[str, float],
        utc_offset_s: float,
        cross: Look | None = None,
        state: Callable[[], Mapping[str, Mapping[Mark, int]]] | None = None,
    ) -> None:
        """`ratings_kw`: of each point that is looked at, by its mrid. `cross`: rules 10 and 14 to
        16 at a moment; `state`: rule 17 now, for a thread."""
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._ratings_kw = dict(ratings_kw)
        self._utc_offset_s = utc_offset_s
        self._cross = cross
        self._state = state
        self._looked_hour: float | None = None
        self._looked_step: float | None = None
        self._by_past: tuple[int, Sequence[Marked]] = (0, ())
        self.review: VeeReview | None = None
        """The last look; None before the first."""

    async def step(self) -> VeeReview | None:
        """What must agree with other values once a quarter of an hour of grid time, what needs a
        past once an hour. Raises UnavailableError."""
        now_s = self._clock.now_s()
        if now_s // STEP_S == self._looked_step:
            return self.review
        if now_s // HOUR_S != self._looked_hour:
            self._by_past = await self._past(now_s)
            self._looked_hour = now_s // HOUR_S
        found = {} if self._cross is None else dict(await self._cross(now_s))
        if self._state is not None:
            for point, marks in (await asyncio.to_thread(self._state)).items():
                found[point] = {**found.get(point, {}), **marks}
        self._looked_step = now_s // STEP_S
        looked, marked = self._by_past
        self.review = VeeReview(at_s=now_s, looked=looked, marked=tuple(_merged(marked, found)))
        await self._tell(self.review)
        return self.review

    async def _past(self, now_s: float) -> tuple[int, Sequence[Marked]]:
        end_s = now_s // STEP_S * STEP_S
        start_s = end_s - DAYS * DAY_S
        rows: dict[str, FloatArray] = {}
        for point in self._ratings_kw:
            series = await self._store.series(point, start_s=start_s, end_s=end_s, step_s=STEP_S)
            values = np.array([np.nan if v is None else v for v in series.values])
            if np.isfinite(values).sum() >= SAMPLES_MIN:
                rows[point] = values
        return len(rows), await asyncio.to_thread(self._marked, rows, start_s)

    def _marked(self, rows: Mapping[str, FloatArray], start_s: float) -> Sequence[Marked]:
        found = []
        for point, values in rows.items():
            # Each by itself: points of one feeder begin on different days.
            ratings = {point: self._ratings_kw[point]}
            marks = _marks({point: values}, start_s, STEP_S, ratings, self._utc_offset_s)
            if marks is None:
                continue
            day = marks[0, -round(DAY_S / STEP_S) :]
            rules = {
                f"{rule.number} {rule.what}": int(has(day, rule.mark).sum())
                for rule in RULES
                if has(day, rule.mark).any()
            }
            if set(rules) - {"4 no reading came"}:
                rejected = int(has(day, REJECTED).sum())
                found.append(Marked(point=point, samples=len(day), rejected=rejected, rules=rules))
        return sorted(found, key=lambda one: (-one.rejected, -sum(one.rules.values())))

    async def _tell(self, review: VeeReview) -> None:
        bad = [one for one in review.marked if one.rejected]
        names = ", ".join(one.point for one in bad[:3]) + (", …" if len(bad) > 3 else "")  # noqa: PLR2004
        await self._alarms.follows(
            bool(bad),
            Condition(
                key="validation",
                priority=3,
                text=f"values of the last day are rejected at {names}",
                response="see validation on the health page, and have the measurement looked at",
            ),
        )


def _merged(marked: Sequence[Marked], found: Mapping[str, Mapping[Mark, int]]) -> Sequence[Marked]:
    """What the past says and what other values say, by point, the worst first."""
    by_point = {one.point: one for one in marked}
    for point, marks in found.items():
        old = by_point.get(point) or Marked(
            point=point, samples=round(DAY_S / STEP_S), rejected=0, rules={}
        )
        rejected = max((n for mark, n in marks.items() if mark & REJECTED), default=0)
        words = {f"{rule.number} {rule.what}": marks[rule.mark] for rule in RULES
                 if rule.mark in marks}  # fmt: skip
        by_point[point] = replace(
            old, rejected=max(old.rejected, rejected), rules={**old.rules, **words}
        )
    return sorted(by_point.values(), key=lambda one: (-one.rejected, -sum(one.rules.values())))


def _marks(
    rows: Mapping[str, FloatArray],
    start_s: float,
    step_s: float,
    ratings_kw: Mapping[str, float],
    utc_offset_s: float,
) -> np.ndarray | None:
    """(p, n) marks; None where the time base cannot be used."""
    names = tuple(rows)
    count = len(next(iter(rows.values())))
    time_s = start_s + np.arange(count, dtype=np.float64) * step_s
    values: FloatArray = np.vstack([rows[name] for name in names])
    local = timezone(timedelta(seconds=utc_offset_s))
    try:
        grid = to_grid(names, time_s, values, local=local)
    except RefusedError:
        return None
    found = check(grid, {name: Thresholds(rating_kw=ratings_kw[name]) for name in names})
    return found.marks
