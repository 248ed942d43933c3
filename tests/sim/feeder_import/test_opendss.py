"""Foreign circuits of every kind: the same voltages as in the engine that they were written for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from gridctl.feeder_check import check_feeder
from gridctl.model.canonical import canonical_json
from gridctl.model.errors import ConfigError
from gridctl.model.feeding import fed_from_behind
from gridctl.model.network import BranchKind, Connection, Feeder, LoadModel
from optimizer.network import NetworkModel
from optimizer.regulated import RegulatedNetwork
from sim.earthing import floating_nodes
from sim.feeder_import.opendss import Imported, import_opendss
from sim.feeder_import.report import Fate
from sim.feeder_import.resources import DerKind
from sim.grid import Grid
from sim.load_shapes import LoadShape, Profile
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
    assert imported.profiles == {"h3": Profile(shape="home")}
    assert imported.shapes["home"].kw_pu == (0.4, 0.6, 1.0, 0.5)
    assert imported.shapes["home"].step_s == 6 * 3600.0
    switch = imported.feeder.switches[0]
    assert (switch.mrid, switch.is_open) == ("sw", False)


def test_a_regulator_that_is_fed_from_behind_turns_round_as_in_opendss() -> None:
    imported = circuit("backfed")
    feeder = imported.feeder
    assert worst_pu(imported) < WANTED_PU
    assert fate(imported, "RegControl.R2a")[0] is Fate.APPROXIMATED
    behind = {"r2a", "r2b", "r2c"}
    assert {r.mrid.lower() for r in feeder.regulators if r.reverse is not None} == behind
    assert {mrid.lower() for mrid in fed_from_behind(feeder)} == behind
    theirs = np.array([r.taps[0] for r in feeder.regulators])
    reset = replace(feeder, regulators=tuple(replace(r, taps=(0,)) for r in feeder.regulators))
    ours = RegulatedNetwork(reset).solve(load_scale=np.ones(1))
    assert np.abs(ours.positions[:, 0] - theirs).max() <= 1
    grid = Grid(reset, ())
    kw = np.array([k for c in feeder.consumers for k in c.kw])
    kvar = np.array([k for c in feeder.consumers for k in c.kvar])
    grid.solve(kw, kvar)
    grid.settle()
    mirror = np.array([grid.taps()[r.mrid][0] for r in feeder.regulators])
    assert np.abs(mirror - theirs).max() <= 1
    for control in grid.regulators:
        assert abs(control.tap) < 16, "it does not run to its end"
    assert max(grid.beyond_band_v().values()) <= 0.0
    ring = replace(
        feeder, lines=(*feeder.lines, replace(feeder.lines[0], mrid="tie", to_node="near"))
    )
    assert fed_from_behind(ring) == frozenset(), "in a loop there is no behind"


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


def test_a_two_phase_source_is_refused_by_line(tmp_path: Path) -> None:
    path = circuit_of(
        tmp_path,
        "New Circuit.c basekv=7.2 phases=2 bus1=s.1.2",
        "New Line.l phases=1 bus1=s.1 bus2=b.1",
    )
    with pytest.raises(ConfigError, match=r"master\.dss:2.*three-phase source"):
        import_opendss(path, "x")


def test_a_slip_in_a_rated_voltage_is_pointed_out(tmp_path: Path) -> None:
    path = circuit_of(
        tmp_path, *GOOD, "New Load.slip bus1=b kv=0.48 kw=5 pf=0.9", "Set voltagebases=[12.47]"
    )
    entry = import_opendss(path, "x").report.told()[0]
    assert entry.why == "is rated 0.48 kV where 12.47 kV is: is that meant?"
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


def written(tmp_path: Path, *lines: str) -> Imported:
    path = tmp_path / "own.dss"
    path.write_text("\n".join(lines))
    return import_opendss(path, "own")


@pytest.mark.parametrize("conductor", [1, 2, 3])
def test_a_source_of_one_phase_is_one_of_three(tmp_path: Path, conductor: int) -> None:
    imported = written(
        tmp_path,
        f"new circuit.c basekv=7.2 phases=1 pu=1.02 r1=0.1 x1=0.5 r0=0.1 x0=0.5 bus1=s.{conductor}",
        f"new line.l phases=1 bus1=s.{conductor} bus2=b.{conductor} r1=0.3 x1=0.6 r0=0.3 x0=0.6 "
        "c1=3 c0=3 length=4",
        f"new load.x phases=1 bus1=b.{conductor} kv=7.2 kw=400 kvar=100",
        "set voltagebases=[7.2]",
        "calcv",
    )
    assert worst_pu(imported) < WANTED_PU
    assert imported.feeder.source.nominal_kv == pytest.approx(7.2 * 3**0.5)
    assert {n.mrid: n.phases for n in imported.feeder.nodes} == {
        "s": "ABC",
        "b": "ABC"[conductor - 1],
    }
    assert fate(imported, "Load.x") == (Fate.KEPT, "")


def test_three_phases_of_source_and_one_in_use(tmp_path: Path) -> None:
    imported = written(
        tmp_path,
        "new circuit.c basekv=4.16 bus1=s",
        "new line.l phases=1 bus1=s.2 bus2=b.2 r1=0.3 x1=0.6 length=4",
        "new load.x phases=1 bus1=b.2 kv=24.9 kw=40",
    )
    assert worst_pu(imported) < WANTED_PU
    assert fate(imported, "Load.x") == (
        Fate.KEPT,
        "is rated 24.9 kV where 2.402 kV is: is that meant?",
    )


def test_a_generator_that_holds_a_voltage_gives_what_it_gave(tmp_path: Path) -> None:
    imported = written(
        tmp_path,
        "new circuit.c basekv=12.47 bus1=s",
        "new line.l bus1=s bus2=b r1=0.3 x1=0.6 length=4",
        "new load.x bus1=b kv=12.47 kw=2000 kvar=900",
        "new generator.g bus1=b kv=12.47 kw=800 kva=1500 model=3 vpu=1.0 maxkvar=900 minkvar=-900",
        "set maxcontroliter=100",
    )
    assert worst_pu(imported) < WANTED_PU
    given = next(c for c in imported.feeder.consumers if c.mrid == "g")
    assert sum(given.kw) == pytest.approx(-800.0, rel=1e-3)
    assert abs(sum(given.kvar)) > 10.0
    assert fate(imported, "Generator.g")[0] is Fate.APPROXIMATED
    assert "in the file's solution" in fate(imported, "Generator.g")[1]


def test_what_floats_behind_a_delta_may_drift(tmp_path: Path) -> None:
    """A switch's admittance beside hardly any way to earth: OpenDSS never comes to rest there."""
    imported = written(
        tmp_path,
        "new circuit.c basekv=12.47 bus1=s",
        "new line.l bus1=s bus2=b r1=0.3 x1=0.6 length=4",
        "new transformer.t xhl=5.75 kva=150 conns=[wye delta] buses=[b d] kvs=[12.47 0.48]",
        "new line.sw bus1=d bus2=e switch=y r1=1e-7 r0=1e-7 x1=0 x0=0 c1=0 c0=0",
        "new load.x bus1=e kv=0.48 kw=100 kvar=5 conn=delta",
    )
    found = check_feeder(imported.feeder)
    assert found.agrees, found
    assert check_feeder(imported.feeder, imported.reference_v).agrees


