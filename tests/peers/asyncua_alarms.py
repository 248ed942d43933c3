"""An asyncua server with one alarm. Acknowledge, which asyncua lacks, is this file's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.methods import uamethod
from asyncua.server.event_generator import EventGenerator
from asyncua.server.server import Server
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from protocols.opcua.codec import node_id
from sim.server_hardening import OneUser
from tests.peers.opcua import PASSWORD, USER

NAMESPACE = "urn:gridctl:peer"
NAME = "OilHot"


class AlarmingServer:
    """Shows the point `V0` and the alarm OilHot of T1. `acknowledges` is what the device answers
    to an acknowledgement."""

    def __init__(self, *, port: int, folder: Path) -> None:
        self._port = port
        self._folder = folder
        self.acknowledged: list[str] = []
        self.acknowledges = StatusCodes.Good
        self._server: Server | None = None
        self._alarm: EventGenerator | None = None

    async def start(self) -> None:
        server = self._server = Server(user_manager=OneUser(user=USER, password=PASSWORD))
        server.iserver.bind_condition_methods = True
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{self._port}/gridctl")
        await server.set_application_uri("urn:gridctl:peer:server")
        await server.load_certificate(self._folder / "server.der")
        await server.load_private_key(self._folder / "server.pem")
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
        server.set_identity_tokens([ua.UserNameIdentityToken])
        index = await server.register_namespace(NAMESPACE)
        device = await server.nodes.objects.add_object(node_id("T1", index), f"{index}:T1")
        await device.add_variable(node_id("V0", index), f"{index}:V0", 1.0)
        condition = node_id(NAME, index)
        await device.add_object(condition, f"{index}:{NAME}")
        alarm = self._alarm = await server.get_event_generator(ObjectIds.AlarmConditionType)
        alarm.event.NodeId = condition
        alarm.event.ConditionName = NAME
        alarm.event.SourceName = "T1"
        server.iserver.isession.add_method_callback(
            node_id(ObjectIds.AcknowledgeableConditionType_Acknowledge), self._acknowledge
        )
        await server.start()

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    async def show(self, *, active: bool, acked: bool, severity: int = 850) -> None:
        """The alarm goes into this state; it is retained while somebody has to care."""
        alarm = self._alarm
        assert alarm is not None
        event: Any = alarm.event
        setattr(event, "ActiveState/Id", active)
        setattr(event, "AckedState/Id", acked)
        event.Retain = active or not acked
        event.Severity = severity
        event.Message = ua.LocalizedText("oil at 96 °C" if active else "oil cools down")
        await alarm.trigger()

    @uamethod
    async def _acknowledge(
        self, parent: ua.NodeId, event_id: bytes, comment: ua.LocalizedText
    ) -> ua.StatusCode | None:
        alarm = self._alarm
        assert alarm is not None
        if self.acknowledges != StatusCodes.Good:
            return ua.StatusCode(ua.UInt32(self.acknowledges))
        if event_id != alarm.event.EventId.Value:
            return ua.StatusCode(ua.UInt32(StatusCodes.BadEventIdUnknown))
        self.acknowledged.append(str(comment.Text))
        await self.show(active=getattr(alarm.event, "ActiveState/Id"), acked=True)
        return None
