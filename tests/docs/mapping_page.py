"""docs/reference/openadr-mapping.md: what each payload of an event does here."""

from __future__ import annotations

from gridctl.openadr.mapping import (
    ACTED_ON,
    AHEAD_MAX_S,
    EXPORT_LIMIT,
    LIMIT,
    NOT_ACTED_ON,
    PRIORITY_LOWEST,
    RELATIVE,
    REQUESTS_MAX,
)
from gridctl.openadr.sizes import ALERTS, KW_OF, LINES, SIMPLE, SIMPLE_KW
from tests.docs.tables import GENERATED, table

_ASKS = {
    RELATIVE: "a reduction of the feeder's import by the value, kW. Units: a payload descriptor of the event or "
    "of its program says `KW`",
    LIMIT: "a reduction by what the forecast's highest quantile shows above the value, kW, fixed when the event "
    "comes; refused when the forecast does not cover all of its time. Units: as above",
    EXPORT_LIMIT: "an export of the feeder of at most the value, kW (0: none): a row of the plan, held at the forecast's "
    "quantile that mirrors the plan's (10 % for 90 %); batteries charge, PV is curtailed, the AC check judges it. "
    "Units: as above",
}

_INTRO = f"""\
An event of OpenADR 3.1 is kept, listed and notified whatever it says. Some events also become **dispatch
requests**: a wish to lower the import of the feeder by so many kW, or to export no more than so many, from a start
to an end. A request appears on the console, and the next plan answers it; nothing moves before people have approved
that plan.

An event that asks nothing of the feeder is answered with 201 all the same, and with the header
`Gridctl-Not-Acted-On`, which gives the reason. The audit keeps it, too.

{{acted}}

## What its program gives a size

These name no kilowatts. Their program says in its `attributes` how many each is worth; without that attribute
they are kept, and nothing moves.

{{sized}}

A line is a list of points, for example `{{{{"type": "{KW_OF}PRICE", "values": [{{{{"x": 0.30, "y": 0}}}},
{{{{"x": 0.50, "y": 400}}}}]}}}}`: up to 0.30 nothing, from 0.50 on 400 kW, between them straight. Every x is greater
than the one before; a reduction is not negative.

## Targets

A target that names something here makes the request one that those devices alone answer; they have to bring all
of it:

| Target | Devices |
|---|---|
| the mRID of a device of the resources file | that one |
| an `area` of the resources file | all of the area |
| id or name of a DER group of `/api/v1` | those of its members |
| id of a resource of `/api/v1` | its device |

Several targets are several sets: their devices together. Targets that mean nothing here are their VENs'; an event
that has no other is kept for them, and the feeder is left alone. While only requests that name devices are on,
nobody else may be used, and the plan says so of each ("hot afternoon is for 2 other devices").

## What holds for all of them

- One interval becomes one request; an event has at most {REQUESTS_MAX}, each with an end, within
  {AHEAD_MAX_S / 86_400:.0f} days.
- An interval has one payload to act on, with one number that is not negative.
- Start `0001-01-01` is now; a missing start is the end of the interval before; `duration` of the event cuts off or
  repeats, as the standard has it. Now and for no time (`PT0S`) cancels.
- `priority` orders requests; an event that names none comes last ({PRIORITY_LOWEST:,}).
- A changed event (PUT) replaces what it asked before; a deleted one withdraws it. Both work while it runs.
- `randomizeStart` is the client's: a VEN shifts its own start, the feeder's request is not shifted.

## Kept, and not acted on

{{others}}

A type that is not in these tables is private to its program: it is kept as it came and not acted on.
"""


def mapping_page() -> str:
    acted = table(("Payload", "Asks for"), ((f"`{name}`", _ASKS[name]) for name in ACTED_ON))
    line = "the point of the line `{0}` at its value (points `x`, `y`: kW)"
    sized = table(
        ("Payload", "Asks for a reduction by"),
        [
            (
                f"`{SIMPLE}`",
                f"one of the three numbers of `{SIMPLE_KW}`, kW, none smaller than the one before; level 0: nothing",
            ),
            *((f"`{name}`", line.format(KW_OF + name)) for name in LINES),
            *(
                (f"`{name}`", f"the one number of `{KW_OF}{name}`, kW, while it is on")
                for name in ALERTS
            ),
        ],
    )
    others = table(("Payload", "Why"), ((f"`{name}`", why) for name, why in NOT_ACTED_ON.items()))
    intro = _INTRO.format(acted=acted, sized=sized, others=others)
    return f"# From an OpenADR event to a dispatch request\n\n{GENERATED}\n\n{intro}"
