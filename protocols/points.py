"""The points file: utilities keep their points in sheets, so it is CSV, one row per point.

Every error of the file is found in one pass and told as `file:line:column`. Whether an address or
a command can be spoken is for the protocol's driver to judge; here is only what holds for all.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from gridctl.model.errors import ConfigError
from protocols.driver import PointAddress
from protocols.pointgroups import NO_CONTEXT, PointContext
from protocols.pointrow import Mistake, RowReader
from protocols.sheet import Sheet, read_sheet, read_text

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
"""Columns that a points file must have, in any order; `scan_s` may give way to `scan`."""
OPTIONAL_COLUMNS = ["enable", "scan", "group", "note"]
"""Columns that it may have; a file without one reads as if each cell of it were empty.
`note` is for people and is not read."""
ROWS_MAX = 200_000
ERRORS_SHOWN_MAX = 50


def load_points(path: Path, context: PointContext = NO_CONTEXT) -> tuple[PointAddress, ...]:
    """All points of the file at `path`, in its order.

    Raises ConfigError that names every error as file:line:column: unknown or missing columns,
    cells that cannot be read, names that `context` does not have, commandable points without
    command, expect, tolerance, min or max, an mRID used twice, an address used twice on one link,
    an `expect` that is no point.
    """
    # Line breaks are left alone: a quoted cell may hold one.
    text = io.StringIO(read_text(path), newline="")
    return parse_points(text, file=str(path), context=context)


def parse_points(
    lines: Iterable[str], *, file: str, context: PointContext = NO_CONTEXT
) -> tuple[PointAddress, ...]:
    """As `load_points`, from `lines` of text; `file` is the name that errors tell."""
    sheet = read_sheet(lines, file=file)
    _check_header(sheet, file)
    reader = RowReader(sheet, file=file, context=context, absent=OPTIONAL_COLUMNS)
    found: list[PointAddress] = []
    for line, cells in sheet.rows:
        address = reader.read(line, cells)
        if address is not None:
            found.append(address)
        if line > 2 * ROWS_MAX or len(found) > ROWS_MAX:
            raise ConfigError(f"has more than {ROWS_MAX} points", file=file)
    mistakes = [*reader.mistakes, *reader.mixed_decimals(), *_duplicates(found), *_dangling(found)]
    if mistakes:
        raise _config_error(file, sorted(mistakes))
    if not found:
        raise ConfigError("has no points", file=file, hint="one row per point below the header")
    return tuple(found)


def _check_header(sheet: Sheet, file: str) -> None:
    columns = sheet.header
    known = [*COLUMNS, *OPTIONAL_COLUMNS]
    faults: list[str] = []
    needed = [name for name in COLUMNS if name != "scan_s" or "scan" not in columns]
    if missing := [name for name in needed if name not in columns]:
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


def _duplicates(found: list[PointAddress]) -> list[Mistake]:
    mistakes: list[Mistake] = []
    by_mrid: dict[str, int] = {}
    by_address: dict[tuple[str, str], int] = {}
    for one in found:
        if one.point.mrid:
            first = by_mrid.setdefault(one.point.mrid, one.line)
            if first != one.line:
                mistakes.append((one.line, "mrid", f"{one.point.mrid} is already on line {first}"))
        if one.link and one.address:
            first = by_address.setdefault((one.link, one.address), one.line)
            if first != one.line:
                text = f"{one.address} on link {one.link} is already on line {first}"
                mistakes.append((one.line, "address", text))
    return mistakes


def _dangling(found: list[PointAddress]) -> list[Mistake]:
    known = {one.point.mrid for one in found}
    return [
        (one.line, "expect", f"{one.point.expect} is not a point of this file")
        for one in found
        if one.point.expect is not None and one.point.expect not in known
    ]


def _config_error(file: str, mistakes: list[Mistake]) -> ConfigError:
    line, column, first = mistakes[0]
    message = first
    for line_, column_, text in mistakes[1:ERRORS_SHOWN_MAX]:
        message += f"\n{file}:{line_}:{column_}: {text}"
    if len(mistakes) > ERRORS_SHOWN_MAX:
        message += f"\n… and {len(mistakes) - ERRORS_SHOWN_MAX} more"
    return ConfigError(message, file=file, key=f"{line}:{column}")
