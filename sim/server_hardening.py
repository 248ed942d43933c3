"""asyncua's server with its known holes closed (opcua.md §4), for loopback use in the simulator.

- Session takeover: asyncua hands out sequential authentication tokens and lets a second channel
  stay bound to a session after a *failed* ActivateSession. Here tokens are random, no channel may
  take over another channel's session, and a failed activation ends the session.
- Any client certificate is taken: here one trusted client certificate can be pinned, compared with
  the one that signed the secure channel.
- Writes go to whatever is writable: here only guarded nodes can be written, each by its own guard.
- Each monitored value is copied deeply: we write a fresh DataValue each time, so none is.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.security_policies import SecurityPolicyFactory, SecurityPolicyNone
from asyncua.server.address_space import AddressSpace, AttributeService
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import (
    MonitoredItemData,
    MonitoredItemService,
    MonitoredItemValues,
)
from asyncua.server.server import Server
from asyncua.server.subscription_service import SubscriptionService
from asyncua.server.uaprocessor import UaProcessor
from asyncua.server.user_managers import UserManager
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import uatcp_to_binary
from asyncua.ua.uaerrors._base import UaError
from cryptography.exceptions import InvalidSignature

from sim.line_troubles import LineTroubles, TroubledWriter, reset

WriteGuard: TypeAlias = Callable[[ua.DataValue], Awaitable[ua.StatusCode]]
"""Judges and carries out one write from outside; its status goes to the client."""

_TOKEN_BYTES = 32
_DISCOVERY = frozenset(
    ua.NodeId(ua.Int32(kind))
    for kind in (
        ObjectIds.GetEndpointsRequest_Encoding_DefaultBinary,
        ObjectIds.FindServersRequest_Encoding_DefaultBinary,
    )
)
_ACTIVATE = ua.NodeId(ua.Int32(ObjectIds.ActivateSessionRequest_Encoding_DefaultBinary))


class OneUser(UserManager):
    """Exactly one user with one password; nobody is anonymous and nobody is admin."""

    def __init__(self, *, user: str, password: str) -> None:
        self._user = user.encode()
        self._password = password.encode()

    def get_user(
        self,
        iserver: InternalServer,  # noqa: ARG002 - asyncua's signature
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,  # noqa: ARG002
    ) -> User | None:
        same_user = hmac.compare_digest((username or "").encode(), self._user)
        given = (password or "").encode()
        same_password = hmac.compare_digest(given, self._password)
        if not (same_user and same_password):
            return None
        return User(role=UserRole.User, name=username)


class GuardedAttributes(AttributeService):
    """Writes from outside reach only nodes that have a guard, and only their value."""

    def __init__(self, aspace: AddressSpace, guards: Mapping[ua.NodeId, WriteGuard]) -> None:
        super().__init__(aspace)
        self._guards = guards

    async def write(
        self,
        params: ua.WriteParameters,
        user: User = User(role=UserRole.Anonymous),  # noqa: B008
    ) -> list[ua.StatusCode]:
        if user.role is UserRole.Admin:  # the server's own session; no user from outside is admin
            return await super().write(params, user)
        return [await self._write_one(item, user) for item in params.NodesToWrite]

    async def _write_one(self, item: ua.WriteValue, user: User) -> ua.StatusCode:
        if user.role is not UserRole.User:
            return ua.StatusCode(ua.UInt32(StatusCodes.BadUserAccessDenied))
        guard = self._guards.get(item.NodeId)
        if guard is None or item.AttributeId != AttributeIds.Value:
            return ua.StatusCode(ua.UInt32(StatusCodes.BadNotWritable))
        return await guard(item.Value)


class _Values(MonitoredItemValues):
    def set_current_datavalue(self, cur_val: ua.DataValue) -> None:
        self.old_dvalue = self.current_dvalue
        self.current_dvalue = cur_val


class _Items(MonitoredItemService):
    def _make_monitored_item_common(
        self, params: ua.MonitoredItemCreateRequest
    ) -> tuple[ua.MonitoredItemCreateResult, MonitoredItemData]:
        result, data = super()._make_monitored_item_common(params)
        data.mvalue = _Values()
        return result, data


class _Subscriptions(SubscriptionService):
    async def create_subscription(
        self,
        params: ua.CreateSubscriptionParameters,
        callback: Callable[..., Any],
        session_id: ua.NodeId,
        request_callback: Callable[..., Any] | None = None,
    ) -> ua.CreateSubscriptionResult:
        result = await super().create_subscription(params, callback, session_id, request_callback)
        made: InternalSubscription = self.subscriptions[result.SubscriptionId]
        made.monitored_item_srv = _Items(made, self.aspace)
        return result


class HardenedInternalServer(InternalServer):
    """Sessions with random tokens, cheap subscriptions, one user."""

    def __init__(self, *, user_manager: UserManager, trusted_client: bytes | None) -> None:
        super().__init__(user_manager=user_manager)
        self.allow_remote_admin = False
        self.trusted_client = trusted_client
        self.subscription_service = _Subscriptions(self.aspace, iserver=self)
        self.isession.subscription_service = self.subscription_service

    def create_session(
        self,
        name: str,
        user: User = User(role=UserRole.Anonymous),  # noqa: B008 - asyncua's signature
        external: bool = False,
    ) -> InternalSession:
        # Registered under the random token alone, never under asyncua's sequential one.
        session = InternalSession(
            self, self.aspace, self.subscription_service, name, user=user, external=False
        )
        session.external = external
        session.auth_token = ua.NodeId(ua.ByteString(secrets.token_bytes(_TOKEN_BYTES)))
        if external:
            self.register_external_session(session)
        return session

    @property
    def has_sessions(self) -> bool:
        """Whether anybody is there."""
        return bool(self._external_sessions)

    async def close_sessions(self) -> None:
        """End every session with its subscriptions, so that no task outlives the server."""
        for session in list(self._external_sessions.values()):
            await session.close_session(True)


class _UntrustedError(Exception):
    """The secure channel was signed by a certificate that is not the trusted one."""


class _Processor(UaProcessor):
    """One connection: its session is its own, and dies with a failed activation."""

    iserver: HardenedInternalServer
    discovers = False
    """Whether the channel is one without security, on which endpoints are told and nothing else."""

    def open_secure_channel(self, algohdr: Any, seqhdr: Any, body: Any) -> None:
        trusted = self.iserver.trusted_client
        self.discovers = algohdr.SecurityPolicyURI == SecurityPolicyNone.URI
        if not self.discovers and trusted is not None and algohdr.SenderCertificate != trusted:
            raise _UntrustedError
        super().open_secure_channel(algohdr, seqhdr, body)  # type: ignore[no-untyped-call]

    async def process(self, header: Any, body: Any) -> Any:
        try:
            return await super().process(header, body)  # type: ignore[no-untyped-call]
        except _UntrustedError:
            return self._hang_up(StatusCodes.BadCertificateUntrusted)
        except (UaError, InvalidSignature):
            # asyncua would log this and let the client wait for its timeout.
            return self._hang_up(StatusCodes.BadSecurityChecksFailed)

    def _hang_up(self, code: int) -> bool:
        """Say why, then let the caller close the connection."""
        refusal = ua.ErrorMessage(ua.StatusCode(ua.UInt32(code)), ua.String("not let in"))
        self._transport.write(
            uatcp_to_binary(ua.MessageType.Error, refusal)  # type: ignore[arg-type]
        )
        return False

    def _should_close_session_on_transport_loss(self) -> bool:
        # No other channel may ever take the session over, so it has nothing to wait for.
        return self.session is not None

    async def _process_message(self, typeid: Any, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        if self.discovers and typeid not in _DISCOVERY:
            raise ServiceError(StatusCodes.BadSecurityPolicyRejected)
        if typeid != _ACTIVATE:
            return await super()._process_message(typeid, requesthdr, seqhdr, body)  # type: ignore[no-untyped-call]
        session = self.session
        if session is None or requesthdr.AuthenticationToken != session.auth_token:
            # asyncua would look the token up and bind this channel to another one's session and
            # subscriptions, before it has checked who asks.
            raise ServiceError(StatusCodes.BadSessionIdInvalid)
        try:
            return await super()._process_message(typeid, requesthdr, seqhdr, body)  # type: ignore[no-untyped-call]
        except (ServiceError, UaError, InvalidSignature, ValueError):
            self.session = None
            await session.close_session(True)
            raise


class _Connection(OPCUAProtocol):
    line: LineTroubles

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.processor is not None:
            behind: Any = TroubledWriter(transport, self.line)
            self.processor = _Processor(self.iserver, behind, self.limits)
            self.processor.set_policies(self.policies)  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        if not self.line.silent:
            super().data_received(data)


class _LoopbackServer(BinaryServer):
    line: LineTroubles

    def _make_protocol(self) -> OPCUAProtocol:
        made = _Connection(
            iserver=self.iserver,
            policies=self._policies,
            clients=self.clients,
            closing_tasks=self.closing_tasks,
            limits=self.limits,
        )
        made.line = self.line
        return made

    def reset_connections(self) -> None:
        """End every connection with RST."""
        for client in list(self.clients):
            if client.transport is not None:
                reset(client.transport)


class HardenedServer(Server):
    """asyncua's Server on the hardened parts; listens where `socket_address` says, behind a line
    that may be bad."""

    def __init__(self, *, iserver: HardenedInternalServer, line: LineTroubles) -> None:
        super().__init__(iserver=iserver)
        self.line = line

    def reset_connections(self) -> None:
        """End every connection with RST."""
        if isinstance(self.bserver, _LoopbackServer):
            self.bserver.reset_connections()

    async def start(self) -> None:
        if self.socket_address is None:
            raise ValueError("socket_address decides where to listen")
        await self._setup_server_nodes()
        await self.iserver.start()
        host, port = self.socket_address
        listening = _LoopbackServer(self.iserver, host, port, self.limits)
        listening.line = self.line
        # Endpoints are asked for before anybody can have agreed on security.
        listening.set_policies(
            [
                *self._policies,
                SecurityPolicyFactory(SecurityPolicyNone, ua.MessageSecurityMode.None_),  # type: ignore[no-untyped-call]
            ]
        )
        self.bserver = listening
        try:
            await self.bserver.start()
        except OSError:
            await self.iserver.stop()
            raise
