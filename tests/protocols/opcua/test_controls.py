"""What each answer of a server to a command means: never a guess, never a retry.

A scripted session gives the answers that a well-behaved server cannot be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from gridctl.model.clock import ManualClock
from gridctl.model.command import Command, CommandState
from gridctl.model.measurement import Point, PointKind
from gridctl.model.quantity import Phase, Unit
from protocols.driver import Execution, PointAddress, Result
from protocols.opcua import controls
from protocols.opcua.addresses import NodeAddress, Target
from protocols.opcua.controls import Operation
from protocols.opcua.session import Session
from protocols.opcua.statuses import sentence
from protocols.opcua.wire import Sample, decode_read

NOW_S = 5_000.0
HERE = NodeAddress(namespace="urn:x", identifier="A")
LEASE = NodeAddress(namespace="urn:x", identifier="A.Lease")
ROW = PointAddress(
    point=Point(
        mrid="A",
        name="A",
        equipment="E",
        kind=PointKind.SETPOINT,
        unit=Unit.KW,
        phase=Phase.NONE,
        scan_s=1.0,
    ),
    link="DER",
    address="nsu=urn:x;s=A",
    command="write",
    lease="",
    scale=0.001,
    offset=0.0,
    deadband=0.0,
    min_value=-100.0,
    max_value=100.0,
    file="points.csv",
    line=2,
)
WRITE = Target(row=ROW, node=HERE, commandable=True, method="", lease=None)
LEASED = replace(WRITE, lease=LEASE)
METHOD = replace(WRITE, method="SetWMax")
COMMAND = Command(
    mrid="cmd-1",
    plan="p",
    resource="r",
    point="A",
    value=42.0,
    expect_point="A.fb",
    tolerance=0.5,
    lease_until_s=NOW_S + 300.0,
    default_value=0.0,
    effect_kw=0.0,
    batch=0,
)

Answer = int | BaseException


@dataclass(slots=True)
class ScriptedSession:
    """Answers as told and writes down what left."""

    shown: list[ua.DataValue | BaseException] = field(default_factory=list)
    write_answers: list[Answer] = field(default_factory=list)
    call_answer: Answer = StatusCodes.Good
    has_method: bool = True
    knows_namespace: bool = True
    is_lost: bool = False
    sent: list[tuple[str, Any]] = field(default_factory=list)

    def node(self, address: NodeAddress) -> ua.NodeId | None:
        if not self.knows_namespace:
            return None
        return ua.NodeId(ua.String(str(address.identifier)), ua.Int16(2))

    async def read(self, nodes: Sequence[ua.NodeId]) -> list[Sample]:
        answer = self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]
        if isinstance(answer, BaseException):
            raise answer
        return decode_read(struct_to_binary(ua.ReadResponse(Results=[answer] * len(nodes))))

    async def write(self, node: ua.NodeId, value: ua.DataValue) -> int:
        assert value.Value is not None
        self.sent.append((str(node.Identifier), value.Value.Value))
        return _given(self.write_answers.pop(0))

    async def call(
        self, parent: ua.NodeId, method: ua.NodeId, arguments: Sequence[ua.Variant]
    ) -> int:
        self.sent.append((str(method.Identifier), tuple(one.Value for one in arguments)))
        return _given(self.call_answer)

    async def find_method(
        self, address: NodeAddress, name: str
    ) -> tuple[ua.NodeId, ua.NodeId] | None:
        if not self.has_method:
            return None
        return ua.NodeId(ua.String("E"), ua.Int16(2)), ua.NodeId(ua.String(name), ua.Int16(2))


def _fault(code: int) -> UaStatusCodeError:
    return UaStatusCodeError(code)  # type: ignore[no-untyped-call]  # asyncua does not annotate it


def _given(answer: Answer) -> int:
    if isinstance(answer, BaseException):
        raise answer
    return answer


def showing(watts: float, code: int = StatusCodes.Good) -> ua.DataValue:
    return ua.DataValue(
        ua.Variant(watts, ua.VariantType.Double), StatusCode=ua.StatusCode(ua.UInt32(code))
    )


async def run(
    session: ScriptedSession,
    target: Target,
    *,
    command: Command = COMMAND,
    aborted: Callable[[], bool] = lambda: False,
) -> tuple[Execution, list[CommandState]]:
    stages: list[CommandState] = []
    operation = Operation(
        session=cast(Session, session),
        target=target,
        command=command,
        aborted=aborted,
        stage=stages.append,
        clock=ManualClock(grid_s=NOW_S, mono_s=0.0),
    )
    return await operation.run(), stages


@pytest.fixture(autouse=True)
def short_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "READ_BACK_S", 0.0)  # ManualClock stands still


async def test_write_is_read_back() -> None:
    session = ScriptedSession([showing(0.0), showing(42_000.4)], [StatusCodes.Good])
    execution, stages = await run(session, WRITE)
    assert execution.result is Result.ACCEPTED
    assert session.sent == [("A", 42_000.0)]  # 0.001 kW per count
    assert stages == [CommandState.OPERATED]


async def test_write_that_reads_back_differently_is_unknown() -> None:
    session = ScriptedSession([showing(0.0), showing(41_000.0)], [StatusCodes.Good])
    execution, _ = await run(session, WRITE)
    assert (execution.result, execution.status) == (Result.UNKNOWN, "READ_BACK")
    assert "41 kW instead of 42" in execution.detail


async def test_lease_is_written_right_before_the_setpoint() -> None:
    session = ScriptedSession(
        [showing(0.0), showing(42_000.0)], [StatusCodes.Good, StatusCodes.Good]
    )
    execution, _ = await run(session, LEASED)
    assert execution.result is Result.ACCEPTED
    assert session.sent == [("A.Lease", 300.0), ("A", 42_000.0)]


@pytest.mark.parametrize("answer", [StatusCodes.BadOutOfRange, TimeoutError()])
async def test_without_its_lease_no_setpoint_leaves(answer: Answer) -> None:
    session = ScriptedSession([showing(0.0)], [answer])
    execution, stages = await run(session, LEASED)
    assert execution.result is not Result.ACCEPTED
    assert "no setpoint was sent" in execution.detail
    assert [name for name, _ in session.sent] == ["A.Lease"]
    assert stages == []


@pytest.mark.parametrize("target", [LEASED, METHOD])
async def test_a_lease_that_is_over_is_not_sent(target: Target) -> None:
    session = ScriptedSession([showing(0.0)])
    late = replace(COMMAND, lease_until_s=NOW_S - 1.0)
    execution, _ = await run(session, target, command=late)
    assert (execution.result, execution.status) == (Result.REJECTED, "LEASE_OVER")
    assert session.sent == []


@pytest.mark.parametrize("target", [LEASED, METHOD])
async def test_going_home_is_allowed_after_the_lease(target: Target) -> None:
    home = replace(COMMAND, lease_until_s=NOW_S - 1.0, value=COMMAND.default_value)
    session = ScriptedSession([showing(0.0)], [StatusCodes.Good, StatusCodes.Good])
    execution, _ = await run(session, target, command=home)
    assert session.sent != []
    assert execution.status != "LEASE_OVER"


async def test_method_carries_value_id_and_end_of_the_lease() -> None:
    session = ScriptedSession([showing(0.0)])
    execution, stages = await run(session, METHOD)
    assert execution.result is Result.ACCEPTED
    ((name, (value, command_id, until)),) = session.sent
    assert (name, value, command_id) == ("SetWMax", 42_000.0, "cmd-1")
    assert until.timestamp() == NOW_S + 300.0
    assert stages == [CommandState.OPERATED]


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("BadOutOfRange", Result.REJECTED),
        ("BadUserAccessDenied", Result.REJECTED),
        ("BadNotSupported", Result.REJECTED),
        ("BadInvalidTimestamp", Result.REJECTED),
        ("BadEntryExists", Result.REJECTED),
        ("BadTimeout", Result.UNKNOWN),
        ("BadCommunicationError", Result.UNKNOWN),
        ("BadUnexpectedError", Result.UNKNOWN),
        ("UncertainDependentValueChanged", Result.ACCEPTED),
        ("GoodClamped", Result.ACCEPTED),
    ],
)
async def test_status_of_a_method_is_judged(name: str, result: Result) -> None:
    session = ScriptedSession([showing(0.0)], call_answer=getattr(StatusCodes, name))
    execution, _ = await run(session, METHOD)
    assert (execution.result, execution.status) == (result, name)
    assert len(execution.detail) > 20
    assert len(session.sent) == 1


@pytest.mark.parametrize(
    ("error", "result", "status"),
    [
        (TimeoutError(), Result.UNKNOWN, "TIMEOUT"),
        (ConnectionError("gone"), Result.UNKNOWN, "CONNECTION_LOST"),
        (_fault(StatusCodes.BadTcpInternalError), Result.UNKNOWN, "CONNECTION_LOST"),
        (_fault(StatusCodes.BadTimeout), Result.UNKNOWN, "CONNECTION_LOST"),
        (
            _fault(StatusCodes.BadSessionIdInvalid),
            Result.REJECTED,
            "BadSessionIdInvalid",
        ),
    ],
)
@pytest.mark.parametrize("target", [WRITE, METHOD])
async def test_no_answer_is_unknown_and_not_sent_again(
    target: Target, error: BaseException, result: Result, status: str
) -> None:
    session = ScriptedSession([showing(0.0)], [error], call_answer=error)
    execution, stages = await run(session, target)
    assert (execution.result, execution.status) == (result, status)
    assert stages == [CommandState.OPERATED]
    assert len(session.sent) == 1


@pytest.mark.parametrize("target", [WRITE, LEASED, METHOD])
async def test_aborted_sends_nothing(target: Target) -> None:
    session = ScriptedSession([showing(0.0)])
    execution, stages = await run(session, target, aborted=lambda: True)
    assert execution.result is Result.ABORTED
    assert (session.sent, stages) == ([], [])


async def test_stop_between_lease_and_setpoint_holds_the_setpoint_back() -> None:
    session = ScriptedSession([showing(0.0)], [StatusCodes.Good])
    execution, stages = await run(session, LEASED, aborted=lambda: bool(session.sent))
    assert execution.result is Result.ABORTED
    assert ([name for name, _ in session.sent], stages) == (["A.Lease"], [])


@pytest.mark.parametrize("target", [WRITE, METHOD])
async def test_a_point_without_a_value_takes_no_command(target: Target) -> None:
    session = ScriptedSession([showing(0.0, StatusCodes.BadNotConnected)])
    execution, stages = await run(session, target)
    assert (execution.result, execution.status) == (Result.REJECTED, "BadNotConnected")
    assert (session.sent, stages) == ([], [])


@pytest.mark.parametrize("value", [100.5, -101.0, float("nan"), float("inf")])
async def test_a_value_outside_the_points_file_never_leaves(value: float) -> None:
    session = ScriptedSession([showing(0.0)])
    execution, _ = await run(session, WRITE, command=replace(COMMAND, value=value))
    assert (execution.result, execution.status) == (Result.REJECTED, "OUT_OF_RANGE")
    assert session.sent == []


async def test_integer_node_takes_no_fraction() -> None:
    session = ScriptedSession([ua.DataValue(ua.Variant(0, ua.VariantType.Int32))])
    command = replace(COMMAND, value=42.0005)
    execution, _ = await run(session, WRITE, command=command)
    assert (execution.result, execution.status) == (Result.REJECTED, "BadTypeMismatch")
    assert session.sent == []


async def test_missing_method_and_namespace_are_refused() -> None:
    no_method = ScriptedSession([showing(0.0)], has_method=False)
    assert (await run(no_method, METHOD))[0].status == "BadMethodInvalid"
    no_namespace = ScriptedSession([showing(0.0)], knows_namespace=False)
    assert (await run(no_namespace, WRITE))[0].status == "BadNodeIdUnknown"


def test_every_status_has_a_sentence() -> None:
    assert "outside its range" in sentence("BadOutOfRange")
    assert sentence("BadTicketInvalid").startswith("the server answers BadTicketInvalid: ")
