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

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridctl.field.commandcheck import CommandChecks, Objection, PlantView
from gridctl.field.spool import FieldMemory, Lease, UnderWay
from gridctl.field.standing import StandingOrders
from gridctl.field.tags import FieldTags
from gridctl.link import is_genuine
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.errors import Refusal
from gridctl.model.limits import DeviceLimit, LimitSet
from gridctl.model.link import SignedOrder
from gridctl.model.order import COMMANDS_PER_ORDER_MAX, Order, OrderKind
from gridctl.model.permit import Permit, mint
from gridctl.model.tag import Tag
from protocols.driver import PointAddress

PERMIT_LIFE_S = 60.0
"""Real seconds: enough for the 64th command of an order on one slow link, and no more."""
ORDER_VALIDITY_MAX_S = 3_600.0
"""Grid seconds between not_before and not_after."""
DIGEST_LENGTH = 64
FRAMES_PER_COMMAND = 6
"""Outcomes that one command may cause; an order is refused when the line has no room for them."""


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
        self._inhibited = frozenset(limits.inhibited)
        self._memory = memory
        self._tags = FieldTags(memory, limited=self._devices)
        self._standing = StandingOrders(limits, memory)
        self._checks = CommandChecks(
            limits=limits, memory=memory, tags=self._tags, plant=plant, clock=clock
        )
        self._plant = plant
        self._clock = clock
        self.use(addresses)
        self._default_numbers = itertools.count(1)

    def use(self, addresses: Sequence[PointAddress]) -> None:
        """Judge orders by these points from now on."""
        self._addresses = {a.point.mrid: a for a in addresses}
        self._checks.use(addresses)
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
                    moves=[self._checks.move(c, now_s) for c in order.commands],
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
            yield from self._checks.one(command)
        yield from self._checks.together(order.commands)
        if order.standing:
            yield from self._standing.objections(
                order, now_s=self._clock.now_s(), move=self._checks.move
            )


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


def _refusal(objections: Sequence[Objection]) -> Refusal:
    return Refusal(code=objections[0][0], reasons=tuple(reason for _, reason in objections))
