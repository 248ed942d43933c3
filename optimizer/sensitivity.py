"""Exact first derivatives of a solved AC power flow with respect to injections.

Consumers follow their voltage, so that dI = alpha dU + beta conj(dU) per element; splitting real
and imaginary parts gives one real system of twice the size, factorised once for all controls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from optimizer.arrays import ComplexArray, FloatArray, IntArray, factorised, product
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
    change of each branch's loading (of the phase that is worst at this point).
    """

    dv_pu_per_kw: FloatArray
    dhead_kw_per_kw: FloatArray
    dloading_pct_per_kw: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Differential:
    """Per kW of each column: change of root volts (m, nc) and of node currents (n, nc)."""

    root_v: ComplexArray
    node_a: ComplexArray


def control_va(columns: Sequence[ControlColumn], count: int) -> ComplexArray:
    """(n, nc) VA injected at each node-phase per kW of each control.

    Raises ValueError for a row that does not exist.
    """
    va = np.zeros((count, len(columns)), dtype=np.complex128)
    for c, column in enumerate(columns):
        for row, kw, kvar in column.shares:
            if not 0 <= row < count:
                raise ValueError(f"control {c}: there is no node-phase {row}")
            va[row, c] += complex(kw, kvar) * 1e3
    return va


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
    across = sp.csr_array(elements.across @ system.spread)
    alpha, beta = _element_slopes(elements, product(across, root_v), scale)
    at: IntArray = np.flatnonzero(injection_va)
    at_roots = sp.csr_array(system.seen[at])
    # A constant-power injection i = conj(S / v) answers only to the conjugate of its voltage.
    beta_injected: ComplexArray = (
        -np.conj(injection_va[at]) / np.conj(product(at_roots, root_v)) ** 2
    )
    straight = across.T @ sp.diags_array(alpha) @ across
    conjugate = (
        across.T @ sp.diags_array(beta) @ across
        + at_roots.T @ sp.diags_array(beta_injected) @ at_roots
    )
    own = sp.csc_array(system.y - straight)
    jacobian = sp.block_array(
        [
            [own.real - conjugate.real, -own.imag - conjugate.imag],
            [own.imag - conjugate.imag, own.real + conjugate.real],
        ],
        format="csc",
    )
    return Linearised(
        jacobian=jacobian,
        across=across,
        alpha=alpha,
        beta=beta,
        at=at,
        at_roots=at_roots,
        beta_injected=beta_injected,
    )


def differential(
    system: RootSystem,
    elements: Elements,
    *,
    root_v: ComplexArray,
    scale: FloatArray,
    injection_va: ComplexArray,
    per_kw_va: ComplexArray,
) -> Differential:
    """Solve the linearised network at `root_v` (m,); `scale` (e,), `injection_va` (n,).

    `per_kw_va` (n, nc) is what each control injects. Dead node-phases take part in nothing.
    """
    first = linearised(system, elements, root_v=root_v, scale=scale, injection_va=injection_va)
    node_v = product(system.spread, root_v)
    active = per_kw_va * (np.abs(node_v) > 0.0)[:, None]
    direct = system.injected_amps(active, np.broadcast_to(node_v[:, None], active.shape))
    push = product(system.gather, direct)
    solved = factorised(first.jacobian).solve(np.vstack([push.real, push.imag]))
    m = len(root_v)
    d_root: ComplexArray = solved[:m] + 1j * solved[m:]
    d_element = product(first.across, d_root)
    d_drawn_a = first.alpha[:, None] * d_element + first.beta[:, None] * np.conj(d_element)
    node_a = direct + product(elements.back, d_drawn_a)
    answer = np.zeros(node_a.shape, dtype=np.complex128)
    answer[first.at] = first.beta_injected[:, None] * np.conj(product(first.at_roots, d_root))
    node_a += answer if system.centred is None else product(system.centred, answer)
    return Differential(root_v=d_root, node_a=node_a)


def _element_slopes(
    elements: Elements, volt: ComplexArray, scale: FloatArray
) -> tuple[ComplexArray, ComplexArray]:
    """d(injected amperes) = alpha dU + beta conj(dU) of each consumer element at `volt` (e,)."""
    drawn = elements.drawn_va(volt[:, None], scale[:, None])[:, 0]
    half = elements.slope(np.abs(volt) / elements.nominal_v) / 2.0
    alpha: ComplexArray = -np.conj(drawn) * half / np.abs(volt) ** 2
    beta: ComplexArray = -np.conj(drawn) * (half - 1.0) / np.conj(volt) ** 2
    return alpha, beta
