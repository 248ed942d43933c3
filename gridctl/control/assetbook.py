"""Asset health from what the office has seen: once an hour, point by point, beside the control.

Transformers: the load and the air of the last week bring oil and winding to where they are (IEC
60076-7), the forecast's quantile paths say where they go. Tap changers, switches and capacitors:
movements counted. Voltages: EN 50160. A point is read for what is new since the last look, so that
a look is short; every part says how much of its data was there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.ports import Store
from gridctl.model.assets import (
    AssetReview,
    Movements,
    PathOutlook,
    ThermalAsset,
    ThermalHealth,
    VoltageQuality,
)
from gridctl.model.clock import Clock
from gridctl.model.measurement import Point, PointKind
from gridctl.model.planning import Forecast
from gridctl.model.quantity import Unit
from optimizer.arrays import FloatArray
from optimizer.health.counters import Wear, breaker_wear, tap_counts
from optimizer.health.outlook import outlook
from optimizer.health.score import health
from optimizer.health.thermal import (
    NORMAL,
    TYPES,
    ageing_ieee,
    ageing_normal,
    iec,
    life_used_pct,
)
from optimizer.health.voltage import MEAN_S, WEEK, voltage_week

HOUR_S = 3_600.0
DAY_S = 86_400.0
EVERY_S = 30.0
"""Real seconds; it has something to do once an hour of grid time."""
DAYS = 7.0
STEP_S = 900.0
PATHS = (0.1, 0.5, 0.9)
COVERAGE_MIN = 0.5
MOVES_STEP_S = 60.0


class Window:
    """Means of one point over the last week, kept up: only what is new is read."""

    def __init__(self, step_s: float) -> None:
        self.step_s = step_s
        self._start_s = 0.0
        self._values: list[float] = []

    async def read(self, store: Store, point: str, now_s: float) -> FloatArray:
        """(week,) up to now, NaN for gaps; the interval that is not over yet is left out."""
        step_s = self.step_s
        end_s = now_s // step_s * step_s
        first_s = end_s - DAYS * DAY_S
        known_s = self._start_s + step_s * len(self._values)
        begin_s = max(first_s, known_s) if self._values else first_s
        if begin_s < end_s:
            # The step is the averages' own: a mean over the hole of a restart is still a gap.
            series = await store.series(point, start_s=begin_s, end_s=end_s, step_s=step_s)
            self._values = [] if begin_s > known_s else self._values
            self._values += [np.nan if v is None else v for v in series.values]
        self._values = self._values[-round(DAYS * DAY_S / step_s) :]
        self._start_s = end_s - step_s * len(self._values)
        return np.array(self._values)


class AssetBook:
    """`step` is a job of the agenda."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        alarms: AlarmBook,
        transformers: Sequence[ThermalAsset],
        temperature_point: str | None,
        moving: Collection[str] | None = None,
    ) -> None:
        """`moving`: equipment whose positions are counted (regulators, switches, capacitors); None:
        every position that is measured."""
        self._moving = moving
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._transformers = tuple(transformers)
        self._temperature_point = temperature_point
        self._windows: dict[str, Window] = {}
        self._looked_hour: float | None = None
        self.review: AssetReview | None = None
        """The last look; None before the first."""

    async def step(
        self, points: Mapping[str, Point], forecast: Forecast | None
    ) -> AssetReview | None:
        """Look once an hour of grid time. Raises UnavailableError."""
        now_s = self._clock.now_s()
        hour = now_s // HOUR_S
        if hour == self._looked_hour or not points:
            return self.review
        transformers = [await self._thermal(one, forecast, now_s) for one in self._transformers]
        movements = [
            await self._moved(p, points, now_s) for p in points.values() if self._counts(p)
        ]
        voltages = [
            await self._voltage(p, now_s)
            for p in points.values()
            if p.unit is Unit.VOLT_PU and not p.kind.commandable
        ]
        self.review = _reviewed(now_s, transformers, movements, voltages)
        self._looked_hour = hour
        await self._tell(self.review)
        return self.review

    def _counts(self, point: Point) -> bool:
        """Is it a position: a status, or a tap, which many an outstation tells as an analogue?"""
        told = point.kind is PointKind.DISCRETE or (
            point.kind is PointKind.ANALOG and point.unit is Unit.COUNT
        )
        return told and (self._moving is None or point.equipment in self._moving)

    async def _read(self, point: str, step_s: float, now_s: float) -> FloatArray:
        window = self._windows.setdefault(f"{point}/{step_s:g}", Window(step_s))
        return await window.read(self._store, point, now_s)

    async def _thermal(
        self, asset: ThermalAsset, forecast: Forecast | None, now_s: float
    ) -> ThermalHealth:
        load = await self._read(asset.load_point, STEP_S, now_s)
        if self._temperature_point is None:
            return ThermalHealth(asset=asset, why="the air is not measured", coverage=0.0)
        air = await self._read(self._temperature_point, STEP_S, now_s)
        return await asyncio.to_thread(thermal_health, asset, load, air, forecast, now_s)

    async def _moved(self, point: Point, points: Mapping[str, Point], now_s: float) -> Movements:
        values = await self._read(point.mrid, MOVES_STEP_S, now_s)
        at = np.arange(len(values), dtype=np.float64) - len(values)
        time_s: FloatArray = now_s + at * MOVES_STEP_S
        found = tap_counts(time_s, values)
        wear = await self._wear(point, points, values, now_s)
        return Movements(
            openings=None if wear is None else wear[0].operations,
            contacts_pct=None if wear is None or not wear[1] else 100.0 * wear[0].electrical,
            mechanical_pct=None if wear is None else 100.0 * wear[0].mechanical,
            point=point.mrid,
            equipment=point.equipment,
            operations=found.operations,
            per_day=found.per_day,
            busiest_day=found.busiest_day,
            hunting=len(found.hunting),
            days=len(values) * MOVES_STEP_S / DAY_S,
            coverage=_share(values),
        )

    async def _wear(
        self, point: Point, points: Mapping[str, Point], values: FloatArray, now_s: float
    ) -> tuple[Wear, bool] | None:
        """Of a switch (1: closed): its openings at the current of the minute before, the highest of
        its phases; and whether any current is measured. An opening whose current is not known
        counts as one at the curve's first point."""
        if point.unit is not Unit.STATE:
            return None
        known = np.flatnonzero(np.isfinite(values))
        position = np.round(values[known])
        opened = known[1:][(position[:-1] == 1.0) & (position[1:] == 0.0)]
        own = (
            p.mrid
            for p in points.values()
            if p.equipment == point.equipment and p.unit is Unit.AMPERE and not p.kind.commandable
        )
        ampere = [await self._read(mrid, MOVES_STEP_S, now_s) for mrid in own]
        broken = np.zeros(len(opened))
        for row in ampere:
            before = row[np.maximum(opened - 1, 0)] if len(row) == len(values) else broken
            broken = np.maximum(broken, np.nan_to_num(before))
        return breaker_wear(broken / 1e3), bool(ampere)

    async def _voltage(self, point: Point, now_s: float) -> VoltageQuality:
        found = voltage_week(await self._read(point.mrid, MEAN_S, now_s), medium=True)
        known = found.valid > 0
        return VoltageQuality(
            point=point.mrid,
            equipment=point.equipment,
            phase=str(point.phase),
            means=found.valid,
            within_10_pct=100.0 * found.within_10 if known else 0.0,
            lowest_pu=found.lowest_pu if known else 0.0,
            highest_pu=found.highest_pu if known else 0.0,
            longest_outside_min=found.longest_outside_min,
            complies=found.complies,
            coverage=found.valid / WEEK,
        )

    async def _tell(self, review: AssetReview) -> None:
        for one in review.transformers:
            high = next((p for p in one.paths if p.quantile == PATHS[-1]), None)
            soon = "now" if high is None or not high.time_to_limit_min else (
                f"in {high.time_to_limit_min / 60.0:.1f} h"
            )  # fmt: skip
            await self._alarms.follows(
                one.is_alarm,
                Condition(
                    key=f"thermal.{one.asset.name}",
                    priority=2,
                    text=f"{one.asset.name} would pass a limit of its temperature or load {soon}"
                    " if the load comes as high as in one of ten cases",
                    response="lower its load or cool it; the health page shows by how much",
                ),
            )


