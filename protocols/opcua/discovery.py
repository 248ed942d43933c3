"""What an OPC UA server has, asked by reading only: fulfils `protocols.discovery.Discover`.

The address space is walked (`browsing.py`), then types, access, ranges, units and values are read
in batches. Elements of arrays become points of their own; structures are named with the reason why
they are none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from gridctl.model.clock import Clock
from gridctl.model.errors import UnavailableError
from protocols.discovery import DeviceAttribute, Discovery, FoundPoint, Trace
from protocols.driver import LinkSettings
from protocols.opcua.addresses import format_node, parse_address
from protocols.opcua.attributes import (
    arguments_of,
    kind_of,
    offer_of,
    range_of,
    text_of,
    type_name,
    unit_of,
    word_of,
    words_of,
)
from protocols.opcua.browsing import Found, walk
from protocols.opcua.codec import is_bad, no_number, node_id, number_of, quality_of, status_name
from protocols.opcua.connection import WIRE_ERRORS, Connection, reason_of
from protocols.opcua.endpoints import endpoints_of
from protocols.opcua.settings import OpcUaSettings, read_settings
from protocols.opcua.trace import WireLog
from protocols.opcua.wire import Sample
from protocols.traffic import Traffic

_ELEMENTS_MAX: Final = 64
_BROWSE_SHARE: Final = 0.7  # of the time; the rest is for reading what was found
_CURRENT_READ: Final = 0x01
_CURRENT_WRITE: Final = 0x02
_HISTORY_READ: Final = 0x04

_ENUM_PROPERTIES: Final = ("EnumStrings", "EnumValues", "TrueState", "FalseState")
_READ: Final = (
    AttributeIds.Value,
    AttributeIds.DataType,
    AttributeIds.UserAccessLevel,
    AttributeIds.AccessLevel,
)


async def discover(
    settings: LinkSettings,
    *,
    clock: Clock,
    ask: Sequence[str],
    points_max: int,
    timeout_s: float,
    trace: Trace | None = None,
) -> Discovery:
    """The whole server, within `timeout_s` real seconds. Raises ConfigError for options that cannot
    be used, UnavailableError with the reason when the server cannot be reached."""
    judged = read_settings(settings)
    started_s = clock.monotonic_s()
    log = None if trace is None else WireLog(clock.now_s)
    connection = Connection(judged, judged.urls[0], clock=clock, traffic=Traffic(), trace=log)
    try:
        async with asyncio.timeout(timeout_s):
            await connection.open()
            survey = _Survey(connection, judged, clock)
            found = await survey.run(
                ask=ask,
                points_max=points_max,
                browse_until_s=started_s + _BROWSE_SHARE * timeout_s,
            )
    except WIRE_ERRORS as error:
        raise UnavailableError(f"{judged.urls[0]}: {reason_of(error)}") from error
    finally:
        await connection.close()
        if trace is not None and log is not None:
            for line in log.lines():
                trace(line)
    return replace(found, took_s=clock.monotonic_s() - started_s)


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable and what was read about it."""

    found: Found
    value: Sample
    data_type: object
    access: int
    properties: Mapping[str, object]


