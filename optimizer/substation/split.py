"""How much of a common limit each feeder gets: the split that costs least along all their curves.

Dantzig and Wolfe's decomposition. The master programme mixes the offers of each feeder (shares of
one sum to one) so that the sum of imports keeps the limit; its prices are asked of the feeders, and
their answers are new offers. What the feeders answer to a price also bounds the joint optimum from
below (Lagrange), so that the distance of the split to the best one is known in every round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import FloatArray
from optimizer.session import LpSession, Matrices, Outcome
from optimizer.substation.offer import Curve, Offer

LEVELS = (0.0, 0.5, 1.0, 1.5, 2.5)
"""Prices of the first question, as multiples of the dearest resource's kWh; the first is none."""
OVER_PRICE = 20.0
"""Price of a kWh above the common limit, in the same multiples: as a contract's (`Tiers`)."""
TIGHT_SHARE = 0.05
"""Intervals whose import may come so near to the limit are watched by the plans of the feeders."""
GAP_ENOUGH = 2e-3
ROUNDS_MAX = 40
BOX_FIRST, BOX_WIDER, BOX_NARROWER = 0.5, 1.5, 0.6
GOOD_SHARE = 0.1
"""Prices are looked for in a box around the best ones so far (du Merle and others, 1999: without
it they jump from one end to the other). Its half width begins at a multiple of the dearest kWh, and
grows after a step that keeps so much of what it promised."""

Ask = Callable[[list[FloatArray]], Sequence[Curve]]
"""Asks all feeders for their answers to prices, in their order."""


class SplitError(Exception):
    """The master programme has no answer; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What was known after a round: cost of the best split, and the bound below any."""

    cost: float
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """`share_kw` (F, T): the import that each feeder is given; `head_kw` (F, T): without control;
    `deepest_kw` (F, T): the least that it offered; `price` (T,) per kW; `over_kw` (T,): what
    no offer can bring down. `gap`: distance of `cost` to the bound as share of the cost."""

    head_kw: FloatArray
    share_kw: FloatArray
    deepest_kw: FloatArray
    price: FloatArray
    over_kw: FloatArray
    cost: float
    bound: float
    gap: float
    rounds: tuple[Round, ...]
    curves: tuple[Curve, ...]

    @property
    def tight(self) -> FloatArray:
        """(T,) 1 where the common limit has to be watched."""
        return (self.price > 0.0).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Master:
    weight: FloatArray
    price: FloatArray
    over_kw: FloatArray
    cost: float


def split(ask: Ask, *, limit_kw: FloatArray, hours: FloatArray) -> Split:
    """The split of `limit_kw` (T,) among the feeders behind `ask`. Raises SplitError."""
    curves = list(ask([np.zeros(len(limit_kw))]))
    offers: list[list[Offer]] = [list(c.offers) or [_nothing(len(limit_kw))] for c in curves]
    head_kw = np.array([c.head_kw for c in curves]).reshape(len(curves), len(limit_kw))
    room_kw = limit_kw - head_kw.sum(axis=0)
    unit = max([1.0, *(c.dearest for c in curves)])
    over_price = OVER_PRICE * unit * hours
    if np.all(_changes(offers).sum(axis=0) <= room_kw):
        first = _solved(offers, room_kw, over_price)
        return _found(curves, offers, head_kw, first, [Round(cost=first.cost, bound=first.cost)])
    needed = (room_kw < 0.0) * unit * hours
    # The tables of the first question: answers to no price, and to the same price in all intervals.
    levels = [level * needed for level in LEVELS]
    answers = ask(levels[1:])
    _add(offers, answers)
    bounds = [_bound(curves, -1, levels[0], room_kw)]
    if not _fell_silent(curves, answers):
        bounds += [_bound(answers, k, price, room_kw) for k, price in enumerate(levels[1:])]
    centre, bound = levels[int(np.argmax(bounds))], max(bounds)
    width, rounds = BOX_FIRST * unit * hours, list[Round]()
    while True:
        master = _solved(offers, room_kw, over_price)
        rounds.append(Round(cost=master.cost, bound=bound))
        if len(rounds) >= ROUNDS_MAX or _gap(master.cost, bound) <= GAP_ENOUGH:
            return _found(curves, offers, head_kw, master, rounds)
        boxed = _solved(offers, room_kw, over_price, box=(centre, width))
        # What the box's own model promises above the bound; a good step keeps some of it.
        promised = boxed.cost - bound
        answers = ask([boxed.price])
        _add(offers, answers)
        if _fell_silent(curves, answers):
            # A feeder has fallen silent: what it could do bounds nothing any more.
            master = _solved(offers, room_kw, over_price)
            rounds.append(Round(cost=master.cost, bound=bound))
            return _found(curves, offers, head_kw, master, rounds)
        gained = _bound(answers, -1, boxed.price, room_kw) - bound
        if gained > 0.0:
            centre, bound = boxed.price, bound + gained
        width = width * (BOX_WIDER if gained > GOOD_SHARE * promised else BOX_NARROWER)


