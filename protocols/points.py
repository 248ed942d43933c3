"""The points file: utilities keep their points in sheets, so it is CSV, one row per point.

Every error of the file is found in one pass and told as `file:line:column`. Whether an address or
a command can be spoken is for the protocol's driver to judge; here is only what holds for all.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from gridctl.model.errors import ConfigError
from gridctl.model.measurement import Point, PointKind
from gridctl.model.quantity import Phase, Unit
from protocols.driver import PointAddress

COLUMNS = [
    "mrid",
    "name",
    "equipment",
    "kind",
    "unit",
    "phase",
    "link",
    "address",
    "command",
    "lease",
    "scale",
    "offset",
    "deadband",
    "scan_s",
    "expect",
    "tolerance",
    "min",
    "max",
]
"""Columns that a points file must have, in any order."""
OPTIONAL_COLUMNS = ["enable"]
"""Columns that it may have; a file without one reads as if each cell of it were empty."""
ROWS_MAX = 200_000
ERRORS_SHOWN_MAX = 50

_E = TypeVar("_E", bound=StrEnum)


class _Row:
    """One row being read: collects what is wrong with it instead of stopping at the first."""

    def __init__(self, file: str, line: int, cells: dict[str, str]) -> None:
        self.file = file
        self.line = line
        self.cells = cells
        self.errors: list[tuple[int, str, str]] = []

    def wrong(self, column: str, message: str) -> None:
        self.errors.append((self.line, column, message))

    def text(self, column: str, *, needed: bool) -> str:
        cell = self.cells[column].strip()
        if needed and not cell:
            self.wrong(column, "is empty")
        return cell

    def number(self, column: str) -> float | None:
        """A finite number, or None with an error when the cell has none; empty is None too."""
        cell = self.cells[column].strip()
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            self.wrong(column, f"is not a number: {cell!r}")
            return None
        if not math.isfinite(value):
            self.wrong(column, f"is not a finite number: {cell!r}")
            return None
        return value

    def needed_number(self, column: str) -> float:
        if not self.cells[column].strip():
            self.wrong(column, "is empty")
        value = self.number(column)
        return math.nan if value is None else value

    def member(self, column: str, kind: type[_E], fallback: _E) -> _E:
        cell = self.cells[column].strip()
        try:
            return kind(cell)
        except ValueError:
            known = ", ".join(repr(str(one)) for one in kind)
            self.wrong(column, f"is {cell!r}, must be one of {known}")
            return fallback


def load_points(path: Path) -> tuple[PointAddress, ...]:
    """All points of the file at `path`, in its order.

    Raises ConfigError that names every error as file:line:column: unknown or missing columns,
    cells that cannot be read, commandable points without command, expect, tolerance, min or max,
    an mRID used twice, an address used twice on one link, an `expect` that is no point.
    """
    file = str(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as sheet:
            return parse_points(sheet, file=file)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", file=file, hint="the field needs a points file"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"is not UTF-8 text at byte {error.start}", file=file, hint="export the sheet as UTF-8"
        ) from error


def parse_points(lines: Iterable[str], *, file: str) -> tuple[PointAddress, ...]:
    """As `load_points`, from `lines` of text; `file` is the name that errors tell."""
    reader = csv.reader(lines, strict=True)
    errors: list[tuple[int, str, str]] = []
    found: list[PointAddress] = []
    try:
        header = next(reader, None)
        columns = _columns(header, file)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            address = _read_row(columns, cells, file, reader.line_num, errors)
            if address is not None:
                found.append(address)
            if len(found) > ROWS_MAX:
                raise ConfigError(f"has more than {ROWS_MAX} points", file=file)
    except csv.Error as error:
        raise ConfigError(
            f"is not CSV: {error}", file=file, key=str(reader.line_num), hint="check the quotes"
        ) from error
    errors += _duplicates(found)
    errors += _dangling(found)
    if errors:
        raise _config_error(file, sorted(errors))
    if not found:
        raise ConfigError("has no points", file=file, hint="one row per point below the header")
    return tuple(found)


def _columns(header: list[str] | None, file: str) -> list[str]:
    """The names of the columns, in the file's order. Raises ConfigError."""
    columns = [name.strip() for name in header or ()]
    known = COLUMNS + OPTIONAL_COLUMNS
    faults: list[str] = []
    if not columns:
        faults.append("is empty")
    elif missing := [name for name in COLUMNS if name not in columns]:
        faults.append(f"missing columns: {missing}")
    if unknown := [name for name in columns if name not in known]:
        faults.append(f"unknown columns: {unknown}")
    if twice := sorted({name for name in columns if columns.count(name) > 1 and name in known}):
        faults.append(f"columns twice: {twice}")
    if faults:
        raise ConfigError(
            "; ".join(faults),
            file=file,
            key="1",
            hint=f"the first line names {','.join(COLUMNS)} and, if needed, "
            f"{','.join(OPTIONAL_COLUMNS)}",
        )
    return columns


