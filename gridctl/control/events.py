"""The sequence of events as the field tells it: written down in order, holes counted."""

from __future__ import annotations

import logging

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.ports import Store
from gridctl.model.errors import UnavailableError
from gridctl.model.link import Events, Hello

log = logging.getLogger(__name__)


class EventBook:
    """Stores events once each. `lost`: numbers that never came or could not be stored."""

    def __init__(self, *, store: Store, alarms: AlarmBook) -> None:
        self._store = store
        self._alarms = alarms
        self._boot_id = ""
        self._last: int | None = None
        self.lost = 0

    def greet(self, hello: Hello) -> None:
        """The agent's run begins, or goes on with other points."""
        if hello.boot_id != self._boot_id:
            self._boot_id = hello.boot_id
            self._last = None

    async def take(self, frame: Events) -> None:
        """Store what is new in `frame`; raises nothing: events that find no room are lost, and
        that is said."""
        last = self._last
        new = tuple(e for e in frame.events if last is None or e.number > last)
        if not new:
            return
        missing = 0 if last is None else new[-1].number - last - len(new)
        self._last = new[-1].number
        try:
            await self._store.add_events(self._boot_id, new)
        except UnavailableError as error:
            log.error("office: %d events could not be stored: %s", len(new), error)
            missing += len(new)
        if missing:
            self.lost += missing
            await self._alarms.follows(
                True,
                Condition(
                    key="events.lost",
                    priority=2,
                    text=f"{self.lost} entries of the sequence of events are missing",
                    response="read the device's own log; find what floods the link or the store",
                ),
            )
