"""Dispatch requests: asked for, changed, extended, cancelled; who takes part; what came of it.

A request moves nothing by itself: it goes to the desk, is planned, verified and approved there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aiohttp import web

from gridctl.model.clock import Clock
from gridctl.model.errors import RefusedError
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.platform_api import wire
from gridctl.platform_api.caller import ACTOR, Actor
from gridctl.platform_api.desk import DispatchDesk
from gridctl.platform_api.http import (
    Json,
    body_and_digest,
    body_of,
    check_match,
    cursor,
    cursor_of,
    etag,
    idempotency_key,
    limit_of,
    one,
    page,
)
from gridctl.platform_api.problem import FieldError, ProblemError
from gridctl.platform_api.registry import shown_versions
from gridctl.platform_api.times import at_s, when
from gridctl.store.engine import SqlStore
from gridctl.store.platform import ChangedError, NameTakenError, PlatformObject

KIND: Final = "dispatch"
AHEAD_MAX_S: Final = 366 * 86_400.0
PARTICIPANTS_MAX: Final = 1_000
ACKNOWLEDGE_S: Final = 900.0
OPEN: Final = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody who is asked: a resource, its enrolment if it has one, what it has promised."""

    resource: PlatformObject
    commitment_kw: float
    acknowledge_within_s: float


