"""Foreign circuits of every kind: the same voltages as in the engine that they were written for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from gridctl.model.canonical import canonical_json
from gridctl.model.errors import ConfigError
from gridctl.model.network import BranchKind, Connection, Feeder, LoadModel
from sim.feeder_import.opendss import Imported, import_opendss
from sim.feeder_import.report import Fate
from sim.feeder_import.resources import DerKind
from tests.sim.feeder_import.agreement import CIRCUITS, worst_pu

_SHARED = Path(os.environ.get("GRIDCTL_SHARED", Path(__file__).parents[4] / "shared"))
WANTED_PU = 1e-6


def circuit(name: str) -> Imported:
    return import_opendss(CIRCUITS / f"{name}.dss", name)


def fate(imported: Imported, element: str) -> tuple[Fate, str]:
    entry = next(e for e in imported.report.entries if e.element.lower() == element.lower())
    return entry.fate, entry.why


@pytest.mark.parametrize("name", ["split_phase", "all_delta", "four_wire", "odd"])
def test_same_voltages_as_in_opendss(name: str) -> None:
    assert worst_pu(circuit(name)) < WANTED_PU


@pytest.mark.parametrize(
    "place",
    [
        "13Bus/IEEE13Nodeckt.dss",
        "34Bus/ieee34Mod1.dss",
        "34Bus/ieee34Mod2.dss",
        "123Bus/IEEE123Master.dss",
    ],
)
def test_ieee_feeders_as_epri_writes_them(place: str) -> None:
    path = _SHARED / "data" / "feeders" / place
    if not path.is_file():
        pytest.skip(f"no oracle: {path} is not there (set GRIDCTL_SHARED)")
    imported = import_opendss(path, "foreign")
    assert worst_pu(imported) < WANTED_PU
    assert imported.report.counts()["refused"] == 0


def test_split_phase_has_two_legs_and_its_devices_are_told() -> None:
    imported = circuit("split_phase")
    nodes = imported.feeder.node_index()
    assert nodes["h1"].phases == "12"
    assert nodes["h1"].nominal_kv == pytest.approx(0.208, abs=1e-3)
    assert nodes["a1"].phases == "A"
    between = next(c for c in imported.feeder.consumers if c.mrid == "h1_240")
    assert (between.phases, between.connection, between.nominal_kv) == (
        "12",
        Connection.DELTA,
        0.24,
    )
    assert next(c for c in imported.feeder.consumers if c.mrid == "h2").phases == "12"
    tapped = next(e for e in imported.feeder.equivalents if e.mrid == "ta")
    assert tapped.kind is BranchKind.TRANSFORMER
    assert [w.kva for w in tapped.windings] == [50.0, 50.0, 50.0]
    assert {d.mrid: d.kind for d in imported.ders} == {
        "roof": DerKind.PV,
        "box": DerKind.STORAGE,
    }
    assert imported.profiles == {"h3": "home"}
    assert imported.shapes["home"].kw_pu == (0.4, 0.6, 1.0, 0.5)
    assert imported.shapes["home"].step_s == 6 * 3600.0
    switch = imported.feeder.switches[0]
    assert (switch.mrid, switch.is_open) == ("sw", False)


def test_delta_feeder_keeps_all_load_models() -> None:
    imported = circuit("all_delta")
    models = {c.mrid: c.model for c in imported.feeder.consumers}
    assert set(models.values()) == set(LoadModel)
    assert all(c.connection is Connection.DELTA for c in imported.feeder.consumers)
    found, why = fate(imported, "RegControl.ca")
    assert found is Fate.APPROXIMATED
    assert "tap stays" in why


def test_four_wire_feeder_has_a_neutral_and_fifty_hertz() -> None:
    imported = circuit("four_wire")
    assert imported.feeder.frequency_hz == 50.0
    assert imported.feeder.node_index()["p2"].phases == "ABCN"
    single = next(c for c in imported.feeder.consumers if c.mrid == "h1")
    assert (single.phases, single.neutral) == ("B", "N")


def test_what_has_no_place_is_told_with_its_line() -> None:
    imported = circuit("odd")
    told = {e.element: e for e in imported.report.told()}
    assert told["Vsource.other"].fate is Fate.REFUSED
    assert told["Vsource.other"].place == "odd.dss:25"
    assert told["Load.dead"].why == "bus island is not connected to the source"
    assert told["Fault.f"].fate is Fate.REFUSED
    assert fate(imported, "Load.off") == (Fate.UNUSED, "disabled in the file")
    assert fate(imported, "Line.nothing")[0] is Fate.APPROXIMATED
    assert {s.mrid: s.is_open for s in imported.feeder.switches} == {"tie": True, "nothing": False}
    regulator = imported.feeder.regulators[0]
    assert (regulator.ganged, regulator.phases, regulator.vreg_v[0]) == (True, "ABC", 121.0)
    bank = next(c for c in imported.feeder.capacitors if c.mrid == "vc")
    assert bank.close_below_pu == pytest.approx(118 * 120 / (25e3 / 3**0.5))


def test_the_model_is_versioned_and_the_same_every_time() -> None:
    first, second = circuit("odd").feeder, circuit("odd").feeder
    assert first.digest() == second.digest()
    again = TypeAdapter(Feeder).validate_json(canonical_json(first))
    assert again == first


def circuit_of(folder: Path, *lines: str) -> Path:
    path = folder / "master.dss"
    path.write_text("\n".join(["Clear", *lines]), encoding="utf-8")
    return path


GOOD = (
    "New Circuit.c basekv=12.47",
    "New Line.l bus1=sourcebus bus2=b length=1 units=km",
)


def test_a_load_that_nobody_can_carry_is_named(tmp_path: Path) -> None:
    path = circuit_of(
        tmp_path, *GOOD, "New Load.huge bus1=b kv=12.47 kw=9e9 pf=0.9 vminpu=0 vlowpu=0"
    )
    with pytest.raises(ConfigError, match="finds no solution") as refused:
        import_opendss(path, "x")
    assert "Load.huge 9e+09 kW (master.dss:4)" in refused.value.hint


def test_a_single_phase_source_is_refused_by_line(tmp_path: Path) -> None:
    path = circuit_of(
        tmp_path,
        "New Circuit.c basekv=7.2 phases=1 bus1=s.1",
        "New Line.l phases=1 bus1=s.1 bus2=b.1",
    )
    with pytest.raises(ConfigError, match=r"master\.dss:2.*three-phase source"):
        import_opendss(path, "x")


def test_a_slip_in_a_rated_voltage_is_pointed_out(tmp_path: Path) -> None:
    path = circuit_of(
        tmp_path, *GOOD, "New Load.slip bus1=b kv=0.48 kw=5 pf=0.9", "Set voltagebases=[12.47]"
    )
    entry = import_opendss(path, "x").report.told()[0]
    assert entry.why == "rated 0.48 kV at a bus of 12.47 kV: is that meant?"
    assert entry.place == "master.dss:4"


def test_load_multiplier_reaches_what_is_variable(tmp_path: Path) -> None:
    path = circuit_of(
        tmp_path,
        *GOOD,
        "New Load.free bus1=b kv=12.47 kw=100 kvar=40",
        "New Load.fixed bus1=b kv=12.47 kw=100 kvar=40 status=fixed",
        "Set loadmult=1.5",
    )
    imported = import_opendss(path, "x")
    kw = {c.mrid: sum(c.kw) for c in imported.feeder.consumers}
    assert kw == {"free": pytest.approx(150.0), "fixed": pytest.approx(100.0)}
    assert worst_pu(imported) < WANTED_PU
