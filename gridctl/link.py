"""Frames between field and office on a local socket: four bytes of length, then JSON.

The field dials out, the office listens; nothing but the frames of `gridctl.model.link` passes, each
bounded, typed and checked. Down the line comes only a `SignedOrder`; the signature (Ed25519,
RFC 8032) covers the order's canonical JSON, so that a socket that was taken over moves nothing.
`gridctl.link_client` is the field's end.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from gridctl.link_columns import TelemetryColumns, from_columns, to_columns
from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.link import (
    CONDITIONS_PER_LINK_MAX,
    EVENTS_PER_FRAME_MAX,
    EVIDENCE_CHARS_MAX,
    EVIDENCE_LINES_MAX,
    FRAME_VERSION,
    POINTS_MAX,
    POINTS_PER_FRAME_MAX,
    Ack,
    Conditions,
    Events,
    FieldAlarm,
    Heartbeat,
    Hello,
    MorePoints,
    Outcome,
    SignedOrder,
    Telemetry,
    UpFrame,
)
from gridctl.model.order import COMMANDS_PER_ORDER_MAX, Order

log = logging.getLogger(__name__)

FRAME_BYTES_MAX = 4 * 1024 * 1024
BUSY_S, REST_S = 0.002, 0.001
"""Real seconds of frames without a rest, and of the rest: telemetry has two thirds of the loop."""
SEND_TIMEOUT_S = 2.0
HELLO_TIMEOUT_S = 5.0
QUIET_MAX_S = 10.0
"""Longest silence on the line before the office takes it for dead: ten heartbeats of the field."""
OFFICE_QUEUE_FRAMES = 256

_LENGTH = struct.Struct(">I")

Frame: TypeAlias = UpFrame | SignedOrder

_Written: TypeAlias = (
    Hello
    | MorePoints
    | TelemetryColumns
    | Events
    | Outcome
    | Ack
    | FieldAlarm
    | Conditions
    | Heartbeat
    | SignedOrder
)

_FRAME: TypeAdapter[_Written] = TypeAdapter(
    Annotated[_Written, Field(discriminator="type")],
    config=ConfigDict(extra="forbid", allow_inf_nan=False),
)


class FrameError(Exception):
    """Bytes on the line that are no frame of ours: the connection is given up."""


def encode(frame: Frame) -> bytes:
    """`frame` as it goes on the wire, length first. Raises FrameError when it is too long."""
    body = _FRAME.dump_json(to_columns(frame) if isinstance(frame, Telemetry) else frame)
    if len(body) > FRAME_BYTES_MAX:
        raise FrameError(f"a frame of {len(body)} bytes is longer than {FRAME_BYTES_MAX}")
    return _LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Frame:
    """The frame in `body` (without its length). Raises FrameError for anything else: unknown
    type, unknown field, wrong type of a field, a number that is not finite, too many entries."""
    try:
        frame = _FRAME.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FrameError(f"not a frame: {where}: {first['msg']}") from None
    match frame:
        case TelemetryColumns():
            try:
                return from_columns(frame)
            except ValueError as error:
                raise FrameError(f"not a frame: {error}") from None
        case Hello() if frame.version != FRAME_VERSION:
            raise FrameError(
                f"agent {frame.agent} speaks version {frame.version} of the link, "
                f"this side {FRAME_VERSION}"
            )
        case _:
            excess = _excess(frame)
            if excess:
                raise FrameError(excess)
            return frame


def _excess(frame: Frame) -> str:
    """What `frame` has too much of, "" when it keeps to its bounds."""
    match frame:
        case Events() if len(frame.events) > EVENTS_PER_FRAME_MAX:
            return f"{len(frame.events)} events in one frame"
        case Conditions() if len(frame.conditions) > CONDITIONS_PER_LINK_MAX:
            return f"{len(frame.conditions)} conditions in one frame"
        case Outcome() if len(frame.evidence) > EVIDENCE_LINES_MAX:
            return f"{len(frame.evidence)} lines of evidence in one outcome"
        case Outcome() if sum(map(len, frame.evidence)) > EVIDENCE_CHARS_MAX:
            return f"evidence of more than {EVIDENCE_CHARS_MAX} characters"
        case Hello() | MorePoints() if len(frame.points) > POINTS_PER_FRAME_MAX:
            return f"{len(frame.points)} points in one frame"
        case SignedOrder() if len(frame.order.commands) > COMMANDS_PER_ORDER_MAX:
            return f"an order of {len(frame.order.commands)} commands"
        case _:
            return ""


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """The next frame. Raises FrameError, or IncompleteReadError when the line ended."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > FRAME_BYTES_MAX:
        raise FrameError(f"a frame of {length} bytes is announced, {FRAME_BYTES_MAX} are allowed")
    return decode(await reader.readexactly(length))


