"""The duty parts in front of a real store, without an office."""

from __future__ import annotations

from gridctl.control.duty import Duty
from gridctl.control.modes import AreaModes
from gridctl.control.settings import ModePolicy
from gridctl.control.shifts import Shifts
from gridctl.model.clock import Clock
from gridctl.model.mode import Mode
from gridctl.store.engine import SqlStore
from tests.gridctl.web.desk import BATTERY

POLICY = ModePolicy(first=Mode.ADVISORY, shadow_plans_min=20, forecast_error_max_pct=10.0)


def duty_of(store: SqlStore, clock: Clock) -> Duty:
    """Of an area with one battery."""
    return Duty(
        modes=AreaModes(
            store=store,
            clock=clock,
            policy=POLICY,
            resources=(BATTERY,),
            changed=lambda area: None,
        ),
        shifts=Shifts(
            store=store, clock=clock, open_items=lambda: ["plan P-1 is partial"], withdraw=_nothing
        ),
    )


async def _nothing(reason: str) -> None:
    """There are no plans here to withdraw."""
