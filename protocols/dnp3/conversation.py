"""What may pass between the native stack and the device, fragment by fragment. No socket here.

The stack speaks the protocol: start-up, polls, time, select before operate. The line lets through
only what belongs to the conversation, takes and confirms the values, and keeps the stack's gaps
(dnp3.md G1 to G14) from showing on the wire.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from protocols.dnp3.clocksetting import ClockSetting
from protocols.dnp3.exchange import Ending, Exchange
from protocols.dnp3.fragments import (
    CON,
    FIN,
    FIR,
    NO_RESPONSE,
    SEQ,
    UNS,
    Fragment,
    Function,
    parse_fragment,
)
from protocols.dnp3.indications import Indications
from protocols.dnp3.linklayer import Allowance, LinkLayer
from protocols.dnp3.receiver import Receiver
from protocols.dnp3.stackside import StackSide
from protocols.dnp3.turns import Asked, Turns, asked, command_patience_s

log = logging.getLogger(__name__)

FRAGMENTS_MAX: Final = 64
UNSOLICITED_BURST: Final = 200
UNSOLICITED_PER_S: Final = 50.0
REPEATED_BURST: Final = 200
REPEATED_PER_S: Final = 50.0

_PASSED: Final = frozenset(
    {
        Function.READ,
        Function.WRITE,
        Function.IMMED_FREEZE,
        Function.FREEZE_CLEAR,
        Function.ASSIGN_CLASS,
        Function.RECORD_CURRENT_TIME,
    }
)
"""Requests that pass as they are. DIRECT OPERATE is not among them, nor is a restart (SG-01)."""
_ANSWERS: Final = frozenset({Function.RESPONSE, Function.UNSOLICITED_RESPONSE})
_DELAY_ZERO: Final = bytes((52, 2, 0x07, 1, 0, 0))
_GIVEN_UP_S: Final = 0.1
"""So long after its response timeout the stack has given a request up for certain."""


class Conversation:
    """Both directions of one connection. Feed octets, send on what comes out.

    `fault` is set once, to the reason why this connection has to be closed. `lean`: the line takes
    values and confirms them by itself; the stack sees answers to READ and unsolicited data without
    objects, a series of fragments as one, so that no hostile object ever reaches native code.
    """

    def __init__(
        self,
        *,
        master: int,
        outstation: int,
        receiver: Receiver,
        monotonic_s: Callable[[], float],
        now_s: Callable[[], float],
        response_timeout_s: float,
        response_max_s: float,
        unsolicited_classes: frozenset[int],
        plain_time: bool,
    ) -> None:
        self._receiver = receiver
        self._monotonic_s = monotonic_s
        self._response_timeout_s = response_timeout_s
        self._response_max_s = response_max_s
        self._classes = unsolicited_classes
        self._plain_time = plain_time
        self._clock_setting = ClockSetting(now_s)
        began_s = monotonic_s()
        self._unsolicited = Allowance(UNSOLICITED_BURST, UNSOLICITED_PER_S, began_s)
        self._repeated = Allowance(REPEATED_BURST, REPEATED_PER_S, began_s)
        self.link = LinkLayer(master=master, outstation=outstation, monotonic_s=monotonic_s)
        self.indications = Indications()
        self._stack = StackSide(
            master=master,
            outstation=outstation,
            indications=self.indications,
            response_timeout_s=response_timeout_s,
        )
        self._asked: Asked | None = None
        self._turns = Turns()
        self._confirmable: dict[int, bool] = {}
        self._last_unsolicited = b""
        self._last_answer = b""
        self.counters = self.link.counters
        self.integrities = 0
        self.lean = False
        self.answered_s = began_s
        self.ignores_disable = False

    # --- from the device --------------------------------------------------------------------

    @property
    def fault(self) -> str | None:
        """Why this connection has to be closed, or None."""
        return self.link.fault

    @property
    def heard_s(self) -> float:
        """When the device's last valid frame came, monotonic."""
        return self.link.heard_s

    @property
    def command_patience_s(self) -> float:
        """How long a command may wait for its turn."""
        return command_patience_s(self._response_timeout_s, self._response_max_s)

    def from_device(self, octets: bytes) -> tuple[bytes, bytes]:
        """What goes to the stack, and what goes back to the device, after `octets` arrived."""
        link = self.link
        link.back = []
        to_stack = [self._fragment(whole) for whole in link.feed(octets) if link.fault is None]
        if self._turns and self._asked is None and link.fault is None:
            asks, told = self._next_turn()
            link.back.append(asks)
            to_stack.append(told)
        back = b"".join(link.back)
        self.counters.octets_out += len(back)
        return b"".join(to_stack), back

    def _fragment(self, octets: bytes) -> bytes:
        """One whole fragment of the device; returns what the stack gets to see of it."""
        response = parse_fragment(octets)
        if response is None or response.function not in _ANSWERS:
            self.counters.malformed += 1
            self.link.error("a fragment that is no response")
            return b""
        if response.function == Function.UNSOLICITED_RESPONSE:
            return self._unasked_data(response, octets)
        asked = self._asked
        if (
            asked is None
            or response.unsolicited
            or response.sequence != asked.expected
            or response.first != (asked.fragments == 0)
        ):
            self._not_awaited(octets)
            return b""
        self._last_answer = octets
        return self._answer(asked, response)

    def _not_awaited(self, octets: bytes) -> None:
        """An answer that a network has doubled is no error of the device; a storm of it is."""
        if octets != self._last_answer:
            self.counters.unasked += 1
            self.link.error("an answer that nobody asked for")
            return
        self.counters.repeated += 1
        if not self._repeated.spend(self.heard_s):
            self.link.fault = "a flood of repeated answers"

    def _unasked_data(self, response: Fragment, octets: bytes) -> bytes:
        self.counters.unsolicited += 1
        if not self._unsolicited.spend(self.heard_s):
            self.link.fault = "a flood of unsolicited responses"
            return b""
        if not response.first or not response.final:
            self.counters.malformed += 1
            self.link.error("an unsolicited response in parts")
            return b""
        if octets == self._last_unsolicited:
            # Our confirm was lost: confirmed again as it was, its data not taken again.
            self.counters.repeated += 1
            self._confirm_taken(response, taken=True, by_line=self.lean)
            return b"" if self.lean else self._stack.passed(response, b"", self.heard_s)
        kept, taken = self._take(response, first=True)
        self._last_unsolicited = octets if taken else b""
        self._confirm_taken(response, taken=taken, by_line=self.lean)
        if self.lean:
            response = response._replace(control=response.control & ~CON)
        return self._stack.passed(response, self._shown(response, kept), self.heard_s)

    def _answer(self, asked: Asked, response: Fragment) -> bytes:
        asked.fragments += 1
        asked.iin |= response.iin
        if asked.fragments > FRAGMENTS_MAX:
            self.link.fault = f"a response of more than {FRAGMENTS_MAX} fragments"
            return b""
        shown, taken, lean = response.objects, True, False
        if asked.function == Function.READ:
            kept, taken = self._take(response, first=asked.fragments == 1)
            shown, lean = self._shown(response, kept), self.lean
        elif asked.exchange is None:
            self._clock_setting.answered(asked.function, response.objects, self.heard_s)
        if lean or asked.own:
            self._confirm_taken(response, taken=taken, by_line=True)
        elif response.confirm_wanted:
            self._confirmable[response.sequence] = taken
        if response.final:
            self._asked = None
            self.answered_s = self.heard_s
            self._receiver.round_trip(self.heard_s - asked.sent_s)
        else:
            asked.expected = (asked.expected + 1) & SEQ
        if lean and not asked.own:
            passed = self._stack.summed_up(asked, response, self.heard_s)
        else:
            asked.shown_s = self.heard_s
            passed = (
                self._stack.indicated(asked, response, self.heard_s)
                if asked.own
                else self._stack.passed(response, shown, self.heard_s)
            )
        if response.final and asked.integrity and taken:
            self.integrities += 1
            self.indications.integrity_done()
            self._receiver.integrity_done()
        if asked.exchange is not None:
            self._command_answered(asked.exchange, response)
        return passed

    def _command_answered(self, exchange: Exchange, response: Fragment) -> None:
        exchange.answered(response, self.heard_s)
        if response.final and exchange.operate_due:
            self.link.back.append(self._command(exchange))
        elif response.final:
            exchange.ended(Ending.ANSWERED)

    def _confirm_taken(self, response: Fragment, *, taken: bool, by_line: bool) -> None:
        """Confirm at once what has been taken; where the stack confirms, let it."""
        key = response.control & (UNS | SEQ)
        if not by_line:
            self._confirmable[key] = taken
        elif not response.confirm_wanted:
            return
        elif taken:
            confirm = bytes((FIR | FIN | key, Function.CONFIRM))
            self.link.back.append(self.link.send(confirm))
        else:
            self.counters.withheld_confirms += 1

    def _shown(self, response: Fragment, kept: int) -> bytes:
        return b"" if self.lean else self._receiver.for_stack(response.objects[:kept])

    def _take(self, response: Fragment, *, first: bool) -> tuple[int, bool]:
        """How much was readable, and whether the values are kept, so that a confirm may go out."""
        try:
            kept = self._receiver.take(response, first=first)
        except Exception:
            # Not confirmed, so the device keeps its events and tells them again (G2).
            log.exception("values of a response could not be taken; its confirm is held back")
            return len(response.objects), False
        if kept < len(response.objects):
            self.counters.undecoded += 1
        return kept, True

    # --- from the stack ---------------------------------------------------------------------

    def from_stack(self, octets: bytes) -> tuple[bytes, bytes]:
        """What goes to the device, and what goes back to the stack, after it sent `octets`."""
        to_device: list[bytes] = []
        to_stack: list[bytes] = []
        for request in self._stack.requests(octets):
            passed, answer = self._request(request)
            to_device.append(passed)
            to_stack.append(answer)
        out = b"".join(to_device)
        self.counters.octets_out += len(out)
        return out, b"".join(to_stack)

    def _request(self, request: Fragment) -> tuple[bytes, bytes]:
        if self._asked is not None and self._asked.own and request.function != Function.CONFIRM:
            self._turns.hold(request, self._monotonic_s())
            return b"", b""
        match request.function:
            case Function.CONFIRM:
                return self._confirm(request), b""
            case Function.ENABLE_UNSOLICITED:
                return self._enable(request)
            case Function.DELAY_MEASURE if self._plain_time:
                return b"", self._local(request, _DELAY_ZERO)
            case Function.DISABLE_UNSOLICITED if self.ignores_disable:
                return b"", self._local(request)
            case Function.DELAY_MEASURE | Function.DISABLE_UNSOLICITED:
                self.indications.asked(request)
                return self._ask(self._clock_setting.leaves(request, self._monotonic_s())), b""
            case function if function in _PASSED:
                self.indications.asked(request)
                return self._ask(self._clock_setting.leaves(request, self._monotonic_s())), b""
            case _:
                self.counters.withheld_requests += 1
                log.error("function %d of the stack was not let out", request.function)
                return b"", self._local(request)

    def _ask(
        self, request: Fragment, *, own: bool = False, exchange: Exchange | None = None
    ) -> bytes:
        if request.function not in NO_RESPONSE:
            if self._asked is not None:
                self.counters.timeouts += 1
            self._confirmable.pop(request.sequence, None)
            self._asked = asked(request, self._monotonic_s(), own=own, exchange=exchange)
        self._turns.left(request)
        return self.link.send(request.octets())

    def _confirm(self, request: Fragment) -> bytes:
        key = request.control & (UNS | SEQ)
        # An unsolicited response that is repeated is confirmed again.
        allowed = (
            self._confirmable.get(key, False)
            if request.unsolicited
            else self._confirmable.pop(key, False)
        )
        if allowed and self._receiver.may_confirm():
            return self.link.send(request.octets())
        self.counters.withheld_confirms += 1
        return b""

    def _enable(self, request: Fragment) -> tuple[bytes, bytes]:
        """Only the classes that this link wants (the stack knows no mask, G10)."""
        if not self._classes:
            return b"", self._local(request)
        wanted = b"".join(bytes((60, one + 1, 0x06)) for one in sorted(self._classes))
        masked = request._replace(objects=wanted)
        return self._ask(masked), b""

    def _local(self, request: Fragment, objects: bytes = b"") -> bytes:
        """An answer that the line gives in the device's place."""
        self.counters.answered_for_device += 1
        return self._stack.answer(request, objects)

    # --- the line's own commands and reads ----------------------------------------------------

    def command(self, exchange: Exchange) -> tuple[bytes, bytes]:
        """SELECT, and OPERATE after its echo, as soon as it is their turn; what goes to the device
        now, and to the stack. `exchange.ended` is told in every case but that of a lost link."""
        self._turns.arm(exchange, self._monotonic_s())
        return self._turn_if_free()

    def _command(self, exchange: Exchange) -> bytes:
        """The next step of `exchange`, when it may still leave."""
        request = exchange.next(self._turns.next_sequence, self._monotonic_s())
        if request is not None:
            return self._ask(request, own=True, exchange=exchange)
        self.counters.withheld_requests += 1
        log.warning("command withheld: %s", exchange.withheld)
        exchange.ended(Ending.ANSWERED)
        return b""

    def read(self, objects: bytes) -> tuple[bytes, bytes]:
        """Read `objects` as soon as it is their turn; what goes to the device now, and to the
        stack. Only in a `lean` conversation: the stack hears nothing of the answer."""
        self._turns.want(objects)
        return self._turn_if_free()

    def _turn_if_free(self) -> tuple[bytes, bytes]:
        if self._asked is not None or not self._turns or self.link.fault is not None:
            return b"", b""
        to_device, to_stack = self._next_turn()
        self.counters.octets_out += len(to_device)
        return to_device, to_stack

    def _next_turn(self) -> tuple[bytes, bytes]:
        """What goes to the device, and to the stack, now that nothing is under way."""
        exchange = self._turns.command()
        if exchange is not None:
            to_device = self._command(exchange)
            if to_device:
                return to_device, b""
        held = self._turns.held(self._monotonic_s(), self._response_timeout_s)
        if held is not None:
            to_device, to_stack = self._request(held)
            if to_device:
                return to_device, to_stack
        else:
            to_stack = b""
        own = self._turns.read()
        return (b"" if own is None else self._ask(own, own=True)), to_stack

    # --- time passes ------------------------------------------------------------------------

    def tick(self) -> tuple[bytes, bytes]:
        """Judge what has not come; what goes to the device, and what the stack is told."""
        asked, told = self._asked, b""
        now_s = self._monotonic_s()
        if asked is not None:
            waited_s = now_s - asked.sent_s
            if (
                asked.function == Function.DISABLE_UNSOLICITED
                and waited_s > 0.8 * self._response_timeout_s
            ):
                # A minimal device that ignores function 21 must not hold up its own start (G10).
                self._asked, self.ignores_disable = None, True
                log.warning("the device ignores DISABLE_UNSOLICITED; going on without")
                told = self._local(asked.request)
            elif asked.fragments and waited_s > self._response_max_s:
                self.link.fault = "a response does not come to its end"
            elif now_s - asked.shown_s > self._response_timeout_s + _GIVEN_UP_S:
                self._asked = None
                self.counters.timeouts += 1
                if asked.exchange is not None:
                    asked.exchange.ended(Ending.NO_ANSWER)
        self._turns.give_up(now_s, self.command_patience_s)
        to_device, to_stack = self._turn_if_free()
        return to_device, told + to_stack
