"""Tags as the field holds them: on disk, and asked before every command (SG-26).

The office sends a tag as a signed order, and so it takes one away; whose tag it is, is judged here
again. A tag outlives the office, its database, and a restart of the field.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from gridctl.field.spool import FieldMemory
from gridctl.model.order import Order, OrderKind
from gridctl.model.tag import TAGS_MAX, Tag, may_lift
from protocols.driver import PointAddress


class FieldTags:
    """The blocking tags; `limited`: setpoints that OT has set limits for."""

    def __init__(self, memory: FieldMemory, *, limited: Collection[str]) -> None:
        self._memory = memory
        self._limited = limited
        self._equipment: dict[str, str] = {}

    def use(self, addresses: Sequence[PointAddress]) -> None:
        """These are the points from now on."""
        self._equipment = {a.point.mrid: a.point.equipment for a in addresses}

    def on(self, point: str) -> tuple[Tag, ...]:
        """Blocking tags on the device of `point`, the oldest first."""
        device = self._equipment.get(point, point)
        return tuple(
            tag
            for tag in self._memory.state.tags
            if tag.point == point or self._equipment.get(tag.point, tag.point) == device
        )

    def objections(self, order: Order) -> Iterator[tuple[str, str]]:
        """Why a TAG or UNTAG is not heeded; code and reason."""
        tag, held = order.tag, self._memory.state.tags
        if tag is None:
            yield ("no_tag", "the order does not say which tag")
            return
        if order.kind is OrderKind.TAG:
            if tag.point not in self._limited:
                yield ("no_limit", f"{tag.point} is no device of this field")
            if not tag.kind.blocks:
                yield ("no_block", f"a {tag.kind} forbids nothing here")
            if len(held) >= TAGS_MAX:
                yield ("too_many", f"{TAGS_MAX} tags are held already")
            return
        mine = next((t for t in held if t.id == tag.id), None)
        # Gone already: the office has not heard the answer, and asks again.
        if mine is not None and not may_lift(mine, order.approved_by):
            yield ("not_owner", f"{mine.id} is {mine.by}'s: two persons take it away (SG-06)")

    def keep(self, order: Order) -> None:
        """Hang it on or take it away, on disk. Raises OSError: then nothing has changed."""
        tag = order.tag
        others = tuple(t for t in self._memory.state.tags if tag is None or t.id != tag.id)
        added = (tag,) if tag is not None and order.kind is OrderKind.TAG else ()
        self._memory.set_tags((*others, *added), epoch=order.epoch, sequence=order.sequence)
