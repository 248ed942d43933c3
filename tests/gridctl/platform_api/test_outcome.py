"""Each word of an outcome, and what leads to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.model.command import CommandState
from gridctl.model.plan import PlanState
from gridctl.model.record import CommandRow
from gridctl.openadr.wire import ReportRequest
from gridctl.platform_api.outcome import Asked, Word, answered, of_device, of_plans, of_reports
from tests.gridctl.store.examples import command

S = CommandState
ASKED = Asked(answer="", answered_s=None, acknowledge_by_s=100.0)


def row(*states: CommandState, measured_kw: float | None = None) -> CommandRow:
    return CommandRow(
        command=command(),
        order="O-1",
        state=states[-1],
        status="TIMEOUT",
        detail="no answer to the operate",
        history=tuple((state, 1.0, "", "") for state in states),
        measured_kw=measured_kw,
    )


@pytest.mark.parametrize(
    ("rows", "is_over", "word"),
    [
        ([], False, Word.PENDING),
        ([], True, Word.UNVERIFIED),
        ([row(S.PROPOSED)], False, Word.PENDING),
        ([row(S.ORDERED, S.REFUSED)], True, Word.REJECTED),
        ([row(S.OPERATED, S.FAILED)], True, Word.REJECTED),
        ([row(S.APPROVED, S.EXPIRED)], True, Word.REJECTED),
        ([row(S.OPERATED, S.UNCONFIRMED)], True, Word.NO_RESPONSE),
        ([row(S.ACCEPTED, S.CONFIRMED)], True, Word.UNVERIFIED),
        ([row(S.CONFIRMED, S.EFFECTIVE, measured_kw=41.0)], False, Word.TOOK_PART),
        ([row(S.CONFIRMED, S.RELEASED, measured_kw=41.0)], True, Word.TOOK_PART),
        ([row(S.CONFIRMED, S.UNCONFIRMED, measured_kw=2.0)], True, Word.UNVERIFIED),
        ([row(S.CONFIRMED, S.RELEASED, measured_kw=41.0), row(S.FAILED)], True, Word.TOOK_PART),
    ],
)
def test_a_device(rows: list[CommandRow], *, is_over: bool, word: Word) -> None:
    found = of_device(rows, is_over=is_over)
    assert found.word is word
    assert found.detail


@pytest.mark.parametrize(
    ("states", "is_over", "word"),
    [
        ([], False, Word.PENDING),
        ([], True, Word.REJECTED),
        ([PlanState.PROPOSED], False, Word.PENDING),
        ([PlanState.PARTIAL], True, Word.PENDING),
        ([PlanState.REJECTED], False, Word.REJECTED),
        ([PlanState.REJECTED, PlanState.PROPOSED], False, Word.PENDING),
        ([PlanState.VOID], True, Word.REJECTED),
        ([PlanState.REJECTED, PlanState.ACTIVE], False, None),
        ([PlanState.COMPLETED], True, None),
        ([PlanState.STOPPED], True, None),
    ],
)
def test_a_plan(states: list[PlanState], *, is_over: bool, word: Word | None) -> None:
    found = of_plans([(state, "too much for the mill") for state in states], is_over=is_over)
    assert (None if found is None else found.word) is word


def test_who_declines_beforehand_and_who_withdraws() -> None:
    assert answered(ASKED, start_s=10.0) is None
    assert answered(replace(ASKED, answer="opt_in"), start_s=10.0) is None
    no = replace(ASKED, answer="opt_out", reason="the pump")
    early = answered(replace(no, answered_s=9.0), start_s=10.0)
    late = answered(replace(no, answered_s=11.0), start_s=10.0)
    assert early is not None
    assert (early.word, early.detail) == (
        Word.REJECTED,
        "declined by the participant: the pump",
    )
    assert late is not None
    assert (late.word, late.detail) == (Word.OVERRIDDEN, "withdrew while it ran: the pump")


def report(*payloads: tuple[str, object], name: str = "rink") -> ReportRequest:
    interval = {"id": 0, "payloads": [{"type": t, "values": [v]} for t, v in payloads]}
    return ReportRequest.model_validate(
        {
            "eventID": "e",
            "clientName": "site",
            "resources": [{"resourceName": name, "intervals": [interval]}],
        }
    )


METERED = report(("READING", 12.0))
BAD = report(("READING", 12.0), ("DATA_QUALITY", "BAD"))
OUT = report(("OPERATING_STATE", "RUNNING_OPTED_OUT"))
STATE = report(("OPERATING_STATE", "NORMAL"))
OTHER = report(("READING", 12.0), name="mill")


@pytest.mark.parametrize(
    ("reports", "answer", "now_s", "is_over", "word"),
    [
        ([], "", 50.0, False, Word.PENDING),
        ([], "", 150.0, False, Word.NO_RESPONSE),
        ([], "", 50.0, True, Word.NO_RESPONSE),
        ([], "opt_in", 150.0, False, Word.PENDING),
        ([], "opt_in", 150.0, True, Word.UNVERIFIED),
        ([STATE], "", 150.0, True, Word.UNVERIFIED),
        ([METERED], "", 50.0, False, Word.TOOK_PART),
        ([BAD], "", 50.0, False, Word.UNVERIFIED),
        ([BAD, METERED], "", 50.0, False, Word.TOOK_PART),
        ([METERED, OUT], "opt_in", 50.0, False, Word.OVERRIDDEN),
        ([OTHER], "", 150.0, True, Word.NO_RESPONSE),
    ],
)
def test_a_ven(
    reports: list[ReportRequest], answer: str, now_s: float, *, is_over: bool, word: Word
) -> None:
    asked = replace(ASKED, answer=answer)
    found = of_reports(reports, "rink", asked=asked, now_s=now_s, is_over=is_over)
    assert found.word is word
