"""The native stack's end of a conversation: its requests in, what it gets to see out."""

from __future__ import annotations

from typing import Final

from protocols.dnp3 import frames as f
from protocols.dnp3.fragments import (
    FIN,
    FIR,
    SEQ,
    UNS,
    Fragment,
    Function,
    Iin,
    Reassembler,
    Segmenter,
    parse_fragment,
)
from protocols.dnp3.indications import Indications
from protocols.dnp3.turns import Asked

_FOR_STACK: Final = Iin.DEVICE_RESTART | Iin.NEED_TIME | Iin.EVENT_BUFFER_OVERFLOW
"""Indications that the stack has something to do about."""


class StackSide:
    """Link and transport layer towards the stack, which is on this machine and sends no rubbish;
    what it might send all the same is left out."""

    def __init__(
        self,
        *,
        master: int,
        outstation: int,
        indications: Indications,
        response_timeout_s: float,
    ) -> None:
        self._indications = indications
        self._response_timeout_s = response_timeout_s
        self._reader, self._segments = f.FrameReader(), Reassembler()
        self._segmenter = Segmenter(control=f.PRM, destination=master, source=outstation)

    def requests(self, octets: bytes) -> list[Fragment]:
        """The whole requests that `octets` completes."""
        found = []
        for frame in self._reader.feed(octets):
            if frame.function != f.UNCONFIRMED_USER_DATA or not frame.primary:
                continue
            whole = self._segments.feed(frame.payload)
            request = parse_fragment(whole) if whole is not None else None
            if request is not None:
                found.append(request)
        return found

    def passed(
        self, response: Fragment, objects: bytes, heard_s: float, *, iin: int | None = None
    ) -> bytes:
        """`response` with `objects` in place of its own, and those indications that are for the
        stack of its own, or of `iin`."""
        told = self._indications.shown(response.iin if iin is None else iin, heard_s)
        return self._shown(Fragment(response.control, response.function, told, objects))

    def summed_up(self, asked: Asked, response: Fragment, heard_s: float) -> bytes:
        """A series of fragments as one, or as few as keep the stack from timing out."""
        waiting = heard_s - asked.shown_s < self._response_timeout_s / 4
        if not response.final and waiting:
            return b""
        control = (asked.request.sequence + asked.shown) & SEQ
        control |= (FIR if asked.shown == 0 else 0) | (FIN if response.final else 0)
        asked.shown, asked.shown_s = asked.shown + 1, heard_s
        return self.passed(response._replace(control=control), b"", heard_s, iin=asked.iin)

    def indicated(self, asked: Asked, response: Fragment, heard_s: float) -> bytes:
        """What an answer to the line's own read indicates, where the stack has to act on it: as
        an empty unsolicited response, for it has asked nothing."""
        if not response.final:
            return b""
        iin = self._indications.shown(asked.iin, heard_s)
        if not iin & _FOR_STACK:
            return b""
        control = FIR | FIN | UNS | asked.request.sequence
        return self._shown(Fragment(control, Function.UNSOLICITED_RESPONSE, iin, b""))

    def _shown(self, response: Fragment) -> bytes:
        return self._segmenter.frames(response.octets())

    def answer(self, request: Fragment, objects: bytes = b"") -> bytes:
        """An answer to `request` in the device's place."""
        control = FIR | FIN | request.sequence
        return self._shown(Fragment(control, Function.RESPONSE, 0, objects))
