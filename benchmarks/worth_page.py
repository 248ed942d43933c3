"""What a week came to, as the table and the picture of docs/explanation/worth.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STEP_S = 900.0
DAY_S = 86_400.0
WIDTH, HEIGHT, LEFT, TOP = 760, 300, 60, 28
COLOURS = {"nothing": "#8a949e", "rule": "#c77700", "gridctl": "#1f5fa8", "foresight": "#2e8b57"}
PAGE, IMAGE = Path("docs/explanation/worth.md"), Path("docs/img/worth.svg")
BEGIN, END = "<!-- benchmarks.worth: begin -->", "<!-- benchmarks.worth: end -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a week came to. `over_kwh`: import above the limit; `over_h`: hours of intervals whose
    mean is above it; `shed_kwh`: energy that customers were not served when they wanted it;
    `curtailed_kwh`: of the sun; `moved_kwh`: out of batteries; `calls`: starts of groups;
    `voltage_h`: hours in which some node-phase was outside its band; `head_kw`: means."""

    way: str
    over_kwh: float
    over_h: float
    peak_kw: float
    shed_kwh: float
    curtailed_kwh: float
    moved_kwh: float
    calls: int
    voltage_h: float
    cost: float
    plans: int
    unplanned: int
    cpu_s: float
    limit_kw: float
    head_kw: tuple[float, ...]


def table(found: list[Outcome]) -> str:
    """The outcomes as a table of Markdown."""
    rows: list[tuple[str, Callable[[Outcome], str]]] = [
        ("import above the limit, kWh", lambda o: f"{o.over_kwh:.0f}"),
        ("hours above the limit", lambda o: f"{o.over_h:.2f}"),
        ("highest quarter of an hour, kW", lambda o: f"{o.peak_kw:.0f}"),
        ("energy not served when wanted, kWh", lambda o: f"{o.shed_kwh:.0f}"),
        ("sun curtailed, kWh", lambda o: f"{o.curtailed_kwh:.0f}"),
        ("out of batteries, kWh", lambda o: f"{o.moved_kwh:.0f}"),
        ("calls of load groups", lambda o: f"{o.calls}"),
        ("hours with a voltage outside its band", lambda o: f"{o.voltage_h:.1f}"),
        ("cost of shed, curtailed and moved energy", lambda o: f"{o.cost:.0f}"),
        ("plans (of them not verified, the last one held)",
         lambda o: f"{o.plans} ({o.unplanned})" if o.plans else "none"),
    ]  # fmt: skip
    head = "| | " + " | ".join(o.way for o in found) + " |\n|---|" + "---|" * len(found)
    return "\n".join([head, *(f"| {n} | " + " | ".join(map(f, found)) + " |" for n, f in rows)])


def picture(found: list[Outcome]) -> str:
    """The head over the week, as SVG."""
    limit_kw = found[0].limit_kw
    low = 0.9 * min(min(o.head_kw) for o in found)
    high = 1.03 * max(max(o.head_kw) for o in found)
    count = len(found[0].head_kw)

    def y(kw: float) -> float:
        return TOP + (HEIGHT - TOP - 30) * (high - kw) / (high - low)

    def x(k: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * k / count

    lines = [
        f'<polyline fill="none" stroke="{COLOURS[o.way]}" stroke-width="1.3" points="'
        + " ".join(f"{x(k):.1f},{y(kw):.1f}" for k, kw in enumerate(o.head_kw))
        + '"/>'
        for o in found
    ]
    legend = "".join(
        f'<text x="{LEFT + 150 * i}" y="16" style="fill:{COLOURS[o.way]}">{o.way}</text>'
        for i, o in enumerate(found)
    )
    marks = "".join(
        f'<text x="{LEFT - 8}" y="{y(kw) + 4:.1f}" text-anchor="end">{kw:.0f}</text>'
        for kw in (limit_kw, 0.5 * (low + limit_kw))
    )
    per_day = round(DAY_S / STEP_S)
    days = "".join(
        f'<text x="{x(d * per_day):.1f}" y="{HEIGHT - 8}">day {d + 1}</text>'
        for d in range(-(-count // per_day))
    )
    style = (
        ".paper{fill:#f6f7f8}text{fill:#1d2125;font:400 12px system-ui,sans-serif}"
        ".limit{stroke:#b00020;stroke-dasharray:5 3}@media (prefers-color-scheme:dark)"
        "{.paper{fill:#1d2125}text{fill:#e6e9ec}.limit{stroke:#ff8a80}}"
    )
    limit = (
        f'<line class="limit" x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(limit_kw):.1f}" '
        f'y2="{y(limit_kw):.1f}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Import of the feeder over the week, four ways"><style>{style}</style>'
        f'<rect class="paper" width="100%" height="100%"/>{"".join(lines)}{limit}{legend}{marks}'
        f"{days}</svg>\n"
    )


def write(found: list[Outcome]) -> None:
    """Put table and picture into the page."""
    IMAGE.write_text(picture(found), encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{after}", encoding="utf-8")
