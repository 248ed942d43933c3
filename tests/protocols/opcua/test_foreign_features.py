"""Commands, arrays, enumerations, users, namespaces, time and redundancy, on servers of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from gridctl.model.command import Command, CommandState
from gridctl.model.measurement import Flag, PointKind, TimeQuality, Validity
from gridctl.model.permit import Permit, mint
from protocols.driver import PointAddress, Result
from protocols.opcua.trust import TrustList, thumbprint
from tests.peers.certificates import (
    FIELD_URI,
    SERVER_URI,
    authority,
    certificate,
    revocations,
    write_pair,
    write_revocations,
)
from tests.peers.opcua import SERVERS, PeerServer
from tests.peers.opcua_link import CLOCK, Link, counters, link_to, row, server_of

BACK_S = 20.0
SETPOINT = PointKind.SETPOINT


@pytest.fixture(params=sorted(SERVERS))
def make(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def peer(make: str, tmp_path: Path) -> AsyncIterator[PeerServer]:
    async with server_of(make, tmp_path, variables=3) as peer:
        yield peer


def permit(of: PointAddress, value: float, *, lease_s: float = 60.0) -> Permit:
    command = Command(
        mrid=f"{of.point.mrid}={value}",
        plan="plan",
        resource="PEER",
        point=of.point.mrid,
        value=value,
        expect_point=of.point.expect or "",
        tolerance=0.01,
        lease_until_s=CLOCK.now_s() + lease_s,
        default_value=0.0,
        effect_kw=0.0,
        batch=0,
    )
    return mint(command=command, order="o", expires_mono_s=CLOCK.monotonic_s() + 10.0)


async def execute(link: Link, of: PointAddress, value: float) -> tuple[Result, str, list[str]]:
    stages: list[CommandState] = []
    found = await link.driver.execute(permit(of, value), aborted=lambda: False, stage=stages.append)
    return found.result, found.status, [str(one) for one in stages]


async def test_method_carries_command_and_end(peer: PeerServer, tmp_path: Path) -> None:
    setpoint = row(peer, "Setpoint", kind=SETPOINT, command="method:SetWMax")
    async with link_to(peer, [setpoint], folder=tmp_path) as link:
        link.driver.start_trace()
        await link.up()
        method = "Browse: 1 references (SetWMax)"
        assert await link.until(
            lambda: any(method in line for line in link.driver.trace_lines()), 5.0
        )
        before = len(link.driver.trace_lines())
        assert await execute(link, setpoint, 42.0) == (Result.ACCEPTED, "Good", ["operated"])
        # It was looked up while nobody waited for it.
        assert not [one for one in link.driver.trace_lines()[before:] if "Browse" in one]
        assert await link.until(lambda: link.latest["Setpoint"].value == 42.0, 5.0)
        assert await execute(link, setpoint, 500.0) == (
            Result.REJECTED,
            "BadOutOfRange",
            ["operated"],
        )
    calls = [one for one in peer.commands() if "call" in one]
    assert [(one["call"], one["id"]) for one in calls] == [
        (42.0, "Setpoint=42.0"),
        (500.0, "Setpoint=500.0"),
    ]


async def test_write_is_read_back(peer: PeerServer, tmp_path: Path) -> None:
    setpoint = row(peer, "Setpoint", kind=SETPOINT, command="write")
    count = row(peer, "Count", kind=SETPOINT, command="write", line=3)
    fixed = row(peer, "ReadOnly", kind=SETPOINT, command="write", line=4)
    async with link_to(peer, [setpoint, count, fixed], folder=tmp_path) as link:
        await link.up()
        assert (await execute(link, setpoint, -7.5))[:2] == (Result.ACCEPTED, "Good")
        # Written in the node's own type, an Int32, and never rounded.
        assert (await execute(link, count, 12.0))[:2] == (Result.ACCEPTED, "Good")
        assert await execute(link, count, 12.5) == (Result.REJECTED, "BadTypeMismatch", [])
        result, status, _ = await execute(link, fixed, 1.0)
        assert result is Result.REJECTED
        assert status in ("BadNotWritable", "BadUserAccessDenied")
        assert await link.until(lambda: link.latest["Count"].value == 12.0, 5.0)
        assert link.latest["ReadOnly"].value == 3.5


async def test_no_answer_to_a_command_is_unknown_and_not_repeated(
    peer: PeerServer, tmp_path: Path
) -> None:
    setpoint = row(peer, "Setpoint", kind=SETPOINT, command="method:SetWMax")
    async with link_to(peer, [setpoint], folder=tmp_path, timeout_s=1.0) as link:
        await link.up()
        found = await link.driver.execute(
            permit(setpoint, 9.0), aborted=lambda: False, stage=lambda _: peer.freeze()
        )
        assert (found.result, found.status) == (Result.UNKNOWN, "TIMEOUT")
        peer.thaw()
        await link.up(BACK_S)
        # It was on the wire: the server did it once, late, and nobody sent it again.
        assert await link.until(lambda: link.latest["Setpoint"].value == 9.0, 5.0)
    assert len([one for one in peer.commands() if "call" in one]) <= 1


async def test_stop_before_the_write_leaves_nothing(peer: PeerServer, tmp_path: Path) -> None:
    setpoint = row(peer, "Setpoint", kind=SETPOINT, command="method:SetWMax")
    async with link_to(peer, [setpoint], folder=tmp_path) as link:
        await link.up()
        found = await link.driver.execute(
            permit(setpoint, 5.0), aborted=lambda: True, stage=lambda _: None
        )
        assert (found.result, found.status) == (Result.ABORTED, "ABORTED")
    assert peer.commands() == []


async def test_elements_of_an_array(peer: PeerServer, tmp_path: Path) -> None:
    rows = [row(peer, "Feeders", element=str(i), line=i + 2) for i in range(3)]
    beyond = row(peer, "Feeders", element="9", line=9)
    whole = row(peer, "Feeders", line=10)
    async with link_to(peer, [*rows, beyond, whole], folder=tmp_path) as link:
        assert await link.until(lambda: len(link.latest) == 5, BACK_S)
        assert [link.latest[f"Feeders[{i}]"].value for i in range(3)] == [1.5, 2.5, 3.5]
        assert all(link.good(f"Feeders[{i}]") for i in range(3))
        for bad in ("Feeders[9]", "Feeders"):
            assert link.latest[bad].quality.validity is Validity.INVALID
        assert "range=<i>" in link.driver.health().detail
        read = await link.driver.read_back("Feeders[1]", timeout_s=2.0)
        assert read is not None
        assert (read.value, read.quality.is_good) == (2.5, True)


async def test_enumeration_is_a_number_and_a_structure_is_none(tmp_path: Path) -> None:
    async with (
        server_of("node-opcua", tmp_path, variables=1) as peer,
        link_to(peer, [row(peer, "Mode"), row(peer, "Build", line=3)], folder=tmp_path) as link,
    ):
        assert await link.until(lambda: {"Mode", "Build"} <= set(link.latest), BACK_S)
        assert (link.latest["Mode"].value, link.good("Mode")) == (2.0, True)
        assert Flag.CONFIG_ERROR in link.latest["Build"].quality.flags
        assert "Build holds a structure (BuildInfo)" in link.driver.health().detail


async def test_source_time_is_the_servers_own(peer: PeerServer, tmp_path: Path) -> None:
    async with link_to(peer, counters(peer), folder=tmp_path) as link:
        await link.up()
        await link.every_item_moves()
        for one in link.latest.values():
            assert one.time_quality is TimeQuality.SYNCHRONIZED
            assert abs(one.source_time_s - CLOCK.now_s()) < 5.0


async def test_namespace_index_that_moves_with_a_restart(tmp_path: Path) -> None:
    async with (
        server_of("node-opcua", tmp_path, variables=20) as peer,
        link_to(peer, counters(peer), folder=tmp_path) as link,
    ):
        await link.up()
        peer.kill()
        assert await link.until(link.all_lost, 10.0)
        peer.restart_with(namespaces_before=("urn:vendor:a", "urn:vendor:b"))
        await asyncio.to_thread(peer.start)
        await link.up(BACK_S)
        await link.every_item_moves()


async def test_user_known_by_a_certificate(tmp_path: Path) -> None:
    write_pair(tmp_path, "operator", certificate("operator", uri="urn:gridctl:operator"))
    async with (
        server_of("node-opcua", tmp_path, variables=3, trusted_users=("operator.der",)) as peer,
        link_to(
            peer,
            counters(peer),
            folder=tmp_path,
            user="",
            password_file="",
            user_certificate=str(tmp_path / "operator.der"),
            user_key=str(tmp_path / "operator.pem"),
        ) as link,
    ):
        await link.up()


async def test_client_certificate_that_its_authority_has_revoked(make: str, tmp_path: Path) -> None:
    write_pair(tmp_path, "authority", authority())
    good = certificate("client-good", uri=FIELD_URI, issuer="authority")
    bad = certificate("client-revoked", uri=FIELD_URI, issuer="authority")
    for name, one in (("good", good), ("bad", bad)):
        write_pair(tmp_path, name, one)
    write_revocations(tmp_path, "authority", revocations("authority", bad))
    async with server_of(
        make,
        tmp_path,
        variables=3,
        trusted=("authority.der",),
        issuers=("authority.der",),
        revocations=("authority.crl.der",),
    ) as peer:
        for name, admitted in (("good", True), ("bad", False)):
            async with link_to(
                peer,
                counters(peer),
                folder=tmp_path,
                certificate=str(tmp_path / f"{name}.der"),
                key=str(tmp_path / f"{name}.pem"),
            ) as link:
                if admitted:
                    await link.up()
                    continue
                assert await link.until(lambda: link.driver.health().state == "down", 10.0)
                await link.until(lambda: False, 3.0)
                assert not link.seen or not any(one.quality.is_good for one in link.seen)


async def test_server_certificate_that_its_authority_has_revoked(make: str, tmp_path: Path) -> None:
    trust = TrustList(tmp_path / "trust")
    ours = authority("plant-authority")
    issued = certificate("issued-server", uri=SERVER_URI, issuer="plant-authority")
    der = ours.public_bytes(Encoding.DER)
    (tmp_path / "trust" / "trusted" / "plant.der").write_bytes(der)
    crl = tmp_path / "trust" / "revocations" / "plant.crl"
    crl.write_bytes(revocations("plant-authority", issued).public_bytes(Encoding.DER))
    async with (
        server_of(make, tmp_path, pair=issued, variables=3) as peer,
        link_to(
            peer,
            counters(peer),
            folder=tmp_path,
            server_certificate="",
            trust_list=str(tmp_path / "trust"),
        ) as link,
    ):
        assert await link.until(
            lambda: "BadCertificateRevoked" in link.driver.health().detail, BACK_S
        ), link.driver.health()
        assert [one.thumbprint for one in trust.entries() if one.standing == "rejected"] == [
            thumbprint(issued)
        ]
        crl.write_bytes(revocations("plant-authority").public_bytes(Encoding.DER))
        await link.up(BACK_S)


async def test_link_goes_to_the_server_that_feels_well(tmp_path: Path) -> None:
    """Two redundant servers: at the start, when the level falls, and when the active one dies.
    Commands reach the active one only."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    async with (
        server_of("node-opcua", folders[0], variables=5, service_level=150) as first,
        server_of("node-opcua", folders[1], variables=5, service_level=255) as second,
    ):
        setpoint = row(first, "Setpoint", kind=SETPOINT, command="method:SetWMax")
        async with link_to(
            first,
            [*counters(first), setpoint],
            folder=folders[0],
            backup_urls=second.url,
        ) as link:
            await link.up()
            assert link.driver.health().active_endpoint == second.url
            assert (await execute(link, setpoint, 1.0))[0] is Result.ACCEPTED
            await asyncio.to_thread(lambda: first.order(service_level=255))
            await asyncio.to_thread(lambda: second.order(service_level=100))
            assert await link.until(
                lambda: link.driver.health().active_endpoint != second.url, 10.0
            )
            assert link.driver.health().state == "up"
            assert not link.all_lost()
            await link.every_item_moves()
            assert (await execute(link, setpoint, 2.0))[0] is Result.ACCEPTED
            assert link.driver.health().diagnostics["switches"] == "1"
            await asyncio.to_thread(lambda: second.order(service_level=255))
            first.kill()
            assert await link.until(
                lambda: link.driver.health().active_endpoint == second.url, 15.0
            ), link.driver.health()
            await link.up()
            await link.every_item_moves()
        assert [one["call"] for one in first.commands() if "call" in one] == [2.0]
        assert [one["call"] for one in second.commands() if "call" in one] == [1.0]
