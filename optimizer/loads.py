"""How consumers follow their voltage: OpenDSS's load models 1 to 8 and its voltage band.

Every entry of a consumer is one or more *elements*, each a complex power at nominal voltage times a
power of the voltage: model 3 is kW with exponent 0 and kvar with exponent 2, a ZIP load is three.
Outside the band [v_min, v_max] an element follows the same straight lines as OpenDSS (Load.cpp):

    below v_low          the impedance that it has at nominal voltage
    v_low to v_min       a current in a straight line from there to the one at v_min;
                         kW of models 6 and 7: the impedance that it has at v_min
    above v_max          the impedance that it has at v_max
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import scipy.sparse as sp

from gridctl.model.network import EnergyConsumer, LoadModel, VoltageResponse
from optimizer.arrays import BoolArray, ComplexArray, FloatArray, IntArray, size_of
from optimizer.ties import PhaseIndex
from optimizer.ybus import Admittance, element_kv, shunt_pairs

DROPOUT_STEEPNESS = 500.0
"""OpenDSS's: a ZIP load falls off within about 0.01 pu around its drop-out voltage."""


class Outside(IntEnum):
    """What an element is outside its band: it NEVER leaves its law; it continues constant POWER or
    CURRENT at the band's ends; it is its nominal IMPEDANCE, or the one at the ends (STEP)."""

    NEVER = 0
    POWER = 1
    CURRENT = 2
    IMPEDANCE = 3
    STEP = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Band:
    """Per element: `outside` (of `Outside`), its limits in pu, where it drops out (0: never)."""

    outside: IntArray
    v_min_pu: FloatArray
    v_max_pu: FloatArray
    v_low_pu: FloatArray
    dropout_pu: FloatArray

    def at(self, rows: IntArray) -> Band:
        """The band of the elements `rows`."""
        return Band(
            outside=self.outside[rows],
            v_min_pu=self.v_min_pu[rows],
            v_max_pu=self.v_max_pu[rows],
            v_low_pu=self.v_low_pu[rows],
            dropout_pu=self.dropout_pu[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Elements:
    """Single-phase pieces of all energised consumers: `across` (e, n) takes node volts to element
    volts, `back` (n, e) element currents to nodes; `va` (e,) at `nominal_v`, following voltage with
    `exponent` 0 (P), 1 (I), 2 (Z) or any other. `scaled`: whether a load scale reaches it. `band`
    is None where no element has one."""

    across: sp.csr_array
    back: sp.csr_array
    va: ComplexArray
    nominal_v: FloatArray
    exponent: FloatArray
    consumer: IntArray
    scaled: BoolArray
    band: Band | None

    def at(self, rows: IntArray) -> Elements:
        """The elements `rows`."""
        return Elements(
            across=sp.csr_array(self.across[rows]),
            back=sp.csr_array(self.back[:, rows]),
            va=self.va[rows],
            nominal_v=self.nominal_v[rows],
            exponent=self.exponent[rows],
            consumer=self.consumer[rows],
            scaled=self.scaled[rows],
            band=None if self.band is None else self.band.at(rows),
        )

    def drawn_va(self, volt: ComplexArray, scale: FloatArray) -> ComplexArray:
        """(e, T) power at element voltages `volt` (e, T); `scale` (e, T) or (1, T)."""
        result: ComplexArray = self.va[:, None] * self.reached(scale)
        at = np.flatnonzero(self.exponent)
        if not at.size and self.band is None:
            return result
        size = size_of(volt) / self.nominal_v[:, None]
        if at.size:
            result[at] *= size[at] ** self.exponent[at, None]
        if self.band is not None:
            out = np.flatnonzero(_leaves(self.band, size).any(axis=1))
            result[out] = (self.va[:, None] * self.reached(scale))[out] * (
                self.siemens_pu(out, size[out]) * size[out] ** 2
            )
        return result

    def drawn_a(self, volt: ComplexArray, scale: FloatArray) -> ComplexArray:
        """(e, T) current at `volt`; as `drawn_va`."""
        result: ComplexArray = np.conj(self.drawn_va(volt, scale) / volt)
        return result

    def reached(self, scale: FloatArray) -> FloatArray:
        """`scale` with 1 for the elements that no load scale reaches: (e, T) or (1, T)."""
        if self.scaled.all():
            return scale
        return np.where(self.scaled[:, None], scale, 1.0)

    def siemens_pu(self, rows: IntArray, size: FloatArray) -> FloatArray:
        """(k, T) power over the square of the voltage of elements `rows` at `size` pu, as share of
        that at nominal voltage, band included."""
        inside: FloatArray = size ** (self.exponent[rows, None] - 2.0)
        return inside if self.band is None else banded(self.band.at(rows), inside, size)

    def slope(self, size: FloatArray) -> FloatArray:
        """(e,) the exponent with which each element follows its voltage at `size` (e,) pu: of its
        law inside the band, of the straight lines outside."""
        if self.band is None:
            return self.exponent
        rows = np.arange(len(size))
        step = 1e-6 * np.where(size > 0.0, size, 1.0)
        ends = [
            self.siemens_pu(rows, (size + sign * step)[:, None])[:, 0] * (size + sign * step) ** 2
            for sign in (-1.0, 1.0)
        ]
        middle = (ends[0] + ends[1]) / 2.0
        found = (ends[1] - ends[0]) / (2.0 * step) * size
        safe = np.where(middle != 0.0, middle, 1.0)
        leaves = _leaves(self.band, size[:, None])[:, 0]
        return np.where(leaves & (middle != 0.0), found / safe, self.exponent)


def _leaves(band: Band, size: FloatArray) -> BoolArray:
    """(e, T) where an element is not on its own law at `size` pu."""
    away = (size <= band.v_min_pu[:, None]) | (size > band.v_max_pu[:, None])
    result: BoolArray = (away & (band.outside > Outside.NEVER)[:, None]) | (band.dropout_pu > 0.0)[
        :, None
    ]
    return result


def banded(band: Band, inside: FloatArray, size: FloatArray) -> FloatArray:
    """(k, T) of `Elements.siemens_pu` from that of the law, `inside`, at `size` pu."""
    kind = band.outside[:, None]
    low, lower, upper = (limit[:, None] for limit in (band.v_low_pu, band.v_min_pu, band.v_max_pu))
    current = kind == Outside.CURRENT
    with np.errstate(all="ignore"):
        at_lower = np.where(current, 1.0, 1.0 / lower)
        line = (low + (at_lower - low) / (lower - low) * (size - low)) / size
        line = np.where(kind == Outside.STEP, 1.0 / lower**2, line)
        above = np.where(current, 1.0 / upper, 1.0 / upper**2)
    nominal = (kind == Outside.IMPEDANCE) | (size <= low)
    found = np.where(size > upper, np.where(nominal, 1.0, above), inside)
    found = np.where(size <= lower, np.where(nominal, 1.0, line), found)
    found = np.where(kind == Outside.NEVER, inside, found)
    drop = band.dropout_pu[:, None]
    if not drop.any():
        return found
    on = 0.5 * (1.0 + np.tanh(DROPOUT_STEEPNESS * (size - drop)))
    return np.where((drop > 0.0) & (size > low), found * on, found)


@dataclass(frozen=True, slots=True)
class _Piece:
    """One element of an entry, before it has a place."""

    va: complex
    exponent: float
    outside: Outside
    scaled: bool = True
    drops: bool = False


def _pieces(item: EnergyConsumer, kw: float, kvar: float) -> Iterator[_Piece]:
    """What an entry of `kw` and `kvar` at nominal voltage is made of."""
    whole, p, q = complex(kw, kvar) * 1e3, complex(kw, 0.0) * 1e3, complex(0.0, kvar) * 1e3
    match item.model:
        case LoadModel.CONSTANT_POWER:
            yield _Piece(whole, 0.0, Outside.POWER)
        case LoadModel.CONSTANT_IMPEDANCE:
            yield _Piece(whole, 2.0, Outside.NEVER)
        case LoadModel.CONSTANT_CURRENT:
            yield _Piece(whole, 1.0, Outside.CURRENT)
        case LoadModel.MOTOR:
            yield _Piece(p, 0.0, Outside.POWER)
            yield _Piece(q, 2.0, Outside.POWER)
        case LoadModel.CVR:
            exponents = (1.0, 2.0) if item.response is None else item.response.exponents
            yield _Piece(p, exponents[0], Outside.POWER)
            yield _Piece(q, exponents[1], Outside.POWER)
        case LoadModel.FIXED_Q:
            yield _Piece(p, 0.0, Outside.STEP)
            yield _Piece(q, 0.0, Outside.IMPEDANCE, scaled=False)
        case LoadModel.FIXED_Q_IMPEDANCE:
            yield _Piece(p, 0.0, Outside.STEP)
            yield _Piece(q, 2.0, Outside.NEVER, scaled=False)
        case LoadModel.ZIP:
            yield from _zip_pieces(item, p, q)


def _zip_pieces(item: EnergyConsumer, p: complex, q: complex) -> Iterator[_Piece]:
    shares = None if item.response is None else item.response.zip_shares
    if shares is None:
        raise ValueError(f"{item.mrid}: a ZIP load without its shares")
    for i, (exponent, outside) in enumerate(
        ((2.0, Outside.NEVER), (1.0, Outside.CURRENT), (0.0, Outside.POWER))
    ):
        va = shares[i] * p + shares[i + 3] * q
        if va:
            yield _Piece(va, exponent, outside, drops=True)


def load_elements(
    consumers: Sequence[EnergyConsumer], admittance: Admittance, index: PhaseIndex
) -> Elements:
    """The elements of `consumers`; pieces at dead node-phases draw nothing and are left out.

    Raises ValueError for a wye consumer where there is no earth, and for a ZIP load without shares.
    """
    rows: list[tuple[int, int]] = []
    pieces: list[_Piece] = []
    nominal: list[float] = []
    owner: list[int] = []
    response: list[VoltageResponse | None] = []
    live = admittance.energised
    for c, item in enumerate(consumers):
        pairs = shunt_pairs(item, index)
        for pair, kw, kvar in zip(pairs, item.kw, item.kvar, strict=True):
            if pair[1] < 0 and admittance.floating[pair[0]]:
                raise ValueError(
                    f"{item.mrid}: a load to earth at {item.node}, where a delta winding leaves"
                    " no path to earth"
                )
            if all(live[k] for k in pair if k >= 0):
                for piece in _pieces(item, kw, kvar):
                    rows.append(pair)
                    pieces.append(piece)
                    nominal.append(element_kv(item.connection, item.nominal_kv) * 1e3)
                    owner.append(c)
                    response.append(item.response)
    across = _across(rows, len(index.pairs))
    return Elements(
        across=across,
        back=sp.csr_array(across.T),
        va=np.array([piece.va for piece in pieces], dtype=np.complex128),
        nominal_v=np.array(nominal, dtype=float),
        exponent=np.array([piece.exponent for piece in pieces], dtype=float),
        consumer=np.array(owner, dtype=np.intp),
        scaled=np.array([piece.scaled for piece in pieces], dtype=np.bool_),
        band=_band(pieces, response),
    )


def _across(rows: Sequence[tuple[int, int]], count: int) -> sp.csr_array:
    entries = [(e, k, sign) for e, (a, b) in enumerate(rows) for k, sign in ((a, 1.0), (b, -1.0))]
    kept = [entry for entry in entries if entry[1] >= 0]
    return sp.csr_array(
        sp.coo_array(
            (
                np.array([s for _, _, s in kept], dtype=float),
                (
                    np.array([e for e, _, _ in kept], dtype=np.intp),
                    np.array([k for _, k, _ in kept], dtype=np.intp),
                ),
            ),
            shape=(len(rows), count),
        )
    )


def _band(pieces: Sequence[_Piece], responses: Sequence[VoltageResponse | None]) -> Band | None:
    if all(response is None for response in responses):
        return None
    kept = list(zip(pieces, responses, strict=True))
    limits = np.array(
        [
            (0.0, np.inf, 0.0, 0.0)
            if r is None
            else (r.v_min_pu, r.v_max_pu, r.v_low_pu, r.dropout_pu if piece.drops else 0.0)
            for piece, r in kept
        ]
    )
    return Band(
        outside=np.array(
            [Outside.NEVER if r is None else piece.outside for piece, r in kept], dtype=np.intp
        ),
        v_min_pu=limits[:, 0],
        v_max_pu=limits[:, 1],
        v_low_pu=limits[:, 2],
        dropout_pu=limits[:, 3],
    )
