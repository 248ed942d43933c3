"""The last line: an order is checked again here, against what only OT can change.

Whoever holds the office, its database and its network still cannot move a device beyond the limits
file, without the office's key, twice, late, or while STOP holds. An order is let through whole or
not at all. This is the only place that mints a `Permit`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridctl.field.spool import FieldMemory, Lease, UnderWay
from gridctl.field.standing import StandingOrders
from gridctl.field.tags import FieldTags
from gridctl.link import is_genuine
from gridctl.model.budget import Move, count, last_s, moved_kw, spent_kw
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.errors import Refusal
from gridctl.model.limits import AreaLimit, DeviceLimit, LimitSet
from gridctl.model.link import SignedOrder
from gridctl.model.measurement import Measurement, PointKind
from gridctl.model.order import COMMANDS_PER_ORDER_MAX, Order, OrderKind
from gridctl.model.permit import Permit, mint
from gridctl.model.tag import Tag
from protocols.driver import PointAddress

PERMIT_LIFE_S = 60.0
"""Real seconds: enough for the 64th command of an order on one slow link, and no more."""
ORDER_VALIDITY_MAX_S = 3_600.0
"""Grid seconds between not_before and not_after."""
HOUR_S = 3_600.0
DIGEST_LENGTH = 64
FRAMES_PER_COMMAND = 6
"""Outcomes that one command may cause; an order is refused when the line has no room for them."""
REMOTE_SUFFIXES = (".Rem", ".Remote", ".LocRem")
FAULT_SUFFIXES = (".Flt", ".Fault")

Objection = tuple[str, str]
"""A refusal code and its reason."""


class PlantView(Protocol):
    """What the guard asks about the plant and the agent at the moment of an order."""

    @property
    def stopped(self) -> bool:
        """STOP holds, by order or by file."""
        ...

    @property
    def stop_file_present(self) -> bool: ...

    @property
    def clock_fault(self) -> str | None:
        """Why grid time cannot be trusted, or None."""
        ...

    @property
    def room(self) -> int:
        """How many frames the line to the office can still keep."""
        ...

    def present(self, point: str) -> Measurement | None: ...

    def link_up(self, link: str) -> bool: ...

    def busy(self, point: str) -> str | None:
        """Who holds the point, since when and until when at the latest, in words; None: nobody
        (SG-03)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """An order that was let through: one permit a command; none for STOP, RESUME and DEFAULT."""

    order: Order
    permits: tuple[Permit, ...]


