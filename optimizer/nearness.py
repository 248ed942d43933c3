"""How near a plan is to the best one, in words.

The bound that a plan is counted against is a relaxation that no plan reaches: it leaves out what
comes back after calls, takes calls in parts, and may keep limits that a plan must miss.
"""

from __future__ import annotations

import scipy

from optimizer.attempt import Attempt

GAP_OPTIMAL = 0.02
"""A plan within this of its lower bound counts as optimal."""
GAP_WORDS_MAX = 1.0
"""Farther from the bound it is missed limits that are counted, and a share says nothing."""


def how_good(attempt: Attempt, missed: int, *, cut_short: bool) -> str:
    """What a person should know of how good an attempt is; empty where there is nothing to tell.
    `missed`: how many limits it does not keep; `cut_short`: the search ended at its time."""
    parts = []
    if not attempt.agreed:
        parts.append(
            f"linear and AC model still differ after {attempt.rounds} rounds: judge by the AC check"
        )
    if missed:
        parts.append(f"{missed} limits or targets cannot be kept in full: see the shortfalls")
    if attempt.gap > GAP_OPTIMAL:
        parts.append(f"whether there is a better plan is not known: {_nearness(attempt.gap)}")
    if cut_short:
        parts.append("the search of better runs ended at its time: this is the best that was found")
    return "; ".join(parts)


def solver_line(programmes: int, gap: float) -> str:
    """Who solved, how many linear programmes it took, and what the gap (a share of the bound)
    means."""
    if gap <= GAP_WORDS_MAX:
        near = f"no plan costs less than this one by more than {100 * gap:.2f} %"
    else:
        near = "how much less another plan could cost is not known, because limits are missed"
    return f"HiGHS in scipy {scipy.__version__}: {programmes} programmes, {near}"


def _nearness(gap: float) -> str:
    if gap > GAP_WORDS_MAX:
        return "limits are missed here that the bound, which no plan reaches, keeps"
    return (
        f"one could cost up to {100 * gap:.0f} % less (counted against a bound that no plan"
        " reaches: it leaves out what comes back after calls, and takes calls in parts)"
    )
