"""The simulated OPC UA server of one link: what a DER gateway shows, and how it obeys.

Loopback only. One user, Basic256Sha256 SignAndEncrypt, no anonymous; asyncua's holes are closed in
`sim.server_hardening`. Commands are methods `NAME(Value, CommandId, ValidUntil)`, which refuse what
comes late or twice, or guarded writes with a lease node beside them.
"""

from __future__ import annotations

import gc
import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gridctl.model.clock import Clock
from sim.fault_kinds import Fault
from sim.line_troubles import LineTroubles
from sim.plant import Plant, PlantPoint, Reading, Verdict
from sim.server_hardening import (
    GuardedAttributes,
    HardenedInternalServer,
    HardenedServer,
    OneUser,
    WriteGuard,
)
from sim.server_space import MethodBody, ServedPoint, SpaceBuilder

_LOOPBACK: Final = ("127.0.0.1", "localhost")
_COMMAND_IDS_MAX: Final = 10_000
_LEASE_MAX_S: Final = 86_400.0

_STATUS: Final[Mapping[Verdict, int]] = {
    Verdict.ACCEPTED: StatusCodes.Good,
    Verdict.OUT_OF_RANGE: StatusCodes.BadOutOfRange,
    Verdict.LOCAL: StatusCodes.BadUserAccessDenied,
    Verdict.BLOCKED: StatusCodes.BadInvalidState,
    Verdict.NOT_SUPPORTED: StatusCodes.BadNotSupported,
}


