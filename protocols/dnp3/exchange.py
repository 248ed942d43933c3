"""One command on the wire: what may leave, octet by octet, and what came back.

The native stack sends OPERATE by itself as soon as it likes the answer to SELECT. `Exchange` sits
in the line where both have to pass and is asked about each: only the armed command's own SELECT
leaves, and OPERATE only when it repeats that SELECT, the device echoed it exactly, it is still in
time, and nobody has stopped it. Everything that was sent and heard is kept as evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from gridctl.model.command import CommandState
from protocols.dnp3.fragments import IIN_REQUEST_ERRORS, Fragment
from protocols.dnp3.objects import Block, walk
from protocols.dnp3.outputs import Output

EVIDENCE_STEPS_MAX: Final = 8
STATUS_CANCELLED: Final = 16


class Stage(Enum):
    """How far the command got on the wire."""

    ARMED = "nothing was sent"
    SELECTED = "SELECT left"
    ECHOED = "the SELECT was echoed"
    OPERATED = "OPERATE left"
    ANSWERED = "OPERATE was answered"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer to SELECT or OPERATE says: a status for each object that was sent, none when
    it is no echo of them."""

    statuses: tuple[int, ...]
    iin: int

    @property
    def status(self) -> int | None:
        """SUCCESS when each object has it, else the first other; None: no echo of our objects."""
        return next((one for one in self.statuses if one), 0) if self.statuses else None

    @property
    def clean(self) -> bool:
        return self.status == 0 and not self.iin & IIN_REQUEST_ERRORS


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Armed by the driver for one command; deaf to everything once `closed`.

    `expires_mono_s`: no SELECT leaves after it. `select_window_s`: how long after SELECT the
    OPERATE may still leave. `aborted` is asked right before each of the two.

    `output` is what the stack knows of. `before` and `after` go with it in the same request, which
    the stack cannot build (G12): it asks for its one object, the line sends them all and shows it
    its own again. `select` is what left, `request` what the stack asked for.
    """

    output: Output
    before: tuple[Output, ...] = ()
    after: tuple[Output, ...] = ()
    aborted: Callable[[], bool]
    stage_told: Callable[[CommandState], None]
    expires_mono_s: float
    select_window_s: float
    stage: Stage = Stage.ARMED
    closed: bool = False
    withheld: str = ""
    stopped: bool = False
    request: bytes = b""
    select: bytes = b""
    selected_mono_s: float = 0.0
    select_answer: Answer | None = None
    operate_answer: Answer | None = None
    steps: list[tuple[float, bool, bytes]] = field(default_factory=list)

    def may_select(self, request: Fragment, mono_s: float) -> str | None:
        """None when this SELECT may leave; else why not."""
        if self.closed or self.stage is not Stage.ARMED:
            return "no command is armed"
        if status_of(request.objects, self.output) != 0:
            return "the SELECT is not the command that was permitted"
        if mono_s > self.expires_mono_s:
            return "the command's time was up"
        self.stopped = self.aborted()
        return "stopped before SELECT" if self.stopped else None

    def may_operate(self, request: Fragment, mono_s: float) -> str | None:
        """None when this OPERATE may leave; else why not."""
        if self.closed:
            return "the command is over"
        if self.stage is not Stage.ECHOED or request.objects != self.request:
            return "the OPERATE does not repeat an echoed SELECT"
        if self.select_answer is None or not self.select_answer.clean:
            return "the device did not echo the SELECT"
        if mono_s - self.selected_mono_s > self.select_window_s:
            return "the SELECT was answered too late for an OPERATE"
        self.stopped = self.aborted()
        return "stopped between SELECT and OPERATE" if self.stopped else None

    def stop_if_asked(self) -> bool:
        """Close the exchange when it is stopped before its OPERATE: that can never leave then."""
        if self.stage in (Stage.OPERATED, Stage.ANSWERED) or not self.aborted():
            return False
        self.stopped = self.closed = True
        return True

    @property
    def operate_due(self) -> bool:
        """Whether the OPERATE may leave next: nothing else may come between (clause 4.4.3)."""
        clean = self.select_answer is not None and self.select_answer.clean
        return self.stage is Stage.ECHOED and clean and not (self.closed or self.withheld)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All that goes out, in this order."""
        return (*self.before, self.output, *self.after)

    def whole(self, request: Fragment) -> Fragment:
        """`request` of the stack as it leaves: with all objects of the command."""
        first = b"".join(one.object() for one in self.before)
        last = b"".join(one.object() for one in self.after)
        return request._replace(objects=first + request.objects + last)

    def selected(self, request: Fragment, mono_s: float) -> None:
        """The stack's SELECT leaves now, as `whole`."""
        self.stage, self.selected_mono_s = Stage.SELECTED, mono_s
        self.request, self.select = request.objects, self.whole(request).objects
        self.stage_told(CommandState.SELECTED)

    def operated(self) -> None:
        """The OPERATE leaves now."""
        self.stage = Stage.OPERATED
        self.stage_told(CommandState.OPERATED)

    def answered(self, response: Fragment) -> None:
        """The device's answer to what left last."""
        answer = Answer(echo_statuses(self.select, response.objects), response.iin)
        if self.stage is Stage.SELECTED:
            self.select_answer, self.stage = answer, Stage.ECHOED
        elif self.stage is Stage.OPERATED:
            self.operate_answer, self.stage = answer, Stage.ANSWERED

    def shown(self, response: Fragment) -> bytes:
        """The objects of `response` as the stack, which knows of one, may see them."""
        if not self.before and not self.after:
            return response.objects
        answer = self.operate_answer or self.select_answer
        if answer is None or answer.status is None:
            return b""
        return self.request[:-1] + bytes((answer.status,))

    def keep(self, mono_s: float, from_master: bool, octets: bytes) -> None:
        """Keep an exchanged fragment as evidence; the first `EVIDENCE_STEPS_MAX` are kept."""
        if len(self.steps) < EVIDENCE_STEPS_MAX:
            self.steps.append((mono_s, from_master, octets))


def status_of(objects: bytes, output: Output) -> int | None:
    """The status octet when `objects` is exactly one object, namely `output`; else None."""
    blocks = list(walk(objects))
    if len(blocks) != 1:
        return None
    (block,) = blocks
    if not isinstance(block, Block) or block.number != 1 or not block.prefix:
        return None
    if (block.group, block.variation) != (output.group, output.variation):
        return None
    index = int.from_bytes(block.body[: block.prefix], "little")
    if index != output.index or block.body[block.prefix : -1] != output.octets:
        return None
    return block.body[-1]


def echo_statuses(request: bytes, answer: bytes) -> tuple[int, ...]:
    """The status of each object when `answer` repeats `request` octet by octet but for those;
    else none."""
    ends = [block.end - 1 for block in walk(request) if isinstance(block, Block)]
    if not ends or ends[-1] != len(request) - 1 or len(answer) != len(request):
        return ()
    at = 0
    for end in ends:
        if answer[at:end] != request[at:end]:
            return ()
        at = end + 1
    return tuple(answer[end] & 0x7F for end in ends)


def cancelled(request: Fragment) -> bytes:
    """The objects of a refusal that the line itself gives to the stack: the echo, CANCELLED."""
    return request.objects[:-1] + bytes((STATUS_CANCELLED,)) if request.objects else b""
