"""Alarms that devices keep themselves: told to the office as they change, acknowledged for people.

What a device retains is told whole, link by link, so that the office need not count. A link that is
down says nothing: what was known of its device stays until it is known otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from gridctl.model.link import CONDITIONS_PER_LINK_MAX, ConditionInfo, Conditions
from gridctl.model.order import Order
from protocols.conditions import DeviceCondition, source_of
from protocols.driver import Driver, Result

log = logging.getLogger(__name__)

TEXT_MAX = 300


class DeviceAlarms:
    """Follows the conditions of all drivers that have some."""

    def __init__(
        self, drivers: Mapping[str, Driver], *, tell: Callable[[Conditions], None]
    ) -> None:
        self._drivers = drivers
        self._tell = tell
        self._told: dict[str, Conditions] = {}
        self._answers: dict[tuple[str, str], str] = {}

    def look(self) -> None:
        """Tell what has changed since the last look."""
        for link, driver in self._drivers.items():
            source = source_of(driver)
            retained = None if source is None else source.conditions()
            if retained is not None:
                self._tell_if_new(self._frame(link, retained))
        for link in self._told.keys() - self._drivers.keys():
            self._tell_if_new(Conditions(link=link, conditions=()))

    async def acknowledge(self, order: Order) -> None:
        """Do what an ACKNOWLEDGE asks; what the device says to it is told with the condition."""
        source = source_of(self._drivers.get(order.link))
        if source is None:
            log.warning("field: link %s has no alarms to acknowledge", order.link)
            return
        person = ", ".join(order.approved_by)
        comment = f"{person}: {order.comment}" if order.comment else person
        done = await source.acknowledge(order.subject, comment=comment)
        key = (order.link, order.subject)
        if done.result is Result.ACCEPTED:
            self._answers.pop(key, None)
        else:
            self._answers[key] = f"{done.status}: {done.detail}"[:TEXT_MAX]
        log.info("field: acknowledging %s of %s: %s", order.subject, order.link, done.status)
        self.look()

    def _frame(self, link: str, retained: Sequence[DeviceCondition]) -> Conditions:
        there = {(link, one.condition) for one in retained if one.acknowledged is False}
        for key in [k for k in self._answers if k[0] == link and k not in there]:
            del self._answers[key]
        shown = retained[:CONDITIONS_PER_LINK_MAX]
        return Conditions(
            link=link,
            conditions=tuple(
                ConditionInfo(
                    condition=one.condition[:TEXT_MAX],
                    source=one.source[:TEXT_MAX],
                    name=one.name[:TEXT_MAX],
                    message=one.message[:TEXT_MAX],
                    severity=one.severity,
                    active=one.active,
                    acknowledged=one.acknowledged,
                    at_s=one.at_s,
                    answer=self._answers.get((link, one.condition), ""),
                )
                for one in shown
            ),
            omitted=len(retained) - len(shown),
        )

    def _tell_if_new(self, frame: Conditions) -> None:
        # An empty set is told, too: the office may remember alarms of before our start.
        if self._told.get(frame.link) != frame:
            self._told[frame.link] = frame
            self._tell(frame)
