"""What a demand event has really brought: baseline against meter, one row a request.

The baseline is the forecast without control, kept as a history of its own from the moment it was
valid (not computed afterwards, when everybody knows what it should have been).
"""

from __future__ import annotations

from dataclasses import dataclass

from gridctl.control.audit import OFFICE, entry
from gridctl.control.ports import Store
from gridctl.model.canonical import canonical_json
from gridctl.model.clock import Clock
from gridctl.model.program import DispatchRequest, RequestState

BASELINE_POINT = "OFFICE.BaselineKw"
"""Forecast import without control at each moment, kW, as a history."""
REDUCTION_POINT = "OFFICE.ReductionKw"
"""Fall of the head's import by confirmed setpoints at each moment, kW, as a history."""
MET_SHARE_MIN = 0.7
HELD_SHARE_MIN = 0.95
EXPORT_TOLERANCE_KW = 1.0
"""A limit of export is met when at least this share of the five-minute means keep it, each by this
tolerance: one of a two-hour event may pass it."""
SETTLE_STEP_S = 300.0
HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRow:
    """Result of one request, kWh over its intervals that have both baseline and meter.

    `covered`: share of the request's time for which both are known, 0 … 1. Of a limit of export,
    `target_kwh` is what the baseline exports above it, `delivered_kwh` how much of that was not
    exported, `held` the share of the known time in which the limit was kept.
    """

    request: str
    event_id: str
    target_kwh: float
    baseline_kwh: float
    metered_kwh: float
    delivered_kwh: float
    covered: float
    met: bool
    held: float | None = None

    @property
    def told(self) -> str:
        """The result in words."""
        energy = f"{self.delivered_kwh:.0f} of {self.target_kwh:.0f} kWh"
        if self.held is None:
            return energy
        return f"export kept within its limit for {100 * self.held:.0f} % of the time; {energy}"


async def settled(store: Store, request: DispatchRequest, *, head_point: str) -> SettlementRow:
    """The settlement of a request that is over. Unknown intervals count for nothing."""
    series = [
        await store.series(
            point, start_s=request.start_s, end_s=request.end_s, step_s=SETTLE_STEP_S
        )
        for point in (BASELINE_POINT, head_point)
    ]
    pairs = [
        (baseline, metered)
        for baseline, metered in zip(series[0].values, series[1].values, strict=True)
        if baseline is not None and metered is not None
    ]
    hours = SETTLE_STEP_S / HOUR_S
    baseline_kwh = sum(b for b, _ in pairs) * hours
    metered_kwh = sum(m for _, m in pairs) * hours
    steps = len(series[0].values)
    target_kwh = request.target_kw * len(pairs) * hours
    delivered_kwh = baseline_kwh - metered_kwh
    held: float | None = None
    met = bool(pairs) and delivered_kwh >= MET_SHARE_MIN * target_kwh
    if request.export_max_kw is not None:
        floor_kw = -request.export_max_kw
        target_kwh = sum(max(floor_kw - b, 0.0) for b, _ in pairs) * hours
        delivered_kwh = target_kwh - sum(max(floor_kw - m, 0.0) for _, m in pairs) * hours
        kept = sum(m >= floor_kw - EXPORT_TOLERANCE_KW for _, m in pairs)
        held = kept / len(pairs) if pairs else 0.0
        met = held >= HELD_SHARE_MIN
    return SettlementRow(
        request=request.mrid,
        event_id=request.event_id,
        target_kwh=target_kwh,
        baseline_kwh=baseline_kwh,
        metered_kwh=metered_kwh,
        delivered_kwh=delivered_kwh,
        covered=len(pairs) / steps if steps else 0.0,
        met=met,
        held=held,
    )


async def settle_due(store: Store, clock: Clock, *, head_point: str) -> list[SettlementRow]:
    """Settle every request whose time is over, once, with its audit row."""
    now_s = clock.now_s()
    waiting = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)
    rows: list[SettlementRow] = []
    for request in await store.requests(states=waiting):
        if request.end_s > now_s:
            continue
        row = await settled(store, request, head_point=head_point)
        to = RequestState.COMPLETED if row.met else RequestState.UNMET
        async with store.transaction() as unit:
            await unit.move_request(request.mrid, to)
            await unit.audit(
                entry(
                    at_s=now_s,
                    person=OFFICE,
                    action="request.settle",
                    object_=request.mrid,
                    before=request.state,
                    after=canonical_json(row).decode(),
                    reason=row.told,
                    result=to,
                )
            )
        rows.append(row)
    return rows
