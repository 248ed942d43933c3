"""How far a value may be from what can be true before it is not believed (SG-12)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PlausibilityBounds:
    """`power_share`: of a battery's or inverter's rating; `group_share`: of what a load group can
    shed, which is less than it draws; `head_share`: of the head's limit, whose rating nobody names;
    voltages in pu; `future_s`, `frozen_s`: grid seconds; `moved_share`: of the head's power, that
    the resources must have moved by while the head stood still; `jump_share`: of the head's limit,
    beyond which a change from one report to the next is doubted once."""

    power_share: float = 1.3
    group_share: float = 10.0
    head_share: float = 3.0
    voltage_min_pu: float = 0.5
    voltage_max_pu: float = 1.5
    dead_below_pu: float = 0.05
    future_s: float = 5.0
    frozen_s: float = 300.0
    moved_share: float = 0.01
    jump_share: float = 0.5
