"""Tags on devices (SG-26): what a person has hung on a device so that nobody works against him."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

TAGS_MAX = 2_000
"""Of one site; a frame and the field's memory hold no more."""
REASON_CHARS_MAX = 500
WORK_ORDER_CHARS_MAX = 100


class TagKind(StrEnum):
    """CONTROL_INHIBIT: nothing is written to the device, not even its default: somebody works on
    it. CONTROL_AUTHORITY: somebody else has it, so no plan uses it; its default is still written
    when a lease ends. CAUTION: plans may use it, and whoever approves one confirms to have read
    the tag."""

    CONTROL_INHIBIT = "control inhibit"
    CONTROL_AUTHORITY = "control authority"
    CAUTION = "caution"

    @property
    def blocks(self) -> bool:
        """Whether no plan may command the device; the field enforces these again."""
        return self is not TagKind.CAUTION

    @property
    def blocks_default(self) -> bool:
        """Whether the field may not even return the device to its default."""
        return self is TagKind.CONTROL_INHIBIT


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRemoval:
    """Somebody who does not own a tag wants it gone; a second person has to agree (SG-06)."""

    by: str
    session: str
    role: str
    at_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """One tag on one device. A device may have many, and is blocked until the last blocking one is
    gone.

    `point`: the setpoint of the device, by which the field knows it. `at_s`, `until_s` in grid
    seconds; `until_s` None: until somebody removes it. A caution goes at its end by itself, a
    blocking tag never does.
    """

    id: str
    kind: TagKind
    device: str
    point: str
    by: str
    at_s: float
    reason: str
    work_order: str
    until_s: float | None
    removal: TagRemoval | None = None

    def words(self) -> str:
        """The tag in one line, for a list of reasons."""
        order = f", work order {self.work_order}" if self.work_order else ""
        return f"{self.kind} by {self.by}{order}: {self.reason} ({self.id}, SG-26)"


def may_lift(tag: Tag, persons: Iterable[str]) -> bool:
    """Whether these persons together may take `tag` away: who placed it, or any two (SG-06)."""
    names = set(persons) - {""}
    return tag.by in names or len(names) > 1
