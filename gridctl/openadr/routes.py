"""The OpenADR 3.1.0 side as one aiohttp application, to be mounted at /openadr3/3.1.0."""

from __future__ import annotations

from aiohttp import web

from gridctl.control.ports import Desk
from gridctl.model.clock import Clock
from gridctl.openadr.auth import Auth
from gridctl.openadr.events import Events
from gridctl.openadr.problem import problems
from gridctl.openadr.programs import Programs
from gridctl.store.engine import SqlStore


def openadr_routes(
    *, store: SqlStore, desk: Desk, clock: Clock, token_url: str | None = None
) -> web.Application:
    """The VTN's sub-application: auth, programs and events.

    `token_url`: what GET /auth/server tells; None tells the address that the client used.
    """
    auth = Auth(store=store, clock=clock, token_url=token_url)
    programs = Programs(store=store, clock=clock, auth=auth)
    events = Events(store=store, desk=desk, clock=clock, auth=auth)
    app = web.Application(middlewares=[problems])
    app.add_routes(
        [
            web.get("/auth/server", auth.server, allow_head=False),
            web.post("/auth/token", auth.token),
            web.post("/programs", programs.create),
            web.get("/programs", programs.list, allow_head=False),
            web.get("/programs/{program_id}", programs.read, allow_head=False),
            web.put("/programs/{program_id}", programs.update),
            web.delete("/programs/{program_id}", programs.delete),
            web.post("/events", events.create),
            web.get("/events", events.list, allow_head=False),
            web.get("/events/{event_id}", events.read, allow_head=False),
            web.put("/events/{event_id}", events.update),
            web.delete("/events/{event_id}", events.delete),
        ]
    )
    return app
