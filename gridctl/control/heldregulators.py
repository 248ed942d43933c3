"""What a regulator that stands still means for plans. Pure.

While the relays act, the voltage behind a regulator is theirs, and a plan only does not make it
worse. Where a tap changer stands still nobody else keeps it: then the plan does. A plan that was
made when all of them moved is made anew.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from gridctl.model.planning import NetworkLimits
from gridctl.model.policy import Existing, Policy

PLANS_KEPT: Final = 32
RESERVE_PU: Final = 0.005
"""So much the lowest voltage of IEEE 123 moves in half an hour of a hot afternoon: until a plan is
asked for, read, approved and followed."""


def for_standing(policy: Policy, held: Collection[str]) -> Policy:
    """`policy` where the regulators `held` stand still."""
    if not held:
        return policy
    return replace(policy, existing_voltage=Existing.HARD)


def with_reserve(limits: NetworkLimits, held: Collection[str]) -> NetworkLimits:
    """`limits` with a little distance to the voltage band where the regulators `held` stand still:
    no relay takes back what a quarter of an hour brings."""
    if not held:
        return limits
    reserve_pu = min(RESERVE_PU, (limits.voltage_max_pu - limits.voltage_min_pu) / 4.0)
    return replace(
        limits,
        voltage_min_pu=limits.voltage_min_pu + reserve_pu,
        voltage_max_pu=limits.voltage_max_pu - reserve_pu,
    )


def as_wished(policy: Policy, own: Policy) -> Policy:
    """`policy` with what `own` wishes of a voltage that is outside of its limits already."""
    return replace(policy, existing_voltage=own.existing_voltage)


class HeldRegulators:
    """Which regulators each plan has taken as standing still."""

    def __init__(self) -> None:
        self._of_plan: dict[str, frozenset[str]] = {}

    def assumed(self, plan: str, held: Collection[str]) -> None:
        """`plan` was made with `held` standing still."""
        self._of_plan[plan] = frozenset(held)
        while len(self._of_plan) > PLANS_KEPT:
            del self._of_plan[next(iter(self._of_plan))]

    def newly(self, plan: str, held: Collection[str]) -> tuple[str, ...]:
        """Why `plan` rests on regulators that do not move any more, or nothing."""
        found = sorted(set(held) - self._of_plan.get(plan, frozenset(held)))
        if not found:
            return ()
        stands, its = ("stands", "its") if len(found) == 1 else ("stand", "their")
        return (f"{', '.join(found)} {stands} still, and plan {plan} counts on {its} movement",)