def _read_row(
    columns: list[str], cells: list[str], file: str, line: int, errors: list[tuple[int, str, str]]
) -> PointAddress | None:
    if len(cells) != len(columns):
        errors.append((line, "row", f"has {len(cells)} cells, must have {len(columns)}"))
        return None
    absent = dict.fromkeys(OPTIONAL_COLUMNS, "")
    row = _Row(file, line, absent | dict(zip(columns, cells, strict=True)))
    address = _address(row)
    _check_numbers(row, address)
    _check_command(row, address)
    errors += row.errors
    return address


def _address(row: _Row) -> PointAddress:
    link = row.text("link", needed=True)
    point = Point(
        mrid=row.text("mrid", needed=True),
        name=row.text("name", needed=True),
        equipment=row.text("equipment", needed=True),
        kind=row.member("kind", PointKind, PointKind.ANALOG),
        unit=row.member("unit", Unit, Unit.COUNT),
        phase=row.member("phase", Phase, Phase.NONE),
        scan_s=row.needed_number("scan_s"),
        expect=row.text("expect", needed=False) or None,
        tolerance=row.number("tolerance"),
        link=row.text("link", needed=True),
    )
    return PointAddress(
        point=point,
        link=link,
        address=row.text("address", needed=True),
        command=row.text("command", needed=False),
        lease=row.text("lease", needed=False),
        scale=row.needed_number("scale"),
        offset=row.needed_number("offset"),
        deadband=row.needed_number("deadband"),
        min_value=row.number("min"),
        max_value=row.number("max"),
        enable=row.text("enable", needed=False),
        file=row.file,
        line=row.line,
    )


def _check_numbers(row: _Row, address: PointAddress) -> None:
    # NaN compares false: a cell that could not be read is not complained of twice.
    if address.scale == 0:
        row.wrong("scale", "is 0: no value could be read or commanded")
    if address.deadband < 0:
        row.wrong("deadband", "is negative")
    if address.point.scan_s <= 0:
        row.wrong("scan_s", "must be more than 0 s")
    if address.point.tolerance is not None and address.point.tolerance < 0:
        row.wrong("tolerance", "is negative")
    low, high = address.min_value, address.max_value
    if low is not None and high is not None and low > high:
        row.wrong("min", f"{low:g} is above max {high:g}")


def _check_command(row: _Row, address: PointAddress) -> None:
    kind = address.point.kind
    if kind.commandable:
        for column in ("command", "expect", "tolerance", "min", "max"):
            if not row.cells[column].strip():
                row.wrong(column, f"is empty: a {kind} cannot be commanded without it")
        return
    for column in ("command", "lease", "enable"):
        if row.cells[column].strip():
            row.wrong(column, f"must be empty: a point of kind {kind} takes no command")


def _duplicates(found: list[PointAddress]) -> list[tuple[int, str, str]]:
    errors: list[tuple[int, str, str]] = []
    by_mrid: dict[str, int] = {}
    by_address: dict[tuple[str, str], int] = {}
    for one in found:
        if one.point.mrid:
            first = by_mrid.setdefault(one.point.mrid, one.line)
            if first != one.line:
                errors.append((one.line, "mrid", f"{one.point.mrid} is already on line {first}"))
        if one.link and one.address:
            first = by_address.setdefault((one.link, one.address), one.line)
            if first != one.line:
                errors.append(
                    (
                        one.line,
                        "address",
                        f"{one.address} on link {one.link} is already on line {first}",
                    )
                )
    return errors


def _dangling(found: list[PointAddress]) -> list[tuple[int, str, str]]:
    known = {one.point.mrid for one in found}
    return [
        (one.line, "expect", f"{one.point.expect} is not a point of this file")
        for one in found
        if one.point.expect is not None and one.point.expect not in known
    ]


def _config_error(file: str, errors: list[tuple[int, str, str]]) -> ConfigError:
    line, column, first = errors[0]
    message = first
    for line_, column_, text in errors[1:ERRORS_SHOWN_MAX]:
        message += f"\n{file}:{line_}:{column_}: {text}"
    if len(errors) > ERRORS_SHOWN_MAX:
        message += f"\n… and {len(errors) - ERRORS_SHOWN_MAX} more"
    return ConfigError(message, file=file, key=f"{line}:{column}")
