"""A whole driver for a small imaginary device: one JSON object a line over TCP.

    → {"id": 1, "read": ["W", "V"]}
    ← {"id": 1, "values": {"W": {"value": 812.5, "good": true, "at_s": 1764230400.0}, …}}
    → {"id": 2, "select": "WMax", "value": 40.0, "lease_s": 600.0}
    ← {"id": 2, "status": "OK"}
    → {"id": 3, "operate": "WMax", "value": 40.0}
    ← {"id": 3, "status": "OK"}

It is read from top to bottom beside docs/howto/write-a-new-driver.md. The driver contract runs on
it in tests/docs/test_example_driver.py, as it runs on DNP3 and OPC UA.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from gridctl.model.clock import Clock
from gridctl.model.command import Command, CommandState
from gridctl.model.errors import ConfigError
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Flag, Measurement, Quality, TimeQuality, Validity
from gridctl.model.permit import Permit
from protocols.backoff import Backoff
from protocols.driver import Execution, LinkSettings, PointAddress, Result, StageCallback
from protocols.inbox import Inbox
from protocols.traffic import Traffic, bounded

LINE_OCTETS_MAX: Final = 1_000_000
"""Longest answer that is read: a device that never ends its line must not eat the memory."""
STOP_S: Final = 3.0
SENTENCES: Final = {
    "LOCAL": "the device stands on local: somebody is working at it",
    "NOT_SELECTED": "the device does not remember the select: it came too late, or was for another",
    "OUT_OF_RANGE": "the device does not go there",
    "NO_SUCH_POINT": "the device does not know this output: check the points file",
}
"""What an operator is told for each status; one that is not here is told by its name."""

WIRE_ERRORS: Final = (OSError, TimeoutError, EOFError, ValueError, KeyError, TypeError)
"""What a conversation may end with, an answer that makes no sense included."""


class LineJsonDriver:
    """Fulfils `protocols.driver.Driver`. Raises ConfigError when the options cannot be used;
    connects only when started."""

    def __init__(
        self, settings: LinkSettings, points: Sequence[PointAddress], inbox: Inbox, clock: Clock
    ) -> None:
        self._host, self._port, self._timeout_s = read_options(settings)
        self._rows = {row.point.mrid: row for row in points}
        self._link = settings.id
        self._inbox = inbox
        self._clock = clock
        self._scan_s = min(row.point.scan_s for row in points)
        self._backoff = Backoff(randomness=random.SystemRandom(), cap_s=2.0)
        self._line: Line | None = None
        self._known: dict[str, Measurement] = {}
        self._task: asyncio.Task[None] | None = None
        self._one_command = asyncio.Lock()
        self._owner = ""
        self._traffic = Traffic()
        self._state, self._detail, self._since_s = "connecting", "not started", clock.now_s()
        self._reads = self._commands = self._opened = 0

    @property
    def link(self) -> str:
        return self._link

    # Reading: connect, poll, and say so when it is over

    async def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._supervise(), name=f"line-json {self._link}")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=STOP_S)
        self._enter("down", "stopped")

    async def _supervise(self) -> None:
        while True:
            try:
                await self._talk()
            except WIRE_ERRORS as error:
                self._lose(f"{type(error).__name__}: {error}" if str(error) else "no answer in time")
            await asyncio.sleep(self._backoff.pause_s())

    async def _talk(self) -> None:
        async with asyncio.timeout(self._timeout_s):
            reader, writer = await asyncio.open_connection(
                self._host, self._port, limit=LINE_OCTETS_MAX
            )
        line = Line(reader, writer, timeout_s=self._timeout_s, clock=self._clock, traffic=self._traffic)
        try:
            await self._poll(line)  # a link is up when its values are there, not when TCP says so
            self._line = line
            self._opened += 1
            self._enter("up", "")
            self._backoff.settled()
            while True:
                await asyncio.sleep(self._scan_s)
                await self._poll(line)
        finally:
            self._line = None
            line.close()

    async def _poll(self, line: Line) -> None:
        answer = await line.ask({"read": [row.address for row in self._rows.values()]})
        # Every poll is told, changed or not: that is the proof that the device lives.
        values = [self._measured(row, answer["values"][row.address]) for row in self._rows.values()]
        self._known.update((m.point, m) for m in values)
        self._reads += len(values)
        self._inbox.put(values)

    def _measured(self, row: PointAddress, told: dict[str, Any]) -> Measurement:
        now_s = self._clock.now_s()
        good = told["good"] is True and math.isfinite(told["value"])
        quality = Quality(
            validity=Validity.GOOD if good else Validity.INVALID,
            flags=frozenset() if good else frozenset({Flag.DEVICE_FAILURE}),
            native=json.dumps({"good": told["good"]}),
        )
        stamped = told.get("at_s")
        return Measurement(
            point=row.point.mrid,
            value=float(told["value"]) * row.scale + row.offset,
            quality=quality,
            source_time_s=now_s if stamped is None else float(stamped),
            time_quality=TimeQuality.RECEIVED if stamped is None else TimeQuality.SYNCHRONIZED,
            received_time_s=now_s,
        )

    def _lose(self, reason: str) -> None:
        """Every point once with COMM_LOST, then silence: the values go stale by themselves."""
        if self._state != "down":
            now_s = self._clock.now_s()
            never = Quality(validity=Validity.INVALID, flags=frozenset({Flag.INITIAL}))
            self._inbox.put(
                [
                    replace(m, quality=m.quality.degraded(Flag.COMM_LOST))
                    for mrid in self._rows
                    if (m := self._known.get(mrid) or unread(mrid, never, now_s))
                ]
            )
        self._traffic.failed(reason, at_s=self._clock.now_s())
        self._enter("down", reason)

    # Commanding: one at a time, never twice, never late

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        command = permit.command
        row = self._rows.get(command.point)
        if row is None or not row.command:
            return refused("NOT_COMMANDABLE", f"{command.point} takes no command on this link")
        async with self._one_command:
            line = self._line
            if line is None:
                return refused("LINK_DOWN", f"link {self._link} is down: {self._detail}")
            reason = permit.use(self._clock.monotonic_s()) or self._unfit(row, command)
            if reason is not None:
                return refused("PERMIT" if reason.startswith("permit") else "OUT_OF_RANGE", reason)
            self._commands += 1
            self._owner = command.mrid
            try:
                return await self._select_and_operate(line, row, command, aborted, stage)
            finally:
                self._owner = ""

    def _unfit(self, row: PointAddress, command: Command) -> str | None:
        """Why the value must not leave."""
        low = -math.inf if row.min_value is None else row.min_value
        high = math.inf if row.max_value is None else row.max_value
        if not math.isfinite(command.value) or not low <= command.value <= high:
            return f"{command.value:g} is outside of {low:g} … {high:g}"
        # The way home is always open: it is what the end of a lease is for.
        if command.lease_until_s <= self._clock.now_s() and command.value != command.default_value:
            return "the command's lease is over"
        return None

    async def _select_and_operate(
        self,
        line: Line,
        row: PointAddress,
        command: Command,
        aborted: Callable[[], bool],
        stage: StageCallback,
    ) -> Execution:
        started_s, wire = self._clock.monotonic_s(), (command.value - row.offset) / row.scale
        kept: list[str] = []

        def ended(result: Result, status: str, detail: str) -> Execution:
            return Execution(
                result=result,
                status=status,
                detail=detail,
                round_trip_s=self._clock.monotonic_s() - started_s,
                evidence=tuple(kept),
            )

        if aborted():
            return ended(Result.ABORTED, "ABORTED", "stopped before anything was sent")
        lease_s = max(1.0, command.lease_until_s - self._clock.now_s())
        sent = "select"
        try:
            stage(CommandState.SELECTED)
            select = {"select": row.command, "value": wire, "lease_s": lease_s}
            status = str((await line.ask(select, kept=kept))["status"])
            if status == "OK" and not aborted():
                sent = "operate"
                stage(CommandState.OPERATED)
                operate = {"operate": row.command, "value": wire}
                status = str((await line.ask(operate, kept=kept))["status"])
            elif status == "OK":
                return ended(Result.ABORTED, "ABORTED", "stopped between select and operate")
        except NotSentError:
            return ended(Result.REJECTED, "NOT_SENT", f"the link broke before the {sent} left")
        except WIRE_ERRORS as error:
            # Whatever comes later on this connection is for a question that nobody asks any more.
            line.close()
            detail = f"the {sent} got no proper answer ({error or 'in time'}); it is not sent again"
            return ended(Result.UNKNOWN, "NO_ANSWER", detail)
        if status != "OK":
            return ended(Result.REJECTED, status, SENTENCES.get(status, f"the device says {status}"))
        return ended(Result.ACCEPTED, "OK", f"selected and operated: {command.value:g}")

    async def read_back(self, point: str, *, timeout_s: float) -> Measurement | None:
        row, line = self._rows.get(point), self._line
        if row is None or line is None:
            return None
        try:
            async with asyncio.timeout(timeout_s):
                answer = await line.ask({"read": [row.address]})
            return self._measured(row, answer["values"][row.address])
        except WIRE_ERRORS:
            return None

    # Health

    def health(self) -> LinkHealth:
        health = LinkHealth(
            link=self._link,
            protocol="line-json",
            endpoint=f"{self._host}:{self._port}",
            state=self._state,
            since_s=self._since_s,
            points=len(self._rows),
            reads=self._reads,
            late_scans=self._traffic.timeouts,
            commands=self._commands,
            reconnects=max(0, self._opened - 1),
            round_trip_s=None,
            detail=self._detail,
            commands_in_flight=1 if self._owner else 0,
            lock_owner=self._owner,
        )
        return bounded(self._traffic.filled(health))

    def _enter(self, state: str, detail: str) -> None:
        if state != self._state:
            self._since_s = self._clock.now_s()
        self._state, self._detail = state, detail


class NotSentError(ConnectionError):
    """The connection was gone before the first octet of a question left."""


class Line:
    """One connection: one question at a time, and its own answer or none."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        timeout_s: float,
        clock: Clock,
        traffic: Traffic,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._timeout_s = timeout_s
        self._clock = clock
        self._traffic = traffic
        self._turn = asyncio.Lock()
        self._number = 0

    async def ask(self, question: dict[str, Any], *, kept: list[str] | None = None) -> dict[str, Any]:
        """The answer to `question`; both go to `kept` as evidence. Raises NotSentError, or one of
        WIRE_ERRORS after the first octet: then nobody knows what the device did."""
        async with self._turn:
            if self._writer.is_closing():
                raise NotSentError
            self._number += 1
            text = json.dumps({"id": self._number, **question})
            sent_s = self._clock.monotonic_s()
            self._writer.write(text.encode() + b"\n")
            self._keep(kept, "→ device", text)
            self._traffic.frames_out += 1
            self._traffic.bytes_out += len(text) + 1
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._writer.drain()
                    raw = await self._reader.readuntil(b"\n")
                    answer = json.loads(raw)
                    if not isinstance(answer, dict) or answer.get("id") != self._number:
                        raise ValueError("an answer to something else")
            except BaseException as error:
                # Also when we are cancelled: an answer that comes later would be taken for another.
                self._traffic.timeouts += isinstance(error, TimeoutError)
                self.close()
                raise
            self._keep(kept, "← device", raw.decode().rstrip())
            self._traffic.frames_in += 1
            self._traffic.bytes_in += len(raw)
            self._traffic.round_trips.add(self._clock.monotonic_s() - sent_s)
            return answer

    def close(self) -> None:
        """Cut it: there is nobody to say goodbye to."""
        self._writer.transport.abort()

    def _keep(self, kept: list[str] | None, arrow: str, text: str) -> None:
        if kept is not None:
            at = datetime.fromtimestamp(self._clock.now_s(), tz=UTC)
            kept.append(f"{at.isoformat(timespec='milliseconds')} {arrow} {text[:1000]}")


