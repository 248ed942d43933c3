"""One OPC UA session: from the socket to the running subscription, used once and thrown away.

asyncua's own reconnect is not used: opcua.md §2 measured five defects in it (endless republish,
a link that says CONNECTED and never notifies again, …). A `Session` lives exactly as long as its
connection; the driver's supervisor makes a new one for every attempt.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import UaStatusCodeError
from asyncua.ua.uaerrors._base import UaError
from cryptography.exceptions import InvalidSignature

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from protocols.opcua.codec import node_id, status_name
from protocols.opcua.settings import KEEPALIVE_COUNT, NodeAddress, OpcUaSettings, Target

_log = logging.getLogger(__name__)

WIRE_ERRORS: Final = (
    OSError,
    TimeoutError,
    UaError,
    UnavailableError,
    # asyncua asserts on some refusals at OpenSecureChannel, and its decoders raise these for an
    # answer that is not what it should be (opcua.md §1): a broken peer must not end the supervisor.
    AssertionError,
    InvalidSignature,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    struct.error,
)
"""What a connection may end with."""

_OPERATIONS_MAX: Final = 1000  # per request, whatever the server allows (S7-1500 has this limit)
_SESSION_TIMEOUT_S: Final = 30.0
_ORPHAN_LIFE_S: Final = 60.0  # how long the server keeps a subscription that nobody asks for
_SILENCE_MAX_S: Final = 60.0  # a server that revises its keep-alive beyond this is refused
_CLOSE_S: Final = 3.0
_LIMIT_NODES: Final = (
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
)

Values: TypeAlias = Sequence[tuple[int, ua.DataValue]]
T = TypeVar("T")


def reason_of(error: BaseException) -> str:
    """An error in words for the operator: the UA status by name, the rest by type."""
    if isinstance(error, UaStatusCodeError):
        return status_name(error.code)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Session:
    """A connected client with its subscription.

    `report` is called from the event loop with (index of the target, DataValue) for each change;
    `refused` with (index, status code) for a target that the server does not let us monitor.
    """

    def __init__(
        self,
        settings: OpcUaSettings,
        targets: Sequence[Target],
        *,
        report: Callable[[Values], None],
        refused: Callable[[int, int], None],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._targets = targets
        self._report = report
        self._refused = refused
        self._clock = clock
        self._client = self._new_client()
        self._namespaces: dict[str, int] = {}
        self._methods: dict[tuple[NodeAddress, str], tuple[ua.NodeId, ua.NodeId]] = {}
        self._subscription = 0
        self._read_max = _OPERATIONS_MAX
        self._items_max = _OPERATIONS_MAX
        self._unmonitored: list[int] = []
        self._lost = asyncio.Event()
        self.lost_reason = ""
        self.alive_s = clock.monotonic_s()
        self.keepalive_s = settings.keepalive_s
        self.round_trip_s: float | None = None

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set()

    @property
    def has_unmonitored(self) -> bool:
        """Whether the server has refused to monitor some targets: they are worth another try."""
        return bool(self._unmonitored)

    async def open(self) -> None:
        """Connect, resolve namespaces, learn the server's limits, subscribe to every target.

        Raises one of WIRE_ERRORS; the caller closes the session then too.
        """
        await self._client.connect()
        await self._resolve_namespaces()
        await self._learn_limits()
        await self._subscribe()
        self._unmonitored = await self._monitor(range(len(self._targets)))
        self.alive_s = self._clock.monotonic_s()

    async def wait_lost(self, timeout_s: float) -> bool:
        """True as soon as the connection is lost, False when `timeout_s` have passed."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._lost.wait()
        except TimeoutError:
            return False
        return True

    def give_up(self, reason: str) -> None:
        """Declare the connection lost; the first reason stays."""
        if not self._lost.is_set():
            self.lost_reason = reason
            self._lost.set()

    async def close(self) -> None:
        """Let go within 3 s, whatever the server does; never raises one of WIRE_ERRORS."""
        was_lost = self.is_lost
        self.give_up("closed")
        protocol = self._client.uaclient.protocol
        if protocol is None:
            return
        if was_lost and protocol.transport is not None:
            protocol.transport.abort()  # nobody there to say goodbye to
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._client.disconnect()
        except WIRE_ERRORS as error:
            _log.debug("disconnect: %s", reason_of(error))
        # asyncua leaves the socket open when it has declared the client disconnected before.
        if protocol.transport is not None:
            protocol.transport.abort()

    async def retry_unmonitored(self) -> None:
        """Try the refused targets again: a server may build its address space after its start."""
        await self._resolve_namespaces()
        self._unmonitored = await self._monitor(self._unmonitored)

    def node(self, address: NodeAddress) -> ua.NodeId | None:
        """The node id with this connection's namespace index; None for an unknown namespace."""
        index = self._namespaces.get(address.namespace)
        return None if index is None else node_id(address.identifier, index)

    async def read(self, nodes: Sequence[ua.NodeId]) -> list[ua.DataValue]:
        """Values with status and time, in as many requests as the server's limit asks for."""
        values: list[ua.DataValue] = []
        for start in range(0, len(nodes), self._read_max):
            chunk = list(nodes[start : start + self._read_max])
            sent_s = self._clock.monotonic_s()
            values += await self._client.uaclient.read_attributes(chunk, AttributeIds.Value)
            self.round_trip_s = self._clock.monotonic_s() - sent_s
        return values

    async def write(self, node: ua.NodeId, value: ua.DataValue) -> int:
        """Write one value; the server's status code for it."""
        sent_s = self._clock.monotonic_s()
        codes = await self._client.uaclient.write_attributes([node], [value])
        self.round_trip_s = self._clock.monotonic_s() - sent_s
        return int(codes[0].value)

    async def call(
        self, parent: ua.NodeId, method: ua.NodeId, arguments: Sequence[ua.Variant]
    ) -> int:
        """Call a method; its status code (that of the first refused argument when it has one)."""
        sent_s = self._clock.monotonic_s()
        results = await self._client.uaclient.call(
            [ua.CallMethodRequest(ObjectId=parent, MethodId=method, InputArguments=list(arguments))]
        )
        self.round_trip_s = self._clock.monotonic_s() - sent_s
        return int(results[0].StatusCode.value)

    async def find_method(
        self, address: NodeAddress, name: str
    ) -> tuple[ua.NodeId, ua.NodeId] | None:
        """(object, method) where the parent object of `address` has a method of that name."""
        known = self._methods.get((address, name))
        if known is not None:
            return known
        node = self.node(address)
        if node is None:
            return None
        for parent in await self._browse(
            node,
            ua.BrowseDirection.Inverse,
            ObjectIds.HierarchicalReferences,
            ua.NodeClass.Object,
        ):
            for child in await self._browse(
                parent.NodeId,
                ua.BrowseDirection.Forward,
                ObjectIds.HasComponent,
                ua.NodeClass.Method,
            ):
                if child.BrowseName.Name == name:
                    found = (parent.NodeId, child.NodeId)
                    self._methods[address, name] = found
                    return found
        return None

    def _new_client(self) -> Client:
        settings = self._settings
        own = settings.credentials
        # The probe of asyncua's own watchdog must not be quicker than ours: opcua.md §3 saw it
        # cut a healthy link when the loop stalled for a second.
        client = Client(
            settings.url,
            timeout=settings.timeout_s,
            watchdog_intervall=3.0 * settings.keepalive_s,
        )
        client.name = "gridctl field"
        client.description = "gridctl field"
        client.application_uri = settings.application_uri
        client.session_timeout = int(1000 * max(_SESSION_TIMEOUT_S, 4.0 * settings.keepalive_s))
        policy = SecurityPolicyBasic256Sha256(  # type: ignore[no-untyped-call]
            own.server_certificate, own.certificate, own.key, ua.MessageSecurityMode.SignAndEncrypt
        )
        client.security_policy = policy  # type: ignore[assignment]  # asyncua infers the None policy
        client.uaclient.set_security(policy)
        client.set_user(own.user)
        client.set_password(own.password)
        client.connection_lost_callback = self._on_transport_lost
        return client

    async def _on_transport_lost(self, error: Exception) -> None:
        self.give_up(reason_of(error))

    async def _resolve_namespaces(self) -> None:
        (array,) = await self.read([node_id(ObjectIds.Server_NamespaceArray)])
        uris = array.Value.Value if array.Value is not None else None
        if not isinstance(uris, list):
            raise UnavailableError("the server shows no namespace array")
        self._namespaces = {str(uri): index for index, uri in enumerate(uris)}

    async def _learn_limits(self) -> None:
        values = await self.read([node_id(node) for node in _LIMIT_NODES])
        read_max, items_max = (
            min(_OPERATIONS_MAX, _limit_of(value) or _OPERATIONS_MAX) for value in values
        )
        self._read_max = read_max
        self._items_max = items_max

    async def _subscribe(self) -> None:
        publishing_ms = self._settings.publishing_ms
        lifetime = max(3 * KEEPALIVE_COUNT, round(1000.0 * _ORPHAN_LIFE_S / publishing_ms))
        result = await self._client.uaclient.session.create_subscription(
            ua.CreateSubscriptionParameters(
                RequestedPublishingInterval=publishing_ms,
                RequestedLifetimeCount=lifetime,
                RequestedMaxKeepAliveCount=KEEPALIVE_COUNT,
                MaxNotificationsPerPublish=0,
                PublishingEnabled=True,
                Priority=0,
            ),
            self._on_publish,
        )
        self._subscription = result.SubscriptionId
        revised_s = result.RevisedPublishingInterval * result.RevisedMaxKeepAliveCount / 1000.0
        if revised_s > _SILENCE_MAX_S:
            raise UnavailableError(
                f"the server wants to stay silent for up to {revised_s:.0f} s, "
                f"{_SILENCE_MAX_S:.0f} s is the most that can be watched"
            )
        self.keepalive_s = max(revised_s, self._settings.keepalive_s)

    async def _monitor(self, indices: Sequence[int]) -> list[int]:
        """Create monitored items for these targets; those that the server refused."""
        refused: list[int] = []
        asked: list[tuple[int, ua.NodeId]] = []
        for index in indices:
            node = self.node(self._targets[index].node)
            if node is None:
                refused.append(index)
                self._refused(index, StatusCodes.BadNodeIdUnknown)
            else:
                asked.append((index, node))
        for start in range(0, len(asked), self._items_max):
            chunk = asked[start : start + self._items_max]
            results = await self._client.uaclient.create_monitored_items(
                ua.CreateMonitoredItemsParameters(
                    SubscriptionId=self._subscription,
                    TimestampsToReturn=ua.TimestampsToReturn.Both,
                    ItemsToCreate=[self._item(index, node) for index, node in chunk],
                )
            )
            for (index, _), result in zip(chunk, results, strict=True):
                if not result.StatusCode.is_good():
                    refused.append(index)
                    self._refused(index, int(result.StatusCode.value))
        return refused

    def _item(self, index: int, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            # Queue of one: the newest value is the one that counts, as in our inbox.
            RequestedParameters=ua.MonitoringParameters(
                ClientHandle=index,
                SamplingInterval=self._settings.publishing_ms,
                QueueSize=1,
                DiscardOldest=True,
            ),
        )

    def _on_publish(self, result: ua.PublishResult) -> None:
        """Every publish response, with values or without (keep-alive), is a proof of life."""
        self.alive_s = self._clock.monotonic_s()
        values: list[tuple[int, ua.DataValue]] = []
        for notification in result.NotificationMessage.NotificationData or ():
            if isinstance(notification, ua.DataChangeNotification):
                values += [(item.ClientHandle, item.Value) for item in notification.MonitoredItems]
            elif isinstance(notification, ua.StatusChangeNotification):
                self.give_up(f"subscription ended: {status_name(notification.Status.value)}")
        if values:
            self._report(values)

    async def _browse(
        self, node: ua.NodeId, direction: ua.BrowseDirection, reference: int, kind: ua.NodeClass
    ) -> Sequence[ua.ReferenceDescription]:
        (result,) = await self._client.uaclient.browse(
            ua.BrowseParameters(
                NodesToBrowse=[
                    ua.BrowseDescription(
                        NodeId=node,
                        BrowseDirection=direction,
                        ReferenceTypeId=node_id(reference),
                        IncludeSubtypes=True,
                        NodeClassMask=kind,
                        ResultMask=ua.BrowseResultMask.All,
                    )
                ]
            )
        )
        return result.References or ()


def _limit_of(value: ua.DataValue) -> int:
    """An operation limit; 0 (no limit) when the server does not tell one."""
    found = value.Value.Value if value.Value is not None else None
    return found if isinstance(found, int) and found > 0 else 0
