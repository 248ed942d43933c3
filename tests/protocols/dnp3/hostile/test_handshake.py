"""Strangers where a TLS device should answer, and a liar behind a right handshake."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.clock import Clock
from protocols.driver import LinkSettings
from tests.contracts.driver_peer import BenchPlant
from tests.contracts.test_driver_contract import CONNECT_S, rig_of
from tests.peers.certificates import FIELD_URI, SERVER_URI, authority, certificate, write_pair
from tests.protocols.dnp3.hostile.liar import Honest, Liar
from tests.protocols.dnp3.hostile.modes import GarbageFlood, UnsolicitedFlood
from tests.protocols.dnp3.hostile.stand import SEED
from tests.protocols.dnp3.hostile.test_commands import LocalLiarPeer

SPELL_S = 3.0
CONNECTS_MAX = 8
STOP_S = 5.0

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class TlsPeer(LocalLiarPeer):
    """The liar behind a handshake that is right."""

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        super().__init__(link, plant, clock, folder)
        self._folder = folder
        write_pair(folder, "authority", authority())
        write_pair(folder, "rtu", certificate("rtu", uri=SERVER_URI, issuer="authority"))
        write_pair(folder, "field", certificate("field", uri=FIELD_URI, issuer="authority"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "rtu.pem.crt", folder / "rtu.pem")
        context.load_verify_locations(folder / "authority.pem.crt")
        context.verify_mode = ssl.CERT_REQUIRED
        self.liar = Liar(port=self._port, seed=SEED, tls=context)

    def settings(self) -> LinkSettings:
        plain = super().settings()
        files = {
            "ca": str(self._folder / "authority.pem.crt"),
            "certificate": str(self._folder / "field.pem.crt"),
            "key": str(self._folder / "field.pem"),
            "tls_name": "localhost",
        }
        return replace(plain, options={**plain.options, **files})


@pytest.mark.parametrize("flood", [GarbageFlood, UnsolicitedFlood])
async def test_a_flood_inside_tls_ends_like_one_outside(flood: type, tmp_path: Path) -> None:
    async with rig_of(TlsPeer, tmp_path / "liar", link="LIAR") as rig:
        await rig.connected()
        peer = rig.peer
        assert isinstance(peer, TlsPeer)
        await peer.liar.set_mode(flood())
        assert await rig.until(lambda: rig.driver.health().state != "up", 5.0)
        health = rig.driver.health()
        assert health.detail or health.last_error
        await peer.liar.set_mode(Honest())
        assert await rig.until(lambda: rig.driver.health().state == "up", CONNECT_S)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def _noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\x05\x64" + bytes(4_096))
        await writer.drain()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A handshake record that promises 16 KiB, an octet at a time."""
    writer.write(b"\x16\x03\x03\x40\x00")
    while True:
        writer.write(b"\x02")
        await writer.drain()
        await asyncio.sleep(0.05)


STRANGERS: Mapping[str, Answer] = {
    "silent": _silent,
    "slam": _slam,
    "noise": _noise,
    "drip": _drip,
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_a_handshake_that_is_none(name: str, tmp_path: Path) -> None:
    connects = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connects
        connects += 1
        try:
            await STRANGERS[name](reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with rig_of(TlsPeer, tmp_path / "liar", link="LIAR", peer_on=False) as rig:
        port = int(rig.peer.settings().options["port"])
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        try:
            await rig.pump(SPELL_S)
            health = rig.driver.health()
            assert health.state != "up"
            assert 1 <= connects <= CONNECTS_MAX
            before_s = rig.clock.monotonic_s()
            await rig.driver.stop()
            assert rig.clock.monotonic_s() - before_s < STOP_S
        finally:
            server.close()
