"""A verified result becomes a plan that people can judge, or a refusal with the reason."""

from __future__ import annotations

from gridctl.model.canonical import digest as digest_of
from gridctl.model.errors import Refusal
from gridctl.model.inputs import SNAPSHOT, InputPart, input_parts
from gridctl.model.measurement import Snapshot
from gridctl.model.plan import OnFailure, Plan
from gridctl.model.planning import ForecastTask, PlanningResult, PlanningTask, SolveStatus
from gridctl.model.program import RequestState
from gridctl.model.resource import LoadGroup

PLAN_VERSION = 1
MRID_DIGITS = 10
NOTHING_NEEDED = frozenset({"not_needed", "no_setpoints"})
WAITING_REQUESTS = (RequestState.RECEIVED, RequestState.PLANNED, RequestState.ACTIVE)


class NoPlan(Exception):  # noqa: N818 - not an error: how most steps end
    """Ends a step before a proposal, with its status and the reason."""

    def __init__(self, *, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def no_plan(result: PlanningResult) -> Refusal | None:
    """Why `result` cannot be proposed, or None when it can (SG-15: not verified, not proposed)."""
    if result.status not in (SolveStatus.OPTIMAL, SolveStatus.FEASIBLE):
        return Refusal(code=result.status, reasons=(result.reason,))
    if not result.setpoints:
        return Refusal(code="no_setpoints", reasons=(result.reason or "the plan moves nothing",))
    check = result.verification
    if check is None:
        return Refusal(code="not_verified", reasons=("the plan has no AC check (SG-15)",))
    if not check.before.converged or not check.after.converged:
        return Refusal(code="not_verified", reasons=("the AC check did not converge (SG-15)",))
    if not check.ok:
        return Refusal(code="not_verified", reasons=check.reasons or ("the AC check failed",))
    return None


def drafted(
    *,
    task: PlanningTask,
    forecast_task: ForecastTask,
    result: PlanningResult,
    snapshot: Snapshot,
    limits_digest: str,
    proposed_by: str,
    on_failure: OnFailure = OnFailure.HOLD,
) -> tuple[Plan, tuple[InputPart, ...]]:
    """The plan to propose, and what it was computed from. Its name comes from its input: the same
    input gives the same plan."""
    input_digest = digest_of(task)
    # A big plant's snapshot is written out once, for its digest and to be kept.
    parts = input_parts(task=task, forecast_task=forecast_task, snapshot=snapshot)
    seen = next(part for part in parts if part.name == SNAPSHOT)
    moved = {s.resource for s in result.setpoints if s.effect_kw != 0}
    plan = Plan(
        mrid=f"P-{input_digest[:MRID_DIGITS]}",
        version=PLAN_VERSION,
        feeder=task.feeder.mrid,
        created_s=task.now_s,
        proposed_by=proposed_by,
        snapshot_revision=snapshot.revision,
        snapshot_digest=seen.digest,
        model_digest=task.feeder.digest(),
        limits_digest=limits_digest,
        input_digest=input_digest,
        requests=tuple(r.mrid for r in task.requests),
        customers=sum(
            r.customers for r in task.resources if isinstance(r, LoadGroup) and r.mrid in moved
        ),
        net_kw=_net_kw(result),
        result=result,
        on_failure=on_failure,
    )
    return plan, parts


def _net_kw(result: PlanningResult) -> float:
    """The greatest change of the head's import in any interval, kW; positive: a reduction."""
    pairs = zip(result.head_before_kw, result.head_after_kw, strict=True)
    return max((before - after for before, after in pairs), key=abs, default=0.0)
