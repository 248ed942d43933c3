"""Links whose device has restarted, or has lost events: told to people, each until it is seen.

A device that restarts is back within seconds, so its link alarms nobody; but what happened before
is gone with its buffer, and somebody should ask why. Both are read from what the driver tells in
its protocol's own words (`LinkHealth.diagnostics`); of a driver that cannot know them none is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.model.clock import Clock
from gridctl.model.link import LinkHealth

LOOK_S: Final = 1.0
CALM_S: Final = 30.0
"""Real seconds without another overflow after which it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Counters of one session; they begin anew with the next one."""

    session: int
    restarts: int
    overflows: int

    def more(self, now: _Seen) -> tuple[int, int]:
        """Restarts and overflows that are new in `now`."""
        if now.session != self.session:
            return now.restarts, now.overflows
        return now.restarts - self.restarts, now.overflows - self.overflows


class LinkWatch:
    """`look` as often as you like; it works once a second. `links`: as the field tells them."""

    def __init__(
        self, *, links: Callable[[], tuple[LinkHealth, ...]], alarms: AlarmBook, clock: Clock
    ) -> None:
        self._links = links
        self._alarms = alarms
        self._clock = clock
        self._looked_mono_s = float("-inf")
        self._seen: dict[str, _Seen] = {}
        self._overflowed_mono_s: dict[str, float] = {}

    async def look(self) -> None:
        """Look at all links, and keep the alarms."""
        mono_s = self._clock.monotonic_s()
        if mono_s - self._looked_mono_s < LOOK_S:
            return
        self._looked_mono_s = mono_s
        for link in self._links():
            await self._look_at(link, mono_s)

    async def _look_at(self, link: LinkHealth, mono_s: float) -> None:
        name = link.link
        now = _Seen(
            session=link.reconnects,
            restarts=_count(link, "restarts"),
            overflows=_count(link, "event overflows"),
        )
        before = self._seen.get(name)
        if before is not None or link.state == "up":
            # What was before the link was first up is no news: everything starts once.
            self._seen[name] = now
        restarts, overflows = (0, 0) if before is None else before.more(now)
        if restarts > 0:
            key = f"restarted.{name}"
            await self._alarms.raised(
                Condition(
                    key=key,
                    priority=3,
                    text=f"the device behind {name} has restarted; events that it had not told yet "
                    "are gone",
                    response="ask why: its supply, its watchdog, somebody on site; its values have "
                    "been read anew",
                )
            )
            # It is over as soon as it has happened: the alarm stands until somebody has seen it.
            await self._alarms.cleared(key)
        if overflows > 0:
            self._overflowed_mono_s[name] = mono_s
        last_s = self._overflowed_mono_s.get(name, float("-inf"))
        await self._alarms.follows(
            mono_s - last_s < CALM_S,
            Condition(
                key=f"overflow.{name}",
                priority=3,
                text=f"the device behind {name} has more events than its buffer holds: some are "
                "lost",
                response="find the point that chatters (sequence of events); its values are read "
                "anew meanwhile",
            ),
        )


def _count(link: LinkHealth, key: str) -> int:
    found = link.diagnostics.get(key, "0")
    return int(found) if found.isdecimal() else 0
