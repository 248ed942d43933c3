"""What is sent, and how an answer is judged: echo AND status AND IIN (G7)."""

from __future__ import annotations

import struct
from dataclasses import replace

import opendnp3 as o
import pytest

from gridctl.model.errors import Refusal
from gridctl.model.measurement import PointKind
from protocols.dnp3.codec import Binding, PointTable
from protocols.dnp3.controls import (
    STATUS,
    build,
    enabling,
    judge,
    lease,
    status_text,
)
from protocols.dnp3.exchange import Ending, Exchange, Stage
from protocols.dnp3.fragments import Fragment, Function, Iin
from protocols.dnp3.outputs import AO_FLOAT, Output
from protocols.driver import Result
from tests.contracts import driver_peer as bench
from tests.contracts.peer_dnp3 import WIRES

ROWS = {row.point.mrid: row for row in bench.bench_points("BENCH", WIRES)}
E = Ending


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


def analog_output(index: int, value: float) -> Output:
    made = AO_FLOAT.output(index, value, within=(value, value), slack=0.0)
    assert isinstance(made, Output)
    return made


SELECT = b"\x29\x03\x28\x01\x00\x0c\x00\x00\x00\x05\x42\x00"
"""g41v3 33.25 to index 12."""


def echo(status: int = 0, iin: int = 0, objects: bytes | None = None) -> Fragment:
    body = SELECT[:-1] + bytes((status,)) if objects is None else objects
    return Fragment(0xC3, Function.RESPONSE, iin, body)


def exchange(
    select: Fragment | None = None,
    operate: Fragment | None = None,
    *,
    stage: Stage | None = None,
    before: tuple[Output, ...] = (),
    after: tuple[Output, ...] = (),
) -> Exchange:
    """An exchange that has heard `select` and `operate`; `stage` ARMED: nothing left."""
    made = Exchange(
        output=analog_output(12, 33.25),
        before=before,
        after=after,
        aborted=lambda: False,
        stage_told=lambda _: None,
        expires_mono_s=100.0,
        select_window_s=2.5,
    )
    if stage is Stage.ARMED:
        return made
    left = made.next(3, 1.0)
    assert left is not None
    assert left.function == Function.SELECT
    if select is None:
        return made
    made.answered(select, 1.1)
    if operate is None and stage is not Stage.OPERATED:
        return made
    left = made.next(4, 1.2)
    assert left is not None
    assert left.function == Function.OPERATE
    assert left.objects == made.objects
    if operate is not None:
        made.answered(operate, 1.3)
    return made


def test_every_status_has_the_library_s_name_and_a_sentence() -> None:
    library = {int(m): n for n, m in o.CommandStatus.__members__.items()}  # type: ignore[attr-defined]
    assert {number: name for number, (name, _) in STATUS.items()} == library
    sentences = [sentence for _, sentence in STATUS.values()]
    assert len(set(sentences)) == len(sentences)
    assert all(len(s) > 20 and s.endswith(".") for s in sentences)
    assert status_text(77)[0] == "STATUS_77"


def test_everything_right_is_accepted() -> None:
    judged = judge(E.ANSWERED, exchange(echo(), echo()))
    assert (judged.result, judged.status) == (Result.ACCEPTED, "SUCCESS")
    assert not judged.broken


@pytest.mark.parametrize("status", sorted(STATUS))
def test_every_status_at_select_and_at_operate_is_a_refusal_with_its_sentence(status: int) -> None:
    if status == 0:
        return
    name, sentence = STATUS[status]
    for heard in (exchange(echo(status)), exchange(echo(), echo(status))):
        judged = judge(E.ANSWERED, heard)
        assert (judged.result, judged.status, judged.detail) == (Result.REJECTED, name, sentence)
        assert not judged.broken


@pytest.mark.parametrize(
    ("ending", "heard", "status"),
    [
        (E.ANSWERED, exchange(echo(77)), "STATUS_77"),
        (E.ANSWERED, exchange(echo(objects=b"")), "ECHO_MISMATCH"),
        (E.ANSWERED, exchange(echo(objects=SELECT + SELECT)), "ECHO_MISMATCH"),  # twice is not once
        (E.ANSWERED, exchange(echo(iin=Iin.PARAMETER_ERROR)), "IIN_ERROR"),
        (E.BUSY, exchange(stage=Stage.ARMED), "NOT_SENT"),
        (E.LINK_LOST, exchange(stage=Stage.ARMED), "NOT_SENT"),
        (None, exchange(stage=Stage.ARMED), "NOT_SENT"),
    ],
)
def test_rejected_only_when_nothing_can_have_been_operated(
    ending: Ending | None, heard: Exchange, status: str
) -> None:
    judged = judge(ending, heard)
    assert (judged.result, judged.status) == (Result.REJECTED, status)
    assert not judged.broken


