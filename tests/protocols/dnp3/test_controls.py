"""What is sent, and how an answer is judged: state AND status AND echo, never the summary (G7)."""

from __future__ import annotations

from dataclasses import replace

import opendnp3 as o
import pytest

from gridctl.model.errors import Refusal
from gridctl.model.measurement import PointKind
from protocols.dnp3.codec import Binding, PointTable
from protocols.dnp3.controls import (
    STATUS,
    Completion,
    Phase,
    PointState,
    Reply,
    build,
    judge,
    status_text,
)
from protocols.driver import Result
from tests.contracts import driver_peer as bench
from tests.contracts.peer_dnp3 import WIRES

ROWS = {row.point.mrid: row for row in bench.bench_points("BENCH", WIRES)}
S, C = PointState, Completion


def binding(kind: PointKind = PointKind.SETPOINT, **changes: object) -> Binding:
    row = replace(ROWS[bench.SETPOINT], **changes)  # type: ignore[arg-type]
    if kind is PointKind.CONTROL:
        row = replace(
            row,
            point=replace(row.point, kind=kind),
            address="12:1",
            command="crob-latch",
            lease="",
        )
    return PointTable([row]).by_mrid[bench.SETPOINT]


def reply(
    summary: int = C.SUCCESS,
    state: int = S.SUCCESS,
    status: int = 0,
    index: int = 12,
    iin2: int = 0,
) -> Reply:
    return Reply(summary=summary, points=((index, state, status),), iin2=iin2)


def test_our_numbers_are_the_library_s() -> None:
    assert {s.name: s.value for s in PointState} == {
        name: int(member)
        for name, member in o.CommandPointState.__members__.items()  # type: ignore[attr-defined]
    }
    assert {c.name: c.value for c in Completion} == {
        name.removeprefix("FAILURE_"): int(member)
        for name, member in o.TaskCompletion.__members__.items()  # type: ignore[attr-defined]
    }


def test_every_status_has_the_library_s_name_and_a_sentence() -> None:
    library = {int(m): n for n, m in o.CommandStatus.__members__.items()}  # type: ignore[attr-defined]
    assert {number: name for number, (name, _) in STATUS.items()} == library
    sentences = [sentence for _, sentence in STATUS.values()]
    assert len(set(sentences)) == len(sentences)
    assert all(len(s) > 20 and s.endswith(".") for s in sentences)
    assert status_text(77)[0] == "STATUS_77"


def test_everything_right_is_accepted() -> None:
    judged = judge(reply(), 12)
    assert (judged.result, judged.status, judged.phase) == (Result.ACCEPTED, "SUCCESS", Phase.DONE)
    assert not judged.broken


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (reply(state=S.SELECT_FAIL, status=7), "LOCAL"),
        (reply(state=S.SELECT_FAIL, status=12), "OUT_OF_RANGE"),
        (reply(state=S.OPERATE_FAIL, status=1), "TIMEOUT"),
        (reply(state=S.OPERATE_FAIL, status=17), "BLOCKED_OTHER_MASTER"),
        (reply(state=S.SELECT_FAIL, status=77), "STATUS_77"),
        (reply(state=S.SELECT_MISMATCH), "ECHO_MISMATCH"),
        (reply(summary=C.START_TIMEOUT, state=S.INIT), "NOT_SENT"),
        (reply(summary=C.MESSAGE_FORMAT_ERROR, state=S.INIT), "NOT_SENT"),
    ],
)
def test_rejected_only_when_nothing_can_have_been_operated(answer: Reply, status: str) -> None:
    judged = judge(answer, 12)
    assert (judged.result, judged.status) == (Result.REJECTED, status)
    assert not judged.broken


