"""What is looked at now and then, and moves nothing: weather, forecasts, assets, data, shadows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gridctl.control.agenda import Job
from gridctl.control.alarms import AlarmBook
from gridctl.control.assetbook import EVERY_S as ASSETS_EVERY_S
from gridctl.control.assetbook import AssetBook
from gridctl.control.crosschecks import CrossChecks
from gridctl.control.forecastbook import EVERY_S as FORECAST_REVIEW_EVERY_S
from gridctl.control.forecastbook import ForecastBook
from gridctl.control.ports import Store
from gridctl.control.relays import EVERY_S as RELAYS_EVERY_S
from gridctl.control.relays import RelayBook
from gridctl.control.resources import Known
from gridctl.control.settings import OfficeSettings
from gridctl.control.shadow import ShadowScores
from gridctl.control.statecheck import StateCheck
from gridctl.control.veebook import EVERY_S as VEE_EVERY_S
from gridctl.control.veebook import VeeBook
from gridctl.control.weather import EVERY_S as WEATHER_EVERY_S
from gridctl.control.weather import WeatherDesk
from gridctl.model.clock import Clock
from gridctl.model.measurement import Point
from gridctl.model.planning import Forecast
from gridctl.model.resource import LoadGroup

SCORE_EVERY_S = 60.0


class Reviews:
    """The books, and the agenda's jobs that keep them."""

    def __init__(
        self,
        settings: OfficeSettings,
        *,
        store: Store,
        clock: Clock,
        alarms: AlarmBook,
        known: Callable[[], Known],
    ) -> None:
        self.weather = WeatherDesk(
            settings.weather,
            store=store,
            clock=clock,
            temperature_point=settings.temperature_point,
        )
        self.scores = ShadowScores(
            store=store,
            clock=clock,
            head_point=settings.head_point,
            limit_kw=settings.head_limit_kw,
            areas={r.mrid: r.area for r in settings.resources},
        )
        self.forecasts = ForecastBook(
            store=store,
            clock=clock,
            alarms=alarms,
            head_point=settings.head_point,
            utc_offset_s=settings.utc_offset_s,
        )
        self.assets = AssetBook(
            store=store,
            clock=clock,
            alarms=alarms,
            transformers=settings.transformers,
            temperature_point=settings.temperature_point,
            moving=settings.feeder.moving(),
        )
        state = StateCheck(
            settings.feeder, settings.resources, head_point=settings.head_point, known=known
        )
        self.relays = RelayBook(
            settings.feeder,
            state=state,
            known=known,
            clock=clock,
            alarms=alarms,
            utc_offset_s=settings.utc_offset_s,
        )
        self.vee = VeeBook(
            store=store,
            clock=clock,
            alarms=alarms,
            ratings_kw=_ratings_kw(settings),
            utc_offset_s=settings.utc_offset_s,
            cross=CrossChecks(
                settings.cross_rules,
                store=store,
                forecasts=self.forecasts,
                head_point=settings.head_point,
                utc_offset_s=settings.utc_offset_s,
            ).look,
            state=state.look if settings.cross_rules.state else None,
        )

    def jobs(
        self, *, points: Callable[[], Mapping[str, Point]], forecast: Callable[[], Forecast | None]
    ) -> tuple[Job, ...]:
        """For the agenda. `points`: as the field told them; `forecast`: the office's last one."""
        return (
            Job(name="weather forecast", every_s=WEATHER_EVERY_S, run=self.weather.step),
            Job(name="shadow scores", every_s=SCORE_EVERY_S, run=self.scores.step),
            Job(
                name="forecast review",
                every_s=FORECAST_REVIEW_EVERY_S,
                run=lambda: self.forecasts.step(forecast()),
            ),
            Job(
                name="asset health",
                every_s=ASSETS_EVERY_S,
                run=lambda: self.assets.step(points(), forecast()),
            ),
            Job(name="validation", every_s=VEE_EVERY_S, run=self.vee.step),
            Job(name="regulators", every_s=RELAYS_EVERY_S, run=self.relays.step),
        )


def _ratings_kw(settings: OfficeSettings) -> dict[str, float]:
    """Of each point that is held against its past."""
    bounds = settings.plausibility
    rated = {
        r.points.power: r.rating_kw * (bounds.group_share if isinstance(r, LoadGroup) else 1.0)
        for r in settings.resources
    }
    return {settings.head_point: bounds.head_share * settings.head_limit_kw, **rated}
