"""Scan classes, groups and link defaults: what many rows of a points file have in common.

They stand in `gridctl.toml` below `[field]`; a row names them. What a row leaves empty comes from
its group, else from its link's defaults. Nothing that a command depends on can come from either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PointGroup:
    """One `[field.groups.NAME]` table.

    `soe`: sequence of events, every change of these points counts and is told in its order.
    `event_class`: 1 to 3, the event class in which the device shall report them (DNP3: assigned at
    the start of the session; OPC UA has none), 0 for polled only, None for as the device has it.
    `scan`: the scan class of rows that name none.
    """

    soe: bool = False
    event_class: int | None = None
    scan: str = ""
    deadband: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDefaults:
    """The `defaults` of one link, for rows that leave the cell empty.

    `scale` and `offset` never serve a commandable point: its row has its own (SG-02).
    """

    scan: str = ""
    group: str = ""
    scale: float | None = None
    offset: float | None = None
    deadband: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointContext:
    """What rows may name. `scan_s`: period in real seconds of each scan class, by its name.
    None: names of that kind are not looked at (a scan class has SOME_PERIOD_S then)."""

    links: frozenset[str] | None = None
    scan_s: Mapping[str, float] | None = field(default_factory=dict)
    groups: Mapping[str, PointGroup] | None = field(default_factory=dict)
    defaults: Mapping[str, LinkDefaults] = field(default_factory=dict)


NO_CONTEXT = PointContext()
BY_ITSELF = PointContext(links=None, scan_s=None, groups=None)
"""For a file without its `gridctl.toml`: to be looked at, not to be run."""
SOME_PERIOD_S = 60.0
NO_GROUP = PointGroup()
NO_DEFAULTS = LinkDefaults()
