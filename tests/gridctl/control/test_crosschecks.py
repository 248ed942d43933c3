"""Values against others: each rule finds its own fault in a real store, and nothing without one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.crosschecks import STEP_S, CrossChecks
from gridctl.control.forecastbook import ForecastBook
from gridctl.model.clock import ManualClock
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from gridctl.model.planning import Forecast, Horizon
from gridctl.model.validation import BalanceRule, CrossRules, PowersRule, RegisterRule
from gridctl.store.engine import temporary_store
from optimizer.arrays import FloatArray
from optimizer.validation.marks import Mark

NOW_S = 20_640 * 86_400.0 + 300.0
START_S = 20_638 * 86_400.0
COUNT = 2 * 96
RULES = CrossRules(
    balances=(BalanceRule(head="HEAD", parts=("A", "B"), rating_kw=1_000.0, loss_share=0.02),),
    registers=(RegisterRule(kw="A", kwh="A_KWH", multiplier_kwh=1.0),),
    powers=(
        PowersRule(
            kw="HEAD", kvar="Q", volt_pu="V", ampere="I", nominal_kv=10.0, rating_kva=1_000.0
        ),
    ),
)
Series = dict[str, FloatArray]


def sound() -> Series:
    """Two days of quarters: 600 kW and 200 kvar at 10 kV, in two parts."""
    head = 600.0 + 50.0 * np.sin(np.arange(COUNT) / 96.0 * 2.0 * np.pi)
    part = 0.98 * head / 2.0
    return {
        "HEAD": head,
        "A": part.copy(),
        "B": part.copy(),
        "Q": np.full(COUNT, 200.0),
        "V": np.full(COUNT, 1.0),
        "I": np.hypot(head, 200.0) / np.sqrt(3.0) / 10.0,
    }


def shunted(rows: Series) -> None:
    rows["I"][-4:] *= 0.8


def torn(rows: Series) -> None:
    rows["B"][-8:] -= 60.0


def jumped(rows: Series) -> None:
    for name in ("HEAD", "A", "B"):
        rows[name][-2:] *= 1.5
    rows["I"][-2:] = np.hypot(rows["HEAD"][-2:], 200.0) / np.sqrt(3.0) / 10.0


def lost(rows: Series) -> None:
    # A third of a percent of the day's energy, spread thinly: no balance shows it.
    rows["A"][-96:] *= 0.995


@pytest.mark.parametrize(
    ("fault", "mark", "points"),
    [
        (None, None, set()),
        (shunted, Mark.CONSISTENCY, {"HEAD", "Q", "V", "I"}),
        (torn, Mark.BALANCE, {"HEAD", "A", "B"}),
        (jumped, Mark.FORECAST, {"HEAD"}),
        (lost, Mark.SUM, {"A"}),
    ],
)
async def test_each_fault_is_found_by_its_rule(
    fault: Callable[[Series], None] | None, mark: Mark | None, points: set[str]
) -> None:
    rows = sound()
    energy = np.concatenate([[0.0], np.cumsum(rows["A"]) * STEP_S / 3_600.0])
    if fault is not None:
        fault(rows)
    if fault is jumped:
        energy = np.concatenate([[0.0], np.cumsum(rows["A"]) * STEP_S / 3_600.0])
    clock = ManualClock(grid_s=NOW_S)
    async with temporary_store(clock) as store:
        given = [
            reading(name, START_S + (k + 0.5) * STEP_S, value)
            for name, values in rows.items()
            for k, value in enumerate(values.tolist())
        ]
        # Past midnight the register goes on; it is read every five minutes about the day's ends.
        for day in (96, 192):
            for minute in (-5, -1, 1, 5):
                slope = rows["A"][day - 1] / 60.0
                kwh = float(energy[day] + slope * minute)
                given.append(reading("A_KWH", START_S + day * STEP_S + 60.0 * minute, kwh))
        await store.add_samples(given)
        for hour in range(24, 48):
            await store.forecasts.keep(said(sound()["HEAD"], hour), drop_before_s=0.0)
        forecasts = ForecastBook(
            store=store,
            clock=clock,
            alarms=AlarmBook(store=store, clock=clock),
            head_point="HEAD",
            utc_offset_s=0.0,
        )
        checks = CrossChecks(
            RULES, store=store, forecasts=forecasts, head_point="HEAD", utc_offset_s=0.0
        )
        found = await checks.look(NOW_S)
    assert {point for point, marks in found.items() if mark in marks} == points
    assert {one for marks in found.values() for one in marks} == ({mark} if mark else set())


def said(head: FloatArray, hour: int) -> Forecast:
    own = tuple(head[4 * hour : 4 * hour + 4].tolist())
    return Forecast(
        horizon=Horizon(start_s=START_S + 3_600.0 * hour, step_s=STEP_S, count=4),
        quantiles=(0.1, 0.5, 0.9),
        values_kw=(tuple(v - 20 for v in own), own, tuple(v + 20 for v in own)),
        method="by hand",
        history_days=7.0,
        nmae_pct=None,
    )


def reading(point: str, at_s: float, value: float) -> Measurement:
    return Measurement(
        point=point,
        value=value,
        quality=GOOD,
        source_time_s=at_s,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=at_s,
    )
