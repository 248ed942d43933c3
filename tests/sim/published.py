"""Voltages of the IEEE test feeders' solution documents, pu, phases A, B, C, at the published taps.

The 13 node table is the whole voltage profile of its document. It was first typed without the
document at hand; that a power flow on the published data gives each of its figures back to the last
digit or its neighbour is what vouches for it now (`test_feeder.py`). Of the 123 node document only
the three nodes are here that other open projects quote from it (InterPSS's tests of its
distribution power flow).
"""

from __future__ import annotations

from collections.abc import Mapping

Profile = Mapping[str, tuple[float | None, float | None, float | None]]

IEEE13: Profile = {
    "RG60": (1.0625, 1.0500, 1.0687),
    "632": (1.0210, 1.0420, 1.0174),
    "633": (1.0180, 1.0401, 1.0148),
    "634": (0.9940, 1.0218, 0.9960),
    "645": (None, 1.0329, 1.0155),
    "646": (None, 1.0311, 1.0134),
    "671": (0.9900, 1.0529, 0.9778),
    "680": (0.9900, 1.0529, 0.9777),
    "684": (0.9881, None, 0.9758),
    "611": (None, None, 0.9738),
    "652": (0.9825, None, None),
    "675": (0.9835, 1.0553, 0.9758),
}
IEEE123: Profile = {
    "150r": (1.0437, 1.0438, 1.0438),
    "21": (0.9983, 1.0320, 1.0111),
    "30": (0.9969, 1.0331, 1.0078),
}


def errors_pu(published: Profile, seen: Mapping[str, float]) -> dict[str, float]:
    """Difference of each published voltage from `seen` (by "node.phase")."""
    return {
        f"{node}.{phase}": seen[f"{node}.{phase}"] - volts
        for node, row in published.items()
        for phase, volts in zip("ABC", row, strict=True)
        if volts is not None
    }
