"""Programs: create, read, list, replace, delete."""

from __future__ import annotations

import secrets
from dataclasses import replace
from http import HTTPStatus

from aiohttp import web

from gridctl.model.clock import Clock
from gridctl.openadr import listing
from gridctl.openadr.auth import Auth
from gridctl.openadr.body import read_model
from gridctl.openadr.problem import ProblemError
from gridctl.openadr.wire import ProgramRequest
from gridctl.store.engine import SqlStore
from gridctl.store.openadr import ObjectRow

KIND = "PROGRAM"


class Programs:
    """Handlers of /programs."""

    def __init__(self, *, store: SqlStore, clock: Clock, auth: Auth) -> None:
        self._store = store
        self._clock = clock
        self._auth = auth

    async def create(self, request: web.Request) -> web.Response:
        """POST /programs: 201; 409 when the name is taken."""
        caller = await self._auth.business_logic(request)
        program = await read_model(request, ProgramRequest)
        now_s = self._clock.now_s()
        row = ObjectRow(
            id=f"program-{secrets.token_hex(8)}",
            parent=program.program_name,
            client_id=caller.client.client_id,
            created_s=now_s,
            modified_s=now_s,
            body=program.model_dump_json(by_alias=True),
        )
        entry = caller.entry("openadr.program.create", row.id, at_s=now_s, result=row.parent)
        if not await self._store.openadr.add_program(row, entry):
            raise _name_taken(row.parent)
        return web.json_response(listing.shown(row, KIND), status=HTTPStatus.CREATED.value)

    async def list(self, request: web.Request) -> web.Response:
        """GET /programs."""
        caller = await self._auth.caller(request)
        page = listing.page(request)
        found = await listing.listed(
            lambda after: self._store.openadr.programs(after=after, count_max=listing.CHUNK_ROWS),
            page,
            lambda body: listing.visible(body, caller, page.targets),
            KIND,
        )
        return web.json_response(found)

    async def read(self, request: web.Request) -> web.Response:
        """GET /programs/{id}: 404 also for what the caller may not see."""
        caller = await self._auth.caller(request)
        body = listing.shown(await self._row(request), KIND)
        if not listing.visible(body, caller, None):
            raise _not_found()
        return web.json_response(body)

    async def update(self, request: web.Request) -> web.Response:
        """PUT /programs/{id}."""
        caller = await self._auth.business_logic(request)
        old = await self._row(request)
        program = await read_model(request, ProgramRequest)
        now_s = self._clock.now_s()
        row = replace(
            old,
            parent=program.program_name,
            body=program.model_dump_json(by_alias=True),
            modified_s=now_s,
        )
        entry = caller.entry("openadr.program.update", row.id, at_s=now_s, result=row.parent)
        if not await self._store.openadr.put_program(row, entry):
            raise _name_taken(row.parent)
        return web.json_response(listing.shown(row, KIND))

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE /programs/{id}: 200 with the object; 409 while it has events."""
        caller = await self._auth.business_logic(request)
        row = await self._row(request)
        now_s = self._clock.now_s()
        entry = caller.entry("openadr.program.delete", row.id, at_s=now_s, result=row.parent)
        if not await self._store.openadr.delete_program(row.id, entry):
            raise ProblemError(HTTPStatus.CONFLICT, "the program still has events: delete them")
        return web.json_response(listing.shown(row, KIND))

    async def _row(self, request: web.Request) -> ObjectRow:
        row = await self._store.openadr.program(listing.object_id(request.match_info["program_id"]))
        if row is None:
            raise _not_found()
        return row


def _not_found() -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "there is no such program")


def _name_taken(name: str) -> ProblemError:
    return ProblemError(HTTPStatus.CONFLICT, f"there is a program named {name!r} already")
