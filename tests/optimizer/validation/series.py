"""A feeder's load that looks like one: daily shape, weekdays, noise; 10-minute samples."""

from __future__ import annotations

import numpy as np

from optimizer.validation.grid import Grid, to_grid

STEP_S = 600.0
PER_DAY = 144
MONDAY_S = 1_735_516_800.0
"""2024-12-30T00:00Z."""


def load_kw(days: int, *, seed: int, level: float = 1000.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    hours = np.arange(days * PER_DAY) / 6.0
    shape = 1.0 + 0.3 * np.sin(2 * np.pi * (hours - 9.0) / 24.0)
    weekend = np.where((hours // 24) % 7 >= 5, 0.8, 1.0)
    noise = 1.0 + 0.01 * random.standard_normal(len(hours))
    result: np.ndarray = level * shape * weekend * noise
    return result


def grid_of(*series: np.ndarray) -> Grid:
    names = tuple(f"p{k}" for k in range(len(series)))
    time_s = MONDAY_S + STEP_S * np.arange(len(series[0]), dtype=np.float64)
    return to_grid(names, time_s, np.vstack(series))
