"""What GET answers: the object as the client wrote it, plus what the server owns; and pages."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from gridctl.openadr.periods import written
from gridctl.openadr.problem import ProblemError
from gridctl.openadr.wire import ID_PATTERN
from gridctl.store.openadr_kinds import StoredObject

LIMIT_MAX: Final = 50
_INTEGER_MAX: Final = 2**31 - 1
_UNTARGETED: Final = ("report",)
_OWNED: Final = ("report", "subscription", "ven", "resource")


def whole(request: web.Request, name: str, default: int, most: int) -> int:
    """A whole number of the query; 400 when it is none, or above `most`: never clamped."""
    text = request.query.get(name)
    if text is None:
        return default
    if re.match(r"^[0-9]{1,10}$", text) is None or int(text) > most:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name} is a whole number from 0 to {most}")
    return int(text)


def skip_and_limit(request: web.Request) -> tuple[int, int]:
    """The page that is asked for; 50 objects when nobody says otherwise."""
    return whole(request, "skip", 0, _INTEGER_MAX), whole(request, "limit", LIMIT_MAX, LIMIT_MAX)


def targets(request: web.Request) -> frozenset[str] | None:
    """The targets that the query names; None when it names none."""
    named = request.query.getall("targets", [])
    if any(not 1 <= len(target) <= 128 for target in named):  # noqa: PLR2004 - the contract
        raise ProblemError(HTTPStatus.BAD_REQUEST, "a target has 1 to 128 characters")
    return frozenset(named) if named else None


def object_id(text: str) -> str:
    """An object's id from path or query; 400 for one that no object can have."""
    if re.match(ID_PATTERN, text) is None:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "an id has 1 to 128 of a-z A-Z 0-9 _ -")
    return text


def name(text: str) -> str:
    """A name from the query; 400 for one that no object can have."""
    if not 1 <= len(text) <= 128:  # noqa: PLR2004 - the contract
        raise ProblemError(HTTPStatus.BAD_REQUEST, "a name has 1 to 128 characters")
    return text


def equal(
    request: web.Request, columns: Mapping[str, tuple[str, Callable[[str], str]]]
) -> dict[str, str]:
    """The columns that the query asks to be equal to something; all of them have to be."""
    return {
        column: check(request.query[parameter])
        for parameter, (column, check) in columns.items()
        if parameter in request.query
    }


def flag(request: web.Request, name: str) -> bool:
    """A boolean of the query, false when absent."""
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{name} is true or false")
    return text == "true"


def shown_targets(one: StoredObject, may_show: frozenset[str] | None) -> list[str]:
    """The targets that a reader gets to see: all (`may_show` None), or only those of its own."""
    return [target for target in one.targets if may_show is None or target in may_show]


def rendered(one: StoredObject, targets: list[str]) -> str:
    """The object as JSON text. The body goes out as it was written: it is not even parsed."""
    head: dict[str, Any] = {
        "id": one.id,
        "createdDateTime": written(one.created_s),
        "modificationDateTime": written(one.modified_s),
        "objectType": one.kind.upper(),
    }
    if one.kind in _OWNED:
        head["clientID"] = one.client_id
    if one.kind not in _UNTARGETED:
        head["targets"] = targets
    text = json.dumps(head, ensure_ascii=False)
    return f"{text[:-1]},{one.body[1:]}" if one.body != "{}" else text


def etag(one: StoredObject, targets: list[str]) -> str:
    """A strong validator of what this reader sees, without rendering it."""
    seen = f"{one.id}\n{one.modified_s!r}\n{json.dumps(targets)}"
    return f'"{hashlib.sha256(seen.encode()).hexdigest()[:32]}"'


def is_known(request: web.Request, tag: str) -> bool:
    """Whether If-None-Match names `tag`: then 304 says everything."""
    return knows(request.headers.get("If-None-Match", ""), tag)


def check_match(request: web.Request, tag: str) -> None:
    """412 when If-Match is given and names another version than `tag`."""
    named = request.headers.get("If-Match")
    if named is not None and not names(named, tag):
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED, "the object has changed since: read it again"
        )


def names(header: str, tag: str) -> bool:
    """Whether an If-Match names exactly `tag`, or any (RFC 9110 clause 13.1.1)."""
    return header.strip() == "*" or tag in _tags(header)


def knows(header: str, tag: str) -> bool:
    """Whether an If-None-Match names `tag`, be it weakly, as a cache on the way may have made it
    (RFC 9110 clause 13.1.2)."""
    return header.strip() == "*" or tag in [one.removeprefix("W/") for one in _tags(header)]


def _tags(header: str) -> list[str]:
    return [word.strip() for word in header.split(",")]
