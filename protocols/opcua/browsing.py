"""The address space walked breadth first: many nodes a request, cut answers continued, bounded.

A walk ends when everything was seen, when there are more nodes than asked for, or when its time is
over; it says which. Servers with loops, ten thousand children in one folder, or references to
themselves are ordinary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from gridctl.model.clock import Clock
from protocols.opcua.codec import node_id
from protocols.opcua.connection import Connection

BATCH_MAX: Final = 100
_REFERENCES_MAX: Final = 1_000
_DEPTH_MAX: Final = 32
_CONTINUATIONS_MAX: Final = 10_000
_CLASSES: Final = int(ua.NodeClass.Object) | int(ua.NodeClass.Variable) | int(ua.NodeClass.Method)
_SKIPPED: Final = frozenset({ObjectIds.Server, ObjectIds.Aliases, ObjectIds.Locations})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One node. `parent`: the node under which it was seen first; `path`: browse names from
    Objects on. `is_property`: it says something about its parent and is no point of its own."""

    node: ua.NodeId
    name: str
    path: str
    parent: ua.NodeId
    node_class: ua.NodeClass
    is_property: bool


@dataclass(slots=True)
class Walk:
    """What was seen. `cut`: why there may be more, "" when everything was seen."""

    found: list[Found] = field(default_factory=list)
    cut: str = ""


@dataclass(frozen=True, slots=True)
class _Step:
    node: ua.NodeId
    path: str
    depth: int


async def walk(
    connection: Connection, *, clock: Clock, variables_max: int, deadline_s: float
) -> Walk:
    """Everything below the Objects folder but the server's own diagnostics. `deadline_s` in
    monotonic seconds. Raises what the connection raises."""
    seen: set[ua.NodeId] = set()
    done = Walk()
    variables = 0
    level = [_Step(node_id(ObjectIds.ObjectsFolder), "", 0)]
    while level:
        below: list[_Step] = []
        for batch in _batches(level, min(BATCH_MAX, connection.limit("browse"))):
            if clock.monotonic_s() > deadline_s:
                done.cut = "the time for browsing was over"
                return done
            for step, references in await _children(connection, batch):
                for reference in references:
                    found = _found(step, reference)
                    if found is None or found.node in seen:
                        continue
                    seen.add(found.node)
                    done.found.append(found)
                    is_point = found.node_class is ua.NodeClass.Variable and not found.is_property
                    variables += is_point
                    if variables > variables_max:
                        done.found.pop()
                        done.cut = f"the server has more than {variables_max} variables"
                        return done
                    if found.node_class is not ua.NodeClass.Method and not found.is_property:
                        below.append(_Step(found.node, found.path, step.depth + 1))
        if below and below[0].depth > _DEPTH_MAX:
            done.cut = f"the address space is deeper than {_DEPTH_MAX} levels"
            return done
        level = below
    return done


def _batches(steps: Sequence[_Step], size: int) -> Iterator[Sequence[_Step]]:
    for start in range(0, len(steps), size):
        yield steps[start : start + size]


async def _children(
    connection: Connection, batch: Sequence[_Step]
) -> list[tuple[_Step, list[ua.ReferenceDescription]]]:
    """The children of each node of the batch, all of them, in as many answers as it takes."""
    results = await connection.browse(
        [_wanted(step.node) for step in batch], references_max=_REFERENCES_MAX
    )
    children = [
        (step, list(one.References or ())) for step, one in zip(batch, results, strict=True)
    ]
    # A server holds few continuation points at a time: those of one batch, continued together.
    open_ = [(at, one.ContinuationPoint) for at, one in enumerate(results) if one.ContinuationPoint]
    for _ in range(_CONTINUATIONS_MAX):
        if not open_:
            break
        more = await connection.browse_next([point for _, point in open_])
        still = []
        for (at, _point), one in zip(open_, more, strict=True):
            children[at][1].extend(one.References or ())
            if one.ContinuationPoint:
                still.append((at, one.ContinuationPoint))
        open_ = still
    if open_:
        await connection.browse_next([point for _, point in open_], release=True)
    return children


def _wanted(node: ua.NodeId) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=ua.BrowseDirection.Forward,
        ReferenceTypeId=node_id(ObjectIds.HierarchicalReferences),
        IncludeSubtypes=True,
        NodeClassMask=ua.UInt32(_CLASSES),
        ResultMask=ua.BrowseResultMask.All,
    )


def _found(step: _Step, reference: ua.ReferenceDescription) -> Found | None:
    """The node at the other end; None for what lies on another server, or in the server's own
    diagnostics."""
    target = reference.NodeId
    if getattr(target, "ServerIndex", 0):
        return None
    if target.NamespaceIndex == 0 and target.Identifier in _SKIPPED:
        return None
    name = str(reference.BrowseName.Name)
    kind = reference.ReferenceTypeId
    return Found(
        node=ua.NodeId(target.Identifier, target.NamespaceIndex, target.NodeIdType),
        name=name,
        path=f"{step.path}/{name}" if step.path else name,
        parent=step.node,
        node_class=ua.NodeClass(reference.NodeClass),
        is_property=(kind.NamespaceIndex, kind.Identifier) == (0, ObjectIds.HasProperty),
    )
