"""A site small enough to read at a glance, for tests of office and field together.

One feeder head, three load groups, a battery, a PV inverter; three links with a scripted driver
each that keeps the contract of `protocols/driver.py`; a planner that always sheds the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gridctl.control.office import Office
from gridctl.control.ports import Person
from gridctl.control.settings import DriftBounds, ModePolicy, OfficeSettings, PlanningSettings
from gridctl.field.agent import run_field
from gridctl.field.links import OpenDriver
from gridctl.field.settings import FieldSettings, WatchedLink
from gridctl.limitsfile import load_limits
from gridctl.link import OfficeLink, UnixEndpoint
from gridctl.link_client import MemoryLine
from gridctl.model.approval import ApprovalPolicy
from gridctl.model.clock import Clock
from gridctl.model.command import CommandState
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import GOOD, Measurement, Quality, TimeQuality
from gridctl.model.mode import Mode
from gridctl.model.network import (
    MODEL_VERSION,
    ConnectivityNode,
    Feeder,
    Source,
)
from gridctl.model.permit import Permit
from gridctl.model.plan import OnFailure
from gridctl.model.planning import (
    CaseResult,
    Exclusion,
    Forecast,
    ForecastTask,
    PlanningResult,
    PlanningTask,
    Setpoint,
    SolveStatus,
    Verification,
)
from gridctl.model.plausibility import PlausibilityBounds
from gridctl.model.resource import (
    Battery,
    LoadGroup,
    PvInverter,
    Resource,
    ResourcePoints,
    Terminal,
)
from gridctl.pki import load_private_ed25519, make_office_keys
from gridctl.store.engine import SqlStore, temporary_store
from gridctl.wallclock import grid_clock
from protocols.driver import (
    Driver,
    Execution,
    LinkSettings,
    PointAddress,
    Result,
    StageCallback,
)
from protocols.inbox import Inbox
from protocols.points import COLUMNS

ANCHOR_S = 1_780_000_020.0  # a multiple of STEP_S
STEP_S = 60.0
BASE_KW = 1_000.0
HEAD = "FDR.TotW"

ANNE = Person(user="anne", session="s-anne", source="127.0.0.1", role="OPERATOR")
BERT = Person(user="bert", session="s-bert", source="127.0.0.1", role="SUPERVISOR")
GUEST = Person(user="guest", session="s-guest", source="127.0.0.1", role="VIEWER")

LOAD_GROUPS = ("LG1", "LG2", "LG3")
SHED_KW = {"LG1": 50.0, "LG2": 40.0, "LG3": 60.0, "BAT1": 30.0}
SETPOINTS = {"LG1": "LG1.ShedSpt", "LG2": "LG2.ShedSpt", "LG3": "LG3.ShedSpt", "BAT1": "BAT1.WSpt"}

_ROWS = [
    "SUB.HB,Heartbeat,SUB,counter,count,,SUB,20:0,,,1,0,0,0.1,,,,",
    "FDR.TotW,Import,FDR,analog,kW,ABC,SUB,30:0,,,1,0,0,0.1,,,,",
    "FDR.TotVAr,Import,FDR,analog,kvar,ABC,SUB,30:1,,,1,0,0,0.1,,,,",
    "N1.VA,Voltage,N1,analog,pu,A,SUB,30:2,,,1,0,0,0.1,,,,",
    "DR.HB,Heartbeat,DR,counter,count,,DR,20:0,,,1,0,0,0.1,,,,",
    "DER.HB,Heartbeat,DER,counter,count,,DER,20:0,,,1,0,0,0.1,,,,",
    "BAT1.WSptFb,Setpoint,BAT1,analog,kW,ABC,DER,30:0,,,1,0,0,0.1,,,,",
    "BAT1.TotW,Power,BAT1,analog,kW,ABC,DER,30:1,,,1,0,0,0.1,,,,",
    "BAT1.SoC,Charge,BAT1,analog,%,,DER,30:2,,,1,0,0,0.1,,,,",
    "BAT1.Remote,Remote,BAT1,discrete,state,,DER,1:0,,,1,0,0,0.1,,,,",
    "BAT1.Flt,Fault,BAT1,discrete,state,,DER,1:1,,,1,0,0,0.1,,,,",
    "BAT1.WSpt,Setpoint,BAT1,setpoint,kW,ABC,DER,41:0,ao-float,,1,0,0,0.1,BAT1.WSptFb,0.5,-100,100",
    "PV1.WLimFb,Ceiling,PV1,analog,kW,ABC,DER,30:3,,,1,0,0,0.1,,,,",
    "PV1.TotW,Power,PV1,analog,kW,ABC,DER,30:4,,,1,0,0,0.1,,,,",
    "PV1.Avail,Sun,PV1,analog,kW,ABC,DER,30:5,,,1,0,0,0.1,,,,",
    "PV1.WLim,Ceiling,PV1,setpoint,kW,ABC,DER,41:1,ao-float,,1,0,0,0.1,PV1.WLimFb,0.5,0,80",
]
for _i, _g in enumerate(LOAD_GROUPS):
    _ROWS += [
        f"{_g}.ShedFb,Shed,{_g},analog,kW,ABC,DR,30:{10 * _i},,,1,0,0,0.1,,,,",
        f"{_g}.TotW,Power,{_g},analog,kW,ABC,DR,30:{10 * _i + 1},,,1,0,0,0.1,,,,",
        f"{_g}.Avail,Available,{_g},analog,kW,ABC,DR,30:{10 * _i + 2},,,1,0,0,0.1,,,,",
        f"{_g}.Remote,Remote,{_g},discrete,state,,DR,1:{10 * _i},,,1,0,0,0.1,,,,",
        f"{_g}.Flt,Fault,{_g},discrete,state,,DR,1:{10 * _i + 1},,,1,0,0,0.1,,,,",
        f"{_g}.ShedSpt,Shed,{_g},setpoint,kW,ABC,DR,41:{_i},ao-float,,1,0,0,0.1,{_g}.ShedFb,0.5,0,100",
    ]

LIMITS = """version = 1
inhibited = []
[[areas]]
area = "A1"
budget_kw = 500.0
window_s = 30.0
"""
_DEVICE = """
[[devices]]
point = "{point}"
area = "A1"
min_value = {low}
max_value = {high}
step_max = 200.0
interval_min_s = {interval}
per_hour_max = 60
lease_max_s = {lease}
default_value = {default}
"""


def limits_text(*, lease_s: float = 200.0, interval_s: float = 5.0) -> str:
    """The site's limits file."""
    text, device = LIMITS, _DEVICE.replace("{interval}", str(interval_s))
    for group in LOAD_GROUPS:
        text += device.format(
            point=f"{group}.ShedSpt", low=0.0, high=100.0, default=0.0, lease=lease_s
        )
    text += device.format(point="BAT1.WSpt", low=-100.0, high=100.0, default=0.0, lease=lease_s)
    return text + device.format(point="PV1.WLim", low=0.0, high=80.0, default=80.0, lease=lease_s)


