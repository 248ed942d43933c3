"""The operator's desk: everything that console, API and command line may ask of the will.

Each act is judged here again, whatever the caller has checked before, and is audited. STOP is the
exception that waits for nothing: it is carried out first and written down afterwards.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.approvals import REASON_MIN, Approvals
from gridctl.control.audit import Unwritten, entry
from gridctl.control.cycle import Cycle
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.orders import Orders
from gridctl.control.ports import AuditEntry, Person, Picture, PlanView, Store
from gridctl.control.process_alarms import ProcessAlarms
from gridctl.control.stop import StopState
from gridctl.control.telemetry import ProcessImage
from gridctl.control.views import PictureMaker, PlanViews
from gridctl.model.clock import Clock
from gridctl.model.errors import GridctlError, Refusal, RefusedError, UnavailableError
from gridctl.model.order import Order, OrderKind
from gridctl.model.plan import PlanState
from gridctl.model.planning import PlanningTask
from gridctl.model.program import DispatchRequest, RequestState

log = logging.getLogger(__name__)

STOP_CONFIRM_MAX_S = 3.0
"""Real seconds that STOP waits for the field's word; STOP itself does not depend on it."""
MAY_STOP = frozenset({"OPERATOR", "SUPERVISOR"})
LOOK_S = 0.02
OPEN_REQUESTS = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)


