"""Events: create, read, list, replace, delete; what they ask goes to the operator's desk."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from aiohttp import web

from gridctl.control.ports import Desk
from gridctl.model.clock import Clock
from gridctl.model.errors import RefusedError
from gridctl.model.program import RequestState
from gridctl.openadr import listing
from gridctl.openadr.auth import Auth, Caller
from gridctl.openadr.body import read_model
from gridctl.openadr.mapping import Ask, asked, forecast_peak
from gridctl.openadr.periods import duration, instant
from gridctl.openadr.problem import ProblemError
from gridctl.openadr.wire import EventRequest, IntervalPeriod, ProgramRequest
from gridctl.store.engine import SqlStore
from gridctl.store.openadr import ObjectRow

KIND = "EVENT"
OPEN = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)
NOT_ACTED_ON = "Gridctl-Not-Acted-On"
"""Header of a 200 or 201 answer to an event that is kept but asks nothing of us: the reason."""


class Events:
    """Handlers of /events. Writes take turns, so that store and desk agree on the last one."""

    def __init__(self, *, store: SqlStore, desk: Desk, clock: Clock, auth: Auth) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._auth = auth
        self._turn = asyncio.Lock()

    async def create(self, request: web.Request) -> web.Response:
        """POST /events: 201; 409 when there is no such program."""
        caller = await self._auth.business_logic(request)
        event = await read_model(request, EventRequest)
        now_s = self._clock.now_s()
        row = ObjectRow(
            id=f"event-{secrets.token_hex(8)}",
            parent=event.program_id,
            client_id=caller.client.client_id,
            created_s=now_s,
            modified_s=now_s,
            body=event.model_dump_json(by_alias=True),
        )
        async with self._turn:
            ask = await self._ask(event, row, now_s)
            entry = caller.entry("openadr.event.create", row.id, at_s=now_s, result=_said(ask))
            if not await self._store.openadr.add_event(row, entry):
                raise _no_program(event.program_id)
            headers = await self._submit(ask, row, caller)
        body = listing.shown(row, KIND)
        return web.json_response(body, status=HTTPStatus.CREATED.value, headers=headers)

    async def list(self, request: web.Request) -> web.Response:
        """GET /events, by programID, targets, and `active` (not over yet)."""
        caller = await self._auth.caller(request)
        page = listing.page(request)
        program = request.query.get("programID")
        if program is not None:
            program = listing.object_id(program)
        active_only, now_s = listing.flag(request, "active"), self._clock.now_s()

        def keep(body: dict[str, Any]) -> bool:
            if active_only and _is_over(body, now_s):
                return False
            return listing.visible(body, caller, page.targets)

        found = await listing.listed(
            lambda after: self._store.openadr.events(
                program=program, after=after, count_max=listing.CHUNK_ROWS
            ),
            page,
            keep,
            KIND,
        )
        return web.json_response(found)

    async def read(self, request: web.Request) -> web.Response:
        """GET /events/{id}: 404 also for what the caller may not see."""
        caller = await self._auth.caller(request)
        body = listing.shown(await self._row(request), KIND)
        if not listing.visible(body, caller, None):
            raise _not_found()
        return web.json_response(body)

    async def update(self, request: web.Request) -> web.Response:
        """PUT /events/{id}: what it asked before is withdrawn, what it asks now is submitted."""
        caller = await self._auth.business_logic(request)
        event = await read_model(request, EventRequest)
        async with self._turn:
            old = await self._row(request)
            now_s = self._clock.now_s()
            row = replace(
                old,
                parent=event.program_id,
                body=event.model_dump_json(by_alias=True),
                modified_s=now_s,
            )
            ask = await self._ask(event, row, now_s)
            entry = caller.entry("openadr.event.update", row.id, at_s=now_s, result=_said(ask))
            await self._withdraw(row.id, ask, caller)
            if not await self._store.openadr.put_event(row, entry):
                raise _no_program(event.program_id)
            headers = await self._submit(ask, row, caller)
        return web.json_response(listing.shown(row, KIND), headers=headers)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE /events/{id}: withdrawn from the desk; 200 with the object."""
        caller = await self._auth.business_logic(request)
        async with self._turn:
            row = await self._row(request)
            await self._withdraw(row.id, Ask(), caller)
            entry = caller.entry(
                "openadr.event.delete", row.id, at_s=self._clock.now_s(), result="deleted"
            )
            await self._store.openadr.delete_event(row.id, entry)
        return web.json_response(listing.shown(row, KIND))

    async def _ask(self, event: EventRequest, row: ObjectRow, now_s: float) -> Ask:
        program = await self._store.openadr.program(event.program_id)
        if program is None:
            raise _no_program(event.program_id)
        return asked(
            event,
            ProgramRequest.model_validate_json(program.body),
            event_id=row.id,
            client_id=row.client_id,
            now_s=now_s,
            peak_kw=forecast_peak(self._desk.picture().forecast),
        )

    async def _submit(self, ask: Ask, row: ObjectRow, caller: Caller) -> dict[str, str]:
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
                        row.id,
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

    async def _row(self, request: web.Request) -> ObjectRow:
        row = await self._store.openadr.event(listing.object_id(request.match_info["event_id"]))
        if row is None:
            raise _not_found()
        return row


def _said(ask: Ask) -> str:
    if ask.reason:
        return f"not acted on: {ask.reason}"
    kw = max(request.target_kw for request in ask.requests)
    return f"asks for up to {kw:g} kW in {len(ask.requests)} interval(s)"


def _is_over(body: dict[str, Any], now_s: float) -> bool:
    """Whether every window of the event has ended; what cannot be told is not over."""
    event = EventRequest.model_validate(body)
    base = event.interval_period or IntervalPeriod()
    following_s: float | None = None
    for own in [interval.interval_period for interval in event.intervals or []] or [None]:
        period = own or IntervalPeriod()
        start = period.start or (base.start if following_s is None else None)
        length = period.duration or base.duration
        at_s = following_s if start is None else instant(start)
        if at_s is None or length is None:
            return False
        following_s = duration(length).after(at_s)
        if following_s is None or following_s > now_s:
            return False
    return True


def _header(text: str) -> str:
    # a header is one line of Latin-1 at most; what the client wrote may be anything
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:400]


def _not_found() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "there is no such event")


def _no_program(id_: str) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, f"there is no program {id_!r}")
