"""A bad line between a simulated server and whoever reads it: loss, delay, doubling, silence.

It works on what the server writes. A DNP3 reply is one write, so a lost one is a reply lost; OPC UA
numbers its chunks, so there only delay and silence make sense.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from sim.fault_kinds import Fault

HELD_OCTETS_MAX: Final = 1 << 20
"""More than this on its way late, and the line drops the rest."""


@dataclass(slots=True)
class LineTroubles:
    """What is wrong with one line now. `seed` decides which replies are hit."""

    seed: int
    lost_share: float = 0.0
    doubled_share: float = 0.0
    delay_s: float = 0.0
    silent: bool = False
    """Half-open: nothing that arrives is looked at, nothing is sent."""
    dropped: int = 0
    """Writes that never arrived."""
    chance: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng((self.seed, 71))

    def set(self, fault: Fault, *, on: bool, amount: float) -> bool:
        """Switch a fault of the line; False when it is none of a line's."""
        value = amount if on else 0.0
        match fault:
            case Fault.LOST_REPLIES:
                self.lost_share = value
            case Fault.DUPLICATED_REPLIES:
                self.doubled_share = value
            case Fault.DELAYED_REPLIES:
                self.delay_s = value
            case Fault.HALF_OPEN:
                self.silent = on
            case _:
                return False
        return True

    def copies(self) -> int:
        """How often the next write arrives."""
        if self.silent or self.chance.random() < self.lost_share:
            self.dropped += 1
            return 0
        return 2 if self.chance.random() < self.doubled_share else 1


def reset(transport: asyncio.WriteTransport) -> None:
    """End a connection with RST: what the other end sees of a device that has forgotten it."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        # Linger for no time: the kernel throws the connection away instead of closing it.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class TroubledWriter:
    """A stream's writer, or a transport, behind a bad line; all but `write` is its own."""

    def __init__(self, inner: asyncio.StreamWriter | asyncio.Transport, line: LineTroubles) -> None:
        self._inner = inner
        self._line = line
        self._free_at_s = 0.0
        self._held = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, data: bytes) -> None:
        """Send, as far as the line lets it."""
        for _ in range(self._line.copies()):
            loop = asyncio.get_running_loop()
            at_s = max(loop.time() + self._line.delay_s, self._free_at_s)
            if at_s <= loop.time():
                self._inner.write(data)
            elif self._held + len(data) <= HELD_OCTETS_MAX:
                # In order: what is written later must not overtake.
                self._free_at_s = at_s
                self._held += len(data)
                loop.call_at(at_s, self._send_late, data)

    def _send_late(self, data: bytes) -> None:
        self._held -= len(data)
        if not self._inner.is_closing():
            self._inner.write(data)
