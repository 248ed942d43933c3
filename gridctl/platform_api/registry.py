"""Who there is: customers, their sites, what can be called there, and on which terms."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from aiohttp import web

from gridctl.model.clock import Clock
from gridctl.model.enrolment import Terms, WeeklyWindow, Window
from gridctl.platform_api import wire
from gridctl.platform_api.caller import ACTOR, Actor
from gridctl.platform_api.http import (
    Json,
    body_of,
    check_match,
    cursor,
    cursor_of,
    limit_of,
    one,
    page,
    text_of,
)
from gridctl.platform_api.problem import FieldError, ProblemError
from gridctl.platform_api.times import LATEST_S, at_s, when
from gridctl.store.engine import SqlStore
from gridctl.store.openadr_kinds import Reader
from gridctl.store.platform import ChangedError, NameTakenError, PlatformObject

S = TypeVar("S", bound=wire.Said)
EVERYTHING = Reader(client_id="", sees_all=True)

ENROLMENT_STEPS: Final[Mapping[str, frozenset[str]]] = {
    "requested": frozenset({"requested", "verified", "active", "ended"}),
    "verified": frozenset({"verified", "active", "ended"}),
    "active": frozenset({"active", "suspended", "ended"}),
    "suspended": frozenset({"suspended", "active", "ended"}),
    "ended": frozenset({"ended"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object: its path, its model, what it belongs to, how its ids begin."""

    path: str
    kind: str
    model: type[wire.Said]
    letter: str
    parent_kind: str | None = None
    parent_field: str = ""
    name_of: Callable[[Any], str] = lambda body: str(body.name)


KINDS: Final[tuple[Kind, ...]] = (
    Kind(path="customers", kind="customer", model=wire.Customer, letter="CUS"),
    Kind(
        path="sites",
        kind="site",
        model=wire.Site,
        letter="SIT",
        parent_kind="customer",
        parent_field="customerId",
    ),
    Kind(
        path="resources",
        kind="resource",
        model=wire.Resource,
        letter="RES",
        parent_kind="site",
        parent_field="siteId",
    ),
    Kind(
        path="enrolments",
        kind="enrolment",
        model=wire.Enrolment,
        letter="ENR",
        parent_kind="resource",
        parent_field="resourceId",
        name_of=lambda body: str(body.program),
    ),
    Kind(
        path="opt-outs",
        kind="opt_out",
        model=wire.OptOut,
        letter="OUT",
        parent_kind="resource",
        parent_field="resourceId",
    ),
    Kind(
        path="der-groups",
        kind="group",
        model=wire.EndDeviceGroup,
        letter="GRP",
        name_of=lambda body: str(body.names[0].name),
    ),
)


