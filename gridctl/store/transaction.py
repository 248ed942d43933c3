"""One unit of work on the writer's connection; fulfils `gridctl.control.ports.Transaction`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from gridctl.model.alarm import Alarm, Shelf
from gridctl.model.approval import Approval
from gridctl.model.command import Command, CommandState
from gridctl.model.duty import DutyRecord, Handover, ManualStep
from gridctl.model.inputs import InputPart
from gridctl.model.mode import AreaMode, ShadowScore
from gridctl.model.plan import Plan, PlanState
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.model.record import AuditEntry, AuditRow, EvidenceRow
from gridctl.model.tag import Tag
from gridctl.store import (
    alarms,
    audit,
    duties,
    evidence,
    flags,
    inputs,
    modes,
    plans,
    requests,
    tags,
)
from gridctl.store import commands as commands_


class Epoch:
    """The epoch that this office commands in; None before its first order."""

    def __init__(self) -> None:
        self.number: int | None = None


class SqlTransaction:
    """Everything that may be written together. Valid inside its `async with` only."""

    def __init__(self, connection: AsyncConnection, epoch: Epoch) -> None:
        self.connection = connection
        self._epoch = epoch
        self._new_epoch: int | None = None

    async def audit(self, entry: AuditEntry) -> AuditRow:
        """Chain `entry` to the audit record."""
        return await audit.append(self.connection, entry)

    async def add_plan(self, plan: Plan, state: PlanState, at_s: float) -> None:
        """A new plan in `state`."""
        await plans.add(self.connection, plan, state, at_s)

    async def keep_inputs(self, plan: str, parts: Sequence[InputPart]) -> None:
        """What `plan` was computed from."""
        await inputs.keep(self.connection, plan, parts)

    async def move_plan(
        self, mrid: str, *, expected: PlanState, to: PlanState, at_s: float, reason: str
    ) -> bool:
        """Compare-and-set; False when the plan was not in `expected` (or is not there)."""
        return await plans.move(
            self.connection, mrid, expected=expected, to=to, at_s=at_s, reason=reason
        )

    async def add_approval(self, approval: Approval) -> None:
        """One person's yes; RefusedError for a second one by the same person or session."""
        await plans.add_approval(self.connection, approval)

    async def add_command(self, command: Command, *, state: CommandState, at_s: float) -> None:
        """A new command in `state`."""
        await commands_.add(self.connection, command, state=state, at_s=at_s)

    async def order_commands(self, commands: Sequence[Command], *, order: str, at_s: float) -> None:
        """New commands, APPROVED and ORDERED by `order`."""
        await commands_.order(self.connection, commands, order=order, at_s=at_s)

    async def move_command(
        self,
        mrid: str,
        *,
        to: CommandState,
        at_s: float,
        order: str = "",
        status: str = "",
        detail: str = "",
    ) -> bool:
        """Append to the command's journal; False when TRANSITIONS forbids it."""
        return await commands_.move(
            self.connection, mrid, to=to, at_s=at_s, order=order, status=status, detail=detail
        )

    async def add_evidence(self, row: EvidenceRow) -> bool:
        """What passed the wire for a command; False when it is known, or the command is not."""
        return await evidence.add(self.connection, row)

    async def set_measured(self, mrid: str, measured_kw: float) -> None:
        """What the device's power showed after the command, kW."""
        await commands_.set_measured(self.connection, mrid, measured_kw)

    async def put_request(self, request: DispatchRequest) -> None:
        """Insert or replace by mrid."""
        await requests.put(self.connection, request)

    async def move_request(self, mrid: str, to: RequestState) -> None:
        """Set a request's state."""
        await requests.move(self.connection, mrid, to)

    async def put_alarm(self, alarm: Alarm, *, at_s: float) -> None:
        """Insert or replace by key; what has happened to it goes into its journal."""
        await alarms.put(self.connection, alarm, at_s)

    async def put_shelf(self, shelf: Shelf) -> None:
        """An alarm is put aside; an older shelf of it is replaced."""
        await alarms.put_shelf(self.connection, shelf)

    async def remove_shelf(self, key: str) -> None:
        """The alarm is back before its time."""
        await alarms.remove_shelf(self.connection, key)

    async def add_duty(self, body: Handover | ManualStep) -> int:
        """A new duty record; its number."""
        return await duties.add(self.connection, body)

    async def put_duty(self, record: DutyRecord) -> None:
        """Replace the body of a duty record."""
        await duties.put(self.connection, record)

    async def put_mode(self, mode: AreaMode) -> None:
        """Insert or replace by area."""
        await modes.put(self.connection, mode)

    async def add_score(self, score: ShadowScore) -> None:
        """The score of a shadow plan, once."""
        await modes.add_score(self.connection, score)

    async def put_tag(self, tag: Tag) -> None:
        """Insert or replace by its name."""
        await tags.put(self.connection, tag)

    async def remove_tag(self, id_: str) -> None:
        """Nothing happens when there is none."""
        await tags.remove(self.connection, id_)

    async def next_sequence(self) -> tuple[int, int]:
        """(epoch, sequence) for the next order; UnavailableError when another office took over."""
        current = self._epoch.number if self._new_epoch is None else self._new_epoch
        epoch, sequence = await flags.next_sequence(self.connection, current)
        self._new_epoch = epoch
        return epoch, sequence

    async def fence_orders(self, epoch: int) -> int:
        """Orders of the next office go on after `epoch`; the epoch that is now behind us."""
        return await flags.fence(self.connection, epoch)

    async def set_flag(self, key: str, value: str) -> None:
        """Insert or replace a small durable fact."""
        await flags.put(self.connection, key, value)

    def committed(self) -> None:
        """The database has it: what was learned may be believed."""
        if self._new_epoch is not None:
            self._epoch.number = self._new_epoch
