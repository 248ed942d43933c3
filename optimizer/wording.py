"""Times, names and runs of intervals of a plan in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gridctl.model.resource import Battery, Generator, LoadGroup, PvInverter
from optimizer.problem import Problem
from optimizer.timegrid import SECONDS_PER_DAY

NAMED_MAX = 6
KW_MIN = 1.0
"""Less is not told."""
SECONDS_PER_MINUTE, MINUTES_PER_HOUR = 60.0, 60.0
KINDS = {
    LoadGroup: "load group",
    Battery: "battery",
    PvInverter: "PV inverter",
    Generator: "generator",
}
PLURALS = {"battery": "batteries"}


ALREADY = " (already so without the plan)"
LIMITS = {
    "head import": "limit of the import ({})",
    "contract target": "target of {}",
    "head export": "limit of the export ({})",
    "voltage low": "lower voltage limit at {}",
    "voltage high": "upper voltage limit at {}",
    "branch loading": "rating of {}",
    "voltage unbalance": "limit of the voltage unbalance at {}",
    "transformer temperature": "temperature limit of {}",
}


def limit_name(limit: str, where: str) -> str:
    """A limit as a person calls it, after "the"; `limit` as in a result."""
    name = limit.removesuffix(ALREADY)
    told = LIMITS.get(name, name + (" ({})" if where else "")).format(where)
    if not where:
        told = told.partition(" ({})")[0].removesuffix(" ()").removesuffix(" at ")
        told = name if told.endswith((" of ", " at")) else told
    return told + (", passed already without the plan," if limit != name else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Consecutive intervals, both ends included."""

    first: int
    last: int


def spans(intervals: Iterable[int]) -> list[Span]:
    """The runs of consecutive numbers among `intervals`."""
    found: list[Span] = []
    for k in sorted(set(intervals)):
        if found and found[-1].last == k - 1:
            found[-1] = Span(first=found[-1].first, last=k)
        else:
            found.append(Span(first=k, last=k))
    return found


class Words:
    """Site times and names of one task."""

    def __init__(self, problem: Problem) -> None:
        task = problem.task
        self._start_s = task.horizon.start_s + task.utc_offset_s
        self._step_s = task.horizon.step_s
        self._names = {r.mrid: r.name for r in task.resources}
        self._resources = {r.mrid: r for r in task.resources}

    def clock(self, interval: int) -> str:
        """Local time at which an interval begins; the day where it is not the first."""
        at_s = self._start_s + interval * self._step_s
        minutes = int(at_s % SECONDS_PER_DAY // 60)
        days = int(at_s // SECONDS_PER_DAY - self._start_s // SECONDS_PER_DAY)
        later = "" if days == 0 else " tomorrow" if days == 1 else f" in {days} days"
        return f"{minutes // 60:02d}:{minutes % 60:02d}{later}"

    @property
    def step(self) -> str:
        """An interval's length in words."""
        minutes = self._step_s / SECONDS_PER_MINUTE
        return "hour" if minutes == MINUTES_PER_HOUR else f"{minutes:g} minutes"

    def between(self, span: Span) -> str:
        return f"from {self.clock(span.first)} to {self.clock(span.last + 1)}"

    def names(self, mrids: Sequence[str]) -> str:
        shown = [self._names.get(m, m) for m in mrids[:NAMED_MAX]]
        more = len(mrids) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

    def counted(self, mrids: Sequence[str]) -> str:
        """'3 load groups and 1 battery'."""
        counts: dict[str, int] = {}
        for mrid in mrids:
            kind = KINDS[type(self._resources[mrid])]
            counts[kind] = counts.get(kind, 0) + 1
        parts = [
            f"{n} {kind if n == 1 else PLURALS.get(kind, kind + 's')}" for kind, n in counts.items()
        ]
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