async def write_frame(writer: asyncio.StreamWriter, frame: Frame) -> None:
    """Send `frame`; TimeoutError when the other side does not take it within SEND_TIMEOUT_S."""
    writer.write(encode(frame))
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await writer.drain()


async def _breathe(since_s: float) -> float:
    """Let others have their turn after a frame, and the loop a rest after BUSY_S of work since
    `since_s` (time of the loop); the time from which to count on.

    A big plant tells its second of telemetry at once. Read without a pause it holds the loop, and
    the interpreter's lock, for as long as it takes to check it all: an approval's way to the wire
    is some thirty visits to the database's thread, and each would wait for both.
    """
    loop = asyncio.get_running_loop()
    if loop.time() - since_s < BUSY_S:
        await asyncio.sleep(0)
        return since_s
    await asyncio.sleep(REST_S)
    return loop.time()


def split_hello(hello: Hello) -> list[Hello | MorePoints]:
    """`hello` in frames, each of a bounded number of points."""
    points = hello.points
    first = replace(hello, points=points[:POINTS_PER_FRAME_MAX], points_total=len(points))
    return [
        first,
        *(
            MorePoints(offset=at, points=points[at : at + POINTS_PER_FRAME_MAX])
            for at in range(POINTS_PER_FRAME_MAX, len(points), POINTS_PER_FRAME_MAX)
        ),
    ]


async def read_hello(reader: asyncio.StreamReader, hello: Hello) -> Hello:
    """`hello` with the points that come in the frames behind it. Raises as `read_frame`."""
    total = hello.points_total or len(hello.points)
    if total > POINTS_MAX:
        raise FrameError(f"{total} points are announced, {POINTS_MAX} are allowed")
    points = list(hello.points)
    while len(points) < total:
        more = await read_frame(reader)
        if not isinstance(more, MorePoints) or more.offset != len(points) or not more.points:
            raise FrameError(f"{more.type} where point {len(points)} of {total} should come")
        points += more.points
    return replace(hello, points=tuple(points), points_total=len(points))


def signed(order: Order, key: Ed25519PrivateKey) -> SignedOrder:
    """`order` with the office's signature.

    It is signed as it will be read: an int where a float belongs would have other canonical bytes
    before the wire than after it.
    """
    bare = decode(_FRAME.dump_json(SignedOrder(order=order, signature="")))
    if not isinstance(bare, SignedOrder):
        raise FrameError("an order did not survive its own encoding")
    return SignedOrder(order=bare.order, signature=key.sign(bare.order.signed_bytes()).hex())


def is_genuine(order: SignedOrder, key: Ed25519PublicKey) -> bool:
    """Whether the office whose public key this is has signed exactly this order."""
    try:
        key.verify(bytes.fromhex(order.signature), order.order.signed_bytes())
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixEndpoint:
    """A unix socket; only its owner may connect (mode 0600)."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackEndpoint:
    """A TCP port on this machine. Frames carry no encryption: no other address is allowed."""

    host: str
    port: int


Endpoint: TypeAlias = UnixEndpoint | LoopbackEndpoint


def listening_socket(endpoint: Endpoint) -> socket.socket:
    """A bound socket. Raises ConfigError when the address is taken or not this machine's."""
    match endpoint:
        case UnixEndpoint(path=path):
            return _unix_socket(path)
        case LoopbackEndpoint(host=host, port=port):
            if not ipaddress.ip_address(host).is_loopback:
                raise ConfigError(
                    f"{host} is not a loopback address",
                    file=f"tcp://{host}:{port}",
                    hint="the link is not encrypted: keep it on this machine",
                )
            bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind((host, port))
            except OSError as error:
                bound.close()
                raise ConfigError(
                    f"cannot listen: {error.strerror}",
                    file=f"tcp://{host}:{port}",
                    hint="another program uses the port",
                ) from None
            return bound


