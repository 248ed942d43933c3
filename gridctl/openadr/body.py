"""Reading what a client sends: bounded, finite, flat enough, and only then validated."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from gridctl.openadr.problem import ProblemError

BYTES_MAX = 262_144
BODY_S = 20.0
"""Real seconds in which a body has to be there: who sends slower holds nothing of ours."""
RAW: web.RequestKey[bytes] = web.RequestKey("raw", bytes)
DEPTH_MAX = 16
_INTEGER_MAX = 2**53
_ERRORS_SHOWN = 8

M = TypeVar("M", bound=BaseModel)


async def read_bytes(request: web.Request, *, bytes_max: int = BYTES_MAX) -> bytes:
    """The body; 400 when it is longer than `bytes_max`, whatever Content-Length says, 408 when it
    takes longer than BODY_S. What was read once is there for the next one who asks."""
    if RAW in request:
        return request[RAW]
    if request.content_length is not None and request.content_length > bytes_max:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"a body has at most {bytes_max} bytes")
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                found += chunk
                if len(found) > bytes_max:
                    raise ProblemError(
                        HTTPStatus.BAD_REQUEST, f"a body has at most {bytes_max} bytes"
                    )
    except TimeoutError as error:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body did not come within {BODY_S:g} s",
            headers={"Connection": "close"},
        ) from error
    request[RAW] = bytes(found)
    return request[RAW]


async def read_model(request: web.Request, kind: type[M]) -> M:
    """The body as `kind`; 400 with the fields that are wrong."""
    if request.content_type != "application/json":
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the body has to be application/json")
    raw = parsed(await read_bytes(request))
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, _told(error)) from error


def parsed(text: bytes) -> Any:
    """JSON without NaN, infinity, double keys, NUL, broken Unicode or needless depth; else 400."""
    try:
        found = _DECODER.decode(text.decode())
        # without an escape no text can hold NUL, which JSON forbids, or half a surrogate pair
        _check(found, 0, texts=b"\\u" in text)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        detail = f"the body is not usable JSON: {why}"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from error
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _small(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _INTEGER_MAX:  # noqa: PLR2004 - digits of 2**53, sign
        raise ValueError("an integer is too large")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


_DECODER: Final = json.JSONDecoder(
    parse_constant=_no_constant,
    parse_float=_finite,
    parse_int=_small,
    object_pairs_hook=_unique,
)


def _check(value: object, depth: int, *, texts: bool) -> None:
    """`texts`: whether strings can hold what they must not."""
    if isinstance(value, dict):
        inner: Iterable[object] = (*value, *value.values()) if texts else value.values()
    elif isinstance(value, list):
        inner = value
    else:
        if texts and isinstance(value, str):
            _check_text(value)
        return
    if depth > DEPTH_MAX:
        raise ValueError(f"more than {DEPTH_MAX} levels deep")
    for item in inner:
        if texts or isinstance(item, dict | list):
            _check(item, depth + 1, texts=texts)


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise ValueError("a text contains NUL")
    text.encode()  # a lone surrogate raises UnicodeEncodeError, which is a ValueError


def _told(error: ValidationError) -> str:
    told = [
        f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)[:_ERRORS_SHOWN]
    ]
    return "; ".join(told)
