"""What moves wears: circuit-breakers and tap changers, counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.arrays import BoolArray, FloatArray, IntArray

WARN_SHARE, ALARM_SHARE = 0.75, 0.90
MECHANICAL = {"M1": 2_000, "M2": 10_000}
"""Operations of the mechanical classes (IEC 62271-100)."""
WEAR_POINTS = ((1.2, 10_000.0), (8.0, 150.0), (20.0, 12.0))
"""(kA, operations) of a usual maker's curve; a breaker's own belongs into its data."""
HUNTING_REVERSALS, HUNTING_S = 3, 1_800.0
DAY_S = 86_400.0
DRIFT_SHARE = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """Shares of what the breaker is made for; `state`: fine, warn, alarm."""

    operations: int
    electrical: float
    mechanical: float
    drift: float | None

    @property
    def state(self) -> str:
        worst = max(self.electrical, self.mechanical)
        if worst >= ALARM_SHARE:
            return "alarm"
        drifts = self.drift is not None and abs(self.drift) > DRIFT_SHARE
        return "warn" if worst >= WARN_SHARE or drifts else "fine"


def operations_at(
    current_ka: FloatArray, curve: tuple[tuple[float, float], ...] = WEAR_POINTS
) -> FloatArray:
    """Operations that the contacts stand at a broken current: straight in log-log between the
    curve's points, as many as at the first below it, and on along the last stretch above it."""
    x = np.log(np.array([point[0] for point in curve]))
    y = np.log(np.array([point[1] for point in curve]))
    given = np.log(np.maximum(np.asarray(current_ka, dtype=float), curve[0][0]))
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    result: FloatArray = np.exp(
        np.where(given > x[-1], y[-1] + slope * (given - x[-1]), np.interp(given, x, y))
    )
    return result


def breaker_wear(
    current_ka: FloatArray,
    *,
    mechanical_class: str = "M1",
    curve: tuple[tuple[float, float], ...] = WEAR_POINTS,
    trip_ms: FloatArray | None = None,
    commissioned_ms: float | None = None,
) -> Wear:
    """From the broken current of every opening, kA. `trip_ms` of the same openings, in order: the
    mean of the last five against the commissioned time."""
    drift = None
    if trip_ms is not None and commissioned_ms and np.isfinite(trip_ms).any():
        latest = trip_ms[np.isfinite(trip_ms)][-5:]
        drift = float(np.mean(latest)) / commissioned_ms - 1.0
    return Wear(
        operations=len(current_ka),
        electrical=float(np.sum(1.0 / operations_at(current_ka, curve))),
        mechanical=len(current_ka) / MECHANICAL[mechanical_class],
        drift=drift,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TapCounts:
    """`per_day` over the days seen; `hunting`: moments (s) at which it had turned round more than
    three times within half an hour."""

    operations: int
    per_day: float
    busiest_day: int
    hunting: tuple[float, ...]


def tap_counts(time_s: FloatArray, tap: FloatArray) -> TapCounts:
    """From positions as they were read; a step over several taps counts as that many."""
    known = np.isfinite(tap)
    time_s, tap = time_s[known], np.round(tap[known])
    change = np.diff(tap)
    moves = np.flatnonzero(change)
    count = int(np.abs(change).sum())
    if not len(moves):
        return TapCounts(operations=0, per_day=0.0, busiest_day=0, hunting=())
    at = time_s[moves + 1]
    days: IntArray = np.floor(at / DAY_S).astype(np.intp)
    busiest = np.bincount(days - days[0], weights=np.abs(change[moves])).max()
    turned: BoolArray = np.sign(change[moves][1:]) != np.sign(change[moves][:-1])
    turns = at[1:][turned]
    hunting: list[float] = []
    for k in range(HUNTING_REVERSALS, len(turns)):
        is_new = not hunting or turns[k] - hunting[-1] > HUNTING_S
        if turns[k] - turns[k - HUNTING_REVERSALS] <= HUNTING_S and is_new:
            hunting.append(float(turns[k]))
    span_days = max((time_s[-1] - time_s[0]) / DAY_S, 1.0)
    return TapCounts(
        operations=count,
        per_day=count / float(span_days),
        busiest_day=int(busiest),
        hunting=tuple(hunting),
    )
