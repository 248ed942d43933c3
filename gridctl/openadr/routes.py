"""The OpenADR 3.1.0 side as one aiohttp application, to be mounted at /openadr3/3.1.0."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from gridctl.model.clock import Clock
from gridctl.openadr.auth import Auth
from gridctl.openadr.broker_notifier import BrokerNotifier, MqttPolicy
from gridctl.openadr.callbacks import CallbackPolicy
from gridctl.openadr.crud import Crud
from gridctl.openadr.desk import DemandDesk
from gridctl.openadr.events import Events
from gridctl.openadr.notifier import Notifier
from gridctl.openadr.notifiers import TOPICS, Notifiers
from gridctl.openadr.problem import Handler, problems
from gridctl.openadr.programs import Programs
from gridctl.openadr.reports import Reports
from gridctl.openadr.subscriptions import Subscriptions
from gridctl.openadr.vens import Resources, Vens
from gridctl.store.engine import SqlStore

STRICT = CallbackPolicy()
LINE_BYTES_MAX = 65_536
"""Longest request line: a query may name many targets, each percent-encoded."""


def openadr_routes(
    *,
    store: SqlStore,
    desk: DemandDesk,
    clock: Clock,
    token_url: str | None = None,
    callbacks: CallbackPolicy = STRICT,
    mqtt: MqttPolicy | None = None,
) -> web.Application:
    """The VTN's sub-application, with the task that carries its notifications.

    `token_url`: what GET /auth/server tells; None tells the address that the client used.
    """
    auth = Auth(store=store, clock=clock, token_url=token_url)
    notifier = Notifier(
        store=store, clock=clock, policy=callbacks, uniform=random.SystemRandom().uniform
    )
    rooms: dict[str, Crud] = {
        "/programs": Programs(store=store, clock=clock, auth=auth),
        "/events": Events(store=store, desk=desk, clock=clock, auth=auth),
        "/reports": Reports(store=store, clock=clock, auth=auth),
        "/subscriptions": Subscriptions(
            store=store, clock=clock, auth=auth, policy=callbacks, session=notifier.session
        ),
        "/vens": Vens(store=store, clock=clock, auth=auth),
        "/resources": Resources(store=store, clock=clock, auth=auth),
    }
    notifiers = Notifiers(auth=auth, store=store, mqtt=mqtt)
    wakes = [notifier.wake]
    contexts = [lambda _: _carrying(notifier)]
    if mqtt is not None:
        broker = BrokerNotifier(store=store, clock=clock, policy=mqtt)
        store.objects.publishes = True
        wakes.append(broker.wake)
        contexts.append(lambda _: broker.carrying())
    app = web.Application(middlewares=[problems, _waking(store, wakes)])
    app.add_routes(
        [
            web.get("/auth/server", auth.server, allow_head=False),
            web.post("/auth/token", auth.token),
            web.get("/notifiers", notifiers.list, allow_head=False),
            *(
                web.get(
                    f"/notifiers/mqtt/topics{path}",
                    notifiers.topics(path, scopes),
                    allow_head=False,
                )
                for path, scopes in TOPICS
            ),
            *(route for path, room in rooms.items() for route in _routes(path, room)),
        ]
    )
    app.cleanup_ctx.extend(contexts)
    return app


def _routes(path: str, room: Crud) -> list[web.RouteDef]:
    one = f"{path}/{{id}}"
    return [
        web.post(path, room.create),
        web.get(path, room.list, allow_head=False),
        web.get(one, room.read, allow_head=False),
        web.put(one, room.update),
        web.delete(one, room.delete),
    ]


def _waking(store: SqlStore, wakes: Sequence[Callable[[], None]]) -> Middleware:
    """Whoever carries an outbox looks at once after a write that put something in."""

    @web.middleware
    async def wake(request: web.Request, handler: Handler) -> web.StreamResponse:
        told = store.objects.told
        answer = await handler(request)
        if store.objects.told != told:
            for wake_one in wakes:
                wake_one()
        return answer

    return wake


async def _carrying(notifier: Notifier) -> AsyncIterator[None]:
    task = asyncio.create_task(notifier.run(), name="openadr notifier")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await notifier.close()
