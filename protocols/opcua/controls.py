"""One permitted command on the wire: method call, or guarded write with read-back (SG-02).

OPC UA has no SELECT. In its place: the current status of the node is read, `aborted` is asked
right before the command leaves, and a write is read back within two seconds. Nothing is retried.
What may have happened is UNKNOWN, never guessed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from asyncua import ua
from asyncua.ua.uaerrors import UaStatusCodeError

from gridctl.model.clock import Clock
from gridctl.model.command import Command, CommandState
from protocols.driver import Execution, Result, StageCallback
from protocols.opcua.addresses import Target
from protocols.opcua.codec import bare, is_bad, number_of, status_name, variant_of
from protocols.opcua.connection import WIRE_ERRORS, reason_of
from protocols.opcua.session import Session
from protocols.opcua.statuses import AMBIGUOUS, SERVICE_REFUSALS, sentence
from protocols.opcua.trace import COMMAND_LOG, WireLog
from protocols.opcua.wire import Sample

READ_BACK_S: Final = 2.0  # SG-02
EVIDENCE_MAX: Final = 24
"""Messages of one command that are kept; reading back may take many more."""
_READ_BACK_EVERY_S: Final = 0.1
HOME_LEASE_S: Final = 60.0
"""Grid seconds in which an order to go home is valid; the pilot's grid time may run fast."""


