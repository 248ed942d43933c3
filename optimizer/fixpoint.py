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
    BoolArray,
    ComplexArray,
    FloatArray,
    IntArray,
    factorised,
    product,
)
from optimizer.loads import Elements, Outside
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Where elements draw: `to_va` (3 p, e) gathers their VA at scale 1 as constant power, current
    and impedance of each of p points, the voltage they follow already divided out. A point's volts
    are `near_weight` V[near] - `far_weight` V[far]; the first `single` points are one root each, in
    order, with weight one and no far end. `injected` (n rows) inject at the points `at`.

    `low_v`, `high_v` (p,): between them every element of a point is inside its band; `banded` are
    the elements that have one, at the point `banded_at`; `odd` are those that no point sums up.
    `ends` (e, m) takes root volts to element volts. `afloat` (k rows) inject where there is no path
    to earth, at the volts `afloat_ends` (k, m) of the roots."""

    single: int
    near: IntArray
    far: IntArray
    near_weight: FloatArray
    far_weight: FloatArray
    to_va: sp.csr_array
    back: sp.csr_array
    injected: IntArray
    at: IntArray
    low_v: FloatArray
    high_v: FloatArray
    banded: IntArray
    banded_at: IntArray
    odd: IntArray
    ends: sp.csr_array
    afloat: IntArray
    afloat_ends: sp.csr_array


def points_of(system: RootSystem, elements: Elements, active: IntArray) -> Points:
    """The points of all elements, and of the rows `active`, where other things inject."""
    afloat = np.zeros(0, dtype=np.intp)
    if system.centred is not None:
        # A row that is moved off its own volts is one that floats.
        moved = system.centred.diagonal() != 1.0
        afloat, active = active[moved[active]], active[~moved[active]]
    spread = sp.csr_array(system.spread[active])
    at = sp.csr_array(elements.across @ system.spread)
    at.eliminate_zeros()
    ends = np.diff(at.indptr)
    count, m = len(elements.va), system.spread.shape[1]
    first = at.indptr[:-1][ends > 0]
    alone, pair = ends == 1, ends == 2  # noqa: PLR2004 - between two roots
    root = np.full(count, -1, dtype=np.intp)
    weight = np.zeros(count)
    root[ends > 0], weight[ends > 0] = at.indices[first], at.data[first]
    roots = np.unique(np.concatenate([root[alone], spread.indices]))
    pairs = np.flatnonzero(pair)
    last = at.indptr[1:][pairs] - 1
    point = np.full(count, -1, dtype=np.intp)
    point[alone] = np.searchsorted(roots, root[alone])
    point[pairs] = len(roots) + np.arange(len(pairs))
    # A single point follows its root's voltage: what lies behind an ideal tie follows with it.
    ratio = ratio_v = np.where(alone, np.abs(weight), 1.0) / elements.nominal_v
    odd = _odd(elements) & (ends > 0)
    kept = np.flatnonzero((point >= 0) & ~odd)
    p = len(roots) + len(pairs)
    row = elements.exponent[kept].astype(np.intp) * p + point[kept]
    value = ratio[kept] ** elements.exponent[kept]
    far_weight = -at.data[last]
    ones = np.concatenate([weight[pairs], -far_weight])
    where = (
        np.concatenate([root[pairs], at.indices[last]]),
        np.tile(np.arange(len(pairs)), 2),
    )
    with_band = np.zeros(0, dtype=np.intp)
    low_v, high_v = np.zeros(p), np.full(p, np.inf)
    if elements.band is not None:
        with_band = kept[elements.band.outside[kept] > Outside.NEVER]
        np.maximum.at(low_v, point[with_band], (elements.band.v_min_pu / ratio_v)[with_band])
        np.minimum.at(high_v, point[with_band], (elements.band.v_max_pu / ratio_v)[with_band])
    return Points(
        single=len(roots),
        near=np.concatenate([roots, root[pairs]]).astype(np.intp),
        far=at.indices[last].astype(np.intp),
        near_weight=weight[pairs],
        far_weight=far_weight,
        to_va=sp.csr_array((value, (row, kept)), shape=(3 * p, count)),
        back=sp.csr_array((ones, where), shape=(m, len(pairs))),
        injected=active[np.diff(spread.indptr) > 0],
        at=np.searchsorted(roots, spread.indices).astype(np.intp),
        low_v=low_v,
        high_v=high_v,
        banded=with_band,
        banded_at=point[with_band],
        odd=np.flatnonzero(odd),
        ends=at,
        afloat=afloat,
        afloat_ends=sp.csr_array(system.seen[afloat]),
    )


def _odd(elements: Elements) -> BoolArray:
    """Elements that no point sums up: another exponent, out of the load scale's reach, a
    drop-out."""
    odd: BoolArray = ~np.isin(elements.exponent, (0.0, 1.0, 2.0)) | ~elements.scaled
    return odd if elements.band is None else odd | (elements.band.dropout_pu > 0.0)


class Draw:
    """The currents of all points at given root volts."""

    def __init__(
        self,
        points: Points,
        elements: Elements,
        va: ComplexArray,
        given_va: ComplexArray,
        afloat_va: ComplexArray,
    ) -> None:
        """`va` (T or 1, e) of the elements at scale 1; `given_va` (T, single) injected, `afloat_va`
        (k, T) where there is no path to earth."""
        self._points = points
        self._elements = elements
        self._va = va
        p = len(points.near)
        drawn = np.conj(product(points.to_va, va.T)).T.reshape(len(va), 3, p)
        power, self._current, self._impedance = drawn[:, 0], drawn[:, 1], drawn[:, 2]
        self._power = power
        self._given = np.conj(given_va)
        self._afloat = np.conj(afloat_va)
        self._with_current = np.flatnonzero(self._current.any(axis=0))
        self._with_impedance = np.flatnonzero(self._impedance.any(axis=0))
        self._current = self._current[:, self._with_current]
        self._impedance = self._impedance[:, self._with_impedance]
        self._at_factor: FloatArray | None = None

    def _scaled(self, factor: FloatArray) -> None:
        """What the consumers draw at this factor; most often it is the one of the step before."""
        if self._at_factor is factor:
            return
        self._at_factor = factor
        column = factor[:, None]
        single = self._points.single
        self._power_at = -column * self._power
        self._power_at[:, :single] += self._given
        self._current_at = -column * self._current
        self._impedance_at = -column * self._impedance

    def amps(self, volt: ComplexArray, scale: FloatArray) -> ComplexArray:
        """(T, m) current into the roots at `volt` (T, m); `scale` (T,) of all elements."""
        points, single = self._points, self._points.single
        v = volt.take(points.near, axis=1)
        if len(points.far):
            v[:, single:] *= points.near_weight
            v[:, single:] -= points.far_weight * volt.take(points.far, axis=1)
        factor = scale[:, None]
        self._scaled(scale)
        amps: ComplexArray = np.divide(self._power_at, np.conj(v), dtype=np.complex128)
        at = self._with_current
        if at.size:
            direction: ComplexArray = v[:, at] / np.abs(v[:, at])
            amps[:, at] += self._current_at * direction
        at = self._with_impedance
        if at.size:
            amps[:, at] += self._impedance_at * v[:, at]
        into = np.zeros(volt.shape, dtype=np.complex128)
        into[:, points.near[:single]] = amps[:, :single]
        if len(points.far):
            into += product(points.back, amps[:, single:].T).T
        if points.banded.size:
            size = np.abs(v)
            away: BoolArray = (size <= points.low_v) | (size > points.high_v)
            out: BoolArray = np.any(away, axis=0)
            self._add(into, volt, factor, points.banded[out[points.banded_at]], correct=True)
        self._add(into, volt, factor, points.odd, correct=False)
        if points.afloat.size:
            ends = points.afloat_ends
            seen = np.conj(product(ends, volt.T))
            drawn: ComplexArray = np.divide(self._afloat, seen, dtype=np.complex128)
            into += product(sp.csr_array(ends.T), drawn).T
        return into

    def _add(
        self,
        into: ComplexArray,
        volt: ComplexArray,
        factor: FloatArray,
        rows: IntArray,
        *,
        correct: bool,
    ) -> None:
        """Add the currents of elements `rows` one by one; `correct`: only what their band makes
        different from what their point has already."""
        if not rows.size:
            return
        elements = self._elements
        ends = sp.csr_array(self._points.ends[rows])
        across = product(ends, volt.T)
        nominal = elements.nominal_v[rows, None]
        size = np.abs(across) / nominal
        share = elements.siemens_pu(rows, size)
        if correct:
            share = share - size ** (elements.exponent[rows, None] - 2.0)
        va = np.conj(self._va[:, rows]).T * np.where(elements.scaled[rows, None], factor.T, 1.0)
        into -= product(sp.csr_array(ends.T), va * share / nominal**2 * across).T


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
