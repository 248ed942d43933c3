"""A simulated DNP3 outstation in front of the plant: one link, one listener, on py1815.

Deliberately another stack than the master's (yadnp3): two readings of the standard keep each other
honest. It takes SELECT before OPERATE only, holds its own clock until a master sets it, reports
changes by event and unsolicited, and can be made to hang, to refuse and to lose its power.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from typing import cast

from py1815 import FunctionCode, OutstationServer
from py1815.control import (
    AnalogOutput,
    CommandStatus,
    ControlRelayOutputBlock,
    OperationType,
    TripCloseCode,
)
from py1815.events import EventBuffers, EventClass
from py1815.objects import AnalogPoint, BinaryPoint
from py1815.session import Control

from gridctl.model.clock import Clock
from sim.fault_kinds import Fault
from sim.line_troubles import LineTroubles, TroubledWriter, reset
from sim.outstation_image import ObjectKey, OutstationImage, parse_address, to_plant
from sim.outstation_session import OutstationSession
from sim.outstation_tls import OutstationTls
from sim.plant import Plant, PlantPoint, Verdict

log = logging.getLogger(__name__)

EVENTS_PER_CLASS = 2_000
UNSOLICITED_LOOK_S = 0.5
SELECT_TIMEOUT_S = 5.0
PORT_TRIES = 20
PORT_PAUSE_S = 0.1

_STATUS = {
    Verdict.ACCEPTED: CommandStatus.SUCCESS,
    Verdict.OUT_OF_RANGE: CommandStatus.OUT_OF_RANGE,
    Verdict.LOCAL: CommandStatus.LOCAL,
    Verdict.BLOCKED: CommandStatus.BLOCKED,
    Verdict.NOT_SUPPORTED: CommandStatus.NOT_SUPPORTED,
}
_ANALOG_OUTPUT, _BINARY_OUTPUT = 40, 10
_ANALOG_COMMAND = 41
_BINARY_INPUT, _ANALOG_INPUT = 1, 30
_CHATTER = 0x20


class _Controls:
    """What a master may command, and what the plant says to it (py1815's ControlProvider)."""

    def __init__(self, image: OutstationImage, plant: Plant) -> None:
        self._image = image
        self._plant = plant
        self._leases_s: dict[int, float] = {}
        self._enabled: set[int] = set()
        self._pending: dict[PlantPoint, tuple[float, float | None]] = {}
        self.reject_select = False
        self.operates = 0

    def select(self, controls: Sequence[Control]) -> Sequence[CommandStatus]:
        if self.reject_select:
            return [CommandStatus.LOCAL for _ in controls]
        return [self._judge(control, operate=False) for control in controls]

    def operate(self, controls: Sequence[Control]) -> Sequence[CommandStatus]:
        return [self._judge(control, operate=True) for control in controls]

    def _judge(self, control: Control, *, operate: bool) -> CommandStatus:
        wire = _wire_value(control)
        if isinstance(wire, CommandStatus):
            return wire
        group = _ANALOG_OUTPUT if control.group == _ANALOG_COMMAND else _BINARY_OUTPUT
        key = ObjectKey(group, control.index)
        if group == _ANALOG_OUTPUT and key.index in self._image.leases:
            return self._hold(key, wire, operate=operate)
        if group == _BINARY_OUTPUT and key.index in self._image.enables:
            return self._enable(key, wire != 0.0, operate=operate)
        point = self._image.outputs.get(key)
        if point is None:
            return CommandStatus.NOT_SUPPORTED
        value = to_plant(point, wire)
        if not operate:
            return _STATUS[self._plant.check(point.mrid, value)]
        self.operates += 1
        lease_s = self._lease_of(point)
        if point.enable and parse_address(point.enable).index not in self._enabled:
            verdict = self._plant.check(point.mrid, value)
            if verdict is Verdict.ACCEPTED:
                self._pending[point] = value, lease_s
        else:
            verdict = self._plant.command(point.mrid, value, lease_s=lease_s)
        if verdict is Verdict.ACCEPTED:
            self._image.operated(key, wire)
        return _STATUS[verdict]

    def _hold(self, key: ObjectKey, seconds: float, *, operate: bool) -> CommandStatus:
        """A lease point: seconds until the device goes home, for the setpoint written next."""
        if seconds < 0:
            return CommandStatus.OUT_OF_RANGE
        if operate:
            self._leases_s[key.index] = seconds
            self._image.operated(key, seconds)
        return CommandStatus.SUCCESS

    def _enable(self, key: ObjectKey, on: bool, *, operate: bool) -> CommandStatus:
        """The output that puts setpoints in force (IEEE 1815.2 BO17): those that wait for it take
        effect now. Switching it off lets a present setpoint run out with its lease."""
        if not operate:
            return CommandStatus.SUCCESS
        self._image.operated(key, float(on))
        if not on:
            self._enabled.discard(key.index)
            return CommandStatus.SUCCESS
        self._enabled.add(key.index)
        worst = Verdict.ACCEPTED
        for point in self._image.enables[key.index]:
            waiting = self._pending.pop(point, None)
            if waiting is not None:
                value, lease_s = waiting
                verdict = self._plant.command(point.mrid, value, lease_s=lease_s)
                worst = verdict if worst is Verdict.ACCEPTED else worst
        return _STATUS[worst]

    def _lease_of(self, point: PlantPoint) -> float | None:
        """The lease that was written for this setpoint; used up by it."""
        for index, points in self._image.leases.items():
            if point in points:
                return self._leases_s.pop(index, None)
        return None


def _wire_value(control: Control) -> float | CommandStatus:
    """The number that a command carries, or why it carries none that this device takes."""
    match control.command:
        case AnalogOutput(value=value):
            return float(value) if math.isfinite(value) else CommandStatus.OUT_OF_RANGE
        case ControlRelayOutputBlock() as crob:
            if crob.queued:
                return CommandStatus.FORMAT_ERROR
            if crob.count != 1 or crob.trip_close is not TripCloseCode.NUL:
                return CommandStatus.NOT_SUPPORTED
            if crob.operation is OperationType.LATCH_ON:
                return 1.0
            if crob.operation is OperationType.LATCH_OFF:
                return 0.0
            return CommandStatus.NOT_SUPPORTED


class _PowerSwitch(OutstationServer):
    """py1815's listener, whose connections end quietly when it is switched off.

    It cancels the task of a connection; asyncio 3.11 logs that as a failed callback. What it writes
    goes over a line that may be bad.
    """

    line: LineTroubles

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await super()._handle(reader, cast("asyncio.StreamWriter", self._behind_line(writer)))
        except asyncio.CancelledError:
            writer.close()

    def _behind_line(self, writer: asyncio.StreamWriter) -> TroubledWriter:
        return TroubledWriter(writer, self.line)

    def reset_connection(self) -> None:
        """End the connection with RST, as a device does that has forgotten it."""
        if self._active is not None:
            reset(self._active.transport)


class SimOutstation:
    """One outstation with the points of one link.

    `host`, `port`: where it listens. Raises ValueError for an address that DNP3 does not have.
    `reject_select` answers every SELECT with LOCAL; `frozen` stops it from answering at all;
    `stop()` and `start()` again are a power cut: it comes back restarted, on the same port.
    """

    def __init__(
        self,
        *,
        link: str,
        host: str,
        port: int,
        master_address: int,
        outstation_address: int,
        points: Sequence[PlantPoint],
        plant: Plant,
        clock: Clock,
        tls: OutstationTls | None = None,
    ) -> None:
        self.link = link
        self._tls = tls
        self._host = host
        self._port = port
        self._master_address = master_address
        self._outstation_address = outstation_address
        self._clock = clock
        mine = [point for point in points if point.link == link]
        self._image = OutstationImage(mine, plant)
        self._controls = _Controls(self._image, plant)
        self._server: _PowerSwitch | None = None
        self._session: OutstationSession | None = None
        self._events = EventBuffers(capacity=EVENTS_PER_CLASS, analog_latest_only=True)
        self._clock_error_s = 0.0
        self._wrong_s = 0.0
        self._storm_events = 0
        self._lose_operates = False
        self._storm_state = False
        self.line = LineTroubles(seed=outstation_address)
        self.time_set_s: float | None = None

    # --- fault hooks ------------------------------------------------------------------------

    @property
    def reject_select(self) -> bool:
        return self._controls.reject_select

    @reject_select.setter
    def reject_select(self, wanted: bool) -> None:
        self._controls.reject_select = wanted

    @property
    def frozen(self) -> bool:
        return self._session is not None and self._session.frozen

    @frozen.setter
    def frozen(self, wanted: bool) -> None:
        if self._session is None:
            return
        if wanted:
            self._session.freeze()
        else:
            self._session.thaw()
            if self._server is not None:
                self._server.notify()

    def disturb(self, fault: Fault, *, on: bool, amount: float) -> None:
        """Switch one of a server's faults. ValueError for one that an outstation does not have."""
        if self.line.set(fault, on=on, amount=amount):
            if fault is Fault.HALF_OPEN:
                self._session_silence()
            return
        match fault:
            case Fault.OUTSTATION_FREEZE:
                self.frozen = on
            case Fault.WRONG_TIME:
                self._wrong_s = amount if on else 0.0
            case Fault.EVENT_STORM:
                self._storm_events = round(amount) if on else 0
            case Fault.LOST_OPERATE:
                self._lose_operates = on
                if self._session is not None:
                    self._session.lose_operates = on
            case _:
                raise ValueError(f"{fault} is no fault of a DNP3 outstation")

    def _session_silence(self) -> None:
        if self._session is None or self._server is None:
            return
        self._session.deaf = self.line.silent
        if not self.line.silent:
            self._server.reset_connection()

    # --- what the world asks ----------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    @property
    def operates(self) -> int:
        """OPERATEs that reached the plant, counted at the device; leases not counted."""
        return self._controls.operates

    async def start(self) -> None:
        """Power on: listen. Raises OSError when the port stays taken for 2 s."""
        if self._server is not None:
            return
        self._events = EventBuffers(capacity=EVENTS_PER_CLASS, analog_latest_only=True)
        session = OutstationSession(
            self._image,
            control_provider=self._controls,
            events=self._events,
            outstation_address=self._outstation_address,
            master_address=self._master_address,
            select_timeout=SELECT_TIMEOUT_S,
            clock=self._clock.monotonic_s,
            time_sink=self._set_time,
            need_time=True,
            disabled_functions=(FunctionCode.DIRECT_OPERATE, FunctionCode.DIRECT_OPERATE_NR),
            unsolicited=True,
        )
        server = _PowerSwitch(
            session,
            bind=f"{self._host}:{self._port}",
            unsolicited_interval=UNSOLICITED_LOOK_S,
            ssl_context=None if self._tls is None else self._tls.context(),
            authorized_peers=None if self._tls is None else frozenset({self._tls.client_name}),
        )
        server.line = self.line
        session.lose_operates, session.deaf = self._lose_operates, self.line.silent
        for attempt in range(PORT_TRIES):
            try:
                await server.start()
                break
            except OSError:
                if attempt == PORT_TRIES - 1:
                    raise
                await asyncio.sleep(PORT_PAUSE_S)
        self._prime()
        self._session, self._server = session, server

    async def stop(self) -> None:
        """Power off: connections end, the port is free. Harmless when it is off."""
        server, self._server, self._session = self._server, None, None
        if server is not None:
            await server.stop()

    async def publish(self) -> None:
        """The plant has moved: record what changed beyond its deadband, and report it."""
        if self._server is None:
            return
        for key, point in self._image.points.items():
            value, flags, at_s = self._image.reading(key)
            stamp_ms = round((self._clock.now_s() if at_s is None else at_s) * 1000)
            stamp_ms += round((self._clock_error_s + self._wrong_s) * 1000)
            if key.group == _ANALOG_INPUT:
                self._events.record_analog(
                    key.index,
                    AnalogPoint(value, flags),
                    event_class=EventClass.CLASS_2,
                    deadband=point.deadband / abs(point.scale),
                    timestamp_ms=stamp_ms,
                )
            elif key.group == _BINARY_INPUT:
                self._events.record_binary(
                    key.index,
                    BinaryPoint(bool(value), flags),
                    event_class=EventClass.CLASS_1,
                    timestamp_ms=stamp_ms,
                )
        if self._storm_events:
            self._storm()
        self._server.notify()

    def _storm(self) -> None:
        """Chattering contacts: each is recorded open and closed, far more than the buffer holds;
        an outstation without contacts lets its analogs chatter."""
        keys = [key for key in self._image.points if key.group == _BINARY_INPUT]
        keys = keys or [key for key in self._image.points if key.group == _ANALOG_INPUT]
        now_ms = round((self._clock.now_s() + self._clock_error_s + self._wrong_s) * 1000)
        for i in range(self._storm_events if keys else 0):
            key = keys[i % len(keys)]
            value, flags, _ = self._image.reading(key)
            self._storm_state = not self._storm_state
            if key.group == _BINARY_INPUT:
                self._events.record_binary(
                    key.index,
                    BinaryPoint(self._storm_state, flags | _CHATTER),
                    event_class=EventClass.CLASS_1,
                    timestamp_ms=now_ms,
                )
            else:
                self._events.record_analog(
                    key.index,
                    AnalogPoint(value + self._storm_state, flags),
                    event_class=EventClass.CLASS_2,
                    deadband=0.0,
                    timestamp_ms=now_ms,
                )

    def _prime(self) -> None:
        """What stands at power-on is no event: the integrity poll tells it."""
        for key in self._image.points:
            value, flags, _ = self._image.reading(key)
            if key.group == _ANALOG_INPUT:
                self._events.prime_analog(key.index, AnalogPoint(value, flags))
            elif key.group == _BINARY_INPUT:
                self._events.prime_binary(key.index, BinaryPoint(bool(value), flags))

    def _set_time(self, ms: int) -> None:
        """A master sets the device's clock: whatever it says is the time from now on."""
        self.time_set_s = ms / 1000.0
        self._clock_error_s = self.time_set_s - self._clock.now_s()
        log.info("outstation %s: clock set, off by %.3f s", self.link, self._clock_error_s)
