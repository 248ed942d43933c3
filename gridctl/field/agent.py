"""The field agent: reads what the plant shows, does what the guard lets through, and needs nobody.

Its own process on the OT side. It dials the office and has no listening port. With the office dead
it goes on reading, runs its leases out, and heeds the stop file.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TypeAlias

from gridctl.field.confirmation import Confirmation
from gridctl.field.deadman import STOP_POLL_S, Deadman, StopSwitch
from gridctl.field.execution import Executor, with_link
from gridctl.field.guard import Guard
from gridctl.field.liveness import FieldImage
from gridctl.field.settings import FieldSettings
from gridctl.field.spool import FieldMemory
from gridctl.limitsfile import load_limits
from gridctl.link import UnixEndpoint
from gridctl.link_client import Dial, FieldLinkClient, dial
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError, Refusal
from gridctl.model.link import Ack, FieldAlarm, Heartbeat, Hello, LeaseInfo, SignedOrder
from gridctl.model.measurement import Measurement
from gridctl.model.order import OrderKind
from gridctl.pki import load_public_ed25519
from protocols.driver import Driver, LinkSettings, PointAddress
from protocols.inbox import Inbox
from protocols.points import load_points
from protocols.registry import open_driver

log = logging.getLogger(__name__)

HEARTBEAT_S = 1.0
TELEMETRY_S = 0.25
"""Real seconds over which measurements are gathered into one frame."""
LINK_DOWN_ALARM_S = 5.0

OpenDriver: TypeAlias = Callable[[LinkSettings, Sequence[PointAddress], Inbox, Clock], Driver]


async def run_field(
    settings: FieldSettings,
    *,
    clock: Clock,
    stop: asyncio.Event,
    open_driver: OpenDriver = open_driver,
    line: Dial | None = None,
) -> None:
    """Run the agent until `stop` is set. Raises ConfigError before anything is opened when a file
    cannot be used. `open_driver` and `line` are replaced in tests only."""
    agent = FieldAgent(
        settings,
        clock=clock,
        open_driver=open_driver,
        line=line if line is not None else dial(UnixEndpoint(path=settings.socket)),
    )
    await agent.run(stop)


class FieldAgent:
    """All parts of the agent, wired."""

    def __init__(
        self, settings: FieldSettings, *, clock: Clock, open_driver: OpenDriver, line: Dial
    ) -> None:
        addresses = tuple(with_link(a) for a in load_points(settings.points, settings.context))
        _check_links(settings, addresses)
        self._settings = settings
        self._clock = clock
        self._limits = load_limits(settings.limits)
        self._memory = FieldMemory(settings.spool)
        self._inbox = Inbox(len(addresses))
        self._drivers = {
            watched.settings.id: open_driver(watched.settings, addresses, self._inbox, clock)
            for watched in settings.links
        }
        self._points = tuple(a.point for a in addresses)
        self._image = FieldImage(
            self._points,
            heartbeats={
                w.settings.id: w.heartbeat for w in settings.links if w.heartbeat is not None
            },
            start_mono_s=clock.monotonic_s(),
        )
        self._stop = StopSwitch(settings.stop_file, self._memory)
        self._client = FieldLinkClient(
            dial=line, greeting=self._greeting, points_max=len(addresses)
        )
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
        self._boot_id = uuid.uuid4().hex
        self._tasks: asyncio.TaskGroup | None = None
        self._alarmed: set[str] = set()
        self._down_since_s: dict[str, float] = {}

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

    def busy(self, point: str) -> bool:
        return self._executor.busy(point)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then every link is let go. A bug in any part ends the agent: its
        supervisor starts it again, and the spool has what it must not forget."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for driver in self._drivers.values():
                    await driver.start()
                await self._executor.recover()
                for part in (self._measure(), self._obey(), self._watch(), self._beat()):
                    tasks.create_task(part)
                tasks.create_task(self._client.run())
                await stop.wait()
                raise _StopAgent
        except* _StopAgent:
            log.info("field: stopping")
        finally:
            self._tasks = None
            await asyncio.gather(*(driver.stop() for driver in self._drivers.values()))
            with contextlib.suppress(OSError):
                self._memory.save_if_dirty()

    def _spawn(self, work: Coroutine[None, None, None]) -> object:
        if self._tasks is None:
            work.close()
            return None
        return self._tasks.create_task(work)

    def _greeting(self) -> tuple[Hello, Iterable[Measurement]]:
        state = self._memory.state
        hello = Hello(
            agent=self._settings.agent,
            boot_id=self._boot_id,
            points=self._points,
            limits_digest=self._limits.digest(),
            epoch_seen=state.epoch,
            sequence_seen=state.sequence,
            stopped=self._stop.stopped,
        )
        return hello, self._image.all()

    async def _measure(self) -> None:
        """Inbox → image → office; silence is judged even when nothing comes in."""
        while True:
            values = await self._inbox.get(timeout_s=TELEMETRY_S)
            mono_s = self._clock.monotonic_s()
            told = self._image.accept(values, mono_s)
            told += self._image.judge(mono_s)
            if told:
                self._client.report(told)
            if values:
                await asyncio.sleep(TELEMETRY_S)

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
            case OrderKind.STOP | OrderKind.RESUME:
                self._tell_heartbeat()

    async def _watch(self) -> None:
        """Twice a second: stop file, clock, leases, links, and the spool."""
        while True:
            if self._stop.poll():
                self._tell_heartbeat()
            self._deadman.watch_clock()
            for held in self._deadman.due():
                self._spawn(self._run_out(held.point))
            self._watch_links()
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

    async def _beat(self) -> None:
        while True:
            self._tell_heartbeat()
            await asyncio.sleep(HEARTBEAT_S)

    def _tell_heartbeat(self) -> None:
        self._client.tell(
            Heartbeat(
                at_s=self._clock.now_s(),
                stopped=self._stop.stopped,
                links=tuple(driver.health() for driver in self._drivers.values()),
                leases=tuple(
                    LeaseInfo(point=held.point, value=held.value, until_s=held.until_s)
                    for held in self._memory.state.leases
                ),
                dropped=self._client.dropped + self._inbox.dropped,
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


def _check_links(settings: FieldSettings, addresses: Sequence[PointAddress]) -> None:
    """The points file and the links must know each other. Raises ConfigError."""
    links = {watched.settings.id for watched in settings.links}
    for address in addresses:
        if address.link not in links:
            raise ConfigError(
                f"link {address.link} is not configured",
                file=address.file,
                key=f"{address.line}:link",
                hint=f"one of {', '.join(sorted(links))}, or add a [[field.links]] table",
            )
    known = {address.point.mrid: address.link for address in addresses}
    for watched in settings.links:
        if watched.heartbeat is not None and known.get(watched.heartbeat) != watched.settings.id:
            raise ConfigError(
                f"heartbeat {watched.heartbeat} is not a point of link {watched.settings.id}",
                file=watched.settings.file,
                key="field.links.heartbeat",
                hint="name the point on this link that moves each second",
            )
