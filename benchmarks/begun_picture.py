"""The picture of docs/explanation/forecaster.md: one forecast, as it was made and begun from now.

    python -m benchmarks.begun_picture > docs/img/forecast-begun.svg

The bundled feeder's simulated head under a changing sky (scenario holiday, a Thursday in July),
forecast by the similar day from three weeks, begun from what it draws five minutes later.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from benchmarks.forecast_picture import STYLE
from gridctl.model.nowcast import nowcast
from gridctl.model.planning import Forecast, ForecastTask, Horizon, Series
from optimizer.arrays import FloatArray
from optimizer.forecast import forecast
from sim.history import history
from sim.scenario import load_scenario, scenario_feeder

WIDTH, HEIGHT, TOP, PANEL = 720, 300, 34, 300
LEFTS: Final = (48, 404)
FINE_S: Final = 300.0
STEP_S: Final = 900.0
PER_STEP: Final = 3
DAYS: Final = 21
BEFORE_H, AHEAD_H = 2.0, 4.0
AT_H: Final = 12.0
"""Local time of the forecast, hours."""
COUNT: Final = 16
LOW_KW, HIGH_KW = 0.0, 2_400.0


def main() -> None:
    scenario = load_scenario("holiday")
    offset_s = scenario.utc_offset_s
    midnight_s = (scenario.start_s + offset_s) // 86_400.0 * 86_400.0 - offset_s
    now_s = midnight_s - 86_400.0 + AT_H * 3_600.0
    end_s = now_s + AHEAD_H * 3_600.0
    table = history(
        scenario_feeder(scenario), scenario, end_s=end_s, days=DAYS, step_s=FINE_S, solved_each=288
    )
    fine = np.array(table.head_kw)
    fine = fine[round(-table.start_s % STEP_S / FINE_S) :]
    start_s = end_s - len(fine) * FINE_S
    at = round((now_s - start_s) / FINE_S)
    whole = fine[:at].reshape(-1, PER_STEP).mean(axis=1)
    ahead = forecast(
        ForecastTask(
            history=Series(start_s=start_s, step_s=STEP_S, values=tuple(map(float, whole))),
            temperature_c=None,
            horizon=Horizon(start_s=now_s, step_s=STEP_S, count=COUNT),
            quantiles=(0.1, 0.5, 0.9),
            utc_offset_s=scenario.utc_offset_s,
        )
    )
    came = fine[at - round(BEFORE_H * 3_600.0 / FINE_S) :]
    begun = nowcast(ahead, float(fine[at + 1]))
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="The same forecast twice: as it was made, and moved and narrowed by what is '
        f'measured"><style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" class="paper"/>'
        f"{_panel(LEFTS[0], 'as it was made', ahead, came)}"
        f"{_panel(LEFTS[1], 'begun from what is measured', begun, came)}"
        f'<text x="{LEFTS[0]}" y="{HEIGHT - 6}">kW · thin: what came · blue: median and 80 % band '
        "· dashed: now</text></svg>"
    )


def _hour(hours: float) -> str:
    return f"{hours:+.0f} h" if hours else "now"


def _panel(left: int, title: str, shown: Forecast, came_kw: FloatArray) -> str:
    def x_of(hours: float) -> float:
        return left + (PANEL - 8) * (hours + BEFORE_H) / (BEFORE_H + AHEAD_H)

    def y_of(kw: float) -> float:
        return TOP + (HEIGHT - TOP - 48) * (1.0 - (kw - LOW_KW) / (HIGH_KW - LOW_KW))

    def points(first_h: float, step_h: float, values_kw: FloatArray) -> list[str]:
        return [
            f"{x_of(first_h + (k + 0.5) * step_h):.1f},{y_of(float(kw)):.1f}"
            for k, kw in enumerate(values_kw)
        ]

    low, median, high = (
        points(0.0, STEP_S / 3_600.0, np.array(shown.at_quantile(q))) for q in (0.1, 0.5, 0.9)
    )
    rules = "".join(
        f'<path d="M{left} {y_of(kw):.1f}h{PANEL - 8}" class="rule"/>'
        f'<text x="{left - 6}" y="{y_of(kw) + 4:.1f}" text-anchor="end">{kw:.0f}</text>'
        for kw in np.arange(LOW_KW, HIGH_KW + 1.0, 600.0)
    )
    hours = "".join(
        f'<text x="{x_of(h):.1f}" y="{HEIGHT - 28}" text-anchor="middle">{_hour(h)}</text>'
        for h in np.arange(-BEFORE_H, AHEAD_H + 0.5, 2.0)
    )
    came = " ".join(points(-BEFORE_H, FINE_S / 3_600.0, came_kw))
    return (
        f'<text x="{left}" y="20">{title}</text>{rules}{hours}'
        f'<polygon points="{" ".join(high + low[::-1])}" class="narrow"/>'
        f'<polyline points="{" ".join(median)}" class="median"/>'
        f'<polyline points="{came}" class="came"/>'
        f'<path d="M{x_of(0.0):.1f} {TOP}V{HEIGHT - 44}" class="now"/>'
    )


if __name__ == "__main__":
    main()
