"""What the mirror reads out of its power flow, on feeders that are not drawn for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.model.network import Switch
from sim.feeder import load_feeder
from sim.grid import Grid


def test_a_node_behind_nothing_but_an_open_switch_has_no_voltage() -> None:
    """Foreign feeders have such: the engine does not know them, the page and the points do."""
    feeder = load_feeder("ieee13")
    far = replace(feeder.nodes[0], mrid="far")
    tie = Switch(mrid="tie", from_node="671", to_node="far", phases="ABC", is_open=True)
    grid = Grid(replace(feeder, nodes=(*feeder.nodes, far), switches=(*feeder.switches, tie)), [])
    assert [grid.voltage_pu("far", phase) for phase in "ABC"] == [0.0, 0.0, 0.0]
    assert grid.voltage_pu("671", "A") > 0.9
    for wrong in (("far", "N"), ("nowhere", "A")):
        with pytest.raises(KeyError):
            grid.voltage_pu(*wrong)
