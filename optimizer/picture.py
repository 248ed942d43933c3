"""A plan as a picture: the import at the feeder head before and after, and its limit (SVG)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from gridctl.model.planning import PlanningResult, PlanningTask

WIDTH, HEIGHT = 760.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 60.0, 36.0
BEFORE, AFTER, LIMIT = "#9a6700", "#0b6bcb", "#c11f1f"
TICKS = 4
FONT = 'font-family="system-ui, sans-serif" font-size="13"'


def head_svg(task: PlanningTask, result: PlanningResult) -> str:
    """Steps of one interval each, kW over hours since the plan's start."""
    before, after = result.head_before_kw, result.head_after_kw
    limit_kw = task.limits.head_import_kw
    hours = result.horizon.step_s / 3600.0
    count = max(len(before), 1)
    every = [*before, *after, limit_kw]
    low, high = min(0.0, *every), 1.05 * max(1.0, *every)

    def x(k: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * k / count

    def y(kw: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - kw) / (high - low)

    def steps(series: Sequence[float]) -> str:
        points = (f"{x(k + d):.1f},{y(kw):.1f}" for k, kw in enumerate(series) for d in (0, 1))
        return " ".join(points)

    title = f"Import at the feeder head of {task.feeder.name}, kW: {result.status.value}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" {FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH:.0f}" height="{HEIGHT:.0f}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-weight="600">{escape(title)}</text>',
    ]
    step_kw = _step(high - low)
    for tick in range(ceil(low / step_kw), floor(high / step_kw) + 1):
        kw = step_kw * tick
        lines.append(
            f'<path d="M{LEFT} {y(kw):.1f}H{WIDTH - RIGHT}" stroke="#e3e6ea"/>'
            f'<text x="{LEFT - 8}" y="{y(kw) + 4:.1f}" text-anchor="end">{kw:,g}</text>'
        )
    lines += [
        f'<text x="{x(k):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{k * hours:g} h</text>'
        for k in range(0, count + 1, max(1, count // 8))
    ]
    lines.append(f'<path d="M{LEFT} {y(limit_kw):.1f}H{WIDTH - RIGHT}" stroke="{LIMIT}"/>')
    for series, colour, dash in ((before, BEFORE, ' stroke-dasharray="6 4"'), (after, AFTER, "")):
        lines.append(
            f'<polyline points="{steps(series)}" fill="none" stroke="{colour}" '
            f'stroke-width="2"{dash}/>'
        )
    names = (("without the plan", BEFORE), ("with the plan", AFTER), ("limit", LIMIT))
    lines += [
        f'<text x="{LEFT + 140 * place}" y="44" fill="{colour}">— {name}</text>'
        for place, (name, colour) in enumerate(names)
    ]
    return "\n".join([*lines, "</svg>\n"])


def _step(span: float) -> float:
    """A round distance between lines, so that about TICKS of them fit."""
    power = 10.0 ** floor(log10(span / TICKS))
    return next(
        power * round_ for round_ in (1.0, 2.0, 5.0, 10.0) if power * round_ * TICKS >= span
    )
