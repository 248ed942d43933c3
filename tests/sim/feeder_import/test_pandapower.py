"""A pandapower net with a bit of everything against the solution that pandapower wrote into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gridctl.feeder_check import check_feeder
from gridctl.model.errors import ConfigError
from gridctl.model.network import Connection, LoadModel
from sim.feeder_import.pandapower import import_pandapower
from sim.feeder_import.report import Fate
from sim.feeder_import.resources import DerKind
from tests.sim.feeder_import.agreement import CIRCUITS

NET = CIRCUITS / "own_net.json"


def test_same_voltages_as_in_pandapower() -> None:
    imported = import_pandapower(NET, "own")
    assert imported.compared is not None
    found = check_feeder(imported.compared, imported.reference_v, by_size=True)
    assert found.agrees, found
    assert found.compared == 7 * 3


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