def _nothing(count: int) -> Offer:
    return Offer(change_kw=(0.0,) * count, cost=0.0, value=0.0)


def _changes(offers: Sequence[Sequence[Offer]]) -> FloatArray:
    """(F, T) of each feeder's first offer."""
    return np.array([o[0].change_kw for o in offers])


def _add(offers: list[list[Offer]], curves: Sequence[Curve]) -> int:
    """Add what was not offered yet; how many offers that are."""
    added = 0
    for known, curve in zip(offers, curves, strict=True):
        for offer in curve.offers:
            if all(offer.change_kw != k.change_kw for k in known):
                known.append(offer)
                added += 1
    return added


def _bound(curves: Sequence[Curve], k: int, price: FloatArray, room_kw: FloatArray) -> float:
    """What no split can cost less than, by the answers number `k` to `price`."""
    values = [c.offers[k].value for c in curves if c.offers]
    at = price > 0.0
    return float(sum(values) - price[at] @ room_kw[at])


def _fell_silent(curves: Sequence[Curve], answers: Sequence[Curve]) -> bool:
    """Whether a feeder that offered something has no answer now."""
    return any(c.offers and not a.offers for c, a in zip(curves, answers, strict=True))


def _gap(cost: float, bound: float) -> float:
    return max(cost - bound, 0.0) / max(abs(cost), 1.0)


def _solved(
    offers: Sequence[Sequence[Offer]],
    room_kw: FloatArray,
    over_price: FloatArray,
    *,
    box: tuple[FloatArray, FloatArray] | None = None,
) -> _Master:
    """The cheapest mix of all offers; columns: offers, then what is above the limit. `box`: middle
    and half width (T,) between which prices must stay: room may be bought at the upper price and
    sold at the lower."""
    flat = [offer for own in offers for offer in own]
    owner = np.repeat(np.arange(len(offers)), [len(own) for own in offers])
    count, limited = len(flat), np.flatnonzero(np.isfinite(room_kw))
    change = np.array([offer.change_kw for offer in flat])[:, limited].T
    one = sp.csr_array((np.ones(count), (owner, np.arange(count))), shape=(len(offers), count))
    eye, extra, price_of = sp.eye_array(len(limited)), [], [over_price[limited]]
    if box is not None:
        low, high = (np.maximum(box[0] + sign * box[1], 0.0)[limited] for sign in (-1.0, 1.0))
        price_of = [np.minimum(over_price[limited], high), -low]
        extra = [eye]
    a = sp.block_array(
        [
            [one, None, *(None for _ in extra)],
            [sp.csr_array(change), -eye, *extra],
        ],
        format="csr",
    )
    slacks = np.concatenate(price_of)
    ones, free = np.ones(len(offers)), np.full(len(limited), np.inf)
    answer = LpSession().solve(
        Matrices(
            a=sp.csr_array(a),
            row_lower=np.concatenate([ones, -free]),
            row_upper=np.concatenate([ones, room_kw[limited]]),
            lower=np.zeros(count + len(slacks)),
            upper=np.full(count + len(slacks), np.inf),
            cost=np.concatenate([[offer.cost for offer in flat], slacks]),
        ),
        left_s=60.0,
    )
    if answer.outcome is not Outcome.OPTIMAL:
        raise SplitError(f"the limit cannot be split: HiGHS: {answer.outcome.value}")
    price, over_kw = np.zeros(len(room_kw)), np.zeros(len(room_kw))
    price[limited] = np.maximum(answer.row_price[len(offers) :], 0.0)
    over_kw[limited] = answer.x[count : count + len(limited)]
    return _Master(weight=answer.x[:count], price=price, over_kw=over_kw, cost=answer.objective)


def _found(
    curves: Sequence[Curve],
    offers: Sequence[Sequence[Offer]],
    head_kw: FloatArray,
    master: _Master,
    rounds: Sequence[Round],
) -> Split:
    share, deepest, at = head_kw.copy(), head_kw.copy(), 0
    for f, own in enumerate(offers):
        change = np.array([offer.change_kw for offer in own])
        share[f] += master.weight[at : at + len(own)] @ change
        deepest[f] += np.minimum(change.min(axis=0), 0.0)
        at += len(own)
    bound = rounds[-1].bound
    return Split(
        head_kw=head_kw,
        share_kw=share,
        deepest_kw=deepest,
        price=master.price,
        over_kw=master.over_kw,
        cost=master.cost,
        bound=bound,
        gap=_gap(master.cost, bound),
        rounds=tuple(rounds),
        curves=tuple(
            Curve(head_kw=c.head_kw, offers=tuple(own), dearest=c.dearest, reason=c.reason)
            for c, own in zip(curves, offers, strict=True)
        ),
    )
