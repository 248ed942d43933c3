"""An answer without setpoints: what is said when there is no plan."""

from __future__ import annotations

from gridctl.model.planning import PlanningResult, PlanningTask, SolveStatus


def no_plan(task: PlanningTask, status: SolveStatus, reason: str) -> PlanningResult:
    """Nothing moves, the head stays as forecast (unknown where the task lacks its own quantile)."""
    try:
        head = task.forecast.at_quantile(task.quantile)
    except LookupError:
        head = ()
    return PlanningResult(
        status=status,
        reason=reason,
        horizon=task.horizon,
        setpoints=(),
        head_before_kw=head,
        head_after_kw=head,
        cost=0.0,
        verification=None,
        excluded=(),
        bindings=(),
        shortfalls=(),
        solver="",
        rounds=0,
        solve_s=0.0,
    )
