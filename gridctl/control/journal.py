"""The commands that are alive: written down before they are sent, moved by what the field says.

The store's journal is the truth; this is its living part, so that the console and the dispatcher
need not ask the database. A state that was seen once is an echo when it comes again (the field
repeats itself after a reconnect), and is ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from gridctl.control.activity import DAY_S, KEPT_DAYS, Activity
from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.audit import FIELD, OFFICE, entry
from gridctl.control.demotion import Unverified
from gridctl.control.distrust import Distrust
from gridctl.control.ports import Person, Store, Transaction
from gridctl.model.clock import Clock
from gridctl.model.command import Command, CommandState, may_follow
from gridctl.model.errors import UnavailableError
from gridctl.model.link import Ack, LeaseInfo, Outcome
from gridctl.model.order import Order
from gridctl.model.record import EvidenceRow

log = logging.getLogger(__name__)

BLOCKED_OTHER_MASTER = "BLOCKED_OTHER_MASTER"
"""DNP3 control status 17 (IEEE 1815): the device heeds another master (SG-25)."""
ENDED = frozenset(
    {
        CommandState.CONFIRMED,
        CommandState.EFFECTIVE,
        CommandState.REFUSED,
        CommandState.EXPIRED,
        CommandState.FAILED,
        CommandState.UNCONFIRMED,
        CommandState.RELEASED,
    }
)
"""States in which nobody waits for the field any more."""
FAILED = frozenset(
    {
        CommandState.REFUSED,
        CommandState.EXPIRED,
        CommandState.FAILED,
        CommandState.UNCONFIRMED,
    }
)
IN_FORCE = frozenset({CommandState.CONFIRMED, CommandState.EFFECTIVE})
RECOVERED_ROWS = 2_000
ACKS_REMEMBERED = 1_000
ANSWER_MAX_S = 180.0
"""Real seconds after which a command that has not ended is UNCONFIRMED, whoever waits for it."""
LEASE_GRACE_S = 60.0
"""Grid seconds after the end of a lease before a command that the field no longer holds counts as
released without having been told so."""


@dataclass(slots=True, kw_only=True)
class Live:
    """A command on its way or in force, and every state it was seen in."""

    command: Command
    order: str
    state: CommandState
    since_mono_s: float
    status: str = ""
    detail: str = ""
    seen: set[CommandState] = field(default_factory=set)


class CommandBook:
    """Writes the journal and keeps its living part."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        alarms: AlarmBook,
        activity: Activity,
        distrust: Distrust,
    ) -> None:
        self._store = store
        self._clock = clock
        self._alarms = alarms
        self._activity = activity
        self._distrust = distrust
        self.unverified = Unverified()
        self._live: dict[str, Live] = {}
        self._orders: dict[str, tuple[str, ...]] = {}
        self._acks: dict[str, Ack] = {}

    @property
    def live(self) -> Mapping[str, Live]:
        """Commands that are not at their end, by mrid."""
        return MappingProxyType(self._live)

    def in_force(self) -> Iterable[Live]:
        """Commands whose setpoint the device has confirmed and still holds."""
        return (one for one in self._live.values() if one.state in IN_FORCE)

    def ack(self, order: str) -> Ack | None:
        """The field's answer to an order, once it has come."""
        return self._acks.get(order)

    async def recover(self) -> int:
        """After a restart: nothing is half. What was never sent is EXPIRED; what was sent without
        a known end is UNCONFIRMED and shown; none is sent again. How many were in doubt."""
        doubtful = 0
        rows = await self._store.commands(limit=RECOVERED_ROWS)
        now_s = self._clock.now_s()
        uses = await self._store.platform.uses(since_s=now_s - KEPT_DAYS * DAY_S)
        self._activity.rebuild(uses, now_s=now_s)
        for row in rows:
            if row.state.is_final:
                continue
            one = Live(
                command=row.command,
                order=row.order,
                state=row.state,
                since_mono_s=self._clock.monotonic_s(),
                seen={state for state, _, _, _ in row.history} | {row.state},
            )
            self._live[row.command.mrid] = one
            if row.state in (CommandState.PROPOSED, CommandState.APPROVED):
                await self._move(one, CommandState.EXPIRED, "RESTART", "the office was restarted")
            elif row.state not in ENDED:
                doubtful += 1
                await self._move(
                    one,
                    CommandState.UNCONFIRMED,
                    "RESTART",
                    "the office was restarted before its outcome was known",
                )
        return doubtful

    async def write_order(
        self, unit: Transaction, order: Order, *, person: Person, reason: str
    ) -> None:
        """Put an order into the journal, in the caller's transaction, before it is sent."""
        at_s = self._clock.now_s()
        await unit.order_commands(order.commands, order=order.mrid, at_s=at_s)
        await unit.audit(
            entry(
                at_s=at_s,
                person=person,
                action=f"order.{order.kind}",
                object_=order.mrid,
                after=f"epoch {order.epoch} sequence {order.sequence}, "
                f"{len(order.commands)} commands",
                reason=reason,
                plan_digest=order.plan_digest,
            )
        )

    def written(self, order: Order) -> None:
        """The order is in the journal: its commands live."""
        self._orders[order.mrid] = tuple(c.mrid for c in order.commands)
        for command in order.commands:
            self._live[command.mrid] = Live(
                command=command,
                order=order.mrid,
                state=CommandState.ORDERED,
                since_mono_s=self._clock.monotonic_s(),
                seen={CommandState.APPROVED, CommandState.ORDERED},
            )

    async def take_ack(self, ack: Ack) -> None:
        """The field's answer to an order."""
        if ack.order in self._acks:
            return
        self._acks[ack.order] = ack
        while len(self._acks) > ACKS_REMEMBERED:
            del self._acks[next(iter(self._acks))]
        state = CommandState.ADMITTED if ack.admitted else CommandState.REFUSED
        detail = "; ".join(ack.reasons)
        for mrid in self._orders.pop(ack.order, ()):
            one = self._live.get(mrid)
            if one is not None:
                await self._move(one, state, ack.code, detail)
        if not ack.admitted and not ack.only_busy:  # else the rest goes again, without those
            await self._alarms.raised(
                Condition(
                    key=f"order.{ack.order}",
                    priority=1,
                    text=f"the field refused an order ({ack.code}): {detail}",
                    response="read the reasons; nothing was sent to the devices",
                )
            )

    async def take_outcome(self, outcome: Outcome) -> None:
        """A command's step in the field."""
        if outcome.evidence:
            await self._keep_evidence(outcome)
        one = self._live.get(outcome.command)
        if one is None or outcome.state in one.seen:
            return
        if one.state is CommandState.ORDERED and outcome.state is not CommandState.REFUSED:
            # The ack was lost with an old line, but the step proves that it was admitted.
            await self._move(one, CommandState.ADMITTED, "", "told by a later step")
        await self._move(one, outcome.state, outcome.status, outcome.detail, at_s=outcome.at_s)

    async def _keep_evidence(self, outcome: Outcome) -> None:
        """What passed the wire goes into the store, its digest into the audit record. Once: the
        field repeats itself after a reconnect. Also of a command that nobody waits for any more."""
        row = EvidenceRow(
            command=outcome.command,
            state=outcome.state,
            at_s=outcome.at_s,
            lines=outcome.evidence,
        )
        try:
            async with self._store.transaction() as unit:
                if await unit.add_evidence(row):
                    await unit.audit(
                        entry(
                            at_s=outcome.at_s,
                            person=FIELD,
                            action="command.evidence",
                            object_=outcome.command,
                            after=f"{outcome.state}: {len(row.lines)} messages, "
                            f"SHA-256 {row.digest}",
                        )
                    )
        except UnavailableError as error:
            await self._not_written(outcome.command, "its evidence", error)

    async def unanswered(self, mrids: Iterable[str], detail: str) -> None:
        """The field has not told the end of these in time: nobody knows, so a person must."""
        for mrid in mrids:
            one = self._live.get(mrid)
            if one is not None and one.state not in ENDED:
                await self._move(one, CommandState.UNCONFIRMED, "NO_ANSWER", detail)

    async def effective(self, mrids: Sequence[str], measured_kw: Mapping[str, float]) -> None:
        """The feeder head shows what was promised."""
        for mrid in mrids:
            one = self._live.get(mrid)
            if one is not None and one.state is CommandState.CONFIRMED:
                await self._move(one, CommandState.EFFECTIVE, "", "shown at the feeder head")
                async with self._store.transaction() as unit:
                    await unit.set_measured(mrid, measured_kw[mrid])

    async def without_effect(self, mrids: Sequence[str], detail: str) -> None:
        """The devices say yes, the feeder head says no (SG-18)."""
        for mrid in mrids:
            one = self._live.get(mrid)
            if one is not None and one.state is CommandState.CONFIRMED:
                await self._move(one, CommandState.UNCONFIRMED, "NO_EFFECT", detail)

    async def sweep(self, leases: Mapping[str, LeaseInfo]) -> None:
        """End what nobody waits for any more: commands without an answer, and those that the field
        no longer holds although it never said so (a restart in between)."""
        now_s, mono_s = self._clock.now_s(), self._clock.monotonic_s()
        for one in list(self._live.values()):
            if one.state not in ENDED and mono_s - one.since_mono_s > ANSWER_MAX_S:
                await self.unanswered([one.command.mrid], "the field never told how it ended")
            over = now_s > one.command.lease_until_s + LEASE_GRACE_S
            if over and one.state in ENDED and one.command.point not in leases:
                await self._move(
                    one, CommandState.RELEASED, "NOT_HELD", "the field holds no lease for it"
                )

    async def _move(
        self,
        one: Live,
        to: CommandState,
        status: str,
        detail: str,
        *,
        at_s: float | None = None,
    ) -> None:
        if BLOCKED_OTHER_MASTER in status:
            await self._alarms.raised(
                Condition(
                    key=f"other_master.{one.command.resource}",
                    priority=1,
                    text=f"another master commands {one.command.resource}: {status} {detail}",
                    response="find out who else is connected to the device; nothing is sent again",
                )
            )
        if not may_follow(one.state, to):
            log.info("journal: %s is %s, %s ignored", one.command.mrid, one.state, to)
            return
        mrid, when_s = one.command.mrid, self._clock.now_s() if at_s is None else at_s
        one.state, one.status, one.detail = to, status, detail
        one.seen.add(to)
        self._activity.note(one.command.resource, to, status, when_s, one.command.value)
        self.unverified.note(one.command.resource, to, self._clock.now_s())
        self._distrust.note(one.command.resource, one.command.point, to, status, when_s)
        if to.is_final:
            self._live.pop(mrid, None)
        try:
            async with self._store.transaction() as unit:
                await unit.move_command(
                    mrid, to=to, at_s=when_s, order=one.order, status=status, detail=detail
                )
                if to in FAILED:
                    await unit.audit(
                        entry(
                            at_s=when_s,
                            person=OFFICE,
                            action=f"command.{to}",
                            object_=mrid,
                            after=to,
                            reason=f"{status}: {detail}",
                            result=to,
                        )
                    )
        except UnavailableError as error:
            await self._not_written(mrid, to, error)

    async def _not_written(self, mrid: str, what: str, error: UnavailableError) -> None:
        log.error("journal: %s: %s could not be stored: %s", mrid, what, error)
        await self._alarms.raised(
            Condition(
                key="store",
                priority=1,
                text=f"the journal cannot be written: {error}",
                response="see to the database; nothing new is ordered until then",
            )
        )
