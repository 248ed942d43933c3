"""A sheet as utilities export it: bytes of a CSV file → rows of cells, each with its line.

Comma, semicolon or tab between the cells; a byte-order mark is skipped. Between semicolons or tabs
a comma is the decimal mark of most of Europe: such numbers are read when no number of the sheet
has a point, because "1.234" would be ambiguous then.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gridctl.model.errors import ConfigError

FILE_BYTES_MAX = 256 * 1024 * 1024
DELIMITERS = (",", ";", "\t")
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The sheet's first row, and the way its cells are parted."""

    header: list[str]
    delimiter: str
    rows: Iterator[tuple[int, list[str]]]
    """Line and cells of each row below the header; blank rows are left out."""

    @property
    def may_have_decimal_commas(self) -> bool:
        return self.delimiter != ","


def read_text(path: Path) -> str:
    """The text of the file at `path`. Raises ConfigError when it is none."""
    file = str(path)
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ConfigError(f"is larger than {FILE_BYTES_MAX // 1024 // 1024} MB", file=file)
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", file=file, hint="the field needs a points file"
        ) from error
    if data.startswith(_UTF16_MARKS):
        raise ConfigError(
            "is UTF-16 text, not UTF-8",
            file=file,
            hint="a spreadsheet's 'Unicode text' is UTF-16: save as 'CSV UTF-8' instead",
        )
    try:
        return data.removeprefix(_UTF8_MARK).decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"is not UTF-8 text: byte 0x{data[error.start]:02x}",
            file=file,
            key=str(line),
            hint="save the sheet as 'CSV UTF-8'; plain 'CSV' is in the code page of one machine",
        ) from error


def read_sheet(lines: Iterable[str], *, file: str) -> Sheet:
    """The sheet in `lines` of text. Raises ConfigError for an empty one, and while its rows are
    read for one whose quotes do not close."""
    walk = iter(lines)
    first = next(walk, "")
    delimiter = max(DELIMITERS, key=first.count)
    rows = _rows(_chained(first, walk), delimiter, file)
    _, header = next(rows, (1, []))
    if not header:
        raise ConfigError(
            "is empty", file=file, hint="the first line names the columns, one row a point below"
        )
    return Sheet(header=[name.strip() for name in header], delimiter=delimiter, rows=rows)


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _rows(lines: Iterator[str], delimiter: str, file: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        # A quoted cell may hold line breaks: a row's line is the one on which it begins.
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ConfigError(
                f"is not CSV: {error}", file=file, key=str(line), hint="check the quotes"
            ) from error
        if cells is None:
            return
        if any(cell and not cell.isspace() for cell in cells):
            yield line, cells
