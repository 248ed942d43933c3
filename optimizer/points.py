"""Consumers and injections that meet at a root are one point: what all points draw at given volts.

What a point cannot sum up (another exponent, a voltage outside an element's band) is done element
by element, for those elements only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import (
    BoolArray,
    ComplexArray,
    FloatArray,
    IntArray,
    product,
)
from optimizer.loads import Elements, Outside
from optimizer.powerflow import RootSystem


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
