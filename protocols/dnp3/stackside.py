"""The native stack's end of a conversation: its requests in, what it gets to see out."""

from __future__ import annotations

from protocols.dnp3 import frames as f
from protocols.dnp3.fragments import (
    FIN,
    FIR,
    Fragment,
    Function,
    Reassembler,
    Segmenter,
    parse_fragment,
)


class StackSide:
    """Link and transport layer towards the stack, which is on this machine and sends no rubbish;
    what it might send all the same is left out."""

    def __init__(self, *, master: int, outstation: int) -> None:
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

    def shown(self, response: Fragment) -> bytes:
        """The octets by which the stack gets `response`."""
        return self._segmenter.frames(response.octets())

    def answer(self, request: Fragment, objects: bytes = b"") -> bytes:
        """An answer to `request` in the device's place."""
        control = FIR | FIN | request.sequence
        return self.shown(Fragment(control, Function.RESPONSE, 0, objects))
