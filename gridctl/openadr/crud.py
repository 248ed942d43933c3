"""Create, read, list, replace, delete: the same for every kind of object, written once.

A kind says what it reads from a body (`draft`), what its lists can be filtered by, and what else
happens when one of it comes, changes or goes.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, ClassVar

from aiohttp import web

from gridctl.model.clock import Clock
from gridctl.openadr import listing
from gridctl.openadr.auth import Auth, Caller
from gridctl.openadr.body import read_bytes
from gridctl.openadr.memory import Answer, Memory
from gridctl.openadr.problem import ProblemError
from gridctl.store.engine import SqlStore
from gridctl.store.openadr_kinds import TARGETED, Callbacks, Conflict, StoredObject, body_text
from gridctl.store.openadr_objects import Search

JSON = "application/json"

Filters = Mapping[str, tuple[str, Callable[[str], str]]]
"""Query parameter → the column it compares with, and the check of its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a body says of an object, and what goes with it."""

    client_id: str
    keys: Mapping[str, str | float | None]
    targets: Sequence[str]
    body: Mapping[str, Any]
    callbacks: Callbacks = ()
    result: str = "done"
    """What the audit row says came of it."""
    read: object = None
    """What a kind has read for it and needs again in `written`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An object as one caller sees it."""

    one: StoredObject
    targets: list[str] = field(default_factory=list)

    def text(self) -> str:
        return listing.rendered(self.one, self.targets)

    def etag(self) -> str:
        return listing.etag(self.one, self.targets)


class Crud:
    """Handlers of one kind. Writes take turns, so that a look and the act after it agree."""

    kind: ClassVar[str]
    read_scopes: ClassVar[Sequence[str]]
    write_scopes: ClassVar[Sequence[str]]
    filters: ClassVar[Filters] = {}
    is_targeted: ClassVar[bool] = True
    """Whether its lists can be narrowed by targets."""

    def __init__(self, *, store: SqlStore, clock: Clock, auth: Auth) -> None:
        self._store = store
        self._clock = clock
        self._auth = auth
        self._turn = asyncio.Lock()
        self._memory = Memory()
        self._granted = Memory()
        """What clients have been granted: events come oftener than grants."""

    # --- what a kind adds ---------------------------------------------------------------------

    async def check(self, request: web.Request) -> None:
        """What a write has to wait for outside of this process; nobody else waits meanwhile."""

    async def draft(self, request: web.Request, caller: Caller, old: StoredObject | None) -> Draft:
        """What the body of `request` says; ProblemError when it cannot be."""
        raise NotImplementedError

    def search(self, request: web.Request) -> Search:
        """What a list asks for."""
        skip, limit = listing.skip_and_limit(request)
        return Search(
            skip=skip,
            limit=limit,
            targets=listing.targets(request) if self.is_targeted else None,
            equal=listing.equal(request, self.filters),
        )

    async def written(
        self,
        one: StoredObject,  # noqa: ARG002 - for the kinds that care
        old: StoredObject | None,  # noqa: ARG002
        draft: Draft,  # noqa: ARG002
        caller: Caller,  # noqa: ARG002
    ) -> dict[str, str]:
        """After a create or a change was kept; headers for the answer."""
        return {}

    async def removed(self, gone: StoredObject, caller: Caller) -> None:
        """Before an object goes."""

    # --- handlers -----------------------------------------------------------------------------

    async def create(self, request: web.Request) -> web.Response:
        """POST: 201 with the object; 409 for a name that is taken or a reference to nothing."""
        caller = await self._auth.need(request, self.write_scopes)
        await read_bytes(request)  # before our turn: nobody waits for a slow sender
        await self.check(request)
        async with self._turn:
            draft = await self.draft(request, caller, None)
            now_s = self._clock.now_s()
            one = StoredObject(
                kind=self.kind,
                id=f"{self.kind}-{secrets.token_hex(8)}",
                client_id=draft.client_id,
                keys=draft.keys,
                targets=tuple(dict.fromkeys(draft.targets)),
                body=body_text(draft.body),
                created_s=now_s,
                modified_s=now_s,
            )
            entry = self._entry(caller, "create", one, draft.result)
            conflict = await self._store.objects.add(
                one, entry, reader=caller.reader(), callbacks=draft.callbacks
            )
            _raise(conflict)
            headers = await self.written(one, None, draft, caller)
        return _answer(
            View(one=one, targets=list(one.targets)), status=HTTPStatus.CREATED, headers=headers
        )

    async def list(self, request: web.Request) -> web.Response:
        """GET of many: what the caller may see, narrowed by the query, cut to a page."""
        caller = await self._auth.need(request, self.read_scopes)
        generation = await self._store.objects.generation()
        grants = await self._grants(caller, generation)
        key = (request.query_string, self._circle(caller, grants))
        answer = self._memory.answer(key, generation)
        if answer is None:
            search = self.search(request)
            found = await self._store.objects.page(self.kind, search, reader=caller.reader())
            may_show = (
                grants if search.targets is None or grants is None else grants & search.targets
            )
            views = [View(one=one, targets=listing.shown_targets(one, may_show)) for one in found]
            answer = Answer(body=f"[{','.join(view.text() for view in views)}]".encode())
            if search.after_s is None:  # what depends on the time of asking is asked each time
                self._keep(key, answer, read_in=generation)
        return web.Response(body=answer.body, content_type=JSON, charset="utf-8", headers=_PRIVATE)

    async def read(self, request: web.Request) -> web.Response:
        """GET of one: 404 also for what the caller may not see; 304 for what it knows."""
        caller = await self._auth.need(request, self.read_scopes)
        generation = await self._store.objects.generation()
        grants = await self._grants(caller, generation)
        key = (request.match_info["id"], "", self._circle(caller, grants))
        answer = self._memory.answer(key, generation)
        if answer is None:
            view = await self._view(request, caller)
            answer = Answer(body=view.text().encode(), etag=view.etag())
            self._keep(key, answer, read_in=generation)
        tag = answer.etag or ""
        if listing.is_known(request, tag):
            return web.Response(
                status=HTTPStatus.NOT_MODIFIED.value, headers={"ETag": tag, **_PRIVATE}
            )
        return web.Response(
            body=answer.body,
            content_type=JSON,
            charset="utf-8",
            headers={"ETag": tag, **_PRIVATE},
        )

    async def update(self, request: web.Request) -> web.Response:
        """PUT: 200 with the object. What does not change anything is not a change."""
        caller = await self._auth.need(request, self.write_scopes)
        await read_bytes(request)
        await self._view(request, caller)  # what is not there, or not the caller's, needs no check
        await self.check(request)
        async with self._turn:
            view = await self._view(request, caller)
            old = view.one
            listing.check_match(request, view.etag())
            draft = await self.draft(request, caller, old)
            one = replace(
                old,
                client_id=draft.client_id,
                keys=draft.keys,
                targets=tuple(dict.fromkeys(draft.targets)),
                body=body_text(draft.body),
            )
            if one == old:
                return _answer(view)
            one = replace(one, modified_s=max(self._clock.now_s(), old.modified_s + 0.001))
            entry = self._entry(caller, "update", one, draft.result)
            conflict = await self._store.objects.put(
                one, entry, reader=caller.reader(), callbacks=draft.callbacks
            )
            _raise(conflict)
            headers = await self.written(one, old, draft, caller)
            generation = await self._store.objects.generation()
            shown = listing.shown_targets(one, await self._grants(caller, generation))
        return _answer(View(one=one, targets=shown), headers=headers)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE: 200 with the object as it was."""
        caller = await self._auth.need(request, self.write_scopes)
        async with self._turn:
            view = await self._view(request, caller)
            listing.check_match(request, view.etag())
            await self.removed(view.one, caller)
            entry = self._entry(caller, "delete", view.one, "deleted")
            _raise(await self._store.objects.remove(view.one, entry))
        return _answer(view)

    # --- parts --------------------------------------------------------------------------------

    async def _view(self, request: web.Request, caller: Caller) -> View:
        id_ = listing.object_id(request.match_info["id"])
        one = await self._store.objects.one(self.kind, id_, reader=caller.reader())
        if one is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no such {self.kind}")
        generation = await self._store.objects.generation()
        may_show = await self._grants(caller, generation) if one.targets else None
        return View(one=one, targets=listing.shown_targets(one, may_show))

    async def _grants(self, caller: Caller, generation: int) -> frozenset[str] | None:
        """Target hiding: a VEN learns of no target of a program or event but its own; None: all."""
        if caller.is_business_logic or self.kind not in TARGETED:
            return None
        objects, client_id = self._store.objects, caller.client.client_id
        before = objects.grants_generation(generation)
        known = self._granted.grants(client_id, before)
        if known is None:
            known = await objects.granted(client_id)
            now = objects.grants_generation(generation)
            self._granted.keep_grants(client_id, known, read_in=before, generation=now)
        return known

    def _circle(self, caller: Caller, grants: frozenset[str] | None) -> object:
        """Who sees the same: all of business logic, VENs with the same grants, or one client."""
        if caller.is_business_logic:
            return True
        return caller.client.client_id if grants is None else grants

    def _keep(self, key: object, answer: Answer, *, read_in: int) -> None:
        now = self._store.objects.generation_after(read_in)
        self._memory.keep(key, answer, read_in=read_in, generation=now)

    def _entry(self, caller: Caller, act: str, one: StoredObject, result: str) -> Any:
        return caller.entry(
            f"openadr.{self.kind}.{act}", one.id, at_s=self._clock.now_s(), result=result
        )


_PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


def _answer(
    view: View, *, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        text=view.text(),
        content_type=JSON,
        status=status.value,
        headers={"ETag": view.etag(), **_PRIVATE, **(headers or {})},
    )


def _raise(conflict: Conflict | None) -> None:
    if conflict is not None:
        raise ProblemError(HTTPStatus.CONFLICT, conflict.reason)
