"""Each fault of the plant, by its name: what it does, that it ends, and what it refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.model.clock import ManualClock
from sim.devices.battery import BatteryDevice
from sim.fault_kinds import KINDS, OF_SERVER, Fault
from sim.fleet import load_fleet
from sim.plant import Verdict
from sim.scenario import Event, load_scenario, scenario_feeder
from sim.step_field import StepField, links_of
from sim.timeline import Timeline
from sim.world import World


class Stage:
    """A world at half past four on the hot afternoon, with a board in front of it."""

    def __init__(self) -> None:
        story = load_scenario("hot-afternoon")
        start_s = story.climate.day * 86_400.0 - story.utc_offset_s + 16.5 * 3600.0
        self.clock = ManualClock(grid_s=start_s)
        feeder = scenario_feeder(story)
        fleet = load_fleet(feeder)
        links = links_of(fleet)
        self.world = World(
            feeder=feeder, fleet=fleet, scenario=story, clock=self.clock, links=links
        )
        self.field = StepField(self.world, links)
        self.board = self.field.board

    def run(self, seconds: float, step_s: float = 10.0) -> None:
        for _ in range(round(seconds / step_s)):
            self.clock.advance(step_s)
            self.world.tick(self.clock.now_s())

    def value(self, point: str) -> float:
        return self.world.read(point).value

    @asynccontextmanager
    async def fault(
        self, name: str, target: str = "", amount: float | None = None
    ) -> AsyncIterator[None]:
        assert await self.board.switch(name, on=True, target=target, amount=amount) is None
        try:
            yield
        finally:
            assert await self.board.switch(name, on=False, target=target) is None
            assert (Fault(name), target) not in self.board.active


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


def test_every_fault_has_a_row_and_a_test() -> None:
    assert set(KINDS) == set(Fault)
    here, wire = (
        Path(__file__).with_name(name).read_text(encoding="utf-8")
        for name in ("test_faults.py", "test_wire_faults.py")
    )
    for fault, kind in KINDS.items():
        text = wire if kind.aim in OF_SERVER else here
        assert f'"{fault.value}"' in text, f"{fault} has no test"


async def test_frozen_feed(stage: Stage) -> None:
    async with stage.fault("frozen-feed"):
        seen = stage.world.read("FDR.TotW")
        stage.run(30.0)
        assert stage.world.read("FDR.TotW") == seen
    assert stage.world.read("FDR.TotW").at_s == stage.clock.now_s()


async def test_a_stuck_sensor_is_good_and_fresh_and_wrong(stage: Stage) -> None:
    async with stage.fault("stuck-sensor", "FDR.TotW"):
        stuck = stage.value("FDR.TotW")
        stage.run(120.0)
        seen = stage.world.read("FDR.TotW")
        assert (seen.value, seen.good, seen.at_s) == (stuck, True, stage.clock.now_s())
        assert stage.world.truth("FDR.TotW").value != stuck
    assert stage.value("FDR.TotW") == stage.world.truth("FDR.TotW").value


async def test_a_drifting_sensor_drifts_by_the_hour(stage: Stage) -> None:
    async with stage.fault("drifting-sensor", "WX.TmpC", amount=6.0):
        stage.run(600.0, step_s=60.0)
        assert stage.value("WX.TmpC") - stage.world.truth("WX.TmpC").value == pytest.approx(1.0)


async def test_a_spiking_sensor_spikes_now_and_then_for_everybody_the_same(stage: Stage) -> None:
    async with stage.fault("spiking-sensor", "FDR.TotW", amount=10.0):
        spikes = 0
        for _ in range(100):
            stage.run(10.0)
            ratio = stage.value("FDR.TotW") / stage.world.truth("FDR.TotW").value
            assert ratio == pytest.approx(1.0) or ratio == pytest.approx(10.0)
            assert stage.value("FDR.TotW") == stage.value("FDR.TotW")
            spikes += ratio > 5
    assert 2 <= spikes <= 25


async def test_bad_quality_and_unit_x1000(stage: Stage) -> None:
    truth = stage.world.truth("LG13.TotW")
    async with stage.fault("bad-quality", "LG13.TotW"), stage.fault("unit-x1000", "LG13.TotW"):
        seen = stage.world.read("LG13.TotW")
        assert not seen.good
        assert seen.value == pytest.approx(1000.0 * truth.value)
    assert stage.world.read("LG13.TotW") == truth


async def test_comm_loss_device_fault_and_local(stage: Stage) -> None:
    world = stage.world
    async with stage.fault("comm-loss", "PV01"):
        assert not world.read("PV01.TotW").good
        assert world.check("PV01.WLim", 1.0) is Verdict.BLOCKED
    async with stage.fault("device-fault", "LG13"):
        stage.run(10.0)
        assert stage.value("LG13.Flt") == 1.0
        assert world.check("LG13.ShedSpt", 1.0) is Verdict.BLOCKED
    async with stage.fault("local", "BESS01"):
        assert world.check("BESS01.WSpt", 1.0) is Verdict.LOCAL
    stage.run(10.0)
    assert world.check("BESS01.WSpt", 1.0) is Verdict.ACCEPTED


async def test_a_customer_override_takes_the_command_and_sheds_nothing(stage: Stage) -> None:
    async with stage.fault("customer-override", "LG12"):
        assert stage.world.command("LG12.ShedSpt", 20.0, lease_s=900.0) is Verdict.ACCEPTED
        stage.run(180.0)
        assert stage.value("LG12.ShedFb") == 20.0
        assert stage.value("LG12.Avail") == 0.0
        assert stage.world.devices["LG12"].shed_kw == 0.0  # type: ignore[union-attr]
    stage.run(180.0)
    assert stage.world.devices["LG12"].shed_kw == pytest.approx(20.0)  # type: ignore[union-attr]


async def test_accepted_and_not_executed(stage: Stage) -> None:
    async with stage.fault("not-executed", "BESS02"):
        assert stage.world.command("BESS02.WSpt", 40.0, lease_s=900.0) is Verdict.ACCEPTED
        stage.run(30.0)
        assert stage.value("BESS02.WSptFb") == 0.0
        assert stage.value("BESS02.TotW") == 0.0


async def test_executed_late(stage: Stage) -> None:
    async with stage.fault("late-execution", "BESS02", amount=60.0):
        assert stage.world.command("BESS02.WSpt", 30.0, lease_s=900.0) is Verdict.ACCEPTED
        stage.run(50.0)
        assert stage.value("BESS02.WSptFb") == 0.0
        stage.run(20.0)
        assert stage.value("BESS02.WSptFb") == 30.0
    stage.world.command("BESS02.WSpt", 0.0, lease_s=900.0)


async def test_wrong_sign_confirms_and_does_the_opposite(stage: Stage) -> None:
    async with stage.fault("wrong-sign", "BESS03"):
        stage.world.command("BESS03.WSpt", 25.0, lease_s=900.0)
        stage.run(30.0)
        assert stage.value("BESS03.WSptFb") == 25.0
        assert stage.value("BESS03.TotW") == -25.0
        async with stage.fault("wrong-sign", "LG13"):
            before_kw = stage.value("LG13.TotW")
            stage.world.command("LG13.ShedSpt", 20.0, lease_s=900.0)
            stage.run(90.0)
            assert stage.value("LG13.TotW") > before_kw + 10.0
    stage.world.command("BESS03.WSpt", 0.0, lease_s=900.0)
    stage.world.command("LG13.ShedSpt", 0.0, lease_s=900.0)
    stage.run(120.0)


async def test_an_inverter_trip_comes_back_by_a_ramp(stage: Stage) -> None:
    stage.run(10.0)
    assert stage.value("PV01.TotW") > 5.0
    async with stage.fault("inverter-trip", "PV01"):
        stage.run(10.0)
        assert stage.value("PV01.TotW") == 0.0
    stage.run(290.0)
    assert stage.value("PV01.TotW") == 0.0, "it waits 300 s"
    stage.run(60.0)
    assert 0.0 < stage.value("PV01.TotW") < 0.5 * 120.0
    stage.run(300.0)
    assert stage.value("PV01.TotW") == pytest.approx(stage.value("PV01.Avail"))


async def test_a_stuck_regulator_stays_where_it_is(stage: Stage) -> None:
    control = next(c for c in stage.world.grid.regulators if c.regulator.mrid == "REG4")
    async with stage.fault("stuck-regulator", "REG4"):
        before = control.tap
        control.regulator = replace(
            control.regulator, vreg_v=tuple(v - 4 for v in control.regulator.vreg_v)
        )
        stage.run(300.0)
        assert control.tap == before
    stage.run(300.0)
    assert control.tap < before


async def test_a_line_out_leaves_its_lateral_dark_and_warm_customers_come_back_hungry(
    stage: Stage,
) -> None:
    world = stage.world
    stage.run(10.0)
    usual_kw = stage.value("LG27.TotW")
    head_kw = stage.value("FDR.TotW")
    async with stage.fault("line-out", "L101-102"):
        stage.run(20.0)
        assert world.unserved_kw > 30.0
        assert stage.value("V.104.C") == 0.0
        assert stage.value("LG27.TotW") == 0.0
        assert stage.value("BESS10.TotW") == 0.0
        assert stage.value("FDR.TotW") < head_kw - 30.0
        stage.run(3600.0, step_s=60.0)
    stage.run(20.0)
    assert world.unserved_kw == 0.0
    assert stage.value("V.104.C") > 0.9
    assert stage.value("LG27.TotW") > 1.3 * usual_kw, "cold-load pickup"
    stage.run(4 * 3600.0, step_s=300.0)


async def test_a_tripped_breaker_and_a_tripped_head() -> None:
    stage = Stage()
    async with stage.fault("breaker-trip", "SW5"):
        stage.run(10.0)
        assert stage.value("V.104.C") == 0.0
        assert stage.value("FDR.TotW") > 100.0
    async with stage.fault("breaker-trip"):
        stage.run(10.0)
        assert stage.value("FDR.TotW") == pytest.approx(0.0, abs=1.0)
        assert stage.value("V.13.A") == 0.0
        assert stage.world.unserved_kw > 2000.0
    stage.run(10.0)
    assert stage.value("FDR.TotW") > 2000.0
    assert not stage.world.diverged


async def test_an_islanded_lateral_lives_off_its_battery_as_long_as_it_can() -> None:
    stage = Stage()
    world = stage.world
    battery = world.devices["BESS06"]
    assert isinstance(battery, BatteryDevice)
    async with stage.fault("islanded-lateral", "L101-102"):
        stage.run(10.0)
        assert stage.value("V.104.C") == 0.0, "more load than the battery's rating"
        assert world.unserved_kw > battery.site.resource.rating_kw
    async with stage.fault("islanded-lateral", "L38-39"):
        stage.run(10.0)
        assert stage.value("V.39.B") == 1.0
        assert world.unserved_kw == pytest.approx(0.0)
        assert 10.0 < stage.value("BESS06.TotW") <= battery.site.resource.rating_kw
        full_pct = battery.soc_pct
        stage.run(4 * 3600.0, step_s=120.0)
        assert battery.soc_pct < full_pct
        assert stage.value("V.39.B") == 0.0, "the battery is empty"
        assert world.unserved_kw > 10.0
    stage.run(10.0)
    assert stage.value("V.39.B") > 0.9
    assert battery.carried_kw is None


@pytest.mark.parametrize(
    ("name", "target", "amount", "words"),
    [
        ("stuck-senser", "FDR.TotW", None, "did you mean stuck-sensor"),
        ("stuck-sensor", "FDR.TotWW", None, "FDR.TotW"),
        ("line-out", "", None, "needs a line or a switch"),
        ("wrong-sign", "PV01", None, "load group or a battery"),
        ("customer-override", "BESS01", None, "load group"),
        ("frozen-feed", "DR", None, "no target"),
        ("bad-quality", "FDR.TotW", 3.0, "no amount"),
        ("late-execution", "BESS01", -1.0, "0 … 7200"),
        ("lost-operate", "DER", None, "needs a DNP3 link"),
        ("breaker-trip", "SW7", None, "a switch"),
    ],
)
async def test_refusals_say_what_there_is(
    stage: Stage, name: str, target: str, amount: float | None, words: str
) -> None:
    refusal = await stage.board.switch(name, on=True, target=target, amount=amount)
    assert refusal is not None
    assert words in str(refusal)


def test_what_is_to_come_is_held_against_the_pilot_at_once(stage: Stage) -> None:
    def event(fault: Fault, target: str, at_s: float) -> Event:
        return Event(at_s=at_s, until_s=None, fault=fault, target=target, amount=None)

    sound = event(Fault.LOCAL, "PV01", 10.0)
    timeline = Timeline(
        [sound, event(Fault.STUCK_SENSOR, "V.9999.A", 20.0), event(Fault.LOST_REPLIES, "DER", 30.0)]
    )
    first, second = timeline.unfit(stage.board)
    assert first.startswith("stuck-sensor needs a readable point, and 'V.9999.A' is none")
    assert second.startswith("lost-replies needs a DNP3 link, and 'DER' is none")
    assert Timeline([sound]).unfit(stage.board) == []
    timeline.skip(25.0)
    assert timeline.unfit(stage.board) == [second], "what has passed is passed"
    assert stage.board.active == ()
