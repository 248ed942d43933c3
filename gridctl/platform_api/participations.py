"""Who is asked to take part in a dispatch, what they answer, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from gridctl.model.clock import Clock
from gridctl.model.enrolment import Terms, Window
from gridctl.model.plan import PlanState
from gridctl.model.program import DispatchRequest
from gridctl.model.record import CommandRow, StoredPlan
from gridctl.openadr.wire import ReportRequest
from gridctl.platform_api import wire
from gridctl.platform_api.caller import ACTOR
from gridctl.platform_api.http import (
    Json,
    body_of,
    check_match,
    cursor,
    cursor_of,
    limit_of,
    one,
    page,
    text_of,
)
from gridctl.platform_api.outcome import (
    Asked,
    Outcome,
    Word,
    answered,
    of_device,
    of_plans,
    of_reports,
)
from gridctl.platform_api.problem import ProblemError
from gridctl.platform_api.registry import EVERYTHING
from gridctl.platform_api.times import at_s, when
from gridctl.store.engine import SqlStore
from gridctl.store.openadr_objects import Search
from gridctl.store.platform import ChangedError, PlatformObject

PARTICIPANTS_MAX = 1_000
REPORTS_MAX = 1_000
COMMANDS_MAX = 20_000
AFTER_S = 3_600.0
"""So long after its end a report about a dispatch is waited for."""


class Participations:
    """Handlers of /participations and of a dispatch's participants and outcome."""

    def __init__(self, *, store: SqlStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def listed(self, request: web.Request) -> web.Response:
        """Participations that the caller sees, oldest first; `dispatchId` narrows."""
        limit = limit_of(request)
        found = await self._store.platform.page(
            "participation",
            limit=limit + 1,
            after=cursor_of(request),
            owner=request[ACTOR].owner,
            parent=text_of(request, "dispatchId"),
        )
        dispatches = await self._store.platform.by_ids("dispatch", [p.parent for p in found])
        items = [self._shown(p, dispatches.get(p.parent)) for p in found[:limit]]
        return page(items, cursor(found[limit - 1].number) if len(found) > limit else None)

    async def read(self, request: web.Request) -> web.Response:
        """One participation."""
        found, dispatch = await self._found(request)
        return one(request, self._shown(found, dispatch))

    async def answer(self, request: web.Request) -> web.Response:
        """Opt in, or opt out: before it begins or while it runs. The last answer counts."""
        actor, body = request[ACTOR], await body_of(request, wire.Answer)
        found, dispatch = await self._found(request)
        check_match(request, self._shown(found, dispatch))
        now_s = self._clock.now_s()
        if at_s(dispatch.body["end"]) <= now_s:
            raise ProblemError("wrong_state", "the dispatch is over")
        if dispatch.body["cancelled"] is not None:
            raise ProblemError("wrong_state", "the dispatch is cancelled")
        changed = replace(
            found,
            modified_s=max(now_s, found.modified_s + 0.001),
            body={
                **found.body,
                "answer": body.answer,
                "answeredAt": when(now_s),
                "reason": body.reason,
            },
        )
        entry = actor.entry(
            f"platform.participation.{body.answer}",
            found.id,
            at_s=now_s,
            reason=body.reason,
            before=str(found.body["answer"]),
            after=f"{found.name} in {found.parent}",
        )
        try:
            after = await self._store.platform.put(
                changed, entry=entry, terms=_opted_out(changed, dispatch)
            )
        except ChangedError as error:
            raise ProblemError("changed", "somebody was quicker: read it again") from error
        return one(request, self._shown(after, dispatch))

    async def outcome(self, request: web.Request) -> web.Response:
        """What came of a dispatch, or of an OpenADR event, for each who was asked."""
        id_ = request.match_info["id"]
        requests = [r for r in await self._store.requests() if r.event_id == id_]
        dispatch = await self._store.platform.one("dispatch", id_)
        if dispatch is None and not requests:
            raise ProblemError("not_found", f"there is no dispatch or event {id_[:128]!r}")
        return one(request, await self._outcome(id_, dispatch, requests))

    # --- parts --------------------------------------------------------------------------------

    async def _found(self, request: web.Request) -> tuple[PlatformObject, PlatformObject]:
        id_ = request.match_info["id"]
        platform = self._store.platform
        found = await platform.one("participation", id_, owner=request[ACTOR].owner)
        dispatch = None if found is None else await platform.one("dispatch", found.parent)
        if found is None or dispatch is None:
            raise ProblemError("not_found", f"there is no participation {id_[:128]!r}")
        return found, dispatch

    def _shown(self, found: PlatformObject, dispatch: PlatformObject | None) -> Json:
        late = found.body["answer"] is None and self._clock.now_s() > at_s(
            found.body["acknowledgeBy"]
        )
        told = {} if dispatch is None else dispatch.body
        return {
            "id": found.id,
            **found.body,
            "acknowledgement": "overdue" if late else ("given" if found.body["answer"] else "open"),
            "dispatch": {key: told.get(key) for key in ("name", "start", "end", "test")},
            "modificationNumber": found.version,
            "modified": when(found.modified_s),
        }

    async def _outcome(
        self, id_: str, dispatch: PlatformObject | None, requests: Sequence[DispatchRequest]
    ) -> Json:
        now_s = self._clock.now_s()
        start_s, end_s = _times(dispatch, requests)
        is_over = now_s >= end_s
        names = [r.mrid for r in requests]
        mrids = await self._store.dossiers.of_requests(names)
        stored = [p for m in mrids if (p := await self._store.plan(m)) is not None]
        plans = [p for p in stored if p.state is not PlanState.SHADOW]
        rows: list[CommandRow] = []
        for plan in plans:
            rows += await self._store.commands(plan=plan.plan.mrid, limit=COMMANDS_MAX)
        by_plan = of_plans([(p.state, p.reason) for p in plans], is_over=is_over)
        people = (
            []
            if dispatch is None
            else await self._store.platform.page(
                "participation", parent=id_, limit=PARTICIPANTS_MAX
            )
        )
        shown = [
            await self._of_participant(
                p, rows, by_plan, start_s=start_s, is_over=is_over, now_s=now_s
            )
            for p in people
        ]
        if dispatch is None:
            shown = _of_event(rows, by_plan, is_over=is_over)
            shown += await self._of_vens(id_, now_s=now_s, is_over=now_s >= end_s + AFTER_S)
        words = [str(one["outcome"]) for one in shown]
        return {
            "id": id_,
            "over": is_over,
            "state": requests[-1].state.value if requests else None,
            "plans": [_plan(p) for p in plans],
            "settlement": await self._settlement(names),
            "summary": {word.value: words.count(word.value) for word in Word},
            "participants": shown,
        }

    async def _of_participant(
        self,
        found: PlatformObject,
        rows: Sequence[CommandRow],
        by_plan: Outcome | None,
        *,
        start_s: float,
        is_over: bool,
        now_s: float,
    ) -> Json:
        body = found.body
        asked = Asked(
            answer=str(body["answer"] or ""),
            answered_s=None if body["answeredAt"] is None else at_s(body["answeredAt"]),
            acknowledge_by_s=at_s(body["acknowledgeBy"]),
            reason=str(body["reason"]),
        )
        result = answered(asked, start_s=start_s)
        if result is None and body["openadrResource"] is not None:
            reports, name = await self._reports_of(found)
            result = of_reports(reports, name, asked=asked, now_s=now_s, is_over=is_over)
            if by_plan is not None and not reports and body["openadrEvent"] is None:
                result = by_plan
        elif result is None and body["device"] is not None:
            mine = [row for row in rows if row.command.resource == body["device"]]
            result = by_plan or of_device(mine, is_over=is_over)
        elif result is None:
            result = of_reports((), None, asked=asked, now_s=now_s, is_over=is_over)
        return {
            "resourceId": body["resourceId"],
            "device": body["device"],
            "openadrResource": body["openadrResource"],
            "answer": body["answer"],
            "outcome": result.word.value,
            "detail": result.detail,
        }

    async def _reports_of(self, found: PlatformObject) -> tuple[list[ReportRequest], str | None]:
        event = found.body["openadrEvent"]
        resource = await self._store.objects.one(
            "resource", str(found.body["openadrResource"]), reader=EVERYTHING
        )
        name = None if resource is None else str(resource.keys["name"])
        if event is None:
            return [], name
        return [r for _, r in await self._reports(str(event))], name

    async def _reports(self, event_id: str) -> list[tuple[str, ReportRequest]]:
        search = Search(skip=0, limit=REPORTS_MAX, equal={"event_id": event_id})
        found = await self._store.objects.page("report", search, reader=EVERYTHING)
        return [(r.client_id, ReportRequest.model_validate_json(r.body)) for r in found]

    async def _of_vens(self, event_id: str, *, now_s: float, is_over: bool) -> list[Json]:
        """Who reported about an event, by client and resource."""
        by_name: dict[tuple[str, str], list[ReportRequest]] = {}
        for client_id, report in await self._reports(event_id):
            for part in report.resources:
                by_name.setdefault((client_id, part.resource_name), []).append(report)
        nobody = Asked(answer="", answered_s=None, acknowledge_by_s=now_s)
        shown: list[Json] = []
        for (client_id, name), reports in sorted(by_name.items()):
            result = of_reports(reports, name, asked=nobody, now_s=now_s, is_over=is_over)
            shown.append(
                {
                    "resourceId": name,
                    "device": None,
                    "openadrResource": name,
                    "openadrClient": client_id,
                    "answer": None,
                    "outcome": result.word.value,
                    "detail": result.detail,
                }
            )
        return shown

    async def _settlement(self, requests: Sequence[str]) -> Json | None:
        """Promised and delivered, once it is settled."""
        if not requests:
            return None
        found: list[dict[str, Any]] = [
            json.loads(row.entry.after)
            for row in await self._store.dossiers.audit(requests, [])
            if row.entry.action == "request.settle" and row.entry.object in requests
        ]
        if not found:
            return None
        return {
            "targetKwh": round(sum(row["target_kwh"] for row in found), 3),
            "deliveredKwh": round(sum(row["delivered_kwh"] for row in found), 3),
            "coveredShare": round(min(row["covered"] for row in found), 3),
            "met": all(row["met"] for row in found),
            "exportHeldShare": min(
                (row["held"] for row in found if row.get("held") is not None), default=None
            ),
        }


def _opted_out(found: PlatformObject, dispatch: PlatformObject) -> Terms | None:
    """An opted-out device is not used as long as the dispatch lasts, by whichever plan."""
    if found.body["answer"] != "opt_out" or found.body["device"] is None:
        return None
    reason = f"opted out of {dispatch.body['name']}"
    if found.body["reason"]:
        reason += f": {found.body['reason']}"
    window = Window(
        start_s=at_s(dispatch.body["start"]), end_s=at_s(dispatch.body["end"]), reason=reason
    )
    return Terms(id=found.id, device=str(found.body["device"]), windows=(window,))


def _times(
    dispatch: PlatformObject | None, requests: Sequence[DispatchRequest]
) -> tuple[float, float]:
    if dispatch is not None:
        return at_s(dispatch.body["start"]), at_s(dispatch.body["end"])
    return min(r.start_s for r in requests), max(r.end_s for r in requests)


def _of_event(rows: Sequence[CommandRow], by_plan: Outcome | None, *, is_over: bool) -> list[Json]:
    """The devices that the plans of an OpenADR event moved; one row for all when there is none."""
    if by_plan is not None:
        detail = {"outcome": by_plan.word.value, "detail": by_plan.detail}
        return [
            {"resourceId": None, "device": None, "openadrResource": None, "answer": None, **detail}
        ]
    devices = dict.fromkeys(row.command.resource for row in rows)
    shown: list[Json] = []
    for device in devices:
        result = of_device([r for r in rows if r.command.resource == device], is_over=is_over)
        shown.append(
            {
                "resourceId": device,
                "device": device,
                "openadrResource": None,
                "answer": None,
                "outcome": result.word.value,
                "detail": result.detail,
            }
        )
    return shown


def _plan(stored: StoredPlan) -> Json:
    return {
        "id": stored.plan.mrid,
        "state": stored.state.value,
        "reason": stored.reason,
        "reductionKw": round(stored.plan.net_kw, 3),
        "excluded": [
            {"device": e.resource, "reason": e.reason} for e in stored.plan.result.excluded
        ],
        "approvedBy": [a.by for a in stored.approvals],
    }
