"""What the record holds about a plan, or about an event and all its plans, as files of a pack.

Everything is taken as it was stored: plan and inputs are the very octets that their digests were
taken of, the audit rows are an unbroken piece of the chain. `inconsistent` checks the pieces
against each other, from the files alone, on any machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl import __version__
from gridctl.control.ports import CommandRow, Dossiers, Store, StoredPlan
from gridctl.control.settlement import BASELINE_POINT, REDUCTION_POINT, SETTLE_STEP_S
from gridctl.evidencepack import write_pack
from gridctl.model import inputs
from gridctl.model.canonical import canonical_json
from gridctl.model.chain import link
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.inputs import task_json
from gridctl.model.plan import Plan
from gridctl.model.program import DispatchRequest

PLANS_MAX = 50
COMMANDS_MAX = 5_000
READINGS_MAX = 5_000
EFFECT_STEP_S = 10.0
AROUND_S = 300.0
"""Grid seconds of history on both sides of a plan that belong to its effect."""
AUDIT = "audit.jsonl"


@dataclass(slots=True)
class Collected:
    """Files by name, and what should be there and is not, with why."""

    about: str
    plans: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, value: object) -> None:
        """A file of canonical JSON."""
        self.files[name] = canonical_json(value)


async def collected(about: str, *, store: Store, head_point: str) -> Collected:
    """All about `about`: a plan's mRID, or the id of an event. Raises RefusedError for neither."""
    dossiers, requests = store.dossiers, await store.requests()
    if await dossiers.body(about) is not None:
        plans: Sequence[str] = [about]
    else:
        plans = await dossiers.of_requests([r.mrid for r in requests if r.event_id == about])
        if not any(r.event_id == about for r in requests):
            reason = f"{about} is neither a plan nor an event that was asked for"
            raise RefusedError(Refusal(code="nothing_known", reasons=(reason,)))
    pack = Collected(about=about, plans=tuple(plans[-PLANS_MAX:]))
    if len(plans) > PLANS_MAX:
        pack.absent["plans"] = f"only the newest {PLANS_MAX} of {len(plans)} plans"
    names = {r.mrid for r in requests if r.event_id == about}
    digests = []
    for mrid in pack.plans:
        part = _PlanFiles(pack, store=store, head_point=head_point)
        stored = await part.take(mrid)
        names |= set(stored.plan.requests)
        digests.append(stored.digest)
    for request in requests:
        if request.mrid in names:
            await _request(pack, store, request, head_point)
    rows = await dossiers.audit([*pack.plans, *sorted(names)], digests)
    pack.files[AUDIT] = b"".join(canonical_json(row) + b"\n" for row in rows)
    return pack


class _PlanFiles:
    """The files of one plan, in its folder."""

    def __init__(self, pack: Collected, *, store: Store, head_point: str) -> None:
        self._pack = pack
        self._store = store
        self._dossiers: Dossiers = store.dossiers
        self._head_point = head_point
        self._folder = ""

    async def take(self, mrid: str) -> StoredPlan:
        """Everything about the plan."""
        self._folder = f"plans/{mrid}"
        stored = await self._store.plan(mrid)
        body = await self._dossiers.body(mrid)
        if stored is None or body is None:
            raise RefusedError(Refusal(code="no_such_plan", reasons=(f"no plan {mrid}",)))
        self._pack.files[f"{self._folder}/plan.json"] = body
        self._put("solution.json", stored.plan.result)
        self._put("verification.json", stored.plan.result.verification)
        self._put("approvals.json", stored.approvals)
        self._put(
            "fate.json",
            {
                "digest": stored.digest,
                "state": stored.state,
                "reason": stored.reason,
                "steps": await self._dossiers.steps(mrid),
            },
        )
        await self._inputs(mrid)
        commands = await self._store.commands(plan=mrid, limit=COMMANDS_MAX)
        self._put("commands.json", commands)
        await self._wire(commands)
        await self._measured(stored.plan, commands)
        return stored

    def _put(self, name: str, value: object) -> None:
        self._pack.put(f"{self._folder}/{name}", value)

    def _lacks(self, name: str, why: str) -> None:
        self._pack.absent[f"{self._folder}/{name}"] = why

    async def _inputs(self, mrid: str) -> None:
        parts = await self._dossiers.inputs(mrid)
        if not parts:
            why = "proposed by a gridctl that did not keep inputs yet"
            for name in ("snapshot.txt", "forecast_task.json", "forecast.json", "problem.json"):
                self._lacks(name, why)
            return
        files = self._pack.files
        files[f"{self._folder}/snapshot.txt"] = parts[inputs.SNAPSHOT]
        files[f"{self._folder}/forecast_task.json"] = parts[inputs.FORECAST_TASK]
        files[f"{self._folder}/forecast.json"] = parts[inputs.FORECAST]
        files[f"{self._folder}/problem.json"] = task_json(parts)

    async def _wire(self, commands: Sequence[CommandRow]) -> None:
        if not commands:
            self._lacks("wire.json", "no command of this plan was ever ordered")
            return
        rows = [row for c in commands for row in await self._store.evidence(c.command.mrid)]
        if not rows:
            self._lacks("wire.json", "the field has told of no exchange")
            return
        self._put("wire.json", rows)

    async def _measured(self, plan: Plan, commands: Sequence[CommandRow]) -> None:
        """What the feedback points and the feeder head showed, from a little before the plan to a
        little after it; or after its last command."""
        horizon = plan.result.horizon
        start_s = min(plan.created_s, horizon.start_s) - AROUND_S
        told_s = [at_s for row in commands for _, at_s, _, _ in row.history]
        end_s = max([horizon.start_s + horizon.step_s * horizon.count, *told_s]) + AROUND_S
        points = sorted({row.command.expect_point for row in commands})
        read_backs = {
            point: [
                [m.source_time_s, m.value, m.quality.validity, m.quality.native]
                for m in await self._store.samples(
                    point, start_s=start_s, end_s=end_s, count_max=READINGS_MAX
                )
            ]
            for point in points
        }
        self._put("read_backs.json", read_backs)
        effect = {
            name: await self._store.series(
                point, start_s=start_s, end_s=end_s, step_s=EFFECT_STEP_S
            )
            for name, point in (
                ("head_kw", self._head_point),
                ("baseline_kw", BASELINE_POINT),
                ("reduction_kw", REDUCTION_POINT),
            )
        }
        promised = [
            {
                "command": row.command.mrid,
                "promised_kw": row.command.effect_kw,
                "measured_kw": row.measured_kw,
                "state": row.state,
            }
            for row in commands
        ]
        self._put("effect.json", {**effect, "commands": promised})


