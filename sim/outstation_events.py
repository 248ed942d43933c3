"""The outstation's event buffers: py1815's, and double-bit inputs, which it does not know."""

from __future__ import annotations

from dataclasses import dataclass, field

from py1815.events import EventBuffers, EventClass


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


class OutstationEvents(EventBuffers):
    """Buffers by class; double-bit events keep their sequence like binary ones."""

    def __init__(self, *, capacity: int) -> None:
        super().__init__(capacity=capacity, analog_latest_only=True)
        self._last_double: dict[int, DoubleBitPoint] = {}

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
