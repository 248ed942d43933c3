"""Loopback ports of a pilot, so that no two pilots on a machine are given the same.

Between "this port is free" and "my server listens on it" lie seconds in which another pilot may
come to the same conclusion. So a pilot first takes a *guard port*, the one below its first port:
bound, never listened on, held as long as the pilot lives. The kernel gives it to one process only
and takes it back however that process ends; whoever has the guard has the ports that follow. These
are held too, in the way that still lets a server of the pilot listen, so that a program outside the
game finds them taken.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from gridctl.model.errors import UnavailableError

_HOST: Final = "127.0.0.1"
_FROM: Final = 24_000
_TO: Final = 32_000
"""Below the ports that the kernel hands out by itself (32768 and up)."""
_BLOCK: Final = 8
"""A guard and up to seven ports."""


@contextmanager
def reserved_ports(count: int, *, first_choice: Sequence[int] = ()) -> Iterator[tuple[int, ...]]:
    """`count` different ports that nobody listens on, ours until the block ends.

    `first_choice` is taken when its guard and all its ports are free, else a free block is.
    Raises UnavailableError when there is none.
    """
    if not 0 < count < _BLOCK:
        raise ValueError(f"a block has 1 to {_BLOCK - 1} ports, not {count}")
    choices = [tuple(first_choice)] if len(first_choice) == count else []
    blocks = (tuple(range(base + 1, base + 1 + count)) for base in range(_FROM, _TO, _BLOCK))
    for ports in (*choices, *blocks):
        with ExitStack() as held:
            try:
                held.enter_context(_bound(ports[0] - 1, is_guard=True))
                for port in ports:
                    held.enter_context(_bound(port, is_guard=False))
            except OSError:
                continue
            yield ports
            return
    raise UnavailableError(f"no {count} free ports on {_HOST} between {_FROM} and {_TO}")


def _bound(port: int, *, is_guard: bool) -> socket.socket:
    """A socket that holds `port` and does not listen. Raises OSError when it is taken.

    SO_REUSEADDR lets a server, which sets it too, listen on a port that we hold, and lets us hold
    one on which connections of the last server linger. A guard goes without: two pilots could
    share it else.
    """
    held = socket.socket()
    try:
        if not is_guard:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((_HOST, port))
    except OSError:
        held.close()
        raise
    return held
