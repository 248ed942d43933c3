"""The whole loop without a browser, and that it can fail: real processes, real sockets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]


def script(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the one JSON object of `gridctl demo --script --json`."""
    done = subprocess.run(
        [sys.executable, "-m", "gridctl.cli", "demo", "--script", "--json", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def test_the_whole_loop() -> None:
    code, told = script()
    assert code == 0, told["stages"]
    assert told["ok"] is True
    assert told["points_read"]["dnp3"] > 100
    assert told["points_read"]["opcua"] > 100
    assert told["forecast"]["horizon_h"] >= 6
    assert (
        told["verification"]["after"]["violations"] <= told["verification"]["before"]["violations"]
    )
    assert len({a["by"] for a in told["approvals"]}) == 2
    states = {s for by_state in told["commands"].values() for s in by_state}
    assert "effective" in states
    assert told["commands_sent"] > 0
    assert told["effect"]["measured_kw"] >= 0.7 * told["effect"]["expected_kw"]
    assert told["stop"]["latency_s"] < 1.0
    assert told["audit"]["chain_ok"] is True


@pytest.mark.parametrize(
    ("name", "stage"), [("tampered-plan", "approve"), ("wrong-approver", "approve")]
)
def test_it_can_fail_before_the_wire(name: str, stage: str) -> None:
    code, told = script("--break", name)
    assert code != 0
    assert told["ok"] is False
    assert told["stages"][-1]["name"] == stage
    assert told["commands_sent"] == 0
