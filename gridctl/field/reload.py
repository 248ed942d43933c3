"""Other points and links without a restart: asked for by a file or SIGHUP, taken as a whole or not.

OT has no listening port, so the request is a file beside the stop file: `RELOAD`, whose text is the
request's id. The answer is `reload.json` in the same folder. A link that both configurations have
alike keeps its session; a new configuration that cannot be used changes nothing at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from gridctl.field.configuration import Change
from gridctl.model.errors import GridctlError

log = logging.getLogger(__name__)

REQUEST_NAME = "RELOAD"
ANSWER_NAME = "reload.json"
ID_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a reload ended. `change` None: refused, and `text` says why."""

    request: str
    text: str
    points: int
    change: Change | None

    def as_json(self) -> str:
        """The text of the answer's file."""
        change = self.change
        body: dict[str, object] = {
            "request": self.request,
            "accepted": change is not None,
            "text": self.text,
            "points": self.points,
        }
        if change is not None:
            body |= {
                "kept": change.kept,
                "changed": change.changed,
                "added": change.added,
                "removed": change.removed,
            }
        return json.dumps(body, indent=2)


def request_file(stop_file: Path) -> Path:
    """Where a reload is asked for."""
    return stop_file.with_name(REQUEST_NAME)


def answer_file(stop_file: Path) -> Path:
    """Where its answer stands."""
    return stop_file.with_name(ANSWER_NAME)


class ReloadWatch:
    """Turns requests into calls of `reload`, one after the other, each answered."""

    def __init__(
        self, stop_file: Path, *, reload: Callable[[], Awaitable[tuple[Change, int]]]
    ) -> None:
        self._request = request_file(stop_file)
        self._answer = answer_file(stop_file)
        self._reload = reload
        self._asked = asyncio.Event()
        self.refused: str | None = None
        """Why the last reload was refused; None when it was taken, or there was none."""

    def ask(self) -> None:
        """A reload is wanted, by signal."""
        self._asked.set()

    async def poll(self) -> bool:
        """Reload if it was asked for; whether it was."""
        request = self._taken()
        if request is None:
            return False
        await self._serve(request)
        return True

    def _taken(self) -> str | None:
        """The id of a waiting request; the request is gone after this."""
        by_signal = self._asked.is_set()
        self._asked.clear()
        # Renamed before it is read: a request that comes meanwhile is the next one, not lost.
        mine = self._request.with_suffix(".taken")
        try:
            self._request.replace(mine)
            return mine.read_text(encoding="utf-8")[:ID_MAX].strip()
        except FileNotFoundError:
            pass
        except (OSError, UnicodeDecodeError) as error:
            log.warning("field: %s cannot be read: %s", self._request, error)
        finally:
            with contextlib.suppress(OSError):
                mine.unlink()
        return "signal" if by_signal else None

    async def _serve(self, request: str) -> None:
        try:
            change, points = await self._reload()
        except GridctlError as error:
            self.refused = str(error)
            log.error("field: reload refused, the old points stay: %s", error)
            answer = Answer(request=request, text=str(error), points=0, change=None)
        else:
            self.refused = None
            text = _told(change, points)
            log.info("field: %s", text)
            answer = Answer(request=request, text=text, points=points, change=change)
        aside = self._answer.with_suffix(".new")
        try:
            aside.write_text(answer.as_json(), encoding="utf-8")
            aside.replace(self._answer)
        except OSError as error:
            log.warning("field: the answer to a reload cannot be written: %s", error)


def _told(change: Change, points: int) -> str:
    parts = [f"{points} points"]
    for word, links in (
        ("kept", change.kept),
        ("restarted", change.changed),
        ("started", change.added),
        ("stopped", change.removed),
    ):
        if links:
            parts.append(f"{word} {', '.join(links)}")
    return "; ".join(parts)
