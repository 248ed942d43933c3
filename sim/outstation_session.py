"""The simulated outstation's protocol session: py1815's, with float events and a way to hang.

py1815 0.3 sends analog events as integers only (g32v1-v4) and knows no double-bit inputs. So its
blocks are made anew here, each event in the form of its point, after py1815 has chosen and ordered
them; it fits them into fragments afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from py1815 import FunctionCode, Session
from py1815.application import ObjectHeader
from py1815.events import AnalogEvent, Event

from sim.outstation_events import DoubleBitEvent
from sim.outstation_forms import ANALOG_EVENTS, USUAL_ANALOG_EVENT, encode_analog_event

_BINARY_EVENT, _DOUBLE_EVENT, _ANALOG_EVENT = 2, 4, 32
_PY1815_ANALOG_MAX = 4
_STATE_SHIFT, _QUALITY = 6, 0x3F
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
        self.forms: Mapping[int, int] = {}
        """Event variations of analog inputs that have one of their own."""
        self.deaf = False
        """Half-open: what arrives is gone, nothing is sent, the socket stays open."""
        self.heard = False
        """Whether the master has asked for anything since somebody looked."""
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
        self.heard = True
        if self.lose_operates and fragment[1:2] == bytes([FunctionCode.OPERATE]):
            return b""
        return super()._handle_fragment(fragment)

    def _reads_events(self, header: ObjectHeader) -> bool:
        if header.event_class is None and header.group == _DOUBLE_EVENT:
            return header.variation in (0, 1, 2, 3)
        if header.event_class is None and header.group == _ANALOG_EVENT:
            return header.variation == 0 or header.variation in ANALOG_EVENTS
        return super()._reads_events(header)

    def _held(self, header: ObjectHeader, limit: int) -> list[Event]:
        if header.event_class is None and header.group == _DOUBLE_EVENT and self._events:
            return self._events.peek_kind(DoubleBitEvent, limit=limit)
        return super()._held(header, limit)

    def _smallest_event(self, headers: Sequence[ObjectHeader]) -> int:
        return super()._smallest_event([_known(header) for header in headers])

    def _event_blocks(
        self, chosen: Sequence[tuple[Event, int]], headers: Sequence[ObjectHeader]
    ) -> Any:
        blocks: list[Any] = []
        of: Any = None
        for block in super()._event_blocks(chosen, [_known(header) for header in headers]):
            for event, i, encoded in block.members:
                named = headers[i].variation if headers[i].event_class is None else 0
                group, variation, octets = self._formed(event, named, block, encoded)
                last = blocks[-1] if blocks else None
                joined = of is block or not (block.prefix or (last is not None and last.prefix))
                if last is not None and joined and (last.group, last.variation) == (
                    group, variation,
                ):  # fmt: skip
                    last.members.append((event, i, octets))
                else:
                    # A piece of its own needs the common time again that its times count from.
                    blocks.append(replace(block, group=group, variation=variation,
                                          members=[(event, i, octets)]))  # fmt: skip
                of = block
        return blocks

    def _formed(
        self, event: object, named: int, block: Any, encoded: bytes
    ) -> tuple[int, int, bytes]:
        """Group, variation and octets of an event, in the form that was asked for or its own."""
        if isinstance(event, AnalogEvent):
            own = self.forms.get(event.index, 0) or USUAL_ANALOG_EVENT
            point = event.point
            octets = encode_analog_event(named or own, point.value, point.flags, event.timestamp_ms)
            return _ANALOG_EVENT, named or own, octets
        if isinstance(event, DoubleBitEvent):
            flags = event.point.flags & _QUALITY | event.point.state << _STATE_SHIFT
            return _DOUBLE_EVENT, block.variation, bytes([flags]) + encoded[1:]
        return block.group, block.variation, encoded


def _known(header: ObjectHeader) -> ObjectHeader:
    """A header as py1815 knows it: double-bit events are read as it reads binary ones, and of
    analog events it has the integers only."""
    if header.event_class is not None:
        return header
    if header.group == _DOUBLE_EVENT:
        return replace(header, group=_BINARY_EVENT)
    if header.group == _ANALOG_EVENT and header.variation > _PY1815_ANALOG_MAX:
        return replace(header, variation=0)
    return header
