"""A deadline holds, whatever the work does with its cancellation."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from protocols.deadline import within


async def deaf(until: asyncio.Event) -> str:
    """As asyncua closes: swallows the cancellation and goes on with the next step."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await until.wait()
    raise ConnectionError("much later")


async def test_work_that_ends_in_time_gives_its_result_or_its_error() -> None:
    async def well() -> int:
        return 7

    async def ill() -> int:
        raise ConnectionError("refused")

    assert await within(1.0, well()) == 7
    with pytest.raises(ConnectionError, match="refused"):
        await within(1.0, ill())


async def test_work_that_swallows_its_cancellation_is_left_behind() -> None:
    until = asyncio.Event()
    with pytest.raises(TimeoutError):
        await within(0.01, deaf(until))
    until.set()
    await asyncio.sleep(0)


async def test_a_cancelled_caller_does_not_wait_either() -> None:
    until = asyncio.Event()
    caller = asyncio.create_task(within(60.0, deaf(until)))
    await asyncio.sleep(0)
    caller.cancel()
    done, _ = await asyncio.wait({caller}, timeout=5.0)
    assert caller in done
    assert caller.cancelled()
    until.set()
    await asyncio.sleep(0)
