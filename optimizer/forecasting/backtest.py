"""The frozen protocol: rolling origins, refits, nothing of the future; scores beside floors.

Origins every 30 h (so that their hour rotates), horizons 1 to 48 h (and 10 to 30 min where the grid
is finer), refit every 28 days on what is known then. Between those origins the forecaster runs
every hour all the same, from 84 days before the first one on: weights and bands learn from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.combine import combined
from optimizer.forecasting.conformal import LEVELS, STEP_H, Errors, Width, blocks
from optimizer.forecasting.ensemble import MIN_DAYS, Ensemble, known_days
from optimizer.forecasting.grid import LoadGrid, taken
from optimizer.forecasting.scores import Score, score
from optimizer.forecasting.weather import Vintage

HORIZONS_H = (1, 2, 3, 6, 9, 12, 18, 24, 30, 36, 42, 48)
HORIZONS_MIN = (10, 15, 30)
EVERY_H = 30
REFIT_DAYS = 28
REFIT_DAYS_YOUNG = 7
YOUNG_DAYS = 84.0
WARM_DAYS = 84
BANDS_OF_H = ((0.0, 6.0), (6.0, 24.0), (24.0, 48.0))

Points = Callable[[IntArray], FloatArray]
"""Origins → (experts, origins, leads)."""
Fit = Callable[[int], Points]
"""Fitted on slots before the given one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """`start`, `end`: slots; origins in them are scored, on the targets that are known."""

    start: int
    end: int
    leads: tuple[int, ...]
    every_h: int = EVERY_H
    refit_days: int = REFIT_DAYS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """Forecasts at the scored origins: `origins` (m,), `quantiles` (m, leads, 9), `actual`
    (m, leads); `fit_s`: seconds of processor time of each fit."""

    origins: IntArray
    quantiles: FloatArray
    actual: FloatArray
    fit_s: tuple[float, ...]


def standard_leads(per_day: int) -> tuple[int, ...]:
    """The protocol's horizons in slots."""
    hour = per_day // 24
    fine = (m * hour / 60.0 for m in HORIZONS_MIN)
    return tuple(sorted({round(k) for k in fine if k >= 1 and k == round(k)} | {
        h * hour for h in HORIZONS_H
    }))  # fmt: skip


def ensemble_fit(grid: LoadGrid, leads: tuple[int, ...], vintages: Sequence[Vintage] = ()) -> Fit:
    """The forecaster under test."""

    def fit(end: int) -> Points:
        return Ensemble.fitted(grid, end=end, leads=leads, vintages=vintages).points

    return fit


def run(grid: LoadGrid, protocol: Protocol, fit: Fit, *, adaptive: bool = True) -> Run:
    """Forecast at every origin of the protocol. `adaptive`: widths learn (floors have none).

    Raises ValueError when less than eight days are known before the first origin.
    """
    hour = grid.per_day // 24
    origins = hourly_origins(grid, protocol, hour)
    said, fit_s = replayed(grid, protocol, origins, fit)
    leads = np.array(protocol.leads, dtype=np.intp)
    targets = origins[:, None] + leads
    actual = taken(grid.load_kw, targets)
    point = combined(said, actual, -(-leads // hour), 24.0)
    errors = Errors(
        origins=origins,
        leads=protocol.leads,
        errors=actual - point,
        block=blocks(grid.hour(targets)),
        per_day=grid.per_day,
    )
    scored = np.flatnonzero(
        (origins + 1 >= protocol.start)
        & ((origins + 1 - protocol.start) % (protocol.every_h * hour) == 0)
    )
    quantiles = np.stack(
        [
            lead_bands(grid.load_kw, errors, point, column, scored, adaptive=adaptive)[0]
            for column in range(len(leads))
        ],
        axis=1,
    )
    return Run(
        origins=origins[scored], quantiles=quantiles, actual=actual[scored], fit_s=tuple(fit_s)
    )


def hourly_origins(grid: LoadGrid, protocol: Protocol, hour: int) -> IntArray:
    """Every hour from the warm-up on, in step with the first scored origin."""
    known = np.flatnonzero(np.cumsum(np.isfinite(grid.load_kw)) >= MIN_DAYS * grid.per_day)
    if not known.size or known[0] + 1 > protocol.start:
        days = known_days(grid, protocol.start)
        raise ValueError(
            f"{days:.1f} days of values before the first origin: at least {MIN_DAYS:g} are needed"
        )
    earliest = max(int(known[0]) + 1, protocol.start - WARM_DAYS * grid.per_day)
    first = protocol.start - (protocol.start - earliest) // hour * hour
    return np.arange(first, protocol.end, hour, dtype=np.intp) - 1


def replayed(
    grid: LoadGrid, protocol: Protocol, origins: IntArray, fit: Fit
) -> tuple[FloatArray, list[float]]:
    parts, fit_s = [], []
    reach = protocol.leads[-1]
    first = 0
    while first < len(origins):
        end = int(origins[first]) + 1
        days = REFIT_DAYS_YOUNG if known_days(grid, end) < YOUNG_DAYS else protocol.refit_days
        part = origins[first : first + days * 24]
        began_s = time.process_time()
        points = fit(end)
        fit_s.append(time.process_time() - began_s)
        whole = part[part + reach < grid.count]
        rows = [points(whole)]
        # Targets after the data's end do not exist.
        if len(whole) < len(part):
            shape = (rows[0].shape[0], len(part) - len(whole), len(protocol.leads))
            rows.append(np.full(shape, np.nan))
        parts.append(np.concatenate(rows, axis=1))
        first += len(part)
    return np.concatenate(parts, axis=1), fit_s


def lead_bands(
    load_kw: FloatArray,
    errors: Errors,
    point: FloatArray,
    column: int,
    scored: IntArray,
    *,
    adaptive: bool,
) -> tuple[FloatArray, Width]:
    """(scored, 9) of one lead, and what its width has learned at the end."""
    width = Width()
    result = np.full((len(scored), len(LEVELS)), np.nan)
    row_of = {int(index): row for row, index in enumerate(scored)}
    shift = int(scored[0]) % STEP_H if len(scored) else 0
    for index in range(len(errors.origins)):
        learns = adaptive and index % STEP_H == shift
        if not learns and index not in row_of:
            continue
        origin = int(errors.origins[index])
        offset = errors.offsets_at(origin, column, (int(errors.block[index, column]),))[0]
        width.learn(load_kw, origin)
        values = point[index, column] + width.applied(offset)
        if index in row_of:
            result[row_of[index]] = values
        if learns:
            target = origin + errors.leads[column]
            if target < len(load_kw) and np.isfinite(values).all():
                width.expect(target, values)
    return result, width


def horizon_scores(found: Run, protocol: Protocol, per_day: int) -> dict[str, Score | None]:
    """Of 0 to 6, 6 to 24 and 24 to 48 hours ahead."""
    hours = np.array(protocol.leads) * (24.0 / per_day)
    result = {}
    for low, high in BANDS_OF_H:
        own = (hours > low) & (hours <= high)
        result[f"{low:g}-{high:g} h"] = score(found.actual[:, own], found.quantiles[:, own])
    return result
