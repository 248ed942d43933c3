"""One command on the wire: what may leave, octet by octet, and what came back.

The line asks it for what is to leave next: its SELECT in the moment in which that would leave, and
OPERATE only when the device has echoed the SELECT exactly, it is still in time, and nobody has
stopped it. Everything that was sent and heard is kept as evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from gridctl.model.command import CommandState
from protocols.dnp3.fragments import FIN, FIR, IIN_REQUEST_ERRORS, Fragment, Function
from protocols.dnp3.objects import Block, walk
from protocols.dnp3.outputs import Output

EVIDENCE_STEPS_MAX: Final = 8


class Stage(Enum):
    """How far the command got on the wire."""

    ARMED = "nothing was sent"
    SELECTED = "SELECT left"
    ECHOED = "the SELECT was echoed"
    OPERATED = "OPERATE left"
    ANSWERED = "OPERATE was answered"


class Ending(Enum):
    """Why nothing more comes."""

    ANSWERED = "ANSWERED"
    """All that could come is in the exchange, or it was withheld."""
    BUSY = "START_TIMEOUT"
    NO_ANSWER = "RESPONSE_TIMEOUT"
    LINK_LOST = "NO_COMMS"


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
    OPERATE may still leave. `aborted` is asked right before each of the two. `before` and `after`
    go with `output` in the same request. `ended` is told once when nothing more comes.
    """

    output: Output
    before: tuple[Output, ...] = ()
    after: tuple[Output, ...] = ()
    aborted: Callable[[], bool]
    stage_told: Callable[[CommandState], None]
    expires_mono_s: float
    select_window_s: float
    ended: Callable[[Ending], None] = lambda _: None
    stage: Stage = Stage.ARMED
    closed: bool = False
    withheld: str = ""
    stopped: bool = False
    selected_mono_s: float = 0.0
    select_answer: Answer | None = None
    operate_answer: Answer | None = None
    steps: list[tuple[float, bool, bytes]] = field(default_factory=list)

    @property
    def outputs(self) -> tuple[Output, ...]:
        """All that goes out, in this order."""
        return (*self.before, self.output, *self.after)

    @property
    def objects(self) -> bytes:
        """The objects of SELECT and of OPERATE."""
        return b"".join(one.object() for one in self.outputs)

    @property
    def operate_due(self) -> bool:
        """Whether the device has echoed the SELECT, so that OPERATE is next."""
        clean = self.select_answer is not None and self.select_answer.clean
        return self.stage is Stage.ECHOED and clean and not self.closed

    def next(self, sequence: int, mono_s: float) -> Fragment | None:
        """The request that leaves now, with this number; None: nothing more may (`withheld`)."""
        select = self.stage is Stage.ARMED
        self.withheld = (self._may_select(mono_s) if select else self._may_operate(mono_s)) or ""
        if self.withheld:
            return None
        function = Function.SELECT if select else Function.OPERATE
        request = Fragment(FIR | FIN | sequence, function, 0, self.objects)
        self.keep(mono_s, True, request.octets())
        if select:
            self.stage, self.selected_mono_s = Stage.SELECTED, mono_s
            self.stage_told(CommandState.SELECTED)
        else:
            self.stage = Stage.OPERATED
            self.stage_told(CommandState.OPERATED)
        return request

    def _may_select(self, mono_s: float) -> str | None:
        if self.closed:
            return "the command is over"
        if mono_s > self.expires_mono_s:
            return "the command's time was up"
        self.stopped = self.aborted()
        return "stopped before SELECT" if self.stopped else None

    def _may_operate(self, mono_s: float) -> str | None:
        if not self.operate_due:
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

    def answered(self, response: Fragment, mono_s: float) -> None:
        """The device's answer to what left last; one in parts is no echo."""
        self.keep(mono_s, False, response.octets())
        whole = response.first and response.final
        statuses = echo_statuses(self.objects, response.objects) if whole else ()
        answer = Answer(statuses, response.iin)
        if self.stage is Stage.SELECTED:
            self.select_answer, self.stage = answer, Stage.ECHOED
        elif self.stage is Stage.OPERATED:
            self.operate_answer, self.stage = answer, Stage.ANSWERED

    def keep(self, mono_s: float, from_master: bool, octets: bytes) -> None:
        """Keep an exchanged fragment as evidence; the first `EVIDENCE_STEPS_MAX` are kept."""
        if len(self.steps) < EVIDENCE_STEPS_MAX:
            self.steps.append((mono_s, from_master, octets))


def echo_statuses(request: bytes, answer: bytes) -> tuple[int, ...]:
    """The status octet of each object when `answer` repeats `request` octet by octet but for
    those; else none. One with its reserved bit set is no status that is known."""
    ends = [block.end - 1 for block in walk(request) if isinstance(block, Block)]
    if not ends or ends[-1] != len(request) - 1 or len(answer) != len(request):
        return ()
    at = 0
    for end in ends:
        if answer[at:end] != request[at:end]:
            return ()
        at = end + 1
    return tuple(answer[end] for end in ends)
