"""/api/v1/modes: how far gridctl may go in each area, what is asked for, and the evidence."""

from __future__ import annotations

from aiohttp import web

from gridctl.control.modes import AreaModes, ModeView
from gridctl.model.mode import AreaMode, Mode
from gridctl.web.api import BadBody, body_of
from gridctl.web.auth import person_of
from gridctl.web.json_values import iso


class ModePages:
    """The handlers."""

    def __init__(self, modes: AreaModes) -> None:
        self._modes = modes

    async def modes(self, request: web.Request) -> web.StreamResponse:
        """Every area."""
        return web.json_response({"areas": [_view(v) for v in await self._modes.views()]})

    async def set(self, request: web.Request) -> web.StreamResponse:
        """Down at once, or a request to go up."""
        body = await body_of(request, area=str, mode=str, reason=str)
        try:
            to = Mode(body["mode"])
        except ValueError:
            known = ", ".join(Mode)
            raise BadBody(f"field 'mode' must be one of {known}") from None
        after = await self._modes.set(
            body["area"], to, reason=body["reason"], person=person_of(request)
        )
        return web.json_response(_mode(after))

    async def approve(self, request: web.Request) -> web.StreamResponse:
        """One person's yes to what is asked for."""
        body = await body_of(request, area=str)
        after = await self._modes.approve(body["area"], person=person_of(request))
        return web.json_response(_mode(after))


def _mode(mode: AreaMode) -> dict[str, object]:
    asked = mode.request
    return {
        "area": mode.area,
        "mode": mode.mode,
        "since": iso(mode.since_s) if mode.since_s else None,
        "by": mode.by,
        "reason": mode.reason,
        "request": None
        if asked is None
        else {
            "to": asked.to,
            "by": asked.by,
            "at": iso(asked.at_s),
            "reason": asked.reason,
            "approved_by": asked.approved_by,
        },
    }


def _view(view: ModeView) -> dict[str, object]:
    return {
        **_mode(view.mode),
        "scored": view.scored,
        "forecast_error_pct": view.forecast_error_pct,
        "relieved_kwh": view.relieved_kwh,
        "over_kwh": view.over_kwh,
        "lacking": list(view.lacking),
    }
