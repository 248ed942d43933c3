"""Commands, the stack's requests and the line's own polls on one connection, one at a time."""

from __future__ import annotations

import struct
from collections.abc import Callable

from protocols.dnp3.conversation import Conversation
from protocols.dnp3.exchange import Ending, Exchange, Stage
from protocols.dnp3.fragments import (
    CON,
    FIN,
    FIR,
    UNS,
    Fragment,
    Function,
    Iin,
    Reassembler,
    Segmenter,
    parse_fragment,
)
from protocols.dnp3.frames import DIR, PRM, FrameReader
from protocols.dnp3.outputs import AO_FLOAT, Output
from protocols.dnp3.polls import range_read
from tests.protocols.dnp3.hostile.test_conversation import CLASSES, Taking
from tests.protocols.dnp3.hostile.wire import Request, RequestReader
from tests.protocols.dnp3.scripted import MASTER, OUTSTATION

RANGE = range_read(30, 4, 7)
TIMEOUT_S = 1.0
VALUE = struct.pack("<BBBHHBf", 30, 5, 1, 0, 0, 1, 5.0)
NEITHER = (b"", b"")


class Stand:
    """A conversation, its stack and its device; nothing but octets passes between them."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.line = Conversation(
            master=MASTER,
            outstation=OUTSTATION,
            receiver=Taking(),
            monotonic_s=lambda: self.now_s,
            now_s=lambda: 1_795_000_000.0 + self.now_s,
            response_timeout_s=TIMEOUT_S,
            response_max_s=5.0,
            unsolicited_classes=frozenset({1, 2, 3}),
            plain_time=False,
        )
        self.line.lean = True
        self._stack = Segmenter(control=DIR | PRM, destination=OUTSTATION, source=MASTER)
        self._device = Segmenter(control=PRM, destination=MASTER, source=OUTSTATION)
        self._wire, self._back, self._parts = RequestReader(), FrameReader(), Reassembler()
        self.told: list[Fragment] = []

    def asked(self, out: tuple[bytes, bytes]) -> list[Request]:
        """What left for the device; what the stack is told is kept in `told`."""
        to_device, to_stack = out
        for frame in self._back.feed(to_stack):
            whole = self._parts.feed(frame.payload)
            fragment = None if whole is None else parse_fragment(whole)
            assert fragment is not None
            self.told.append(fragment)
        return self._wire.feed(to_device)

    def stack_asks(self, function: int, objects: bytes, sequence: int) -> list[Request]:
        request = Fragment(FIR | FIN | sequence, function, 0, objects)
        return self.asked(self.line.from_stack(self._stack.frames(request.octets())))

    def answered(
        self, request: Request, objects: bytes = b"", *, iin: int = 0, control: int = FIR | FIN
    ) -> list[Request]:
        response = Fragment(control | request.sequence, Function.RESPONSE, iin, objects)
        to_stack, to_device = self.line.from_device(self._device.frames(response.octets()))
        return self.asked((to_device, to_stack))

    def exchange(
        self, aborted: Callable[[], bool] = lambda: False
    ) -> tuple[Exchange, list[Ending]]:
        output = AO_FLOAT.output(12, 6.0, within=(0.0, 10.0), slack=0.0)
        assert isinstance(output, Output)
        endings: list[Ending] = []
        made = Exchange(
            output=output,
            aborted=aborted,
            stage_told=lambda _: None,
            expires_mono_s=self.now_s + 60.0,
            select_window_s=2.5,
            ended=endings.append,
        )
        return made, endings


def test_a_poll_leaves_at_once_and_the_stack_hears_nothing_of_its_answer() -> None:
    stand = Stand()
    (poll,) = stand.asked(stand.line.read(CLASSES))
    assert (poll.function, poll.objects) == (Function.READ, CLASSES)
    (confirm,) = stand.answered(poll, VALUE, control=FIR | FIN | CON)
    assert confirm.function == Function.CONFIRM
    assert stand.told == []
    assert stand.line.integrities == 1


def test_what_the_stack_asks_meanwhile_waits_and_goes_before_the_next_poll() -> None:
    stand = Stand()
    (poll,) = stand.asked(stand.line.read(CLASSES))
    assert stand.stack_asks(Function.WRITE, bytes((80, 1, 0, 7, 7, 0)), 5) == []
    assert stand.asked(stand.line.read(RANGE)) == []
    (write,) = stand.answered(poll, VALUE)
    assert (write.function, write.sequence) == (Function.WRITE, 5)
    (second,) = stand.answered(write)
    assert (second.function, second.objects) == (Function.READ, RANGE)
    assert second.sequence == 6  # follows what was last on the wire, whoever asked
    assert [one.function for one in stand.told] == [Function.RESPONSE]


def test_a_poll_that_waits_already_is_not_asked_twice() -> None:
    stand = Stand()
    (poll,) = stand.asked(stand.line.read(CLASSES))
    for _ in range(5):
        assert stand.asked(stand.line.read(RANGE)) == []
    (once,) = stand.answered(poll, VALUE)
    assert stand.answered(once, VALUE) == []


def test_a_poll_without_answer_is_given_up_and_the_next_one_leaves() -> None:
    stand = Stand()
    (poll,) = stand.asked(stand.line.read(CLASSES))
    stand.now_s += 0.9 * TIMEOUT_S
    assert stand.line.tick() == NEITHER
    assert stand.asked(stand.line.read(RANGE)) == []
    stand.now_s += 0.3 * TIMEOUT_S
    (second,) = stand.asked(stand.line.tick())
    assert second.objects == RANGE
    assert stand.line.counters.timeouts == 1
    assert stand.answered(poll, VALUE) == []
    assert stand.line.counters.unasked == 1


def test_what_the_stack_has_given_up_never_leaves() -> None:
    stand = Stand()
    (poll,) = stand.asked(stand.line.read(CLASSES))
    assert stand.stack_asks(Function.WRITE, bytes((80, 1, 0, 7, 7, 0)), 5) == []
    for _ in range(3):  # an answer in parts, slow but alive
        stand.now_s += 0.5 * TIMEOUT_S
        assert stand.answered(poll, VALUE, control=FIR if _ == 0 else 0) == []
        poll = Request(poll.control + 1, poll.function, poll.objects, poll.link_control)
    assert stand.answered(poll, VALUE, control=FIN) == []


def test_indications_of_a_poll_reach_the_stack_as_an_empty_unsolicited_response() -> None:
    stand = Stand()
    (poll,) = stand.asked(stand.line.read(CLASSES))
    assert stand.answered(poll, VALUE, iin=Iin.DEVICE_RESTART | Iin.CLASS_1_EVENTS) == []
    (told,) = stand.told
    assert (told.function, told.objects) == (Function.UNSOLICITED_RESPONSE, b"")
    assert told.iin & Iin.DEVICE_RESTART
    assert told.control & (UNS | CON) == UNS


def test_a_command_goes_first_and_nothing_comes_between_select_and_operate() -> None:
    stand = Stand()
    (poll,) = stand.asked(stand.line.read(CLASSES))
    exchange, endings = stand.exchange()
    assert stand.asked(stand.line.command(exchange)) == []
    assert stand.asked(stand.line.read(RANGE)) == []
    assert stand.stack_asks(Function.WRITE, bytes((80, 1, 0, 7, 7, 0)), 5) == []
    (select,) = stand.answered(poll, VALUE)
    assert (select.function, select.objects) == (Function.SELECT, exchange.objects)
    (operate,) = stand.answered(select, select.objects)
    assert (operate.function, operate.objects) == (Function.OPERATE, exchange.objects)
    assert operate.sequence == select.sequence + 1
    (write,) = stand.answered(operate, operate.objects)
    assert write.function == Function.WRITE
    assert endings == [Ending.ANSWERED]
    assert exchange.operate_answer is not None
    assert exchange.operate_answer.clean
    assert [one.function for one in stand.answered(write)] == [Function.READ]


def test_a_stop_in_the_moment_of_operate_keeps_it_back() -> None:
    stand = Stand()
    stops: list[bool] = []
    exchange, endings = stand.exchange(aborted=lambda: bool(stops))
    (select,) = stand.asked(stand.line.command(exchange))
    stops.append(True)
    assert stand.answered(select, select.objects) == []
    assert (exchange.stopped, exchange.stage) == (True, Stage.ECHOED)
    assert endings == [Ending.ANSWERED]


def test_a_select_that_is_not_answered_ends_and_its_late_echo_operates_nothing() -> None:
    stand = Stand()
    exchange, endings = stand.exchange()
    (select,) = stand.asked(stand.line.command(exchange))
    stand.now_s += 1.2 * TIMEOUT_S
    assert stand.line.tick() == NEITHER
    assert endings == [Ending.NO_ANSWER]
    assert stand.answered(select, select.objects) == []
    assert exchange.stage is Stage.SELECTED


def test_a_command_that_gets_no_turn_in_time_is_dropped_unsent() -> None:
    stand = Stand()
    (poll,) = stand.asked(stand.line.read(CLASSES))
    exchange, endings = stand.exchange()
    assert stand.asked(stand.line.command(exchange)) == []
    for part in range(6):
        stand.now_s += 0.95 * TIMEOUT_S
        assert endings == []  # a slow line: it waits as long as the poll before it may take
        assert stand.answered(poll, VALUE, control=0 if part else FIR) == []
        poll = Request((poll.control + 1) & 0x0F, poll.function, poll.objects, poll.link_control)
        stand.line.tick()
    assert endings == [Ending.BUSY]
    assert stand.answered(poll, VALUE, control=FIN) == []
    assert exchange.stage is Stage.ARMED


def test_a_command_behind_a_long_poll_leaves_at_its_end_unless_its_permit_is_over() -> None:
    for expired in (False, True):
        stand = Stand()
        (poll,) = stand.asked(stand.line.read(CLASSES))
        exchange, endings = stand.exchange()
        sent = stand.asked(stand.line.command(exchange))
        assert sent == []
        for part in range(4):
            stand.now_s += 0.95 * TIMEOUT_S
            stand.line.tick()
            if part == 3:
                exchange.expires_mono_s = stand.now_s + (-0.1 if expired else 0.1)
            sent = stand.answered(poll, VALUE, control=FIN if part == 3 else 0 if part else FIR)
            poll = Request(
                (poll.control + 1) & 0x0F, poll.function, poll.objects, poll.link_control
            )
        if expired:
            assert (sent, endings) == ([], [Ending.ANSWERED])
            assert exchange.withheld == "the command's time was up"
        else:
            assert [one.function for one in sent] == [Function.SELECT]


def test_the_answer_to_an_earlier_command_is_nothing_to_the_next_one() -> None:
    stand = Stand()
    first, _ = stand.exchange()
    (select,) = stand.asked(stand.line.command(first))
    first.closed = True  # a STOP between SELECT and its answer
    second, endings = stand.exchange()
    assert stand.asked(stand.line.command(second)) == []
    (own,) = stand.answered(select, select.objects)
    assert (own.function, own.sequence) == (Function.SELECT, select.sequence + 1)
    assert (second.stage, second.select_answer, endings) == (Stage.SELECTED, None, [])


def test_the_stack_cannot_send_a_command_by_itself() -> None:
    stand = Stand()
    exchange, _ = stand.exchange()
    (select,) = stand.asked(stand.line.command(exchange))
    stand.answered(select, select.objects)
    for function in (Function.SELECT, Function.OPERATE, Function.DIRECT_OPERATE):
        assert stand.stack_asks(function, exchange.objects, 9) == []
