"""/api/v1/modes: how far gridctl may go in each area, what is asked for, and the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from gridctl.control.modes import AreaModes, ModeView
from gridctl.model.envelope import HOUR_S, Cause, Envelope
from gridctl.model.mode import AreaMode, Mode
from gridctl.web.api import BadBody, body_of, names_of
from gridctl.web.auth import person_of
from gridctl.web.json_values import iso


class ModePages:
    """The handlers. `utc_offset_s`: what an envelope's local hours mean."""

    def __init__(self, modes: AreaModes, *, utc_offset_s: float) -> None:
        self._modes = modes
        self._utc_offset_s = float(utc_offset_s)

    async def modes(self, request: web.Request) -> web.StreamResponse:
        """Every area."""
        return web.json_response({"areas": [_view(v) for v in await self._modes.views()]})

    async def set(self, request: web.Request) -> web.StreamResponse:
        """Down at once, or a request to go up."""
        body = await body_of(request, one_of={"mode": Mode}, area=str, mode=str, reason=str)
        after = await self._modes.set(
            body["area"], Mode(body["mode"]), reason=body["reason"], person=person_of(request)
        )
        return web.json_response(_mode(after))

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Closed loop, with an envelope: nothing of it has a default."""
        number = (int, float)
        body = await body_of(
            request,
            area=str,
            max_kw=number,
            ramp_kw=number,
            devices=list,
            from_hour=int,
            to_hour=int,
            causes=list,
            life_h=number,
            reason=str,
        )
        causes, unknown = _causes(names_of(body, "causes"))
        envelope = Envelope(
            area=body["area"],
            max_kw=float(body["max_kw"]),
            ramp_kw=float(body["ramp_kw"]),
            devices=names_of(body, "devices"),
            from_hour=body["from_hour"],
            to_hour=body["to_hour"],
            utc_offset_s=self._utc_offset_s,
            causes=causes,
            life_s=float(body["life_h"]) * HOUR_S,
        )
        if unknown:
            others = replace(envelope, causes=causes or tuple(Cause))
            raise BadBody(*unknown, *others.mistakes())
        after = await self._modes.ask(envelope, reason=body["reason"], person=person_of(request))
        return web.json_response(_mode(after))

    async def approve(self, request: web.Request) -> web.StreamResponse:
        """One person's yes to what is asked for; `digest`: of the envelope on the screen."""
        body = await body_of(request, area=str, optional={"digest": str})
        after = await self._modes.approve(
            body["area"], person=person_of(request), shown_digest=body.get("digest", "")
        )
        return web.json_response(_mode(after))


def _causes(names: Sequence[str]) -> tuple[tuple[Cause, ...], tuple[str, ...]]:
    """Those that there are, and what is wrong with the others."""
    known = set(Cause)
    wrong = tuple(
        f"field 'causes': {name!r} is none of {', '.join(Cause)}"
        for name in names
        if name not in known
    )
    return tuple(Cause(name) for name in names if name in known), wrong


def _envelope(envelope: Envelope | None) -> dict[str, object] | None:
    if envelope is None:
        return None
    return {
        "max_kw": envelope.max_kw,
        "ramp_kw": envelope.ramp_kw,
        "devices": list(envelope.devices),
        "from_hour": envelope.from_hour,
        "to_hour": envelope.to_hour,
        "causes": list(envelope.causes),
        "life_h": envelope.life_s / HOUR_S,
        "digest": envelope.digest(),
    }


def _mode(mode: AreaMode) -> dict[str, object]:
    asked, promotion = mode.request, mode.promotion
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
            "envelope": _envelope(asked.envelope),
        },
        "promotion": None
        if promotion is None
        else {
            "envelope": _envelope(promotion.envelope),
            "asked_by": promotion.asked_by,
            "approved_by": list(promotion.approved_by),
            "at": iso(promotion.at_s),
            "expires": iso(promotion.expires_s),
            "digest": promotion.digest(),
        },
    }


def _view(view: ModeView) -> dict[str, object]:
    evidence, bound = view.evidence, view.bound
    return {
        **_mode(view.mode),
        "scored": view.scored,
        "forecast_error_pct": view.forecast_error_pct,
        "relieved_kwh": view.relieved_kwh,
        "over_kwh": view.over_kwh,
        "lacking": list(view.lacking),
        "evidence": {
            "scored": evidence.scored,
            "advisory": evidence.advisory,
            "days": evidence.days,
            "forecast_error_pct": evidence.forecast_error_pct,
            "plan_error_pct": evidence.plan_error_pct,
            "lacking": list(evidence.lacking),
        },
        "bound": None
        if bound is None
        else {
            "max_kw": bound.max_kw,
            "ramp_kw": bound.ramp_kw,
            "devices": list(view.devices),
        },
    }
