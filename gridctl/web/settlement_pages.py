"""/api/v1/settlements: baselines and settlement runs, as JSON, CSV and a statement to read.

A new run is asked for by the query and gets the readings as its body (CSV); without a body the
resource is a point of our own history.
"""

from __future__ import annotations

import json
from datetime import date

from aiohttp import web

from gridctl.control.settlementdesk import SettlementDesk, Shown
from gridctl.intervalfile import zone
from gridctl.model.errors import ConfigError
from gridctl.model.record import KeptRun
from gridctl.web.api import BadBody, number_of
from gridctl.web.auth import person_of
from gridctl.web.json_values import Json, iso
from gridctl.web.problem import problem
from optimizer.baselines.methods import load_methods
from optimizer.baselines.run import Ask

READINGS_BYTES_MAX = 16 * 1024 * 1024
KW_MAX = 1e6
TYPES = {"html": "text/html", "pdf": "application/pdf", "csv": "text/csv"}
MANY = ("holiday", "event_day")
KNOWN = frozenset(
    {"resource", "event", "method", "committed_kw", "timezone", "temperature", "firm_kw", "netting"}
    | set(MANY)
)


class SettlementPages:
    """The handlers."""

    def __init__(self, desk: SettlementDesk) -> None:
        self._desk = desk

    async def methods(self, request: web.Request) -> web.StreamResponse:
        """Baseline methods with version and digest."""
        found = [
            {"id": one.id, "title": one.title, "version": one.version, "digest": one.digest()}
            for one in load_methods().values()
        ]
        return web.json_response({"methods": found})

    async def runs(self, request: web.Request) -> web.StreamResponse:
        """The newest first."""
        return web.json_response({"runs": [_row(kept) for kept in await self._desk.listed()]})

    async def settle(self, request: web.Request) -> web.StreamResponse:
        """A new run; 200 when the same inputs have made it before."""
        ask = _asked(request)
        readings = await _readings(request)
        try:
            shown = await self._desk.settle(
                ask,
                readings=readings,
                temperature=request.query.get("temperature"),
                person=person_of(request),
            )
        except ConfigError as wrong:
            raise BadBody(str(wrong)) from None
        return web.json_response(_whole(shown), status=201 if shown.is_new else 200)

    async def run(self, request: web.Request) -> web.StreamResponse:
        """One run, made again from what was kept."""
        shown = await self._desk.shown(request.match_info["run"])
        return _missing() if shown is None else web.json_response(_whole(shown))

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The statement (`statement.html`, `statement.pdf`) or `intervals.csv`."""
        form = request.match_info["form"]
        shown = await self._desk.shown(request.match_info["run"])
        if shown is None:
            return _missing()
        return web.Response(
            text=shown.page(form),
            content_type=TYPES[form],
            headers={
                # The statement brings its own style, and nothing else.
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
                "Content-Disposition": f'inline; filename="{shown.kept.id}.{form}"',
            },
        )


def _asked(request: web.Request) -> Ask:
    query = request.query
    unknown = set(query) - KNOWN
    wrong = [f"unknown query {name!r}" for name in sorted(unknown)]
    wrong += [
        f"query {name!r} is missing"
        for name in ("resource", "event", "method", "committed_kw")
        if not query.get(name)
    ]
    if wrong:
        raise BadBody(*wrong)
    when, start_h, end_h = _event(query["event"])
    try:
        zone(query.get("timezone", "UTC"))
        for text in (text for name in MANY for text in query.getall(name, [])):
            date.fromisoformat(text)
    except (ConfigError, ValueError) as wrong:
        raise BadBody(str(wrong)) from None
    return Ask(
        resource=query["resource"],
        when=when,
        start_h=start_h,
        end_h=end_h,
        method=query["method"],
        committed_kw=number_of(request, "committed_kw", 0.0, top=KW_MAX),
        inputs="",
        timezone=query.get("timezone", "UTC"),
        holidays=tuple(sorted(query.getall("holiday", []))),
        event_days=tuple(sorted(query.getall("event_day", []))),
        firm_kw=number_of(request, "firm_kw", 0.0, top=KW_MAX) if "firm_kw" in query else None,
        is_netted=query.get("netting") == "true",
    )


def _event(text: str) -> tuple[date, float, float]:
    """`2026-07-14T15:00/19:00`, local. Raises BadBody."""
    day, _, hours = text.partition("T")
    try:
        start_h, end_h = (
            int(h) + int(m) / 60.0
            for h, _, m in (part.partition(":") for part in hours.split("/", 1))
        )
        return date.fromisoformat(day), start_h, end_h
    except ValueError:
        raise BadBody(f"event {text!r}: such as 2026-07-14T15:00/19:00") from None


async def _readings(request: web.Request) -> str | None:
    """The body, which may be larger than that of other routes. Raises BadBody."""
    raw = bytearray()
    async for chunk in request.content.iter_chunked(65_536):
        raw += chunk
        if len(raw) > READINGS_BYTES_MAX:
            raise BadBody(f"readings of more than {READINGS_BYTES_MAX // 2**20} MiB")
    try:
        return raw.decode("utf-8") if raw else None
    except UnicodeDecodeError:
        raise BadBody("the readings are not UTF-8") from None


def _row(kept: KeptRun) -> Json:
    return {
        "id": kept.id,
        "event": kept.event,
        "version": kept.version,
        "made": iso(kept.made_s),
        "by": kept.who,
    }


def _whole(shown: Shown) -> Json:
    return {**_row(shown.kept), "run": json.loads(shown.kept.body)}


def _missing() -> web.Response:
    return problem(404, "no_such_run", "No such settlement run")
