"""Where a regulator stands still, a plan keeps the voltage itself, and knows what it rests on."""

from __future__ import annotations

import pytest

from gridctl.control.heldregulators import (
    PLANS_KEPT,
    RESERVE_PU,
    HeldRegulators,
    as_wished,
    for_standing,
    with_reserve,
)
from gridctl.model.planning import NetworkLimits
from gridctl.model.policy import Existing, Policy


def limits(low: float, high: float) -> NetworkLimits:
    return NetworkLimits(
        head_import_kw=1.0, voltage_min_pu=low, voltage_max_pu=high, loading_max_pct=100.0
    )


def test_the_voltage_is_hard_with_a_little_distance_and_only_then() -> None:
    own = Policy()
    assert for_standing(own, ()) is own
    strict = for_standing(own, ["R1"])
    assert strict.existing_voltage is Existing.HARD
    assert as_wished(strict, own) == own
    band = limits(0.95, 1.05)
    assert with_reserve(band, ()) is band
    inside = with_reserve(band, ["R1"])
    assert inside.voltage_min_pu == pytest.approx(0.95 + RESERVE_PU)
    assert inside.voltage_max_pu == pytest.approx(1.05 - RESERVE_PU)
    narrow = with_reserve(limits(0.999, 1.001), ["R1"])
    assert narrow.voltage_min_pu < narrow.voltage_max_pu


def test_a_plan_rests_on_the_regulators_that_moved_when_it_was_made() -> None:
    book = HeldRegulators()
    book.assumed("P-1", ["R1"])
    assert book.newly("P-1", ["R1"]) == ()
    assert book.newly("P-1", []) == (), "one that moves again changes nothing at once"
    (why,) = book.newly("P-1", ["R1", "R2", "R3"])
    assert why == "R2, R3 stand still, and plan P-1 counts on their movement"
    assert book.newly("P-0", ["R1"]) == (), "of a plan before a restart nothing is known"
    for number in range(PLANS_KEPT):
        book.assumed(f"Q-{number}", [])
    assert book.newly("P-1", ["R2"]) == ()
    assert book.newly("Q-0", ["R2"]) != ()
