"""Results of the bundled exams as they were seen, for the page of faults and scenarios.

`make soak` sits them again and asserts who passes; the figures belong to the day they were made.
"""

from __future__ import annotations

from typing import Final

from sim.scenario import load_scenario, scenario_names
from tests.docs.tables import table

_SEEN: Final = """\
### Results

Seen in November 2026 with Python 3.11 on two busy cores, kW·min above the head's limit. In one
run of `make soak` the scripted operator passed all eleven, and whoever did nothing failed all.

A run over the office counts only where the machine holds its pace. With six programs for each
core (load 12 to 20 on two) the office was up to 13 s behind its field agent. Safeguards take that
for a wrong clock (SG-12) and order nothing: *customer-overrides* came out at 23,805, and on the
quiet machine at 2,534 kW·min. *heat-wave* was last sat by the code before
[ADR 0047](../adr/0047-when-a-plan-is-asked-anew.md)."""
STEPPED: Final[dict[str, tuple[str, str]]] = {
    "cloud-front": ("failed: 12,472", "passed: 888"),
    "cold-snap": ("failed: 18,933", "passed: 380"),
    "customer-overrides": ("failed: 58,692", "passed: 512"),
    "ev-evening": ("failed: 12,257", "passed: 156"),
    "feed-freezes": ("failed: 58,692", "passed: 9,350"),
    "heat-wave": ("failed: 38,789", "passed: 3"),
    "holiday": ("failed: 748", "passed: 0"),
    "hot-afternoon": ("failed: 58,692", "passed: 487"),
    "outstation-dies-at-peak": ("failed: 58,692", "passed: 2,844"),
    "rejected-selects": ("failed: 58,692", "passed"),
    "stuck-regulator": ("failed: 0, but 0.77 pu·min", "passed: 0, and 0.16 pu·min"),
}
"""By scenario: when nobody acts, with the scripted operator."""
OFFICE: Final[dict[str, tuple[int, str]]] = {
    "cloud-front": (30, "passed: 621"),
    "cold-snap": (30, "passed: 389"),
    "customer-overrides": (30, "passed: 2,534"),
    "ev-evening": (30, "passed: 387"),
    "feed-freezes": (30, "passed: 14,455"),
    "hot-afternoon": (30, "passed: 2,969"),
    "outstation-dies-at-peak": (
        30,
        "passed: 2,221; 12,825 more while the safeguards let nobody act",
    ),
    "heat-wave": (45, "passed: 4"),
    "holiday": (
        20,
        (
            "failed: 0 at the head, but 312 customer·h under shed of 250 that pass. The calendar "
            "keeps the time until a quarter past one free of sheds; later the chance level of the "
            "forecast is half as much again as what comes on so mild a day: the pilot has "
            "no weather service"
        ),
    ),
    "rejected-selects": (30, "passed: 3,794"),
    "stuck-regulator": (30, "passed: 0, and 0.02 pu·min outside the voltage band"),
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
