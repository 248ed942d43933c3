"""Results of the bundled exams as they were seen, for the page of faults and scenarios.

`make soak` sits them again and asserts who passes; the figures belong to the day they were made.
"""

from __future__ import annotations

from typing import Final

from sim.scenario import load_scenario, scenario_names
from tests.docs.tables import table

_SEEN: Final = """\
### Results

Seen in November 2026 with Python 3.11 on two busy cores, kW·min above the head's limit. Whoever did
nothing failed all eleven; the scripted operator and the office passed all eleven, with
forecasts that begin from what is measured
([ADR 0051](../adr/0051-a-forecast-begins-from-now.md)). Before, the office left eleven and
eighteen times as much above the limit where load changes within the hour (*ev-evening* 387,
*cold-snap* 389), and *holiday* failed. Two runs over the office differ by when people
approve: where more than one figure stands, it sat again.

A run over the office counts only where the machine holds its pace. With six programs for each
core (load 12 to 20 on two) the office was up to 13 s behind its field agent. Safeguards take that
for a wrong clock (SG-12) and order nothing: *customer-overrides* came out at 23,805 there."""
STEPPED: Final[dict[str, tuple[str, str]]] = {
    "cloud-front": ("failed: 12,472", "passed: 14"),
    "cold-snap": ("failed: 18,933", "passed: 70"),
    "customer-overrides": ("failed: 58,692", "passed: 13"),
    "ev-evening": ("failed: 12,257", "passed: 0.5"),
    "feed-freezes": ("failed: 58,692", "passed: 11,593"),
    "heat-wave": ("failed: 38,789", "passed: 6"),
    "holiday": ("failed: 748", "passed: 0"),
    "hot-afternoon": ("failed: 58,692", "passed: 3"),
    "outstation-dies-at-peak": ("failed: 58,692", "passed: 2,395"),
    "rejected-selects": ("failed: 58,692", "passed: 5,009"),
    "stuck-regulator": ("failed: 0, but 0.77 pu·min", "passed: 0, and 0.18 pu·min"),
}
"""By scenario: when nobody acts, with the scripted operator."""
OFFICE: Final[dict[str, tuple[int, str]]] = {
    "cloud-front": (30, "passed: 23 and 622"),
    "cold-snap": (30, "passed: 21"),
    "customer-overrides": (30, "passed: 1,226"),
    "ev-evening": (30, "passed: 36"),
    "feed-freezes": (30, "passed: 14,025"),
    "heat-wave": (30, "passed: 0"),
    "holiday": (30, "passed: 0, and 214, 201 and 171 customer·h under shed of 250 that pass"),
    "hot-afternoon": (30, "passed: 1,371"),
    "outstation-dies-at-peak": (
        30,
        "passed: 1,017; 12,267 more while the safeguards let nobody act",
    ),
    "rejected-selects": (30, "passed: 1,575"),
    "stuck-regulator": (30, "passed: 0, and 0.03 pu·min outside the voltage band"),
}
"""By scenario: how many times real time the office sat it, and what came out."""


def exam_results() -> str:
    """The part of the page."""
    rows = []
    for name in scenario_names():
        exam = load_scenario(name).exam
        most = (
            "" if exam is None or exam.head_kw_min_max is None else f"{exam.head_kw_min_max:,.0f}"
        )
        nobody, scripted = STEPPED.get(name, ("failed", "passed"))
        times, office = OFFICE.get(name, (0, "not seen"))
        rows.append((name, most, nobody, scripted, f"{times} x" if times else "", office))
    columns = (
        "scenario",
        "passes with at most",
        "nobody acts",
        "scripted",
        "real time",
        "office",
    )
    return f"{_SEEN}\n\n{table(columns, rows)}"
