"""Setpoints as a plan writes them: who changes, to what, and what it does at the head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gridctl.model.planning import Setpoint
from optimizer.arrays import FloatArray
from optimizer.assemble import Programme
from optimizer.problem import astray, default_kw
from optimizer.solve import Solution

ACTION_MIN_KW = 0.05
ACTION_MIN_KVAR = 0.5
SETPOINT_DIGITS = 3
EFFECT_MIN_KW = 5.0
EFFECT_FACTOR = (0.8, 1.25)
"""A fall at the head that differs more from the sum of effects is none that a ratio explains."""


def setpoints_of(programme: Programme, solution: Solution) -> tuple[Setpoint, ...]:
    """Setpoints of every resource that changes, for all intervals, with their effect at the head.

    A resource changes when it is asked for something in any interval, or stands elsewhere than at
    its default now and has to be told to go back; also one that has nothing to give any more.
    """
    problem, found = programme.problem, []
    away = astray(problem)
    for index, block in enumerate(programme.blocks):
        action = np.asarray(block.action @ solution.x[programme.columns_of(index)])
        moved = np.abs(action) > ACTION_MIN_KW
        kvar = np.zeros(problem.grid.count)
        if block.kvar is not None:
            kvar = np.asarray(block.kvar @ solution.x[programme.columns_of(index)])
            kvar = np.where(np.abs(kvar) > ACTION_MIN_KVAR, np.round(kvar, SETPOINT_DIGITS), 0.0)
        if not moved.any() and not kvar.any() and block.resource not in away:
            continue
        kw = np.where(moved, np.round(block.offset_kw + action, SETPOINT_DIGITS), block.default_kw)
        found += [
            Setpoint(
                resource=block.resource,
                interval=t,
                kw=float(kw[t]),
                effect_kw=0.0,
                kvar=float(kvar[t]),
            )
            for t in range(problem.grid.count)
        ]
    found += [
        Setpoint(resource=r.mrid, interval=t, kw=default_kw(r), effect_kw=0.0)
        for r in problem.task.resources
        if r.mrid in away and r.mrid in problem.excluded
        for t in range(problem.grid.count)
    ]
    return _with_effects(programme, found)


def _with_effects(programme: Programme, setpoints: list[Setpoint]) -> tuple[Setpoint, ...]:
    row = {block.resource: i for i, block in enumerate(programme.blocks)}
    effect = -programme.model.head_slope * programme.injected_by(setpoints)
    members = len(programme.members)
    for k, giver in enumerate(programme.givers):
        effect[giver] += effect[members + len(programme.movers) + k]
    return tuple(
        replace(s, effect_kw=round(float(effect[row[s.resource], s.interval]), SETPOINT_DIGITS))
        if s.resource in row
        else s
        for s in setpoints
    )


def as_checked(setpoints: tuple[Setpoint, ...], fall_kw: FloatArray) -> tuple[Setpoint, ...]:
    """Effects that add up to what the AC flow shows at the head in each interval.

    The linear model lets loads keep their voltage; regulators that step down behind a plan take
    some more off (or give some back), which is shared in proportion.
    """
    said_kw = np.zeros(len(fall_kw))
    for s in setpoints:
        said_kw[s.interval] += s.effect_kw
    sure = np.abs(said_kw) > EFFECT_MIN_KW
    ratio = np.divide(fall_kw, said_kw, out=np.ones_like(fall_kw), where=sure)
    factor = np.clip(ratio, *EFFECT_FACTOR)
    return tuple(
        replace(s, effect_kw=round(float(factor[s.interval]) * s.effect_kw, SETPOINT_DIGITS))
        for s in setpoints
    )
