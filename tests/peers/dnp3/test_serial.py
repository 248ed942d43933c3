"""opendnp3's outstation at the other end of a serial line: two pseudo terminals and a cable."""

from __future__ import annotations

import asyncio
import os
import tty
from dataclasses import replace
from pathlib import Path
from typing import Any

from protocols.driver import LinkSettings, Result
from tests.contracts import driver_peer as bench
from tests.peers.dnp3.outstations import SETPOINT, VALUES, Yadnp3
from tests.peers.dnp3.test_outstations import all_good, connected


class Cable:
    """Carries octets between two terminals, until it is cut."""

    def __init__(self) -> None:
        self._ends = [os.openpty(), os.openpty()]
        (one, near), (other, far) = self._ends
        self.paths = os.ttyname(near), os.ttyname(far)
        loop = asyncio.get_running_loop()
        for terminal in (near, far):
            tty.setraw(terminal)
        for source, target in ((one, other), (other, one)):
            os.set_blocking(source, False)
            loop.add_reader(source, _carry, source, target)

    def cut(self) -> None:
        for pair in self._ends:
            asyncio.get_running_loop().remove_reader(pair[0])
            for end in pair:
                os.close(end)


def _carry(source: int, target: int) -> None:
    os.write(target, os.read(source, 4_096))


class OnSerial(Yadnp3):
    """The outstation of `yadnp3_outstation.py` with AddSerial."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._cable = Cable()

    def where(self) -> str:
        return self._cable.paths[1]

    def settings(self) -> LinkSettings:
        given = super().settings()
        options = {k: v for k, v in given.options.items() if k not in ("host", "port")}
        return replace(given, options=options | {"serial": self._cable.paths[0], "baud": 115_200})

    async def kill(self) -> None:
        await super().kill()
        self._cable.cut()


async def test_a_foreign_outstation_on_a_serial_line(tmp_path: Path) -> None:
    async with connected(OnSerial, tmp_path) as (rig, peer):
        for mrid, value in VALUES.items():
            assert rig.latest[mrid].value == value, mrid
        await peer.move(950.0)
        assert await rig.until(lambda: rig.latest[bench.POWER].value == 950.0, 3.0)
        done = await rig.execute(rig.permit(bench.SETPOINT, 33.25))
        assert done.result is Result.ACCEPTED, done
        refused = await rig.execute(rig.permit(bench.LOCKED_SETPOINT, 1.0))
        assert (refused.result, refused.status) == (Result.REJECTED, "LOCAL"), refused
        await peer.learn()
        assert [tuple(one) for one in peer.operated] == [("analog", SETPOINT, 33.25)]
        assert rig.driver.health().protocol_errors == 0
        assert all_good(rig)
