"""Which limits cannot be kept together: an irreducible conflict set of the worst shortfall.

The linear programme is asked for the least amount by which that one limit must be missed while a
set of other limits holds strictly. If it must be missed with no other limit at all, the conflict is
between the limit and the resources' own rules. Else limits are dropped from the set one by one as
long as the limit still cannot be kept: what is left is irreducible, each of it is needed. Runs may
be fractional and set off no rebound here, so a conflict that is named is a conflict indeed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from gridctl.model.planning import Shortfall
from optimizer.assemble import Programme
from optimizer.limits import Limit, loaded
from optimizer.regulated import RegulatedNetwork
from optimizer.session import LpSession, Outcome
from optimizer.solve import Effort
from optimizer.wording import limit_name

TOLERANCE: Final = 0.5
"""kW, per cent or 0.01 pu below which a limit counts as kept."""
LOST_MIN: Final = 1e-6
SET_MAX: Final = 12
SHARE_OF_REST: Final = 0.25
"""Of the time that a plan has left, at most so much goes into saying what stands against it."""
Key = tuple[Limit, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What stands against `missed`: `others` (limit, where) that cannot all be kept with it, empty
    when the resources' own rules alone do; `least` of it that must be missed with them kept.
    `by_runs`: all could be kept if runs were fractional and nothing came back after them."""

    missed: Shortfall
    least: float
    others: tuple[Key, ...]
    by_runs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A soft row: its limit and place, interval, and its slack columns."""

    key: Key
    interval: int
    slack: tuple[int, ...]


def conflict_of(
    programme: Programme, network: RegulatedNetwork, missed: Shortfall, effort: Effort
) -> Conflict | None:
    """The conflict behind `missed`, None when it has no row in the programme or the time is over.
    The programme is relaxed afterwards.

    Its questions have nothing in common with the plan's last basis, from which HiGHS needs a
    hundred times as long as from nothing with presolve; so they have a session of their own."""
    effort = Effort(left_s=_at_most(effort, SHARE_OF_REST), session=LpSession(backend="public"))
    programme.relax()
    rows = _rows(programme, network)
    mine = [
        r
        for r in rows
        if missed.limit.startswith(r.key[0].value)
        and r.interval == missed.interval
        and r.key[1] in ("", missed.where)
    ]
    if not mine:
        return None
    keys = list(dict.fromkeys(r.key for r in rows if r.key != mine[0].key))
    everything = _least(programme, rows, mine[0], keys, effort)
    nothing = _least(programme, rows, mine[0], (), effort)
    if everything is not None and np.isinf(everything[0]):
        # Some of the others cannot be kept either, with or without this one.
        lost = _lost(programme, rows, mine[0], keys, effort)
        keys = [key for key in keys if lost is not None and key not in lost]
        everything = _least(programme, rows, mine[0], keys, effort)
    if everything is None or nothing is None or np.isinf(everything[0]):
        return None
    if everything[0] <= TOLERANCE:
        return Conflict(missed=missed, least=everything[0], others=(), by_runs=True)
    if nothing[0] > TOLERANCE:
        return Conflict(missed=missed, least=nothing[0], others=(), by_runs=False)
    needed = [key for key in keys if key in everything[1]][:SET_MAX]
    for key in list(needed):
        fewer = [other for other in needed if other != key]
        found = _least(programme, rows, mine[0], fewer, effort)
        if found is None:
            return None
        if found[0] > TOLERANCE:
            needed = fewer
    return Conflict(missed=missed, least=everything[0], others=tuple(needed), by_runs=False)


def _at_most(effort: Effort, share: float) -> Callable[[], float]:
    """What is left of `share` of the seconds that are left now."""
    kept_s = (1.0 - share) * effort.left_s()
    return lambda: effort.left_s() - kept_s


def words(conflict: Conflict, *, at: str) -> str:
    """The conflict in one sentence; `at`: the clock time of its interval."""
    name = _named((conflict.missed.limit, conflict.missed.where))
    if conflict.by_runs:
        return (
            f"At {at}: {name} is in conflict with no other limit. It is missed because runs are"
            " whole and something comes back after them."
        )
    if not conflict.others:
        return (
            f"At {at}: {name} cannot be kept whatever the resources do within their rules, also if"
            " every other limit were given up."
        )
    others = " and ".join(_named((limit.value, where)) for limit, where in conflict.others)
    return (
        f"At {at}: {name} and {others} cannot be kept together; without any one of them the rest"
        " can."
    )


def _named(key: tuple[str, str]) -> str:
    return f"the {limit_name(*key)}"


def _rows(programme: Programme, network: RegulatedNetwork) -> list[_Row]:
    count, own = programme.problem.grid.count, programme.own_columns
    head = [
        _Row(key=(limit, ""), interval=t, slack=(own + k * count + t,))
        for k, limit in enumerate((Limit.IMPORT, Limit.TARGET))
        for t in range(count)
    ]
    first = own + 3 * count
    head += [
        _Row(key=(Limit.EXPORT, ""), interval=t, slack=(first + k,))
        for k, t in enumerate(programme.system.exports)
    ]
    first += programme.system.columns
    for j, row in enumerate(programme.rows):
        limit, where = row.limit, ""
        if limit is Limit.LOADING:
            limit, where = loaded(network.branch_names[row.where])
        else:
            where = ".".join(network.node_phases[row.where])
        slack = (first + 2 * j, first + 2 * j + 1)
        head.append(_Row(key=(limit, where), interval=row.interval, slack=slack))
    return head


def _least(
    programme: Programme,
    rows: Sequence[_Row],
    mine: _Row,
    kept: Iterable[Key],
    effort: Effort,
) -> tuple[float, set[Key]] | None:
    """The least slack of `mine` while all limits of `kept` hold, and which of them have a price."""
    matrices = programme.matrices()
    strict = set(kept)
    upper, cost = matrices.upper.copy(), np.zeros_like(matrices.cost)
    for row in rows:
        columns = list(row.slack)
        upper[columns] = 0.0 if row.key in strict else np.inf
        if row is mine or (row.key == mine.key and row.interval == mine.interval):
            upper[columns] = np.inf
    cost[list(mine.slack)] = 1.0
    effort.programmes += 1
    answer = effort.session.solve(
        replace(matrices, upper=upper, cost=cost), left_s=effort.left_s(), presolve=True
    )
    if answer.outcome is Outcome.INFEASIBLE:
        return np.inf, strict
    if answer.outcome is not Outcome.OPTIMAL:
        return None
    head, target, lazy = programme.soft_rows()
    soft = (head, target, programme.export_rows(), lazy)
    prices = np.concatenate([answer.row_price[part] for part in soft])
    priced = {row.key for row, price in zip(rows, prices, strict=True) if abs(price) > 1e-9}  # noqa: PLR2004
    return answer.objective, priced & strict


def _lost(
    programme: Programme, rows: Sequence[_Row], mine: _Row, kept: Iterable[Key], effort: Effort
) -> set[Key] | None:
    """Those of `kept` that are broken where all of them are broken as little as can be, however
    much of `mine` is missed. None when there is no answer in time."""
    matrices = programme.matrices()
    upper, cost = matrices.upper.copy(), np.zeros_like(matrices.cost)
    asked = set(kept)
    for row in rows:
        columns = list(row.slack)
        upper[columns] = np.inf
        cost[columns] = 1.0 if row.key in asked and row.key != mine.key else 0.0
    effort.programmes += 1
    answer = effort.session.solve(
        replace(matrices, upper=upper, cost=cost), left_s=effort.left_s(), presolve=True
    )
    if answer.outcome is not Outcome.OPTIMAL:
        return None
    return {
        row.key for row in rows if row.key in asked and answer.x[list(row.slack)].sum() > LOST_MIN
    }
