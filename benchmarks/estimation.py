"""State estimation against the mirror's engine: voltage error at three levels of metering.

    python -m benchmarks.estimation [--quick]      (make bench-estimation)

Two feeders, each with several draws of loads and of the meters' errors. The peer of every figure is
the power flow with the forecast alone, no measurement taken.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.report import Figure, main
from optimizer.estimation.feeder import FeederEstimator
from optimizer.network import NetworkModel
from tests.optimizer.estimation.metered import LEVELS, errors_pu, meters, prior, truth

FEEDERS = ("ieee123", "ieee34")


def rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def of(name: str, draws: int) -> list[Figure]:
    error: dict[str, list[float]] = {level: [] for level in ("forecast", *LEVELS)}
    worst: dict[str, list[float]] = {level: [] for level in LEVELS}
    took: dict[str, list[float]] = {level: [] for level in LEVELS}
    fits: dict[str, list[bool]] = {level: [] for level in LEVELS}
    for seed in range(draws):
        real = truth(name, seed=seed)
        own = FeederEstimator(real.feeder)
        guess = prior(real, seed=seed)
        plain = NetworkModel(real.feeder).solve(load_scale=guess[:, None])
        error["forecast"].append(rms(errors_pu(real, own.network, plain.v_pu[:, 0])))
        for level in LEVELS:
            metered = meters(real, level, seed=100 + seed)
            began = time.process_time()
            state = own.estimate(metered, prior=guess)
            took[level].append(time.process_time() - began)
            found = errors_pu(real, own.network, state.flow.v_pu[:, 0])
            error[level].append(rms(found))
            worst[level].append(float(np.abs(found).max()))
            fits[level].append(state.fits)
    figures = []
    for level in LEVELS:
        figures += [
            Figure(name=f"{name}, {level}: RMS voltage error (peer: forecast alone)",
                   ours=1e3 * statistics.mean(error[level]),
                   peer=1e3 * statistics.mean(error["forecast"]), unit="1e-3 pu", goal="",
                   met=None),
            Figure(name=f"{name}, {level}: greatest voltage error", peer=None,
                   ours=1e3 * max(worst[level]), unit="1e-3 pu", goal="", met=None),
            Figure(name=f"{name}, {level}: chi-square at 0.99 passed, nothing being wrong",
                   ours=100.0 * statistics.mean(fits[level]), peer=None, unit="%", goal="",
                   met=None),
            Figure(name=f"{name}, {level}: processor time of one estimate",
                   ours=1e3 * statistics.median(took[level]), peer=None, unit="ms", goal="",
                   met=None),
        ]  # fmt: skip
    return figures


def measure(quick: bool) -> Sequence[Figure]:
    return [figure for name in FEEDERS for figure in of(name, 2 if quick else 20)]


if __name__ == "__main__":
    main(measure, about="state estimation against the mirror's engine", packages=("numpy", "scipy"))
