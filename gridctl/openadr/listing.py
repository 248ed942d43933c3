"""What GET answers: the object as the client wrote it, plus what the server owns; and pages."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from gridctl.openadr.auth import Caller
from gridctl.openadr.periods import written
from gridctl.openadr.problem import ProblemError
from gridctl.openadr.wire import ID_PATTERN
from gridctl.store.openadr import ObjectRow

LIMIT_MAX = 50
CHUNK_ROWS = 200
"""Rows that a `Fetch` has to bring at once."""
_INTEGER_MAX = 2**31 - 1

Fetch = Callable[[int], Awaitable[Sequence[tuple[int, ObjectRow]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What part of a list the client wants. `targets` None: it named none."""

    skip: int
    limit: int
    targets: frozenset[str] | None


def page(request: web.Request) -> Page:
    """skip, limit and targets of the query; 400 when they are not what the contract allows."""
    targets = request.query.getall("targets", [])
    if any(not 1 <= len(target) <= 128 for target in targets):  # noqa: PLR2004 - the contract
        raise ProblemError(HTTPStatus.BAD_REQUEST, "a target has 1 to 128 characters")
    return Page(
        skip=_whole(request, "skip", 0, _INTEGER_MAX),
        limit=_whole(request, "limit", LIMIT_MAX, LIMIT_MAX),
        targets=frozenset(targets) if targets else None,
    )


def object_id(text: str) -> str:
    """An object's id from path or query; 400 for one that no object can have."""
    if re.match(ID_PATTERN, text) is None:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "an id has 1 to 128 of a-z A-Z 0-9 _ -")
    return text


def flag(request: web.Request, name: str) -> bool:
    """A boolean of the query, false when absent."""
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name} is true or false")
    return text == "true"


def shown(row: ObjectRow, kind: str) -> dict[str, Any]:
    """The object as it goes out."""
    return {
        "id": row.id,
        "createdDateTime": written(row.created_s),
        "modificationDateTime": written(row.modified_s),
        "objectType": kind,
        **json.loads(row.body),
    }


def visible(body: dict[str, Any], caller: Caller, targets: frozenset[str] | None) -> bool:
    """Object privacy: business logic sees all; a VEN sees what has no targets, for none has been
    granted to VENs yet. Naming targets narrows the answer to objects that have one of them."""
    own = frozenset(body.get("targets") or ())
    if own and not caller.is_business_logic:
        return False
    return targets is None or bool(own & targets)


async def listed(
    fetch: Fetch, wanted: Page, keep: Callable[[dict[str, Any]], bool], kind: str
) -> list[dict[str, Any]]:
    """One page of what is kept: filtered first, cut then, so that no page is short."""
    found: list[dict[str, Any]] = []
    to_skip, after = wanted.skip, 0
    while len(found) < wanted.limit:
        rows = await fetch(after)
        for number, row in rows:
            after = number
            body = shown(row, kind)
            if not keep(body):
                continue
            if to_skip > 0:
                to_skip -= 1
            elif len(found) < wanted.limit:
                found.append(body)
        if len(rows) < CHUNK_ROWS:
            break
    return found


def _whole(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if re.match(r"^[0-9]{1,10}$", text) is None or int(text) > most:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name} is a whole number from 0 to {most}")
    return int(text)
