"""The tables of a pandapower net: the JSON that `pandapower.to_json` writes, read by ourselves.

Formats 2 and 3 are read alike. Neither pandapower nor pandas is needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Final

from gridctl.model.errors import ConfigError
from sim.feeder_import.report import Fate, Report

Row = Mapping[str, Any]
_KW: Final = 1e3


@dataclass(slots=True)
class NetFile:
    """All tables of `file` by name and index; `extra` is what is no table. `report` collects what
    became of each row."""

    file: Path
    tables: dict[str, dict[int, Row]] = field(init=False)
    extra: dict[str, Any] = field(init=False)
    report: Report = field(init=False)

    def __post_init__(self) -> None:
        self.report = Report(source=str(self.file))
        self.tables, self.extra = _read(self.file)

    @property
    def is_new(self) -> bool:
        """Whether its format is not that of pandapower 2 (or 1)."""
        said = str(self.extra.get("format_version") or self.extra.get("version") or "")
        return said.partition(".")[0] not in ("1", "2")

    def rows(self, table: str) -> dict[int, Row]:
        """A table, empty when there is none."""
        return self.tables.get(table, {})

    def figure(self, table: str, index: int, key: str, default: float | None = None) -> float:
        """A number of a row. ConfigError naming it when it is none and there is no `default`."""
        value = self.rows(table)[index].get(key)
        if value is None and default is not None:
            return default
        try:
            found = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            found = float("nan")
        if not isfinite(found):
            raise ConfigError(
                f"{table} {index}: {key} is {value!r}, no number",
                file=str(self.file),
                key=f"{table}.{index}.{key}",
            )
        return found

    def figures(self, table: str, index: int) -> Callable[..., float]:
        """`figure` of one row."""

        def of(key: str, default: float | None = None) -> float:
            return self.figure(table, index, key, default)

        return of

    def power(
        self, table: str, index: int, p: str = "p_mw", q: str = "q_mvar"
    ) -> tuple[float, float]:
        """kW and kvar of a row, by its scaling."""
        scale = self.figure(table, index, "scaling", 1.0) * _KW
        return tuple(self.figure(table, index, key, 0.0) * scale for key in (p, q))  # type: ignore[return-value]

    def solved(self, table: str, index: int) -> tuple[float, float] | None:
        """kW and kvar of a row in the solution that the file holds, None where it has none."""
        row = self.rows(f"res_{table}").get(index, {})
        p, q = row.get("p_mw"), row.get("q_mvar")
        if isinstance(p, (int, float)) and isinstance(q, (int, float)) and isfinite(p + q):
            return p * _KW, q * _KW
        return None

    def each(self, table: str, live: set[int], *buses: str) -> list[tuple[int, Row]]:
        """Rows in service at live buses; the others are told."""
        found = []
        for index, row in self.rows(table).items():
            if not in_service(row):
                self.report.add(f"{table}.{index}", Fate.UNUSED, "out of service")
            elif all(int(row[bus]) in live for bus in buses):
                found.append((index, row))
            else:
                self.report.add(f"{table}.{index}", Fate.REFUSED, "at a bus that is left out")
        return found


def in_service(row: Row) -> bool:
    """Whether a row takes part; most tables have a column for it."""
    return bool(row.get("in_service", True))


def _read(file: Path) -> tuple[dict[str, dict[int, Row]], dict[str, Any]]:
    """All tables by name and index, and the net's own figures."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from None
    except ValueError as error:
        raise ConfigError(f"no JSON: {error}", file=str(file)) from None
    net = document.get("_object") if isinstance(document, dict) else None
    if not isinstance(net, dict) or "bus" not in net:
        raise ConfigError(
            "no pandapower net",
            file=str(file),
            hint="write it with pandapower.to_json(net, FILE)",
        )
    tables, rest = {}, {}
    for key, value in net.items():
        if isinstance(value, dict) and value.get("_class") == "DataFrame":
            tables[key] = _table(value, key, file)
        else:
            rest[key] = value
    return tables, rest


def _table(value: Row, key: str, file: Path) -> dict[int, Row]:
    try:
        inner = value["_object"]
        frame = json.loads(inner) if isinstance(inner, str) else inner
        columns, index, data = frame["columns"], frame["index"], frame["data"]
        if key.startswith("res_") or not all(isinstance(i, int) for i in index):
            index = [int(i) for i in index if isinstance(i, (int, float))]
        return {
            int(i): dict(zip(columns, row, strict=True))
            for i, row in zip(index, data, strict=False)
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"table {key} cannot be read: {error}", file=str(file)) from None
