"""A feeder as OpenDSS text: what the mirror's engine is given.

Every entry of a consumer and every phase of a regulator is an element of its own, so that the
simulator can move it. OpenDSS has no element with an admittance of its own choosing, so that an
equivalent branch becomes one reactor between each two of its terminals, which is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import pi, sqrt
from typing import Final, TypeAlias

import numpy as np

from gridctl.model.network import (
    HIGH_LEG,
    ACLineSegment,
    Connection,
    EnergyConsumer,
    EquivalentBranch,
    Feeder,
    LoadModel,
    PowerTransformer,
    ShuntCapacitor,
    Switch,
    VoltageRegulator,
)
from sim.feeder import consumer_branches, load_element, regulator_element

LOAD_MODEL: Final = {
    LoadModel.CONSTANT_POWER: 1,
    LoadModel.CONSTANT_IMPEDANCE: 2,
    LoadModel.MOTOR: 3,
    LoadModel.CVR: 4,
    LoadModel.CONSTANT_CURRENT: 5,
    LoadModel.FIXED_Q: 6,
    LoadModel.FIXED_Q_IMPEDANCE: 7,
    LoadModel.ZIP: 8,
}
"""OpenDSS's numbers of the load models."""
NODE_NUMBER: Final = {
    **{letter: i for i, letter in enumerate("ABCN", start=1)},
    **{letter: int(letter) for letter in ("1", "2", HIGH_LEG)},
    **{letter: int(letter) for letter in "56789"},
}
"""OpenDSS's number of each conductor at a bus; a leg of a split-phase secondary is 1 or 2."""
REGULATOR_X_PCT: Final = 3e-5
"""OpenDSS wants an impedance in a transformer; ours are ideal: next to nothing on rating_kva."""
_SWITCH_OHM: Final = 1e-6
_LOW_KV, _LOW_SWITCH_OHM = 1.0, 1e-7
"""A closed switch is ideal: next to nothing, less where the currents are those of low voltage."""
_LOAD_V_MIN_PU: Final = 0.5
_LOAD_V_MAX_PU: Final = 1.5
"""Outside these OpenDSS turns a load into an impedance; far out, so that models stay pure."""
_NOTHING: Final = 1e-12
"""Share of a terminal's own admittance below which there is nothing between two terminals."""

Matrix: TypeAlias = tuple[tuple[float, ...], ...]


def opendss_commands(feeder: Feeder) -> list[str]:
    """The feeder as OpenDSS text, one command each, controls off and taps pinned. Ends with the
    voltage bases set; the caller says `solve`."""
    source = feeder.source
    kv = {node.mrid: node.nominal_kv for node in feeder.nodes}
    return [
        "clear",
        f"set defaultbasefrequency={feeder.frequency_hz:g}",
        (
            f"new circuit.{feeder.mrid} basekv={source.nominal_kv!r} bus1={source.node} "
            f"pu={source.voltage_pu!r} r1={source.r1_ohm!r} x1={source.x1_ohm!r} "
            f"r0={source.r0_ohm!r} x0={source.x0_ohm!r}"
        ),
        *(_line_command(line, feeder.frequency_hz) for line in feeder.lines),
        *(_switch_command(s, kv[s.from_node]) for s in feeder.switches if not s.is_open),
        *(_transformer_command(t) for t in feeder.transformers),
        *(c for r in feeder.regulators for c in _regulator_commands(r, feeder)),
        *(c for e in feeder.equivalents for c in _equivalent_commands(e)),
        *(c for bank in feeder.capacitors for c in _capacitor_commands(bank)),
        *(c for consumer in feeder.consumers for c in _load_commands(consumer)),
        f"set voltagebases=[{' '.join(f'{kv:g}' for kv in _bases(feeder))}]",
        "calcvoltagebases",
        "set controlmode=off",
        "set tolerance=1e-9",
        "set maxiterations=100",
    ]


def _bases(feeder: Feeder) -> list[float]:
    return sorted({n.nominal_kv for n in feeder.nodes}, reverse=True)


def _bus(node: str, phases: str) -> str:
    return node + "".join(f".{NODE_NUMBER[p]}" for p in phases)


def _lower(matrix: Matrix, scale: float) -> str:
    rows = (" ".join(repr(v * scale) for v in row[: i + 1]) for i, row in enumerate(matrix))
    return "[" + " | ".join(rows) + "]"


def _line_command(line: ACLineSegment, frequency_hz: float) -> str:
    # b = omega * C; OpenDSS asks for nF per unit of length.
    nf_per_us = 1e3 / (2 * pi * frequency_hz)
    return (
        f"new line.{line.mrid} phases={len(line.phases)} bus1={_bus(line.from_node, line.phases)} "
        f"bus2={_bus(line.to_node, line.phases)} "
        f"rmatrix={_lower(line.r_ohm_per_km, 1.0)} xmatrix={_lower(line.x_ohm_per_km, 1.0)} "
        f"cmatrix={_lower(line.b_us_per_km, nf_per_us)} length={line.length_km!r} units=km"
    )


def _switch_command(switch: Switch, nominal_kv: float) -> str:
    ohm = _LOW_SWITCH_OHM if nominal_kv < _LOW_KV else _SWITCH_OHM
    return (
        f"new line.{switch.mrid} phases={len(switch.phases)} "
        f"bus1={_bus(switch.from_node, switch.phases)} bus2={_bus(switch.to_node, switch.phases)} "
        f"switch=yes r1={ohm!r} r0={ohm!r} x1=0 x0=0 c1=0 c0=0 length=1"
    )


