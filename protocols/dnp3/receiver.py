"""What a conversation needs of whoever keeps the values."""

from __future__ import annotations

from typing import Protocol

from protocols.dnp3.fragments import Fragment


class Receiver(Protocol):
    """What the line tells its session. `take` raises when the values could not be kept."""

    def take(self, response: Fragment, *, first: bool) -> int:
        """Keep the values of `response`; returns how many octets of its objects were readable."""
        ...

    def for_stack(self, objects: bytes) -> bytes:
        """What of `objects` the stack can be shown."""
        ...

    def may_confirm(self) -> bool:
        """Whether what was handed to the stack has been kept too."""
        ...

    def integrity_done(self) -> None:
        """A poll of everything has ended, and all of it was taken."""
        ...

    def round_trip(self, seconds: float) -> None:
        """A request has been answered whole."""
        ...
