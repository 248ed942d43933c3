"""A feeder as the mirror's engine has it (it shares no code with the estimator), and meters on it.

Truth: every consumer draws its own share of its nominal power, at its own power factor. The
forecast knows the head's sum within 5 % and nothing of the single consumers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridctl.model.network import Feeder, LoadModel
from optimizer.estimation.feeder import Meter, Quantity
from optimizer.network import NetworkModel
from sim.engine import Engine
from sim.feeder import consumer_branches, load_feeder

LEVELS = ("head", "head and a tenth of the voltages", "and the largest third of the loads")
HEAD_SHARE, VOLTAGE_PU, LOAD_SHARE = 0.005, 0.002, 0.01
"""Standard deviations of the meters."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """`voltage_pu` by "node.phase"; `head` kW and kvar; `load` (C, 2) kW and kvar."""

    feeder: Feeder
    voltage_pu: dict[str, float]
    head: tuple[float, float]
    load: np.ndarray
    factor: np.ndarray


def truth(name: str, *, seed: int, level: float = 0.6) -> Truth:
    feeder = load_feeder(name)
    random = np.random.default_rng(seed)
    engine = Engine(feeder, {})
    factor = level * random.lognormal(0.0, 0.35, len(feeder.consumers))
    load = np.zeros((len(feeder.consumers), 2))
    for k, consumer in enumerate(feeder.consumers):
        turned = random.uniform(0.85, 1.15)
        for branch, kw, kvar in zip(
            consumer_branches(consumer), consumer.kw, consumer.kvar, strict=True
        ):
            engine.set_load(
                consumer.mrid, branch, kw=kw * factor[k], kvar=kvar * factor[k] * turned
            )
        load[k] = sum(consumer.kw) * factor[k], sum(consumer.kvar) * factor[k] * turned
    solved = engine.solve()
    sizes = np.abs(solved.voltages_pu)
    voltage = {n.upper(): float(v) for n, v in zip(engine.node_phases, sizes, strict=True)}
    return Truth(
        feeder=feeder,
        voltage_pu=voltage,
        head=(solved.head_kw, solved.head_kvar),
        load=load,
        factor=factor,
    )


def meters(seen: Truth, level: str, *, seed: int) -> list[Meter]:
    """What is metered, with the meters' errors."""
    random = np.random.default_rng(seed)
    sigma_kw = HEAD_SHARE * seen.head[0]
    found = [
        Meter(
            name=f"head {quantity}",
            quantity=quantity,
            value=value + sigma_kw * random.standard_normal(),
            sigma=sigma_kw,
        )
        for quantity, value in zip((Quantity.HEAD_KW, Quantity.HEAD_KVAR), seen.head, strict=True)
    ]
    if level != LEVELS[0]:
        names = sorted(seen.voltage_pu)
        step = 10
        for node in names[step // 2 :: step]:
            place, phase = node.rsplit(".", 1)
            found.append(
                Meter(
                    name=f"V {node}",
                    quantity=Quantity.VOLTAGE_PU,
                    value=seen.voltage_pu[node] + VOLTAGE_PU * random.standard_normal(),
                    sigma=VOLTAGE_PU,
                    place=_spelled(seen.feeder, place),
                    phase=phase,
                )
            )
    if level == LEVELS[2]:
        # What a load that follows its voltage really draws is not in `seen`: it stays unmetered.
        fixed = [c.model is LoadModel.CONSTANT_POWER for c in seen.feeder.consumers]
        order = np.argsort(-np.where(fixed, seen.load[:, 0], 0.0))[
            : min(len(fixed) // 3, sum(fixed))
        ]
        for k in order:
            for j, quantity in enumerate((Quantity.LOAD_KW, Quantity.LOAD_KVAR)):
                value = float(seen.load[k, j])
                sigma = LOAD_SHARE * float(np.hypot(*seen.load[k]))
                if seen.load[k, j] != 0.0:
                    found.append(
                        Meter(
                            name=f"{seen.feeder.consumers[k].mrid} {quantity}",
                            quantity=quantity,
                            value=value + sigma * random.standard_normal(),
                            sigma=sigma,
                            place=seen.feeder.consumers[k].mrid,
                        )
                    )
    return found


def _spelled(feeder: Feeder, upper: str) -> str:
    return next(n.mrid for n in feeder.nodes if n.mrid.upper() == upper)


def prior(seen: Truth, *, seed: int) -> np.ndarray:
    """The forecast's factor: one share for all, from a sum that is known within 5 %."""
    nominal = sum(sum(c.kw) for c in seen.feeder.consumers)
    random = np.random.default_rng(seed)
    share = float(seen.load[:, 0].sum()) / nominal * (1.0 + 0.05 * random.standard_normal())
    return np.full(len(seen.feeder.consumers), share)


def errors_pu(seen: Truth, network: NetworkModel, v_pu: np.ndarray) -> np.ndarray:
    """Voltage error of every node-phase that is energised."""
    names = [f"{node}.{phase}".upper() for node, phase in network.node_phases]
    return np.array(
        [v_pu[k] - seen.voltage_pu[n] for k, n in enumerate(names) if n in seen.voltage_pu]
    )
