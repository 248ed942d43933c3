"""Commands of one device, one after the other: lease, setpoint, enabling output.

All three in one request where the link says so, else each by itself; select before operate in
either case, and each OPERATE is asked for in the moment in which it would leave (`exchange.py`).
DIRECT OPERATE does not occur in this program (SG-01).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from gridctl.model.clock import Clock
from gridctl.model.command import Command, CommandState
from gridctl.model.errors import Refusal
from gridctl.model.permit import Permit
from protocols.dnp3.codec import Binding, PointTable
from protocols.dnp3.controls import (
    Judgement,
    build,
    enabling,
    judge,
    lease,
)
from protocols.dnp3.exchange import Ending, Exchange
from protocols.dnp3.outputs import Output
from protocols.dnp3.session import LIFECYCLE_DEADLINE_S, Session
from protocols.dnp3.settings import Dnp3Settings
from protocols.dnp3.trace import evidence
from protocols.driver import Execution, Result, StageCallback

LEASE_MIN_S = 1.0
GRACE_S = 1.0
ABORT_LOOK_S = 0.1
_ALREADY_ACTIVE = "ALREADY_ACTIVE"

Step: TypeAlias = Callable[..., Awaitable[Judgement]]
"""Sends one output, with those that go before and after it in the same request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What is sent for one command, in this order; `lease` and `enable` where the device has
    them."""

    session: Session
    lease: Output | None
    main: Output
    enable: Output | None


class Commander:
    """Executes permits. `session` gives the connection of the moment, None while there is none."""

    def __init__(
        self,
        *,
        link: str,
        settings: Dnp3Settings,
        table: PointTable,
        clock: Clock,
        session: Callable[[], Session | None],
    ) -> None:
        self._link = link
        self._settings = settings
        self._table = table
        self._clock = clock
        self._session = session
        self._one_at_a_time = asyncio.Lock()
        self.sent = 0
        self.waiting = 0
        self.owner = ""

    async def execute(
        self, permit: Permit, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        started_s = self._clock.monotonic_s()
        reason = permit.use(started_s)
        if reason is not None:
            return self._ended(started_s, Result.REJECTED, "PERMIT", reason)
        self.waiting += 1
        try:
            async with asyncio.timeout(permit.expires_mono_s - started_s):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            late = "the permit expired behind another command to this device"
            return self._ended(started_s, Result.REJECTED, "PERMIT", late)
        finally:
            self.waiting -= 1
        self.owner = permit.command.mrid
        try:
            return await self._execute(permit, started_s, aborted, stage)
        finally:
            self.owner = ""
            self._one_at_a_time.release()

    async def _execute(
        self, permit: Permit, started_s: float, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        plan = self._prepare(permit.command)
        if isinstance(plan, Refusal):
            return self._ended(started_s, Result.REJECTED, plan.code, "; ".join(plan.reasons))
        self.sent += 1
        kept: list[str] = []

        async def step(
            output: Output,
            told: StageCallback,
            before: tuple[Output, ...] = (),
            after: tuple[Output, ...] = (),
        ) -> Judgement:
            exchange = Exchange(
                output=output,
                before=before,
                after=after,
                aborted=aborted,
                stage_told=told,
                expires_mono_s=permit.expires_mono_s,
                select_window_s=self._settings.select_timeout_s / 2,
            )
            judged = await self._operate(plan.session, exchange)
            offset_s = self._clock.now_s() - self._clock.monotonic_s()
            kept.extend(evidence(exchange, grid_minus_mono_s=offset_s))
            return judged

        judged = await self._steps(plan, step, stage)
        return Execution(
            result=judged.result,
            status=judged.status,
            detail=judged.detail,
            round_trip_s=self._clock.monotonic_s() - started_s,
            evidence=tuple(kept),
        )

    async def _steps(self, plan: _Plan, step: Step, stage: StageCallback) -> Judgement:
        if self._settings.commands_together:
            before = () if plan.lease is None else (plan.lease,)
            after = () if plan.enable is None else (plan.enable,)
            return await step(plan.main, stage, before, after)
        if plan.lease is not None:
            held = await step(plan.lease, _untold)
            if held.result is not Result.ACCEPTED:
                return Judgement(
                    result=held.result,
                    status=held.status,
                    detail=f"The lease did not take, so the setpoint was not sent. {held.detail}",
                )
        judged = await step(plan.main, stage)
        if judged.result is not Result.ACCEPTED or plan.enable is None:
            return judged
        enabled = await step(plan.enable, _untold)
        if enabled.result is Result.ACCEPTED or enabled.status == _ALREADY_ACTIVE:
            return judged
        # The device has the setpoint and may or may not follow it: only a reading can tell.
        return Judgement(
            result=Result.UNKNOWN,
            status=enabled.status,
            detail=f"The setpoint was accepted, its enabling output was not. {enabled.detail}",
        )

    def _prepare(self, command: Command) -> _Plan | Refusal:
        """All that can be refused before anything is sent."""
        binding = self._table.by_mrid.get(command.point)
        if binding is None:
            return Refusal(
                code="NO_SUCH_POINT", reasons=(f"{command.point} is not on link {self._link}",)
            )
        session = self._session()
        if session is None or not session.usable:
            return Refusal(
                code="LINK_DOWN",
                reasons=(f"link {self._link} is not up; nothing was sent or queued",),
            )
        main = build(binding, command.value)
        if isinstance(main, Refusal):
            return main
        held = self._lease(binding, command)
        if isinstance(held, Refusal):
            return held
        return _Plan(session=session, lease=held, main=main, enable=enabling(binding))

    def _lease(self, binding: Binding, command: Command) -> Output | Refusal | None:
        left_s = command.lease_until_s - self._clock.now_s()
        if command.value == command.default_value:
            # Going home is always allowed; a lease on the default holds nothing back.
            left_s = max(left_s, LEASE_MIN_S)
        if binding.lease_index is not None and left_s < LEASE_MIN_S:
            # Not even a rest of a second: a device may take a timeout of 0 for none at all.
            ended = f"ended {-left_s:.0f} s ago" if left_s <= 0 else f"ends in {left_s:.1f} s"
            return Refusal(code="LEASE_EXPIRED", reasons=(f"the lease {ended}",))
        return lease(binding, left_s)

    async def _operate(self, session: Session, exchange: Exchange) -> Judgement:
        if not session.usable:
            return judge(None, exchange)
        future = session.operate(exchange)
        patience_s = session.conversation.command_patience_s
        limit_s = patience_s + 2 * self._settings.response_timeout_s + GRACE_S
        end_s = self._clock.monotonic_s() + limit_s
        ending = await _within(future, ABORT_LOOK_S)
        while ending is None and self._clock.monotonic_s() < end_s:
            if exchange.stop_if_asked():
                return judge(None, exchange)
            ending = await _within(future, ABORT_LOOK_S)
        if ending is None:
            session.condemn("a command did not come to its end")
            ending = await _within(future, LIFECYCLE_DEADLINE_S + 0.5)
        # From here on nothing of this command leaves.
        exchange.closed = True
        judged = judge(ending, exchange)
        if judged.broken:
            session.condemn("a command ended without a known outcome")
        return judged

    def _ended(self, started_s: float, result: Result, status: str, detail: str) -> Execution:
        return Execution(
            result=result,
            status=status,
            detail=detail,
            round_trip_s=self._clock.monotonic_s() - started_s,
        )


async def _within(future: asyncio.Future[Ending], seconds: float) -> Ending | None:
    """The result of `future`, or None when it does not come in `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.shield(future)
    except TimeoutError:
        return None


def _untold(_: CommandState) -> None:
    """Lease and enabling output are no steps of the command that anybody follows."""
