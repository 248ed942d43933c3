"""One bit a rule. A sample keeps its raw value whatever is found; the bits stand beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from optimizer.arrays import BoolArray

MarkArray: TypeAlias = NDArray[np.uint32]


class Mark(IntFlag):
    """Which rules have found something at a sample. The numbers are stored: only ever add."""

    NONE = 0
    PROTOCOL = 1 << 1
    TIMESTAMP = 1 << 2
    STALE = 1 << 3
    GAP = 1 << 4
    HARD_RANGE = 1 << 5
    SOFT_RANGE = 1 << 6
    RATE = 1 << 7
    SPIKE = 1 << 8
    HAMPEL = 1 << 9
    FORECAST = 1 << 10
    PEAKS = 1 << 11
    FROZEN = 1 << 12
    DEAD_ZERO = 1 << 13
    SUM = 1 << 14
    BALANCE = 1 << 15
    CONSISTENCY = 1 << 16
    STATE = 1 << 17
    ESTIMATED = 1 << 18
    SIGN = 1 << 19
    MULTIPLIER = 1 << 20
    LEVEL_SHIFT = 1 << 21
    TIME_BASE = 1 << 22
    DOUBTED = 1 << 23


class Action(StrEnum):
    """What follows from a mark: the sample is as if it were not there; it is shown but decides
    nothing; a person is told; it is only marked."""

    REJECT = "reject"
    SUSPECT = "suspect"
    ALARM = "alarm"
    MARK = "mark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of the reference: `number` as in docs/reference/vee-rules.md."""

    number: int
    mark: Mark
    action: Action
    what: str


RULES: tuple[Rule, ...] = (
    Rule(number=1, mark=Mark.PROTOCOL, action=Action.REJECT, what="the protocol calls it bad"),
    Rule(number=1, mark=Mark.DOUBTED, action=Action.SUSPECT, what="the protocol doubts it"),
    Rule(number=2, mark=Mark.TIMESTAMP, action=Action.REJECT, what="its time cannot be"),
    Rule(number=3, mark=Mark.STALE, action=Action.SUSPECT, what="nothing new for too long"),
    Rule(number=4, mark=Mark.GAP, action=Action.MARK, what="no reading came"),
    Rule(number=5, mark=Mark.HARD_RANGE, action=Action.REJECT, what="physically impossible"),
    Rule(number=6, mark=Mark.SOFT_RANGE, action=Action.SUSPECT, what="never seen so far out"),
    Rule(number=7, mark=Mark.RATE, action=Action.SUSPECT, what="changed too fast"),
    Rule(number=8, mark=Mark.SPIKE, action=Action.REJECT, what="a single spike"),
    Rule(number=9, mark=Mark.HAMPEL, action=Action.SUSPECT, what="far from its neighbours in time"),
    Rule(number=10, mark=Mark.FORECAST, action=Action.SUSPECT, what="far outside the forecast"),
    Rule(number=11, mark=Mark.PEAKS, action=Action.SUSPECT, what="one peak far above the others"),
    Rule(number=12, mark=Mark.FROZEN, action=Action.SUSPECT, what="stands still"),
    Rule(number=13, mark=Mark.DEAD_ZERO, action=Action.REJECT, what="dead at zero"),
    Rule(number=14, mark=Mark.SUM, action=Action.REJECT, what="intervals do not add up"),
    Rule(number=15, mark=Mark.BALANCE, action=Action.SUSPECT, what="power does not balance"),
    Rule(number=16, mark=Mark.CONSISTENCY, action=Action.SUSPECT, what="P, Q, V, I contradict"),
    Rule(number=17, mark=Mark.STATE, action=Action.REJECT, what="contradicts the network's state"),
    Rule(number=18, mark=Mark.ESTIMATED, action=Action.MARK, what="estimated, not measured"),
    Rule(number=19, mark=Mark.SIGN, action=Action.ALARM, what="sign turned round"),
    Rule(number=19, mark=Mark.MULTIPLIER, action=Action.ALARM, what="wrong multiplier"),
    Rule(number=20, mark=Mark.LEVEL_SHIFT, action=Action.ALARM, what="level has shifted"),
    Rule(number=21, mark=Mark.TIME_BASE, action=Action.MARK, what="off the interval grid"),
)


def bits_of(*actions: Action) -> Mark:
    """All marks that lead to one of `actions`."""
    found = Mark.NONE
    for rule in RULES:
        if rule.action in actions:
            found |= rule.mark
    return found


REJECTED = bits_of(Action.REJECT)
DOUBTFUL = bits_of(Action.REJECT, Action.SUSPECT, Action.ALARM)
UNUSABLE = DOUBTFUL | Mark.GAP | Mark.ESTIMATED
"""What neither trains a forecast nor settles an event, unless somebody asks for it by name."""


def has(marks: MarkArray, wanted: Mark) -> BoolArray:
    """Where any bit of `wanted` is set."""
    found: BoolArray = (marks & np.uint32(int(wanted))) != 0
    return found
