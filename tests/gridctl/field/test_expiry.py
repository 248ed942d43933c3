"""When a certificate's end is worth an alarm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.field.expiry import expiry_text
from gridctl.model.link import LinkHealth

DAY_S = 86_400.0
NOW_S = 1_800_000_000.0
HEALTH = LinkHealth(
    link="DER",
    protocol="opcua",
    endpoint="",
    state="up",
    since_s=0.0,
    points=0,
    reads=0,
    late_scans=0,
    commands=0,
    reconnects=0,
    round_trip_s=None,
    detail="",
)


@pytest.mark.parametrize(
    ("left_days", "text"),
    [
        (None, None),
        (31.0, None),
        (29.0, "ends in 29 days"),
        (0.0, "has ended"),
        (-3.0, "has ended"),
    ],
)
def test_told_thirty_days_ahead(left_days: float | None, text: str | None) -> None:
    ends_s = None if left_days is None else NOW_S + left_days * DAY_S
    found = expiry_text(replace(HEALTH, certificate_expires_s=ends_s), NOW_S)
    assert (found is None) if text is None else (found is not None and text in found)
