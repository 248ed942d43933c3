"""A DER of IEEE 1815.2 is dispatched through its active power limit, by its owner's own map.

Each dispatch writes the reversion timeout, the limit and the enabling output, each by select before
operate, in this order; what is in force is read back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.command import CommandState
from protocols.driver import LinkSettings, PointAddress, Result
from tests.contracts.test_driver_contract import CONNECT_S, Rig, rig_of
from tests.peers.dnp3.judge import judged
from tests.peers.dnp3.mesa import (
    ENABLED_SHOWN,
    LIMIT,
    LIMIT_SHOWN,
    MINIMUM_SHOWN,
    RATING_KW,
    TIMEOUT_SHOWN,
    MesaPeer,
)

LEASE_S = 600.0


@asynccontextmanager
async def dispatching(folder: Path, kind: type[MesaPeer] = MesaPeer) -> AsyncIterator[Rig]:
    async with rig_of(kind, folder / "der", link="DER") as rig:
        assert await rig.until(
            lambda: rig.driver.health().state == "up" and LIMIT_SHOWN in rig.latest, CONNECT_S
        ), rig.driver.health()
        yield rig


async def read(rig: Rig, point: str) -> float:
    measured = await rig.driver.read_back(point, timeout_s=3.0)
    assert measured is not None
    assert measured.quality.is_good
    return measured.value


async def test_a_dispatch_is_limit_enable_and_timeout_and_is_read_back(tmp_path: Path) -> None:
    async with dispatching(tmp_path) as rig:
        assert await read(rig, ENABLED_SHOWN) == 0.0
        done = await rig.execute(rig.permit(LIMIT, 25.0))
        assert done.result is Result.ACCEPTED, done
        assert rig.stages == [CommandState.SELECTED, CommandState.OPERATED]
        assert await read(rig, LIMIT_SHOWN) == pytest.approx(25.0)
        assert await read(rig, MINIMUM_SHOWN) == 0.0
        assert await read(rig, ENABLED_SHOWN) == 1.0
        assert await read(rig, TIMEOUT_SHOWN) == pytest.approx(LEASE_S, abs=5.0)


async def test_the_timeout_is_written_with_every_dispatch(tmp_path: Path) -> None:
    async with dispatching(tmp_path) as rig:
        assert (await rig.execute(rig.permit(LIMIT, 25.0))).result is Result.ACCEPTED
        shorter = rig.permit(LIMIT, 30.0)
        shorter.command = replace(shorter.command, lease_until_s=rig.clock.now_s() + 90.0)
        assert (await rig.execute(shorter)).result is Result.ACCEPTED
        assert await read(rig, LIMIT_SHOWN) == pytest.approx(30.0)
        assert await read(rig, TIMEOUT_SHOWN) == pytest.approx(90.0, abs=5.0)


async def test_out_of_range_is_refused_by_the_device_and_changes_nothing(tmp_path: Path) -> None:
    async with dispatching(tmp_path) as rig:
        assert (await rig.execute(rig.permit(LIMIT, 25.0))).result is Result.ACCEPTED
        refused = await rig.execute(rig.permit(LIMIT, 1.1 * RATING_KW))
        assert (refused.result, refused.status) == (Result.REJECTED, "OUT_OF_RANGE"), refused
        assert CommandState.OPERATED not in rig.stages
        assert await read(rig, LIMIT_SHOWN) == pytest.approx(25.0)
        # The owner's own file refuses before anything is sent.
        beyond = await rig.execute(rig.permit(LIMIT, 2.0 * RATING_KW))
        assert (beyond.result, beyond.status) == (Result.REJECTED, "OUT_OF_LIMITS")


async def test_a_der_without_the_timeout_is_not_dispatched(tmp_path: Path) -> None:
    """The map promises a dead-man that this DER does not have: no limit leaves without it."""

    class Bare(MesaPeer):
        profile = "minimal_1547"

    async with dispatching(tmp_path, Bare) as rig:
        refused = await rig.execute(rig.permit(LIMIT, 25.0))
        assert (refused.result, refused.status) == (Result.REJECTED, "NOT_SUPPORTED"), refused
        assert "lease" in refused.detail.lower()
        assert await read(rig, LIMIT_SHOWN) == 0.0
        assert await read(rig, ENABLED_SHOWN) == 0.0


class Together(MesaPeer):
    """Its owner has read that it takes several controls a request."""

    def settings(self) -> LinkSettings:
        given = super().settings()
        return replace(given, options={**given.options, "commands_together": True})


async def test_in_one_request_a_refused_dispatch_changes_nothing_at_all(tmp_path: Path) -> None:
    """One by one, the timeout of the limit in force would have been set anew."""
    async with dispatching(tmp_path, Together) as rig:
        assert (await rig.execute(rig.permit(LIMIT, 25.0))).result is Result.ACCEPTED
        assert await read(rig, LIMIT_SHOWN) == pytest.approx(25.0)
        assert await read(rig, ENABLED_SHOWN) == 1.0
        assert await read(rig, TIMEOUT_SHOWN) == pytest.approx(LEASE_S, abs=5.0)
        beyond = rig.permit(LIMIT, 1.1 * RATING_KW)
        beyond.command = replace(beyond.command, lease_until_s=rig.clock.now_s() + 90.0)
        refused = await rig.execute(beyond)
        assert (refused.result, refused.status) == (Result.REJECTED, "OUT_OF_RANGE"), refused
        assert "the setpoint: " in refused.detail
        assert await read(rig, LIMIT_SHOWN) == pytest.approx(25.0)
        assert await read(rig, TIMEOUT_SHOWN) == pytest.approx(LEASE_S, abs=5.0)


async def test_a_der_of_integers_is_dispatched_in_integers(tmp_path: Path) -> None:
    class Whole(Together):
        def points(self) -> tuple[PointAddress, ...]:
            return tuple(
                replace(row, command="ao-int32") if row.command else row for row in super().points()
            )

    async with dispatching(tmp_path, Whole) as rig:
        assert (await rig.execute(rig.permit(LIMIT, 25.0))).result is Result.ACCEPTED
        assert await read(rig, LIMIT_SHOWN) == pytest.approx(25.0)
        seconds = await read(rig, TIMEOUT_SHOWN)
        assert seconds == round(seconds)
        assert LEASE_S - 5.0 <= seconds <= LEASE_S  # never longer than the permit's


async def test_what_was_on_the_wire(tmp_path: Path) -> None:
    async with rig_of(MesaPeer, tmp_path / "der", link="DER", peer_on=False) as rig:
        peer = rig.peer
        assert isinstance(peer, MesaPeer)
        async with judged(peer.port, tmp_path) as verdict:
            await peer.start()
            assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S)
            assert (await rig.execute(rig.permit(LIMIT, 25.0))).result is Result.ACCEPTED
            refused = await rig.execute(rig.permit(LIMIT, 1.1 * RATING_KW))
            assert refused.result is Result.REJECTED
    assert not verdict.faults, verdict.faults[:5]
    assert not verdict.of("DIRECT_OPERATE", "DIRECT_OPERATE_NR")
    steps = [(one.function, one.objects) for one in verdict.of("SELECT", "OPERATE")]
    analog, relay = "0x2903", "0x0c01"
    assert steps == [
        ("SELECT", analog), ("OPERATE", analog),  # reversion timeout
        ("SELECT", analog), ("OPERATE", analog),  # limit
        ("SELECT", relay), ("OPERATE", relay),  # enable
        ("SELECT", analog), ("OPERATE", analog),  # the timeout of the refused dispatch
        ("SELECT", analog),  # refused
    ]  # fmt: skip