class SimOpcUaServer:
    """An OPC UA server in front of `plant`, showing `points` of one link.

    `certificate` (DER) carries the application URI; with `trusted_client` (DER) only that client
    gets a secure channel. Faults for scenarios: `reject_commands` refuses every command,
    `frozen` shows nothing new. Raises ValueError for a URL that is not loopback.
    """

    def __init__(
        self,
        *,
        link: str,
        url: str,
        certificate: Path,
        key: Path,
        user: str,
        password: str,
        trusted_client: Path | None,
        points: Sequence[PlantPoint],
        plant: Plant,
        clock: Clock,
    ) -> None:
        parts = urlsplit(url)
        if parts.hostname not in _LOOPBACK or parts.port is None:
            raise ValueError(f"{url}: the simulator listens on loopback only, on a given port")
        self.reject_commands = False
        self.frozen = False
        self.line = LineTroubles(seed=parts.port)
        self._wrong_s = 0.0
        self._link = link
        self._url = url
        self._port = parts.port
        self._certificate = certificate
        self._key = key
        self._user = OneUser(user=user, password=password)
        self._trusted_client = trusted_client
        self._points = tuple(points)
        self._plant = plant
        self._clock = clock
        self._server: HardenedServer | None = None
        self._inner: HardenedInternalServer | None = None
        self._served: list[ServedPoint] = []
        self._shown: dict[str, Reading | None] = {}
        self._revision: int | None = None
        self._taken: dict[str, Reading] = {}
        self._leases: dict[ua.NodeId, float] = {}
        self._command_ids: OrderedDict[str, None] = OrderedDict()

    async def start(self) -> None:
        """Build the address space, show every point, listen. OSError when the port is taken."""
        own = _load(self._certificate)
        trusted = None
        if self._trusted_client is not None:
            trusted = _load(self._trusted_client).public_bytes(Encoding.DER)
        inner = HardenedInternalServer(user_manager=self._user, trusted_client=trusted)
        server = HardenedServer(iserver=inner, line=self.line)
        server.socket_address = ("127.0.0.1", self._port)
        # CurrentTime is ours: grid time, written with each publish.
        server.disable_clock()
        with _uncollected():
            await server.init()
            self._served = await SpaceBuilder(server).build(self._link, self._points, self._method)
        server.set_endpoint(self._url)
        server.set_server_name(f"gridctl simulator {self._link}")
        await server.set_application_uri(_application_uri(own))
        await server.load_certificate(self._certificate)
        await server.load_private_key(self._key)
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        server.set_identity_tokens([ua.UserNameIdentityToken])
        inner.attribute_service = GuardedAttributes(inner.aspace, self._guards())
        self._shown.clear()
        self._revision = None
        await self._publish_to(server)
        await server.start()
        self._server, self._inner = server, inner

    async def stop(self) -> None:
        """Close every connection and the port. Harmless when not started."""
        server, self._server = self._server, None
        inner, self._inner = self._inner, None
        if inner is not None:
            await inner.close_sessions()
        if server is not None:
            await server.stop()

    def heard(self) -> bool:
        """Whether a client has a session: it keeps that alive, or the server ends it."""
        return self._inner is not None and self._inner.has_sessions and not self.line.silent

    def disturb(self, fault: Fault, *, on: bool, amount: float) -> None:
        """Switch one of a server's faults. ValueError for one that OPC UA does not have."""
        if self.line.set(fault, on=on, amount=amount):
            if fault is Fault.HALF_OPEN and not on and self._server is not None:
                self._server.reset_connections()
            return
        match fault:
            case Fault.OUTSTATION_FREEZE:
                self.frozen = on
            case Fault.WRONG_TIME:
                self._wrong_s = amount if on else 0.0
                self._shown.clear()
                self._revision = None
            case _:
                raise ValueError(f"{fault} is no fault of an OPC UA server")

    async def publish(self) -> None:
        """Show what has changed in the plant since the last call, with the plant's own times."""
        if self._server is not None and not self.frozen:
            await self._publish_to(self._server)

    async def _publish_to(self, server: HardenedServer) -> None:
        now = _moment(self._clock.now_s() + self._wrong_s)
        await self._show(
            server,
            ua.NodeId(ua.Int32(ObjectIds.Server_ServerStatus_CurrentTime)),
            ua.DataValue(
                ua.Variant(now, ua.VariantType.DateTime), SourceTimestamp=now, ServerTimestamp=now
            ),
        )
        revision = self._plant.revision()
        if revision == self._revision:
            return
        self._revision = revision
        for served in self._served:
            reading = self._read(served)
            mrid = served.point.mrid
            if mrid not in self._shown or self._shown[mrid] != reading:
                self._shown[mrid] = reading
                await self._show(
                    server, served.node, _shown_as(served, self._stamped(reading), now)
                )

    def _read(self, served: ServedPoint) -> Reading | None:
        """What the plant shows; a setpoint that the plant keeps to itself: the last one taken."""
        try:
            return self._plant.read(served.point.mrid)
        except KeyError:
            if not served.point.command:
                raise
        return self._taken.get(served.point.mrid)

    def _stamped(self, reading: Reading | None) -> Reading | None:
        """With the device's own clock, which may be wrong."""
        if reading is None or not self._wrong_s:
            return reading
        return replace(reading, at_s=reading.at_s + self._wrong_s)

    async def _show(self, server: HardenedServer, node: ua.NodeId, value: ua.DataValue) -> None:
        # Straight into the address space: no session, no copy (opcua.md §4).
        status = await server.iserver.aspace.write_attribute_value(
            node,
            AttributeIds.Value,
            value,
        )
        status.check()

    def _guards(self) -> dict[ua.NodeId, WriteGuard]:
        guards: dict[ua.NodeId, WriteGuard] = {}
        for served in self._served:
            if served.point.command == "write":
                guards[served.node] = self._setpoint_guard(served)
            if served.lease is not None:
                guards[served.lease] = self._lease_guard(served.lease)
        return guards

    def _setpoint_guard(self, served: ServedPoint) -> WriteGuard:
        async def guard(value: ua.DataValue) -> ua.StatusCode:
            wire = _written_number(value, served.kind)
            if isinstance(wire, ua.StatusCode):
                return wire
            lease_s = None if served.lease is None else self._leases.get(served.lease)
            return await self._command(served, wire, lease_s)

        return guard

    def _lease_guard(self, node: ua.NodeId) -> WriteGuard:
        async def guard(value: ua.DataValue) -> ua.StatusCode:
            seconds = _written_number(value, ua.VariantType.Double)
            if isinstance(seconds, ua.StatusCode):
                return seconds
            if not 0.0 < seconds <= _LEASE_MAX_S:
                return _status(StatusCodes.BadOutOfRange)
            self._leases[node] = seconds
            if self._server is not None:
                await self._show(self._server, node, value)
            return _status(StatusCodes.Good)

        return guard

    def _method(self, served: ServedPoint) -> MethodBody:
        async def body(
            _parent: ua.NodeId, value: ua.Variant, command_id: ua.Variant, valid_until: ua.Variant
        ) -> ua.StatusCode:
            wire = value.Value
            until = valid_until.Value
            if (
                not isinstance(wire, float)
                or not math.isfinite(wire)
                or not isinstance(command_id.Value, str)
                or not command_id.Value
                or not isinstance(until, datetime)
            ):
                return _status(StatusCodes.BadInvalidArgument)
            lease_s = until.timestamp() - self._clock.now_s()
            if lease_s <= 0.0:
                return _status(StatusCodes.BadInvalidTimestamp)
            if command_id.Value in self._command_ids:
                return _status(StatusCodes.BadEntryExists)
            self._command_ids[command_id.Value] = None
            while len(self._command_ids) > _COMMAND_IDS_MAX:
                self._command_ids.popitem(last=False)
            return await self._command(served, wire, lease_s)

        return body

    async def _command(
        self, served: ServedPoint, wire: float, lease_s: float | None
    ) -> ua.StatusCode:
        if self.reject_commands:
            return _status(StatusCodes.BadInvalidState)
        value = wire * served.point.scale + served.point.offset
        verdict = self._plant.command(served.point.mrid, value, lease_s=lease_s)
        if verdict is Verdict.ACCEPTED and self._server is not None:
            # The node shows what was taken at once, as a gateway does; the plant's next tick
            # shows what the device made of it.
            now_s = self._clock.now_s()
            taken = Reading(value=value, good=True, at_s=now_s)
            self._taken[served.point.mrid] = self._shown[served.point.mrid] = taken
            await self._show(self._server, served.node, _shown_as(served, taken, _moment(now_s)))
        return _status(_STATUS[verdict])


