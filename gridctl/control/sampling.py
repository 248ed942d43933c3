"""The image into the history, again and again: every point, and two books of our own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from gridctl.control.audit import RecordFault
from gridctl.control.effect import forecast_kw
from gridctl.control.ports import Store
from gridctl.control.settlement import BASELINE_POINT, REDUCTION_POINT
from gridctl.control.telemetry import ProcessImage
from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.measurement import GOOD, Measurement, Origin, TimeQuality
from gridctl.model.planning import Forecast

LOOK_S = 0.5
A_TURN = 1_000
"""Values after which the event loop has its turn: a big plant has ten thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Keeps the image each `interval_s` of grid time. `reduction_kw`: what the devices hold for us
    now; `forecast`: of the head without us, None before the first; `fault`: where it says that
    nothing can be written."""

    store: Store
    clock: Clock
    image: ProcessImage
    interval_s: float
    reduction_kw: Callable[[], float]
    forecast: Callable[[], Forecast | None]
    fault: RecordFault

    async def run(self) -> None:
        """For ever. A late sample is not made up for."""
        next_s = 0.0
        while True:
            now_s = self.clock.now_s()
            if now_s >= next_s:
                next_s = now_s + self.interval_s
                await self.sample(now_s)
            await asyncio.sleep(LOOK_S)

    async def sample(self, now_s: float) -> None:
        """Keep what is known now."""
        kept: list[Measurement] = []
        for number, m in enumerate(self.image.snapshot().values.values()):
            if number % A_TURN == 0:
                await asyncio.sleep(0)
            old = m.quality.is_good and now_s - m.source_time_s > self.interval_s
            # A value that has not changed since is written again at its new moment, so that the
            # history has no holes where nothing happened.
            kept.append(
                replace(m, source_time_s=now_s, time_quality=TimeQuality.RECEIVED) if old else m
            )
        if not kept:
            return
        kept.append(_own(REDUCTION_POINT, self.reduction_kw(), now_s))
        forecast = self.forecast()
        if forecast is not None:
            kept.append(_own(BASELINE_POINT, forecast_kw(forecast, now_s), now_s))
        try:
            await self.store.add_samples(kept)
        except UnavailableError as error:
            self.fault.reason = str(error)
        else:
            self.fault.reason = None


def _own(point: str, value: float, now_s: float) -> Measurement:
    return Measurement(
        point=point,
        value=value,
        quality=replace(GOOD, origin=Origin.ESTIMATED),
        source_time_s=now_s,
        time_quality=TimeQuality.SYNCHRONIZED,
        received_time_s=now_s,
    )
