"""A publisher for an MQTT broker: MQTT 3.1.1 over asyncio, QoS 1, nothing else.

We only publish, so this is all of the protocol that we need: CONNECT, CONNACK, PUBLISH, PUBACK, and
PINGREQ as a sign of life (OASIS MQTT 3.1.1, sections 3.1 to 3.4, 3.12, 3.13). Why not a library:
docs/adr/0033.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

DEADLINE_S: Final = 10.0
KEEP_ALIVE_S: Final = 60
TOPIC_BYTES_MAX: Final = 65_535
PACKET_BYTES_MAX: Final = 268_435_455
_CONNECT, _CONNACK, _PUBLISH_QOS1, _PUBACK, _PINGREQ, _PINGRESP = (
    0x10, 0x20, 0x32, 0x40, 0xC0, 0xD0,
)  # fmt: skip
_REFUSALS: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "it does not speak MQTT 3.1.1",
        2: "it does not take our client id",
        3: "it is not available",
        4: "user or password is wrong",
        5: "we are not authorised",
    }
)


class BrokerError(Exception):
    """The broker is not there, or says no; the message is for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where it is and who we are there. `tls` None: plain, for loopback and tests."""

    host: str
    port: int
    client_id: str = "gridctl"
    user: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None


class Publisher:
    """One connection; `publish` waits for the broker's word. Not for several tasks at once."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._last_id = 0

    async def publish(self, topic: str, body: bytes) -> None:
        """Hand over one message; connects first when there is no connection. Raises BrokerError."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                if self._writer is None:
                    await self._connect()
                self._last_id = self._last_id % 65_535 + 1
                head = _text(topic) + self._last_id.to_bytes(2)
                await self._send(_PUBLISH_QOS1, head + body)
                kind, answer = await self._receive()
                while kind == _PINGRESP:
                    kind, answer = await self._receive()
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise BrokerError(_told(error)) from error
        if kind != _PUBACK or answer != self._last_id.to_bytes(2):
            await self.close()
            raise BrokerError("the broker's answer is not the acknowledgement of our message")

    async def ping(self) -> None:
        """A sign of life while there is nothing to publish. Raises BrokerError."""
        if self._writer is None:
            return
        try:
            async with asyncio.timeout(DEADLINE_S):
                await self._send(_PINGREQ, b"")
                kind, _ = await self._receive()
        except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            await self.close()
            raise BrokerError(_told(error)) from error
        if kind != _PINGRESP:
            await self.close()
            raise BrokerError("the broker does not answer a ping")

    async def close(self) -> None:
        """Let go of the connection; the next message opens another one."""
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await writer.wait_closed()

    async def _connect(self) -> None:
        broker = self._broker
        self._reader, self._writer = await asyncio.open_connection(
            broker.host, broker.port, ssl=broker.tls
        )
        flags, payload = 0x02, _text(broker.client_id)  # a clean session: we keep what waits
        if broker.user is not None:
            flags |= 0x80
            payload += _text(broker.user)
        if broker.password is not None:
            flags |= 0x40
            payload += _text(broker.password)
        head = _text("MQTT") + bytes([4, flags]) + KEEP_ALIVE_S.to_bytes(2)
        await self._send(_CONNECT, head + payload)
        kind, answer = await self._receive()
        if kind != _CONNACK or len(answer) != 2:  # noqa: PLR2004 - flags and code
            await self.close()
            raise BrokerError("the broker's first word is no CONNACK")
        if answer[1] != 0:
            await self.close()
            raise BrokerError(_REFUSALS.get(answer[1], f"it refuses us with code {answer[1]}"))

    async def _send(self, kind: int, body: bytes) -> None:
        if self._writer is None:
            raise ConnectionResetError("the connection is closed")
        if len(body) > PACKET_BYTES_MAX:
            raise BrokerError(f"a message has at most {PACKET_BYTES_MAX} bytes")
        self._writer.write(bytes([kind]) + _length(len(body)) + body)
        await self._writer.drain()

    async def _receive(self) -> tuple[int, bytes]:
        if self._reader is None:
            raise ConnectionResetError("the connection is closed")
        kind = (await self._reader.readexactly(1))[0]
        length, shift = 0, 0
        while True:
            byte = (await self._reader.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
            if shift > 21:  # noqa: PLR2004 - four bytes at most
                raise ConnectionResetError("the broker sends no MQTT")
        if length > TOPIC_BYTES_MAX:
            raise ConnectionResetError("the broker sends more than we ever ask for")
        return kind & 0xF0, await self._reader.readexactly(length)


def _text(text: str) -> bytes:
    coded = text.encode()
    if len(coded) > TOPIC_BYTES_MAX:
        raise BrokerError("a text of more than 65,535 bytes")
    return len(coded).to_bytes(2) + coded


def _length(number: int) -> bytes:
    """Remaining length: seven bits a byte, the least first (section 2.2.3)."""
    found = bytearray()
    while True:
        number, digit = divmod(number, 128)
        found.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(found)


def _told(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {DEADLINE_S:g} s"
    if isinstance(error, asyncio.IncompleteReadError):
        return "it closed the connection"
    return (str(error) or type(error).__name__).splitlines()[0][:200]
