"""/api/v1 of the console: thin handlers that translate between JSON and the desk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from aiohttp import web

from gridctl.control.ports import Desk, Store
from gridctl.model.clock import Clock
from gridctl.model.network import Feeder
from gridctl.model.resource import Resource
from gridctl.web import plan_views, views
from gridctl.web.auth import person_of
from gridctl.web.problem import problem

BODY_BYTES_MAX = 64 * 1024
REASON_CHARS_MAX = 500
TREND_HOURS_MAX = 24 * 7.0
TREND_POINTS = 1_000
NAMES_MAX = 200
NUMBER_MAX = 1e12
"""Nothing that a person may ask for is larger; what is not finite is no number."""
_WORDS: Mapping[type | tuple[type, ...], str] = {str: "text", list: "list", int: "whole number"}


class BadBody(ValueError):  # noqa: N818 - read as a sentence in `except BadBody`
    """The body is not what the route takes: all that is wrong with it, a sentence each."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


async def body_object(request: web.Request) -> dict[str, Any]:
    """The JSON object of the request. Raises BadBody."""
    try:
        raw = json.loads(await request.text())
    except (ValueError, RecursionError) as error:
        raise BadBody(f"body is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise BadBody("body is not a JSON object")
    return raw


async def body_of(
    request: web.Request,
    *,
    optional: Mapping[str, type] = MappingProxyType({}),
    one_of: Mapping[str, Iterable[str]] = MappingProxyType({}),
    **fields: type | tuple[type, ...],
) -> dict[str, Any]:
    """The JSON object of the request with exactly the `fields` asked for, and of the `optional`
    ones those that are there; `one_of`: the only words that a field may be. Raises BadBody with
    every field that is wrong."""
    raw = await body_object(request)
    given = {name: kind for name, kind in optional.items() if name in raw}
    wanted = fields | given
    wrong = [
        *(why for name, kind in wanted.items() if (why := _wrong(name, raw.get(name), kind))),
        *(f"unknown field {name!r}" for name in sorted(set(raw) - set(wanted))),
    ]
    for name, words in one_of.items():
        known = [str(word) for word in words]
        if isinstance(raw.get(name), str) and raw[name] not in known:
            wrong.append(f"field {name!r} must be one of {', '.join(known)}")
    if wrong:
        raise BadBody(*wrong)
    return raw


def _wrong(name: str, value: Any, kind: type | tuple[type, ...]) -> str | None:
    if not isinstance(value, kind) or isinstance(value, bool):
        return f"field {name!r} must be a {_WORDS.get(kind, 'number')}"
    if isinstance(value, (int, float)) and not abs(value) <= NUMBER_MAX:
        return f"field {name!r} must be a number that is not beyond {NUMBER_MAX:g}"
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if any(isinstance(text, str) and not is_text(text) for text in texts):
        return f"field {name!r} holds characters that are no text"
    if isinstance(value, str) and len(value) > REASON_CHARS_MAX:
        return f"field {name!r} is longer than {REASON_CHARS_MAX} characters"
    return None


def is_text(text: str) -> bool:
    """Whether every store can hold it: no NUL, no half of a pair of surrogates."""
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text)