def _unix_socket(path: Path) -> socket.socket:
    if path.is_socket():
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(str(path)) == 0:
                raise ConfigError(
                    "another office listens here",
                    file=str(path),
                    key="link.socket",
                    hint="one instance, one office: stop the other one first",
                )
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mask holds from the first moment: chmod after bind would leave a gap for others.
    mask = os.umask(0o177)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen: {error.strerror or error}",
            file=str(path),
            key="link.socket",
            hint="the folder must exist and be yours, the path at most 107 bytes long",
        ) from None
    finally:
        os.umask(mask)
    return bound


class OfficeLink:
    """The office's end: listens, signs, and gives the field's frames in their order.

    Fulfils `gridctl.control.ports.FieldLink`. One field agent at a time: a newer connection
    replaces an older one, whose end may hang half open.
    """

    def __init__(self, *, endpoint: Endpoint, key: Ed25519PrivateKey) -> None:
        self._endpoint = endpoint
        self._key = key
        self._server: asyncio.Server | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._frames: asyncio.Queue[UpFrame] = asyncio.Queue(OFFICE_QUEUE_FRAMES)
        self.refused = 0
        """Connections given up because of what they sent, since start."""

    @property
    def connected(self) -> bool:
        """Whether a field agent has said hello and its line is open."""
        return self._writer is not None

    async def start(self) -> None:
        """Listen. Raises ConfigError when the address cannot be had."""
        bound = listening_socket(self._endpoint)
        match self._endpoint:
            case UnixEndpoint():
                self._server = await asyncio.start_unix_server(self.serve, sock=bound)
            case LoopbackEndpoint():
                self._server = await asyncio.start_server(self.serve, sock=bound)

    async def close(self) -> None:
        """Let go of the line and of the address."""
        if self._server is not None:
            self._server.close()
        self._drop()
        if self._server is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._server.wait_closed()
            self._server = None
        if isinstance(self._endpoint, UnixEndpoint):
            self._endpoint.path.unlink(missing_ok=True)

    async def send(self, order: Order) -> None:
        """Sign and send. Raises UnavailableError when the line is down: nothing is queued."""
        writer = self._writer
        if writer is None:
            raise UnavailableError("no field agent is connected")
        try:
            await write_frame(writer, signed(order, self._key))
        except (OSError, TimeoutError) as error:
            self._drop(writer)
            raise UnavailableError(f"the line to the field broke: {error}") from error

    async def frames(self) -> AsyncIterator[UpFrame]:
        """Frames from the field, for ever, across reconnects."""
        while True:
            yield await self._frames.get()
            # What piled up while one frame was written down would be taken in one go.
            await asyncio.sleep(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection until it ends; the server calls it, and tests with a socket pair."""
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                hello = await read_frame(reader)
            if not isinstance(hello, Hello):
                raise FrameError(f"the first frame is {hello.type}, not hello")
            hello = await self._whole(reader, hello)
            self._drop()
            self._writer = writer
            await self._frames.put(hello)
            since_s = asyncio.get_running_loop().time()
            while True:
                async with asyncio.timeout(QUIET_MAX_S):
                    frame = await read_frame(reader)
                if isinstance(frame, Hello) and frame.boot_id == hello.boot_id:
                    # The agent has loaded other points; its line and its orders go on.
                    frame = await self._whole(reader, frame)
                elif isinstance(frame, SignedOrder | Hello | MorePoints):
                    raise FrameError(f"{frame.type} is not for the office at this moment")
                await self._frames.put(frame)
                since_s = await _breathe(since_s)
        except FrameError as error:
            self.refused += 1
            log.warning("link: connection refused: %s", error)
        except (OSError, EOFError, TimeoutError) as error:
            log.info("link: field agent is gone: %r", error)
        finally:
            self._drop(writer)

    async def _whole(self, reader: asyncio.StreamReader, hello: Hello) -> Hello:
        async with asyncio.timeout(QUIET_MAX_S):
            return await read_hello(reader, hello)

    def _drop(self, writer: asyncio.StreamWriter | None = None) -> None:
        """Close `writer`, or whichever connection there is."""
        victim = writer or self._writer
        if victim is self._writer:
            self._writer = None
        if victim is not None:
            victim.close()
