"""A simulated outstation behind TLS, and our own master in front of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from gridctl.wallclock import system_clock
from protocols.dnp3.driver import Dnp3Driver
from protocols.driver import LinkSettings
from protocols.inbox import Inbox
from sim.outstation import SimOutstation
from sim.outstation_tls import OutstationTls
from tests.contracts import driver_peer as bench
from tests.contracts.driver_peer import BenchPlant, bench_points, plant_points
from tests.contracts.peer_dnp3 import WIRES
from tests.ports import free_port
from tests.protocols.dnp3.test_tls import Authority, options

CLOCK = system_clock()


def tls_of(authority: Authority, *, client_name: str = "master.test") -> OutstationTls:
    certificate, key = authority.issue("rtu", san="rtu.test")
    return OutstationTls(
        certificate=certificate, key=key, client_ca=authority.ca, client_name=client_name
    )


@pytest.mark.parametrize(("client_name", "comes"), [("master.test", True), ("other.test", False)])
async def test_only_the_master_whose_name_is_pinned_reads(
    tmp_path: Path, client_name: str, comes: bool
) -> None:
    authority = Authority(tmp_path / "ours")
    plant, port, rows = BenchPlant(clock=CLOCK), free_port(), bench_points("DR", WIRES)
    plant.touch()
    outstation = SimOutstation(
        link="DR", host="127.0.0.1", port=port, master_address=1, outstation_address=1024,
        points=plant_points(rows), plant=plant, clock=CLOCK,
        tls=tls_of(authority, client_name=client_name),
    )  # fmt: skip
    pair = authority.issue("master", san="master.test")
    inbox = Inbox(1_000)
    driver = Dnp3Driver(
        LinkSettings(
            id="DR", protocol="dnp3", file="x",
            options={
                "host": "127.0.0.1", "port": port, "master_address": 1, "outstation_address": 1024,
                "response_timeout_s": 0.6, "select_timeout_s": 5.0,
                **options(authority, pair, "rtu.test"),
            },
        ),
        rows, inbox, CLOCK,
    )  # fmt: skip
    await outstation.start()
    await driver.start()
    try:
        seen: set[str] = set()
        for _ in range(25 if comes else 5):
            seen |= {m.point for m in await inbox.get(timeout_s=0.2) if m.quality.is_good}
            if bench.POWER in seen:
                break
        assert (bench.POWER in seen) is comes
    finally:
        await driver.stop()
        await outstation.stop()


def test_files_that_will_not_do_are_refused(tmp_path: Path) -> None:
    tls = tls_of(Authority(tmp_path / "ours"))
    tls.key.unlink()
    with pytest.raises(ConfigError, match="TLS of the outstation: No such file"):
        tls.context()
    tls.key.write_text("no key")
    with pytest.raises(ConfigError, match="TLS of the outstation"):
        tls.context()
