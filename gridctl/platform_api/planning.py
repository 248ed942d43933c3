"""The question that this feeder's optimizer would be asked: for whoever splits a limit over several
feeders (`gridctl substation`)."""

from __future__ import annotations

from aiohttp import web

from gridctl.model.canonical import canonical_json
from gridctl.platform_api.desk import DispatchDesk
from gridctl.platform_api.http import PRIVATE


class Planning:
    """Handler of /planning-task."""

    def __init__(self, *, desk: DispatchDesk) -> None:
        self._desk = desk

    async def task(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler's
        """The task now, in one form: the same task is the same octets."""
        body = canonical_json(await self._desk.planning_task())
        return web.Response(body=body, content_type="application/json", headers=PRIVATE)
