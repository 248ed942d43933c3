"""Commands: what is sent, and what an answer means.

A command is judged by the octets that passed the line (`exchange.py`): the device's answer must
repeat the request exactly, its status must be SUCCESS, and its indications must name no error. The
native stack takes no part in it: its summary says SUCCESS for refused points and altered echoes
(dnp3.md G7), and what it has queued it may send late (G8).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gridctl.model.errors import Refusal
from protocols.dnp3.codec import Binding
from protocols.dnp3.exchange import Answer, Ending, Exchange, Stage
from protocols.dnp3.fragments import IIN_REQUEST_ERRORS
from protocols.dnp3.outputs import LATCH, AnalogForm, Output, RelayForm
from protocols.driver import Result

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an exchange means. `broken`: the link must be torn down before anything else is sent."""

    result: Result
    status: str
    detail: str

    @property
    def broken(self) -> bool:
        return self.result is Result.UNKNOWN


def status_text(status: int) -> tuple[str, str]:
    """Name and sentence of a command status; unknown numbers keep their number."""
    return STATUS.get(
        status, (f"STATUS_{status}", f"The outstation answered with unknown status {status}.")
    )


def build(binding: Binding, value: float) -> Output | Refusal:
    """The object that commands `value` (in the point's unit), or why it must not be sent.

    The points file's own limits are held here once more: the last check before the wire.
    """
    row = binding.row
    if binding.form is None:
        return Refusal(code="NOT_COMMANDABLE", reasons=(f"{binding.mrid} takes no command",))
    low, high = row.min_value, row.max_value
    if not math.isfinite(value) or low is None or high is None or not low <= value <= high:
        return Refusal(
            code="OUT_OF_LIMITS",
            reasons=(f"{value:g} {row.point.unit} is outside {low} to {high} of {binding.mrid}",),
        )
    match binding.form:
        case RelayForm():
            return binding.form.output(binding.index, value)
        case AnalogForm():
            ends = [(one - row.offset) / row.scale for one in (low, high)]
            return binding.form.output(
                binding.index,
                (value - row.offset) / row.scale,
                within=(min(ends), max(ends)),
                slack=(row.point.tolerance or 0.0) / abs(row.scale),
            )


def lease(binding: Binding, left_s: float) -> Output | Refusal | None:
    """The reversion timeout that holds `binding`'s command for `left_s`, in the same variation;
    whole seconds are never more than are left. None where the device has none."""
    if binding.lease_index is None or not isinstance(binding.form, AnalogForm):
        return None
    made = binding.form.output(binding.lease_index, left_s, within=(1.0, left_s), slack=1.0)
    return made if isinstance(made, Refusal) else replace(made, role=LEASE)


def enabling(binding: Binding) -> Output | None:
    """The latch that lets `binding`'s setpoint count; None where the device needs none."""
    if binding.enable_index is None:
        return None
    made = LATCH.output(binding.enable_index, 1.0)
    assert isinstance(made, Output)  # noqa: S101 - a latch knows 1
    return replace(made, role=ENABLE)


LEASE, ENABLE = "lease", "enabling output"
_SUCCESS: Final = 0
_NOTHING_OPERATED: Final = "No OPERATE left."


def judge(ending: Ending | None, exchange: Exchange) -> Judgement:
    """What became of the command of `exchange`; `ending` None: nobody waits any more.

    ACCEPTED needs everything at once. REJECTED only when it is certain that nothing was operated.
    All else is UNKNOWN.
    """
    match exchange.stage:
        case Stage.ARMED:
            return _not_sent(ending, exchange)
        case Stage.SELECTED if exchange.stopped:
            after = f"Stopped after SELECT. {_NOTHING_OPERATED}"
            return _judged(Result.ABORTED, "ABORTED", after)
        case Stage.SELECTED:
            return _unknown(ending, "SELECT was sent and not answered; OPERATE was not sent.")
        case Stage.ECHOED:
            return _after_select(ending, exchange)
        case Stage.OPERATED:
            return _unknown(ending, "OPERATE was sent and not answered.")
        case Stage.ANSWERED:
            return _after_operate(exchange)


