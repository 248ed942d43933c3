"""Selection, command and plan transitions, approvals, canonical digests, permits, budgets."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridctl.model.approval import Approval, ApprovalPolicy, approvals_needed, may_approve
from gridctl.model.budget import Move, count, last_s, moved_kw, spent_kw
from gridctl.model.canonical import canonical_json, digest
from gridctl.model.command import TRANSITIONS, Command, CommandState, may_follow
from gridctl.model.permit import Permit, mint
from gridctl.model.plan import PLAN_TRANSITIONS, Plan, PlanState
from gridctl.model.planning import Horizon, PlanningResult, SolveStatus
from gridctl.model.selection import Selection


def plan(net_kw: float = 100.0, customers: int = 10) -> Plan:
    result = PlanningResult(
        status=SolveStatus.OPTIMAL,
        reason="",
        horizon=Horizon(start_s=0.0, step_s=900.0, count=1),
        setpoints=(),
        head_before_kw=(1000.0,),
        head_after_kw=(1000.0 - net_kw,),
        cost=0.0,
        verification=None,
        excluded=(),
        bindings=(),
        shortfalls=(),
        solver="",
        rounds=0,
        solve_s=0.0,
    )
    return Plan(
        mrid="P-1",
        version=1,
        feeder="F",
        created_s=0.0,
        proposed_by="optimizer",
        snapshot_revision=1,
        snapshot_digest="",
        model_digest="",
        limits_digest="",
        input_digest="",
        requests=(),
        customers=customers,
        net_kw=net_kw,
        result=result,
    )


def command(**changes: object) -> Command:
    right = Command(
        mrid="C",
        plan="P",
        resource="R",
        point="X",
        value=40.0,
        expect_point="Y",
        tolerance=0.5,
        lease_until_s=100.0,
        default_value=0.0,
        effect_kw=40.0,
        batch=1,
    )
    return replace(right, **changes)  # type: ignore[arg-type]


# Selection (SG-01)


def selected() -> Selection:
    selection = Selection(timeout_s=5.0)
    selection.select(digest="d", by="a", sequence=1, at_s=10.0)
    return selection


def test_sg01_operate_that_matches_its_select_passes_once() -> None:
    selection = selected()
    assert selection.operate(digest="d", by="a", sequence=2, at_s=15.0) is None
    again = selection.operate(digest="d", by="a", sequence=2, at_s=15.0)
    assert again is not None
    assert again.code == "no_select"


@pytest.mark.parametrize(
    ("digest_", "by", "sequence", "at_s", "code"),
    [
        ("other", "a", 2, 11.0, "object_changed"),
        ("d", "b", 2, 11.0, "other_master"),
        ("d", "a", 1, 11.0, "out_of_sequence"),
        ("d", "a", 3, 11.0, "out_of_sequence"),
        ("d", "a", 2, 15.1, "select_timeout"),
    ],
)
def test_sg01_operate_that_does_not_match_is_refused_and_voids_the_select(
    digest_: str, by: str, sequence: int, at_s: float, code: str
) -> None:
    selection = selected()
    refusal = selection.operate(digest=digest_, by=by, sequence=sequence, at_s=at_s)
    assert refusal is not None
    assert refusal.code == code
    right = selection.operate(digest="d", by="a", sequence=2, at_s=11.0)
    assert right is not None
    assert right.code == "no_select"


def test_sg01_anything_in_between_voids_the_select() -> None:
    selection = selected()
    selection.clear()
    assert selection.operate(digest="d", by="a", sequence=2, at_s=11.0) is not None


# Transitions (SG-04)


@st.composite
def lives(draw: st.DrawFn) -> list[CommandState]:
    """A command's life: any walk through the table."""
    path = [CommandState.PROPOSED]
    while TRANSITIONS[path[-1]] and len(path) < 15:
        path.append(draw(st.sampled_from(sorted(TRANSITIONS[path[-1]]))))
    return path


@given(lives())
def test_sg04_each_rung_has_what_proves_the_one_below(path: list[CommandState]) -> None:
    """EFFECTIVE after CONFIRMED, ACCEPTED after OPERATED after ADMITTED after APPROVED; a lost
    answer (UNCONFIRMED) is the only way past a rung of the wire."""
    s = CommandState
    needs = {
        s.EFFECTIVE: {s.CONFIRMED},
        s.CONFIRMED: {s.ACCEPTED, s.OPERATED, s.UNCONFIRMED},
        s.ACCEPTED: {s.OPERATED},
        s.OPERATED: {s.ADMITTED},
        s.ADMITTED: {s.ORDERED},
        s.ORDERED: {s.APPROVED},
    }
    for place, state in enumerate(path):
        if state in needs:
            assert needs[state] & set(path[:place]), path
    if s.CONFIRMED in path:
        assert s.APPROVED in path[: path.index(s.CONFIRMED)]


@given(lives())
def test_sg04_what_a_device_took_never_counts_as_failed(path: list[CommandState]) -> None:
    s = CommandState
    if path[-1] is s.FAILED:
        assert not {s.ACCEPTED, s.CONFIRMED, s.EFFECTIVE, s.UNCONFIRMED} & set(path)
    if path[-1] is s.REFUSED:
        assert not {s.ADMITTED, s.SELECTED, s.OPERATED} & set(path)


@given(st.sampled_from(CommandState), st.sampled_from(CommandState))
def test_sg04_the_table_is_the_only_word(before: CommandState, after: CommandState) -> None:
    assert may_follow(before, after) == (after in TRANSITIONS[before])
    assert not may_follow(before, before)


