"""The notation of OPC UA points in the points file.

    nsu=<namespace URI>;s=<text>     nsu=<namespace URI>;i=<number>     one value
    nsu=<namespace URI>;g=<GUID>     nsu=<namespace URI>;b=<base64>
    range=<i>;nsu=…                  element i of an array (range=<i>,<j> of a matrix); read only

Namespaces by URI: the index is a server's own and changes with its restart.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from dataclasses import dataclass
from typing import Final, TypeAlias

from gridctl.model.errors import ConfigError
from protocols.driver import PointAddress

_ADDRESS: Final = re.compile(
    r"(?:range=(?P<range>\d{1,9}(?:,\d{1,9}){0,3});)?nsu=(?P<uri>[^;]+);(?P<kind>[sigb])=(?P<id>.+)"
)
_METHOD: Final = re.compile(r"method:(?P<name>[^\s:][^:]*)")

Identifier: TypeAlias = str | int | uuid.UUID | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddress:
    """A node by namespace URI."""

    namespace: str
    identifier: Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a point is, and how it is commanded: `method` is a browse name on the parent object,
    "" for a guarded write or a point that takes no command. `element`: which one of an array, ()
    for a single value."""

    row: PointAddress
    node: NodeAddress
    commandable: bool
    method: str
    lease: NodeAddress | None
    element: tuple[int, ...] = ()


def parse_address(text: str) -> tuple[NodeAddress, tuple[int, ...]] | None:
    """A node and the element of its array; None when `text` is not in the notation."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    identifier = _identifier(found["kind"], found["id"])
    if identifier is None:
        return None
    element = tuple(int(one) for one in found["range"].split(",")) if found["range"] else ()
    return NodeAddress(namespace=found["uri"], identifier=identifier), element


def parse_node(text: str) -> NodeAddress | None:
    """A node without a range; None when it is not one."""
    found = parse_address(text)
    return found[0] if found is not None and not found[1] else None


def format_node(namespace: str, identifier: Identifier) -> str:
    """The notation of a node, ready for the points file."""
    match identifier:
        case int():
            return f"nsu={namespace};i={identifier}"
        case uuid.UUID():
            return f"nsu={namespace};g={identifier}"
        case bytes():
            return f"nsu={namespace};b={base64.b64encode(identifier).decode()}"
        case _:
            return f"nsu={namespace};s={identifier}"


def read_target(row: PointAddress) -> Target:
    """The row in OPC UA's notation. Raises ConfigError that names file, line and column."""
    node, element = _address(row, row.address, "address")
    method = _method(row)
    if element and row.point.kind.commandable:
        raise ConfigError(
            "an element of an array takes no command",
            file=row.file,
            key=f"{row.line}:address",
            hint="servers replace the whole array; give the setpoint a node of its own",
        )
    if row.enable:
        raise ConfigError(
            "an OPC UA point has no enabling output",
            file=row.file,
            key=f"{row.line}:enable",
            hint="leave the cell empty; a server enables with the setpoint itself",
        )
    if method and row.lease:
        raise ConfigError(
            "a method carries its lease itself (valid_until)",
            file=row.file,
            key=f"{row.line}:lease",
            hint="leave the cell empty",
        )
    return Target(
        row=row,
        node=node,
        commandable=row.point.kind.commandable,
        method=method,
        lease=_address(row, row.lease, "lease")[0] if row.lease else None,
        element=element,
    )


def _identifier(kind: str, text: str) -> Identifier | None:
    try:
        match kind:
            case "s":
                return text
            case "i":
                number = int(text) if text.isdecimal() else -1
                return number if 0 <= number < 2**32 else None
            case "g":
                return uuid.UUID(text)
            case _:
                return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


def _method(row: PointAddress) -> str:
    if not row.point.kind.commandable or row.command == "write":
        return ""
    found = _METHOD.fullmatch(row.command)
    if found is None:
        raise ConfigError(
            f"command {row.command!r} is not one that OPC UA has",
            file=row.file,
            key=f"{row.line}:command",
            hint="`write`, or `method:NAME` with a method of the parent object",
        )
    return found["name"]


def _address(row: PointAddress, text: str, column: str) -> tuple[NodeAddress, tuple[int, ...]]:
    found = parse_address(text)
    if found is None or (found[1] and column == "lease"):
        raise ConfigError(
            f"{text!r} is not an OPC UA node",
            file=row.file,
            key=f"{row.line}:{column}",
            hint="nsu=<namespace URI>;s=<identifier>, for instance "
            "nsu=urn:gridctl:feeder:1;s=BESS01.TotW; a namespace index (ns=) is a server's own",
        )
    return found
