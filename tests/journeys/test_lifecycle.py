"""A pilot from its first start to its second: ready soon, gone wholly, on where it was."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from tests.journeys.running_demo import gridctl, is_open, is_running, running_demo

pytestmark = [pytest.mark.journey, pytest.mark.timeout(200)]

READY_MAX_S = 40.0
"""20 s are promised on two free cores; a second pilot runs beside this one."""
RATE = 10.0


def ready_max_s() -> float:
    """The bound, as much longer as more wants to run than there are cores."""
    return READY_MAX_S * max(1.0, os.getloadavg()[0] / (2.0 * (os.cpu_count() or 1)))


def grid_time(frame: dict[str, str]) -> float:
    return datetime.fromisoformat(frame["at"]).timestamp()


def test_first_start_ctrl_c_second_start(tmp_path: Path) -> None:
    instance = tmp_path / "pilot"
    with running_demo(instance, rate=RATE) as demo:
        assert demo.ready_s < ready_max_s()
        assert f"http://127.0.0.1:{demo.port}" in demo.text
        secrets = demo.secrets
        assert secrets.keys() == {"operator-a", "operator-b", "customer-system"}
        with demo.signed_in("operator-b") as remote:
            first = remote.get("/overview")
        family = demo.family()
        assert len(family) >= 3, "simulator and field agent are processes of their own"
        assert all(is_open(port) for port in demo.ports())
        assert demo.interrupt() == 0
        ports = demo.ports()
    assert [pid for pid in family if is_running(pid)] == []
    assert [port for port in ports if is_open(port)] == []
    assert not list((instance / "run").glob("*.sock"))

    with running_demo(instance, rate=RATE) as again:
        assert again.ready_s < ready_max_s()
        assert again.secrets == {}
        assert not any(secret in again.text for secret in secrets.values())
        assert "as at the first start" in again.text
        assert again.ports()[1:] == ports[1:]
        with again.signed_in("operator-a", secrets["operator-a"]) as remote:
            second = remote.get("/overview")
            rows = remote.get("/audit/verify")
            people = {row["who"] for row in remote.get("/audit?limit=100")["rows"]}
        assert 0 < grid_time(second) - grid_time(first) < 1800
        assert rows["ok"] is True
        assert "operator-b" in people, "the first run is in the record"
        assert again.interrupt() == 0

    done = subprocess.run(
        gridctl("audit", "verify", "--json", "--instance", str(instance)),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
