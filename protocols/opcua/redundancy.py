"""Which server of a link is asked: one of several that hold the same address space.

OPC 10000-4 §6.6.2: each server says how well it feels by its ServiceLevel; 200 and more is whole.
The client chooses, and only the chosen one gets commands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from protocols.deadline import within
from protocols.opcua.connection import WIRE_ERRORS, reason_of
from protocols.opcua.report import Counts
from protocols.opcua.session import HEALTHY, Session
from protocols.opcua.settings import OpcUaSettings

_log = logging.getLogger(__name__)

_OPEN_TIMEOUTS: Final = 10  # requests that opening a session may take, each with its own timeout
_LEVEL_EVERY_S: Final = 1.0
_LEVEL_ALONE_S: Final = 10.0  # one server only: for the console, there is nothing to choose


class Servers:
    """The servers of one link. `make` gives a session that is not open yet; `is_refused` tells
    whether the last one that was tried answered and refused us."""

    def __init__(
        self,
        settings: OpcUaSettings,
        counts: Counts,
        *,
        make: Callable[[str], Session],
        stopping: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._counts = counts
        self._make = make
        self._stopping = stopping
        self._first = 0
        self.is_refused = False

    def lost(self, url: str) -> None:
        """The session with `url` has ended: its neighbour is asked first the next time."""
        self._first = (self._settings.urls.index(url) + 1) % len(self._settings.urls)

    async def open_best(self) -> tuple[Session | None, str]:
        """A session with the first server that is whole, else with the best of those that answer;
        or None with the reasons. It is not in charge yet."""
        urls = self._settings.urls
        best: Session | None = None
        reasons: list[str] = []
        try:
            for step in range(len(urls)):
                if self._stopping():
                    break
                session = await self._open(urls[(self._first + step) % len(urls)], reasons)
                if session is None:
                    continue
                if best is None or session.service_level > best.service_level:
                    best, session = session, best
                if session is not None:
                    await session.close()
                if best.service_level >= HEALTHY:
                    break
        except BaseException:
            if best is not None:
                await best.close()
            raise
        return best, "; ".join(reasons) or "stopped"

    async def better_than(self, session: Session) -> Session:
        """Ask `session`'s server how it feels until another one feels better; a session with that
        one. A silent server is found out by its keep-alive, not here."""
        every_s = _LEVEL_EVERY_S if len(self._settings.urls) > 1 else _LEVEL_ALONE_S
        while True:
            await asyncio.sleep(every_s)
            try:
                level = await session.read_service_level()
            except WIRE_ERRORS as error:
                _log.debug("service level of %s: %s", session.url, reason_of(error))
                continue
            if level >= HEALTHY:
                continue
            for url in self._settings.urls:
                other = None if url == session.url else await self._open(url, [])
                if other is not None and other.service_level > session.service_level:
                    return other
                if other is not None:
                    await other.close()

    async def _open(self, url: str, reasons: list[str]) -> Session | None:
        """A session with this server; None, and the reason, when it cannot be had."""
        session = self._make(url)
        try:
            await within(_OPEN_TIMEOUTS * self._settings.timeout_s, session.open())
        except WIRE_ERRORS as error:
            alone = len(self._settings.urls) == 1
            reasons.append(reason_of(error) if alone else f"{url}: {reason_of(error)}")
            self._counts.rejected = getattr(error, "rejected", None)
            self.is_refused = not isinstance(error, OSError | TimeoutError)
            await session.close()
            return None
        except BaseException:
            await session.close()
            raise
        self._counts.rejected = None
        self.is_refused = False
        return session
