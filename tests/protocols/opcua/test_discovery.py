"""What is found on servers of other makes: points with unit, range and access; bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import UnavailableError
from gridctl.model.measurement import PointKind
from gridctl.model.quantity import Unit
from protocols.discovery import Discovery
from protocols.driver import LinkSettings
from protocols.opcua import browsing
from protocols.opcua.discovery import discover
from tests.peers.certificates import write_site
from tests.peers.opcua import PASSWORD, SERVERS, PeerServer
from tests.peers.opcua_link import CLOCK, link_options, server_of
from tests.ports import free_port


async def discovered(
    peer: PeerServer, folder: Path, *, points_max: int = 1000, ask: tuple[str, ...] = ()
) -> Discovery:
    settings = LinkSettings(
        id="PEER",
        protocol="opcua",
        file="field.toml",
        options=link_options(folder, peer.options.port),
    )
    return await discover(settings, clock=CLOCK, ask=ask, points_max=points_max, timeout_s=30.0)


@pytest.mark.parametrize("make", sorted(SERVERS))
async def test_points_with_unit_range_and_access(make: str, tmp_path: Path) -> None:
    async with server_of(make, tmp_path, variables=250, history=True) as peer:
        known, unknown = (f"nsu={peer.namespace};s={name}" for name in ("V7", "Nobody"))
        found = await discovered(peer, tmp_path, ask=(known, unknown, "nsu=urn:nobody;i=1", "30:4"))
    points = {one.name: one for one in found.points}
    assert {f"V{n}" for n in range(250)} <= set(points)
    power = points["Power"]
    assert (power.unit, power.unit_text, power.low, power.high) == (Unit.KW, "kW", -500.0, 500.0)
    assert (power.native_type, power.kind, power.value) == ("Double", PointKind.ANALOG, 12.5)
    assert (power.writable, power.command) == (True, "write")
    assert power.path == "Plant/Device/Power"
    assert power.address == f"nsu={peer.namespace};s=Power"
    assert (points["ReadOnly"].writable, points["ReadOnly"].command) == (False, "")
    assert points["Count"].native_type == "Int32"
    element = points["Feeders[1]"]
    assert (element.value, element.writable) == (2.5, False)
    assert element.address == f"range=1;nsu={peer.namespace};s=Feeders"
    assert "keeps a history" in points["Past"].note
    methods = [one.value for one in found.attributes if one.name == "method"]
    assert "Plant/Device/SetWMax(kW: Double, CommandId: String, ValidUntil: DateTime)" in methods
    told = {one.name: one.value for one in found.attributes}
    assert told["state"] == "Running"
    assert "UserName" in told["endpoint Basic256Sha256 SignAndEncrypt"]
    assert set(found.absent) == {unknown, "nsu=urn:nobody;i=1", "30:4"}
    assert (found.truncated, found.notes) == (False, ())


async def test_enumeration_and_structure_are_named(tmp_path: Path) -> None:
    async with server_of("node-opcua", tmp_path, variables=1) as peer:
        found = await discovered(peer, tmp_path)
    points = {one.name: one for one in found.points}
    assert (points["Mode"].kind, points["Mode"].value) == (PointKind.DISCRETE, 2.0)
    assert points["Mode"].note == "0 Off, 1 Standby, 2 Run"
    assert points["Build"].kind is None
    assert "structure (BuildInfo)" in points["Build"].note


async def test_cut_answers_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browsing, "_REFERENCES_MAX", 7)
    async with server_of("node-opcua", tmp_path, variables=250) as peer:
        found = await discovered(peer, tmp_path)
    assert {f"V{n}" for n in range(250)} <= {one.name for one in found.points}


async def test_more_than_asked_for_is_cut_and_said(tmp_path: Path) -> None:
    async with server_of("node-opcua", tmp_path, variables=250) as peer:
        found = await discovered(peer, tmp_path, points_max=100)
    assert found.truncated
    assert len(found.points) <= 100
    assert found.notes == ("the server has more than 100 variables",)


async def test_nobody_there_is_said(tmp_path: Path) -> None:
    write_site(tmp_path, PASSWORD)
    settings = LinkSettings(
        id="PEER", protocol="opcua", file="f", options=link_options(tmp_path, free_port())
    )
    with pytest.raises(UnavailableError, match=r"opc\.tcp://127.*ConnectionRefusedError"):
        await discover(settings, clock=CLOCK, ask=(), points_max=10, timeout_s=5.0)
