"""The link layer towards the device: frames in, whole fragments out. No socket here.

It ends here, not in the native stack: confirmed user data is acknowledged, the device's own link
requests are answered, foreign frames are dropped and counted, and floods end the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocols.dnp3 import frames as f
from protocols.dnp3.fragments import SEGMENT_MAX, Reassembler, Segmenter

ERRORS_MAX: Final = 32
ERRORS_PER_S: Final = 2.0
LINK_BURST: Final = 40
LINK_PER_S: Final = 4.0


@dataclass(slots=True)
class Counters:
    """What the line has seen since it was opened."""

    octets_in: int = 0
    octets_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    frame_errors: int = 0
    protocol_errors: int = 0
    timeouts: int = 0
    unsolicited: int = 0
    repeated: int = 0
    foreign: int = 0
    unasked: int = 0
    malformed: int = 0
    undecoded: int = 0
    withheld_confirms: int = 0
    withheld_requests: int = 0
    answered_for_device: int = 0


class Allowance:
    """At most `burst` at once and `per_s` in the long run."""

    def __init__(self, burst: float, per_s: float, mono_s: float) -> None:
        self._burst, self._per_s = burst, per_s
        self._left, self._at_s = burst, mono_s

    def spend(self, mono_s: float) -> bool:
        """Whether one more is allowed now."""
        grown = self._left + (mono_s - self._at_s) * self._per_s
        self._left, self._at_s = min(self._burst, grown) - 1.0, mono_s
        return self._left >= 0.0


class LinkLayer:
    """One device's frames. `back` collects what has to go to the device for what came in;
    `fault` is set once, to the reason why the connection has to be closed."""

    def __init__(self, *, master: int, outstation: int, monotonic_s: Callable[[], float]) -> None:
        self._master, self._outstation = master, outstation
        self._monotonic_s = monotonic_s
        now_s = monotonic_s()
        self._errors = Allowance(ERRORS_MAX, ERRORS_PER_S, now_s)
        self._services = Allowance(LINK_BURST, LINK_PER_S, now_s)
        self._reader = f.FrameReader()
        self._segments = Reassembler()
        self._segmenter = Segmenter(control=f.DIR | f.PRM, destination=outstation, source=master)
        self._fcb: bool | None = None
        self._unframed = 0
        self.back: list[bytes] = []
        self.counters = Counters()
        self.fault: str | None = None
        self.heard_s = now_s

    def feed(self, octets: bytes) -> list[bytes]:
        """The whole fragments that `octets` completes."""
        reader, counters = self._reader, self.counters
        counters.octets_in += len(octets)
        frames = reader.feed(octets)
        counters.frames_in += len(frames)
        counters.frame_errors = reader.crc_errors
        unframed = reader.crc_errors + reader.skipped // f.FRAME_MAX
        for _ in range(min(unframed - self._unframed, ERRORS_MAX + 1)):
            self.error("octets that are no frame")
        self._unframed = unframed
        fragments: list[bytes] = []
        lost = self._segments.errors
        for frame in frames:
            if self.fault is not None:
                break
            if (
                frame.from_master
                or frame.source != self._outstation
                or frame.destination != self._master
            ):
                counters.foreign += 1
                self.error(f"a frame of {frame.source} to {frame.destination}")
                continue
            self.heard_s = self._monotonic_s()
            segment = self._link_service(frame)
            whole = None if segment is None else self._segments.feed(segment)
            if whole is not None:
                fragments.append(whole)
        for _ in range(self._segments.errors - lost):
            self.error("segments that make no fragment")
        return fragments

    def _link_service(self, frame: f.Frame) -> bytes | None:
        """The segment in `frame`, or None; answers what the device's link layer asks."""
        if not frame.primary:
            # At most one answers a keep-alive of ours; anything else is as good as noise.
            if not self._services.spend(self.heard_s):
                self.fault = "a flood of link-layer answers"
            return None
        if frame.function == f.UNCONFIRMED_USER_DATA:
            return frame.payload
        if not self._services.spend(self.heard_s):
            self.fault = "a flood of link-layer requests"
            return None
        answer = {
            f.CONFIRMED_USER_DATA: f.ACK,
            f.RESET_LINK: f.ACK,
            f.TEST_LINK: f.ACK,
            f.REQUEST_LINK_STATUS: f.LINK_STATUS,
        }.get(frame.function, f.NOT_SUPPORTED)
        self.counters.frames_out += 1
        self.back.append(f.build_frame(f.DIR | answer, self._outstation, self._master))
        if frame.function == f.RESET_LINK:
            self._fcb = None
        if frame.function != f.CONFIRMED_USER_DATA:
            return None
        told = bool(frame.control & f.FCB)
        if told == self._fcb:
            self.counters.repeated += 1
            return None
        self._fcb = told
        return frame.payload

    def send(self, fragment: bytes) -> bytes:
        """`fragment` as frames to the device."""
        self.counters.frames_out += max(1, -(-len(fragment) // SEGMENT_MAX))
        return self._segmenter.frames(fragment)

    def error(self, what: str) -> None:
        """Something that a sound device does not do; too much of it ends the connection."""
        self.counters.protocol_errors += 1
        if not self._errors.spend(self._monotonic_s()):
            self.fault = self.fault or f"too many protocol errors, the last: {what}"

    def status_request(self) -> bytes:
        """REQUEST_LINK_STATUS: the keep-alive of a connection on which nothing else is due."""
        self.counters.frames_out += 1
        return f.build_frame(f.DIR | f.PRM | f.REQUEST_LINK_STATUS, self._outstation, self._master)
