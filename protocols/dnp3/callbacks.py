"""What the native stack calls, on its own threads: convert, hand over, nothing else.

Every method is total (`stack.total`); all of a class's callbacks of one channel come one after
another (opendnp3 runs a channel on one strand), so they need no lock among themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import opendnp3 as o

from gridctl.model.clock import Clock
from protocols.dnp3.codec import PointTable, Sample
from protocols.dnp3.controls import Completion
from protocols.dnp3.stack import total

SAMPLES_MAX = 100_000
"""More objects than this in one fragment are not ours: a fragment has 2,048 octets."""

_DOUBLE_BIT = (0.0, 0.0, 1.0, 0.0)
"""Value of the four states of IEEE 1815-2012 g3."""


class Readings(o.ISOEHandler):
    """Collects the objects of one fragment and hands them over as a whole at its end."""

    def __init__(self, table: PointTable, deliver: Callable[[list[Sample]], None]) -> None:
        super().__init__()
        self._table = table
        self._deliver = deliver
        self._samples: list[Sample] = []

    @total(None)
    def BeginFragment(self, info: o.ResponseInfo) -> None:  # noqa: ARG002, N802 - opendnp3's name
        self._samples = []

    @total(None)
    def EndFragment(self, info: o.ResponseInfo) -> None:  # noqa: ARG002, N802 - opendnp3's name
        samples, self._samples = self._samples, []
        self._deliver(samples)

    @total(None)
    def Process(self, info: o.HeaderInfo, values: list[o.Indexed]) -> None:  # noqa: N802
        if not values or len(self._samples) > SAMPLES_MAX:
            return
        group = _read_group(values[0].value)
        if group is None:
            return
        wire = int(info.gv.value)
        variation = f"g{wire >> 8}v{wire & 0xFF}"
        event = bool(info.isEventVariation)
        flagged = bool(info.flagsValid)
        for indexed in values:
            if self._table.at(group, indexed.index):
                self._samples.append(
                    _sample(
                        indexed, group=group, variation=variation, is_event=event, flagged=flagged
                    )
                )


def _read_group(value: object) -> int | None:
    """The static group that carries values of this class; None for what no point reads."""
    match value:
        case o.Binary():
            return 1
        case o.DoubleBitBinary():
            return 3
        case o.BinaryOutputStatus():
            return 10
        case o.Counter():
            return 20
        case o.FrozenCounter():
            return 21
        case o.Analog():
            return 30
        case o.AnalogOutputStatus():
            return 40
        case _:
            return None


def _sample(
    indexed: o.Indexed, *, group: int, variation: str, is_event: bool, flagged: bool
) -> Sample:
    boxed = indexed.value
    flags: int | None = int(boxed.flags.value) if flagged else None  # type: ignore[attr-defined]
    if isinstance(boxed, o.DoubleBitBinary):
        state = int(boxed.value)
        value = _DOUBLE_BIT[state]
        if flags is not None:
            flags = flags & 0x3F | state << 6
    else:
        value = float(boxed.value)  # type: ignore[attr-defined]
    time = boxed.time  # type: ignore[attr-defined]
    quality = int(time.quality)
    stamped = quality != int(o.TimestampQuality.INVALID) and time.value > 0
    return Sample(
        group=group,
        index=int(indexed.index),
        value=value,
        flags=flags,
        time_ms=int(time.value) if stamped else None,
        synchronized=quality == int(o.TimestampQuality.SYNCHRONIZED),
        is_event=is_event,
        variation=variation,
    )


class Application(o.IMasterApplication):
    """Hears every answer of the device: proof of life, internal indications, tasks."""

    def __init__(self, clock: Clock, *, on_ready: Callable[[], None]) -> None:
        super().__init__()
        self._clock = clock
        self._on_ready = on_ready
        self._ms = round(clock.now_s() * 1000)
        self._after_iin: Callable[[int], None] | None = None
        self.heard_s: float | None = None
        self.iin1 = 0
        self.iin2 = 0
        self.task_since_s: float | None = None
        self.round_trip_s: float | None = None
        self.failed_tasks = 0

    def Now(self) -> o.UTCTimestamp:  # noqa: N802 - opendnp3's name
        # An exception here would set the device's clock to 1970 (G2): the last good time instead.
        self._read_clock()
        return o.UTCTimestamp(self._ms)

    @total(None)
    def _read_clock(self) -> None:
        self._ms = round(self._clock.now_s() * 1000)

    def after_iin(self, waiting: Callable[[int], None]) -> None:
        """Call `waiting` with the IIN2 octet of the answer that is being processed.

        For command callbacks, on their strand: the stack calls them first and tells the IIN of the
        same answer right afterwards (measured with 3.2.1.4), so at that moment it is not known yet.
        """
        self._after_iin = waiting

    @total(None)
    def OnReceiveIIN(self, iin: o.IINField) -> None:  # noqa: N802 - opendnp3's name
        self.heard_s = self._clock.monotonic_s()
        self.iin1 = int(iin.LSB)
        self.iin2 = int(iin.MSB)
        waiting, self._after_iin = self._after_iin, None
        if waiting is not None:
            waiting(self.iin2)

    @total(None)
    def OnTaskStart(self, type: o.MasterTaskType, id: o.TaskId) -> None:  # noqa: A002, ARG002, N802
        self.task_since_s = self._clock.monotonic_s()

    @total(None)
    def OnTaskComplete(self, info: o.TaskInfo) -> None:  # noqa: N802 - opendnp3's name
        since_s, self.task_since_s = self.task_since_s, None
        if int(info.result) != Completion.SUCCESS:
            self.failed_tasks += 1
            return
        if since_s is not None:
            self.round_trip_s = self._clock.monotonic_s() - since_s
        if int(info.type) == int(o.MasterTaskType.STARTUP_INTEGRITY_POLL):
            self._on_ready()

    @total(None)
    def OnOpen(self) -> None:  # noqa: N802 - opendnp3's name
        return

    @total(None)
    def OnClose(self) -> None:  # noqa: N802 - opendnp3's name
        return

    @total(False)
    def AssignClassDuringStartup(self) -> bool:  # noqa: N802 - opendnp3's name
        return False


class Listener(o.IChannelListener):
    """Tells when the socket opens and closes."""

    def __init__(self, on_open: Callable[[], None], on_loss: Callable[[], None]) -> None:
        super().__init__()
        self._on_open = on_open
        self._on_loss = on_loss
        self.is_open = False

    @total(None)
    def OnStateChange(self, state: o.ChannelState) -> None:  # noqa: N802 - opendnp3's name
        was_open = self.is_open
        self.is_open = int(state) == int(o.ChannelState.OPEN)
        if self.is_open:
            self._on_open()
        elif was_open:
            self._on_loss()
