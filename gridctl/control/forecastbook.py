"""Forecasts are held against what came: skill by lead, drift of the level, as page and alarm.

One forecast an hour is kept. Once an hour the kept ones are judged: at each lead the interval that
ends there, against the head's import without us and against the same time a week before. Daily mean
errors at the farthest lead up to a day go through a CUSUM (`optimizer.forecasting.drift`): a level
that has shifted is an alarm until a person has acknowledged it and the shift is old.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from statistics import fmean

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.ports import ForecastRecords, Store
from gridctl.control.settlement import REDUCTION_POINT
from gridctl.model.clock import Clock
from gridctl.model.forecasting import ForecastReview, HorizonSkill, PastForecast, Shift
from gridctl.model.planning import Forecast, Series

HOUR_S = 3_600.0
DAY_S = 86_400.0
KEPT_DAYS = 90.0
JUDGED_DAYS = 28.0
LEADS_H = (1, 2, 3, 6, 12, 24, 36, 48)
DRIFT_LEAD_S = DAY_S
SHIFT_LASTS_DAYS = 14.0
COUNT_MIN = 6
EVERY_S = 30.0
"""Real seconds; it has something to do once an hour of grid time."""


def said_at(forecast: Forecast, lead_s: float) -> tuple[float, float, float, float] | None:
    """(start of the interval that ends `lead_s` after the horizon's start, P10, P50, P90 in kW);
    None where the horizon does not reach so far or the band was not asked for."""
    horizon = forecast.horizon
    k = round(lead_s / horizon.step_s) - 1
    if not 0 <= k < horizon.count or not {0.1, 0.5, 0.9} <= set(forecast.quantiles):
        return None
    low, middle, high = (forecast.at_quantile(q)[k] for q in (0.1, 0.5, 0.9))
    return horizon.start_s + k * horizon.step_s, low, middle, high


def leads_of(made: Sequence[Forecast]) -> tuple[float, ...]:
    """Leads in seconds that the newest forecast reaches; its end, where that is between two."""
    if not made:
        return ()
    horizon = made[-1].horizon
    reach_s = horizon.step_s * horizon.count
    found = [h * HOUR_S for h in LEADS_H if horizon.step_s <= h * HOUR_S <= reach_s]
    if not found or found[-1] < reach_s:
        found.append(reach_s)
    return tuple(found)


def skill_at(
    made: Sequence[Forecast], lead_s: float, actual: Mapping[float, float]
) -> HorizonSkill | None:
    """`actual`: import without us by the start of its interval. None with too few targets."""
    rows = [
        (actual[said[0]], said[1], said[2], said[3], actual.get(said[0] - 7 * DAY_S))
        for one in made
        if (said := said_at(one, lead_s)) is not None and said[0] in actual
    ]
    level = fmean(abs(came) for came, *_ in rows) if rows else 0.0
    if len(rows) < COUNT_MIN or level <= 0.0:
        return None
    pairs = [(came, week) for came, _, _, _, week in rows if week is not None]
    return HorizonSkill(
        lead_s=lead_s,
        nmae_pct=100.0 * fmean(abs(came - middle) for came, _, middle, _, _ in rows) / level,
        bias_kw=fmean(came - middle for came, _, middle, _, _ in rows),
        naive_pct=None
        if len(pairs) < COUNT_MIN
        else 100.0 * fmean(abs(came - week) for came, week in pairs) / level,
        coverage_80_pct=100.0 * fmean(low <= came <= high for came, low, _, high, _ in rows),
        count=len(rows),
    )


def daily_errors(
    made: Sequence[Forecast], lead_s: float, actual: Mapping[float, float], utc_offset_s: float
) -> dict[int, float]:
    """Mean error (actual minus median) of each local day, by day number since 1970."""
    by_day: dict[int, list[float]] = {}
    for one in made:
        said = said_at(one, lead_s)
        if said is not None and said[0] in actual:
            day = int((said[0] + utc_offset_s) // DAY_S)
            by_day.setdefault(day, []).append(actual[said[0]] - said[2])
    return {day: fmean(errors) for day, errors in by_day.items()}


def shift_of(errors: Mapping[int, float], utc_offset_s: float) -> Shift | None:
    """The newest level shift of daily errors, or None."""
    import numpy as np  # noqa: PLC0415 - only the review needs it

    from optimizer.forecasting.drift import level_shifts  # noqa: PLC0415

    if not errors:
        return None
    first, last = min(errors), max(errors)
    found = level_shifts(np.array([errors.get(d, np.nan) for d in range(first, last + 1)]))
    if not found:
        return None
    newest = found[-1]
    return Shift(
        since_s=(first + newest.since) * DAY_S - utc_offset_s,
        found_s=(first + newest.day + 1) * DAY_S - utc_offset_s,
        shift_kw=newest.shift_kw,
    )


class ForecastBook:
    """`step` is a job of the agenda."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        alarms: AlarmBook,
        head_point: str,
        utc_offset_s: float,
    ) -> None:
        self._store = store
        self._records: ForecastRecords = store.forecasts
        self._clock = clock
        self._alarms = alarms
        self._head_point = head_point
        self._utc_offset_s = utc_offset_s
        self._kept_hour: float | None = None
        self._judged_hour: float | None = None
        self.review: ForecastReview | None = None
        """The last look back; None before the first."""

    async def note(self, forecast: Forecast) -> None:
        """Keep the first forecast of each hour. Raises UnavailableError."""
        hour = forecast.horizon.start_s // HOUR_S
        if hour == self._kept_hour:
            return
        drop_before_s = forecast.horizon.start_s - KEPT_DAYS * DAY_S
        await self._records.keep(forecast, drop_before_s=drop_before_s)
        self._kept_hour = hour

    async def step(self, newest: Forecast | None) -> ForecastReview | None:
        """Keep `newest`, and judge once an hour of grid time. Raises UnavailableError."""
        if newest is not None:
            await self.note(newest)
        now_s = self._clock.now_s()
        hour = now_s // HOUR_S
        if hour == self._judged_hour:
            return self.review
        made = await self._records.made(start_s=now_s - KEPT_DAYS * DAY_S, end_s=now_s)
        if made:
            step_s = made[-1].horizon.step_s
            start_s = min(one.horizon.start_s for one in made) - 7 * DAY_S
            actual = await self._came(start_s, now_s, step_s)
            self.review = await asyncio.to_thread(self._reviewed, made, actual, now_s)
            await self._tell(self.review)
        self._judged_hour = hour
        return self.review

    async def past(self, *, lead_s: float, start_s: float, end_s: float) -> PastForecast | None:
        """What the kept forecasts said `lead_s` ahead of targets in [start_s, end_s)."""
        made = await self._records.made(start_s=start_s - lead_s - HOUR_S, end_s=end_s)
        if not made:
            return None
        step_s = made[-1].horizon.step_s
        first_s = start_s // step_s * step_s
        count = max(0, round((end_s - first_s) / step_s))
        rows: list[list[float | None]] = [[None] * count for _ in range(3)]
        for one in made:
            said = said_at(one, lead_s)
            k = -1 if said is None else round((said[0] - first_s) / step_s)
            if said is not None and 0 <= k < count:
                for row, value in zip(rows, said[1:], strict=True):
                    row[k] = value
        low, middle, high = (
            Series(start_s=first_s, step_s=step_s, values=tuple(row)) for row in rows
        )
        return PastForecast(lead_s=lead_s, p10_kw=low, p50_kw=middle, p90_kw=high)

    async def measured(self, *, start_s: float, end_s: float, step_s: float) -> Series:
        """The head's import without us, as it came."""
        head, ours = [
            await self._store.series(point, start_s=start_s, end_s=end_s, step_s=step_s)
            for point in (self._head_point, REDUCTION_POINT)
        ]
        values = zip(head.values, ours.values, strict=True)
        return Series(
            start_s=head.start_s,
            step_s=head.step_s,
            values=tuple(None if kw is None else kw + (cut or 0.0) for kw, cut in values),
        )

    async def _came(self, start_s: float, end_s: float, step_s: float) -> dict[float, float]:
        first_s = start_s // step_s * step_s
        series = await self.measured(start_s=first_s, end_s=end_s, step_s=step_s)
        return {
            first_s + k * step_s: kw
            for k, kw in enumerate(series.values)
            # The interval that is not over yet is no target.
            if kw is not None and first_s + (k + 1) * step_s <= end_s
        }

    def _reviewed(
        self, made: Sequence[Forecast], actual: Mapping[float, float], now_s: float
    ) -> ForecastReview:
        recent = [one for one in made if one.horizon.start_s >= now_s - JUDGED_DAYS * DAY_S]
        leads = leads_of(made)
        horizons = [skill_at(recent, lead_s, actual) for lead_s in leads]
        drift_lead_s = max((lead for lead in leads if lead <= DRIFT_LEAD_S), default=0.0)
        errors = daily_errors(made, drift_lead_s, actual, self._utc_offset_s)
        return ForecastReview(
            at_s=now_s,
            days=JUDGED_DAYS,
            horizons=tuple(one for one in horizons if one is not None),
            shift=shift_of(errors, self._utc_offset_s),
        )

    async def _tell(self, review: ForecastReview) -> None:
        shift = review.shift
        lasts = shift is not None and review.at_s - shift.found_s <= SHIFT_LASTS_DAYS * DAY_S
        kw = 0.0 if shift is None else shift.shift_kw
        await self._alarms.follows(
            lasts,
            Condition(
                key="forecast.shift",
                priority=3,
                text=f"the load is {abs(kw):.0f} kW {'above' if kw > 0 else 'below'} its forecast"
                " day after day: its level has shifted",
                response="look for a transfer, a new customer or a wrong measurement at the head;"
                " the forecaster learns the new level in about two weeks",
            ),
        )
