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
from gridctl.model.alarm import Alarm, AlarmState
from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError, UnavailableError

log = logging.getLogger(__name__)

PRIORITIES = (1, 2, 3)


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

    @property
    def all(self) -> Mapping[str, Alarm]:
        """Alarms that a person should still see, by key."""
        return MappingProxyType(self._alarms)

    def listed(self) -> tuple[Alarm, ...]:
        """Worst first, then newest."""
        return tuple(sorted(self._alarms.values(), key=lambda a: (a.priority, -a.raised_s, a.key)))

    async def load(self) -> None:
        """Take over what the store remembers from before a restart."""
        for alarm in await self._store.alarms(active_only=True):
            self._alarms.setdefault(alarm.key, alarm)

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
