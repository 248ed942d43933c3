"""Limits that only OT may edit; the field guard enforces them again (SG-05)."""

from __future__ import annotations

from dataclasses import dataclass

from gridctl.model.canonical import digest


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLimit:
    """Limits of one commandable point, in the point's unit; no field has a default.

    `step_max`: greatest change in one command; `interval_min_s`: least time between two commands;
    `per_hour_max`: commands in any hour; `lease_max_s`: longest lease; `default_value`: where the
    device must return to.
    """

    point: str
    area: str
    min_value: float
    max_value: float
    step_max: float
    interval_min_s: float
    per_hour_max: int
    lease_max_s: float
    default_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaLimit:
    """Budget of change per area: sum of |effect_kw| of commands in any `window_s`."""

    area: str
    budget_kw: float
    window_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedLoopLimit:
    """OT's own bounds of closed loop in an area (SG-37): an envelope may ask for less, never for
    more. `points`: the only ones that may move without a person. An area without one has none."""

    area: str
    max_kw: float
    ramp_kw: float
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSet:
    """The whole limits file."""

    version: int
    devices: tuple[DeviceLimit, ...]
    areas: tuple[AreaLimit, ...]
    inhibited: tuple[str, ...]
    closed_loop: tuple[ClosedLoopLimit, ...] = ()

    def digest(self) -> str:
        """Digest of the limits; plans and orders name it."""
        return digest(self)
