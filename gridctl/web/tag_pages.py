"""/api/v1/tags: what hangs on the devices (SG-26), by whom, and whether the field enforces it."""

from __future__ import annotations

from aiohttp import web

from gridctl.control.tags import TagBook
from gridctl.model.clock import Clock
from gridctl.model.tag import TagKind
from gridctl.web.api import BadBody, body_of
from gridctl.web.auth import person_of
from gridctl.web.views import tag_view

HOURS_MAX = 24.0 * 366


class TagPages:
    """The handlers."""

    def __init__(self, *, tags: TagBook, clock: Clock) -> None:
        self._tags = tags
        self._clock = clock

    async def tags(self, request: web.Request) -> web.StreamResponse:
        """The oldest first."""
        return web.json_response({"tags": [tag_view(v) for v in self._tags.views()]})

    async def place(self, request: web.Request) -> web.StreamResponse:
        """Hang one on; `hours` 0: until somebody removes it."""
        body = await body_of(
            request,
            one_of={"kind": TagKind},
            device=str,
            kind=str,
            reason=str,
            work_order=str,
            hours=(int, float),
        )
        hours = float(body["hours"])
        if not 0 <= hours <= HOURS_MAX:
            raise BadBody(f"field 'hours' must be 0 (no end) … {HOURS_MAX:g}")
        made = await self._tags.place(
            body["device"],
            TagKind(body["kind"]),
            reason=body["reason"],
            work_order=body["work_order"],
            until_s=self._clock.now_s() + hours * 3600 if hours else None,
            person=person_of(request),
        )
        return web.json_response(tag_view(made), status=201)

    async def remove(self, request: web.Request) -> web.StreamResponse:
        """Take one away, or ask for it, or agree to it; `tag` null: it is gone."""
        body = await body_of(request, reason=str)
        left = await self._tags.remove(
            request.match_info["tag"], reason=body["reason"], person=person_of(request)
        )
        return web.json_response({"tag": None if left is None else tag_view(left)})
