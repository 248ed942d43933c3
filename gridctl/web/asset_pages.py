"""/api/v1/assets: the last look at the assets' health, with its parts and its data coverage."""

from __future__ import annotations

from aiohttp import web

from gridctl.control.assetbook import AssetBook
from gridctl.control.veebook import VeeBook, VeeReview
from gridctl.model.assets import AssetReview, Movements, ThermalHealth, VoltageQuality
from gridctl.web.json_values import Json, iso, rounded

NOTE = "no failure probability is claimed: life used is that of the insulation alone"


class AssetPages:
    """The handlers."""

    def __init__(self, book: AssetBook, vee: VeeBook) -> None:
        self._book = book
        self._vee = vee

    async def assets(self, request: web.Request) -> web.StreamResponse:
        """`review` is null before the first look."""
        review = self._book.review
        return web.json_response(
            {
                "note": NOTE,
                "waits": waits_of(review),
                "review": None if review is None else assets_view(review),
            }
        )

    async def validation(self, request: web.Request) -> web.StreamResponse:
        """Values of the last day that a rule has marked, by point; null before the first look."""
        review = self._vee.review
        return web.json_response({"review": None if review is None else vee_view(review)})


def waits_of(review: AssetReview | None) -> list[str]:
    """What is not known yet and what it waits for, in words."""
    if review is None:
        return ["the first look: it comes when the field has told its points, then every hour"]
    found = [f"{one.asset.name}: {one.why}" for one in review.transformers if one.why]
    found += [
        f"{one.asset.name}: no forecast reaches ahead yet"
        for one in review.transformers
        if not one.why and not one.paths
    ]
    verdicts = [one for one in review.voltages if one.complies is None]
    if verdicts:
        share = max(one.coverage for one in review.voltages)
        found.append(
            f"{len(verdicts)} of {len(review.voltages)} voltages have no verdict: EN 50160 takes 90"
            f" % of a week of 10-minute means, at most {100 * share:.0f} % are there"
        )
    short = [one for one in review.movements if one.days < review.days - 0.5]
    if short:
        days = min(one.days for one in short)
        found.append(f"operations are counted since {days:.1f} days, of {review.days:.0f}")
    return found


def vee_view(review: VeeReview) -> Json:
    """The worst first."""
    return {
        "at": iso(review.at_s),
        "looked": review.looked,
        "marked": [
            {
                "point": one.point,
                "samples": one.samples,
                "rejected": one.rejected,
                "rules": dict(one.rules),
            }
            for one in review.marked
        ],
    }


def assets_view(review: AssetReview) -> Json:
    """The parts, worst voltages first."""
    voltages = sorted(review.voltages, key=lambda v: (v.means == 0, v.within_10_pct, v.lowest_pu))
    return {
        "at": iso(review.at_s),
        "days": review.days,
        "score": rounded(review.score, 0),
        "worst": review.worst,
        "parts": {name: round(value, 3) for name, value in review.parts.items()},
        "coverage": round(review.coverage, 3),
        "transformers": [_thermal(one) for one in review.transformers],
        "movements": [_moved(one) for one in review.movements],
        "voltages": [_voltage(one) for one in voltages],
    }


def _thermal(one: ThermalHealth) -> Json:
    return {
        "name": one.asset.name,
        "kind": one.asset.kind,
        "rating_kva": one.asset.rating_kva,
        "why": one.why,
        "coverage": round(one.coverage, 3),
        "load_pct": rounded(one.load_pct, 1),
        "hot_spot_c": rounded(one.hot_spot_c, 1),
        "top_oil_c": rounded(one.top_oil_c, 1),
        "hot_spot_max_c": rounded(one.hot_spot_max_c, 1),
        "life_used_pct": rounded(one.life_used_pct, 5),
        "ageing": rounded(one.ageing, 3),
        "is_alarm": one.is_alarm,
        "paths": [
            {
                "quantile": path.quantile,
                "hot_spot_max_c": round(path.hot_spot_max_c, 1),
                "time_to_limit_min": rounded(path.time_to_limit_min, 0),
                "headroom": round(path.headroom, 3),
            }
            for path in one.paths
        ],
        "curve": {
            "t": [iso(at_s) for at_s, *_ in one.curve],
            "top_oil_c": [round(oil, 1) for _, oil, _, _ in one.curve],
            "hot_spot_c": [round(hot, 1) for _, _, hot, _ in one.curve],
            "hot_spot_p90_c": [round(high, 1) for *_, high in one.curve],
        },
    }


def _moved(one: Movements) -> Json:
    return {
        "point": one.point,
        "equipment": one.equipment,
        "operations": one.operations,
        "per_day": round(one.per_day, 2),
        "busiest_day": one.busiest_day,
        "hunting": one.hunting,
        "days": round(one.days, 2),
        "coverage": round(one.coverage, 3),
        "openings": one.openings,
        "contacts_pct": rounded(one.contacts_pct, 3),
        "mechanical_pct": rounded(one.mechanical_pct, 3),
    }


def _voltage(one: VoltageQuality) -> Json:
    return {
        "point": one.point,
        "equipment": one.equipment,
        "phase": one.phase,
        "means": one.means,
        "within_10_pct": round(one.within_10_pct, 2),
        "lowest_pu": round(one.lowest_pu, 4),
        "highest_pu": round(one.highest_pu, 4),
        "longest_outside_min": round(one.longest_outside_min, 0),
        "complies": one.complies,
        "coverage": round(one.coverage, 3),
    }
