"""What people see: the picture and plans as they look to them. Reads memory only."""

from __future__ import annotations

from collections.abc import Callable

from gridctl.control.alarms import AlarmBook
from gridctl.control.approvals import Approvals
from gridctl.control.cycle import Cycle
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.interlock import Situation, blocked, moved_on, unusable
from gridctl.control.judge import Judge
from gridctl.control.ports import Picture, PlanView, ResourceView, StoredPlan
from gridctl.control.resources import Known, why_excluded
from gridctl.control.settings import OfficeSettings
from gridctl.control.tags import TagBook
from gridctl.control.telemetry import UNKNOWN, ProcessImage
from gridctl.model.approval import ApprovalPolicy, approvals_needed
from gridctl.model.clock import Clock
from gridctl.model.measurement import Quality, Snapshot, combined
from gridctl.model.plan import Plan
from gridctl.model.resource import Resource
from gridctl.model.tag import Tag


class PlanViews:
    """Plans with what is still needed, how long they live, and what stands in their way."""

    def __init__(
        self,
        *,
        settings: OfficeSettings,
        approvals: Approvals,
        situation: Callable[[], Situation],
        known: Callable[[], Known],
        tags: TagBook,
        left_to_people: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._settings = settings
        self._tags = tags
        self._left_to_people = left_to_people
        self._policy: ApprovalPolicy = settings.approval
        self._approvals = approvals
        self._situation = situation
        self._known = known

    def view(self, stored: StoredPlan) -> PlanView:
        """A plan as people see it now."""
        waits = stored.plan.mrid in self._approvals.open
        return PlanView(
            stored=stored,
            approvals_needed=approvals_needed(stored.plan, self._policy),
            expires_in_s=self._approvals.expires_in_s(stored.plan.mrid),
            blocked=self.blocked(stored.plan) if waits else (),
            cautions=self.cautions(stored.plan) if waits else (),
            left_to_people=self._left_to_people(stored.plan.mrid),
        )

    def cautions(self, plan: Plan) -> tuple[Tag, ...]:
        """What whoever approves `plan` must have read (SG-26)."""
        return self._tags.cautions(s.resource for s in plan.result.setpoints)

    def blocked(self, plan: Plan) -> tuple[str, ...]:
        """Why `plan` may not be approved now."""
        now, known = self._situation(), self._known()
        wanted = {s.resource for s in plan.result.setpoints}
        excluded = {
            r.mrid: why_excluded(r, known) for r in self._settings.resources if r.mrid in wanted
        }
        return (*blocked(now), *moved_on(plan, now), *unusable(plan, excluded))


class PictureMaker:
    """Puts the live state into one frozen value."""

    def __init__(
        self,
        *,
        settings: OfficeSettings,
        clock: Clock,
        image: ProcessImage,
        dispatcher: Dispatcher,
        judge: Judge,
        cycle: Cycle,
        alarms: AlarmBook,
        situation: Callable[[], Situation],
        known: Callable[[], Known],
        mode: Callable[[], str],
        tags: TagBook,
    ) -> None:
        self._settings = settings
        self._tags = tags
        self._mode = mode
        self._clock = clock
        self._image = image
        self._dispatcher = dispatcher
        self._judge = judge
        self._cycle = cycle
        self._alarms = alarms
        self._situation = situation
        self._known = known

    def picture(self) -> Picture:
        """The live state now."""
        now, known = self._situation(), self._known()
        return Picture(
            at_s=self._clock.now_s(),
            mode=self._mode(),
            stopped=now.stopped,
            field_connected=now.field_connected,
            snapshot=known.snapshot,
            points=self._image.points,
            head_point=self._settings.head_point,
            head_limit_kw=self._settings.head_limit_kw,
            links=self._image.links,
            resources=tuple(self._resource(r, known) for r in self._settings.resources),
            forecast=self._cycle.forecast,
            alarms=self._alarms.listed(),
            cycle=self._cycle.view,
            effect=self._judge.view,
            blocked=blocked(now),
            tags=self._tags.views(),
        )

    def _resource(self, resource: Resource, known: Known) -> ResourceView:
        names = resource.points
        lease = self._image.leases.get(names.setpoint)
        return ResourceView(
            resource=resource,
            intended_kw=self._dispatcher.intended_kw(resource.mrid),
            confirmed_kw=_good(names.feedback, known.snapshot),
            power_kw=_good(names.power, known.snapshot),
            available_kw=_good(names.available, known.snapshot),
            soc_pct=_good(names.soc, known.snapshot),
            lease_until_s=None if lease is None else lease.until_s,
            excluded=why_excluded(resource, known),
            quality=combined(
                _quality(mrid, known.snapshot) for mrid in (names.feedback, names.power)
            ),
            age_s=self._image.age_s(names.power),
        )


def _good(mrid: str | None, snapshot: Snapshot) -> float | None:
    measured = None if mrid is None else snapshot.good(mrid)
    return None if measured is None else measured.value


def _quality(mrid: str, snapshot: Snapshot) -> Quality:
    measured = snapshot.values.get(mrid)
    return UNKNOWN if measured is None else measured.quality
