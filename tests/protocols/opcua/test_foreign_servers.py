"""The scenarios that break links, against servers that nobody here wrote (opcua.md §2).

After each of them every single item notifies again, the points were stale in time, and neither
requests nor connections piled up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gridctl.web.link_views import link_detail
from protocols.driver import OptionValue
from protocols.opcua import driver as driver_module
from protocols.opcua.trust import TrustList, thumbprint
from tests.peers.certificates import SERVER_URI, certificate, write_pair
from tests.peers.opcua import POLICIES, SERVERS, PeerServer
from tests.peers.opcua_link import CLOCK, KEEPALIVE_S, Link, counters, link_to, row, server_of

LOSS_S = 3.0 * KEEPALIVE_S
SLACK_S = 1.5
"""What a busy test machine may add to a deadline."""
BACK_S = 20.0


@pytest.fixture(params=sorted(SERVERS))
def make(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def peer(make: str, tmp_path: Path) -> AsyncIterator[PeerServer]:
    async with server_of(make, tmp_path, variables=60) as peer:
        yield peer


@pytest.fixture
async def link(peer: PeerServer, tmp_path: Path) -> AsyncIterator[Link]:
    async with link_to(peer, counters(peer), folder=tmp_path) as link:
        await link.up()
        yield link


async def back(link: Link, requests_before: int, connections_before: int) -> None:
    """The link is up again, every item notifies, and it cost no storm."""
    await link.up(BACK_S)
    await link.every_item_moves()
    assert link.driver.health().reconnects == 1
    # Opening takes about ten requests, and two connections each attempt (endpoints, then session).
    assert link.requests() - requests_before < 400
    assert link.proxy.connections - connections_before <= 16


@pytest.mark.parametrize("policy", POLICIES)
async def test_every_policy(peer: PeerServer, tmp_path: Path, policy: str) -> None:
    rows = counters(peer)
    async with link_to(peer, rows, folder=tmp_path, security_policy=policy) as link:
        await link.up()
        await link.every_item_moves()
        health = link.driver.health()
        assert health.diagnostics["security policy"] == policy
        assert health.bytes_in > 0
        assert health.certificate_expires_s is not None


async def test_killed_and_restarted(link: Link) -> None:
    requests, connections = link.requests(), link.proxy.connections
    link.peer.kill()
    assert await link.until(link.all_lost, LOSS_S + SLACK_S), link.missing()
    await link.until(lambda: False, 2.0)  # several attempts long
    await asyncio.to_thread(link.peer.start)
    await back(link, requests, connections)


async def test_connection_cut_while_the_server_lives(link: Link) -> None:
    requests, connections = link.requests(), link.proxy.connections
    link.proxy.cut()
    assert await link.until(link.all_lost, LOSS_S), link.missing()
    await back(link, requests, connections)


async def test_black_hole(link: Link) -> None:
    requests, connections = link.requests(), link.proxy.connections
    link.proxy.freeze()
    assert await link.until(link.all_lost, LOSS_S + SLACK_S), link.missing()
    assert "no keep-alive" in link.driver.health().detail or "no answer" in (
        link.driver.health().detail
    )
    await link.until(lambda: False, 4.0)
    link.proxy.thaw()
    await back(link, requests, connections)


async def test_frozen_server(link: Link) -> None:
    requests, connections = link.requests(), link.proxy.connections
    link.peer.freeze()
    assert await link.until(link.all_lost, LOSS_S + SLACK_S), link.missing()
    await link.until(lambda: False, 2.0)
    link.peer.thaw()
    await back(link, requests, connections)


async def test_requests_parked_while_the_peer_accepts_and_closes(link: Link) -> None:
    """More requests wait for an answer than asyncua sends at a time, the peer takes connections and
    drops them: who waits is told at once, and nothing of it stands in the way of the next session.
    """
    requests, connections = link.requests(), link.proxy.connections
    link.proxy.freeze()
    parked = [
        asyncio.create_task(link.driver.read_back(f"V{n % 60}", timeout_s=60.0)) for n in range(250)
    ]
    await link.until(lambda: False, 0.3)
    assert not any(one.done() for one in parked)
    link.proxy.slams = True
    link.proxy.cut()
    link.proxy.thaw()
    assert await link.until(link.all_lost, LOSS_S), link.missing()
    assert await link.until(lambda: all(one.done() for one in parked), 3.0)
    assert {one.result() for one in parked} == {None}
    await link.until(lambda: False, 2.5)  # several attempts long
    link.proxy.slams = False
    await back(link, requests + len(parked), connections)


async def test_short_freeze_is_no_loss(link: Link) -> None:
    link.peer.freeze()
    await link.until(lambda: False, KEEPALIVE_S)
    link.peer.thaw()
    await link.every_item_moves()
    assert link.driver.health().reconnects == 0


@pytest.mark.parametrize("state", ["up", "frozen", "black hole", "killed"])
async def test_stop_lets_go_in_time(link: Link, state: str) -> None:
    match state:
        case "frozen":
            link.peer.freeze()
        case "black hole":
            link.proxy.freeze()
        case "killed":
            link.peer.kill()
        case _:
            pass
    before_s = CLOCK.monotonic_s()
    await link.driver.stop()
    assert CLOCK.monotonic_s() - before_s < 5.0
    assert link.driver.health().state == "down"


async def test_channel_is_renewed_again_and_again(peer: PeerServer, tmp_path: Path) -> None:
    rows = counters(peer)
    async with link_to(peer, rows, folder=tmp_path, channel_lifetime_s=3.0) as link:
        await link.up()
        link.seen.clear()
        await link.until(lambda: False, 8.0)  # three renewals and more
        await link.every_item_moves()
        assert all(one.quality.is_good for one in link.seen)
        health = link.driver.health()
        assert (health.state, health.reconnects, health.timeouts) == ("up", 0, 0)


async def test_three_thousand_items_and_a_limit(make: str, tmp_path: Path) -> None:
    """Restart of a server with MaxMonitoredItemsPerCall = 1000 (where it can be told so)."""
    async with (
        server_of(make, tmp_path, variables=3000, hz=2.0, limit=1000) as peer,
        link_to(peer, counters(peer), folder=tmp_path) as link,
    ):
        await link.up(40.0)
        link.peer.kill()
        assert await link.until(link.all_lost, LOSS_S + SLACK_S), link.missing()
        await asyncio.to_thread(link.peer.start)
        await link.up(40.0)
        await link.every_item_moves(30.0)
        assert link.driver.health().diagnostics["items refused"] == "0"


async def test_changed_server_certificate_waits_for_a_person(
    peer: PeerServer, tmp_path: Path
) -> None:
    trust = TrustList(tmp_path / "trust")
    new = certificate("changed-server", uri=SERVER_URI)
    async with link_to(
        peer, counters(peer), folder=tmp_path, trust_list=str(tmp_path / "trust")
    ) as link:
        await link.up()
        peer.kill()
        write_pair(tmp_path, "server", new)
        await asyncio.to_thread(peer.start)
        shown = thumbprint(new)
        assert await link.until(
            lambda: "BadCertificateUntrusted" in link.driver.health().detail, BACK_S
        ), link.driver.health()
        health = link.driver.health()
        assert health.state == "down"
        assert f"trust accept {shown}" in health.detail
        assert health.diagnostics["rejected certificate"] == shown
        # All that a person compares, as it stands on the communications screen.
        told = link_detail(health, poor=0)["rejected_certificate"]
        assert (told["thumbprint"], told["why"]) == (shown, "BadCertificateUntrusted")
        assert told["remedy"] == f"gridctl opcua trust accept {shown} --link PEER"
        assert told["subject"] == "CN=changed-server"
        assert told["application_uri"] == SERVER_URI
        assert told["valid_from"] < told["valid_until"]
        assert len(told["sha256"]) == 64
        assert link.all_lost()
        trust.accept(shown)
        await link.up(BACK_S)
        await link.every_item_moves()
        assert link.driver.health().rejected_certificate is None
        assert "rejected certificate" not in link.driver.health().diagnostics


async def test_server_that_shows_nothing_without_encryption(tmp_path: Path) -> None:
    """o6 in its strictest setting refuses GetEndpoints too: the pinned certificate is what we have,
    and the operator is told where to look when it no longer fits."""
    async with server_of("o6", tmp_path, variables=5, extra={"closed": True}) as peer:
        async with link_to(peer, counters(peer), folder=tmp_path) as link:
            await link.up()
        write_pair(tmp_path, "server", certificate("changed-server", uri=SERVER_URI))
        async with link_to(peer, counters(peer), folder=tmp_path) as link:
            assert await link.until(
                lambda: "still the pinned one" in link.driver.health().detail, BACK_S
            ), link.driver.health()


@pytest.mark.parametrize("kind", ["rogue", "expired"])
async def test_server_refuses_our_certificate(peer: PeerServer, tmp_path: Path, kind: str) -> None:
    days = {"rogue": (-1.0, 2.0), "expired": (-3.0, 1.0)}[kind]
    bad = certificate(kind, uri="urn:gridctl:field", starts_days=days[0], days=days[1])
    write_pair(tmp_path, kind, bad)
    await _never_up(
        peer,
        tmp_path,
        certificate=str(tmp_path / f"{kind}.der"),
        key=str(tmp_path / f"{kind}.pem"),
    )


async def test_server_whose_certificate_has_expired(make: str, tmp_path: Path) -> None:
    """Trusted by a person or not: after its last day it is nobody's any more."""
    over = certificate("expired-server", uri=SERVER_URI, starts_days=-3.0, days=1.0)
    trust = TrustList(tmp_path / "trust")
    trust.remember(over)
    trust.accept(thumbprint(over))
    changes = {"trust_list": str(tmp_path / "trust")}
    async with (
        server_of(make, tmp_path, pair=over, variables=5) as peer,
        link_to(peer, counters(peer), folder=tmp_path, events=None, **changes) as link,
    ):
        assert await link.until(
            lambda: "BadCertificateTimeInvalid" in link.driver.health().detail, BACK_S
        ), link.driver.health()
        assert link.driver.health().state == "down"
        assert not any(one.quality.is_good for one in link.seen)


