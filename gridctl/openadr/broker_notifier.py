"""Carries what waits for the MQTT broker, in order; while the broker is away everything waits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.openadr import listing, topics
from gridctl.openadr.mqtt import KEEP_ALIVE_S, Broker, BrokerError, Publisher
from gridctl.store.engine import SqlStore
from gridctl.store.openadr_kinds import StoredObject
from gridctl.store.openadr_publications import Publication

log = logging.getLogger(__name__)

BATCH_MAX: Final = 200
LOOK_S: Final = 1.0
AGAIN_S: Final = 5.0
SAID_EVERY_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttPolicy:
    """The broker as we publish to it, and what clients are told: `uris` for their side, the method
    of authentication, the prefix of all topics."""

    broker: Broker
    uris: tuple[str, ...]
    authentication: str
    prefix: str = "openadr"

    def told(self) -> dict[str, object]:
        """The `MQTT` of GET /notifiers."""
        method: dict[str, str] = {"method": self.authentication}
        if self.authentication == "OAUTH2_BEARER_TOKEN":
            method["username"] = "{clientID}"
        return {"URIS": list(self.uris), "serialization": "JSON", "authentication": method}


class BrokerNotifier:
    """One task; `wake` after a write makes it look at once."""

    def __init__(self, *, store: SqlStore, clock: Clock, policy: MqttPolicy) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._publisher = Publisher(policy.broker)
        self._wake = asyncio.Event()
        self._quiet_until_s = float("-inf")
        self.published = 0

    def wake(self) -> None:
        """Something may wait."""
        self._wake.set()

    async def carrying(self) -> AsyncIterator[None]:
        """The task, as a cleanup context of an application."""
        task = asyncio.create_task(self._run(), name="openadr broker notifier")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._publisher.close()

    async def _run(self) -> None:
        heard_s = self._clock.monotonic_s()
        while True:
            self._wake.clear()
            wait_s = LOOK_S
            try:
                if await self.step():
                    heard_s = self._clock.monotonic_s()
                elif self._clock.monotonic_s() - heard_s > KEEP_ALIVE_S / 2:
                    await self._publisher.ping()
                    heard_s = self._clock.monotonic_s()
            except BrokerError as error:
                self._say(f"the MQTT broker does not take our messages: {error}")
                wait_s = AGAIN_S
            except UnavailableError as error:
                self._say(f"what waits for the MQTT broker cannot be read: {error}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()

    async def step(self) -> int:
        """Publish what waits; how many messages. Raises BrokerError."""
        count = 0
        for one in await self._store.publications.waiting(count_max=BATCH_MAX):
            for topic, body in messages(one, self._policy.prefix):
                await self._publisher.publish(topic, body)
                count += 1
            await self._store.publications.published(one.number)
        self.published += count
        return count

    def _say(self, text: str) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._quiet_until_s:
            self._quiet_until_s = now_s + SAID_EVERY_S
            log.error("openadr: %s", text)


def messages(found: Publication, prefix: str) -> Sequence[tuple[str, bytes]]:
    """(topic, body) for every collection in which the change is told."""
    kept: dict[str, Any] = json.loads(found.one)
    one = StoredObject(**{**kept, "targets": tuple(kept["targets"])})
    targets = list(one.targets if found.shown is None else found.shown)
    told = {
        "objectType": one.kind.upper(),
        "operation": found.operation,
        "object": json.loads(listing.rendered(one, targets)),
        "targets": targets,
    }
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    act = found.operation.lower()
    if found.place.startswith("vens/"):
        base = found.place if one.kind == "ven" else f"{found.place}/{one.kind}s"
        return [(f"{prefix}/{base}/{act}", body)]
    program = one.keys.get("program_id")
    paths = topics.collections(one.kind, one.id, None if program is None else str(program))
    return [(f"{prefix}/{found.place}/{path}/{act}", body) for path in paths]
