"""Alarm figures and history of a span of time, from the store (SG-29), for page and report."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

from gridctl.control.alarmfigures import AlarmFigures, figures
from gridctl.control.ports import Store
from gridctl.model.duty import AlarmEvent

ALARMS_MAX = 500
FORMULA = frozenset("=+-@\t\r")
FIRST = 1
"""Sequence of the first row of the record."""


async def alarm_figures(
    store: Store, *, start_s: float, end_s: float, now_s: float
) -> AlarmFigures:
    """The figures of [start_s, end_s), grid time. They begin where the record begins and end now
    at the latest: time in which nothing could be raised would make every rate look better. What
    stands for too long is judged of now alone. Raises UnavailableError."""
    first = await store.audit_rows(limit=1, before=FIRST + 1)
    began_s = first[0].entry.at_s if first else now_s
    start_s, end_s = max(start_s, min(began_s, end_s)), min(end_s, now_s)
    events = await store.duties.alarm_events(start_s=start_s, end_s=end_s)
    active = await store.alarms(limit=ALARMS_MAX) if end_s >= now_s else ()
    return figures(events, active, start_s=start_s, end_s=end_s)


def history_csv(events: Iterable[AlarmEvent], *, key: str = "") -> str:
    """What happened to alarms whose name has `key` in it, a row each, times in UTC."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("at", "alarm", "priority", "what", "by"))
    for event in events:
        if key in event.key:
            at = datetime.fromtimestamp(event.at_s, UTC).isoformat(timespec="milliseconds")
            row = (event.key, event.priority, event.what, event.by)
            rows.writerow((at.replace("+00:00", "Z"), *map(_plain, row)))
    return text.getvalue()


def _plain(value: object) -> object:
    """A spreadsheet takes a text that begins like a formula for one."""
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value
