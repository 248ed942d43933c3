"""Loopback ports for servers of tests, a range of their own for each of pytest's workers.

Between "this port is free" and "my server listens on it" another worker may come to the same
conclusion; ranges that do not overlap end that. They lie below the ports that the kernel hands out
by itself (32768 and up) and below those of pilots (`sim.instance_ports`).
"""

from __future__ import annotations

import os
import socket
from itertools import chain

_FROM, _TO = 21_000, 24_000
_WORKERS = 4
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that was not given to anyone in this process."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    span = (_TO - _FROM) // _WORKERS
    begin = _FROM + worker * span
    # several test runs may share a machine: each begins somewhere else
    first = begin + os.getpid() * 37 % span
    for port in chain(range(first, begin + span), range(begin, first)):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    # all were given once; by now most are free again
    if _given:
        _given.clear()
        return free_port()
    raise OSError(f"no free loopback port between {begin} and {begin + span}")


def free_ports(count: int) -> list[int]:
    """Different ones."""
    return [free_port() for _ in range(count)]
