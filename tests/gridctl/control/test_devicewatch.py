"""Devices with a trouble of their own: told one by one, many at once as one, and until they are
heard to be well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.devicewatch import DELAY_S, GIVES_DELAY_S, DeviceWatch
from gridctl.model.clock import ManualClock
from gridctl.model.link import LinkHealth
from gridctl.model.measurement import (
    GOOD,
    Flag,
    Measurement,
    Point,
    PointKind,
    Quality,
    Snapshot,
    TimeQuality,
    Validity,
)
from gridctl.model.quantity import Phase, Unit
from gridctl.model.resource import Battery, PvInverter, Resource
from gridctl.store.engine import temporary_store
from sim.fleet import load_fleet
from sim.scenario import load_scenario, scenario_feeder

DR, DER = "DR", "DER"
LOST = Quality(validity=Validity.INVALID, flags=frozenset({Flag.COMM_LOST}))
SILENT = Quality(validity=Validity.QUESTIONABLE, flags=frozenset({Flag.COMM_LOST}))


@dataclass
class Image:
    """What the field tells: everything at its default until it is changed."""

    resources: tuple[Resource, ...]
    at_s: float = 0.0
    values: dict[str, float] = field(default_factory=dict)
    qualities: dict[str, Quality] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    @property
    def points(self) -> Mapping[str, Point]:
        return {
            r.points.setpoint: Point(
                mrid=r.points.setpoint, name="", equipment=r.mrid, kind=PointKind.SETPOINT,
                unit=Unit.KW, phase=Phase.ABC, scan_s=2.0, link=link_of(r),
            )
            for r in self.resources
        }  # fmt: skip

    @property
    def links(self) -> tuple[LinkHealth, ...]:
        return tuple(
            LinkHealth(
                link=link, protocol="dnp3", endpoint="", since_s=0.0, points=1, reads=1,
                state="down" if link in self.down else "up", late_scans=0, commands=0,
                reconnects=0, round_trip_s=None, detail="",
            )
            for link in (DR, DER)
        )  # fmt: skip

    def snapshot(self) -> Snapshot:
        found = {}
        for r in self.resources:
            names = r.points
            for mrid in (names.feedback, names.power, names.available, names.soc, names.fault):
                if mrid is not None:
                    found[mrid] = self._one(mrid, 50.0 if mrid == names.soc else 0.0)
            if names.remote is not None:
                found[names.remote] = self._one(names.remote, 1.0)
        return Snapshot(revision=1, at_s=self.at_s, values=found)

    def _one(self, mrid: str, usual: float) -> Measurement:
        return Measurement(
            point=mrid, value=self.values.get(mrid, usual),
            quality=self.qualities.get(mrid, GOOD), source_time_s=self.at_s,
            time_quality=TimeQuality.SYNCHRONIZED, received_time_s=self.at_s,
        )  # fmt: skip

    def quality(self, device: str, quality: Quality) -> None:
        for mrid in self.snapshot().values:
            if mrid.startswith(f"{device}."):
                self.qualities[mrid] = quality


def link_of(resource: Resource) -> str:
    return DER if isinstance(resource, Battery | PvInverter) else DR


@dataclass
class Bench:
    image: Image
    book: AlarmBook
    watch: DeviceWatch
    clock: ManualClock

    async def passes(self, real_s: float) -> dict[str, str]:
        """Let time pass; what stands then."""
        for _ in range(round(real_s)):
            self.clock.advance(1.0)
            await self.watch.look()
        return {k: a.text for k, a in self.book.all.items() if a.cleared_s is None}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    story = load_scenario("hot-afternoon")
    image = Image(load_fleet(scenario_feeder(story), story.fleet).resources())
    clock = ManualClock()
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        watch = DeviceWatch(resources=image.resources, image=image, alarms=book, clock=clock)
        made = Bench(image=image, book=book, watch=watch, clock=clock)
        assert await made.passes(3.0) == {}
        yield made


async def test_each_trouble_has_its_words_and_its_end(bench: Bench) -> None:
    bench.image.values |= {"LG03.Remote": 0.0, "BESS02.Flt": 1.0}
    bench.image.quality("LG05", LOST)
    assert await bench.passes(DELAY_S) == {}, "it has to last"
    assert await bench.passes(2.0) == {
        "device.LG03": "LG03 stands at local and takes no commands",
        "device.BESS02": "BESS02 reports a fault",
        "device.LG05": "LG05 does not answer its concentrator",
    }
    bench.image.values.clear()
    bench.image.qualities.clear()
    assert await bench.passes(1.0) == {}


async def test_who_gives_next_to_nothing_of_what_it_has_is_told(bench: Bench) -> None:
    bench.image.values |= {"PV01.Avail": 60.0, "PV01.WLimFb": 120.0, "PV01.TotW": 58.0}
    bench.image.values |= {"BESS01.WSptFb": 100.0, "BESS01.TotW": 98.0}
    assert await bench.passes(GIVES_DELAY_S + 10.0) == {}
    # Both inverters trip; a third one is held back by its ceiling, a fourth one is empty.
    bench.image.values |= {"PV01.TotW": 0.0, "BESS01.TotW": 0.0}
    bench.image.values |= {"PV02.Avail": 60.0, "PV02.WLimFb": 0.0}
    bench.image.values |= {"BESS03.WSptFb": 100.0, "BESS03.SoC": 10.0}
    assert await bench.passes(GIVES_DELAY_S) == {}
    assert await bench.passes(DELAY_S + 2.0) == {
        "device.PV01": "PV01 gives 0 kW where 60 kW are due",
        "device.BESS01": "BESS01 gives 0 kW where 100 kW are due",
    }


async def test_the_opposite_and_what_customers_overrule_are_told(bench: Bench) -> None:
    bench.image.values |= {"BESS01.WSptFb": 40.0, "BESS01.TotW": -40.0}
    bench.image.values |= {"LG24.ShedFb": 41.9, "LG24.Avail": 0.0}
    bench.image.values |= {"LG25.ShedFb": 20.0, "LG25.Avail": 30.0}
    await bench.passes(GIVES_DELAY_S)
    assert await bench.passes(DELAY_S + 2.0) == {
        "device.BESS01": "BESS01 gives -40 kW where 40 kW are due",
        "device.LG24": "LG24 sheds 0 kW where 42 kW are due",
    }


async def test_a_battery_at_rest_that_gives_is_told(bench: Bench) -> None:
    """It may be feeding an island."""
    bench.image.values |= {"BESS06.TotW": 20.6, "BESS07.TotW": 1.0}
    assert await bench.passes(GIVES_DELAY_S) == {}
    assert await bench.passes(DELAY_S + 2.0) == {
        "device.BESS06": "BESS06 gives 21 kW where 0 kW are due"
    }
    bench.image.values.clear()
    assert await bench.passes(1.0) == {}


async def test_a_silent_link_is_not_told_as_its_devices_and_keeps_what_they_had(
    bench: Bench,
) -> None:
    bench.image.values["LG03.Remote"] = 0.0
    assert list(await bench.passes(DELAY_S + 2.0)) == ["device.LG03"]
    bench.image.down.add(DR)
    for resource in bench.image.resources:
        bench.image.quality(resource.mrid, SILENT)
    bench.image.values.clear()
    assert list(await bench.passes(DELAY_S + 2.0)) == ["device.LG03"]
    bench.image.down.clear()
    bench.image.qualities.clear()
    assert await bench.passes(1.0) == {}


async def test_many_at_once_are_one_alarm(bench: Bench) -> None:
    bench.image.values |= {f"LG{k:02d}.Remote": 0.0 for k in range(1, 10)}
    assert await bench.passes(DELAY_S + 2.0) == {
        "devices.DR": "9 devices behind DR in trouble at once; LG01, LG02, LG03, LG04, LG05, LG06 "
        "and 3 more: stands at local and takes no commands"
    }
    bench.image.values = {"LG01.Remote": 0.0}
    assert list(await bench.passes(2.0)) == ["device.LG01"]
