"""Subscriptions: who wants to hear of what, and where."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar

import aiohttp
from aiohttp import web

from gridctl.model.clock import Clock
from gridctl.openadr import listing
from gridctl.openadr.auth import Auth, Caller
from gridctl.openadr.body import read_model
from gridctl.openadr.callbacks import CallbackError, CallbackPolicy, challenge, check_url
from gridctl.openadr.crud import Crud, Draft, Filters
from gridctl.openadr.problem import ProblemError
from gridctl.openadr.scopes import READ_OWN
from gridctl.openadr.wire import ObjectOperation, SubscriptionRequest
from gridctl.store.engine import SqlStore
from gridctl.store.openadr_kinds import StoredObject
from gridctl.store.openadr_objects import Search

OBJECT_TYPES = ("PROGRAM", "EVENT", "REPORT", "SUBSCRIPTION", "VEN", "RESOURCE")
_BEARER = re.compile(r"^[A-Za-z0-9._~+/=-]+$")

OpenSession = Callable[[], aiohttp.ClientSession]


class Subscriptions(Crud):
    """Handlers of /subscriptions. A subscription whose callback does not answer is refused."""

    kind = "subscription"
    read_scopes = READ_OWN
    write_scopes = ("write_subscriptions",)
    is_targeted = False
    filters: ClassVar[Filters] = {
        "programID": ("program_id", listing.object_id),
        "clientName": ("client_name", listing.name),
    }

    def __init__(
        self,
        *,
        store: SqlStore,
        clock: Clock,
        auth: Auth,
        policy: CallbackPolicy,
        session: OpenSession,
    ) -> None:
        super().__init__(store=store, clock=clock, auth=auth)
        self._policy = policy
        self._session = session

    def search(self, request: web.Request) -> Search:
        """As every list; `objects` narrows to subscriptions that hear of one of them."""
        objects = request.query.getall("objects", [])
        if any(name not in OBJECT_TYPES for name in objects):
            raise ProblemError(HTTPStatus.BAD_REQUEST, f"objects are of {', '.join(OBJECT_TYPES)}")
        return replace(
            super().search(request), object_types=frozenset(objects) if objects else None
        )

    async def check(self, request: web.Request) -> None:
        """Every callback has to answer its challenge."""
        asked = await read_model(request, SubscriptionRequest)
        for number, operation in enumerate(asked.object_operations):
            await self._challenge(operation, f"objectOperations.{number}")

    async def draft(self, request: web.Request, caller: Caller, old: StoredObject | None) -> Draft:
        """What the body says of a subscription, whose callbacks have been checked."""
        asked = await read_model(request, SubscriptionRequest)
        callbacks = [
            {
                "object_type": object_type,
                "operation": operation,
                "url": one.callback_url,
                "bearer": one.bearer_token,
            }
            for one in asked.object_operations
            for object_type in dict.fromkeys(one.objects)
            for operation in dict.fromkeys(one.operations)
        ]
        return Draft(
            client_id=caller.client.client_id if old is None else old.client_id,
            keys={"program_id": asked.program_id, "client_name": asked.client_name},
            targets=asked.targets or (),
            body=asked.model_dump(by_alias=True, mode="json"),
            callbacks=callbacks,
            result=f"{len(callbacks)} kinds of change for {asked.client_name}",
        )

    async def _challenge(self, operation: ObjectOperation, where: str) -> None:
        bearer = operation.bearer_token
        if bearer is not None and _BEARER.match(bearer) is None:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, f"{where}.bearerToken: it is no bearer token (RFC 6750)"
            )
        try:
            url = check_url(operation.callback_url, self._policy)
            await challenge(self._session(), url, bearer, self._policy)
        except CallbackError as refused:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, f"{where}.callbackUrl: {refused}"
            ) from refused
