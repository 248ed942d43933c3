"""What the head will draw without us: learned once an interval, moved to what is measured now."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gridctl.control.ageing import LifePrices
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.heat import HotSpots
from gridctl.control.ports import Planner, Store
from gridctl.control.revision import Outlook
from gridctl.control.settings import OfficeSettings
from gridctl.control.settlement import REDUCTION_POINT
from gridctl.control.veebook import sound
from gridctl.control.weather import WeatherDesk
from gridctl.model.nowcast import moved
from gridctl.model.planning import ForecastTask, Horizon, Series
from gridctl.model.policy import HotSpot, ImportPrice

DAY_S = 86_400.0
MEDIAN_AND_BAND = (0.1, 0.5, 0.9)


class Foresight:
    """Forecasts as the cycle needs them, with what hangs on them: prices of import for the life of
    transformers, and hot spots that a plan keeps. `outlook`: the last one, as it was learned."""

    def __init__(
        self,
        *,
        settings: OfficeSettings,
        store: Store,
        planner: Planner,
        weather: WeatherDesk,
        dispatcher: Dispatcher,
    ) -> None:
        self._settings = settings
        self._store = store
        self._planner = planner
        self._weather = weather
        self._dispatcher = dispatcher
        self._life_prices = LifePrices(store, settings)
        self._hot_spots = HotSpots(store, settings)
        self.outlook: Outlook | None = None
        self.import_prices: tuple[ImportPrice, ...] = ()
        self.hot_spots: tuple[HotSpot, ...] = ()

    async def look(self, now_s: float, *, head_kw: float | None) -> Outlook:
        """The outlook of the interval of `now_s`, moved to `head_kw` (measured import, kW). Raises
        UnavailableError when the mind does not answer."""
        return self._as_it_is(await self._forecast(now_s), head_kw)

    async def _forecast(self, now_s: float) -> Outlook:
        planning = self._settings.planning
        start_s = now_s // planning.step_s * planning.step_s
        if self.outlook is not None and self.outlook.forecast.horizon.start_s == start_s:
            return self.outlook
        horizon = Horizon(start_s=start_s, step_s=planning.step_s, count=planning.count)
        history_s = self._settings.history_days * DAY_S // planning.step_s * planning.step_s
        task = ForecastTask(
            history=await self._history(start_s - history_s, start_s),
            temperature_c=None,
            horizon=horizon,
            quantiles=tuple(sorted({*MEDIAN_AND_BAND, planning.quantile})),
            utc_offset_s=self._settings.utc_offset_s,
            path_count=planning.path_count,
        )
        task = await self._weather.added(task)
        found = await self._planner.forecast(task, deadline_s=planning.deadline_s)
        self.outlook = Outlook(forecast=found, task=task)
        self.import_prices = await self._life_prices.told(task, found)
        self.hot_spots = tuple(await self._hot_spots.told(horizon))
        return self.outlook

    def _as_it_is(self, outlook: Outlook, head_kw: float | None) -> Outlook:
        """`outlook`, moved to what the head would draw now without us. While devices still follow
        what they were told, that is not known."""
        if head_kw is None or not self._dispatcher.is_settled:
            return outlook
        task = replace(outlook.task, now_kw=head_kw + self._dispatcher.reduction_kw())
        return Outlook(forecast=moved(outlook.forecast, task), task=task)

    async def _history(self, start_s: float, end_s: float) -> Series:
        """What the forecast learns from: without us, and without what cannot be believed."""
        return await asyncio.to_thread(
            sound,
            await self._baseline(start_s, end_s),
            rating_kw=self._settings.plausibility.head_share * self._settings.head_limit_kw,
            utc_offset_s=self._settings.utc_offset_s,
        )

    async def _baseline(self, start_s: float, end_s: float) -> Series:
        """The head's history as it would have been without us: reductions are added back."""
        step_s = self._settings.planning.step_s
        head = await self._store.series(
            self._settings.head_point, start_s=start_s, end_s=end_s, step_s=step_s
        )
        ours = await self._store.series(
            REDUCTION_POINT, start_s=start_s, end_s=end_s, step_s=step_s
        )
        return Series(
            start_s=head.start_s,
            step_s=head.step_s,
            values=tuple(
                None if measured is None else measured + (reduced or 0.0)
                for measured, reduced in zip(head.values, ours.values, strict=True)
            ),
        )
