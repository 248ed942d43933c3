"""The object types of the simulated OPC UA server, as data and as NodeSet2 (opcua.md §7).

No released companion specification knows feeders, breakers, DER or load groups; these four types
carry IEC 61850 names where there are any. `sim/nodeset/gridctl.feeder.NodeSet2.xml` is made from
this file (`make docs`) and can be given to any client.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final
from xml.sax.saxutils import quoteattr

NAMESPACE: Final = "urn:gridctl:feeder:1"
FILE: Final = "nodeset/gridctl.feeder.NodeSet2.xml"
_PUBLISHED: Final = "2026-11-01T00:00:00Z"
_NEEDED: Final = (
    'ModelUri="http://opcfoundation.org/UA/" Version="1.04" PublicationDate="2019-05-01T00:00:00Z"'
)
_DOUBLE, _INT32, _UINT32 = 11, 6, 7
_IDS_PER_TYPE: Final = 100
_FIRST_ID: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A variable that an object of the type may have."""

    name: str
    data_type: int
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """One type; every component is optional: a device shows what it has. `known_by`: the components
    by which an object of this type is recognised."""

    name: str
    node: int
    says: str
    components: tuple[Component, ...]
    methods: tuple[tuple[str, str], ...]
    known_by: frozenset[str]


def _kw(name: str, says: str) -> Component:
    return Component(name=name, data_type=_DOUBLE, says=says)


_SWITCHES: Final = (
    Component(
        name="Remote", data_type=_INT32, says="1 when the switch stands at remote (not Loc)."
    ),
    Component(name="Flt", data_type=_INT32, says="1 when the device reports a fault."),
)

TYPES: Final = (
    ObjectType(
        name="FeederType", node=_FIRST_ID, says="The head of a feeder (MMXU).",
        components=(
            _kw("TotW", "Active power into the feeder, kW."),
            _kw("TotVAr", "Reactive power into the feeder, kvar."),
            _kw("A.A", "Current of phase A, A."), _kw("A.B", "Current of phase B, A."),
            _kw("A.C", "Current of phase C, A."),
        ),
        methods=(), known_by=frozenset({"TotVAr", "A.A"}),
    ),
    ObjectType(
        name="BreakerType", node=_FIRST_ID + _IDS_PER_TYPE, says="A breaker or switch (XCBR).",
        components=(
            Component(name="Pos", data_type=_INT32, says="1 closed, 0 open."),
            Component(name="Ops", data_type=_UINT32, says="Operations."), *_SWITCHES,
        ),
        methods=(), known_by=frozenset({"Pos"}),
    ),
    ObjectType(
        name="DerType", node=_FIRST_ID + 2 * _IDS_PER_TYPE,
        says="A battery, PV inverter or generator (DRCC, ZBTC).",
        components=(
            _kw("WSpt", "Setpoint, kW injected."), _kw("WSptFb", "Setpoint in force, kW."),
            _kw("WLim", "Most active power, kW."), _kw("WLimFb", "Limit in force, kW."),
            _kw("TotW", "Active power injected, kW."), _kw("Avail", "Available, kW."),
            _kw("SoC", "State of charge, %."), *_SWITCHES,
        ),
        methods=(("SetW", "Setpoint with CommandId and ValidUntil; refuses late and twice."),),
        known_by=frozenset({"WSpt", "WLim"}),
    ),
    ObjectType(
        name="LoadGroupType", node=_FIRST_ID + 3 * _IDS_PER_TYPE,
        says="Curtailable customers behind one control.",
        components=(
            _kw("ShedSpt", "Load to shed, kW."), _kw("ShedFb", "Shed in force, kW."),
            _kw("TotW", "Load, kW."), _kw("Avail", "Can be shed now, kW."), *_SWITCHES,
        ),
        methods=(("SetLoadShed", "Shed with CommandId and ValidUntil."),),
        known_by=frozenset({"ShedSpt"}),
    ),
)  # fmt: skip


def type_of(components: Collection[str]) -> ObjectType | None:
    """The type of an object with these components, None for one of no type."""
    return next((t for t in TYPES if t.known_by & set(components)), None)


def nodeset_text() -> str:
    """The NodeSet2 that ships."""
    return files("sim").joinpath(FILE).read_text(encoding="utf-8")


def nodeset() -> str:
    """The types as NodeSet2 XML (OPC 10000-6 Annex F)."""
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<!-- Made from sim/server_types.py by `make docs`. -->",
        '<UANodeSet xmlns="http://opcfoundation.org/UA/2011/03/UANodeSet.xsd">',
        f"  <NamespaceUris><Uri>{NAMESPACE}</Uri></NamespaceUris>",
        "  <Models>",
        f'    <Model ModelUri="{NAMESPACE}" Version="1.0.0" PublicationDate="{_PUBLISHED}">',
        f"      <RequiredModel {_NEEDED}/>",
        "    </Model>",
        "  </Models>",
        "  <Aliases>",
        '    <Alias Alias="HasModellingRule">i=37</Alias>',
        '    <Alias Alias="HasTypeDefinition">i=40</Alias>',
        '    <Alias Alias="HasSubtype">i=45</Alias>',
        '    <Alias Alias="HasComponent">i=47</Alias>',
        "  </Aliases>",
        *(line for kind in TYPES for line in _type(kind)),
        "</UANodeSet>",
    ]
    return "\n".join(lines) + "\n"


def _type(kind: ObjectType) -> Iterator[str]:
    yield f'  <UAObjectType NodeId="ns=1;i={kind.node}" BrowseName="1:{kind.name}">'
    yield f"    <DisplayName>{kind.name}</DisplayName>"
    yield f"    <Description>{kind.says}</Description>"
    yield (
        '    <References><Reference ReferenceType="HasSubtype" IsForward="false">i=58</Reference>'
        "</References>"
    )
    yield "  </UAObjectType>"
    for number, part in enumerate(kind.components, start=1):
        where = f'NodeId="ns=1;i={kind.node + number}" BrowseName={quoteattr("1:" + part.name)}'
        parent = f'ParentNodeId="ns=1;i={kind.node}" DataType="i={part.data_type}"'
        yield f"  <UAVariable {where} {parent}>"
        yield from _member(kind, part.name, part.says, "i=63")
        yield "  </UAVariable>"
    for number, (name, says) in enumerate(kind.methods, start=_IDS_PER_TYPE // 2):
        where = f'NodeId="ns=1;i={kind.node + number}" BrowseName="1:{name}"'
        yield f'  <UAMethod {where} ParentNodeId="ns=1;i={kind.node}">'
        yield from _member(kind, name, says, "")
        yield "  </UAMethod>"


def _member(kind: ObjectType, name: str, says: str, definition: str) -> Iterator[str]:
    yield f"    <DisplayName>{name}</DisplayName>"
    yield f"    <Description>{says}</Description>"
    yield "    <References>"
    if definition:
        yield f'      <Reference ReferenceType="HasTypeDefinition">{definition}</Reference>'
    yield '      <Reference ReferenceType="HasModellingRule">i=80</Reference>'
    owner = f"ns=1;i={kind.node}"
    yield f'      <Reference ReferenceType="HasComponent" IsForward="false">{owner}</Reference>'
    yield "    </References>"
