"""docs/reference/openadr-mapping.md: what each payload of an event does here."""

from __future__ import annotations

from gridctl.openadr.mapping import (
    ACTED_ON,
    AHEAD_MAX_S,
    LIMIT,
    NOT_ACTED_ON,
    PRIORITY_LOWEST,
    RELATIVE,
    REQUESTS_MAX,
    SIMPLE,
    SIMPLE_KW,
)
from tests.docs.tables import GENERATED, table

_ASKS = {
    RELATIVE: "a reduction of the feeder's import by the value, kW. Units: a payload descriptor of the event or "
    "of its program says `KW`",
    LIMIT: "a reduction by what the forecast's highest quantile shows above the value, kW, fixed when the event "
    "comes; refused when the forecast does not cover all of its time. Units: as above",
    SIMPLE: f"level 1, 2 or 3 is the reduction that the program's attribute `{SIMPLE_KW}` gives it: three "
    "numbers, kW, none smaller than the one before. Level 0 asks nothing. Without the attribute a level is not "
    "acted on",
}

_INTRO = f"""\
An event of OpenADR 3.1 is kept, listed and notified whatever it says. Some events also become **dispatch
requests**: a wish to lower the import of the feeder by so many kW from a start to an end. A request appears on the
console, and the next plan answers it; nothing moves before people have approved that plan.

An event that asks nothing of the feeder is answered with 201 all the same, and with the header
`Gridctl-Not-Acted-On`, which gives the reason. The audit keeps it, too.

{{acted}}

## What holds for all of them

- One interval becomes one request; an event has at most {REQUESTS_MAX}, each with an end, within
  {AHEAD_MAX_S / 86_400:.0f} days.
- An interval has one payload to act on, with one number that is not negative.
- Start `0001-01-01` is now; a missing start is the end of the interval before; `duration` of the event cuts off or
  repeats, as the standard has it. Now and for no time (`PT0S`) cancels.
- `priority` orders requests; an event that names none comes last ({PRIORITY_LOWEST:,}).
- An event with `targets` is for those targets' VENs: it goes to them, and the feeder is left alone.
- A changed event (PUT) replaces what it asked before; a deleted one withdraws it. Both work while it runs.
- `randomizeStart` is the client's: a VEN shifts its own start, the feeder's request is not shifted.

## Kept, and not acted on

{{others}}

A type that is not in these tables is private to its program: it is kept as it came and not acted on.
"""


def mapping_page() -> str:
    acted = table(("Payload", "Asks for"), ((f"`{name}`", _ASKS[name]) for name in ACTED_ON))
    others = table(("Payload", "Why"), ((f"`{name}`", why) for name, why in NOT_ACTED_ON.items()))
    intro = _INTRO.format(acted=acted, others=others)
    return f"# From an OpenADR event to a dispatch request\n\n{GENERATED}\n\n{intro}"
