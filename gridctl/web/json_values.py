"""How single values look on the wire: times, rounded numbers, null for unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def iso(at_s: float) -> str:
    """Grid time as ISO 8601 UTC with milliseconds."""
    text = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def rounded(value: float | None, digits: int = 3) -> float | None:
    """`value` for the wire; null stays null, and what JSON has no number for becomes it."""
    return None if value is None or not isfinite(value) else round(value, digits)