def thermal_health(
    asset: ThermalAsset,
    load_kw: FloatArray,
    air_c: FloatArray,
    forecast: Forecast | None,
    now_s: float,
) -> ThermalHealth:
    """From a week of means in steps of STEP_S, NaN for gaps, which are bridged: the oil is slow."""
    coverage = min(_share(load_kw), _share(air_c))
    if coverage < COVERAGE_MIN / DAYS:
        return ThermalHealth(
            asset=asset, why="load and air are known for less than half a day", coverage=coverage
        )
    first = int(np.flatnonzero(np.isfinite(load_kw))[0])
    share = _bridged(load_kw)[first:] / (asset.rating_kva * asset.power_factor)
    air = _bridged(air_c)[first:]
    own, step_min = TYPES[asset.kind], STEP_S / 60.0
    past = iec(share, air, own, step_min=step_min)
    ageing = (ageing_ieee if asset.upgraded else ageing_normal)(past.hot_spot_c)
    paths: tuple[PathOutlook, ...] = ()
    curve = _curve(now_s, len(share), past.top_oil_c, past.hot_spot_c, past.hot_spot_c)
    alarm = False
    if forecast is not None and set(PATHS) <= set(forecast.quantiles):
        ahead = np.array([_on_grid(forecast, q, now_s) for q in PATHS])
        ahead /= asset.rating_kva * asset.power_factor
        count = ahead.shape[1]
        # The air of the same time yesterday: a forecast of it is only used where there is one.
        later = air[-96:][np.arange(count) % min(96, len(air))]
        both = np.hstack([np.broadcast_to(share, (len(PATHS), len(share))), ahead])
        seen = outlook(
            both,
            np.concatenate([air, later]),
            own,
            quantiles=PATHS,
            step_min=step_min,
            limits=NORMAL,
            past=len(share),
        )
        alarm = seen.is_alarm
        hot = seen.temperatures.hot_spot_c
        paths = tuple(
            PathOutlook(
                quantile=q,
                hot_spot_max_c=float(hot[k, len(share) :].max()),
                time_to_limit_min=None
                if np.isnan(seen.time_to_limit_min[k])
                else float(seen.time_to_limit_min[k]),
                headroom=float(seen.headroom[k]),
            )
            for k, q in enumerate(PATHS)
        )
        curve = _curve(now_s, len(share), seen.temperatures.top_oil_c[1], hot[1], hot[2])
    return ThermalHealth(
        asset=asset,
        why="",
        coverage=coverage,
        hot_spot_c=float(past.hot_spot_c[-1]),
        top_oil_c=float(past.top_oil_c[-1]),
        hot_spot_max_c=float(past.hot_spot_c.max()),
        load_pct=100.0 * float(abs(share[-1])),
        life_used_pct=float(life_used_pct(ageing, step_min=step_min)),
        ageing=float(ageing.mean()),
        paths=paths,
        curve=curve,
        is_alarm=alarm,
    )


