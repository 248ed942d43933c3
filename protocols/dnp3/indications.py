"""Which internal indications the stack gets to see, so that none of them sets it going for ever.

The stack answers each sight of a bit with work: an integrity poll for an overflow, clear and
integrity for a restart, a time synchronization for need-time. A device that cannot let go of the
bit would be polled without end. Here each is shown when it rises, and then only so often.
"""

from __future__ import annotations

from typing import Final

from protocols.dnp3.fragments import Fragment, Function, Iin

EVENT_BITS: Final = {1: Iin.CLASS_1_EVENTS, 2: Iin.CLASS_2_EVENTS, 3: Iin.CLASS_3_EVENTS}
EVENT_SCAN_MIN_S: Final = 0.2
EVENT_SCAN_MAX_S: Final = 60.0
OVERFLOW_PERIOD_S: Final = 10.0
RESTART_PERIOD_S: Final = 30.0
TIME_PERIOD_S: Final = 60.0
CLEARS_MAX: Final = 3
_INDICATIONS_GROUP, _TIME_GROUP = 80, 50


class Indications:
    """The history of IIN1.7, IIN2.3 and IIN1.4 of one connection."""

    def __init__(self) -> None:
        self._overflow = False
        self._overflow_shown_s: float | None = None
        self._integrity_due = False
        self._clears = 0
        self._clear_tried_s = 0.0
        self._time_written_s: float | None = None
        self.now_s = 0.0
        self.latest = 0
        self.overflows = 0
        self.restarts = 0

    def shown(self, iin: int, mono_s: float) -> int:
        """`iin` as the stack may see it at `mono_s`."""
        rose = iin & ~self.latest
        self.latest, self.now_s = iin, mono_s
        if rose & Iin.DEVICE_RESTART:
            self.restarts += 1
            self._clears = 0
        if rose & Iin.EVENT_BUFFER_OVERFLOW:
            self.overflows += 1
            self._integrity_due = True
        shown = iin & ~Iin.EVENT_BUFFER_OVERFLOW
        last_s = self._overflow_shown_s
        if self._integrity_due and (last_s is None or mono_s - last_s >= OVERFLOW_PERIOD_S):
            # Also when the bit is gone again meanwhile: the events are lost all the same.
            self._overflow_shown_s, self._integrity_due = mono_s, False
            shown |= Iin.EVENT_BUFFER_OVERFLOW
        if self._clears >= CLEARS_MAX:
            if mono_s - self._clear_tried_s < RESTART_PERIOD_S:
                shown &= ~Iin.DEVICE_RESTART
            else:
                self._clears = 0
        written_s = self._time_written_s
        if written_s is not None and mono_s - written_s < TIME_PERIOD_S:
            shown &= ~Iin.NEED_TIME
        return shown

    def asked(self, request: Fragment) -> None:
        """A request leaves: clearing the restart bit and setting the clock are counted.

        The first step of setting the clock counts as well: a device that refuses it but goes on
        asking for time would be asked back 3,000 times a second.
        """
        if request.function in (Function.RECORD_CURRENT_TIME, Function.DELAY_MEASURE):
            self._time_written_s = self.now_s
            return
        if request.function != Function.WRITE or not request.objects:
            return
        if request.objects[0] == _INDICATIONS_GROUP:
            self._clears += 1
            self._clear_tried_s = self.now_s
        elif request.objects[0] == _TIME_GROUP:
            self._time_written_s = self.now_s

    def integrity_done(self) -> None:
        """An integrity poll has ended; what it was due for is served."""
        self._integrity_due = False


class EventsAvailable:
    """IIN1.1 to 1.3: which event classes to read because the device says that it holds some.

    A class that the device may report unasked is left to it for `patience_s`: reading it at once
    would cross its own report. A device whose bits never fall and that has nothing to tell is
    asked at growing pauses; as long as events come, at the shortest.
    """

    def __init__(
        self, *, classes: frozenset[int], unsolicited: frozenset[int], patience_s: float
    ) -> None:
        self._patience_s = {one: patience_s if one in unsolicited else 0.0 for one in classes}
        self._since_s: dict[int, float] = {}
        self._asked_s: float | None = None
        self._pause_s = EVENT_SCAN_MIN_S
        self._events = 0

    def due(self, iin: int, mono_s: float, *, answered_s: float, events: int) -> frozenset[int]:
        """The classes to read now, given the latest indications, when the device last answered
        whole, and how many events it has told so far. What is returned counts as asked."""
        for one in self._patience_s:
            if not iin & EVENT_BITS[one]:
                self._since_s.pop(one, None)
            else:
                self._since_s.setdefault(one, mono_s)
        if events != self._events or not self._since_s:
            self._events, self._pause_s = events, EVENT_SCAN_MIN_S
        wanted = frozenset(
            one
            for one, since_s in self._since_s.items()
            if mono_s - since_s >= self._patience_s[one]
        )
        asked_s = self._asked_s
        if not wanted:
            return wanted
        if asked_s is not None and (answered_s < asked_s or mono_s - asked_s < self._pause_s):
            return frozenset()
        if asked_s is not None:
            self._pause_s = min(EVENT_SCAN_MAX_S, 2.0 * self._pause_s)
        self._asked_s = mono_s
        return wanted
