"""The simulated outstation's protocol session: py1815's, with float events and a way to hang.

py1815 0.3 sends analog events as integers only (g32v1-v4) and knows neither double-bit inputs nor
counter events nor ASSIGN CLASS. So its blocks are made anew here, each event in the form of its
point, after py1815 has chosen and ordered them; it fits them into fragments afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from py1815 import FunctionCode, Session, UnknownObject
from py1815.application import (
    IIN,
    IIN2Bit,
    ObjectHeader,
    RequestError,
    null_response,
    parse_header_list,
)
from py1815.events import AnalogEvent, Event
from py1815.session import ParameterError

from sim.outstation_events import CounterEvent, DoubleBitEvent
from sim.outstation_forms import (
    ANALOG,
    ANALOG_EVENTS,
    COUNTER,
    COUNTER_EVENTS,
    USUAL_ANALOG_EVENT,
    USUAL_COUNTER_EVENT,
    encode_analog_event,
    encode_counter_event,
)

_BINARY_EVENT, _DOUBLE_EVENT, _COUNTER_EVENT, _FROZEN_EVENT, _ANALOG_EVENT = 2, 4, 22, 23, 32
_FROZEN_VARIATIONS = (0, 1, 5)
_REQUEST_OCTETS, _WHOLE = 2, 0xC0
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
        self.forms: Mapping[tuple[int, int], int] = {}
        """Event variations of points that have one of their own, by static group and index."""
        self.assign: Callable[[Sequence[ObjectHeader]], None] | None = None
        """What ASSIGN CLASS asks for; raises UnknownObject and ParameterError."""
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
        is_whole = len(fragment) >= _REQUEST_OCTETS and fragment[0] & 0xF0 == _WHOLE
        if is_whole and fragment[1] == FunctionCode.ASSIGN_CLASS and self.assign is not None:
            return self._assign_class(fragment, self.assign)
        return super()._handle_fragment(fragment)

    def _assign_class(
        self, fragment: bytes, assign: Callable[[Sequence[ObjectHeader]], None]
    ) -> bytes:
        """IEEE 1815-2012 §4.4.11: a null response; whatever else was going on is over."""
        self._select = None
        self._abandon()
        wrong: IIN2Bit | None = None
        try:
            assign(parse_header_list(fragment[_REQUEST_OCTETS:]))
        except RequestError as error:
            wrong = error.bit
        except UnknownObject:
            wrong = IIN2Bit.OBJECT_UNKNOWN
        except ParameterError:
            wrong = IIN2Bit.PARAM_ERROR
        indications = self._indications() if wrong is None else self._indications(IIN(second=wrong))
        return null_response(sequence=fragment[0] & 0x0F, iin=indications)

    def _reads_events(self, header: ObjectHeader) -> bool:
        if header.event_class is None and header.group == _DOUBLE_EVENT:
            return header.variation in (0, 1, 2, 3)
        if header.event_class is None and header.group == _ANALOG_EVENT:
            return header.variation == 0 or header.variation in ANALOG_EVENTS
        if header.event_class is None and header.group == _COUNTER_EVENT:
            return header.variation == 0 or header.variation in COUNTER_EVENTS
        return super()._reads_events(header)

    def _held(self, header: ObjectHeader, limit: int) -> list[Event]:
        if header.event_class is None and header.group == _DOUBLE_EVENT and self._events:
            return self._events.peek_kind(DoubleBitEvent, limit=limit)
        if header.event_class is None and header.group == _COUNTER_EVENT and self._events:
            return self._events.peek_kind(CounterEvent, limit=limit)
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
            own = self.forms.get((ANALOG, event.index), 0) or USUAL_ANALOG_EVENT
            point = event.point
            octets = encode_analog_event(named or own, point.value, point.flags, event.timestamp_ms)
            return _ANALOG_EVENT, named or own, octets
        if isinstance(event, CounterEvent):
            form = named or self.forms.get((COUNTER, event.index), 0) or USUAL_COUNTER_EVENT
            counted = event.point
            octets = encode_counter_event(form, counted.value, counted.flags, event.timestamp_ms)
            return _COUNTER_EVENT, form, octets
        if isinstance(event, DoubleBitEvent):
            flags = event.point.flags & _QUALITY | event.point.state << _STATE_SHIFT
            return _DOUBLE_EVENT, block.variation, bytes([flags]) + encoded[1:]
        return block.group, block.variation, encoded


def _known(header: ObjectHeader) -> ObjectHeader:
    """A header as py1815 knows it: double-bit events are read as it reads binary ones, counters as
    frozen ones, and of analog events it has the integers only."""
    if header.event_class is not None:
        return header
    if header.group == _DOUBLE_EVENT:
        return replace(header, group=_BINARY_EVENT)
    if header.group == _COUNTER_EVENT:
        known = header.variation if header.variation in _FROZEN_VARIATIONS else 0
        return replace(header, group=_FROZEN_EVENT, variation=known)
    if header.group == _ANALOG_EVENT and header.variation > _PY1815_ANALOG_MAX:
        return replace(header, variation=0)
    return header
