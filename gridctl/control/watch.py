"""What just goes on by itself beside the office's work: STOP from elsewhere, standing alarms."""

from __future__ import annotations

from collections.abc import Callable

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.control.approvals import Approvals
from gridctl.control.audit import FIELD
from gridctl.control.dispatcher import Dispatcher
from gridctl.control.interlock import Situation, blocked
from gridctl.control.stop import StopState
from gridctl.model.plan import PlanState


class Watch:
    """Looks twice a second; `situation` is the office's."""

    def __init__(
        self,
        *,
        alarms: AlarmBook,
        approvals: Approvals,
        dispatcher: Dispatcher,
        stop_state: StopState,
        situation: Callable[[], Situation],
    ) -> None:
        self._alarms = alarms
        self._approvals = approvals
        self._dispatcher = dispatcher
        self._stop_state = stop_state
        self._situation = situation

    async def plans(self) -> None:
        """End plans that have lived too long, and all of them when STOP came by file or from the
        field. Raises UnavailableError."""
        await self._approvals.expire()
        if not self._situation().stopped:
            return
        reason = self._stop_state.reason or "STOP holds in the field"
        self._dispatcher.halt(PlanState.STOPPED, reason)
        if self._approvals.open:
            await self._approvals.stop_all(reason, FIELD)

    async def conditions(self) -> None:
        """Raise and clear the alarms of the situation as a whole."""
        now = self._situation()
        await self._alarms.follows(
            not now.field_connected,
            Condition(
                key="link",
                priority=1,
                text="the line to the field agent is down",
                response="check the field agent's process; held setpoints run out by themselves",
            ),
        )
        await self._alarms.follows(
            now.stopped,
            Condition(
                key="stop",
                priority=1,
                text=f"STOP holds: {self._stop_state.reason or 'in the field'}",
                response="find out why, then resume with a reason",
            ),
        )
        others = [r for r in blocked(now) if now.field_connected and not now.stopped]
        await self._alarms.follows(
            bool(others),
            Condition(
                key="blocked",
                priority=2,
                text=f"nothing can be approved: {'; '.join(others)}",
                response="mend what the reasons name; telemetry goes on meanwhile",
            ),
        )
