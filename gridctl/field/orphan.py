"""An agent whose parent is gone: nobody would start it again, so it stays until it holds nothing.

Every setpoint is held until its lease ends and is then returned to the default, as with the parent
alive (SG-22). What is held is asked of the agent's own memory, not of the file: a folder that was
removed has forgotten what the devices still hold. Two ends without it, each said in the log: a
device that cannot be reached has its own reversion timeout, and is not tried for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from gridctl.field.spool import FieldMemory
from gridctl.model.clock import Clock

log = logging.getLogger(__name__)

LOOK_S: Final = 0.5
TRY_S: Final = 600.0
"""Real seconds after the last lease has run out in which its device is still tried."""
TRY_REMOVED_S: Final = 20.0
"""The same when the agent's folder was removed: its leases end at once."""

ParentGone = Callable[[], Awaitable[None]]


async def outlive(
    parent_gone: ParentGone,
    memory: FieldMemory,
    *,
    home: Path,
    clock: Clock,
    stop: asyncio.Event,
    try_s: float = TRY_S,
    try_removed_s: float = TRY_REMOVED_S,
) -> None:
    """Set `stop` when the parent is gone and nothing is held or under way any more, or cannot be
    let go. `home`: the folder of the agent's spool."""
    await parent_gone()
    log.warning("field: the office is gone; %d leases are held", len(memory.state.leases))
    due_since_s: float | None = None
    while memory.state.leases or memory.state.under_way:
        removed = not home.exists()  # noqa: ASYNC240 - one look at a local folder
        if removed:
            memory.expire_all(clock.now_s())
        now_s, mono_s = clock.now_s(), clock.monotonic_s()
        if any(held.until_s > now_s for held in memory.state.leases):
            due_since_s = None
        elif due_since_s is None:
            due_since_s = mono_s
        elif mono_s - due_since_s >= (try_removed_s if removed else try_s):
            points = [held.point for held in memory.state.leases]
            log.error(
                "field: gave up with %s not seen at the default; "
                "what the device does when its own timeout ends is its own affair",
                ", ".join(points) or "a command of unknown outcome",
            )
            break
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_S)
            return
    stop.set()
