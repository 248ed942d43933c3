"""Alarms and conditions that a server keeps (OPC 10000-9): read, refreshed, acknowledged.

A condition is there as long as the server retains it. After each connect ConditionRefresh brings
those that began before we listened.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from protocols.conditions import DeviceCondition
from protocols.driver import Execution, Result
from protocols.opcua.codec import is_bad, node_id, status_name
from protocols.opcua.connection import WIRE_ERRORS, reason_of
from protocols.opcua.session import Session
from protocols.opcua.statuses import AMBIGUOUS, sentence
from protocols.opcua.wire import Publication

CONDITIONS_MAX: Final = 1_000
COMMENT_MAX: Final = 500
REFRESH_S: Final = 5.0
"""Real seconds after which a refresh whose end was not told counts as complete."""
_QUEUE: Final = 1_000
_HANDLE: Final = 1

_FIELDS: Final[tuple[tuple[int, tuple[str, ...]], ...]] = (
    (ObjectIds.BaseEventType, ("EventId",)),
    (ObjectIds.BaseEventType, ("EventType",)),
    (ObjectIds.BaseEventType, ("SourceName",)),
    (ObjectIds.BaseEventType, ("Time",)),
    (ObjectIds.BaseEventType, ("Message",)),
    (ObjectIds.BaseEventType, ("Severity",)),
    (ObjectIds.ConditionType, ("ConditionName",)),
    (ObjectIds.ConditionType, ("Retain",)),
    (ObjectIds.AcknowledgeableConditionType, ("AckedState", "Id")),
    (ObjectIds.AlarmConditionType, ("ActiveState", "Id")),
    (ObjectIds.ConditionType, ()),  # the condition's own node id
)
_REFRESH_END: Final = node_id(ObjectIds.RefreshEndEventType)


class Conditions:
    """The conditions of one session, newest state of each. At most CONDITIONS_MAX: `dropped`
    counts what found no room."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, DeviceCondition] = {}
        self._nodes: dict[str, ua.NodeId] = {}
        self._events: dict[str, bytes] = {}
        """What names the very state of a condition that an acknowledgement is for."""
        self._complete = False
        self._asked_s = clock.monotonic_s()
        self.dropped = 0
        self.note = ""
        """Why there are none, when the server could not be asked."""

    @property
    def are_complete(self) -> bool:
        """Whether all that began before this session has been told."""
        return self._complete or self._clock.monotonic_s() - self._asked_s > REFRESH_S

    def all(self) -> tuple[DeviceCondition, ...]:
        """Worst first."""
        return tuple(sorted(self._known.values(), key=lambda one: (-one.severity, -one.at_s)))

    def summary(self) -> str:
        """One line for the communications screen."""
        if self.note:
            return self.note
        waiting = sum(one.acknowledged is False for one in self._known.values())
        worst = next(iter(self.all()), None)
        text = f"{len(self._known)} retained, {waiting} not acknowledged"
        return text if worst is None else f"{text}; worst: {worst.source} {worst.message}"

    async def follow(self, session: Session) -> None:
        """Subscribe to the server's events and ask for what is going on already. A server without
        conditions leaves a note; errors of the connection are raised."""
        for forgotten in (self._known, self._nodes, self._events):
            forgotten.clear()
        self._complete, self._asked_s = False, self._clock.monotonic_s()
        self.note = ""
        subscription = await session.subscribe(self._heard)
        (made,) = await session.create_items(subscription, [_item()])
        if is_bad(int(made.StatusCode.value)):
            self.note = f"the server gives no events: {status_name(int(made.StatusCode.value))}"
            self._complete = True
            return
        code = await session.call(
            node_id(ObjectIds.ConditionType),
            node_id(ObjectIds.ConditionType_ConditionRefresh),
            [ua.Variant(subscription, ua.VariantType.UInt32)],
        )
        if is_bad(code):
            self.note = f"the server does not refresh conditions: {status_name(code)}"
            self._complete = True

    async def acknowledge(self, session: Session, condition: str, comment: str) -> Execution:
        """Acknowledge the condition's present state, as a person has confirmed. Sent once."""
        known, node = self._known.get(condition), self._nodes.get(condition)
        if known is None or node is None:
            return _answer(
                Result.REJECTED, "UNKNOWN_CONDITION", f"{condition} is not there any more"
            )
        if known.acknowledged is not False:
            return _answer(Result.REJECTED, "NOTHING_TO_DO", f"{known.name} waits for nobody")
        try:
            code = await session.call(
                node,
                node_id(ObjectIds.AcknowledgeableConditionType_Acknowledge),
                [
                    ua.Variant(self._events[condition], ua.VariantType.ByteString),
                    ua.Variant(
                        ua.LocalizedText(comment[:COMMENT_MAX]), ua.VariantType.LocalizedText
                    ),
                ],
            )
        except WIRE_ERRORS as error:
            return _answer(Result.UNKNOWN, "NO_ANSWER", reason_of(error))
        status = status_name(code)
        if not is_bad(code):
            return _answer(Result.ACCEPTED, status, f"{known.name} is acknowledged")
        result = Result.UNKNOWN if status in AMBIGUOUS else Result.REJECTED
        return _answer(result, status, sentence(status))

    def _heard(self, publication: Publication) -> None:
        for event in publication.events:
            self._take([variant.Value for variant in event.EventFields or ()])

    def _take(self, fields: Sequence[Any]) -> None:
        if len(fields) != len(_FIELDS):
            raise UnavailableError(f"an event of {len(fields)} fields instead of {len(_FIELDS)}")
        event, kind, source, time, message, severity, name, retain, acked, active, node = fields
        if kind == _REFRESH_END:
            self._complete = True
        if not isinstance(node, ua.NodeId) or node.is_null():
            return  # an event, not a condition
        key = node.to_string()
        if not retain:
            for forgotten in (self._known, self._nodes, self._events):
                forgotten.pop(key, None)
            return
        if key not in self._known and len(self._known) >= CONDITIONS_MAX:
            self.dropped += 1
            return
        self._nodes[key] = node
        self._events[key] = bytes(event or b"")
        self._known[key] = DeviceCondition(
            condition=key,
            source=str(source or ""),
            name=str(name or ""),
            message=str(getattr(message, "Text", message) or ""),
            severity=int(severity or 0),
            active=None if active is None else bool(active),
            acknowledged=None if acked is None else bool(acked),
            at_s=0.0 if time is None else time.replace(tzinfo=time.tzinfo or UTC).timestamp(),
        )


def _item() -> ua.MonitoredItemCreateRequest:
    selected = [
        ua.SimpleAttributeOperand(
            TypeDefinitionId=node_id(kind),
            BrowsePath=[ua.QualifiedName(name, 0) for name in path],
            AttributeId=ua.IntegerId(AttributeIds.Value if path else AttributeIds.NodeId),
        )
        for kind, path in _FIELDS
    ]
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(
            NodeId=node_id(ObjectIds.Server), AttributeId=AttributeIds.EventNotifier
        ),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=ua.IntegerId(_HANDLE),
            SamplingInterval=0.0,
            QueueSize=ua.Counter(_QUEUE),
            DiscardOldest=True,
            Filter=ua.EventFilter(SelectClauses=selected),
        ),
    )


def _answer(result: Result, status: str, detail: str) -> Execution:
    return Execution(result=result, status=status, detail=detail, round_trip_s=0.0)
