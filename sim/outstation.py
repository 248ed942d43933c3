"""A simulated DNP3 outstation in front of the plant: one link, one listener, on py1815.

Deliberately another stack than the master's (yadnp3): two readings of the standard keep each other
honest. It takes SELECT before OPERATE only, holds its own clock until a master sets it, reports
changes by event and unsolicited, and can be made to hang, to refuse and to lose its power.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

from py1815 import FunctionCode, OutstationServer
from py1815.application import ObjectHeader
from py1815.events import EventClass
from py1815.objects import AnalogPoint, BinaryPoint, CounterPoint

from gridctl.model.clock import Clock
from sim.fault_kinds import Fault
from sim.line_troubles import LineTroubles, TroubledWriter, reset
from sim.outstation_classes import EventClasses
from sim.outstation_controls import OutstationControls
from sim.outstation_events import DoubleBitPoint, OutstationEvents
from sim.outstation_forms import PointForm, double_bits
from sim.outstation_image import ObjectKey, OutstationImage
from sim.outstation_session import OutstationSession
from sim.outstation_tls import OutstationTls
from sim.plant import Plant, PlantPoint

log = logging.getLogger(__name__)

EVENTS_PER_CLASS = 2_000
UNSOLICITED_LOOK_S = 0.5
SELECT_TIMEOUT_S = 5.0
PORT_TRIES = 20
PORT_PAUSE_S = 0.1

_BINARY_INPUT, _DOUBLE_BIT_INPUT, _COUNTER, _FROZEN_COUNTER, _ANALOG_INPUT = 1, 3, 20, 21, 30
_COUNTER_MODULUS = 1 << 32
_CHATTER = 0x20


class _When(TypedDict):
    event_class: EventClass
    timestamp_ms: int


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
        forms: Mapping[str, PointForm] | None = None,
    ) -> None:
        self.link = link
        self._tls = tls
        self._host = host
        self._port = port
        self._master_address = master_address
        self._outstation_address = outstation_address
        self._clock = clock
        mine = [point for point in points if point.link == link]
        self._image = OutstationImage(mine, plant, forms)
        self._classes = EventClasses(self._image, self._image.forms)
        self._controls = OutstationControls(self._image, plant)
        self._server: _PowerSwitch | None = None
        self._session: OutstationSession | None = None
        self._events = OutstationEvents(capacity=EVENTS_PER_CLASS)
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

    def heard(self) -> bool:
        """Whether the master has asked for anything since the last call."""
        session = self._session
        if session is None:
            return False
        found, session.heard = session.heard, False
        return found

    async def start(self) -> None:
        """Power on: listen. Raises OSError when the port stays taken for 2 s."""
        if self._server is not None:
            return
        self._events = OutstationEvents(capacity=EVENTS_PER_CLASS)
        self._classes = EventClasses(self._image, self._image.forms)
        session = OutstationSession(
            self._image,
            control_provider=self._controls,
            events=self._events,
            outstation_address=self._outstation_address,
            master_address=self._master_address,
            select_timeout=SELECT_TIMEOUT_S,
            clock=self._clock.monotonic_s,
            time_sink=self._set_time,
            freeze_provider=self,
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
        session.forms = {
            (key.group, key.index): form.event
            for key, form in self._image.forms.items()
            if form.event
        }
        session.assign = self._classes.assign
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
            event_class = self._classes.of(key)
            if event_class is not None:
                self._record(key, point, event_class)
        if self._storm_events:
            self._storm()
        self._server.notify()

    def _record(self, key: ObjectKey, point: PlantPoint, event_class: EventClass) -> None:
        value, flags, at_s = self._image.reading(key)
        stamp_ms = round((self._clock.now_s() if at_s is None else at_s) * 1000)
        stamp_ms += round((self._clock_error_s + self._wrong_s) * 1000)
        when: _When = {"event_class": event_class, "timestamp_ms": stamp_ms}
        deadband = point.deadband / abs(point.scale)
        if key.group == _ANALOG_INPUT:
            analog = AnalogPoint(value, flags)
            self._events.record_analog(key.index, analog, deadband=deadband, **when)
        elif key.group == _COUNTER:
            counter = CounterPoint(round(value) % _COUNTER_MODULUS, flags)
            self._events.record_counter(key.index, counter, deadband=deadband, **when)
        elif key.group == _BINARY_INPUT:
            self._events.record_binary(key.index, BinaryPoint(bool(value), flags), **when)
        elif key.group == _DOUBLE_BIT_INPUT:
            double = DoubleBitPoint(double_bits(value), flags)
            self._events.record_double(key.index, double, **when)

    def _storm(self) -> None:
        """Chattering contacts: each is recorded open and closed, far more than the buffer holds;
        an outstation without contacts lets its analogs chatter."""
        keys = [key for key in self._image.points if key.group == _BINARY_INPUT]
        keys = keys or [key for key in self._image.points if key.group == _ANALOG_INPUT]
        now_ms = round((self._clock.now_s() + self._clock_error_s + self._wrong_s) * 1000)
        for i in range(self._storm_events if keys else 0):
            key = keys[i % len(keys)]
            value, flags, _ = self._image.reading(key)
            if i % len(keys) == 0:
                # Round by round: event by event, an even number of points would each stand still.
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
            elif key.group == _DOUBLE_BIT_INPUT:
                self._events.prime_double(key.index, DoubleBitPoint(double_bits(value), flags))
            elif key.group == _COUNTER:
                counter = CounterPoint(round(value) % _COUNTER_MODULUS, flags)
                self._events.prime_counter(key.index, counter)

    def freeze(self, headers: Sequence[ObjectHeader], *, clear: bool) -> None:
        """A master freezes counters: kept for group 21, and told as events of class 3."""
        before = dict(self._image.frozen)
        self._image.freeze(headers, clear=clear)
        stamp_ms = round((self._clock.now_s() + self._clock_error_s + self._wrong_s) * 1000)
        for index, kept in self._image.frozen.items():
            event_class = self._classes.of(ObjectKey(_FROZEN_COUNTER, index))
            if before.get(index) is not kept and event_class is not None:
                value, flags = kept
                self._events.record_frozen_counter(
                    index,
                    CounterPoint(value, flags),
                    event_class=event_class,
                    timestamp_ms=stamp_ms,
                )

    def _set_time(self, ms: int) -> None:
        """A master sets the device's clock: whatever it says is the time from now on."""
        self.time_set_s = ms / 1000.0
        self._clock_error_s = self.time_set_s - self._clock.now_s()
        log.info("outstation %s: clock set, off by %.3f s", self.link, self._clock_error_s)
