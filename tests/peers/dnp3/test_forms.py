"""Every output object that a points file can name, taken by outstations of other people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from protocols.driver import LinkSettings, PointAddress, Result
from tests.contracts import driver_peer as bench
from tests.peers.dnp3.judge import judged
from tests.peers.dnp3.outstations import FURTHER, OUTSTATIONS, RELAY_INDEX, SETPOINT, Foreign
from tests.peers.dnp3.rows import RELAY, rows_of, settings_of
from tests.peers.dnp3.test_outstations import COMMANDED, connected

FORMS = ("ao-int32", "ao-int16", "ao-double")
CLOSE, TRIP, LATCH_ON = 0x41, 0x81, 0x03
LEASE_S = 600.0


def owned(name: str, rows: Sequence[PointAddress]) -> type[Foreign]:
    """The outstation `name`, with its owner's points file, and several controls a request."""

    def points(peer: Foreign) -> tuple[PointAddress, ...]:
        return tuple(replace(row, link=peer._link) for row in rows)

    def settings(peer: Foreign) -> LinkSettings:
        given = settings_of(peer._link, peer.port)
        return replace(given, options={**given.options, "commands_together": True})

    body = {"points": points, "settings": settings}
    return cast("type[Foreign]", type("Owned", (OUTSTATIONS[name],), body))


def row_of(mrid: str) -> PointAddress:
    return next(row for row in rows_of("") if row.point.mrid == mrid)


def further(index: int, command: str) -> PointAddress:
    made = row_of(bench.SETPOINT)
    point = replace(made.point, mrid=f"SP.{command}")
    return replace(made, point=point, address=f"41:{index}", command=command, line=100 + index)


@pytest.mark.parametrize("name", COMMANDED)
async def test_each_variation_and_each_pulse(name: str, tmp_path: Path) -> None:
    points = [further(index, form) for index, form in zip(FURTHER, FORMS, strict=True)]
    points.append(replace(row_of(RELAY), command="crob-trip-close:250/100x1"))
    rows = [row for row in rows_of("") if row.point.mrid != RELAY]
    async with connected(owned(name, [*rows, *points]), tmp_path) as (rig, peer):
        for point in points[:-1]:
            done = await rig.execute(rig.permit(point.point.mrid, -25.0))
            assert done.result is Result.ACCEPTED, done
        for value in (1.0, 0.0):
            done = await rig.execute(rig.permit(RELAY, value))
            assert done.result is Result.ACCEPTED, done
        await peer.learn()
    assert [tuple(one) for one in peer.operated] == [
        *(("analog", index, -25.0) for index in FURTHER),
        ("relay", RELAY_INDEX, CLOSE),
        ("relay", RELAY_INDEX, TRIP),
    ]


@pytest.mark.parametrize("name", COMMANDED)
async def test_several_outputs_in_one_request(name: str, tmp_path: Path) -> None:
    point = replace(row_of(bench.SETPOINT), lease=f"41:{FURTHER[0]}", enable=f"12:{RELAY_INDEX}")
    others = [row for row in rows_of("") if row.point.mrid not in (RELAY, bench.SETPOINT)]
    kind = owned(name, [*others, point])
    async with connected(kind, tmp_path) as (rig, peer), judged(peer.port, tmp_path) as verdict:
        done = await rig.execute(rig.permit(bench.SETPOINT, 33.25))
        assert done.result is Result.ACCEPTED, done
        await peer.learn()
    (lease, seconds), *rest = [((kind, i), value) for kind, i, value in peer.operated]
    assert lease == ("analog", FURTHER[0])
    assert seconds == pytest.approx(LEASE_S, abs=3.0)
    assert rest == [(("analog", SETPOINT), 33.25), (("relay", RELAY_INDEX), LATCH_ON)]
    assert not verdict.faults, verdict.faults[:5]
    assert [one.function for one in verdict.of("SELECT", "OPERATE")] == ["SELECT", "OPERATE"]