class Registry:
    """Handlers of one kind: list, create, read, replace, delete."""

    def __init__(
        self,
        kind: Kind,
        *,
        store: SqlStore,
        clock: Clock,
        devices: frozenset[str],
    ) -> None:
        self._kind = kind
        self._store = store
        self._clock = clock
        self._devices = devices

    async def listed(self, request: web.Request) -> web.Response:
        """A page of those that the caller sees, oldest first."""
        actor, limit = request[ACTOR], limit_of(request)
        parent = text_of(request, self._kind.parent_field) if self._kind.parent_field else None
        found = await self._store.platform.page(
            self._kind.kind,
            limit=limit + 1,
            after=cursor_of(request),
            owner=actor.owner,
            parent=parent,
        )
        shown = [shown_object(o) for o in found[:limit]]
        return page(shown, cursor(found[limit - 1].number) if len(found) > limit else None)

    async def create(self, request: web.Request) -> web.Response:
        """A new one."""
        actor = request[ACTOR]
        body = await body_of(request, self._kind.model)
        owner, terms = await self._checked(body, actor, None, id_ := self._id())
        now_s = self._clock.now_s()
        new = PlatformObject(
            kind=self._kind.kind,
            id=id_,
            parent=self._parent_of(body),
            name=self._kind.name_of(body),
            client_id=owner,
            version=1,
            created_s=now_s,
            modified_s=now_s,
            body=_plain(body),
        )
        entry = actor.entry(f"platform.{self._kind.kind}.create", id_, at_s=now_s, after=new.name)
        try:
            await self._store.platform.add(
                [new], entry=entry, terms={} if terms is None else {id_: terms}
            )
        except NameTakenError as taken:
            raise self._taken(taken) from taken
        return one(
            request, shown_object(new), status=201, Location=f"{request.path.rstrip('/')}/{id_}"
        )

    async def read(self, request: web.Request) -> web.Response:
        """One of them."""
        return one(request, shown_object(await self._found(request)))

    async def replace(self, request: web.Request) -> web.Response:
        """Another body for it; what it belongs to stays."""
        actor, old = request[ACTOR], await self._found(request)
        body = await body_of(request, self._kind.model)
        check_match(request, shown_object(old))
        if self._parent_of(body) != old.parent:
            raise _field("not_possible", self._kind.parent_field, "cannot change: make a new one")
        owner, terms = await self._checked(body, actor, old, old.id)
        now_s = self._clock.now_s()
        changed = replace(
            old,
            name=self._kind.name_of(body),
            client_id=owner,
            modified_s=max(now_s, old.modified_s + 0.001),
            body=_plain(body),
        )
        if changed.body == old.body and changed.client_id == old.client_id:
            return one(request, shown_object(old))
        action = f"platform.{self._kind.kind}.replace"
        entry = actor.entry(
            action, old.id, at_s=now_s, reason=request.headers.get("Gridctl-Reason", "")[:500]
        )
        try:
            after = await self._store.platform.put(changed, entry=entry, terms=terms)
        except NameTakenError as taken:
            raise self._taken(taken) from taken
        except ChangedError as error:
            raise ProblemError("changed", "somebody was quicker: read it again") from error
        if self._kind.kind == "resource":
            await self._renew_terms(after, actor)
        return one(request, shown_object(after))

    async def delete(self, request: web.Request) -> web.Response:
        """It is gone; its versions stay on record."""
        actor, old = request[ACTOR], await self._found(request)
        check_match(request, shown_object(old))
        entry = actor.entry(
            f"platform.{self._kind.kind}.delete", old.id, at_s=self._clock.now_s(), before=old.name
        )
        try:
            if not await self._store.platform.remove(old, entry=entry):
                raise ProblemError("in_use", f"something belongs to {old.id}: delete that first")
        except ChangedError as error:
            raise ProblemError("changed", "somebody was quicker: read it again") from error
        return web.Response(status=204)

    async def versions(self, request: web.Request) -> web.Response:
        """Every version with its modification number, who and why."""
        found = await self._found(request)
        return page(await shown_versions(self._store, found.id), None)

    # --- parts --------------------------------------------------------------------------------

    def _id(self) -> str:
        return f"{self._kind.letter}-{secrets.token_hex(8)}"

    def _parent_of(self, body: wire.Said) -> str:
        field = self._kind.parent_field
        return str(body.model_dump(by_alias=True)[field]) if field else ""

    async def _found(self, request: web.Request) -> PlatformObject:
        id_ = request.match_info["id"]
        found = await self._store.platform.one(self._kind.kind, id_, owner=request[ACTOR].owner)
        if found is None:
            raise ProblemError("not_found", f"there is no {self._kind.kind} {id_[:128]!r}")
        return found

    def _taken(self, taken: NameTakenError) -> ProblemError:
        told = f"there is a {self._kind.kind} named {taken} already"
        return ProblemError("name_taken", told, errors=[FieldError(field="name", message=told)])

    async def _checked(
        self, body: wire.Said, actor: Actor, old: PlatformObject | None, id_: str
    ) -> tuple[str, Terms | None]:
        """Whose it is, and the limits that follow from it. Raises ProblemError."""
        parent = await self._parent(body, actor)
        owner = "" if parent is None else parent.client_id
        match body:
            case wire.Resource():
                return await self._resource_owner(body), None
            case wire.Enrolment():
                before = "requested" if old is None else str(old.body["state"])
                if body.state not in ENROLMENT_STEPS[before]:
                    raise _field("wrong_state", "state", f"{before} does not become {body.state}")
                return owner, enrolment_terms(body, id_, parent)
            case wire.OptOut():
                return owner, opt_out_terms(body, id_, parent)
            case wire.EndDeviceGroup():
                await self._check_members(body)
                return owner, None
            case _:
                return owner, None

    async def _check_members(self, body: wire.EndDeviceGroup) -> None:
        ids = [device.mrid for device in body.end_devices]
        known = await self._store.platform.by_ids("resource", ids)
        for place, member in enumerate(ids):
            if member not in known:
                where = f"EndDevices.{place}.mRID"
                raise _field("not_possible", where, "there is no such resource")

    async def _parent(self, body: wire.Said, actor: Actor) -> PlatformObject | None:
        if self._kind.parent_kind is None:
            return None
        found = await self._store.platform.one(
            self._kind.parent_kind, self._parent_of(body), owner=actor.owner
        )
        if found is None:
            raise _field(
                "not_possible",
                self._kind.parent_field,
                f"there is no such {self._kind.parent_kind}",
            )
        return found

    async def _resource_owner(self, body: wire.Resource) -> str:
        """A resource of a VEN belongs to its client."""
        if body.device is not None and body.device not in self._devices:
            raise _field("not_possible", "device", "the feeder has no such device")
        if body.openadr_resource is None:
            return ""
        found = await self._store.objects.one("resource", body.openadr_resource, reader=EVERYTHING)
        if found is None:
            raise _field("not_possible", "openadrResource", "no VEN has such a resource")
        return found.client_id

    async def _renew_terms(self, resource: PlatformObject, actor: Actor) -> None:
        """The device of a resource has changed: what is agreed about it goes with it."""
        for kind, model in (("enrolment", wire.Enrolment), ("opt_out", wire.OptOut)):
            for child in await self._store.platform.page(kind, limit=1_000, parent=resource.id):
                body = model.model_validate(child.body)
                terms = (
                    enrolment_terms(body, child.id, resource)
                    if isinstance(body, wire.Enrolment)
                    else opt_out_terms(body, child.id, resource)
                )
                entry = actor.entry(
                    f"platform.{kind}.follow",
                    child.id,
                    at_s=self._clock.now_s(),
                    reason=f"resource {resource.id} has changed",
                )
                changed = replace(child, client_id=resource.client_id)
                await self._store.platform.put(changed, entry=entry, terms=terms)


