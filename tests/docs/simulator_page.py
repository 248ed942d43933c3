"""docs/reference/simulator-faults.md: every fault and every scenario, from the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, time
from typing import Any

from sim.fault_kinds import KINDS, Fault
from sim.scenario import Exam, Scenario, load_scenario, local_text, scenario_names
from sim.scenario_file import (
    BoundTable,
    ClimateTable,
    DemandTable,
    EventTable,
    ExamTable,
    FrontTable,
    ScenarioFile,
    WaveTable,
)
from sim.series import COLUMNS
from tests.docs.exam_results import exam_results
from tests.docs.fault_tests import fault_tests
from tests.docs.sightings_page import sightings
from tests.docs.tables import GENERATED, table, type_in_words

_INTRO = """\
The simulator is a test instrument: it fails on purpose. The same faults come from a scenario's timeline, from the
command line, from the [page](../tutorial/your-own-master.md) and over the instructor's socket, of `gridctl sim` and of
`gridctl demo` alike:

```sh
.venv/bin/gridctl sim fault delayed-replies on DR --amount 3
.venv/bin/gridctl sim fault delayed-replies off DR
.venv/bin/gridctl sim faults
```

```json
{"do": "fault", "name": "delayed-replies", "on": true, "target": "DR", "amount": 3}
```

A name, target or amount that does not exist is refused with what there is. An amount that is not given is the one in
the table; a fault without an amount takes none. `gridctl sim status` and the page list what is on, and since when."""

_TYPES: Mapping[Any, str] = {
    time: "local time, as `17:05:00`",
    datetime: "local date and time, as `2026-07-15T15:40:00`",
    Fault: "name of a fault",
    ClimateTable: "table",
}

_EXAM = """\
## Scenarios and their exams

`gridctl sim exam SCENARIO` runs a scenario stepped, as fast as the machine can, and judges it; `--operator nobody`
shows what happens when nobody acts, `--recording FILE` judges a run that was recorded with `gridctl sim --record`.
The exit code is 0 only for a run that passes.

The judge looks at the truth, not at what the links showed: head import above its limit in kW·min, the worst voltage
outside its band in pu·min, energy not served in kWh, commands wasted (refused, or repeated within a minute), and
customer-hours under shed. A tick without a power flow is never passed over: such a run fails. Where a scenario takes away
what the office's safeguards ask for before anything may be ordered, `[[exam.bound]]` says from when to when and why: the
head is not held against the office then, everything else is (ADR 0037); against other operators all of it is.

The scripted operator is the real forecast and the real optimizer on what the links tell. It plans each quarter of an
hour, and again after three minutes while the head is above its limit. It does what a good operator does beside the
plan: it moves a forecast that is off to what the head draws now, and holds a tap changer in its model that has been
beyond its band for five minutes. It has passed each bundled scenario, and whoever does nothing fails every one (`make
soak`). What only exists on a wire (late, lost and doubled replies, storms of events) is passed over in a stepped run.

`--operator office` leaves nothing out: simulator, field agent, office and optimizer run as in a pilot, `--rate` times
as fast as real time (30 unless said otherwise), two scripted persons approve over HTTP what passed its AC check, and
commands go over DNP3 and OPC UA. A scenario of 4.5 h takes nine minutes. What comes out is not the same twice, and
who plans by a clock that runs 30 times too fast has less time to think: *rejected-selects* came out at 9,760 kW·min 45
times as fast as real time and at 3,623 30 times. `make soak` has it sit the hot afternoon."""


def simulator_page() -> str:
    """The whole page."""
    shown = fault_tests()
    kinds = table(
        ("fault", "aimed at", "amount", "what it does", "shown by"),
        (
            (
                f"`{k.fault}`",
                k.aim.value,
                f"{k.amount:g} {k.unit}" if k.amount else k.unit,
                k.does + (" (momentary)" if k.momentary else ""),
                "<br>".join(f"`{name}`" for name in shown[k.fault]),
            )
            for k in KINDS.values()
        ),
    )
    parts = [
        f"# Simulator: faults and scenarios\n\n{GENERATED}",
        _INTRO,
        f"## Faults\n\n{kinds}",
        sightings(),
        _EXAM,
        exam_results(),
        *(_scenario(load_scenario(name)) for name in scenario_names()),
        "\n\n".join(_file()),
    ]
    return "\n\n".join(parts) + "\n"


def _scenario(story: Scenario) -> str:
    lines = [f"### {story.name}", f"{story.title}."]
    if story.exam is not None:
        begins = (
            f"Begins {local_text(story, story.start_s)} local, {story.exam.hours:g} h, head limit "
            f"{story.head_limit_kw:g} kW, voltages {story.voltage_min_pu:g} … "
            f"{story.voltage_max_pu:g} pu. A good operator: {_small(story.exam.good_operator)}."
        )
        lines += [begins, f"Passes with at most: {_most(story.exam)}."]
        lines += [
            f"From {local_text(story, b.from_s)[-8:-3]} to {local_text(story, b.to_s)[-8:-3]} the "
            f"head is not held against the office: {b.why}."
            for b in story.exam.bound
        ]
    events = sorted({(e.at_s, e.fault.value) for e in story.events})
    for at_s, fault in events:
        targets = [e.target for e in story.events if (e.at_s, e.fault.value) == (at_s, fault)]
        named = ", ".join(f"`{t}`" for t in targets if t)
        lines.append(f"At {local_text(story, at_s)[-8:-3]}: `{fault}` {named}".rstrip() + ".")
    return "\n\n".join(lines)


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _most(exam: Exam) -> str:
    named = (
        (exam.head_kw_min_max, "kW·min above the head's limit"),
        (exam.voltage_pu_min_max, "pu·min outside the voltage band"),
        (exam.unserved_kwh_max, "kWh not served"),
        (exam.wasted_commands_max, "wasted commands"),
        (exam.discomfort_customer_h_max, "customer·h under shed"),
    )
    return ", ".join(f"{most:g} {what}" for most, what in named if most is not None)


def _file() -> Iterator[str]:
    yield (
        "## A scenario of your own\n\nA TOML file whose path ends in `.toml` stands wherever a "
        "scenario's name does. Times are local to the scenario's day. A key that is not here is "
        "refused with its line and the one that was probably meant.\n\n`series` names a CSV beside the "
        "file, to replay recorded weather and load: `time` (local, ISO 8601) and any of "
        + ", ".join(f"`{name}`" for name in COLUMNS)
        + "; linear between rows, and the scenario's own climate outside of them."
    )
    for header, model in (
        ("top", ScenarioFile),
        ("[climate]", ClimateTable),
        ("[[climate.front]]", FrontTable),
        ("[demand]", DemandTable),
        ("[[demand.wave]]", WaveTable),
        ("[[event]]", EventTable),
        ("[exam]", ExamTable),
        ("[[exam.bound]]", BoundTable),
    ):
        rows = (
            (
                f"`{name}`",
                _TYPES.get(field.annotation, type_in_words(field.annotation)),
                "yes" if field.is_required() else "no",
            )
            for name, field in model.model_fields.items()
        )
        title = "At the top" if header == "top" else f"`{header}`"
        yield f"{title}:\n\n" + table(("key", "value", "required"), rows)
