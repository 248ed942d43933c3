"""Regulators whose tap changers do not move, as far as is known: in a plan they stay where they
stand, and the plan says so."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gridctl.model.network import Feeder
from gridctl.model.planning import Finding, FindingKind, PlanningTask
from gridctl.model.policy import Policy


def standing(feeder: Feeder, regulators: Collection[str]) -> Feeder:
    """`feeder` with these regulators where they are: a relay without a band does not act. Raises
    ValueError for a regulator that the feeder does not have."""
    if not regulators:
        return feeder
    known = {r.mrid for r in feeder.regulators}
    if unknown := sorted(set(regulators) - known):
        raise ValueError(f"held_regulators: there is no regulator {unknown[0]}")
    return replace(
        feeder,
        regulators=tuple(
            replace(r, band_v=0.0, reverse=None) if r.mrid in regulators else r
            for r in feeder.regulators
        ),
    )


def moving_only(policy: Policy, regulators: Collection[str]) -> Policy:
    """`policy` without what a plan would move and cannot."""
    if not regulators:
        return policy
    return replace(
        policy, movable=tuple(m for m in policy.movable if m.equipment not in regulators)
    )


def told_standing(task: PlanningTask) -> Finding | None:
    """Which regulators the plan takes as standing still; None where all move."""
    held = task.network.held_regulators
    if not held:
        return None
    named = ", ".join(
        f"{mrid} ({_positions(task.network.taps.get(mrid, ()))})" for mrid in sorted(held)
    )
    who = "1 regulator stands" if len(held) == 1 else f"{len(held)} regulators stand"
    return Finding(
        kind=FindingKind.FIELD,
        text=f"{who} still although the relay asks for a step: {named}. The plan counts on no"
        " movement there: the voltage behind is the devices' to keep.",
        amount=float(len(held)),
        unit="regulators",
    )


def _positions(taps: tuple[int, ...]) -> str:
    return f"at {', '.join(f'{tap:+d}' for tap in taps)}" if taps else "where it was last seen"