def write_points(path: Path) -> None:
    """The site's points file."""
    path.write_text("\n".join([",".join(COLUMNS), *_ROWS]) + "\n", encoding="utf-8")


class ToyPlant:
    """All devices, and what was done to them. `head_kw` answers setpoints at once."""

    def __init__(self) -> None:
        self.base_kw = BASE_KW
        self.setpoints = {**{f"{g}.ShedSpt": 0.0 for g in LOAD_GROUPS}, "BAT1.WSpt": 0.0}
        self.setpoints["PV1.WLim"] = 80.0
        self.switches = {
            f"{d}.{s}": v
            for d in (*LOAD_GROUPS, "BAT1")
            for s, v in (("Remote", 1.0), ("Flt", 0.0))
        }
        self.operated: list[tuple[str, float]] = []
        self.beats = 0
        self.battery_share = 1.0
        """What the battery gives of the setpoint that it shows."""
        self.obeys = True
        """False: devices say yes and show the setpoint, but nothing happens at the head."""

    def values(self) -> dict[str, float]:
        """What every readable point shows now."""
        shed = {g: self.setpoints[f"{g}.ShedSpt"] for g in LOAD_GROUPS}
        battery = self.battery_share * self.setpoints["BAT1.WSpt"]
        moved = sum(shed.values()) + battery if self.obeys else 0.0
        shown = {
            HEAD: self.base_kw - moved,
            "FDR.TotVAr": 200.0,
            "N1.VA": 0.99,
            "BAT1.WSptFb": self.setpoints["BAT1.WSpt"],
            "BAT1.TotW": battery,
            "BAT1.SoC": 70.0,
            "PV1.WLimFb": self.setpoints["PV1.WLim"],
            "PV1.TotW": 40.0,
            "PV1.Avail": 40.0,
            **self.switches,
        }
        for group, kw in shed.items():
            shown |= {f"{group}.ShedFb": kw, f"{group}.TotW": 150.0 - kw, f"{group}.Avail": 100.0}
        return shown | dict.fromkeys(("SUB.HB", "DR.HB", "DER.HB"), float(self.beats))


