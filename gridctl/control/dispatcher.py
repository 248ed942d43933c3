"""An approved plan → orders, batch by batch, interval by interval, as long as everything holds.

One plan at a time. Before each batch the same question again: may this be ordered now? Any no ends
the plan; nothing is repaired behind the approvers' backs. What was ordered before is held by its
leases and runs out by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.audit import OFFICE
from gridctl.control.batches import (
    Held,
    Release,
    due,
    interval,
    last_interval,
    split,
    worth_sending,
)
from gridctl.control.delivery import Delivery
from gridctl.control.ends import PlanEnds
from gridctl.control.inflight import InFlight
from gridctl.control.interlock import (
    Situation,
    blocked,
)
from gridctl.control.journal import FAILED, CommandBook
from gridctl.control.judge import Judge
from gridctl.control.orders import Orders
from gridctl.control.planrecord import OpenPlan
from gridctl.control.planrun import Halt, Run
from gridctl.control.ports import Store
from gridctl.control.releasegate import ReleaseGate
from gridctl.control.resources import Known, why_excluded
from gridctl.control.settings import OfficeSettings
from gridctl.control.spending import Spending
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.envelope import Promotion
from gridctl.model.errors import UnavailableError
from gridctl.model.order import OrderKind
from gridctl.model.plan import OnFailure, PlanState

log = logging.getLogger(__name__)

LOOK_S = 0.25
PAUSE_LOOK_S = 0.05


class Dispatcher:
    """Carries out one plan at a time. `situation`, `known` and `over` (why a promotion holds no
    more, SG-37) are asked anew for every batch."""

    def __init__(
        self,
        *,
        settings: OfficeSettings,
        store: Store,
        clock: Clock,
        image: ProcessImage,
        book: CommandBook,
        orders: Orders,
        judge: Judge,
        alarms: AlarmBook,
        situation: Callable[[], Situation],
        known: Callable[[], Known],
        over: Callable[[Promotion], tuple[str, ...]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._image = image
        self._book = book
        self._orders = orders
        self._judge = judge
        self._alarms = alarms
        self._situation = situation
        self._known = known
        self._resources = {r.mrid: r for r in settings.resources}
        self._devices = {d.point: d for d in settings.limits.devices}
        self._held: dict[str, Held] = {}
        self.delivery = Delivery(settings.resources)
        self.in_flight = InFlight(image=image, clock=clock)
        self.spending: Spending = Spending(settings.limits, image=image, clock=clock)
        self.gate = ReleaseGate(
            settings=settings,
            clock=clock,
            image=image,
            situation=situation,
            known=known,
            over=over,
        )
        self._run: Run | None = None
        self.coming: OpenPlan | None = None
        """The approved plan that is carried out as soon as the one before it has ended."""
        self.ends: PlanEnds = PlanEnds(store=store, clock=clock, alarms=alarms)

    @property
    def active(self) -> OpenPlan | None:
        """The plan that is being carried out, or is next."""
        return self.coming if self._run is None else self._run.chosen

    @property
    def is_settled(self) -> bool:
        """Whether the devices have had the time to be told, and to follow."""
        run, now_s = self._run, self._clock.now_s()
        if self.coming is not None:
            return False
        if run is not None and (
            run.releasing or now_s < run.began_s + self._settings.effect_settle_s
        ):
            return False
        return now_s >= self._judge.quiet_from_s

    def intended_kw(self, resource: str) -> float | None:
        """What the active plan wants of `resource` now; None: nothing."""
        if self._run is None:
            return None
        result = self._run.chosen.plan.result
        k = interval(result.horizon, self._clock.now_s())
        for setpoint in result.setpoints:
            if setpoint.resource == resource and setpoint.interval == k:
                return setpoint.kw
        return None

    def reduction_kw(self) -> float:
        """Fall of the head's import by what the devices hold now, kW: sum of the promised effects
        of confirmed setpoints, of a battery that gives less than it confirms so much less."""
        holding = {one.command.resource for one in self._book.in_force()}
        return sum(
            held.effect_kw * self.delivery.share(name)
            for name, held in self._held.items()
            if name in holding
        )

    def halt(self, state: PlanState, reason: str) -> None:
        """End the active plan: no further order leaves."""
        if self._run is not None and self._run.halt is None:
            self._run.halt = Halt(state=state, reason=reason)

    async def carry_out(self, chosen: OpenPlan) -> None:
        """Carry out an ACTIVE plan to its end, whichever that is."""
        run = Run(chosen=chosen, before=self._image.snapshot(), began_s=self._clock.now_s())
        self._run, self.coming = run, None
        try:
            end = await self._intervals(run)
        except Halt as halt:
            end = halt
        except UnavailableError as error:
            end = Halt(state=PlanState.STOPPED, reason=f"stopped: {error}")
        except Exception as error:
            reason = f"stopped by a fault in gridctl: {error}"
            await self.ends.by_fault(chosen, PlanState.STOPPED, reason, error)
            raise
        finally:
            self._run = None
            await self._stop_judging(run)
        if run.roll_back:
            end = Halt(state=end.state, reason=f"{end.reason}; {await self._rolled_back(run)}")
        await self.ends.end(chosen, end.state, end.reason)

    async def _rolled_back(self, run: Run) -> str:
        """Every held device back to its default, as the plan's approvers wanted it (SG-20). The
        defaults are OT's, and the plan was checked against the feeder without it."""
        plan = run.chosen.plan
        try:
            order = await self._orders.control(
                OrderKind.DEFAULT, person=OFFICE, reason=f"plan {plan.mrid} rolls back (SG-20)"
            )
            ack = await self._orders.acknowledged(order)
        except UnavailableError as error:
            return f"not rolled back, leases run out: {error}"
        if ack is None or not ack.admitted:
            why = "the field has not answered" if ack is None else "; ".join(ack.reasons)
            return f"not rolled back, leases run out: {why}"
        return "rolled back to the defaults"

    async def _intervals(self, run: Run) -> Halt:
        """Release each interval at its start, renew leases in between, until the plan's end."""
        plan = run.chosen.plan
        last = last_interval(plan)
        first = True
        while True:
            run.check_halt()
            k = interval(plan.result.horizon, self._clock.now_s())
            if k > last:
                return Halt(state=PlanState.COMPLETED, reason="carried out to its end")
            if self._image.told_mono_s <= run.sent_mono_s:
                # The field has not told of the leases of what went out last: they would look due.
                await asyncio.sleep(LOOK_S)
                continue
            made = [
                command
                for command in due(self._release(run, k), first_number=run.number)
                if command.resource not in run.given_up  # nothing is tried twice (SG-19)
            ]
            commands = list(self._worth_sending(self.gate.as_long_as_allowed(run, made)))
            commands = await self._free_now(run, commands)
            if not first:
                commands = await self._still_possible(run, commands)
            if commands:
                run.number += len(made)  # also of those that are held back
                run.releasing = True
                await self._release_interval(run, commands, first=first)
                run.releasing = False
            elif run.judging is not None and run.judging.done():
                await self._judged(run)
            first = run.sent == 0
            await asyncio.sleep(LOOK_S)

    async def _release_interval(
        self, run: Run, commands: Sequence[Command], *, first: bool
    ) -> None:
        horizon = run.chosen.plan.result.horizon
        k = interval(horizon, self._clock.now_s())
        changes = [c for c in commands if c.effect_kw != 0]
        renewals = [c for c in commands if c.effect_kw == 0]
        batches = split(changes, self._settings.limits, canary=first, first_batch=run.batch + 1)
        moving = len(batches)
        batches += split(
            renewals, self._settings.limits, canary=False, first_batch=run.batch + moving + 1
        )
        run.batch += len(batches)
        if changes:
            await self._judged(run)
            run.promise = self._judge.promise(run.chosen, _effect_kw(changes))
        gone: list[Command] = []
        for number, waiting in enumerate(batches):
            await self._room_in_area(run, waiting)
            if interval(horizon, self._clock.now_s()) != k:
                break  # the next interval wants other setpoints of what is left
            batch = self.gate.trusted(run, self._worth_sending(waiting))
            batch = self.in_flight.free(batch)
            if not batch:
                continue
            await self._rested(run, batch)
            self.gate.may_go(run, first=first)
            if run.promise is None or number >= moving:
                await self._send(run, batch)
                continue
            self._judge.next_batch(run.promise)
            gone += await self._send(run, batch)
            self._judge.moved(run.promise)
            if number < moving - 1:
                await self._pause(run, self._settings.batch_settle_s)
        if changes and run.promise is not None:
            if len(gone) < len(changes):
                self._judge.cut(run.promise, _effect_kw(gone))
            # Beside everything else: leases are renewed meanwhile.
            run.judging = asyncio.create_task(self._judge.judge(run.promise, gone))

    def _worth_sending(self, commands: Sequence[Command]) -> tuple[Command, ...]:
        hold_min_s = self._settings.effect_settle_s
        return worth_sending(commands, now_s=self._clock.now_s(), hold_min_s=hold_min_s)

    async def _rested(self, run: Run, batch: Sequence[Command]) -> None:
        """Wait until each device of `batch` may be told something again: the plan before this one
        may have told it a moment ago (SG-05)."""
        while not all(self.spending.is_rested(command) for command in batch):
            run.check_halt()
            await asyncio.sleep(PAUSE_LOOK_S)

    async def _judged(self, run: Run) -> None:
        """Let the judgement that is under way end before something else moves the head. Raises
        what it could not cope with."""
        if run.judging is None:
            return
        if run.promise is not None:
            run.promise.in_haste = True
        while not run.judging.done():
            run.check_halt()
            await asyncio.sleep(PAUSE_LOOK_S)
        judging, run.judging = run.judging, None
        judging.result()

    async def _stop_judging(self, run: Run) -> None:
        if run.judging is None or run.promise is None:
            return
        if not run.judging.done():
            run.judging.cancel()
            self._judge.give_up(run.promise)
        results = await asyncio.gather(run.judging, return_exceptions=True)
        for error in results:
            if isinstance(error, Exception):
                log.error("the effect of %s was not judged: %s", run.chosen.plan.mrid, error)

    async def _free_now(self, run: Run, commands: Sequence[Command]) -> list[Command]:
        """Without devices that something is under way to: they are told as soon as it has ended."""
        free = list(self.in_flight.free(commands))
        await self._alarms.follows(*self.in_flight.waiting(run.chosen.plan.mrid, commands))
        return free

    async def _send(self, run: Run, batch: Sequence[Command]) -> tuple[Command, ...]:
        """Order `batch`, and tell what of it went out. Where the field holds a device back because
        something is under way to it, the others go at once, in an order of their own; that device
        is told as soon as it is free."""
        rest = tuple(batch)
        while rest and (busy := await self._ordered(run, rest)):
            left = [c for c in rest if c.point not in busy]
            rest = tuple(
                replace(command, mrid=f"{command.plan}.{number:04d}")
                for number, command in enumerate(left, run.number)
            )
            run.number += len(rest)
        return rest

    async def _ordered(self, run: Run, batch: Sequence[Command]) -> frozenset[str]:
        """Order `batch` and wait for its end. Points for whose sake the field has refused it whole
        and that is all that was against it; none: it went out."""
        chosen = run.chosen
        moves = self.spending.moves(batch)
        worth = {c.mrid: self._worth_kw(c) for c in batch}
        run.sent += len(batch)
        run.ordered_kw += sum(c.effect_kw for c in batch)
        order = await self._orders.dispatch(
            chosen.plan,
            chosen.digest,
            [a.by for a in chosen.approvals],
            batch,
            standing=chosen.standing,
        )
        await self._orders.ended(order, given_up=lambda: run.halt is not None)
        run.sent_mono_s = self._clock.monotonic_s()
        if busy := self._orders.only_busy(order):
            run.sent -= len(batch)
            run.ordered_kw -= sum(c.effect_kw for c in batch)
            return busy
        refused = self._orders.refused(order)
        if refused is not None:
            run.failed += len(batch)
            run.roll_back = chosen.plan.on_failure is OnFailure.ROLL_BACK
            raise Halt(state=PlanState.STOPPED, reason=f"the field refused: {refused}")
        self.spending.note(moves)
        for command in batch:
            one = self._book.live.get(command.mrid)
            if one is None or one.state in FAILED:
                run.failed += 1
                run.given_up.add(command.resource)
            if one is not None:
                self._held[command.resource] = Held(
                    value=command.value, effect_kw=worth[command.mrid]
                )
        return frozenset()

    def _worth_kw(self, command: Command) -> float:
        """What the device is worth at the head with `command`, kW: on top of what it holds already.
        Asked before the command leaves, while the leases are still the old ones."""
        before = self._held.get(command.resource)
        if before is None or command.point not in self._image.leases:
            return command.effect_kw
        return before.effect_kw + command.effect_kw

    async def _still_possible(self, run: Run, commands: list[Command]) -> list[Command]:
        """In later intervals: hold what cannot go now, and say so; its lease runs out by itself."""
        if not commands:
            return commands
        reasons = blocked(self._situation())
        known = self._known()
        possible: list[Command] = []
        for command in commands:
            if not self.spending.is_rested(command):
                continue  # in a moment (SG-05)
            excluded = why_excluded(self._resources[command.resource], known)
            reason = excluded or self.spending.too_fast(command)
            if reason is None:
                possible.append(command)
            else:
                reasons += (f"{command.resource}: {reason}",)
        await self._alarms.follows(
            bool(reasons),
            Condition(
                key="dispatch.held",
                priority=2,
                text=f"plan {run.chosen.plan.mrid} cannot be continued: {'; '.join(reasons)}",
                response="what is not renewed returns to its default when its lease ends",
            ),
        )
        return [] if blocked(self._situation()) else possible

    async def _room_in_area(self, run: Run, batch: Sequence[Command]) -> None:
        """Wait until the areas' budgets have room for `batch` (SG-05), at most a whole window."""
        end_s = self._clock.now_s() + self.spending.window_max_s
        while (short := self.spending.over_budget(batch)) is not None:
            run.check_halt()
            if self._clock.now_s() > end_s:
                raise Halt(state=PlanState.STOPPED, reason=short)
            await asyncio.sleep(LOOK_S)

    def _release(self, run: Run, k: int) -> Release:
        return Release(
            plan=run.chosen.plan,
            k=k,
            now_s=self._clock.now_s(),
            resources=self._resources,
            points=self._image.points,
            devices=self._devices,
            leases=self._image.leases,
            held=self._held,
            excluded=lambda mrid: why_excluded(self._resources[mrid], self._known()),
        )

    async def _pause(self, run: Run, grid_s: float) -> None:
        """Let the devices follow: they live in grid time."""
        end_s = self._clock.now_s() + grid_s
        while self._clock.now_s() < end_s:
            run.check_halt()
            await asyncio.sleep(PAUSE_LOOK_S)


def _effect_kw(commands: Sequence[Command]) -> float:
    return sum(c.effect_kw for c in commands)
