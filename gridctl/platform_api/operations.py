"""The operations, once: routes, permissions and the OpenAPI document are made from this table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gridctl.platform_api import wire
from gridctl.platform_api.caller import Need
from gridctl.platform_api.registry import KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path. `room`, `act`: which handler. `codes`: problems beside those that
    every operation may answer. `answer`: schema of a success; "" for no body."""

    method: str
    path: str
    room: str
    act: str
    need: Need
    summary: str
    status: int = 200
    body: type[wire.Said] | None = None
    answer: str = "Object"
    is_list: bool = False
    query: Sequence[str] = ()
    headers: Sequence[str] = ()
    codes: Sequence[str] = ()
    is_csv: bool = False

    @property
    def id(self) -> str:
        """operationId."""
        return f"{self.room}_{self.act}".replace("-", "_")


PAGE = ("limit", "cursor")
_NAMES = {
    "customers": ("customer", "Customers"),
    "sites": ("site", "Sites of customers"),
    "resources": ("resource", "What can be called at a site"),
    "enrolments": ("enrolment", "Resources in programs, with their limits"),
    "opt-outs": ("opt-out", "Standing opt-outs: once, or each week"),
    "der-groups": ("DER group", "DER groups, as IEC 61968-5 names them"),
}


def _registry() -> list[Operation]:
    found: list[Operation] = []
    for kind in KINDS:
        word, title = _NAMES[kind.path]
        an = "an" if word[0] in "aeio" else "a"
        path, item = f"/{kind.path}", f"/{kind.path}/{{id}}"
        write = Need.ANSWER if kind.kind == "opt_out" else Need.WRITE
        room = kind.path
        narrow = (kind.parent_field,) if kind.parent_field else ()
        found += [
            Operation(
                method="GET", path=path, room=room, act="listed", need=Need.READ,
                summary=f"{title}, oldest first.", is_list=True, query=(*PAGE, *narrow),
            ),
            Operation(
                method="POST", path=path, room=room, act="create", need=write, status=201,
                summary=f"A new {word}.", body=kind.model,
                codes=("name_taken", "not_possible", "wrong_state"),
            ),
            Operation(
                method="GET", path=item, room=room, act="read", need=Need.READ,
                summary=f"One {word}.",
            ),
            Operation(
                method="PUT", path=item, room=room, act="replace", need=write,
                summary=f"Another body for {an} {word}.", body=kind.model,
                headers=("If-Match", "Gridctl-Reason"),
                codes=("name_taken", "not_possible", "wrong_state", "changed", "no_match"),
            ),
            Operation(
                method="DELETE", path=item, room=room, act="delete", need=write, status=204,
                summary=f"{an.capitalize()} {word} is gone; its versions stay.", answer="",
                headers=("If-Match",),
                codes=("in_use", "changed", "no_match"),
            ),
            Operation(
                method="GET", path=f"{item}/versions", room=room, act="versions", need=Need.READ,
                summary=f"Every version of {an} {word}: who, when, why.", is_list=True,
            ),
        ]  # fmt: skip
    return found


