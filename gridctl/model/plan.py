"""A plan: what the mind proposes and a human approves, bound together by one digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gridctl.model.canonical import digest
from gridctl.model.planning import PlanningResult


class PlanState(StrEnum):
    """Life of a plan. PARTIAL: approved by one of two; ACTIVE: orders go out while it is valid;
    SHADOW: made to be scored only, nobody can approve it (SG-37)."""

    PROPOSED = "proposed"
    PARTIAL = "partial"
    APPROVED = "approved"
    ACTIVE = "active"
    COMPLETED = "completed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOID = "void"
    STOPPED = "stopped"
    SHADOW = "shadow"

    @property
    def is_final(self) -> bool:
        return not PLAN_TRANSITIONS[self]

    @property
    def is_open(self) -> bool:
        """Whether it still waits for people."""
        return self in (PlanState.PROPOSED, PlanState.PARTIAL)


class OnFailure(StrEnum):
    """What happens when too many commands of a plan do not take, chosen in the plan before its
    approval (SG-20). HOLD: nothing more is ordered, what is held runs out with its leases.
    CONTINUE: the others are ordered all the same. ROLL_BACK: every held device goes back to its
    default at once, by the field's own permits. A limit that is crossed stops every plan."""

    HOLD = "hold"
    CONTINUE = "continue"
    ROLL_BACK = "roll back"


_END = frozenset({PlanState.REJECTED, PlanState.EXPIRED, PlanState.VOID, PlanState.STOPPED})

PLAN_TRANSITIONS: Mapping[PlanState, frozenset[PlanState]] = {
    PlanState.PROPOSED: frozenset({PlanState.PARTIAL, PlanState.APPROVED}) | _END,
    PlanState.PARTIAL: frozenset({PlanState.APPROVED}) | _END,
    PlanState.APPROVED: frozenset({PlanState.ACTIVE, PlanState.EXPIRED})
    | frozenset({PlanState.VOID, PlanState.STOPPED}),
    PlanState.ACTIVE: frozenset({PlanState.COMPLETED, PlanState.VOID, PlanState.STOPPED}),
    PlanState.COMPLETED: frozenset(),
    PlanState.REJECTED: frozenset(),
    PlanState.EXPIRED: frozenset(),
    PlanState.VOID: frozenset(),
    PlanState.STOPPED: frozenset(),
    PlanState.SHADOW: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A verified plan. Everything here is immutable and covered by `digest()`.

    `input_digest` is the digest of the whole PlanningTask; `snapshot_*`, `model_digest` and
    `limits_digest` name what it was computed from: when one of them moves on, the plan is void.
    `net_kw`: greatest change of the head's import in any interval (positive: a reduction).
    `requests`: the dispatch requests that it answers. `expires_mono_s` is not part of it: life is
    kept by the proposal.
    """

    mrid: str
    version: int
    feeder: str
    created_s: float
    proposed_by: str
    snapshot_revision: int
    snapshot_digest: str
    model_digest: str
    limits_digest: str
    input_digest: str
    requests: tuple[str, ...]
    customers: int
    net_kw: float
    result: PlanningResult
    on_failure: OnFailure = OnFailure.HOLD

    def digest(self) -> str:
        """SHA-256 of the plan's canonical JSON: what the operator's approval is bound to."""
        return digest(self)
