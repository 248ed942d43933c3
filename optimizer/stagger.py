"""Runs that end one after another: no more comes back in an interval than the policy wants.

Prices cannot tell it (the interval after is free until everybody has moved there), so runs that end
together are drawn out one by one, the smaller ones first, as far as their rules allow.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gridctl.model.resource import LoadGroup
from optimizer.arrays import BoolArray
from optimizer.assemble import Programme
from optimizer.runs import broken_rules


def staggered(programme: Programme, runs: Mapping[int, BoolArray]) -> dict[int, BoolArray]:
    """`runs` by block, drawn out where too much would come back at once."""
    most_kw = programme.problem.task.policy.return_kw_max
    found = dict(runs)
    if most_kw is None:
        return found
    groups = {r.mrid for r in programme.problem.task.resources if isinstance(r, LoadGroup)}
    members = [i for i in found if programme.blocks[i].resource in groups]
    full_kw = {i: _full_kw(programme, i) for i in members}
    for t in range(programme.problem.grid.count):
        ending = sorted((i for i in members if _ends(programme, found, i, t)), key=full_kw.get)  # type: ignore[arg-type]
        while len(ending) > 1 and sum(full_kw[i] for i in ending) > most_kw:
            i = ending.pop()
            longer = found[i].copy()
            longer[t] = True
            rules = programme.blocks[i].runs
            if rules is not None and not broken_rules(rules.rules, longer):
                found[i] = longer
    return found


def _full_kw(programme: Programme, index: int) -> float:
    runs = programme.blocks[index].runs
    return 0.0 if runs is None else runs.full_kw


def _ends(programme: Programme, found: Mapping[int, BoolArray], index: int, t: int) -> bool:
    runs = programme.blocks[index].runs
    if runs is None:
        return False
    was_on = runs.rules.active if t == 0 else bool(found[index][t - 1])
    return was_on and not bool(np.asarray(found[index])[t])
