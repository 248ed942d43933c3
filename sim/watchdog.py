"""What a device does when its master is no longer heard: back to its default, lease or not.

Every request of the master is a sign of life. A device that watches for it does not wait for the
end of its lease when nobody is there any more who could renew it or call it back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

log = logging.getLogger(__name__)


class Held(Protocol):
    """A setpoint that can be let go."""

    def drop(self) -> None:
        """Back to the default with the next step."""
        ...


class Watchdog:
    """One for all links. `holds`: what each link's master may have set; `silence_s`: grid seconds
    without a sign of life after which it is let go. None: these devices do not watch."""

    def __init__(
        self, silence_s: float | None, holds: Mapping[str, Sequence[Held]], *, at_s: float
    ) -> None:
        self._silence_s = silence_s
        self._holds = dict(holds)
        self._heard_s = dict.fromkeys(holds, at_s)
        self.silent: frozenset[str] = frozenset()
        """Links whose master has been away for so long."""

    def step(self, heard: Iterable[str], *, at_s: float) -> None:
        """Let time pass; `heard`: the links whose master has asked for something since."""
        self._heard_s.update(dict.fromkeys(heard, at_s))
        if self._silence_s is None:
            return
        gone = {link for link, t in self._heard_s.items() if at_s - t > self._silence_s}
        for link in sorted(gone - self.silent):
            log.warning("%s: no sign of its master, its devices return to their defaults", link)
        for link in gone:
            for hold in self._holds[link]:
                hold.drop()
        self.silent = frozenset(gone)
