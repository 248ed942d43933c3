"""What the native stack calls, on its own threads: convert, hand over, nothing else.

Every method is total (`stack.total`); all of a class's callbacks of one channel come one after
another (opendnp3 runs a channel on one strand), so they need no lock among themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import opendnp3 as o

from gridctl.model.clock import Clock
from protocols.dnp3.codec import Sample
from protocols.dnp3.stack import total

SAMPLES_MAX = 100_000
"""More objects than this in one fragment are not ours: a fragment has 2,048 octets."""

_DOUBLE_BIT = (0.0, 0.0, 1.0, 0.0)
"""Value of the four states of IEEE 1815-2012 g3."""


class Readings(o.ISOEHandler):
    """Collects the objects of one fragment as the stack boxed them, and hands them over as a whole.

    `failed` is set, for good, when a fragment could not be handed over: the line lets no confirm
    out after that, so the device keeps its events (G2).
    """

    def __init__(self, deliver: Callable[[list[Sample], bool], None]) -> None:
        """`deliver` is given the samples, and whether they came unsolicited."""
        super().__init__()
        self._deliver = deliver
        self._samples: list[Sample] = []
        self.failed = False

    @total(None)
    def BeginFragment(self, info: o.ResponseInfo) -> None:  # noqa: ARG002, N802 - opendnp3's name
        self._samples = []

    @total(None)
    def EndFragment(self, info: o.ResponseInfo) -> None:  # noqa: N802 - opendnp3's name
        samples, self._samples = self._samples, []
        with self._noted():
            self._deliver(samples, bool(info.unsolicited))

    @total(None)
    def Process(self, info: o.HeaderInfo, values: list[o.Indexed]) -> None:  # noqa: N802
        with self._noted():
            self._collect(info, values)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.failed = True
            raise

    def _collect(self, info: o.HeaderInfo, values: list[o.Indexed]) -> None:
        if not values or len(self._samples) > SAMPLES_MAX:
            return
        group = _read_group(values[0].value)
        if group is None:
            return
        wire = int(info.gv.value)
        variation = f"g{wire >> 8}v{wire & 0xFF}"
        event = bool(info.isEventVariation)
        flagged = bool(info.flagsValid)
        self._samples += [
            _sample(one, group=group, variation=variation, is_event=event, flagged=flagged)
            for one in values
        ]


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
        elif state in (0, 3):
            value = math.nan  # in between, and no flags to say so
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


class Quiet(o.ISOEHandler):
    """For responses whose values have been taken in the line already. It overrides nothing, so
    the stack does not come over into Python at all."""

    def __init__(self) -> None:
        super().__init__()


class Application(o.IMasterApplication):
    """What the stack asks its user: the time. What it would tell, the line has seen already, so
    nothing else is overridden (tasks, indications, open and close)."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._ms = round(clock.now_s() * 1000)

    def Now(self) -> o.UTCTimestamp:  # noqa: N802 - opendnp3's name
        # An exception here would set the device's clock to 1970 (G2): the last good time instead.
        self._read_clock()
        return o.UTCTimestamp(self._ms)

    @total(None)
    def _read_clock(self) -> None:
        self._ms = round(self._clock.now_s() * 1000)


class Listener(o.IChannelListener):
    """The channel's states are the line's business; opendnp3 wants somebody to tell them to."""

    def __init__(self) -> None:
        super().__init__()

    @total(None)
    def OnStateChange(self, state: o.ChannelState) -> None:  # noqa: ARG002, N802 - opendnp3's name
        return
