"""The field agent: reads what the plant shows, does what the guard lets through, and needs nobody.

Its own process on the OT side. It dials the office and has no listening port. With the office dead
it goes on reading, runs its leases out, and heeds the stop file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Callable, Coroutine, Iterable

from gridctl.field.conditions import DeviceAlarms
from gridctl.field.configuration import Change, load_configuration
from gridctl.field.confirmation import Confirmation
from gridctl.field.deadman import STOP_POLL_S, Deadman, StopSwitch
from gridctl.field.exchange import Exchange
from gridctl.field.execution import Executor
from gridctl.field.expiry import expiry_text
from gridctl.field.guard import Guard
from gridctl.field.intake import Intake
from gridctl.field.links import FieldLinks, OpenDriver
from gridctl.field.liveness import FieldImage
from gridctl.field.orphan import ParentGone, outlive
from gridctl.field.reload import ReloadWatch
from gridctl.field.settings import FieldSettings
from gridctl.field.spool import FieldMemory
from gridctl.field.steadiness import Steadiness
from gridctl.field.tracing import TraceWatch
from gridctl.limitsfile import load_limits
from gridctl.link import UnixEndpoint
from gridctl.link_client import Dial, FieldLinkClient, dial
from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal
from gridctl.model.link import Ack, FieldAlarm, Heartbeat, Hello, LeaseInfo, SignedOrder
from gridctl.model.measurement import Measurement
from gridctl.model.order import Order, OrderKind
from gridctl.pki import load_public_ed25519
from gridctl.wallclock import system_clock
from protocols.backoff import Randomness
from protocols.events import EventQueue
from protocols.inbox import Inbox
from protocols.registry import open_driver

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
LINK_DOWN_ALARM_S = 5.0


async def run_field(
    settings: FieldSettings,
    *,
    clock: Clock,
    stop: asyncio.Event,
    again: Callable[[], FieldSettings] | None = None,
    hangup: asyncio.Event | None = None,
    parent_gone: ParentGone | None = None,
    open_driver: OpenDriver = open_driver,
    line: Dial | None = None,
) -> None:
    """Run the agent until `stop` is set. Raises ConfigError before anything is opened when a file
    cannot be used.

    `again` reads the settings anew for a reload (None: only the points file is read again);
    `hangup` is set by SIGHUP to ask for one. `parent_gone` returns when whoever would start the
    agent again is no more: it then ends as soon as it holds nothing. `open_driver` and `line` are
    replaced in tests only.
    """
    agent = FieldAgent(
        settings,
        clock=clock,
        again=again if again is not None else lambda: settings,
        hangup=hangup if hangup is not None else asyncio.Event(),
        open_driver=open_driver,
        line=line if line is not None else dial(UnixEndpoint(path=settings.socket)),
    )
    await agent.run(stop, parent_gone=parent_gone)


class FieldAgent:
    """All parts of the agent, wired."""

    def __init__(
        self,
        settings: FieldSettings,
        *,
        clock: Clock,
        again: Callable[[], FieldSettings],
        hangup: asyncio.Event,
        open_driver: OpenDriver,
        line: Dial,
        randomness: Randomness | None = None,
    ) -> None:
        configuration = load_configuration(settings)
        addresses = configuration.addresses
        self._settings = settings
        self._clock = clock
        self._hangup = hangup
        self._limits = load_limits(settings.limits, signed_by=settings.limits_public_key)
        self._memory = FieldMemory(settings.spool)
        self._events = EventQueue(configuration.sequence_points)
        self._inbox = Inbox(len(addresses), events=self._events)
        self._drivers = FieldLinks(
            open_driver=open_driver,
            inbox=self._inbox,
            spawn=self._spawn,
            clock=clock,
            randomness=random.SystemRandom() if randomness is None else randomness,
        )
        self._drivers.take(self._drivers.build(configuration, configuration.links))
        self._image = FieldImage(
            [a.point for a in addresses],
            heartbeats=configuration.heartbeats,
            start_mono_s=clock.monotonic_s(),
        )
        self._reload = ReloadWatch(settings.stop_file, reload=self._load_again)
        self._traces = TraceWatch(settings.stop_file, drivers=self._drivers, clock=clock)
        self._stop = StopSwitch(settings.stop_file, self._memory)
        self._client = FieldLinkClient(
            dial=line, greeting=self._greeting, points_max=len(addresses)
        )
        self._device_alarms = DeviceAlarms(self._drivers, tell=self._client.tell)
        self._guard = Guard(
            key=load_public_ed25519(settings.office_public_key),
            limits=self._limits,
            addresses=addresses,
            memory=self._memory,
            plant=self,
            clock=clock,
        )
        self._executor = Executor(
            drivers=self._drivers,
            addresses=addresses,
            guard=self._guard,
            memory=self._memory,
            confirmation=Confirmation(
                image=self._image, clock=clock, timeout_s=settings.confirm_timeout_s
            ),
            stop=self._stop,
            tell=self._client.tell,
            spawn=self._spawn,
            clock=clock,
        )
        self._deadman = Deadman(
            memory=self._memory,
            clock=clock,
            busy=self._executor.busy,
            revert=self._executor.revert,
            alarm=self._alarm,
        )
        self._exchange = Exchange(
            configuration,
            again=again,
            drivers=self._drivers,
            inbox=self._inbox,
            events=self._events,
            image=self._image,
            guard=self._guard,
            executor=self._executor,
            memory=self._memory,
            client=self._client,
            clock=clock,
        )
        self._intake = Intake(
            inbox=self._inbox,
            events=self._events,
            image=self._image,
            client=self._client,
            clock=clock,
        )
        self._boot_id = uuid.uuid4().hex
        self._tasks: asyncio.TaskGroup | None = None
        self._alarmed: set[str] = set()
        self._utc = system_clock()  # certificates do not follow the pilot's fast clock
        self._down_since_s: dict[str, float] = {}
        self._steadiness = Steadiness()

    # What the guard asks (PlantView)

    @property
    def stopped(self) -> bool:
        return self._stop.stopped

    @property
    def stop_file_present(self) -> bool:
        return self._stop.file_present

    @property
    def clock_fault(self) -> str | None:
        return self._deadman.clock_fault

    @property
    def room(self) -> int:
        return self._client.room

    def present(self, point: str) -> Measurement | None:
        return self._image.present(point)

    def link_up(self, link: str) -> bool:
        driver = self._drivers.get(link)
        if driver is None or link in self._image.frozen_links:
            return False
        return driver.health().state == "up"

    def busy(self, point: str) -> str | None:
        return self._executor.holder(point)

    async def run(self, stop: asyncio.Event, *, parent_gone: ParentGone | None = None) -> None:
        """Until `stop` is set; then every link is let go. A bug in any part ends the agent: its
        supervisor starts it again, and the spool has what it must not forget."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._drivers.start(tuple(self._drivers))
                await self._executor.recover()
                for part in (
                    self._intake.run(),
                    self._obey(),
                    self._watch(),
                    self._beat(),
                    self._watch_reload(),
                ):
                    tasks.create_task(part)
                tasks.create_task(self._client.run())
                if parent_gone is not None:
                    home = self._settings.spool.parent
                    tasks.create_task(
                        outlive(parent_gone, self._memory, home=home, clock=self._clock, stop=stop)
                    )
                await stop.wait()
                raise _StopAgent
        except* _StopAgent:
            log.info("field: stopping")
        finally:
            self._tasks = None
            await self._drivers.end_all()
            with contextlib.suppress(OSError):
                self._memory.save_if_dirty()

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None] | None:
        if self._tasks is None:
            work.close()
            return None
        return self._tasks.create_task(work)

    def _greeting(self) -> tuple[Hello, Iterable[Measurement]]:
        state = self._memory.state
        hello = Hello(
            agent=self._settings.agent,
            boot_id=self._boot_id,
            points=tuple(a.point for a in self._exchange.configuration.addresses),
            limits_digest=self._limits.digest(),
            epoch_seen=state.epoch,
            sequence_seen=state.sequence,
            stopped=self._stop.stopped,
            tags=state.tags,
        )
        return hello, self._image.all()

    async def _watch_reload(self) -> None:
        """Apart from `_watch`: to let go of a link may take seconds, and STOP must not wait."""
        while True:
            if self._hangup.is_set():
                self._hangup.clear()
                self._reload.ask()
            if await self._reload.poll():
                refused = self._reload.refused
                self._alarm("points.reload", "the last reload was taken", False)
                if refused is not None:
                    text = f"new points refused, the old ones stay in force: {refused}"
                    self._alarm("points.reload", text, True)
            await self._traces.poll()
            await asyncio.sleep(STOP_POLL_S)

    async def _load_again(self) -> tuple[Change, int]:
        change = await self._exchange.reload()
        for link in change.removed:
            self._down_since_s.pop(link, None)
            self._steadiness.forget(link)
            for key in (f"link.{link}", f"link.{link}.unsteady"):
                self._alarm(key, f"link {link} is not configured any more", False)
        return change, len(self._exchange.configuration.addresses)

    async def _obey(self) -> None:
        """Orders, one after the other, as they come."""
        while True:
            self._take(await self._client.orders.get())

    def _take(self, signed: SignedOrder) -> None:
        order = signed.order
        verdict = self._guard.admit(signed)
        refused = isinstance(verdict, Refusal)
        self._client.tell(
            Ack(
                order=order.mrid,
                admitted=not refused,
                code=verdict.code if isinstance(verdict, Refusal) else "admitted",
                reasons=verdict.reasons if isinstance(verdict, Refusal) else (),
                only_busy=self._only_busy(order, verdict) if isinstance(verdict, Refusal) else (),
            )
        )
        if isinstance(verdict, Refusal):
            log.warning("field: order %s refused: %s", order.mrid, verdict)
            if verdict.code in ("bad_signature", "replayed", "old_epoch"):
                self._alarm("order.forged", f"an order was refused: {verdict}", True, priority=1)
            return
        match order.kind:
            case OrderKind.DISPATCH:
                self._executor.begin(verdict)
            case OrderKind.DEFAULT:
                self._memory.expire_all(self._clock.now_s())
            case OrderKind.ACKNOWLEDGE:
                self._spawn(self._device_alarms.acknowledge(order))
            case OrderKind.STOP | OrderKind.RESUME | OrderKind.TAG | OrderKind.UNTAG:
                self._tell_heartbeat()

    def _only_busy(self, order: Order, refusal: Refusal) -> tuple[str, ...]:
        """Points of `order` that something under way holds, when nothing else is against it."""
        busy = tuple(c.point for c in order.commands if self._executor.busy(c.point))
        return busy if refusal.code == "busy" and len(busy) == len(refusal.reasons) else ()

    async def _watch(self) -> None:
        """Twice a second: stop file, clock, leases, links, and the spool."""
        while True:
            if self._stop.poll():
                self._tell_heartbeat()
            self._deadman.watch_clock()
            for held in self._deadman.due():
                self._spawn(self._run_out(held.point))
            self._watch_links()
            self._device_alarms.look()
            try:
                self._memory.save_if_dirty()
                self._alarm("spool", "the field's journal can be written again", False)
            except OSError as error:
                self._alarm("spool", f"the field's journal cannot be written: {error}", True)
            await asyncio.sleep(STOP_POLL_S)

    async def _run_out(self, point: str) -> None:
        held = self._memory.lease(point)
        if held is not None:
            await self._deadman.run_out(held)

    def _watch_links(self) -> None:
        mono_s = self._clock.monotonic_s()
        for link, driver in self._drivers.items():
            health = driver.health()
            unsteady = self._steadiness.look(link, health, mono_s)
            self._alarm(
                f"link.{link}.unsteady",
                f"link {link} {unsteady or 'is steady'}",
                unsteady is not None,
            )
            expiry = expiry_text(health, self._utc.now_s())
            self._alarm(
                f"link.{link}.certificate",
                f"link {link}: {expiry or 'its certificates hold'}",
                expiry is not None,
            )
            if self.link_up(link):
                self._down_since_s.pop(link, None)
                self._alarm(f"link.{link}", f"link {link} is up", False)
                continue
            since_s = self._down_since_s.setdefault(link, mono_s)
            if mono_s - since_s >= LINK_DOWN_ALARM_S:
                frozen = link in self._image.frozen_links
                why = "its heartbeat stands still" if frozen else health.detail or health.state
                self._alarm(f"link.{link}", f"link {link} is not usable: {why}", True, priority=1)
        if self._inbox.dropped:
            self._alarm("inbox", f"{self._inbox.dropped} values were pushed out unread", True)
        if lost := self._events.dropped + self._client.events_dropped:
            self._alarm("events", f"{lost} entries of the sequence of events were lost", True)

    async def _beat(self) -> None:
        while True:
            self._tell_heartbeat()
            await asyncio.sleep(HEARTBEAT_S)

    def _tell_heartbeat(self) -> None:
        self._client.tell(
            Heartbeat(
                at_s=self._clock.now_s(),
                stopped=self._stop.stopped,
                links=self._drivers.health(),
                leases=tuple(
                    LeaseInfo(point=held.point, value=held.value, until_s=held.until_s)
                    for held in self._memory.state.leases
                ),
                dropped=self._client.dropped
                + self._inbox.dropped
                + self._events.dropped
                + self._client.events_dropped,
                tags=tuple(tag.id for tag in self._memory.state.tags),
                busy=tuple(sorted(self._executor.in_flight)),
            )
        )

    def _alarm(self, key: str, text: str, active: bool, *, priority: int = 2) -> None:
        """Tell a condition when it comes and when it goes, not while it lasts."""
        if active == (key in self._alarmed):
            return
        self._alarmed.add(key) if active else self._alarmed.discard(key)
        log.log(logging.WARNING if active else logging.INFO, "field: %s", text)
        self._client.tell(
            FieldAlarm(
                key=key, priority=priority, text=text, active=active, at_s=self._clock.now_s()
            )
        )


class _StopAgent(Exception):  # noqa: N818 - not an error: the way out of the task group
    """Ends the agent's task group."""
