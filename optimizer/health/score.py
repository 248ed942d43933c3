"""One number beside its parts: it is only the worst of them, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`score` 0 … 100: 100 * (1 - the worst part). `parts`: shares of what is allowed, 1 is all of
    it. `coverage`: share of the data that was there. None: nothing is known."""

    score: float | None
    worst: str | None
    parts: Mapping[str, float]
    coverage: float


def health(parts: Mapping[str, float], *, coverage: float) -> Health:
    """From normalised parts: life used, thermal margin at q95, operation wear, violation rate."""
    known = {name: min(max(value, 0.0), 1.0) for name, value in parts.items() if value == value}  # noqa: PLR0124
    if not known:
        return Health(score=None, worst=None, parts={}, coverage=coverage)
    worst = max(known, key=known.__getitem__)
    return Health(score=100.0 * (1.0 - known[worst]), worst=worst, parts=known, coverage=coverage)
