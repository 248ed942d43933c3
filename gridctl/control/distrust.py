"""Devices that did not do what they were told: left alone for a while, so that the next plan is
made with the others instead of with the same no again.

A device that refused, or did not follow, is not used for `REST_S`. When the last that was heard
from a link are refusals of several devices, it is the concentrator that says no (somebody has
switched it to local, another master holds it), and all behind it are left alone. One yes of any
device there ends that. What the office did not send, or held back itself, is no device's word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gridctl.model.command import CommandState

REST_S: Final = 1_800.0
"""Grid seconds: a person at the device needs so long, and a group's own lease is over by then."""
REFUSERS_MIN: Final = 2
"""So many devices of a link in a row are the link's word, not the devices'."""
_NOT_THEIRS: Final = frozenset(
    {"STOPPED", "TAGGED", "LINK_DOWN", "TOO_LATE", "RESTART", "NO_ANSWER", "NO_EFFECT"}
)
"""Statuses of what the office or the field agent held back, or cannot lay at a device's door."""
_YES: Final = frozenset({CommandState.ACCEPTED, CommandState.CONFIRMED})
_NO: Final = frozenset({CommandState.FAILED, CommandState.UNCONFIRMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a device answered last; `at_s` grid time. `took_it`: it said yes, and did not follow."""

    point: str
    status: str
    at_s: float
    took_it: bool


class Distrust:
    """The book. `link_of` says behind which link a setpoint lies, None when it is not known."""

    def __init__(self, *, utc_offset_s: float, link_of: Callable[[str], str | None]) -> None:
        self._utc_offset_s = utc_offset_s
        self._link_of = link_of
        self._devices: dict[str, Refusal] = {}
        self._refusers: dict[str, dict[str, float]] = {}

    def note(
        self, resource: str, point: str, state: CommandState, status: str, at_s: float
    ) -> None:
        """A command to `resource`, by its setpoint `point`, reached `state`."""
        link = self._link_of(point)
        if state in _YES:
            if link is not None:
                self._refusers.pop(link, None)
            if state is CommandState.CONFIRMED:
                self._devices.pop(resource, None)
            return
        if state not in _NO or status in _NOT_THEIRS:
            return
        said_no = state is CommandState.FAILED
        self._devices[resource] = Refusal(
            point=point, status=status, at_s=at_s, took_it=not said_no
        )
        if said_no and link is not None:
            self._refusers.setdefault(link, {})[resource] = at_s

    def links(self, now_s: float) -> Mapping[str, str]:
        """Links whose devices are left alone now, with why in words."""
        found = {}
        for link, refusers in self._refusers.items():
            until_s = max(refusers.values()) + REST_S
            if len(refusers) >= REFUSERS_MIN and now_s < until_s:
                names = ", ".join(sorted(refusers))
                found[link] = (
                    f"link {link} refuses commands ({names} in a row), it is asked again "
                    f"after {self._hour(until_s)}"
                )
        return found

    def not_now(self, now_s: float, setpoints: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Which of the resources, given with their setpoints, are not used now, and why."""
        if not self._devices:
            return {}
        links, found = self.links(now_s), {}
        for resource, point in setpoints:
            link = self._link_of(point)
            if link is not None and link in links:
                found[resource] = links[link]
            elif (last := self._devices.get(resource)) is not None and (now_s < last.at_s + REST_S):
                found[resource] = self._words(last)
        return found

    def _words(self, last: Refusal) -> str:
        did = "did not follow its last command" if last.took_it else "refused its last command"
        status = f" ({last.status})" if last.status and not last.took_it else ""
        return f"{did}{status}, it is asked again after {self._hour(last.at_s + REST_S)}"

    def _hour(self, at_s: float) -> str:
        return f"{datetime.fromtimestamp(at_s + self._utc_offset_s, UTC):%H:%M}"
