"""Who did what, why, and how it ended: entries for the audit chain (SG-34).

An entry is written in the transaction of the act that it records, so that neither is there without
the other.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

from gridctl.control.ports import AuditEntry, Person, Store

log = logging.getLogger(__name__)

OFFICE = Person(user="gridctl", session="", source="office", role="SYSTEM")
"""The office itself, when no person acts: expiry, dispatch of what was approved, the cycle."""
STOP_FILE = Person(user="stop file", session="", source="stop file", role="")
"""Whoever made the stop file: `gridctl stop`, or a hand."""
FIELD = Person(user="field", session="", source="field", role="SYSTEM")


KEPT_MAX = 200
"""Rows that wait for a record that cannot be written; more than that and the oldest is lost, which
the log tells."""


@dataclass(slots=True)
class RecordFault:
    """Why the record cannot be written now; None when it can (SG-34)."""

    reason: str | None = None


class Unwritten:
    """Acts that go through without their record (STOP, return to default) and are written down as
    soon as that works again, with the time at which they happened."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: deque[AuditEntry] = deque(maxlen=KEPT_MAX)

    def __len__(self) -> int:
        return len(self._waiting)

    def keep(self, row: AuditEntry) -> None:
        """Write `row` later."""
        if len(self._waiting) == KEPT_MAX:
            log.error("audit: too much waits to be written down, lost: %s", self._waiting[0])
        self._waiting.append(row)

    async def write(self) -> None:
        """Write what waits. Raises UnavailableError when it still cannot be."""
        if not self._waiting:
            return
        rows = tuple(self._waiting)
        async with self._store.transaction() as unit:
            for row in rows:
                await unit.audit(row)
        for row in rows:
            if self._waiting and self._waiting[0] is row:
                self._waiting.popleft()


def entry(
    *,
    at_s: float,
    person: Person,
    action: str,
    object_: str,
    before: str = "",
    after: str = "",
    reason: str = "",
    plan_digest: str = "",
    result: str = "ok",
) -> AuditEntry:
    """An entry; `at_s` in grid time, `object_` names what was acted upon."""
    return AuditEntry(
        at_s=at_s,
        who=person.user,
        session=person.session,
        source=person.source,
        role=person.role,
        action=action,
        object=object_,
        before=before,
        after=after,
        reason=reason,
        plan_digest=plan_digest,
        result=result,
    )
