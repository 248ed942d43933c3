"""Which requests of the native stack may leave at all: every function code is tried."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize("function", range(129))
def test_a_function_leaves_or_is_answered_in_the_device_s_place(function: int) -> None:
    conversation = Conversation(
        master=MASTER,
        outstation=OUTSTATION,
        receiver=Taking(),
        monotonic_s=lambda: 0.0,
        now_s=lambda: 1_795_000_000.0,
        response_timeout_s=1.0,
        response_max_s=5.0,
        unsolicited_classes=frozenset({1, 2, 3}),
        plain_time=False,
    )
    stack = Segmenter(control=DIR | PRM, destination=OUTSTATION, source=MASTER)
    asked = Fragment(0xC0, function, 0, bytes((12, 1, 0x06)))
    out, told = conversation.from_stack(stack.frames(asked.octets()))
    left = [request.function for request in RequestReader().feed(out)]
    assert left == ([function] if function in LEAVES else [])
    if function not in LEAVES and function != Function.CONFIRM:
        assert told, "the stack waits for an answer that would never come"
        assert conversation.counters.withheld_requests == 1