class _Refused(Exception):  # noqa: N818 - never leaves this module, it carries an outcome
    """The command ends here; the setpoint was not sent."""

    def __init__(self, status: str, detail: str, result: Result = Result.REJECTED) -> None:
        self.status = status
        self.detail = detail
        self.result = result
        super().__init__(status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One command on its way through one session."""

    session: Session
    target: Target
    command: Command
    aborted: Callable[[], bool]
    stage: StageCallback
    clock: Clock

    async def run(self) -> Execution:
        """Do it, at most once. Never raises one of WIRE_ERRORS: each becomes an outcome."""
        started_s = self.clock.monotonic_s()
        kept = WireLog(self.clock.now_s, lines_max=EVIDENCE_MAX, keep_first=True, octets=True)
        before = COMMAND_LOG.set(kept)
        try:
            result, status, detail = await self._run()
        except _Refused as refused:
            result, status, detail = refused.result, refused.status, refused.detail
            if kept.lines():
                kept.note(f"held back: {status}: {detail}")
        finally:
            COMMAND_LOG.reset(before)
        return Execution(
            result=result,
            status=status,
            detail=detail,
            round_trip_s=self.clock.monotonic_s() - started_s,
            evidence=kept.lines(),
        )

    async def _run(self) -> tuple[Result, str, str]:
        node = self.session.node(self.target.node)
        if node is None:
            raise _refusal("BadNodeIdUnknown")
        wire = self._wire_value()
        current = await self._current(node)
        if self.target.method:
            return await self._call(wire)
        kind = ua.VariantType(current.kind)
        variant = variant_of(wire, kind)
        if variant is None:
            raise _Refused(
                "BadTypeMismatch",
                f"{wire:g} cannot be written exactly as {kind.name}: nothing was sent",
            )
        if self.target.lease is not None:
            await self._write_lease()
        return await self._write(node, variant, before=number_of(current.value))

    def _wire_value(self) -> float:
        """The commanded value on the wire; outside of the points file's range it never leaves."""
        row, value = self.target.row, self.command.value
        low = -math.inf if row.min_value is None else row.min_value
        high = math.inf if row.max_value is None else row.max_value
        if not math.isfinite(value) or not low <= value <= high:
            raise _Refused(
                "OUT_OF_RANGE", f"{value:g} is outside {low:g} … {high:g} {row.point.unit.value}"
            )
        return (value - row.offset) / row.scale

    def _until_s(self) -> float:
        """Grid time until which the command shall hold. Going home is always allowed: it is what
        the end of a lease is for, and a lease on the default holds nothing back."""
        now_s, until_s = self.clock.now_s(), self.command.lease_until_s
        if self.command.value == self.command.default_value:
            return max(until_s, now_s + HOME_LEASE_S)
        if until_s <= now_s:
            raise _Refused("LEASE_OVER", f"the command's lease ended {now_s - until_s:.1f} s ago")
        return until_s

    def _ask_aborted(self) -> None:
        if self.aborted():
            raise _Refused("ABORTED", "stopped before the command left", Result.ABORTED)

    async def _current(self, node: ua.NodeId) -> Sample:
        """The point as it is now: a device that shows no value takes no command, and what it holds
        says which data type it wants."""
        try:
            (current,) = await self.session.read([node])
        except WIRE_ERRORS as error:
            raise _no_answer("reading the point first", error) from error
        if is_bad(current.status):
            raise _refusal(status_name(current.status))
        if number_of(current.value) is None:
            raise _Refused("BadTypeMismatch", "the point holds no number: check the points file")
        return current

    async def _write_lease(self) -> None:
        """Write the device's reversion timeout; a failure ends the command before it has begun."""
        lease = self.target.lease
        node = None if lease is None else self.session.node(lease)
        if node is None:
            raise _Refused("BadNodeIdUnknown", "the server does not know the lease's node")
        lease_s = self._until_s() - self.clock.now_s()
        self._ask_aborted()
        try:
            code = await self.session.write(node, bare(ua.Variant(lease_s, ua.VariantType.Double)))
        except WIRE_ERRORS as error:
            raise _no_answer("writing the lease", error) from error
        if is_bad(code):
            raise _Refused(status_name(code), "the device refuses the lease; no setpoint was sent")

    async def _write(
        self, node: ua.NodeId, variant: ua.Variant, *, before: float | None
    ) -> tuple[Result, str, str]:
        self._ask_aborted()
        self.stage(CommandState.OPERATED)
        try:
            code = await self.session.write(node, bare(variant))
        except WIRE_ERRORS as error:
            unknown = _unknown(error)
            if unknown[0] is not Result.UNKNOWN:
                return unknown
            return await self._look(node, unknown, before=before)
        if is_bad(code):
            return _judged(code)
        seen = await self._read_back(node)
        if seen is None:
            return (
                Result.ACCEPTED,
                status_name(code),
                f"written and read back: {self.command.value:g} {self.target.row.point.unit.value}",
            )
        detail = (
            f"the server took the write, but shows {seen} instead of "
            f"{self.command.value:g} after {READ_BACK_S:g} s"
        )
        return Result.UNKNOWN, "READ_BACK", detail

    async def _look(
        self, node: ua.NodeId, unknown: tuple[Result, str, str], *, before: float | None
    ) -> tuple[Result, str, str]:
        """The write got no answer: what does the point show? The commanded value proves the write
        only where another one stood before. It is not sent again in any case."""
        row = self.target.row
        stood = math.nan if before is None else before * row.scale + row.offset
        if self.session.is_lost or abs(stood - self.command.value) <= self.command.tolerance:
            return unknown
        if await self._read_back(node) is not None:
            return unknown
        _, status, detail = unknown
        shown = f"{self.command.value:g} {row.point.unit.value}"
        return Result.ACCEPTED, status, f"{detail}; but read back: {shown}"

    async def _read_back(self, node: ua.NodeId) -> str | None:
        """None as soon as the point shows the command, else what it shows after READ_BACK_S."""
        row = self.target.row
        seen = "nothing"
        deadline_s = self.clock.monotonic_s() + READ_BACK_S
        while True:
            try:
                (sample,) = await self.session.read([node])
            except WIRE_ERRORS as error:
                seen = reason_of(error)
            else:
                wire = None if is_bad(sample.status) else number_of(sample.value)
                if wire is not None:
                    engineering = wire * row.scale + row.offset
                    if abs(engineering - self.command.value) <= self.command.tolerance:
                        return None
                    seen = f"{engineering:g} {row.point.unit.value}"
            if self.session.is_lost or self.clock.monotonic_s() >= deadline_s:
                return seen
            await asyncio.sleep(_READ_BACK_EVERY_S)

    async def _call(self, wire: float) -> tuple[Result, str, str]:
        name = self.target.method
        try:
            found = await self.session.find_method(self.target.node, name)
        except WIRE_ERRORS as error:
            raise _no_answer(f"looking up the method {name}", error) from error
        if found is None:
            raise _refusal("BadMethodInvalid")
        until_s = self._until_s()
        arguments = (
            ua.Variant(wire, ua.VariantType.Double),
            ua.Variant(self.command.mrid, ua.VariantType.String),
            ua.Variant(
                datetime.fromtimestamp(until_s, tz=UTC),
                ua.VariantType.DateTime,
            ),
        )
        self._ask_aborted()
        self.stage(CommandState.OPERATED)
        try:
            code = await self.session.call(*found, arguments)
        except WIRE_ERRORS as error:
            return _unknown(error)
        if is_bad(code):
            return _judged(code)
        return Result.ACCEPTED, status_name(code), f"the device took {name}({self.command.value:g})"


def _no_answer(step: str, error: BaseException) -> _Refused:
    """A step before the command got no answer. The driver's contract calls a silent peer UNKNOWN
    from the first byte on; the sentence says what is known."""
    return _Refused(
        "NO_ANSWER",
        f"{step} got no answer ({reason_of(error)}); no setpoint was sent",
        Result.UNKNOWN,
    )


def _refusal(status: str) -> _Refused:
    return _Refused(status, sentence(status))


def _judged(code: int) -> tuple[Result, str, str]:
    """A Bad answer: a refusal, unless the server itself cannot know what the device did."""
    status = status_name(code)
    if status in AMBIGUOUS:
        return Result.UNKNOWN, status, f"the server answers {status}: the device may have obeyed"
    return Result.REJECTED, status, sentence(status)


def _unknown(error: BaseException) -> tuple[Result, str, str]:
    """No proper answer to a command that has left."""
    reason = reason_of(error)
    if isinstance(error, UaStatusCodeError) and reason in SERVICE_REFUSALS:
        return Result.REJECTED, reason, sentence(reason)
    status = "TIMEOUT" if isinstance(error, TimeoutError) else "CONNECTION_LOST"
    return Result.UNKNOWN, status, f"{reason}: whether the device obeyed is not known"