def _dispatches() -> list[Operation]:
    path, item = "/dispatch-requests", "/dispatch-requests/{id}"
    change = ("not_possible", "refused", "wrong_state", "changed")
    return [
        Operation(
            method="GET", path=path, room="dispatches", act="listed", need=Need.READ_ALL,
            summary="Dispatches, oldest first.", is_list=True, query=PAGE,
        ),
        Operation(
            method="POST", path=path, room="dispatches", act="create", need=Need.DISPATCH,
            status=201, summary="Ask for a dispatch; people decide on the plan that answers it.",
            body=wire.DispatchRequest, headers=("Idempotency-Key",),
            codes=("no_key", "in_flight", "key_reused", "not_possible", "refused"),
        ),
        Operation(
            method="GET", path=item, room="dispatches", act="read", need=Need.READ_ALL,
            summary="One dispatch.",
        ),
        Operation(
            method="PATCH", path=item, room="dispatches", act="change", need=Need.DISPATCH,
            summary="Change it, before or while it runs, with a reason.",
            body=wire.DispatchChange, headers=("If-Match",), codes=(*change, "no_match"),
        ),
        Operation(
            method="POST", path=f"{item}/extend", room="dispatches", act="extend",
            need=Need.DISPATCH, summary="A later end, with a reason.", body=wire.Extension,
            headers=("If-Match",), codes=change,
        ),
        Operation(
            method="POST", path=f"{item}/cancel", room="dispatches", act="cancel",
            need=Need.DISPATCH, summary="It is off, before or while it runs, with a reason.",
            body=wire.Cancellation, headers=("If-Match",), codes=("wrong_state", "changed"),
        ),
        Operation(
            method="GET", path=f"{item}/versions", room="dispatches", act="versions",
            need=Need.READ_ALL, summary="Its modifications: number, who, when, why.", is_list=True,
        ),
        Operation(
            method="GET", path=f"{item}/outcome", room="participations", act="outcome",
            need=Need.READ_ALL,
            summary="What came of it, for each who was asked; also for the id of an OpenADR event.",
        ),
        Operation(
            method="GET", path="/participations", room="participations", act="listed",
            need=Need.READ, summary="Who is asked to take part, oldest first.", is_list=True,
            query=(*PAGE, "dispatchId"),
        ),
        Operation(
            method="GET", path="/participations/{id}", room="participations", act="read",
            need=Need.READ, summary="One participation: the answer, and until when it is due.",
        ),
        Operation(
            method="PUT", path="/participations/{id}", room="participations", act="answer",
            need=Need.ANSWER, summary="Opt in, or opt out, before it begins or while it runs.",
            body=wire.Answer, headers=("If-Match",), codes=("wrong_state", "changed", "no_match"),
        ),
    ]  # fmt: skip


def _rest() -> list[Operation]:
    return [
        Operation(
            method="POST", path="/telemetry", room="telemetry", act="upload", need=Need.ANSWER,
            summary="Up to 1,000 readings; each is stored, known already or refused for itself.",
            body=wire.Readings,
        ),
        Operation(
            method="GET", path="/measurements", room="telemetry", act="measurements",
            need=Need.READ, is_csv=True, is_list=True,
            summary="History of a point, or of a resource's quantity, oldest first.",
            codes=("not_found",),
            query=("point", "resourceId", "quantity", "start", "end", "limit", "format"),
        ),
        Operation(
            method="GET", path="/exports/{what}", room="telemetry", act="export",
            need=Need.READ_ALL, is_csv=True, is_list=True,
            summary="plans, alarms, dispatches or commands, newest first.",
            query=("limit", "format"),
        ),
        Operation(
            method="GET", path="/planning-task", room="planning", act="task", need=Need.READ_ALL,
            summary="What the optimizer of this feeder would be asked now, as it takes it.",
            codes=("refused", "unavailable"),
        ),
        Operation(
            method="GET", path="/openapi.json", room="document", act="openapi", need=Need.OPEN,
            summary="This document.",
        ),
        Operation(
            method="GET", path="/docs", room="document", act="page", need=Need.OPEN,
            summary="This document as a page.", answer="",
        ),
    ]  # fmt: skip


OPERATIONS: Sequence[Operation] = (*_registry(), *_dispatches(), *_rest())

PARAMETERS: dict[str, dict[str, Any]] = {
    "limit": {"schema": {"type": "integer", "minimum": 1, "maximum": 10_000}},
    "cursor": {
        "schema": {"type": "string", "maxLength": 64},
        "description": "`next` of the page before, as it is",
    },
    "format": {"schema": {"enum": ["json", "csv"], "default": "json"}},
    "start": {"schema": {"type": "string", "format": "date-time"}},
    "end": {"schema": {"type": "string", "format": "date-time"}},
}
"""Query parameters that are not just a text."""
