"""A link to a foreign OPC UA server, through a proxy that can cut it, and what came over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography import x509

from gridctl.model.measurement import Flag, Measurement, Point, PointKind
from gridctl.model.quantity import Phase, Unit
from gridctl.wallclock import system_clock
from protocols.driver import LinkSettings, OptionValue, PointAddress
from protocols.events import EventQueue
from protocols.inbox import Inbox
from protocols.opcua.driver import OpcUaDriver
from tests.contracts.loopback_proxy import LoopbackProxy
from tests.peers.certificates import write_pair, write_site
from tests.peers.opcua import PASSWORD, SERVERS, USER, PeerOptions, PeerServer
from tests.ports import free_port

CLOCK = system_clock()
PUBLISHING_MS = 100.0
KEEPALIVE_S = 10 * PUBLISHING_MS / 1000.0
SCAN_S = 1.0


class Steady:
    """Randomness that is always in the middle."""

    def uniform(self, a: float, b: float, /) -> float:
        return (a + b) / 2.0


def row(
    peer: PeerServer,
    name: str,
    *,
    kind: PointKind = PointKind.ANALOG,
    command: str = "",
    element: str = "",
    line: int = 2,
) -> PointAddress:
    """A row of a points file for the server's node `name`."""
    commandable = kind.commandable
    mrid = f"{name}[{element}]" if element else name
    prefix = f"range={element};" if element else ""
    return PointAddress(
        point=Point(
            mrid=mrid,
            name=mrid,
            equipment="PEER",
            kind=kind,
            unit=Unit.KW,
            phase=Phase.NONE,
            scan_s=SCAN_S,
            expect=name if commandable else None,
            tolerance=0.01 if commandable else None,
        ),
        link="PEER",
        address=f"{prefix}nsu={peer.namespace};s={name}",
        command=command,
        lease="",
        scale=1.0,
        offset=0.0,
        deadband=0.0,
        min_value=-1000.0 if commandable else None,
        max_value=1000.0 if commandable else None,
        file="points.csv",
        line=line,
    )


def counters(peer: PeerServer) -> tuple[PointAddress, ...]:
    """All the counters of the server: they move together, so each must be seen to move."""
    return tuple(row(peer, f"V{n}", line=n + 2) for n in range(peer.options.variables))


def link_options(folder: Path, port: int, **changes: OptionValue) -> dict[str, OptionValue]:
    """Options of an ordinary encrypted link; `changes` replaces, "" removes."""
    options: dict[str, OptionValue] = {
        "url": f"opc.tcp://127.0.0.1:{port}/gridctl",
        "security_policy": "Basic256Sha256",
        "application_uri": "urn:gridctl:field",
        "certificate": str(folder / "field.der"),
        "key": str(folder / "field.pem"),
        "server_certificate": str(folder / "server.der"),
        "user": USER,
        "password_file": str(folder / "opcua.password"),
        "publishing_ms": PUBLISHING_MS,
        "timeout_s": 2.0,
        **changes,
    }
    return {key: value for key, value in options.items() if value != ""}


@dataclass(slots=True)
class Link:
    """A started driver, its proxy, and everything that came out of the inbox."""

    peer: PeerServer
    proxy: LoopbackProxy
    driver: OpcUaDriver
    inbox: Inbox
    rows: tuple[PointAddress, ...]
    latest: dict[str, Measurement] = field(default_factory=dict)
    seen: list[Measurement] = field(default_factory=list)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Read the inbox until `condition` holds; False when it did not in `seconds`."""
        deadline_s = CLOCK.monotonic_s() + seconds
        while not condition():
            if CLOCK.monotonic_s() > deadline_s:
                return False
            for one in await self.inbox.get(timeout_s=0.02):
                self.latest[one.point] = one
                self.seen.append(one)
        return True

    def all_good(self) -> bool:
        return sum(one.quality.is_good for one in self.latest.values()) == len(self.rows)

    async def up(self, seconds: float = 20.0) -> None:
        found = await self.until(lambda: self.driver.health().state == "up", seconds)
        assert found, self.driver.health()
        assert await self.until(self.all_good, seconds), self.missing()

    async def every_item_moves(self, seconds: float = 15.0) -> None:
        """Each counter gets a value that is new, with a source time of its own."""
        before = dict(self.latest)
        wanted = {r.point.mrid for r in self.rows if r.point.mrid.startswith("V")}
        moved: set[str] = set()

        def all_moved() -> bool:
            moved.update(
                mrid
                for mrid, one in self.latest.items()
                if one.quality.is_good
                and (mrid not in before or one.source_time_s != before[mrid].source_time_s)
            )
            return moved >= wanted

        assert await self.until(all_moved, seconds), f"{len(moved)} of {len(wanted)} moved"

    def missing(self) -> str:
        bad = [m for r in self.rows if (m := r.point.mrid) not in self.latest or not self.good(m)]
        return f"{len(bad)} not good: {bad[:5]}, {self.driver.health()}"

    def good(self, mrid: str) -> bool:
        return self.latest[mrid].quality.is_good

    def all_lost(self) -> bool:
        return all(Flag.COMM_LOST in one.quality.flags for one in self.latest.values())

    def requests(self) -> int:
        return self.driver.health().frames_out


@asynccontextmanager
async def link_to(
    peer: PeerServer,
    rows: Iterable[PointAddress],
    *,
    folder: Path,
    events: EventQueue | None = None,
    **changes: OptionValue,
) -> AsyncIterator[Link]:
    """A driver of these rows, started, through a proxy of its own."""
    port = free_port()
    proxy = LoopbackProxy(port=port, upstream_port=peer.options.port)
    await proxy.start()
    taken = tuple(replace(one, link="PEER") for one in rows)
    inbox = Inbox(max(10, 2 * len(taken)), events=events)
    settings = LinkSettings(
        id="PEER",
        protocol="opcua",
        file="field.toml",
        options=link_options(folder, port, **changes),
    )
    driver = OpcUaDriver(settings, taken, inbox, CLOCK, randomness=Steady())
    await driver.start()
    try:
        yield Link(peer=peer, proxy=proxy, driver=driver, inbox=inbox, rows=taken)
    finally:
        peer.thaw()
        proxy.thaw()
        await driver.stop()
        await proxy.stop()


@asynccontextmanager
async def server_of(
    make: str, folder: Path, *, pair: x509.Certificate | None = None, **options: object
) -> AsyncIterator[PeerServer]:
    """A running server of this make, with the pairs of an ordinary link in `folder`; `pair`: the
    certificate that it shows instead."""
    write_site(folder, PASSWORD)
    if pair is not None:
        write_pair(folder, "server", pair)
    peer = SERVERS[make](PeerOptions(port=free_port(), folder=folder, **options))  # type: ignore[arg-type]
    await asyncio.to_thread(peer.start)
    try:
        yield peer
    finally:
        peer.thaw()
        peer.kill()
