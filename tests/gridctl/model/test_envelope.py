"""What is inside an envelope, and what a promotion allows; the field asks the same (SG-37)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.model.command import Command
from gridctl.model.envelope import (
    Cause,
    Envelope,
    FieldSight,
    Present,
    Promotion,
    beyond,
    causes_of,
    exceeded,
    outside,
)
from gridctl.model.limits import ClosedLoopLimit
from gridctl.model.plan import Plan
from gridctl.model.planning import Setpoint
from tests.gridctl.store.examples import RESULT, T0, plan

HOUR_S = 3_600.0
NOON_S = T0 // 86_400 * 86_400 + 12 * HOUR_S
ENVELOPE = Envelope(
    area="A1",
    max_kw=100.0,
    ramp_kw=60.0,
    devices=("LG01", "BESS01"),
    from_hour=10,
    to_hour=14,
    utc_offset_s=0.0,
    causes=(Cause.HEAD,),
    life_s=4 * HOUR_S,
)
PROMOTION = Promotion(
    envelope=ENVELOPE,
    asked_by="eve",
    approved_by=("anne", "bert"),
    sessions=("s1", "s2"),
    at_s=NOON_S,
    limits_digest="l",
    model_digest="m",
)
NOBODY_HELD = Present(
    now_s=NOON_S,
    held={},
    default_kw={"LG01": 0.0, "BESS01": 0.0, "PV01": 80.0},
    spent_kw=0.0,
)


def planned(*setpoints: tuple[str, int, float], **changes: object) -> Plan:
    rows = tuple(
        Setpoint(resource=name, interval=k, kw=kw, effect_kw=kw) for name, k, kw in setpoints
    )
    check = RESULT.verification
    assert check is not None
    calm = replace(check, before=check.after)
    one = replace(plan(), requests=(), result=replace(RESULT, setpoints=rows, verification=calm))
    return replace(one, **changes)  # type: ignore[arg-type]


def why(one: Plan, present: Present = NOBODY_HELD, promotion: Promotion = PROMOTION) -> str:
    return "; ".join(outside(one, promotion, present))


def test_sg37_what_is_inside_every_bound_needs_nobody() -> None:
    assert why(planned(("LG01", 0, 40.0), ("BESS01", 0, 20.0))) == ""
    assert why(planned(("PV01", 0, 80.0), ("LG01", 1, 30.0))) == "", "PV01 stays at its default"


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (planned(("LG01", 0, 61.0)), "61 kW within 300 s"),
        (planned(("LG01", 0, 60.0), ("LG01", 1, 101.0)), "101 kW at once"),
        # One is up already while the other is not down yet.
        (planned(("LG01", 0, 55.0), ("BESS01", 1, 50.0)), "105 kW at once"),
        (planned(("PV01", 0, 70.0)), "PV01 moves"),
        (planned(("BESS01", 0, -61.0)), "61 kW within"),
        (planned(("LG01", 0, 10.0), requests=("R-1",)), "its cause, request"),
    ],
)
def test_sg37_one_bound_more_and_people_decide(one: Plan, reason: str) -> None:
    assert reason in why(one)


def test_sg37_what_is_held_and_what_has_moved_counts() -> None:
    small = planned(("LG01", 0, 20.0))
    assert "PV01 moves, or is held" in why(small, replace(NOBODY_HELD, held={"PV01": 50.0}))
    assert "70 kW within" in why(small, replace(NOBODY_HELD, spent_kw=50.0))
    assert "110 kW at once" in why(
        planned(("LG01", 0, 20.0), ("BESS01", 0, 90.0)),
        replace(NOBODY_HELD, held={"BESS01": 90.0}),
    )


def test_sg37_reactive_power_and_emergencies_are_never_by_themselves_inside() -> None:
    one = planned(("LG01", 0, 20.0))
    moved = replace(one.result.setpoints[0], kvar=5.0)
    assert "reactive" in why(replace(one, result=replace(one.result, setpoints=(moved,))))
    check = one.result.verification
    assert check is not None
    healed = replace(
        check,
        before=replace(check.before, violations=2),
        after=replace(check.after, violations=0),
    )
    heals = replace(one, result=replace(one.result, verification=healed))
    assert causes_of(heals) == {Cause.HEAD, Cause.EMERGENCY}
    assert "emergency" in why(heals)


@pytest.mark.parametrize(
    ("changes", "at_s", "reason"),
    [
        ({}, NOON_S - 1, "begins only"),
        ({}, NOON_S + 4 * HOUR_S, "has expired"),
        ({}, NOON_S + 2 * HOUR_S, "from 10 to 14 h"),
        ({"approved_by": ("anne",), "sessions": ("s1",)}, NOON_S, "two persons"),
        ({"approved_by": ("anne", "anne")}, NOON_S, "two persons"),
        ({"sessions": ("s1", "s1")}, NOON_S, "two persons"),
        ({"approved_by": ("", "bert")}, NOON_S, "two persons"),
        ({"asked_by": "bert"}, NOON_S, "others approve"),
        ({"envelope": replace(ENVELOPE, life_s=12 * HOUR_S + 1)}, NOON_S, "43200 s at most"),
        ({"envelope": replace(ENVELOPE, devices=())}, NOON_S, "no device"),
        ({"envelope": replace(ENVELOPE, ramp_kw=0.0)}, NOON_S, "not above 0"),
        ({"envelope": replace(ENVELOPE, causes=())}, NOON_S, "no cause"),
        ({"envelope": replace(ENVELOPE, from_hour=14)}, NOON_S, "none of one day"),
    ],
)
def test_sg37_a_promotion_that_stands_for_nothing(
    changes: dict[str, object], at_s: float, reason: str
) -> None:
    found = "; ".join(replace(PROMOTION, **changes).objections(at_s))  # type: ignore[arg-type]
    assert reason in found


def test_sg37_nothing_is_held_longer_than_hours_and_life_allow() -> None:
    assert PROMOTION.ends_s(NOON_S) == NOON_S + 2 * HOUR_S, "the hours end first"
    longer = replace(PROMOTION, envelope=replace(ENVELOPE, to_hour=24))
    assert longer.ends_s(NOON_S) == longer.expires_s == NOON_S + 4 * HOUR_S
    west = replace(PROMOTION, envelope=replace(ENVELOPE, utc_offset_s=-6 * HOUR_S, to_hour=8))
    assert west.ends_s(NOON_S) == NOON_S + 2 * HOUR_S, "12 UTC is 6 h there"


def test_sg37_an_envelope_asks_for_no_more_than_ot_allows() -> None:
    bound = ClosedLoopLimit(area="A1", max_kw=100.0, ramp_kw=60.0, points=())
    assert list(beyond(ENVELOPE, bound)) == []
    assert len(list(beyond(ENVELOPE, replace(bound, max_kw=99.0, ramp_kw=59.0)))) == 2


def command(device: str, value: float, **changes: object) -> Command:
    right = Command(
        mrid=f"C-{device}",
        plan="P-1",
        resource=device,
        point=f"{device}.Spt",
        value=value,
        expect_point=f"{device}.Fb",
        tolerance=0.5,
        lease_until_s=NOON_S + 100.0,
        default_value=0.0,
        effect_kw=value,
        batch=1,
    )
    return replace(right, **changes)  # type: ignore[arg-type]


def test_sg37_the_field_sees_the_same_bounds() -> None:
    def field(*commands: Command, **changes: float) -> str:
        sight = replace(
            FieldSight(now_s=NOON_S, held_kw=0.0, moved_kw=0.0, moves_kw=20.0), **changes
        )
        found = exceeded(PROMOTION, commands, sight, lambda point: point.split(".")[0])
        return "; ".join(found)

    small = command("LG01", 20.0)
    assert field(small) == ""
    assert "PV01.Spt is not in the envelope" in field(command("PV01", 20.0))
    assert "110 kW away" in field(small, held_kw=90.0)
    assert "101 kW away" in field(command("LG01", 1.0, effect_kw=101.0)), "a false value"
    assert "50 + 20 kW within" in field(small, moved_kw=50.0)
    assert "outlives" in field(command("LG01", 20.0, lease_until_s=NOON_S + 2 * HOUR_S + 1))
