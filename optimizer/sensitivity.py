"""Exact first derivatives of a solved AC power flow with respect to injections.

Consumers follow their voltage, so that dI = alpha dU + beta conj(dU) per element; splitting real
and imaginary parts gives one real system of twice the size, factorised once for all controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import BoolArray, ComplexArray, FloatArray, IntArray, factorised, product
from optimizer.loads import Elements
from optimizer.powerflow import RootSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlColumn:
    """One control: where its kW go. `shares` are (node-phase index, kW share, kvar per kW).

    A three-phase battery at unity power factor: ((i, 1/3, 0), (j, 1/3, 0), (k, 1/3, 0)); a shed
    at power factor 0.9 on one phase: ((i, 1, tan(acos(0.9))),).
    """

    shares: tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sensitivity:
    """First derivatives at one solved interval, per kW of each column's control.

    `dv_pu_per_kw` (n, nc): change of voltage magnitudes; `dhead_kw_per_kw` (nc,): change of the
    head's import (about -1 for an injection, losses included); `dloading_pct_per_kw` (B, nc):
    change of each branch's loading (of the phase that is worst at this point); `current_pct` (rows,
    nc): complex change of the current of each branch and phase in per cent of its rating.
    """

    dv_pu_per_kw: FloatArray
    dhead_kw_per_kw: FloatArray
    dloading_pct_per_kw: FloatArray
    current_pct: ComplexArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Differential:
    """Per kW of each column: change of root volts (m, nc), and of node currents (n, nc) at the rows
    that were asked for, 0 elsewhere."""

    root_v: ComplexArray
    node_a: ComplexArray


def control_va(columns: Sequence[ControlColumn], count: int) -> sp.csr_array:
    """(n, nc) VA injected at each node-phase per kW of each control.

    Raises ValueError for a row that does not exist.
    """
    place: list[tuple[int, int]] = []
    va: list[complex] = []
    for c, column in enumerate(columns):
        for row, kw, kvar in column.shares:
            if not 0 <= row < count:
                raise ValueError(f"control {c}: there is no node-phase {row}")
            place.append((row, c))
            va.append(complex(kw, kvar) * 1e3)
    at = np.array(place, dtype=np.intp).reshape(-1, 2).T
    values = np.array(va, dtype=np.complex128)
    return sp.csr_array((values, (at[0], at[1])), shape=(count, len(columns)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linearised:
    """The network's first order at one solved state: `jacobian` (2m, 2m) takes real and imaginary
    changes of root volts to changes of injected amperes; `across` (e, m) root to element volts;
    `alpha`, `beta` (e,) slopes of the consumers, `beta_injected` of the injections at rows `at`."""

    jacobian: sp.csc_array
    across: sp.csr_array
    alpha: ComplexArray
    beta: ComplexArray
    at: IntArray
    at_roots: sp.csr_array
    beta_injected: ComplexArray


def linearised(
    system: RootSystem,
    elements: Elements,
    *,
    root_v: ComplexArray,
    scale: FloatArray,
    injection_va: ComplexArray,
) -> Linearised:
    """The network's first order at `root_v` (m,); `scale` (e,), `injection_va` (n,)."""
    across = _pattern(system, elements).across
    alpha, beta = _element_slopes(elements, product(across, root_v), scale)
    at: IntArray = np.flatnonzero(injection_va)
    at_roots = sp.csr_array(system.seen[at])
    # A constant-power injection i = conj(S / v) answers only to the conjugate of its voltage.
    beta_injected: ComplexArray = (
        -np.conj(injection_va[at]) / np.conj(product(at_roots, root_v)) ** 2
    )
    jacobian = _jacobian(_pattern(system, elements), alpha, beta, at_roots, beta_injected)
    return Linearised(
        jacobian=jacobian,
        across=across,
        alpha=alpha,
        beta=beta,
        at=at,
        at_roots=at_roots,
        beta_injected=beta_injected,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pattern:
    """Entries of the admittance (`row`, `column`, `value`), and of each pair of ends of an element
    (`end_row`, `end_column`, `weight` by `element`); `across` (e, m) root to element volts."""

    across: sp.csr_array
    row: IntArray
    column: IntArray
    value: ComplexArray
    end_row: IntArray
    end_column: IntArray
    weight: FloatArray
    element: IntArray


@lru_cache(maxsize=64)
def _pattern(system: RootSystem, elements: Elements) -> _Pattern:
    across = sp.csr_array(elements.across @ system.spread)
    y = system.y.tocoo()
    end_row, end_column, weight, element = _pairs(across)
    return _Pattern(
        across=across,
        row=y.row.astype(np.intp),
        column=y.col.astype(np.intp),
        value=np.asarray(y.data, dtype=np.complex128),
        end_row=end_row,
        end_column=end_column,
        weight=weight,
        element=element,
    )


def _pairs(rows: sp.csr_array) -> tuple[IntArray, IntArray, FloatArray, IntArray]:
    """Row, column, product and number of each pair of entries of each row."""
    count = np.diff(rows.indptr)
    number = np.repeat(np.arange(rows.shape[0]), count)
    first = np.repeat(np.arange(rows.nnz), count[number])
    within = np.arange(len(first)) - np.repeat(
        np.cumsum(count[number]) - count[number], count[number]
    )
    second = rows.indptr[number[first]] + within
    return (
        rows.indices[first].astype(np.intp),
        rows.indices[second].astype(np.intp),
        np.asarray(rows.data[first] * rows.data[second], dtype=np.float64),
        number[first].astype(np.intp),
    )


def _jacobian(
    pattern: _Pattern,
    alpha: ComplexArray,
    beta: ComplexArray,
    at_roots: sp.csr_array,
    beta_injected: ComplexArray,
) -> sp.csc_array:
    """(2m, 2m): Y less `alpha` of the elements for the volts, `beta` for their conjugates."""
    row, column, weight, number = _pairs(at_roots)
    straight_row = np.concatenate([pattern.row, pattern.end_row])
    straight_column = np.concatenate([pattern.column, pattern.end_column])
    straight = np.concatenate([pattern.value, -alpha[pattern.element] * pattern.weight])
    bent_row = np.concatenate([pattern.end_row, row])
    bent_column = np.concatenate([pattern.end_column, column])
    bent = np.concatenate([beta[pattern.element] * pattern.weight, beta_injected[number] * weight])
    m = at_roots.shape[1]
    rows = [straight_row, straight_row, straight_row + m, straight_row + m]
    rows += [bent_row, bent_row, bent_row + m, bent_row + m]
    columns = [straight_column, straight_column + m, straight_column, straight_column + m]
    columns += [bent_column, bent_column + m, bent_column, bent_column + m]
    values = [straight.real, -straight.imag, straight.imag, straight.real]
    values += [-bent.real, -bent.imag, -bent.imag, bent.real]
    return sp.csc_array(
        sp.coo_array(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
            shape=(2 * m, 2 * m),
        )
    )


def differential(
    system: RootSystem,
    elements: Elements,
    *,
    root_v: ComplexArray,
    scale: FloatArray,
    injection_va: ComplexArray,
    per_kw_va: sp.csr_array,
    rows: IntArray,
) -> Differential:
    """Solve the linearised network at `root_v` (m,); `scale` (e,), `injection_va` (n,).

    `per_kw_va` (n, nc) is what each control injects. Dead node-phases take part in nothing. Node
    currents are told at `rows` only: on a large feeder those of all rows take longer than the
    solve.
    """
    first = linearised(system, elements, root_v=root_v, scale=scale, injection_va=injection_va)
    node_v = product(system.spread, root_v)
    direct = _injected(system, per_kw_va, node_v)
    push = sp.csr_array(system.gather @ direct).tocoo()
    m, count = len(root_v), per_kw_va.shape[1]
    given = np.zeros((2 * m, count), order="F")
    given[push.row, push.col], given[push.row + m, push.col] = push.data.real, push.data.imag
    solved = factorised(first.jacobian).solve(given)
    d_root: ComplexArray = np.empty((m, count), dtype=np.complex128)
    d_root.real, d_root.imag = solved[:m], solved[m:]
    node_a = np.zeros((len(node_v), count), dtype=np.complex128)
    node_a[rows] = direct[rows].toarray()
    back = sp.csr_array(elements.back[rows])
    near = np.unique(back.indices)
    d_element = product(sp.csr_array(first.across[near]), d_root)
    d_drawn_a = first.alpha[near, None] * d_element + first.beta[near, None] * np.conj(d_element)
    node_a[rows] += product(sp.csr_array(back[:, near]), d_drawn_a)
    if first.at.size:
        answer = first.beta_injected[:, None] * np.conj(product(first.at_roots, d_root))
        onto = sp.csr_array(
            (np.ones(len(first.at)), (first.at, np.arange(len(first.at)))),
            shape=(len(node_v), len(first.at)),
        )
        if system.centred is not None:
            onto = sp.csr_array(system.centred @ onto)
        node_a[rows] += product(sp.csr_array(onto[rows]), answer)
    return Differential(root_v=d_root, node_a=node_a)


def _injected(system: RootSystem, va: sp.csr_array, node_v: ComplexArray) -> sp.csr_array:
    """(n, nc) current into each node-phase of constant-power injections, as
    `RootSystem.injected_amps`."""
    seen_v = node_v if system.centred is None else product(system.centred, node_v)
    live: BoolArray = np.abs(node_v) > 0.0
    inverse = np.zeros(len(node_v), dtype=np.complex128)
    np.divide(1.0, seen_v, out=inverse, where=live)
    amps = sp.csr_array(sp.diags_array(np.conj(inverse)) @ va.conj())
    return amps if system.centred is None else sp.csr_array(system.centred @ amps)


def _element_slopes(
    elements: Elements, volt: ComplexArray, scale: FloatArray
) -> tuple[ComplexArray, ComplexArray]:
    """d(injected amperes) = alpha dU + beta conj(dU) of each consumer element at `volt` (e,)."""
    drawn = elements.drawn_va(volt[:, None], scale[:, None])[:, 0]
    half = elements.slope(np.abs(volt) / elements.nominal_v) / 2.0
    alpha: ComplexArray = -np.conj(drawn) * half / np.abs(volt) ** 2
    beta: ComplexArray = -np.conj(drawn) * (half - 1.0) / np.conj(volt) ** 2
    return alpha, beta
