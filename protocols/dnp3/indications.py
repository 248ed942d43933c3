"""Which internal indications the stack gets to see, so that none of them sets it going for ever.

The stack answers each sight of a bit with work: an integrity poll for an overflow, clear and
integrity for a restart, a time synchronization for need-time. A device that cannot let go of the
bit would be polled without end. Here each is shown when it rises, and then only so often.
"""

from __future__ import annotations

from typing import Final

from protocols.dnp3.fragments import Fragment, Function, Iin

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
