"""The outstation's event buffers: py1815's, and what it does not know: double-bit inputs and
counters that run."""

from __future__ import annotations

from dataclasses import dataclass, field

from py1815.events import Event, EventBuffers, EventClass, FrozenCounterEvent
from py1815.objects import CounterPoint

_COUNTER_MODULUS = 1 << 32


@dataclass(frozen=True, slots=True)
class DoubleBitPoint:
    """`state`: the two bits as they stand on the wire; `flags` without them."""

    state: int
    flags: int


@dataclass(frozen=True)
class DoubleBitEvent:
    """One change of a double-bit input; the fields are those of py1815's events."""

    index: int
    point: DoubleBitPoint
    timestamp_ms: int
    order: int = field(default=0, compare=False)
    synchronized: bool = field(default=True, compare=False)


class CounterEvent(FrozenCounterEvent):
    """A running counter has moved: told as a frozen one is, but for its group."""


class OutstationEvents(EventBuffers):
    """Buffers by class; double-bit events keep their sequence like binary ones."""

    def __init__(self, *, capacity: int) -> None:
        super().__init__(capacity=capacity, analog_latest_only=True)
        self._last_double: dict[int, DoubleBitPoint] = {}
        self._last_counter: dict[int, CounterPoint] = {}

    def prime_counter(self, index: int, point: CounterPoint) -> None:
        """Note where a counter stands, without reporting it."""
        self._last_counter[index] = point

    def record_counter(
        self,
        index: int,
        point: CounterPoint,
        *,
        event_class: EventClass,
        deadband: float,
        timestamp_ms: int,
    ) -> None:
        """Record a reading; more than `deadband` counts, or another quality, are an event."""
        last = self._last_counter.get(index)
        if last is not None and last.flags == point.flags:
            moved = (point.value - last.value) % _COUNTER_MODULUS
            if min(moved, _COUNTER_MODULUS - moved) <= deadband:
                return
        self._last_counter[index] = point
        self._buffer(event_class, CounterEvent(index, point, timestamp_ms, self._next_order()))

    def peek_kind(self, kind: type, limit: int | None = None) -> list[Event]:
        """Frozen counters and running ones are of one kind for py1815, and two groups here."""
        if not issubclass(kind, FrozenCounterEvent):
            return super().peek_kind(kind, limit)
        found: list[Event] = [e for e in super().peek_kind(kind) if type(e) is kind]
        return found if limit is None else found[: max(0, limit)]

    def prime_double(self, index: int, point: DoubleBitPoint) -> None:
        """Note where a point stands, without reporting it."""
        self._last_double[index] = point

    def record_double(
        self, index: int, point: DoubleBitPoint, *, event_class: EventClass, timestamp_ms: int
    ) -> None:
        """Record a reading; a change of state or quality is an event."""
        if self._last_double.get(index) == point:
            return
        self._last_double[index] = point
        event = DoubleBitEvent(
            index, point, timestamp_ms, self._next_order(), synchronized=self.synchronized
        )
        self._buffer(event_class, event)  # type: ignore[arg-type]
