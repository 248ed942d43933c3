"""`[field]` of gridctl.toml: links, scan classes, groups, and what links give to their rows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from protocols.pointgroups import LinkDefaults, PointContext, PointGroup

Name = Annotated[str, Field(min_length=1, max_length=64)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Deadband = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Mistake = tuple[str, str]
"""Dotted key, and what is wrong there."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScanClassTable(_Table):
    """`[field.scan_classes.NAME]`: a period that rows of the points file share."""

    period_s: Annotated[float, Field(gt=0, le=86_400)]


class GroupTable(_Table):
    """`[field.groups.NAME]`: how the points that name it are got and told."""

    soe: bool = False
    event_class: Annotated[int, Field(ge=0, le=3)] | None = None
    scan: str = ""
    deadband: Deadband | None = None


class LinkDefaultsTable(_Table):
    """`defaults` of a link: for cells that its rows leave empty, never for a command's."""

    scan: str = ""
    group: str = ""
    scale: Finite | None = None
    offset: Finite | None = None
    deadband: Deadband | None = None


class FieldLinkTable(BaseModel):
    """`[[field.links]]`: one device link. The rest of the keys belong to the protocol's driver."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Name
    protocol: str
    heartbeat: str | None = None
    defaults: LinkDefaultsTable = LinkDefaultsTable()

    def options(self) -> dict[str, Any]:
        """The driver's own keys."""
        return dict(self.model_extra or {})


class FieldTable(_Table):
    """`[field]`: what the OT agent reads, may move, and where it keeps its state."""

    points: Path
    limits: Path
    limits_public_key: Path | None = None
    stop_file: Path
    spool: Path
    scan_classes: dict[Name, ScanClassTable] = {}
    groups: dict[Name, GroupTable] = {}
    links: tuple[FieldLinkTable, ...]

    def context(self) -> PointContext:
        """What rows of the points file may name."""
        return PointContext(
            links=frozenset(link.id for link in self.links),
            scan_s={name: one.period_s for name, one in self.scan_classes.items()},
            groups={name: PointGroup(**one.model_dump()) for name, one in self.groups.items()},
            defaults={link.id: LinkDefaults(**link.defaults.model_dump()) for link in self.links},
        )

    def mistakes(self) -> Iterator[Mistake]:
        """What no single key shows: a link's id used twice, names that nothing has."""
        seen: set[str] = set()
        for i, link in enumerate(self.links):
            if link.id in seen:
                text = f"link id {link.id!r} is used twice; every link needs an id of its own"
                yield f"field.links[{i}].id", text
            seen.add(link.id)
            yield from _unknown(
                f"field.links[{i}].defaults.scan", link.defaults.scan, self.scan_classes
            )
            yield from _unknown(
                f"field.links[{i}].defaults.group", link.defaults.group, self.groups
            )
            if link.defaults.scale == 0:
                yield f"field.links[{i}].defaults.scale", "is 0: no value could be read"
        for name, group in self.groups.items():
            yield from _unknown(f"field.groups.{name}.scan", group.scan, self.scan_classes)
            if group.soe and group.event_class == 0:
                text = "soe needs events, and event_class 0 means that none are sent"
                yield f"field.groups.{name}.event_class", text


def _unknown(key: str, name: str, known: Iterable[str]) -> Iterator[Mistake]:
    names = sorted(known)
    if name and name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
        yield key, f"{name!r} is not configured; {meant}"
