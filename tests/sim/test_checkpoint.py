"""A world saved in the middle of everything goes on as if nothing had been."""

from __future__ import annotations

import json

import pytest

from gridctl.model.errors import ConfigError
from sim.checkpoint import restore, saved
from sim.fault_kinds import Fault
from sim.mischief import apply
from tests.sim.lively import Lively


def watched(stage: Lively) -> dict[str, float]:
    return {p: stage.world.read(p).value for p in stage.world.points()}


def test_it_goes_on_where_it_was() -> None:
    stage = Lively()
    world = stage.world
    for point, kw in (("LG13.ShedSpt", 30.0), ("BESS01.WSpt", 60.0), ("GEN01.WSpt", 80.0)):
        world.command(point, kw, lease_s=1_500.0)
    apply(world, Fault.LATE_EXECUTION, "BESS02", on=True, amount=600.0)
    apply(world, Fault.DRIFTING_SENSOR, "FDR.TotW", on=True, amount=50.0)
    apply(world, Fault.STUCK_REGULATOR, "REG4", on=True, amount=0.0)
    world.command("BESS02.WSpt", 20.0, lease_s=1_500.0)
    stage.run(10)
    apply(world, Fault.LINE_OUT, "L67-68", on=True, amount=0.0)
    apply(world, Fault.INVERTER_TRIP, "PV01", on=True, amount=0.0)
    stage.run(30)
    kept = json.loads(json.dumps(saved(world)))
    stage.run(40)
    expected = watched(stage)

    again = Lively(start_s=kept["at_s"])
    restore(again.world, kept)
    again.run(40)
    found = watched(again)
    assert found.keys() == expected.keys()
    for point, value in expected.items():
        assert found[point] == pytest.approx(value, abs=2e-5), point
    assert again.world.ticks == world.ticks
    assert again.world.received == world.received
    exact = [p for p in expected if p.split(".")[0][:2] in ("LG", "EV", "HV", "WH", "BE", "GE")]
    assert len(exact) > 100
    assert {p: found[p] for p in exact} == {p: expected[p] for p in exact}, "devices: bit for bit"


@pytest.mark.parametrize("key", ["version", "scenario", "feeder"])
def test_another_worlds_state_is_refused(key: str) -> None:
    stage = Lively()
    kept = saved(stage.world) | {key: "another"}
    with pytest.raises(ConfigError, match=f"{key} 'another'"):
        restore(stage.world, kept)