class _Survey:
    """One server's survey over one connection."""

    def __init__(self, connection: Connection, settings: OpcUaSettings, clock: Clock) -> None:
        self._connection = connection
        self._settings = settings
        self._clock = clock
        self._uris = {index: uri for uri, index in connection.namespaces.items()}
        self._notes: list[str] = []

    async def run(self, *, ask: Sequence[str], points_max: int, browse_until_s: float) -> Discovery:
        attributes = await self._attributes()
        walked = await walk(
            self._connection,
            clock=self._clock,
            variables_max=points_max,
            deadline_s=browse_until_s,
        )
        if walked.cut:
            self._notes.append(walked.cut)
        methods = [one for one in walked.found if one.node_class is ua.NodeClass.Method]
        attributes += await self._method_lines(methods, walked.found)
        variables = await self._variables(walked.found)
        points = [point for one in variables for point in self._points(one)]
        asked, absent = await self._ask(ask, {point.address for point in points})
        return Discovery(
            protocol="opcua",
            endpoint=self._connection.url,
            attributes=tuple(attributes),
            points=(*points[:points_max], *asked),
            notes=tuple(self._notes),
            absent=tuple(absent),
            truncated=bool(walked.cut) or len(points) > points_max,
        )

    async def _attributes(self) -> list[DeviceAttribute]:
        """What the server says about itself, its limits and its endpoints."""
        limits = "Server_ServerCapabilities_OperationLimits_"
        wanted = {
            "product": ObjectIds.Server_ServerStatus_BuildInfo_ProductName,
            "manufacturer": ObjectIds.Server_ServerStatus_BuildInfo_ManufacturerName,
            "software version": ObjectIds.Server_ServerStatus_BuildInfo_SoftwareVersion,
            "state": ObjectIds.Server_ServerStatus_State,
            "started": ObjectIds.Server_ServerStatus_StartTime,
            "service level": ObjectIds.Server_ServiceLevel,
            "redundancy": ObjectIds.Server_ServerRedundancy_RedundancySupport,
            "nodes per read": getattr(ObjectIds, f"{limits}MaxNodesPerRead"),
            "items per call": getattr(ObjectIds, f"{limits}MaxMonitoredItemsPerCall"),
            "nodes per browse": getattr(ObjectIds, f"{limits}MaxNodesPerBrowse"),
        }
        samples = await self._connection.read([node_id(node) for node in wanted.values()])
        told = [
            DeviceAttribute(name=name, value=word_of(name, sample.value), native=f"i={node}")
            for (name, node), sample in zip(wanted.items(), samples, strict=True)
            if not is_bad(sample.status) and sample.value is not None
        ]
        told += [
            DeviceAttribute(name=f"namespace {index}", value=uri)
            for index, uri in sorted(self._uris.items())
        ]
        expires_s = self._connection.certificate_expires_s
        if expires_s is not None:
            ends = datetime.fromtimestamp(expires_s, tz=UTC)
            told.append(
                DeviceAttribute(name="certificate ends", value=f"{ends:%Y-%m-%d %H:%M} UTC")
            )
        return told + await self._endpoint_lines()

    async def _endpoint_lines(self) -> list[DeviceAttribute]:
        try:
            offered = await endpoints_of(self._connection.url, timeout_s=self._settings.timeout_s)
        except WIRE_ERRORS as error:
            self._notes.append(f"the endpoints are shown to nobody: {reason_of(error)}")
            return []
        lines = {
            offer_of(one): ", ".join(
                sorted({token.TokenType.name for token in one.UserIdentityTokens or ()})
            )
            for one in offered
        }
        return [
            DeviceAttribute(name=f"endpoint {name}", value=users) for name, users in lines.items()
        ]

    async def _method_lines(
        self, methods: Sequence[Found], found: Sequence[Found]
    ) -> list[DeviceAttribute]:
        arguments = {
            one.parent: one.node
            for one in found
            if one.name == "InputArguments" and one.is_property
        }
        # The walk does not go below methods: their arguments are asked for by path.
        nodes = [arguments.get(one.node) for one in methods]
        missing = [one.node for one, node in zip(methods, nodes, strict=True) if node is None]
        below = await self._input_arguments(missing)
        asked = {
            one.node: node or below.get(one.node) for one, node in zip(methods, nodes, strict=True)
        }
        known = {node: at for node, at in asked.items() if at is not None}
        samples = await self._connection.read(list(known.values()))
        told = dict(zip(known, samples, strict=True))
        return [
            DeviceAttribute(
                name="method",
                value=f"{one.path}({arguments_of(told.get(one.node))})",
                native=self._address(one.node),
            )
            for one in methods
        ]

    async def _input_arguments(self, methods: Sequence[ua.NodeId]) -> dict[ua.NodeId, ua.NodeId]:
        found: dict[ua.NodeId, ua.NodeId] = {}
        size = min(100, self._connection.limit("browse"))
        for start in range(0, len(methods), size):
            batch = methods[start : start + size]
            results = await self._connection.browse(
                [
                    ua.BrowseDescription(
                        NodeId=node,
                        BrowseDirection=ua.BrowseDirection.Forward,
                        ReferenceTypeId=node_id(ObjectIds.HasProperty),
                        IncludeSubtypes=True,
                        NodeClassMask=ua.NodeClass.Variable,
                        ResultMask=ua.BrowseResultMask.All,
                    )
                    for node in batch
                ]
            )
            for node, result in zip(batch, results, strict=True):
                for one in result.References or ():
                    if one.BrowseName.Name == "InputArguments":
                        found[node] = one.NodeId
        return found

    async def _variables(self, found: Sequence[Found]) -> list[_Variable]:
        points = [
            one for one in found if one.node_class is ua.NodeClass.Variable and not one.is_property
        ]
        wanted = [
            ua.ReadValueId(NodeId=one.node, AttributeId=attribute)
            for one in points
            for attribute in _READ
        ]
        answers = await self._connection.read_values(wanted)
        properties = await self._properties(found)
        step = len(_READ)
        variables = []
        for at, one in enumerate(points):
            value, data_type, user, access = answers[step * at : step * (at + 1)]
            level = user.value if isinstance(user.value, int) else access.value
            variables.append(
                _Variable(
                    found=one,
                    value=value,
                    data_type=data_type.value,
                    access=level if isinstance(level, int) else 0,
                    properties=properties.get(one.node, {}),
                )
            )
        return variables

    async def _properties(self, found: Sequence[Found]) -> dict[ua.NodeId, dict[str, object]]:
        """Range, unit and the words of enumerations, by the variable that they describe."""
        names = ("EURange", "EngineeringUnits", *_ENUM_PROPERTIES)
        asked = [one for one in found if one.is_property and one.name in names]
        samples = await self._connection.read([one.node for one in asked])
        by_parent: dict[ua.NodeId, dict[str, object]] = {}
        for one, sample in zip(asked, samples, strict=True):
            if not is_bad(sample.status):
                by_parent.setdefault(one.parent, {})[one.name] = sample.value
        return by_parent

    def _points(self, variable: _Variable) -> Iterator[FoundPoint]:
        """The variable as points: itself, or each element of its array."""
        address = self._address(variable.found.node)
        value = variable.value.value
        whole = self._point(variable, address, variable.value, "")
        if not isinstance(value, list) or not value or isinstance(value[0], list):
            yield whole
            return
        if len(value) > _ELEMENTS_MAX:
            yield replace(whole, note=f"an array of {len(value)}: name the element, range=<i>;…")
            return
        for index, element in enumerate(value):
            sample = variable.value._replace(value=element)
            one = self._point(variable, f"range={index};{address}", sample, f"[{index}]")
            yield replace(one, writable=False, command="")

    def _point(self, variable: _Variable, address: str, sample: Sample, suffix: str) -> FoundPoint:
        low, high = range_of(variable.properties.get("EURange"))
        unit, unit_text = unit_of(variable.properties.get("EngineeringUnits"))
        readable = bool(variable.access & _CURRENT_READ)
        numeric = number_of(sample.value) is not None
        writable = bool(variable.access & _CURRENT_WRITE) and numeric
        enumeration = words_of(variable.properties)
        notes = [
            "" if readable else "may not be read by this user",
            (no_number(sample, ()) or "") if readable else "",
            enumeration,
            "keeps a history" if variable.access & _HISTORY_READ else "",
        ]
        return FoundPoint(
            address=address,
            name=variable.found.name + suffix,
            path=variable.found.path + suffix,
            kind=kind_of(sample, enumeration),
            native_type=type_name(variable.data_type, sample),
            unit=unit,
            unit_text=unit_text,
            low=low,
            high=high,
            writable=writable,
            command="write" if writable else "",
            value=number_of(sample.value),
            value_text=text_of(sample.value),
            quality=quality_of(sample.status),
            note="; ".join(note for note in notes if note),
        )

    async def _ask(
        self, ask: Sequence[str], listed: set[str]
    ) -> tuple[list[FoundPoint], list[str]]:
        """Addresses that no listing brought, read one by one."""
        points: list[FoundPoint] = []
        absent: list[str] = []
        for address in ask:
            if address in listed:
                continue
            parsed = parse_address(address)
            node = None if parsed is None else self._connection.node(parsed[0])
            if parsed is None or node is None:
                absent.append(address)
                continue
            (sample,) = await self._connection.read([node])
            if status_name(sample.status) in ("BadNodeIdUnknown", "BadNodeIdInvalid"):
                absent.append(address)
                continue
            points.append(
                FoundPoint(
                    address=address,
                    native_type=type_name(None, sample),
                    value=number_of(sample.value, parsed[1]),
                    value_text=text_of(sample.value),
                    quality=quality_of(sample.status),
                    note=no_number(sample, parsed[1]) or "",
                )
            )
        return points, absent

    def _address(self, node: ua.NodeId) -> str:
        uri = self._uris.get(node.NamespaceIndex, f"?{node.NamespaceIndex}")
        identifier: Any = node.Identifier
        return format_node(uri, identifier)
