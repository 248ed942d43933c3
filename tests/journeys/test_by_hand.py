"""A customer system as in the README, then two operators at the command line as in section 3 of
docs/tutorial/loop-without-a-browser.md."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gridctl.instructor import Instructor
from tests.journeys.running_demo import RunningDemo, gridctl, make_quick_pilot, running_demo

pytestmark = [pytest.mark.journey, pytest.mark.timeout(200)]

ROOT = Path(__file__).parents[2]
PLAN_S = 60.0
FOLLOW_S = 60.0


class Operator:
    """One person at a terminal of their own."""

    def __init__(self, demo: RunningDemo, name: str) -> None:
        self._instance = str(demo.instance)
        self._environment = {
            **os.environ,
            "GRIDCTL_USER": name,
            "GRIDCTL_PASSWORD": demo.secrets[name],
        }

    def says(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            gridctl(*words, "--instance", self._instance),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def asks(self, *words: str) -> Any:
        """The JSON answer of a command that succeeds."""
        done = self.says(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def until(ask: Callable[[], Any], within_s: float, why: Callable[[], str]) -> Any:
    """What `ask` answers as soon as it is true."""
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        found = ask()
        if found:
            return found
        time.sleep(1.0)
    raise AssertionError(f"not within {within_s:g} s:\n{why()}")


def at_devices(demo: RunningDemo) -> int:
    """Commands that the simulated devices have counted."""
    return asyncio.run(Instructor(demo.instance / "run" / "sim.sock").commands())


def demand_event_of_the_readme(demo: RunningDemo) -> Any:
    """The README's lines, as they stand there but for the port; the event that was created."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [b for b in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if "openadr3" in b]
    assert ":8080/" in block
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.replace(":8080/", f":{demo.port}/")],
        env={**os.environ, "SECRET": demo.secrets["customer-system"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_two_operators_at_the_command_line(tmp_path: Path) -> None:
    with running_demo(make_quick_pilot(tmp_path / "pilot"), rate=10.0) as demo:
        first, second = Operator(demo, "operator-a"), Operator(demo, "operator-b")
        event = demand_event_of_the_readme(demo)
        assert event["eventName"] == "hot afternoon", event
        requests = first.asks("status")["requests"]
        mine = [r["id"] for r in requests if r["event_id"] == event["id"]]
        assert len(mine) == 1, requests

        def large_plan() -> Any:
            plans = first.asks("plan", "list")["plans"]
            found = [p for p in plans if p["state"] == "proposed" and p["approvals_needed"] == 2]
            return found[0] if found and mine[0] in found[0]["requests"] else None

        plan = until(large_plan, PLAN_S, demo.why)
        shown = first.says("plan", "show", plan["id"])
        assert plan["digest"] in shown.stdout, shown.stderr
        assert "AC check (gridctl Z-bus): passed" in shown.stdout

        approve = ("plan", "approve", plan["id"], "--digest", plan["digest"][:12])
        assert "partial, 1 of 2" in first.says(*approve).stdout
        again = first.says(*approve)
        assert again.returncode == 1
        assert "a second person is needed" in again.stderr
        done = second.says(*approve)
        assert "2 of 2" in done.stdout, done.stderr
        until(lambda: at_devices(demo) > 0, FOLLOW_S, demo.why)

        status = first.says("status")
        assert "Feeder head" in status.stdout
        assert plan["id"] in status.stdout
        assert first.says("stop", "--reason", "end of the tutorial").returncode == 0
        until(lambda: first.asks("status")["stopped"], 10.0, demo.why)
        sent = at_devices(demo)
        time.sleep(2.0)
        assert at_devices(demo) == sent
        with demo.signed_in("operator-a") as remote:
            rows = remote.get("/audit?limit=20")["rows"]
        stops = [row for row in rows if row["action"] == "stop"]
        assert [(row["who"], row["reason"]) for row in stops] == [
            ("stop file", "the stop file is there: end of the tutorial")
        ]
        assert first.says("audit", "verify").returncode == 0
        assert demo.interrupt() == 0
