"""One way to write a value down, so that a digest means the same on every host.

Canonical JSON: keys sorted, no spaces, floats by `repr` (shortest that round-trips, IEEE 754
double), enums by value, dataclasses by field, tuples as lists. NaN and infinity are refused:
a number that cannot be compared cannot be approved.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any


def plain(value: object) -> Any:
    """`value` as dicts, lists, strings, finite numbers, booleans and None.

    Raises ValueError for NaN or infinity and TypeError for anything without a canonical form.
    """
    match value:
        case None | bool() | str():
            return value
        case Enum():
            return value.value
        case int():
            return value
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} has no canonical form")
            return value
        case Mapping():
            return {str(plain(k)): plain(v) for k, v in value.items()}
        case tuple() | list():
            return [plain(v) for v in value]
        case frozenset() | set():
            return sorted(plain(v) for v in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        case _:
            raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical_json(value: object) -> bytes:
    """The canonical bytes of `value`; equal values give equal bytes."""
    return json.dumps(
        plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest(value: object) -> str:
    """SHA-256 of the canonical bytes, hexadecimal (64 characters)."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
