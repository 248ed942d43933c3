"""What slacks and stored energy are priced by: multiples of the dearest kWh of the resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gridctl.model.policy import Policy
from optimizer.block import Block
from optimizer.timegrid import TimeGrid

GIVEN_BACK = 1.5
"""Times the highest price: more than a kWh brings after its losses."""


def dearest_kwh(blocks: Sequence[Block], grid: TimeGrid) -> float:
    """Price of the dearest kWh among the resources: what slack prices are multiples of."""
    longest = float(grid.hours.max())
    dearest = [float(b.cost[: grid.count].max()) / longest for b in blocks if b.runs is not None]
    others = [float(b.cost.max()) / longest for b in blocks if b.runs is None]
    return max([1.0, *dearest, *others])


def worth_per_kwh(policy: Policy) -> float:
    """The most that a kWh less of import brings; 0 where energy has no price."""
    worth = max([*policy.price_per_kwh, 0.0])
    worth += policy.loss_price_per_kwh
    worth += sum(max(one.per_kwh[-1]) for one in policy.import_prices)
    return worth


def given_back(block: Block, price: float) -> Block:
    """A battery's missing energy at the end costs what it could be sold for at best: a plan moves
    energy, it does not sell what was stored before."""
    if block.pair is None:
        return block
    cost = block.cost.copy()
    missing = 2 * (int(block.pair[1][-1]) + 1)
    cost[missing] = max(cost[missing], GIVEN_BACK * price)
    return replace(block, cost=cost)
