"""What a device shows when it is asked what it has: the neutral words for every protocol.

Each protocol's own part is `protocols/<name>/discovery.py` with

    async def discover(settings, *, clock, ask, points_max, timeout_s, trace=None) -> Discovery

It connects with `settings` (a `LinkSettings`, as a driver gets it), reads and only reads, lets go
of the link and returns what it saw. `ask` are addresses that must be read one by one when no
listing brought them (`gridctl points check`). `trace` is given what passed the wire, one line a
message in words, when it is over, also when it failed. It raises ConfigError for options it cannot
use and UnavailableError, with the reason, when the device cannot be reached within `timeout_s`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gridctl.model.clock import Clock
from gridctl.model.measurement import PointKind, Quality
from gridctl.model.quantity import Unit
from protocols.driver import LinkSettings

Trace: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAttribute:
    """One thing that a device says about itself. `native`: where it stands in the protocol
    (DNP3 `g0v252`, an OPC UA node id)."""

    name: str
    value: str
    native: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPoint:
    """One point of a device, as far as it tells. None and "" mean that it does not tell.

    `address`: in the notation of the points file, ready to be written there. `native_type`: the
    protocol's own word, `g30v5` or `Double`. `unit_text`: the unit as the device names it; `unit`:
    that unit as ours where it is one of ours. `low`, `high`: the range in engineering units.
    `writable`: whether the device says that this session may write it. `command`: how the point
    would be commanded, in the points file's notation. `path`: the browse path.
    """

    address: str
    name: str = ""
    path: str = ""
    kind: PointKind | None = None
    native_type: str = ""
    unit: Unit | None = None
    unit_text: str = ""
    low: float | None = None
    high: float | None = None
    writable: bool | None = None
    command: str = ""
    event_class: int | None = None
    value: float | None = None
    value_text: str = ""
    quality: Quality | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """A whole device. `truncated`: it has more points than `points_max`. `notes`: what could not
    be learned, and why, in sentences. `absent`: those of `ask` that the device refuses."""

    protocol: str
    endpoint: str
    attributes: tuple[DeviceAttribute, ...]
    points: tuple[FoundPoint, ...]
    notes: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    truncated: bool = False
    took_s: float = 0.0


class Discover(Protocol):
    """The shape of `protocols/<name>/discovery.discover`."""

    async def __call__(
        self,
        settings: LinkSettings,
        *,
        clock: Clock,
        ask: Sequence[str],
        points_max: int,
        timeout_s: float,
        trace: Trace | None = None,
    ) -> Discovery: ...
