"""Tags on devices (SG-26): placed by a person, heeded by planning, approval, dispatch, the field.

The office may forget (another database, an older backup), and so may the field (a new disk): what
either of them holds is hung up again at the other. So a tag is gone only when the field has let go
of it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.approvals import REASON_MIN
from gridctl.control.audit import FIELD, OFFICE, entry
from gridctl.control.ports import Person, Store, TagView
from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError, UnavailableError
from gridctl.model.link import Ack
from gridctl.model.order import Order, OrderKind
from gridctl.model.record import AuditEntry
from gridctl.model.resource import Resource
from gridctl.model.tag import (
    REASON_CHARS_MAX,
    TAGS_MAX,
    WORK_ORDER_CHARS_MAX,
    Tag,
    TagKind,
    TagRemoval,
    may_lift,
)

MAY_TAG = frozenset({"OPERATOR", "SUPERVISOR"})
REMOVAL_LIFE_S = 86_400.0
"""Grid seconds after which a removal that nobody has agreed to is asked for anew."""
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without I, L, O and U, which are misheard over the telephone."""


class TagOrders(Protocol):
    """What a tag needs of `gridctl.control.orders.Orders`."""

    async def tag(
        self, kind: OrderKind, tag: Tag, persons: Sequence[str], *, person: Person
    ) -> Order:
        """Raises UnavailableError."""
        ...

    async def acknowledged(self, order: Order) -> Ack | None: ...


