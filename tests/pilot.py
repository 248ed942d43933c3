"""A whole instance folder for tests: made once a session, copied for each test."""

from __future__ import annotations

from pathlib import Path

from gridctl.wallclock import system_clock
from sim.instance import Ports, create_instance


def make_pilot(folder: Path, *, rate: float = 10.0, ports: Ports | None = None) -> Path:
    """A hot afternoon with eight days of history."""
    create_instance(
        folder,
        scenario="hot-afternoon",
        rate=rate,
        now_real_s=system_clock().now_s(),
        ports=ports or Ports(web=21_080, sub=21_101, dr=21_102, der=21_103),
        history_days=8,
    )
    return folder
