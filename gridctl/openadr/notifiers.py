"""GET /notifiers: how changes are told. By webhooks; MQTT is not offered, its topics are 404."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from aiohttp import web

from gridctl.openadr.auth import Auth
from gridctl.openadr.problem import Handler, ProblemError
from gridctl.openadr.scopes import READ_ANY, READ_BUSINESS_LOGIC, READ_OWN

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

    def __init__(self, *, auth: Auth) -> None:
        self._auth = auth

    async def list(self, request: web.Request) -> web.Response:
        """GET /notifiers."""
        await self._auth.need(request, READ_ANY)
        return web.json_response({"WEBHOOK": True})

    def topics(self, scopes: Sequence[str]) -> Handler:
        """A handler of one of TOPICS."""

        async def topic(request: web.Request) -> web.Response:
            """Names of MQTT topics: 404, there is no broker."""
            await self._auth.need(request, scopes)
            raise ProblemError(
                HTTPStatus.NOT_FOUND, "this VTN has no MQTT broker: GET /notifiers tells"
            )

        return topic
