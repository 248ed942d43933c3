"""What a worker does for one feeder: answer prices, and make its own plan. Functions of a job, so
that any process can do them; what they keep between jobs saves time and changes no result."""

from __future__ import annotations

import pickle
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from gridctl.model.planning import PlanningResult, PlanningTask
from gridctl.model.program import DispatchRequest
from optimizer.arrays import FloatArray
from optimizer.plan import network_of, plan_task
from optimizer.regulated import RegulatedNetwork
from optimizer.regulation import controlled
from optimizer.substation.engine import Job
from optimizer.substation.offer import Curve, Offerer

NODE_PHASES_KEPT = 200_000
"""Feeders are kept until their node-phases come to this (some 800 of 100 nodes)."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Kept:
    """A feeder as it was last asked about."""

    digest: str
    task: PlanningTask
    network: RegulatedNetwork
    offerer: Offerer | None = None


_KEPT: OrderedDict[str, _Kept] = OrderedDict()


def packed(task: PlanningTask) -> bytes:
    """A task as the part of a job that is the same for all its questions."""
    return pickle.dumps(task, protocol=pickle.HIGHEST_PROTOCOL)


def question(
    cycle: str, feeder: str, task: bytes, prices: Sequence[FloatArray], *, number: int
) -> Job:
    """Asks for a feeder's answers to `prices`, each (T,) per kW; question `number` of its split.

    Which of several equal answers is given depends on the questions before; number 0 forgets them,
    so that the same split asks and gets the same."""
    asked = (number, [tuple(map(float, p)) for p in prices])
    return _job(cycle, feeder, "curve", task, asked)


def order(cycle: str, feeder: str, task: bytes, requests: Sequence[DispatchRequest]) -> Job:
    """Asks for a feeder's plan with `requests` besides its own."""
    return _job(cycle, feeder, "plan", task, list(requests))


def _job(cycle: str, feeder: str, kind: str, task: bytes, more: object) -> Job:
    payload = pickle.dumps((task, more), protocol=pickle.HIGHEST_PROTOCOL)
    digest = sha256(task + repr(more).encode()).hexdigest()
    return Job(cycle=cycle, feeder=feeder, kind=kind, digest=digest, payload=payload)


def answered(job: Job) -> Curve:
    """The work of a `question`."""
    task, (number, prices) = pickle.loads(job.payload)  # noqa: S301 - our own job, our own pipe
    kept = _kept(job.feeder, task)
    if kept.offerer is None or number == 0:
        kept.offerer = Offerer(kept.task, network=kept.network, monotonic_s=time.monotonic)
    return kept.offerer.curve([np.array(p) for p in prices])


def planned(job: Job) -> PlanningResult:
    """The work of an `order`."""
    task, requests = pickle.loads(job.payload)  # noqa: S301 - our own job, over our own pipe
    kept = _kept(job.feeder, task)
    asked = replace(kept.task, requests=(*kept.task.requests, *requests))
    return plan_task(asked, monotonic_s=time.monotonic, network=kept.network)


def _kept(feeder: str, packed_task: bytes) -> _Kept:
    """The feeder as the task says; models are taken over from the task before."""
    digest = sha256(packed_task).hexdigest()
    known = _KEPT.get(feeder)
    if known is not None and known.digest == digest:
        _KEPT.move_to_end(feeder)
        return known
    task: PlanningTask = pickle.loads(packed_task)  # noqa: S301 - as above
    kin = known is not None and _same_models(known.task, task)
    network = network_of(task, models_of=known.network if known is not None and kin else None)
    _KEPT[feeder] = found = _Kept(digest=digest, task=task, network=network)
    _KEPT.move_to_end(feeder)
    while len(_KEPT) > 1 and sum(len(k.network.node_phases) for k in _KEPT.values()) > (
        NODE_PHASES_KEPT
    ):
        _KEPT.popitem(last=False)
    return found


def _same_models(one: PlanningTask, other: PlanningTask) -> bool:
    """Whether only taps and switched capacitors tell the networks of two tasks apart."""
    if one.feeder != other.feeder or one.network.open_switches != other.network.open_switches:
        return False
    switched = {c.mrid for c in controlled(other.feeder)}
    fixed = [set(t.network.closed_capacitors) - switched for t in (one, other)]
    return fixed[0] == fixed[1]