def _transformer_command(transformer: PowerTransformer) -> str:
    t = transformer
    return (
        f"new transformer.{t.mrid} phases={len(t.phases)} windings=2 "
        f"buses=[{_bus(t.from_node, t.phases)} {_bus(t.to_node, t.phases)}] "
        f"conns=[{t.from_connection.value} {t.to_connection.value}] "
        f"kvs=[{t.from_kv!r} {t.to_kv!r}] kvas=[{t.rating_kva!r} {t.rating_kva!r}] "
        f"%rs=[{t.r_pct / 2!r} {t.r_pct / 2!r}] xhl={t.x_pct!r}"
    )


def _regulator_commands(regulator: VoltageRegulator, feeder: Feeder) -> Iterator[str]:
    r = regulator
    kv = feeder.node_index()[r.from_node].nominal_kv / sqrt(3)
    kva = r.rating_kva / len(r.phases)
    for phase, tap in zip(r.phases, r.taps, strict=True):
        yield (
            f"new transformer.{regulator_element(r.mrid, phase)} phases=1 windings=2 "
            f"buses=[{_bus(r.from_node, phase)} {_bus(r.to_node, phase)}] conns=[wye wye] "
            f"kvs=[{kv!r} {kv!r}] kvas=[{kva!r} {kva!r}] xhl={REGULATOR_X_PCT!r} "
            f"%loadloss=1e-6 ppm=0 numtaps={r.tap_max - r.tap_min} "
            f"maxtap={1 + r.tap_max * r.step_pu!r} mintap={1 + r.tap_min * r.step_pu!r} "
            f"taps=[1 {1 + tap * r.step_pu!r}]"
        )


def _equivalent_commands(branch: EquivalentBranch) -> Iterator[str]:
    siemens = np.array(branch.g_s) + 1j * np.array(branch.b_s)
    own = np.abs(np.diag(siemens))
    places = [_bus(node, phase) for node, phase in branch.terminals]
    for i, place in enumerate(places):
        ends = [(siemens[i].sum(), own[i], "")]
        ends += [
            (-siemens[i, k], min(own[i], own[k]), f" bus2={places[k]}")
            for k in range(i + 1, len(places))
        ]
        for k, (y, scale, to) in enumerate(ends):
            if abs(y) > _NOTHING * scale:
                ohm = 1 / y
                yield (
                    f"new reactor.{branch.mrid}_{i}_{k} phases=1 bus1={place}{to} "
                    f"r={float(ohm.real)!r} x={float(ohm.imag)!r}"
                )


def _capacitor_commands(bank: ShuntCapacitor) -> Iterator[str]:
    wye = bank.connection is Connection.WYE
    kv = bank.nominal_kv / sqrt(3) if wye else bank.nominal_kv
    names = capacitor_elements(bank)
    for (branch, name), kvar in zip(names.items(), bank.kvar, strict=True):
        yield (
            f"new capacitor.{name} phases=1 conn={bank.connection.value} "
            f"bus1={_bus(bank.node, branch)} kvar={kvar!r} kv={kv!r} "
            f"states=[{1 if bank.is_closed else 0}]"
        )


def capacitor_elements(bank: ShuntCapacitor) -> dict[str, str]:
    """OpenDSS name of each entry of a bank, by the phase or the pair that it sits between."""
    if bank.connection is Connection.WYE:
        branches = tuple(bank.phases)
    elif len(bank.kvar) == 1:
        branches = (bank.phases,)
    else:
        branches = tuple(
            a + b for a, b in zip(bank.phases, bank.phases[1:] + bank.phases[:1], strict=True)
        )
    return {branch: f"{bank.mrid}_{branch}".lower() for branch in branches}


def _load_commands(consumer: EnergyConsumer) -> Iterator[str]:
    wye = consumer.connection is Connection.WYE
    kv = consumer.nominal_kv / sqrt(3) if wye else consumer.nominal_kv
    rest = _response_text(consumer)
    for branch, kw, kvar in zip(
        consumer_branches(consumer), consumer.kw, consumer.kvar, strict=True
    ):
        yield (
            f"new load.{load_element(consumer.mrid, branch)} phases=1 "
            f"bus1={_bus(consumer.node, branch + consumer.neutral)} "
            f"conn={consumer.connection.value} model={LOAD_MODEL[consumer.model]} "
            f"kv={kv!r} kw={kw!r} kvar={kvar!r} {rest}"
        )


def _response_text(consumer: EnergyConsumer) -> str:
    response = consumer.response
    if response is None:
        band = f"vminpu={_LOAD_V_MIN_PU} vmaxpu={_LOAD_V_MAX_PU}"
        return band + (" cvrwatts=1 cvrvars=2" if consumer.model is LoadModel.CVR else "")
    text = f"vlowpu={response.v_low_pu!r} vminpu={response.v_min_pu!r} vmaxpu={response.v_max_pu!r}"
    if consumer.model is LoadModel.CVR:
        text += f" cvrwatts={response.exponents[0]!r} cvrvars={response.exponents[1]!r}"
    if consumer.model is LoadModel.ZIP and response.zip_shares is not None:
        shares = " ".join(map(repr, (*response.zip_shares, response.dropout_pu)))
        text += f" zipv=[{shares}]"
    return text
