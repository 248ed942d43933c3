"""Alarms of the situation as a whole: not at the start, at once later, and until seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gridctl.control.alarms import AlarmBook
from gridctl.control.interlock import Situation
from gridctl.control.stop import StopState
from gridctl.control.watch import (
    BLOCKED_DELAY_S,
    HEAD_OVER_DELAY_S,
    START_GRACE_S,
    StandingAlarms,
)
from gridctl.model.alarm import AlarmState
from gridctl.model.clock import ManualClock
from gridctl.model.errors import RefusedError
from gridctl.store.engine import temporary_store
from tests.gridctl.small_site import ANNE

ALL_WELL = Situation(
    field_connected=True,
    stopped=False,
    clock_offset_s=0.0,
    clock_offset_max_s=1.0,
    good_share=1.0,
    head_is_good=True,
    limits_digest="l",
    field_limits_digest="l",
    model_digest="m",
    lost_audit=None,
)
FIRST_VALUES = replace(ALL_WELL, head_is_good=False, good_share=0.4)
LINE_DOWN = replace(ALL_WELL, field_connected=False)


@dataclass
class Bench:
    book: AlarmBook
    standing: StandingAlarms
    clock: ManualClock
    now: Situation
    head_kw: float | None = 900.0
    wrong_clocks_s: Mapping[str, float] = field(default_factory=dict)
    refusing: Mapping[str, str] = field(default_factory=dict)

    async def passes(self, real_s: float) -> None:
        """Let time pass, looking twice a second."""
        for _ in range(round(real_s * 2)):
            self.clock.advance(0.5)
            await self.standing.look()

    def states(self) -> dict[str, AlarmState]:
        return {key: alarm.state for key, alarm in self.book.all.items()}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with temporary_store(clock) as store:
        book = AlarmBook(store=store, clock=clock)
        made = Bench(book=book, standing=None, clock=clock, now=LINE_DOWN)  # type: ignore[arg-type]
        made.standing = StandingAlarms(
            alarms=book,
            stop_state=StopState(tmp_path / "STOP"),
            situation=lambda: made.now,
            head_kw=lambda: made.head_kw,
            head_limit_kw=1_000.0,
            wrong_clocks_s=lambda: made.wrong_clocks_s,
            refusing=lambda: made.refusing,
            clock=clock,
        )
        yield made


async def test_a_start_that_goes_well_raises_nothing(bench: Bench) -> None:
    await bench.passes(4.0)
    bench.now = FIRST_VALUES
    await bench.passes(4.0)
    bench.now = ALL_WELL
    await bench.passes(60.0)
    assert bench.states() == {}


async def test_a_field_that_never_comes_is_an_alarm_after_the_grace(bench: Bench) -> None:
    await bench.passes(START_GRACE_S - 1.0)
    assert bench.states() == {}
    await bench.passes(1.5)
    assert bench.states() == {"link": AlarmState.UNACKED}


async def test_after_the_start_a_lost_line_is_an_alarm_at_once(bench: Bench) -> None:
    bench.now = ALL_WELL
    await bench.passes(2.0)
    bench.now = LINE_DOWN
    await bench.passes(0.5)
    assert bench.states() == {"link": AlarmState.UNACKED}


async def test_blocked_is_an_alarm_when_it_lasts(bench: Bench) -> None:
    bench.now = ALL_WELL
    await bench.passes(2.0)
    bench.now = FIRST_VALUES
    await bench.passes(BLOCKED_DELAY_S - 0.5)
    assert bench.states() == {}
    await bench.passes(1.5)
    assert bench.states() == {"blocked": AlarmState.UNACKED}


async def test_sg28_returned_to_normal_stays_until_seen_and_goes_then(bench: Bench) -> None:
    bench.now = ALL_WELL
    await bench.passes(2.0)
    bench.now = LINE_DOWN
    await bench.passes(1.0)
    bench.now = ALL_WELL
    await bench.passes(1.0)
    assert bench.states() == {"link": AlarmState.CLEARED_UNACKED}
    await bench.passes(600.0)
    assert bench.states() == {"link": AlarmState.CLEARED_UNACKED}
    await bench.book.acknowledge("link", person=ANNE)
    assert bench.states() == {}
    with pytest.raises(RefusedError):
        await bench.book.acknowledge("link", person=ANNE)


async def test_sg28_seen_while_it_lasts_goes_with_its_cause(bench: Bench) -> None:
    bench.now = ALL_WELL
    await bench.passes(2.0)
    bench.now = LINE_DOWN
    await bench.passes(1.0)
    await bench.book.acknowledge("link", person=ANNE)
    assert bench.states() == {"link": AlarmState.ACKED}
    bench.now = ALL_WELL
    await bench.passes(1.0)
    assert bench.states() == {}
    bench.now = LINE_DOWN
    await bench.passes(1.0)
    assert bench.states() == {"link": AlarmState.UNACKED}


async def test_an_import_above_the_limit_is_an_alarm_with_delay_and_deadband(bench: Bench) -> None:
    bench.now = ALL_WELL
    bench.head_kw = 1_001.0
    await bench.passes(HEAD_OVER_DELAY_S - 1.0)
    bench.head_kw = 990.0
    await bench.passes(2.0)
    assert bench.states() == {}
    bench.head_kw = 1_001.0
    await bench.passes(HEAD_OVER_DELAY_S + 1.0)
    assert bench.states() == {"head": AlarmState.UNACKED}
    bench.head_kw = 998.0
    await bench.passes(5.0)
    assert bench.states() == {"head": AlarmState.UNACKED}
    bench.head_kw = None
    await bench.passes(5.0)
    assert bench.states() == {"head": AlarmState.UNACKED}
    bench.head_kw = 990.0
    await bench.passes(1.0)
    assert bench.states() == {"head": AlarmState.CLEARED_UNACKED}


async def test_a_device_whose_clock_is_wrong_is_told_until_it_is_set(bench: Bench) -> None:
    bench.now = ALL_WELL
    bench.wrong_clocks_s = {"SUB": -600.0}
    await bench.passes(1.0)
    alarm = bench.book.all["clock.SUB"]
    assert alarm.state is AlarmState.UNACKED
    assert "600 s behind" in alarm.text
    bench.wrong_clocks_s = {}
    await bench.passes(1.0)
    assert bench.book.all["clock.SUB"].state is AlarmState.CLEARED_UNACKED


async def test_a_link_that_refuses_commands_is_an_alarm_until_it_no_longer_does(
    bench: Bench,
) -> None:
    await bench.passes(1.0)
    bench.refusing = {"DR": "link DR refuses commands (LG01, LG02 in a row)"}
    await bench.passes(1.0)
    assert bench.states() == {"refusing": AlarmState.UNACKED}
    assert "LG01" in bench.book.all["refusing"].text
    bench.refusing = {}
    await bench.passes(1.0)
    assert bench.states() == {"refusing": AlarmState.CLEARED_UNACKED}
