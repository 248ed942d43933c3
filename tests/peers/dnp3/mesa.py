"""`python -m dnp3.mesa`, dnp3py's offline DER of IEEE 1815.2, and a user's own map of it.

The point map is made from the profile that the user has (here the one inside dnp3py), by the names
of IEC 61850; no table of IEEE is part of gridctl.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from gridctl.model.clock import Clock
from protocols.driver import LinkSettings, PointAddress
from protocols.points import COLUMNS, load_points
from tests.contracts.driver_peer import BenchPlant
from tests.peers.dnp3.rows import LINK_ADDRESS, MASTER_ADDRESS, settings_of
from tests.ports import free_port

LIMIT, LIMIT_SHOWN, MINIMUM_SHOWN = "DER.WMax", "DER.WMaxFb", "DER.WMinFb"
TIMEOUT_SHOWN, ENABLED_SHOWN, POWER = "DER.RvrtFb", "DER.Mod", "DER.TotW"
RATING_KW = 50.0
"""What 100 % of WMax is for the owner of this DER."""
START_S = 20.0


def own_map(profile: str, *, timeout: bool = True) -> str:
    """The owner's points file for a DER of `profile`; `timeout`: with its reversion timeout."""
    points = _by_name(
        json.loads((files("dnp3.mesa") / f"data/profiles/{profile}.json").read_text())
    )
    limit = points["AO", "DWMX.WLimPct"]
    share = RATING_KW / 100.0 * float(limit["multiplier"])
    kept = points.get(("AO", "DWMX.RvrtTms"), {"point_index": 85})
    rows: list[dict[str, object]] = [
        _row(LIMIT_SHOWN, "analog", "kW", f"30:{_index(limit, 'assoc_ai')}", share),
        _row(
            MINIMUM_SHOWN,
            "analog",
            "kW",
            f"30:{points['AI', 'DWMN.WLimPct']['point_index']}",
            share,
        ),
        _row(POWER, "analog", "kW", f"30:{points['AI', 'SYS.MMXU.TotW']['point_index']}", 0.001),
        _row(
            ENABLED_SHOWN, "discrete", "state", f"10:{points['BO', 'DWMX.Mod']['point_index']}", 1
        ),
        _row(LIMIT, "setpoint", "kW", f"41:{limit['point_index']}", share)
        | {
            "command": "ao-float",
            "lease": f"41:{kept['point_index']}" if timeout else "",
            "enable": f"12:{points['BO', 'DWMX.Mod']['point_index']}",
            "expect": LIMIT_SHOWN,
            "tolerance": 0.05,
            "min": 0,
            "max": 1.2 * RATING_KW,
        },
    ]
    if "assoc_ai" in kept:
        rows.append(_row(TIMEOUT_SHOWN, "analog", "s", f"30:{_index(kept, 'assoc_ai')}", 1))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, "enable"], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _by_name(profile: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    return {
        (kind, point["iec_61850_uid"]): point
        for kind in ("AO", "BO", "AI", "BI")
        for point in reversed(profile[kind]["points"])
    }


def _index(point: Mapping[str, Any], key: str) -> int:
    return int(str(point[key])[2:])


def _row(mrid: str, kind: str, unit: str, address: str, scale: float) -> dict[str, object]:
    return {
        "mrid": mrid, "name": mrid, "equipment": "DER", "kind": kind, "unit": unit, "link": "DER",
        "address": address, "scale": scale, "offset": 0, "deadband": 0, "scan_s": 0.5,
    }  # fmt: skip


class MesaPeer:
    """Fulfils `DriverPeer` as far as a rig needs it."""

    locked_status = "LOCAL"
    hands_on_lease = False
    profile = "full"
    timeout = True

    def __init__(self, link: str, plant: BenchPlant, clock: Clock, folder: Path) -> None:
        self.port = free_port()
        file = folder / "points.csv"
        file.write_text(own_map(self.profile, timeout=self.timeout), encoding="utf-8")
        self._points = load_points(file)
        self._child: asyncio.subprocess.Process | None = None

    def settings(self) -> LinkSettings:
        return settings_of("DER", self.port)

    def points(self) -> tuple[PointAddress, ...]:
        return self._points

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dnp3.mesa", "--profile-name", self.profile,
            "--host", "127.0.0.1", "--port", str(self.port),
            "--address", str(LINK_ADDRESS), "--master-address", str(MASTER_ADDRESS),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(START_S):
            while not await _listens(self.port):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.wait()

    async def freeze(self) -> None:
        return

    async def thaw(self) -> None:
        return

    async def publish(self) -> None:
        return


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
