"""What came of a dispatch, for each who was asked: one word and why. Pure.

took_part, overridden (withdrew while it ran), no_response, rejected (by the operator, by the
device, or declined beforehand), unverified (it is said, nothing shows it), pending.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gridctl.model.command import CommandState
from gridctl.model.plan import PlanState
from gridctl.model.record import CommandRow
from gridctl.openadr.wire import Interval, ReportRequest


class Word(StrEnum):
    """The outcome in one word."""

    PENDING = "pending"
    TOOK_PART = "took_part"
    OVERRIDDEN = "overridden"
    NO_RESPONSE = "no_response"
    REJECTED = "rejected"
    UNVERIFIED = "unverified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The word, and why in words."""

    word: Word
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a participant answered: `answer` "", "opt_in" or "opt_out"; times in grid seconds."""

    answer: str
    answered_s: float | None
    acknowledge_by_s: float
    reason: str = ""


METERED = frozenset({"READING", "USAGE", "DEMAND", "DELTA_USAGE"})
_HELD = frozenset({CommandState.CONFIRMED, CommandState.EFFECTIVE, CommandState.RELEASED})
_REFUSED = frozenset({CommandState.REFUSED, CommandState.FAILED, CommandState.EXPIRED})
_ALIVE = frozenset({PlanState.PROPOSED, PlanState.PARTIAL, PlanState.APPROVED, PlanState.ACTIVE})


def answered(asked: Asked, *, start_s: float) -> Outcome | None:
    """What follows from the answer alone; None: it stands in nobody's way."""
    if asked.answer == "opt_out":
        before = asked.answered_s is None or asked.answered_s < start_s
        why = f": {asked.reason}" if asked.reason else ""
        if before:
            return Outcome(word=Word.REJECTED, detail=f"declined by the participant{why}")
        return Outcome(word=Word.OVERRIDDEN, detail=f"withdrew while it ran{why}")
    return None


def of_plans(states: Sequence[tuple[PlanState, str]], *, is_over: bool) -> Outcome | None:
    """What follows from the plans (state, reason), oldest first; None: one was carried out."""
    if any(
        state in (PlanState.ACTIVE, PlanState.COMPLETED, PlanState.STOPPED) for state, _ in states
    ):
        return None
    if any(state in _ALIVE for state, _ in states):
        return Outcome(word=Word.PENDING, detail="a plan waits for approval")
    rejected = [reason for state, reason in states if state is PlanState.REJECTED]
    if rejected:
        return Outcome(word=Word.REJECTED, detail=f"the operator rejected the plan: {rejected[-1]}")
    if not is_over:
        return Outcome(word=Word.PENDING, detail="there is no plan yet")
    return Outcome(word=Word.REJECTED, detail="no plan was approved in time")


def of_device(rows: Sequence[CommandRow], *, is_over: bool) -> Outcome:
    """What a field device did, by its commands of the plans that answer."""
    if not rows:
        if not is_over:
            return Outcome(word=Word.PENDING, detail="nothing was asked of it yet")
        return Outcome(word=Word.UNVERIFIED, detail="no plan needed it: nothing was asked of it")
    held = [row for row in rows if {row.state, *(h[0] for h in row.history)} & _HELD]
    if held and all(row.state is CommandState.UNCONFIRMED for row in held):
        return Outcome(
            word=Word.UNVERIFIED,
            detail="confirmed by the device, and the feeder did not show what was promised",
        )
    if held:
        measured = [row.measured_kw for row in held if row.measured_kw is not None]
        if measured:
            return Outcome(word=Word.TOOK_PART, detail=f"confirmed; measured {measured[-1]:.1f} kW")
        return Outcome(word=Word.UNVERIFIED, detail="confirmed by the device, not measured")
    last = rows[-1]
    told = f"{last.status}: {last.detail}".strip(": ")
    if last.state in _REFUSED:
        return Outcome(word=Word.REJECTED, detail=f"the device did not take it: {told}")
    if last.state is CommandState.UNCONFIRMED:
        return Outcome(word=Word.NO_RESPONSE, detail=f"the device did not answer: {told}")
    return Outcome(word=Word.PENDING, detail=f"the command is {last.state}")


def of_reports(
    reports: Iterable[ReportRequest], resource_name: str | None, *, asked: Asked, now_s: float,
    is_over: bool,
) -> Outcome:  # fmt: skip
    """What a VEN says of its resource (None: of any)."""
    intervals = [
        interval
        for report in reports
        for part in report.resources
        if resource_name is None or part.resource_name == resource_name
        for interval in part.intervals
    ]
    if any(_opted_out(interval) for interval in intervals):
        return Outcome(word=Word.OVERRIDDEN, detail="the VEN reports that it has opted out")
    metered = [interval for interval in intervals if _types(interval) & METERED]
    good = [interval for interval in metered if not _is_bad(interval)]
    if good:
        return Outcome(word=Word.TOOK_PART, detail=f"{len(good)} metered intervals were reported")
    if metered:
        return Outcome(word=Word.UNVERIFIED, detail="what was reported is marked bad or missing")
    if asked.answer == "opt_in" or intervals:
        word = Word.UNVERIFIED if is_over else Word.PENDING
        return Outcome(word=word, detail="it agreed; nothing metered was reported")
    if now_s <= asked.acknowledge_by_s and not is_over:
        return Outcome(word=Word.PENDING, detail="it has not answered yet")
    return Outcome(word=Word.NO_RESPONSE, detail="no answer in time, and no report")


def _types(interval: Interval) -> set[str]:
    return {payload.type for payload in interval.payloads}


def _opted_out(interval: Interval) -> bool:
    return any(
        payload.type == "OPERATING_STATE"
        and any(str(value).endswith("OPTED_OUT") for value in payload.values)
        for payload in interval.payloads
    )


def _is_bad(interval: Interval) -> bool:
    return any(
        payload.type == "DATA_QUALITY"
        and any(value in ("BAD", "MISSING") for value in payload.values)
        for payload in interval.payloads
    )
