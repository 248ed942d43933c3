"""Methods of a server's devices: looked up once, called by their ids."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.uaerrors import UaStatusCodeError

from protocols.opcua.addresses import NodeAddress, Target
from protocols.opcua.codec import node_id, status_name
from protocols.opcua.connection import WIRE_ERRORS, Connection

_log = logging.getLogger(__name__)


class Methods:
    """The methods of one connection's targets, as far as they were looked up."""

    def __init__(self, connection: Connection, targets: Sequence[Target]) -> None:
        self._connection = connection
        self._targets = targets
        self._known: dict[tuple[NodeAddress, str], tuple[ua.NodeId, ua.NodeId]] = {}

    async def learn(self) -> None:
        """Look up the methods of all targets now, so that the first command of a device need not:
        two browses stood between its approval and the wire. Ends early when the connection does;
        what is not found is looked up again, and said, with the command."""
        for target in self._targets:
            if not target.method:
                continue
            try:
                await self.find(target.node, target.method)
            except UaStatusCodeError as error:
                _log.debug("method %s: %s", target.method, status_name(error.code))
            except WIRE_ERRORS:
                return

    async def find(self, address: NodeAddress, name: str) -> tuple[ua.NodeId, ua.NodeId] | None:
        """(object, method) where the parent object of `address` has a method of that name."""
        known = self._known.get((address, name))
        if known is not None:
            return known
        node = self._connection.node(address)
        if node is None:
            return None
        for parent in await self._references(
            node, ua.BrowseDirection.Inverse, ObjectIds.HierarchicalReferences, ua.NodeClass.Object
        ):
            for child in await self._references(
                parent.NodeId,
                ua.BrowseDirection.Forward,
                ObjectIds.HasComponent,
                ua.NodeClass.Method,
            ):
                if child.BrowseName.Name == name:
                    found = (parent.NodeId, child.NodeId)
                    self._known[address, name] = found
                    return found
        return None

    async def _references(
        self, node: ua.NodeId, direction: ua.BrowseDirection, reference: int, kind: ua.NodeClass
    ) -> Sequence[ua.ReferenceDescription]:
        (result,) = await self._connection.browse(
            [
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
        return result.References or ()
