"""What a release that was cut short leaves behind for the next one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.journal import CommandBook
from gridctl.control.judge import Judge
from gridctl.control.planrecord import OpenPlan
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import ManualClock
from gridctl.model.measurement import GOOD, Measurement, Snapshot, TimeQuality
from gridctl.model.planning import Forecast, Horizon
from tests.gridctl.store.examples import plan

HEAD = "FDR.TotW"


@dataclass
class Chosen:
    plan: object = field(default_factory=plan)
    forecast: Forecast = field(
        default_factory=lambda: Forecast(
            horizon=Horizon(start_s=0.0, step_s=900.0, count=2),
            quantiles=(0.5,),
            values_kw=((3_000.0, 3_000.0),),
            method="constant",
            history_days=0.0,
            nmae_pct=None,
        )
    )


class Image:
    """Only the head, as the judge sees it."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.head_kw = 3_000.0

    def snapshot(self) -> Snapshot:
        now_s = self.clock.now_s()
        head = Measurement(
            point=HEAD,
            value=self.head_kw,
            quality=replace(GOOD),
            source_time_s=now_s,
            time_quality=TimeQuality.SYNCHRONIZED,
            received_time_s=now_s,
        )
        return Snapshot(revision=1, at_s=now_s, values={HEAD: head})

    def good(self, point: str) -> Measurement | None:
        return self.snapshot().good(point)


@dataclass
class Bench:
    clock: ManualClock
    judge: Judge

    def passes(self, grid_s: int) -> None:
        for _ in range(grid_s):
            self.clock.advance(1.0)
            self.judge.note()


@pytest.fixture
def bench() -> Bench:
    clock = ManualClock()
    judge = Judge(
        image=cast(ProcessImage, Image(clock)),
        clock=clock,
        head_point=HEAD,
        settle_s=120.0,
        watch_s=60.0,
        book=cast(CommandBook, None),
        alarms=cast(AlarmBook, None),
        stopped=lambda: False,
    )
    made = Bench(clock=clock, judge=judge)
    made.passes(60)
    return made


CHOSEN = cast(OpenPlan, Chosen())


def test_a_canary_cut_off_by_the_next_interval_does_not_blind_the_next_release(
    bench: Bench,
) -> None:
    """5 kW went out, then the interval ended: the next release of 390 kW is judged."""
    first = bench.judge.promise(CHOSEN, 395.0)
    assert first.before is not None
    bench.judge.next_batch(first)
    bench.judge.moved(first)
    bench.judge.cut(first, 5.0)
    assert not first.is_judged
    bench.passes(3)
    assert bench.judge.promise(CHOSEN, 390.0).is_judged


def test_right_after_a_large_movement_there_is_no_line_to_judge_by(bench: Bench) -> None:
    """Devices still follow: the next promise says "not judged" instead of a wrong figure."""
    first = bench.judge.promise(CHOSEN, 395.0)
    bench.judge.moved(first)
    bench.passes(3)
    second = bench.judge.promise(CHOSEN, 100.0)
    assert not second.is_judged
    assert bench.judge.view is not None
    assert (bench.judge.view.settled, bench.judge.view.kept) == (True, None)
