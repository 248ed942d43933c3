"""What every operation shares: bodies, cursors, ETags, and the headers of an answer."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from gridctl.openadr.body import BYTES_MAX, parsed, read_bytes
from gridctl.openadr.listing import knows, names
from gridctl.openadr.problem import ProblemError as OpenadrError
from gridctl.platform_api.problem import FieldError, ProblemError, of_validation

LIMIT_MAX: Final = 200
LIMIT: Final = 50
KEY_PATTERN: Final = r"^[\x21-\x7e]{1,255}$"
Json = dict[str, Any]
M = TypeVar("M", bound=BaseModel)


async def body_of(request: web.Request, kind: type[M]) -> M:
    """The body as `kind`. Raises ProblemError with the fields that are wrong."""
    return (await body_and_digest(request, kind))[0]


async def body_and_digest(request: web.Request, kind: type[M]) -> tuple[M, str]:
    """The body, and a digest of its bytes and the address that it was sent to."""
    if request.content_type != "application/json":
        raise ProblemError("bad_request", "the body has to be application/json")
    if request.content_length is not None and request.content_length > BYTES_MAX:
        raise ProblemError("too_large", f"a body has at most {BYTES_MAX} bytes")
    try:
        text = await read_bytes(request)
        found = kind.model_validate(parsed(text))
    except OpenadrError as error:
        code = "too_slow" if error.status == HTTPStatus.REQUEST_TIMEOUT else "bad_request"
        raise ProblemError(code, error.detail, headers=error.headers) from error
    except ValidationError as error:
        raise of_validation(error) from error
    seen = f"{request.method} {request.path}\n".encode() + text
    return found, hashlib.sha256(seen).hexdigest()


def idempotency_key(request: web.Request) -> str:
    """The key of the request. Raises ProblemError when it is missing or no key."""
    key = request.headers.get("Idempotency-Key", "").strip().strip('"')
    if re.match(KEY_PATTERN, key) is None:
        raise ProblemError(
            "no_key",
            "send Idempotency-Key, 1 to 255 visible characters: the same one when you try again",
        )
    return key


def limit_of(request: web.Request) -> int:
    """How many items of a list are wanted."""
    text = request.query.get("limit", str(LIMIT))
    if re.match(r"^[0-9]{1,4}$", text) is None or not 1 <= int(text) <= LIMIT_MAX:
        raise parameter("limit", f"is a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def cursor_of(request: web.Request) -> int:
    """Where the last page ended; 0 for the first one. Cursors are opaque to clients."""
    text = request.query.get("cursor")
    if text is None:
        return 0
    try:
        word = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        word = ""
    if re.match(r"^c1:[0-9]{1,18}$", word) is None:
        raise ProblemError("bad_cursor", "take `next` of the page before as it is")
    return int(word[3:])


def cursor(number: int) -> str:
    """The cursor behind object `number`."""
    return base64.urlsafe_b64encode(f"c1:{number}".encode()).decode().rstrip("=")


def text_of(request: web.Request, name: str) -> str | None:
    """A text of the query, or None."""
    text = request.query.get(name)
    if text is not None and not 1 <= len(text) <= 128:  # noqa: PLR2004 - as ids are
        raise parameter(name, "has 1 to 128 characters")
    return text


def parameter(name: str, message: str) -> ProblemError:
    """A parameter of the query that is wrong."""
    return ProblemError(
        "bad_request", f"{name}: {message}", errors=[FieldError(field=name, message=message)]
    )


def etag(body: Mapping[str, Any]) -> str:
    """A strong validator of what this caller sees."""
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def one(request: web.Request, body: Json, *, status: int = 200, **headers: str) -> web.Response:
    """An object as an answer, with its ETag; 304 when the caller knows it."""
    tag = etag(body)
    if request.method == "GET" and knows(request.headers.get("If-None-Match", ""), tag):
        return web.Response(status=304, headers={"ETag": tag, **PRIVATE})
    return web.json_response(
        body, status=status, headers={"ETag": tag, **PRIVATE, **headers}, dumps=_dumps
    )


def page(items: list[Json], following: str | None) -> web.Response:
    """A page of a list; `next` null: it was the last."""
    return web.json_response({"items": items, "next": following}, headers=PRIVATE, dumps=_dumps)


def check_match(request: web.Request, body: Mapping[str, Any], *, needed: bool = True) -> None:
    """412 when If-Match names another version, 428 when it is `needed` and missing."""
    named = request.headers.get("If-Match")
    if named is None:
        if needed:
            raise ProblemError("no_match", "send If-Match with the ETag that you have read")
        return
    if not names(named, etag(body)):
        raise ProblemError("changed", "somebody has changed it since: read it again")


def _dumps(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


PRIVATE: Final = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
