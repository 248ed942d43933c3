"""The relays' readings by the state estimate, held against the mirror's own relays."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from gridctl.control import relays
from gridctl.control.alarms import AlarmBook
from gridctl.control.relays import LOOK_S, MARGIN_V, RelayBook, estimated, metered
from gridctl.control.resources import Known, measured_taps
from gridctl.control.statecheck import StateCheck
from gridctl.control.tapwatch import STILL_AFTER_S, RelayReading
from gridctl.model.clock import ManualClock
from gridctl.model.limits import LimitSet
from gridctl.model.measurement import GOOD, Measurement, Point, PointKind, Snapshot, TimeQuality
from gridctl.model.quantity import Phase, Unit
from gridctl.store.engine import temporary_store
from sim.fleet import load_fleet
from sim.instance_points import write_points
from sim.scenario import load_scenario, scenario_feeder
from sim.step_field import links_of
from sim.world import World


@dataclass
class Mirror:
    world: World
    clock: ManualClock
    points: dict[str, Point]

    def known(self) -> Known:
        values = {}
        for mrid in self.points:
            seen = self.world.read(mrid)
            values[mrid] = Measurement(
                point=mrid, value=seen.value, quality=GOOD, source_time_s=seen.at_s,
                time_quality=TimeQuality.SYNCHRONIZED, received_time_s=seen.at_s,
            )  # fmt: skip
        return Known(
            snapshot=Snapshot(revision=1, at_s=self.clock.now_s(), values=values),
            points=self.points, links=(),
            # Nothing is commanded here.
            limits=cast(LimitSet, None), not_commanded={},
        )  # fmt: skip

    def shifted(self, name: str, steps: int) -> None:
        """A tap changer elsewhere, which stands still from now on."""
        for control in self.world.grid.regulators:
            if control.regulator.mrid == name:
                control.tap += steps
                control.stuck = True
                self.world.grid._apply(control)


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    story = load_scenario("hot-afternoon")
    feeder = scenario_feeder(story)
    fleet = load_fleet(feeder, story.fleet)
    clock = ManualClock(grid_s=story.start_s)
    world = World(feeder=feeder, fleet=fleet, scenario=story, clock=clock, links=links_of(fleet))
    write_points(tmp_path / "points.csv", feeder, fleet)
    points = {}
    with (tmp_path / "points.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["kind"] in ("analog", "discrete"):
                points[row["mrid"]] = Point(
                    mrid=row["mrid"], name=row["name"], equipment=row["equipment"],
                    kind=PointKind(row["kind"]), unit=Unit(row["unit"]),
                    phase=Phase(row["phase"]), scan_s=2.0,
                )  # fmt: skip
    made = Mirror(world=world, clock=clock, points=points)
    clock.advance(10.0)
    world.tick(clock.now_s())
    return made


def checked(mirror: Mirror, known: Callable[[], Known]) -> StateCheck:
    return StateCheck(
        mirror.world.feeder, mirror.world.fleet.resources(), head_point="FDR.TotW", known=known
    )


def readings(mirror: Mirror) -> dict[tuple[str, str], RelayReading]:
    known = mirror.known()
    present = checked(mirror, lambda: known).present()
    assert present is not None
    feeder = mirror.world.feeder
    taps = {r.mrid: measured_taps(r, known) for r in feeder.regulators}
    return {(one.regulator, one.phases): one for one in estimated(feeder, *present, taps)}


def test_the_estimate_reads_what_the_relays_read(mirror: Mirror) -> None:
    seen, grid = readings(mirror), mirror.world.grid
    assert len(seen) == len(grid.regulators) == 7
    for control in grid.regulators:
        one = seen[control.regulator.mrid, control.phases]
        own_v = control.off_v(grid._seen(control)) + one.set_v
        assert one.reading_v == pytest.approx(own_v, abs=0.15)
        assert one.tap == control.tap
        assert one.beyond_v == 0.0, "nothing is beyond its band"


async def test_a_tap_changer_that_stands_still_is_an_alarm_until_it_moves(mirror: Mirror) -> None:
    async with temporary_store(mirror.clock) as store:
        alarms = AlarmBook(store=store, clock=mirror.clock)
        book = RelayBook(
            mirror.world.feeder,
            state=checked(mirror, mirror.known),
            known=mirror.known,
            clock=mirror.clock,
            alarms=alarms,
            utc_offset_s=-18_000.0,
        )

        async def look(after_s: float) -> tuple[str, ...]:
            mirror.clock.advance(after_s)
            mirror.world.tick(mirror.clock.now_s())
            await book.step()
            return book.still()

        mirror.shifted("REG4", -6)
        assert await look(1.0) == ()
        assert await look(STILL_AFTER_S / 2) == ()
        assert await look(STILL_AFTER_S / 2) == ("REG4",)
        (alarm,) = [a for a in alarms.listed() if a.key == "regulator.REG4"]
        assert alarm.text.startswith("REG4 does not move: phase A at tap ")
        assert "its band is 120.5 to 122.5 V" in alarm.text
        assert await look(LOOK_S / 2) == ("REG4",), "it is looked at once a minute"
        mirror.shifted("REG4", 1)
        assert await look(LOOK_S) == ()
        assert alarms.all["regulator.REG4"].cleared_s is not None


def test_a_relay_without_compensation_is_read_by_its_meter(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a feeder that is too large for the estimate."""
    feeder, known = mirror.world.feeder, mirror.known()
    taps = {r.mrid: measured_taps(r, known) for r in feeder.regulators}
    assert metered(feeder, known, taps) == [], "all have a compensator, and none a meter"
    plain = replace(
        feeder,
        regulators=tuple(
            replace(r, to_node="67", ldc_r_v=(0.0,) * 3, ldc_x_v=(0.0,) * 3) if r.mrid == "REG4"
            else r
            for r in feeder.regulators
        ),
    )  # fmt: skip
    found = {one.phases: one for one in metered(plain, known, taps)}
    volts = known.snapshot.values["V.67.A"].value
    assert found["A"].reading_v == pytest.approx(volts * 2401.777 / 20.0, abs=1e-3)
    low = replace(
        known,
        snapshot=replace(
            known.snapshot,
            values={
                **known.snapshot.values,
                "V.67.A": replace(known.snapshot.values["V.67.A"], value=0.9),
            },
        ),
    )
    (sagging,) = [one for one in metered(plain, low, taps) if one.phases == "A"]
    below_v = 0.9 * 2401.777 / 20.0 - (sagging.set_v - sagging.band_v / 2.0)
    assert sagging.beyond_v == pytest.approx(below_v + MARGIN_V, abs=1e-3)
    monkeypatch.setattr(relays, "fed_from_behind", lambda _: frozenset({"REG4"}))
    assert metered(plain, low, taps) == [], "its meter is on the side that it does not hold"