class ScriptedDriver:
    """A driver after the contract; `script` says how the next commands end."""

    def __init__(
        self, link: str, points: Sequence[PointAddress], inbox: Inbox, clock: Clock, plant: ToyPlant
    ) -> None:
        self.plant = plant
        self.script: list[str] = []
        self.up = True
        self.silent = False
        self.delay_s = 0.0
        self.executed: list[str] = []
        self.reported = 0
        self._link = link
        self._points = [a.point for a in points if a.link == link]
        self._inbox = inbox
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    @property
    def link(self) -> str:
        return self._link

    async def start(self) -> None:
        self._task = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _poll(self) -> None:
        while True:
            if self.up and not self.silent:
                self.plant.beats += 1
                self._inbox.put([m for p in self._points if (m := self._read(p.mrid)) is not None])
                self.reported += 1
            await asyncio.sleep(0.1)

    def _read(self, mrid: str, quality: Quality = GOOD) -> Measurement | None:
        value = self.plant.values().get(mrid)
        if value is None:
            return None
        now_s = self._clock.now_s()
        return Measurement(
            point=mrid,
            value=value,
            quality=quality,
            source_time_s=now_s,
            time_quality=TimeQuality.SYNCHRONIZED,
            received_time_s=now_s,
        )

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        reason = permit.use(self._clock.monotonic_s())
        if reason is not None:
            return _end(Result.REJECTED, "PERMIT", reason)
        if not self.up:
            return _end(Result.REJECTED, "LINK_DOWN", "the link is down")
        command = permit.command
        self.executed.append(command.mrid)
        how = self.script.pop(0) if self.script else "ok"
        sent = f"→ OPERATE {command.value:g}"
        stage(CommandState.SELECTED)
        if how == "reject_select":
            said = "the device is switched to local"
            return _end(Result.REJECTED, "LOCAL", said, wire=("→ SELECT", "← LOCAL"))
        if how == "unknown_select":
            return _end(Result.UNKNOWN, "TIMEOUT", "no answer to SELECT", wire=("→ SELECT",))
        await asyncio.sleep(self.delay_s)
        if aborted():
            return _end(Result.ABORTED, "ABORTED", "stopped between select and operate")
        stage(CommandState.OPERATED)
        if how == "reject_operate":
            return _end(Result.REJECTED, "NO_SELECT", "select had timed out")
        if how != "unknown_lost":
            self.plant.operated.append((command.point, command.value))
            if how != "ignore":
                self.plant.setpoints[command.point] = command.value
        if how.startswith("unknown"):
            return _end(Result.UNKNOWN, "TIMEOUT", "no answer to OPERATE", wire=(sent,))
        return _end(Result.ACCEPTED, "SUCCESS", "", wire=(sent, "← SUCCESS"))

    async def read_back(self, point: str, *, timeout_s: float) -> Measurement | None:
        return self._read(point) if self.up else None

    def health(self) -> LinkHealth:
        return LinkHealth(
            link=self._link,
            protocol="script",
            endpoint="memory",
            state="up" if self.up else "down",
            since_s=self._clock.now_s(),
            points=len(self._points),
            reads=0,
            late_scans=0,
            commands=len(self.executed),
            reconnects=0,
            round_trip_s=0.0,
            detail="",
        )


