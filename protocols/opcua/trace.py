"""Requests and answers in words: what a person reads in a trace, and what is kept of a command.

asyncua decodes and encrypts below us, so what is kept are our own requests as they were handed to
the channel and the server's answers as they came out of it: the clear text, which no capture on
the network has. The request's header is left out: it carries the session's token. Opening and
closing of channel and session are asyncua's own and stand here as notes.
"""

from __future__ import annotations

import logging
import struct
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from asyncua.ua.uaerrors._base import UaError

from protocols.opcua.codec import status_name
from protocols.opcua.wire import Sample, decode_publish, decode_read, seconds_of

_log = logging.getLogger(__name__)

TRACE_LINES_MAX: Final = 10_000
VALUES_SHOWN_MAX: Final = 8
OCTETS_SHOWN_MAX: Final = 512
TEXT_SHOWN_MAX: Final = 80
_UNREADABLE: Final = (UaError, ValueError, LookupError, TypeError, AttributeError, struct.error)
"""What reading an answer may raise that is not what it should be."""


class WireLog:
    """What passed, one line a message; the newest `lines_max`, or with `keep_first` the oldest."""

    def __init__(
        self,
        now_s: Callable[[], float],
        *,
        lines_max: int = TRACE_LINES_MAX,
        keep_first: bool = False,
        octets: bool = False,
    ) -> None:
        self._now_s = now_s
        self._lines: deque[str] = deque()
        self._lines_max = lines_max
        self._keep_first = keep_first
        self._octets = octets
        self.running = True
        self.dropped = 0
        """Lines for which there was no room."""

    def start(self) -> None:
        """Begin anew."""
        self._lines.clear()
        self.dropped, self.running = 0, True

    def stop(self) -> None:
        """Keep nothing more; what is there can still be read."""
        self.running = False

    def lines(self) -> tuple[str, ...]:
        """Oldest first."""
        if self.dropped and self._keep_first:
            return (*self._lines, f"… {self.dropped} more messages were not kept")
        return tuple(self._lines)

    def sent(self, request: Any) -> None:
        """A request leaves."""
        self._add("→ device", request_words, request, _parameters(request) if self._octets else b"")

    def heard(self, request: Any, body: bytes) -> None:
        """Its answer has come."""
        self._add("← device", lambda one: answer_words(one, body), request, body)

    def failed(self, request: Any, reason: str) -> None:
        """There is no proper answer to it."""
        self._add("← device", lambda one: f"{_service(one)}: {reason}", request, b"")

    def note(self, text: str) -> None:
        """Something that is no message of ours."""
        if self.running:
            self._keep(f"{_clock(self._now_s())} {text}")

    def _add(self, arrow: str, words: Callable[[Any], str], request: Any, octets: bytes) -> None:
        if not self.running:
            return
        try:
            text = words(request)
        except _UNREADABLE as error:
            # A message that we cannot put into words must not end the command that sent it.
            _log.exception("a %s could not be described", type(request).__name__)
            text = f"{_service(request)}: unreadable ({error!r})"
        shown = octets[:OCTETS_SHOWN_MAX].hex()
        rest = f" … {len(octets) - OCTETS_SHOWN_MAX} more" if len(octets) > OCTETS_SHOWN_MAX else ""
        tail = f" | {shown}{rest}" if self._octets and octets else ""
        self._keep(f"{_clock(self._now_s())} {arrow} {text}{tail}")

    def _keep(self, line: str) -> None:
        if self._keep_first and len(self._lines) >= self._lines_max:
            self.dropped += 1
            return
        self._lines.append(line)
        if len(self._lines) > self._lines_max:
            self._lines.popleft()
            self.dropped += 1


COMMAND_LOG: Final[ContextVar[WireLog | None]] = ContextVar("opcua command log", default=None)
"""Set while a command runs: only its own requests are kept, whatever else the session does."""


def request_words(request: Any) -> str:
    """A request for a person: service, nodes, values."""
    name, parameters = _service(request), request.Parameters
    match request:
        case ua.ReadRequest():
            return f"{name} {_some([_read_target(one) for one in parameters.NodesToRead])}"
        case ua.WriteRequest():
            told = [
                f"{_node(one.NodeId)} = {_variant(one.Value.Value)}"
                for one in parameters.NodesToWrite
            ]
            return f"{name} {_some(told)}"
        case ua.CallRequest():
            told = [
                f"{_node(one.MethodId)} of {_node(one.ObjectId)}"
                f"({', '.join(_variant(v) for v in one.InputArguments or ())})"
                for one in parameters.MethodsToCall
            ]
            return f"{name} {_some(told)}"
        case ua.BrowseRequest():
            return f"{name} {_some([_node(one.NodeId) for one in parameters.NodesToBrowse])}"
        case ua.CreateMonitoredItemsRequest():
            told = [
                f"{one.RequestedParameters.ClientHandle}={_node(one.ItemToMonitor.NodeId)}"
                for one in parameters.ItemsToCreate
            ]
            return f"{name} {_some(told)}"
        case ua.CreateSubscriptionRequest():
            return (
                f"{name} every {parameters.RequestedPublishingInterval:g} ms, keep-alive after "
                f"{parameters.RequestedMaxKeepAliveCount}, ends after "
                f"{parameters.RequestedLifetimeCount}"
            )
        case ua.PublishRequest():
            told = [
                f"{one.SubscriptionId}:{one.SequenceNumber}"
                for one in parameters.SubscriptionAcknowledgements or ()
            ]
            return f"{name}, acknowledges {_some(told)}" if told else name
        case _:
            return name


