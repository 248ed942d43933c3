"""GET /notifiers: how changes are told: by webhooks, and by MQTT where a broker is configured.

Without a broker its topics are 404. A topic's name differs by role (`gridctl.openadr.topics`): what
business logic reads and what everybody may read are different places.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from gridctl.openadr import listing, topics
from gridctl.openadr.auth import Auth, Caller
from gridctl.openadr.broker_notifier import MqttPolicy
from gridctl.openadr.problem import Handler, ProblemError
from gridctl.openadr.scopes import READ_ANY, READ_BUSINESS_LOGIC, READ_OWN
from gridctl.store.engine import SqlStore

TOPICS: Sequence[tuple[str, Sequence[str]]] = (
    ("/programs", READ_ANY),
    ("/programs/{id}", READ_ANY),
    ("/programs/{id}/events", READ_ANY),
    ("/events", READ_BUSINESS_LOGIC),
    ("/reports", READ_BUSINESS_LOGIC),
    ("/subscriptions", READ_BUSINESS_LOGIC),
    ("/vens", READ_BUSINESS_LOGIC),
    ("/resources", READ_BUSINESS_LOGIC),
    ("/vens/{id}", READ_OWN),
    ("/vens/{id}/events", READ_OWN),
    ("/vens/{id}/programs", READ_OWN),
    ("/vens/{id}/resources", READ_OWN),
)
"""Every topic of OpenADR 3.1.0 below /notifiers/mqtt/topics, and who may ask for it."""


class Notifiers:
    """Handlers of /notifiers."""

    def __init__(self, *, auth: Auth, store: SqlStore, mqtt: MqttPolicy | None) -> None:
        self._auth = auth
        self._store = store
        self._mqtt = mqtt

    async def list(self, request: web.Request) -> web.Response:
        """GET /notifiers."""
        await self._auth.need(request, READ_ANY)
        told: dict[str, object] = {"WEBHOOK": True}
        if self._mqtt is not None:
            told["MQTT"] = self._mqtt.told()
        return web.json_response(told)

    def topics(self, path: str, scopes: Sequence[str]) -> Handler:
        """A handler of one of TOPICS."""

        async def topic(request: web.Request) -> web.Response:
            """Names of MQTT topics; 404 without a broker."""
            caller = await self._auth.need(request, scopes)
            if self._mqtt is None:
                raise ProblemError(
                    HTTPStatus.NOT_FOUND, "this VTN has no MQTT broker: GET /notifiers tells"
                )
            base = await self._base(request, path, caller, self._mqtt.prefix)
            of_one = path.endswith("{id}")
            return web.json_response({"topics": topics.names(base, of_one=of_one)})

        return topic

    async def _base(self, request: web.Request, path: str, caller: Caller, prefix: str) -> str:
        if "{id}" not in path:
            return topics.of_collection(prefix, caller.client.role, path.removeprefix("/"))
        id_ = listing.object_id(request.match_info["id"])
        kind = "ven" if path.startswith("/vens") else "program"
        if await self._store.objects.one(kind, id_, reader=caller.reader()) is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no such {kind}")
        found = path.removeprefix("/").replace("{id}", id_)
        if kind == "ven":
            return f"{prefix}/{found}"
        return topics.of_collection(prefix, caller.client.role, found)