LOOSE_NEUTRALS = """Clear
New Circuit.loose basekv=12.47 pu=1.0 mvasc3=100 mvasc1=100
New Linecode.oh nphases=3 units=km r1=0.3 x1=0.6 r0=0.7 x0=1.8 c1=10 c0=5
New Line.l1 bus1=sourcebus bus2=b1 linecode=oh length=2 units=km
New Load.town phases=1 bus1=b1.1 kv=7.2 kw=900 kvar=300
New Transformer.one xhl=5.75 kva=750 conns=[wye wye] buses=[b1.1.2.3.4 s1] kvs=[12.47 0.48]
New Transformer.two xhl=5.75 kva=300 conns=[wye wye] buses=[b1.1.2.3.4 s2] kvs=[12.47 0.48]
New Line.sw bus1=s1 bus2=s3 switch=yes r1=1e-6 r0=1e-6 x1=0 x0=0 c1=0 c0=0
New Load.mill phases=3 bus1=s3 kv=0.48 kw=400 kvar=100 conn=delta
New Load.shop phases=1 bus1=s2.1.2 kv=0.48 kw=60 kvar=20 conn=delta
New Transformer.three xhl=5.75 kva=300 conns=[wye wye] buses=[b1.1.2.3.5 s4] kvs=[12.47 0.48]
New Reactor.ground phases=1 bus1=b1.5 r=2 x=1
New Load.house phases=1 bus1=s4.3 kv=0.277 kw=20 kvar=5
Set voltagebases=[12.47 0.48]
Calcvoltagebases
Solve
"""


def test_neutrals_that_go_nowhere_leave_both_stars_without_earth(tmp_path: Path) -> None:
    """Two transformers share one at conductor 4: they float together; the one at 5 is earthed."""
    file = tmp_path / "loose.dss"
    file.write_text(LOOSE_NEUTRALS)
    imported = import_opendss(file, "loose")
    assert sorted(floating_nodes(imported.feeder) - {"sw_sw"}) == ["s1", "s2", "s3"]
    against_file = check_feeder(imported.feeder, imported.reference_v)
    assert against_file.difference_pu < 1e-8, against_file
    assert check_feeder(imported.feeder).agrees
    assert any("nodes without a path to earth" in said for said in against_file.told)


