"""What passes a link, kept on request: for the drivers that can show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class TraceSource(Protocol):
    """A driver that can keep what passes its link, in a bounded ring; beside `Driver`."""

    def start_trace(self) -> None:
        """Keep from now on, beginning with nothing."""
        ...

    def stop_trace(self) -> None:
        """Keep nothing more; what is kept can still be read."""
        ...

    def trace_lines(self) -> Sequence[str]:
        """What is kept, in words, one line a message, oldest first. May take a second: called from
        a thread of its own while nothing is kept any more."""
        ...

    def trace_pcap(self) -> bytes | None:
        """The same as a pcap file, None where the protocol has none that would help."""
        ...


def trace_source(driver: object) -> TraceSource | None:
    """`driver` as a source of traces, None when it is none."""
    return driver if isinstance(driver, TraceSource) else None