class OperatorDesk:
    """Fulfils `gridctl.control.ports.Desk`."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        approvals: Approvals,
        dispatcher: Dispatcher,
        cycle: Cycle,
        orders: Orders,
        alarms: AlarmBook,
        process_alarms: ProcessAlarms,
        image: ProcessImage,
        stop_state: StopState,
        review: Callable[[str, str, Person], Awaitable[None]],
        unwritten: Unwritten,
        stop_file: Path,
        pictures: PictureMaker,
        plan_views: PlanViews,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._approvals = approvals
        self._dispatcher = dispatcher
        self._cycle = cycle
        self._orders = orders
        self._alarms = alarms
        self._process_alarms = process_alarms
        self._image = image
        self._stop_state = stop_state
        self._review = review
        self._unwritten = unwritten
        self._stop_file = stop_file
        self._pictures = pictures
        self._plan_views = plan_views
        self._wake = wake

    def picture(self) -> Picture:
        """The live state now; cheap, taken from memory."""
        return self._pictures.picture()

    async def plans(self, *, limit: int = 50) -> Sequence[PlanView]:
        """Newest first."""
        return [self._plan_views.view(p) for p in await self._store.plans(limit=limit)]

    async def plan(self, mrid: str) -> PlanView | None:
        """One plan, or None."""
        stored = await self._store.plan(mrid)
        return None if stored is None else self._plan_views.view(stored)

    async def approve(
        self, mrid: str, *, shown_digest: str, person: Person, cautions: Sequence[str] = ()
    ) -> PlanView:
        """One person's yes to the plan that the screen showed. Raises RefusedError."""
        await self._approvals.approve(
            mrid, shown_digest=shown_digest, person=person, cautions=cautions
        )
        self._wake()
        return await self._known_plan(mrid)

    async def break_glass(
        self,
        mrid: str,
        *,
        shown_digest: str,
        reason: str,
        person: Person,
        cautions: Sequence[str] = (),
    ) -> PlanView:
        """One person releases an emergency plan; everybody sees it, and the next shift looks at it
        again (SG-11). Raises RefusedError."""
        await self._approvals.break_glass(
            mrid, shown_digest=shown_digest, reason=reason, person=person, cautions=cautions
        )
        self._wake()
        await self._alarms.raised(
            Condition(
                key=f"break_glass.{mrid}",
                priority=1,
                text=f"{person.user} alone has released plan {mrid}: {reason.strip()}",
                response="a supervisor reviews it: see the steps of the shift",
            )
        )
        await self._review(mrid, reason.strip(), person)
        return await self._known_plan(mrid)

    async def reject(
        self, mrid: str, *, shown_digest: str, reason: str, person: Person
    ) -> PlanView:
        """One person's no. Raises RefusedError."""
        chosen = await self._approvals.reject(
            mrid, shown_digest=shown_digest, reason=reason, person=person
        )
        self._cycle.rejected(chosen.plan.requests)
        return await self._known_plan(mrid)

    async def stop(self, *, reason: str, person: Person) -> float:
        """STOP all dispatch (SG-21). Returns real seconds until the field confirmed, or until it
        was clear that only the stop file will tell it."""
        start_s = self._clock.monotonic_s()
        self._stop_state.hold(reason or "STOP")
        self._dispatcher.halt(PlanState.STOPPED, f"STOP by {person.user}: {reason}")
        written = self._write_stop_file(person)
        order = await self._orders.stop()
        confirmed = await self._field_has_stopped()
        latency_s = self._clock.monotonic_s() - start_s
        row = self._stop_row(reason, person, latency_s, confirmed=confirmed)
        try:
            await self._approvals.stop_all(f"STOP by {person.user}: {reason}", person)
            await self._record_stop(reason, row)
        except GridctlError as error:
            log.error("desk: STOP holds, but could not be written down yet: %s", error)
            self._unwritten.keep(row)
        await self._alarms.raised(
            Condition(
                key="stop",
                priority=1,
                text=f"STOP by {person.user}: {reason}"
                + ("" if confirmed else " — the field has not confirmed it")
                + ("" if order is not None or written else "; neither order nor stop file worked"),
                response="find out why, then resume with a reason",
            )
        )
        return latency_s

    async def resume(self, *, reason: str, person: Person) -> None:
        """Allow dispatch again; plans that were stopped stay stopped. Raises RefusedError."""
        self._may_operate(person)
        _need_reason(reason)
        if not self._stop_state.stopped and not self._image_stopped():
            raise RefusedError(Refusal(code="not_stopped", reasons=("STOP does not hold",)))
        self._remove_stop_file()
        await self._ordered(OrderKind.RESUME, reason, person)
        self._stop_state.release()
        async with self._store.transaction() as unit:
            await unit.set_flag("stopped", "")
        await self._alarms.cleared("stop")

    async def return_to_default(self, *, reason: str, person: Person) -> None:
        """Every held device back to its default, now. Raises RefusedError."""
        self._may_operate(person)
        _need_reason(reason)
        self._dispatcher.halt(PlanState.STOPPED, f"return to default by {person.user}: {reason}")
        await self._ordered(OrderKind.DEFAULT, reason, person)

    async def acknowledge(self, key: str, *, person: Person) -> None:
        """A person has seen an alarm, and if a device keeps it, the device is told. Raises
        RefusedError."""
        await self._alarms.acknowledge(key, person=person)
        await self._process_alarms.acknowledged(key, person=person)

    async def shelve(self, key: str, *, for_s: float, reason: str, person: Person) -> None:
        """Put an alarm aside for a while (SG-28). Raises RefusedError."""
        await self._alarms.shelve(key, for_s=for_s, reason=reason, person=person)

    async def unshelve(self, key: str, *, person: Person) -> None:
        """Take it back. Raises RefusedError."""
        await self._alarms.unshelve(key, person=person)

    async def local_sign_in(self, user: str, *, source: str) -> None:
        """A break-glass account was used beside the identity provider: everybody sees it."""
        await self._alarms.raised(
            Condition(
                key=f"sign_in.local.{user}",
                priority=2,
                text=f"{user} has signed in from {source} without the identity provider",
                response="ask who it was and why; give the account a new password after use",
            )
        )
        await self._alarms.cleared(f"sign_in.local.{user}")

    async def submit_request(self, request: DispatchRequest, *, person: Person) -> None:
        """A demand event arrived or changed: it will be in the next plan. Raises RefusedError."""
        asks = request.target_kw > 0 or request.export_max_kw is not None
        if request.end_s <= request.start_s or not asks:
            raise RefusedError(
                Refusal(code="bad_request", reasons=("it asks for nothing: check times and kW",))
            )
        async with self._store.transaction() as unit:
            await unit.put_request(request)
            await unit.audit(
                entry(
                    at_s=self._clock.now_s(),
                    person=person,
                    action="request.submit",
                    object_=request.mrid,
                    after=f"{request.asked} from {request.start_s:.0f} to {request.end_s:.0f}",
                    reason=f"event {request.event_id} {request.name}",
                )
            )
        self._wake()

    async def planning_task(self) -> PlanningTask:
        """As `Desk.planning_task`."""
        return await self._cycle.question(self._clock.now_s())

    async def cancel_request(self, event_id: str, *, person: Person) -> None:
        """The event is withdrawn. Raises RefusedError when there is none that is not over."""
        found = [
            r for r in await self._store.requests(states=OPEN_REQUESTS) if r.event_id == event_id
        ]
        if not found:
            raise RefusedError(
                Refusal(code="no_such_request", reasons=(f"no open request of event {event_id}",))
            )
        async with self._store.transaction() as unit:
            for request in found:
                await unit.move_request(request.mrid, RequestState.CANCELLED)
                await unit.audit(
                    entry(
                        at_s=self._clock.now_s(),
                        person=person,
                        action="request.cancel",
                        object_=request.mrid,
                        before=request.state,
                        after=RequestState.CANCELLED,
                        reason=f"event {event_id}",
                    )
                )
        self._cycle.withdrawn([request.mrid for request in found])
        self._wake()

    async def propose_now(self, *, person: Person) -> str:
        """Run the cycle now. The plan's mrid, or RefusedError with why there is none."""
        self._may_operate(person)
        view = await self._cycle.step(self._clock.now_s(), asked=True)
        proposed = self._cycle.proposed
        async with self._store.transaction() as unit:
            await unit.audit(
                entry(
                    at_s=self._clock.now_s(),
                    person=person,
                    action="cycle.run",
                    object_="" if proposed is None else proposed.plan.mrid,
                    reason=view.reason,
                    result=view.status,
                )
            )
        if proposed is None:
            raise RefusedError(Refusal(code=view.status, reasons=(view.reason,)))
        return proposed.plan.mrid

    async def _ordered(self, kind: OrderKind, reason: str, person: Person) -> None:
        try:
            order = await self._orders.control(kind, person=person, reason=reason)
        except UnavailableError as error:
            if kind is not OrderKind.DEFAULT:
                raise RefusedError(Refusal(code="unavailable", reasons=(str(error),))) from error
            order = await self._default_without_record(reason, person)
        ack = await self._orders.acknowledged(order)
        if ack is None:
            raise RefusedError(
                Refusal(code="no_answer", reasons=("the field has not answered the order",))
            )
        if not ack.admitted:
            raise RefusedError(Refusal(code=ack.code, reasons=ack.reasons))

    async def _default_without_record(self, reason: str, person: Person) -> Order:
        """Back to the default waits for no database; it is written down later (SG-34)."""
        try:
            order = await self._orders.default_unrecorded(person=person)
        except UnavailableError as error:
            raise RefusedError(Refusal(code="unavailable", reasons=(str(error),))) from error
        self._unwritten.keep(
            entry(
                at_s=self._clock.now_s(),
                person=person,
                action=f"order.{order.kind}",
                object_=order.mrid,
                after=f"epoch {order.epoch} sequence {order.sequence}",
                reason=reason,
                result="sent before it could be written down",
            )
        )
        return order

    async def _field_has_stopped(self) -> bool:
        end_s = self._clock.monotonic_s() + STOP_CONFIRM_MAX_S
        while self._clock.monotonic_s() < end_s:
            if self._image_stopped():
                return True
            await asyncio.sleep(LOOK_S)
        return False

    def _image_stopped(self) -> bool:
        heartbeat = self._image.heartbeat
        return heartbeat is not None and heartbeat.stopped

    async def _record_stop(self, reason: str, row: AuditEntry) -> None:
        async with self._store.transaction() as unit:
            await unit.set_flag("stopped", reason or "STOP")
            await unit.audit(row)

    def _stop_row(
        self, reason: str, person: Person, latency_s: float, *, confirmed: bool
    ) -> AuditEntry:
        return entry(
            at_s=self._clock.now_s(),
            person=person,
            action="stop",
            object_="dispatch",
            after="stopped",
            reason=reason,
            result=f"{'confirmed' if confirmed else 'not confirmed'} after {latency_s:.3f} s",
        )

    def _write_stop_file(self, person: Person) -> bool:
        try:
            self._stop_file.parent.mkdir(parents=True, exist_ok=True)
            self._stop_file.write_text(f"STOP by {person.user}\n", encoding="utf-8")
        except OSError as error:
            log.error("desk: the stop file cannot be written: %s", error)
            return False
        return True

    def _remove_stop_file(self) -> None:
        try:
            self._stop_file.unlink(missing_ok=True)
        except OSError as error:
            raise RefusedError(
                Refusal(code="stop_file", reasons=(f"the stop file stays: {error.strerror}",))
            ) from error

    def _may_operate(self, person: Person) -> None:
        if person.role not in MAY_STOP:
            raise RefusedError(
                Refusal(code="wrong_role", reasons=(f"role {person.role} may not do this (SG-31)",))
            )

    async def _known_plan(self, mrid: str) -> PlanView:
        view = await self.plan(mrid)
        if view is None:
            raise RefusedError(Refusal(code="no_such_plan", reasons=(f"there is no plan {mrid}",)))
        return view


def _need_reason(reason: str) -> None:
    if len(reason.strip()) < REASON_MIN:
        raise RefusedError(
            Refusal(code="no_reason", reasons=("say why, for those who read it later",))
        )
