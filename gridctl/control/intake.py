"""What the field tells, to whom it belongs: frame by frame, in the order in which they come."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.audit import FIELD, RecordFault, entry
from gridctl.control.events import EventBook
from gridctl.control.journal import CommandBook
from gridctl.control.judge import Judge
from gridctl.control.ports import Store
from gridctl.control.process_alarms import ProcessAlarms
from gridctl.control.tags import TagBook
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.link import (
    Ack,
    Conditions,
    Events,
    FieldAlarm,
    Heartbeat,
    Hello,
    MorePoints,
    Outcome,
    Telemetry,
    UpFrame,
)
from gridctl.model.tag import Tag

log = logging.getLogger(__name__)

FIELD_ALARM_RESPONSE = "see the communications screen; the field goes on by itself meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Hands each frame to the books that it is for. `limits_digest`: of OT's limits as the office
    knows them; `fault`: where it says that the record cannot be written."""

    store: Store
    clock: Clock
    image: ProcessImage
    events: EventBook
    judge: Judge
    book: CommandBook
    tags: TagBook
    alarms: AlarmBook
    process_alarms: ProcessAlarms
    head_point: str
    limits_digest: str
    fault: RecordFault

    async def take(self, frame: UpFrame) -> None:
        """One frame."""
        match frame:
            case Hello():
                await self._greet(frame)
            case Events():
                await self.events.take(frame)
            case MorePoints():
                # The line puts them into their Hello; a stray one has nothing to add.
                log.warning("office: %d points came without a hello", len(frame.points))
            case Telemetry():
                self.image.take(frame)
                self.judge.note()
            case Outcome():
                await self.book.take_outcome(frame)
            case Ack():
                await self.book.take_ack(frame)
            case FieldAlarm():
                await self.alarms.follows(
                    frame.active,
                    Condition(
                        key=f"field.{frame.key}",
                        priority=min(max(frame.priority, 1), 3),
                        text=frame.text,
                        response=FIELD_ALARM_RESPONSE,
                    ),
                )
            case Conditions():
                await self.process_alarms.take(frame)
            case Heartbeat():
                self.image.beat(frame)

    async def _greet(self, hello: Hello) -> None:
        self.image.greet(hello)
        self.events.greet(hello)
        missing = self.head_point not in self.image.points
        await self.alarms.follows(
            missing or hello.limits_digest != self.limits_digest,
            Condition(
                key="field.mismatch",
                priority=1,
                text=f"the field does not know {self.head_point}"
                if missing
                else "the field enforces other limits than the office knows",
                response="give both sides the same points and limits files, then restart them",
            ),
        )
        await self._adopt(hello.tags)
        await self._record_hello(hello)

    async def _adopt(self, held: Sequence[Tag]) -> None:
        try:
            await self.tags.adopt(held)
        except UnavailableError as error:
            self.fault.reason = str(error)

    async def _record_hello(self, hello: Hello) -> None:
        try:
            async with self.store.transaction() as unit:
                await unit.audit(
                    entry(
                        at_s=self.clock.now_s(),
                        person=FIELD,
                        action="field.hello",
                        object_="field",
                        after=f"{hello.agent}, {len(hello.points)} points",
                    )
                )
        except UnavailableError as error:
            self.fault.reason = str(error)