def answer_words(request: Any, body: bytes) -> str:
    """The answer to `request` for a person."""
    name = _service(request)
    match request:
        case ua.ReadRequest():
            return f"{name}: {_some([_sample(one) for one in decode_read(body)])}"
        case ua.WriteRequest():
            codes = struct_from_binary(ua.WriteResponse, Buffer(body)).Results or ()
            return f"{name}: {_some([status_name(int(one.value)) for one in codes])}"
        case ua.CallRequest():
            results = struct_from_binary(ua.CallResponse, Buffer(body)).Results or ()
            return f"{name}: {_some([_call_result(one) for one in results])}"
        case ua.BrowseRequest():
            found = struct_from_binary(ua.BrowseResponse, Buffer(body)).Results or ()
            return f"{name}: {_some([_browsed(one) for one in found])}"
        case ua.CreateMonitoredItemsRequest():
            made = struct_from_binary(ua.CreateMonitoredItemsResponse, Buffer(body)).Results or ()
            bad = [status_name(int(r.StatusCode.value)) for r in made if not r.StatusCode.is_good()]
            refused = f", refused: {_some(bad)}" if bad else ""
            return f"{name}: {len(made) - len(bad)} made{refused}"
        case ua.CreateSubscriptionRequest():
            answer = struct_from_binary(ua.CreateSubscriptionResponse, Buffer(body)).Parameters
            return (
                f"{name}: number {answer.SubscriptionId}, every "
                f"{answer.RevisedPublishingInterval:g} ms, keep-alive after "
                f"{answer.RevisedMaxKeepAliveCount}"
            )
        case ua.PublishRequest():
            return _published(name, body)
        case _:
            return f"{name}: {len(body)} octets"


def _published(name: str, body: bytes) -> str:
    told = decode_publish(body)
    head = f"{name}: subscription {told.subscription}, number {told.sequence}"
    if told.keepalive:
        return f"{head}, keep-alive"
    parts = []
    if told.samples:
        parts.append(_some([f"{one.handle}={_sample(one)}" for one in told.samples]))
    if told.events:
        parts.append(f"{len(told.events)} events")
    if told.ended is not None:
        parts.append(f"ended: {status_name(told.ended)}")
    return f"{head}, {'; '.join(parts)}"


def _some(told: Sequence[str]) -> str:
    rest = len(told) - VALUES_SHOWN_MAX
    shown = ", ".join(told[:VALUES_SHOWN_MAX])
    return f"{shown} … and {rest} more" if rest > 0 else shown


def _service(request: Any) -> str:
    return type(request).__name__.removesuffix("Request")


def _parameters(request: Any) -> bytes:
    """The octets of a request without its header."""
    parameters = getattr(request, "Parameters", None)
    return b"" if parameters is None else bytes(struct_to_binary(parameters))


def _node(node: ua.NodeId) -> str:
    return node.to_string()


def _read_target(one: ua.ReadValueId) -> str:
    attribute = AttributeIds(int(one.AttributeId))
    shown = _node(one.NodeId)
    if attribute is not AttributeIds.Value:
        shown += f" {attribute.name}"
    return f"{shown}[{one.IndexRange}]" if one.IndexRange else shown


def _variant(variant: ua.Variant | None) -> str:
    if variant is None or variant.Value is None:
        return "nothing"
    kind = getattr(variant.VariantType, "name", str(variant.VariantType))
    return f"{kind} {_value(variant.Value)}"


def _sample(one: Sample) -> str:
    shown = "nothing" if one.kind == 0 else f"{ua.VariantType(one.kind).name} {_value(one.value)}"
    at = f" at {_clock(seconds_of(one.source_ticks))}" if one.source_ticks else ""
    return f"{shown} {status_name(one.status)}{at}"


def _call_result(one: ua.CallMethodResult) -> str:
    arguments: Iterable[ua.StatusCode] = one.InputArgumentResults or ()
    bad = [
        f"argument {at} {status_name(int(code.value))}"
        for at, code in enumerate(arguments)
        if not code.is_good()
    ]
    outputs = [_variant(one) for one in one.OutputArguments or ()]
    return "; ".join([status_name(int(one.StatusCode.value)), *bad, *outputs])


def _browsed(one: ua.BrowseResult) -> str:
    names = [str(r.BrowseName.Name) for r in one.References or ()]
    return f"{len(names)} references ({_some(names)})" if names else "no references"


def _value(value: object) -> str:
    match value:
        case float():
            text = f"{value:g}"
        case datetime():
            text = value.isoformat(timespec="milliseconds")
        case ua.LocalizedText():
            text = repr(value.Text)
        case bytes():
            text = value.hex()
        case _:
            text = repr(value)
    return text if len(text) <= TEXT_SHOWN_MAX else f"{text[:TEXT_SHOWN_MAX]}…"


def _clock(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).isoformat(timespec="milliseconds")
