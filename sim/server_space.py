"""The address space of the simulated OPC UA server: one object per equipment, its points below.

Objects / <link> / <equipment> / <point>, at most 100 children per folder, because asyncua's cost
of adding a child grows with the number of children (opcua.md §4). Analog points are
AnalogUnitType, or AnalogUnitRangeType where the points file knows a range (OPC 10000-8 §5.3).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds

from sim.plant import PlantPoint
from sim.server_types import NAMESPACE, ObjectType, nodeset_text, type_of

CHILDREN_MAX: Final = 100
_UNITS_NAMESPACE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"
_UNECE: Final = {
    "kW": "KWT",
    "kvar": "KVR",
    "kWh": "KWH",
    "A": "AMP",
    "%": "P1",
    "degC": "CEL",
    "W/m2": "D54",
    "s": "SEC",
    "pu": "C62",
    "count": "C62",
}
"""UNECE Recommendation 20 codes; OPC UA carries them as the number of their ASCII bytes."""

_ADDRESS: Final = re.compile(r"nsu=(?P<uri>[^;]+);s=(?P<id>.+)")
_METHOD: Final = "method:"

MethodBody = Callable[[ua.NodeId, ua.Variant, ua.Variant, ua.Variant], Awaitable[ua.StatusCode]]
"""(parent, value, command id, valid until) → status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedPoint:
    """A point and its node: the type it is shown in, and where its lease is written, if any."""

    point: PlantPoint
    node: ua.NodeId
    kind: ua.VariantType
    lease: ua.NodeId | None

    def wire(self, value: float) -> ua.Variant:
        """`value` (the point's unit) as this node shows it."""
        raw = (value - self.point.offset) / self.point.scale
        if self.kind is ua.VariantType.Double:
            return ua.Variant(raw, self.kind)
        whole = round(raw)
        if self.kind is ua.VariantType.UInt32:
            whole %= 2**32  # a counter rolls over
        return ua.Variant(whole, self.kind)


def method_of(point: PlantPoint) -> str:
    """The method that commands `point`, "" when it is written or takes no command."""
    return point.command.removeprefix(_METHOD) if point.command.startswith(_METHOD) else ""


