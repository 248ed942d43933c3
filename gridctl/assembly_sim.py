"""Composition of the mirror: `gridctl sim`, alone or as a child of a pilot."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gridctl.observe import set_up_logging
from gridctl.provenance import check_provenance
from gridctl.supervise import parent_gone, stop_on_signals
from sim.process import run_simulator


async def run_sim(instance: Path, *, child: bool) -> None:
    """`gridctl sim`: until a signal, or until the parent of a child is gone."""
    set_up_logging(level="warning")
    check_provenance()
    stop = asyncio.Event()
    stop_on_signals(stop)
    async with asyncio.TaskGroup() as group:
        orphan = group.create_task(_stop_when_orphaned(stop)) if child else None
        await run_simulator(instance, stop=stop)
        if orphan is not None:
            orphan.cancel()


async def _stop_when_orphaned(stop: asyncio.Event) -> None:
    await parent_gone()
    stop.set()
