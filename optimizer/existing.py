"""What a plan uses of what the policy lets pass where a limit is broken without it (SG-16)."""

from __future__ import annotations

import numpy as np

from gridctl.model.planning import Finding, FindingKind
from optimizer.limits import loading_limits
from optimizer.network import FlowResult
from optimizer.problem import Problem
from optimizer.regulated import RegulatedNetwork
from optimizer.verify import LOADING_TOLERANCE_PCT, VOLTAGE_TOLERANCE_PU, excess_of


def told_further(
    problem: Problem, network: RegulatedNetwork, flow: FlowResult
) -> tuple[Finding, ...]:
    """By how much a plan with `flow` takes places further beyond a limit than they are without it;
    empty where the policy lets nothing pass, or the plan uses nothing of it."""
    policy, task = problem.task.policy, problem.task
    if not policy.existing_worse_pu and not policy.existing_worse_pct:
        return ()
    rated = loading_limits(task, flow.branch_names)
    before, after = (
        excess_of(one, task.limits, network.judged, rated) for one in (problem.base_flow, flow)
    )
    parts = []
    for what, rise, tolerance, unit in (
        ("voltages", after.voltage_pu - before.voltage_pu, VOLTAGE_TOLERANCE_PU, "pu"),
        ("branches", after.loading_pct - before.loading_pct, LOADING_TOLERANCE_PCT, "%"),
    ):
        count = int(np.count_nonzero((rise > tolerance).any(axis=1)))
        if count:
            parts.append(f"{count} {what} by up to {rise.max():.2g} {unit}")
    if not parts:
        return ()
    text = (
        f"Further beyond a limit than without the plan, as taps answer it: {' and '.join(parts)};"
        f" the policy lets pass {policy.existing_worse_pu:g} pu and"
        f" {policy.existing_worse_pct:g} % where a limit is broken without it"
    )
    return (Finding(kind=FindingKind.SHORTFALL, text=text),)
