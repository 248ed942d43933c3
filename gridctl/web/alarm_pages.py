"""/api/v1/alarms: the list with what is put aside, the flood that lasts, history as CSV."""

from __future__ import annotations

from aiohttp import web

from gridctl.control.alarmfigures import flood_now
from gridctl.control.alarmreport import history_csv
from gridctl.control.ports import Desk, Store
from gridctl.model.alarm import is_system
from gridctl.model.clock import Clock
from gridctl.web import views
from gridctl.web.api import body_of, number_of
from gridctl.web.auth import person_of
from gridctl.web.json_values import iso

HOUR_S = 3_600.0
FLOOD_LOOK_S = 4 * HOUR_S
HISTORY_DAYS_MAX = 366.0


class AlarmPages:
    """The handlers."""

    def __init__(self, *, desk: Desk, store: Store, clock: Clock) -> None:
        self._desk = desk
        self._store = store
        self._clock = clock

    async def alarms(self, request: web.Request) -> web.StreamResponse:
        """Every alarm, whether it is put aside and whether it is the system's own."""
        now_s = self._clock.now_s()
        shelves = {s.key: s for s in await self._store.duties.shelves() if s.until_s > now_s}
        rows = []
        for alarm in await self._store.alarms(active_only=False):
            shelf = shelves.get(alarm.key)
            rows.append(
                views.alarm_view(alarm)
                | {
                    "system": is_system(alarm.key),
                    "shelved": None
                    if shelf is None
                    else {"by": shelf.by, "reason": shelf.reason, "until": iso(shelf.until_s)},
                }
            )
        events = await self._store.duties.alarm_events(start_s=now_s - FLOOD_LOOK_S, end_s=now_s)
        flood = flood_now(events, now_s)
        return web.json_response(
            {
                "alarms": rows,
                "flood": None
                if flood is None
                else {
                    "since": iso(flood.since_s),
                    "count": flood.count,
                    "first_out": flood.first_out,
                },
            }
        )

    async def shelve(self, request: web.Request) -> web.StreamResponse:
        """Put one aside for some hours, with a reason."""
        body = await body_of(request, key=str, reason=str, hours=(int, float))
        await self._desk.shelve(
            body["key"],
            for_s=float(body["hours"]) * HOUR_S,
            reason=body["reason"],
            person=person_of(request),
        )
        return web.json_response({})

    async def unshelve(self, request: web.Request) -> web.StreamResponse:
        """Take one back before its time."""
        body = await body_of(request, key=str)
        await self._desk.unshelve(body["key"], person=person_of(request))
        return web.json_response({})

    async def history(self, request: web.Request) -> web.StreamResponse:
        """What happened to alarms in the last `days`, as CSV, oldest first."""
        days = number_of(request, "days", 31.0, top=HISTORY_DAYS_MAX)
        end_s = self._clock.now_s()
        events = await self._store.duties.alarm_events(
            start_s=end_s - days * 24 * HOUR_S, end_s=end_s
        )
        return web.Response(
            text=history_csv(events, key=request.query.get("key", "")),
            content_type="text/csv",
            headers={"Content-Disposition": 'attachment; filename="alarms.csv"'},
        )
