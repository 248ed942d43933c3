"""The picture of docs/explanation/forecaster.md: two days ahead with bands, and what came.

    python -m benchmarks.forecast_picture > docs/img/forecast-bands.svg

Tetouan zone 1 (UCI 849, CC BY 4.0), origin 2017-10-10 06:00, history from the year's beginning.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.forecast import cases
from optimizer.arrays import FloatArray
from optimizer.forecasting.online import Forecaster

WIDTH, HEIGHT, LEFT, TOP = 720, 300, 56, 16
DAY = 282
PER_DAY = 144
BEFORE = 144
STYLE = (
    ".paper{fill:#f6f7f8}text{fill:#1d2125;font:400 12px system-ui,sans-serif}"
    ".rule{stroke:#d5dade}.wide{fill:#cfe0f3}.narrow{fill:#93b9e2}"
    ".median{fill:none;stroke:#1f5fa8;stroke-width:1.6}"
    ".came{fill:none;stroke:#1d2125;stroke-width:1.2}.now{stroke:#b00020;stroke-dasharray:4 3}"
    "@media (prefers-color-scheme:dark){.paper{fill:#1d2125}text{fill:#e6e9ec}"
    ".rule{stroke:#3a4148}.wide{fill:#233a54}.narrow{fill:#33587f}.median{stroke:#8ab8ec}"
    ".came{stroke:#e6e9ec}.now{stroke:#ff8a80}}"
)


def main() -> None:
    grid, _ = cases(quick=True)["tetouan 1"]
    end = DAY * PER_DAY + 36
    forecaster = Forecaster.train(grid, end=end, reach=2 * PER_DAY)
    known = grid.cut(end + 2 * PER_DAY)
    leads = tuple(range(1, 2 * PER_DAY + 1))
    bands = forecaster.forecast(known, origin=end - 1, leads=leads).values_kw / 1e3
    came = grid.load_kw[end - BEFORE : end + 2 * PER_DAY] / 1e3
    high = 1.08 * float(max(came.max(), bands.max()))
    count = BEFORE + 2 * PER_DAY

    def at(slot: float, mw: float) -> str:
        x = LEFT + (WIDTH - LEFT - 8) * slot / count
        y = TOP + (HEIGHT - TOP - 40) * (1.0 - mw / high)
        return f"{x:.1f},{y:.1f}"

    def line(first: int, values: FloatArray) -> str:
        return " ".join(at(first + k, float(v)) for k, v in enumerate(values))

    def area(low: int, top: int) -> str:
        back = [at(BEFORE + k, float(bands[low][k])) for k in range(len(leads) - 1, -1, -1)]
        return line(BEFORE, bands[top]) + " " + " ".join(back)

    now = at(BEFORE, 0.0).split(",")[0]
    ticks = "".join(
        f'<text x="{LEFT - 8}" y="{float(at(0, mw).split(",")[1]) + 4:.1f}" text-anchor="end">{mw}'
        f'</text><path d="M{LEFT} {at(0, mw).split(",")[1]}H{WIDTH - 8}" class="rule"/>'
        for mw in range(0, int(high) + 1, 10)
    )
    hours = "".join(
        f'<text x="{at(BEFORE + h * 6, 0).split(",")[0]}" y="{HEIGHT - 22}" text-anchor="middle">'
        f"{h:+d} h</text>"
        for h in (-24, -12, 0, 12, 24, 36)
    )
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-label="Load of a substation, forecast two days ahead with its bands, and '
        f'what came"><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="paper"/>{ticks}{hours}'
        f'<polygon points="{area(0, 8)}" class="wide"/>'
        f'<polygon points="{area(2, 6)}" class="narrow"/>'
        f'<polyline points="{line(BEFORE, bands[4])}" class="median"/>'
        f'<polyline points="{line(0, came)}" class="came"/>'
        f'<path d="M{now} {TOP}V{HEIGHT - 40}" class="now"/>'
        f'<text x="{LEFT}" y="{HEIGHT - 4}">MW · thin: what came · blue: median, 80 % and 95 % '
        "band, made at the dashed line</text></svg>"
    )
    error = float(np.abs(bands[4] - came[BEFORE:]).mean() / came[BEFORE:].mean())
    assert error < 0.2, "the picture would show a failure of the forecast"  # noqa: S101


if __name__ == "__main__":
    main()
