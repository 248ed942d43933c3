"""The platform API as one aiohttp application, to be mounted at /api/v1 behind the console's own
routes: what the console does not serve there comes here."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from math import ceil
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gridctl.model.clock import Clock
from gridctl.model.errors import RefusedError, UnavailableError
from gridctl.openadr.auth import Auth
from gridctl.openadr.ratelimit import RateLimit
from gridctl.platform_api import openapi
from gridctl.platform_api.areas import PlatformAreas
from gridctl.platform_api.caller import Door, Guard, Handle
from gridctl.platform_api.desk import DispatchDesk
from gridctl.platform_api.dispatches import Dispatches
from gridctl.platform_api.http import one
from gridctl.platform_api.operations import OPERATIONS, Operation
from gridctl.platform_api.participations import Participations
from gridctl.platform_api.planning import Planning
from gridctl.platform_api.problem import REQUEST_ID, ProblemError, answer
from gridctl.platform_api.registry import KINDS, Registry
from gridctl.platform_api.telemetry import Telemetry
from gridctl.platform_api.ven_events import VenEvents
from gridctl.store.engine import SqlStore
from gridctl.web.auth import AreasOf

log = logging.getLogger(__name__)

PER_S: Final = 50.0
BURST: Final = 500
KEYS_MAX: Final = 10_000
_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,128}$")


class Document:
    """The OpenAPI document and its page."""

    def __init__(self) -> None:
        self._document = openapi.document()
        self._page = openapi.page(self._document)
        style = base64.b64encode(hashlib.sha256(openapi.STYLE.encode()).digest()).decode()
        self._policy = f"default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'"

    async def openapi(self, request: web.Request) -> web.Response:
        """The document."""
        return one(request, self._document)

    async def page(self, request: web.Request) -> web.Response:  # noqa: ARG002 - a handler's
        """The page."""
        return web.Response(
            text=self._page,
            content_type="text/html",
            charset="utf-8",
            headers={"Content-Security-Policy": self._policy},
        )


def platform_routes(
    *,
    store: SqlStore,
    desk: DispatchDesk,
    clock: Clock,
    gate: Guard | None,
    devices: Mapping[str, str],
    told: Callable[[], None] | None = None,
    per_s: float = PER_S,
    burst: int = BURST,
) -> web.Application:
    """The sub-application. `gate`: the console's, None where no people sign in; `devices`: area
    of each of the feeder's resources by its mRID; `told`: called when an OpenADR event was written;
    `per_s`, `burst`: what one caller may ask."""
    rooms: Mapping[str, object] = {
        **{
            kind.path: Registry(kind, store=store, clock=clock, devices=frozenset(devices))
            for kind in KINDS
        },
        "dispatches": Dispatches(store=store, desk=desk, clock=clock),
        "participations": Participations(store=store, clock=clock),
        "telemetry": Telemetry(store=store, desk=desk, clock=clock),
        "planning": Planning(desk=desk),
        "document": Document(),
    }
    of = PlatformAreas(store=store, devices=devices)
    areas: Mapping[str, AreasOf] = {
        "dispatches": of.of_dispatch,
        "resources": of.of_resource,
        "enrolments": of.of_enrolment,
        "opt-outs": of.of_opt_out,
        "participations": of.of_participation,
    }
    door = Door(auth=Auth(store=store, clock=clock, token_url=None), gate=gate)
    app = web.Application(
        middlewares=[
            _identified,
            _problems,
            _limited(clock, per_s=per_s, burst=burst),
        ]
    )
    for operation in OPERATIONS:
        about = None if operation.method == "GET" else areas.get(operation.room)
        handler = door.let_in(_handler(rooms, operation), operation.need, about)
        app.router.add_route(operation.method, operation.path, handler)
    ven_events = VenEvents(store=store, clock=clock, told=told or _nobody)
    app.cleanup_ctx.append(lambda _: ven_events.carrying())
    return app


def _nobody() -> None:
    return None


def _handler(rooms: Mapping[str, object], operation: Operation) -> Handle:
    found: Handle = getattr(rooms[operation.room], operation.act)
    return found


@web.middleware
async def _identified(request: web.Request, handler: Handler) -> web.StreamResponse:
    """X-Request-Id: the client's, where it is one, else ours; back in every answer."""
    given = request.headers.get("X-Request-Id", "")
    id_ = given if _REQUEST_ID.match(given) else secrets.token_hex(8)
    request[REQUEST_ID] = id_
    response = await handler(request)
    response.headers["X-Request-Id"] = id_
    return response


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every expected "no" leaves as a problem; bugs stay bugs (500)."""
    try:
        if "\x00" in request.path or any("\x00" in word for word in request.query.values()):
            raise ProblemError("bad_request", "the address contains NUL")
        return await handler(request)
    except ProblemError as problem:
        return answer(problem, request)
    except RefusedError as refused:
        told = "; ".join(refused.refusal.reasons)
        return answer(ProblemError("refused", told), request)
    except UnavailableError as error:
        return answer(ProblemError("unavailable", str(error)), request)
    except web.HTTPMethodNotAllowed as error:
        allowed = {"Allow": ", ".join(sorted(error.allowed_methods))}
        return answer(ProblemError("method_not_allowed", "see Allow", headers=allowed), request)
    except web.HTTPNotFound:
        return answer(ProblemError("not_found", "there is nothing at this address"), request)
    except web.HTTPRequestEntityTooLarge:
        return answer(ProblemError("too_large", "the body is too large"), request)


def _limited(clock: Clock, *, per_s: float, burst: int) -> Middleware:
    """RateLimit headers, by who is calling: token or session, else address."""
    limit = RateLimit(per_s=per_s, burst=burst, keys_max=KEYS_MAX)

    @web.middleware
    async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
        caller = request.headers.get("Authorization") or request.headers.get("Cookie")
        seen = (caller or request.remote or "").encode(errors="replace")
        key = hashlib.sha256(seen).hexdigest()
        now_s = clock.monotonic_s()
        wait_s = limit.take(key, now_s)
        if wait_s > 0:
            problem = ProblemError(
                "too_many",
                f"at most {per_s:g} a second in the long run: again in {wait_s:.2f} s",
                headers={"Retry-After": str(ceil(wait_s))},
            )
            response: web.StreamResponse = answer(problem, request)
        else:
            response = await handler(request)
        left = limit.left(key, now_s)
        response.headers["RateLimit-Policy"] = f'"default";q={burst};w={ceil(burst / per_s)}'
        response.headers["RateLimit"] = f'"default";r={int(left)};t={ceil((burst - left) / per_s)}'
        return response

    return limited
