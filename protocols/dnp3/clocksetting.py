"""The time that is written to a device: as of the moment in which it leaves, not in which the
stack thought of it.

Between the two lie a hop over loopback and perhaps the end of a long answer; the device's clock
would be wrong by that, and with it every time that it reports. So the line puts its own time in:
that of RECORD_CURRENT_TIME (LAN procedure, g50v3), or now and half the way (g50v1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocols.dnp3.fragments import Fragment, Function
from protocols.dnp3.objects import Block, walk

PLAUSIBLE_SINCE_S: Final = 946_684_800.0
"""2000-01-01: a master whose own clock is before that must not set anybody's."""
_RECORDED: Final = bytes((50, 3, 0x07, 1))
_ABSOLUTE: Final = bytes((50, 1, 0x07, 1))
_TIME_OCTETS: Final = 6
_DELAY_GROUP: Final = 52
_UNIT_MS: Final = {1: 1_000, 2: 1}
"""g52v1 counts seconds, g52v2 milliseconds."""


class ClockSetting:
    """One connection's clock settings. `now_s` is our own time, UTC."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._recorded_s: float | None = None
        self._asked_s: float | None = None
        self._way_s = 0.0

    def leaves(self, request: Fragment, mono_s: float) -> Fragment:
        """`request` as it may leave at `mono_s`: with the right time where it sets the clock."""
        function, objects = request.function, request.objects
        if function == Function.RECORD_CURRENT_TIME:
            self._recorded_s = self._now_s()
        elif function == Function.DELAY_MEASURE:
            self._asked_s = mono_s
        elif function == Function.WRITE and len(objects) == len(_RECORDED) + _TIME_OCTETS:
            if objects.startswith(_RECORDED) and self._recorded_s is not None:
                return _with_time(request, self._recorded_s)
            if objects.startswith(_ABSOLUTE):
                return _with_time(request, self._now_s() + self._way_s)
        return request

    def answered(self, function: int, objects: bytes, mono_s: float) -> None:
        """The device has answered: how long the way to it is, where it was asked for that."""
        if function != Function.DELAY_MEASURE or self._asked_s is None:
            return
        for block in walk(objects):
            if isinstance(block, Block) and block.group == _DELAY_GROUP and block.number == 1:
                held_ms = int.from_bytes(block.body, "little") * _UNIT_MS[block.variation]
                self._way_s = max(0.0, (mono_s - self._asked_s - held_ms / 1_000) / 2)
        self._asked_s = None


def _with_time(request: Fragment, time_s: float) -> Fragment:
    if time_s < PLAUSIBLE_SINCE_S:
        return request
    told = round(time_s * 1_000).to_bytes(_TIME_OCTETS, "little")
    return request._replace(objects=request.objects[:-_TIME_OCTETS] + told)