def test_every_command_state_has_its_row_and_only_reachable_ends() -> None:
    assert set(TRANSITIONS) == set(CommandState)
    reached = {CommandState.PROPOSED}.union(*TRANSITIONS.values())
    assert reached == set(CommandState)
    assert {s for s in CommandState if s.is_final} == {
        CommandState.REFUSED,
        CommandState.EXPIRED,
        CommandState.FAILED,
        CommandState.RELEASED,
    }


def test_sg08_an_ended_plan_never_lives_again() -> None:
    ends = {PlanState.REJECTED, PlanState.EXPIRED, PlanState.VOID, PlanState.STOPPED}
    for end in (*ends, PlanState.COMPLETED):
        assert PLAN_TRANSITIONS[end] == frozenset()
    assert PlanState.ACTIVE not in PLAN_TRANSITIONS[PlanState.PROPOSED]
    assert PlanState.ACTIVE not in PLAN_TRANSITIONS[PlanState.PARTIAL]


# Approval (SG-06, SG-07, SG-09)

POLICY = ApprovalPolicy(
    two_person_kw=500.0, two_person_customers=100, plan_life_s=300.0, approval_life_s=600.0
)


@pytest.mark.parametrize(
    ("net_kw", "customers", "needed"),
    [(499.9, 100, 1), (500.0, 0, 2), (-500.0, 0, 2), (10.0, 101, 2)],
)
def test_sg06_large_plans_need_two_persons(net_kw: float, customers: int, needed: int) -> None:
    assert approvals_needed(plan(net_kw, customers), POLICY) == needed


def test_sg06_sg16_a_share_of_the_head_or_leave_to_worsen_needs_two_persons() -> None:
    small, large = plan(299.0, 1), plan(-300.0, 1)
    assert approvals_needed(large, POLICY) == 1
    share = replace(POLICY, two_person_head_kw=300.0)
    assert (approvals_needed(small, share), approvals_needed(large, share)) == (1, 2)
    assert approvals_needed(small, replace(POLICY, may_worsen=True)) == 2


def given_by(by: str, session: str) -> Approval:
    return Approval(plan="P-1", digest="", by=by, session=session, at_s=0.0, at_mono_s=0.0)


@pytest.mark.parametrize(
    ("by", "session", "code"),
    [
        ("optimizer", "s2", "own_plan"),
        ("anne", "s2", "same_person"),
        ("bert", "s1", "same_session"),
    ],
)
def test_sg07_two_approvals_are_two_persons_in_two_sessions(
    by: str, session: str, code: str
) -> None:
    one = plan()
    refusal = may_approve(one, one.digest(), by, session, [given_by("anne", "s1")])
    assert refusal is not None
    assert refusal.code == code
    assert may_approve(one, one.digest(), "bert", "s2", [given_by("anne", "s1")]) is None


def test_sg09_approval_of_another_digest_is_refused() -> None:
    shown = plan(100.0)
    waits = plan(101.0)
    refusal = may_approve(waits, shown.digest(), "anne", "s1", [])
    assert refusal is not None
    assert refusal.code == "plan_changed"


# Canonical JSON and digests


def test_digest_is_of_values_not_of_order_or_container() -> None:
    assert digest({"b": 1, "a": (1.5, "x")}) == digest({"a": [1.5, "x"], "b": 1})
    assert digest(frozenset({"b", "a"})) == digest(["a", "b"])
    assert digest(plan()) == digest(plan())


def test_digest_feels_the_smallest_change() -> None:
    assert digest(plan(100.0)) != digest(plan(math.nextafter(100.0, 200.0)))
    assert digest(1) != digest(1.0)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_canonical_form(number: float) -> None:
    with pytest.raises(ValueError, match="canonical"):
        canonical_json({"kw": number})


def test_what_is_no_value_has_no_canonical_form() -> None:
    with pytest.raises(TypeError, match="canonical"):
        canonical_json(object())


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_exactly(number: float) -> None:
    assert float(canonical_json(number)) == number


# Permit (SG-05)


def test_sg05_a_permit_cannot_be_written_down() -> None:
    with pytest.raises(PermissionError, match="minted"):
        Permit(object(), command=command(), order="O", expires_mono_s=10.0)


def test_sg05_a_permit_works_once_and_not_for_long() -> None:
    once = mint(command=command(), order="O", expires_mono_s=10.0)
    assert once.use(9.0) is None
    assert once.use(9.0) == "permit already used"
    late = mint(command=command(), order="O", expires_mono_s=10.0).use(12.0)
    assert late == "permit expired 2.0 s ago"


# Budgets (SG-05)


def test_sg05_the_window_slides_and_a_clock_set_back_frees_nothing() -> None:
    moves = [
        Move(at_s=100.0, point="X", area="A", kw=30.0),
        Move(at_s=200.0, point="Y", area="A", kw=20.0),
        Move(at_s=200.0, point="Z", area="B", kw=99.0),
    ]
    assert spent_kw(moves, area="A", now_s=210.0, window_s=300.0) == 50.0
    assert spent_kw(moves, area="A", now_s=450.0, window_s=300.0) == 20.0
    assert spent_kw(moves, area="A", now_s=50.0, window_s=300.0) == 50.0
    assert count(moves, point="X", now_s=210.0, window_s=300.0) == 1
    assert last_s(moves, point="Y") == 200.0
    assert last_s(moves, point="W") is None


def test_sg05_what_moves_is_what_counts() -> None:
    assert moved_kw(command(effect_kw=0.0), present_kw=0.0, renews=False) == 40.0
    assert moved_kw(command(effect_kw=60.0), present_kw=0.0, renews=False) == 60.0
    assert moved_kw(command(effect_kw=40.0), present_kw=40.2, renews=True) == 0.0
    assert moved_kw(command(effect_kw=40.0), present_kw=10.0, renews=True) == 40.0