def _end(result: Result, status: str, detail: str, *, wire: tuple[str, ...] = ()) -> Execution:
    return Execution(result=result, status=status, detail=detail, round_trip_s=0.0, evidence=wire)


class ToyPlanner:
    """Forecasts what is, and sheds the same two intervals long; `status` replaces the answer."""

    def __init__(self) -> None:
        self.status = SolveStatus.OPTIMAL
        self.shed_kw = dict(SHED_KW)
        self.asked = 0
        self.intervals = 2
        self.nobody = ""
        """Why nobody may be used, when that is so."""

    async def forecast(self, task: ForecastTask, *, deadline_s: float) -> Forecast:
        return Forecast(
            horizon=task.horizon,
            quantiles=task.quantiles,
            values_kw=tuple((BASE_KW,) * task.horizon.count for _ in task.quantiles),
            method="constant",
            history_days=0.0,
            nmae_pct=None,
        )

    async def plan(self, task: PlanningTask) -> PlanningResult:
        self.asked += 1
        excluded = {s.resource for s in task.states if s.excluded is not None}
        setpoints = [
            Setpoint(resource=name, interval=k, kw=kw, effect_kw=kw)
            for k in range(self.intervals)
            for name, kw in self.shed_kw.items()
            if name not in excluded
        ]
        total = sum(s.kw for s in setpoints if s.interval == 0)
        before = (BASE_KW,) * task.horizon.count
        after = tuple(
            BASE_KW - (total if k < self.intervals else 0.0) for k in range(task.horizon.count)
        )
        solved = self.status in (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE)
        return PlanningResult(
            status=self.status,
            reason="" if solved else f"the toy says {self.status}",
            horizon=task.horizon,
            setpoints=tuple(setpoints) if solved else (),
            head_before_kw=before,
            head_after_kw=after,
            cost=1.0,
            verification=_checked(before, after),
            excluded=tuple(
                Exclusion(resource=s.resource, reason=self.nobody)
                for s in task.states
                if self.nobody
            ),
            bindings=(),
            shortfalls=(),
            solver="toy",
            rounds=1,
            solve_s=0.0,
        )


def _checked(before: tuple[float, ...], after: tuple[float, ...]) -> Verification:
    case = CaseResult(
        converged=True,
        worst_voltage_pu=0.98,
        worst_voltage_at="N1.A",
        highest_voltage_pu=1.0,
        highest_voltage_at="N1.A",
        worst_loading_pct=50.0,
        worst_loading_at="L1",
        violations=0,
        losses_kw=10.0,
        head_kw=before,
    )
    return Verification(
        engine="toy",
        before=case,
        after=replace(case, head_kw=after),
        linear_error_pu=0.0,
        voltages=(),
        ok=True,
        reasons=(),
    )


def feeder() -> Feeder:
    """Two nodes and a source."""
    return Feeder(
        mrid="TOY",
        name="toy",
        version=MODEL_VERSION,
        frequency_hz=60.0,
        source=Source(
            node="N0",
            nominal_kv=4.16,
            voltage_pu=1.0,
            r1_ohm=0.0,
            x1_ohm=0.1,
            r0_ohm=0.0,
            x0_ohm=0.1,
        ),
        nodes=(
            ConnectivityNode(mrid="N0", nominal_kv=4.16, phases="ABC"),
            ConnectivityNode(mrid="N1", nominal_kv=4.16, phases="ABC"),
        ),
        lines=(),
        switches=(),
        transformers=(),
        regulators=(),
        capacitors=(),
        consumers=(),
    )