def test_a_load_to_earth_is_a_way_to_earth(tmp_path: Path) -> None:
    file = tmp_path / "loose.dss"
    lamp = "New Load.lamp phases=1 bus1=s3.1 kv=0.277 kw=1"
    file.write_text(LOOSE_NEUTRALS.replace("Set voltagebases", f"{lamp}\nSet voltagebases"))
    imported = import_opendss(file, "loose")
    assert not floating_nodes(imported.feeder)
    assert not NetworkModel(imported.feeder).admittance.floating.any()


def test_shapes_of_every_kind(tmp_path: Path) -> None:
    imported = written(
        tmp_path,
        "new circuit.c basekv=12.47 bus1=s",
        "new loadshape.day npts=4 minterval=360 mult=[0.2 0.4 0.6 0.8] qmult=[0.1 0.1 0.3 0.3]",
        "new loadshape.kw npts=2 interval=12 useactual=yes mult=[30 60] qmult=[10 20]",
        "new loadshape.own npts=3 interval=0 hour=[1 2 4] mult=[1 2 4]",
        "new line.l bus1=s bus2=b r1=0.3 x1=0.6 length=4",
        "new load.a bus1=b kv=12.47 kw=100 kvar=40 daily=day",
        "new load.b bus1=b.1.2 phases=2 kv=12.47 kw=90 kvar=60 yearly=kw daily=day",
        "new load.c bus1=b kv=12.47 kw=100 kvar=40 daily=own",
        "new load.d bus1=b kv=12.47 kw=100 kvar=40 daily=day status=fixed",
    )
    assert imported.profiles == {
        "a": Profile(shape="day"),
        "b": Profile(shape="kw", base_kw=60.0, base_kvar=20.0),
        "c": Profile(shape="own"),
    }
    assert imported.shapes == {
        "day": LoadShape(step_s=21600.0, kw_pu=(0.2, 0.4, 0.6, 0.8), kvar_pu=(0.1, 0.1, 0.3, 0.3)),
        "kw": LoadShape(step_s=43200.0, kw_pu=(30.0, 60.0), kvar_pu=(10.0, 20.0)),
        "own": LoadShape(step_s=3600.0, kw_pu=(1.0, 2.0, 3.0, 4.0), kvar_pu=()),
    }
    told = {e.element: e.why for e in imported.report.told()}
    assert told["LoadShape.own"] == "its own hours are read every 3600 s"


TWO_LINES = """New Circuit.c basekv=12.47 bus1=src
New Line.one bus1=src bus2=b r1=0.3 x1=0.6 r0=0.9 x0=1.8 c1=10 c0=5 length=2 units=km
New Line.two bus1=b bus2=d switch=yes r1=0.3 x1=0.6 r0=0.9 x0=1.8 c1=10 c0=5 length=1 units=km
New Load.a bus1=d.1 phases=1 kv=7.2 kw=200 pf=0.9
New Load.b bus1=d.2 phases=1 kv=7.2 kw=150 pf=0.9
"""


@pytest.mark.parametrize("terminal", [1, 2])
def test_one_open_pole_of_a_line(tmp_path: Path, terminal: int) -> None:
    path = tmp_path / "m.dss"
    path.write_text(TWO_LINES + f"Open Line.two {terminal} 1\n")
    imported = import_opendss(path, "m")
    closed, opened = imported.feeder.switches
    assert (closed.mrid, closed.phases, closed.is_open) == ("two", "BC", False)
    assert (opened.mrid, opened.phases, opened.is_open) == ("two_open", "A", True)
    assert opened.to_node == closed.to_node == "d"
    told = [(e.element, e.fate, e.why) for e in imported.report.told()]
    assert told == [
        ("Line.two", Fate.KEPT, "open in A"),
        ("Load.a", Fate.REFUSED, "nothing feeds conductor 1 of bus d"),
    ]
    assert check_feeder(imported.feeder, imported.reference_v).difference_pu < 1e-8


@pytest.mark.parametrize("charging", ["c1=10 c0=5", "c1=0 c0=0"])
def test_an_open_pole_in_a_ring_that_is_open_elsewhere(tmp_path: Path, charging: str) -> None:
    path = tmp_path / "m.dss"
    ring = "New Line.three bus1=d bus2=e r1=0.3 x1=0.6 r0=0.9 x0=1.8 c1=10 c0=5 length=2 units=km\n"
    ring += "New Line.tie bus1=e bus2=src switch=yes\nNew Load.e bus1=e.1 phases=1 kv=7.2 kw=80\n"
    text = (TWO_LINES + ring).replace("c1=10 c0=5", charging)
    path.write_text(text + "Open Line.two 2 1\nOpen Line.tie 1\n")
    imported = import_opendss(path, "m")
    check = check_feeder(imported.feeder, imported.reference_v)
    assert check.difference_pu < 1e-6
    network = NetworkModel(imported.feeder)
    adrift = zip(network.node_phases, network.admittance.adrift, strict=True)
    assert {place for place, is_adrift in adrift if is_adrift} >= {("d", "A"), ("e", "A")}
    assert check.lowest_at in ("d.B", "e.B")


