"""Answers that were given already, for as long as no object has changed.

Thousands of VENs ask for the same page every minute, and it changes a few times a day. An answer is
kept with the generation of the store's objects in which it was read; the first write after that
forgets all of them, so nothing old is ever told.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

BYTES_MAX: Final = 16 * 1024 * 1024
ENTRIES_MAX: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body as it goes out, and its validator where it has one."""

    body: bytes
    etag: str | None = None


class Memory:
    """At most `entries_max` answers and `bytes_max` of bodies; the longest unasked goes first."""

    def __init__(self, *, entries_max: int = ENTRIES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._generation: int | None = None
        self._kept: dict[Hashable, Answer] = {}
        self._grants: dict[str, frozenset[str]] = {}

    def answer(self, key: Hashable, generation: int) -> Answer | None:
        """The answer to `key` that still holds in `generation`."""
        if not self._holds(generation):
            return None
        found = self._kept.pop(key, None)
        if found is not None:
            self._kept[key] = found  # the newest is last
        return found

    def keep(self, key: Hashable, answer: Answer, *, read_in: int, generation: int) -> None:
        """Remember an answer whose reading began in `read_in`, if nothing was written since."""
        if read_in != generation or not self._holds(generation):
            return
        self._drop(key)
        self._kept[key] = answer
        self._bytes += len(answer.body)
        while len(self._kept) > self._entries_max or self._bytes > self._bytes_max:
            self._drop(next(iter(self._kept)))

    def grants(self, client_id: str, generation: int) -> frozenset[str] | None:
        """What a client has been granted, if that is known."""
        return self._grants.get(client_id) if self._holds(generation) else None

    def keep_grants(
        self,
        client_id: str,
        granted: frozenset[str],
        *,
        read_in: int,
        generation: int,
    ) -> None:
        """As `keep`, for the targets of a client."""
        if read_in != generation or not self._holds(generation):
            return
        self._grants[client_id] = granted
        while len(self._grants) > self._entries_max:
            del self._grants[next(iter(self._grants))]

    def _holds(self, generation: int) -> bool:
        if generation != self._generation:
            self._kept.clear()
            self._grants.clear()
            self._bytes = 0
            self._generation = generation
        return True

    def _drop(self, key: Hashable) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._bytes -= len(gone.body)
