"""Talks to the simulator's instructor station (`sim/instructor.py`): faults and counts."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

from gridctl.model.errors import Refusal, RefusedError, UnavailableError

DEADLINE_S = 5.0
LINE_BYTES_MAX = 1 << 20


def is_there(station: Path) -> bool:
    """Whether a process listens at this socket; one may have been left behind by a dead one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.settimeout(DEADLINE_S)
        try:
            one.connect(str(station))
        except OSError:
            return False
    return True


class Instructor:
    """One question, one answer, one connection each."""

    def __init__(self, station: Path) -> None:
        self._station = station

    async def ask(self, question: dict[str, object]) -> dict[str, Any]:
        """The answer. Raises UnavailableError when there is none, RefusedError when it is no."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                reader, writer = await asyncio.open_unix_connection(
                    str(self._station), limit=LINE_BYTES_MAX
                )
                try:
                    writer.write(json.dumps(question).encode() + b"\n")
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise UnavailableError(f"the instructor station does not answer: {error}") from None
        if not line:
            raise UnavailableError("the instructor station hung up without an answer")
        answer: dict[str, Any] = json.loads(line)
        if not answer["ok"]:
            raise RefusedError(
                Refusal(code=str(answer["code"]), reasons=tuple(map(str, answer["reasons"])))
            )
        return answer

    async def commands(self) -> int:
        """How many commands the simulated devices have received."""
        status = await self.ask({"do": "status"})
        return int(status["commands"]["total"])
