"""Shift handover and steps by telephone (SG-35, SG-36)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from gridctl.control.approvals import REASON_MIN
from gridctl.control.audit import entry
from gridctl.control.ports import AuditEntry, Person, Store
from gridctl.model.clock import Clock
from gridctl.model.duty import DutyKind, DutyRecord, Handover, ManualStep
from gridctl.model.errors import Refusal, RefusedError

ON_DUTY = frozenset({"OPERATOR", "SUPERVISOR"})
LISTED_MAX = 50
REVIEWERS = "the next shift"
DONE = "done"


class Shifts:
    """The shift log. `open_items` says in lines what is not finished; `withdraw` ends half-approved
    plans: approvals do not survive a handover."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        open_items: Callable[[], Sequence[str]],
        withdraw: Callable[[str], Awaitable[None]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._open_items = open_items
        self._withdraw = withdraw

    async def handovers(self) -> Sequence[DutyRecord]:
        """The newest first."""
        return await self._store.duties.listed(DutyKind.HANDOVER, limit=LISTED_MAX)

    async def steps(self) -> Sequence[DutyRecord]:
        """The newest first."""
        return await self._store.duties.listed(DutyKind.MANUAL_STEP, limit=LISTED_MAX)

    async def prepare(self, *, notes: str, person: Person) -> DutyRecord:
        """The one who goes signs what is open. Raises RefusedError."""
        _on_duty(person)
        steps = [
            f"by telephone, number {r.number} to {r.body.to}: {r.body.instruction}"
            for r in await self.steps()
            if isinstance(r.body, ManualStep) and not r.body.closed
        ]
        body = Handover(
            prepared_by=person.user,
            session=person.session,
            at_s=self._clock.now_s(),
            open_items=(*self._open_items(), *steps),
            notes=notes.strip(),
        )
        return await self._added(body, "handover.prepare", person, f"{len(body.open_items)} open")

    async def take(self, number: int, *, remarks: str, person: Person) -> DutyRecord:
        """The one who comes has checked it and signs. Raises RefusedError."""
        _on_duty(person)
        record = await self._store.duties.get(number)
        newest = await self.handovers()
        if record is None or not isinstance(record.body, Handover) or record != newest[0]:
            raise _refused("no_handover", f"handover {number} does not wait to be taken")
        body = record.body
        if body.taken_by:
            raise _refused("taken", f"{body.taken_by} has taken it already")
        if person.user == body.prepared_by or person.session == body.session:
            raise _refused("same_person", "who prepares a handover cannot take it (SG-35)")
        taken = replace(
            body, taken_by=person.user, taken_at_s=self._clock.now_s(), remarks=remarks.strip()
        )
        done = await self._replaced(record, taken, "handover.take", person, remarks)
        await self._withdraw(f"shift handed over to {person.user} (SG-35)")
        return done

    async def issue(self, *, to: str, instruction: str, person: Person) -> DutyRecord:
        """An instruction is given over the telephone. Raises RefusedError."""
        _on_duty(person)
        body = ManualStep(
            issued_by=person.user,
            to=_said("to whom", to),
            instruction=_said("what", instruction),
            issued_at_s=self._clock.now_s(),
        )
        return await self._added(body, "step.issue", person, f"to {body.to}: {body.instruction}")

    async def review(self, plan: str, reason: str, person: Person) -> None:
        """A task for whoever comes: look at a break-glass again (SG-11)."""
        body = ManualStep(
            issued_by=person.user,
            to=REVIEWERS,
            instruction=f"review the break-glass of plan {plan}: {reason}",
            issued_at_s=self._clock.now_s(),
        )
        await self._added(body, "break_glass.review", person, f"plan {plan}")

    async def repeated(self, number: int, *, words: str, person: Person) -> DutyRecord:
        """What was repeated back, in the other's words. Raises RefusedError."""
        record, step = await self._step(number, person)
        if step.repeat_back:
            raise _refused("repeated", "it was repeated back already")
        after = replace(
            step,
            repeat_back=_said("what was repeated", words),
            repeated_at_s=self._clock.now_s(),
        )
        return await self._replaced(record, after, "step.repeat", person, after.repeat_back)

    async def confirmed(self, number: int, *, words: str, person: Person) -> DutyRecord:
        """The word that it is done. Raises RefusedError before it was repeated back."""
        record, step = await self._step(number, person)
        if not step.repeat_back:
            raise _refused("not_repeated", "nobody has repeated it back yet (SG-36)")
        after = replace(
            step,
            confirmation=_said("what was confirmed", words),
            confirmed_at_s=self._clock.now_s(),
            closed=DONE,
        )
        return await self._replaced(record, after, "step.confirm", person, after.confirmation)

    async def given_up(self, number: int, *, reason: str, person: Person) -> DutyRecord:
        """It is not done, and why. Raises RefusedError."""
        record, step = await self._step(number, person)
        after = replace(step, closed=f"given up: {_said('why', reason)}")
        return await self._replaced(record, after, "step.give_up", person, reason)

    async def _step(self, number: int, person: Person) -> tuple[DutyRecord, ManualStep]:
        _on_duty(person)
        record = await self._store.duties.get(number)
        if record is None or not isinstance(record.body, ManualStep):
            raise _refused("no_step", f"there is no step {number}")
        if record.body.closed:
            raise _refused("closed", f"step {number} is closed: {record.body.closed}")
        return record, record.body

    async def _added(
        self, body: Handover | ManualStep, action: str, person: Person, after: str
    ) -> DutyRecord:
        async with self._store.transaction() as unit:
            number = await unit.add_duty(body)
            await unit.audit(self._row(number, action, person, after))
        return DutyRecord(number=number, body=body)

    async def _replaced(
        self,
        record: DutyRecord,
        body: Handover | ManualStep,
        action: str,
        person: Person,
        after: str,
    ) -> DutyRecord:
        done = DutyRecord(number=record.number, body=body)
        async with self._store.transaction() as unit:
            await unit.put_duty(done)
            await unit.audit(self._row(record.number, action, person, after))
        return done

    def _row(self, number: int, action: str, person: Person, after: str) -> AuditEntry:
        return entry(
            at_s=self._clock.now_s(),
            person=person,
            action=action,
            object_=f"duty {number}",
            after=after,
        )


def _on_duty(person: Person) -> None:
    if person.role not in ON_DUTY:
        raise _refused("wrong_role", f"role {person.role} is not on duty (SG-31)")


def _said(what: str, words: str) -> str:
    if len(words.strip()) < REASON_MIN:
        raise _refused("not_said", f"say {what}")
    return words.strip()


def _refused(code: str, reason: str) -> RefusedError:
    return RefusedError(Refusal(code=code, reasons=(reason,)))
