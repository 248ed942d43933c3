"""A pandapower net with a bit of everything against the solution that pandapower wrote into it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridctl.feeder_check import check_feeder
from gridctl.model.errors import ConfigError
from gridctl.model.network import Connection, LoadModel
from sim.feeder_import.pandapower import import_pandapower
from sim.feeder_import.report import Fate
from sim.feeder_import.resources import DerKind
from sim.load_shapes import Profile
from tests.sim.feeder_import.agreement import CIRCUITS

NET = CIRCUITS / "own_net.json"


def test_same_voltages_as_in_pandapower() -> None:
    imported = import_pandapower(NET, "own")
    assert imported.compared is not None
    found = check_feeder(imported.compared, imported.reference_v, by_size=True)
    assert found.agrees, found
    assert found.compared == 7 * 3


UNBALANCED = CIRCUITS / "own_net_unbalanced.json"
"""Solved by pandapower 3.5.6's runpp_3ph to 1e-12 MVA behind a stiff source."""


def test_the_zero_sequence_of_a_delta_star_transformer() -> None:
    """Magnetising 90 % of a leakage that is not the positive one."""
    imported = import_pandapower(UNBALANCED, "own")
    assert {e.element: e.fate for e in imported.report.entries}["trafo.0"] is Fate.KEPT
    found = check_feeder(imported.feeder, imported.reference_v, by_size=True)
    assert found.difference_pu < 1e-7, found
    assert check_feeder(imported.feeder).agrees
    without = [e for e in imported.feeder.equivalents if e.mrid != "trafo_0_zero"]
    assert len(without) + 1 == len(imported.feeder.equivalents)
    plain = replace(imported.feeder, equivalents=tuple(without))
    assert check_feeder(plain, imported.reference_v, by_size=True).difference_pu > 3e-4


def test_pandapower_2_has_a_ratio_where_3_has_percent(tmp_path: Path) -> None:
    document = json.loads(UNBALANCED.read_text())
    frame = json.loads(document["_object"]["trafo"]["_object"])
    frame["data"][0][frame["columns"].index("mag0_percent")] = 0.9
    document["_object"]["trafo"]["_object"] = json.dumps(frame)
    document["_object"]["format_version"] = "2.14.0"
    path = tmp_path / "net.json"
    path.write_text(json.dumps(document))
    imported = import_pandapower(path, "own")
    assert check_feeder(imported.feeder, imported.reference_v, by_size=True).difference_pu < 1e-7


def test_tables_become_the_models_words() -> None:
    imported = import_pandapower(NET, "own")
    feeder = imported.feeder
    assert feeder.frequency_hz == 50.0
    assert feeder.source.voltage_pu == 1.02
    assert {s.mrid: s.is_open for s in feeder.switches} == {"line_2_sw": True, "switch_1": False}
    transformer = feeder.transformers[0]
    assert transformer.from_connection is Connection.DELTA
    assert transformer.from_kv == pytest.approx(20.0 * 0.975)
    shop = next(c for c in feeder.consumers if c.mrid == "load_0")
    assert shop.model is LoadModel.ZIP
    assert shop.response is not None
    assert shop.response.zip_shares == pytest.approx((0.3, 0.2, 0.5, 0.3, 0.2, 0.5))
    assert sum(next(c for c in feeder.consumers if c.mrid == "sgen_1").kw) == pytest.approx(-10.0)
    assert [d.kind for d in imported.ders] == [DerKind.PV, DerKind.STORAGE]
    assert [d.rating_kw for d in imported.ders] == pytest.approx([30.0, 30.0])
    assert feeder.node_index()["street_2"].x == 950.0
    fates = {e.element: e.fate for e in imported.report.entries}
    assert fates["load.2"] is Fate.REFUSED  # at the island
    assert fates["load.3"] is Fate.UNUSED


def changed(tmp_path: Path, table: str, column: str, value: Any) -> Path:
    document = json.loads(NET.read_text())
    frame = json.loads(document["_object"][table]["_object"])
    frame["data"][0][frame["columns"].index(column)] = value
    document["_object"][table]["_object"] = json.dumps(frame)
    path = tmp_path / "net.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("line", "r_ohm_per_km", None, "line 0: r_ohm_per_km is None, no number"),
        ("bus", "vn_kv", "high", "bus 0: vn_kv is 'high'"),
        ("ext_grid", "in_service", False, "no external grid"),
        ("ext_grid", "bus", 99, "bus 99, which is none"),
    ],
)
def test_a_figure_that_is_none_is_named(
    tmp_path: Path, table: str, column: str, value: Any, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        import_pandapower(changed(tmp_path, table, column, value), "x")


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"_object": {"load": 1}}'])
def test_what_is_no_net_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "net.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"pandapower net|no JSON"):
        import_pandapower(path, "x")


