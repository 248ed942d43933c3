"""An OPC UA server on o6 (open62541 in C), as a peer for gridctl's interoperability tests.

    PYTHONPATH=<where o6 is> python server.py '{"port": 21000, "folder": "...", …}'

Prints READY when it listens, and one line `SEEN <json>` for each command that reached it. o6 ends
its process ten minutes after it was imported without a licence key; a test's server lives for
seconds.
Its own namespace is the application's URI: o6 publishes others from compiled models only.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import o6  # type: ignore[import-not-found]  # installed beside the environment
from o6.ns import ns0  # type: ignore[import-not-found]

RANGE_KW = 100.0


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def seen(**what: Any) -> None:
    say(f"SEEN {json.dumps(what)}")


class Users(o6.AccessControl):  # type: ignore[misc]
    """One user with one password; nobody else."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__(anonymous=False, username=True)
        self._user = user
        self._password = password

    def activateSession(  # noqa: N802 - o6's name
        self,
        endpoint: Any,
        remoteCertificate: bytes,  # noqa: N803 - o6's name
        session: Any,
        userIdentityToken: Any,  # noqa: N803 - o6's name
    ) -> Any:
        user = str(getattr(userIdentityToken, "userName", ""))
        word = bytes(getattr(userIdentityToken, "password", b"")).decode()
        if (user, word) != (self._user, self._password):
            raise o6.StatusCodeError(o6.StatusCode.BAD_USER_ACCESS_DENIED)
        return None


def build(server: Any, options: dict[str, Any]) -> list[Any]:
    """The same points as node-opcua's server has, as far as o6 can show them."""
    plant = server.addObject("Plant", server.objectsNode)
    counters = []
    group = plant
    for number in range(options["variables"]):
        if number % 100 == 0:
            group = server.addObject(f"G{number // 100}", plant)
        counters.append(
            server.addVariable(f"V{number}", group, np.float64(0.0), nodeId=f"ns=1;s=V{number}")
        )
    device = server.addObject("Device", plant, nodeId="ns=1;s=Device")
    setpoint = variable(server, device, "Setpoint", np.float64(0.0))
    variable(server, device, "Count", np.int32(7))
    variable(server, device, "ReadOnly", np.float64(3.5), writable=False)
    variable(server, device, "Feeders", np.array([1.5, 2.5, 3.5], dtype=np.float64))
    variable(server, device, "Mode", np.uint32(2))
    power = variable(server, device, "Power", np.float64(12.5))
    power_properties(server, power)
    if options["history"]:
        server.config.setHistoryDatabase(capacity=5000)
        past = server.addVariable(
            "Past", device, np.float64(0.0), nodeId="ns=1;s=Past", historizing=True
        )
        counters.append(past)
    add_method(server, device, setpoint)
    return counters


def variable(server: Any, parent: Any, name: str, value: Any, *, writable: bool = True) -> Any:
    return server.addVariable(
        name,
        parent,
        value,
        nodeId=f"ns=1;s={name}",
        writable=writable,
        parentReference=ns0.reftypes.HasComponent,
    )


def power_properties(server: Any, power: Any) -> None:
    for name, value in (
        ("EURange", ns0.datatypes.Range(low=-500.0, high=500.0)),
        (
            "EngineeringUnits",
            ns0.datatypes.EUInformation(
                namespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
                unitId=4937556,
                displayName=o6.LocalizedText("kW"),
            ),
        ),
    ):
        server.addVariable(
            name,
            power,
            value,
            nodeId=f"ns=1;s=Power.{name}",
            ns=0,
            typeDefinition=ns0.vartypes.PropertyType,
            parentReference=ns0.reftypes.HasProperty,
        )


def add_method(server: Any, device: Any, setpoint: Any) -> None:
    def set_w_max(node: Any, kw: Any, command: Any, until: Any) -> tuple[Any, ...]:
        seen(call=float(kw), id=str(command), until=str(until))
        if abs(float(kw)) > RANGE_KW:
            return (o6.StatusCode.BAD_OUT_OF_RANGE,)
        taken.append(float(kw))
        return (o6.StatusCode.GOOD,)

    taken: list[float] = []

    def obey() -> None:
        while True:
            if taken:
                server.write(setpoint, np.float64(taken.pop(0)))
            time.sleep(0.01)

    inputs = [
        ns0.datatypes.Argument(name=name, dataType=kind, valueRank=-1)
        for name, kind in (("kW", "i=11"), ("CommandId", "i=12"), ("ValidUntil", "i=13"))
    ]
    server.addMethod(
        "SetWMax",
        device,
        set_w_max,
        inputArgs=inputs,
        outputArgs=[],
        nodeId=o6.NodeId("ns=1;s=SetWMax"),
    )
    threading.Thread(target=obey, daemon=True).start()


def main() -> None:
    options = json.loads(sys.argv[1])
    folder = Path(options["folder"])
    server = o6.Server(
        port=options["port"],
        certificate=folder / "server.der",
        privateKey=folder / "server.pem",
        trustList=[folder / name for name in options["trusted"]],
        issuerList=[folder / name for name in options["issuers"]],
        revocationList=[folder / name for name in options["revocations"]],
        secureOnly=options.get("closed", False),  # then not even GetEndpoints is answered
        applicationUri=options["application_uri"],
        accessControl=Users(options["user"], options["password"]),
    )
    counters = build(server, options)
    server.start()
    threading.Thread(target=obey_orders, args=(server,), daemon=True).start()
    say("READY")
    count = 0
    while True:
        time.sleep(1.0 / options["hz"] if options["hz"] > 0 else 1.0)
        count += 1
        if options["hz"] > 0:
            server.write(counters, [np.float64(count)] * len(counters))


def obey_orders(server: Any) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "add_variable" in order:
            name = order["add_variable"]
            server.addVariable(name, server.objectsNode, np.float64(1.0), nodeId=f"ns=1;s={name}")
        say("DONE")
    os._exit(0)  # the test that started us is gone; from a thread, so sys.exit would not do


main()
