"""One row of the points file → one `PointAddress`, with everything that is wrong in it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TypeAlias, TypeVar

from gridctl.model.measurement import Point, PointKind
from gridctl.model.quantity import Phase, Unit
from protocols.driver import PointAddress
from protocols.pointgroups import (
    NO_DEFAULTS,
    NO_GROUP,
    SOME_PERIOD_S,
    LinkDefaults,
    PointContext,
    PointGroup,
)
from protocols.sheet import Sheet

Mistake: TypeAlias = tuple[int, str, str]
"""Line, column, and what is wrong there."""

_E = TypeVar("_E", bound=StrEnum)
_FOR_COMMANDS = ("command", "expect", "tolerance", "min", "max")
_ONLY_FOR_COMMANDS = ("command", "lease", "enable")


class RowReader:
    """Reads rows one after the other; collects mistakes instead of stopping at the first."""

    def __init__(
        self, sheet: Sheet, *, file: str, context: PointContext, absent: Iterable[str]
    ) -> None:
        self._columns = sheet.header
        self._commas_allowed = sheet.may_have_decimal_commas
        self._file = file
        self._context = context
        self._absent = dict.fromkeys((*absent, "scan_s"), "")
        self._line = 0
        self._cells: dict[str, str] = {}
        self._first_comma: tuple[int, str] | None = None
        self._first_point: tuple[int, str] | None = None
        self.mistakes: list[Mistake] = []

    def read(self, line: int, cells: Sequence[str]) -> PointAddress | None:
        """The point of one row; None when it has not even the right number of cells."""
        self._line = line
        if len(cells) != len(self._columns):
            text = f"has {len(cells)} cells, must have {len(self._columns)}"
            self._wrong("row", text)
            return None
        self._cells = self._absent | {
            name: cell.strip() for name, cell in zip(self._columns, cells, strict=True)
        }
        kind = self._member("kind", PointKind, PointKind.ANALOG)
        link = self._link()
        defaults = self._context.defaults.get(link, NO_DEFAULTS)
        group_name, group = self._group(defaults)
        address = self._address(kind, link, defaults, group_name, group)
        self._check_numbers(address)
        self._check_command(address)
        return address

    def mixed_decimals(self) -> list[Mistake]:
        """A sheet with decimal commas and decimal points: which one parts thousands?"""
        if self._first_comma is None or self._first_point is None:
            return []
        line, cell = self._first_point
        other_line, other = self._first_comma
        text = f"{cell!r} has a decimal point, {other!r} on line {other_line} a comma: use one"
        return [(line, "row", text)]

    def _address(
        self,
        kind: PointKind,
        link: str,
        defaults: LinkDefaults,
        group_name: str,
        group: PointGroup,
    ) -> PointAddress:
        # A command's scaling is on its own row; what a link has by default serves values only.
        scaling = NO_DEFAULTS if kind.commandable else defaults
        deadband = group.deadband if group.deadband is not None else defaults.deadband
        point = Point(
            mrid=self._text("mrid", needed=True),
            name=self._text("name", needed=True),
            equipment=self._text("equipment", needed=True),
            kind=kind,
            unit=self._member("unit", Unit, Unit.COUNT),
            phase=self._member("phase", Phase, Phase.NONE),
            scan_s=self._scan_s(group, defaults),
            expect=self._cells["expect"] or None,
            tolerance=self._number("tolerance"),
            link=link,
        )
        return PointAddress(
            point=point,
            link=link,
            address=self._text("address", needed=True),
            command=self._cells["command"],
            lease=self._cells["lease"],
            enable=self._cells["enable"],
            scale=self._needed_number("scale", scaling.scale),
            offset=self._needed_number("offset", scaling.offset),
            deadband=self._needed_number("deadband", deadband),
            min_value=self._number("min"),
            max_value=self._number("max"),
            group=group_name,
            soe=group.soe,
            event_class=group.event_class,
            file=self._file,
            line=self._line,
        )

    # --- cells ------------------------------------------------------------------------------

    def _wrong(self, column: str, message: str) -> None:
        self.mistakes.append((self._line, column, message))

    def _text(self, column: str, *, needed: bool) -> str:
        cell = self._cells[column]
        if needed and not cell:
            self._wrong(column, "is empty")
        return cell

    def _number(self, column: str) -> float | None:
        """A finite number, or None with a mistake when the cell has none; empty is None too."""
        cell = self._cells[column]
        if not cell:
            return None
        text = cell
        if self._commas_allowed and "," in cell and "." not in cell:
            self._first_comma = self._first_comma or (self._line, cell)
            text = cell.replace(",", ".", 1)
        elif self._commas_allowed and "." in cell:
            self._first_point = self._first_point or (self._line, cell)
        try:
            value = float(text)
        except ValueError:
            self._wrong(column, f"is not a number: {cell!r}")
            return None
        if not math.isfinite(value):
            self._wrong(column, f"is not a finite number: {cell!r}")
            return None
        return value

    def _needed_number(self, column: str, default: float | None) -> float:
        if not self._cells[column]:
            if default is not None:
                return default
            self._wrong(column, "is empty")
            return math.nan
        value = self._number(column)
        return math.nan if value is None else value

    def _member(self, column: str, kind: type[_E], fallback: _E) -> _E:
        cell = self._cells[column]
        try:
            return kind(cell)
        except ValueError:
            known = ", ".join(repr(str(one)) for one in kind)
            self._wrong(column, f"is {cell!r}, must be one of {known}")
            return fallback

    def _known(self, column: str, name: str, known: Iterable[str], what: str) -> None:
        """A mistake that says which names there are, and which one was probably meant."""
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names) or 'none'}"
        self._wrong(column, f"{what} {name!r} is not configured; {meant}")

    # --- names of others --------------------------------------------------------------------

    def _link(self) -> str:
        link = self._text("link", needed=True)
        links = self._context.links
        if link and links is not None and link not in links:
            self._known("link", link, links, "link")
        return link

    def _group(self, defaults: LinkDefaults) -> tuple[str, PointGroup]:
        name = self._cells["group"] or defaults.group
        if not name:
            return "", NO_GROUP
        groups = self._context.groups
        if groups is None:
            return name, NO_GROUP
        if name not in groups:
            self._known("group", name, groups, "group")
        return name, groups.get(name, NO_GROUP)

    def _scan_s(self, group: PointGroup, defaults: LinkDefaults) -> float:
        """The row's own period or scan class, else its group's class, else its link's."""
        if self._cells["scan_s"]:
            if self._cells["scan"]:
                self._wrong("scan", "is filled beside scan_s: name a class or a period, not both")
            return self._needed_number("scan_s", None)
        name = self._cells["scan"] or group.scan or defaults.scan
        if not name:
            self._wrong("scan_s", "is empty, and there is no scan class for it")
            return math.nan
        classes = self._context.scan_s
        if classes is None:
            return SOME_PERIOD_S
        if name not in classes:
            self._known("scan", name, classes, "scan class")
        return classes.get(name, math.nan)

    # --- what must fit together --------------------------------------------------------------

    def _check_numbers(self, address: PointAddress) -> None:
        # NaN compares false: a cell that could not be read is not complained of twice.
        if address.scale == 0:
            self._wrong("scale", "is 0: no value could be read or commanded")
        if address.deadband < 0:
            self._wrong("deadband", "is negative")
        if address.point.scan_s <= 0:
            self._wrong("scan_s", "must be more than 0 s")
        if address.point.tolerance is not None and address.point.tolerance < 0:
            self._wrong("tolerance", "is negative")
        low, high = address.min_value, address.max_value
        if low is not None and high is not None and low > high:
            self._wrong("min", f"{low:g} is above max {high:g}")

    def _check_command(self, address: PointAddress) -> None:
        kind = address.point.kind
        if kind.commandable:
            for column in _FOR_COMMANDS:
                if not self._cells[column]:
                    self._wrong(column, f"is empty: a {kind} cannot be commanded without it")
            if address.soe:
                self._wrong("group", f"a {kind} has no sequence of events; its feedback has")
            return
        for column in _ONLY_FOR_COMMANDS:
            if self._cells[column]:
                self._wrong(column, f"must be empty: a point of kind {kind} takes no command")
