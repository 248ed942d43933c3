"""The registry opens the driver that a link asks for, or says why it cannot."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from gridctl.wallclock import system_clock
from protocols.driver import LinkSettings
from protocols.inbox import Inbox
from protocols.registry import open_driver
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.peer_dnp3 import Dnp3Peer

CLOCK = system_clock()


@pytest.fixture
def peer(tmp_path: Path) -> Dnp3Peer:
    return Dnp3Peer("BENCH", BenchPlant(clock=CLOCK), CLOCK, tmp_path)


def refused(settings: LinkSettings, peer: Dnp3Peer) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        open_driver(settings, peer.points(), Inbox(1), CLOCK)
    return caught.value


def test_a_link_gets_its_driver_and_only_its_points(peer: Dnp3Peer) -> None:
    strangers = [replace(row, link="OTHER") for row in peer.points()]
    driver = open_driver(peer.settings(), [*peer.points(), *strangers], Inbox(1), CLOCK)
    assert driver.link == "BENCH"
    assert driver.health().points == len(peer.points())
    assert driver.health().state == "down"


def test_an_unknown_protocol_is_refused_with_those_that_exist(peer: Dnp3Peer) -> None:
    error = refused(replace(peer.settings(), protocol="modbus"), peer)
    assert error.file == "bench.toml"
    assert error.key == "field.links.protocol"
    assert "dnp3, opcua" in error.hint


def test_a_link_without_points_is_refused(peer: Dnp3Peer) -> None:
    assert "has no points" in str(refused(replace(peer.settings(), id="EMPTY"), peer))


def test_a_missing_library_is_a_refusal_and_no_other_protocol_is_imported() -> None:
    code = """
import sys
sys.modules["opendnp3"] = None  # as on a host without the wheel
import protocols.registry as r
assert "asyncua" not in sys.modules
from gridctl.model.errors import ConfigError
from gridctl.wallclock import system_clock
from pathlib import Path
from protocols.inbox import Inbox
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.peer_dnp3 import Dnp3Peer
clock = system_clock()
peer = Dnp3Peer("BENCH", BenchPlant(clock=clock), clock, Path("."))
try:
    r.open_driver(peer.settings(), peer.points(), Inbox(1), clock)
except ConfigError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert "library cannot be imported" in done.stdout
    assert "extra 'field'" in done.stdout