class Dispatches:
    """Handlers of /dispatch-requests. Writes take turns."""

    def __init__(self, *, store: SqlStore, desk: DispatchDesk, clock: Clock) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._turn = asyncio.Lock()
        self._doing: set[tuple[str, str]] = set()

    # --- reads --------------------------------------------------------------------------------

    async def listed(self, request: web.Request) -> web.Response:
        """Dispatches, oldest first."""
        limit = limit_of(request)
        found = await self._store.platform.page(KIND, limit=limit + 1, after=cursor_of(request))
        requests = {r.mrid: r for r in await self._store.requests()}
        items = [self._shown(one, requests.get(one.id)) for one in found[:limit]]
        return page(items, cursor(found[limit - 1].number) if len(found) > limit else None)

    async def read(self, request: web.Request) -> web.Response:
        """One dispatch."""
        return one(request, await self._seen(await self._found(request)))

    async def versions(self, request: web.Request) -> web.Response:
        """Its modifications: number, who, why."""
        found = await self._found(request)
        return page(await shown_versions(self._store, found.id), None)

    # --- writes -------------------------------------------------------------------------------

    async def create(self, request: web.Request) -> web.Response:
        """Ask for a dispatch. The same Idempotency-Key with the same body gets the same answer."""
        actor, key = request[ACTOR], idempotency_key(request)
        body, digest = await body_and_digest(request, wire.DispatchRequest)
        if (actor.name, key) in self._doing:
            raise ProblemError("in_flight", "wait for the answer to the first one")
        self._doing.add((actor.name, key))
        try:
            return await self._create(request, actor, key, body, digest)
        finally:
            self._doing.discard((actor.name, key))

    async def _create(
        self,
        request: web.Request,
        actor: Actor,
        key: str,
        body: wire.DispatchRequest,
        digest: str,
    ) -> web.Response:
        platform = self._store.platform
        kept = await platform.take_key(actor.name, key, digest, at_s=self._clock.now_s())
        if kept is not None:
            if kept.digest != digest:
                raise ProblemError("key_reused", "this Idempotency-Key came with another body")
            if kept.status is not None:
                return _replayed(kept.status, kept.answer)
        # kept without an answer: we fell between the two; the same id makes it the same dispatch
        id_ = f"DSP-{hashlib.sha256(f'{actor.name} {key}'.encode()).hexdigest()[:16]}"
        try:
            async with self._turn:
                shown = await self._made(id_, body, actor)
        except ProblemError:
            await platform.settle_key(actor.name, key, status=None, answer="")
            raise
        await platform.settle_key(actor.name, key, status=201, answer=json.dumps(shown))
        return one(request, shown, status=201, Location=f"{request.path.rstrip('/')}/{id_}")

    async def _made(self, id_: str, body: wire.DispatchRequest, actor: Actor) -> Json:
        now_s = self._clock.now_s()
        found = await self._store.platform.one(KIND, id_)
        if found is None:
            _check_times(at_s(body.start), at_s(body.end), now_s)
            members = await self._members(body)
            _check_devices(body, members)
            target_kw = float(body.target_kw or sum(m.commitment_kw for m in members))
            if target_kw <= 0 and body.test != "communication":
                raise _field("targetKw", "nobody who is asked has committed anything")
            plain = body.model_dump(by_alias=True, mode="json")
            found = PlatformObject(
                kind=KIND,
                id=id_,
                parent="",
                name=id_,
                client_id=actor.client_id,
                version=1,
                created_s=now_s,
                modified_s=now_s,
                body={**plain, "targetKw": target_kw, "cancelled": None},
            )
            entry = actor.entry(
                "platform.dispatch.create",
                id_,
                at_s=now_s,
                reason=body.reason,
                after=f"{target_kw:g} kW for {len(members)} participants",
            )
            try:
                await self._store.platform.add(
                    [found, *(_participation(found, m, now_s) for m in members)], entry=entry
                )
            except NameTakenError as taken:
                raise ProblemError("in_flight", "it is being made already") from taken
        await self._submit(found, actor)
        return await self._seen(found)

    async def change(self, request: web.Request) -> web.Response:
        """Change times or size, before or while it runs. What runs has begun: its start stays."""
        actor, body = request[ACTOR], await body_of(request, wire.DispatchChange)
        async with self._turn:
            found = await self._found(request)
            check_match(request, await self._seen(found))
            changes = body.model_dump(by_alias=True, mode="json", exclude_none=True)
            reason = str(changes.pop("reason"))
            if not changes:
                raise ProblemError("not_possible", "nothing is to change")
            return one(request, await self._changed(found, changes, reason, actor))

    async def extend(self, request: web.Request) -> web.Response:
        """A later end."""
        actor, body = request[ACTOR], await body_of(request, wire.Extension)
        async with self._turn:
            found = await self._found(request)
            check_match(request, await self._seen(found), needed=False)
            if at_s(body.end) <= at_s(found.body["end"]):
                raise _field("end", "is not later than the present end")
            shown = await self._changed(found, {"end": body.end}, body.reason, actor)
            return one(request, shown)

    async def cancel(self, request: web.Request) -> web.Response:
        """It is off, before or while it runs. What no other dispatch needs goes back."""
        actor, body = request[ACTOR], await body_of(request, wire.Cancellation)
        async with self._turn:
            found = await self._found(request)
            check_match(request, await self._seen(found), needed=False)
            self._check_open(found)
            now_s = self._clock.now_s()
            cancelled = {"at": when(now_s), "by": actor.person.user, "reason": body.reason}
            after = await self._put(found, {"cancelled": cancelled}, body.reason, actor)
            try:
                await self._desk.cancel_request(found.id, person=actor.person)
            except RefusedError as refused:
                # a communication test has none, and one may have ended a moment ago
                if refused.refusal.code != "no_such_request":
                    raise
            return one(request, await self._seen(after))

    # --- parts --------------------------------------------------------------------------------

    async def _found(self, request: web.Request) -> PlatformObject:
        id_ = request.match_info["id"]
        found = await self._store.platform.one(KIND, id_)
        if found is None:
            raise ProblemError("not_found", f"there is no dispatch {id_[:128]!r}")
        return found

    def _check_open(self, found: PlatformObject) -> None:
        if found.body["cancelled"] is not None:
            raise ProblemError("wrong_state", "it is cancelled")
        if at_s(found.body["end"]) <= self._clock.now_s():
            raise ProblemError("wrong_state", "it is over")

    async def _changed(
        self, found: PlatformObject, changes: Json, reason: str, actor: Actor
    ) -> Json:
        self._check_open(found)
        now_s = self._clock.now_s()
        start_s = at_s(found.body["start"])
        if "start" in changes and start_s <= now_s and at_s(changes["start"]) != start_s:
            raise _field("start", "it has begun: its start stays")
        body = {**found.body, **changes}
        if at_s(body["end"]) <= at_s(body["start"]):
            raise _field("end", "is not after start")
        _check_times(at_s(body["start"]), at_s(body["end"]), now_s)
        after = await self._put(found, changes, reason, actor)
        await self._submit(after, actor)
        return await self._seen(after)

    async def _put(
        self, found: PlatformObject, changes: Json, reason: str, actor: Actor
    ) -> PlatformObject:
        now_s = self._clock.now_s()
        changed = replace(
            found,
            modified_s=max(now_s, found.modified_s + 0.001),
            body={**found.body, **changes},
        )
        entry = actor.entry(
            "platform.dispatch.change",
            found.id,
            at_s=now_s,
            reason=reason,
            before=f"modification {found.version}",
            after=json.dumps(changes, ensure_ascii=False)[:500],
        )
        try:
            return await self._store.platform.put(changed, entry=entry)
        except ChangedError as error:
            raise ProblemError("changed", "somebody was quicker: read it again") from error

    async def _submit(self, found: PlatformObject, actor: Actor) -> None:
        """To the desk. A communication test asks nothing of it."""
        if found.body["test"] == "communication":
            return
        test = found.body["test"]
        request = DispatchRequest(
            mrid=found.id,
            event_id=found.id,
            name=f"TEST {found.body['name']}" if test else str(found.body["name"]),
            source=actor.name,
            start_s=at_s(found.body["start"]),
            end_s=at_s(found.body["end"]),
            target_kw=float(found.body["targetKw"]),
            priority=int(found.body["priority"]),
            received_s=self._clock.now_s(),
            state=RequestState.RECEIVED,
            devices=await self._named(found),
        )
        try:
            await self._desk.submit_request(request, person=actor.person)
        except RefusedError as refused:
            reason = "; ".join(refused.refusal.reasons)
            cancelled = {"at": when(self._clock.now_s()), "by": "desk", "reason": reason}
            await self._put(found, {"cancelled": cancelled}, reason, actor)
            raise ProblemError("refused", reason) from refused

    async def _named(self, found: PlatformObject) -> tuple[str, ...] | None:
        """The devices that alone may answer; None when it names neither a group nor resources."""
        if found.body["group"] is None and found.body["resources"] is None:
            return None
        people = await self._store.platform.page(
            "participation", parent=found.id, limit=PARTICIPANTS_MAX
        )
        devices = (one.body["device"] for one in people)
        return tuple(sorted({str(device) for device in devices if device is not None}))

    async def _members(self, body: wire.DispatchRequest) -> list[Member]:
        """Who is asked. Raises ProblemError for a group or a resource that is not there."""
        platform = self._store.platform
        ids: list[str] | None = None
        field = "resources"
        if body.group is not None:
            group = await platform.one("group", body.group)
            if group is None:
                raise _field("group", "there is no such group")
            ids = [str(device["mRID"]) for device in group.body["EndDevices"]]
            field = "group"
        elif body.resources is not None:
            ids = list(dict.fromkeys(body.resources))
        enrolled: dict[str, PlatformObject] = {}
        for terms in await platform.page("enrolment", limit=PARTICIPANTS_MAX * 4):
            is_right = body.program is None or terms.body["program"] == body.program
            if terms.body["state"] == "active" and is_right:
                enrolled.setdefault(terms.parent, terms)
        wanted = list(enrolled) if ids is None else ids
        resources = await platform.by_ids("resource", wanted[:PARTICIPANTS_MAX])
        missing = [id_ for id_ in wanted if id_ not in resources]
        if missing:
            raise _field(field, f"there is no resource {missing[0]}")
        return [_member(resources[id_], enrolled.get(id_)) for id_ in wanted]

    async def _seen(self, found: PlatformObject) -> Json:
        requests = {r.mrid: r for r in await self._store.requests()}
        return self._shown(found, requests.get(found.id))

    def _shown(self, found: PlatformObject, request: DispatchRequest | None) -> Json:
        return {
            "id": found.id,
            **found.body,
            "state": self._state(found, request),
            "requestedBy": found.client_id or "console",
            "modificationNumber": found.version,
            "created": when(found.created_s),
            "modified": when(found.modified_s),
        }

    def _state(self, found: PlatformObject, request: DispatchRequest | None) -> str:
        if found.body["cancelled"] is not None:
            return "cancelled"
        if request is not None:
            return str(request.state.value)
        if found.body["test"] != "communication":
            return "not_submitted"
        return "completed" if at_s(found.body["end"]) <= self._clock.now_s() else "active"


