"""Telemetry in bulk, each item answered for itself; measurements and exports as JSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from gridctl.model.clock import Clock
from gridctl.model.measurement import Measurement, Origin, Quality, TimeQuality, Validity
from gridctl.openadr.report_values import der_point
from gridctl.platform_api import wire
from gridctl.platform_api.caller import ACTOR
from gridctl.platform_api.desk import DispatchDesk
from gridctl.platform_api.http import PRIVATE, Json, body_of, parameter, text_of
from gridctl.platform_api.problem import ProblemError, of_validation
from gridctl.platform_api.times import at_s, when, when_or_none
from gridctl.store.engine import SqlStore

LATE_MAX_S: Final = 14 * 86_400.0
AHEAD_MAX_S: Final = 300.0
ROWS_MAX: Final = 10_000
KEPT_ROWS_MAX: Final = 100_000
"""Samples of one point that an upload is compared with; the store ignores repetitions anyway."""
EXPORTS: Final = ("plans", "alarms", "dispatches", "commands")


class Telemetry:
    """Handlers of /telemetry, /measurements and /exports."""

    def __init__(self, *, store: SqlStore, desk: DispatchDesk, clock: Clock) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock

    async def upload(self, request: web.Request) -> web.Response:
        """Up to 1,000 readings: stored, known already, or refused, one by one. Always 200."""
        body = await body_of(request, wire.Readings)
        owner = request[ACTOR].owner
        ids = {str(item.get("resourceId")) for item in body.items}
        known = await self._store.platform.by_ids("resource", sorted(ids))
        mine = {id_ for id_, one in known.items() if owner is None or one.client_id == owner}
        now_s = self._clock.now_s()
        judged = [_judged(item, mine, now_s) for item in body.items]
        kept = await self._kept([m for _, m in judged if m is not None])
        results: list[Json] = []
        fresh: list[Measurement] = []
        for place, (told, measured) in enumerate(judged):
            result = told
            if measured is not None:
                key = (measured.point, measured.source_time_s)
                if key in kept:
                    result = {"result": "known", "detail": "this moment is there already"}
                else:
                    kept.add(key)
                    fresh.append(measured)
            results.append({"index": place, **result})
        if fresh:
            await self._store.add_samples(fresh)
        words = [str(r["result"]) for r in results]
        counts = {word: words.count(word) for word in ("stored", "known", "refused")}
        return web.json_response({**counts, "items": results}, headers=PRIVATE)

    async def _kept(self, measured: Sequence[Measurement]) -> set[tuple[str, float]]:
        """(point, time) of what is there already, in the span of what has come."""
        spans: dict[str, tuple[float, float]] = {}
        for m in measured:
            low, high = spans.get(m.point, (m.source_time_s, m.source_time_s))
            spans[m.point] = min(low, m.source_time_s), max(high, m.source_time_s)
        found: set[tuple[str, float]] = set()
        for point, (low, high) in spans.items():
            rows = await self._store.samples(
                point, start_s=low, end_s=high + 1e-6, count_max=KEPT_ROWS_MAX
            )
            found |= {(point, row.source_time_s) for row in rows}
        return found

    async def measurements(self, request: web.Request) -> web.StreamResponse:
        """History of one point, or of one resource's quantity, as JSON or CSV, oldest first."""
        point = await self._point(request)
        start_s, end_s = _span(request, self._clock.now_s())
        found = await self._store.samples(
            point, start_s=start_s, end_s=end_s, count_max=limit_of_rows(request)
        )
        rows: list[Json] = [
            {
                "point": m.point,
                "time": when(m.source_time_s),
                "value": m.value,
                "quality": m.quality.validity.value,
                "flags": " ".join(sorted(m.quality.flags)),
                "origin": m.quality.origin.value,
                "received": when(m.received_time_s),
                "ageS": round(max(0.0, m.received_time_s - m.source_time_s), 3),
            }
            for m in found
        ]
        return _as_asked(request, "measurements", rows)

    async def _point(self, request: web.Request) -> str:
        actor, id_ = request[ACTOR], text_of(request, "resourceId")
        quantity, point = text_of(request, "quantity"), text_of(request, "point")
        if id_ is not None:
            if await self._store.platform.one("resource", id_, owner=actor.owner) is None:
                raise ProblemError("not_found", f"there is no resource {id_!r}")
            return der_point(id_, quantity or "PowerKw")
        if point is None:
            raise parameter("point", "name a point, or resourceId and quantity")
        if actor.owner is not None:
            raise ProblemError("forbidden", "a VEN reads its own resources: use resourceId")
        return point

    async def export(self, request: web.Request) -> web.StreamResponse:
        """Plans, alarms, dispatches or commands, newest first, as JSON or CSV."""
        what, limit = request.match_info["what"], limit_of_rows(request)
        rows: list[Json]
        if what == "plans":
            rows = [
                {
                    "id": p.stored.plan.mrid,
                    "state": p.stored.state.value,
                    "created": when(p.stored.plan.created_s),
                    "reductionKw": round(p.stored.plan.net_kw, 3),
                    "customers": p.stored.plan.customers,
                    "dispatches": " ".join(p.stored.plan.requests),
                    "approvedBy": " ".join(a.by for a in p.stored.approvals),
                    "reason": p.stored.reason,
                    "digest": p.stored.digest,
                }
                for p in await self._desk.plans(limit=limit)
            ]
        elif what == "alarms":
            rows = [
                {
                    "key": a.key,
                    "priority": a.priority,
                    "state": a.state.value,
                    "text": a.text,
                    "raised": when(a.raised_s),
                    "cleared": when_or_none(a.cleared_s),
                    "acknowledgedBy": a.acked_by,
                }
                for a in await self._store.alarms(active_only=False, limit=limit)
            ]
        elif what == "dispatches":
            rows = [
                {
                    "id": r.mrid,
                    "event": r.event_id,
                    "name": r.name,
                    "source": r.source,
                    "start": when(r.start_s),
                    "end": when(r.end_s),
                    "targetKw": r.target_kw,
                    "exportMaxKw": r.export_max_kw,
                    "state": r.state.value,
                }
                for r in list(await self._store.requests())[::-1][:limit]
            ]
        elif what == "commands":
            rows = [
                {
                    "id": c.command.mrid,
                    "plan": c.command.plan,
                    "device": c.command.resource,
                    "value": c.command.value,
                    "state": c.state.value,
                    "status": c.status,
                    "detail": c.detail,
                    "measuredKw": c.measured_kw,
                }
                for c in list(await self._store.commands(limit=limit))[::-1]
            ]
        else:
            raise ProblemError("not_found", f"exports are of {', '.join(EXPORTS)}")
        return _as_asked(request, what, rows)


