"""Counters of a link, and how they travel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.model.link import DIAGNOSTICS_MAX, LinkHealth
from protocols.traffic import TEXT_MAX, RoundTrips, Traffic, bounded

HEALTH = LinkHealth(
    link="SUB", protocol="dnp3", endpoint="127.0.0.1:20000", state="up", since_s=5.0, points=3,
    reads=10, late_scans=0, commands=0, reconnects=0, round_trip_s=0.5, detail="",
)  # fmt: skip


def test_quantiles_are_of_the_newest_window() -> None:
    trips = RoundTrips(window=100)
    assert (trips.last_s, trips.quantile_s(0.5)) == (None, None)
    for k in range(1, 201):
        trips.add(float(k))
    assert (trips.last_s, trips.quantile_s(0.5), trips.quantile_s(0.99)) == (200.0, 150.0, 199.0)
    assert (trips.quantile_s(0.0), trips.quantile_s(1.0)) == (101.0, 200.0)
    with pytest.raises(ValueError, match="holds nothing"):
        RoundTrips(window=0)


def test_a_health_is_filled_with_what_was_counted() -> None:
    traffic = Traffic(bytes_in=1, bytes_out=2, frames_in=3, frames_out=4, frame_errors=5)
    assert traffic.filled(HEALTH).round_trip_s == 0.5, "the driver's own, until one is counted"
    traffic.round_trips.add(0.25)
    traffic.failed("no answer", at_s=77.0)
    health = traffic.filled(HEALTH)
    assert (health.bytes_in, health.bytes_out, health.frames_in) == (1, 2, 3)
    assert (health.frames_out, health.frame_errors) == (4, 5)
    assert (health.round_trip_s, health.round_trip_p50_s, health.round_trip_p99_s) == (0.25,) * 3
    assert (health.last_error, health.last_error_s) == ("no answer", 77.0)


def test_what_travels_is_bounded() -> None:
    traffic = Traffic()
    traffic.failed("x" * 10_000, at_s=0.0)
    health = traffic.filled(HEALTH)
    assert len(health.last_error) == TEXT_MAX
    loud = {f"key{k}": "y" * 10_000 for k in range(1_000)}
    small = bounded(replace(HEALTH, diagnostics=loud))
    assert len(small.diagnostics) == DIAGNOSTICS_MAX
    assert {len(text) for text in small.diagnostics.values()} == {TEXT_MAX}