def _on_grid(forecast: Forecast, q: float, now_s: float) -> FloatArray:
    """The quantile's kW in steps of STEP_S from now to the horizon's end."""
    horizon = forecast.horizon
    end_s = horizon.start_s + horizon.step_s * horizon.count
    count = max(1, round((end_s - now_s // STEP_S * STEP_S) / STEP_S))
    at_s = now_s // STEP_S * STEP_S + (np.arange(count) + 0.5) * STEP_S
    k = np.clip((at_s - horizon.start_s) // horizon.step_s, 0, horizon.count - 1).astype(np.intp)
    row: FloatArray = np.array(forecast.at_quantile(q))[k]
    return row


def _curve(
    now_s: float, past: int, oil: FloatArray, middle: FloatArray, high: FloatArray
) -> tuple[tuple[float, float, float, float], ...]:
    begin = max(0, past - 96)
    end_s = now_s // STEP_S * STEP_S
    return tuple(
        (end_s + (k - past + 0.5) * STEP_S, float(oil[k]), float(middle[k]), float(high[k]))
        for k in range(begin, len(oil))
    )


def _bridged(values: FloatArray) -> FloatArray:
    known = np.flatnonzero(np.isfinite(values))
    row: FloatArray = np.interp(np.arange(len(values)), known, values[known])
    return row


def _share(values: FloatArray) -> float:
    return float(np.isfinite(values).mean()) if len(values) else 0.0


def _reviewed(
    now_s: float,
    transformers: Sequence[ThermalHealth],
    movements: Sequence[Movements],
    voltages: Sequence[VoltageQuality],
) -> AssetReview:
    parts: dict[str, float] = {}
    for one in transformers:
        if one.hot_spot_max_c is not None:
            parts[f"thermal margin, {one.asset.name}"] = one.hot_spot_max_c / NORMAL.hot_spot_c
    outside = [1.0 - v.within_10_pct / 100.0 for v in voltages if v.means]
    if outside:
        # One per cent of the means may lie outside at medium voltage: that is all of the allowance.
        parts["voltage outside ±10 %"] = max(outside) / 0.01
    coverages = [one.coverage for one in transformers]
    coverages += [one.coverage for one in movements] + [one.coverage for one in voltages]
    found = health(parts, coverage=float(np.mean(coverages)) if coverages else 0.0)
    return AssetReview(
        at_s=now_s,
        days=DAYS,
        transformers=tuple(transformers),
        movements=tuple(movements),
        voltages=tuple(voltages),
        score=found.score,
        worst=found.worst,
        parts=found.parts,
        coverage=found.coverage,
    )