class Guard:
    """Checks orders against limits, points, what was seen before, and the plant as it is now."""

    def __init__(
        self,
        *,
        key: Ed25519PublicKey,
        limits: LimitSet,
        addresses: Sequence[PointAddress],
        memory: FieldMemory,
        plant: PlantView,
        clock: Clock,
    ) -> None:
        self._key = key
        self._limits_digest = limits.digest()
        self._devices: Mapping[str, DeviceLimit] = {d.point: d for d in limits.devices}
        self._areas: Mapping[str, AreaLimit] = {a.area: a for a in limits.areas}
        self._inhibited = frozenset(limits.inhibited)
        self._memory = memory
        self._tags = FieldTags(memory, limited=self._devices)
        self._standing = StandingOrders(limits, memory)
        self.use(addresses)
        self._plant = plant
        self._clock = clock
        self._default_numbers = itertools.count(1)

    def use(self, addresses: Sequence[PointAddress]) -> None:
        """Judge orders by these points from now on."""
        self._addresses = {a.point.mrid: a for a in addresses}
        self._switches = _switches(addresses)
        self._tags.use(addresses)
        self._standing.use(addresses)

    def tags_on(self, point: str) -> tuple[Tag, ...]:
        """Blocking tags on the device of `point`."""
        return self._tags.on(point)

    def admit(self, signed: SignedOrder) -> Admission | Refusal:
        """Let the whole order through, remembered on disk before this returns, or refuse it."""
        order = signed.order
        if not is_genuine(signed, self._key):
            return _refusal([("bad_signature", "the office has not signed this order")])
        objections: list[Objection]
        match order.kind:
            case OrderKind.STOP:
                # Always heeded when genuine, even late or told twice: it only ever forbids (SG-21).
                return self._stop(order)
            case OrderKind.RESUME | OrderKind.DEFAULT:
                objections = [*self._fence(order), *self._window(order), *_bare(order)]
                if order.kind is OrderKind.RESUME and self._plant.stop_file_present:
                    objections.append(("stop_file", "the stop file is still there (SG-21)"))
            case OrderKind.ACKNOWLEDGE:
                objections = [*self._fence(order), *self._window(order), *_bare(order)]
                objections += self._acknowledgement(order)
            case OrderKind.TAG | OrderKind.UNTAG:
                # Heeded while STOP holds and with a doubtful clock: a tag only forbids, and to take
                # one away needs the people that it asks for.
                objections = [*self._fence(order), *_bare(order), *self._tags.objections(order)]
            case OrderKind.DISPATCH:
                objections = [*self._fence(order), *self._window(order), *self._dispatch(order)]
        if objections:
            return _refusal(objections)
        return self._let_through(order)

    def permit_default(self, lease: Lease) -> Permit | Refusal:
        """A permit of the field's own, towards a point's default when its lease has run out: never
        further at once than OT allows a command to go (SG-24).

        Given while STOP holds too: back to the default is the safe direction (SG-22). Never for an
        inhibited point, or a device on which somebody works: there the device's own timer has to do
        it (SG-26).
        """
        limit = self._devices.get(lease.point)
        address = self._addresses.get(lease.point)
        if limit is None or address is None or address.point.expect is None:
            return _refusal([("no_limit", f"{lease.point} has no limits: it is not ours to move")])
        if lease.point in self._inhibited:
            return _refusal([("inhibited", f"{lease.point} is inhibited (SG-26)")])
        for tag in self.tags_on(lease.point):
            if tag.kind.blocks_default:
                return _refusal([("tagged", f"{lease.point}: {tag.words()}")])
        now_s = self._clock.now_s()
        command = Command(
            mrid=f"default-{lease.command}-{next(self._default_numbers)}",
            plan="",
            resource=address.point.equipment,
            point=lease.point,
            value=self._towards_default(limit, address.point.expect),
            expect_point=address.point.expect,
            tolerance=address.point.tolerance or 0.0,
            lease_until_s=now_s,
            default_value=limit.default_value,
            effect_kw=0.0,
            batch=0,
        )
        return self._mint(command, order=lease.order)

    def step_wait_s(self, point: str) -> float:
        """Grid seconds that lie between two steps of `point`, as OT has set them."""
        limit = self._devices.get(point)
        return 0.0 if limit is None else limit.interval_min_s

    def _towards_default(self, limit: DeviceLimit, expect: str) -> float:
        """The default, or the next step of the way; where nobody knows what it holds, the default:
        that is the safe side."""
        present = self._plant.present(expect)
        if present is None or not present.quality.is_good:
            return limit.default_value
        way = limit.default_value - present.value
        if abs(way) <= limit.step_max:
            return limit.default_value
        return present.value + math.copysign(limit.step_max, way)

    def _stop(self, order: Order) -> Admission | Refusal:
        state = self._memory.state
        newer = (order.epoch, order.sequence) > (state.epoch, state.sequence)
        epoch, sequence = (order.epoch, order.sequence) if newer else (state.epoch, state.sequence)
        try:
            self._memory.set_stopped(True, epoch=epoch, sequence=sequence)
        except OSError as error:
            return _refusal([("no_journal", f"stopped, but not written down: {error}")])
        return Admission(order=order, permits=())

    def _let_through(self, order: Order) -> Admission | Refusal:
        now_s = self._clock.now_s()
        try:
            if order.kind is OrderKind.RESUME:
                self._memory.set_stopped(False, epoch=order.epoch, sequence=order.sequence)
            elif order.kind in (OrderKind.TAG, OrderKind.UNTAG):
                self._tags.keep(order)
            else:
                self._memory.admit(
                    epoch=order.epoch,
                    sequence=order.sequence,
                    commands=[UnderWay(command=c, order=order.mrid) for c in order.commands],
                    moves=[self._move(c, now_s) for c in order.commands],
                    now_s=now_s,
                )
        except OSError as error:
            return _refusal([("no_journal", f"the field cannot write its journal: {error}")])
        return Admission(
            order=order, permits=tuple(self._mint(c, order=order.mrid) for c in order.commands)
        )

    def _mint(self, command: Command, *, order: str) -> Permit:
        return mint(
            command=command,
            order=order,
            expires_mono_s=self._clock.monotonic_s() + PERMIT_LIFE_S,
        )

    def _fence(self, order: Order) -> Iterator[Objection]:
        """Only one office, and each order once (SG-25)."""
        seen = self._memory.state
        if order.epoch < seen.epoch:
            yield (
                "old_epoch",
                f"epoch {order.epoch} is over, the field has seen {seen.epoch} (SG-25)",
            )
        elif order.epoch == seen.epoch and order.sequence <= seen.sequence:
            yield (
                "replayed",
                f"sequence {order.sequence} is not after {seen.sequence}: replayed or out of order",
            )

    def _window(self, order: Order) -> Iterator[Objection]:
        """Valid now, by the field's own clock, and not for ever."""
        now_s = self._clock.now_s()
        if self._plant.clock_fault is not None:
            yield ("clock_fault", f"{self._plant.clock_fault} (SG-12)")
        if now_s < order.not_before_s:
            yield ("not_yet", f"valid only in {order.not_before_s - now_s:.1f} s")
        if now_s > order.not_after_s:
            yield ("too_late", f"expired {now_s - order.not_after_s:.1f} s ago (SG-08)")
        if order.not_after_s - order.not_before_s > ORDER_VALIDITY_MAX_S:
            yield ("validity_too_long", f"valid for more than {ORDER_VALIDITY_MAX_S:g} s")

    def _acknowledgement(self, order: Order) -> Iterator[Objection]:
        """A person's word for a device's own alarm; allowed while STOP holds, it moves nothing."""
        if not order.approved_by:
            yield ("not_approved", "the acknowledgement names nobody who has seen the alarm")
        if order.link not in {a.link for a in self._addresses.values()}:
            yield ("unknown_link", f"{order.link!r} is not a link of this field")
        if not order.subject:
            yield ("no_subject", "the acknowledgement does not say of what")

    def _dispatch(self, order: Order) -> Iterator[Objection]:
        if self._plant.stopped:
            yield ("stopped", "STOP holds in the field (SG-21)")
        if not order.approved_by:
            yield ("not_approved", "the order names nobody who approved it (SG-06)")
        if len(order.plan_digest) != DIGEST_LENGTH:
            yield ("no_plan", "the order does not say which plan was approved (SG-09)")
        if order.limits_digest != self._limits_digest:
            yield ("limits_changed", "the office planned with other limits than OT's (SG-05)")
        if not order.commands:
            yield ("no_commands", "a dispatch without commands")
        if len(order.commands) > COMMANDS_PER_ORDER_MAX:
            yield (
                "too_many",
                f"{len(order.commands)} commands, {COMMANDS_PER_ORDER_MAX} are allowed (SG-17)",
            )
            return
        if self._plant.room < FRAMES_PER_COMMAND * len(order.commands) + 1:
            yield ("no_room", "outcomes could not be kept: the office has not read them (SG-34)")
        yield from _twice(order.commands)
        for command in order.commands:
            yield from self._command(command)
        yield from self._budgets(order.commands)
        if order.standing:
            yield from self._standing.objections(order, now_s=self._clock.now_s(), move=self._move)

    def _command(self, command: Command) -> Iterator[Objection]:
        name = command.point
        address = self._addresses.get(name)
        limit = self._devices.get(name)
        if address is None:
            yield ("unknown_point", f"{name} is not a point of this field")
            return
        if address.point.kind not in (PointKind.SETPOINT, PointKind.CONTROL):
            yield ("not_commandable", f"{name} is a {address.point.kind}, it takes no command")
            return
        if limit is None:
            yield ("no_limit", f"{name} has no limits: it is not ours to move (SG-05)")
            return
        if command.mrid in self._memory.state.admitted:
            yield ("repeated", f"{name}: command {command.mrid} was let through before (SG-19)")
        if name in self._inhibited:
            yield ("inhibited", f"{name} is inhibited (SG-26)")
        for tag in self.tags_on(name):
            yield ("tagged", f"{name}: {tag.words()}")
        holder = self._plant.busy(name)
        if holder is not None:
            yield ("busy", f"{name}: {holder} (SG-03)")
        yield from self._expectation(command, address)
        yield from _range(command, limit, address)
        yield from self._step(command, limit)
        yield from self._pace(command, limit)
        yield from self._lease(command, limit)
        yield from self._interlocks(command, address)

    def _expectation(self, command: Command, address: PointAddress) -> Iterator[Objection]:
        """Each command says what it expects to see, and it is what the points file says (SG-02)."""
        point = address.point
        if command.expect_point != point.expect or command.expect_point not in self._addresses:
            yield (
                "wrong_expectation",
                f"{point.mrid} shows in {point.expect}, not in {command.expect_point} (SG-02)",
            )
        allowed = point.tolerance if point.tolerance is not None else 0.0
        if not 0 <= command.tolerance <= allowed:
            yield (
                "wrong_expectation",
                f"{point.mrid}: tolerance {command.tolerance:g}, {allowed:g} is allowed (SG-02)",
            )

    def _step(self, command: Command, limit: DeviceLimit) -> Iterator[Objection]:
        present = self._plant.present(command.expect_point)
        if present is None or not present.quality.is_good:
            yield (
                "present_unknown",
                f"{command.point}: what it holds now ({command.expect_point}) is not known (SG-12)",
            )
            return
        step = abs(command.value - present.value)
        if step > limit.step_max + command.tolerance:
            yield (
                "step_too_large",
                (
                    f"{command.point}: a step of {step:g} from {present.value:g}, "
                    f"{limit.step_max:g} is allowed (SG-05)"
                ),
            )

    def _pace(self, command: Command, limit: DeviceLimit) -> Iterator[Objection]:
        moves, now_s = self._memory.state.moves, self._clock.now_s()
        last = last_s(moves, point=command.point)
        if last is not None and now_s - last < limit.interval_min_s:
            yield (
                "too_soon",
                (
                    f"{command.point}: commanded {now_s - last:.0f} s ago, "
                    f"{limit.interval_min_s:g} s must lie between (SG-05)"
                ),
            )
        if count(moves, point=command.point, now_s=now_s, window_s=HOUR_S) >= limit.per_hour_max:
            yield (
                "too_often",
                f"{command.point}: {limit.per_hour_max} commands in the last hour already (SG-05)",
            )

    def _lease(self, command: Command, limit: DeviceLimit) -> Iterator[Objection]:
        left_s = command.lease_until_s - self._clock.now_s()
        if left_s <= 0:
            yield ("lease_over", f"{command.point}: its lease is over already (SG-22)")
        elif left_s > limit.lease_max_s:
            yield (
                "lease_too_long",
                (
                    f"{command.point}: a lease of {left_s:.0f} s, {limit.lease_max_s:g} s allowed "
                    "(SG-22)"
                ),
            )
        if command.default_value != limit.default_value:
            yield (
                "wrong_default",
                (
                    f"{command.point} returns to {limit.default_value:g}, "
                    f"not to {command.default_value:g} (SG-22)"
                ),
            )

    def _interlocks(self, command: Command, address: PointAddress) -> Iterator[Objection]:
        if not self._plant.link_up(address.link):
            yield ("link_down", f"{command.point}: link {address.link} is down (SG-27)")
        for mrid in self._switches.get(address.point.equipment, ()):
            seen = self._plant.present(mrid)
            if seen is None or not seen.quality.is_good:
                yield ("switch_unknown", f"{command.point}: {mrid} is not known (SG-27)")
            elif mrid.endswith(REMOTE_SUFFIXES) and seen.value == 0:
                yield ("local", f"{address.point.equipment} is switched to local (SG-27)")
            elif mrid.endswith(FAULT_SUFFIXES) and seen.value != 0:
                yield ("fault", f"{address.point.equipment} reports a fault (SG-27)")

    def _budgets(self, commands: Sequence[Command]) -> Iterator[Objection]:
        now_s = self._clock.now_s()
        asked: dict[str, float] = {}
        for command in commands:
            move = self._move(command, now_s)
            asked[move.area] = asked.get(move.area, 0.0) + move.kw
        for area, kw in asked.items():
            budget = self._areas.get(area)
            if budget is None:
                continue  # its device has no limits either, which is told already
            spent = spent_kw(
                self._memory.state.moves, area=area, now_s=now_s, window_s=budget.window_s
            )
            if spent + kw > budget.budget_kw:
                yield (
                    "over_budget",
                    (
                        f"area {area}: {spent:.0f} kW moved in {budget.window_s:g} s, "
                        f"{kw:.0f} kW more is above {budget.budget_kw:g} kW (SG-05)"
                    ),
                )

    def _move(self, command: Command, now_s: float) -> Move:
        limit = self._devices.get(command.point)
        present = self._plant.present(command.expect_point)
        kw = moved_kw(
            command,
            present_kw=math.inf if present is None else present.value,
            renews=self._memory.lease(command.point) is not None,
        )
        area = "" if limit is None else limit.area
        return Move(at_s=now_s, point=command.point, area=area, kw=kw)


