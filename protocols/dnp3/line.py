"""The line: both sockets of a link, and the conversation between them.

    yadnp3 --TCP on loopback--> line --TCP, TLS or a serial line, the field--> outstation

It ends TLS (on Python's OpenSSL, not the one in the wheel), keeps Nagle and delayed
acknowledgements from costing a poll its time, closes for good what the stack would only report,
and lets one read at a time in from each device, so that no flood holds up the others.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import Callable

from gridctl.model.errors import UnavailableError
from protocols.dnp3.capture import Capture
from protocols.dnp3.conversation import Conversation
from protocols.dnp3.exchange import Exchange
from protocols.dnp3.ownership import is_our_own

log = logging.getLogger(__name__)

READ_OCTETS = 8_192
"""What one device may bring in one turn of the event loop."""
WRITE_WAITING_MAX = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Line:
    """One connection to a device, and the stack's connection to it.

    `lost` is called once, with the reason, when either end has gone or the conversation is at
    fault; both ends are closed then.
    """

    def __init__(
        self, conversation: Conversation, capture: Capture, lost: Callable[[str], None]
    ) -> None:
        self.conversation = conversation
        self.capture = capture
        self._lost: Callable[[str], None] | None = lost
        self._device = _DeviceEnd(self)
        self._stack = _StackEnd(self)
        self._server: asyncio.Server | None = None
        self.stack_came = asyncio.Event()

    @property
    def device_end(self) -> asyncio.BufferedProtocol:
        """The protocol to give to `loop.create_connection`."""
        return self._device

    @property
    def is_open(self) -> bool:
        return self._device.transport is not None and self._stack.transport is not None

    async def listen(self) -> tuple[str, int]:
        """Open the inner port for the stack's one connection; returns where.

        Raises UnavailableError when the device has gone meanwhile.
        """
        if self._lost is None:
            raise UnavailableError("the device let go of the connection at once")
        loop = asyncio.get_running_loop()
        # Known to `close_port` before anything is awaited: whoever is cancelled in between, or
        # loses the device, would leave a port open that nobody closes any more.
        port = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._server = await loop.create_server(
            lambda: _Visitor(self), sock=port, backlog=1, start_serving=False
        )
        address = port.getsockname()
        await self._server.start_serving()
        return str(address[0]), int(address[1])

    def adopt(self, transport: asyncio.Transport) -> asyncio.Protocol | None:
        """Take `transport` as the stack's if it is; the inner port closes behind it."""
        if self._stack.transport is not None or self._device.transport is None:
            return None
        peer, ours = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        descriptor = transport.get_extra_info("socket").fileno()
        if not is_our_own((peer[0], peer[1]), (ours[0], ours[1]), descriptor):
            log.error("somebody else dialed the inner port of a DNP3 link, from %s:%d", *peer[:2])
            return None
        self.close_port()
        self._stack.connection_made(transport)
        self._device.begin()
        self.stack_came.set()
        return self._stack

    def close_port(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        loop = asyncio.get_running_loop()
        for port in server.sockets:
            loop.remove_reader(port.fileno())
        # Whom it has accepted in this turn gets its transport in the next: a server that is closed
        # by then leaves that socket open for good (CPython gh-109564).
        loop.call_soon(server.close)

    def from_device(self, octets: bytes) -> bool:
        """Take `octets` in; whether something went back to the device."""
        conversation, capture = self.conversation, self.capture
        if capture.running:
            capture.keep(octets, from_master=False)
        to_stack, to_device = conversation.from_device(octets)
        # The device first: it holds its next fragment back until this one is confirmed.
        if to_device:
            self.to_device(to_device)
        if to_stack:
            self._stack.write(to_stack)
        if conversation.fault is not None:
            self.drop(conversation.fault)
        return bool(to_device)

    def from_stack(self, octets: bytes) -> None:
        self._send(*self.conversation.from_stack(octets))

    def _send(self, to_device: bytes, to_stack: bytes) -> None:
        if to_device:
            self.to_device(to_device)
        if to_stack:
            self._stack.write(to_stack)

    def to_device(self, octets: bytes) -> None:
        if self.capture.running:
            self.capture.keep(octets, from_master=True)
        self._device.write(octets)

    def read(self, objects: bytes) -> None:
        """Read `objects` of the device; the values come like all others."""
        self._send(*self.conversation.read(objects))

    def command(self, exchange: Exchange) -> None:
        """Send SELECT, and OPERATE after its echo; `exchange` hears the rest."""
        self._send(*self.conversation.command(exchange))

    def tick(self) -> None:
        """Judge what has not come; due a few times a second."""
        self._send(*self.conversation.tick())
        if self.conversation.fault is not None:
            self.drop(self.conversation.fault)
        elif self._device.waiting > WRITE_WAITING_MAX:
            self.drop("the device does not take what is sent to it")

    def drop(self, reason: str) -> None:
        """Close both ends now. The device's is reset: what is still unsent never leaves."""
        lost, self._lost = self._lost, None
        self.close_port()
        self._device.reset()
        self._stack.reset()
        if lost is not None:
            lost(reason)


class _End:
    """What both ends have in common."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's protocol
        self.transport = transport
        opened = transport.get_extra_info("socket")
        if opened is not None:  # a serial line has none
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, octets: bytes) -> None:
        if self.transport is not None:
            self.transport.write(octets)

    @property
    def waiting(self) -> int:
        """Octets that the far end has not taken yet."""
        return 0 if self.transport is None else self.transport.get_write_buffer_size()

    def reset(self) -> None:
        transport, self.transport = self.transport, None
        if transport is None:
            return
        opened = transport.get_extra_info("socket")
        try:
            if opened is not None:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        except OSError as error:
            log.debug("a socket was closed before it could be reset: %s", error)
        transport.abort()


class _Shared(threading.local):
    """One buffer for all links of a loop: it is filled and emptied within one turn. One for each
    would be 4 MB of 500 links."""

    def __init__(self) -> None:
        self.buffer = bytearray(READ_OCTETS)


_shared = _Shared()


class _DeviceEnd(_End, asyncio.BufferedProtocol):
    """Towards the outstation. The buffer bounds what one turn of the loop can bring."""

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._socket: socket.socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._socket = transport.get_extra_info("socket")
        # Nothing is taken before there is a stack to hand it to.
        if self.transport is not None:
            self.transport.pause_reading()

    def begin(self) -> None:
        """The stack is there."""
        if self.transport is not None:
            self.transport.resume_reading()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's signature
        return _shared.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self.transport is None:
            return
        answered = self._line.from_device(bytes(memoryview(_shared.buffer)[:nbytes]))
        if not answered and self._socket is not None and self.transport is not None:
            # Nothing went back that would carry the acknowledgement, and an outstation with Nagle
            # on holds its next segment until it has one: 1,000 points took 132 ms without this,
            # 1 ms with it (dnp3.md §2). The kernel forgets it each time.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def eof_received(self) -> bool:
        self._line.drop("the device closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            self._line.drop(f"connection lost: {exc or 'closed by the device'}")


class _StackEnd(_End, asyncio.Protocol):
    """Towards the native stack."""

    def data_received(self, data: bytes) -> None:
        if self.transport is not None:
            self._line.from_stack(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        if self.transport is not None:
            self._line.drop("the native stack let go of its connection")


class _Visitor(asyncio.Protocol):
    """Whoever dials the inner port, until it is known who that is."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._adopted: asyncio.Protocol | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream's protocol
        self._adopted = self._line.adopt(transport)
        if self._adopted is None:
            transport.abort()
            return
        transport.set_protocol(self._adopted)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        return
