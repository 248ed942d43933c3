"""pandapower and SimBench nets as feeders of the model."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite, sqrt
from pathlib import Path
from typing import Final

from gridctl.model.errors import ConfigError
from gridctl.model.network import (
    MODEL_VERSION,
    PHASES,
    ConnectivityNode,
    Feeder,
    Source,
)
from sim.feeder_import.net_branches import NetBranches
from sim.feeder_import.net_consumers import NetConsumers
from sim.feeder_import.net_file import NetFile, Row, in_service
from sim.feeder_import.net_profiles import profiles_of
from sim.feeder_import.opendss import Imported
from sim.feeder_import.report import Fate

_STIFF_OHM: Final = 1e-6
_THREE_PHASE_PU: Final = 1e-5
"""pandapower's unbalanced flow stops at 1e-8 MVA: on the European LV feeder 4e-6 pu from where it
ends at 1e-11; its source gives no impedance to the positive sequence, but to the negative one: 2e-6
pu there."""
_ALIKE: Final = ("vm_pu", "va_degree")
_TAKEN: Final = frozenset(
    {
        "bus", "line", "trafo", "trafo3w", "switch", "shunt", "impedance", "load", "motor", "ward",
        "asymmetric_load", "asymmetric_sgen", "xward", "sgen", "storage", "gen", "ext_grid",
    }
)  # fmt: skip
_BUS_COLUMNS: Final = ("bus", "from_bus", "hv_bus", "bus_dc")


def import_pandapower(file: Path, name: str) -> Imported:
    """Read the net in `file` as feeder `name`.

    `Imported.reference_v` has the solution that the file holds: the magnitudes of `res_bus`, or
    with unbalanced loads the phases of `res_bus_3ph`. Raises ConfigError naming table and index
    for a figure that is none, for a net without an external grid, and for a file that is no
    pandapower net.
    """
    return _Net(NetFile(file), name).imported()


class _Net:
    def __init__(self, net: NetFile, name: str) -> None:
        self.net = net
        self.name = name
        self.labels: dict[int, str] = {}
        self.kv: dict[int, float] = {}

    def imported(self) -> Imported:
        net = self.net
        self._buses()
        beside = self._beside()
        source, others = self._source(beside)
        live = self._live(beside, (source, *others))
        branches = NetBranches(
            net=net,
            labels=self.labels,
            kv=self.kv,
            placed=self._nodes(live),
            live=live,
            hz=self._hz(),
        )
        for bus in others:
            branches.switch(
                f"ext_grid_{bus}", (self.labels[source], self.labels[bus]), is_open=False
            )
        branches.run()
        consumers = NetConsumers(branches)
        consumers.run()
        self._refuse_the_rest()
        feeder = self._feeder(source, branches, consumers)
        shapes = profiles_of(net, {p.shape for p in consumers.profiles.values()})
        return Imported(
            feeder=feeder,
            report=net.report,
            reference_v=self._reference(live),
            ders=tuple(consumers.ders),
            shapes=shapes,
            profiles={c: p for c, p in consumers.profiles.items() if p.shape in shapes},
            compared=replace(feeder, consumers=(*feeder.consumers, *consumers.given)),
            reference_within_pu=_THREE_PHASE_PU if self._is_unbalanced() else 0.0,
        )

    def _hz(self) -> float:
        return float(self.net.extra.get("f_hz") or 50.0)

    # ---- the source ---------------------------------------------------------------------------

    def _source(self, beside: Mapping[int, list[int]]) -> tuple[int, tuple[int, ...]]:
        """The bus of the external grid that most load hangs on, and those of others that hold
        the same voltage: stiff as they are, they are one."""
        net = self.net
        grids = {i: row for i, row in net.rows("ext_grid").items() if in_service(row)}
        if not grids:
            raise ConfigError("the net has no external grid (ext_grid)", file=str(net.file))
        for row in grids.values():
            if int(row["bus"]) not in self.kv:
                raise ConfigError(
                    f"ext_grid stands at bus {row['bus']}, which is none", file=str(net.file)
                )
        held = {
            i: (self.kv[int(row["bus"])], *(net.figure("ext_grid", i, k, 0.0) for k in _ALIKE))
            for i, row in grids.items()
        }
        reach = {i: self._load_mw(_reached(beside, [int(grids[i]["bus"])])) for i in grids}
        best = max(grids, key=lambda i: (reach[i], -i))
        alike = [i for i in grids if i != best and held[i] == held[best]]
        for index in grids:
            if index in alike:
                why = f"the same stiff voltage as ext_grid {best}: joined to it by a closed switch"
                net.report.add(f"ext_grid.{index}", Fate.KEPT, why)
            elif index != best:
                why = f"a feeder has one source, and most load hangs on ext_grid {best}"
                net.report.add(f"ext_grid.{index}", Fate.REFUSED, why)
        net.report.add(f"ext_grid.{best}", Fate.KEPT, "stiff, as pandapower computes it")
        bus = int(grids[best]["bus"])
        others = dict.fromkeys(int(grids[i]["bus"]) for i in alike)
        return bus, tuple(b for b in others if b != bus)

    def _load_mw(self, buses: set[int]) -> float:
        rows = self.net.rows("load")
        return sum(
            abs(self.net.figure("load", i, "p_mw", 0.0))
            for i, row in rows.items()
            if in_service(row) and int(row["bus"]) in buses
        )

    def _buses(self) -> None:
        taken: set[str] = set()
        for index, row in self.net.rows("bus").items():
            label = re.sub(r"[^a-z0-9_-]+", "_", str(row.get("name") or "").lower()).strip("_")
            if not label or label in taken:
                label = f"{label or 'bus'}_{index}"
            taken.add(label)
            self.labels[index] = label
            self.kv[index] = self.net.figure("bus", index, "vn_kv")

    def _beside(self) -> dict[int, list[int]]:
        """Neighbours of each bus over everything in service, open switches included."""
        beside: dict[int, list[int]] = {}
        for table, *ends in (
            ("line", "from_bus", "to_bus"),
            ("trafo", "hv_bus", "lv_bus"),
            ("trafo3w", "hv_bus", "mv_bus"),
            ("trafo3w", "hv_bus", "lv_bus"),
            ("impedance", "from_bus", "to_bus"),
        ):
            for row in self.net.rows(table).values():
                if in_service(row):
                    a, b = (int(row[end]) for end in ends)
                    beside.setdefault(a, []).append(b)
                    beside.setdefault(b, []).append(a)
        for row in self.net.rows("switch").values():
            if row.get("et") == "b":
                beside.setdefault(int(row["bus"]), []).append(int(row["element"]))
                beside.setdefault(int(row["element"]), []).append(int(row["bus"]))
        on = {i for i, row in self.net.rows("bus").items() if in_service(row)}
        return {a: [b for b in others if b in on] for a, others in beside.items()}

    def _live(self, beside: Mapping[int, list[int]], sources: Iterable[int]) -> set[int]:
        """Buses in service that something leads to from the source, open switches included."""
        seen = _reached(beside, sources)
        for index in self.kv:
            if index not in seen:
                why = "not connected to the external grid, or out of service"
                self.net.report.add(f"bus.{index}", Fate.REFUSED, why)
        return seen

    def _refuse_the_rest(self) -> None:
        """Whatever else stands at a bus, and the controllers."""
        for table, rows in self.net.tables.items():
            if table in _TAKEN or table.startswith(("res_", "_")):
                continue
            for index, row in rows.items():
                if table == "controller":
                    self.net.report.add(f"{table}.{index}", Fate.REFUSED, "does not act here")
                elif any(column in row for column in _BUS_COLUMNS) and in_service(row):
                    why = f"{table}: no place in the model"
                    self.net.report.add(f"{table}.{index}", Fate.REFUSED, why)

    # ---- the whole ----------------------------------------------------------------------------

    def _nodes(self, live: set[int]) -> list[ConnectivityNode]:
        places = _coordinates(self.net.rows("bus"), self.net.rows("bus_geodata"))
        return [
            ConnectivityNode(
                mrid=self.labels[i],
                nominal_kv=self.kv[i],
                phases=PHASES,
                x=places.get(i, (None, None))[0],
                y=places.get(i, (None, None))[1],
            )
            for i in self.labels
            if i in live
        ]

    def _feeder(self, source: int, branches: NetBranches, consumers: NetConsumers) -> Feeder:
        grids = self.net.rows("ext_grid")
        index = next(i for i, r in grids.items() if int(r["bus"]) == source and in_service(r))
        return Feeder(
            mrid=self.name,
            name=str(self.net.extra.get("name") or self.name),
            version=MODEL_VERSION,
            frequency_hz=self._hz(),
            source=Source(
                node=self.labels[source],
                nominal_kv=self.kv[source],
                voltage_pu=self.net.figure("ext_grid", index, "vm_pu", 1.0),
                r1_ohm=0.0,
                x1_ohm=_STIFF_OHM,
                r0_ohm=0.0,
                x0_ohm=_STIFF_OHM,
            ),
            nodes=(*branches.placed, *branches.inner),
            lines=tuple(branches.lines),
            switches=tuple(branches.switches),
            transformers=tuple(branches.transformers),
            regulators=(),
            capacitors=(),
            consumers=tuple(consumers.found),
            equivalents=tuple(branches.equivalents),
        )

    def _is_unbalanced(self) -> bool:
        return any(self.net.rows(f"asymmetric_{kind}") for kind in ("load", "sgen"))

    def _reference(self, live: set[int]) -> dict[tuple[str, str], complex]:
        """Volts of the solution in the file; magnitudes, as its angles turn with vector groups that
        the model does not have."""
        unbalanced = self._is_unbalanced()
        table = "res_bus_3ph" if unbalanced else "res_bus"
        found: dict[tuple[str, str], complex] = {}
        for index, row in self.net.rows(table).items():
            for phase in PHASES:
                vm = row.get(f"vm_{phase.lower()}_pu" if unbalanced else "vm_pu")
                if index in live and isinstance(vm, float) and isfinite(vm) and vm > 0.0:
                    volt = vm * self.kv[index] * 1e3 / sqrt(3.0)
                    found[self.labels[index], phase] = complex(volt)
        return found


def _reached(beside: Mapping[int, list[int]], sources: Iterable[int]) -> set[int]:
    seen = set(sources)
    queue = deque(seen)
    while queue:
        for there in beside.get(queue.popleft(), ()):
            if there not in seen:
                seen.add(there)
                queue.append(there)
    return seen


def _coordinates(
    buses: Mapping[int, Row], older: Mapping[int, Row]
) -> dict[int, tuple[float, float]]:
    found: dict[int, tuple[float, float]] = {}
    for index, row in older.items():
        if isinstance(row.get("x"), float) and isinstance(row.get("y"), float):
            found[index] = (row["x"], row["y"])
    for index, row in buses.items():
        try:
            x, y = json.loads(row["geo"])["coordinates"][:2]
            found[index] = (float(x), float(y))
        except (KeyError, TypeError, ValueError):
            continue
    return found
