"""docs/reference/command-states.md: every state of a command and what may follow it."""

from __future__ import annotations

from collections.abc import Mapping

from gridctl.model.command import TRANSITIONS, CommandState
from tests.docs.tables import GENERATED, table

_S = CommandState

_INTRO = """\
A command is one setpoint to one device. Its states are written into the journal, one row each, before
anything else happens; none is ever changed afterwards. Intended, sent, accepted, confirmed and effective
are different things and the console shows them apart.

![States of a command](../img/command-states.svg)

Left the way of a command that does what was planned; below it the ways out. A dot joins two lines, a
crossing without a dot does not. Grey boxes are ends."""

_MEANINGS: Mapping[CommandState, str] = {
    _S.PROPOSED: "It is part of a plan that waits.",
    _S.APPROVED: "The people needed have approved the plan's digest.",
    _S.ORDERED: "The journal has it and the signed order has left for the field agent.",
    _S.ADMITTED: "The field guard has checked the order again and has given leave to send.",
    _S.SELECTED: "The device has echoed the SELECT.",
    _S.OPERATED: "The OPERATE (or the guarded write) has left; nothing is known of it yet.",
    _S.ACCEPTED: "The device has answered with success: it says yes, which proves nothing yet.",
    _S.CONFIRMED: "The feedback point shows the value.",
    _S.EFFECTIVE: "The feeder head has moved as promised.",
    _S.REFUSED: "The field guard has said no: nothing was sent.",
    _S.EXPIRED: "Its time ran out before anything was sent to the device.",
    _S.FAILED: "It is known that the device did not take it; its own word stands beside it.",
    _S.UNCONFIRMED: "Nobody knows, or the proof has not come: the device is read, never asked again.",
    _S.RELEASED: "The lease is over and the device has gone back to its default.",
}


def states_page() -> str:
    """The whole page. AssertionError when a state has no meaning."""
    missing = [state.value for state in CommandState if state not in _MEANINGS]
    assert not missing, f"say in one sentence what {missing} mean: tests/docs/states_page.py"
    rows = [
        (f"`{state.value}`", _MEANINGS[state], _after(state), "yes" if state.is_final else "")
        for state in CommandState
    ]
    heads = ("state", "means", "may be followed by", "end")
    return (
        f"# States of a command\n\n{GENERATED}\n\n{_INTRO}\n\n{table(heads, rows)}\n\n"
        "Where the protocol has no SELECT (OPC UA), `operated` follows `admitted` directly.\n"
    )


def _after(state: CommandState) -> str:
    return ", ".join(f"`{s.value}`" for s in CommandState if s in TRANSITIONS[state])
