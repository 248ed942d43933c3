"""What the field agent is told at its start. `gridctl.config` fills it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from protocols.driver import LinkSettings
from protocols.pointgroups import NO_CONTEXT, PointContext


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedLink:
    """One link to a device, and the point on it that moves each second (SG-23).

    `heartbeat`: mrid of that point; frozen for longer than its staleness bound, the whole link
    counts as stale although it still answers. None for a device that has no such point.
    """

    settings: LinkSettings
    heartbeat: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSettings:
    """All of it. Paths are absolute.

    `socket`: the office's unix socket, which the agent dials. `stop_file`: its mere presence
    stops dispatch (SG-21). `spool`: the agent's own state, written before the wire.
    `context`: scan classes, groups and defaults that rows of the points file name.
    `limits_public_key`: OT's, which must have signed the limits (SG-05); None: it need not.
    `confirm_timeout_s`: real seconds in which the feedback point must follow (SG-18).
    """

    agent: str
    points: Path
    limits: Path
    links: tuple[WatchedLink, ...]
    socket: Path
    office_public_key: Path
    stop_file: Path
    spool: Path
    confirm_timeout_s: float
    context: PointContext = NO_CONTEXT
    limits_public_key: Path | None = None
