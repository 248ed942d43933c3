"""From a permit to a proven end: the command on the wire, then what the device shows.

A device that answers with a refusal has not operated: FAILED, with its word. Nothing is ever sent
twice. What the wire leaves open is settled by looking: a feedback that shows the value confirms the
command, anything else is UNCONFIRMED and a person's business (SG-18, SG-19).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace

from gridctl.field.confirmation import Confirmation
from gridctl.field.deadman import Step, StopSwitch
from gridctl.field.guard import PERMIT_LIFE_S, Admission, Guard
from gridctl.field.spool import FieldMemory, Lease
from gridctl.model.clock import Clock
from gridctl.model.command import Command, CommandState
from gridctl.model.errors import GridctlError, Refusal
from gridctl.model.link import Outcome, bounded_evidence
from protocols.driver import Driver, Execution, PointAddress, Result

log = logging.getLogger(__name__)


class Executor:
    """Executes admitted orders: one command at a time on a link, the links side by side.

    A link is one device: DNP3 lets nothing come between SELECT and OPERATE, and what a server does
    with two writers is its own secret. Waiting for feedback goes on beside the next command.
    """

    def __init__(
        self,
        *,
        drivers: Mapping[str, Driver],
        addresses: Sequence[PointAddress],
        guard: Guard,
        memory: FieldMemory,
        confirmation: Confirmation,
        stop: StopSwitch,
        tell: Callable[[Outcome], None],
        spawn: Callable[[Coroutine[None, None, None]], object],
        clock: Clock,
    ) -> None:
        self._drivers = drivers
        self._addresses: dict[str, PointAddress] = {}
        self._guard = guard
        self._memory = memory
        self._confirmation = confirmation
        self._stop = stop
        self._tell = tell
        self._spawn = spawn
        self._clock = clock
        self._busy: dict[str, tuple[str, float]] = {}
        """By point: who holds it, and since when (real monotonic)."""
        self._hold_max_s = PERMIT_LIFE_S + confirmation.timeout_s
        self._line: dict[str, asyncio.Lock] = {}
        self.use(addresses)

    @property
    def in_flight(self) -> frozenset[str]:
        """Points with a command in flight."""
        return frozenset(self._busy)

    def use(self, addresses: Sequence[PointAddress]) -> None:
        """These are the points from now on; `drivers` has changed with them."""
        self._addresses = {a.point.mrid: a for a in addresses}
        self._line = {link: self._line.get(link) or asyncio.Lock() for link in self._drivers}

    def busy(self, point: str) -> bool:
        """Whether a command to `point` is in flight (SG-03)."""
        return point in self._busy

    def holder(self, point: str) -> str | None:
        """Who holds `point`, and when it is free at the latest, in words; None: nobody."""
        held = self._busy.get(point)
        if held is None:
            return None
        owner, since_s = held
        for_s = self._clock.monotonic_s() - since_s
        left_s = max(0.0, self._hold_max_s - for_s)
        return f"{owner} is in flight since {for_s:.0f} s, and free in {left_s:.0f} s at the latest"

    def _take(self, point: str, owner: str) -> None:
        self._busy[point] = (owner, self._clock.monotonic_s())

    def begin(self, admission: Admission) -> None:
        """Start to execute; returns at once, outcomes are told as they come."""
        by_link: dict[str, list[int]] = {}
        for number, command in enumerate(admission.order.commands):
            self._take(command.point, f"command {command.mrid}")
            by_link.setdefault(self._addresses[command.point].link, []).append(number)
        for link, numbers in by_link.items():
            self._spawn(self._along(link, admission, numbers))

    async def recover(self) -> None:
        """After a restart: commands that were under way may have happened. Hold them, say so, and
        look what the devices show; none is sent again."""
        for one in self._memory.state.under_way:
            self._take(one.command.point, f"command {one.command.mrid}")
            self._take_lease(one.command, one.order)
            self._memory.finish(one.command.mrid)
            self._step(
                one.command.mrid,
                one.order,
                CommandState.UNCONFIRMED,
                "RESTART",
                "the field agent was restarted while this command was under way",
            )
            self._spawn(self._settle(one.command, one.order, CommandState.UNCONFIRMED, None))

    async def revert(self, held: Lease) -> str | Step | None:
        """Return the device of an expired lease to its default. None when its feedback shows it, a
        Step when it is on its way, else the reason why not yet."""
        address = self._addresses.get(held.point)
        if address is None or address.point.expect is None:
            return "it is not in the points file any more"
        driver = self._drivers[address.link]
        tolerance = address.point.tolerance or 0.0
        expect = address.point.expect
        detail = "its lease ran out, and the device returned by itself"
        evidence: tuple[str, ...] = ()
        since_s = self._clock.now_s()
        self._take(held.point, f"the return to the default after {held.command}")
        try:
            if not self._confirmation.shows_now(expect, held.default_value, tolerance):
                written = await self._write_default(held, address.link)
                if isinstance(written, str):
                    return written
                value, execution = written
                evidence = execution.evidence
                detail = "its lease ran out, and the default was written"
                missing = await self._confirmation.shows(
                    driver, expect, value, tolerance, since_s=since_s
                )
                if missing is not None:
                    return missing
                if value != held.default_value:
                    return Step(value=value, wait_s=self._guard.step_wait_s(held.point))
        finally:
            self._busy.pop(held.point, None)
        self._step(
            held.command, held.order, CommandState.RELEASED, "RELEASED", detail, evidence=evidence
        )
        return None

    async def _write_default(self, held: Lease, link: str) -> tuple[float, Execution] | str:
        async with self._line[link]:
            permit = self._guard.permit_default(held)
            if isinstance(permit, Refusal):
                return str(permit)
            execution = await self._drivers[link].execute(
                permit, aborted=lambda: False, stage=lambda _: None
            )
        if execution.result in (Result.REJECTED, Result.ABORTED):
            return f"{execution.status}: {execution.detail}"
        return permit.command.value, execution

    async def _along(self, link: str, admission: Admission, numbers: Sequence[int]) -> None:
        for number in numbers:
            async with self._line[link]:
                await self._execute(self._drivers[link], admission, number)

    async def _execute(self, driver: Driver, admission: Admission, number: int) -> None:
        order, permit = admission.order, admission.permits[number]
        command = permit.command
        reached = CommandState.ADMITTED

        def stage(state: CommandState) -> None:
            nonlocal reached
            reached = state
            self._step(command.mrid, order.mrid, state, "", "")

        unsent = self._unsent(admission, command.point)
        if unsent is not None:
            self._end(command, order.mrid, *unsent)
            return
        since_s = self._clock.now_s()
        try:
            execution = await driver.execute(
                permit, aborted=lambda: self._forbidden(command.point), stage=stage
            )
        except (GridctlError, OSError, TimeoutError) as error:
            log.exception("field: driver %s broke while executing", driver.link)
            execution = Execution(
                result=Result.UNKNOWN, status="DRIVER", detail=str(error), round_trip_s=0.0
            )
        if execution.result in (Result.REJECTED, Result.ABORTED):
            # The device has answered, and it said no (or was never asked): it holds what it held.
            state, status, detail = CommandState.FAILED, execution.status, execution.detail
            if execution.result is Result.ABORTED and not self._stop.stopped:
                detail += "".join(f" {tag.words()}" for tag in self._guard.tags_on(command.point))
            self._end(command, order.mrid, state, status, detail, evidence=execution.evidence)
            return
        if execution.result is Result.ACCEPTED:
            if reached is not CommandState.OPERATED:
                stage(CommandState.OPERATED)
            reached = CommandState.ACCEPTED
            self._step(
                command.mrid,
                order.mrid,
                reached,
                execution.status,
                execution.detail,
                evidence=execution.evidence,
            )
        self._take_lease(command, order.mrid)
        self._spawn(self._settle(command, order.mrid, reached, execution, since_s=since_s))

    def _forbidden(self, point: str) -> bool:
        """STOP or a tag that came after the order was let through."""
        return self._stop.stopped or bool(self._guard.tags_on(point))

    def _unsent(self, admission: Admission, point: str) -> tuple[CommandState, str, str] | None:
        """Why a command whose turn has come must not be sent after all."""
        late_s = self._clock.now_s() - admission.order.not_after_s
        if late_s > 0:
            detail = f"its order's validity ended {late_s:.1f} s before its turn came"
            return (CommandState.EXPIRED, "TOO_LATE", detail)
        if self._stop.stopped:
            return (CommandState.FAILED, "STOPPED", "STOP came before it was sent")
        for tag in self._guard.tags_on(point):
            return (CommandState.FAILED, "TAGGED", f"a tag came before it was sent: {tag.words()}")
        return None

    async def _settle(
        self,
        command: Command,
        order: str,
        reached: CommandState,
        execution: Execution | None,
        *,
        since_s: float = 0.0,
    ) -> None:
        """Wait for the feedback and tell how it ended."""
        driver = self._drivers[self._addresses[command.point].link]
        missing = await self._confirmation.shows(
            driver, command.expect_point, command.value, command.tolerance, since_s=since_s
        )
        status = "RESTART" if execution is None else execution.status
        sure = execution is not None and execution.result is Result.ACCEPTED
        # Where the device has said yes, its evidence was told with that.
        evidence = () if execution is None or sure else execution.evidence
        doubt = "" if sure or execution is None else f"the wire does not say: {execution.detail}; "
        if missing is not None:
            state = CommandState.UNCONFIRMED
            self._end(command, order, state, status, doubt + missing, evidence=evidence)
            return
        if reached in (CommandState.ADMITTED, CommandState.SELECTED):
            # It was never seen to be operated, yet the device shows it.
            words = doubt.rstrip("; ")
            self._step(
                command.mrid, order, CommandState.UNCONFIRMED, status, words, evidence=evidence
            )
            evidence = ()
        self._end(
            command,
            order,
            CommandState.CONFIRMED,
            status,
            f"{doubt}{command.expect_point} shows {command.value:g}",
            evidence=evidence,
        )
        if command.value == command.default_value:
            self._memory.let_go(command.point)

    def _take_lease(self, command: Command, order: str) -> None:
        """The setpoint is, or may be, in force: hold it until its lease ends. The default itself
        is not held; until it is proven, an older lease stays."""
        if command.value == command.default_value:
            return
        before = self._memory.lease(command.point)
        self._memory.hold(
            Lease(
                command=command.mrid,
                order=order,
                point=command.point,
                value=command.value,
                default_value=command.default_value,
                until_s=command.lease_until_s,
            )
        )
        if before is not None and before.command != command.mrid:
            detail = f"replaced by {command.mrid}"
            self._step(before.command, before.order, CommandState.RELEASED, "REPLACED", detail)

    def _end(
        self,
        command: Command,
        order: str,
        state: CommandState,
        status: str,
        detail: str,
        *,
        evidence: Sequence[str] = (),
    ) -> None:
        self._memory.finish(command.mrid)
        self._busy.pop(command.point, None)
        self._step(command.mrid, order, state, status, detail, evidence=evidence)

    def _step(
        self,
        command: str,
        order: str,
        state: CommandState,
        status: str,
        detail: str,
        *,
        evidence: Sequence[str] = (),
    ) -> None:
        self._tell(
            Outcome(
                command=command,
                order=order,
                state=state,
                status=status,
                detail=detail,
                at_s=self._clock.now_s(),
                evidence=bounded_evidence(evidence),
            )
        )


def with_link(address: PointAddress) -> PointAddress:
    """The address with its link written into the point, as the office shall see it."""
    return replace(address, point=replace(address.point, link=address.link))
