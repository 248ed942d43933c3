"""When each resource was used: what a rolling plan must not forget (starts, rests, durations)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from gridctl.model.command import CommandState
from gridctl.model.record import UseRow

DAY_S = 86_400.0
KEPT_DAYS = 400
"""A season and its year: calls are counted over so many days."""
SEASON_DAYS = 365
"""Hours of a season are counted over so many days back."""
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Use of one resource; times in grid seconds. `starts_today` in the local day of the feeder;
    `starts_s`: every start of the last KEPT_DAYS; `hours_today`, `hours_season` (the last
    SEASON_DAYS): hours in use, with those of the use that goes on. `precooled`: (start, end, kW)
    that was drawn ahead of a use since the last one ended, up to now."""

    starts_today: int
    starts_s: tuple[float, ...]
    active_since_s: float | None
    released_at_s: float | None
    hours_today: float
    hours_season: float
    precooled: tuple[tuple[float, float, float], ...] = ()


@dataclass(slots=True)
class _Record:
    starts_s: list[float] = field(default_factory=list)
    ended_s: list[tuple[float, float]] = field(default_factory=list)
    active_since_s: float | None = None
    released_at_s: float | None = None
    ahead: list[tuple[float, float, float]] = field(default_factory=list)
    ahead_since: tuple[float, float] | None = None

    def end_ahead(self, at_s: float) -> None:
        """What is drawn ahead now is drawn no more."""
        if self.ahead_since is not None:
            since_s, kw = self.ahead_since
            self.ahead.append((since_s, at_s, kw))
        self.ahead_since = None

    def end_use(self, at_s: float) -> None:
        """The use that goes on is over; what was drawn ahead of it has done its part."""
        if self.active_since_s is not None:
            self.ended_s.append((self.active_since_s, at_s))
            self.ahead.clear()
        self.active_since_s = None
        self.released_at_s = at_s


class Activity:
    """Book of uses, kept by outcomes and rebuilt from the journal after a restart."""

    def __init__(self, *, utc_offset_s: float, precooled: Collection[str] = ()) -> None:
        """`precooled`: resources of which a value below 0 is no use, but draws ahead of one."""
        self._utc_offset_s = utc_offset_s
        self._precooled = frozenset(precooled)
        self._records: dict[str, _Record] = {}
        self._day = 0
        self._now_s = 0.0

    def rebuild(self, rows: Iterable[UseRow], *, now_s: float) -> None:
        """Take over what the journal knows."""
        for row in sorted(rows, key=lambda row: row.at_s):
            self.note(row.resource, row.state, row.status, row.at_s, row.value)
        self.today(now_s)

    def note(
        self, resource: str, state: CommandState, status: str, at_s: float, value: float
    ) -> None:
        """A command of `value` to `resource` reached `state`. One command replacing another is one
        use, but where one draws ahead and the other does not."""
        record = self._records.setdefault(resource, _Record())
        if resource in self._precooled and value < 0.0:
            self._note_ahead(record, state, status, at_s, -value)
        elif state is CommandState.CONFIRMED and record.active_since_s is None:
            record.end_ahead(at_s)
            record.active_since_s = at_s
            record.starts_s.append(at_s)
        elif state is CommandState.RELEASED and status != "REPLACED":
            record.end_use(at_s)

    def _note_ahead(
        self, record: _Record, state: CommandState, status: str, at_s: float, kw: float
    ) -> None:
        if state is CommandState.CONFIRMED:
            if record.active_since_s is not None:
                record.end_use(at_s)
            if record.ahead_since is None or record.ahead_since[1] != kw:
                record.end_ahead(at_s)
                record.ahead_since = (at_s, kw)
        elif state is CommandState.RELEASED and status != "REPLACED":
            record.end_ahead(at_s)

    def today(self, now_s: float) -> None:
        """Today's starts count from the local midnight before `now_s`; those of a year ago are
        forgotten."""
        self._day = int((now_s + self._utc_offset_s) // DAY_S)
        self._now_s = now_s
        for record in self._records.values():
            record.starts_s = [
                at for at in record.starts_s if self._day_of(at) >= self._day - KEPT_DAYS
            ]
            record.ended_s = [
                use for use in record.ended_s if self._day_of(use[1]) >= self._day - KEPT_DAYS
            ]
            # After a day rooms are as they were.
            record.ahead = [one for one in record.ahead if one[1] >= now_s - DAY_S]

    def of(self, resource: str) -> Use:
        """The use of `resource`."""
        record = self._records.get(resource, _Record())
        return Use(
            starts_today=sum(self._day_of(at) >= self._day for at in record.starts_s),
            starts_s=tuple(record.starts_s),
            active_since_s=record.active_since_s,
            released_at_s=record.released_at_s,
            hours_today=self._hours(record, self._day * DAY_S - self._utc_offset_s),
            hours_season=self._hours(record, self._now_s - SEASON_DAYS * DAY_S),
            precooled=self._ahead(record),
        )

    def _ahead(self, record: _Record) -> tuple[tuple[float, float, float], ...]:
        if record.ahead_since is None:
            return tuple(record.ahead)
        since_s, kw = record.ahead_since
        return (*record.ahead, (since_s, max(self._now_s, since_s), kw))

    def _hours(self, record: _Record, from_s: float) -> float:
        uses = list(record.ended_s)
        if record.active_since_s is not None:
            uses.append((record.active_since_s, self._now_s))
        return sum(max(end - max(start, from_s), 0.0) for start, end in uses) / HOUR_S

    def _day_of(self, at_s: float) -> int:
        return int((at_s + self._utc_offset_s) // DAY_S)
