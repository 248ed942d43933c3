"""Alarms that devices keep themselves, in the operators' alarm list beside our own.

The device's list is the truth of what is active; whether a person has seen it is told to the device
as well, where it takes such words. Keys are `process:LINK:CONDITION`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.ports import Person
from gridctl.model.alarm import process_key, process_link
from gridctl.model.link import ConditionInfo, Conditions

log = logging.getLogger(__name__)

SEVERITY_FOR_PRIORITY = ((801, 1), (401, 2), (1, 3))
"""OPC 10000-5 §6.4.2 calls severities from 801 on high and up to 400 low."""
RESPONSE = "see to the device; acknowledging tells it that a person has seen this"

AcknowledgeOrder: TypeAlias = Callable[[str, str, Person], Awaitable[str | None]]
"""Tells the field (link, condition, person); why it did not take it, or None."""


class ProcessAlarms:
    """Lets the alarm book follow what the field tells of its devices."""

    def __init__(self, *, alarms: AlarmBook, order: AcknowledgeOrder) -> None:
        self._alarms = alarms
        self._order = order
        self._there: dict[str, ConditionInfo] = {}
        self._seen_s: dict[str, float] = {}
        """Device time of the state that a person has acknowledged here, by key."""

    async def take(self, frame: Conditions) -> None:
        """All that a link's device retains now."""
        now = {process_key(frame.link, one.condition): one for one in frame.conditions}
        for key in [k for k in self._there if process_link(k) == frame.link and k not in now]:
            del self._there[key]
            self._seen_s.pop(key, None)
        self._there |= now
        for key, one in now.items():
            await self._follow(key, frame.link, one)
        for key in [k for k in self._alarms.all if process_link(k) == frame.link]:
            if key not in now:
                await self._alarms.cleared(key)

    async def acknowledged(self, key: str, *, person: Person) -> None:
        """A person has acknowledged it here: tell the device, where it waits for that."""
        one, link = self._there.get(key), process_link(key)
        if one is None or link is None:
            return
        self._seen_s[key] = one.at_s
        if one.acknowledged is not False:
            return
        refused = await self._order(link, one.condition, person)
        if refused is not None:
            log.warning("office: %s could not be told to the device: %s", key, refused)
            untold = replace(one, answer=f"it was not told: {refused}")
            await self._follow(key, link, untold)

    async def _follow(self, key: str, link: str, one: ConditionInfo) -> None:
        known = self._alarms.all.get(key)
        is_over = one.active is False
        nobody_waits = one.acknowledged is not False or self._seen_s.get(key) == one.at_s
        if known is None and is_over and nobody_waits:
            return
        condition = Condition(
            key=key, priority=_priority(one.severity), text=_text(link, one), response=RESPONSE
        )
        if known is None or not is_over:
            await self._alarms.raised(condition)
        if is_over:
            await self._alarms.cleared(key)
        if one.acknowledged is True:
            await self._alarms.acknowledged_by_device(key, link=link)


def _priority(severity: int) -> int:
    return next((p for least, p in SEVERITY_FOR_PRIORITY if severity >= least), 3)


def _text(link: str, one: ConditionInfo) -> str:
    what = " ".join(part for part in (one.source, one.name) if part) or one.condition
    told = f": {one.message}" if one.message else ""
    answer = f" (the device did not take the acknowledgement, {one.answer})" if one.answer else ""
    return f"{what}{told} [{link}]{answer}"
