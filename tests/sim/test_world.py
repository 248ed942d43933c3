"""The hot afternoon, its devices on the feeder, and the plant's port."""

from __future__ import annotations

import time

import pytest

from gridctl.model.clock import ManualClock
from gridctl.model.errors import UnavailableError
from sim.fleet import load_fleet
from sim.plant import Plant, Verdict
from sim.scenario import load_scenario, scenario_feeder
from sim.world import World

_SCENARIO = load_scenario("hot-afternoon")
_LINKS = {"LG13.ShedSpt": "DR", "BESS01.WSpt": "DER", "PV01.WLim": "DER"}


class Stage:
    """A world on a hand-moved clock, `hour` local time on the scenario's day."""

    def __init__(self, hour: float) -> None:
        start_s = _SCENARIO.climate.day * 86_400.0 - _SCENARIO.utc_offset_s + hour * 3600.0
        self.clock = ManualClock(grid_s=start_s)
        feeder = scenario_feeder(_SCENARIO)
        self.world = World(
            feeder=feeder,
            fleet=load_fleet(feeder),
            scenario=_SCENARIO,
            clock=self.clock,
            links=_LINKS,
        )

    def run(self, seconds: float, step_s: float = 10.0) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            self.world.tick(self.clock.now_s())

    def value(self, point: str) -> float:
        return self.world.read(point).value


@pytest.fixture
def stage() -> Stage:
    return Stage(16.5)


def test_the_head_climbs_through_its_limit_while_the_sun_falls() -> None:
    stage = Stage(12.0)
    head, sun, low, high = {}, {}, 2.0, 0.0
    for k in range(96):
        stage.run(300.0, step_s=60.0)
        hour = 12.0 + (k + 1) / 12
        head[hour] = stage.value("FDR.TotW")
        sun[hour] = sum(stage.value(f"PV{i:02}.TotW") for i in range(1, 35))
        volts = [
            abs(v)
            for name, v in zip(
                stage.world.grid.engine.node_phases,
                stage.world.grid.solution.voltages_pu,
                strict=True,
            )
            if not name.startswith("610.")
        ]
        low, high = min(low, *volts), max(high, *volts)
    limit_kw = _SCENARIO.head_limit_kw
    peak_kw = max(head.values())
    over = sorted(hour for hour, kw in head.items() if kw > limit_kw)
    fleet = stage.world.fleet
    sheddable_kw = sum(site.resource.rating_kw for site in fleet.load_groups)
    battery_kw = sum(site.resource.rating_kw for site in fleet.batteries)
    assert 200.0 < peak_kw - limit_kw < 0.5 * (sheddable_kw + battery_kw)
    assert 14.0 < over[0] < 16.4, "passes the limit before or soon after the story starts"
    assert 17.8 < over[-1] < 19.5
    assert over[-1] - over[0] > 1.5
    assert sun[16.0] > 1.4 * sun[18.0] > 0
    assert low >= 0.95
    assert high <= 1.05


def test_it_is_a_plant(stage: Stage) -> None:
    plant: Plant = stage.world
    before = plant.revision()
    stage.run(10.0)
    assert plant.revision() == before + 1
    assert plant.read("FDR.TotW").at_s == stage.clock.now_s()
    assert plant.read("FDR.TotW").good
    with pytest.raises(KeyError):
        plant.read("FDR.Nothing")
    assert plant.check("FDR.TotW", 1.0) is Verdict.NOT_SUPPORTED


def test_the_same_again() -> None:
    first, second = Stage(16.0), None
    first.run(120.0)
    seen = {p: first.value(p) for p in ("FDR.TotW", "V.65.A", "LG01.TotW")}
    second = Stage(16.0)
    second.run(120.0)
    assert {p: second.value(p) for p in seen} == seen


def test_a_shed_comes_down_at_the_head_and_comes_back(stage: Stage) -> None:
    baseline = Stage(16.5)
    baseline.run(300.0)
    untouched_kw = baseline.value("FDR.TotW")
    stage = Stage(16.5)  # the engine is the newest world's
    shed_kw = 40.0
    assert stage.world.command("LG13.ShedSpt", shed_kw, lease_s=600.0) is Verdict.ACCEPTED
    assert stage.value("LG13.ShedFb") == shed_kw
    stage.run(300.0)
    drop_kw = untouched_kw - stage.value("FDR.TotW")
    assert 0.9 * shed_kw < drop_kw < 1.15 * shed_kw
    stage.run(600.0)
    assert stage.value("LG13.ShedFb") == 0.0, "the lease is over"
    assert stage.value("LG13.TotW") > 0


