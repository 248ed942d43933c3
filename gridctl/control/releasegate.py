"""May the next batch of an approved plan go now? Asked anew for each one (SG-14, SG-17, SG-37)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gridctl.control.effect import forecast_change_kw
from gridctl.control.interlock import (
    Drift,
    Situation,
    blocked,
    head_drift,
    moved_on,
    outside_limits,
    too_many_failed,
    unusable,
    voltage_drift,
)
from gridctl.control.planrecord import OpenPlan
from gridctl.control.planrun import Halt, Run
from gridctl.control.resources import Known, why_excluded
from gridctl.control.settings import OfficeSettings
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import Clock
from gridctl.model.command import Command
from gridctl.model.envelope import Promotion
from gridctl.model.plan import OnFailure, PlanState

FAILED_SHARE_MAX = 0.10
RENEWAL_MIN_S = 1.0
"""Grid seconds by which a renewal must make a lease longer, or it is none."""


class ReleaseGate:
    """What an approved plan is held against before each batch. `situation`, `known` and `over` (why
    a promotion holds no more, SG-37) are asked each time."""

    def __init__(
        self,
        *,
        settings: OfficeSettings,
        clock: Clock,
        image: ProcessImage,
        situation: Callable[[], Situation],
        known: Callable[[], Known],
        over: Callable[[Promotion], tuple[str, ...]],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._image = image
        self._situation = situation
        self._known = known
        self._over = over
        self._resources = {r.mrid: r for r in settings.resources}

    def may_go(self, run: Run, *, first: bool) -> None:
        """Raises Halt with every reason why the next batch must not go (SG-14, SG-17)."""
        run.check_halt()
        plan, snapshot, now = run.chosen.plan, self._image.snapshot(), self._situation()
        reasons = [*blocked(now), *moved_on(plan, now), *self._standing_ended(run.chosen)]
        failed = too_many_failed(run.failed, run.sent, share_max=FAILED_SHARE_MAX)
        if failed and plan.on_failure is OnFailure.ROLL_BACK:
            run.roll_back = True
        if plan.on_failure is not OnFailure.CONTINUE:
            reasons += failed
        if first:
            known = self._known()
            if run.sent:
                # What this plan's own commands were refused is for its failure policy (SG-20).
                known = replace(known, distrusted={})
            excluded = {m: why_excluded(r, known) for m, r in self._resources.items()}
            reasons += unusable(plan, excluded)
            reasons += self.drifted(run.chosen, ordered_kw=run.ordered_kw)
        if run.ordered_kw != 0:
            reasons += outside_limits(
                snapshot,
                self._image.points,
                before=run.before,
                voltage_min_pu=self._settings.voltage_min_pu,
                voltage_max_pu=self._settings.voltage_max_pu,
            )
        if reasons:
            state = PlanState.VOID if run.sent == 0 else PlanState.STOPPED
            raise Halt(state=state, reason="; ".join(reasons))

    def as_long_as_allowed(self, run: Run, commands: Sequence[Command]) -> Sequence[Command]:
        """Nothing is held any longer than the persons behind it have allowed (SG-37)."""
        standing, now_s = run.chosen.standing, self._clock.now_s()
        if not standing:
            return commands
        end_s = min(promotion.ends_s(now_s) for promotion in standing)
        cut = [replace(c, lease_until_s=min(c.lease_until_s, end_s)) for c in commands]
        leases = self._image.leases
        return [
            c
            for c in cut
            if c.effect_kw != 0  # else it only renews
            or (lease := leases.get(c.point)) is None
            or lease.until_s < c.lease_until_s - RENEWAL_MIN_S
        ]

    def _standing_ended(self, chosen: OpenPlan) -> Iterator[str]:
        """Why the approvals that were given beforehand hold no more, or not now (SG-37)."""
        now_s = self._clock.now_s()
        for promotion in chosen.standing:
            yield from self._over(promotion) or promotion.objections(now_s)

    def drifted(self, chosen: OpenPlan, *, ordered_kw: float = 0.0) -> tuple[str, ...]:
        """How the feeder has moved away from what the plan was made for (SG-14)."""
        points, bounds = self._image.points, self._settings.drift
        now = self._image.snapshot()
        then_head = chosen.snapshot.good(self._settings.head_point)
        now_head = now.good(self._settings.head_point)
        if then_head is None or now_head is None:
            return ("the import at the feeder head is not known (SG-12)",)
        drift = Drift(
            then_kw=then_head.value,
            now_kw=now_head.value,
            forecast_change_kw=forecast_change_kw(
                chosen.forecast, from_s=chosen.snapshot.at_s, to_s=now.at_s
            ),
            ordered_kw=ordered_kw,
        )
        reasons = head_drift(drift, bounds)
        if ordered_kw == 0:
            reasons += voltage_drift(chosen.snapshot, now, points, bounds)
        return reasons

    def trusted(self, run: Run, batch: Sequence[Command]) -> tuple[Command, ...]:
        """Without devices whose link has refused this plan's own commands (SG-19)."""
        if run.sent == 0:
            return tuple(batch)
        distrusted = self._known().distrusted
        return tuple(c for c in batch if c.resource not in distrusted)
