"""The duty parts in front of a real store, without an office."""

from __future__ import annotations

from collections.abc import Sequence

from gridctl.control.alarms import AlarmBook
from gridctl.control.duty import Duty
from gridctl.control.modes import AreaModes
from gridctl.control.ports import Person
from gridctl.control.promotion import PromotionRules
from gridctl.control.settings import ModePolicy
from gridctl.control.shifts import Shifts
from gridctl.control.tags import TagBook
from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.model.limits import ClosedLoopLimit, LimitSet
from gridctl.model.link import Ack
from gridctl.model.mode import Mode
from gridctl.model.order import Order, OrderKind
from gridctl.model.tag import Tag
from gridctl.store.engine import SqlStore
from tests.gridctl.web.desk import BATTERY

LIMITS = LimitSet(
    version=1,
    devices=(),
    areas=(),
    inhibited=(),
    closed_loop=(
        ClosedLoopLimit(
            area=BATTERY.area, max_kw=100.0, ramp_kw=50.0, points=(BATTERY.points.setpoint,)
        ),
    ),
)
POLICY = ModePolicy(first=Mode.ADVISORY, shadow_plans_min=20, forecast_error_max_pct=10.0)


def duty_of(store: SqlStore, clock: Clock) -> Duty:
    """Of an area with one battery."""
    return Duty(
        modes=AreaModes(
            store=store,
            clock=clock,
            policy=POLICY,
            rules=PromotionRules(
                policy=POLICY,
                resources=(BATTERY,),
                limits=LIMITS,
                model_digest="m",
                head_limit_kw=1_000.0,
                second_needs_factor=False,
            ),
            resources=(BATTERY,),
            changed=lambda area: None,
        ),
        shifts=Shifts(
            store=store, clock=clock, open_items=lambda: ["plan P-1 is partial"], withdraw=_nothing
        ),
        tags=TagBook(
            store=store,
            clock=clock,
            resources=(BATTERY,),
            orders=NoField(),
            alarms=AlarmBook(store=store, clock=clock),
            field_tags=lambda: None,
            blocked=lambda tag: None,
        ),
    )


class NoField:
    """The line to the field is down."""

    async def tag(
        self, kind: OrderKind, tag: Tag, persons: Sequence[str], *, person: Person
    ) -> Order:
        raise UnavailableError("the line to the field is down")

    async def acknowledged(self, order: Order) -> Ack | None:
        raise AssertionError("nothing was ordered")


async def _nothing(reason: str) -> None:
    """There are no plans here to withdraw."""