async def _request(
    pack: Collected, store: Store, request: DispatchRequest, head_point: str
) -> None:
    """A request, and what its settlement is computed from."""
    series = {
        name: await store.series(
            point, start_s=request.start_s, end_s=request.end_s, step_s=SETTLE_STEP_S
        )
        for name, point in (("baseline_kw", BASELINE_POINT), ("metered_kw", head_point))
    }
    pack.put(f"requests/{request.mrid}.json", {"request": request, **series})


async def packed(
    about: str,
    *,
    store: Store,
    head_point: str,
    key: Ed25519PrivateKey,
    made_at_s: float,
    made_by: str,
) -> bytes:
    """The signed pack about a plan or an event. Raises RefusedError when there is neither."""
    found = await collected(about, store=store, head_point=head_point)
    return await asyncio.to_thread(
        write_pack,
        found.files,
        about=found.about,
        plans=found.plans,
        made_at_s=made_at_s,
        made_by=made_by,
        version=__version__,
        absent=found.absent,
        key=key,
    )


def inconsistent(files: Mapping[str, bytes], plans: Sequence[str]) -> tuple[str, ...]:
    """What in the files contradicts itself; nothing when all of it fits together."""
    faults: list[str] = []
    for mrid in plans:
        faults += _plan_faults(f"plans/{mrid}", files)
    faults += _chain_faults(files.get(AUDIT, b""))
    return tuple(faults)


def _plan_faults(folder: str, files: Mapping[str, bytes]) -> list[str]:
    try:
        body = files[f"{folder}/plan.json"]
        plan, fate = json.loads(body), json.loads(files[f"{folder}/fate.json"])
        digest = hashlib.sha256(body).hexdigest()
        wanted = {
            f"{folder}/problem.json": plan["input_digest"],
            f"{folder}/snapshot.txt": plan["snapshot_digest"],
        }
        same = {
            f"{folder}/solution.json": plan["result"],
            f"{folder}/verification.json": plan["result"]["verification"],
        }
        approvals = json.loads(files[f"{folder}/approvals.json"])
    except (KeyError, TypeError, ValueError) as error:
        return [f"{folder}: {error!r} is missing or not readable"]
    faults = [] if fate.get("digest") == digest else [f"{folder}: plan.json has another digest"]
    faults += [
        f"{name} is not what the plan was computed from"
        for name, expected in wanted.items()
        if name in files and hashlib.sha256(files[name]).hexdigest() != expected
    ]
    faults += [
        f"{name} is not what plan.json holds"
        for name, value in same.items()
        if files.get(name) != canonical_json(value)
    ]
    faults += [
        f"{folder}: {given['by']} approved another digest"
        for given in approvals
        if given["digest"] != digest
    ]
    return faults


def _chain_faults(lines: bytes) -> list[str]:
    """Every row is what its hash says, and continues the one before."""
    before: dict[str, Any] | None = None
    for number, line in enumerate(lines.splitlines(), 1):
        try:
            row = json.loads(line)
            sealed = link(row["previous"], row["sequence"], row["entry"])
            if row["hash"] != sealed:
                return [f"{AUDIT}: row {row['sequence']} is not what was written"]
            if before is not None and not _continues(before, row):
                return [f"{AUDIT}: row {row['sequence']} does not continue the row before"]
        except (KeyError, TypeError, ValueError) as error:
            return [f"{AUDIT}: line {number} is no audit row ({error!r})"]
        before = row
    return []


def _continues(before: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    is_next = row["sequence"] == before["sequence"] + 1
    return is_next and bool(row["previous"] == before["hash"])
