"""The head's power against its currents: what cannot be is told, after a while and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.headwatch import DELAY_S, KEY, HeadWatch, contradiction
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

KV = 4.16


def ampere(kva: float, *, pu: float = 1.0) -> tuple[float, float, float]:
    each = kva / (math.sqrt(3.0) * KV * pu)
    return each, each, each


class Image:
    """A head with its power and currents, as its meters have them."""

    def __init__(self) -> None:
        units = {"FDR.TotW": Unit.KW, "FDR.TotVAr": Unit.KVAR}
        units |= {f"FDR.A.{phase}": Unit.AMPERE for phase in "ABC"}
        self.points: Mapping[str, Point] = {
            mrid: Point(
                mrid=mrid, name="", equipment="FDR", kind=PointKind.ANALOG, unit=unit,
                phase=Phase(mrid[-1]) if unit is Unit.AMPERE else Phase.ABC, scan_s=2.0,
            )
            for mrid, unit in units.items()
        }  # fmt: skip
        self.values: dict[str, float] = {}
        self.bad: set[str] = set()
        self.shows(kw=3000.0, kvar=900.0, amps=ampere(3132.0))

    def shows(self, *, kw: float, kvar: float, amps: tuple[float, float, float]) -> None:
        self.values = {"FDR.TotW": kw, "FDR.TotVAr": kvar}
        self.values |= {f"FDR.A.{p}": value for p, value in zip("ABC", amps, strict=True)}

    def snapshot(self) -> Snapshot:
        lost = Quality(validity=Validity.QUESTIONABLE, flags=frozenset({Flag.COMM_LOST}))
        return Snapshot(
            revision=1,
            at_s=0.0,
            values={
                mrid: Measurement(
                    point=mrid, value=value, quality=lost if mrid in self.bad else GOOD,
                    source_time_s=0.0, time_quality=TimeQuality.SYNCHRONIZED, received_time_s=0.0,
                )
                for mrid, value in self.values.items()
            },
        )  # fmt: skip


@pytest.mark.parametrize("pu", [0.92, 1.0, 1.08])
@pytest.mark.parametrize("kw", [-2500.0, 0.0, 400.0, 3000.0])
def test_what_a_substation_may_hold_is_no_contradiction(kw: float, pu: float) -> None:
    amps = ampere(math.hypot(kw, 600.0), pu=pu)
    assert contradiction(kw, 600.0, amps, nominal_kv=KV, loaded_kva=1500.0) is None


def test_power_that_the_currents_cannot_carry_is_told() -> None:
    found = contradiction(5875.0, 900.0, ampere(3300.0), nominal_kv=KV, loaded_kva=1500.0)
    assert found == (
        "the head shows 5875 kW, its currents (458, 458, 458 A) carry no more than 3630 kVA"
    )


def test_too_little_power_is_told_only_where_much_flows() -> None:
    found = contradiction(1200.0, 900.0, ampere(3300.0), nominal_kv=KV, loaded_kva=1500.0)
    assert found is not None
    assert found.endswith("carry at least 2970 kVA")
    # One phase exports, two import: little power, and nothing wrong.
    assert contradiction(100.0, 50.0, (90.0, 80.0, 60.0), nominal_kv=KV, loaded_kva=1500.0) is None


async def test_the_alarm_comes_after_a_while_and_goes_with_its_reason() -> None:
    clock, image = ManualClock(), Image()
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        watch = HeadWatch(
            head_point="FDR.TotW", nominal_kv=KV, limit_kw=2950.0, image=image, alarms=book,
            clock=clock,
        )  # fmt: skip

        async def passes(real_s: float) -> bool:
            for _ in range(round(real_s)):
                clock.advance(1.0)
                await watch.look()
            found = book.all.get(KEY)
            return found is not None and found.cleared_s is None

        assert not await passes(30.0)
        image.shows(kw=4500.0, kvar=900.0, amps=ampere(3132.0))
        assert not await passes(DELAY_S)
        image.shows(kw=3000.0, kvar=900.0, amps=ampere(3132.0))
        assert not await passes(2.0)
        image.shows(kw=4500.0, kvar=900.0, amps=ampere(3132.0))
        assert await passes(DELAY_S + 2.0)
        assert book.all[KEY].priority == 1
        image.bad = {"FDR.A.B"}
        image.shows(kw=3000.0, kvar=900.0, amps=ampere(3132.0))
        assert await passes(5.0)
        image.bad = set()
        assert not await passes(2.0)


async def test_without_three_currents_there_is_nothing_to_hold_it_against() -> None:
    clock, image = ManualClock(), Image()
    image.points = {mrid: p for mrid, p in image.points.items() if mrid != "FDR.A.C"}
    image.shows(kw=9000.0, kvar=0.0, amps=(1.0, 1.0, 1.0))
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        watch = HeadWatch(
            head_point="FDR.TotW", nominal_kv=KV, limit_kw=2950.0, image=image, alarms=book,
            clock=clock,
        )  # fmt: skip
        for _ in range(30):
            clock.advance(1.0)
            await watch.look()
        assert KEY not in book.all
