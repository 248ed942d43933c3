"""The port to the memory: what is read and written, and the unit of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gridctl.model.alarm import Alarm, Shelf
from gridctl.model.approval import Approval
from gridctl.model.command import Command, CommandState
from gridctl.model.duty import AlarmEvent, DutyKind, DutyRecord, Handover, ManualStep
from gridctl.model.enrolment import Terms
from gridctl.model.forecasting import WeatherSaid
from gridctl.model.inputs import InputPart
from gridctl.model.link import Event
from gridctl.model.measurement import Measurement
from gridctl.model.mode import AreaMode, ShadowScore
from gridctl.model.plan import Plan, PlanState
from gridctl.model.planning import Forecast, Series
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.model.record import (
    AuditEntry,
    AuditRow,
    ChainCheck,
    CommandRow,
    EventRow,
    EvidenceRow,
    KeptRun,
    PlanStep,
    StoredPlan,
    UseRow,
)
from gridctl.model.tag import Tag


class ModeRecords(Protocol):
    """Reads about modes and shadow plans."""

    async def all(self) -> Sequence[AreaMode]: ...

    async def scores(self, *, limit: int) -> Sequence[ShadowScore]:
        """The newest first."""
        ...

    async def unscored(self, *, limit: int) -> Sequence[str]:
        """Shadow plans without a score, the newest first."""
        ...


class DutyRecords(Protocol):
    """Reads about shifts, and the journal of alarms."""

    async def get(self, number: int) -> DutyRecord | None: ...

    async def listed(self, kind: DutyKind, *, limit: int) -> Sequence[DutyRecord]:
        """The newest first."""
        ...

    async def alarm_events(self, *, start_s: float, end_s: float) -> Sequence[AlarmEvent]:
        """Oldest first."""
        ...

    async def shelves(self) -> Sequence[Shelf]:
        """Alarms that were put aside, those whose time is over too."""
        ...


class TagRecords(Protocol):
    """Reads about tags."""

    async def all(self) -> Sequence[Tag]:
        """The oldest first."""
        ...


class PlatformRecords(Protocol):
    """What planning reads of who takes part."""

    async def terms(self) -> Sequence[Terms]:
        """Every limit of an enrolment or opt-out."""
        ...

    async def uses(self, *, since_s: float) -> Sequence[UseRow]:
        """When devices were commanded and let go, oldest first."""
        ...


class ForecastRecords(Protocol):
    """Forecasts that were made, and what the weather service said."""

    async def keep(self, forecast: Forecast, *, drop_before_s: float) -> None:
        """Insert or replace by the start of the horizon; older ones than `drop_before_s` go."""
        ...

    async def made(self, *, start_s: float, end_s: float) -> Sequence[Forecast]:
        """Those whose horizon starts in [start_s, end_s), oldest first."""
        ...

    async def keep_weather(self, said: Sequence[WeatherSaid], *, drop_before_s: float) -> None:
        """A vintage that is there already is not changed."""
        ...

    async def weather(self, *, start_s: float, end_s: float) -> Sequence[WeatherSaid]:
        """What was issued in [start_s, end_s), oldest first."""
        ...


class SettlementRecords(Protocol):
    """Settlement runs: added, never changed."""

    async def add(self, run: KeptRun, *, audit: AuditEntry) -> KeptRun:
        """As the next version of its event; one of the same id is given back as it was."""
        ...

    async def one(self, id_: str) -> KeptRun | None: ...

    async def listed(self) -> Sequence[KeptRun]:
        """The newest first."""
        ...


class Dossiers(Protocol):
    """Reads about one plan, for evidence and for scores."""

    async def body(self, plan: str) -> bytes | None: ...

    async def inputs(self, plan: str) -> Mapping[str, bytes]: ...

    async def steps(self, plan: str) -> Sequence[PlanStep]: ...

    async def of_requests(self, requests: Sequence[str]) -> Sequence[str]: ...

    async def audit(self, objects: Sequence[str], digests: Sequence[str]) -> Sequence[AuditRow]: ...


class Transaction(Protocol):
    """One unit of work: all of it is committed, or none."""

    async def audit(self, entry: AuditEntry) -> AuditRow: ...

    async def add_plan(self, plan: Plan, state: PlanState, at_s: float) -> None: ...

    async def keep_inputs(self, plan: str, parts: Sequence[InputPart]) -> None:
        """What `plan` was computed from, so that it can be computed again."""
        ...

    async def move_plan(
        self, mrid: str, *, expected: PlanState, to: PlanState, at_s: float, reason: str
    ) -> bool:
        """Compare-and-set of a plan's state; False when it was not in `expected`.
        Raises InvariantViolation for a transition that PLAN_TRANSITIONS does not have."""
        ...

    async def add_approval(self, approval: Approval) -> None: ...

    async def add_command(self, command: Command, *, state: CommandState, at_s: float) -> None: ...

    async def order_commands(self, commands: Sequence[Command], *, order: str, at_s: float) -> None:
        """New commands whose first states are APPROVED and, by `order`, ORDERED."""
        ...

    async def move_command(
        self,
        mrid: str,
        *,
        to: CommandState,
        at_s: float,
        order: str = "",
        status: str = "",
        detail: str = "",
    ) -> bool:
        """Append a state to the journal. False (nothing written) when TRANSITIONS forbids it;
        the caller decides whether that is a late echo or a bug."""
        ...

    async def add_evidence(self, row: EvidenceRow) -> bool:
        """What passed the wire for a command, once for each of its states. False (nothing written)
        when it is there already, or the command is not."""
        ...

    async def set_measured(self, mrid: str, measured_kw: float) -> None: ...

    async def put_request(self, request: DispatchRequest) -> None:
        """Insert or replace by mrid."""
        ...

    async def move_request(self, mrid: str, to: RequestState) -> None: ...

    async def put_alarm(self, alarm: Alarm, *, at_s: float) -> None:
        """Insert or replace by key; what has happened to it goes into its journal."""
        ...

    async def put_shelf(self, shelf: Shelf) -> None: ...

    async def remove_shelf(self, key: str) -> None: ...

    async def put_mode(self, mode: AreaMode) -> None: ...

    async def add_duty(self, body: Handover | ManualStep) -> int:
        """A new duty record; its number."""
        ...

    async def put_duty(self, record: DutyRecord) -> None: ...

    async def add_score(self, score: ShadowScore) -> None: ...

    async def put_tag(self, tag: Tag) -> None:
        """Insert or replace by its name."""
        ...

    async def remove_tag(self, id_: str) -> None: ...

    async def next_sequence(self) -> tuple[int, int]:
        """(epoch, sequence) for the next order; strictly increasing, survives a restart."""
        ...

    async def set_flag(self, key: str, value: str) -> None:
        """A small durable fact (mode, stopped)."""
        ...


class Sessions(Protocol):
    """Who is at the desk."""

    async def on_duty(self, *, within_s: float) -> Sequence[str]:
        """Areas ("*" or names joined by commas) of each who may approve and has done something in a
        live session within `within_s` real seconds."""
        ...


class Store(Protocol):
    """The memory. Reads need no transaction; writes go through one, with their audit row."""

    @property
    def modes(self) -> ModeRecords: ...

    @property
    def duties(self) -> DutyRecords: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def tags(self) -> TagRecords: ...

    @property
    def dossiers(self) -> Dossiers: ...

    @property
    def platform(self) -> PlatformRecords: ...

    @property
    def forecasts(self) -> ForecastRecords: ...

    @property
    def settlements(self) -> SettlementRecords: ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]: ...

    async def add_samples(self, measurements: Sequence[Measurement]) -> None:
        """Append to the history; replays of the same (point, time) are ignored."""
        ...

    async def samples(
        self, point: str, *, start_s: float, end_s: float, count_max: int
    ) -> Sequence[Measurement]: ...

    async def series(self, point: str, *, start_s: float, end_s: float, step_s: float) -> Series:
        """Mean of good samples per interval; None where there was none."""
        ...

    async def add_events(self, boot_id: str, added: Sequence[Event]) -> None:
        """Append to the sequence of events; what is there already is ignored."""
        ...

    async def events(
        self, *, point: str | None = None, before_id: int | None = None, limit: int = 200
    ) -> Sequence[EventRow]:
        """The newest first, in the order of their arrival."""
        ...

    async def plan(self, mrid: str) -> StoredPlan | None: ...

    async def plans(
        self, *, states: Sequence[PlanState] = (), limit: int = 50
    ) -> Sequence[StoredPlan]:
        """Newest first."""
        ...

    async def commands(self, *, plan: str | None = None, limit: int = 500) -> Sequence[CommandRow]:
        """In the order of their creation."""
        ...

    async def command(self, mrid: str) -> CommandRow | None: ...

    async def evidence(self, command: str) -> Sequence[EvidenceRow]:
        """What passed the wire for a command, oldest first; empty where nothing did."""
        ...

    async def requests(
        self, *, states: Sequence[RequestState] = ()
    ) -> Sequence[DispatchRequest]: ...

    async def alarms(self, *, active_only: bool = True, limit: int = 200) -> Sequence[Alarm]: ...

    async def audit_rows(
        self, *, limit: int = 100, before: int | None = None
    ) -> Sequence[AuditRow]:
        """Newest first."""
        ...

    async def verify_audit(self, seen: Mapping[int, str] | None = None) -> ChainCheck:
        """Walk the chain; `seen`: hashes by sequence number that checkpoints have seen."""
        ...

    async def flag(self, key: str) -> str | None: ...

    async def close(self) -> None: ...
