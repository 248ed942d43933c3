"""/api/v1/forecasts: the forecast in use, what earlier ones said of what came, and their skill."""

from __future__ import annotations

from aiohttp import web

from gridctl.control.forecastbook import HOUR_S, ForecastBook
from gridctl.control.ports import Desk
from gridctl.model.forecasting import ForecastReview, HorizonSkill, PastForecast
from gridctl.model.planning import Forecast, Series
from gridctl.web.api import number_of
from gridctl.web.json_values import Json, iso, rounded

HOURS_MAX = 14 * 24.0
LEAD_HOURS_MAX = 48.0


class ForecastPages:
    """The handlers."""

    def __init__(self, *, desk: Desk, book: ForecastBook) -> None:
        self._desk = desk
        self._book = book

    async def forecasts(self, request: web.Request) -> web.StreamResponse:
        """`hours` to look back, `lead_h`: how far ahead the past forecasts looked."""
        hours = number_of(request, "hours", 48.0, top=HOURS_MAX)
        lead_h = number_of(request, "lead_h", 1.0, top=LEAD_HOURS_MAX)
        picture = self._desk.picture()
        start_s = picture.at_s - hours * HOUR_S
        past = await self._book.past(lead_s=lead_h * HOUR_S, start_s=start_s, end_s=picture.at_s)
        measured = None
        if past is not None:
            measured = await self._book.measured(
                start_s=past.p50_kw.start_s, end_s=picture.at_s, step_s=past.p50_kw.step_s
            )
        return web.json_response(
            {
                "feeder": picture.head_point,
                "at": iso(picture.at_s),
                "limit_kw": picture.head_limit_kw,
                "current": None if picture.forecast is None else _current(picture.forecast),
                "past": None if past is None else _past(past),
                "measured": None if measured is None else _series(measured),
                "review": None if self._book.review is None else review_view(self._book.review),
            }
        )


def _current(forecast: Forecast) -> Json:
    return {
        "start": iso(forecast.horizon.start_s),
        "step_s": forecast.horizon.step_s,
        "quantiles": list(forecast.quantiles),
        "values_kw": [[round(kw, 1) for kw in row] for row in forecast.values_kw],
        "method": forecast.method,
        "history_days": round(forecast.history_days, 1),
        "nmae_pct": rounded(forecast.nmae_pct, 2),
    }


def _past(past: PastForecast) -> Json:
    return {
        "lead_s": past.lead_s,
        "p10": _series(past.p10_kw),
        "p50": _series(past.p50_kw),
        "p90": _series(past.p90_kw),
    }


def _series(series: Series) -> Json:
    return {
        "start": iso(series.start_s),
        "step_s": series.step_s,
        "kw": [rounded(kw, 1) for kw in series.values],
    }


def review_view(review: ForecastReview) -> Json:
    """Skill by lead, and a shift that lasts."""
    shift = review.shift
    return {
        "at": iso(review.at_s),
        "days": review.days,
        "horizons": [_skill(one) for one in review.horizons],
        "shift": None
        if shift is None
        else {
            "since": iso(shift.since_s),
            "found": iso(shift.found_s),
            "kw": round(shift.shift_kw, 1),
        },
    }


def _skill(one: HorizonSkill) -> Json:
    return {
        "lead_s": one.lead_s,
        "nmae_pct": round(one.nmae_pct, 2),
        "bias_kw": round(one.bias_kw, 1),
        "naive_pct": rounded(one.naive_pct, 2),
        "skill_pct": rounded(one.skill_pct, 1),
        "coverage_80_pct": round(one.coverage_80_pct, 1),
        "count": one.count,
    }
