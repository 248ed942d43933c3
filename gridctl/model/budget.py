"""How much was moved lately: a sum over a sliding window, for area budgets and command counts.

Office and field each keep their own books with it (SG-05): the office so that it does not ask for
what will be refused, the field because it believes nobody's books but its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gridctl.model.command import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One command that was let through: when (grid time), where, and how much it may shift."""

    at_s: float
    point: str
    area: str
    kw: float


def spent_kw(moves: Iterable[Move], *, area: str, now_s: float, window_s: float) -> float:
    """Sum of what moved in `area` within `window_s` before `now_s`.

    A move in the future counts too: after a clock was set back, the books stay on the safe side.
    """
    return sum(m.kw for m in moves if m.area == area and m.at_s > now_s - window_s)


def count(moves: Iterable[Move], *, point: str, now_s: float, window_s: float) -> int:
    """Commands to `point` within `window_s` before `now_s`."""
    return sum(1 for m in moves if m.point == point and m.at_s > now_s - window_s)


def last_s(moves: Iterable[Move], *, point: str) -> float | None:
    """When `point` was last commanded, or None."""
    return max((m.at_s for m in moves if m.point == point), default=None)


def moved_kw(command: Command, *, present_kw: float, renews: bool) -> float:
    """What `command` counts against its area's budget, kW.

    `present_kw`: the setpoint that the device reports now. A renewal of a held setpoint moves
    nothing. Otherwise the greater of what the command says of itself and of the step it makes: a
    false `effect_kw` must not buy room in the budget.
    """
    if renews and abs(command.value - present_kw) <= command.tolerance:
        return 0.0
    return max(abs(command.effect_kw), abs(command.value - present_kw))
