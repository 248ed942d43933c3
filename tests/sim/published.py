"""Voltages of the IEEE test feeders' solution documents, pu, phases A, B, C, at the published taps.

The 13 and 34 node tables are the whole voltage profiles of their documents. They were first typed
without the documents at hand; that a power flow on the published data gives each of their figures
back to the last digit or its neighbours is what vouches for them now (`test_feeder.py`), and for
the 13 nodes a second copy in an open project, equal figure by figure, which the angles are from
(`epg-psopt`, reproduce_ieee13.m). The 123 node table has a file of its own (`published_123.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.sim.profile import Profile
from tests.sim.published_123 import ANGLES_123, EARTHED_123, EARTHED_ANGLES_123, IEEE123

__all__ = [
    "ANGLES_13", "ANGLES_123", "EARTHED_123", "EARTHED_ANGLES_123", "IEEE13", "IEEE34", "IEEE123",
    "Profile", "errors_pu",
]  # fmt: skip

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
IEEE34: Profile = {
    "800": (1.0500, 1.0500, 1.0500),
    "802": (1.0475, 1.0484, 1.0484),
    "806": (1.0457, 1.0474, 1.0474),
    "808": (1.0136, 1.0296, 1.0289),
    "810": (None, 1.0294, None),
    "812": (0.9763, 1.0100, 1.0069),
    "814": (0.9467, 0.9945, 0.9893),
    "RG10": (1.0177, 1.0255, 1.0203),
    "850": (1.0176, 1.0255, 1.0203),
    "816": (1.0172, 1.0253, 1.0200),
    "818": (1.0163, None, None),
    "820": (0.9926, None, None),
    "822": (0.9895, None, None),
    "824": (1.0082, 1.0158, 1.0116),
    "826": (None, 1.0156, None),
    "828": (1.0074, 1.0151, 1.0109),
    "830": (0.9894, 0.9982, 0.9938),
    "854": (0.9890, 0.9978, 0.9934),
    "852": (0.9581, 0.9680, 0.9637),
    "RG11": (1.0359, 1.0345, 1.0360),
    "832": (1.0359, 1.0345, 1.0360),
    "858": (1.0336, 1.0322, 1.0338),
    "834": (1.0309, 1.0295, 1.0313),
    "842": (1.0309, 1.0294, 1.0313),
    "844": (1.0307, 1.0291, 1.0311),
    "846": (1.0309, 1.0291, 1.0313),
    "848": (1.0310, 1.0291, 1.0314),
    "860": (1.0305, 1.0291, 1.0310),
    "836": (1.0303, 1.0287, 1.0308),
    "840": (1.0303, 1.0287, 1.0308),
    "862": (1.0303, 1.0287, 1.0308),
    "838": (None, 1.0285, None),
    "864": (1.0336, None, None),
    "888": (0.9996, 0.9983, 1.0000),
    "890": (0.9167, 0.9235, 0.9177),
    "856": (None, 0.9977, None),
}

ANGLES_13: Profile = {
    "632": (-2.49, -121.72, 117.83),
    "633": (-2.56, -121.77, 117.82),
    "634": (-3.23, -122.22, 117.34),
    "645": (None, -121.90, 117.86),
    "646": (None, -121.98, 117.90),
    "671": (-5.30, -122.34, 116.02),
    "680": (-5.31, -122.34, 116.02),
    "684": (-5.32, None, 115.92),
    "611": (None, None, 115.78),
    "652": (-5.25, None, None),
    "675": (-5.56, -122.52, 116.03),
}
"""Degrees."""


def errors_pu(published: Profile, seen: Mapping[str, float]) -> dict[str, float]:
    """Difference of each published figure from `seen` (by "node.phase")."""
    return {
        f"{node}.{phase}": seen[f"{node}.{phase}"] - volts
        for node, row in published.items()
        for phase, volts in zip("ABC", row, strict=True)
        if volts is not None
    }
