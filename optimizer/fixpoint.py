"""Fixed-point (Z-bus) three-phase AC power flow, all intervals as columns of one problem.

V = w + Y^-1 i(V): one sparse LU of the node admittance, then one pair of triangular solves per
iteration for every interval at once. Existence and convergence: Bernstein, Wang, Dall'Anese,
Le Boudec, Zhao, "Load flow in multiphase distribution networks", arXiv 1702.03310.

Consumers and injections that meet at a root are one *point* with one current: the iteration costs
little more than the triangular solves. Arrays are (T, rows), the order that SuperLU takes as it is.
What a point cannot sum up (another exponent, a voltage outside an element's band) is done element
by element, for those elements only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from typing import Protocol

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import (
    ComplexArray,
    FloatArray,
    factorised,
    product,
)
from optimizer.loads import Elements
from optimizer.points import Draw, Points
from optimizer.powerflow import RootSystem

TOLERANCE_PU = 1e-9
HEAD_TOLERANCE_KW = 1e-3
ITERATIONS_MAX = 100
PILOTS, PILOTS_FROM = 7, 24
"""Without anything injected, voltages are a smooth function of one factor: this many factors are
solved first, where there are so many intervals, and all others begin between them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fixpoint:
    """Root volts (m, T) where the iteration stopped, and the factors (T,) of the consumers where an
    import was asked for."""

    root_v: ComplexArray
    scale: FloatArray
    converged: bool
    iterations: int


def iterate(
    system: RootSystem,
    elements: Elements,
    points: Points,
    *,
    scale: FloatArray,
    injection_va: ComplexArray,
    base_v: FloatArray,
    start_v: ComplexArray | None,
    head_kw: FloatArray | None = None,
    tolerance_pu: float = TOLERANCE_PU,
) -> Fixpoint:
    """Solve for all columns; `points` with all rows that inject, `scale` (e, T) or (1, T),
    `injection_va` (n, T), `base_v` (m,).

    `head_kw` (T,): the import that is wanted; the consumers' common factor is moved with the
    voltages from `scale` (1, T) until it is met, or is 0. Converged when no root moves more than
    `tolerance_pu` in one step and the import is met within HEAD_TOLERANCE_KW. Overflow and division
    by a collapsed voltage are how divergence shows; they end the iteration, they are no errors.
    """
    periods = injection_va.shape[1]
    given = np.zeros((periods, points.single), dtype=np.complex128)
    # Constant power behind an ideal tie is the same constant power at its root.
    np.add.at(given.T, points.at, injection_va[points.injected])
    common = scale.shape[0] == 1
    draw = Draw(
        points,
        elements,
        elements.va[None, :] if common else (elements.va[:, None] * elements.reached(scale)).T,
        given,
        injection_va[points.afloat],
    )
    factor = np.broadcast_to(scale[0], (periods,)).copy() if common else np.ones(periods)
    meter = None if head_kw is None else Meter(system, elements, head_kw, injection_va)
    start = None if start_v is None else start_v.T
    idle = not points.injected.size and not points.afloat.size
    if start is None and common and idle and periods >= PILOTS_FROM:
        start = between(lambda pilots, _: _Plain(system, pilots), elements, points, factor, base_v)
    stepped = partial(steps, factor=factor, base_v=base_v, meter=meter, tolerance_pu=tolerance_pu)
    found = stepped(_Plain(system, draw), start=start)
    if not found.converged and elements.band is not None:
        # Low voltages turn loads into impedances, which belong into the matrix.
        folded = _Folded(system, elements, draw, scale)
        found = stepped(folded, start=None)
    return found


class Law(Protocol):
    """One step of a fixed point; `no_load` (m,) or (T, m) are the volts to begin from."""

    no_load: ComplexArray

    def moved(self, volt: ComplexArray, factor: FloatArray) -> ComplexArray:
        """The next volts (T, m)."""
        ...


def between(
    law_of: Callable[[Draw, int], Law],
    elements: Elements,
    points: Points,
    factor: FloatArray,
    base_v: FloatArray,
) -> ComplexArray | None:
    """(T, m) volts near those at `factor` (T,), None where that is of no use: solved at a few
    factors (Chebyshev's points of their range), with a polynomial through them. `law_of` these
    draws and so many columns."""
    low, high = float(factor.min()), float(factor.max())
    if not high > low:
        return None
    at = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(np.pi * np.arange(PILOTS) / (PILOTS - 1))
    nothing = np.zeros((PILOTS, points.single), dtype=np.complex128)
    draw = Draw(points, elements, elements.va[None, :], nothing, nothing[:0, :0])
    pilots = steps(law_of(draw, PILOTS), at, base_v=base_v, start=None, meter=None)
    if not pilots.converged:
        return None
    weight = np.ones((len(factor), PILOTS))
    for k, j in permutations(range(PILOTS), 2):
        weight[:, k] *= (factor - at[j]) / (at[k] - at[j])
    near: ComplexArray = weight @ pilots.root_v.T
    return near