def names_of(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of names; none when the body has no such field. Raises BadBody."""
    found = body.get(name, [])
    if len(found) > NAMES_MAX or not all(isinstance(item, str) for item in found):
        raise BadBody(f"field {name!r} must be a list of at most {NAMES_MAX} names")
    return tuple(found)


def number_of(request: web.Request, name: str, default: float, *, top: float) -> float:
    """A number from the query, 0 < n <= top. Raises BadBody."""
    text = request.query.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        raise BadBody(f"query {name!r} must be a number") from None
    if not 0 < value <= top:
        raise BadBody(f"query {name!r} must be above 0 and at most {top:g}")
    return value


class Api:
    """The handlers; each is behind the gate with the permission of the route table."""

    def __init__(
        self,
        *,
        desk: Desk,
        store: Store,
        clock: Clock,
        feeder: Feeder,
        resources: tuple[Resource, ...],
        voltage_min_pu: float,
        voltage_max_pu: float,
        utc_offset_s: float,
    ) -> None:
        self._desk = desk
        self._store = store
        self._clock = clock
        self._feeder = views.feeder_view(
            feeder,
            resources,
            voltage_min_pu=voltage_min_pu,
            voltage_max_pu=voltage_max_pu,
            utc_offset_s=utc_offset_s,
        )

    async def feeder(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._feeder)

    async def plans(self, request: web.Request) -> web.StreamResponse:
        picture = self._desk.picture()
        plans = await self._desk.plans()
        return web.json_response({"plans": [plan_views.plan_row(p, picture) for p in plans]})

    async def plan(self, request: web.Request) -> web.StreamResponse:
        found = await self._desk.plan(request.match_info["plan"])
        if found is None:
            return problem(404, "no_such_plan", "No such plan")
        return web.json_response(plan_views.plan_detail(found, self._desk.picture()))

    async def propose(self, request: web.Request) -> web.StreamResponse:
        await body_of(request)
        mrid = await self._desk.propose_now(person=person_of(request))
        return web.json_response({"id": mrid}, status=201)

    async def approve(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request, digest=str, optional={"cautions": list})
        view = await self._desk.approve(
            request.match_info["plan"],
            shown_digest=body["digest"],
            person=person_of(request),
            cautions=names_of(body, "cautions"),
        )
        return web.json_response(plan_views.plan_detail(view, self._desk.picture()))

    async def break_glass(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request, digest=str, reason=str, optional={"cautions": list})
        view = await self._desk.break_glass(
            request.match_info["plan"],
            shown_digest=body["digest"],
            reason=body["reason"],
            person=person_of(request),
            cautions=names_of(body, "cautions"),
        )
        return web.json_response(plan_views.plan_detail(view, self._desk.picture()))

    async def reject(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request, digest=str, reason=str)
        view = await self._desk.reject(
            request.match_info["plan"],
            shown_digest=body["digest"],
            reason=body["reason"],
            person=person_of(request),
        )
        return web.json_response(plan_views.plan_detail(view, self._desk.picture()))

    async def stop(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request, reason=str)
        latency_s = await self._desk.stop(reason=body["reason"], person=person_of(request))
        return web.json_response({"stopped": True, "latency_s": round(latency_s, 3)})

    async def resume(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request, reason=str)
        await self._desk.resume(reason=body["reason"], person=person_of(request))
        return web.json_response({})

    async def return_to_default(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request, reason=str)
        await self._desk.return_to_default(reason=body["reason"], person=person_of(request))
        return web.json_response({})

    async def acknowledge(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request, key=str)
        await self._desk.acknowledge(body["key"], person=person_of(request))
        return web.json_response({})

    async def commands(self, request: web.Request) -> web.StreamResponse:
        picture = self._desk.picture()
        rows = await self._store.commands(plan=request.query.get("plan"))
        return web.json_response({"commands": [views.command_view(r, picture) for r in rows]})

    async def audit(self, request: web.Request) -> web.StreamResponse:
        limit = int(number_of(request, "limit", 100, top=500))
        before = request.query.get("before")
        rows = await self._store.audit_rows(
            limit=limit,
            before=None if before is None else int(number_of(request, "before", 1, top=2**53)),
        )
        return web.json_response({"rows": [views.audit_view(r) for r in rows]})

    async def audit_verify(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(views.chain_view(await self._store.verify_audit()))

    async def trend(self, request: web.Request) -> web.StreamResponse:
        picture = self._desk.picture()
        point = picture.points.get(request.query.get("point", ""))
        if point is None:
            return problem(404, "no_such_point", "No such point")
        hours = number_of(request, "hours", 2.0, top=TREND_HOURS_MAX)
        series = await self._store.series(
            point.mrid,
            start_s=picture.at_s - hours * 3600,
            end_s=picture.at_s,
            step_s=max(1.0, hours * 3600 / TREND_POINTS),
        )
        return web.json_response(views.trend_view(point, series))
