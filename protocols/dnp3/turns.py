"""Whose request goes to the device next: one at a time, the stack's and the line's own.

Polls and commands are the line's own: by way of the native stack each would cost more wake-ups of
another thread and more passes through the kernel, which was a third of the CPU of 500 links and
most of a command's tail. They wait while something else is under way; what the stack asks meanwhile
waits for their end. A command goes first, then the stack, then reads. SELECT and OPERATE follow
each other within one turn. Nothing in here outlives its connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocols.dnp3.exchange import Ending, Exchange
from protocols.dnp3.fragments import FIN, FIR, SEQ, Fragment, Function
from protocols.dnp3.objects import Broken, walk

_CLASSES, _CLASS_0 = 60, 1


def start_timeout_s(response_timeout_s: float) -> float:
    """How long a request of the stack may wait for its turn before it is dropped unsent."""
    return 1.5 * min(1.0, response_timeout_s)


def command_patience_s(response_timeout_s: float, response_max_s: float) -> float:
    """How long a command may wait for its turn: as long as the longest answer before it may take
    (on a slow line many seconds), unless its permit or a STOP ends it earlier, which is asked right
    before it leaves."""
    return max(start_timeout_s(response_timeout_s), response_max_s)


@dataclass(slots=True)
class Asked:
    """The request whose answer is awaited. `own`: the line's, of which the stack knows nothing.

    `shown_s`: when the stack has last seen a part of the answer, or when the request left.
    """

    function: int
    request: Fragment
    expected: int
    integrity: bool
    own: bool
    exchange: Exchange | None
    sent_s: float
    shown_s: float
    fragments: int = 0
    shown: int = 0
    iin: int = 0


def asked(
    request: Fragment, mono_s: float, *, own: bool, exchange: Exchange | None = None
) -> Asked:
    """`request` leaves now; for `exchange` where it is a command."""
    return Asked(
        function=request.function,
        request=request,
        expected=request.sequence,
        integrity=request.function == Function.READ and _reads_class_0(request),
        own=own,
        exchange=exchange,
        sent_s=mono_s,
        shown_s=mono_s,
    )


class Turns:
    """What waits for its turn: a command, at most one request of the stack, which asks one thing
    at a time, and each of the line's reads at most once."""

    def __init__(self) -> None:
        self._held: tuple[Fragment, float] | None = None
        self._reads: dict[bytes, None] = {}
        self._command: tuple[Exchange, float] | None = None
        self._sequence = 0

    def __bool__(self) -> bool:
        return self._command is not None or self._held is not None or bool(self._reads)

    def arm(self, exchange: Exchange, mono_s: float) -> None:
        """A command wants to go out, before everything else."""
        self._command = exchange, mono_s

    def command(self) -> Exchange | None:
        """The command that is armed."""
        command, self._command = self._command, None
        return None if command is None else command[0]

    def give_up(self, mono_s: float, patience_s: float) -> None:
        """End the command that has waited for its turn longer than `patience_s`."""
        command = self._command
        if command is not None and mono_s - command[1] > patience_s:
            self._command = None
            command[0].ended(Ending.BUSY)

    def hold(self, request: Fragment, mono_s: float) -> None:
        """The stack asks while a read of the line's is under way."""
        self._held = request, mono_s

    def held(self, mono_s: float, patience_s: float) -> Fragment | None:
        """The stack's request, unless it has given it up meanwhile (after `patience_s`)."""
        held, self._held = self._held, None
        return held[0] if held is not None and mono_s - held[1] < patience_s else None

    def want(self, objects: bytes) -> None:
        """Read `objects` when there is a turn for it."""
        self._reads[objects] = None

    def read(self) -> Fragment | None:
        """The read that has waited longest."""
        if not self._reads:
            return None
        objects = next(iter(self._reads))
        del self._reads[objects]
        return Fragment(FIR | FIN | self.next_sequence, Function.READ, 0, objects)

    @property
    def next_sequence(self) -> int:
        """The number of the line's next request."""
        return (self._sequence + 1) & SEQ

    def left(self, request: Fragment) -> None:
        """`request` leaves: the line's next number follows it, whoever asked."""
        self._sequence = request.sequence


def _reads_class_0(request: Fragment) -> bool:
    return any(
        not isinstance(block, Broken) and (block.group, block.variation) == (_CLASSES, _CLASS_0)
        for block in walk(request.objects, data=False)
    )
