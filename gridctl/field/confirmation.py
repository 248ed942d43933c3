"""Looking whether a device does what it was told: by the image, and by reading back (SG-02, SG-18).

Both are asked: the image costs nothing and follows events; a reading of our own settles what an
event that never came leaves open.
"""

from __future__ import annotations

import asyncio

from gridctl.field.liveness import FieldImage
from gridctl.model.clock import Clock
from gridctl.model.measurement import Measurement
from protocols.driver import Driver

LOOK_S = 0.2
"""Real seconds between two looks at the image."""
READ_BACK_EVERY_S = 3.0
READ_BACK_TIMEOUT_S = 2.0


class Confirmation:
    """Waits for feedback points. `timeout_s`: real seconds in which the device must follow."""

    def __init__(self, *, image: FieldImage, clock: Clock, timeout_s: float) -> None:
        self._image = image
        self._clock = clock
        self.timeout_s = timeout_s

    def shows_now(self, point: str, value: float, tolerance: float) -> bool:
        """Whether the image shows `value` at `point` with good quality."""
        measured = self._image.present(point)
        return measured is not None and _matches(measured, value, tolerance)

    async def shows(
        self, driver: Driver, point: str, value: float, tolerance: float, *, since_s: float
    ) -> str | None:
        """None as soon as `point` shows `value`, received after `since_s` (grid time); else, after
        the timeout, what it showed instead. Ends by timeout plus one reading."""
        start_s = self._clock.monotonic_s()
        read_s = start_s + READ_BACK_EVERY_S
        seen: Measurement | None = None
        while True:
            mono_s = self._clock.monotonic_s()
            last_look = mono_s - start_s >= self.timeout_s
            measured = self._image.present(point)
            if measured is not None and measured.received_time_s >= since_s:
                seen = measured
            shown = seen is not None and _matches(seen, value, tolerance)
            if not shown and (mono_s >= read_s or last_look):
                read_s = mono_s + READ_BACK_EVERY_S
                seen = await driver.read_back(point, timeout_s=READ_BACK_TIMEOUT_S) or seen
            if seen is not None and _matches(seen, value, tolerance):
                return None
            if last_look:
                what = "nothing" if seen is None else f"{seen.value:g} ({seen.quality.validity})"
                return f"{point} shows {what} instead of {value:g} ± {tolerance:g}"
            await asyncio.sleep(LOOK_S)


def _matches(measured: Measurement, value: float, tolerance: float) -> bool:
    return measured.quality.is_good and abs(measured.value - value) <= tolerance
