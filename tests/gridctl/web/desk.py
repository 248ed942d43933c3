"""A desk that remembers what it was asked, for tests of the console's server side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gridctl.control.ports import (
    EffectView,
    Person,
    Picture,
    PlanView,
    ResourceView,
    TagView,
)
from gridctl.model.alarm import Alarm, AlarmState
from gridctl.model.errors import Refusal, RefusedError, UnavailableError
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import (
    GOOD,
    Measurement,
    Point,
    PointKind,
    Snapshot,
    TimeQuality,
)
from gridctl.model.network import ConnectivityNode, Feeder, Source, Switch
from gridctl.model.plan import Plan, PlanState
from gridctl.model.planning import (
    Binding,
    CaseResult,
    Exclusion,
    Forecast,
    Horizon,
    NodeVoltage,
    PlanningResult,
    PlanningTask,
    Setpoint,
    Shortfall,
    SolveStatus,
    Verification,
)
from gridctl.model.program import DispatchRequest
from gridctl.model.quantity import Phase, Unit
from gridctl.model.record import StoredPlan
from gridctl.model.resource import Battery, ResourcePoints, Terminal
from gridctl.model.tag import Tag, TagKind

NOW_S = 1_784_000_000.0
HORIZON = Horizon(start_s=NOW_S, step_s=900.0, count=2)

FEEDER = Feeder(
    mrid="F1",
    name="Two nodes",
    version=1,
    frequency_hz=60.0,
    source=Source(
        node="A", nominal_kv=4.16, voltage_pu=1.0, r1_ohm=0, x1_ohm=0.1, r0_ohm=0, x0_ohm=0.1
    ),
    nodes=(
        ConnectivityNode(mrid="A", nominal_kv=4.16, phases="ABC"),
        ConnectivityNode(mrid="B", nominal_kv=4.16, phases="AC", x=1.0, y=2.0),
    ),
    lines=(),
    switches=(Switch(mrid="S", from_node="A", to_node="B", phases="AC", is_open=False),),
    transformers=(),
    regulators=(),
    capacitors=(),
    consumers=(),
)
BATTERY = Battery(
    mrid="BESS1",
    name="Battery 1",
    area="north",
    terminals=(Terminal(node="B", phase="A", share=1.0),),
    points=ResourcePoints(setpoint="BESS1.Spt", feedback="BESS1.Fbk", power="BESS1.W"),
    rating_kw=100.0,
    energy_kwh=200.0,
    soc_min_pct=10.0,
    soc_max_pct=90.0,
    efficiency=0.95,
    cost_per_kwh=0.05,
)


TAG = TagView(
    tag=Tag(
        id="T-1",
        kind=TagKind.CAUTION,
        device=BATTERY.mrid,
        point=BATTERY.points.setpoint,
        by="anne",
        at_s=NOW_S,
        reason="its meter is being exchanged",
        work_order="",
        until_s=None,
    ),
    in_field=None,
)


def _point(mrid: str, unit: Unit, equipment: str, phase: Phase = Phase.ABC) -> Point:
    return Point(
        mrid=mrid,
        name=mrid,
        equipment=equipment,
        kind=PointKind.ANALOG,
        unit=unit,
        phase=phase,
        scan_s=1.0,
        link="DER",
    )


def _measured(point: str, value: float) -> Measurement:
    return Measurement(
        point=point,
        value=value,
        quality=GOOD,
        source_time_s=NOW_S - 1,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=NOW_S - 1,
    )


def _case(worst_pu: float) -> CaseResult:
    return CaseResult(
        converged=True,
        worst_voltage_pu=worst_pu,
        worst_voltage_at="B.A",
        highest_voltage_pu=1.04,
        highest_voltage_at="A.B",
        worst_loading_pct=88.0,
        worst_loading_at="S",
        violations=0,
        losses_kw=12.0,
        head_kw=(3000.0, 3010.0),
    )


PLAN = Plan(
    mrid="P-1",
    version=1,
    feeder="F1",
    created_s=NOW_S,
    proposed_by="gridctl",
    snapshot_revision=7,
    snapshot_digest="s",
    model_digest="m",
    limits_digest="l",
    input_digest="i",
    requests=("R-1",),
    customers=0,
    net_kw=60.0,
    result=PlanningResult(
        status=SolveStatus.OPTIMAL,
        reason="",
        horizon=HORIZON,
        setpoints=(
            Setpoint(resource="BESS1", interval=0, kw=60.0, effect_kw=61.0),
            Setpoint(resource="BESS1", interval=1, kw=40.0, effect_kw=41.0),
        ),
        head_before_kw=(3060.0, 3050.0),
        head_after_kw=(3000.0, 3010.0),
        cost=12.5,
        verification=Verification(
            engine="test",
            before=_case(0.948),
            after=_case(0.955),
            linear_error_pu=1e-4,
            voltages=(NodeVoltage(node="B", phase="A", before_pu=0.948, after_pu=0.955),),
            ok=True,
            reasons=(),
        ),
        excluded=(Exclusion(resource="BESS1", reason="for the test's sake"),),
        bindings=(Binding(limit="import", where="A", interval=0, price=0.2, unit="EUR/kWh"),),
        shortfalls=(Shortfall(limit="import", where="A", interval=1, amount=3.0, unit="kW"),),
        solver="HiGHS",
        rounds=2,
        solve_s=0.4,
    ),
)


def picture() -> Picture:
    """A feeder with one battery, everything known."""
    points = {
        p.mrid: p
        for p in (
            _point("HEAD", Unit.KW, "A"),
            _point("V.B.A", Unit.VOLT_PU, "B", Phase.A),
            _point("BESS1.Spt", Unit.KW, "BESS1"),
        )
    }
    values = {m.point: m for m in (_measured("HEAD", 3060.0), _measured("V.B.A", 0.955))}
    return Picture(
        at_s=NOW_S,
        mode="advisory",
        stopped=False,
        field_connected=True,
        snapshot=Snapshot(revision=7, at_s=NOW_S, values=values),
        points=points,
        head_point="HEAD",
        head_limit_kw=3000.0,
        links=(
            LinkHealth(
                link="DER",
                protocol="opcua",
                endpoint="127.0.0.1:4841",
                state="up",
                since_s=NOW_S,
                points=3,
                reads=10,
                late_scans=0,
                commands=0,
                reconnects=0,
                round_trip_s=0.002,
                detail="",
            ),
        ),
        resources=(
            ResourceView(
                resource=BATTERY,
                intended_kw=None,
                confirmed_kw=0.0,
                power_kw=0.0,
                available_kw=100.0,
                soc_pct=50.0,
                lease_until_s=NOW_S + 100,
                excluded=None,
                quality=GOOD,
                age_s=1.0,
            ),
        ),
        forecast=Forecast(
            horizon=HORIZON,
            quantiles=(0.1, 0.5, 0.9),
            values_kw=((1.0, 2.0), (2.0, 3.0), (3.0, 4.0)),
            method="similar day",
            history_days=30.0,
            nmae_pct=3.0,
        ),
        alarms=(
            Alarm(
                key="k",
                priority=1,
                text="Head above its limit",
                response="Approve the plan",
                raised_s=NOW_S,
                cleared_s=None,
                acked_by=None,
                state=AlarmState.UNACKED,
            ),
        ),
        cycle=None,
        effect=EffectView(
            plan="P-1",
            expected_kw=60.0,
            band_kw=(42.0, 78.0),
            measured_kw=None,
            settled=False,
            kept=None,
        ),
        blocked=(),
        tags=(TAG,),
    )


@dataclass
class RecordingDesk:
    """Fulfils `Desk`; approves only the digest of PLAN. `is_emergency`: limits are broken without
    the plan, and it needs two."""

    acts: list[tuple[str, str, str]] = field(default_factory=list)
    shelved: list[tuple[str, float, str]] = field(default_factory=list)
    tags: Callable[[], tuple[TagView, ...]] = lambda: (TAG,)
    is_emergency: bool = False

    async def planning_task(self) -> PlanningTask:
        raise UnavailableError("no question")

    def _view(self) -> PlanView:
        plan = PLAN
        check = plan.result.verification
        if self.is_emergency and check is not None:
            broken = replace(check, before=replace(check.before, violations=3))
            plan = replace(plan, result=replace(plan.result, verification=broken))
        stored = StoredPlan(
            plan=plan,
            digest=plan.digest(),
            state=PlanState.PROPOSED,
            state_at_s=NOW_S,
            reason="",
            approvals=(),
        )
        return PlanView(
            stored=stored,
            approvals_needed=2 if self.is_emergency else 1,
            expires_in_s=200.0,
            blocked=(),
        )

    def picture(self) -> Picture:
        return replace(picture(), tags=self.tags())

    async def plans(self, *, limit: int = 50) -> Sequence[PlanView]:
        return [self._view()][:limit]

    async def plan(self, mrid: str) -> PlanView | None:
        return self._view() if mrid == PLAN.mrid else None

    async def approve(
        self, mrid: str, *, shown_digest: str, person: Person, cautions: Sequence[str] = ()
    ) -> PlanView:
        if shown_digest != PLAN.digest():
            raise RefusedError(Refusal(code="plan_changed", reasons=("read it again",)))
        self.acts.append(("approve", mrid, person.user))
        return self._view()

    async def reject(
        self, mrid: str, *, shown_digest: str, reason: str, person: Person
    ) -> PlanView:
        self.acts.append(("reject", reason, person.user))
        return self._view()

    async def break_glass(
        self,
        mrid: str,
        *,
        shown_digest: str,
        reason: str,
        person: Person,
        cautions: Sequence[str] = (),
    ) -> PlanView:
        self.acts.append(("break_glass", reason, person.user))
        return self._view()

    async def stop(self, *, reason: str, person: Person) -> float:
        self.acts.append(("stop", reason, person.user))
        return 0.1

    async def resume(self, *, reason: str, person: Person) -> None:
        self.acts.append(("resume", reason, person.user))

    async def return_to_default(self, *, reason: str, person: Person) -> None:
        self.acts.append(("default", reason, person.user))

    async def acknowledge(self, key: str, *, person: Person) -> None:
        self.acts.append(("ack", key, person.user))

    async def shelve(self, key: str, *, for_s: float, reason: str, person: Person) -> None:
        self.acts.append(("shelve", key, person.user))
        self.shelved.append((key, for_s, reason))

    async def unshelve(self, key: str, *, person: Person) -> None:
        self.acts.append(("unshelve", key, person.user))

    async def local_sign_in(self, user: str, *, source: str) -> None:
        self.acts.append(("local sign-in", "", user))

    async def submit_request(self, request: DispatchRequest, *, person: Person) -> None:
        self.acts.append(("request", request.mrid, person.user))

    async def cancel_request(self, event_id: str, *, person: Person) -> None:
        self.acts.append(("cancel", event_id, person.user))

    async def propose_now(self, *, person: Person) -> str:
        self.acts.append(("propose", "", person.user))
        return PLAN.mrid
