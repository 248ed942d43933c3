"""One command on the wire: what may leave, octet by octet, and what came back.

The native stack sends OPERATE by itself as soon as it likes the answer to SELECT. `Exchange` sits
in the line where both have to pass and is asked about each: only the armed command's own SELECT
leaves, and OPERATE only when it repeats that SELECT, the device echoed it exactly, it is still in
time, and nobody has stopped it. Everything that was sent and heard is kept as evidence.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from gridctl.model.command import CommandState
from protocols.dnp3.fragments import IIN_REQUEST_ERRORS, Fragment
from protocols.dnp3.objects import Block, walk

CROB_GROUP: Final = 12
ANALOG_GROUP: Final = 41
_FLOAT: Final = 3
_LATCH_ON, _LATCH_OFF = 3, 4
EVIDENCE_STEPS_MAX: Final = 8
STATUS_CANCELLED: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The one object that a command may put on the wire: what stands between its index and its
    status."""

    group: int
    variation: int
    index: int
    octets: bytes


def analog_output(index: int, value: float) -> Output:
    """g41v3 with `value` in wire units."""
    return Output(
        group=ANALOG_GROUP, variation=_FLOAT, index=index, octets=struct.pack("<f", value)
    )


def latch(index: int, on: bool) -> Output:
    """g12v1 LATCH_ON or LATCH_OFF, once. On and off time have no meaning for a latch; the stack
    writes 100 ms each."""
    code = _LATCH_ON if on else _LATCH_OFF
    return Output(
        group=CROB_GROUP, variation=1, index=index, octets=struct.pack("<BBII", code, 1, 100, 100)
    )


class Stage(Enum):
    """How far the command got on the wire."""

    ARMED = "nothing was sent"
    SELECTED = "SELECT left"
    ECHOED = "the SELECT was echoed"
    OPERATED = "OPERATE left"
    ANSWERED = "OPERATE was answered"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer to SELECT or OPERATE says. `status` None: it is no echo of our object."""

    status: int | None
    iin: int

    @property
    def clean(self) -> bool:
        return self.status == 0 and not self.iin & IIN_REQUEST_ERRORS


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Armed by the driver for one command; deaf to everything once `closed`.

    `expires_mono_s`: no SELECT leaves after it. `select_window_s`: how long after SELECT the
    OPERATE may still leave. `aborted` is asked right before each of the two.
    """

    output: Output
    aborted: Callable[[], bool]
    stage_told: Callable[[CommandState], None]
    expires_mono_s: float
    select_window_s: float
    stage: Stage = Stage.ARMED
    closed: bool = False
    withheld: str = ""
    stopped: bool = False
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
        if self.stage is not Stage.ECHOED or request.objects != self.select:
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

    def selected(self, request: Fragment, mono_s: float) -> None:
        """The SELECT leaves now."""
        self.stage, self.select, self.selected_mono_s = Stage.SELECTED, request.objects, mono_s
        self.stage_told(CommandState.SELECTED)

    def operated(self) -> None:
        """The OPERATE leaves now."""
        self.stage = Stage.OPERATED
        self.stage_told(CommandState.OPERATED)

    def answered(self, response: Fragment) -> None:
        """The device's answer to what left last."""
        answer = Answer(echo_status(self.select, response.objects), response.iin)
        if self.stage is Stage.SELECTED:
            self.select_answer, self.stage = answer, Stage.ECHOED
        elif self.stage is Stage.OPERATED:
            self.operate_answer, self.stage = answer, Stage.ANSWERED

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


def echo_status(request: bytes, answer: bytes) -> int | None:
    """The status when `answer` repeats `request` octet by octet but for its last one."""
    if not request or len(answer) != len(request) or answer[:-1] != request[:-1]:
        return None
    return answer[-1] & 0x7F


def cancelled(request: Fragment) -> bytes:
    """The objects of a refusal that the line itself gives to the stack: the echo, CANCELLED."""
    return request.objects[:-1] + bytes((STATUS_CANCELLED,)) if request.objects else b""
