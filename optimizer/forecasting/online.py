"""The forecaster of one series in operation: asked again and again, learning as values come in.

What it keeps is bounded: what the experts have learned, what they said at the hourly origins of the
last 84 days for a few leads (KNOTS), what then came, and the widths of the bands. `train` makes it
from a history by replaying those days with honest refits; `forecast` continues from there; `due`
says when to train anew, which may be done elsewhere meanwhile. Slots are counted from 1970 local
(`Calendar.first + i`), so that a grid may begin anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.arrays import FloatArray, IntArray
from optimizer.forecasting.backtest import (
    Protocol,
    ensemble_fit,
    hourly_origins,
    lead_bands,
    replayed,
)
from optimizer.forecasting.combine import combined, losses, losses_now, weights
from optimizer.forecasting.conformal import LEVELS, STEP_H, Errors, Width, blocks
from optimizer.forecasting.drift import Skill, skill
from optimizer.forecasting.ensemble import MIN_DAYS, RESIDUAL_DAYS, Ensemble, Learned, known_days
from optimizer.forecasting.grid import LoadGrid, taken
from optimizer.forecasting.scenarios import between, correlation, paths
from optimizer.forecasting.weather import Vintage

KNOTS_H = (1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 30, 36, 42, 48)
KEPT_DAYS = 84
JUDGED_DAYS = 7
WEIGHED_DAYS = 35
"""Five half lives of the losses and more."""
REFIT_DAYS = 28
REFIT_DAYS_YOUNG = 7
YOUNG_DAYS = 84.0


def knots(per_day: int, reach: int) -> tuple[int, ...]:
    """Leads that are followed up, in slots; the last is `reach`."""
    hour = per_day // 24
    fine = {k for k in (1, 2, 3) if k < hour}
    # Behind a day the same time yesterday is not known any more: a knot of its own.
    every = fine | {h * hour for h in KNOTS_H} | {per_day + 1}
    return tuple(sorted({k for k in every if k < reach} | {reach}))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """What was said and what came: `origins` (m,) absolute last known slots an hour apart; `said`
    (experts, m, knots), `actual` (m, knots), NaN while it is not known."""

    origins: IntArray
    said: FloatArray
    actual: FloatArray

    def newest(self) -> Track:
        """What still has weight: losses have forgotten the rest."""
        rows = slice(-WEIGHED_DAYS * 24, None)
        return Track(origins=self.origins[rows], said=self.said[:, rows], actual=self.actual[rows])

    def point(self, leads: tuple[int, ...], hour: int) -> FloatArray:
        """(m, knots) as the experts were believed at each origin."""
        late = -(-np.array(leads, dtype=np.intp) // hour)
        return combined(self.said, self.actual, late, 24.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bands:
    """`values_kw` (9, leads) at the quantiles of `conformal.LEVELS`; `nmae_pct` of the last week's
    medians at the knots, None without any."""

    values_kw: FloatArray
    nmae_pct: float | None


class Forecaster:
    """Mutable: `forecast` learns. Not for two threads at once."""

    def __init__(
        self,
        learned: Learned,
        *,
        trained_at: int,
        track: Track,
        widths: list[Width],
        point: FloatArray,
    ) -> None:
        """`trained_at`: absolute slot before which the experts learned. `point`: of `track`."""
        self.learned = learned
        self.trained_at = trained_at
        self.track = track
        self.widths = widths
        self.point = point

    @classmethod
    def train(
        cls, grid: LoadGrid, *, end: int, reach: int, vintages: Sequence[Vintage] = ()
    ) -> Forecaster:
        """Learn from slots before `end`, for targets up to `reach` slots ahead, which the grid has.
        With `vintages` the past is replayed with the weather as it was forecast then.

        Raises ValueError for less than 8 known days or a reach beyond two days.
        """
        known = grid.cut(min(end + reach, grid.count))
        leads = knots(grid.per_day, reach)
        first, newest = grid.calendar.first, Ensemble.fitted(known, end=end, leads=leads)
        protocol = Protocol(start=end, end=end, leads=leads)
        hour = grid.per_day // 24
        origins = hourly_origins(known, protocol, hour)
        seen = replace(known, load_kw=np.where(np.arange(known.count) < end, known.load_kw, np.nan))
        said, _ = replayed(seen, protocol, origins, ensemble_fit(seen, leads, vintages))
        track = Track(
            origins=origins + first,
            said=said,
            actual=taken(seen.load_kw, origins[:, None] + np.array(leads)),
        )
        point = track.point(leads, hour)
        errors = Errors(
            origins=origins,
            leads=leads,
            errors=track.actual - point,
            block=blocks(grid.hour(origins[:, None] + np.array(leads))),
            per_day=grid.per_day,
        )
        none = np.zeros(0, dtype=np.intp)
        widths = []
        for column in range(len(leads)):
            width = lead_bands(seen.load_kw, errors, point, column, none, adaptive=True)[1]
            width.shift(first)
            widths.append(width)
        return cls(newest.learned, trained_at=end + first, track=track, widths=widths, point=point)

    def due(self, origin: int, per_day: int) -> bool:
        """Is it time to train anew at absolute slot `origin`?"""
        days = REFIT_DAYS_YOUNG if self.learned.history_days < YOUNG_DAYS else REFIT_DAYS
        return origin - self.trained_at >= days * per_day

    def forecast(
        self,
        grid: LoadGrid,
        *,
        origin: int,
        leads: tuple[int, ...],
        vintages: Sequence[Vintage] = (),
    ) -> Bands:
        """Forecast targets `leads` after slot `origin` of `grid`, the last one that is known.

        Raises ValueError where no expert can say anything.
        """
        first = grid.calendar.first
        oldest = min(origin, int(self.track.origins[-1]) - first) if len(self.track.origins) else 0
        begin = max(0, oldest - RESIDUAL_DAYS * grid.per_day)
        ensemble = Ensemble(grid, self.learned, vintages=vintages, begin=begin)
        share = self._catch_up(grid, ensemble, origin)
        wide = np.array(leads, dtype=np.intp)
        said = ensemble.points(np.array([origin]), leads)[:, 0]
        trust = np.array([np.interp(wide, self.learned.leads, row) for row in share])
        trust = np.where(np.isfinite(said), trust, 0.0)
        total = trust.sum(axis=0)
        if np.any(total <= 0.0):
            raise ValueError(f"no expert knows {int(np.sum(total <= 0.0))} of {len(leads)} targets")
        point = (trust * np.nan_to_num(said)).sum(axis=0) / total
        values = point + self._offsets(origin + first, wide, grid).T
        return Bands(values_kw=np.maximum.accumulate(values, axis=0), nmae_pct=self._nmae_pct())

    def paths(
        self, bands: Bands, leads: tuple[int, ...], *, count: int, random: np.random.Generator
    ) -> FloatArray:
        """(count, leads) kW: correlated paths through `bands`, which this forecaster made.

        Raises ValueError with fewer than 60 whole past forecasts.
        """
        matrix = correlation(self.track.actual - self.point)
        fitted = np.array(self.learned.leads, dtype=np.float64)
        wide = between(matrix, fitted, np.array(leads, dtype=np.float64))
        return paths(bands.values_kw, wide, count, random)

    def skills(self, grid: LoadGrid, *, origin: int) -> list[Skill]:
        """By lead, of the kept days as far as `grid` knows the week before them."""
        first = grid.calendar.first
        load = np.where(np.arange(grid.count) <= origin, grid.load_kw, np.nan)
        found = []
        for column, lead in enumerate(self.learned.leads):
            targets = self.track.origins + lead - first
            one = skill(
                lead * 24.0 / grid.per_day,
                self.track.actual[:, column],
                self.point[:, column],
                taken(load, targets - 7 * grid.per_day),
            )
            if one is not None:
                found.append(one)
        return found

    def _catch_up(self, grid: LoadGrid, ensemble: Ensemble, origin: int) -> FloatArray:
        """Follow up the hours since the last origin, note what has come; (experts, knots) as they
        are believed now."""
        first, hour = grid.calendar.first, grid.per_day // 24
        leads = np.array(self.learned.leads, dtype=np.intp)
        last = int(self.track.origins[-1]) if len(self.track.origins) else origin + first - hour
        fresh = np.arange(last + hour, origin + first + 1, hour, dtype=np.intp)
        fresh = fresh[(fresh - first >= 0) & (fresh - first + leads[-1] < grid.count)]
        said = ensemble.points(fresh - first, self.learned.leads)
        old = self.track
        # Ascending: what is too old stands in front.
        kept = int(np.searchsorted(old.origins, origin + first - KEPT_DAYS * grid.per_day, "right"))
        origins = np.concatenate([old.origins[kept:], fresh])
        gap = np.full((len(fresh), len(leads)), np.nan)
        actual = np.concatenate([old.actual[kept:], gap])
        waits = np.flatnonzero(~np.isfinite(actual).all(axis=1))
        targets = origins[waits, None] + leads - first
        came = taken(grid.load_kw, np.where(targets <= origin, targets, -1))
        actual[waits] = np.where(np.isfinite(actual[waits]), actual[waits], came)
        said = np.concatenate([old.said[:, kept:], said], axis=1)
        self.track = Track(origins=origins, said=said, actual=actual)
        share = self._shares(max(1, len(fresh)), hour)
        if len(fresh):
            self.point = np.concatenate([self.point, self._believed(share)])
        self.point = self.point[len(self.point) - len(self.track.origins) :]
        load = np.where(np.arange(grid.count) <= origin, grid.load_kw, np.nan)
        for column, width in enumerate(self.widths):
            width.learn(load, origin + first, first)
            for row in range(len(self.point) - len(fresh), len(self.point)):
                at = int(self.track.origins[row])
                if at // hour % STEP_H == 0 and at == origin + first:
                    target = at + int(leads[column])
                    block = int(blocks(grid.hour(np.array([target - first])))[0])
                    offset = self._errors(grid).offsets_at(at, column, (block,))[0]
                    values = self.point[row, column] + width.applied(offset)
                    if np.isfinite(values).all():
                        width.expect(target, values)
        last_share: FloatArray = share[:, -1]
        return last_share

    def _believed(self, share: FloatArray) -> FloatArray:
        """(count, knots): the point at the newest origins, by shares (experts, count, knots)."""
        said = self.track.said[:, -share.shape[1] :]
        usable = np.isfinite(said)
        mean = (share * np.where(usable, said, 0.0)).sum(axis=0)
        result: FloatArray = np.where(usable.any(axis=0), mean, np.nan)
        return result

    def _shares(self, count: int, hour: int) -> FloatArray:
        """(experts, count, knots) as they were believed at the newest origins, the last one now."""
        track = self.track.newest()
        # Losses of all targets that have come, whatever their lead: nothing is later than now.
        errors = _behind(track, self.learned.leads, hour)
        if count == 1:
            loss = losses_now(errors, 24.0)[:, None]
        else:
            none = np.zeros(errors.shape[2], dtype=np.intp)
            loss = losses(errors, none, 24.0)[:, -count:]
        return weights(loss, np.isfinite(track.said[:, -count:]))

    def _errors(self, grid: LoadGrid) -> Errors:
        # By the slot of the day, of which there are few: there are many origins.
        leads, per_day = np.array(self.learned.leads), grid.per_day
        of_slot = blocks(np.arange(per_day + leads[-1] + 1) % per_day * (24.0 / per_day))
        return Errors(
            origins=self.track.origins,
            leads=self.learned.leads,
            errors=self.track.actual - self.point,
            block=of_slot[(self.track.origins % per_day)[:, None] + leads],
            per_day=per_day,
        )

    def _offsets(self, origin: int, leads: IntArray, grid: LoadGrid) -> FloatArray:
        """(leads, 9), between two knots interpolated."""
        errors = self._errors(grid)
        fitted = np.array(self.learned.leads)
        block = blocks(grid.hour(origin - grid.calendar.first + leads))
        upper = np.clip(np.searchsorted(fitted, leads), 0, len(fitted) - 1)
        lower = np.maximum(upper - 1, 0)
        at_knot = np.zeros((len(fitted), int(block.max(initial=0)) + 1, len(LEVELS)))
        for knot, width in enumerate(self.widths):
            wanted = np.unique(block[(lower == knot) | (upper == knot)])
            raw = errors.offsets_at(origin, knot, wanted.tolist())
            at_knot[knot, wanted] = width.applied(raw)
        between = np.maximum(fitted[upper] - fitted[lower], 1)
        share = np.clip((leads - fitted[lower]) / between, 0.0, 1.0)[:, None]
        result: FloatArray = (1.0 - share) * at_knot[lower, block] + share * at_knot[upper, block]
        return result

    def _nmae_pct(self) -> float | None:
        week = slice(max(0, len(self.point) - JUDGED_DAYS * 24), None)
        error = np.abs(self.track.actual[week] - self.point[week])
        level = np.abs(self.track.actual[week])
        known = np.isfinite(error)
        if not known.any() or not level[known].sum() > 0.0:
            return None
        return float(100.0 * error[known].sum() / level[known].sum())


def _behind(track: Track, leads: Sequence[int], hour: int) -> FloatArray:
    """(experts, m, knots) errors, each in the row at which it was known."""
    errors: FloatArray = track.actual - track.said
    for column, lead in enumerate(leads):
        behind = min(-(-lead // hour), errors.shape[1])
        errors[:, behind:, column] = errors[:, : errors.shape[1] - behind, column].copy()
        errors[:, :behind, column] = np.nan
    return errors


def trainable(grid: LoadGrid, end: int) -> bool:
    """Is there enough before `end` to train a forecaster from?"""
    return known_days(grid, end) > MIN_DAYS
