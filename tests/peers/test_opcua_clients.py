"""Clients that nobody of gridctl wrote, at the simulator's OPC UA server: discovery, types, reads,
methods with CommandId and ValidUntil, writes inside and outside the EURange."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gridctl.wallclock import system_clock
from sim.plant import PlantPoint, Reading, Verdict
from sim.server import SimOpcUaServer
from sim.server_types import NAMESPACE
from tests.contracts.peer_opcua import make_pki
from tests.peers.opcua import node_client, o6_client
from tests.ports import free_port

USER, PASSWORD = "operator", "peer-password"
SHOWN = {
    "FDR.TotW": 812.5, "FDR.TotVAr": 101.25, "CB1.Pos": 1.0, "BESS01.WSpt": 0.0,
    "BESS01.TotW": -3.5, "G1.ShedSpt": 0.0, "G1.TotW": 40.0, "PV1.WLim": 50.0, "PV1.TotW": 33.0,
}  # fmt: skip
TYPES = {
    "FDR": "FeederType", "CB1": "BreakerType", "BESS01": "DerType", "G1": "LoadGroupType",
    "PV1": "DerType",
}  # fmt: skip
RANGE_KW = 100.0
COMMANDS = {"BESS01.WSpt": "method:SetW", "G1.ShedSpt": "method:SetLoadShed", "PV1.WLim": "write"}


@dataclass
class Kept:
    """Shows `SHOWN`; keeps what it was told."""

    operated: list[tuple[str, float]] = field(default_factory=list)

    def read(self, point: str) -> Reading:
        return Reading(value=SHOWN[point], good=True, at_s=system_clock().now_s())

    def check(self, point: str, value: float) -> Verdict:
        return Verdict.ACCEPTED

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:
        self.operated.append((point, value))
        return Verdict.ACCEPTED if abs(value) <= RANGE_KW else Verdict.OUT_OF_RANGE

    def revision(self) -> int:
        return 1


def _row(mrid: str) -> PlantPoint:
    command = COMMANDS.get(mrid, "")
    kind = "discrete" if mrid.endswith("Pos") else "setpoint" if command else "analog"
    return PlantPoint(
        mrid=mrid, name=mrid, equipment=mrid.split(".", maxsplit=1)[0], kind=kind, unit="kW",
        phase="", link="DER", address=f"nsu={NAMESPACE};s={mrid}", command=command, lease="",
        scale=1.0, offset=0.0, deadband=0.0, scan_s=1.0,
        min_value=-RANGE_KW if command else None, max_value=RANGE_KW if command else None,
    )  # fmt: skip


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Kept, str]]:
    make_pki(folder)
    certificate = x509.load_der_x509_certificate((folder / "field.der").read_bytes())
    (folder / "field.crt.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    plant, url = Kept(), f"opc.tcp://127.0.0.1:{free_port()}/gridctl"
    server = SimOpcUaServer(
        link="DER", url=url, certificate=folder / "server.der", key=folder / "server.pem",
        user=USER, password=PASSWORD, trusted_client=folder / "field.der",
        points=[_row(mrid) for mrid in SHOWN], plant=plant, clock=system_clock(),
    )  # fmt: skip
    await server.start()
    try:
        await server.publish()
        yield plant, url
    finally:
        await server.stop()


async def _ask(
    command: list[str], asked: dict[str, Any], environ: dict[str, str] | None = None
) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *command,
        json.dumps(asked),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | (environ or {}),
    )
    async with asyncio.timeout(60.0):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()[-1500:]
    # Libraries say things on stdout, too.
    lines = [line for line in out.splitlines() if line.startswith(b"{")]
    told: dict[str, Any] = json.loads(lines[-1])
    return told


async def test_node_opcua_reads_types_and_calls_methods(tmp_path: Path) -> None:
    command = node_client()
    async with served(tmp_path) as (plant, url):
        asked = {
            "url": url, "folder": str(tmp_path), "user": USER, "password": PASSWORD,
            "policy": "Basic256Sha256", "namespace": NAMESPACE, "devices": list(TYPES),
            "read": list(SHOWN), "ranged": ["PV1.WLim"], "called": ["BESS01", "BESS01.WSpt.SetW"],
            "written": "PV1.WLim",
        }  # fmt: skip
        told = await _ask(command, asked)
    assert told["types"] == TYPES
    assert ["SetW", "Method"] in told["parts"]["BESS01"]
    assert ["SetLoadShed", "Method"] in told["parts"]["G1"]
    assert ["Pos", "Variable"] in told["parts"]["CB1"]
    assert {n: v for n, (v, _) in told["values"].items()} == pytest.approx(SHOWN)
    assert {status for _, status in told["values"].values()} == {"Good"}
    assert told["units"] == {"PV1.WLim": [-100.0, 100.0]}
    assert told["called"] == ["Good", "BadEntryExists", "BadInvalidTimestamp", "BadOutOfRange"]
    assert told["written"] == ["Good", "BadOutOfRange"]
    assert [one for one in plant.operated if abs(one[1]) <= RANGE_KW] == [
        ("BESS01.WSpt", 12.5),
        ("PV1.WLim", 20.0),
    ]


GOOD, ENTRY_EXISTS, INVALID_TIMESTAMP, OUT_OF_RANGE = 0, 0x809F0000, 0x80230000, 0x803C0000


@pytest.mark.soak
async def test_o6_reads_and_calls_methods(tmp_path: Path) -> None:
    command, environ = o6_client()
    async with served(tmp_path) as (plant, url):
        asked = {
            "url": url, "folder": str(tmp_path), "user": USER, "password": PASSWORD,
            "policy": "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256",
            "namespace": NAMESPACE, "read": list(SHOWN),
            "called": ["G1", "G1.ShedSpt.SetLoadShed"], "written": "PV1.WLim",
        }  # fmt: skip
        told = await _ask(command, asked, environ)
    assert told["values"] == pytest.approx(SHOWN)
    assert told["called"] == [GOOD, ENTRY_EXISTS, INVALID_TIMESTAMP]
    assert told["written"] == [GOOD, OUT_OF_RANGE]
    assert plant.operated == [("G1.ShedSpt", 12.5), ("PV1.WLim", 20.0), ("PV1.WLim", 999.0)]