class _Plain:
    """One step of V = w + Y^-1 i(V)."""

    def __init__(self, system: RootSystem, draw: Draw) -> None:
        self._lu, self._draw = system.lu, draw
        self.no_load: ComplexArray = system.lu.solve(system.emf_a)

    def moved(self, volt: ComplexArray, factor: FloatArray) -> ComplexArray:
        """The next root volts (T, m)."""
        result: ComplexArray = self._lu.solve(self._draw.amps(volt, factor).T).T
        result += self.no_load
        return result


class _Folded:
    """The same with the loads' nominal impedances F taken to the left: (Y + F) V = i(V) + F V + i0.

    The fixed point is the same; what a load's current is beyond that of an impedance is less, so
    that it is reached at voltages at which the plain step runs away (OpenDSS iterates so).
    """

    def __init__(
        self, system: RootSystem, elements: Elements, draw: Draw, scale: FloatArray
    ) -> None:
        across = sp.csr_array(elements.across @ system.spread)
        va = np.conj(elements.va) * elements.reached(scale).mean(axis=1)
        siemens = sp.diags_array(va / elements.nominal_v**2)
        self._fold = sp.csr_array(across.T @ siemens @ across)
        self._lu = factorised(sp.csc_array(system.y + self._fold))
        self._draw = draw
        self._emf_a = system.emf_a
        self.no_load: ComplexArray = self._lu.solve(system.emf_a)

    def moved(self, volt: ComplexArray, factor: FloatArray) -> ComplexArray:
        """The next root volts (T, m)."""
        amps = self._draw.amps(volt, factor).T + product(self._fold, volt.T)
        result: ComplexArray = self._lu.solve(amps + self._emf_a[:, None]).T
        return result


def steps(
    law: Law,
    factor: FloatArray,
    *,
    base_v: FloatArray,
    start: ComplexArray | None,
    meter: Meter | None,
    tolerance_pu: float = TOLERANCE_PU,
) -> Fixpoint:
    """Step by step until no volts move more than `tolerance_pu`, and the meter is content."""
    volt: ComplexArray = np.broadcast_to(law.no_load, (len(factor), law.no_load.shape[-1]))
    if start is not None:
        volt = start
    converged, iterations = False, 0
    per_base = 1.0 / base_v
    with np.errstate(all="ignore"):
        while iterations < ITERATIONS_MAX and not converged:
            iterations += 1
            moved = law.moved(volt, factor)
            # Of real and imaginary part the greater one, as if both were that much.
            change = np.abs((moved - volt).view(np.float64)).max(axis=0, initial=0.0)
            change = change.reshape(-1, 2).max(axis=1, initial=0.0)
            step = math.sqrt(2.0) * float(np.max(change * per_base, initial=0.0))
            volt = moved
            if not np.isfinite(step):
                break
            converged = step < tolerance_pu
            if meter is not None:
                factor, met = meter.corrected(volt, factor)
                converged = converged and met
    return Fixpoint(root_v=volt.T, scale=factor, converged=converged, iterations=iterations)


class Meter:
    """Moves the consumers' common factor towards a wanted import."""

    def __init__(
        self,
        system: RootSystem,
        elements: Elements,
        head_kw: FloatArray,
        injection_va: ComplexArray,
    ) -> None:
        self._system, self._head_kw = system, head_kw
        self._nominal_kw = float(elements.va.real.sum()) / 1e3
        self._given_kw = injection_va.real.sum(axis=0) / 1e3

    def corrected(self, volt: ComplexArray, factor: FloatArray) -> tuple[FloatArray, bool]:
        """The next factors, and whether `factor` gives the import that is wanted.

        The import and what is injected beside it are all the consumers' doing, losses included,
        so that import per factor is known within the few per cent that losses are not linear.
        """
        system = self._system
        at_source = volt[:, system.source]
        amps = system.emf_a[system.source] - at_source @ system.y_source.T
        found_kw = (at_source * np.conj(amps)).sum(axis=1).real / 1e3
        miss_kw = self._head_kw - found_kw
        if self._nominal_kw <= 0.0:
            return factor, True
        drawn_kw = found_kw + self._given_kw
        per_factor = np.divide(
            drawn_kw, factor, out=np.full_like(factor, self._nominal_kw), where=factor > 0.0
        )
        per_factor = np.clip(per_factor, 0.2 * self._nominal_kw, 5.0 * self._nominal_kw)
        met = (np.abs(miss_kw) < HEAD_TOLERANCE_KW) | ((factor == 0.0) & (miss_kw < 0.0))
        if met.all():
            return factor, True
        return np.maximum(factor + miss_kw / per_factor, 0.0), False
