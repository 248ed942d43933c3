"""Events: what is asked of the grid; it goes to the operator's desk, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar

from aiohttp import web

from gridctl.model.clock import Clock
from gridctl.model.errors import InvariantViolation, RefusedError
from gridctl.model.program import RequestState
from gridctl.openadr import listing
from gridctl.openadr.auth import Auth, Caller
from gridctl.openadr.body import read_model
from gridctl.openadr.crud import Crud, Draft, Filters
from gridctl.openadr.desk import DemandDesk
from gridctl.openadr.mapping import Ask, asked, forecast_peak, of_event
from gridctl.openadr.problem import ProblemError
from gridctl.openadr.scopes import READ_TARGETED
from gridctl.openadr.timing import ends_s
from gridctl.openadr.wire import EventRequest, ProgramRequest
from gridctl.store.engine import SqlStore
from gridctl.store.openadr_kinds import StoredObject
from gridctl.store.openadr_objects import Search

OPEN = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)
PROGRAMS_MAX = 1_000
NOT_ACTED_ON = "Gridctl-Not-Acted-On"
"""Header of a 200 or 201 answer to an event that is kept but asks nothing of us: the reason."""


class Events(Crud):
    """Handlers of /events."""

    kind = "event"
    read_scopes = READ_TARGETED
    write_scopes = ("write_events",)
    filters: ClassVar[Filters] = {"programID": ("program_id", listing.object_id)}

    def __init__(self, *, store: SqlStore, desk: DemandDesk, clock: Clock, auth: Auth) -> None:
        super().__init__(store=store, clock=clock, auth=auth)
        self._desk = desk
        self._programs: dict[str, ProgramRequest] = {}
        self._programs_of: int | None = None

    def search(self, request: web.Request) -> Search:
        """As every list; `active` leaves out what is over."""
        found = super().search(request)
        active = listing.flag(request, "active")
        return replace(found, after_s=self._clock.now_s()) if active else found

    async def draft(self, request: web.Request, caller: Caller, old: StoredObject | None) -> Draft:
        """What the body says of an event; 409 when there is no such program."""
        event = await read_model(request, EventRequest)
        program = await self._program(event, caller)
        body = event.model_dump(by_alias=True)
        now_s = self._clock.now_s()
        client_id = caller.client.client_id if old is None else old.client_id
        ask = self._asked(event, program, client_id, await self._devices(event))
        return Draft(
            client_id=client_id,
            keys={
                "program_id": event.program_id,
                "ends_s": ends_s(event, program, now_s=now_s),
            },
            targets=event.targets or (),
            body=body,
            result=_said(ask),
            read=ask,
        )

    async def written(
        self, one: StoredObject, old: StoredObject | None, draft: Draft, caller: Caller
    ) -> dict[str, str]:
        """What it asked before is withdrawn, what it asks now is submitted."""
        if not isinstance(draft.read, Ask):
            raise InvariantViolation("an event was written without having been read")
        ask = of_event(draft.read, one.id)
        if old is not None:
            await self._withdraw(one.id, ask, caller)
        return await self._submit(ask, one, caller)

    async def removed(self, gone: StoredObject, caller: Caller) -> None:
        """Withdrawn from the desk."""
        await self._withdraw(gone.id, Ask(), caller)

    async def _program(self, event: EventRequest, caller: Caller) -> ProgramRequest:
        """The event's program; remembered until one is written, for whom every program is seen."""
        objects, id_ = self._store.objects, event.program_id
        written = objects.generation_of("program")
        if written != self._programs_of:
            self._programs.clear()
            self._programs_of = written
        known = self._programs.get(id_) if caller.is_business_logic else None
        if known is not None:
            return known
        found = await objects.one("program", id_, reader=caller.reader())
        if found is None:
            raise ProblemError(HTTPStatus.CONFLICT, f"there is no program {id_!r}")
        program = ProgramRequest.model_validate_json(found.body)
        if written is not None and written == objects.generation_of("program"):
            if len(self._programs) >= PROGRAMS_MAX:
                self._programs.clear()
            self._programs[id_] = program
        return program

    async def _devices(self, event: EventRequest) -> tuple[str, ...] | None:
        """The devices that the targets name: by mRID, by area, or as the platform's groups and
        resources do. None: it has no targets."""
        if not event.targets:
            return None
        found = set(await self._store.platform.devices_of(event.targets))
        for view in self._desk.picture().resources:
            if not {view.resource.mrid, view.resource.area}.isdisjoint(event.targets):
                found.add(view.resource.mrid)
        return tuple(sorted(found))

    def _asked(
        self,
        event: EventRequest,
        program: ProgramRequest,
        client_id: str,
        devices: tuple[str, ...] | None,
    ) -> Ask:
        return asked(
            event,
            program,
            client_id=client_id,
            now_s=self._clock.now_s(),
            peak_kw=forecast_peak(self._desk.picture().forecast),
            devices=devices,
        )

    async def _submit(self, ask: Ask, one: StoredObject, caller: Caller) -> dict[str, str]:
        """Hand the requests to the desk; headers that tell why nothing will happen, if so."""
        reason = ask.reason
        try:
            for request in ask.requests:
                await self._desk.submit_request(request, person=caller.person())
        except RefusedError as refused:
            reason = "; ".join(refused.refusal.reasons)
            async with self._store.transaction() as unit:
                await unit.audit(
                    caller.entry(
                        "openadr.event.refused",
                        one.id,
                        at_s=self._clock.now_s(),
                        result=f"not acted on: {reason}",
                    )
                )
        return {NOT_ACTED_ON: _header(reason)} if reason else {}

    async def _withdraw(self, event_id: str, ask: Ask, caller: Caller) -> None:
        """Cancel at the desk when the event asked for something that `ask` does not replace."""
        kept = {request.mrid for request in ask.requests}
        open_ones = await self._store.requests(states=OPEN)
        if {r.mrid for r in open_ones if r.event_id == event_id} - kept:
            try:
                await self._desk.cancel_request(event_id, person=caller.person())
            except RefusedError as refused:
                # it ended between our look and the desk's: there is nothing left to withdraw
                if refused.refusal.code != "no_such_request":
                    raise


def _said(ask: Ask) -> str:
    if ask.reason:
        return f"not acted on: {ask.reason}"
    most = max(ask.requests, key=lambda request: request.target_kw)
    return f"asks for {most.asked} in {len(ask.requests)} interval(s)"


def _header(text: str) -> str:
    # a header is one line of Latin-1 at most; what the client wrote may be anything
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:400]