ALTERED = SELECT[:6] + b"\x01" + SELECT[7:]


@pytest.mark.parametrize(
    ("ending", "heard", "status"),
    [
        (E.NO_ANSWER, exchange(), "RESPONSE_TIMEOUT"),
        (E.LINK_LOST, exchange(), "NO_COMMS"),
        (None, exchange(), "NO_ANSWER"),
        (E.LINK_LOST, exchange(echo()), "NO_COMMS"),
        (
            E.NO_ANSWER,
            exchange(echo(), stage=Stage.OPERATED),
            "RESPONSE_TIMEOUT",
        ),
        # yadnp3's summary says SUCCESS for each of these (G7).
        (E.ANSWERED, exchange(echo(), echo(objects=ALTERED)), "ECHO_MISMATCH"),
        (E.ANSWERED, exchange(echo(), echo(objects=b"")), "ECHO_MISMATCH"),
        (E.ANSWERED, exchange(echo(), echo(objects=SELECT + SELECT)), "ECHO_MISMATCH"),
        (E.ANSWERED, exchange(echo(), echo(iin=Iin.PARAMETER_ERROR)), "IIN_ERROR"),
        (E.ANSWERED, exchange(echo(), echo(iin=Iin.NO_FUNC_CODE_SUPPORT)), "IIN_ERROR"),
    ],
)
def test_everything_else_is_unknown_and_breaks_the_link(
    ending: Ending | None, heard: Exchange, status: str
) -> None:
    judged = judge(ending, heard)
    assert (judged.result, judged.status) == (Result.UNKNOWN, status)
    assert len(judged.detail) > 20
    assert judged.broken


def test_no_combination_but_one_is_accepted() -> None:
    accepted = [
        (code, iin)
        for code in range(256)
        for iin in (0, 0x100, 0x200, 0x400, 0x800)
        if judge(E.ANSWERED, exchange(echo(), echo(code, iin))).result is Result.ACCEPTED
    ]
    assert accepted == [(0, 0), (0, 0x800)]  # an overflow is no request error


def test_a_select_leaves_once_and_in_time() -> None:
    heard = exchange(stage=Stage.ARMED)
    assert heard.next(1, 101.0) is None
    assert heard.withheld == "the command's time was up"
    heard.aborted = lambda: True
    assert heard.next(1, 1.0) is None
    assert heard.stopped
    heard = exchange(stage=Stage.ARMED)
    first = heard.next(1, 1.0)
    assert first is not None
    assert (first.function, first.objects, first.sequence) == (Function.SELECT, SELECT, 1)
    assert heard.next(2, 1.0) is None


def test_operate_leaves_only_after_its_own_echoed_select_and_in_time() -> None:
    for heard in (
        exchange(),
        exchange(echo(7)),
        exchange(echo(iin=Iin.OBJECT_UNKNOWN)),
        exchange(echo(objects=ALTERED)),
        exchange(echo()._replace(control=0x83)),  # more would follow
        exchange(echo(), echo()),  # once is enough
    ):
        assert heard.next(5, 1.2) is None
    assert exchange(echo()).next(5, 3.6) is None
    closed = exchange(echo())
    closed.closed = True
    assert closed.next(5, 1.2) is None
    operate = exchange(echo()).next(5, 3.4)
    assert operate is not None
    assert (operate.function, operate.objects) == (Function.OPERATE, SELECT)


def test_a_setpoint_goes_out_in_wire_units() -> None:
    output = build(binding(scale=2.0, offset=10.0), 33.0)
    assert isinstance(output, Output)
    assert output.octets == struct.pack("<f", 11.5)


@pytest.mark.parametrize("value", [-100.1, 100.1, float("nan"), float("inf")])
def test_a_value_outside_the_limits_is_never_built(value: float) -> None:
    built = build(binding(), value)
    assert isinstance(built, Refusal)
    assert built.code == "OUT_OF_LIMITS"


