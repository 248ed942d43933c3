"""The web application: headers, errors, what lives as long as it. Its routes: `gridctl.web.routes`.
Assembled by `gridctl.assembly`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from gridctl.model.errors import RefusedError, UnavailableError
from gridctl.web.api import BODY_BYTES_MAX, BadBody, is_text
from gridctl.web.auth import Gate
from gridctl.web.problem import problem, refused
from gridctl.web.routes import Route, WebParts, handlers_of, routes

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": a form that is sent without a script would say "Origin: null" then.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ROUTES: web.AppKey[Sequence[Route]] = web.AppKey("routes")
"""The route table of an application: the tests of who may what are made from it."""


def build_app(
    parts: WebParts, *, mounted: Sequence[tuple[str, web.Application]]
) -> web.Application:
    """The application; `mounted` are whole sub-applications (OpenADR) at their prefixes."""
    people = parts.people
    gate = Gate(
        people.sessions,
        secure=parts.secure,
        step_up_s=people.step_up_s,
        factor_roles=people.factor_roles,
    )
    handlers = handlers_of(parts, gate)
    app = web.Application(middlewares=[_answers], client_max_size=BODY_BYTES_MAX)
    app.on_response_prepare.append(_add_headers)
    app[ROUTES] = table = routes(handlers, parts)
    for route in table:
        handler = route.handler
        if route.rule is not None:
            handler = gate.guard(handler, route.rule)
        app.router.add_route(route.method, route.path, handler)
    for prefix, sub in mounted:
        app.add_subapp(prefix, sub)

    async def broadcasting(_: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(handlers.stream.run(), name="console frames")
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    app.cleanup_ctx.append(broadcasting)
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)


@web.middleware
async def _answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An expected "no" becomes a problem answer; only bugs become 500, logged with their trace."""
    try:
        for words in (request.match_info, request.query):
            if not all(is_text(word) for pair in words.items() for word in pair):
                raise BadBody("the address holds characters that are no text")
        return await handler(request)
    except BadBody as error:
        return problem(400, "bad_request", "The request is not understood", reasons=error.reasons)
    except RefusedError as error:
        return refused(error.refusal)
    except UnavailableError as error:
        return problem(503, "unavailable", "A part of gridctl does not answer", detail=str(error))
    except web.HTTPException as error:
        if error.status < 400 or request.path.startswith("/openadr3/"):  # noqa: PLR2004 - HTTP
            raise
        return problem(error.status, "http", error.reason, detail=error.text or "")
