"""The simulated outstation's protocol session: py1815's, with float events and a way to hang.

py1815 0.3 sends analog events as integers only (g32v1-v4). g32v7 (float with time) has the same
size as g32v3, so its blocks are re-written here after py1815 has chosen, ordered and counted them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from py1815 import FunctionCode, Session
from py1815.application import ObjectHeader
from py1815.events import AnalogEvent, Event
from py1815.objects import encode_time

from sim.outstation_image import pack_float

_ANALOG_EVENT = 32
_INT32_WITH_TIME = 3
_FLOAT_WITH_TIME = 7
HELD_OCTETS_MAX = 65_536


class OutstationSession(Session):
    """A session that can be frozen: the device hangs, its socket stays open.

    What arrives meanwhile waits, as it would in a socket's buffer, and is worked through in order
    when the device goes on, even when its connection is long gone: that is how late execution
    happens in the field (dnp3.md G8). Answers to a connection that is gone go nowhere.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hung = False
        self._backlog: list[bytes | None] = []
        self._late_answers = b""
        self.deaf = False
        """Half-open: what arrives is gone, nothing is sent, the socket stays open."""
        self.lose_operates = False
        """OPERATE requests get lost between the socket and the device."""

    @property
    def frozen(self) -> bool:
        return self._hung

    def freeze(self) -> None:
        """Stop answering and sending."""
        self._hung = True

    def thaw(self) -> None:
        """Go on with what has come in meanwhile."""
        self._hung = False
        held, self._backlog = self._backlog, []
        for piece in held:
            if piece is None:
                super().connection_reset()
                self._late_answers = b""
            else:
                self._late_answers += super().receive(piece)

    def receive(self, data: bytes) -> bytes:
        if self.deaf:
            return b""
        if self._hung:
            if sum(len(piece) for piece in self._backlog if piece) + len(data) <= HELD_OCTETS_MAX:
                self._backlog.append(data)
            return b""
        answers, self._late_answers = self._late_answers, b""
        return answers + super().receive(data)

    def connection_reset(self) -> None:
        if self._hung:
            self._backlog.append(None)
        else:
            super().connection_reset()

    def initiate(self) -> bytes:
        if self._hung or self.deaf:
            return b""
        answers, self._late_answers = self._late_answers, b""
        return answers + super().initiate()

    def initiate_after(self) -> float | None:
        return None if self._hung or self.deaf else super().initiate_after()

    def _handle_fragment(self, fragment: bytes) -> bytes:
        if self.lose_operates and fragment[1:2] == bytes([FunctionCode.OPERATE]):
            return b""
        return super()._handle_fragment(fragment)

    def _event_blocks(
        self, chosen: Sequence[tuple[Event, int]], headers: Sequence[ObjectHeader]
    ) -> Any:
        blocks = super()._event_blocks(chosen, headers)
        for block in blocks:
            if (block.group, block.variation) != (_ANALOG_EVENT, _INT32_WITH_TIME):
                continue
            if any(
                headers[i].variation == _INT32_WITH_TIME
                for _, i, _ in block.members
                if headers[i].event_class is None
            ):
                continue  # the master asked for integers by name
            block.variation = _FLOAT_WITH_TIME
            block.members = [
                (event, i, _float_event(event) if isinstance(event, AnalogEvent) else encoded)
                for event, i, encoded in block.members
            ]
        return blocks


def _float_event(event: AnalogEvent) -> bytes:
    return pack_float(event.point.value, event.point.flags) + encode_time(event.timestamp_ms)
