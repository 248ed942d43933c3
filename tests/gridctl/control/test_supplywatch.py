"""Places without voltage: one alarm after a moment, in words, until the voltage is back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.supplywatch import DELAY_S, KEY, SupplyWatch
from gridctl.model.clock import ManualClock
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
from gridctl.store.engine import temporary_store

NODES = tuple(str(k) for k in range(1, 10))
PHASES = (Phase.A, Phase.B, Phase.C)


class Image:
    """Nine nodes of three phases, all live."""

    def __init__(self) -> None:
        self.points: Mapping[str, Point] = {
            f"V.{node}.{phase}": Point(
                mrid=f"V.{node}.{phase}", name="", equipment=node, kind=PointKind.ANALOG,
                unit=Unit.VOLT_PU, phase=phase, scan_s=2.0,
            )
            for node in NODES
            for phase in PHASES
        }  # fmt: skip
        self.pu = dict.fromkeys(self.points, 1.0)
        self.quality = GOOD

    def dark(self, *nodes: str, phases: str = "ABC") -> None:
        self.pu |= {f"V.{node}.{phase}": 0.0 for node in nodes for phase in phases}

    def snapshot(self) -> Snapshot:
        return Snapshot(
            revision=1,
            at_s=0.0,
            values={
                mrid: Measurement(
                    point=mrid, value=value, quality=self.quality, source_time_s=0.0,
                    time_quality=TimeQuality.SYNCHRONIZED, received_time_s=0.0,
                )
                for mrid, value in self.pu.items()
            },
        )  # fmt: skip


@dataclass
class Bench:
    image: Image
    book: AlarmBook
    watch: SupplyWatch
    clock: ManualClock

    async def passes(self, real_s: float) -> str | None:
        for _ in range(round(real_s)):
            self.clock.advance(1.0)
            await self.watch.look()
        found = self.book.all.get(KEY)
        return None if found is None or found.cleared_s is not None else found.text


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock, image = ManualClock(), Image()
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        watch = SupplyWatch(image=image, alarms=book, clock=clock, dead_below_pu=0.05)
        made = Bench(image=image, book=book, watch=watch, clock=clock)
        assert await made.passes(3.0) is None
        yield made


async def test_dark_places_are_named_after_a_moment_and_gone_with_the_voltage(bench: Bench) -> None:
    bench.image.dark("3", "4")
    assert await bench.passes(DELAY_S) is None
    assert await bench.passes(2.0) == "no voltage at 3, 4, of 9 measured places"
    assert bench.book.all[KEY].priority == 1
    bench.image.dark("5", phases="B")
    assert await bench.passes(1.0) == "no voltage at 3, 4, 5 (phase B), of 9 measured places"
    bench.image.dark(*NODES[:8])
    told = await bench.passes(1.0)
    assert told == "no voltage at 1, 2, 3, 4, 5, 6 and 2 more, of 9 measured places"
    bench.image.dark(*NODES)
    assert await bench.passes(1.0) == "no voltage on the feeder: all 9 measured places are dark"
    bench.image.pu = dict.fromkeys(bench.image.points, 1.0)
    assert await bench.passes(1.0) is None


async def test_a_recloser_is_no_alarm(bench: Bench) -> None:
    bench.image.dark(*NODES)
    await bench.passes(DELAY_S - 1.0)
    bench.image.pu = dict.fromkeys(bench.image.points, 1.0)
    assert await bench.passes(10.0) is None
    assert KEY not in bench.book.all


async def test_what_is_not_heard_stays_as_it_was(bench: Bench) -> None:
    bench.image.dark("7")
    assert await bench.passes(DELAY_S + 2.0)
    bench.image.pu = dict.fromkeys(bench.image.points, 1.0)
    bench.image.quality = Quality(validity=Validity.QUESTIONABLE, flags=frozenset({Flag.COMM_LOST}))
    assert await bench.passes(5.0) == "no voltage at 7, of 9 measured places"
    bench.image.quality = GOOD
    assert await bench.passes(1.0) is None
