"""Whether the far end of a loopback connection is a socket of this very process.

The line's inner port is open for a moment, on loopback; whoever else is quick enough to dial it
must not get to speak to the device. The kernel knows whose socket it is.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from pathlib import Path

_TABLE = Path("/proc/self/net/tcp")
_DESCRIPTORS = Path("/proc/self/fd")


def is_our_own(peer: tuple[str, int], ours: tuple[str, int]) -> bool:
    """Whether the connection whose far end is `peer` and whose near end is `ours` (IPv4, loopback)
    begins at a descriptor of this process. False also when the kernel does not tell."""
    inode = _inode(peer, ours)
    if inode is None:
        return False
    wanted = f"socket:[{inode}]"
    # The newest descriptors have the highest numbers, and this one is new.
    for name in sorted(os.listdir(_DESCRIPTORS), key=int, reverse=True):  # noqa: PTH208 - a hot loop
        with contextlib.suppress(OSError):
            if os.readlink(f"{_DESCRIPTORS}/{name}") == wanted:  # noqa: PTH115 - as above
                return True
    return False


def _inode(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    try:
        table = _TABLE.read_bytes()
    except OSError:
        return None
    needle = f": {_spelled(local)} {_spelled(remote)} ".encode()
    at = table.find(needle)
    if at < 0:
        return None
    line = table[at : table.find(b"\n", at)].split()
    return int(line[9])


def _spelled(address: tuple[str, int]) -> str:
    host, port = address
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return f"{number:08X}:{port:04X}"
