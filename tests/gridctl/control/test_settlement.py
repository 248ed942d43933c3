"""What an event has brought: kilowatt hours against the baseline, or an export that was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gridctl.control.settlement import BASELINE_POINT, SettlementRow, settle_due, settled
from gridctl.model.clock import ManualClock
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.store.engine import SqlStore, temporary_store

HEAD = "FDR.TotW"
START_S = 1_785_931_200.0
STEP_S = 300.0

LESS = DispatchRequest(
    mrid="R-0",
    event_id="R",
    name="hot afternoon",
    source="utility",
    start_s=START_S,
    end_s=START_S + 4 * STEP_S,
    target_kw=120.0,
    priority=1,
    received_s=START_S,
    state=RequestState.ACTIVE,
)
EXPORT = replace(LESS, mrid="X-0", event_id="X", target_kw=0.0, export_max_kw=100.0)


async def kept(store: SqlStore, point: str, values: Sequence[float | None]) -> None:
    await store.add_samples(
        [
            Measurement(
                point=point,
                value=value,
                quality=GOOD,
                source_time_s=START_S + (k + 0.5) * STEP_S,
                time_quality=TimeQuality.SYNCHRONIZED,
                received_time_s=START_S + (k + 0.5) * STEP_S,
            )
            for k, value in enumerate(values)
            if value is not None
        ]
    )


async def row_of(
    request: DispatchRequest, baseline: Sequence[float | None], metered: Sequence[float | None]
) -> SettlementRow:
    clock = ManualClock(grid_s=request.end_s + 1.0, mono_s=0.0)
    async with temporary_store(clock) as store:
        await kept(store, BASELINE_POINT, baseline)
        await kept(store, HEAD, metered)
        return await settled(store, request, head_point=HEAD)


async def test_less_import_is_counted_in_kilowatt_hours() -> None:
    row = await row_of(LESS, [1000.0] * 4, [900.0, 880.0, 880.0, None])
    assert row.covered == 0.75
    assert row.target_kwh == pytest.approx(30.0)
    assert row.delivered_kwh == pytest.approx(340.0 / 12)
    assert row.met
    assert row.held is None
    assert row.told == "28 of 30 kWh"


@pytest.mark.parametrize(
    ("metered", "held", "met"),
    [
        ([-100.0, -90.0, -100.5, -100.0], 1.0, True),
        ([-100.0, -90.0, -102.0, -100.0], 0.75, False),
        ([-100.0, None, None, -100.0], 1.0, True),
        ([None] * 4, 0.0, False),
    ],
    ids=["kept", "passed-once", "half-known", "unknown"],
)
async def test_a_limit_of_export_was_kept_or_not(
    metered: list[float | None], held: float, met: bool
) -> None:
    row = await row_of(EXPORT, [-220.0] * 4, metered)
    assert (row.held, row.met) == (held, met)


async def test_what_was_not_exported_is_said() -> None:
    row = await row_of(EXPORT, [-220.0, -220.0, -80.0, -100.0], [-100.0, -160.0, -80.0, -100.0])
    assert row.target_kwh == pytest.approx(20.0)
    assert row.delivered_kwh == pytest.approx(15.0)
    assert row.told == "export kept within its limit for 75 % of the time; 15 of 20 kWh"


async def test_what_is_over_is_settled_once() -> None:
    clock = ManualClock(grid_s=EXPORT.end_s, mono_s=0.0)
    async with temporary_store(clock) as store:
        await kept(store, BASELINE_POINT, [-220.0] * 4)
        await kept(store, HEAD, [-100.0] * 4)
        async with store.transaction() as unit:
            await unit.put_request(EXPORT)
        (row,) = await settle_due(store, clock, head_point=HEAD)
        assert row.met
        (request,) = await store.requests()
        assert request.state is RequestState.COMPLETED
        assert await settle_due(store, clock, head_point=HEAD) == []
        told = (await store.audit_rows(limit=1))[0].entry
        assert told.reason.startswith("export kept within its limit for 100 %")