TWO = CIRCUITS / "own_net_two.json"
"""Three windings, a generator, wards, a motor, an impedance, a switch with one; by pandapower."""


def test_everything_that_stands_in_a_net_has_pandapowers_voltages() -> None:
    imported = import_pandapower(TWO, "two")
    assert imported.compared is not None
    found = check_feeder(imported.compared, imported.reference_v, by_size=True)
    assert found.agrees, found
    told = {e.element: e.why for e in imported.report.told()}
    assert "of no kind of changer" in told["trafo.0"]
    assert "in the file's solution" in told["gen.0"]
    assert told["ext_grid.1"] == "a feeder has one source, and most load hangs on ext_grid 0"


def edited(tmp_path: Path, net: Path, **tables: Any) -> Path:
    """`net` with tables replaced or added, each a list of rows."""
    document = json.loads(net.read_text())
    for name, rows in tables.items():
        columns = list(rows[0])
        frame = {
            "columns": columns,
            "index": list(range(len(rows))),
            "data": [[row[c] for c in columns] for row in rows],
        }
        document["_object"][name] = {"_class": "DataFrame", "_object": json.dumps(frame)}
    path = tmp_path / "net.json"
    path.write_text(json.dumps(document))
    return path


def test_stiff_sources_of_one_voltage_are_one(tmp_path: Path) -> None:
    grids = [{"bus": bus, "vm_pu": 1.02, "in_service": True} for bus in (1, 0)]
    imported = import_pandapower(edited(tmp_path, NET, ext_grid=grids), "x")
    feeder = imported.feeder
    joined = next(s for s in feeder.switches if s.mrid.startswith("ext_grid"))
    assert joined.from_node == feeder.source.node
    assert not joined.is_open
    fates = {e.element: e.fate for e in imported.report.entries}
    assert fates["ext_grid.0"] is fates["ext_grid.1"] is Fate.KEPT


def test_delta_loads_and_what_is_not_known(tmp_path: Path) -> None:
    load = {"bus": 4, "type": "delta", "in_service": True}
    load |= {f"p_{p}_mw": 0.003 for p in "abc"} | {f"q_{p}_mvar": 0.001 for p in "abc"}
    path = edited(
        tmp_path,
        NET,
        asymmetric_load=[load],
        asymmetric_sgen=[load | {"type": "wye"}],
        svc=[{"bus": 4, "in_service": True}],
        controller=[{"object": "tap"}],
    )
    imported = import_pandapower(path, "x")
    consumers = {c.mrid: c for c in imported.feeder.consumers}
    assert consumers["asymmetric_load_0"].connection is Connection.DELTA
    assert sum(consumers["asymmetric_sgen_0"].kw) == pytest.approx(-9.0)
    fates = {e.element: e.fate for e in imported.report.entries}
    assert fates["svc.0"] is fates["controller.0"] is Fate.REFUSED


def test_profiles_of_simbench_become_load_shapes(tmp_path: Path) -> None:
    path = edited(
        tmp_path,
        NET,
        load=[
            {"bus": 4, "p_mw": 0.02, "q_mvar": 0.005, "in_service": True, "profile": "H0-A"},
            {"bus": 4, "p_mw": 0.02, "q_mvar": 0.005, "in_service": True, "profile": "nowhere"},
        ],
    )
    document = json.loads(path.read_text())
    frame = {
        "columns": ["time", "H0-A_qload", "H0-A_pload"],
        "index": [0, 1, 2],
        "data": [
            ["01.01.2016 00:00", 0.1, 0.2],
            ["01.01.2016 00:15", 0.3, 0.4],
            ["01.01.2016 00:30", 0.5, 0.6],
        ],
    }
    document["_object"]["profiles"] = {"load": {"_object": json.dumps(frame)}}
    path.write_text(json.dumps(document))
    imported = import_pandapower(path, "x")
    assert imported.profiles == {"load_0": Profile(shape="load.h0-a")}
    shape = imported.shapes["load.h0-a"]
    assert (shape.step_s, shape.kw_pu, shape.kvar_pu) == (900.0, (0.2, 0.4, 0.6), (0.1, 0.3, 0.5))