class SpaceBuilder:
    """Builds the nodes of one link. Raises ValueError for addresses that it cannot serve."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._namespaces: dict[str, int] = {}

    async def build(
        self, link: str, points: Sequence[PlantPoint], method: Callable[[ServedPoint], MethodBody]
    ) -> list[ServedPoint]:
        """All points of `link` as nodes; `method` makes the body of each commanding method."""
        for uri in sorted({_split(point.address)[0] for point in points}):
            self._namespaces[uri] = await self._server.register_namespace(uri)
        if NAMESPACE in self._namespaces:
            await self._server.import_xml(xmlstring=nodeset_text())
        index = next(iter(self._namespaces.values()), 1)
        root = await self._object(self._server.get_objects_node(), "", link, index)
        by_equipment: dict[str, list[PlantPoint]] = {}
        for point in points:
            by_equipment.setdefault(point.equipment, []).append(point)
        served: list[ServedPoint] = []
        parents = await self._grouped(root, link, len(by_equipment), index)
        for number, (equipment, members) in enumerate(by_equipment.items()):
            kind = type_of({_component(point) for point in members})
            home = await self._object(
                parents[number // CHILDREN_MAX], link, equipment, index, kind=kind
            )
            served += await self._equipment(home, f"{link}/{equipment}", members, index, method)
        return served

    async def _grouped(self, root: Node, name: str, count: int, index: int) -> list[Node]:
        """`root` itself, or folders below it when it would get too many children."""
        if count <= CHILDREN_MAX:
            return [root]
        groups = -(-count // CHILDREN_MAX)
        return [await self._object(root, name, f"{name}#{n + 1}", index) for n in range(groups)]

    async def _equipment(
        self,
        home: Node,
        path: str,
        points: Sequence[PlantPoint],
        index: int,
        method: Callable[[ServedPoint], MethodBody],
    ) -> list[ServedPoint]:
        names = [method_of(point) for point in points if method_of(point)]
        if len(names) != len(set(names)):
            raise ValueError(f"{path}: two points are commanded by the same method: {names}")
        # Two children per point: itself and its method or lease node.
        folders = await self._grouped(home, path, 2 * len(points), index)
        served: list[ServedPoint] = []
        for number, point in enumerate(points):
            folder = folders[2 * number // CHILDREN_MAX]
            one = await self._point(folder, point)
            served.append(one)
            if name := method_of(point):
                await self._add_method(folder, one, name, method(one))
        return served

    async def _point(self, parent: Node, point: PlantPoint) -> ServedPoint:
        served = ServedPoint(
            point=point,
            node=self._node_id(point.address),
            kind=_kind_of(point),
            lease=self._node_id(point.lease) if point.lease else None,
        )
        definition = ObjectIds.BaseDataVariableType
        if point.unit in _UNECE and served.kind is ua.VariantType.Double:
            ranged = point.min_value is not None and point.max_value is not None
            definition = ObjectIds.AnalogUnitRangeType if ranged else ObjectIds.AnalogUnitType
        await self._variable(
            parent,
            served.node,
            point.name,
            served.kind,
            definition,
            writable=point.command == "write",
            browse_name=_component(point),
        )
        await self._describe(served)
        if served.lease is not None:
            await self._variable(
                parent,
                served.lease,
                f"{point.name}.Lease",
                ua.VariantType.Double,
                ObjectIds.BaseDataVariableType,
                writable=True,
            )
        return served

    async def _describe(self, served: ServedPoint) -> None:
        point = served.point
        node = self._server.get_node(served.node)
        space = served.node.NamespaceIndex
        identifier = _split(point.address)[1]
        code = _UNECE.get(point.unit)
        if code is not None and served.kind is ua.VariantType.Double:
            unit = ua.EUInformation(
                NamespaceUri=ua.String(_UNITS_NAMESPACE),
                UnitId=ua.Int32(int.from_bytes(code.encode(), "big")),
                DisplayName=ua.LocalizedText(ua.String(point.unit)),
            )
            await node.add_property(
                _string_id(f"{identifier}.EngineeringUnits", space),
                ua.QualifiedName(ua.String("EngineeringUnits"), ua.UInt16(0)),
                unit,
            )
        if point.min_value is not None and point.max_value is not None:
            await node.add_property(
                _string_id(f"{identifier}.EURange", space),
                ua.QualifiedName(ua.String("EURange"), ua.UInt16(0)),
                ua.Range(Low=ua.Double(point.min_value), High=ua.Double(point.max_value)),
            )

    async def _add_method(
        self, parent: Node, served: ServedPoint, name: str, body: MethodBody
    ) -> None:
        space = served.node.NamespaceIndex
        arguments = [
            _argument("Value", ua.VariantType.Double, f"setpoint in {served.point.unit}"),
            _argument("CommandId", ua.VariantType.String, "a command is taken once"),
            _argument("ValidUntil", ua.VariantType.DateTime, "the setpoint reverts then, UTC"),
        ]
        await parent.add_method(
            _string_id(f"{_split(served.point.address)[1]}.{name}", space),
            ua.QualifiedName(ua.String(name), ua.UInt16(space)),
            body,
            arguments,
            [],
        )

    async def _object(
        self, parent: Node, path: str, name: str, index: int, *, kind: ObjectType | None = None
    ) -> Node:
        node = _string_id(f"{path}/{name}", index)
        definition = ua.NodeId(ua.Int32(ObjectIds.BaseObjectType))
        if kind is not None and NAMESPACE in self._namespaces:
            definition = ua.NodeId(ua.Int32(kind.node), ua.Int16(self._namespaces[NAMESPACE]))
        # Not `add_object`: it would make every optional part of the type, which we do not serve.
        await self._add(
            ua.AddNodesItem(
                ParentNodeId=parent.nodeid,
                ReferenceTypeId=ua.NodeId(ua.Int32(ObjectIds.HasComponent)),
                RequestedNewNodeId=node,
                BrowseName=ua.QualifiedName(ua.String(name), ua.UInt16(index)),
                NodeClass=ua.NodeClass.Object,
                NodeAttributes=ua.ObjectAttributes(DisplayName=ua.LocalizedText(ua.String(name))),
                TypeDefinition=definition,
            )
        )
        return self._server.get_node(node)

    async def _add(self, item: ua.AddNodesItem) -> None:
        (result,) = await self._server.iserver.isession.add_nodes([item])
        if not result.StatusCode.is_good():
            node = item.RequestedNewNodeId.Identifier
            raise ValueError(f"node {node!r}: {result.StatusCode.name}")

    async def _variable(
        self,
        parent: Node,
        node: ua.NodeId,
        name: str,
        kind: ua.VariantType,
        definition: int,
        *,
        writable: bool,
        browse_name: str = "",
    ) -> None:
        access = 0b11 if writable else 0b01  # CurrentRead, CurrentWrite
        text = ua.LocalizedText(ua.String(name))
        attributes = ua.VariableAttributes(
            DisplayName=text,
            Description=text,
            Value=ua.Variant(0, kind),
            DataType=ua.NodeId(ua.Int32(kind.value)),
            ValueRank=ua.Int32(ua.ValueRank.Scalar),
            AccessLevel=ua.Byte(access),
            UserAccessLevel=ua.Byte(access),
        )
        item = ua.AddNodesItem(
            ParentNodeId=parent.nodeid,
            ReferenceTypeId=ua.NodeId(ua.Int32(ObjectIds.HasComponent)),
            RequestedNewNodeId=node,
            BrowseName=ua.QualifiedName(
                ua.String(browse_name or name), ua.UInt16(node.NamespaceIndex)
            ),
            NodeClass=ua.NodeClass.Variable,
            NodeAttributes=attributes,
            TypeDefinition=ua.NodeId(ua.Int32(definition)),
        )
        await self._add(item)

    def _node_id(self, address: str) -> ua.NodeId:
        uri, identifier = _split(address)
        if uri not in self._namespaces:
            raise ValueError(f"{address!r}: no readable point is in this namespace")
        return _string_id(identifier, self._namespaces[uri])


def _component(point: PlantPoint) -> str:
    """What a point is to its equipment: `TotW` of `BESS01.TotW`; its name for one that is named
    otherwise."""
    prefix = f"{point.equipment}."
    return point.mrid.removeprefix(prefix) if point.mrid.startswith(prefix) else point.name


def _split(address: str) -> tuple[str, str]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(f"{address!r} is not nsu=<namespace URI>;s=<identifier>")
    return found["uri"], found["id"]


def _kind_of(point: PlantPoint) -> ua.VariantType:
    match point.kind:
        case "discrete" | "control":
            return ua.VariantType.Int32
        case "counter":
            return ua.VariantType.UInt32
        case _:
            return ua.VariantType.Double


def _argument(name: str, kind: ua.VariantType, text: str) -> ua.Argument:
    return ua.Argument(
        Name=ua.String(name),
        DataType=ua.NodeId(ua.Int32(kind.value)),
        ValueRank=ua.Int32(ua.ValueRank.Scalar),
        Description=ua.LocalizedText(ua.String(text)),
    )


def _string_id(text: str, index: int) -> ua.NodeId:
    return ua.NodeId(ua.String(text), ua.Int16(index))
