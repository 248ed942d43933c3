"""When each resource was used: what a rolling plan must not forget (starts, rests, durations)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from gridctl.control.ports import CommandRow
from gridctl.model.command import CommandState

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Use of one resource; times in grid seconds. `starts_today` in the local day of the feeder."""

    starts_today: int
    active_since_s: float | None
    released_at_s: float | None


@dataclass(slots=True)
class _Record:
    starts_s: list[float] = field(default_factory=list)
    active_since_s: float | None = None
    released_at_s: float | None = None


class Activity:
    """Book of uses, kept by outcomes and rebuilt from the journal after a restart."""

    def __init__(self, *, utc_offset_s: float) -> None:
        self._utc_offset_s = utc_offset_s
        self._records: dict[str, _Record] = {}
        self._day = 0

    def rebuild(self, rows: Iterable[CommandRow], *, now_s: float) -> None:
        """Take over what the journal knows."""
        events = [
            (at_s, row.command.resource, state, status)
            for row in rows
            for state, at_s, status, _ in row.history
            if state in (CommandState.CONFIRMED, CommandState.RELEASED)
        ]
        for at_s, resource, state, status in sorted(events):
            self.note(resource, state, status, at_s)
        self.today(now_s)

    def note(self, resource: str, state: CommandState, status: str, at_s: float) -> None:
        """A command to `resource` reached `state`. One command replacing another is one use."""
        record = self._records.setdefault(resource, _Record())
        if state is CommandState.CONFIRMED and record.active_since_s is None:
            record.active_since_s = at_s
            record.starts_s.append(at_s)
        elif state is CommandState.RELEASED and status != "REPLACED":
            record.active_since_s = None
            record.released_at_s = at_s

    def today(self, now_s: float) -> None:
        """Count starts from the local midnight before `now_s`; older ones are forgotten."""
        self._day = int((now_s + self._utc_offset_s) // DAY_S)
        for record in self._records.values():
            record.starts_s = [at for at in record.starts_s if self._day_of(at) >= self._day]

    def of(self, resource: str) -> Use:
        """The use of `resource`."""
        record = self._records.get(resource, _Record())
        return Use(
            starts_today=len(record.starts_s),
            active_since_s=record.active_since_s,
            released_at_s=record.released_at_s,
        )

    def _day_of(self, at_s: float) -> int:
        return int((at_s + self._utc_offset_s) // DAY_S)
