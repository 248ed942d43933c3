"""Admittances of a three-phase feeder, built from the words of `gridctl.model.network`.

Lines, transformers, capacitors, equivalent branches and the source become entries of a sparse node
admittance matrix in siemens over all node-phases. Closed switches and step regulators have no
impedance: they are *ties*, V_to = ratio * V_from, and are eliminated exactly by a real matrix T
(V_all = T V_root, I_root = T' I_all), which keeps them out of the conditioning of the matrix.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from gridctl.model.network import (
    ACLineSegment,
    Connection,
    EnergyConsumer,
    EquivalentBranch,
    Feeder,
    PowerTransformer,
    ShuntCapacitor,
    Source,
)
from optimizer.arrays import BoolArray, ComplexArray, FloatArray, IntArray
from optimizer.energised import earthed, energised_of, equivalent_rows, loose
from optimizer.ties import PhaseIndex, Tie, feeder_ties, spanning_forest

SOURCE_OHM_MIN = 1e-6
"""A stiffer source is modelled with this reactance: 1000 A through it is 4e-7 pu at 4.16 kV."""
_ADRIFT_S = 1e-9
"""To earth from a conductor adrift, so that it has one voltage."""
DELTA_EARTH_PPM = 1.0
"""A delta side has no path to earth; this share of its rating as a shunt fixes where it floats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchRow:
    """Current of one phase at one end of a rated branch, as weights on node voltages."""

    branch: str
    rating_a: float
    nodes: tuple[int, ...]
    siemens: tuple[complex, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Admittance:
    """The linear part of a feeder in one state of taps, capacitors and switches.

    `y` (n, n) without the source; `roots` (n, m) is T; `y_source` (3, 3) and `emf_v` (3,) volts
    stand at the roots `source_roots`. `root_rows` are the node-phases that are energised roots.
    `floating` (n,): behind a delta winding, or with a neutral that goes nowhere, without a path to
    earth, where nothing may be connected to earth. `adrift` (n,): conductors behind an open pole,
    not energised, which carry no current and have what those beside them induce. `closed`: the
    capacitors that are. `ties` are a spanning forest: a tie that only closes a loop of ties carries
    a current that the model cannot tell and is left out.
    """

    node_phases: tuple[tuple[str, str], ...]
    base_v: FloatArray
    y: sp.csr_array
    roots: sp.csr_array
    root_of: IntArray
    root_rows: IntArray
    energised: BoolArray
    floating: BoolArray
    adrift: BoolArray
    closed: frozenset[str]
    source_rows: IntArray
    source_roots: IntArray
    y_source: ComplexArray
    emf_v: ComplexArray
    ties: tuple[Tie, ...]
    rows: tuple[BranchRow, ...]


class _Entries:
    """Entries of a sparse matrix as they come."""

    def __init__(self) -> None:
        self._row: list[IntArray] = []
        self._column: list[IntArray] = []
        self._value: list[ComplexArray] = []

    def add(self, rows: Sequence[int], columns: Sequence[int], block: ComplexArray) -> None:
        """One block (rows, columns)."""
        self.add_all(np.array([rows], dtype=np.intp), np.array([columns], dtype=np.intp), block)

    def add_all(self, rows: IntArray, columns: IntArray, blocks: ComplexArray) -> None:
        """Blocks (k, a, b) at `rows` (k, a) and `columns` (k, b)."""
        shape = (len(rows), rows.shape[1], columns.shape[1])
        self._row.append(np.broadcast_to(rows[:, :, None], shape).ravel())
        self._column.append(np.broadcast_to(columns[:, None, :], shape).ravel())
        self._value.append(np.asarray(blocks, dtype=np.complex128).ravel())

    def matrix(self, n: int) -> sp.csr_array:
        """(n, n) the sum of all."""
        if not self._row:
            return sp.csr_array((n, n), dtype=np.complex128)
        row, column = np.concatenate(self._row), np.concatenate(self._column)
        values = np.concatenate(self._value)
        return sp.csr_array(sp.coo_array((values, (row, column)), shape=(n, n)))


def shunt_pairs(
    item: EnergyConsumer | ShuntCapacitor, index: PhaseIndex
) -> tuple[tuple[int, int], ...]:
    """(row, other row) of each entry of a load or capacitor; the other row is -1 for earth."""
    rows = index.rows(item.node, item.phases, item.mrid)
    if item.connection is Connection.WYE:
        neutral = item.neutral if isinstance(item, EnergyConsumer) else ""
        back = index.rows(item.node, neutral, item.mrid)[0] if neutral else -1
        pairs = [(row, back) for row in rows]
    elif len(rows) == 2:  # noqa: PLR2004 - a single-phase delta load sits between two phases
        pairs = [(rows[0], rows[1])]
    else:
        pairs = [(rows[i], rows[(i + 1) % len(rows)]) for i in range(len(rows))]
    if len(pairs) != len(item.kvar):
        raise ValueError(f"{item.mrid}: {len(item.kvar)} entries on {len(pairs)} connections")
    return tuple(pairs)


def element_kv(connection: Connection, nominal_kv: float) -> float:
    """kV across one element of equipment rated `nominal_kv` line to line."""
    return nominal_kv / math.sqrt(3.0) if connection is Connection.WYE else nominal_kv


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stamps:
    """What is the same in every state of taps, capacitors and switches."""

    feeder: Feeder
    index: PhaseIndex
    y: sp.csr_array
    rows: tuple[BranchRow, ...]


def stamp(feeder: Feeder) -> Stamps:
    """The lines, transformers and equivalent branches of `feeder`."""
    index = PhaseIndex(feeder)
    entries = _Entries()
    rows = _stamp_lines(feeder.lines, index, entries)
    for transformer in feeder.transformers:
        rows += _stamp_transformer(transformer, index, entries)
    for equivalent in feeder.equivalents:
        rows += _stamp_equivalent(equivalent, index, entries)
    return Stamps(feeder=feeder, index=index, y=entries.matrix(len(index.pairs)), rows=tuple(rows))


def build_admittance(
    stamps: Stamps,
    *,
    taps: Mapping[str, tuple[int, ...]] | None,
    closed_capacitors: Collection[str] | None,
    open_switches: Collection[str] | None,
    like: Admittance | None = None,
) -> Admittance:
    """The admittances in the given state; see `NetworkModel` for what is refused. `like`: those of
    another state with the same switches."""
    feeder, index = stamps.feeder, stamps.index
    n = len(index.pairs)
    _refuse_unknown("regulator", taps or (), (r.mrid for r in feeder.regulators))
    _refuse_unknown("capacitor", closed_capacitors or (), (c.mrid for c in feeder.capacitors))
    _refuse_unknown("switch", open_switches or (), (s.mrid for s in feeder.switches))
    closed = frozenset(
        c.mrid
        for c in feeder.capacitors
        if (c.is_closed if closed_capacitors is None else c.mrid in closed_capacitors)
    )
    same = like is not None and like.closed == closed
    y = like.y if like is not None and same else with_capacitors(stamps, closed)
    source_rows = np.array(index.rows(feeder.source.node, "ABC", "source"), dtype=np.intp)
    ties, root_of, ratio = spanning_forest(
        feeder_ties(feeder, index, taps=taps, open_switches=open_switches), index, source_rows
    )
    root_rows, compact = np.unique(root_of, return_inverse=True)
    # Taps and capacitors disconnect nothing; only a capacitor can be a path to earth.
    energised = (
        like.energised if like is not None else energised_of(y, compact, compact[source_rows])
    )
    if like is not None and same:
        floating, adrift = like.floating, like.adrift
    else:
        held, adrift = earthed(feeder, index, compact, compact[source_rows])
        adrift &= energised if like is None else energised | like.adrift
        energised = energised & ~adrift
        floating = energised & (~held | loose(feeder, index, closed, open_switches))
        if adrift.any():
            y = (y + sp.diags_array(np.where(adrift, _ADRIFT_S, 0.0))).tocsr()
    y_source, emf_v = _thevenin(feeder.source)
    return Admittance(
        node_phases=index.pairs,
        base_v=index.base_v,
        y=y,
        roots=sp.csr_array((ratio, (np.arange(n), compact)), shape=(n, len(root_rows))),
        root_of=compact,
        root_rows=root_rows[(energised | adrift)[root_rows]],
        energised=energised,
        floating=floating,
        adrift=adrift,
        closed=closed,
        source_rows=source_rows,
        source_roots=compact[source_rows],
        y_source=y_source,
        emf_v=emf_v,
        ties=ties,
        rows=stamps.rows,
    )


def with_capacitors(stamps: Stamps, closed: Collection[str]) -> sp.csr_array:
    """(n, n) admittance with the capacitors `closed`."""
    entries = _Entries()
    for capacitor in stamps.feeder.capacitors:
        if capacitor.mrid in closed:
            _stamp_capacitor(capacitor, stamps.index, entries)
    return sp.csr_array(stamps.y + entries.matrix(len(stamps.index.pairs)))


def _refuse_unknown(what: str, named: Collection[str], known: Iterable[str]) -> None:
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise ValueError(f"the feeder has no {what} {', '.join(unknown)}")


def _stamp_lines(
    lines: Sequence[ACLineSegment], index: PhaseIndex, entries: _Entries
) -> list[BranchRow]:
    """All lines, those of as many phases at once."""
    near = [index.rows(line.from_node, line.phases, line.mrid) for line in lines]
    far = [index.rows(line.to_node, line.phases, line.mrid) for line in lines]
    found: list[list[BranchRow]] = [[] for _ in lines]
    by_count: dict[int, list[int]] = {}
    for at, (line, rows) in enumerate(zip(lines, near, strict=True)):
        for table in (line.r_ohm_per_km, line.x_ohm_per_km, line.b_us_per_km):
            if len(table) != len(rows) or any(len(row) != len(rows) for row in table):
                size = (len(table), max(map(len, table), default=0))
                raise ValueError(f"{line.mrid}: impedance matrix {size} for phases {line.phases}")
        by_count.setdefault(len(rows), []).append(at)
    for group in by_count.values():
        alike = [lines[at] for at in group]
        km = np.array([line.length_km for line in alike])[:, None, None]
        r = np.array([line.r_ohm_per_km for line in alike], dtype=np.float64)
        x = np.array([line.x_ohm_per_km for line in alike], dtype=np.float64)
        b = np.array([line.b_us_per_km for line in alike], dtype=np.float64)
        series: ComplexArray = np.linalg.inv((r + 1j * x) * km)
        own: ComplexArray = series + 0.5j * b * 1e-6 * km
        ends = np.array([near[at] for at in group]), np.array([far[at] for at in group])
        for here, there in (ends, ends[::-1]):
            entries.add_all(here, here, own)
            entries.add_all(here, there, -series)
        for k, (at, line) in enumerate(zip(group, alike, strict=True)):
            if line.rating_a is None:
                continue
            weights = [*np.hstack([own[k], -series[k]]), *np.hstack([-series[k], own[k]])]
            found[at] = [
                BranchRow(
                    branch=line.mrid,
                    rating_a=line.rating_a,
                    nodes=(*near[at], *far[at]),
                    siemens=tuple(row.tolist()),
                )
                for row in weights
            ]
    return [row for rows in found for row in rows]


def _windings(
    connection: Connection, count: int, *, lag: bool
) -> tuple[tuple[tuple[int, int], ...], int]:
    """(phase, other phase or -1) of each winding, and how many there are.

    `lag`: the high side's delta of a delta-wye bank runs A-C, B-A, C-B, so that the low side
    lags by 30 degrees (IEEE C57.12.00); every other delta runs A-B, B-C, C-A.
    """
    if connection is Connection.WYE:
        return tuple((k, -1) for k in range(count)), count
    if count == 2:  # noqa: PLR2004 - one winding between two phases
        return ((0, 1),), 1
    step = -1 if lag else 1
    return tuple((k, (k + step) % count) for k in range(count)), count


def _incidence(windings: Sequence[tuple[int, int]], count: int) -> FloatArray:
    matrix = np.zeros((len(windings), count))
    for w, (phase, other) in enumerate(windings):
        matrix[w, phase] = 1.0
        if other >= 0:
            matrix[w, other] = -1.0
    return matrix


def _stamp_transformer(
    item: PowerTransformer, index: PhaseIndex, entries: _Entries
) -> list[BranchRow]:
    near = index.rows(item.from_node, item.phases, item.mrid)
    far = index.rows(item.to_node, item.phases, item.mrid)
    mixed = item.from_connection is not item.to_connection
    step_down = item.from_kv >= item.to_kv
    from_windings, count = _windings(item.from_connection, len(near), lag=mixed and step_down)
    to_windings, to_count = _windings(item.to_connection, len(far), lag=mixed and not step_down)
    if count != to_count:
        raise ValueError(f"{item.mrid}: {count} windings cannot face {to_count}")
    from_v = element_kv(item.from_connection, item.from_kv) * 1e3
    to_v = element_kv(item.to_connection, item.to_kv) * 1e3
    winding_va = item.rating_kva * 1e3 / count
    leakage = winding_va / from_v**2 / complex(item.r_pct / 100.0, item.x_pct / 100.0)
    turns = from_v / to_v
    at_from = _incidence(from_windings, len(near))
    at_to = _incidence(to_windings, len(far)) * -turns
    both = np.hstack([at_from, at_to])
    block: ComplexArray = np.complex128(leakage) * (both.T @ both)
    for side, connection, volt in (
        (range(len(near)), item.from_connection, from_v),
        (range(len(near), len(near) + len(far)), item.to_connection, to_v),
    ):
        if connection is Connection.DELTA:
            for k in side:
                block[k, k] -= 1j * DELTA_EARTH_PPM * 1e-6 * winding_va / volt**2
    nodes = [*near, *far]
    entries.add(nodes, nodes, block)
    rated = [item.from_kv] * len(near) + [item.to_kv] * len(far)
    return [
        BranchRow(
            branch=item.mrid,
            rating_a=item.rating_kva / (math.sqrt(3.0) * kv)
            if len(near) == 3  # noqa: PLR2004 - a three-phase bank
            else winding_va / (from_v if k < len(near) else to_v),
            nodes=tuple(nodes),
            siemens=tuple(map(complex, block[k])),
        )
        for k, kv in enumerate(rated)
    ]


def _stamp_equivalent(
    item: EquivalentBranch, index: PhaseIndex, entries: _Entries
) -> list[BranchRow]:
    nodes = equivalent_rows(item, index)
    block: ComplexArray = np.array(item.g_s, dtype=float) + 1j * np.array(item.b_s, dtype=float)
    if block.shape != (len(nodes), len(nodes)):
        raise ValueError(f"{item.mrid}: admittance {block.shape} for {len(nodes)} terminals")
    entries.add(nodes, nodes, block)
    return [
        BranchRow(
            branch=item.mrid,
            rating_a=rating_a,
            nodes=tuple(nodes),
            siemens=tuple(map(complex, block[k])),
        )
        for k, rating_a in enumerate(item.rating_a)
        if rating_a > 0.0
    ]


def _stamp_capacitor(item: ShuntCapacitor, index: PhaseIndex, entries: _Entries) -> None:
    volt = element_kv(item.connection, item.nominal_kv) * 1e3
    for (row, other), kvar in zip(shunt_pairs(item, index), item.kvar, strict=True):
        siemens = 1j * kvar * 1e3 / volt**2
        if other < 0:
            entries.add([row], [row], np.array([[siemens]]))
        else:
            pair = siemens * np.array([[1.0, -1.0], [-1.0, 1.0]])
            entries.add([row, other], [row, other], pair)


def _thevenin(source: Source) -> tuple[ComplexArray, ComplexArray]:
    """(3, 3) admittance and (3,) open-circuit volts of the source."""
    z1, z0 = complex(source.r1_ohm, source.x1_ohm), complex(source.r0_ohm, source.x0_ohm)
    z1, z0 = (z if abs(z) >= SOURCE_OHM_MIN else 1j * SOURCE_OHM_MIN for z in (z1, z0))
    mutual = (z0 - z1) / 3.0
    z = np.full((3, 3), mutual, dtype=np.complex128) + np.eye(3) * z1
    volt = source.voltage_pu * source.nominal_kv * 1e3 / math.sqrt(3.0)
    emf = np.array([cmath.rect(volt, -2.0 * math.pi * k / 3.0) for k in range(3)], dtype=complex)
    return np.linalg.inv(z).astype(np.complex128), emf
