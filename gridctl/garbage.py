"""Cyclic garbage collection, seldom: for a process that makes ten thousands of values a second.

A measurement is an object that Python's collector keeps an eye on, and none is ever part of a
cycle: reference counting frees them all. Left as it is, the collector looks after every 700 new
ones and now and then through everything that the process holds, which stops all links for as long:
beside 400,000 other objects, values took 1.0 µs each with pauses of 53 ms, and 0.4 µs with pauses
of 0.4 ms after this (Python 3.11).
"""

from __future__ import annotations

import gc

YOUNG: int = 10_000
"""So many objects more than were freed: a look at the new ones, some milliseconds."""
MIDDLE: int = 4
"""So many of those looks: one at what they left, 20 ms at most, and not 400,000 objects at once."""
OLD: int = 500


def collect_seldom() -> None:
    """What is there now is never looked at again; what comes, seldom. Once, before the work."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
