"""One encrypted conversation with one server: opened once, used, thrown away.

The certificate that the server was judged by (`endpoints.py`) is the only one that the channel and
the session are opened with. asyncua's own reconnect is not used: opcua.md §2 measured five defects
in it. A `Connection` lives exactly as long as its socket; the driver's supervisor makes a new one.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from asyncua import ua
from asyncua.client.client import Client
from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.utils import Buffer
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError
from asyncua.ua.uaerrors._base import UaError
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from protocols.deadline import within
from protocols.opcua.addresses import NodeAddress
from protocols.opcua.codec import node_id, status_name
from protocols.opcua.endpoints import POLICY_TYPES, Shown, judged_certificate
from protocols.opcua.settings import OpcUaSettings
from protocols.opcua.trace import COMMAND_LOG, WireLog
from protocols.opcua.trust import expires_s, thumbprint
from protocols.opcua.wire import Sample, decode_read
from protocols.traffic import Traffic

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

OPERATIONS_MAX: Final = 1000  # per request, whatever the server allows (S7-1500 has this limit)
_SESSION_TIMEOUT_S: Final = 30.0
_CLOSE_S: Final = 3.0
_TOO_MUCH: Final = frozenset(
    {
        "BadTooManyOperations",
        "BadRequestTooLarge",
        "BadResponseTooLarge",
        "BadEncodingLimitsExceeded",
    }
)
_LIMITS: Final = {
    "read": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    "monitor": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    "browse": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
    "history": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
    "register": ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRegisterNodes,
}


def reason_of(error: BaseException) -> str:
    """An error in words for the operator: the UA status by name, the rest by type."""
    if isinstance(error, UaStatusCodeError):
        return status_name(error.code)
    if isinstance(error, UnavailableError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Connection:
    """A client of `url`. Bytes, requests and round trips are counted in `traffic`; what passes is
    kept in `trace` while that runs."""

    def __init__(
        self,
        settings: OpcUaSettings,
        url: str,
        *,
        clock: Clock,
        traffic: Traffic,
        trace: WireLog | None = None,
    ) -> None:
        self.url = url
        self._settings = settings
        self._clock = clock
        self._traffic = traffic
        self._client: Client | None = None
        self._namespaces: dict[str, int] = {}
        self._limits = dict.fromkeys(_LIMITS, OPERATIONS_MAX)
        self._lost = asyncio.Event()
        self.lost_reason = ""
        self.trace = trace
        self.certificate_expires_s: float | None = None

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set()

    @property
    def namespaces(self) -> Mapping[str, int]:
        """URI to index, as of this connection."""
        return self._namespaces

    async def open(self) -> None:
        """Judge the server, connect, resolve namespaces, learn the server's limits.

        Raises one of WIRE_ERRORS; the caller closes the connection then too.
        """
        shown = None
        if self._settings.encrypted:
            shown = await judged_certificate(self._settings, self.url)
            self.certificate_expires_s = expires_s(shown.certificate)
        client = self._client = self._new_client(None if shown is None else shown.certificate)
        try:
            await client.connect()
        except (UaError, AssertionError) as error:
            if shown is None or not shown.blind:
                raise
            raise UnavailableError(
                f"{reason_of(error)}; the server shows its certificate to nobody before: is it "
                "still the pinned one?"
            ) from error
        self._count_bytes()
        if self.trace is not None:
            self.trace.note(f"session opened with {self.url}, {_protected(self._settings, shown)}")
        await self.resolve_namespaces()
        await self._learn_limits()

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
            if self.trace is not None:
                self.trace.note(f"connection ends: {reason}")
            self.lost_reason = reason
            self._lost.set()

    async def close(self) -> None:
        """Let go within 3 s, whatever the server does; never raises one of WIRE_ERRORS."""
        was_lost = self.is_lost
        self.give_up("closed")
        client = self._client
        protocol = None if client is None else client.uaclient.protocol
        if client is None or protocol is None:
            return
        if was_lost and protocol.transport is not None:
            protocol.transport.abort()  # nobody there to say goodbye to
        try:
            await within(_CLOSE_S, client.disconnect())
        except WIRE_ERRORS as error:
            _log.debug("disconnect: %s", reason_of(error))
        # asyncua leaves the socket open when it has declared the client disconnected before.
        if protocol.transport is not None:
            protocol.transport.abort()

    def limit(self, service: str) -> int:
        """Operations that one request of `service` may hold."""
        return self._limits[service]

    def lower(self, service: str, error: BaseException) -> bool:
        """Halve the limit of `service` after a server said that it was too much; False when the
        error says something else, or when one operation is too much already."""
        if not isinstance(error, UaStatusCodeError) or self._limits[service] <= 1:
            return False
        if status_name(error.code) not in _TOO_MUCH:
            return False
        self._limits[service] = max(1, self._limits[service] // 2)
        return True

    def node(self, address: NodeAddress) -> ua.NodeId | None:
        """The node id with this connection's namespace index; None for an unknown namespace."""
        index = self._namespaces.get(address.namespace)
        return None if index is None else node_id(address.identifier, index)

    async def request(self, request: Any, *, timeout_s: float | None = None) -> bytes:
        """Send one request and return its answer's body, still encoded. `timeout_s`: None for the
        link's own, 0 to wait as long as the connection lives.

        A ServiceFault of the server comes out as UaStatusCodeError; an error of the connection
        never does, whatever asyncua calls it: they say different things about a command.
        """
        protocol = None if self._client is None else self._client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("not connected")
        logs = [log for log in (COMMAND_LOG.get(), self.trace) if log is not None]
        for log in logs:
            log.sent(request)
        try:
            body = await self._exchange(protocol, request, timeout_s)
        except WIRE_ERRORS as error:
            for log in logs:
                log.failed(request, reason_of(error))
            raise
        for log in logs:
            log.heard(request, body)
        return body

    async def _exchange(
        self, protocol: UASocketProtocol, request: Any, timeout_s: float | None
    ) -> bytes:
        sent_s = self._clock.monotonic_s()
        self._traffic.frames_out += 1
        try:
            data: Buffer = await protocol.send_request(request, timeout_s)
        except UaStatusCodeError as error:
            if protocol.transport is None or protocol.transport.is_closing():
                raise ConnectionError(status_name(error.code)) from error
            self._traffic.protocol_errors += 1
            raise
        except TimeoutError:
            self._traffic.timeouts += 1
            raise
        self._traffic.frames_in += 1
        if timeout_s != 0:
            self._traffic.round_trips.add(self._clock.monotonic_s() - sent_s)
        return bytes(data)

    async def read(
        self,
        nodes: Sequence[ua.NodeId],
        attribute: AttributeIds = AttributeIds.Value,
        ranges: Sequence[ua.String | None] | None = None,
    ) -> list[Sample]:
        """An attribute of each node, in as many requests as the server's limit asks for."""
        wanted = [
            ua.ReadValueId(
                NodeId=node,
                AttributeId=attribute,
                IndexRange=None if ranges is None else ranges[at],
            )
            for at, node in enumerate(nodes)
        ]
        return await self.read_values(wanted)

    async def read_values(self, wanted: Sequence[ua.ReadValueId]) -> list[Sample]:
        """As `read`, for attributes of different kinds."""
        found: list[Sample] = []
        while len(found) < len(wanted):
            chunk = wanted[len(found) : len(found) + self._limits["read"]]
            request = ua.ReadRequest()
            request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
            request.Parameters.NodesToRead = list(chunk)
            try:
                answer = decode_read(await self.request(request), first=len(found))
            except UaStatusCodeError as error:
                if not self.lower("read", error):
                    raise
                continue
            if len(answer) != len(chunk):
                raise UnavailableError(f"{len(chunk)} values asked, {len(answer)} answered")
            found += answer
        return found

    async def write(self, node: ua.NodeId, value: ua.DataValue) -> int:
        """Write one value; the server's status code for it."""
        request = ua.WriteRequest()
        request.Parameters.NodesToWrite = [
            ua.WriteValue(NodeId=node, AttributeId=AttributeIds.Value, Value=value)
        ]
        answer = struct_from_binary(ua.WriteResponse, Buffer(await self.request(request)))
        return int(answer.Results[0].value)

    async def call(
        self, parent: ua.NodeId, method: ua.NodeId, arguments: Sequence[ua.Variant]
    ) -> int:
        """Call a method; its status code (that of the first refused argument when it has one)."""
        request = ua.CallRequest()
        request.Parameters.MethodsToCall = [
            ua.CallMethodRequest(ObjectId=parent, MethodId=method, InputArguments=list(arguments))
        ]
        answer = struct_from_binary(ua.CallResponse, Buffer(await self.request(request)))
        return int(answer.Results[0].StatusCode.value)

    async def browse(
        self, wanted: Sequence[ua.BrowseDescription], *, references_max: int = 0
    ) -> list[ua.BrowseResult]:
        """One Browse; the caller chunks and follows continuation points."""
        request = ua.BrowseRequest()
        request.Parameters.NodesToBrowse = list(wanted)
        request.Parameters.RequestedMaxReferencesPerNode = ua.UInt32(references_max)
        answer = struct_from_binary(ua.BrowseResponse, Buffer(await self.request(request)))
        return list(answer.Results or ())

    async def browse_next(
        self, points: Sequence[bytes], *, release: bool = False
    ) -> list[ua.BrowseResult]:
        """Continue, or let go of, browses that were cut."""
        request = ua.BrowseNextRequest()
        request.Parameters.ContinuationPoints = list(points)
        request.Parameters.ReleaseContinuationPoints = release
        answer = struct_from_binary(ua.BrowseNextResponse, Buffer(await self.request(request)))
        return list(answer.Parameters.Results or ())

    async def resolve_namespaces(self) -> None:
        """Indices are the server's own and may change with each of its starts."""
        (array,) = await self.read([node_id(ObjectIds.Server_NamespaceArray)])
        if not isinstance(array.value, list):
            raise UnavailableError("the server shows no namespace array")
        self._namespaces = {str(uri): index for index, uri in enumerate(array.value)}
        if self.trace is not None:
            shown = ", ".join(f"{index} {uri}" for uri, index in self._namespaces.items())
            self.trace.note(f"namespaces: {shown}")

    async def _learn_limits(self) -> None:
        values = await self.read([node_id(node) for node in _LIMITS.values()])
        for service, value in zip(_LIMITS, values, strict=True):
            told = value.value
            if isinstance(told, int) and told > 0:
                self._limits[service] = min(OPERATIONS_MAX, told)

    def _new_client(self, certificate: x509.Certificate | None) -> Client:
        settings = self._settings
        # The probe of asyncua's own watchdog must not be quicker than ours: opcua.md §3 saw it
        # cut a healthy link when the loop stalled for a second.
        client = Client(
            self.url, timeout=settings.timeout_s, watchdog_intervall=3.0 * settings.keepalive_s
        )
        client.name = "gridctl field"
        client.description = "gridctl field"
        client.application_uri = settings.application_uri or "urn:gridctl:field"
        client.session_timeout = int(1000 * max(_SESSION_TIMEOUT_S, 4.0 * settings.keepalive_s))
        client.secure_channel_timeout = int(1000 * settings.channel_lifetime_s)
        client.connection_lost_callback = self._on_transport_lost
        own = settings.credentials
        if own.application is None or certificate is None:
            return client
        policy = POLICY_TYPES[settings.security_policy](
            certificate,
            own.application.certificate,
            own.application.key,
            ua.MessageSecurityMode.SignAndEncrypt,
        )
        client.security_policy = policy  # type: ignore[assignment]  # asyncua infers the None policy
        client.uaclient.set_security(policy)
        if own.user_pair is not None:
            client.user_certificate = own.user_pair.certificate
            client.user_private_key = own.user_pair.key
        else:
            client.set_user(own.user)
            client.set_password(own.password)
        return client

    def _count_bytes(self) -> None:
        """Count what passes the socket; asyncua has no hook for it."""
        client, traffic = self._client, self._traffic
        protocol = None if client is None else client.uaclient.protocol
        if protocol is None or protocol.transport is None:
            return
        receive, send = protocol.data_received, protocol.transport.write

        def received(data: bytes) -> None:
            traffic.bytes_in += len(data)
            receive(data)

        def sent(data: bytes) -> None:
            traffic.bytes_out += len(data)
            send(data)

        protocol.data_received = received  # type: ignore[method-assign]
        protocol.transport.write = sent  # type: ignore[method-assign,assignment]

    async def _on_transport_lost(self, error: Exception) -> None:
        self.give_up(reason_of(error))


def _protected(settings: OpcUaSettings, shown: Shown | None) -> str:
    if shown is None:
        return "not encrypted"
    return f"{settings.security_policy}, server certificate {thumbprint(shown.certificate)}"
