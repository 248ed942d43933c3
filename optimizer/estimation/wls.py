"""Weighted least squares by Gauss-Newton, the chi-square test and normalised residuals.

minimise J(x) = sum ((z_i - h_i(x)) / sigma_i)^2. With the gain G = H' R^-1 H the residuals have the
covariance Omega = R - H G^-1 H'; a normalised residual is abs(r_i) / sqrt(Omega_ii). Textbook: Abur
and Exposito, Power System State Estimation, chapters 2 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import chi2

from optimizer.arrays import BoolArray, FloatArray

ITERATIONS_MAX = 20
PROBABILITY = 0.99
RESIDUAL_MAX = 3.0
ALIKE_SHARE = 0.9
"""Normalised residuals from this share of the greatest on cannot be told from it: with little
redundancy a bad measurement shows in its neighbours as much as in itself."""
OMEGA_MIN = 1e-10
"""Share of sigma squared below which a residual says nothing: the measurement is critical."""

Model = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""x (n,) → h (m,) and H (m, n)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """`normalised` (m,), NaN for critical measurements, whose errors nobody can see. `fits`: J does
    not exceed chi-square at 0.99; with no degree of freedom nothing is tested. `std` (n,): of x."""

    x: FloatArray
    h: FloatArray
    residual: FloatArray
    normalised: FloatArray
    objective: float
    freedom: int
    bound: float
    fits: bool
    std: FloatArray
    iterations: int
    converged: bool


def estimate(
    model: Model,
    z: FloatArray,
    sigma: FloatArray,
    start: FloatArray,
    *,
    tolerance: float = 1e-8,
    probability: float = PROBABILITY,
) -> Estimate:
    """Solve. Not converged is a value.

    Raises ValueError when the measurements do not determine x.
    """
    x = np.array(start, dtype=float)
    weight = 1.0 / sigma**2
    h, jacobian = model(x)
    converged, iterations = False, 0
    while not converged and iterations < ITERATIONS_MAX:
        iterations += 1
        factor = _gain(jacobian, weight)
        step: FloatArray = cho_solve(factor, jacobian.T @ (weight * (z - h)))
        x = x + step
        h, jacobian = model(x)
        converged = float(np.abs(step).max()) < tolerance
    residual = z - h
    factor = _gain(jacobian, weight)
    covariance: FloatArray = cho_solve(factor, np.eye(len(x)))
    omega = sigma**2 - np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian)
    seen = omega > OMEGA_MIN * sigma**2
    normalised = np.full(len(z), np.nan)
    normalised[seen] = np.abs(residual[seen]) / np.sqrt(omega[seen])
    freedom = len(z) - len(x)
    objective = float(np.sum(weight * residual**2))
    bound = float(chi2.ppf(probability, freedom)) if freedom > 0 else float("inf")
    return Estimate(
        x=x, h=h, residual=residual, normalised=normalised, objective=objective, freedom=freedom,
        bound=bound, fits=objective <= bound, std=np.sqrt(np.diag(covariance)),
        iterations=iterations, converged=converged,
    )  # fmt: skip


def _gain(jacobian: FloatArray, weight: FloatArray) -> tuple[FloatArray, bool]:
    gain = jacobian.T @ (weight[:, None] * jacobian)
    try:
        factor: tuple[FloatArray, bool] = cho_factor(gain)
    except np.linalg.LinAlgError:
        raise ValueError("the measurements do not determine the state") from None
    return factor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """The estimate without what was removed; `removed`, `suspects`: rows of the measurements given.
    A group of suspects is told, never removed: any of them may be the bad one."""

    estimate: Estimate
    removed: tuple[int, ...]
    suspects: tuple[int, ...]


def judged(
    model: Model,
    z: FloatArray,
    sigma: FloatArray,
    start: FloatArray,
    *,
    removable: BoolArray | None = None,
    removed_max: int = 5,
    probability: float = PROBABILITY,
) -> Judged:
    """Estimate; while the chi-square test fails, remove the measurement with the greatest
    normalised residual if it stands out alone, else tell the group and stop. `removable` (m,): what
    was measured; a pseudo-measurement is only doubted by being outvoted, never removed."""
    kept = np.arange(len(z))
    may = np.ones(len(z), dtype=bool) if removable is None else removable
    removed: list[int] = []
    while True:
        found = estimate(_rows(model, kept), z[kept], sigma[kept], start, probability=probability)
        if found.fits or len(removed) >= removed_max:
            return Judged(estimate=found, removed=tuple(removed), suspects=())
        blame = np.where(may[kept], found.normalised, np.nan)
        if np.isnan(blame).all() or np.nanmax(blame) <= RESIDUAL_MAX:
            return Judged(estimate=found, removed=tuple(removed), suspects=())
        group = kept[np.nan_to_num(blame) >= ALIKE_SHARE * np.nanmax(blame)]
        if len(group) > 1:
            suspects = tuple(int(k) for k in group)
            return Judged(estimate=found, removed=tuple(removed), suspects=suspects)
        removed.append(int(group[0]))
        kept = kept[kept != group[0]]


def _rows(model: Model, kept: np.ndarray) -> Model:
    def part(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        h, jacobian = model(x)
        return h[kept], jacobian[kept]

    return part
