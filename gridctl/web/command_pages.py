"""One command in full: its journal, and what passed the wire for it."""

from __future__ import annotations

from aiohttp import web

from gridctl.control.ports import Desk, EvidenceRow, Store
from gridctl.web.json_values import Json, iso
from gridctl.web.problem import problem
from gridctl.web.views import command_view


class CommandPages:
    """Read only."""

    def __init__(self, *, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store

    async def command(self, request: web.Request) -> web.StreamResponse:
        """api.ts CommandDetail."""
        mrid = request.match_info["command"]
        row = await self._store.command(mrid)
        if row is None:
            return problem(404, "no_such_command", "No such command")
        kept = await self._store.evidence(mrid)
        return web.json_response(
            command_view(row, self._desk.picture()) | {"evidence": [_evidence(one) for one in kept]}
        )


def _evidence(row: EvidenceRow) -> Json:
    """api.ts Evidence."""
    return {
        "state": row.state,
        "at": iso(row.at_s),
        "sha256": row.digest,
        "lines": list(row.lines),
    }
