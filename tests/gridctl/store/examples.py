"""Small, whole examples of what the store keeps."""

from __future__ import annotations

from dataclasses import replace

from gridctl.model.alarm import Alarm, AlarmState
from gridctl.model.approval import Approval
from gridctl.model.command import Command
from gridctl.model.measurement import Flag, Measurement, Origin, Quality, TimeQuality, Validity
from gridctl.model.plan import Plan
from gridctl.model.planning import (
    Binding,
    CaseResult,
    Exclusion,
    Horizon,
    NodeVoltage,
    PlanningResult,
    Setpoint,
    Shortfall,
    SolveStatus,
    Verification,
)
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.model.record import AuditEntry

T0 = 1_786_000_000.123456

CASE = CaseResult(
    converged=True,
    worst_voltage_pu=0.9471,
    worst_voltage_at="114.A",
    highest_voltage_pu=1.043,
    highest_voltage_at="150.B",
    worst_loading_pct=97.25,
    worst_loading_at="149-1",
    violations=3,
    losses_kw=95.1,
    head_kw=(3290.0, 3301.5),
)
RESULT = PlanningResult(
    status=SolveStatus.OPTIMAL,
    reason="",
    horizon=Horizon(start_s=T0, step_s=900.0, count=2),
    setpoints=(
        Setpoint(resource="LG01", interval=0, kw=40.0, effect_kw=41.3),
        # an int in a float's place must come back as the int, or the digest moves
        Setpoint(resource="BESS01", interval=1, kw=125, effect_kw=0.1 + 0.2),
    ),
    head_before_kw=(3290.0, 3301.5),
    head_after_kw=(3190.0, 3198.25),
    cost=12.5,
    verification=Verification(
        engine="zbus",
        before=CASE,
        after=replace(CASE, violations=0),
        linear_error_pu=1.5e-4,
        voltages=(NodeVoltage(node="114", phase="A", before_pu=0.9471, after_pu=0.9532),),
        ok=True,
        reasons=(),
    ),
    excluded=(Exclusion(resource="PV07", reason="no answer – for 40 s"),),
    bindings=(Binding(limit="head", where="150", interval=0, price=0.12, unit="1/kWh"),),
    shortfalls=(Shortfall(limit="head", where="150", interval=1, amount=2.5, unit="kW"),),
    solver="HiGHS",
    rounds=2,
    solve_s=0.31,
)


def plan(mrid: str = "P1", **changes: object) -> Plan:
    """A plan with every part filled."""
    base = Plan(
        mrid=mrid,
        version=1,
        feeder="IEEE123",
        created_s=T0,
        proposed_by="optimizer",
        snapshot_revision=17,
        snapshot_digest="a" * 64,
        model_digest="b" * 64,
        limits_digest="c" * 64,
        input_digest="d" * 64,
        requests=("R1",),
        customers=42,
        net_kw=103.25,
        result=RESULT,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def approval(of: Plan, by: str, session: str) -> Approval:
    """`by` says yes to `of`."""
    return Approval(
        plan=of.mrid, digest=of.digest(), by=by, session=session, at_s=T0 + 5, at_mono_s=105.5
    )


def command(mrid: str = "C1", plan_mrid: str = "P1") -> Command:
    """A command to a load group."""
    return Command(
        mrid=mrid,
        plan=plan_mrid,
        resource="LG01",
        point="LG01.SP",
        value=40.0,
        expect_point="LG01.FB",
        tolerance=0.5,
        lease_until_s=T0 + 900,
        default_value=0.0,
        effect_kw=41.3,
        batch=0,
    )


def entry(action: str = "approve", **changes: str) -> AuditEntry:
    """An audit entry."""
    base = AuditEntry(
        at_s=T0,
        who="op1",
        session="s1",
        source="127.0.0.1",
        role="OPERATOR",
        action=action,
        object="plan P1",
        before="proposed",
        after="partial",
        reason="evening peak – “hot day” ½",
        plan_digest="e" * 64,
        result="ok",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def request(mrid: str = "R1", **changes: object) -> DispatchRequest:
    """A request for 400 kW."""
    base = DispatchRequest(
        mrid=mrid,
        event_id=f"event-{mrid}",
        name="peak",
        source="bl_client",
        start_s=T0 + 3600,
        end_s=T0 + 10800,
        target_kw=400.0,
        priority=1,
        received_s=T0,
        state=RequestState.RECEIVED,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def alarm(key: str = "LINK.SUB", **changes: object) -> Alarm:
    """An alarm that nobody has seen yet."""
    base = Alarm(
        key=key,
        priority=2,
        text="link SUB is down",
        response="look at the modem",
        raised_s=T0,
        cleared_s=None,
        acked_by=None,
        state=AlarmState.UNACKED,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def measurement(
    point: str = "FDR.TotW", at_s: float = T0, value: float = 3123.4, **quality: object
) -> Measurement:
    """A reading, good unless said otherwise."""
    base = Quality(validity=Validity.GOOD, native="0x01")
    return Measurement(
        point=point,
        value=value,
        quality=replace(base, **quality),  # type: ignore[arg-type]
        source_time_s=at_s,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=at_s + 0.218,
    )


ODD_QUALITIES = (
    Quality(validity=Validity.GOOD),
    Quality(
        validity=Validity.QUESTIONABLE,
        origin=Origin.SUBSTITUTED,
        flags=frozenset({Flag.STALE, Flag.COMM_LOST, Flag.INCONSISTENT}),
        native="BadCommunicationError",
    ),
    Quality(validity=Validity.INVALID, origin=Origin.ESTIMATED, flags=frozenset(Flag), native="½"),
)
