"""application/problem+json (RFC 9457) with stable types and the fields that are wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web
from pydantic import ValidationError

MEDIA_TYPE: Final = "application/problem+json"
ERRORS_SHOWN: Final = 20
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)

CODES: Final[Mapping[str, tuple[HTTPStatus, str]]] = {
    "bad_request": (HTTPStatus.BAD_REQUEST, "The request is not understood"),
    "bad_body": (HTTPStatus.BAD_REQUEST, "Fields of the body are wrong"),
    "bad_cursor": (HTTPStatus.BAD_REQUEST, "The cursor is not one of ours"),
    "no_key": (HTTPStatus.BAD_REQUEST, "Idempotency-Key is missing"),
    "not_signed_in": (HTTPStatus.UNAUTHORIZED, "A token or a session is needed"),
    "forbidden": (HTTPStatus.FORBIDDEN, "Not allowed"),
    "not_found": (HTTPStatus.NOT_FOUND, "There is no such thing"),
    "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "This method is not served here"),
    "in_flight": (HTTPStatus.CONFLICT, "The same request is being carried out"),
    "name_taken": (HTTPStatus.CONFLICT, "The name is taken"),
    "in_use": (HTTPStatus.CONFLICT, "Something still belongs to it"),
    "wrong_state": (HTTPStatus.CONFLICT, "Not in this state"),
    "changed": (HTTPStatus.PRECONDITION_FAILED, "It has changed since"),
    "too_slow": (HTTPStatus.REQUEST_TIMEOUT, "The body did not come in time"),
    "too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    "no_match": (HTTPStatus.PRECONDITION_REQUIRED, "If-Match is missing"),
    "key_reused": (HTTPStatus.UNPROCESSABLE_ENTITY, "The key stands for another request"),
    "refused": (HTTPStatus.UNPROCESSABLE_ENTITY, "The desk refuses it"),
    "not_possible": (HTTPStatus.UNPROCESSABLE_ENTITY, "It cannot be done like this"),
    "too_many": (HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
    "unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "A part of gridctl does not answer"),
}
"""Every `type` there is, without its prefix `urn:gridctl:problem:`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """A field that is wrong: its path in the body or the name of the parameter, and why."""

    field: str
    message: str


class ProblemError(Exception):
    """A handler's "no"; `code` is one of CODES."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def answer(problem: ProblemError, request: web.Request) -> web.Response:
    """The problem as a response; `instance` names the request as X-Request-Id does."""
    status, title = CODES[problem.code]
    body = {
        "type": f"urn:gridctl:problem:{problem.code}",
        "title": title,
        "status": status.value,
        "code": problem.code,
        "detail": problem.detail,
        "instance": f"urn:gridctl:request:{request.get(REQUEST_ID, 'unknown')}",
        "errors": [{"field": e.field, "message": e.message} for e in problem.errors],
    }
    return web.json_response(
        body, status=status.value, content_type=MEDIA_TYPE, headers=problem.headers
    )


def of_validation(error: ValidationError) -> ProblemError:
    """What a model refuses, field by field."""
    errors = [
        FieldError(
            field=".".join(map(str, fault["loc"])) or "body",
            message=fault["msg"].removeprefix("Value error, "),
        )
        for fault in error.errors(include_url=False, include_input=False)[:ERRORS_SHOWN]
    ]
    detail = "; ".join(f"{e.field}: {e.message}" for e in errors)
    return ProblemError("bad_body", detail, errors=errors)
