"""A command to one point, and the one table of what may follow what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class CommandState(StrEnum):
    """Where a command is. Intended, sent, accepted, confirmed and effective are never mixed.

    OPERATED: the OPERATE (or the write) has left; nothing is known of it yet. ACCEPTED: the device
    has answered it with success. FAILED: it is known that the device did not take it. UNCONFIRMED:
    nobody knows, or the proof has not come.
    """

    PROPOSED = "proposed"
    APPROVED = "approved"
    ORDERED = "ordered"
    ADMITTED = "admitted"
    SELECTED = "selected"
    OPERATED = "operated"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    EFFECTIVE = "effective"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    RELEASED = "released"

    @property
    def is_final(self) -> bool:
        return not TRANSITIONS[self]


_S = CommandState

TRANSITIONS: Mapping[CommandState, frozenset[CommandState]] = {
    _S.PROPOSED: frozenset({_S.APPROVED, _S.EXPIRED}),
    _S.APPROVED: frozenset({_S.ORDERED, _S.EXPIRED}),
    _S.ORDERED: frozenset({_S.ADMITTED, _S.REFUSED, _S.EXPIRED, _S.UNCONFIRMED}),
    _S.ADMITTED: frozenset({_S.SELECTED, _S.OPERATED, _S.FAILED, _S.EXPIRED, _S.UNCONFIRMED}),
    _S.SELECTED: frozenset({_S.OPERATED, _S.FAILED, _S.EXPIRED, _S.UNCONFIRMED}),
    _S.OPERATED: frozenset({_S.ACCEPTED, _S.CONFIRMED, _S.FAILED, _S.UNCONFIRMED, _S.RELEASED}),
    _S.ACCEPTED: frozenset({_S.CONFIRMED, _S.UNCONFIRMED, _S.RELEASED}),
    _S.CONFIRMED: frozenset({_S.EFFECTIVE, _S.UNCONFIRMED, _S.RELEASED}),
    _S.EFFECTIVE: frozenset({_S.RELEASED}),
    _S.UNCONFIRMED: frozenset({_S.CONFIRMED, _S.RELEASED}),
    _S.REFUSED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.FAILED: frozenset(),
    _S.RELEASED: frozenset(),
}
"""OPERATED may follow ADMITTED directly only where the protocol has no SELECT (OPC UA, SG-02).

OPERATED → FAILED: the device (or its server) answered the operate with a refusal, in its own word.
OPERATED → CONFIRMED without ACCEPTED: the answer was lost, but the feedback shows the value.
From ACCEPTED on nothing leads to FAILED: a device that said yes may hold the value.
"""


def may_follow(before: CommandState, after: CommandState) -> bool:
    """Whether `after` may follow `before`."""
    return after in TRANSITIONS[before]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One setpoint to one point; it always says what it expects to see.

    `value` in the point's unit; `expect_point` must come within `tolerance` of `value`.
    `lease_until_s` (grid time): when the device must be back at its default by itself.
    `default_value` is that default: what the field agent writes when the lease runs out.
    `effect_kw`: expected fall of the head's import.
    """

    mrid: str
    plan: str
    resource: str
    point: str
    value: float
    expect_point: str
    tolerance: float
    lease_until_s: float
    default_value: float
    effect_kw: float
    batch: int
