"""Devices that are out of use for a reason of their own, told to people as alarms.

A device that stands at local, reports a fault, has lost its concentrator, or gives next to nothing
of what it says it could give, is left out of plans (`gridctl.control.resources`), or counted for
less; here the operators are told, so that somebody goes and looks. So they are of a battery that
gives without being asked. What a whole link has is told by
the link's own alarm; many devices of one link at once are one alarm, not thirty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.model.clock import Clock
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Flag, Measurement, Point, Snapshot, Validity
from gridctl.model.resource import Battery, LoadGroup, PvInverter, Resource

LOOK_S: Final = 1.0
DELAY_S: Final = 3.0
"""Real seconds for which a trouble must last before it is an alarm (on-delay)."""
GIVES_DELAY_S: Final = 300.0
"""Grid seconds for which a device must give other than is due: it needs some to follow."""
GIVES_SHARE_MIN: Final = 0.5
NOISE_SHARE: Final = 0.05
"""Of the rating: less than this cannot be missed."""
UNASKED_SHARE: Final = 0.25
"""Of its rating: what a battery that should rest gives beyond this is no self-consumption."""
EDGE_PCT: Final = 2.0
"""This near to an end of its charge a battery rightly gives less."""
TOGETHER_MIN: Final = 4
"""So many devices of one link at once are told as one alarm."""
NAMED_MAX: Final = 6
_ONE, _MANY = "device.", "devices."
_RESPONSE: Final = (
    "plans are made with the others meanwhile; ask whoever is on site, or have it looked at"
)


class Image(Protocol):
    """What of the process image is looked at."""

    @property
    def points(self) -> Mapping[str, Point]: ...

    @property
    def links(self) -> tuple[LinkHealth, ...]: ...

    def snapshot(self) -> Snapshot: ...


class DeviceWatch:
    """`look` as often as you like; it works once a second."""

    def __init__(
        self, *, resources: Sequence[Resource], image: Image, alarms: AlarmBook, clock: Clock
    ) -> None:
        self._resources = tuple(resources)
        self._image = image
        self._alarms = alarms
        self._clock = clock
        self._looked_mono_s = float("-inf")
        self._since_mono_s: dict[tuple[str, str], float] = {}
        """By device and trouble."""
        self._short_since_s: dict[str, float] = {}
        self._told: dict[str, tuple[str, ...]] = {}
        """What is said of each device now; it stays said while the device is not heard."""

    async def look(self) -> None:
        """Look at all devices, and keep the alarms."""
        mono_s = self._clock.monotonic_s()
        if mono_s - self._looked_mono_s < LOOK_S:
            return
        self._looked_mono_s = mono_s
        snapshot, points = self._image.snapshot(), self._image.points
        up = {link.link for link in self._image.links if link.state == "up"}
        link_of = {}
        for resource in self._resources:
            setpoint = points.get(resource.points.setpoint)
            if setpoint is None or setpoint.link not in up:
                continue
            link_of[resource.mrid] = setpoint.link
            found = self._troubles(resource, snapshot)
            if found is not None:
                self._told[resource.mrid] = self._lasting(resource.mrid, found, mono_s)
        await self._tell(link_of)

    def _troubles(self, resource: Resource, snapshot: Snapshot) -> tuple[str, ...] | None:
        """What is wrong with it, in words; None while that cannot be known."""
        names = resource.points
        power = snapshot.values.get(names.power)
        if power is not None and _is_lost(power):
            return ("does not answer its concentrator",)
        found = []
        for mrid, well, words in (
            (names.remote, True, "stands at local and takes no commands"),
            (names.fault, False, "reports a fault"),
        ):
            if mrid is None:
                continue
            measured = snapshot.good(mrid)
            if measured is None:
                return None
            if (measured.value != 0) is not well:
                found.append(words)
        short = None if found else self._short(resource, snapshot)
        return (*found, short) if short else tuple(found)

    def _short(self, resource: Resource, snapshot: Snapshot) -> str | None:
        """In words, what it gives that is not what it should, for long enough."""
        mrid, should = resource.mrid, _should_give(resource, snapshot)
        if should is None or _is_enough(*should):
            self._short_since_s.pop(mrid, None)
            return None
        now_s = self._clock.now_s()
        since_s = self._short_since_s.setdefault(mrid, now_s)
        if now_s - since_s < GIVES_DELAY_S:
            return None
        verb = "sheds" if isinstance(resource, LoadGroup) else "gives"
        return f"{verb} {should[0]:.0f} kW where {should[1]:.0f} kW are due"

    def _lasting(self, mrid: str, found: tuple[str, ...], mono_s: float) -> tuple[str, ...]:
        kinds = {words.split()[0]: words for words in found}
        # At the first look nobody knows for how long it has been so.
        since_s = mono_s if mrid in self._told else float("-inf")
        for key in [k for k in self._since_mono_s if k[0] == mrid and k[1] not in kinds]:
            del self._since_mono_s[key]
        return tuple(
            words
            for kind, words in kinds.items()
            if mono_s - self._since_mono_s.setdefault((mrid, kind), since_s) >= DELAY_S
        )

    async def _tell(self, link_of: Mapping[str, str]) -> None:
        wanted: dict[str, Condition] = {}
        by_link: dict[str, dict[str, tuple[str, ...]]] = {}
        for mrid, words in self._told.items():
            if words and mrid in link_of:
                by_link.setdefault(link_of[mrid], {})[mrid] = words
        for link, troubled in by_link.items():
            if len(troubled) >= TOGETHER_MIN:
                condition = _together(link, troubled)
                wanted[condition.key] = condition
                continue
            for mrid, words in troubled.items():
                key = f"{_ONE}{mrid}"
                text = f"{mrid} {' and '.join(words)}"
                wanted[key] = Condition(key=key, priority=3, text=text, response=_RESPONSE)
        unheard = self._told.keys() - link_of.keys()
        for key in [k for k in self._alarms.all if k.startswith((_ONE, _MANY))]:
            if key not in wanted and self._is_over(key, unheard, link_of):
                await self._alarms.cleared(key)
        for condition in wanted.values():
            await self._alarms.raised(condition)

    def _is_over(self, key: str, unheard: set[str], link_of: Mapping[str, str]) -> bool:
        """A device that is not heard may still have what it had."""
        if key.startswith(_MANY):
            return key.removeprefix(_MANY) in link_of.values()
        mrid = key.removeprefix(_ONE)
        is_known = mrid in {r.mrid for r in self._resources}
        return not is_known or (mrid in self._told and mrid not in unheard)


def _together(link: str, troubled: Mapping[str, tuple[str, ...]]) -> Condition:
    kinds: dict[str, list[str]] = {}
    for mrid, words in troubled.items():
        for one in words:
            kind = "gives other than is due" if one.startswith(("gives", "sheds")) else one
            kinds.setdefault(kind, []).append(mrid)
    told = []
    for kind, mrids in kinds.items():
        more = f" and {len(mrids) - NAMED_MAX} more" if len(mrids) > NAMED_MAX else ""
        told.append(f"{', '.join(sorted(mrids)[:NAMED_MAX])}{more}: {kind}")
    return Condition(
        key=f"{_MANY}{link}",
        priority=2,
        text=f"{len(troubled)} devices behind {link} in trouble at once; {'; '.join(told)}",
        response="look at what they have in common: the concentrator's local switch, its line to "
        "them, a supply; plans are made with the others meanwhile",
    )


def _is_lost(measured: Measurement) -> bool:
    """The concentrator answers, and says that it does not hear the device. A link that is silent
    makes values questionable, not invalid."""
    quality = measured.quality
    return quality.validity is Validity.INVALID and Flag.COMM_LOST in quality.flags


def _is_enough(gives_kw: float, due_kw: float) -> bool:
    return gives_kw * due_kw > 0.0 and abs(gives_kw) >= GIVES_SHARE_MIN * abs(due_kw)


def _should_give(resource: Resource, snapshot: Snapshot) -> tuple[float, float] | None:
    """What it gives, and what it should by its own word, kW as it counts them; None where nothing
    can be said, or where it is too little to be missed."""
    names = resource.points
    power, feedback = snapshot.good(names.power), snapshot.good(names.feedback)
    available = None if names.available is None else snapshot.good(names.available)
    if power is None or feedback is None:
        return None
    match resource:
        case PvInverter() if available is not None:
            gives_kw, due_kw = power.value, min(available.value, feedback.value)
        case LoadGroup() if available is not None:
            # What it could shed is the most that it does: nobody measures what is not drawn.
            gives_kw, due_kw = min(available.value, feedback.value), feedback.value
        case Battery():
            if abs(feedback.value) <= NOISE_SHARE * resource.rating_kw:
                # At rest. One that gives all the same may be feeding an island.
                unasked = abs(power.value) > UNASKED_SHARE * resource.rating_kw
                return (power.value, 0.0) if unasked else None
            soc = None if names.soc is None else snapshot.good(names.soc)
            if soc is None or _at_an_end(resource, feedback.value, soc.value):
                return None
            gives_kw, due_kw = power.value, feedback.value
        case _:
            return None
    return (gives_kw, due_kw) if abs(due_kw) > NOISE_SHARE * resource.rating_kw else None


def _at_an_end(battery: Battery, setpoint_kw: float, soc_pct: float) -> bool:
    if setpoint_kw > 0.0:
        return soc_pct <= battery.soc_min_pct + EDGE_PCT
    return soc_pct >= battery.soc_max_pct - EDGE_PCT