def _participation(dispatch: PlatformObject, member: Member, now_s: float) -> PlatformObject:
    resource = member.resource
    id_ = hashlib.sha256(f"{dispatch.id} {resource.id}".encode()).hexdigest()[:16]
    return PlatformObject(
        kind="participation",
        id=f"PAR-{id_}",
        parent=dispatch.id,
        name=resource.id,
        client_id=resource.client_id,
        version=1,
        created_s=now_s,
        modified_s=now_s,
        body={
            "dispatchId": dispatch.id,
            "resourceId": resource.id,
            "device": resource.body.get("device"),
            "openadrResource": resource.body.get("openadrResource"),
            "commitmentKw": member.commitment_kw,
            "acknowledgeBy": when(now_s + member.acknowledge_within_s),
            "answer": None,
            "answeredAt": None,
            "reason": "",
            "openadrEvent": None,
        },
    )


def _member(resource: PlatformObject, enrolment: PlatformObject | None) -> Member:
    terms: dict[str, Any] = {} if enrolment is None else dict(enrolment.body)
    return Member(
        resource=resource,
        commitment_kw=float(terms.get("commitmentKw", 0.0)),
        acknowledge_within_s=float(terms.get("acknowledgeWithinS", ACKNOWLEDGE_S)),
    )


def _check_devices(body: wire.DispatchRequest, members: Sequence[Member]) -> None:
    """What is asked of named resources is asked of their devices: there has to be one."""
    named = "group" if body.group is not None else "resources"
    if (body.group is None and body.resources is None) or body.test == "communication":
        return
    if all(member.resource.body.get("device") is None for member in members):
        raise _field(
            named,
            "none of those has a device that a plan could move: name one beside them, or send "
            "their VENs an OpenADR event",
        )


def _check_times(start_s: float, end_s: float, now_s: float) -> None:
    if end_s <= now_s:
        raise _field("end", "has passed")
    if max(start_s, end_s) > now_s + AHEAD_MAX_S:
        raise _field("end", "is more than a year ahead")


def _field(field: str, message: str) -> ProblemError:
    told = f"{field}: {message}"
    return ProblemError("not_possible", told, errors=[FieldError(field=field, message=message)])


def _replayed(status: int, answer: str) -> web.Response:
    body = json.loads(answer)
    headers = {"ETag": etag(body), "Idempotent-Replayed": "true"}
    return web.json_response(body, status=status, headers=headers)
