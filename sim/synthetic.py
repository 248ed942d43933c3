"""Feeders that do not exist: grown from a seed, in the size and style that is asked for.

A trunk with laterals; behind each lateral node a service transformer with its customers: centre
tapped with two legs in North America, three-phase with low-voltage cables in Europe. Conductors are
chosen by what flows through them, lengths are shortened until the voltage holds, regulators stand
at the taps that the drop asks for. The same arguments give the same feeder, digest included.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from math import cos, pi, sin, sqrt
from typing import Final

from gridctl.model.network import (
    MODEL_VERSION,
    ACLineSegment,
    Connection,
    ConnectivityNode,
    EnergyConsumer,
    EquivalentBranch,
    Feeder,
    LoadModel,
    PowerTransformer,
    ShuntCapacitor,
    Source,
    VoltageRegulator,
)
from sim.service_transformer import LEG_KV, centre_tapped
from sim.synthetic_styles import (
    LV_MAIN,
    LV_SERVICE,
    SHAPES,
    TRIPLEX,
    Conductor,
    Shape,
    Style,
)

NODES_MIN: Final = 50
NODES_MAX: Final = 20_000
_FEEDER_KW_MAX: Final = 9000.0
_POWER_FACTOR: Final = 0.95
_HEAD_PU: Final = 1.03
_AIM_PU: Final = 1.02
_STEP_PU: Final = 0.00625
_TAP_MAX: Final = 16
_LV_KV: Final = 0.4
_CAPACITOR_SHARE: Final = 0.35
_LATERAL_M: Final = 120.0
_MODELS: Final = (
    LoadModel.CONSTANT_POWER,
    LoadModel.CONSTANT_IMPEDANCE,
    LoadModel.CONSTANT_CURRENT,
)
_MODEL_SHARES: Final = (0.4, 0.4, 0.2)
_REGULATOR_KVA_MIN: Final = 1500.0
_THREE: Final = 3
_HOUSES_PER_STREET: Final = 12
_ON_LEGS: Final = 0.5
"""Share of customers with a part of their load on the single legs."""
_SERVICE_MARGIN: Final = 1.1
"""Rating of a service transformer over what its customers draw. A hot day is a fifth more: then
some are overloaded, as they are in towns."""
_THREE_PHASE: Final = 0.4
"""Share of European customers with three phases."""


@dataclass(slots=True)
class _Bus:
    """A medium-voltage node while it grows; `kw` is what hangs behind it, per phase."""

    name: str
    phases: str
    parent: int
    length_m: float
    x: float
    y: float
    heading: float
    is_trunk: bool
    kw: dict[str, float] = field(default_factory=dict)


def generate(*, nodes: int, style: Style, seed: int) -> Feeder:
    """A feeder of exactly `nodes` nodes. ValueError for a size that is not made."""
    if not NODES_MIN <= nodes <= NODES_MAX:
        raise ValueError(f"a feeder of {nodes} nodes: {NODES_MIN} to {NODES_MAX} can be made")
    return _Growth(nodes, style, seed).feeder()


class _Growth:
    def __init__(self, nodes: int, style: Style, seed: int) -> None:
        self.wanted = nodes
        self.style = style
        self.seed = seed
        self.shape: Shape = SHAPES[style]
        self.rng = random.Random(f"{style}-{nodes}-{seed}")  # noqa: S311 - a map, no secret
        self.nodes: list[ConnectivityNode] = []
        self.buses: list[_Bus] = []
        self.lines: list[ACLineSegment] = []
        self.transformers: list[PowerTransformer] = []
        self.equivalents: list[EquivalentBranch] = []
        self.consumers: list[EnergyConsumer] = []
        self.regulators: list[VoltageRegulator] = []
        self.behind: dict[str, str] = {}
        self.on_phase = dict.fromkeys("ABC", 0.0)

    def feeder(self) -> Feeder:
        self._trunk()
        while self._left() > 0:
            self._lateral()
        self._scale_load()
        self._sum_up()
        lengths = self._fit_lengths()
        self._regulators(lengths)
        self._wires(lengths)
        kv = self.shape.kv
        return Feeder(
            mrid=f"{self.style}-{self.wanted}-{self.seed}",
            name=f"Synthetic {self.style} feeder, {self.wanted} nodes, seed {self.seed}",
            version=MODEL_VERSION,
            frequency_hz=self.shape.frequency_hz,
            source=Source(
                node="head",
                nominal_kv=kv,
                voltage_pu=_HEAD_PU,
                r1_ohm=0.01 * kv / 12.47,
                x1_ohm=0.15 * kv / 12.47,
                r0_ohm=0.02 * kv / 12.47,
                x0_ohm=0.2 * kv / 12.47,
            ),
            nodes=tuple(self.nodes),
            lines=tuple(self.lines),
            switches=(),
            transformers=tuple(self.transformers),
            regulators=tuple(self.regulators),
            capacitors=self._capacitors(),
            consumers=tuple(self.consumers),
            equivalents=tuple(self.equivalents),
        )

    def _left(self) -> int:
        """Nodes that may still be made; the places of the regulators are kept free."""
        return self.wanted - len(self.nodes) - 1 - self.shape.line_regulators

    # ---- medium voltage -----------------------------------------------------------------------

    def _bus(self, parent: int, phases: str, *, is_trunk: bool, heading: float) -> int:
        above = self.buses[parent] if parent >= 0 else None
        length = 0.0 if above is None else self.rng.uniform(*self.shape.span_m)
        x, y = (0.0, 0.0) if above is None else (above.x, above.y)
        x, y = x + length * cos(heading), y + length * sin(heading)
        name = "head" if above is None else f"m{len(self.buses)}"
        self.buses.append(
            _Bus(
                name=name, phases=phases, parent=parent, length_m=length, x=x, y=y,
                heading=heading, is_trunk=is_trunk,
            )
        )  # fmt: skip
        self._node(name, self.shape.kv, phases, x, y)
        return len(self.buses) - 1

    def _node(self, name: str, kv: float, phases: str, x: float, y: float) -> None:
        place = (round(x, 1), round(y, 1))
        self.nodes.append(
            ConnectivityNode(mrid=name, nominal_kv=kv, phases=phases, x=place[0], y=place[1])
        )

    def _trunk(self) -> None:
        count = max(6, round(0.9 * sqrt(self.wanted)))
        at = self._bus(-1, "ABC", is_trunk=True, heading=0.0)
        for _ in range(count):
            at = self._bus(at, "ABC", is_trunk=True, heading=self.rng.gauss(0.0, 0.25))

    def _lateral(self) -> None:
        trunk = [i for i, bus in enumerate(self.buses) if bus.is_trunk][1:]
        at = self.rng.choice(trunk)
        phases = self._lateral_phases()
        side = self.rng.choice((-1.0, 1.0)) * pi / 2.0
        for _ in range(self.rng.randint(*self.shape.lateral_nodes)):
            if self._left() <= 0:
                return
            heading = side + self.rng.gauss(0.0, 0.3)
            at = self._bus(at, phases, is_trunk=False, heading=heading)
            self._service(at)

    def _lateral_phases(self) -> str:
        count = self.rng.choices((1, 2, _THREE), self.shape.phase_shares)[0]
        # Planners balance, but not perfectly: the lighter phase is likelier.
        ranked = sorted("ABC", key=lambda p: self.on_phase[p] * self.rng.uniform(0.7, 1.3))
        return "".join(sorted(ranked[:count]))

    # ---- service ------------------------------------------------------------------------------

    def _service(self, at: int) -> None:
        bus = self.buses[at]
        customers = self.rng.randint(*self.shape.customers)
        if self._left() < 2:  # noqa: PLR2004 - a secondary and a customer
            if self._left() == 0 or not self.consumers:
                self._customer_at(bus)
            return
        if self.style is Style.EUROPEAN_LV:
            self._station(bus, customers)
        else:
            self._centre_tapped(bus, customers)

    def _customer_at(self, bus: _Bus) -> None:
        """A customer with a meter at medium voltage: where no node is left for more."""
        kw = self.rng.uniform(20.0, 60.0)
        first = bus.phases[0]
        self._load(bus.name, first, kw, medium=bus.name, phase=first, kv=self.shape.kv)

    def _load(
        self,
        node: str,
        phases: str,
        kw: float,
        *,
        medium: str,
        phase: str,
        kv: float,
        between: bool = False,
    ) -> None:
        """A consumer of `kw` at `node`, which hangs on `phase` of the medium-voltage node."""
        count = 1 if between else len(phases)
        tangent = sqrt(1.0 / self.rng.uniform(0.9, 0.99) ** 2 - 1.0)
        each = tuple(round(kw / count * self.rng.uniform(0.85, 1.15), 3) for _ in range(count))
        self.consumers.append(
            EnergyConsumer(
                mrid=f"c{len(self.consumers) + 1}",
                node=node,
                phases=phases,
                connection=Connection.DELTA if between else Connection.WYE,
                model=self.rng.choices(_MODELS, _MODEL_SHARES)[0],
                kw=each,
                kvar=tuple(round(v * tangent, 3) for v in each),
                nominal_kv=kv,
            )
        )
        self.behind[self.consumers[-1].mrid] = medium
        for k, v in enumerate(each):
            self.on_phase[phase[k % len(phase)]] += v

    def _centre_tapped(self, bus: _Bus, customers: int) -> None:
        phase = min(bus.phases, key=lambda p: self.on_phase[p])
        kws = [self.rng.uniform(*self.shape.customer_kw) for _ in range(customers)]
        kva = next(
            (k for k in self.shape.service_kva if k >= _SERVICE_MARGIN * sum(kws)),
            self.shape.service_kva[-1],
        )
        name = f"s{bus.name[1:]}"
        leg_kv = LEG_KV * sqrt(3.0)
        self._node(name, leg_kv, "12", bus.x + 6.0, bus.y + 6.0)
        self.equivalents.append(
            centre_tapped(
                f"t{bus.name[1:]}", (bus.name, phase), name, kv=self.shape.kv / sqrt(3.0), kva=kva
            )
        )
        for i, kw in enumerate(kws):
            if self._left() <= 0:
                self._load(
                    name, "12", kw, medium=bus.name, phase=phase, kv=2.0 * LEG_KV, between=True
                )
                return
            house = f"{name}_{i + 1}"
            angle = 2.0 * pi * i / customers
            metres = self.rng.uniform(*self.shape.drop_m)
            self._node(
                house, leg_kv, "12", bus.x + metres * cos(angle), bus.y + metres * sin(angle)
            )
            self._line(f"d{house[1:]}", (name, house), "12", metres, TRIPLEX)
            rest = kw
            if self.rng.random() < _ON_LEGS:
                on_legs, two = 0.4 * kw, phase * 2
                self._load(house, "12", on_legs, medium=bus.name, phase=two, kv=leg_kv)
                rest = 0.6 * kw
            self._load(
                house, "12", rest, medium=bus.name, phase=phase, kv=2.0 * LEG_KV, between=True
            )

    def _station(self, bus: _Bus, customers: int) -> None:
        kws = [self.rng.uniform(*self.shape.customer_kw) for _ in range(customers)]
        kva = next(
            (k for k in self.shape.service_kva if k >= _SERVICE_MARGIN * sum(kws)),
            self.shape.service_kva[-1],
        )
        name = f"s{bus.name[1:]}"
        self._node(name, _LV_KV, "ABC", bus.x + 8.0, bus.y + 8.0)
        self.transformers.append(
            PowerTransformer(
                mrid=f"t{bus.name[1:]}",
                from_node=bus.name,
                to_node=name,
                phases="ABC",
                rating_kva=kva,
                from_kv=self.shape.kv,
                to_kv=_LV_KV,
                from_connection=Connection.DELTA,
                to_connection=Connection.WYE,
                r_pct=1.1,
                x_pct=3.85,
            )
        )
        placed = 0
        for street in range(1 + (customers - 1) // _HOUSES_PER_STREET):
            placed = self._street(bus, name, street, kws, placed)

    def _street(self, bus: _Bus, station: str, street: int, kws: list[float], placed: int) -> int:
        """A low-voltage cable with a joint and a service for each house; how many have theirs."""
        at, (x, y) = station, (bus.x, bus.y)
        heading = self.rng.uniform(0.0, 2.0 * pi)
        for k in range(_HOUSES_PER_STREET):
            if placed == len(kws) or self._left() < 2:  # noqa: PLR2004 - a joint and a house
                break
            metres = self.rng.uniform(*self.shape.drop_m)
            x, y = x + metres * cos(heading), y + metres * sin(heading)
            joint, house = f"j{bus.name[1:]}_{street}_{k}", f"h{bus.name[1:]}_{street}_{k}"
            self._node(joint, _LV_KV, "ABC", x, y)
            self._line(f"l{joint}", (at, joint), "ABC", metres, LV_MAIN)
            phases = "ABC" if self.rng.random() < _THREE_PHASE else self.rng.choice("ABC")
            self._node(house, _LV_KV, phases, x - 12.0 * sin(heading), y + 12.0 * cos(heading))
            self._line(f"l{house}", (joint, house), phases, self.rng.uniform(8, 20), LV_SERVICE)
            self._load(house, phases, kws[placed], medium=bus.name, phase=phases, kv=_LV_KV)
            at, placed = joint, placed + 1
        if placed == 0:
            self._load(station, "ABC", sum(kws), medium=bus.name, phase="ABC", kv=_LV_KV)
            return len(kws)
        return placed

    # ---- sizes --------------------------------------------------------------------------------

    def _scale_load(self) -> None:
        """No feeder carries more than 9 MW: on a large one each customer draws less at the peak."""
        total = sum(sum(c.kw) for c in self.consumers)
        if total > _FEEDER_KW_MAX:
            factor = _FEEDER_KW_MAX / total
            self.consumers = [_scaled(c, factor) for c in self.consumers]

    def _sum_up(self) -> None:
        """kW behind each medium-voltage node."""
        by_name = {bus.name: bus for bus in self.buses}
        service = {e.mrid[1:]: e.terminals[0][1] for e in self.equivalents}
        for consumer in self.consumers:
            bus = by_name[self.behind[consumer.mrid]]
            own = service.get(bus.name[1:], "")
            phases = own or (consumer.phases if set(consumer.phases) <= set("ABC") else bus.phases)
            for phase in phases:
                bus.kw[phase] = bus.kw.get(phase, 0.0) + sum(consumer.kw) / len(phases)
        for bus in reversed(self.buses[1:]):
            above = self.buses[bus.parent]
            for phase, kw in bus.kw.items():
                above.kw[phase] = above.kw.get(phase, 0.0) + kw

    def _amps(self, bus: _Bus) -> float:
        worst = max(bus.kw.values(), default=0.0)
        return worst / _POWER_FACTOR / (self.shape.kv / sqrt(3.0))

    def _wire(self, bus: _Bus) -> Conductor:
        # Laterals are built for half their rating, the trunk to carry a neighbour's load too.
        need = self._amps(bus) * (1.6 if bus.is_trunk else 2.0)
        ranked = self.shape.conductors
        return next((c for c in ranked if c.rating_a >= need), ranked[-1])

    def _drops(self, lengths: list[float]) -> list[float]:
        """Estimated drop of the heaviest phase from the head to each bus, pu."""
        tangent = sqrt(1.0 / _POWER_FACTOR**2 - 1.0)
        found = [0.0]
        base = (self.shape.kv / sqrt(3.0)) ** 2 * 1e3
        for bus, metres in zip(self.buses[1:], lengths[1:], strict=True):
            wire = self._wire(bus)
            kw = max(bus.kw.values(), default=0.0)
            own = (wire.r1 + wire.x1 * tangent) * metres / 1e3 * kw / base
            found.append(found[bus.parent] + own)
        return found

    def _fit_lengths(self) -> list[float]:
        lengths = [bus.length_m for bus in self.buses]
        worst = max(self._drops(lengths))
        factor = min(1.0, self.shape.drop_max / worst) if worst > 0.0 else 1.0
        return [metres * factor for metres in lengths]

    # ---- what hangs on it ---------------------------------------------------------------------

    def _regulators(self, lengths: list[float]) -> None:
        """One behind the head, more along the trunk where the style has them."""
        drops = self._drops(lengths)
        trunk = [i for i, bus in enumerate(self.buses) if bus.is_trunk]
        shares = [
            (k + 1) / (self.shape.line_regulators + 1) for k in range(self.shape.line_regulators)
        ]
        places = [trunk[0], *(trunk[max(1, int(s * (len(trunk) - 1)))] for s in shares)]
        lifted = _HEAD_PU - 1.0
        for k, place in enumerate(places):
            bus = self.buses[place]
            seen = 1.0 + lifted - drops[place]
            tap = max(0, min(_TAP_MAX, round((_AIM_PU - seen) / _STEP_PU)))
            lifted += tap * _STEP_PU
            name = f"reg{k}"
            self._node(f"{name}_out", self.shape.kv, "ABC", bus.x + 5.0, bus.y)
            kva = max(_REGULATOR_KVA_MIN, 1.5 * sum(bus.kw.values()) / _POWER_FACTOR)
            self.regulators.append(
                VoltageRegulator(
                    mrid=name,
                    from_node=bus.name,
                    to_node=f"{name}_out",
                    phases="ABC",
                    taps=(tap,) * _THREE,
                    step_pu=_STEP_PU,
                    tap_min=-_TAP_MAX,
                    tap_max=_TAP_MAX,
                    ganged=False,
                    vreg_v=(123.0,) * _THREE,
                    band_v=2.0,
                    pt_ratio=self.shape.kv * 1e3 / sqrt(3.0) / 120.0,
                    ct_primary_a=400.0,
                    ldc_r_v=(0.0,) * _THREE,
                    ldc_x_v=(0.0,) * _THREE,
                    rating_kva=round(kva, -2),
                    delay_s=30.0 + 15.0 * k,
                )
            )

    def _wires(self, lengths: list[float]) -> None:
        behind = {r.from_node: r.to_node for r in self.regulators}
        for bus, metres in zip(self.buses[1:], lengths[1:], strict=True):
            above = self.buses[bus.parent].name
            # The trunk goes on behind a regulator; laterals leave in front of a line regulator.
            goes_on = bus.is_trunk or above == "head"
            start = behind.get(above, above) if goes_on else above
            self._line(f"l{bus.name}", (start, bus.name), bus.phases, metres, self._wire(bus))

    def _line(
        self, mrid: str, ends: tuple[str, str], phases: str, metres: float, wire: Conductor
    ) -> None:
        count = len(phases)
        pairs = ((wire.r0, wire.r1), (wire.x0, wire.x1), (wire.b0, wire.b1))
        own, mutual = (
            tuple((zero + k * positive) / 3.0 for zero, positive in pairs) for k in (2.0, -1.0)
        )
        matrices = tuple(
            tuple(
                tuple(own[q] if i == j else mutual[q] for j in range(count)) for i in range(count)
            )
            for q in range(_THREE)
        )
        self.lines.append(
            ACLineSegment(
                mrid=mrid,
                from_node=ends[0],
                to_node=ends[1],
                phases=phases,
                length_km=round(max(metres, 1.0) / 1e3, 6),
                r_ohm_per_km=matrices[0],
                x_ohm_per_km=matrices[1],
                b_us_per_km=matrices[2],
                rating_a=wire.rating_a,
            )
        )

    def _capacitors(self) -> tuple[ShuntCapacitor, ...]:
        """Two banks on the trunk, a third of the reactive load each way; none in Europe."""
        if self.style is Style.EUROPEAN_LV:
            return ()
        trunk = [bus for bus in self.buses if bus.is_trunk]
        kvar = _CAPACITOR_SHARE * sum(sum(c.kvar) for c in self.consumers) / 2.0
        each = max(25.0, round(kvar / _THREE / 25.0) * 25.0)
        return tuple(
            ShuntCapacitor(
                mrid=f"cap{k + 1}",
                node=trunk[int(share * (len(trunk) - 1))].name,
                phases="ABC",
                connection=Connection.WYE,
                kvar=(each,) * _THREE,
                nominal_kv=self.shape.kv,
                is_closed=True,
            )
            for k, share in enumerate((0.5, 0.8))
        )


def _scaled(consumer: EnergyConsumer, factor: float) -> EnergyConsumer:
    return replace(
        consumer,
        kw=tuple(round(v * factor, 4) for v in consumer.kw),
        kvar=tuple(round(v * factor, 4) for v in consumer.kvar),
    )
