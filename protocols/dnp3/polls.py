"""The polls that the line makes by itself: what is read, and when."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.dnp3.settings import Dnp3Settings

_CLASSES: Final = 60
_ALL_OBJECTS: Final = 0x06
_START_STOP_16: Final = 0x01
_EVERYTHING: Final = (1, 2, 3, 0)
"""The buffered events first, then the present values (IEEE 1815-2012 clause 4.2.2)."""


@dataclass(frozen=True, slots=True)
class Poll:
    """Read `objects` (headers only) every `period_s`."""

    period_s: float
    objects: bytes


def reads_of(settings: Dnp3Settings, *, scan_s: float) -> list[Poll]:
    """Polls of everything, of event classes and of ranges: the same that `scans.add_scans` tells
    the stack where values come by the stack."""
    integrity_s = settings.integrity_s if settings.integrity_s is not None else scan_s
    found = [Poll(integrity_s, b"".join(_class(one) for one in _EVERYTHING))]
    found += [Poll(period_s, _class(one)) for one, period_s in settings.class_s.items()]
    found += [
        Poll(scan.period_s, range_read(scan.group, scan.start, scan.stop))
        for scan in settings.scans
    ]
    return found


def range_read(group: int, start: int, stop: int) -> bytes:
    """The header that asks for these objects, in the variation that the device likes best."""
    return struct.pack("<BBBHH", group, 0, _START_STOP_16, start, stop)


def _class(one: int) -> bytes:
    return bytes((_CLASSES, one + 1, _ALL_OBJECTS))


class Polls:
    """Timers of one connection; none is left after `end`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, read: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._read = read
        self._timers: dict[Poll, asyncio.TimerHandle] = {}
        self._ended = False

    def begin(self, polls: Sequence[Poll]) -> None:
        """The first of each now, all others by the period."""
        for poll in polls:
            self._due(poll, self._loop.time())

    def end(self) -> None:
        self._ended = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _due(self, poll: Poll, at_s: float) -> None:
        if self._ended:
            return
        next_s, now_s = at_s + poll.period_s, self._loop.time()
        if next_s <= now_s:
            # What the loop was late for is left out, not made up for in a burst.
            next_s = now_s + poll.period_s
        self._timers[poll] = self._loop.call_at(next_s, self._due, poll, next_s)
        self._read(poll.objects)
