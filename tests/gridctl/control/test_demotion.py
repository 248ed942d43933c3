"""What takes an area out of closed loop: the triggers that need time or a store (SG-37)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.demotion import Triggers, Unverified
from gridctl.control.ports import CycleView, EffectView
from gridctl.control.settings import ModePolicy
from gridctl.control.settlement import BASELINE_POINT, REDUCTION_POINT
from gridctl.model.clock import ManualClock
from gridctl.model.command import CommandState
from gridctl.model.envelope import Promotion
from gridctl.model.measurement import GOOD, Measurement, TimeQuality
from gridctl.model.mode import Mode
from gridctl.store.engine import SqlStore, temporary_store
from tests.gridctl.control.closed import AREA, ENVELOPE
from tests.gridctl.control.test_standing_alarms import ALL_WELL

T0 = 1_786_000_200.0
HEAD = "FDR.TotW"
PROMOTION = Promotion(
    envelope=ENVELOPE,
    asked_by="eve",
    approved_by=("anne", "bert"),
    sessions=("s1", "s2"),
    at_s=T0,
    limits_digest="l",
    model_digest="m",
)


class Bench:
    """The triggers over a store, with everything else in the test's hand."""

    def __init__(self, store: SqlStore, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.situation = ALL_WELL
        self.cycle: CycleView | None = None
        self.effect: EffectView | None = None
        self.unverified = Unverified()
        self.triggers = Triggers(
            store=store,
            clock=clock,
            policy=ModePolicy(first=Mode.ADVISORY, shadow_plans_min=2, forecast_error_max_pct=10.0),
            head_point=HEAD,
            area_of={"LG1": AREA, "LG9": "A9"},
            unverified=self.unverified,
            situation=lambda: self.situation,
            cycle=lambda: self.cycle,
            effect=lambda: self.effect,
        )

    async def reasons(self) -> str:
        await self.triggers.look()
        return "; ".join(self.triggers.reasons(PROMOTION))

    async def sit_down(self, name: str, role: str, areas: str) -> str:
        await self.store.users.add_user(name, name, role, "correct horse battery", areas=areas)
        return await self.store.sessions.open(name, "127.0.0.1")

    async def history(self, *, head_kw: float, ahead_kw: float, ours_kw: float) -> None:
        """An hour of it, until now."""
        now_s = self.clock.now_s()
        for back in range(12):
            at_s = now_s - 300.0 * (back + 0.5)
            for point, kw in (
                (HEAD, head_kw), (REDUCTION_POINT, ours_kw), (BASELINE_POINT, ahead_kw),
            ):  # fmt: skip
                await self.store.add_samples([_sample(point, kw, at_s)])


def _sample(point: str, value: float, at_s: float) -> Measurement:
    return Measurement(
        point=point,
        value=value,
        quality=GOOD,
        source_time_s=at_s,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=at_s,
    )


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    clock = ManualClock(grid_s=T0, mono_s=50.0)
    async with temporary_store(clock) as store:
        made = Bench(store, clock)
        await made.sit_down("anne", "OPERATOR", "*")
        yield made


async def test_sg37_a_quiet_plant_stays_in_closed_loop(bench: Bench) -> None:
    await bench.history(head_kw=900.0, ours_kw=100.0, ahead_kw=1_000.0)
    assert await bench.reasons() == ""


async def test_sg37_flood_absence_and_a_bad_forecast_end_it(bench: Bench) -> None:
    clock = bench.clock
    clock.advance(3_600.0 - 890.0)
    await bench.history(head_kw=900.0, ours_kw=100.0, ahead_kw=1_120.0)
    # Anne has done nothing for too long by now; she comes back, and only her own area counts.
    assert "nobody at the desk" in await bench.reasons()
    for name, role, areas, enough in (
        ("view", "VIEWER", "*", False), ("eng", "ENGINEER", "*", False),
        ("bert", "SUPERVISOR", "A9", False), ("carl", "OPERATOR", "A9,A1", True),
    ):  # fmt: skip
        await bench.sit_down(name, role, areas)
        clock.advance(11.0)
        assert ("nobody at the desk" in await bench.reasons()) is not enough
    assert "the forecast was 12.0 % off" in await bench.reasons()
    alarms = AlarmBook(store=bench.store, clock=clock)
    for number in range(11):
        await alarms.raised(Condition(key=f"k{number}", priority=3, text="t", response="r"))
    clock.advance(11.0)
    assert "flood: 11" in await bench.reasons()


async def test_sg37_doubtful_data_ends_it_after_a_moment_and_stop_at_once(bench: Bench) -> None:
    bench.situation = replace(ALL_WELL, clock_offset_s=1.5)
    assert await bench.reasons() == ""
    bench.clock.advance(3.1)
    assert "clocks of office and field differ" in await bench.reasons()
    bench.situation = ALL_WELL
    assert await bench.reasons() == ""
    bench.situation = replace(ALL_WELL, good_share=0.9)
    assert await bench.reasons() == "", "a new moment begins"
    bench.clock.advance(3.1)
    assert "only 90% of the points" in await bench.reasons()
    bench.situation = replace(ALL_WELL, stopped=True)
    assert await bench.reasons() == "STOP holds (SG-21)"


async def test_sg37_two_commands_without_an_end_that_is_known(bench: Bench) -> None:
    note = bench.unverified.note
    note("LG1", CommandState.UNCONFIRMED, T0 - 1.0)
    note("LG9", CommandState.FAILED, T0 + 1.0)
    note("LG1", CommandState.CONFIRMED, T0 + 1.0)
    note("LG1", CommandState.UNCONFIRMED, T0 + 2.0)
    assert await bench.reasons() == ""
    note("LG1", CommandState.REFUSED, T0 + 3.0)
    assert "2 commands of area A1" in await bench.reasons()


async def test_sg37_checker_and_head_disagree(bench: Bench) -> None:
    bench.cycle = CycleView(at_s=T0 - 1.0, status="not_verified", reason="before", held=None)
    shown = EffectView(
        plan="P-1", expected_kw=100.0, band_kw=(70.0, 200.0), measured_kw=10.0,
        settled=True, kept=True,
    )  # fmt: skip
    bench.effect = shown
    assert await bench.reasons() == ""
    bench.cycle = CycleView(at_s=T0 + 1.0, status="not_verified", reason="N1 is low", held=None)
    bench.effect = replace(shown, kept=False)
    found = await bench.reasons()
    assert "N1 is low" in found
    assert "plan P-1 does not show what it promised" in found