def resources() -> tuple[Resource, ...]:
    """Three load groups, a battery, a PV inverter."""
    at = (Terminal(node="N1", phase="A", share=1.0),)
    groups = tuple(
        LoadGroup(
            mrid=g,
            name=g,
            area="A1",
            terminals=at,
            points=ResourcePoints(
                setpoint=f"{g}.ShedSpt",
                feedback=f"{g}.ShedFb",
                power=f"{g}.TotW",
                available=f"{g}.Avail",
                remote=f"{g}.Remote",
                fault=f"{g}.Flt",
            ),
            rating_kw=100.0,
            power_factor=0.95,
            customers=20,
            cost_per_kwh=0.5,
            priority=1,
            duration_min_s=0.0,
            duration_max_s=7200.0,
            recovery_s=0.0,
            starts_per_day_max=10,
            rebound=(),
        )
        for g in LOAD_GROUPS
    )
    battery = Battery(
        mrid="BAT1",
        name="BAT1",
        area="A1",
        terminals=at,
        points=ResourcePoints(
            setpoint="BAT1.WSpt",
            feedback="BAT1.WSptFb",
            power="BAT1.TotW",
            soc="BAT1.SoC",
            remote="BAT1.Remote",
            fault="BAT1.Flt",
        ),
        rating_kw=100.0,
        energy_kwh=400.0,
        soc_min_pct=10.0,
        soc_max_pct=90.0,
        efficiency=0.95,
        cost_per_kwh=0.1,
    )
    pv = PvInverter(
        mrid="PV1",
        name="PV1",
        area="A1",
        terminals=at,
        points=ResourcePoints(
            setpoint="PV1.WLim", feedback="PV1.WLimFb", power="PV1.TotW", available="PV1.Avail"
        ),
        rating_kw=80.0,
        rating_kva=80.0,
        cost_per_kwh=0.01,
    )
    return (*groups, battery, pv)


def fast_clock(rate: float) -> Clock:
    """Grid time from ANCHOR_S on, `rate` times as fast as the wall."""
    return grid_clock(anchor_real_s=time.time(), anchor_grid_s=ANCHOR_S, rate=rate)


@dataclass(slots=True)
class Site:
    """Office and field of one running site, and all that a test wants to touch."""

    folder: Path
    clock: Clock
    store: SqlStore
    plant: ToyPlant
    planner: ToyPlanner
    link: OfficeLink
    line: MemoryLine
    settings: OfficeSettings
    field_settings: FieldSettings
    drivers: dict[str, ScriptedDriver] = field(default_factory=dict)
    office: Office | None = None
    hangup: asyncio.Event = field(default_factory=asyncio.Event)
    """What SIGHUP sets in the field agent's process."""
    parent: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: the parent of the field agent's process is gone."""
    _running: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = field(default_factory=dict)

    @property
    def desk_office(self) -> Office:
        """The running office."""
        if self.office is None:
            raise RuntimeError("the office is not running")
        return self.office

    def open_driver(
        self, settings: LinkSettings, points: Sequence[PointAddress], inbox: Inbox, clock: Clock
    ) -> Driver:
        """The registry of this site; a restarted field finds its old scripts gone."""
        driver = ScriptedDriver(settings.id, points, inbox, clock, self.plant)
        self.drivers[settings.id] = driver
        return driver

    def start_field(self, open_driver: OpenDriver | None = None) -> None:
        """Start the field agent, with other drivers than the scripted ones if they are given."""
        stop = asyncio.Event()
        task = asyncio.create_task(
            run_field(
                self.field_settings,
                clock=self.clock,
                stop=stop,
                open_driver=self.open_driver if open_driver is None else open_driver,
                hangup=self.hangup,
                parent_gone=self._parent_gone,
                line=self.line.dial,
            )
        )
        self._running["field"] = (task, stop)

    async def _parent_gone(self) -> None:
        await self.parent.wait()

    async def ended(self, part: str, *, within_s: float) -> None:
        """Wait until "field" or "office" has ended by itself."""
        task, _ = self._running.pop(part)
        await asyncio.wait_for(task, within_s)

    def start_office(self) -> Office:
        """Start the office."""
        self.office = Office(
            settings=self.settings,
            store=self.store,
            planner=self.planner,
            link=self.link,
            clock=self.clock,
        )
        stop = asyncio.Event()
        self._running["office"] = (asyncio.create_task(self.office.run(stop)), stop)
        return self.office

    async def end(self, part: str) -> None:
        """Stop "field" or "office" the orderly way."""
        task, stop = self._running.pop(part)
        stop.set()
        await asyncio.wait_for(task, 10)

    async def kill(self, part: str) -> None:
        """Let "field" or "office" die in the middle of whatever it does."""
        task, _ = self._running.pop(part)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.line.cut()

    async def close(self) -> None:
        """Stop what runs."""
        for part in list(self._running):
            await self.end(part)


