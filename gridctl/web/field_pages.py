"""What the communications screen asks for: links in full, and the sequence of events."""

from __future__ import annotations

from aiohttp import web

from gridctl.control.ports import Desk, EventRow, Picture, Store
from gridctl.web.api import number_of
from gridctl.web.json_values import Json, iso
from gridctl.web.link_views import link_detail, poor_points

EVENTS_MAX = 500


class FieldPages:
    """Read only."""

    def __init__(self, *, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store

    async def links(self, _: web.Request) -> web.StreamResponse:
        """Every link with all that its driver tells."""
        picture = self._desk.picture()
        poor = poor_points(picture)
        listed = [link_detail(h, poor=poor[h.link]) for h in picture.links]
        return web.json_response({"links": listed})

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The sequence of events, newest first; `before` an id, `point` an mRID."""
        before = request.query.get("before")
        rows = await self._store.events(
            point=request.query.get("point"),
            before_id=None if before is None else int(number_of(request, "before", 1, top=2**53)),
            limit=int(number_of(request, "limit", 100, top=EVENTS_MAX)),
        )
        picture = self._desk.picture()
        return web.json_response({"events": [_event(row, picture) for row in rows]})


def _event(row: EventRow, picture: Picture) -> Json:
    """api.ts FieldEvent."""
    measured = row.measurement
    point = picture.points.get(measured.point)
    return {
        "id": row.id,
        "number": row.number,
        "point": measured.point,
        "name": measured.point if point is None else point.name,
        "link": "" if point is None else point.link,
        "value": measured.value,
        "unit": "" if point is None else str(point.unit),
        "quality": str(measured.quality.validity),
        "flags": sorted(str(flag) for flag in measured.quality.flags),
        "at": iso(measured.source_time_s),
        "at_ms": round(measured.source_time_s * 1000) % 1000,
        "time_quality": str(measured.time_quality),
    }
