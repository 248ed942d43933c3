"""A decision made again from its record: forecast, optimizer and checker, compared bit for bit.

What is compared is the canonical JSON of every field, except the seconds that it took. The mind is
asked anew in a process of its own, with more time than it had: a plan that was cut short by its
deadline may come out better and then counts as different, which it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import ConfigDict, TypeAdapter, ValidationError

from gridctl.model.canonical import canonical_json
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.planning import Forecast, ForecastTask, PlanningResult, PlanningTask

DEADLINE_S = 300.0
"""Real seconds for each of the two questions."""
DIFFERENCES_MAX = 20
NOT_COMPARED = frozenset({"solve_s"})
_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)
# "| None": pydantic applies a configuration to standard dataclasses only inside of a union.
_TASK: TypeAdapter[PlanningTask | None] = TypeAdapter(PlanningTask | None, config=_STRICT)
_FORECAST: TypeAdapter[ForecastTask | None] = TypeAdapter(ForecastTask | None, config=_STRICT)


class Mind(Protocol):
    """Who is asked again."""

    async def forecast(self, task: ForecastTask, *, deadline_s: float) -> Forecast: ...

    async def plan(self, task: PlanningTask) -> PlanningResult: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came out again. Each list: where it differs, as `path: then → now`; empty: the same."""

    plan: str
    forecast: tuple[str, ...]
    solution: tuple[str, ...]
    verification: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.forecast or self.solution or self.verification)


async def replay(
    *, plan: bytes, forecast_task: bytes, problem: bytes, mind: Mind, deadline_s: float = DEADLINE_S
) -> Replay:
    """Make the decision again. `plan`, `forecast_task`, `problem`: the stored canonical JSON.

    Raises RefusedError when the record does not fit together or cannot be read, UnavailableError
    when the mind gives no forecast in time.
    """
    said = json.loads(plan)
    if hashlib.sha256(problem).hexdigest() != said["input_digest"]:
        raise _unreadable(f"the problem on record is not what plan {said['mrid']} was made from")
    try:
        task, forecasting = _TASK.validate_json(problem), _FORECAST.validate_json(forecast_task)
    except ValidationError as error:
        raise _unreadable(f"this gridctl cannot read the record: {_first(error)}") from None
    if task is None or forecasting is None:
        raise _unreadable("the record is empty")
    forecast = await mind.forecast(forecasting, deadline_s=deadline_s)
    result = await mind.plan(replace(task, deadline_s=max(task.deadline_s, deadline_s)))
    then, now = dict(said["result"]), dict(_written(result))
    checked_then, checked_now = then.pop("verification"), now.pop("verification")
    return Replay(
        plan=said["mrid"],
        forecast=_listed(_written(task.forecast), _written(forecast), "forecast"),
        solution=_listed(then, now, "solution"),
        verification=_listed(checked_then, checked_now, "verification"),
    )


def _written(value: object) -> Any:
    """As it is on record."""
    return json.loads(canonical_json(value))


def _listed(then: Any, now: Any, path: str) -> tuple[str, ...]:
    found: list[str] = []
    for difference in differences(then, now, path):
        if len(found) == DIFFERENCES_MAX:
            found.append("… and more")
            break
        found.append(difference)
    return tuple(found)


def differences(then: Any, now: Any, path: str) -> Iterator[str]:
    """Where two values of canonical JSON differ: `path: then → now`. Numbers are compared as they
    are written: 1 is not 1.0, and the last bit counts."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in sorted((then.keys() | now.keys()) - NOT_COMPARED):
            if key not in then or key not in now:
                yield f"{path}.{key}: only {'now' if key in now else 'then'}"
            else:
                yield from differences(then[key], now[key], f"{path}.{key}")
    elif _is_list(then) and _is_list(now):
        if len(then) != len(now):
            yield f"{path}: {len(then)} → {len(now)} entries"
        for index, (one, other) in enumerate(zip(then, now, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif type(then) is not type(now) or repr(then) != repr(now):
        yield f"{path}: {then!r} → {now!r}"


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _unreadable(reason: str) -> RefusedError:
    return RefusedError(Refusal(code="no_replay", reasons=(reason,)))


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
