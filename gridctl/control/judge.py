"""Watches the feeder head after an order and says whether the promise was kept (SG-18)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.approvals import OpenPlan
from gridctl.control.effect import (
    JUDGED_MIN_KW,
    KEPT_SHARE_MIN,
    band_kw,
    forecast_change_kw,
    is_kept,
    measured_kw,
)
from gridctl.control.journal import CommandBook
from gridctl.control.ports import EffectView
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.measurement import Measurement

LOOKS = 3
"""Fresh measurements of the head that one judgement rests on."""
ROUNDS = 3
"""Judgements before a promise counts as broken: after the settle time and two scans later."""
LOOK_S = 0.2
SCANS_MAX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a release shall do to the head: `expected_kw` fall from `before_kw`, taken at `at_s`.
    `before_kw` None: the head was not known, nothing can be judged."""

    chosen: OpenPlan
    expected_kw: float
    before_kw: float | None
    at_s: float


class Judge:
    """Keeps the effect of the active plan, or of the last one, for all to see."""

    def __init__(
        self,
        *,
        image: ProcessImage,
        clock: Clock,
        head_point: str,
        book: CommandBook,
        alarms: AlarmBook,
        stopped: Callable[[], bool],
    ) -> None:
        self._image = image
        self._clock = clock
        self._head_point = head_point
        self._book = book
        self._alarms = alarms
        self._stopped = stopped
        self.view: EffectView | None = None

    def promise(self, chosen: OpenPlan, expected_kw: float) -> Promise:
        """Note the head right before the first order of a release."""
        head = self._head()
        made = Promise(
            chosen=chosen,
            expected_kw=expected_kw,
            before_kw=None if head is None else head.value,
            at_s=self._clock.now_s(),
        )
        if abs(expected_kw) >= JUDGED_MIN_KW:
            self.view = EffectView(
                plan=chosen.plan.mrid,
                expected_kw=expected_kw,
                band_kw=band_kw(expected_kw),
                measured_kw=None,
                settled=False,
                kept=None,
            )
        return made

    async def judge(self, made: Promise, commands: Sequence[Command]) -> None:
        """Measure, and move the commands on: EFFECTIVE when the promise was kept, else UNCONFIRMED
        with an alarm. Small changes are below the head's noise and stay CONFIRMED."""
        if abs(made.expected_kw) < JUDGED_MIN_KW or made.before_kw is None:
            return
        kept, measured = False, 0.0
        for _ in range(ROUNDS):
            heads = await self._fresh_heads()
            if not heads or self._stopped():
                return
            change_kw = forecast_change_kw(
                made.chosen.forecast, from_s=made.at_s, to_s=self._clock.now_s()
            )
            measured = measured_kw(before_kw=made.before_kw, after_kw=heads, change_kw=change_kw)
            kept = is_kept(made.expected_kw, measured)
            self._show(made, measured, settled=False, kept=None)
            if kept:
                break
        self._show(made, measured, settled=True, kept=kept)
        await self._tell(made, commands, measured, kept=kept)

    def _show(self, made: Promise, measured: float, *, settled: bool, kept: bool | None) -> None:
        self.view = EffectView(
            plan=made.chosen.plan.mrid,
            expected_kw=made.expected_kw,
            band_kw=band_kw(made.expected_kw),
            measured_kw=measured,
            settled=settled,
            kept=kept,
        )

    async def _tell(
        self, made: Promise, commands: Sequence[Command], measured: float, *, kept: bool
    ) -> None:
        mrids = [c.mrid for c in commands]
        text = (
            f"the head fell by {measured:.0f} kW, {made.expected_kw:.0f} kW were promised, "
            f"{KEPT_SHARE_MIN:.0%} of it count as kept"
        )
        if kept:
            # Each device's share of what the head shows; devices are not metered one by one.
            share = measured / made.expected_kw
            await self._book.effective(mrids, {c.mrid: c.effect_kw * share for c in commands})
        else:
            await self._book.without_effect(mrids, text)
        await self._alarms.follows(
            not kept,
            Condition(
                key="effect",
                priority=1,
                text=f"plan {made.chosen.plan.mrid} does not do what it promised: {text}",
                response="check the devices of the plan; STOP or return to default if in doubt",
            ),
        )

    async def _fresh_heads(self) -> list[float]:
        """Some new good measurements of the head, kW; none when they do not come in time."""
        scan_s = self._image.points[self._head_point].scan_s
        end_s = self._clock.monotonic_s() + SCANS_MAX * scan_s * LOOKS + 1.0
        known = self._head()
        last_s = None if known is None else known.source_time_s
        heads: list[float] = []
        while len(heads) < LOOKS and self._clock.monotonic_s() < end_s:
            await asyncio.sleep(min(LOOK_S, scan_s))
            head = self._head()
            if head is not None and head.source_time_s != last_s:
                last_s = head.source_time_s
                heads.append(head.value)
        return heads

    def _head(self) -> Measurement | None:
        return self._image.snapshot().good(self._head_point)
