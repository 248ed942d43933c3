"""The field's drivers: built together, started spread out, exchanged one by one.

A driver that cannot be built is a refusal before anything is opened. Hundreds of links do not dial
in the same instant, neither at the start nor after a reload.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from gridctl.field.configuration import Change, FieldConfiguration
from gridctl.model.clock import Clock
from gridctl.model.errors import ConfigError
from gridctl.model.link import LinkHealth
from protocols.backoff import Randomness, start_delays_s
from protocols.driver import Driver, LinkSettings, PointAddress
from protocols.inbox import Inbox
from protocols.traffic import bounded

log = logging.getLogger(__name__)

OpenDriver: TypeAlias = Callable[[LinkSettings, Sequence[PointAddress], Inbox, Clock], Driver]
Spawn: TypeAlias = Callable[[Coroutine[None, None, None]], asyncio.Task[None] | None]
STOP_DEADLINE_S = 6.0


class FieldLinks(Mapping[str, Driver]):
    """The drivers by link. Others keep a reference to it: it changes under them, never apart."""

    def __init__(
        self,
        *,
        open_driver: OpenDriver,
        inbox: Inbox,
        spawn: Spawn,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._spawn = spawn
        self._open = open_driver
        self._inbox = inbox
        self._clock = clock
        self._randomness = randomness
        self._drivers: dict[str, Driver] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}

    def __getitem__(self, link: str) -> Driver:
        return self._drivers[link]

    def __iter__(self) -> Iterator[str]:
        return iter(self._drivers)

    def __len__(self) -> int:
        return len(self._drivers)

    def build(self, configuration: FieldConfiguration, links: Iterable[str]) -> dict[str, Driver]:
        """Drivers for `links`, not started. Raises one ConfigError with the mistakes of all."""
        built: dict[str, Driver] = {}
        errors: list[ConfigError] = []
        for link in links:
            settings = configuration.links[link].settings
            try:
                built[link] = self._open(
                    settings, configuration.rows[link], self._inbox, self._clock
                )
            except ConfigError as error:
                errors.append(error)
        if errors:
            raise _joined(errors)
        return built

    def take(self, built: Mapping[str, Driver]) -> None:
        """These are the drivers of their links from now on."""
        self._drivers.update(built)

    def start(self, links: Iterable[str]) -> None:
        """Start the drivers of `links`, spread out; returns at once."""
        links = tuple(links)
        delays_s = start_delays_s(len(links), randomness=self._randomness)
        for link, delay_s in zip(links, delays_s, strict=True):
            task = self._spawn(self._start_one(link, self._drivers[link], delay_s))
            if task is not None:
                self._starting[link] = task

    def swap(self, change: Change, built: Mapping[str, Driver]) -> Mapping[str, Driver]:
        """Put `built` in the place of what ends; the drivers that have to be stopped."""
        ending = {link: self._drivers.pop(link) for link in change.stopping}
        self._drivers.update(built)
        return ending

    async def end(self, drivers: Mapping[str, Driver]) -> None:
        """Let go of `drivers`, whatever their peers do."""
        for link in drivers:
            if (starting := self._starting.pop(link, None)) is not None:
                starting.cancel()
        stops = {asyncio.create_task(d.stop(), name=f"stop {k}") for k, d in drivers.items()}
        if not stops:
            return
        done, late = await asyncio.wait(stops, timeout=STOP_DEADLINE_S)
        for task in late:
            log.error("field: %s takes longer than %g s", task.get_name(), STOP_DEADLINE_S)
            task.cancel()
        for task in done:
            task.result()

    async def end_all(self) -> None:
        """Let go of every link."""
        await self.end(dict(self._drivers))

    def health(self) -> tuple[LinkHealth, ...]:
        """All of them, as they may travel."""
        return tuple(bounded(driver.health()) for driver in self._drivers.values())

    async def _start_one(self, link: str, driver: Driver, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await driver.start()
        self._starting.pop(link, None)


def _joined(errors: Sequence[ConfigError]) -> ConfigError:
    first, *rest = errors
    text = first.message + "".join(f"\n{error}" for error in rest)
    return ConfigError(text, file=first.file, key=first.key, hint=first.hint, line=first.line)
