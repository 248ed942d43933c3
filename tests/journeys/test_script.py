"""The whole loop without a browser, and that it can fail: real processes, real sockets.

The scripts run two at a time; that they share nothing, least of all ports, is part of the test.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.timeout(400)]

AT_A_TIME = 2
DEADLINE_S = 180.0

STAGES = [
    "observe", "forecast", "request", "plan", "verify",
    "approve", "dispatch", "effect", "stop", "audit",
]  # fmt: skip
KEYS = {
    "ok", "break", "points_read", "forecast", "request", "plan", "verification", "approvals",
    "commands", "commands_sent", "effect", "stop", "audit", "stages",
}  # fmt: skip
STAGE_THAT_NOTICES = {
    "frozen-feed": ("observe", "dispatch is blocked"),
    # Whoever looks first says it: the office, the field's guard, or the driver on the wire.
    "dead-outstation": ("dispatch", "comm_lost|DR is (down|not up)|not answered|link broke"),
    "rejected-select": ("dispatch", "failed LOCAL"),
    "tampered-plan": ("approve", "plan_changed"),
    "wrong-approver": ("approve", "same_person"),
    "expired-plan": ("approve", "expired"),
}
"""The stage that must notice each break, and a word of its reason (a pattern)."""

BEFORE_THE_WIRE = ("frozen-feed", "tampered-plan", "wrong-approver", "expired-plan")


@dataclass(frozen=True)
class Ended:
    """How a script ended and what it said on stdout."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """The one JSON object; anything else on stdout is an error."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


Scripts = Callable[[str | None], Ended]


def run(broken: str | None) -> Ended:
    """`gridctl demo --script --json`, broken in one way or not at all."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "gridctl.cli", "demo", "--script", "--json"]
        + (["--break", broken] if broken else []),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def scripts(request: pytest.FixtureRequest) -> Iterator[Scripts]:
    """The scripts that the selected tests of this file need, started ahead, two at a time."""
    wanted: dict[str | None, Future[Ended]] = {}
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for item in request.session.items:
            if item.path == request.path:
                call = getattr(item, "callspec", None)
                name = call.params["broken"] if call else None
                wanted[name] = pool.submit(run, name)
        yield lambda name: wanted[name].result()
        pool.shutdown(cancel_futures=True)


def test_the_whole_loop(scripts: Scripts) -> None:
    ended = scripts(None)
    told = ended.told
    assert ended.code == 0, told["stages"]
    assert told.keys() == KEYS
    assert told["ok"] is True
    assert told["break"] is None
    assert told["points_read"]["dnp3"] > 100
    assert told["points_read"]["opcua"] > 100
    assert told["forecast"]["horizon_h"] >= 6
    assert 0 < told["forecast"]["nmae_pct"] < 25
    assert told["plan"]["id"]
    assert len(bytes.fromhex(told["plan"]["digest"])) == 32
    assert told["plan"]["kw"] > 300
    kinds = {"load_group", "battery", "pv", "generator"}
    assert told["plan"]["controls"].keys() == kinds
    before, after = told["verification"]["before"], told["verification"]["after"]
    assert {"worst_voltage_pu", "worst_loading_pct", "violations"} == before.keys() == after.keys()
    assert after["violations"] <= before["violations"]
    assert [a.keys() for a in told["approvals"]] == [{"by", "at", "standing"}] * 2
    assert not any(a["standing"] for a in told["approvals"]), "these were two persons"
    assert len({a["by"] for a in told["approvals"]}) == 2
    assert told["commands"].keys() == {"dnp3", "opcua"}
    assert all(told["commands"][protocol]["EFFECTIVE"] > 0 for protocol in ("dnp3", "opcua"))
    assert told["commands_sent"] >= sum(sum(c.values()) for c in told["commands"].values())
    assert told["effect"]["measured_kw"] >= 0.7 * told["effect"]["expected_kw"] > 0
    assert 0 <= told["stop"]["latency_s"] < 1.0
    assert told["audit"]["rows"] > 10
    assert told["audit"]["chain_ok"] is True
    assert [s["name"] for s in told["stages"]] == STAGES
    assert all(s.keys() == {"name", "ok", "seconds", "reason"} for s in told["stages"])
    assert all(s["ok"] for s in told["stages"])
    assert sum(s["seconds"] for s in told["stages"]) < 90


@pytest.mark.parametrize("broken", STAGE_THAT_NOTICES)
def test_it_can_fail(scripts: Scripts, broken: str) -> None:
    stage, reason = STAGE_THAT_NOTICES[broken]
    ended = scripts(broken)
    told = ended.told
    assert ended.code == 1, ended.err
    assert told.keys() == KEYS
    assert told["ok"] is False
    assert told["break"] == broken
    *before, last = told["stages"]
    assert [s["name"] for s in told["stages"]] == STAGES[: STAGES.index(stage) + 1]
    assert all(s["ok"] for s in before)
    assert last["ok"] is False
    assert re.search(reason, last["reason"])
    assert told["effect"] is None
    if broken in BEFORE_THE_WIRE:
        assert told["commands_sent"] == 0
