"""Loopback ports of a pilot, so that no two pilots on a machine are given the same.

Between "this port is free" and "my server listens on it" lie seconds in which another pilot may
come to the same conclusion. So a pilot first takes a *guard port*, the one below its first port:
bound, never listened on, held as long as the pilot lives. The kernel gives it to one process only
and takes it back however that process ends; whoever has the guard has the ports that follow.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from gridctl.model.errors import UnavailableError

_HOST: Final = "127.0.0.1"
_FROM: Final = 21_000
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
        guard = _guard(ports[0] - 1)
        if guard is None:
            continue
        with guard:
            if all(_is_free(port) for port in ports):
                yield ports
                return
    raise UnavailableError(f"no {count} free ports on {_HOST} between {_FROM} and {_TO}")


def _guard(port: int) -> socket.socket | None:
    """The bound guard socket; None when another process has it."""
    guard = socket.socket()
    try:
        # Without SO_REUSEADDR: that would let two sockets share a port on which none listens.
        guard.bind((_HOST, port))
    except OSError:
        guard.close()
        return None
    return guard


def _is_free(port: int) -> bool:
    """Whether a server could listen here: connections that linger from the last one do not hinder
    it, another listener does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True
