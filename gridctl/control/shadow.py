"""Plans are held against what would have happened without them (SG-37): those of the shadow, of
which nothing was sent, and those that people approved and that were carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from gridctl.control.ports import Store
from gridctl.control.settlement import REDUCTION_POINT
from gridctl.model.clock import Clock
from gridctl.model.mode import ShadowScore
from gridctl.model.plan import Plan
from gridctl.model.planning import Forecast
from gridctl.store.restore import restored

HOUR_S = 3_600.0
INTERVALS_MAX = 16
"""So many intervals of a plan are judged: what lies further ahead is planned anew by then."""
AT_A_TIME = 20


def judged_intervals(plan: Plan) -> int:
    """How many intervals of `plan` are judged: to the last one in which it moves anything."""
    moving = [s.interval for s in plan.result.setpoints if s.effect_kw != 0]
    return min(max(moving, default=0) + 1, INTERVALS_MAX)


def score(
    plan: Plan,
    *,
    forecast: Forecast,
    measured_kw: Sequence[float | None],
    limit_kw: float,
    areas: Mapping[str, str],
) -> ShadowScore | None:
    """The score from `measured_kw`, the import of each judged interval without us; None when too
    little of it is known. `areas`: of each resource."""
    horizon, result = plan.result.horizon, plan.result
    median = forecast.at_quantile(0.5)
    effect_kw = [0.0] * horizon.count
    for setpoint in result.setpoints:
        effect_kw[setpoint.interval] += setpoint.effect_kw
    known = [(k, kw) for k, kw in enumerate(measured_kw) if kw is not None]
    if len(known) < max(1, len(measured_kw) // 2):
        return None
    hours = horizon.step_s / HOUR_S
    mean_kw = fmean(abs(kw) for _, kw in known)
    return ShadowScore(
        plan=plan.mrid,
        areas=tuple(sorted({areas[s.resource] for s in result.setpoints if s.effect_kw != 0})),
        start_s=horizon.start_s,
        end_s=horizon.start_s + len(measured_kw) * horizon.step_s,
        forecast_error_pct=100 * fmean(abs(median[k] - kw) for k, kw in known) / max(mean_kw, 1.0),
        plan_error_kw=fmean(abs(result.head_after_kw[k] - (kw - effect_kw[k])) for k, kw in known),
        over_kwh=sum(max(0.0, kw - limit_kw) for _, kw in known) * hours,
        relieved_kwh=sum(min(max(0.0, kw - limit_kw), max(0.0, effect_kw[k])) for k, kw in known)
        * hours,
        moved_kwh=sum(abs(effect_kw[k]) for k, _ in known) * hours,
        cost=result.cost,
    )


class ShadowScores:
    """`step` is a job of the agenda: scores what is over."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        head_point: str,
        limit_kw: float,
        areas: Mapping[str, str],
    ) -> None:
        self._store = store
        self._records = store.modes
        self._inputs = store.dossiers
        self._clock = clock
        self._head_point = head_point
        self._limit_kw = limit_kw
        self._areas = areas

    async def step(self) -> int:
        """Score the plans whose time is over; how many. Raises UnavailableError."""
        scored = 0
        for mrid in await self._records.unscored(limit=AT_A_TIME):
            stored = await self._store.plan(mrid)
            if stored is None or not self._is_over(stored.plan):
                continue
            found = await self._score(stored.plan)
            if found is not None:
                async with self._store.transaction() as unit:
                    await unit.add_score(found)
                scored += 1
        return scored

    def _is_over(self, plan: Plan) -> bool:
        horizon = plan.result.horizon
        end_s = horizon.start_s + judged_intervals(plan) * horizon.step_s
        return self._clock.now_s() > end_s

    async def _score(self, plan: Plan) -> ShadowScore | None:
        horizon = plan.result.horizon
        end_s = horizon.start_s + judged_intervals(plan) * horizon.step_s
        series = [
            await self._store.series(
                point, start_s=horizon.start_s, end_s=end_s, step_s=horizon.step_s
            )
            for point in (self._head_point, REDUCTION_POINT)
        ]
        without_us = [
            None if head is None else head + (ours or 0.0)
            for head, ours in zip(series[0].values, series[1].values, strict=True)
        ]
        parts = await self._inputs.inputs(plan.mrid)
        return score(
            plan,
            forecast=restored(Forecast, parts["forecast"].decode()),
            measured_kw=without_us,
            limit_kw=self._limit_kw,
            areas=self._areas,
        )
