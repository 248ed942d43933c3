"""Plain tables as TOML text: what an instance's files need, nothing more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from math import isfinite
from typing import TypeAlias

Value: TypeAlias = "str | bool | int | float | date | Sequence[Value] | Mapping[str, Value]"


def toml_value(value: Value) -> str:
    """One value inline. Raises ValueError for NaN and infinity: no file of ours may hold one."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # JSON's escapes are TOML's; only DEL is told differently and does not occur.
            return json.dumps(value, ensure_ascii=False)
        case int():
            return str(value)
        case float():
            if not isfinite(value):
                raise ValueError(f"{value} does not belong into a file")
            return repr(value)
        case date():
            return value.isoformat()
        case Mapping():
            inner = ", ".join(f"{key} = {toml_value(one)}" for key, one in value.items())
            return f"{{ {inner} }}"
        case _:
            return f"[{', '.join(toml_value(one) for one in value)}]"


def toml_table(header: str, table: Mapping[str, Value]) -> str:
    """A table under `header` ("[site]" or "[[devices]]"), one key a line."""
    lines = [header, *(f"{key} = {toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"
