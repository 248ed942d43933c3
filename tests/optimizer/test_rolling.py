"""A plan made again each hour, as the forecast changes: what was really done keeps the rules."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from gridctl.model.planning import ResourceState
from optimizer.plan import plan_task
from tests.optimizer.rules import broken, series_of
from tests.optimizer.small import BATTERY, HOUR_S, START_S, at_rest, group, hourly_task

HOURS = 20
SEEN = 8
DAY_S = 86_400.0


def after_an_hour(state: ResourceState, kw: float, at_s: float, end_s: float) -> ResourceState:
    """What the office would know of a group an hour later."""
    today = int(end_s // DAY_S) == int(at_s // DAY_S)
    starts = state.starts_today
    since, released = state.active_since_s, state.released_at_s
    if kw > 0 and since is None:
        since, starts = at_s, starts + 1
    elif kw <= 0 and since is not None:
        since, released = None, at_s
    return replace(
        state,
        setpoint_kw=kw,
        active_since_s=since,
        released_at_s=released,
        starts_today=starts if today else 0,
    )


@pytest.mark.parametrize("seed", range(6))
def test_what_is_done_hour_by_hour_keeps_every_rule(seed: int) -> None:
    random = np.random.default_rng(seed)
    load = 940 + 140 * np.sin(np.arange(HOURS + SEEN) / 3.0) + random.normal(0, 20, HOURS + SEEN)
    groups = [
        group("a", duration_min_s=2 * HOUR_S, duration_max_s=3 * HOUR_S, recovery_s=2 * HOUR_S,
              cost_per_kwh=0.2),
        group("b", duration_min_s=HOUR_S, duration_max_s=4 * HOUR_S, recovery_s=HOUR_S,
              starts_per_day_max=3, rebound=(0.2, 0.1)),
    ]  # fmt: skip
    states = {g.mrid: at_rest(g) for g in groups}
    battery = at_rest(BATTERY)
    done: dict[str, list[float]] = {g.mrid: [] for g in groups}
    for hour in range(HOURS):
        seen = load[hour : hour + SEEN] + random.normal(0, 15, SEEN)
        task = hourly_task(seen.tolist(), *groups, BATTERY, states=[*states.values(), battery])
        start_s = START_S + hour * HOUR_S
        horizon = replace(task.horizon, start_s=start_s)
        task = replace(
            task, horizon=horizon, now_s=start_s, forecast=replace(task.forecast, horizon=horizon)
        )
        result = plan_task(task, monotonic_s=time.monotonic)
        assert broken(task, result) == []
        series = series_of(result)
        for mrid, state in states.items():
            kw = series[mrid][0] if mrid in series else 0.0
            done[mrid].append(kw)
            states[mrid] = after_an_hour(state, kw, start_s, start_s + HOUR_S)
        kw = series["B"][0] if "B" in series else 0.0
        flow = kw / BATTERY.efficiency if kw > 0 else kw * BATTERY.efficiency
        soc = (battery.soc_pct or 0.0) - 100 * flow / BATTERY.energy_kwh
        assert -0.5 <= soc - BATTERY.soc_min_pct <= 80.5
        battery = replace(battery, soc_pct=soc, setpoint_kw=kw)
    for g in groups:
        assert any(done[g.mrid]), "the afternoon asks for it"
        on = "".join("x" if kw > 0 else "." for kw in done[g.mrid])
        runs = [len(run) for run in on.strip(".").split(".") if run]
        gaps = [len(gap) for gap in on.strip(".").split("x") if gap]
        least, most = g.duration_min_s / HOUR_S, g.duration_max_s / HOUR_S
        if on.endswith("x"):
            runs = runs[:-1]  # not over yet
        assert all(least <= run <= most for run in runs), on
        assert all(gap >= g.recovery_s / HOUR_S for gap in gaps), on
