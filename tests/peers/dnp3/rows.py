"""The points that a foreign outstation shows, as rows of a points file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gridctl.model.measurement import Point, PointKind
from gridctl.model.quantity import Phase, Unit
from protocols.driver import LinkSettings, PointAddress
from tests.contracts.driver_peer import SCAN_S, Wire, bench_points
from tests.contracts.peer_dnp3 import WIRES

RELAY = "BENCH.Relay"
LINK_ADDRESS, MASTER_ADDRESS = 1024, 1


def rows_of(link: str, *, without: Sequence[str] = ()) -> tuple[PointAddress, ...]:
    """The bench's points without a lease, and a relay at 12:4; not those named in `without`."""
    wires = {mrid: replace(wire, lease="") for mrid, wire in WIRES.items()}
    rows = bench_points(link, wires)
    relay = PointAddress(
        point=Point(
            mrid=RELAY,
            name=RELAY,
            equipment="BENCH",
            kind=PointKind.CONTROL,
            unit=Unit.STATE,
            phase=Phase.NONE,
            scan_s=SCAN_S,
            expect="BENCH.Pos",
            tolerance=0.0,
        ),
        link=link,
        address="12:4",
        command="crob-latch",
        lease="",
        scale=1.0,
        offset=0.0,
        deadband=0.0,
        min_value=0.0,
        max_value=1.0,
        file="bench.csv",
        line=len(rows) + 2,
    )
    return tuple(row for row in (*rows, relay) if row.point.mrid not in without)


def settings_of(link: str, port: int) -> LinkSettings:
    """What our driver is opened with towards a foreign outstation."""
    return LinkSettings(
        id=link,
        protocol="dnp3",
        file="peers.toml",
        options={
            "host": "127.0.0.1",
            "port": port,
            "master_address": MASTER_ADDRESS,
            "outstation_address": LINK_ADDRESS,
            "response_timeout_s": 1.0,
            "select_timeout_s": 5.0,
        },
    )


__all__ = ["LINK_ADDRESS", "MASTER_ADDRESS", "RELAY", "Wire", "rows_of", "settings_of"]
