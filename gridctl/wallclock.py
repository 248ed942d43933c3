"""The only place that reads the machine's clocks."""

from __future__ import annotations

import time

from gridctl.model.clock import ScaledClock
from gridctl.model.errors import ConfigError

RELEASED_S = 1_790_000_000.0
"""Shortly before this version was written (September 2026): a right clock shows a later time."""


def check_machine_clock(now_s: float | None = None) -> None:
    """Raises ConfigError when the machine's clock cannot be right (before this release, or ten
    years after it): leases, events and certificates would all be judged wrongly."""
    shown_s = time.time() if now_s is None else now_s
    ten_years_s = 10 * 365.25 * 86400
    if not RELEASED_S <= shown_s <= RELEASED_S + ten_years_s:
        shown = time.strftime("%Y-%m-%d %H:%M", time.gmtime(shown_s))
        raise ConfigError(
            f"the machine's clock shows {shown} UTC, which cannot be right",
            file="system clock",
            key="time",
            hint="set the clock (chrony, ntpd or systemd-timesyncd) and start again",
        )


def system_clock() -> ScaledClock:
    """Production: grid time is UTC as the machine knows it."""
    return grid_clock(anchor_real_s=0.0, anchor_grid_s=0.0, rate=1.0)


def grid_clock(*, anchor_real_s: float, anchor_grid_s: float, rate: float) -> ScaledClock:
    """A pilot's grid time: `anchor_grid_s` when the machine shows `anchor_real_s`, then `rate`."""
    return ScaledClock(
        anchor_real_s=anchor_real_s,
        anchor_grid_s=anchor_grid_s,
        rate=rate,
        real_s=time.time,
        real_monotonic_s=time.monotonic,
    )
