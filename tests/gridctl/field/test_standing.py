"""Orders that no person approved one by one: the field's own word about them (SG-37)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.field.spool import Lease
from gridctl.model.envelope import Cause, Envelope, Promotion
from gridctl.model.limits import ClosedLoopLimit, LimitSet
from gridctl.model.order import Order
from tests.gridctl.field.test_guard import NOW_S, Bench

BOUND = ClosedLoopLimit(
    area="A1", max_kw=100.0, ramp_kw=100.0, points=("LG1.ShedSpt", "LG2.ShedSpt")
)


def allowed(limits: LimitSet) -> LimitSet:
    return replace(limits, closed_loop=(BOUND,))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, limits=allowed)


def promotion(bench: Bench, **changes: object) -> Promotion:
    """What two persons have approved; `changes` of the envelope."""
    envelope = Envelope(
        area="A1",
        max_kw=90.0,
        ramp_kw=90.0,
        devices=("LG1", "LG2"),
        from_hour=0,
        to_hour=24,
        utc_offset_s=0.0,
        causes=(Cause.HEAD,),
        life_s=3_600.0,
    )
    return Promotion(
        envelope=replace(envelope, **changes),  # type: ignore[arg-type]
        asked_by="eve",
        approved_by=("anne", "bert"),
        sessions=("s1", "s2"),
        at_s=NOW_S - 10.0,
        limits_digest=bench.limits.digest(),
        model_digest="m",
    )


def order(bench: Bench, standing: Promotion, *devices: str) -> Order:
    return bench.order(
        *(bench.command(d) for d in devices or ("LG1",)), standing=(standing,), plan_digest="b" * 64
    )


def test_sg37_an_order_inside_the_envelope_is_let_through(bench: Bench) -> None:
    bench.admitted(order(bench, promotion(bench), "LG1", "LG2"))


def test_sg37_standing_orders_are_held_to_ots_bounds_and_the_envelope(bench: Bench) -> None:
    right = promotion(bench)
    for standing, word in (
        (promotion(bench, max_kw=101.0), "OT's limits file allows 100 kW"),
        (promotion(bench, ramp_kw=101.0), "OT's limits file allows 100 kW"),
        (promotion(bench, max_kw=39.0), "40 kW away"),
        (promotion(bench, ramp_kw=39.0), "0 + 40 kW within"),
        (promotion(bench, devices=("LG2",)), "LG1.ShedSpt is not in the envelope"),
        (promotion(bench, area="A2"), "nobody has promoted area A1"),
        (promotion(bench, life_s=9.0), "has expired"),
        (promotion(bench, life_s=60.0), "outlives the envelope"),
        (promotion(bench, life_s=12 * 3_600.0 + 1.0), "43200 s at most"),
        (promotion(bench, from_hour=4), "local only"),
        (replace(right, approved_by=("anne",), sessions=("s1",)), "two persons"),
        (replace(right, asked_by="anne"), "others approve"),
        (replace(right, approved_by=("anne", "carl")), "does not name carl"),
        (replace(right, limits_digest="x"), "promoted with other limits"),
    ):
        refusal = bench.refused(order(bench, standing))
        assert word in "; ".join(refusal.reasons), (word, refusal.reasons)
    both = bench.order(standing=(right, promotion(bench, max_kw=50.0)))
    assert "two promotions" in "; ".join(bench.refused(both).reasons)


def test_sg37_a_device_that_ot_does_not_let_move_alone(bench: Bench) -> None:
    standing = promotion(bench, devices=("LG1", "LG3"))
    reasons = "; ".join(bench.refused(order(bench, standing, "LG1", "LG3")).reasons)
    assert "LG3.ShedSpt: OT lets it move with a person's approval only" in reasons


def test_sg37_what_is_held_already_counts(bench: Bench) -> None:
    held = Lease(
        command="C-0", order="O-0", point="LG2.ShedSpt", value=60.0, default_value=0.0,
        until_s=NOW_S + 50.0,
    )  # fmt: skip
    bench.memory.hold(held)
    reasons = "; ".join(bench.refused(order(bench, promotion(bench))).reasons)
    assert "100 kW away from the defaults, the envelope allows 90 kW" in reasons


def test_sg37_without_ots_leave_there_is_no_closed_loop(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    refusal = bench.refused(order(bench, promotion(bench)))
    assert refusal.code == "no_closed_loop"
    bench.admitted(bench.order())