def test_battery_and_pv_obey(stage: Stage) -> None:
    world = stage.world
    stage.run(10.0)
    before_kw, soc = stage.value("FDR.TotW"), stage.value("BESS01.SoC")
    assert world.command("BESS01.WSpt", 90.0, lease_s=900.0) is Verdict.ACCEPTED
    stage.run(30.0)
    assert stage.value("BESS01.TotW") == 90.0
    assert 70.0 < before_kw - stage.value("FDR.TotW") < 115.0
    assert stage.value("BESS01.SoC") < soc
    assert stage.value("PV01.TotW") > 10.0
    assert world.command("PV01.WLim", 10.0, lease_s=900.0) is Verdict.ACCEPTED
    stage.run(30.0)
    assert stage.value("PV01.TotW") == pytest.approx(10.0)
    assert stage.value("PV01.Avail") > 10.0


def test_every_command_is_counted_also_the_refused(stage: Stage) -> None:
    world = stage.world
    assert world.check("BESS01.WSpt", 50.0) is Verdict.ACCEPTED
    assert sum(world.received.values()) == 0, "a SELECT is no command"
    world.command("BESS01.WSpt", 50.0, lease_s=60.0)
    assert world.command("BESS01.WSpt", 1e6, lease_s=60.0) is Verdict.OUT_OF_RANGE
    world.command("LG13.ShedSpt", 5.0, lease_s=None)
    assert world.commands_by_link == {"DER": 2, "DR": 1}
    assert [(c.point, c.verdict) for c in world.log] == [
        ("BESS01.WSpt", Verdict.ACCEPTED),
        ("BESS01.WSpt", Verdict.OUT_OF_RANGE),
        ("LG13.ShedSpt", Verdict.ACCEPTED),
    ]


def test_a_frozen_feed_stands_still_while_the_world_goes_on(stage: Stage) -> None:
    world = stage.world
    stage.run(20.0)
    world.freeze(on=True)
    seen = {p: world.read(p) for p in ("FDR.TotW", "SUB.HB", "DR.HB", "DER.HB", "V.65.A")}
    revision = world.revision()
    stage.run(120.0)
    assert {p: world.read(p) for p in seen} == seen
    assert world.revision() == revision
    assert world.at_s == stage.clock.now_s()
    world.freeze(on=False)
    assert world.read("SUB.HB").value == seen["SUB.HB"].value + 12
    assert world.read("FDR.TotW") != seen["FDR.TotW"]


def test_faults_of_one_device(stage: Stage) -> None:
    world = stage.world
    world.set_local("BESS01", on=True)
    assert stage.value("BESS01.Remote") == 0.0
    assert world.command("BESS01.WSpt", 1.0, lease_s=60.0) is Verdict.LOCAL
    world.set_local("BESS01", on=False)
    world.set_fault("LG13", on=True)
    stage.run(10.0)
    assert stage.value("LG13.Flt") == 1.0
    assert stage.value("LG13.Avail") == 0.0
    assert world.check("LG13.ShedSpt", 1.0) is Verdict.BLOCKED
    world.lose_device("PV01", lost=True)
    lost = world.read("PV01.TotW")
    stage.run(30.0)
    assert world.read("PV01.TotW") == lost
    assert not lost.good
    assert world.check("PV01.WLim", 1.0) is Verdict.BLOCKED
    world.lose_device("PV01", lost=False)
    assert world.read("PV01.TotW").good


def test_a_tick_is_quick(stage: Stage) -> None:
    times_s = []
    for _ in range(40):
        start_s = time.perf_counter()
        stage.run(10.0)
        times_s.append(time.perf_counter() - start_s)
    assert sorted(times_s)[20] < 0.020


def test_a_tick_without_a_power_flow_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    world = stage.world
    stage.run(10.0)
    assert world.read("FDR.TotW").good
    usual = type(world._demand).kw
    monkeypatch.setattr(type(world._demand), "kw", lambda self, at_s: 40.0 * usual(self, at_s))
    with pytest.raises(UnavailableError, match="does not converge"):
        stage.run(10.0)
    seen = (world.diverged, world.read("FDR.TotW").good, world.read("V.65.A").good)
    assert seen == (True, False, False)
    assert world.read("LG13.ShedFb").good, "devices know their own state"
    assert world.read("SUB.HB").good
    monkeypatch.undo()
    stage.run(10.0)
    assert (world.diverged, world.read("FDR.TotW").good) == (False, True)
