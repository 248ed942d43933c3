"""What a forecast gains by beginning from what is measured now: the next hours of Tetouan 2017.

Half hours of each substation, told by their 10-minute values: each is forecast by the similar day
from 40 days of history (what a young utility has), then begun from one of the first two
10-minute values of its first half hour (`gridctl.model.nowcast`). The same forecast that has not
been begun stands beside it.
"""

from __future__ import annotations

import gzip
from typing import Final

import numpy as np

from benchmarks.load_data import TETOUAN, load_file
from benchmarks.report import Figure
from gridctl.model.nowcast import nowcast
from gridctl.model.planning import Forecast, ForecastTask, Horizon, Series
from optimizer.arrays import FloatArray
from optimizer.forecast import forecast

STEP_S: Final = 1_800.0
PER_STEP: Final = 3
HISTORY: Final = 40 * 48
QUANTILE: Final = 0.9
SHOWN: Final = ((0, "half hour that runs"), (1, "half hour after"), (3, "1.5 to 2 hours ahead"))
COUNT: Final = 4


def begun_figures(*, quick: bool) -> list[Figure]:
    """Pinball at 0.9 and the share below that quantile, over all three substations."""
    with gzip.open(load_file(TETOUAN), "rt") as text:
        values_kw = np.genfromtxt(text, delimiter=",", skip_header=1, usecols=(4, 5, 6))
    found = [_judged(values_kw[:, k], quick=quick) for k in range(3)]
    ours, plain, share = (np.mean([one[k] for one in found], axis=0) for k in range(3))
    figures = [
        Figure(
            name=f"Tetouan, {words}, begun from what is measured: pinball at 0.9, beside not begun",
            ours=float(ours[k]), peer=float(plain[k]), unit="% of load",
            goal="below not begun", met=bool(ours[k] < plain[k]),
        )
        for k, words in SHOWN
    ]  # fmt: skip
    figures += [
        Figure(
            name=f"Tetouan, {words}, begun: below the 0.9 quantile", ours=float(share[k]) * 100.0,
            peer=None, unit="%", goal="at least 88 %", met=bool(share[k] >= 0.88),
        )
        for k, words in SHOWN
    ]  # fmt: skip
    return figures


def _judged(values_kw: FloatArray, *, quick: bool) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(COUNT,) each: pinball begun, not begun, in % of the mean load; share below the quantile."""
    fine = values_kw[: len(values_kw) // PER_STEP * PER_STEP].reshape(-1, PER_STEP)
    mean_kw = fine.mean(axis=1)
    random = np.random.default_rng(1)
    actual, begun, plain = [], [], []
    for at in range(HISTORY, len(mean_kw) - COUNT, 331 if quick else 37):
        ahead = _forecast(mean_kw, at)
        now_kw = float(fine[at, random.integers(0, PER_STEP - 1)])
        actual.append(mean_kw[at : at + COUNT])
        plain.append(ahead.at_quantile(QUANTILE))
        begun.append(nowcast(ahead, now_kw).at_quantile(QUANTILE))
    came, said, unsaid = np.array(actual), np.array(begun), np.array(plain)
    scale = 100.0 / float(came.mean())
    below: FloatArray = (came <= said).mean(axis=0)
    return _pinball(came, said) * scale, _pinball(came, unsaid) * scale, below


def _forecast(mean_kw: FloatArray, at: int) -> Forecast:
    known = tuple(map(float, mean_kw[at - HISTORY : at]))
    return forecast(
        ForecastTask(
            history=Series(start_s=(at - HISTORY) * STEP_S, step_s=STEP_S, values=known),
            temperature_c=None,
            horizon=Horizon(start_s=at * STEP_S, step_s=STEP_S, count=COUNT),
            quantiles=(0.5, QUANTILE),
            utc_offset_s=0.0,
        )
    )


def _pinball(actual: FloatArray, said: FloatArray) -> FloatArray:
    off = actual - said
    result: FloatArray = np.maximum(QUANTILE * off, (QUANTILE - 1.0) * off).mean(axis=0)
    return result
