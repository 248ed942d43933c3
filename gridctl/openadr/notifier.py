"""Carries the outbox to its callbacks: at least once, signed, with a ladder of retries.

Headers follow Standard Webhooks: `webhook-id` is the same at every attempt, so that a receiver can
tell a repetition; `webhook-signature` is HMAC-SHA256 over id, time and body, under the secret that
the client was given. What has failed at every rung of the ladder is dead, and stays to be looked at
and replayed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import aiohttp
from yarl import URL

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from gridctl.openadr import listing
from gridctl.openadr.callbacks import (
    CallbackError,
    CallbackPolicy,
    authorization,
    check_url,
    open_session,
    told,
)
from gridctl.openadr.scopes import BUSINESS_LOGIC
from gridctl.store.engine import SqlStore
from gridctl.store.openadr_kinds import TARGETED, StoredObject
from gridctl.store.openadr_outbox import Message

log = logging.getLogger(__name__)

LADDER_S: Final = (5.0, 30.0, 120.0, 600.0, 1_800.0, 7_200.0, 21_600.0)
"""Grid seconds between one attempt and the next; after the last rung a message is dead."""
JITTER: Final = 0.2
BATCH_MAX: Final = 200
IN_FLIGHT_MAX: Final = 32
LOOK_S: Final = 1.0
KEPT_S: Final = 7 * 86_400.0
SWEEP_EVERY_S: Final = 3_600.0


class Notifier:
    """One task; `wake` after a write makes it look at once."""

    def __init__(
        self,
        *,
        store: SqlStore,
        clock: Clock,
        policy: CallbackPolicy,
        uniform: Callable[[float, float], float],
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._uniform = uniform
        self._session: aiohttp.ClientSession | None = None
        self._wake = asyncio.Event()
        self.sent = 0
        self.refused = 0

    def session(self) -> aiohttp.ClientSession:
        """The session of all callbacks, opened on first use, in the loop that uses it."""
        if self._session is None or self._session.closed:
            self._session = open_session(self._policy)
        return self._session

    def wake(self) -> None:
        """Something may be in the outbox."""
        self._wake.set()

    async def close(self) -> None:
        """Let go of every connection."""
        if self._session is not None:
            await self._session.close()

    async def run(self) -> None:
        """Until cancelled. A store that is away is tried again."""
        swept_mono_s = self._clock.monotonic_s()
        while True:
            self._wake.clear()
            try:
                more = await self.step()
                if self._clock.monotonic_s() - swept_mono_s > SWEEP_EVERY_S:
                    swept_mono_s = self._clock.monotonic_s()
                    await self._store.outbox.sweep(before_s=self._clock.now_s() - KEPT_S)
            except UnavailableError as error:
                log.error("openadr: the outbox cannot be read: %s", error)
                more = False
            if not more:
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def step(self) -> bool:
        """Send what is due; whether there may be more of it."""
        due = await self._store.outbox.due(self._clock.now_s(), count_max=BATCH_MAX)
        if not due:
            return False
        grants = await self._grants(due)
        room = asyncio.Semaphore(IN_FLIGHT_MAX)
        errors: dict[int, str | None] = {}

        async def carry(messages: Sequence[Message]) -> None:
            # one after the other, so that a subscriber hears of things in their order
            for message in messages:
                async with room:
                    errors[message.number] = await self._send(message, grants)

        queues: dict[str, list[Message]] = {}
        for message in due:
            queues.setdefault(message.subscription_id, []).append(message)
        async with asyncio.TaskGroup() as group:
            for queue in queues.values():
                group.create_task(carry(queue))
        arrived = [number for number, error in errors.items() if error is None]
        self.sent += len(arrived)
        await self._store.outbox.delivered(arrived)
        for message in due:
            error = errors[message.number]
            if error is not None:
                self.refused += 1
                await self._again(message, error)
        return len(due) == BATCH_MAX

    async def _grants(self, due: Sequence[Message]) -> dict[str, frozenset[str] | None]:
        """What of an object's targets each receiver gets to see."""
        found: dict[str, frozenset[str] | None] = {}
        for message in due:
            if message.client_id not in found:
                found[message.client_id] = (
                    None
                    if message.role == BUSINESS_LOGIC
                    else await self._store.objects.granted(message.client_id)
                )
        return found

    async def _send(self, message: Message, grants: dict[str, frozenset[str] | None]) -> str | None:
        """One attempt; None when it arrived, else why not."""
        body = notification(message, grants[message.client_id])
        stamp = str(int(self._clock.now_s()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": f"msg-{message.number}",
            "webhook-timestamp": stamp,
            **authorization(message.bearer),
        }
        if message.webhook_secret is not None:
            headers["webhook-signature"] = signature(
                message.webhook_secret, headers["webhook-id"], stamp, body
            )
        try:
            # what was allowed when it was written down may not be any more
            url: URL = check_url(message.url, self._policy)
            async with self.session().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                if 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's success
                    return None
                return f"answered {answer.status}"
        except CallbackError as refused:
            return str(refused)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return told(error)

    async def _again(self, message: Message, error: str) -> None:
        rung = message.attempts
        next_s = None
        if rung < len(LADDER_S):
            wait_s = LADDER_S[rung] * self._uniform(1 - JITTER, 1 + JITTER)
            next_s = self._clock.now_s() + wait_s
        else:
            log.warning(
                "openadr: gave up telling %s at %s: %s", message.client_id, message.url, error
            )
        await self._store.outbox.failed(message.number, error=error, next_s=next_s)


def notification(message: Message, may_show: frozenset[str] | None) -> bytes:
    """The body of a notification, as its receiver may see the object. Same bytes at each attempt,
    as long as the receiver's grants are the same."""
    kept: dict[str, Any] = json.loads(message.body)
    one = StoredObject(**{**kept, "targets": tuple(kept["targets"])})
    targets = listing.shown_targets(one, may_show if one.kind in TARGETED else None)
    body = {
        "objectType": message.object_type,
        "operation": message.operation,
        "object": json.loads(listing.rendered(one, targets)),
        "targets": targets,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def signature(secrets: str, id_: str, stamp: str, body: bytes) -> str:
    """For each of `secrets`, parted by spaces, `v1,` and the base64 of HMAC-SHA256 over
    `id.timestamp.body`, parted by spaces (Standard Webhooks: two while a secret changes)."""
    signed = f"{id_}.{stamp}.".encode() + body
    digests = (hmac.new(_key(one), signed, hashlib.sha256).digest() for one in secrets.split())
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _key(secret: str) -> bytes:
    """The octets behind `whsec_`; a secret of before that form stands for itself."""
    text = secret.removeprefix("whsec_")
    return secret.encode() if text == secret else base64.b64decode(text)
