"""What the mind is asked: the planning task of the plant as it is known now."""

from __future__ import annotations

from dataclasses import replace

from gridctl.control.activity import Activity
from gridctl.control.ageing import dynamic_rating
from gridctl.control.chance import with_forecast
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.foresight import Foresight
from gridctl.control.heldregulators import as_wished, for_standing, with_reserve
from gridctl.control.participation import Participation
from gridctl.control.ports import Planner
from gridctl.control.proposals import NOTHING_NEEDED, NoPlan, no_plan
from gridctl.control.resources import Known, network_state, resource_states
from gridctl.control.revision import Outlook
from gridctl.control.settings import OfficeSettings
from gridctl.model.planning import NetworkLimits, PlanningResult, PlanningTask
from gridctl.model.program import DispatchRequest


class Question:
    """Puts the task together and asks."""

    def __init__(
        self,
        *,
        settings: OfficeSettings,
        planner: Planner,
        dispatcher: Dispatcher,
        activity: Activity,
        participation: Participation,
        foresight: Foresight,
    ) -> None:
        self._settings = settings
        self._planner = planner
        self._dispatcher = dispatcher
        self._activity = activity
        self._participation = participation
        self._foresight = foresight
        found = (dynamic_rating(one) for one in settings.transformers)
        self._ratings = tuple(rating for rating in found if rating is not None)

    def of(
        self,
        known: Known,
        outlook: Outlook,
        requests: tuple[DispatchRequest, ...],
        now_s: float,
    ) -> PlanningTask:
        """The task of `now_s`. Raises NoPlan where the plant is not known well enough to ask."""
        settings, forecast = self._settings, outlook.forecast
        network = network_state(settings.feeder, known, head_point=settings.head_point)
        if network is None:
            raise NoPlan(status="blocked", reason="the import at the feeder head is not known")
        self._activity.today(now_s)
        task = PlanningTask(
            feeder=settings.feeder,
            resources=settings.resources,
            states=resource_states(
                settings.resources,
                known,
                self._activity,
                at_most_kw=self._dispatcher.delivery.at_most_kw(now_s),
            ),
            network=network,
            limits=with_reserve(self._limits(), network.held_regulators),
            forecast=forecast,
            quantile=settings.planning.quantile,
            requests=requests,
            horizon=forecast.horizon,
            now_s=now_s,
            utc_offset_s=settings.utc_offset_s,
            deadline_s=settings.planning.deadline_s,
            policy=settings.policy,
        )
        policy = with_forecast(
            for_standing(task.policy, network.held_regulators),
            forecast,
            cvar_weight=settings.planning.cvar_weight,
            cvar_level=settings.planning.quantile,
            air_c=outlook.task.temperature_c,
            ratings=self._ratings,
            import_prices=self._foresight.import_prices,
            hot_spots=self._foresight.hot_spots,
            price_by_hour=settings.price_by_hour,
            utc_offset_s=settings.utc_offset_s,
        )
        running = self._dispatcher.active
        return self._participation.restricted(
            replace(task, policy=policy), None if running is None else running.plan
        )

    def _limits(self) -> NetworkLimits:
        settings = self._settings
        return NetworkLimits(
            head_import_kw=settings.head_limit_kw,
            voltage_min_pu=settings.voltage_min_pu,
            voltage_max_pu=settings.voltage_max_pu,
            loading_max_pct=settings.loading_max_pct,
        )

    async def ask(self, task: PlanningTask) -> tuple[PlanningTask, PlanningResult]:
        """The answer, and the question that it answers: where a regulator stands still and the
        voltage behind it cannot be kept, a plan that makes it no worse is better than none."""
        result = await self._planner.plan(task)
        if task.network.held_regulators and no_plan(result) is not None:
            refusal = no_plan(result)
            if refusal is not None and refusal.code not in NOTHING_NEEDED:
                policy = as_wished(task.policy, self._settings.policy)
                task = replace(task, policy=policy, limits=self._limits())
                result = await self._planner.plan(task)
        return task, self._participation.told(task, result)