async def test_wrong_password(peer: PeerServer, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.password"
    wrong.write_text("not this one\n")
    wrong.chmod(0o600)
    detail = await _never_up(peer, tmp_path, password_file=str(wrong))
    assert "Bad" in detail


async def _never_up(peer: PeerServer, folder: Path, **changes: OptionValue) -> str:
    """The link stays down, says why, shows nothing as good and does not hammer the server."""
    async with link_to(peer, counters(peer), folder=folder, events=None, **changes) as link:
        assert await link.until(lambda: link.driver.health().state == "down", 10.0)
        detail = link.driver.health().detail
        await link.until(lambda: False, 5.0)
        assert link.driver.health().state == "down"
        assert not any(one.quality.is_good for one in link.seen)
        assert link.proxy.connections <= 16
        return detail


async def test_point_that_appears_later(
    peer: PeerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver_module, "_RETRY_S", 0.3)
    async with link_to(peer, [row(peer, "V0"), row(peer, "Late")], folder=tmp_path) as link:
        assert await link.until(lambda: {"V0", "Late"} <= set(link.latest), BACK_S)
        assert link.latest["Late"].quality.native == "BadNodeIdUnknown"
        assert "Late BadNodeIdUnknown" in link.driver.health().detail
        await asyncio.to_thread(lambda: peer.order(add_variable="Late"))
        assert await link.until(lambda: link.good("Late"), 10.0)
        assert link.driver.health().detail == ""
