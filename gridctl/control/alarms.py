"""Alarms by condition: raised once while a condition lasts, cleared when it ends (SG-28, SG-30).

Every alarm says what the operator should do; a condition without a response is an event and goes
to the audit record only.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from gridctl.control.audit import entry
from gridctl.control.ports import Person, Store
from gridctl.model.alarm import Alarm, AlarmState, Shelf
from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError, UnavailableError

log = logging.getLogger(__name__)

PRIORITIES = (1, 2, 3)
SHELF_MAX_S = 8 * 3_600.0
SHELF_REASON_MIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What is wrong: priority 1 (now), 2 (soon) or 3 (this shift), and what to do about it.

    Raises ValueError without a priority or a response: such a thing is an event (SG-30).
    """

    key: str
    priority: int
    text: str
    response: str

    def __post_init__(self) -> None:
        if self.priority not in PRIORITIES:
            raise ValueError(f"alarm {self.key}: priority {self.priority}, not 1, 2 or 3")
        if not self.response.strip():
            raise ValueError(f"alarm {self.key} says no response")


class AlarmBook:
    """The alarms that are active or not yet acknowledged; memory first, then the store.

    The picture must show an alarm even when the store is away: that may be the alarm.
    """

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._alarms: dict[str, Alarm] = {}
        self._shelves: dict[str, Shelf] = {}

    @property
    def all(self) -> Mapping[str, Alarm]:
        """Alarms that a person should still see, by key."""
        return MappingProxyType(self._alarms)

    def listed(self) -> tuple[Alarm, ...]:
        """Worst first, then newest; without those that are put aside."""
        aside = self.shelved
        seen = [a for a in self._alarms.values() if a.key not in aside]
        return tuple(sorted(seen, key=lambda a: (a.priority, -a.raised_s, a.key)))

    @property
    def shelved(self) -> Mapping[str, Shelf]:
        """What is put aside now, by key: it comes back by itself (SG-28)."""
        now_s = self._clock.now_s()
        return {k: s for k, s in self._shelves.items() if s.until_s > now_s}

    async def load(self) -> None:
        """Take over what the store remembers from before a restart."""
        for alarm in await self._store.alarms(active_only=True):
            self._alarms.setdefault(alarm.key, alarm)
        self._shelves = {s.key: s for s in await self._store.duties.shelves()}

    async def raised(self, condition: Condition) -> None:
        """The condition is there. Nothing happens while it is known already, except that a new
        text replaces the old one."""
        known = self._alarms.get(condition.key)
        if known is not None and known.cleared_s is None:
            if known.text != condition.text:
                await self._put(replace(known, text=condition.text))
            return
        log.warning("alarm %s: %s", condition.key, condition.text)
        await self._put(
            Alarm(
                key=condition.key,
                priority=condition.priority,
                text=condition.text,
                response=condition.response,
                raised_s=self._clock.now_s(),
                cleared_s=None,
                acked_by=None,
                state=AlarmState.UNACKED,
            )
        )

    async def cleared(self, key: str) -> None:
        """The condition is over: an unacknowledged alarm stays until somebody has seen it."""
        known = self._alarms.get(key)
        if known is None or known.cleared_s is not None:
            return
        acked = known.state is AlarmState.ACKED
        state = AlarmState.NORMAL if acked else AlarmState.CLEARED_UNACKED
        await self._put(replace(known, cleared_s=self._clock.now_s(), state=state))

    async def follows(self, active: bool, condition: Condition) -> None:
        """Raised while `active`, cleared else."""
        if active:
            await self.raised(condition)
        else:
            await self.cleared(condition.key)

    async def acknowledge(self, key: str, *, person: Person) -> None:
        """A person has seen it. Raises RefusedError for an alarm that is not there or not open."""
        known = self._alarms.get(key)
        if known is None or known.state not in (AlarmState.UNACKED, AlarmState.CLEARED_UNACKED):
            raise RefusedError(
                Refusal(code="no_such_alarm", reasons=(f"no alarm {key} waits to be seen",))
            )
        over = known.cleared_s is not None
        state = AlarmState.NORMAL if over else AlarmState.ACKED
        after = replace(known, acked_by=person.user, state=state)
        async with self._store.transaction() as unit:
            await unit.put_alarm(after, at_s=self._clock.now_s())
            await unit.audit(
                entry(
                    at_s=self._clock.now_s(),
                    person=person,
                    action="alarm.ack",
                    object_=key,
                    before=known.state,
                    after=state,
                )
            )
        self._remember(after)

    async def shelve(self, key: str, *, for_s: float, reason: str, person: Person) -> Shelf:
        """Put an alarm aside for at most 8 h, whatever its condition does meanwhile. Not one of
        priority 1: that asks for an act now. Raises RefusedError."""
        known = self._alarms.get(key)
        if known is None:
            raise _refused("no_such_alarm", f"there is no open alarm {key}")
        if known.priority == PRIORITIES[0]:
            raise _refused("priority_1", "an alarm of priority 1 cannot be put aside")
        if not 0 < for_s <= SHELF_MAX_S:
            raise _refused("shelf_time", f"for at most {SHELF_MAX_S / 3600:g} h (SG-28)")
        if len(reason.strip()) < SHELF_REASON_MIN:
            raise _refused("no_reason", "say why, for those who read it")
        now_s = self._clock.now_s()
        shelf = Shelf(
            key=key, by=person.user, reason=reason.strip(), at_s=now_s, until_s=now_s + for_s
        )
        async with self._store.transaction() as unit:
            await unit.put_shelf(shelf)
            await unit.audit(
                entry(
                    at_s=now_s,
                    person=person,
                    action="alarm.shelve",
                    object_=key,
                    after=f"until {shelf.until_s:.0f}",
                    reason=shelf.reason,
                )
            )
        self._shelves[key] = shelf
        return shelf

    async def unshelve(self, key: str, *, person: Person) -> None:
        """Back into the list before its time. Raises RefusedError."""
        if key not in self.shelved:
            raise _refused("not_shelved", f"{key} is not put aside")
        async with self._store.transaction() as unit:
            await unit.remove_shelf(key)
            await unit.audit(
                entry(at_s=self._clock.now_s(), person=person, action="alarm.unshelve", object_=key)
            )
        self._shelves.pop(key, None)

    async def acknowledged_by_device(self, key: str, *, link: str) -> None:
        """The device behind `link` says that somebody has acknowledged its alarm, here or there."""
        known = self._alarms.get(key)
        if known is None or known.state not in (AlarmState.UNACKED, AlarmState.CLEARED_UNACKED):
            return
        state = AlarmState.ACKED if known.cleared_s is None else AlarmState.NORMAL
        await self._put(replace(known, acked_by=f"at the device of {link}", state=state))

    async def _put(self, alarm: Alarm) -> None:
        self._remember(alarm)
        try:
            async with self._store.transaction() as unit:
                await unit.put_alarm(alarm, at_s=self._clock.now_s())
        except UnavailableError as error:
            log.error("alarm %s could not be stored: %s", alarm.key, error)

    def _remember(self, alarm: Alarm) -> None:
        if alarm.state is AlarmState.NORMAL:
            self._alarms.pop(alarm.key, None)
        else:
            self._alarms[alarm.key] = alarm


def _refused(code: str, reason: str) -> RefusedError:
    return RefusedError(Refusal(code=code, reasons=(reason,)))
