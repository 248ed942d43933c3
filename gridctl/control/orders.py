"""Orders to the field: numbered, written down, then sent; never the other way round.

The journal is committed before the first byte leaves. What cannot be written is not sent; STOP
alone goes out even when the database is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from gridctl.control.audit import OFFICE
from gridctl.control.journal import ENDED, CommandBook
from gridctl.control.ports import FieldLink, Person, Store, Transaction
from gridctl.control.telemetry import GridPace
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.envelope import Promotion
from gridctl.model.errors import Refusal, UnavailableError
from gridctl.model.link import Ack
from gridctl.model.order import Order, OrderKind
from gridctl.model.plan import Plan
from gridctl.model.tag import Tag

ACK_TIMEOUT_S = 5.0
ANSWER_SLACK_S = 15.0
"""Real seconds on top of the field's own confirmation time, for the wire and for reading back."""
PER_COMMAND_S = 1.5
VALID_S = 60.0
"""Real seconds in which the field may still begin with the last command of an order."""
VALIDITY_MAX_S = 3_000.0
LOOK_S = 0.1


class Orders:
    """Makes, writes and sends orders, and waits for what becomes of them. `field_seen`: (epoch,
    sequence) of the last order that the field had seen when it connected."""

    def __init__(
        self,
        *,
        store: Store,
        link: FieldLink,
        clock: Clock,
        book: CommandBook,
        limits_digest: str,
        clock_offset_max_s: float,
        confirm_timeout_s: float,
        field_seen: Callable[[], tuple[int, int]],
    ) -> None:
        self._store = store
        self._link = link
        self._clock = clock
        self._book = book
        self._limits_digest = limits_digest
        self._clock_offset_max_s = clock_offset_max_s
        self._confirm_timeout_s = confirm_timeout_s
        self._field_seen = field_seen
        self._pace = GridPace(clock)
        self._last = (0, 0)
        self._stops = 0
        self._boot = int(clock.now_s())

    async def dispatch(
        self,
        plan: Plan,
        digest: str,
        approved_by: Sequence[str],
        commands: Sequence[Command],
        *,
        standing: Sequence[Promotion] = (),
    ) -> Order:
        """Order `commands` of an approved plan. `standing`: the promotions by which it was, when no
        person approved this very plan (SG-37). Raises UnavailableError: when it came before the
        journal, nothing happened; after it, the commands are UNCONFIRMED."""
        if not self._link.connected:
            raise UnavailableError("the line to the field is down")
        async with self._store.transaction() as unit:
            await self._number(unit)
            order = self._order(
                OrderKind.DISPATCH,
                plan=plan.mrid,
                plan_digest=digest,
                approved_by=approved_by,
                commands=commands,
                standing=standing,
            )
            await self._book.write_order(
                unit, order, person=OFFICE, reason=f"batch {commands[0].batch}"
            )
        self._book.written(order)
        try:
            await self._link.send(order)
        except UnavailableError as error:
            mrids = [c.mrid for c in commands]
            await self._book.unanswered(mrids, f"the line broke while the order went out: {error}")
            raise
        return order

    async def control(
        self, kind: OrderKind, *, person: Person, reason: str, link: str = "", subject: str = ""
    ) -> Order:
        """RESUME, DEFAULT or ACKNOWLEDGE, written down first. Raises UnavailableError."""
        async with self._store.transaction() as unit:
            await self._number(unit)
            order = replace(
                self._order(kind, approved_by=(person.user,)),
                link=link,
                subject=subject,
                comment=reason,
            )
            await self._book.write_order(unit, order, person=person, reason=reason)
        await self._link.send(order)
        return order

    async def tag(
        self, kind: OrderKind, tag: Tag, persons: Sequence[str], *, person: Person
    ) -> Order:
        """TAG or UNTAG, written down first. `persons`: who wants it. Raises UnavailableError."""
        if not self._link.connected:
            raise UnavailableError("the line to the field is down")
        async with self._store.transaction() as unit:
            await self._number(unit)
            order = replace(self._order(kind, approved_by=persons), tag=tag)
            await self._book.write_order(unit, order, person=person, reason=tag.words())
        await self._link.send(order)
        return order

    async def acknowledge(self, link: str, condition: str, person: Person) -> str | None:
        """Tell the device behind `link` that `person` has seen its alarm; why the field did not
        take that, or None. What the device says to it comes with its conditions."""
        try:
            order = await self.control(
                OrderKind.ACKNOWLEDGE, person=person, reason="", link=link, subject=condition
            )
        except UnavailableError as error:
            return str(error)
        ack = await self.acknowledged(order)
        if ack is None:
            return "the field has not answered"
        return None if ack.admitted else "; ".join(ack.reasons)

    async def _number(self, unit: Transaction) -> None:
        """The next order's number, after those that went out without their record."""
        number = await unit.next_sequence()
        while number <= self._last and number[0] == self._last[0]:
            number = await unit.next_sequence()
        self._last = number

    async def default_unrecorded(self, *, person: Person) -> Order:
        """DEFAULT when the record cannot be written: back to the default is the safe direction and
        waits for no database (SG-34). Raises UnavailableError when the line is down."""
        epoch, sequence = max(self._last, self._field_seen())
        self._last = (epoch, sequence + 1)
        order = self._order(OrderKind.DEFAULT, approved_by=(person.user,))
        await self._link.send(order)
        return order

    async def stop(self) -> Order | None:
        """STOP, sent without waiting for any record. None when the line is down."""
        # It takes no number of its own: the field heeds every genuine STOP, and the next order's
        # number comes from the database, which may be away now.
        self._stops += 1
        order = replace(self._order(OrderKind.STOP), mrid=f"S-{self._boot}-{self._stops}")
        try:
            await self._link.send(order)
        except UnavailableError:
            return None
        return order

    async def acknowledged(self, order: Order, *, timeout_s: float = ACK_TIMEOUT_S) -> Ack | None:
        """The field's answer, or None when there is none within `timeout_s` (real seconds)."""
        end_s = self._clock.monotonic_s() + timeout_s
        while (ack := self._book.ack(order.mrid)) is None:
            if self._clock.monotonic_s() >= end_s:
                return None
            await asyncio.sleep(LOOK_S)
        return ack

    async def ended(self, order: Order, *, given_up: Callable[[], bool]) -> None:
        """Wait until every command of `order` has come to an end, or nobody waits any more. What
        has not ended in time is UNCONFIRMED: nobody knows, and it is not sent again."""
        mrids = [c.mrid for c in order.commands]
        if await self.acknowledged(order) is None:
            await self._book.unanswered(mrids, "the field did not answer the order")
            return
        end_s = (
            self._clock.monotonic_s()
            + self._confirm_timeout_s
            + ANSWER_SLACK_S
            + PER_COMMAND_S * len(mrids)
        )
        live = self._book.live
        while any(mrid in live and live[mrid].state not in ENDED for mrid in mrids):
            if self._clock.monotonic_s() >= end_s:
                await self._book.unanswered(mrids, "the field did not tell how it ended")
                return
            if given_up():
                return
            await asyncio.sleep(LOOK_S)

    def refused(self, order: Order) -> Refusal | None:
        """The field's refusal of `order`, if it has refused it."""
        ack = self._book.ack(order.mrid)
        if ack is None or ack.admitted:
            return None
        return Refusal(code=ack.code, reasons=ack.reasons)

    def only_busy(self, order: Order) -> frozenset[str]:
        """Points that something under way held, where the field refused `order` for that alone."""
        ack = self._book.ack(order.mrid)
        if ack is None or ack.admitted:
            return frozenset()
        own = {command.point for command in order.commands}
        return frozenset(ack.only_busy) & own

    def _order(
        self,
        kind: OrderKind,
        *,
        plan: str = "",
        plan_digest: str = "",
        approved_by: Sequence[str] = (),
        commands: Sequence[Command] = (),
        standing: Sequence[Promotion] = (),
    ) -> Order:
        epoch, sequence = self._last
        now_s = self._clock.now_s()
        return Order(
            mrid=f"O-{epoch}-{sequence}",
            kind=kind,
            epoch=epoch,
            sequence=sequence,
            plan=plan,
            plan_digest=plan_digest,
            limits_digest=self._limits_digest,
            approved_by=tuple(approved_by),
            not_before_s=now_s - self._pace.grid_s(self._clock_offset_max_s),
            not_after_s=now_s + min(self._pace.grid_s(VALID_S), VALIDITY_MAX_S),
            commands=tuple(commands),
            standing=tuple(standing),
        )