@contextmanager
def _uncollected() -> Iterator[None]:
    """No cyclic garbage collection meanwhile: building six thousand nodes makes none, and looking
    for it took half of the start (1.24 s → 0.68 s CPU)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _shown_as(served: ServedPoint, reading: Reading | None, now: ua.DateTime) -> ua.DataValue:
    if reading is None:
        return ua.DataValue(
            ua.Variant(0, served.kind),
            StatusCode=_status(StatusCodes.UncertainInitialValue),
            ServerTimestamp=now,
        )
    return ua.DataValue(
        served.wire(reading.value),
        StatusCode=_status(StatusCodes.Good if reading.good else StatusCodes.BadDeviceFailure),
        SourceTimestamp=_moment(reading.at_s),
        ServerTimestamp=now,
    )


def _written_number(value: ua.DataValue, kind: ua.VariantType) -> float | ua.StatusCode:
    """The number that a client wrote, or why it is refused."""
    if value.SourceTimestamp is not None or value.ServerTimestamp is not None:
        return _status(StatusCodes.BadWriteNotSupported)  # as open62541 and several PLCs do
    variant = value.Value
    if variant is None or variant.VariantType is not kind:
        return _status(StatusCodes.BadTypeMismatch)
    number = variant.Value
    if not isinstance(number, int | float) or not math.isfinite(number):
        return _status(StatusCodes.BadOutOfRange)
    return float(number)


def _status(code: int) -> ua.StatusCode:
    return ua.StatusCode(ua.UInt32(code))


def _moment(seconds: float) -> ua.DateTime:
    return ua.DateTime.fromtimestamp(seconds, tz=UTC)


def _load(path: Path) -> x509.Certificate:
    data = path.read_bytes()
    if data.startswith(b"-----BEGIN"):
        return x509.load_pem_x509_certificate(data)
    return x509.load_der_x509_certificate(data)


def _application_uri(certificate: x509.Certificate) -> str:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if not uris:
        raise ValueError("the server's certificate carries no application URI")
    return uris[0]
