"""Loopback ports for the benchmark's own processes."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port below the ephemeral range that is free now."""
    for port in range(23_000, 32_000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError("no free loopback port between 23000 and 32000")
