"""The line: frames, signatures, who may connect, and what survives a cut."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import stat
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.link import (
    FRAME_BYTES_MAX,
    Frame,
    FrameError,
    LoopbackEndpoint,
    OfficeLink,
    UnixEndpoint,
    decode,
    encode,
    is_genuine,
    read_frame,
    signed,
)
from gridctl.link_client import FieldLinkClient, MemoryLine, dial
from gridctl.model.command import CommandState
from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.link import (
    EVIDENCE_CHARS_MAX,
    EVIDENCE_LINES_MAX,
    FRAME_VERSION,
    MEASUREMENTS_PER_FRAME_MAX,
    Ack,
    ConditionInfo,
    Conditions,
    FieldAlarm,
    Heartbeat,
    Hello,
    Outcome,
    SignedOrder,
    Telemetry,
    UpFrame,
    bounded_evidence,
)
from gridctl.model.measurement import GOOD, Flag, Measurement, TimeQuality
from gridctl.model.order import Order, OrderKind
from tests.gridctl.model.test_words import command
from tests.ports import free_port

KEY = Ed25519PrivateKey.generate()


def order(sequence: int = 1) -> Order:
    return Order(
        mrid=f"O-{sequence}",
        kind=OrderKind.DISPATCH,
        epoch=1,
        sequence=sequence,
        plan="P",
        plan_digest="a" * 64,
        limits_digest="b" * 64,
        approved_by=("anne",),
        not_before_s=0.0,
        not_after_s=10.0,
        commands=(command(),),
    )


def measured(point: str = "X", value: float = 1.0) -> Measurement:
    return Measurement(
        point=point,
        value=value,
        quality=GOOD.degraded(Flag.STALE),
        source_time_s=1.0,
        time_quality=TimeQuality.RECEIVED,
        received_time_s=2.0,
    )


def hello(**changes: object) -> Hello:
    right = Hello(
        agent="a",
        boot_id="b",
        points=(),
        limits_digest="",
        epoch_seen=0,
        sequence_seen=0,
        stopped=False,
    )
    return replace(right, **changes)  # type: ignore[arg-type]


def outcome(name: str) -> Outcome:
    return Outcome(
        command=name, order="O", state=CommandState.CONFIRMED, status="", detail="", at_s=0.0
    )


ALL = (
    hello(),
    Telemetry(sequence=1, measurements=(measured(),)),
    outcome("C"),
    Ack(order="O", admitted=False, code="stopped", reasons=("STOP",)),
    FieldAlarm(key="k", priority=1, text="t", active=True, at_s=0.0),
    Heartbeat(at_s=0.0, stopped=False, links=(), leases=(), dropped=0),
    signed(order(), KEY),
    replace(outcome("E"), evidence=("→ device SELECT | c303", "← device RESPONSE | c381")),
    Conditions(
        link="L",
        conditions=(
            ConditionInfo(
                condition="ns=2;s=Hot",
                source="T1",
                name="OilHot",
                message="96 °C",
                severity=800,
                active=True,
                acknowledged=None,
                at_s=1.0,
            ),
        ),
    ),
)


# Frames


@pytest.mark.parametrize("frame", ALL, ids=lambda f: f.type)
def test_frames_survive_the_wire(frame: Frame) -> None:
    assert decode(encode(frame)[4:]) == frame


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not a frame"),
        (b"{}", "not a frame"),
        (b'{"type":"shell","command":"reboot"}', "not a frame"),
        (b'{"type":"ack","order":"O","admitted":true,"code":"","reasons":[],"x":1}', "not a frame"),
        (b'{"type":"ack","order":"O","admitted":"perhaps","code":"","reasons":[]}', "not a frame"),
        (b"\xff\xfe\x00", "not a frame"),
    ],
)
def test_what_is_no_frame_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(FrameError, match=why):
        decode(body)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["one"],
        ["x" * 100_000],
        ["y" * 600] * 40,
        ["z" * 16_200, "tail", "end"],
        [f"{n}" for n in range(EVIDENCE_LINES_MAX)],
        [f"{n}" for n in range(EVIDENCE_LINES_MAX + 1)],
        ["two\nlines\r\nof one"],
    ],
)
def test_evidence_is_cut_to_what_a_frame_may_carry_and_says_so(lines: list[str]) -> None:
    kept = bounded_evidence(lines)
    assert len(kept) <= EVIDENCE_LINES_MAX
    assert sum(map(len, kept)) <= EVIDENCE_CHARS_MAX
    assert all("\n" not in line for line in kept)
    whole = sum(map(len, lines)) <= EVIDENCE_CHARS_MAX and len(lines) <= EVIDENCE_LINES_MAX
    assert whole != any("more" in line for line in kept), kept
    told = replace(outcome("C"), evidence=kept)
    assert decode(encode(told)[4:]) == told


def test_too_much_evidence_is_no_frame() -> None:
    for lines in (("x",) * (EVIDENCE_LINES_MAX + 1), ("x" * (EVIDENCE_CHARS_MAX + 1),)):
        with pytest.raises(FrameError, match="evidence"):
            decode(encode(replace(outcome("C"), evidence=lines))[4:])


def test_a_number_that_is_none_does_not_pass() -> None:
    body = json.loads(encode(Telemetry(sequence=1, measurements=(measured(),)))[4:])
    body["values"][0] = float("nan")
    with pytest.raises(FrameError):
        decode(json.dumps(body).encode())


def test_unknown_key_deep_inside_is_refused() -> None:
    body = json.loads(encode(signed(order(), KEY))[4:])
    body["order"]["commands"][0]["force"] = True
    with pytest.raises(FrameError, match=r"order.commands.0.force"):
        decode(json.dumps(body).encode())


def test_too_much_in_one_frame_is_refused() -> None:
    many = Telemetry(sequence=1, measurements=(measured(),) * (MEASUREMENTS_PER_FRAME_MAX + 1))
    with pytest.raises(FrameError, match="values in one frame"):
        decode(encode(many)[4:])
    crowd = signed(replace(order(), commands=(command(),)), KEY)
    crowd = replace(crowd, order=replace(crowd.order, commands=(command(),) * 65))
    with pytest.raises(FrameError, match="65 commands"):
        decode(encode(crowd)[4:])


def test_other_version_of_the_link_is_refused() -> None:
    with pytest.raises(FrameError, match=f"version {FRAME_VERSION + 1}"):
        decode(encode(hello(version=FRAME_VERSION + 1))[4:])


# Signatures


def test_signature_holds_for_exactly_this_order() -> None:
    genuine = signed(order(), KEY)
    public = KEY.public_key()
    assert is_genuine(genuine, public)
    assert not is_genuine(replace(genuine, order=replace(genuine.order, sequence=2)), public)
    assert not is_genuine(replace(genuine, signature="00" * 64), public)
    assert not is_genuine(genuine, Ed25519PrivateKey.generate().public_key())


def test_signature_survives_the_wire_even_with_ints_where_floats_belong() -> None:
    loose = replace(order(), not_before_s=0, commands=(command(value=40, effect_kw=3),))
    arrived = decode(encode(signed(loose, KEY))[4:])
    assert isinstance(arrived, SignedOrder)
    assert is_genuine(arrived, KEY.public_key())


# The line


@dataclass
class Heard:
    """What the office has heard."""

    frames: list[UpFrame] = field(default_factory=list)

    async def listen(self, link: OfficeLink) -> None:
        async for frame in link.frames():
            self.frames.append(frame)

    def of(self, kind: type) -> list[UpFrame]:
        return [f for f in self.frames if isinstance(f, kind)]


@asynccontextmanager
async def office(endpoint: UnixEndpoint | LoopbackEndpoint) -> AsyncIterator[OfficeLink]:
    link = OfficeLink(endpoint=endpoint, key=KEY)
    await link.start()
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def running(*parts: object) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(p) for p in parts]  # type: ignore[call-overload]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(what: object) -> None:
    for _ in range(100):
        if what():  # type: ignore[operator]
            return
        await asyncio.sleep(0.03)
    raise AssertionError("not in 3 s")


@pytest.fixture(params=["unix", "tcp"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> UnixEndpoint | LoopbackEndpoint:
    if request.param == "unix":
        return UnixEndpoint(path=tmp_path / "run" / "link.sock")
    return LoopbackEndpoint(host="127.0.0.1", port=free_port())


async def test_frames_go_up_and_orders_down(endpoint: UnixEndpoint | LoopbackEndpoint) -> None:
    client = FieldLinkClient(
        dial=dial(endpoint), greeting=lambda: (hello(), [measured()]), points_max=10
    )
    heard = Heard()
    async with office(endpoint) as link, running(client.run(), heard.listen(link)):
        await eventually(lambda: link.connected)
        client.tell(outcome("C-1"))
        client.tell(ALL[5])
        client.report([measured("Y", 2.0)])
        await eventually(lambda: heard.of(Outcome) and heard.of(Heartbeat))
        await link.send(order())
        got = await asyncio.wait_for(client.orders.get(), 3)
        assert is_genuine(got, KEY.public_key())
        points = {m.point for t in heard.of(Telemetry) for m in t.measurements}  # type: ignore[union-attr]
        assert points == {"X", "Y"}
        assert isinstance(heard.frames[0], Hello)


async def test_only_the_owner_may_connect_and_a_second_office_may_not_listen(
    tmp_path: Path,
) -> None:
    endpoint = UnixEndpoint(path=tmp_path / "run" / "link.sock")
    async with office(endpoint):
        assert stat.S_IMODE(endpoint.path.stat().st_mode) == 0o600
        with pytest.raises(ConfigError, match="another office"):
            await OfficeLink(endpoint=endpoint, key=KEY).start()
    assert not endpoint.path.exists()


async def test_a_socket_left_over_by_a_dead_office_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "link.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with office(UnixEndpoint(path=path)) as link:
        assert not link.connected


async def test_the_line_never_leaves_this_machine() -> None:
    with pytest.raises(ConfigError, match="loopback"):
        await OfficeLink(endpoint=LoopbackEndpoint(host="192.0.2.1", port=9), key=KEY).start()


async def test_sending_into_a_dead_line_is_told(tmp_path: Path) -> None:
    async with office(UnixEndpoint(path=tmp_path / "s")) as link:
        with pytest.raises(UnavailableError, match="no field agent"):
            await link.send(order())


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack(">I", FRAME_BYTES_MAX + 1),
        struct.pack(">I", 9) + b"not a json",
        encode(outcome("C")),
        encode(hello(version=9)),
        encode(hello()) + encode(signed(order(), KEY)),
    ],
    ids=["too long", "no json", "no hello first", "other version", "an order from below"],
)
async def test_office_gives_up_a_line_that_talks_nonsense(tmp_path: Path, raw: bytes) -> None:
    async with office(UnixEndpoint(path=tmp_path / "s")) as link:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        writer.write(raw)
        assert await asyncio.wait_for(reader.read(), 3) == b""
        writer.close()
        assert link.refused == 1
        assert not link.connected


async def test_field_gives_up_an_office_that_sends_anything_but_orders(tmp_path: Path) -> None:
    served = asyncio.Event()

    async def rogue(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_frame(reader)
        writer.write(encode(outcome("C")))
        with suppress(OSError, EOFError):
            while True:
                await read_frame(reader)
        writer.close()
        served.set()

    server = await asyncio.start_unix_server(rogue, str(tmp_path / "s"))
    client = FieldLinkClient(
        dial=dial(UnixEndpoint(path=tmp_path / "s")), greeting=lambda: (hello(), []), points_max=1
    )
    async with running(client.run()):
        await asyncio.wait_for(served.wait(), 3)
        assert client.orders.empty()
    server.close()


@contextmanager
def memory_client() -> Iterator[tuple[OfficeLink, MemoryLine, FieldLinkClient]]:
    link = OfficeLink(endpoint=UnixEndpoint(path=Path("/nowhere/at/all")), key=KEY)
    line = MemoryLine(link)
    client = FieldLinkClient(dial=line.dial, greeting=lambda: (hello(), [measured()]), points_max=3)
    yield link, line, client


async def test_no_outcome_is_lost_over_a_cut_and_none_out_of_order() -> None:
    with memory_client() as (link, line, client):
        heard = Heard()
        async with running(client.run(), heard.listen(link)):
            await eventually(lambda: link.connected)
            for i in range(5):
                client.tell(outcome(f"C-{i}"))
            await eventually(lambda: len(heard.of(Outcome)) == 5)
            line.broken = True
            line.cut()
            await eventually(lambda: not link.connected)
            for i in range(5, 10):
                client.tell(outcome(f"C-{i}"))
            line.broken = False
            await eventually(lambda: len(heard.of(Hello)) == 2)
            await eventually(lambda: heard.frames and len(heard.of(Outcome)) >= 15)
            # Told again from the start, because the office may have missed what was in the socket.
            names = [o.command for o in heard.of(Outcome)]  # type: ignore[union-attr]
            assert names[5:] == [f"C-{i}" for i in range(10)]
            assert client.dropped == 0


async def test_while_the_line_is_down_the_newest_value_of_each_point_waits() -> None:
    with memory_client() as (link, line, client):
        line.broken = True
        heard = Heard()
        async with running(client.run(), heard.listen(link)):
            for i in range(50):
                client.report([measured("X", float(i)), measured("Y", float(i))])
            assert client.dropped == 0
            client.report([measured(f"Z{i}") for i in range(4)])
            assert client.dropped == 3  # three points are known: the oldest ones give way
            line.broken = False
            await eventually(lambda: heard.of(Telemetry))


async def test_active_alarms_are_told_again_after_a_cut_and_ended_ones_are_not() -> None:
    with memory_client() as (link, line, client):
        heard = Heard()
        async with running(client.run(), heard.listen(link)):
            await eventually(lambda: link.connected)
            for key, active in (("a", True), ("b", True), ("b", False)):
                client.tell(FieldAlarm(key=key, priority=1, text="", active=active, at_s=0.0))
            await eventually(lambda: heard.of(FieldAlarm))
            heard.frames.clear()
            line.cut()
            await eventually(lambda: heard.of(FieldAlarm))
            assert [f.key for f in heard.of(FieldAlarm)] == ["a"]  # type: ignore[union-attr]


async def test_a_newer_connection_replaces_an_older_one() -> None:
    with memory_client() as (link, line, client):
        heard = Heard()
        async with running(client.run(), heard.listen(link)):
            await eventually(lambda: link.connected)
            reader, writer = await line.dial()
            writer.write(encode(hello(agent="newer")))
            await eventually(lambda: len(heard.of(Hello)) >= 2)
            await link.send(order())
            got = await asyncio.wait_for(read_frame(reader), 3)
            assert isinstance(got, SignedOrder)
            writer.close()


def test_telemetry_keeps_every_value_and_shares_its_qualities() -> None:
    good = tuple(replace(measured(), point=f"P{i}", value=float(i)) for i in range(3))
    bad = replace(measured(), point="B", value=math.nan, quality=GOOD.degraded(Flag.COMM_LOST))
    told = Telemetry(sequence=7, measurements=(*good, bad))
    found = decode(encode(told)[4:])
    assert isinstance(found, Telemetry)
    assert found.sequence == 7
    assert found.measurements[:3] == good
    assert math.isnan(found.measurements[3].value)
    assert found.measurements[3].quality == bad.quality
    assert found.measurements[0].quality is found.measurements[1].quality


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("values", [1.0]),
        ("quality", [0, 9]),
        ("quality", [0, -1]),
        ("points", ["a", "b", "c"]),
        ("source_times_s", [1.0, None]),
        ("time_qualities", ["synchronized", "roughly"]),
        ("qualities", [{"validity": "good"}] * 3),
        ("sequence", "one"),
        ("extra", []),
    ],
)
def test_crooked_columns_are_no_frame(column: str, value: object) -> None:
    told = Telemetry(sequence=1, measurements=(measured(), measured()))
    body = json.loads(encode(told)[4:])
    body[column] = value
    with pytest.raises(FrameError):
        decode(json.dumps(body).encode())
