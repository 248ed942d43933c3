"""The register of safeguards is whole, and says nothing that no test proves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gridctl.control.alarms import Condition
from gridctl.control.proposals import no_plan
from gridctl.model.planning import Horizon, PlanningResult, Setpoint, SolveStatus
from gridctl.safeguards import NUMBERS, REGISTER, Safeguard, Standing
from gridctl.web.roles import PERMISSIONS, Permission, Role

TESTS = Path(__file__).resolve().parents[1]
DEFINED = frozenset(
    name
    for file in TESTS.rglob("test_*.py")
    if "node_modules" not in file.parts
    for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
)


def test_every_number_has_its_row() -> None:
    assert [one.number for one in REGISTER] == list(NUMBERS)


@pytest.mark.parametrize("one", REGISTER, ids=lambda one: one.id)
def test_what_is_said_to_be_there_has_a_test_of_its_name(one: Safeguard) -> None:
    assert one.title
    assert one.what
    assert set(one.tests) <= DEFINED, "a test that does not exist"
    assert all(f"sg{one.number:02}_" in name for name in one.tests)
    if one.standing is Standing.NOT_YET:
        assert not one.tests
    else:
        assert one.tests, f"{one.id} is said to be {one.standing} and no test can fail for it"
        assert one.seen
    assert bool(one.missing) is (one.standing is not Standing.IN_FORCE)


def test_sg15_what_is_not_verified_is_not_proposed() -> None:
    result = PlanningResult(
        status=SolveStatus.OPTIMAL,
        reason="",
        horizon=Horizon(start_s=0.0, step_s=900.0, count=1),
        setpoints=(Setpoint(resource="B1", interval=0, kw=10.0, effect_kw=10.0),),
        head_before_kw=(100.0,),
        head_after_kw=(90.0,),
        cost=1.0,
        verification=None,
        excluded=(),
        bindings=(),
        shortfalls=(),
        solver="",
        rounds=1,
        solve_s=0.0,
    )
    refusal = no_plan(result)
    assert refusal is not None
    assert refusal.code == "not_verified"
    assert "SG-15" in refusal.reasons[0]


@pytest.mark.parametrize(("priority", "response"), [(0, "do"), (4, "do"), (1, ""), (2, "  ")])
def test_sg30_an_alarm_without_priority_or_response_cannot_be_raised(
    priority: int, response: str
) -> None:
    with pytest.raises(ValueError, match="alarm k"):
        Condition(key="k", priority=priority, text="t", response=response)


def test_sg31_no_role_has_what_another_must_keep_apart() -> None:
    operate = {Permission.APPROVE, Permission.PROPOSE, Permission.STOP, Permission.ACK}
    assert not operate & PERMISSIONS[Role.SECADM]
    assert not operate & PERMISSIONS[Role.SECAUD]
    assert PERMISSIONS[Role.VIEWER] == {Permission.VIEW, Permission.OWN}
    for role in (Role.OPERATOR, Role.SUPERVISOR, Role.ENGINEER):
        assert Permission.USERS not in PERMISSIONS[role]
    assert [r for r in Role if Permission.SECOND_APPROVAL in PERMISSIONS[r]] == [Role.SUPERVISOR]