def _judged(item: dict[str, Any], mine: set[str], now_s: float) -> tuple[Json, Measurement | None]:
    try:
        reading = wire.Reading.model_validate(item)
    except ValidationError as error:
        return {"result": "refused", "detail": of_validation(error).detail}, None
    if reading.resource_id not in mine:
        return {"result": "refused", "detail": "there is no such resource"}, None
    at = at_s(reading.time)
    if at < now_s - LATE_MAX_S:
        return {"result": "refused", "detail": "it is more than 14 days late"}, None
    if at > now_s + AHEAD_MAX_S:
        return {"result": "refused", "detail": "it lies in the future"}, None
    quality = Quality(
        validity=Validity(reading.quality),
        origin=Origin.ESTIMATED if reading.estimated else Origin.PROCESS,
        native="platform API",
    )
    measured = Measurement(
        point=der_point(reading.resource_id, reading.quantity),
        value=float(reading.value),
        quality=quality,
        source_time_s=at,
        time_quality=TimeQuality.UNSYNCHRONIZED,
        received_time_s=now_s,
    )
    return {"result": "stored", "detail": ""}, measured


def _span(request: web.Request, now_s: float) -> tuple[float, float]:
    ends: list[float] = []
    for name, default_s in (("start", now_s - 86_400.0), ("end", now_s)):
        text = request.query.get(name)
        try:
            ends.append(default_s if text is None else at_s(text))
        except ValueError as error:
            raise parameter(name, str(error)) from error
    if ends[1] <= ends[0]:
        raise parameter("end", "is not after start")
    return ends[0], ends[1]


def limit_of_rows(request: web.Request) -> int:
    """How many rows of an export are wanted, up to 10,000."""
    text = request.query.get("limit")
    if text is None:
        return 1_000
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= ROWS_MAX):  # noqa: PLR2004 - digits of ROWS_MAX
        raise parameter("limit", f"is a whole number from 1 to {ROWS_MAX}")
    return int(text)


def _as_asked(request: web.Request, name: str, rows: Sequence[Json]) -> web.Response:
    wanted = "csv" if request.headers.get("Accept", "").startswith("text/csv") else "json"
    form = request.query.get("format", wanted)
    if form == "json":
        return web.json_response({"items": list(rows)}, headers=PRIVATE)
    if form != "csv":
        raise parameter("format", "is json or csv")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if rows:
        writer.writerow(rows[0])
        writer.writerows([[_cell(value) for value in row.values()] for row in rows])
    return web.Response(
        text=text.getvalue(),
        content_type="text/csv",
        charset="utf-8",
        headers={**PRIVATE, "Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula stays a text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return "" if value is None else value
