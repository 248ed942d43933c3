"""Which requests of the native stack may leave at all: every function code is tried. What becomes
of an answer that comes more than once."""

from __future__ import annotations

import pytest

from gridctl.model.clock import ManualClock
from protocols.dnp3.conversation import Conversation
from protocols.dnp3.fragments import Fragment, Function, Segmenter
from protocols.dnp3.frames import DIR, PRM
from tests.protocols.dnp3.hostile.test_conversation import Taking
from tests.protocols.dnp3.hostile.wire import RequestReader
from tests.protocols.dnp3.scripted import MASTER, OUTSTATION

LEAVES = {
    Function.READ,
    Function.WRITE,
    Function.IMMED_FREEZE,
    Function.FREEZE_CLEAR,
    Function.ENABLE_UNSOLICITED,
    Function.DISABLE_UNSOLICITED,
    Function.ASSIGN_CLASS,
    Function.DELAY_MEASURE,
    Function.RECORD_CURRENT_TIME,
}
"""Without a permit. CONFIRM only for what was taken; SELECT and OPERATE only with one."""


def conversation_at(clock: ManualClock) -> Conversation:
    return Conversation(
        master=MASTER,
        outstation=OUTSTATION,
        receiver=Taking(),
        monotonic_s=clock.monotonic_s,
        now_s=lambda: 1_795_000_000.0,
        response_timeout_s=1.0,
        response_max_s=5.0,
        unsolicited_classes=frozenset({1, 2, 3}),
        plain_time=False,
    )


def ask_and_answer(conversation: Conversation, device: Segmenter, *, times: int) -> None:
    """The line reads everything; the same answer comes `times`."""
    conversation.lean = True
    out, _ = conversation.read(bytes((60, 1, 0x06)))
    (request,) = RequestReader().feed(out)
    octets = Fragment(0xC0 | request.sequence, Function.RESPONSE, 0, b"").octets()
    for _ in range(times):
        conversation.from_device(device.frames(octets))


def device_end() -> Segmenter:
    return Segmenter(control=PRM, destination=MASTER, source=OUTSTATION)


def test_every_answer_four_times_is_no_error_however_long() -> None:
    clock = ManualClock()
    conversation, device = conversation_at(clock), device_end()
    for _ in range(600):
        ask_and_answer(conversation, device, times=4)
        clock.advance(0.1)
    assert conversation.fault is None
    assert (conversation.counters.repeated, conversation.counters.unasked) == (1_800, 0)


def test_a_storm_of_one_answer_ends_the_connection() -> None:
    conversation, device = conversation_at(ManualClock()), device_end()
    ask_and_answer(conversation, device, times=300)
    assert conversation.fault == "a flood of repeated answers"


@pytest.mark.parametrize("function", range(129))
def test_a_function_leaves_or_is_answered_in_the_device_s_place(function: int) -> None:
    conversation = conversation_at(ManualClock())
    stack = Segmenter(control=DIR | PRM, destination=OUTSTATION, source=MASTER)
    asked = Fragment(0xC0, function, 0, bytes((12, 1, 0x06)))
    out, told = conversation.from_stack(stack.frames(asked.octets()))
    left = [request.function for request in RequestReader().feed(out)]
    assert left == ([function] if function in LEAVES else [])
    if function not in LEAVES and function != Function.CONFIRM:
        assert told, "the stack waits for an answer that would never come"
        assert conversation.counters.withheld_requests == 1
