"""The desk: what people see of the will, and what they may ask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gridctl.model.alarm import Alarm
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Point, Quality, Snapshot
from gridctl.model.planning import Forecast, PlanningTask
from gridctl.model.program import DispatchRequest
from gridctl.model.record import (
    StoredPlan,
)
from gridctl.model.resource import Resource
from gridctl.model.tag import Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who acts: a user in a session, from an address, with a role (IEC 62351-8 name). `factor`:
    what proved the person last (password, code, key, provider)."""

    user: str
    session: str
    source: str
    role: str
    factor: str = "password"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """A plan as people see it: with approvals, what is still needed, and how long it lives.
    `cautions`: tags that whoever approves must have read (SG-26). `left_to_people`: why it is not
    inside the envelopes of its areas (SG-37)."""

    stored: StoredPlan
    approvals_needed: int
    expires_in_s: float | None
    blocked: tuple[str, ...]
    cautions: tuple[Tag, ...] = ()
    left_to_people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """A resource as the operator sees it: intent, confirmation and fact kept apart.

    `intended_kw`: what the active plan wants now (None: nothing); `confirmed_kw`: what the device
    reports as its setpoint; `power_kw`: what flows. None means not known. `excluded`: why it may
    not be used now, or None.
    """

    resource: Resource
    intended_kw: float | None
    confirmed_kw: float | None
    power_kw: float | None
    available_kw: float | None
    soc_pct: float | None
    lease_until_s: float | None
    excluded: str | None
    quality: Quality
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TagView:
    """A tag as people see it. `in_field`: the field enforces it; None: it forbids nothing there."""

    tag: Tag
    in_field: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectView:
    """Promised against measured at the feeder head for the plan that is active or was last.

    `band_kw`: what counts as kept. `settled`: the judgement is final.
    """

    plan: str
    expected_kw: float
    band_kw: tuple[float, float]
    measured_kw: float | None
    settled: bool
    kept: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPlan:
    """The last verified plan, which stands because no new one could be made since `since_s`.

    `plan` (None: there is none, devices stay where they are), made at `made_s`; `is_active`: it is
    carried out, else it waits for approval; `reason`: why there is no new one.
    """

    plan: str | None
    made_s: float | None
    is_active: bool
    since_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleView:
    """The last run of the cycle: when, how it ended (a SolveStatus or "blocked"), why; and what is
    held where planning failed."""

    at_s: float
    status: str
    reason: str
    held: HeldPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The whole live state in one frozen value: what the console draws."""

    at_s: float
    mode: str
    stopped: bool
    field_connected: bool
    snapshot: Snapshot
    points: Mapping[str, Point]
    head_point: str
    head_limit_kw: float
    links: tuple[LinkHealth, ...]
    resources: tuple[ResourceView, ...]
    forecast: Forecast | None
    alarms: tuple[Alarm, ...]
    cycle: CycleView | None
    effect: EffectView | None
    blocked: tuple[str, ...]
    tags: tuple[TagView, ...] = ()


class Desk(Protocol):
    """The operator's desk: what console, API and CLI may ask of the will. Every act is audited.

    Acts raise RefusedError with a `Refusal` whose code and reasons go to the person as they are.
    """

    def picture(self) -> Picture:
        """The live state now; cheap, taken from memory."""
        ...

    async def plans(self, *, limit: int = 50) -> Sequence[PlanView]: ...

    async def plan(self, mrid: str) -> PlanView | None: ...

    async def approve(
        self, mrid: str, *, shown_digest: str, person: Person, cautions: Sequence[str] = ()
    ) -> PlanView:
        """`cautions`: names of the tags that the person has read (SG-26)."""
        ...

    async def reject(
        self, mrid: str, *, shown_digest: str, reason: str, person: Person
    ) -> PlanView: ...

    async def break_glass(
        self,
        mrid: str,
        *,
        shown_digest: str,
        reason: str,
        person: Person,
        cautions: Sequence[str] = (),
    ) -> PlanView:
        """One person releases an emergency plan (SG-11)."""
        ...

    async def stop(self, *, reason: str, person: Person) -> float:
        """STOP all dispatch; returns seconds until the field confirmed, raises nothing on the way:
        when the line is down the stop file does it. Never needs more than a session."""
        ...

    async def resume(self, *, reason: str, person: Person) -> None: ...

    async def return_to_default(self, *, reason: str, person: Person) -> None: ...

    async def acknowledge(self, key: str, *, person: Person) -> None: ...

    async def shelve(self, key: str, *, for_s: float, reason: str, person: Person) -> None:
        """Put an alarm aside for a while (SG-28)."""
        ...

    async def unshelve(self, key: str, *, person: Person) -> None: ...

    async def local_sign_in(self, user: str, *, source: str) -> None:
        """Somebody came in by a password although there is an identity provider (break-glass)."""
        ...

    async def planning_task(self) -> PlanningTask:
        """What the mind would be asked now. Raises UnavailableError where there is no question."""
        ...

    async def submit_request(self, request: DispatchRequest, *, person: Person) -> None:
        """A demand event arrived (or changed): kept, alarmed as an event, in the next plan."""
        ...

    async def cancel_request(self, event_id: str, *, person: Person) -> None: ...

    async def propose_now(self, *, person: Person) -> str:
        """Run the cycle now; returns the plan's mrid, or raises RefusedError with the reason why
        there is no plan."""
        ...
