"""The native stack, kept on a leash: one manager per process, and callbacks that cannot raise.

What yadnp3 does when it is used carelessly was measured (dnp3.md §1): an exception in a function
callback aborts the process (G1), one in an overridden method is swallowed while the events are
confirmed all the same (G2), an interpreter that exits without `Shutdown` hangs (G3), a life-cycle
call inside a callback is a segmentation fault (G4), and so is any use after `Shutdown` (G5).
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import logging
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import opendnp3 as o

from gridctl.model.errors import UnavailableError

log = logging.getLogger(__name__)

THREADS = 2
"""One handler that dawdles must not delay the other outstations' commands: with one native thread
an SBO waited 452 ms behind a handler that slept 500 ms, with two 0.7 ms (dnp3.md §1)."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def milliseconds(seconds: float) -> o.TimeDuration:
    """`seconds` for the stack, at least 1 ms."""
    return o.TimeDuration.Milliseconds(max(1, round(seconds * 1000)))


def total(fallback: _R) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a callback total: whatever goes wrong inside is logged, and `fallback` is returned.

    The one place where everything is caught: on the other side of this call is native code that
    ends the process, or loses events without a word, when an exception comes back.
    """

    def wrap(callback: Callable[_P, _R]) -> Callable[_P, _R]:
        @functools.wraps(callback)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            try:
                return callback(*args, **kwargs)
            except Exception:
                log.exception("callback %s failed; its data is lost", callback.__qualname__)
                return fallback

        return guarded

    return wrap


class _Manager:
    """The process's one DNP3Manager, made on first use, shut down at interpreter exit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._native: o.DNP3Manager | None = None
        self._closed = False

    def native(self) -> o.DNP3Manager:
        with self._lock:
            if self._closed:
                raise UnavailableError("the DNP3 stack has been shut down with the process")
            if self._native is None:
                self._native = o.DNP3Manager(THREADS)
                atexit.register(self._close)
            return self._native

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            native, self._native = self._native, None
        if native is not None:
            native.Shutdown()


_manager = _Manager()


def manager() -> o.DNP3Manager:
    """The manager that all links share. Raises UnavailableError after interpreter exit began."""
    return _manager.native()


async def off_loop(call: Callable[[], _R], *, deadline_s: float) -> _R:
    """Run a life-cycle call in a thread of its own; never inside a callback, never on the loop.

    A daemon thread, because a call that hangs must not keep the process alive. Raises TimeoutError
    when it has not returned in `deadline_s` real seconds; the thread is left to itself then.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_R] = loop.create_future()

    def deliver(result: _R | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type] # None only when _R is None

    def run() -> None:
        result: _R | None = None
        error: Exception | None = None
        try:
            result = call()
        except Exception as raised:
            log.exception("life-cycle call of the DNP3 stack failed")
            error = raised
        try:
            loop.call_soon_threadsafe(deliver, result, error)
        except RuntimeError:
            log.debug("the event loop was closed before a life-cycle call returned")

    threading.Thread(target=run, name="dnp3-lifecycle", daemon=True).start()
    async with asyncio.timeout(deadline_s):
        return await done