@pytest.mark.parametrize(("terminal", "end"), [(1, "b"), (2, "d")])
def test_a_line_that_is_open_hangs_on_its_other_end(
    tmp_path: Path, terminal: int, end: str
) -> None:
    path = tmp_path / "m.dss"
    text = TWO_LINES.replace("bus1=d.", "bus1=b.")
    path.write_text(text + f"Open Line.two {terminal}\n")
    imported = import_opendss(path, "m")
    (switch,) = imported.feeder.switches
    assert switch.is_open
    assert end in (switch.from_node, switch.to_node)
    assert check_feeder(imported.feeder, imported.reference_v).difference_pu < 1e-8


def test_a_load_that_nothing_feeds_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text(
        TWO_LINES + "New Line.lat bus1=d.1 bus2=e.1 phases=1 r1=1 x1=1 length=1\n"
        "New Load.lost bus1=e.2 phases=1 kv=7.2 kw=50\nNew Load.half bus1=e.1.2 phases=2 kv=12.47\n"
    )
    told = {e.element: (e.fate, e.why, e.place) for e in import_opendss(path, "m").report.told()}
    why = "nothing feeds conductor 2 of bus e"
    assert told == {
        "Load.lost": (Fate.REFUSED, why, "m.dss:7"),
        "Load.half": (Fate.APPROXIMATED, f"{why}: draws nothing there", "m.dss:8"),
    }


def test_a_neutral_may_have_any_number(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text(
        "New Circuit.c basekv=12.47 bus1=src\n"
        "New Transformer.t phases=3 buses=[src b.1.2.3.7] kvs=[12.47 4.16] kvas=[900 900] xhl=4\n"
        "New Reactor.g phases=1 bus1=b.7 r=2 x=1\n"
        "New Transformer.s phases=1 windings=3 buses=[b.1.7 s.1.3 s.3.2] kvs=[2.4 .12 .12]\n"
        "~ kvas=[25 25 25] xhl=2 xht=2 xlt=1.4\nNew Reactor.e phases=1 bus1=s.3 r=0.5 x=0\n"
        "New Line.d phases=3 bus1=s.1.2.3 bus2=h.1.2.3 length=0.02 units=km\n"
        "~ rmatrix=[.6|.05 .6|.05 .05 .7] xmatrix=[.3|.2 .3|.2 .2 .3] cmatrix=[0|0 0|0 0 0]\n"
        "New Load.l phases=1 bus1=h.1.3 kv=0.12 kw=2\nNew Load.m phases=1 bus1=h.1.2 kv=0.24 kw=5\n"
        "Set voltagebases=[12.47 4.16 0.208]\nCalcvoltagebases\n"
    )
    imported = import_opendss(path, "m")
    nodes = {n.mrid: (n.phases, round(n.nominal_kv, 3)) for n in imported.feeder.nodes}
    assert nodes["b"] == ("ABCN", 4.16)
    assert nodes["h"] == nodes["s"] == ("N12", 0.208)
    check = check_feeder(imported.feeder, imported.reference_v)
    assert check.difference_pu < 1e-8
    assert check.lowest_pu > 0.9


def test_the_high_leg_of_a_four_wire_delta_has_no_limits(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text(
        "New Circuit.c basekv=12.47 bus1=src\n"
        "New Line.one bus1=src bus2=b r1=0.3 x1=0.6 r0=0.9 x0=1.8 length=2 units=km\n"
        "New Transformer.light phases=1 windings=3 buses=[b.1 s.1.0 s.0.2] kvs=[7.2 .12 .12]\n"
        "~ kvas=[50 50 50] xhl=2 xht=2 xlt=1.4\n"
        "New Transformer.power phases=1 windings=2 buses=[b.2 s.2.3] kvs=[7.2 .24] kvas=[25 25]\n"
        "New Load.m phases=3 bus1=s.1.2.3 conn=delta kv=.24 kw=12 pf=.85\n"
        "New Load.l phases=1 bus1=s.1 kv=.12 kw=4\n"
        "Set voltagebases=[12.47 0.208]\nCalcvoltagebases\n"
    )
    imported = import_opendss(path, "m")
    assert next(n.phases for n in imported.feeder.nodes if n.mrid == "s") == "123"
    for check in (
        check_feeder(imported.feeder, imported.reference_v),
        check_feeder(imported.feeder),
    ):
        assert check.difference_pu < 1e-6
        assert check.highest_pu < 1.05
