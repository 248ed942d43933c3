"""What the memory gives back: audit rows, plans with their fate, commands with their journal.

The words stand here, below both the will (`gridctl.control.ports` names them again) and the memory
(`gridctl.store` fills them).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from gridctl.model.approval import Approval
from gridctl.model.command import Command, CommandState
from gridctl.model.measurement import Measurement
from gridctl.model.plan import Plan, PlanState


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One row of the audit chain, before it is chained (SG-34)."""

    at_s: float
    who: str
    session: str
    source: str
    role: str
    action: str
    object: str
    before: str
    after: str
    reason: str
    plan_digest: str
    result: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """A chained row: `hash` = SHA-256(previous hash || canonical JSON of entry and sequence)."""

    sequence: int
    entry: AuditEntry
    previous: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One stored entry of the sequence of events; `id` in the order of arrival, `number` as the
    field counted it."""

    id: int
    number: int
    measurement: Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRow:
    """A command of `value` to `resource` was CONFIRMED or RELEASED at grid time `at_s`."""

    resource: str
    state: CommandState
    status: str
    at_s: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCheck:
    """Result of verifying the audit chain; `first_bad` is the sequence of the first bad row."""

    rows: int
    ok: bool
    first_bad: int | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan with what happened to it. `decided_by`, `reason`: of a rejection, stop or void."""

    plan: Plan
    digest: str
    state: PlanState
    state_at_s: float
    reason: str
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One row of a plan's journal."""

    state: PlanState
    at_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRow:
    """A command and its journal: every state it went through, in order."""

    command: Command
    order: str
    state: CommandState
    status: str
    detail: str
    history: tuple[tuple[CommandState, float, str, str], ...]
    measured_kw: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """What passed the wire for a command up to one of its states, as the field's driver kept it:
    one line a message, in its order (time, direction, words, octets). `at_s`: grid time of the
    state. The audit record holds `digest` of it."""

    command: str
    state: CommandState
    at_s: float
    lines: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the lines, hexadecimal."""
        return sha256("\n".join(self.lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A settlement run as it lies in the store. `event`: what is settled (resource, day, hours);
    `version` counts from 1 for each event. `body` is the run's JSON, `inputs` its readings as CSV,
    `methods` the programme's data as TOML."""

    id: str
    event: str
    version: int
    made_s: float
    who: str
    body: str
    inputs: str
    methods: str
