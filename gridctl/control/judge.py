"""Watches the feeder head around the commands of a release and says whether the promise was kept
(SG-18). What counts as measured is in `gridctl.control.effect`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.effect import (
    JUDGED_MIN_KW,
    KEPT_SHARE_MIN,
    Line,
    Reading,
    band_kw,
    fall_kw,
    forecast_change_kw,
    is_kept,
    line,
)
from gridctl.control.journal import CommandBook
from gridctl.control.planrecord import OpenPlan
from gridctl.control.ports import EffectView
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.measurement import Measurement

READINGS_KEPT = 2_000
LATEST = 3
"""Readings that the running figure rests on while devices still move, and the fewest for a line."""
LOOK_S = 0.1
SCANS_MAX = 6
SLACK_S = 2.0
"""A judgement waits at most so many scans and real seconds longer for readings of the head."""


@dataclass(slots=True, kw_only=True)
class Promise:
    """What a release shall do to the head: `expected_kw` fall. `before` None: the head was not
    known, nothing can be judged.

    `fallen_kw`: fall of the steps that are over. `moved_s`: when the last batch was through (grid);
    None: none has gone since the last step was closed. `quiet_from_s`: since when the feeder had
    been quiet before this release. `in_haste`: something else waits to move.
    """

    chosen: OpenPlan
    expected_kw: float
    before: Line | None
    fallen_kw: float = 0.0
    moved_s: float | None = None
    quiet_from_s: float = float("-inf")
    in_haste: bool = field(default=False)

    @property
    def is_judged(self) -> bool:
        return abs(self.expected_kw) >= JUDGED_MIN_KW and self.before is not None


class Judge:
    """Keeps the effect of the active plan, or of the last one, for all to see.

    `settle_s`: grid seconds that a device needs to follow; `watch_s`: grid seconds of quiet that a
    judgement rests on, before and after.
    """

    def __init__(
        self,
        *,
        image: ProcessImage,
        clock: Clock,
        head_point: str,
        settle_s: float,
        watch_s: float,
        book: CommandBook,
        alarms: AlarmBook,
        stopped: Callable[[], bool],
    ) -> None:
        self._image = image
        self._clock = clock
        self._head_point = head_point
        self._settle_s = settle_s
        self._watch_s = watch_s
        self._book = book
        self._alarms = alarms
        self._stopped = stopped
        self._readings: deque[Reading] = deque(maxlen=READINGS_KEPT)
        self.quiet_from_s = float("-inf")
        """Grid time at which the devices have followed what they were told last."""
        self._open: Promise | None = None
        self.view: EffectView | None = None

    def note(self) -> None:
        """Keep the head's newest good measurement; called with each report of the field."""
        head = self._head()
        if head is None:
            return
        if not self._readings or head.source_time_s > self._readings[-1].at_s:
            self._readings.append(Reading(at_s=head.source_time_s, kw=head.value))
            if self._open is not None and self._open.moved_s is not None:
                self._show_so_far(self._open)

    def promise(self, chosen: OpenPlan, expected_kw: float) -> Promise:
        """Take the head's line right before the first order of a release."""
        made = Promise(
            chosen=chosen,
            expected_kw=expected_kw,
            before=self._quiet_line(),
            quiet_from_s=self.quiet_from_s,
        )
        if abs(expected_kw) >= JUDGED_MIN_KW:
            self._show(made, None, settled=not made.is_judged, kept=None)
        self._open = made if made.is_judged else None
        return made

    def next_batch(self, made: Promise) -> None:
        """A batch is about to go. When the feeder has been quiet since the one before, that one is
        measured now, and the next has a line of its own: waiting does not count as effect."""
        quiet_s = self._clock.now_s() - self.quiet_from_s
        if made.before is None or made.moved_s is None or quiet_s < self._watch_s:
            return
        after = self._quiet_line()
        if after is not None:
            made.fallen_kw += self._step_kw(made, made.before, after)
            made.before, made.moved_s = after, None
            self._show(made, made.fallen_kw, settled=False, kept=None)

    def moved(self, made: Promise) -> None:
        """A batch is through: its devices follow from now on."""
        now_s = self._clock.now_s()
        made.moved_s = now_s
        self.quiet_from_s = now_s + self._settle_s

    async def judge(self, made: Promise, commands: Sequence[Command]) -> None:
        """Measure, and move the commands on: EFFECTIVE when the promise was kept, else UNCONFIRMED
        with an alarm. Small changes are below the head's noise and stay CONFIRMED."""
        if not made.is_judged or made.before is None:
            return
        while self._clock.now_s() < self.quiet_from_s + self._wanted_s(made):
            await asyncio.sleep(LOOK_S)
            if self._stopped():
                self._show(made, None, settled=True, kept=None)
                return
        after = await self._line_after()
        if after is None:
            self._show(made, None, settled=True, kept=None)
            await self._alarms.raised(self._condition(made, "the head is not measured any more"))
            return
        measured = made.fallen_kw + self._step_kw(made, made.before, after)
        kept = is_kept(made.expected_kw, measured)
        # First the commands: who sees the verdict finds them moved on.
        await self._tell(made, commands, measured, kept=kept)
        self._show(made, measured, settled=True, kept=kept)

    def cut(self, made: Promise, expected_kw: float) -> None:
        """Less was ordered than was promised at first: that much is judged. What is below the
        head's noise is not, and does not disturb what is ordered next either."""
        made.expected_kw = expected_kw
        if abs(expected_kw) < JUDGED_MIN_KW and made.before is not None:
            self._show(made, None, settled=True, kept=None)
            self.quiet_from_s = made.quiet_from_s

    def give_up(self, made: Promise) -> None:
        """The plan has ended before its effect could be judged."""
        if made.is_judged:
            self._show(made, None, settled=True, kept=None)

    def _wanted_s(self, made: Promise) -> float:
        return self._watch_s / 2 if made.in_haste else self._watch_s

    def _step_kw(self, made: Promise, before: Line, after: Line) -> float:
        span_s = max(1.0, after.mid_s - before.mid_s)
        change_kw = forecast_change_kw(
            made.chosen.forecast, from_s=before.mid_s, to_s=before.mid_s + span_s
        )
        return fall_kw(before, after, otherwise_kw_s=change_kw / span_s)

    async def _line_after(self) -> Line | None:
        """The quiet line; a head that is read seldom gets the time for a few readings."""
        scan_s = self._image.points[self._head_point].scan_s
        end_s = self._clock.monotonic_s() + SCANS_MAX * scan_s + SLACK_S
        while self._clock.monotonic_s() < end_s:
            if len(self._quiet()) >= LATEST:
                break
            await asyncio.sleep(LOOK_S)
        return self._quiet_line()

    def _quiet_line(self) -> Line | None:
        """The head since the devices have followed, at most `watch_s` back; None: not known."""
        quiet = self._quiet()
        return line(quiet) if quiet and self._head() is not None else None

    def _quiet(self) -> list[Reading]:
        """At least the last few readings since the devices have followed."""
        quiet = [r for r in self._readings if r.at_s >= self.quiet_from_s]
        from_s = self._clock.now_s() - self._watch_s
        watched = [r for r in quiet if r.at_s >= from_s]
        return watched if len(watched) >= LATEST else quiet[-LATEST:]

    def _show_so_far(self, made: Promise) -> None:
        """The running figure, while devices still follow."""
        latest = [r for r in self._readings if made.moved_s is None or r.at_s > made.moved_s]
        if latest and made.before is not None:
            step_kw = self._step_kw(made, made.before, line(latest[-LATEST:]))
            self._show(made, made.fallen_kw + step_kw, settled=False, kept=None)

    def _show(
        self, made: Promise, measured: float | None, *, settled: bool, kept: bool | None
    ) -> None:
        if settled:
            self._open = None
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
            f"the head {_moved(measured)}, promised was that it {_moved(made.expected_kw)}; "
            f"{KEPT_SHARE_MIN:.0%} of that count as kept"
        )
        if kept:
            # Each device's share of what the head shows; devices are not metered one by one.
            share = measured / made.expected_kw
            await self._book.effective(mrids, {c.mrid: c.effect_kw * share for c in commands})
        else:
            await self._book.without_effect(mrids, text)
        await self._alarms.follows(not kept, self._condition(made, text))

    def _condition(self, made: Promise, text: str) -> Condition:
        return Condition(
            key="effect",
            priority=1,
            text=f"plan {made.chosen.plan.mrid} does not show what it promised: {text}",
            response="check the devices of the plan; STOP or return to default if in doubt",
        )

    def _head(self) -> Measurement | None:
        return self._image.good(self._head_point)


def _moved(fall_kw: float) -> str:
    """A fall of the import in words; a negative one is a rise."""
    return f"{'rose' if fall_kw < 0 else 'fell'} by {abs(fall_kw):.0f} kW"
