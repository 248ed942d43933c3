"""The one port between the field agent and any protocol.

A driver owns one link to one device (outstation, server). It never decides: it reads what the
points file says, keeps the values coming, and executes a `Permit`. Its contract is the test suite
`tests/contracts/test_driver_contract.py`; a new protocol is one package, one case in
`protocols/registry.py` and one peer in that suite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from gridctl.model.command import CommandState
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import Measurement, Point
from gridctl.model.permit import Permit

OptionValue: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """One `[[links]]` table of the field's configuration. The driver validates `options` itself
    and refuses unknown keys with ConfigError(file, key, hint). Paths in options are absolute.
    `lines` tells on which line of `file` each option stands, "" for the table itself."""

    id: str
    protocol: str
    file: str
    options: Mapping[str, OptionValue]
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointAddress:
    """One row of the points file: the domain's point, and how this protocol reaches it.

    engineering value = wire value * scale + offset. `address` and `command` are the protocol's
    own notation (docs/reference/points-file.md); `line` is the row's line in `file`, for errors.
    `lease` is the address of the device's own reversion timeout in seconds (IEEE 1815.2 AO85
    style), written before each dispatch; "" where the command itself carries the lease. `enable`
    is the address of an enabling output (IEEE 1815.2 BO17 style) that must be on before the
    setpoint counts; several setpoints may share one; "" where the device needs none.

    `group` names the `[field.groups.NAME]` table that the point belongs to, "" for none. From it
    come `soe` (sequence of events: every single change counts, so neither deadband nor sampling
    may swallow one) and `event_class` (1 to 3: the event class that the device is asked to report
    the point in; 0: none, polled only; None: as the device is configured).
    """

    point: Point
    link: str
    address: str
    command: str
    lease: str
    scale: float
    offset: float
    deadband: float
    min_value: float | None
    max_value: float | None
    file: str
    line: int
    enable: str = ""
    group: str = ""
    soe: bool = False
    event_class: int | None = None


class Result(StrEnum):
    """How an execution ended on the wire. UNKNOWN means just that: it may have happened.

    REJECTED: it is known that nothing was operated; also when the refusal answers the OPERATE (or
    the write) itself. ABORTED: stopped between select and operate; nothing was operated.
    """

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """What became of a permit. `status` is the protocol's own word (LOCAL, BadOutOfRange …),
    `detail` a sentence for the operator. `evidence`: the exchange as it passed the wire, one line
    per message, for the evidence pack; bounded, empty where nothing was sent."""

    result: Result
    status: str
    detail: str
    round_trip_s: float
    evidence: tuple[str, ...] = ()


StageCallback: TypeAlias = Callable[[CommandState], None]
"""Called just before SELECT and just before OPERATE leave, with SELECTED or OPERATED."""


class Driver(Protocol):
    """One link. All methods are called from the event loop; none blocks it."""

    @property
    def link(self) -> str:
        """The link's id."""
        ...

    async def start(self) -> None:
        """Begin to connect and read; returns at once, reconnects for ever with backoff.

        Values go to the inbox that the driver was built with. A source that reports by exception
        is re-reported (same value, quality and source time) at least every `scan_s` as long as
        there is proof of life (poll answered, keep-alive); without it nothing is put, and the
        points go stale by themselves. On link loss every point is put once with COMM_LOST.
        """
        ...

    async def stop(self) -> None:
        """Let go of the link within 5 s, whatever the peer does."""
        ...

    async def execute(
        self, permit: Permit, *, aborted: Callable[[], bool], stage: StageCallback
    ) -> Execution:
        """Send the permitted command, select before operate where the protocol has it.

        Never retries; never queues while the link is down (REJECTED, status LINK_DOWN). `aborted`
        is asked right before OPERATE (or the write): true cancels. A timeout or a broken link
        after the first byte is UNKNOWN. One command at a time per device.
        """
        ...

    async def read_back(self, point: str, *, timeout_s: float) -> Measurement | None:
        """A fresh reading of one point from the device, or None when it cannot be had in time."""
        ...

    def health(self) -> LinkHealth:
        """State and counters of the link."""
        ...
