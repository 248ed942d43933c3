"""A deadline that holds also against code that swallows its cancellation.

`asyncio.timeout` cancels and then waits until the cancelled code has ended. asyncua's closing
catches CancelledError and goes on with the next step of its own, without any bound, and a link
that waited for it stayed down for as long (seen once in 727 reconnects).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(timeout_s: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`; TimeoutError when it has none after `timeout_s` real seconds.

    What has not ended by then, or when the caller is cancelled, is cancelled and left to itself:
    nobody waits for it, and how it ends is not heard of.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_ended)
    if not task.done():
        raise TimeoutError
    return task.result()


def _ended(task: asyncio.Future[T]) -> None:
    """Look at the exception, so that nobody complains that it was never looked at."""
    if not task.cancelled():
        task.exception()
