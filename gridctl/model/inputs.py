"""What a plan was computed from, kept so that the decision can be made again, bit for bit.

Parts are canonical JSON (the snapshot: the text that its digest is taken of), packed with zlib and
named by the SHA-256 of what is inside. Feeder and resources are parts of their own: they hardly
ever change, and are kept once.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from gridctl.model.canonical import canonical_json, plain
from gridctl.model.measurement import Snapshot
from gridctl.model.planning import ForecastTask, PlanningTask

SNAPSHOT, FORECAST_TASK, FORECAST = "snapshot", "forecast_task", "forecast"
FEEDER, RESOURCES, TASK = "feeder", "resources", "task"
APART = (FEEDER, RESOURCES, FORECAST)
"""Keys of a planning task that are parts of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPart:
    """One part: `digest` of the bytes that `packed` holds."""

    name: str
    digest: str
    packed: bytes

    def bytes(self) -> bytes:
        """What is inside. Raises ValueError when it is not what `digest` names."""
        try:
            found = zlib.decompress(self.packed)
        except zlib.error as error:
            raise ValueError(f"{self.name} cannot be unpacked: {error}") from None
        if hashlib.sha256(found).hexdigest() != self.digest:
            raise ValueError(f"{self.name} is not what was kept")
        return found


def input_parts(
    *, task: PlanningTask, forecast_task: ForecastTask, snapshot: Snapshot
) -> tuple[InputPart, ...]:
    """The parts of one decision. Takes some tens of milliseconds for a large feeder."""
    written = plain(task)
    apart = {name: written.pop(name) for name in APART}
    bodies = {
        SNAPSHOT: snapshot.text(),
        FORECAST_TASK: canonical_json(forecast_task),
        TASK: canonical_json(written),
        **{name: canonical_json(value) for name, value in apart.items()},
    }
    return tuple(
        InputPart(name=name, digest=hashlib.sha256(body).hexdigest(), packed=zlib.compress(body))
        for name, body in bodies.items()
    )


def task_json(parts: Mapping[str, bytes]) -> bytes:
    """The canonical JSON of the planning task; its SHA-256 is the plan's `input_digest`.

    Raises KeyError for a part that is missing.
    """
    whole = json.loads(parts[TASK])
    whole.update({name: json.loads(parts[name]) for name in APART})
    return canonical_json(whole)
