"""Commands: what is sent, and what an answer means.

A command is judged by each point's state AND status; the task's summary alone says SUCCESS for
refused points and altered echoes (dnp3.md G7). IIN2 request errors with a clean echo are not
believed either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TypeAlias

import opendnp3 as o

from gridctl.model.errors import Refusal
from gridctl.model.measurement import PointKind
from protocols.dnp3.codec import Binding
from protocols.driver import Result

Wire: TypeAlias = o.AnalogOutputFloat32 | o.ControlRelayOutputBlock

FLOAT32_MAX = 3.4028234663852886e38
IIN2_REQUEST_ERRORS = 0x07
"""IIN2.0 function not supported, IIN2.1 object unknown, IIN2.2 parameter error."""

STATUS: Mapping[int, tuple[str, str]] = {
    0: ("SUCCESS", "The outstation accepted the command."),
    1: ("TIMEOUT", "The OPERATE came too late after the SELECT; the outstation let go of it."),
    2: ("NO_SELECT", "The outstation had no matching SELECT when the OPERATE came."),
    3: ("FORMAT_ERROR", "The outstation found the command malformed; check the point's type."),
    4: ("NOT_SUPPORTED", "The outstation has no such control at this point."),
    5: ("ALREADY_ACTIVE", "The control is already running or the point is already in that state."),
    6: ("HARDWARE_ERROR", "The control hardware at the device has failed."),
    7: ("LOCAL", "The Local/Remote switch at the device stands on Local."),
    8: ("TOO_MANY_OPS", "The outstation has been asked to operate this point too often."),
    9: ("NOT_AUTHORIZED", "This master is not authorized to operate the point."),
    10: ("AUTOMATION_INHIBIT", "Local automation at the device inhibits the control."),
    11: ("PROCESSING_LIMITED", "The outstation has no capacity to process the command now."),
    12: ("OUT_OF_RANGE", "The value is outside what the device accepts."),
    13: ("DOWNSTREAM_LOCAL", "A device behind the outstation stands on Local."),
    14: ("ALREADY_COMPLETE", "The requested operation is already complete."),
    15: ("BLOCKED", "An interlock at the device blocks the control."),
    16: ("CANCELLED", "The command was cancelled at the outstation."),
    17: ("BLOCKED_OTHER_MASTER", "Another master holds control of this point."),
    18: ("DOWNSTREAM_FAIL", "The device behind the outstation does not respond."),
    126: ("NON_PARTICIPATING", "The outstation did not take part in this command."),
    127: ("UNDEFINED", "The outstation refused for a reason that it does not name."),
}
"""IEEE 1815-2012 Table 11-7, with what each means to an operator."""


class PointState(IntEnum):
    """How far one point of a command task got (opendnp3 CommandPointState; a test compares).

    SELECT_SUCCESS stays when OPERATE got no answer that matches.
    """

    INIT = 0
    SELECT_SUCCESS = 1
    SELECT_MISMATCH = 2
    SELECT_FAIL = 3
    OPERATE_FAIL = 4
    SUCCESS = 5


class Completion(IntEnum):
    """How a task ended (opendnp3 TaskCompletion; a test compares)."""

    SUCCESS = 0
    BAD_RESPONSE = 1
    RESPONSE_TIMEOUT = 2
    START_TIMEOUT = 3
    MESSAGE_FORMAT_ERROR = 4
    NO_USER = 5
    BAD_AUTHENTICATION = 6
    NOT_AUTHORIZED = 7
    NO_COMMS = 255


class Phase(Enum):
    """How far a select-before-operate got, as far as it can be known."""

    NOT_SENT = "not sent"
    SELECT_UNANSWERED = "SELECT sent, no usable answer; OPERATE was not sent"
    REFUSED = "refused by the outstation"
    OPERATE_UNANSWERED = "OPERATE sent, no usable answer"
    DONE = "operated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The task's result as plain numbers: summary, (index, state, status) per point, and the
    second IIN octet that came last."""

    summary: int
    points: Sequence[tuple[int, int, int]]
    iin2: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a reply means. `broken`: the link must be torn down before anything else is sent."""

    result: Result
    status: str
    detail: str
    phase: Phase

    @property
    def broken(self) -> bool:
        return self.result is Result.UNKNOWN


def status_text(status: int) -> tuple[str, str]:
    """Name and sentence of a command status; unknown numbers keep their number."""
    return STATUS.get(
        status, (f"STATUS_{status}", f"The outstation answered with unknown status {status}.")
    )


def setpoint(value: float) -> Wire | Refusal:
    """g41v3 for `value` in wire units, or why it cannot be one."""
    if not math.isfinite(value) or abs(value) > FLOAT32_MAX:
        return Refusal(code="NOT_REPRESENTABLE", reasons=(f"{value} does not fit a float",))
    return o.AnalogOutputFloat32(value)


def build(binding: Binding, value: float) -> Wire | Refusal:
    """The object that commands `value` (in the point's unit), or why it must not be sent.

    The points file's own limits are held here once more: the last check before the wire.
    """
    row = binding.row
    if not row.point.kind.commandable:
        return Refusal(code="NOT_COMMANDABLE", reasons=(f"{binding.mrid} takes no command",))
    low, high = row.min_value, row.max_value
    if not math.isfinite(value) or low is None or high is None or not low <= value <= high:
        return Refusal(
            code="OUT_OF_LIMITS",
            reasons=(f"{value:g} {row.point.unit} is outside {low} to {high} of {binding.mrid}",),
        )
    if row.point.kind is PointKind.CONTROL:
        if value not in (0.0, 1.0):
            return Refusal(code="NOT_REPRESENTABLE", reasons=(f"{value:g} is neither 0 nor 1",))
        latch = o.OperationType.LATCH_ON if value else o.OperationType.LATCH_OFF
        return o.ControlRelayOutputBlock(latch)
    return setpoint((value - row.offset) / row.scale)


_SUCCESS, _UNDEFINED = 0, 127
_NOT_SENT: Mapping[int, tuple[str, str]] = {
    Completion.START_TIMEOUT: (
        "NOT_SENT",
        "The link was busy until the command's time was up; it was not sent.",
    ),
    Completion.MESSAGE_FORMAT_ERROR: ("NOT_SENT", "The command could not be encoded."),
}


def judge(reply: Reply, index: int) -> Judgement:
    """What `reply` to a select-before-operate of output `index` means.

    ACCEPTED needs everything at once: summary, one answer for exactly this index, its state, its
    status, and no request error in the IIN. REJECTED only when it is certain that nothing was
    operated. All else is UNKNOWN.
    """
    if reply.summary in _NOT_SENT:
        status, detail = _NOT_SENT[reply.summary]
        return _judged(Result.REJECTED, status, detail, Phase.NOT_SENT)
    if not reply.points:
        return _unknown(reply, Phase.OPERATE_UNANSWERED)
    if len(reply.points) != 1 or reply.points[0][0] != index:
        return _judged(
            Result.UNKNOWN,
            "ECHO_MISMATCH",
            "The outstation's answer does not name the commanded point.",
            Phase.OPERATE_UNANSWERED,
        )
    _, state, status_code = reply.points[0]
    name, sentence = status_text(status_code)
    match state:
        case PointState.OPERATE_FAIL if status_code == _UNDEFINED:
            # opendnp3 says the same of an OPERATE whose echo was altered: it may have happened.
            return _unknown(reply, Phase.OPERATE_UNANSWERED)
        case PointState.SELECT_FAIL | PointState.OPERATE_FAIL if status_code != _SUCCESS:
            return _judged(Result.REJECTED, name, sentence, Phase.REFUSED)
        case PointState.SELECT_MISMATCH:
            return _judged(
                Result.REJECTED,
                "ECHO_MISMATCH",
                "The outstation's answer to SELECT was not our object; OPERATE was not sent.",
                Phase.REFUSED,
            )
        case PointState.SUCCESS if (
            reply.summary == Completion.SUCCESS
            and status_code == _SUCCESS
            and not reply.iin2 & IIN2_REQUEST_ERRORS
        ):
            return _judged(Result.ACCEPTED, name, sentence, Phase.DONE)
        case PointState.INIT:
            return _unknown(reply, Phase.SELECT_UNANSWERED)
        case _:
            return _unknown(reply, Phase.OPERATE_UNANSWERED)


def _unknown(reply: Reply, phase: Phase) -> Judgement:
    if reply.iin2 & IIN2_REQUEST_ERRORS and reply.summary == Completion.SUCCESS:
        return _judged(
            Result.UNKNOWN,
            "IIN_ERROR",
            f"The outstation echoed the command but reports an error (IIN2 0x{reply.iin2:02X}).",
            phase,
        )
    if reply.summary == Completion.SUCCESS:
        status = "ECHO_MISMATCH"
    elif reply.summary in {one.value for one in Completion}:
        status = Completion(reply.summary).name
    else:
        status = f"TASK_{reply.summary}"
    return _judged(Result.UNKNOWN, status, f"Outcome not known: {phase.value}.", phase)


def _judged(result: Result, status: str, detail: str, phase: Phase) -> Judgement:
    return Judgement(result=result, status=status, detail=detail, phase=phase)
