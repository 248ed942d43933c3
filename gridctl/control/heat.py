"""Transformers whose temperatures a plan keeps: what the last day's load has brought them to.

With `hot_spot_max_c`, `top_oil_max_c` and `load_max` a transformer may be overloaded for as long as
it stays cool enough (IEC 60076-7); what it has carried until now is where the plan begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gridctl.control.ports import Store
from gridctl.control.settings import OfficeSettings
from gridctl.model.assets import ThermalAsset
from gridctl.model.planning import Horizon, Series
from gridctl.model.policy import HotSpot
from optimizer.health.thermal import TYPES

PAST_S = 86_400.0
"""The oil has forgotten what was before."""
KNOWN_MIN = 0.5


def hot_spot(asset: ThermalAsset, load_kw: Series) -> HotSpot | None:
    """Its limits and the rises that its load of the last day leads to; None where it has no limits
    or less than half of the load is known (its steady rating then holds)."""
    if asset.branch is None or asset.hot_spot_max_c is None:
        return None
    if asset.top_oil_max_c is None or asset.load_max is None:
        return None
    known = [v for v in load_kw.values if v is not None and math.isfinite(v)]
    if len(known) < max(KNOWN_MIN * len(load_kw.values), 1.0):
        return None
    kind = TYPES[asset.kind]
    oil, one, two = _rises(asset, load_kw, known[0])
    return HotSpot(
        branch=asset.branch,
        top_oil_rise_k=kind.top_oil_rise,
        hot_spot_rise_k=kind.hot_spot_rise,
        tau_oil_min=kind.tau_oil_min,
        tau_winding_min=kind.tau_winding_min,
        loss_ratio=kind.loss_ratio,
        oil_exponent=kind.x,
        winding_exponent=kind.y,
        oil_rise_now_k=round(oil, 3),
        winding_now_k=round(one, 3),
        counter_now_k=round(two, 3),
        hot_spot_max_c=asset.hot_spot_max_c,
        top_oil_max_c=asset.top_oil_max_c,
        load_max=asset.load_max,
        k11=kind.k11,
        k21=kind.k21,
        k22=kind.k22,
    )


def _rises(asset: ThermalAsset, load_kw: Series, first_kw: float) -> tuple[float, float, float]:
    """Of the oil over the air, and both winding terms, from a steady beginning; a gap goes on as
    the value before it."""
    kind, minutes = TYPES[asset.kind], load_kw.step_s / 60.0
    oil_gain = 1.0 - math.exp(-minutes / (kind.k11 * kind.tau_oil_min))
    fast = 1.0 - math.exp(-minutes / (kind.k22 * kind.tau_winding_min))
    slow = 1.0 - math.exp(-minutes * kind.k22 / kind.tau_oil_min)
    kw, now = first_kw, None
    for value in load_kw.values:
        kw = value if value is not None and math.isfinite(value) else kw
        load = abs(kw) / (asset.rating_kva * asset.power_factor)
        losses = (1.0 + kind.loss_ratio * load**2) / (1.0 + kind.loss_ratio)
        winding = kind.hot_spot_rise * load**kind.y
        ends = (
            kind.top_oil_rise * losses**kind.x,
            kind.k21 * winding,
            (kind.k21 - 1.0) * winding,
        )
        gains = (oil_gain, fast, slow)
        now = (
            ends
            if now is None
            else tuple(v + g * (end - v) for v, g, end in zip(now, gains, ends, strict=True))
        )
    oil, one, two = now or (0.0, 0.0, 0.0)
    return oil, one, two


class HotSpots:
    """Of all transformers that have such limits, once for each forecast."""

    def __init__(self, store: Store, settings: OfficeSettings) -> None:
        self._store = store
        self._assets = tuple(one for one in settings.transformers if one.hot_spot_max_c is not None)

    async def told(self, horizon: Horizon) -> Sequence[HotSpot]:
        """Where each begins in the plan. Raises UnavailableError."""
        found = []
        for asset in self._assets:
            load = await self._store.series(
                asset.load_point,
                start_s=horizon.start_s - PAST_S,
                end_s=horizon.start_s,
                step_s=horizon.step_s,
            )
            own = hot_spot(asset, load)
            found += [] if own is None else [own]
        return found