@pytest.mark.parametrize(
    ("answer", "status", "phase"),
    [
        (reply(status=7), "ECHO_MISMATCH", Phase.OPERATE_UNANSWERED),  # G7: summary is SUCCESS
        (reply(state=S.OPERATE_FAIL, status=127), "ECHO_MISMATCH", Phase.OPERATE_UNANSWERED),
        (reply(index=13), "ECHO_MISMATCH", Phase.OPERATE_UNANSWERED),
        (reply(state=S.SELECT_SUCCESS), "ECHO_MISMATCH", Phase.OPERATE_UNANSWERED),
        (reply(state=S.SELECT_FAIL), "ECHO_MISMATCH", Phase.OPERATE_UNANSWERED),
        (reply(state=S.INIT), "ECHO_MISMATCH", Phase.SELECT_UNANSWERED),
        (reply(state=99), "ECHO_MISMATCH", Phase.OPERATE_UNANSWERED),
        (reply(iin2=0x04), "IIN_ERROR", Phase.OPERATE_UNANSWERED),  # clean echo, IIN2.2 set
        (reply(iin2=0x01), "IIN_ERROR", Phase.OPERATE_UNANSWERED),
        (reply(C.RESPONSE_TIMEOUT, S.INIT), "RESPONSE_TIMEOUT", Phase.SELECT_UNANSWERED),
        (reply(C.RESPONSE_TIMEOUT, S.SELECT_SUCCESS), "RESPONSE_TIMEOUT", Phase.OPERATE_UNANSWERED),
        (reply(C.NO_COMMS, S.SELECT_SUCCESS), "NO_COMMS", Phase.OPERATE_UNANSWERED),
        (reply(C.BAD_RESPONSE, S.SUCCESS), "BAD_RESPONSE", Phase.OPERATE_UNANSWERED),
        (reply(200, S.SUCCESS), "TASK_200", Phase.OPERATE_UNANSWERED),
        (Reply(summary=0, points=(), iin2=0), "ECHO_MISMATCH", Phase.OPERATE_UNANSWERED),
        (Reply(summary=255, points=(), iin2=0), "NO_COMMS", Phase.OPERATE_UNANSWERED),
        (
            Reply(summary=0, points=((12, 5, 0), (12, 5, 0)), iin2=0),
            "ECHO_MISMATCH",
            Phase.OPERATE_UNANSWERED,
        ),
    ],
)
def test_all_else_is_unknown_and_breaks_the_link(answer: Reply, status: str, phase: Phase) -> None:
    judged = judge(answer, 12)
    assert (judged.result, judged.status, judged.phase) == (Result.UNKNOWN, status, phase)
    assert judged.broken


def test_no_combination_but_one_is_accepted() -> None:
    accepted = [
        (summary, state, status, iin2)
        for summary in (0, 1, 2, 3, 4, 5, 6, 7, 255)
        for state in range(7)
        for status in (*STATUS, 99)
        for iin2 in (0, 1, 2, 4, 8)
        if judge(reply(summary, state, status, iin2=iin2), 12).result is Result.ACCEPTED
    ]
    assert accepted == [(0, 5, 0, 0), (0, 5, 0, 8)]  # IIN2.3, event overflow, is no request error


def test_a_setpoint_goes_out_in_wire_units() -> None:
    wire = build(binding(scale=2.0, offset=10.0), 33.0)
    assert isinstance(wire, o.AnalogOutputFloat32)
    assert wire.value == pytest.approx(11.5)


@pytest.mark.parametrize("value", [-100.1, 100.1, float("nan"), float("inf")])
def test_a_value_outside_the_limits_is_never_built(value: float) -> None:
    built = build(binding(), value)
    assert isinstance(built, Refusal)
    assert built.code == "OUT_OF_LIMITS"


def test_without_limits_nothing_is_built() -> None:
    assert isinstance(build(binding(min_value=None), 0.0), Refusal)


def test_a_latch_is_on_or_off_and_nothing_between() -> None:
    on, off = build(binding(PointKind.CONTROL), 1.0), build(binding(PointKind.CONTROL), 0.0)
    assert isinstance(on, o.ControlRelayOutputBlock)
    assert isinstance(off, o.ControlRelayOutputBlock)
    assert (int(on.opType), int(off.opType)) == (
        int(o.OperationType.LATCH_ON),
        int(o.OperationType.LATCH_OFF),
    )
    assert isinstance(build(binding(PointKind.CONTROL), 0.5), Refusal)