def test_without_limits_nothing_is_built() -> None:
    assert isinstance(build(binding(min_value=None), 0.0), Refusal)


def test_a_latch_is_on_or_off_and_nothing_between() -> None:
    for value, kind in ((1.0, o.OperationType.LATCH_ON), (0.0, o.OperationType.LATCH_OFF)):
        output = build(binding(PointKind.CONTROL), value)
        assert isinstance(output, Output)
        assert (output.group, output.variation, output.octets[0]) == (12, 1, int(kind))
    assert isinstance(build(binding(PointKind.CONTROL), 0.5), Refusal)


@pytest.mark.parametrize(
    ("command", "variation"),
    [("ao-int32", 1), ("ao-int16", 2), ("ao-float", 3), ("ao-double", 4)],
)
def test_the_points_file_chooses_the_variation(command: str, variation: int) -> None:
    output = build(binding(command=command), 33.0)
    assert isinstance(output, Output)
    assert (output.group, output.variation) == (41, variation)
    timeout = lease(binding(command=command), 89.7)
    assert isinstance(timeout, Output)
    assert (timeout.variation, timeout.role) == (output.variation, "lease")


def test_a_lease_in_whole_seconds_is_never_longer_than_what_is_left() -> None:
    for left_s, told in ((1.0, 1), (1.9, 1), (600.0, 600), (599.999, 599)):
        output = lease(binding(command="ao-int32"), left_s)
        assert isinstance(output, Output)
        assert struct.unpack("<i", output.octets) == (told,)
    assert isinstance(lease(binding(command="ao-int16"), 40_000.0), Refusal)


LEASE = replace(analog_output(70, 600.0), role="lease")


def enable() -> Output:
    made = enabling(binding(enable="12:17"))
    assert made is not None
    return made


ENABLE = enable()
TOGETHER = LEASE.object() + SELECT + ENABLE.object()


def several(*statuses: int) -> Fragment:
    """The echo of lease, setpoint and enabling output, with these statuses."""
    one, two, three = (
        part[:-1] + bytes((status,))
        for part, status in zip((LEASE.object(), SELECT, ENABLE.object()), statuses, strict=True)
    )
    return Fragment(0xC3, Function.RESPONSE, 0, one + two + three)


@pytest.mark.parametrize(
    ("select", "operate", "result", "status"),
    [
        ((0, 0, 0), (0, 0, 0), Result.ACCEPTED, "SUCCESS"),
        ((4, 0, 0), None, Result.REJECTED, "NOT_SUPPORTED"),
        ((0, 0, 7), None, Result.REJECTED, "LOCAL"),
        ((0, 0, 0), (0, 12, 7), Result.REJECTED, "OUT_OF_RANGE"),
        ((0, 0, 0), (6, 6, 6), Result.REJECTED, "HARDWARE_ERROR"),
        # A setpoint in force without its dead-man, and an old one that was enabled.
        ((0, 0, 0), (6, 0, 0), Result.UNKNOWN, "HARDWARE_ERROR"),
        ((0, 0, 0), (0, 12, 0), Result.UNKNOWN, "OUT_OF_RANGE"),
    ],
)
def test_of_several_outputs_each_status_counts(
    select: tuple[int, ...], operate: tuple[int, ...] | None, result: Result, status: str
) -> None:
    heard = exchange(
        several(*select),
        None if operate is None else several(*operate),
        before=(LEASE,),
        after=(ENABLE,),
    )
    assert heard.objects == TOGETHER
    judged = judge(E.ANSWERED, heard)
    assert (judged.result, judged.status) == (result, status)
    if result is not Result.ACCEPTED:
        refused = (operate or select).index(next(s for s in operate or select if s))
        assert f"the {heard.outputs[refused].role}: " in judged.detail


def test_several_outputs_with_one_altered_are_no_echo() -> None:
    for at in range(len(TOGETHER)):
        answer = bytearray(TOGETHER)
        answer[at] ^= 0x80
        heard = exchange(echo(objects=bytes(answer)), before=(LEASE,), after=(ENABLE,))
        assert heard.select_answer is not None
        assert not heard.select_answer.clean, at  # bit 7 of a status is reserved
    assert judge(E.ANSWERED, exchange(echo(), before=(LEASE,))).status == "ECHO_MISMATCH"
