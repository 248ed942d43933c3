"""Whether the far end of a loopback connection is a socket of this very process.

The line's inner port is open for a moment, on loopback; whoever else is quick enough to dial it
must not get to speak to the device. The kernel knows whose socket it is: it is asked for the one
socket (sock_diag), or, where it does not answer that, its table is searched.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TABLE: Final = Path("/proc/self/net/tcp")
_DESCRIPTORS: Final = Path("/proc/self/fd")
_NEAR: Final = 64

_NETLINK_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST: Final = 1
_ANY_STATE: Final = 0xFFFFFFFF
_NO_COOKIE: Final = 0xFFFFFFFF
_INODE_AT: Final = 16 + 68
_ANSWER_S: Final = 0.2


def is_our_own(peer: tuple[str, int], ours: tuple[str, int], descriptor: int = 0) -> bool:
    """Whether the connection whose far end is `peer` and whose near end is `ours` (IPv4, loopback)
    begins at a descriptor of this process; `descriptor` is the near end's. False also when the
    kernel does not tell."""
    inode = _asked_inode(peer, ours)
    if inode is None:
        inode = _listed_inode(peer, ours)
    if inode is None:
        return False
    for candidate in _candidates(descriptor):
        with contextlib.suppress(OSError):
            found = os.fstat(candidate)
            if found.st_ino == inode and _is_socket(found.st_mode):
                return True
    return False


def _is_socket(mode: int) -> bool:
    return mode & 0o170000 == 0o140000  # noqa: PLR2004 - S_IFSOCK


def _candidates(descriptor: int) -> Iterator[int]:
    """Descriptors of this process; first those that were made about when `descriptor` was."""
    yield from range(max(0, descriptor - _NEAR), descriptor + _NEAR)
    yield from (int(name) for name in os.listdir(_DESCRIPTORS))  # noqa: PTH208 - a hot loop


def _asked_inode(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
    """The inode of the socket from `local` to `remote`, None when the kernel does not answer."""
    identity = struct.pack(
        "!HH16s16s", local[1], remote[1], socket.inet_aton(local[0]), socket.inet_aton(remote[0])
    ) + struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
    request = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + identity
    header = struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _REQUEST, 1, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
            kernel.settimeout(_ANSWER_S)
            kernel.send(header + request)
            answer = kernel.recv(4_096)
    except OSError:
        return None
    if len(answer) < _INODE_AT + 4 or struct.unpack_from("=H", answer, 4)[0] != _BY_FAMILY:
        return None
    (inode,) = struct.unpack_from("=I", answer, _INODE_AT)
    return int(inode) or None


def _listed_inode(local: tuple[str, int], remote: tuple[str, int]) -> int | None:
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