def _bare(order: Order) -> Iterator[Objection]:
    if order.commands:
        yield ("carries_commands", f"{order.kind} carries commands")


def _twice(commands: Sequence[Command]) -> Iterator[Objection]:
    for what, of in _NAMES:
        seen: set[str] = set()
        for command in commands:
            name = of(command)
            if name in seen:
                yield ("twice", f"{what} {name} is twice in one order (SG-03)")
            seen.add(name)


_NAMES: tuple[tuple[str, Callable[[Command], str]], ...] = (
    ("point", lambda c: c.point),
    ("command", lambda c: c.mrid),
)


def _range(command: Command, limit: DeviceLimit, address: PointAddress) -> Iterator[Objection]:
    lows = [limit.min_value, *([] if address.min_value is None else [address.min_value])]
    highs = [limit.max_value, *([] if address.max_value is None else [address.max_value])]
    if not (max(lows) <= command.value <= min(highs)):
        yield (
            "out_of_range",
            f"{command.point}: {command.value:g} is outside {max(lows):g} … {min(highs):g} (SG-05)",
        )


def _switches(addresses: Sequence[PointAddress]) -> Mapping[str, tuple[str, ...]]:
    """Local/remote switches and fault flags by the equipment that they belong to."""
    found: dict[str, tuple[str, ...]] = {}
    for address in addresses:
        point = address.point
        is_switch = point.mrid.endswith(REMOTE_SUFFIXES + FAULT_SUFFIXES)
        if point.kind is PointKind.DISCRETE and is_switch:
            found[point.equipment] = (*found.get(point.equipment, ()), point.mrid)
    return found


def _refusal(objections: Sequence[Objection]) -> Refusal:
    return Refusal(code=objections[0][0], reasons=tuple(reason for _, reason in objections))
