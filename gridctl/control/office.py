"""The office: joins memory, mind, line and people. `gridctl.control.loops` keeps it going."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from gridctl.control.activity import Activity
from gridctl.control.agenda import Agenda, Job
from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.approvals import Approvals
from gridctl.control.audit import RecordFault, Unwritten
from gridctl.control.closedloop import ClosedLoop, Envelopes
from gridctl.control.cycle import Cycle
from gridctl.control.demotion import Triggers
from gridctl.control.desk import OperatorDesk
from gridctl.control.deviceclocks import DeviceClocks
from gridctl.control.devicewatch import DeviceWatch
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.distrust import Distrust
from gridctl.control.duty import Duty
from gridctl.control.events import EventBook
from gridctl.control.handover import open_items
from gridctl.control.headwatch import HeadWatch
from gridctl.control.intake import Intake
from gridctl.control.interlock import Situation
from gridctl.control.journal import CommandBook
from gridctl.control.judge import Judge
from gridctl.control.linkwatch import LinkWatch
from gridctl.control.loops import Loops
from gridctl.control.modes import AreaModes
from gridctl.control.orders import Orders
from gridctl.control.participation import Participation
from gridctl.control.planrecord import OpenPlan
from gridctl.control.plausibility import Plausibility
from gridctl.control.ports import Desk, FieldLink, Planner, Store
from gridctl.control.process_alarms import ProcessAlarms
from gridctl.control.promotion import PromotionRules
from gridctl.control.resources import Known, precool_of, quality_words
from gridctl.control.reviews import Reviews
from gridctl.control.sampling import Sampling
from gridctl.control.settings import OfficeSettings
from gridctl.control.settlement import settle_due
from gridctl.control.shifts import Shifts
from gridctl.control.stop import StopState
from gridctl.control.supplywatch import SupplyWatch
from gridctl.control.tags import TagBook
from gridctl.control.takeover import end_what_was_open
from gridctl.control.telemetry import ProcessImage
from gridctl.control.views import PictureMaker, PlanViews
from gridctl.control.watch import StandingAlarms, Watch
from gridctl.model.clock import Clock
from gridctl.model.plan import Plan, PlanState
from gridctl.model.tag import Tag

log = logging.getLogger(__name__)

SETTLE_EVERY_S = 60.0
AUDIT_CHECK_EVERY_S = 3_600.0


class Office:
    """Everything that decides, asks and records, wired. `desk` is its face."""

    def __init__(
        self,
        settings: OfficeSettings,
        store: Store,
        planner: Planner,
        link: FieldLink,
        clock: Clock,
        *,
        jobs: Sequence[Job] = (),
    ) -> None:
        self._settings = settings
        self._store = store
        self._link = link
        self._clock = clock
        self._model_digest = settings.feeder.digest()
        self._limits_digest = settings.limits.digest()
        self._fault = RecordFault()
        self._wake = asyncio.Event()
        self.image = ProcessImage(
            clock=clock,
            plausibility=Plausibility(
                settings.plausibility,
                head_point=settings.head_point,
                head_limit_kw=settings.head_limit_kw,
                resources=settings.resources,
            ),
            clocks=DeviceClocks(bound_s=settings.plausibility.future_s),
        )
        self.alarms = AlarmBook(store=store, clock=clock)
        self.events = EventBook(store=store, alarms=self.alarms)
        self._stop_state = StopState(settings.stop_file)
        self._unwritten = Unwritten(store)
        modes = AreaModes(
            store=store,
            clock=clock,
            policy=settings.modes,
            rules=PromotionRules(
                policy=settings.modes,
                resources=settings.resources,
                limits=settings.limits,
                model_digest=self._model_digest,
                head_limit_kw=settings.head_limit_kw,
                second_needs_factor=settings.approval.second_needs_factor,
            ),
            resources=settings.resources,
            changed=self._mode_changed,
        )
        shifts = Shifts(
            store=store, clock=clock, open_items=self._left_open, withdraw=self._withdraw
        )
        self._activity = Activity(
            utc_offset_s=settings.utc_offset_s,
            precooled=[r.mrid for r in settings.resources if precool_of(r) is not None],
        )
        self._participation = Participation(
            store=store,
            clock=clock,
            activity=self._activity,
            utc_offset_s=settings.utc_offset_s,
        )
        self._setpoints = tuple((r.mrid, r.points.setpoint) for r in settings.resources)
        self._distrust = Distrust(utc_offset_s=settings.utc_offset_s, link_of=self._link_of)
        self._book = CommandBook(
            store=store,
            clock=clock,
            alarms=self.alarms,
            activity=self._activity,
            distrust=self._distrust,
        )
        self._orders = Orders(
            store=store,
            link=link,
            clock=clock,
            book=self._book,
            limits_digest=self._limits_digest,
            clock_offset_max_s=settings.clock_offset_max_s,
            confirm_timeout_s=settings.confirm_timeout_s,
            field_seen=self._field_seen,
        )
        self._tags = TagBook(
            store=store,
            clock=clock,
            resources=settings.resources,
            orders=self._orders,
            alarms=self.alarms,
            field_tags=self._field_tags,
            blocked=self._tagged,
        )
        self.duty = Duty(modes=modes, shifts=shifts, tags=self._tags)
        process_alarms = ProcessAlarms(alarms=self.alarms, order=self._orders.acknowledge)
        self._judge = Judge(
            image=self.image,
            clock=clock,
            head_point=settings.head_point,
            settle_s=settings.effect_settle_s,
            watch_s=settings.effect_watch_s,
            book=self._book,
            alarms=self.alarms,
            stopped=lambda: self._stop_state.stopped,
        )
        self._dispatcher = Dispatcher(
            settings=settings,
            store=store,
            clock=clock,
            image=self.image,
            book=self._book,
            orders=self._orders,
            judge=self._judge,
            alarms=self.alarms,
            situation=self.situation,
            known=self.known,
            over=modes.over,
        )
        self._envelopes = Envelopes(
            clock=clock,
            modes=modes,
            resources=settings.resources,
            limits=settings.limits,
            leases=lambda: self.image.leases,
            moved_kw=lambda area, window_s: self._dispatcher.spending.moved_kw(
                area, window_s=window_s
            ),
        )
        self._approvals = Approvals(
            store=store,
            clock=clock,
            policy=settings.approval,
            blocked=self._blocks,
            cautions=self._cautions,
            inside=self._envelopes.inside,
            over=modes.over,
        )
        self._plan_views = PlanViews(
            settings=settings,
            approvals=self._approvals,
            situation=self.situation,
            known=self.known,
            tags=self._tags,
            left_to_people=lambda mrid: self.closed_loop.left_to_people.get(mrid, ()),
        )
        self.reviews = Reviews(
            settings, store=store, clock=clock, alarms=self.alarms, known=self.known
        )
        self.cycle = Cycle(
            weather=self.reviews.weather,
            settings=settings,
            store=store,
            planner=planner,
            clock=clock,
            approvals=self._approvals,
            dispatcher=self._dispatcher,
            activity=self._activity,
            situation=self.situation,
            known=self.known,
            modes=modes,
            participation=self._participation,
        )
        self._watch = Watch(
            store=store,
            clock=clock,
            approvals=self._approvals,
            dispatcher=self._dispatcher,
            stop_state=self._stop_state,
            situation=self.situation,
            unwritten=self._unwritten,
        )
        self._triggers = Triggers(
            store=store,
            clock=clock,
            policy=settings.modes,
            head_point=settings.head_point,
            area_of={r.mrid: r.area for r in settings.resources},
            unverified=self._book.unverified,
            situation=self.situation,
            cycle=lambda: self.cycle.view,
            effect=lambda: self._judge.view,
        )
        self.closed_loop = ClosedLoop(
            modes=modes,
            approvals=self._approvals,
            alarms=self.alarms,
            active=lambda: self._dispatcher.active,
            halt=self._dispatcher.halt,
            triggers=self._triggers.reasons,
        )
        self._standing = StandingAlarms(
            alarms=self.alarms,
            stop_state=self._stop_state,
            situation=self.situation,
            head_kw=self._head_kw,
            wrong_clocks_s=lambda: self.image.wrong_clocks_s,
            head_limit_kw=settings.head_limit_kw,
            refusing=lambda: self._distrust.links(clock.now_s()),
            clock=clock,
        )
        self._intake = Intake(
            store=store,
            clock=clock,
            image=self.image,
            events=self.events,
            judge=self._judge,
            book=self._book,
            tags=self._tags,
            alarms=self.alarms,
            process_alarms=process_alarms,
            head_point=settings.head_point,
            limits_digest=self._limits_digest,
            fault=self._fault,
        )
        self._sampling = Sampling(
            store=store,
            clock=clock,
            image=self.image,
            interval_s=settings.sample_interval_s,
            reduction_kw=self._dispatcher.reduction_kw,
            forecast=lambda: self.cycle.forecast,
            fault=self._fault,
        )
        self._loops = Loops(
            link=link,
            clock=clock,
            planning=settings.planning,
            intake=self._intake,
            sampling=self._sampling,
            cycle=self.cycle,
            approvals=self._approvals,
            dispatcher=self._dispatcher,
            watch=self._watch,
            triggers=self._triggers,
            closed_loop=self.closed_loop,
            book=self._book,
            tags=self._tags,
            standing=(
                self._standing,
                DeviceWatch(
                    resources=settings.resources, image=self.image, alarms=self.alarms, clock=clock
                ),
                SupplyWatch(
                    image=self.image,
                    alarms=self.alarms,
                    clock=clock,
                    dead_below_pu=settings.plausibility.dead_below_pu,
                ),
                HeadWatch(
                    head_point=settings.head_point,
                    nominal_kv=settings.feeder.source.nominal_kv,
                    limit_kw=settings.head_limit_kw,
                    image=self.image,
                    alarms=self.alarms,
                    clock=clock,
                ),
                LinkWatch(links=lambda: self.image.links, alarms=self.alarms, clock=clock),
            ),
            image=self.image,
            stopped=lambda: self.situation().stopped,
            fault=self._fault,
            wake=self._wake,
            agenda=Agenda((*self._jobs(), *jobs), alarms=self.alarms),
        )
        self.desk: Desk = OperatorDesk(
            store=store,
            clock=clock,
            approvals=self._approvals,
            dispatcher=self._dispatcher,
            cycle=self.cycle,
            orders=self._orders,
            alarms=self.alarms,
            process_alarms=process_alarms,
            image=self.image,
            stop_state=self._stop_state,
            review=self.duty.shifts.review,
            unwritten=self._unwritten,
            stop_file=settings.stop_file,
            pictures=PictureMaker(
                settings=settings,
                clock=clock,
                image=self.image,
                dispatcher=self._dispatcher,
                judge=self._judge,
                cycle=self.cycle,
                alarms=self.alarms,
                situation=self.situation,
                known=self.known,
                mode=modes.word,
                tags=self._tags,
            ),
            plan_views=self._plan_views,
            wake=self._wake.set,
        )

    def situation(self) -> Situation:
        """What holds for the feeder as a whole, now."""
        snapshot = self.image.snapshot()
        head = self._settings.head_point
        head_is_good = snapshot.good(head) is not None
        heartbeat, hello = self.image.heartbeat, self.image.hello
        return Situation(
            field_connected=self._link.connected and heartbeat is not None,
            stopped=self._stop_state.stopped or (heartbeat is not None and heartbeat.stopped),
            clock_offset_s=self.image.clock_offset_s,
            clock_offset_max_s=self._settings.clock_offset_max_s,
            good_share=self.image.good_share(),
            head_is_good=head_is_good,
            head_words="" if head_is_good else quality_words(head, snapshot),
            limits_digest=self._limits_digest,
            field_limits_digest=None if hello is None else hello.limits_digest,
            model_digest=self._model_digest,
            lost_audit=self._fault.reason,
        )

    def _field_tags(self) -> frozenset[str] | None:
        heartbeat = self.image.heartbeat
        return None if heartbeat is None else frozenset(heartbeat.tags)

    def _cautions(self, plan: Plan) -> tuple[Tag, ...]:
        return self._tags.cautions(s.resource for s in plan.result.setpoints)

    def _tagged(self, tag: Tag) -> None:
        """A plan that uses a device which is tagged now ends: what was approved was another plant
        (SG-14, SG-26)."""
        self._wake.set()
        active = self._dispatcher.active
        if active is None:
            return
        if any(s.resource == tag.device for s in active.plan.result.setpoints):
            self._dispatcher.halt(PlanState.STOPPED, f"{tag.device}: {tag.words()}")

    def _mode_changed(self, area: str) -> None:
        """What is carried out in an area that may not be commanded any more ends, and so does what
        stood by its closed loop."""
        self._wake.set()
        self.closed_loop.mode_changed(area)
        active, why = self._dispatcher.active, self.duty.modes.not_commanded().get(area)
        if active is None or why is None:
            return
        used = {setpoint.resource for setpoint in active.plan.result.setpoints}
        if any(r.mrid in used and r.area == area for r in self._settings.resources):
            self._dispatcher.halt(PlanState.STOPPED, why)

    def _left_open(self) -> list[str]:
        return open_items(
            stop_state=self._stop_state,
            modes=self.duty.modes.all(),
            plans=self._approvals.open,
            active=self._dispatcher.active,
            leases=self.image.leases.values(),
            inhibited=self._settings.limits.inhibited,
            tags=self._tags.all(),
            alarms=self.alarms.listed(),
        )

    async def _withdraw(self, reason: str) -> None:
        """Plans that only one of two has approved do not survive a handover, nor does what the old
        shift let go by itself (SG-35, SG-37)."""
        await self.closed_loop.end_all(reason)
        for mrid, chosen in list(self._approvals.open.items()):
            if chosen.state is PlanState.PARTIAL:
                await self._approvals.void(mrid, reason)

    def _field_seen(self) -> tuple[int, int]:
        hello = self.image.hello
        return (0, 0) if hello is None else (hello.epoch_seen, hello.sequence_seen)

    def _head_kw(self) -> float | None:
        head = self.image.good(self._settings.head_point)
        return None if head is None else head.value

    def known(self) -> Known:
        """What is known of the plant, now."""
        return Known(
            snapshot=self.image.snapshot(),
            points=self.image.points,
            links=self.image.links,
            limits=self._settings.limits,
            not_commanded=self.duty.modes.not_commanded(),
            withdrawn=self._participation.not_now(),
            tagged=self._tags.not_commanded(),
            distrusted=self._distrust.not_now(self._clock.now_s(), self._setpoints),
            still_regulators=self.reviews.relays.still(),
        )

    def _link_of(self, setpoint: str) -> str | None:
        point = self.image.points.get(setpoint)
        return None if point is None else point.link

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises what a loop could not cope with: a bug ends the office, and
        the field goes on without it."""
        await self._take_over()
        await self._loops.run(stop)

    async def _take_over(self) -> None:
        await self.alarms.load()
        await self.duty.modes.load()
        await self.closed_loop.end_all("the office was restarted")
        await self._tags.load()
        if flag := await self._store.flag("stopped"):
            self._stop_state.hold(flag)
        await end_what_was_open(
            store=self._store,
            clock=self._clock,
            alarms=self.alarms,
            book=self._book,
            feeder=self._settings.feeder.mrid,
        )

    def _blocks(self, chosen: OpenPlan) -> tuple[str, ...]:
        return (*self._plan_views.blocked(chosen.plan), *self._dispatcher.gate.drifted(chosen))

    def _jobs(self) -> tuple[Job, ...]:
        return (
            Job(
                name="settlement",
                every_s=SETTLE_EVERY_S,
                run=lambda: settle_due(
                    self._store, self._clock, head_point=self._settings.head_point
                ),
            ),
            *self.reviews.jobs(
                points=lambda: self.image.points, forecast=lambda: self.cycle.forecast
            ),
            Job(name="audit check", every_s=AUDIT_CHECK_EVERY_S, run=self._check_audit),
        )

    async def _check_audit(self) -> None:
        check = await self._store.verify_audit()
        await self.alarms.follows(
            not check.ok,
            Condition(
                key="audit",
                priority=1,
                text=f"the audit chain is broken: {check.detail}",
                response="keep the database as it is and call the security administrator",
            ),
        )