def read_options(settings: LinkSettings) -> tuple[str, int, float]:
    """host, port, timeout_s. Raises ConfigError that names the key, for an unknown one too."""
    options = dict(settings.options)
    host, port, timeout_s = (options.pop(k, None) for k in ("host", "port", "timeout_s"))

    def wrong(key: str, hint: str) -> ConfigError:
        return ConfigError(
            f"{key} cannot be used", file=settings.file, key=f"field.links.{key}", hint=hint
        )

    if options:
        raise wrong(min(options), "a line-json link has host, port and timeout_s")
    if not isinstance(host, str) or not host:
        raise wrong("host", "name or address of the device")
    if not isinstance(port, int) or not 0 < port < 65_536:
        raise wrong("port", "a number from 1 to 65535")
    if not isinstance(timeout_s, int | float) or not 0.1 <= timeout_s <= 30:
        raise wrong("timeout_s", "seconds that the device has for an answer, 0.1 to 30")
    return host, port, float(timeout_s)


def unread(mrid: str, quality: Quality, now_s: float) -> Measurement:
    """A point of which nothing is known yet."""
    return Measurement(
        point=mrid,
        value=0.0,
        quality=quality,
        source_time_s=now_s,
        time_quality=TimeQuality.RECEIVED,
        received_time_s=now_s,
    )


def refused(status: str, detail: str) -> Execution:
    """Nothing was sent."""
    return Execution(result=Result.REJECTED, status=status, detail=detail, round_trip_s=0.0)