def enrolment_terms(
    body: wire.Enrolment, id_: str, resource: PlatformObject | None
) -> Terms | None:
    """What the planning may do with the device of an enrolled resource; None: it has none."""
    device = None if resource is None else resource.body.get("device")
    if device is None:
        return None
    if body.state != "active":
        never = Window(start_s=0.0, end_s=LATEST_S, reason=f"enrolment {id_} is {body.state}")
        return Terms(id=id_, device=str(device), windows=(never,))
    return Terms(
        id=id_,
        device=str(device),
        calls_per_day_max=body.calls_per_day,
        calls_per_week_max=body.calls_per_week,
        calls_per_season_max=body.calls_per_season,
        notice_s=float(body.notice_s),
        emergency_notice_s=None
        if body.emergency_notice_s is None
        else float(body.emergency_notice_s),
        first_s=None if body.first_time is None else at_s(body.first_time),
        last_s=None if body.last_time is None else at_s(body.last_time),
        windows=tuple(
            Window(
                start_s=at_s(b.start), end_s=at_s(b.end), reason=b.reason or f"blackout of {id_}"
            )
            for b in body.blackouts
        ),
        weekly=tuple(_weekly(w, f"blackout of {id_}") for w in body.weekly_blackouts),
    )


def opt_out_terms(body: wire.OptOut, id_: str, resource: PlatformObject | None) -> Terms | None:
    """The same for a standing opt-out."""
    device = None if resource is None else resource.body.get("device")
    if device is None:
        return None
    reason = f"opted out: {body.reason or body.name} ({id_})"
    once = (
        ()
        if body.start is None or body.end is None
        else (Window(start_s=at_s(body.start), end_s=at_s(body.end), reason=reason),)
    )
    weekly = () if body.weekly is None else (_weekly(body.weekly, reason),)
    return Terms(id=id_, device=str(device), windows=once, weekly=weekly)


def _weekly(window: wire.WeeklyBlackout, reason: str) -> WeeklyWindow:
    return WeeklyWindow(
        weekdays=tuple(window.weekdays),
        from_s=float(window.from_s),
        to_s=float(window.to_s),
        reason=window.reason or reason,
    )


def _plain(body: wire.Said) -> dict[str, Any]:
    return body.model_dump(by_alias=True, mode="json")


def shown_object(found: PlatformObject) -> Json:
    """An object as its reader sees it."""
    extra = {"mRID": found.id} if found.kind == "group" else {}
    return {
        "id": found.id,
        **extra,
        **found.body,
        "modificationNumber": found.version,
        "created": when(found.created_s),
        "modified": when(found.modified_s),
    }


async def shown_versions(store: SqlStore, id_: str) -> list[Json]:
    """The versions of an object."""
    return [
        {
            "modificationNumber": v.version,
            "at": when(v.at_s),
            "who": v.who,
            "reason": v.reason,
            "body": dict(v.body),
        }
        for v in await store.platform.versions(id_)
    ]


def _field(code: str, field: str, message: str) -> ProblemError:
    told = f"{field}: {message}"
    return ProblemError(code, told, errors=[FieldError(field=field, message=message)])
