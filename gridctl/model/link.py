"""Frames between office and field: typed, versioned, bounded.

Up: Hello (and MorePoints behind it), Telemetry, Events, Outcome, FieldAlarm, Conditions, Heartbeat.
Down: SignedOrder. Each order is answered by an Ack.
`gridctl.link` puts them on a socket; here is only their shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gridctl.model.command import CommandState
from gridctl.model.measurement import Measurement, Point
from gridctl.model.order import Order
from gridctl.model.tag import Tag

FRAME_VERSION = 5
MEASUREMENTS_PER_FRAME_MAX = 500
EVENTS_PER_FRAME_MAX = 1_000
POINTS_PER_FRAME_MAX = 4_000
POINTS_MAX = 200_000
DIAGNOSTICS_MAX = 32
CONDITIONS_PER_LINK_MAX = 200
EVIDENCE_LINES_MAX = 32
EVIDENCE_CHARS_MAX = 16_384
"""Of all lines of one outcome together; `bounded_evidence` cuts what is longer."""
_NOTE_CHARS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedCertificate:
    """A certificate for which the last attempt to connect was given up. `why`: the status by name;
    times in real UTC seconds; `remedy`: what a person does on the field's host who has compared the
    thumbprint with its owner."""

    thumbprint: str
    sha256: str
    subject: str
    application_uri: str
    valid_from_s: float
    valid_until_s: float
    why: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHealth:
    """State of one field link, for the console's communications screen and the metrics.

    `state`: "up", "connecting", "down". Counters since the driver's start; times in seconds,
    `since_s`, `last_error_s` and `certificate_expires_s` as grid time (the last as real UTC, since
    certificates know no other). The fields with a default are filled by a driver that can know
    them; None and "" mean "not known", never zero.

    `active_endpoint`: the one in use where there are several. `round_trip_p50_s` and `_p99_s` over
    a bounded window of requests (`protocols.traffic`). `frame_errors`: what the link layer threw
    away (checksum, length); `protocol_errors`: what was whole and made no sense. `events`: reports
    by event or notification. `lock_owner`: the
    command that holds the device now. `rejected_certificate`: of the peer, if it was refused for
    that. `diagnostics`: the protocol's own words by key (internal
    indications, session and subscription state), at most DIAGNOSTICS_MAX of them.
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
    active_endpoint: str = ""
    round_trip_p50_s: float | None = None
    round_trip_p99_s: float | None = None
    retries: int = 0
    timeouts: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    frame_errors: int = 0
    protocol_errors: int = 0
    events: int = 0
    last_error: str = ""
    last_error_s: float | None = None
    certificate_expires_s: float | None = None
    commands_in_flight: int = 0
    lock_owner: str = ""
    diagnostics: Mapping[str, str] = field(default_factory=dict)
    rejected_certificate: RejectedCertificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First frame up: who the agent is, what it can see, and which limits it enforces.

    Told again on the same line when the agent has loaded other points. More points than fit into a
    frame come behind it, in MorePoints; `points_total` says how many there are in all. `tags`: the
    blocking ones that it holds, in full.
    """

    type: Literal["hello"] = "hello"
    version: int = FRAME_VERSION
    agent: str
    boot_id: str
    points: tuple[Point, ...]
    points_total: int = 0
    limits_digest: str
    epoch_seen: int
    sequence_seen: int
    stopped: bool
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MorePoints:
    """Points of the Hello before it, `offset` of them told already."""

    type: Literal["more_points"] = "more_points"
    offset: int
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of the sequence of events. `number` counts all events of one run of the agent: a
    hole means that some were lost."""

    number: int
    measurement: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Every change of the sequence-of-events points, in order. Told again after a reconnect."""

    type: Literal["events"] = "events"
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """New values. `sequence` without a gap, else the office marks the data lost."""

    type: Literal["telemetry"] = "telemetry"
    sequence: int
    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A command's step in the field. `status` is the protocol's own word, `detail` a sentence.
    `evidence`: what passed the wire up to this step, one line a message; empty where nothing did.
    """

    type: Literal["outcome"] = "outcome"
    command: str
    order: str
    state: CommandState
    status: str
    detail: str
    at_s: float
    evidence: tuple[str, ...] = ()


def bounded_evidence(lines: Sequence[str]) -> tuple[str, ...]:
    """`lines` as they may travel: each a single line, and no more than a frame should carry; what
    had to be left out is said in their place."""
    kept: list[str] = []
    room = EVIDENCE_CHARS_MAX
    for number, line in enumerate(lines):
        text = " ".join(line.splitlines())
        longest = room - _NOTE_CHARS
        is_full = number == EVIDENCE_LINES_MAX - 1 and len(lines) > EVIDENCE_LINES_MAX
        if is_full or longest <= 0:
            kept.append(f"… {len(lines) - number} more messages are left out")
            break
        if len(text) > longest:
            text = f"{text[:longest]} … {len(text) - longest} more characters"
        kept.append(text)
        room -= len(text)
    return tuple(kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Answer to an order: admitted, or refused with the reasons. `only_busy`: the points that were
    held by something under way (a command before it, a return to the default), where that is all
    that stood against it: without them, the order would have been let through."""

    type: Literal["ack"] = "ack"
    order: str
    admitted: bool
    code: str
    reasons: tuple[str, ...]
    only_busy: tuple[str, ...] = ()


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
class ConditionInfo:
    """One alarm that a device keeps itself; see `protocols.conditions`. `answer`: why the device
    did not take the last acknowledgement, "" when it did or there was none."""

    condition: str
    source: str
    name: str
    message: str
    severity: int
    active: bool | None
    acknowledged: bool | None
    at_s: float
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """All alarms that the device of `link` retains, worst first; told when one of them changes.
    `omitted`: how many more it has. Not told while nobody knows them."""

    type: Literal["conditions"] = "conditions"
    link: str
    conditions: tuple[ConditionInfo, ...]
    omitted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """A setpoint that is held in the field until its lease runs out."""

    point: str
    value: float
    until_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """Once a second: the agent lives, these are its links, leases and whether it is stopped.
    `tags`: the names of those that it holds; `busy`: points with something under way."""

    type: Literal["heartbeat"] = "heartbeat"
    at_s: float
    stopped: bool
    links: tuple[LinkHealth, ...]
    leases: tuple[LeaseInfo, ...]
    dropped: int
    tags: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrder:
    """An order and the Ed25519 signature (hexadecimal) over its `signed_bytes()`."""

    type: Literal["order"] = "order"
    order: Order
    signature: str


UpFrame: TypeAlias = (
    Hello | MorePoints | Telemetry | Events | Outcome | Ack | FieldAlarm | Conditions | Heartbeat
)
DownFrame: TypeAlias = SignedOrder
