"""application/problem+json (RFC 9457) for the OpenADR side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

from gridctl.model.errors import RefusedError, UnavailableError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MEDIA_TYPE: Final = "application/problem+json"


class ProblemError(Exception):
    """A handler's "no": status and what the client should know."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def answer(
    status: HTTPStatus, detail: str, *, headers: dict[str, str] | None = None
) -> web.Response:
    """A problem as a response."""
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
    }
    return web.json_response(body, status=status.value, content_type=MEDIA_TYPE, headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every expected failure of a handler leaves as a problem; bugs stay bugs (500)."""
    try:
        return await handler(request)
    except ProblemError as problem:
        return answer(problem.status, problem.detail, headers=problem.headers)
    except RefusedError as refused:
        return answer(HTTPStatus.CONFLICT, "; ".join(refused.refusal.reasons))
    except UnavailableError as error:
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    except web.HTTPException as error:
        kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
        return answer(HTTPStatus(error.status), error.reason, headers=kept)
