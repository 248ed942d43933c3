"""When silence means that a value is not known any more (SG-12). One rule for field and office."""

from __future__ import annotations

STALE_SCANS = 3
STALE_MIN_S = 10.0


def stale_after_s(scan_s: float) -> float:
    """Real seconds of silence after which a point with this scan period is stale."""
    return max(STALE_SCANS * scan_s, STALE_MIN_S)
