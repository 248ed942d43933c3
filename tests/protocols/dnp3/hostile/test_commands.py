"""No bad answer to a command is ever called success, and nothing is ever sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gridctl.model.clock import Clock
from protocols.driver import LinkSettings, PointAddress, Result
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.test_driver_contract import CONNECT_S, Rig, rig_of
from tests.peers.dnp3.rows import RELAY, rows_of
from tests.ports import free_port
from tests.protocols.dnp3.hostile.attacks import (
    ATTACKS,
    HARMLESS,
    REFUSALS,
    Attack,
    Attacking,
    refusal,
)
from tests.protocols.dnp3.hostile.liar import Honest, Liar
from tests.protocols.dnp3.hostile.stand import SEED, settings_for
from tests.protocols.dnp3.hostile.wire import OPERATE, SELECT

AT_ONCE = 16
COMMANDS = {bench.SETPOINT: (6.0, (12, 6.0)), RELAY: (1.0, (4, 3.0))}
"""What is commanded, and what an honest device has operated then: index, value or LATCH ON."""
AFTER = (bench.SETPOINT, 7.0, (12, 7.0))
PHASES = {"select": SELECT, "operate": OPERATE}
NOT_ACCEPTED = frozenset({Result.UNKNOWN, Result.REJECTED})
SAID_NO = frozenset({"unknown status", "status with a reserved bit", "refused, then accepted"})
"""Attacks in which the device itself says, among other things, that it refused."""


class LocalLiarPeer:
    """Fulfils `DriverPeer` as far as a rig needs it: the liar on the test's own loop, without the
    lease point, so that SETPOINT is one SELECT and one OPERATE."""

    locked_status = "LOCAL"
    hands_on_lease = False

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        self._link = link
        self._port = free_port()
        self.liar = Liar(port=self._port, seed=SEED)

    def settings(self) -> LinkSettings:
        return settings_for(self._link, self._port)

    def points(self) -> tuple[PointAddress, ...]:
        return rows_of(self._link)

    async def start(self) -> None:
        await self.liar.start()

    async def kill(self) -> None:
        await self.liar.stop()

    async def freeze(self) -> None:
        return

    async def thaw(self) -> None:
        return

    async def publish(self) -> None:
        return


async def _all(
    folder: Path,
    phase: str,
    attacks: Mapping[str, Attack],
    allowed: Callable[[str], frozenset[Result]],
    point: str = bench.SETPOINT,
) -> None:
    """Run each attack on a link of its own, some at a time; tell all that went wrong at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, name: str, attack: Attack) -> list[str]:
        async with gate, rig_of(LocalLiarPeer, folder / str(number), f"LIAR{number}") as rig:
            await rig.connected()
            told = await _attacked(rig, PHASES[phase], attack, allowed(name), point)
            return [f"{name}: {fault}" for fault in told]

    found = await asyncio.gather(
        *(one(number, name, attack) for number, (name, attack) in enumerate(attacks.items()))
    )
    wrong = [fault for faults in found for fault in faults]
    assert not wrong, "\n" + "\n".join(wrong)


async def _attacked(
    rig: Rig, function: int, attack: Attack, allowed: frozenset[Result], point: str
) -> list[str]:
    peer = rig.peer
    value, done = COMMANDS[point]
    assert isinstance(peer, LocalLiarPeer)
    device = peer.liar.device
    await peer.liar.set_mode(Attacking(function, attack))
    execution = await rig.execute(rig.permit(point, value))
    await peer.liar.set_mode(Honest())
    told = []
    if execution.result not in allowed:
        told.append(f"called {execution.result} {execution.status}: {execution.detail}")
    if not execution.status or not execution.detail:
        told.append(f"not explained: {execution}")
    operates = 0 if function == SELECT and Result.ACCEPTED not in allowed else 1
    if not await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S):
        told.append(f"the link does not come back: {rig.driver.health()}")
    await rig.pump(0.3)
    if device.operated != [done] * operates:
        told.append(f"the device operated {device.operated}")
    next_point, next_value, next_done = AFTER
    after = await rig.execute(rig.permit(next_point, next_value))
    if after.result is not Result.ACCEPTED or device.operated[operates:] != [next_done]:
        told.append(f"the next command: {after} {device.operated}")
    if device.direct:
        told.append(f"{device.direct} DIRECT OPERATEs")
    return told


@pytest.mark.parametrize("point", COMMANDS)
@pytest.mark.parametrize("phase", PHASES)
async def test_a_bad_answer_is_never_success(phase: str, point: str, tmp_path: Path) -> None:
    """After SELECT it may be called refused, for no OPERATE has left; after OPERATE only unknown,
    unless the device said itself that it refused: it has operated, and no second try follows."""

    def allowed(name: str) -> frozenset[Result]:
        if phase == "select" or name in SAID_NO:
            return NOT_ACCEPTED
        return frozenset({Result.UNKNOWN})

    await _all(tmp_path, phase, ATTACKS, allowed, point)


@pytest.mark.parametrize("phase", PHASES)
async def test_every_status_that_refuses_is_a_refusal(phase: str, tmp_path: Path) -> None:
    refusals = {f"status {status}": refusal(status) for status in REFUSALS}
    await _all(tmp_path, phase, refusals, lambda _: frozenset({Result.REJECTED}))


@pytest.mark.parametrize("phase", PHASES)
async def test_an_oddity_without_doubt_is_success(phase: str, tmp_path: Path) -> None:
    await _all(tmp_path, phase, HARMLESS, lambda _: frozenset({Result.ACCEPTED}))
