"""Modes of an area (SG-37): how far gridctl may go there by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gridctl.model.envelope import Envelope, Promotion


class Mode(StrEnum):
    """OFF: not planned with. SHADOW: plans are made and scored, never sent. ADVISORY: every plan
    needs people. CLOSED_LOOP: plans inside an envelope that two persons have approved do not; all
    others do."""

    OFF = "off"
    SHADOW = "shadow"
    ADVISORY = "advisory"
    CLOSED_LOOP = "closed loop"

    @property
    def rank(self) -> int:
        """Higher may do more."""
        return tuple(Mode).index(self)

    @property
    def commands(self) -> bool:
        """Whether anything may be commanded in an area of this mode."""
        return self.rank >= Mode.ADVISORY.rank


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeRequest:
    """Somebody wants an area to go up. `approved_by`: who has said yes so far. `envelope`: what
    closed loop is asked for with."""

    to: Mode
    by: str
    session: str
    at_s: float
    reason: str
    approved_by: str = ""
    approved_session: str = ""
    approved_role: str = ""
    envelope: Envelope | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaMode:
    """The mode of one area, since when, who set it and why, and what is asked for. `promotion`: in
    closed loop, and in no other mode."""

    area: str
    mode: Mode
    since_s: float
    by: str
    reason: str
    request: ModeRequest | None = None
    promotion: Promotion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowScore:
    """A shadow plan held against what happened without it, from `start_s` to `end_s` (grid time).

    `forecast_error_pct`: mean |median forecast - measured without us| / mean measured.
    `plan_error_kw`: mean |head that the plan promised - measured without us less its effects|.
    `relieved_kwh`: import above the head's limit that it would have taken off, of `over_kwh` that
    there was; `moved_kwh`: all energy that it would have moved, at `cost`. `areas`: of its devices.
    """

    plan: str
    areas: tuple[str, ...]
    start_s: float
    end_s: float
    forecast_error_pct: float
    plan_error_kw: float
    over_kwh: float
    relieved_kwh: float
    moved_kwh: float
    cost: float
