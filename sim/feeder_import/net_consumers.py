"""Loads, generators and storage of a pandapower net as consumers and devices of the model."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import acos, tan
from typing import Final

from gridctl.model.network import (
    PHASES,
    Connection,
    EnergyConsumer,
    LoadModel,
    VoltageResponse,
)
from sim.feeder_import.net_branches import NetBranches
from sim.feeder_import.net_file import NetFile, Row
from sim.feeder_import.report import Fate
from sim.feeder_import.resources import DerKind, DerSite
from sim.load_shapes import Profile

_BAND: Final = VoltageResponse(v_min_pu=0.5, v_max_pu=1.5)
_NEGATIVE: Final = "gives the power of the file, as a load that is negative"


@dataclass(slots=True)
class NetConsumers:
    """What draws and gives: `found` are consumers, `given` what devices (`ders`) give in the file's
    own solution, `profiles` the name of the load profile that a consumer follows."""

    branches: NetBranches
    found: list[EnergyConsumer] = field(default_factory=list)
    given: list[EnergyConsumer] = field(default_factory=list)
    ders: list[DerSite] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)

    def run(self) -> None:
        """Everything that draws or gives power at a bus."""
        self._loads()
        self._asymmetric()
        self._motors()
        self._wards()
        for table in ("sgen", "storage"):
            for index, row in self._each(table):
                self._static(table, index, row)
        self._generators()

    @property
    def _net(self) -> NetFile:
        return self.branches.net

    def _each(self, table: str) -> list[tuple[int, Row]]:
        return self._net.each(table, self.branches.live, "bus")

    def _loads(self) -> None:
        for index, row in self._each("load"):
            kw, kvar = self._net.power("load", index)
            consumer = self._even(f"load_{index}", row, kw, kvar)
            self.found.append(self._with_zip(consumer, index))
            if row.get("profile"):
                self.profiles[consumer.mrid] = Profile(shape=f"load.{row['profile']}".lower())
            self._net.report.add(f"load.{index}", Fate.KEPT)

    def _asymmetric(self) -> None:
        for table, sign in (("asymmetric_load", 1.0), ("asymmetric_sgen", -1.0)):
            for index, row in self._each(table):
                powers = [
                    self._net.power(table, index, f"p_{phase}_mw", f"q_{phase}_mvar")
                    for phase in "abc"
                ]
                kw = tuple(sign * p for p, _ in powers)
                kvar = tuple(sign * q for _, q in powers)
                delta = str(row.get("type") or "").lower() == "delta"
                if any(kw) or any(kvar):
                    consumer = self._consumer(f"{table}_{index}", row, kw, kvar)
                    if delta:
                        consumer = replace(consumer, connection=Connection.DELTA)
                    self.found.append(consumer)
                fate, why = (Fate.KEPT, "") if sign > 0.0 else (Fate.APPROXIMATED, _NEGATIVE)
                self._net.report.add(f"{table}.{index}", fate, why)

    def _motors(self) -> None:
        for index, row in self._each("motor"):
            of = self._net.figures("motor", index)
            kw = (
                of("pn_mech_mw")
                * 1e3
                * of("loading_percent", 100.0)
                / of("efficiency_percent", 100.0)
            )
            kw *= of("scaling", 1.0)
            self.found.append(self._even(f"motor_{index}", row, kw, kw * tan(acos(of("cos_phi")))))
            self._net.report.add(f"motor.{index}", Fate.APPROXIMATED, "a constant power")

    def _wards(self) -> None:
        for table in ("ward", "xward"):
            for index, row in self._each(table):
                name, label = f"{table}.{index}", f"{table}_{index}"
                solved = self._net.solved(table, index) if table == "xward" else None
                if table == "xward" and solved is None:
                    self._net.report.add(name, Fate.REFUSED, "holds a voltage, and is not solved")
                    continue
                of, bus = self._net.figures(table, index), int(row["bus"])
                if solved is None:
                    kw, kvar = of("ps_mw", 0.0) * 1e3, of("qs_mvar", 0.0) * 1e3
                    at, kv = self.branches.labels[bus], self.branches.kv[bus]
                    z_kw, z_kvar = of("pz_mw", 0.0) * 1e3, of("qz_mvar", 0.0) * 1e3
                    self.branches.shunt(f"{label}_z", at, z_kw, z_kvar, kv)
                    self._net.report.add(name, Fate.KEPT)
                else:
                    kw, kvar = solved
                    why = "draws what it draws in the file's solution"
                    self._net.report.add(name, Fate.APPROXIMATED, why)
                self.found.append(self._even(label, row, kw, kvar))

    def _generators(self) -> None:
        for index, row in self._each("gen"):
            solved = self._net.solved("gen", index)
            kw, kvar = solved or (self._net.power("gen", index)[0], 0.0)
            self.found.append(self._even(f"gen_{index}", row, -kw, -kvar))
            why = "gives what it gives in the file's solution; it holds no voltage here"
            if solved is None:
                why = f"{_NEGATIVE}, without reactive power: the net is not solved"
            self._net.report.add(f"gen.{index}", Fate.APPROXIMATED, why)

    def _static(self, table: str, index: int, row: Row) -> None:
        # A static generator gives, a storage draws.
        sign = -1.0 if table == "sgen" else 1.0
        kw, kvar = self._net.power(table, index)
        at = self._even(f"{table}_{index}", row, sign * kw, sign * kvar)
        kind = str(row.get("type") or "").lower()
        name = f"{table}.{index}"
        is_pv = table == "sgen" and ("pv" in kind or "solar" in kind)
        if table == "sgen" and not is_pv:
            self.found.append(at)
            if row.get("profile"):
                shape = f"renewables.{row['profile']}".lower()
                self.profiles[at.mrid] = Profile(shape=shape)
            self._net.report.add(name, Fate.APPROXIMATED, _NEGATIVE)
            return
        self.given.append(at)
        of = self._net.figures(table, index)
        rating_kva = of("sn_mva", abs(kw) / 1e3) * 1e3
        self.ders.append(
            DerSite(
                mrid=at.mrid,
                kind=DerKind.PV if is_pv else DerKind.STORAGE,
                terminals=tuple((at.node, phase) for phase in PHASES),
                rating_kw=abs(kw) if is_pv else max(abs(kw), rating_kva),
                rating_kva=max(rating_kva, abs(kw)),
                energy_kwh=0.0 if is_pv else of("max_e_mwh", 0.0) * 1e3,
                stored_pct=of("soc_percent", 50.0),
            )
        )
        self._net.report.add(name, Fate.APPROXIMATED, "a device of the fleet")

    def _even(self, mrid: str, row: Row, kw: float, kvar: float) -> EnergyConsumer:
        return self._consumer(mrid, row, (kw / 3,) * 3, (kvar / 3,) * 3)

    def _consumer(
        self, mrid: str, row: Row, kw: tuple[float, ...], kvar: tuple[float, ...]
    ) -> EnergyConsumer:
        bus = int(row["bus"])
        return EnergyConsumer(
            mrid=mrid,
            node=self.branches.labels[bus],
            phases=PHASES,
            connection=Connection.WYE,
            model=LoadModel.CONSTANT_POWER,
            kw=kw,
            kvar=kvar,
            nominal_kv=self.branches.kv[bus],
        )

    def _with_zip(self, consumer: EnergyConsumer, index: int) -> EnergyConsumer:
        def share(what: str, power: str) -> float:
            old = self._net.figure("load", index, f"const_{what}_percent", 0.0)
            return self._net.figure("load", index, f"const_{what}_{power}_percent", old) / 100.0

        z_p, i_p, z_q, i_q = share("z", "p"), share("i", "p"), share("z", "q"), share("i", "q")
        if not any((z_p, i_p, z_q, i_q)):
            return consumer
        shares = (z_p, i_p, 1.0 - z_p - i_p, z_q, i_q, 1.0 - z_q - i_q)
        response = replace(_BAND, zip_shares=shares)
        return replace(consumer, model=LoadModel.ZIP, response=response)
