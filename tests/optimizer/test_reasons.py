"""What a plan is for when no limit asks for it: what import costs by its level is named."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gridctl.model.planning import FindingKind, PlanningResult
from gridctl.model.policy import ImportPrice, Policy
from optimizer.plan import plan_task
from tests.optimizer.small import group, hourly_task


def planned(per_kwh: float) -> PlanningResult:
    """900 and 950 kW under a limit of 1000, of which what lies above 850 kW costs `per_kwh`."""
    price = ImportPrice(
        what="ageing of T1", above_kw=((850.0,) * 3,), per_kwh=((per_kwh, per_kwh, 0.0),)
    )
    task = replace(
        hourly_task([900.0, 950.0, 800.0], group("G")), policy=Policy(import_prices=(price,))
    )
    return plan_task(task, monotonic_s=time.monotonic)


def test_a_plan_for_a_transformers_life_alone_says_so() -> None:
    result = planned(2.0)
    assert not result.shortfalls
    assert any(s.kw > 0.0 for s in result.setpoints)
    told, who = [f for f in result.findings if f.kind is FindingKind.REASON]
    assert who.text.startswith("G moves because of what the import costs")
    # Above 850 kW stand 50 and 100 kWh at 2 each; the group takes up to 100 kW in both hours.
    assert told.text == (
        "The ageing of T1 would cost 300 without the plan and costs 0 with it: it is relieved"
        " from 12:00 to 14:00."
    )
    assert (told.first, told.last) == (0, 1)
    assert told.amount == pytest.approx(300.0, abs=1.0)


def test_where_life_is_cheap_nothing_is_for_it() -> None:
    result = planned(0.001)
    assert not result.setpoints
    assert not [f for f in result.findings if f.kind is FindingKind.REASON]
