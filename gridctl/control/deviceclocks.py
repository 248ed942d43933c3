"""Devices whose clock is wrong: their values are used, their times are not.

A device that says that its clock is not set (IIN1.4, server time only) may stamp a value with any
moment. Such a time goes into no history and no forecast when it is far from the moment of receipt:
that moment takes its place, and says so. A clock that claims to be set and stamps the future
contradicts itself: what it stamps is doubted by `gridctl.control.plausibility`; here it is only
told of. An old time by itself accuses nobody: a value that has not changed is old, and so is what a
device kept while its line was down. A clock is behind when it is so by the same again later on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from gridctl.model.measurement import Measurement, Point, TimeQuality


class DeviceClocks:
    """One user: the process image. `bound_s`: grid seconds that a time may be from its receipt."""

    def __init__(self, *, bound_s: float) -> None:
        self._bound_s = bound_s
        self._told_s: dict[str, float] = {}
        self._late: dict[str, tuple[float, float]] = {}
        """By link: how far behind a stamp was, and when it was received."""
        self._wrong_s: dict[str, float] = {}

    @property
    def wrong_s(self) -> Mapping[str, float]:
        """By link: how far its device's clock was from ours when it last stamped a value, grid
        seconds, positive: ahead. Only those beyond the bound."""
        return MappingProxyType(self._wrong_s)

    def greet(self, points: Mapping[str, Point]) -> None:
        """These are the points from now on."""
        self._told_s = {p: s for p, s in self._told_s.items() if p in points}
        links = {point.link for point in points.values()}
        self._late = {link: s for link, s in self._late.items() if link in links}
        self._wrong_s = {link: s for link, s in self._wrong_s.items() if link in links}

    def judged(
        self, measurements: Sequence[Measurement], points: Mapping[str, Point], *, pace: float
    ) -> list[Measurement]:
        """The measurements, those of a clock that is not set with the time of their receipt where
        their own is far from it. `pace`: grid seconds that pass in a real one."""
        bound_s, told = self._bound_s * pace, list(measurements)
        if self._wrong_s or self._late:
            self._set_again(told, points, bound_s)
        for k, m in enumerate(told):
            off_s = m.source_time_s - m.received_time_s
            # Once per value: nearly all are within the bound, and cost one comparison.
            if -bound_s <= off_s <= bound_s:
                continue
            if m.time_quality is TimeQuality.UNSYNCHRONIZED:
                self._note(m, points, off_s, bound_s)
                told[k] = replace(
                    m, source_time_s=m.received_time_s, time_quality=TimeQuality.RECEIVED
                )
            elif off_s > 0.0 and m.time_quality is TimeQuality.SYNCHRONIZED:
                self._note(m, points, off_s, bound_s)
        return told

    def _note(
        self, m: Measurement, points: Mapping[str, Point], off_s: float, bound_s: float
    ) -> None:
        """A time that was told before is the age of the value, and tells nothing of the clock."""
        if self._told_s.get(m.point) == m.source_time_s:
            return
        self._told_s[m.point] = m.source_time_s
        link = points[m.point].link
        if off_s > 0.0:
            self._wrong_s[link] = off_s
            return
        then_off_s, then_s = self._late.setdefault(link, (off_s, m.received_time_s))
        if m.received_time_s - then_s <= bound_s:
            return
        if abs(off_s - then_off_s) <= bound_s:
            self._wrong_s[link] = off_s
        self._late[link] = (off_s, m.received_time_s)

    def _set_again(
        self, told: Sequence[Measurement], points: Mapping[str, Point], bound_s: float
    ) -> None:
        """A device that stamps the present has its clock back."""
        for m in told:
            link = points[m.point].link
            if (
                (link in self._wrong_s or link in self._late)
                and m.time_quality is not TimeQuality.RECEIVED
                and abs(m.source_time_s - m.received_time_s) <= bound_s
            ):
                self._wrong_s.pop(link, None)
                self._late.pop(link, None)