class TagBook:
    """The tags, in memory, in the store and in the field. `field_tags`: the names of those that the
    field holds, None while it is away; `blocked` is told each tag that has just come and forbids
    commands."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        resources: Sequence[Resource],
        orders: TagOrders,
        alarms: AlarmBook,
        field_tags: Callable[[], frozenset[str] | None],
        blocked: Callable[[Tag], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._resources = {r.mrid: r for r in resources}
        self._orders = orders
        self._alarms = alarms
        self._field_tags = field_tags
        self._blocked = blocked
        self._tags: dict[str, Tag] = {}

    async def load(self) -> None:
        """Take over what the store remembers."""
        self._tags = {tag.id: tag for tag in await self._store.tags.all()}

    def all(self) -> tuple[Tag, ...]:
        """The oldest first."""
        return tuple(sorted(self._tags.values(), key=lambda tag: (tag.at_s, tag.id)))

    def views(self) -> tuple[TagView, ...]:
        """The oldest first."""
        held = self._field_tags() or frozenset()
        return tuple(
            TagView(tag=tag, in_field=tag.id in held if tag.kind.blocks else None)
            for tag in self.all()
        )

    def not_commanded(self) -> Mapping[str, str]:
        """Devices that a tag keeps from being commanded, and why: all its tags, in words."""
        found: dict[str, str] = {}
        for tag in self.all():
            if tag.kind.blocks:
                before = f"{found[tag.device]}; " if tag.device in found else ""
                found[tag.device] = f"{before}{tag.words()}"
        return found

    def cautions(self, devices: Iterable[str]) -> tuple[Tag, ...]:
        """What whoever approves the use of `devices` must have read."""
        wanted = set(devices)
        return tuple(t for t in self.all() if not t.kind.blocks and t.device in wanted)

    async def place(
        self,
        device: str,
        kind: TagKind,
        *,
        reason: str,
        work_order: str,
        until_s: float | None,
        person: Person,
    ) -> TagView:
        """Hang a tag on. It holds here at once, and in the field when that has taken it. Raises
        RefusedError."""
        self._may_tag(person)
        at_s = self._clock.now_s()
        resource = self._resources.get(device)
        if resource is None:
            raise _refused("no_such_device", f"there is no device {device}")
        if not REASON_MIN <= len(reason.strip()) <= REASON_CHARS_MAX:
            raise _refused(
                "no_reason", f"say why, in {REASON_MIN} to {REASON_CHARS_MAX} characters"
            )
        if len(work_order.strip()) > WORK_ORDER_CHARS_MAX:
            raise _refused("work_order", f"at most {WORK_ORDER_CHARS_MAX} characters")
        if until_s is not None and until_s <= at_s:
            raise _refused("until", "its end is over already")
        if len(self._tags) >= TAGS_MAX:
            raise _refused("too_many", f"{TAGS_MAX} tags hang already")
        tag = Tag(
            id=self._free_name(at_s),
            kind=kind,
            device=device,
            point=resource.points.setpoint,
            by=person.user,
            at_s=at_s,
            reason=reason.strip(),
            work_order=work_order.strip(),
            until_s=until_s,
        )
        await self._put(tag, self._row(tag, "tag.place", person, after=tag.kind, reason=tag.reason))
        if tag.kind.blocks:
            self._blocked(tag)
            await self._hang(tag, person)
        return self._view(tag)

    async def remove(self, id_: str, *, reason: str, person: Person) -> TagView | None:
        """Take a tag away, by who placed it; else ask for it, or agree to what another has asked
        for (one of the two a SUPERVISOR). None: it is gone. Raises RefusedError."""
        self._may_tag(person)
        tag = self._known(id_)
        if len(reason.strip()) < REASON_MIN:
            raise _refused("no_reason", "say why, for those who read it later")
        asked, at_s = tag.removal, self._clock.now_s()
        if tag.by == person.user:
            await self._lift(tag, (person.user,), reason.strip(), person)
            return None
        if asked is None or at_s - asked.at_s > REMOVAL_LIFE_S:
            request = TagRemoval(
                by=person.user,
                session=person.session,
                role=person.role,
                at_s=at_s,
                reason=reason.strip(),
            )
            after = replace(tag, removal=request)
            await self._put(after, self._row(tag, "tag.removal_asked", person, reason=reason))
            return self._view(after)
        if asked.by == person.user or asked.session == person.session:
            raise _refused(
                "same_person", f"{asked.by} has asked for it: another person agrees (SG-06)"
            )
        if "SUPERVISOR" not in (asked.role, person.role):
            raise _refused("wrong_role", "one of the two must be a SUPERVISOR (SG-31)")
        await self._lift(tag, (asked.by, person.user), reason.strip(), person)
        return None

    async def adopt(self, held: Sequence[Tag]) -> None:
        """The field holds tags that are not known here: they are, from now on."""
        for tag in held:
            if tag.id not in self._tags:
                await self._put(tag, self._row(tag, "tag.adopt", FIELD, after=tag.kind))
                self._blocked(tag)

    async def step(self) -> None:
        """Now and then: what the field lacks is hung up there again, cautions end, blocking tags
        that hang longer than was said are told. Raises UnavailableError."""
        now_s, held = self._clock.now_s(), self._field_tags()
        for tag in self.all():
            over = tag.until_s is not None and tag.until_s <= now_s
            if over and not tag.kind.blocks:
                await self._drop(tag, self._row(tag, "tag.expire", OFFICE, before=tag.kind))
                continue
            await self._alarms.follows(over, _overdue(tag))
            if tag.kind.blocks and held is not None and tag.id not in held:
                await self._hang(tag, OFFICE)

    async def _hang(self, tag: Tag, person: Person) -> None:
        try:
            order = await self._orders.tag(OrderKind.TAG, tag, (person.user,), person=person)
        except UnavailableError as error:
            why = str(error)
        else:
            ack = await self._orders.acknowledged(order)
            why = "the field has not answered" if ack is None else "; ".join(ack.reasons)
        await self._alarms.follows(
            bool(why),
            Condition(
                key=f"tag.field.{tag.id}",
                priority=2,
                text=f"the field does not hold the tag on {tag.device} yet: {why or 'it does now'}",
                response="nothing is sent to the device from here; tell whoever works there that "
                "the field does not enforce it",
            ),
        )

    async def _lift(self, tag: Tag, persons: tuple[str, ...], reason: str, person: Person) -> None:
        """First in the field: what it holds would come back."""
        if not may_lift(tag, persons):
            raise _refused("not_owner", f"{tag.by} has placed it: two persons take it away (SG-06)")
        if tag.kind.blocks:
            try:
                order = await self._orders.tag(OrderKind.UNTAG, tag, persons, person=person)
            except UnavailableError as error:
                raise _refused("unavailable", f"it stays: {error}") from error
            ack = await self._orders.acknowledged(order)
            if ack is None:
                raise _refused("no_answer", "it stays: the field has not answered")
            if not ack.admitted:
                raise RefusedError(Refusal(code=ack.code, reasons=ack.reasons))
        by = f"removed by {' and '.join(persons)}"
        await self._drop(
            tag, self._row(tag, "tag.remove", person, before=tag.kind, after=by, reason=reason)
        )

    async def _put(self, tag: Tag, row: AuditEntry) -> None:
        async with self._store.transaction() as unit:
            await unit.put_tag(tag)
            await unit.audit(row)
        self._tags[tag.id] = tag

    async def _drop(self, tag: Tag, row: AuditEntry) -> None:
        async with self._store.transaction() as unit:
            await unit.remove_tag(tag.id)
            await unit.audit(row)
        self._tags.pop(tag.id, None)
        await self._alarms.cleared(_overdue(tag).key)
        await self._alarms.cleared(f"tag.field.{tag.id}")

    def _row(
        self,
        tag: Tag,
        action: str,
        person: Person,
        *,
        before: str = "",
        after: str = "",
        reason: str = "",
    ) -> AuditEntry:
        return entry(
            at_s=self._clock.now_s(),
            person=person,
            action=action,
            object_=f"{tag.device} {tag.id}",
            before=before,
            after=after,
            reason=reason,
        )

    def _view(self, tag: Tag) -> TagView:
        return next(view for view in self.views() if view.tag.id == tag.id)

    def _known(self, id_: str) -> Tag:
        tag = self._tags.get(id_)
        if tag is None:
            raise _refused("no_such_tag", f"there is no tag {id_}")
        return tag

    def _free_name(self, at_s: float) -> str:
        """Named by its moment: no other database has given the same name to another tag."""
        moment = int(at_s)
        while (name := _name(moment)) in self._tags:
            moment += 1
        return name

    def _may_tag(self, person: Person) -> None:
        if person.role not in MAY_TAG:
            raise _refused("wrong_role", f"role {person.role} may not place or remove tags (SG-31)")


def _name(moment: int) -> str:
    text = ""
    while moment:
        moment, digit = divmod(moment, len(_DIGITS))
        text = _DIGITS[digit] + text
    return f"T-{text or '0'}"


def _overdue(tag: Tag) -> Condition:
    return Condition(
        key=f"tag.overdue.{tag.id}",
        priority=3,
        text=f"the tag {tag.id} on {tag.device} hangs longer than was said, and still forbids",
        response=f"ask {tag.by} whether the work is done; who placed it, or two persons, remove it",
    )


def _refused(code: str, reason: str) -> RefusedError:
    return RefusedError(Refusal(code=code, reasons=(reason,)))
