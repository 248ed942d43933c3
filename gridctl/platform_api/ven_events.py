"""Dispatches reach resources that no field driver commands: as OpenADR events to their VENs.

An event goes out when a plan that answers the dispatch has been approved (a communication test
needs none), to the VEN's resource alone, for what its enrolment has committed. It follows changes
of the dispatch, and goes when the dispatch is cancelled or the participant opts out. What a VEN
brings is not counted in the plan: it shows at the feeder's head.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final

from gridctl.control.ports import Person
from gridctl.model.clock import Clock
from gridctl.model.errors import GridctlError
from gridctl.model.plan import PlanState
from gridctl.openadr.timing import ends_s
from gridctl.openadr.wire import EventRequest, ProgramRequest
from gridctl.platform_api.caller import Actor
from gridctl.platform_api.registry import EVERYTHING
from gridctl.platform_api.times import at_s
from gridctl.store.engine import SqlStore
from gridctl.store.openadr_kinds import StoredObject, body_text
from gridctl.store.openadr_objects import Search
from gridctl.store.platform import ChangedError, PlatformObject

log = logging.getLogger(__name__)

PROGRAM: Final = "gridctl dispatch"
LOOK_S: Final = 1.0
DISPATCHES_MAX: Final = 10_000
OFFICE: Final = Actor(
    client_id="",
    person=Person(user="platform", session="", source="office", role="system"),
    owner=None,
)
_RELEASED = (PlanState.APPROVED, PlanState.ACTIVE, PlanState.COMPLETED)


class VenEvents:
    """One task; `step` looks once."""

    def __init__(self, *, store: SqlStore, clock: Clock, told: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._told = told
        self._after = 0

    async def carrying(self) -> AsyncIterator[None]:
        """The task, as a cleanup context of an application."""
        task = asyncio.create_task(self._run(), name="dispatches to VENs")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            try:
                await self.step()
            except GridctlError as error:
                log.error("platform: events for VENs cannot be told: %s", error)
            await asyncio.sleep(LOOK_S)

    async def step(self) -> None:
        """Bring every event for a VEN to what its dispatch wants now."""
        now_s = self._clock.now_s()
        found = await self._store.platform.page("dispatch", limit=DISPATCHES_MAX, after=self._after)
        over = True
        for dispatch in found:
            if at_s(dispatch.body["end"]) <= now_s:
                if over:  # a prefix of dispatches that are over is not looked at again
                    self._after = dispatch.number
                continue
            over = False
            people = await self._store.platform.page(
                "participation", parent=dispatch.id, limit=DISPATCHES_MAX
            )
            mine = [p for p in people if p.body["openadrResource"] is not None]
            if mine:
                released = await self._released(dispatch)
                for one in mine:
                    await self._bring(one, dispatch, released=released)

    async def _released(self, dispatch: PlatformObject) -> bool:
        if dispatch.body["cancelled"] is not None:
            return False
        if dispatch.body["test"] == "communication":
            return True
        for mrid in await self._store.dossiers.of_requests([dispatch.id]):
            plan = await self._store.plan(mrid)
            if plan is not None and plan.state in _RELEASED:
                return True
        return False

    async def _bring(
        self, one: PlatformObject, dispatch: PlatformObject, *, released: bool
    ) -> None:
        event_id = one.body["openadrEvent"]
        withdrawn = dispatch.body["cancelled"] is not None or one.body["answer"] == "opt_out"
        if event_id is None:
            if released and not withdrawn:
                await self._send(one, dispatch)
            return
        event = await self._store.objects.one("event", str(event_id), reader=EVERYTHING)
        if event is None:
            return
        if withdrawn:
            entry = OFFICE.entry(
                "platform.ven_event.withdraw", event.id, at_s=self._clock.now_s(),
                reason=f"dispatch {dispatch.id}",
            )  # fmt: skip
            await self._store.objects.remove(event, entry)
            self._told()
            return
        body, ends = self._event(one, dispatch, str(event.keys["program_id"]))
        if body_text(body) != event.body:
            now_s = self._clock.now_s()
            changed = replace(
                event,
                body=body_text(body),
                keys={**event.keys, "ends_s": ends},
                modified_s=max(now_s, event.modified_s + 0.001),
            )
            entry = OFFICE.entry(
                "platform.ven_event.change", event.id, at_s=now_s,
                reason=f"dispatch {dispatch.id}, modification {dispatch.version}",
            )  # fmt: skip
            await self._store.objects.put(changed, entry, reader=EVERYTHING)
            self._told()

    async def _send(self, one: PlatformObject, dispatch: PlatformObject) -> None:
        target = await self._target(one)
        if target is None:
            log.error("platform: %s has no resource at a VEN any more", one.name)
            return
        now_s = self._clock.now_s()
        program_id = await self._program(now_s)
        body, ends = self._event(one, dispatch, program_id)
        event = StoredObject(
            kind="event",
            id=f"event-{one.id}",
            client_id=OFFICE.person.user,
            keys={"program_id": program_id, "ends_s": ends},
            targets=(target,),
            body=body_text(body),
            created_s=now_s,
            modified_s=now_s,
        )
        entry = OFFICE.entry(
            "platform.ven_event.send", event.id, at_s=now_s,
            reason=f"dispatch {dispatch.id}", after=f"to {target}",
        )  # fmt: skip
        if await self._store.objects.one("event", event.id, reader=EVERYTHING) is None:
            await self._store.objects.add(event, entry, reader=EVERYTHING)
        sent = replace(one, body={**one.body, "openadrEvent": event.id})
        # the participant may answer meanwhile: then it is noted at the next look
        with contextlib.suppress(ChangedError):
            await self._store.platform.put(sent, entry=entry)
        self._told()

    def _event(
        self, one: PlatformObject, dispatch: PlatformObject, program_id: str
    ) -> tuple[dict[str, Any], float | None]:
        told = dispatch.body
        start_s, end_s = at_s(told["start"]), at_s(told["end"])
        is_probe = told["test"] == "communication"
        payload = {
            "type": "SIMPLE" if is_probe else "DISPATCH_SETPOINT_RELATIVE",
            "values": [0 if is_probe else one.body["commitmentKw"]],
        }
        request = EventRequest.model_validate(
            {
                "programID": program_id,
                "eventName": f"TEST {told['name']}" if told["test"] else told["name"],
                "priority": told["priority"],
                "intervalPeriod": {
                    "start": told["start"],
                    "duration": f"PT{round(end_s - start_s)}S",
                },
                "intervals": [{"id": 0, "payloads": [payload]}],
                "reportDescriptors": [
                    {"payloadType": "READING", "units": "KW"},
                    {"payloadType": "OPERATING_STATE"},
                ],
            }
        )
        program = ProgramRequest.model_validate({"programName": PROGRAM})
        ends = ends_s(request, program, now_s=self._clock.now_s())
        return request.model_dump(by_alias=True, mode="json"), ends

    async def _target(self, one: PlatformObject) -> str | None:
        """The target of its resource alone, granted here when it has none yet."""
        resource = await self._store.objects.one(
            "resource", str(one.body["openadrResource"]), reader=EVERYTHING
        )
        if resource is None:
            return None
        target = f"gridctl-{one.name}"
        if target not in resource.targets:
            now_s = self._clock.now_s()
            granted = replace(
                resource,
                targets=(*resource.targets, target),
                modified_s=max(now_s, resource.modified_s + 0.001),
            )
            entry = OFFICE.entry("platform.ven_event.grant", resource.id, at_s=now_s, after=target)
            await self._store.objects.put(granted, entry, reader=EVERYTHING)
        return target

    async def _program(self, now_s: float) -> str:
        search = Search(skip=0, limit=1, equal={"name": PROGRAM})
        found = await self._store.objects.page("program", search, reader=EVERYTHING)
        if found:
            return found[0].id
        body = ProgramRequest.model_validate(
            {
                "programName": PROGRAM,
                "payloadDescriptors": [
                    {
                        "objectType": "EVENT_PAYLOAD_DESCRIPTOR",
                        "payloadType": "DISPATCH_SETPOINT_RELATIVE",
                        "units": "KW",
                    }
                ],
            }
        )
        program = StoredObject(
            kind="program",
            id="program-gridctl-dispatch",
            client_id=OFFICE.person.user,
            keys={"name": PROGRAM},
            targets=(),
            body=body_text(body.model_dump(by_alias=True, mode="json")),
            created_s=now_s,
            modified_s=now_s,
        )
        entry = OFFICE.entry("platform.ven_event.program", program.id, at_s=now_s)
        await self._store.objects.add(program, entry, reader=EVERYTHING)
        return program.id