@asynccontextmanager
async def site(
    folder: Path,
    *,
    rate: float = 10.0,
    lease_s: float = 200.0,
    interval_s: float = 5.0,
    two_person_kw: float = 100.0,
    plan_life_s: float = 60.0,
    cycle_s: float = 3600.0,
    retry_s: float | None = None,
    limits: str = "",
) -> AsyncIterator[Site]:
    """A site whose parts are not started yet. `cycle_s` long: tests call for plans themselves.
    `limits`: another limits file than the site's own."""
    write_points(folder / "points.csv")
    text = limits or limits_text(lease_s=lease_s, interval_s=interval_s)
    (folder / "limits.toml").write_text(text, encoding="utf-8")
    make_office_keys(private=folder / "office.key", public=folder / "office.pub")
    clock = fast_clock(rate)
    link = OfficeLink(
        endpoint=UnixEndpoint(path=folder / "link.sock"),
        key=load_private_ed25519(folder / "office.key"),
    )
    async with temporary_store(clock) as store:
        made = Site(
            folder=folder,
            clock=clock,
            store=store,
            plant=ToyPlant(),
            planner=ToyPlanner(),
            link=link,
            line=MemoryLine(link),
            settings=_office_settings(folder, two_person_kw, plan_life_s, cycle_s, retry_s),
            field_settings=_field_settings(folder),
        )
        try:
            yield made
        finally:
            await made.close()
            await link.close()


def _office_settings(
    folder: Path,
    two_person_kw: float,
    plan_life_s: float,
    cycle_s: float,
    retry_s: float | None,
) -> OfficeSettings:
    return OfficeSettings(
        feeder=feeder(),
        resources=resources(),
        limits=load_limits(folder / "limits.toml"),
        head_point=HEAD,
        head_limit_kw=900.0,
        temperature_point=None,
        utc_offset_s=0.0,
        voltage_min_pu=0.95,
        voltage_max_pu=1.05,
        loading_max_pct=100.0,
        planning=PlanningSettings(
            step_s=STEP_S,
            count=4,
            quantile=0.9,
            deadline_s=5.0,
            cycle_s=cycle_s,
            retry_s=cycle_s if retry_s is None else retry_s,
        ),
        approval=ApprovalPolicy(
            two_person_kw=two_person_kw,
            two_person_customers=1000,
            plan_life_s=plan_life_s,
            approval_life_s=plan_life_s,
        ),
        on_failure=OnFailure.HOLD,
        modes=ModePolicy(
            first=Mode.ADVISORY,
            shadow_plans_min=2,
            forecast_error_max_pct=10.0,
            advisory_plans_min=1,
        ),
        drift=DriftBounds(head_pct=5.0, head_kw=100.0, voltage_pu=0.01),
        batch_settle_s=1.0,
        effect_settle_s=5.0,
        effect_watch_s=15.0,
        confirm_timeout_s=1.5,
        sample_interval_s=10.0,
        clock_offset_max_s=1.0,
        history_days=1.0,
        stop_file=folder / "STOP",
        plausibility=PlausibilityBounds(),
    )


def _field_settings(folder: Path) -> FieldSettings:
    return FieldSettings(
        agent="toy",
        points=folder / "points.csv",
        limits=folder / "limits.toml",
        links=tuple(
            WatchedLink(
                settings=LinkSettings(id=name, protocol="script", file="toy", options={}),
                heartbeat=f"{name}.HB",
            )
            for name in ("SUB", "DR", "DER")
        ),
        socket=folder / "link.sock",
        office_public_key=folder / "office.pub",
        stop_file=folder / "STOP",
        spool=folder / "field-state.json",
        confirm_timeout_s=1.5,
    )


async def until(what: Callable[[], object], *, within_s: float, why: str) -> None:
    """Wait until `what()` is true; AssertionError with `why` when it is not in time."""
    end_s = time.monotonic() + within_s
    while not what():
        if time.monotonic() > end_s:
            raise AssertionError(f"not within {within_s:g} s: {why}")
        await asyncio.sleep(0.05)
