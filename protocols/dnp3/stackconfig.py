"""How the native stack behind a link is set up: once, before it begins."""

from __future__ import annotations

from typing import Final

import opendnp3 as o

from protocols.dnp3.clocksetting import PLAUSIBLE_SINCE_S
from protocols.dnp3.settings import Dnp3Settings
from protocols.dnp3.stack import milliseconds
from protocols.dnp3.turns import start_timeout_s

NEVER_S: Final = 86_400.0
_FAST_RETRY_S, _SLOW_RETRY_S = 0.05, 1.0


def channel_retry() -> o.ChannelRetry:
    """The stack dials its line, which is there; it never dials a second time."""
    retry = o.ChannelRetry(milliseconds(_FAST_RETRY_S), milliseconds(_SLOW_RETRY_S))
    # Without it a peer that accepts and closes costs 3,090 reconnects/s and a core (G6).
    retry.reconnectDelay = milliseconds(NEVER_S)
    return retry


def stack_config(settings: Dnp3Settings, *, scan_s: float, now_s: float) -> o.MasterStackConfig:
    """`now_s`: our own clock, which has to be plausible before any device's is set by it."""
    config = o.MasterStackConfig()
    config.link.LocalAddr = settings.master_address
    config.link.RemoteAddr = settings.outstation_address
    # Commands pile up behind the stack's own keep-alive and go out late (G8); the line's has
    # no queue behind it and closes the connection.
    config.link.KeepAliveTimeout = milliseconds(NEVER_S)
    config.master.responseTimeout = milliseconds(settings.response_timeout_s)
    config.master.taskStartTimeout = milliseconds(start_timeout_s(settings.response_timeout_s))
    config.master.taskRetryPeriod = milliseconds(scan_s)
    config.master.maxTaskRetryPeriod = milliseconds(scan_s)
    config.master.disableUnsolOnStartup = settings.disable_unsolicited_at_start
    if settings.time_sync != "none" and now_s >= PLAUSIBLE_SINCE_S:
        config.master.timeSyncMode = (
            o.TimeSyncMode.LAN if settings.time_sync == "lan" else o.TimeSyncMode.NonLAN
        )
    return config
