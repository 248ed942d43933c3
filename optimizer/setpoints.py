"""Setpoints as a plan writes them: who changes, to what, and what it does at the head."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Written:
    """What a plan writes, before it becomes setpoints: `kw`, `kvar` (resources, T) in the order of
    the task's resources, at the default where nothing is asked; `told`: the resources that are told
    something, in the order of writing."""

    kw: FloatArray
    kvar: FloatArray
    told: tuple[int, ...]


def written_of(programme: Programme, solution: Solution) -> Written:
    """What is written to every resource that changes.

    A resource changes when it is asked for something in any interval, or stands elsewhere than at
    its default now and has to be told to go back; also one that has nothing to give any more.
    """
    problem = programme.problem
    resources, count = problem.task.resources, problem.grid.count
    away = astray(problem)
    default = np.array([default_kw(r) for r in resources], dtype=np.float64)
    series = np.repeat(default[:, None], count, axis=1)
    asked = np.zeros(series.shape)
    told: list[int] = []
    for index, (row, block) in enumerate(
        zip(programme.channels.members, programme.blocks, strict=False)
    ):
        own = solution.x[programme.columns_of(index)]
        action = np.asarray(block.action @ own)
        moved = np.abs(action) > ACTION_MIN_KW
        kvar = np.zeros(count)
        if block.kvar is not None:
            kvar = np.asarray(block.kvar @ own)
            kvar = np.where(np.abs(kvar) > ACTION_MIN_KVAR, np.round(kvar, SETPOINT_DIGITS), 0.0)
        if not moved.any() and not kvar.any() and block.resource not in away:
            continue
        kw = np.where(moved, np.round(block.offset_kw + action, SETPOINT_DIGITS), block.default_kw)
        series[row], asked[row] = kw, kvar
        told.append(row)
    told += [
        row for row, r in enumerate(resources) if r.mrid in away and r.mrid in problem.excluded
    ]
    return Written(kw=series, kvar=asked, told=tuple(told))


def setpoints_of(programme: Programme, written: Written, fall_kw: FloatArray) -> list[Setpoint]:
    """The setpoints for all intervals, with effects that add up to `fall_kw` (T,), what the AC flow
    shows at the head.

    The linear model lets loads keep their voltage; regulators that step down behind a plan take
    some more off (or give some back), which is shared in proportion.
    """
    said = -programme.model.head_slope * programme.channels.injected_by(written.kw, written.kvar)
    members = len(programme.channels.members)
    for k, giver in enumerate(programme.channels.givers):
        said[giver] += said[members + len(programme.channels.movers) + k]
    effect = np.zeros(written.kw.shape)
    effect[programme.channels.members] = np.round(said[:members], SETPOINT_DIGITS)
    effect = effect[list(written.told)]
    said_kw = effect.sum(axis=0)
    sure = np.abs(said_kw) > EFFECT_MIN_KW
    ratio = np.divide(fall_kw, said_kw, out=np.ones_like(fall_kw), where=sure)
    effect = np.round(np.clip(ratio, *EFFECT_FACTOR) * effect, SETPOINT_DIGITS)
    resources = programme.problem.task.resources
    return [
        Setpoint(resource=resources[row].mrid, interval=t, kw=kw, effect_kw=effect_kw, kvar=kvar)
        for row, effects in zip(written.told, effect.tolist(), strict=True)
        for t, (kw, effect_kw, kvar) in enumerate(
            zip(written.kw[row].tolist(), effects, written.kvar[row].tolist(), strict=True)
        )
    ]
