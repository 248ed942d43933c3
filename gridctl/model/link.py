"""Frames between office and field: typed, versioned, bounded.

Up: Hello, Telemetry, Outcome, Heartbeat. Down: SignedOrder. Each order is answered by an Ack.
`gridctl.link` puts them on a socket; here is only their shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gridctl.model.command import CommandState
from gridctl.model.measurement import Measurement, Point
from gridctl.model.order import Order

FRAME_VERSION = 1
MEASUREMENTS_PER_FRAME_MAX = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHealth:
    """State of one field link, for the console's communications screen.

    `state`: "up", "connecting", "down". Counters since start; times in seconds.
    """

    link: str
    protocol: str
    endpoint: str
    state: str
    since_s: float
    points: int
    reads: int
    late_scans: int
    commands: int
    reconnects: int
    round_trip_s: float | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First frame up: who the agent is, what it can see, and which limits it enforces."""

    type: Literal["hello"] = "hello"
    version: int = FRAME_VERSION
    agent: str
    boot_id: str
    points: tuple[Point, ...]
    limits_digest: str
    epoch_seen: int
    sequence_seen: int
    stopped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """New values. `sequence` without a gap, else the office marks the data lost."""

    type: Literal["telemetry"] = "telemetry"
    sequence: int
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A command's step in the field. `status` is the protocol's own word, `detail` a sentence."""

    type: Literal["outcome"] = "outcome"
    command: str
    order: str
    state: CommandState
    status: str
    detail: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Answer to an order: admitted, or refused with the reasons."""

    type: Literal["ack"] = "ack"
    order: str
    admitted: bool
    code: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldAlarm:
    """Something the field agent saw that a person must know."""

    type: Literal["field_alarm"] = "field_alarm"
    key: str
    priority: int
    text: str
    active: bool
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """A setpoint that is held in the field until its lease runs out."""

    point: str
    value: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Once a second: the agent lives, these are its links, leases and whether it is stopped."""

    type: Literal["heartbeat"] = "heartbeat"
    at_s: float
    stopped: bool
    links: tuple[LinkHealth, ...]
    leases: tuple[LeaseInfo, ...]
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrder:
    """An order and the Ed25519 signature (hexadecimal) over its `signed_bytes()`."""

    type: Literal["order"] = "order"
    order: Order
    signature: str


UpFrame: TypeAlias = Hello | Telemetry | Outcome | Ack | FieldAlarm | Heartbeat
DownFrame: TypeAlias = SignedOrder
