"""The picture of docs/explanation/many-feeders.md: what a cycle costs, by each measure of its size.

    python -m benchmarks.substation_picture > docs/img/many-feeders.svg

Processor seconds of a rolling cycle, one measure of size after the other changed from 5 feeders of
100 nodes, 96 periods, 10 resources each; axes are logarithmic, a straight line of slope one is
drawn for what grows in proportion. A few minutes.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import replace

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.substation import Size, cycles

SWEEPS = {
    "feeders": (2, 5, 10, 20, 40),
    "nodes": (30, 100, 300, 1000),
    "periods": (24, 48, 96, 192),
    "controls": (4, 10, 20, 40),
}
TITLES = {
    "feeders": "feeders", "nodes": "nodes a feeder", "periods": "periods",
    "controls": "resources a feeder",
}  # fmt: skip
PANEL, HEIGHT, LEFT, TOP, GAP = 150, 190, 48, 34, 34
LOW_S, HIGH_S = 0.3, 60.0
STYLE = (
    ".paper{fill:#f6f7f8}text{fill:#1d2125;font:400 12px system-ui,sans-serif}"
    ".rule{stroke:#d5dade}.even{stroke:#8a949e;stroke-dasharray:4 3}"
    ".found{fill:none;stroke:#1f5fa8;stroke-width:1.8}.dot{fill:#1f5fa8}"
    "@media (prefers-color-scheme:dark){.paper{fill:#1d2125}text{fill:#e6e9ec}"
    ".rule{stroke:#3a4148}.found{stroke:#8ab8ec}.dot{fill:#8ab8ec}}"
)


def points(name: str) -> list[tuple[int, float]]:
    """(size, processor seconds of the rolling cycle) along one measure."""
    found = []
    for value in SWEEPS[name]:
        rolling = cycles(replace(Size(), **{name: value}), 2, workers=1)[-1]
        if rolling.plan.failed:
            print(f"{name} {value}: {rolling.plan.failed}", file=sys.stderr)
        print(f"{name} {value}: {rolling.cpu_s:.2f} s", file=sys.stderr)
        found.append((value, rolling.cpu_s))
    return found


def height(seconds: float) -> float:
    share = math.log(seconds / LOW_S) / math.log(HIGH_S / LOW_S)
    return TOP + HEIGHT * (1.0 - share)


def panel(left: float, name: str, found: list[tuple[int, float]]) -> str:
    """One measure of size."""
    first, last = found[0][0], found[-1][0]

    def x(value: float) -> float:
        return left + PANEL * math.log(value / first) / math.log(last / first)

    parts = [f'<text x="{left}" y="{TOP - 12}">{TITLES[name]}</text>']
    for mark_s in (1.0, 10.0):
        y = height(mark_s)
        parts.append(
            f'<line class="rule" x1="{left}" y1="{y:.1f}" x2="{left + PANEL}" y2="{y:.1f}"/>'
        )
    middle = found[len(found) // 2]
    ends = [(v, middle[1] * v / middle[0]) for v in (first, last)]
    kept = [(x(v), height(min(max(s, LOW_S), HIGH_S))) for v, s in ends]
    if all(LOW_S <= s <= HIGH_S for _, s in ends):
        (x1, y1), (x2, y2) = kept
        parts.append(
            f'<line class="even" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
        )
    line = " ".join(f"{x(v):.1f},{height(s):.1f}" for v, s in found)
    parts.append(f'<polyline class="found" points="{line}"/>')
    for value, seconds in found:
        parts.append(
            f'<circle class="dot" cx="{x(value):.1f}" cy="{height(seconds):.1f}" r="3"/>'
            f'<text x="{x(value):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{value}</text>'
        )
    return "".join(parts)


def main() -> None:
    width = LEFT + len(SWEEPS) * (PANEL + GAP)
    labels = "".join(
        f'<text x="{LEFT - 10}" y="{height(s) + 4:.1f}" text-anchor="end">{s} s</text>'
        for s in (1, 10)
    )
    panels = "".join(
        panel(LEFT + k * (PANEL + GAP), name, points(name)) for k, name in enumerate(SWEEPS)
    )
    sys.stdout.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 32}" '
        f'role="img" aria-label="Processor seconds of a rolling cycle by size"><style>{STYLE}'
        f'</style><rect class="paper" width="100%" height="100%"/>{labels}{panels}</svg>\n'
    )


if __name__ == "__main__":
    main()
