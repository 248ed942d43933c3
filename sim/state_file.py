"""The state of a simulator in a file: kept when it ends, gone on from when it starts again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gridctl.model.errors import ConfigError
from sim.checkpoint import restore, saved
from sim.faults import FaultBoard
from sim.timeline import Timeline
from sim.world import World


def write_state(path: Path, world: World, faults: FaultBoard) -> None:
    """Keep world and faults in a file, whole or not at all. ConfigError when it cannot be
    written."""
    beside = path.with_name(path.name + ".new")
    try:
        beside.write_text(json.dumps(saved(world) | {"faults": faults.kept()}), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", file=str(path)) from None


def read_state(path: Path | None) -> dict[str, Any] | None:
    """What `write_state` has kept; None when nothing was yet. ConfigError for a file that is no
    such thing, or in a folder that is not there."""
    if path is None:
        return None
    if not path.exists():
        if not path.parent.is_dir():
            raise ConfigError("its folder is not there", file=str(path))
        return None
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("at_s"), float | int):
        raise ConfigError(
            "is no state of a simulator",
            file=str(path),
            hint="gridctl sim --state FILE makes one when it ends",
        )
    return found


async def resume(
    kept: Mapping[str, Any], *, file: str, world: World, faults: FaultBoard, timeline: Timeline
) -> None:
    """Go on from `kept`: what the story has done up to there is done. Raises ConfigError, which
    names `file`, for another world's state."""
    restore(world, kept, file=file)
    await faults.resume(kept["faults"])
    timeline.skip(float(kept["at_s"]))
