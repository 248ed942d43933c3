"""Composition of the mirror: `gridctl sim`, alone or as a child of a pilot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gridctl.observe import set_up_logging
from gridctl.provenance import check_provenance
from gridctl.supervise import parent_gone, stop_on_signals
from sim.process import Simulator, run_simulator, say_ready
from sim.served import page_of, what_is_served


async def run_sim(instance: Path, *, page: int = 0) -> None:
    """The mirror of a pilot: until a signal, or until its parent is gone. `page`: the port at which
    its page is wanted, another one when that is taken; 0 for none. The ready line names it."""
    set_up_logging(level="warning")
    check_provenance()
    stop = asyncio.Event()
    stop_on_signals(stop)

    @asynccontextmanager
    async def say(simulator: Simulator) -> AsyncIterator[None]:
        served = what_is_served(instance, simulator)
        async with page_of(simulator, served, port=page, or_any=True) as address:
            say_ready(simulator, page=address)
            yield

    async with asyncio.TaskGroup() as group:
        orphan = group.create_task(_stop_when_orphaned(stop))
        await run_simulator(instance, stop=stop, say=say if page else None)
        orphan.cancel()


async def _stop_when_orphaned(stop: asyncio.Event) -> None:
    await parent_gone()
    stop.set()
