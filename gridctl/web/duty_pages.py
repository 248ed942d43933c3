"""/api/v1 of the shift: alarm figures, handovers, steps by telephone."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from gridctl.control.alarmreport import alarm_figures
from gridctl.control.ports import Store
from gridctl.control.shifts import Shifts
from gridctl.model.clock import Clock
from gridctl.model.duty import DutyRecord, Handover
from gridctl.web.api import BadBody, body_of, number_of
from gridctl.web.auth import person_of
from gridctl.web.json_values import iso

HOURS_MAX = 24.0 * 31
HOUR_S = 3_600.0


class DutyPages:
    """The handlers."""

    def __init__(self, *, shifts: Shifts, store: Store, clock: Clock) -> None:
        self._shifts = shifts
        self._store = store
        self._clock = clock

    async def figures(self, request: web.Request) -> web.StreamResponse:
        """How the alarms treat the operator (SG-29)."""
        hours = number_of(request, "hours", 24.0, top=HOURS_MAX)
        end_s = self._clock.now_s()
        found = await alarm_figures(
            self._store, start_s=end_s - hours * HOUR_S, end_s=end_s, now_s=end_s
        )
        return web.json_response(
            asdict(found) | {"start": iso(found.start_s), "end": iso(end_s), "hours": hours}
        )

    async def handovers(self, request: web.Request) -> web.StreamResponse:
        """The newest first."""
        found = await self._shifts.handovers()
        return web.json_response({"handovers": [_record(r) for r in found]})

    async def prepare(self, request: web.Request) -> web.StreamResponse:
        """The one who goes signs."""
        body = await body_of(request, notes=str)
        made = await self._shifts.prepare(notes=body["notes"], person=person_of(request))
        return web.json_response(_record(made), status=201)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """The one who comes signs."""
        body = await body_of(request, remarks=str)
        done = await self._shifts.take(
            _number(request), remarks=body["remarks"], person=person_of(request)
        )
        return web.json_response(_record(done))

    async def steps(self, request: web.Request) -> web.StreamResponse:
        """The newest first."""
        found = await self._shifts.steps()
        return web.json_response({"steps": [_record(r) for r in found]})

    async def issue(self, request: web.Request) -> web.StreamResponse:
        """An instruction is given by telephone."""
        body = await body_of(request, to=str, instruction=str)
        made = await self._shifts.issue(
            to=body["to"], instruction=body["instruction"], person=person_of(request)
        )
        return web.json_response(_record(made), status=201)

    async def repeated(self, request: web.Request) -> web.StreamResponse:
        """It was repeated back."""
        body = await body_of(request, words=str)
        done = await self._shifts.repeated(
            _number(request), words=body["words"], person=person_of(request)
        )
        return web.json_response(_record(done))

    async def confirmed(self, request: web.Request) -> web.StreamResponse:
        """It is done."""
        body = await body_of(request, words=str)
        done = await self._shifts.confirmed(
            _number(request), words=body["words"], person=person_of(request)
        )
        return web.json_response(_record(done))

    async def given_up(self, request: web.Request) -> web.StreamResponse:
        """It is not done."""
        body = await body_of(request, reason=str)
        done = await self._shifts.given_up(
            _number(request), reason=body["reason"], person=person_of(request)
        )
        return web.json_response(_record(done))


def _number(request: web.Request) -> int:
    text = request.match_info["number"]
    if not text.isdecimal() or len(text) > 15:  # noqa: PLR2004 - fits a 64-bit integer
        raise BadBody("the number in the path must be a whole number")
    return int(text)


def _record(record: DutyRecord) -> dict[str, object]:
    body = record.body
    times = (
        (
            ("at", body.at_s),
            ("taken_at", body.taken_at_s),
        )
        if isinstance(body, Handover)
        else (
            ("issued_at", body.issued_at_s),
            ("repeated_at", body.repeated_at_s),
            ("confirmed_at", body.confirmed_at_s),
        )
    )
    words = {
        name: value
        for name, value in asdict(body).items()
        if not name.endswith("_s") and name != "session"
    }
    moments = {name: None if at_s is None else iso(at_s) for name, at_s in times}
    return {"number": record.number, **words, **moments}
