"""A whole instance folder for tests: made once a session, copied for each test."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from gridctl.wallclock import system_clock
from sim.instance import Ports, create_instance
from sim.instance_ports import reserved_ports

_held = ExitStack()
"""Until the tests end: what looks at the ports of an instance must not meet another's devices."""


def make_pilot(folder: Path, *, rate: float = 10.0) -> Path:
    """A hot afternoon with eight days of history. A demo that is started on it takes other ports
    for its devices: those of the files are ours."""
    web, sub, dr, der = _held.enter_context(reserved_ports(4))
    create_instance(
        folder,
        scenario="hot-afternoon",
        rate=rate,
        now_real_s=system_clock().now_s(),
        ports=Ports(web=web, sub=sub, dr=dr, der=der),
        history_days=8,
    )
    return folder
