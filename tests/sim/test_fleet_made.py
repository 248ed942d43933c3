"""A fleet made for any feeder: repeatable, readable by the fleet's own reader, in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.device_places import SHARE, device_places, rooms_kva
from sim.feeder import load_feeder
from sim.feeder_import.opendss import import_opendss
from sim.fleet import load_fleet
from sim.fleet_made import write_fleet
from sim.synthetic import generate
from sim.synthetic_styles import Style
from tests.sim.feeder_import.agreement import CIRCUITS


def test_the_same_seed_makes_the_same_tables(tmp_path: Path) -> None:
    feeder = load_feeder("ieee13")
    for name in ("a", "b"):
        write_fleet(tmp_path / name, feeder, seed=3)
    for table in ("load_groups", "batteries", "pv"):
        one, other = (tmp_path / n / f"{table}.csv" for n in ("a", "b"))
        assert one.read_text() == other.read_text()
    fleet = load_fleet(feeder, str(tmp_path / "a"))
    nodes = feeder.node_index()
    assert fleet.load_groups
    for resource in fleet.resources():
        assert sum(t.share for t in resource.terminals) == pytest.approx(1.0)
        assert all(t.phase in nodes[t.node].phases for t in resource.terminals)


def test_devices_of_the_file_come_first_and_legs_share_a_load(tmp_path: Path) -> None:
    imported = import_opendss(CIRCUITS / "split_phase.dss", "split")
    write_fleet(tmp_path / "f", imported.feeder, seed=1, ders=imported.ders)
    fleet = load_fleet(imported.feeder, str(tmp_path / "f"))
    assert [(b.resource.rating_kw, b.resource.energy_kwh) for b in fleet.batteries] == [(100, 400)]
    assert fleet.batteries[0].initial_soc_pct == 60.0
    assert [p.resource.rating_kw for p in fleet.pvs] == [7.0]
    legs = [t for g in fleet.load_groups for t in g.resource.terminals if t.node == "h3"]
    assert {t.phase for t in legs} == {"1", "2"}
    assert legs[0].share == pytest.approx(legs[1].share)


def test_a_delta_feeder_has_devices_between_phases(tmp_path: Path) -> None:
    imported = import_opendss(CIRCUITS / "all_delta.dss", "delta")
    made = write_fleet(tmp_path / "f", imported.feeder, seed=1)
    assert all(made[kind] > 0 for kind in ("load_groups", "batteries", "pv"))
    fleet = load_fleet(imported.feeder, str(tmp_path / "f"))
    for resource in fleet.resources():
        assert sum(t.share for t in resource.terminals) == pytest.approx(1.0)


@pytest.mark.parametrize("style", list(Style))
def test_devices_stand_where_the_equipment_carries_them(tmp_path: Path, style: Style) -> None:
    """Not a battery of tens of kW behind a house's 10 kVA."""
    feeder = generate(nodes=400, style=style, seed=2)
    write_fleet(tmp_path / "f", feeder, seed=1)
    fleet, rooms = load_fleet(feeder, str(tmp_path / "f")), rooms_kva(feeder)
    found = [s.resource for s in fleet.batteries], [s.resource for s in fleet.pvs]
    assert [len(kind) for kind in found] == [4, 4]
    for kind in found:
        for resource in kind:
            assert resource.rating_kw <= 0.41 * rooms[resource.terminals[0].node], resource.mrid


def test_on_one_phase_of_a_cable_there_is_room_for_a_third() -> None:
    feeder = import_opendss(CIRCUITS / "four_wire.dss", "four").feeder
    singles = [c for c in feeder.consumers if len(c.phases) == 1]
    rooms, nodes = rooms_kva(feeder), feeder.node_index()
    at = next(c for c in singles if set("ABC") <= set(nodes[c.node].phases))
    carries_kw = SHARE * rooms[at.node]
    (own,) = [p for p in device_places(feeder, [at], carries_kw / 3.1, 1) if p.node == at.node]
    assert own.phases == at.phases
    assert own.room_kw == pytest.approx(carries_kw / 3)
    assert all(p.phases == "ABC" for p in device_places(feeder, [at], carries_kw / 2.9, 3))
