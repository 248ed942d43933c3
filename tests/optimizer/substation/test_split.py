"""The split is as good as all feeders in one programme, and its bound is one."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

from optimizer.substation.engine import Here
from optimizer.substation.joint import joint_optimum
from optimizer.substation.levels import plan_substation
from optimizer.substation.offer import Curve, Offer
from optimizer.substation.split import GAP_ENOUGH, split
from tests.optimizer.substation.cases import STEP_H, substation


@pytest.mark.parametrize("share", [0.97, 0.93])
def test_the_split_reaches_the_joint_optimum_within_half_a_per_cent(share: float) -> None:
    task = substation(3, share=share)
    limit_kw = np.array(task.limit_kw)
    best = joint_optimum(
        task.feeders,
        limit_kw=limit_kw,
        hours=np.full(len(limit_kw), STEP_H),
        monotonic_s=time.monotonic,
    )
    found = plan_substation(task, Here(), deadline_s=120.0).split
    assert best > 1.0, "the limit asks for something"
    assert best * (1 - 1e-6) <= found.cost <= best * 1.005
    assert found.bound <= best * (1 + 1e-6)
    assert found.gap <= GAP_ENOUGH
    bounds = [r.bound for r in found.rounds]
    costs = [r.cost for r in found.rounds]
    assert bounds == sorted(bounds)
    assert all(later <= cost * (1 + 1e-9) for cost, later in pairwise(costs))


def by_hand(price: float, prices: list[np.ndarray], most_kw: float, head_kw: float) -> Curve:
    """A feeder of one interval that gives up to `most_kw` at `price` per kW."""
    offers = []
    for asked in prices:
        less = most_kw if asked[0] > price else 0.0
        offers.append(
            Offer(change_kw=(-less,), cost=price * less, value=(price - float(asked[0])) * less)
        )
    return Curve(head_kw=(head_kw,), offers=tuple(offers), dearest=price)


def test_the_cheaper_feeder_goes_first_and_the_price_is_that_of_the_last() -> None:
    found = split(
        lambda prices: [by_hand(1.0, prices, 30.0, 100.0), by_hand(2.0, prices, 50.0, 100.0)],
        limit_kw=np.array([150.0]),
        hours=np.ones(1),
    )
    assert found.share_kw[:, 0] == pytest.approx([70.0, 80.0])
    assert found.cost == pytest.approx(1.0 * 30 + 2.0 * 20)
    assert found.price == pytest.approx([2.0])
    assert found.over_kw == pytest.approx([0.0])


def test_what_no_feeder_can_give_is_told() -> None:
    found = split(
        lambda prices: [by_hand(1.0, prices, 30.0, 100.0)],
        limit_kw=np.array([60.0]),
        hours=np.ones(1),
    )
    assert found.share_kw[:, 0] == pytest.approx([70.0])
    assert found.over_kw == pytest.approx([10.0])


def test_a_limit_that_nothing_reaches_asks_for_nothing() -> None:
    found = split(
        lambda prices: [by_hand(1.0, prices, 30.0, 100.0)],
        limit_kw=np.array([np.inf]),
        hours=np.ones(1),
    )
    assert found.cost == 0.0
    assert not found.price.any()
    assert found.share_kw[:, 0] == pytest.approx([100.0])


def test_a_feeder_that_falls_silent_ends_the_search_and_no_bound_is_claimed() -> None:
    asked = 0

    def ask(prices: list[np.ndarray]) -> list[Curve]:
        nonlocal asked
        asked += 1
        second = by_hand(2.0, prices, 50.0, 100.0)
        if asked > 2:
            second = Curve(head_kw=(100.0,), offers=(), dearest=0.0, reason="gone")
        return [by_hand(1.0, prices, 30.0, 100.0), second]

    found = split(ask, limit_kw=np.array([150.0]), hours=np.ones(1))
    assert asked <= 3
    assert found.bound <= found.cost == pytest.approx(70.0)
    assert found.share_kw.sum() == pytest.approx(150.0)
