"""pandapower and SimBench nets: the JSON file that `pandapower.to_json` writes, read by ourselves.

pandapower computes one phase of a balanced net; here every line gets three. What the file does not
say of the other sequences is assumed and told. Neither pandapower nor pandas is needed.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite, pi, sqrt
from pathlib import Path
from typing import Any, Final

from gridctl.model.errors import ConfigError
from gridctl.model.network import (
    MODEL_VERSION,
    PHASES,
    ACLineSegment,
    BranchKind,
    Connection,
    ConnectivityNode,
    EnergyConsumer,
    EquivalentBranch,
    Feeder,
    LoadModel,
    PowerTransformer,
    Source,
    Switch,
    VoltageResponse,
)
from sim.feeder_import.opendss import Imported
from sim.feeder_import.report import Fate, Report
from sim.feeder_import.resources import DerKind, DerSite

Row = Mapping[str, Any]

_ZERO_SEQUENCE: Final = 4.0
"""Where a line has no zero sequence: so many times its positive one."""
_STIFF_OHM: Final = 1e-4
_SHORT_OHM: Final = 1e-6
_REFUSED: Final = (
    "gen", "motor", "trafo3w", "impedance", "ward", "xward", "dcline", "svc", "ssc", "vsc", "tcsc",
    "line_dc", "bus_dc",
)  # fmt: skip
_BAND: Final = VoltageResponse(v_min_pu=0.5, v_max_pu=1.5)


def import_pandapower(file: Path, name: str) -> Imported:
    """Read the net in `file` as feeder `name`.

    `Imported.reference_v` has the magnitudes of `res_bus` where the file holds a solution.
    Raises ConfigError naming table and index for a figure that is none, for a net without an
    external grid, and for a file that is no pandapower net.
    """
    return _Net(file, name).imported()


@dataclass(slots=True)
class _Net:
    file: Path
    name: str
    tables: dict[str, dict[int, Row]] = field(init=False)
    extra: dict[str, Any] = field(init=False)
    report: Report = field(init=False)
    labels: dict[int, str] = field(default_factory=dict)
    kv: dict[int, float] = field(default_factory=dict)
    lines: list[ACLineSegment] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    transformers: list[PowerTransformer] = field(default_factory=list)
    equivalents: list[EquivalentBranch] = field(default_factory=list)
    consumers: list[EnergyConsumer] = field(default_factory=list)
    given: list[EnergyConsumer] = field(default_factory=list)
    ders: list[DerSite] = field(default_factory=list)
    placed: list[ConnectivityNode] = field(default_factory=list)
    inner: list[ConnectivityNode] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.report = Report(source=str(self.file))
        self.tables, self.extra = _read(self.file)

    def imported(self) -> Imported:
        source = self._source()
        self._buses()
        live = self._live(source)
        self.placed = self._nodes(live)
        self._lines(live)
        self._switches(live)
        self._transformers(live)
        self._shunts(live)
        self._loads(live)
        self._generation(live)
        for table in _REFUSED:
            for index, row in self.tables.get(table, {}).items():
                if _on(row):
                    why = f"a {table} has no place in the model"
                    self.report.add(f"{table}.{index}", Fate.REFUSED, why)
        feeder = self._feeder(source)
        return Imported(
            feeder=feeder,
            report=self.report,
            reference_v=self._reference(live),
            ders=tuple(self.ders),
            shapes={},
            profiles={},
            compared=replace(feeder, consumers=(*feeder.consumers, *self.given)),
        )

    # ---- reading ------------------------------------------------------------------------------

    def _rows(self, table: str) -> dict[int, Row]:
        return self.tables.get(table, {})

    def _figure(self, table: str, index: int, row: Row, key: str, default: float | None) -> float:
        value = row.get(key)
        if value is None and default is not None:
            return default
        try:
            found = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            found = float("nan")
        if not isfinite(found):
            raise ConfigError(
                f"{table} {index}: {key} is {value!r}, no number",
                file=str(self.file),
                key=f"{table}.{index}.{key}",
            )
        return found

    def _source(self) -> int:
        grids = {i: row for i, row in self._rows("ext_grid").items() if _on(row)}
        if not grids:
            raise ConfigError("the net has no external grid (ext_grid)", file=str(self.file))
        first, *rest = grids
        for index in rest:
            self.report.add(f"ext_grid.{index}", Fate.REFUSED, "a feeder has one source")
        self.report.add(f"ext_grid.{first}", Fate.KEPT, "stiff, as pandapower computes it")
        return int(grids[first]["bus"])

    def _buses(self) -> None:
        taken: set[str] = set()
        for index, row in self._rows("bus").items():
            label = re.sub(r"[^a-z0-9_-]+", "_", str(row.get("name") or "").lower()).strip("_")
            if not label or label in taken:
                label = f"{label or 'bus'}_{index}"
            taken.add(label)
            self.labels[index] = label
            self.kv[index] = self._figure("bus", index, row, "vn_kv", None)

    def _beside(self) -> dict[int, list[int]]:
        """Neighbours of each bus over everything in service, open switches included."""
        beside: dict[int, list[int]] = {}
        for table, a, b in (("line", "from_bus", "to_bus"), ("trafo", "hv_bus", "lv_bus")):
            for row in self._rows(table).values():
                if _on(row):
                    beside.setdefault(int(row[a]), []).append(int(row[b]))
                    beside.setdefault(int(row[b]), []).append(int(row[a]))
        for row in self._rows("switch").values():
            if row.get("et") == "b":
                beside.setdefault(int(row["bus"]), []).append(int(row["element"]))
                beside.setdefault(int(row["element"]), []).append(int(row["bus"]))
        return beside

    def _live(self, source: int) -> set[int]:
        """Buses in service that something leads to from the source, open switches included."""
        beside = self._beside()
        if source not in self.kv:
            raise ConfigError(
                f"ext_grid stands at bus {source}, which is none", file=str(self.file)
            )
        seen, queue = {source}, deque([source])
        while queue:
            for there in beside.get(queue.popleft(), ()):
                if there not in seen and there in self.kv and _on(self._rows("bus")[there]):
                    seen.add(there)
                    queue.append(there)
        for index in self.kv:
            if index not in seen:
                why = "not connected to the external grid, or out of service"
                self.report.add(f"bus.{index}", Fate.REFUSED, why)
        return seen

    def _open_at(self, kind: str) -> dict[int, set[int]]:
        """Elements with an open switch, and the buses at which they have one."""
        found: dict[int, set[int]] = {}
        for row in self._rows("switch").values():
            if row.get("et") == kind and not row.get("closed", True):
                found.setdefault(int(row["element"]), set()).add(int(row["bus"]))
        return found

    def _inner(self, name: str, beside: str, kv: float) -> str:
        """A node of our own inside an element."""
        node = next(n for n in self.placed if n.mrid == beside)
        self.inner.append(replace(node, mrid=name, nominal_kv=kv))
        return name

    def _each(self, table: str, live: set[int], *buses: str) -> list[tuple[int, Row]]:
        """Rows in service at live buses."""
        found = []
        for index, row in self._rows(table).items():
            if not _on(row):
                self.report.add(f"{table}.{index}", Fate.UNUSED, "out of service")
            elif all(int(row[bus]) in live for bus in buses):
                found.append((index, row))
            else:
                self.report.add(f"{table}.{index}", Fate.REFUSED, "at a bus that is left out")
        return found

    # ---- branches -----------------------------------------------------------------------------

    def _lines(self, live: set[int]) -> None:
        opened = self._open_at("l")
        for index, row in self._each("line", live, "from_bus", "to_bus"):
            name = f"line.{index}"

            def of(key: str, default: float | None = None, i: int = index, r: Row = row) -> float:
                return self._figure("line", i, r, key, default)

            parallel, length_km = of("parallel", 1.0), of("length_km")
            r1, x1 = of("r_ohm_per_km") / parallel, of("x_ohm_per_km") / parallel
            ends = self.labels[int(row["from_bus"])], self.labels[int(row["to_bus"])]
            away = opened.get(index, set())
            if abs(complex(r1, x1)) * length_km < _SHORT_OHM or len(away) > 1:
                self._switch(f"line_{index}", ends, is_open=bool(away), rating_a=None)
                why = "open at both ends" if away else "a line without impedance"
                self.report.add(name, Fate.APPROXIMATED, f"{why}: a switch here")
                continue
            if away:
                near, far = ends if int(row["to_bus"]) in away else ends[::-1]
                inner = self._inner(f"line_{index}_end", near, self.kv[int(row["from_bus"])])
                self._switch(f"line_{index}_sw", (inner, far), is_open=True, rating_a=None)
                ends = near, inner
            given = row.get("r0_ohm_per_km") is not None and row.get("x0_ohm_per_km") is not None
            r0 = of("r0_ohm_per_km") / parallel if given else _ZERO_SEQUENCE * r1
            x0 = of("x0_ohm_per_km") / parallel if given else _ZERO_SEQUENCE * x1
            b1 = 2.0 * pi * self._hz() * of("c_nf_per_km", 0.0) * parallel * 1e-3
            self.lines.append(
                ACLineSegment(
                    mrid=f"line_{index}",
                    from_node=ends[0],
                    to_node=ends[1],
                    phases=PHASES,
                    length_km=length_km,
                    r_ohm_per_km=_three(r1, r0),
                    x_ohm_per_km=_three(x1, x0),
                    b_us_per_km=_three(b1, b1),
                    rating_a=of("max_i_ka", 0.0) * 1e3 * of("df", 1.0) * parallel or None,
                )
            )
            why = "" if given else "zero sequence assumed as four times the positive one"
            self.report.add(name, Fate.KEPT if given else Fate.APPROXIMATED, why)

    def _hz(self) -> float:
        return float(self.extra.get("f_hz") or 50.0)

    def _switch(
        self, mrid: str, ends: tuple[str, str], *, is_open: bool, rating_a: float | None
    ) -> None:
        self.switches.append(
            Switch(
                mrid=mrid,
                from_node=ends[0],
                to_node=ends[1],
                phases=PHASES,
                is_open=is_open,
                rating_a=rating_a,
            )
        )

    def _switches(self, live: set[int]) -> None:
        for index, row in self._rows("switch").items():
            name, kind = f"switch.{index}", row.get("et")
            if kind != "b":
                self.report.add(name, Fate.KEPT)
            elif int(row["bus"]) in live and int(row["element"]) in live:
                ends = self.labels[int(row["bus"])], self.labels[int(row["element"])]
                self._switch(f"switch_{index}", ends, is_open=not row["closed"], rating_a=None)
                self.report.add(name, Fate.KEPT)
            else:
                self.report.add(name, Fate.REFUSED, "at a bus that is left out")

    def _transformers(self, live: set[int]) -> None:
        opened = self._open_at("t")
        for index, row in self._each("trafo", live, "hv_bus", "lv_bus"):
            name = f"trafo.{index}"
            if index in opened:
                self.report.add(name, Fate.REFUSED, "behind an open switch")
                continue

            def of(key: str, default: float | None = None, i: int = index, r: Row = row) -> float:
                return self._figure("trafo", i, r, key, default)

            parallel = of("parallel", 1.0)
            kva = of("sn_mva") * 1e3 * parallel
            vk, vkr = of("vk_percent"), of("vkr_percent")
            off = of("tap_pos", 0.0) - of("tap_neutral", 0.0)
            ratio = 1.0 + off * of("tap_step_percent", 0.0) / 100.0
            high, low = of("vn_hv_kv"), of("vn_lv_kv")
            at_high = str(row.get("tap_side") or "hv") == "hv"
            high, low = (high * ratio, low) if at_high else (high, low * ratio)
            group = str(row.get("vector_group") or "Dyn").lower()
            node = self.labels[int(row["lv_bus"])]
            r_pct, x_pct = vkr, sqrt(max(vk**2 - vkr**2, 1e-12))
            iron = of("pfe_kw", 0.0) * parallel
            total = max(of("i0_percent", 0.0) / 100.0 * kva, iron)
            if total > 0.0:
                # pandapower's T: half the leakage on each side of the iron.
                r_pct, x_pct = r_pct / 2.0, x_pct / 2.0
                ohm = (low * 1e3) ** 2 / (kva * 1e3) / 100.0
                outer, node = node, self._inner(f"trafo_{index}_t", node, low)
                self._shunt(f"trafo_{index}_iron", node, iron, sqrt(total**2 - iron**2), low)
                self._stretch(f"trafo_{index}_z", node, outer, r_pct * ohm, x_pct * ohm)
            self.transformers.append(
                PowerTransformer(
                    mrid=f"trafo_{index}",
                    from_node=self.labels[int(row["hv_bus"])],
                    to_node=node,
                    phases=PHASES,
                    rating_kva=kva,
                    from_kv=high,
                    to_kv=low,
                    from_connection=Connection.WYE if group[0] == "y" else Connection.DELTA,
                    to_connection=Connection.DELTA if group[1:2] == "d" else Connection.WYE,
                    r_pct=r_pct,
                    x_pct=x_pct,
                )
            )
            told = "zero sequence as positive; earthed where it has a star"
            self.report.add(name, Fate.APPROXIMATED, told)

    def _stretch(self, mrid: str, near: str, far: str, r_ohm: float, x_ohm: float) -> None:
        self.lines.append(
            ACLineSegment(
                mrid=mrid,
                from_node=near,
                to_node=far,
                phases=PHASES,
                length_km=1.0,
                r_ohm_per_km=_diagonal(r_ohm),
                x_ohm_per_km=_diagonal(x_ohm),
                b_us_per_km=_diagonal(0.0),
            )
        )

    def _shunt(self, mrid: str, node: str, kw: float, kvar: float, kv: float) -> None:
        """A constant impedance to earth that draws `kw` and `kvar` at `kv`."""
        siemens = complex(kw, -kvar) * 1e3 / (kv * 1e3) ** 2
        self.equivalents.append(
            EquivalentBranch(
                mrid=mrid,
                kind=BranchKind.REACTOR,
                terminals=tuple((node, phase) for phase in PHASES),
                g_s=_diagonal(siemens.real),
                b_s=_diagonal(siemens.imag),
            )
        )

    def _shunts(self, live: set[int]) -> None:
        for index, row in self._each("shunt", live, "bus"):
            step = self._figure("shunt", index, row, "step", 1.0)
            kw = self._figure("shunt", index, row, "p_mw", 0.0) * 1e3 * step
            kvar = self._figure("shunt", index, row, "q_mvar", 0.0) * 1e3 * step
            bus = int(row["bus"])
            kv = self._figure("shunt", index, row, "vn_kv", self.kv[bus])
            self._shunt(f"shunt_{index}", self.labels[bus], kw, kvar, kv)
            self.report.add(f"shunt.{index}", Fate.KEPT)

    # ---- what draws and gives -----------------------------------------------------------------

    def _loads(self, live: set[int]) -> None:
        for index, row in self._each("load", live, "bus"):
            p, q = (
                self._figure("load", index, row, key, 0.0) * 1e3 * self._scaling("load", index, row)
                for key in ("p_mw", "q_mvar")
            )
            consumer = self._consumer(f"load_{index}", int(row["bus"]), (p / 3,) * 3, (q / 3,) * 3)
            self.consumers.append(self._with_zip(consumer, index, row))
            self.report.add(f"load.{index}", Fate.KEPT)
        for index, row in self._each("asymmetric_load", live, "bus"):
            scale = self._scaling("asymmetric_load", index, row) * 1e3
            kw, kvar = (
                tuple(
                    self._figure("asymmetric_load", index, row, f"{key}_{phase}_{unit}", 0.0)
                    * scale
                    for phase in "abc"
                )
                for key, unit in (("p", "mw"), ("q", "mvar"))
            )
            if any(kw) or any(kvar):
                self.consumers.append(
                    self._consumer(f"asymmetric_load_{index}", int(row["bus"]), kw, kvar)
                )
            self.report.add(f"asymmetric_load.{index}", Fate.KEPT)

    def _scaling(self, table: str, index: int, row: Row) -> float:
        return self._figure(table, index, row, "scaling", 1.0)

    def _consumer(
        self, mrid: str, bus: int, kw: tuple[float, ...], kvar: tuple[float, ...]
    ) -> EnergyConsumer:
        return EnergyConsumer(
            mrid=mrid,
            node=self.labels[bus],
            phases=PHASES,
            connection=Connection.WYE,
            model=LoadModel.CONSTANT_POWER,
            kw=kw,
            kvar=kvar,
            nominal_kv=self.kv[bus],
        )

    def _with_zip(self, consumer: EnergyConsumer, index: int, row: Row) -> EnergyConsumer:
        def share(what: str, power: str) -> float:
            key = f"const_{what}_{power}_percent"
            old = self._figure("load", index, row, f"const_{what}_percent", 0.0)
            return self._figure("load", index, row, key, old) / 100.0

        z_p, i_p, z_q, i_q = share("z", "p"), share("i", "p"), share("z", "q"), share("i", "q")
        if not any((z_p, i_p, z_q, i_q)):
            return consumer
        shares = (z_p, i_p, 1.0 - z_p - i_p, z_q, i_q, 1.0 - z_q - i_q)
        response = replace(_BAND, zip_shares=shares)
        return replace(consumer, model=LoadModel.ZIP, response=response)

    def _generation(self, live: set[int]) -> None:
        for table in ("sgen", "storage"):
            for index, row in self._each(table, live, "bus"):
                scale = self._scaling(table, index, row) * 1e3
                p = self._figure(table, index, row, "p_mw", 0.0) * scale
                q = self._figure(table, index, row, "q_mvar", 0.0) * scale
                # A static generator gives, a storage draws.
                sign = -1.0 if table == "sgen" else 1.0
                kw, kvar = (sign * p / 3,) * 3, (sign * q / 3,) * 3
                consumer = self._consumer(f"{table}_{index}", int(row["bus"]), kw, kvar)
                self._device(table, index, row, consumer, p)

    def _device(self, table: str, index: int, row: Row, at: EnergyConsumer, p_kw: float) -> None:
        kind = str(row.get("type") or "").lower()
        name = f"{table}.{index}"
        is_pv = table == "sgen" and ("pv" in kind or "solar" in kind)
        if table == "sgen" and not is_pv:
            self.consumers.append(at)
            why = "gives the power of the file, as a load that is negative"
            self.report.add(name, Fate.APPROXIMATED, why)
            return
        self.given.append(at)
        rating_kva = self._figure(table, index, row, "sn_mva", abs(p_kw) / 1e3) * 1e3
        energy = 0.0 if is_pv else self._figure(table, index, row, "max_e_mwh", 0.0) * 1e3
        self.ders.append(
            DerSite(
                mrid=at.mrid,
                kind=DerKind.PV if is_pv else DerKind.STORAGE,
                terminals=tuple((at.node, phase) for phase in PHASES),
                rating_kw=abs(p_kw) if is_pv else max(abs(p_kw), rating_kva),
                rating_kva=max(rating_kva, abs(p_kw)),
                energy_kwh=energy,
                stored_pct=self._figure(table, index, row, "soc_percent", 50.0),
            )
        )
        self.report.add(name, Fate.APPROXIMATED, "a device of the fleet")

    # ---- the whole ----------------------------------------------------------------------------

    def _nodes(self, live: set[int]) -> list[ConnectivityNode]:
        places = _coordinates(self._rows("bus"), self._rows("bus_geodata"))
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

    def _feeder(self, source: int) -> Feeder:
        grid = next(r for r in self._rows("ext_grid").values() if int(r["bus"]) == source)
        return Feeder(
            mrid=self.name,
            name=str(self.extra.get("name") or self.name),
            version=MODEL_VERSION,
            frequency_hz=self._hz(),
            source=Source(
                node=self.labels[source],
                nominal_kv=self.kv[source],
                voltage_pu=self._figure("ext_grid", 0, grid, "vm_pu", 1.0),
                r1_ohm=0.0,
                x1_ohm=_STIFF_OHM,
                r0_ohm=0.0,
                x0_ohm=_STIFF_OHM,
            ),
            nodes=(*self.placed, *self.inner),
            lines=tuple(self.lines),
            switches=tuple(self.switches),
            transformers=tuple(self.transformers),
            regulators=(),
            capacitors=(),
            consumers=tuple(self.consumers),
            equivalents=tuple(self.equivalents),
        )

    def _reference(self, live: set[int]) -> dict[tuple[str, str], complex]:
        """Volts of the solution in the file: magnitudes, which is all that a balanced net has."""
        found: dict[tuple[str, str], complex] = {}
        if self._rows("asymmetric_load"):
            return found
        for index, row in self._rows("res_bus").items():
            vm = row.get("vm_pu")
            if index in live and isinstance(vm, float) and isfinite(vm):
                volt = complex(vm * self.kv[index] * 1e3 / sqrt(3.0))
                found |= {(self.labels[index], phase): volt for phase in PHASES}
        return found


def _on(row: Row) -> bool:
    return bool(row.get("in_service", True))


def _three(positive: float, zero: float) -> tuple[tuple[float, ...], ...]:
    own, mutual = (zero + 2.0 * positive) / 3.0, (zero - positive) / 3.0
    return tuple(tuple(own if i == j else mutual for j in range(3)) for i in range(3))


def _diagonal(value: float) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(value if i == j else 0.0 for j in range(3)) for i in range(3))


def _read(file: Path) -> tuple[dict[str, dict[int, Row]], dict[str, Any]]:
    """All tables by name and index, and the net's own figures."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from None
    except ValueError as error:
        raise ConfigError(f"no JSON: {error}", file=str(file)) from None
    net = document.get("_object") if isinstance(document, dict) else None
    if not isinstance(net, dict) or "bus" not in net:
        raise ConfigError(
            "no pandapower net",
            file=str(file),
            hint="write it with pandapower.to_json(net, FILE)",
        )
    tables, rest = {}, {}
    for key, value in net.items():
        if isinstance(value, dict) and value.get("_class") == "DataFrame":
            tables[key] = _table(value, key, file)
        else:
            rest[key] = value
    return tables, rest


def _table(value: Row, key: str, file: Path) -> dict[int, Row]:
    try:
        inner = value["_object"]
        frame = json.loads(inner) if isinstance(inner, str) else inner
        columns, index, data = frame["columns"], frame["index"], frame["data"]
        if key.startswith("res_") or not all(isinstance(i, int) for i in index):
            index = [int(i) for i in index if isinstance(i, (int, float))]
        return {
            int(i): dict(zip(columns, row, strict=True))
            for i, row in zip(index, data, strict=False)
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"table {key} cannot be read: {error}", file=str(file)) from None


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
