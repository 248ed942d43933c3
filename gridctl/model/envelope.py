"""What may move in an area without a person at each plan, and which persons allow it (SG-37).

Pure, and used on both sides of the link: the office asks before it lets a plan through, the field
asks again for every order. Nothing here has a default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from gridctl.model.canonical import digest
from gridctl.model.command import Command
from gridctl.model.limits import ClosedLoopLimit
from gridctl.model.plan import Plan

LIFE_MAX_S = 12 * 3_600.0
"""A shift: after it two persons look again (SG-37)."""
RAMP_WINDOW_S = 300.0
PERSONS_NEEDED = 2
HOUR_S = 3_600.0
DAY_HOURS = 24
SMALLEST_KW = 1e-6


class Cause(StrEnum):
    """Why a plan is made. HEAD: the feeder's own limit; REQUEST: somebody asks; EMERGENCY: limits
    are broken without it."""

    HEAD = "head limit"
    REQUEST = "request"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The bounds inside which plans of `area` need no person.

    `max_kw`: all that may be away from its default at once, `ramp_kw`: all that may move within
    RAMP_WINDOW_S; both are sums of absolute setpoint changes. `devices`: mRIDs of the only
    resources. From `from_hour` to before `to_hour`, local (`utc_offset_s`), 0 … 24. `causes`: the
    only reasons to move. `life_s`: grid seconds from the promotion on.
    """

    area: str
    max_kw: float
    ramp_kw: float
    devices: tuple[str, ...]
    from_hour: int
    to_hour: int
    utc_offset_s: float
    causes: tuple[Cause, ...]
    life_s: float

    def digest(self) -> str:
        """What those who promote the area have on their screens."""
        return digest(self)

    def mistakes(self) -> Iterator[str]:
        """Why this is no envelope at all, whoever wants it."""
        for name, kw in (("max", self.max_kw), ("ramp", self.ramp_kw)):
            if not 0 < kw < float("inf"):
                yield f"{name} {kw:g} kW is not above 0"
        if not self.devices or len(set(self.devices)) < len(self.devices):
            yield "it names no device, or one of them twice"
        if not 0 <= self.from_hour < self.to_hour <= DAY_HOURS:
            yield f"hours from {self.from_hour} to {self.to_hour} are none of one day"
        if not self.causes:
            yield "it names no cause for which devices may move"
        if not 0 < self.life_s <= LIFE_MAX_S:
            yield f"a life of {self.life_s:g} s: above 0, and {LIFE_MAX_S:g} s at most (SG-37)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """An envelope that persons have approved: the standing approval of the plans inside it.

    `sessions` of those who approved, in their order. `limits_digest`, `model_digest`: what the
    area was like when they did; another one ends it.
    """

    envelope: Envelope
    asked_by: str
    approved_by: tuple[str, ...]
    sessions: tuple[str, ...]
    at_s: float
    limits_digest: str
    model_digest: str

    @property
    def expires_s(self) -> float:
        return self.at_s + self.envelope.life_s

    def digest(self) -> str:
        """The name that approvals and orders carry."""
        return digest(self)

    def words(self) -> str:
        """As records name it."""
        return f"area {self.envelope.area}, by {', '.join(self.approved_by)} ({self.digest()})"

    def ends_s(self, now_s: float) -> float:
        """When nothing of it may be held any more: the end of its life or of today's hours."""
        local_s = now_s + self.envelope.utc_offset_s
        midnight_s = local_s - local_s % (DAY_HOURS * HOUR_S)
        hours_end_s = midnight_s + self.envelope.to_hour * HOUR_S - self.envelope.utc_offset_s
        return min(self.expires_s, hours_end_s)

    def over(self, now_s: float) -> Iterator[str]:
        """Why nothing may be ordered by it any more, ever."""
        area = self.envelope.area
        for mistake in self.envelope.mistakes():
            yield f"envelope of area {area}: {mistake}"
        persons, sessions = set(self.approved_by), set(self.sessions)
        if (
            not len(persons) == len(sessions) == len(self.approved_by) >= PERSONS_NEEDED
            or "" in persons | sessions
        ):
            yield f"closed loop of area {area} is not approved by two persons (SG-06)"
        if self.asked_by in persons:
            yield f"{self.asked_by} asked for closed loop of area {area}: others approve (SG-07)"
        if now_s < self.at_s:
            yield f"closed loop of area {area} begins only in {self.at_s - now_s:.0f} s"
        elif now_s >= self.expires_s:
            yield f"the envelope of area {area} has expired (SG-37)"

    def objections(self, now_s: float) -> Iterator[str]:
        """Why nothing may be ordered by it now."""
        yield from self.over(now_s)
        envelope = self.envelope
        hour = (now_s + envelope.utc_offset_s) % (DAY_HOURS * HOUR_S) / HOUR_S
        if not envelope.from_hour <= hour < envelope.to_hour:
            yield (
                f"area {envelope.area} may move by itself from {envelope.from_hour} to "
                f"{envelope.to_hour} h local only (SG-37)"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What holds before a plan begins. `held`: setpoints of the area's leased devices;
    `default_kw`: where each device of the area returns to; `spent_kw`: moved in the area within
    RAMP_WINDOW_S."""

    now_s: float
    held: Mapping[str, float]
    default_kw: Mapping[str, float]
    spent_kw: float


def causes_of(plan: Plan) -> frozenset[Cause]:
    """Why `plan` was made; every one of them must be allowed."""
    check = plan.result.verification
    causes = {Cause.REQUEST} if plan.requests else {Cause.HEAD}
    if check is not None and check.before.violations > check.after.violations:
        causes.add(Cause.EMERGENCY)
    return frozenset(causes)


def outside(plan: Plan, promotion: Promotion, present: Present) -> tuple[str, ...]:
    """Why the area's part of `plan` is not inside the envelope: then people decide (SG-37)."""
    envelope = promotion.envelope
    reasons = list(promotion.objections(present.now_s))
    reasons += [
        f"its cause, {cause}, is not one of the envelope's (SG-37)"
        for cause in sorted(causes_of(plan) - set(envelope.causes))
    ]
    reasons += [
        f"{s.resource} moves reactive power, which no envelope covers (SG-37)"
        for s in plan.result.setpoints
        if s.kvar != 0 and s.resource in present.default_kw
    ][:1]
    rows = _rows(plan, present)
    moving = {
        name for row in rows for name, kw in row.items() if _away(name, kw, present) > SMALLEST_KW
    }
    reasons += [
        f"{name} moves, or is held, and is not in the envelope (SG-37)"
        for name in sorted((moving | set(present.held)) - set(envelope.devices))
    ]
    for before, after in pairwise(rows):
        # Whichever goes first: one may be up already while the other is not down yet.
        at_once = sum(max(_away(n, before[n], present), _away(n, after[n], present)) for n in after)
        if at_once > envelope.max_kw + SMALLEST_KW:
            reasons.append(f"{at_once:.0f} kW at once, {envelope.max_kw:g} kW allowed (SG-37)")
            break
    fastest = _fastest_kw(rows, plan.result.horizon.step_s, present.spent_kw)
    if fastest > envelope.ramp_kw + SMALLEST_KW:
        reasons.append(
            f"{fastest:.0f} kW within {RAMP_WINDOW_S:g} s, {envelope.ramp_kw:g} kW allowed (SG-37)"
        )
    return tuple(reasons)


def _rows(plan: Plan, present: Present) -> list[dict[str, float]]:
    """Setpoints of the area's devices before the plan, and in each of its intervals."""
    rest = dict(present.default_kw)
    rows = [rest | dict(present.held)] + [dict(rest) for _ in range(plan.result.horizon.count)]
    for setpoint in plan.result.setpoints:
        if setpoint.resource in rest:
            rows[setpoint.interval + 1][setpoint.resource] = setpoint.kw
    return rows


def _away(name: str, kw: float, present: Present) -> float:
    return abs(kw - present.default_kw[name])


def _fastest_kw(rows: Sequence[Mapping[str, float]], step_s: float, spent_kw: float) -> float:
    """Most that moves within RAMP_WINDOW_S."""
    changes = [sum(abs(after[n] - before[n]) for n in after) for before, after in pairwise(rows)]
    together = max(1, int(-(-RAMP_WINDOW_S // step_s)))
    windows = [sum(changes[k : k + together]) for k in range(len(changes))]
    windows[0] += spent_kw
    return max(windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSight:
    """What the field sees of an order's area: `held_kw` away from defaults on points that the
    order does not touch, `moved_kw` within RAMP_WINDOW_S before it, `moves_kw` by it."""

    now_s: float
    held_kw: float
    moved_kw: float
    moves_kw: float


def exceeded(
    promotion: Promotion,
    commands: Sequence[Command],
    sight: FieldSight,
    equipment_of: Callable[[str], str],
) -> Iterator[str]:
    """Why an order's `commands` in the area are not inside the envelope, as the field sees it."""
    envelope = promotion.envelope
    yield from promotion.objections(sight.now_s)
    away_kw = sight.held_kw
    for command in commands:
        away_kw += max(abs(command.value - command.default_value), abs(command.effect_kw))
        if equipment_of(command.point) not in envelope.devices:
            yield f"{command.point} is not in the envelope of area {envelope.area} (SG-37)"
        if command.lease_until_s > promotion.ends_s(sight.now_s):
            yield f"{command.point}: its lease outlives the envelope (SG-37)"
    if away_kw > envelope.max_kw + SMALLEST_KW:
        yield (
            f"area {envelope.area}: {away_kw:.0f} kW away from the defaults, the envelope allows "
            f"{envelope.max_kw:g} kW (SG-37)"
        )
    if sight.moved_kw + sight.moves_kw > envelope.ramp_kw + SMALLEST_KW:
        yield (
            f"area {envelope.area}: {sight.moved_kw:.0f} + {sight.moves_kw:.0f} kW within "
            f"{RAMP_WINDOW_S:g} s, the envelope allows {envelope.ramp_kw:g} kW (SG-37)"
        )


def beyond(envelope: Envelope, bound: ClosedLoopLimit) -> Iterator[str]:
    """Where an envelope asks for more than OT allows."""
    for name, asked, allowed in (
        ("max", envelope.max_kw, bound.max_kw),
        ("ramp", envelope.ramp_kw, bound.ramp_kw),
    ):
        if asked > allowed + SMALLEST_KW:
            yield (
                f"area {envelope.area}: {name} {asked:g} kW, OT's limits file allows "
                f"{allowed:g} kW (SG-37)"
            )