def _not_sent(ending: Ending | None, exchange: Exchange) -> Judgement:
    if exchange.stopped:
        return _judged(Result.ABORTED, "ABORTED", "Stopped before SELECT; nothing was sent.")
    if exchange.withheld:
        return _judged(Result.REJECTED, "NOT_SENT", f"Nothing was sent: {exchange.withheld}.")
    if ending is Ending.BUSY:
        busy = "The link was busy until the command's time was up; it was not sent."
        return _judged(Result.REJECTED, "NOT_SENT", busy)
    return _judged(Result.REJECTED, "NOT_SENT", "The link broke before anything was sent.")


def _after_select(ending: Ending | None, exchange: Exchange) -> Judgement:
    """Whatever it was, no OPERATE left."""
    answer = exchange.select_answer
    if answer is None or answer.status is None:
        return _judged(
            Result.REJECTED,
            "ECHO_MISMATCH",
            f"The outstation's answer to SELECT was not our object. {_NOTHING_OPERATED}",
        )
    if answer.status != _SUCCESS:
        return _refused(Result.REJECTED, answer, exchange)
    if answer.iin & IIN_REQUEST_ERRORS:
        return _judged(Result.REJECTED, "IIN_ERROR", f"{_iin_text(answer)} {_NOTHING_OPERATED}")
    if exchange.stopped:
        stopped = f"Stopped between SELECT and OPERATE. {_NOTHING_OPERATED}"
        return _judged(Result.ABORTED, "ABORTED", stopped)
    if exchange.withheld:
        why = f"Held back: {exchange.withheld}. {_NOTHING_OPERATED}"
        return _judged(Result.REJECTED, "NOT_OPERATED", why)
    return _unknown(ending, f"the SELECT was echoed, then the link broke. {_NOTHING_OPERATED}")


def _after_operate(exchange: Exchange) -> Judgement:
    answer = exchange.operate_answer
    if answer is None or answer.status is None:
        return _judged(
            Result.UNKNOWN,
            "ECHO_MISMATCH",
            "Outcome not known: the answer to OPERATE does not repeat the command.",
        )
    if answer.status != _SUCCESS:
        # The lease alone moves nothing; anything else that was accepted beside a refusal may have.
        moved = _SUCCESS in answer.statuses[len(exchange.before) :]
        return _refused(Result.UNKNOWN if moved else Result.REJECTED, answer, exchange)
    if answer.iin & IIN_REQUEST_ERRORS:
        return _judged(Result.UNKNOWN, "IIN_ERROR", f"Outcome not known: {_iin_text(answer)}")
    return _judged(Result.ACCEPTED, *status_text(_SUCCESS))


def _refused(result: Result, answer: Answer, exchange: Exchange) -> Judgement:
    """A status of the device that is none of success, and of which object where there are more."""
    status, output = next(
        (one, output)
        for one, output in zip(answer.statuses, exchange.outputs, strict=True)
        if one != _SUCCESS
    )
    name, sentence = status_text(status)
    if len(exchange.outputs) > 1:
        sentence = f"Of lease, setpoint and enabling output, the {output.role}: {sentence}"
    if result is Result.UNKNOWN:
        sentence = f"Outcome not known: others were accepted. {sentence}"
    return _judged(result, name, sentence)


def _iin_text(answer: Answer) -> str:
    return f"The outstation echoed the command but reports an error (IIN 0x{answer.iin:04X})."


def _unknown(ending: Ending | None, detail: str) -> Judgement:
    status = "NO_ANSWER" if ending is None else ending.value
    return _judged(Result.UNKNOWN, status, f"Outcome not known: {detail}")


def _judged(result: Result, status: str, detail: str) -> Judgement:
    return Judgement(result=result, status=status, detail=detail)
