"""A backtest of one series as plain data: scores, floors, what was marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta

import numpy as np

from gridctl.model.errors import ConfigError
from optimizer.forecasting import floors
from optimizer.forecasting.backtest import (
    Fit,
    Protocol,
    Run,
    ensemble_fit,
    horizon_scores,
    run,
    standard_leads,
)
from optimizer.forecasting.believable import Mark
from optimizer.forecasting.ensemble import FULL_DAYS, LITE_DAYS, MIN_DAYS, known_days
from optimizer.forecasting.grid import LoadGrid
from optimizer.forecasting.scores import Score, score
from optimizer.forecasting.settings import BacktestSettings, BacktestTable
from optimizer.forecasting.weather import Vintage

EPOCH = date(1970, 1, 1)
SCORED_SHARE = 0.25
SCORED_DAYS_MIN, SCORED_DAYS_MAX = 7, 365
FIGURES = ("nmae_pct", "npin_pct", "rmae_pct", "rpin_pct", "coverage_80_pct", "coverage_95_pct")


def protocol_of(grid: LoadGrid, table: BacktestTable, *, file: str, column: str) -> Protocol:
    """Raises ConfigError when the data do not reach, in words."""
    per_day, offset = grid.per_day, grid.calendar.first % grid.per_day
    known = np.flatnonzero(np.isfinite(grid.load_kw))
    days = float(known.size / per_day)
    if days < MIN_DAYS + SCORED_DAYS_MIN:
        raise ConfigError(
            f"{days:.1f} days of values: {MIN_DAYS:g} to learn from and {SCORED_DAYS_MIN} to score"
            " are needed",
            file=file,
            key=column,
        )

    def slot(day: date) -> int:
        return (day - EPOCH).days * per_day - grid.calendar.first

    end = int(known[-1]) + 1 if table.end is None else min(slot(table.end), int(known[-1]) + 1)
    if table.start is not None:
        start = slot(table.start)
    else:
        scored = int(np.clip(SCORED_SHARE * days, SCORED_DAYS_MIN, SCORED_DAYS_MAX))
        start = end - scored * per_day
        start += -(start + offset) % per_day
    if start >= end or known_days(grid, max(start, 0)) < MIN_DAYS:
        first = EPOCH + timedelta(days=(start + grid.calendar.first) // per_day)
        raise ConfigError(
            f"scoring from {first} leaves {known_days(grid, max(start, 0)):.1f} days to learn from"
            f" and {max(end - start, 0) / per_day:.1f} to score",
            file=file,
            key=column,
            hint=f"[backtest] start: at least {MIN_DAYS:g} days after the first value",
        )
    leads = standard_leads(per_day)
    if table.horizons_h:
        leads = tuple(sorted({max(1, round(h * per_day / 24.0)) for h in table.horizons_h}))
    return Protocol(
        start=start, end=end, leads=leads, every_h=table.every_h, refit_days=table.refit_days
    )


def series_report(
    grid: LoadGrid,
    settings: BacktestSettings,
    *,
    file: str,
    column: str,
    vintages: Sequence[Vintage] = (),
    marks: Sequence[Mark] = (),
    keep: Callable[[Run], None] | None = None,
) -> dict[str, object]:
    """Run the forecaster, and the floors beside it; `keep` gets our run, forecast by forecast.
    Raises ConfigError as `protocol_of`."""
    protocol = protocol_of(grid, settings.backtest, file=file, column=column)
    found = run(grid, protocol, ensemble_fit(grid, protocol.leads, vintages))
    if keep is not None:
        keep(found)
    whole = score(found.actual, found.quantiles)
    if whole is None:
        raise ConfigError("there is no target with a value to score", file=file, key=column)
    days = known_days(grid, protocol.start)
    return {
        "name": column,
        **figures(whole),
        "count": whole.count,
        "origins": len(found.origins),
        "method": _method(days),
        "history_days": round(days, 1),
        "fit_s": {"mean": round(float(np.mean(found.fit_s)), 3), "max": round(max(found.fit_s), 3)},
        "horizons": {
            name: None if one is None else figures(one)
            for name, one in horizon_scores(found, protocol, grid.per_day).items()
        },
        "floors": _floors(grid, protocol, days, wanted=settings.backtest.floors),
        "marks": [asdict(mark) for mark in marks],
    }


def figures(one: Score) -> dict[str, float]:
    """Four significant digits."""
    return {name: float(f"{getattr(one, name):.4g}") for name in FIGURES}


def _method(days: float) -> str:
    if days >= FULL_DAYS:
        return "ensemble with Hong's model"
    if days >= LITE_DAYS:
        return f"ensemble with Hong's model in its lite form (less than {FULL_DAYS:g} days known)"
    return f"ensemble without Hong's model (less than {LITE_DAYS:g} days known)"


def _floors(
    grid: LoadGrid, protocol: Protocol, days: float, *, wanted: bool
) -> Mapping[str, object]:
    if not wanted:
        return {}
    fits: dict[str, Fit] = {
        "seasonal_naive": floors.last_week(grid, protocol.leads),
        "similar_day": floors.similar_day(grid, protocol.leads),
    }
    if len(grid.temperature_c) and days >= FULL_DAYS:
        fits["vanilla"] = floors.vanilla(grid, protocol.leads)
    result: dict[str, object] = {"vanilla": None}
    for name, fit in fits.items():
        found = run(grid, protocol, fit, adaptive=False)
        one = score(found.actual, found.quantiles)
        result[name] = None if one is None else figures(one)
    return result


def mean_of(series: Sequence[Mapping[str, object]]) -> dict[str, float]:
    """Each figure's mean over the series."""
    result = {}
    for name in FIGURES:
        values = [one[name] for one in series]
        result[name] = float(f"{np.mean(np.array(values, dtype=np.float64)):.4g}")
    return result


def forecast_rows(grid: LoadGrid, leads: Sequence[int], found: Run) -> Iterator[list[str]]:
    """Each scored target of a run as text: origin (end of the last known interval) and start of
    the target in local time, hours from the origin to the target's end, actual ("" for a gap), the
    nine quantiles; kW."""
    step = timedelta(days=1) / grid.per_day
    zero = datetime(1970, 1, 1)  # noqa: DTZ001 - local civil time, as the file has it
    for origin, quantiles, actual in zip(
        found.origins.tolist(), found.quantiles, found.actual, strict=True
    ):
        known = zero + (grid.calendar.first + origin + 1) * step
        for lead, row, came in zip(leads, quantiles, actual.tolist(), strict=True):
            if not np.isfinite(row).all():
                continue
            target = zero + (grid.calendar.first + origin + lead) * step
            yield [
                known.isoformat(timespec="minutes"),
                target.isoformat(timespec="minutes"),
                f"{lead * 24.0 / grid.per_day:g}",
                "" if came != came else repr(came),  # noqa: PLR0124 - NaN
                *(repr(float(kw)) for kw in row),
            ]
