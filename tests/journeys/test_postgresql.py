"""A pilot whose memory is PostgreSQL: cycle, plan, approval, commands, record, second start."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gridctl.remote import Remote
from tests.gridctl.store import postgres
from tests.journeys.running_demo import gridctl, make_quick_pilot, running_demo

pytestmark = [
    pytest.mark.journey,
    pytest.mark.timeout(200),
    pytest.mark.skipif(
        postgres.missing_reason() is not None, reason=postgres.missing_reason() or ""
    ),
]

PLAN_S = 60.0
CONFIRMED_S = 60.0


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.server() as made:
        yield made


def until(ask: Callable[[], Any], within_s: float, why: Callable[[], str]) -> Any:
    end_s = time.monotonic() + within_s
    while not (found := ask()):
        assert time.monotonic() < end_s, why()
        time.sleep(0.5)
    return found


def waiting_plan(remote: Remote) -> dict[str, Any] | None:
    plans = [p for p in remote.get("/overview")["plans"] if p["state"] == "proposed"]
    return plans[0] if plans else None


def command_states(remote: Remote, plan: str) -> set[str]:
    return {row["state"] for row in remote.get(f"/commands?plan={plan}")["commands"]}


def test_a_pilot_on_postgresql(url: str, tmp_path: Path) -> None:
    instance = make_quick_pilot(tmp_path / "pilot", url=url)
    with running_demo(instance, rate=20.0) as demo:
        first, second = demo.signed_in("operator-a"), demo.signed_in("operator-b")
        plan = until(lambda: waiting_plan(first), PLAN_S, demo.why)
        for person in (first, second):
            told = person.post(f"/plans/{plan['id']}/approve", {"digest": plan["digest"]})
            if told["approvals"] >= told["approvals_needed"]:
                break
        good = {"confirmed", "effective"}
        until(lambda: command_states(first, plan["id"]) & good, CONFIRMED_S, demo.why)
        assert demo.commands_at_devices() > 0
        before = first.get("/audit/verify")
        assert before["ok"] is True
        secret = demo.secrets["operator-a"]
        assert demo.interrupt() == 0
    assert not (instance / "control.db").exists()

    with running_demo(instance, rate=20.0) as again:
        assert again.secrets == {}
        with again.signed_in("operator-a", secret) as remote:
            assert plan["id"] in {p["id"] for p in remote.get("/plans")["plans"]}
            after = remote.get("/audit/verify")
        assert after["ok"] is True
        assert after["rows"] > before["rows"]
        for words in (("audit", "verify"), ("doctor",)):
            done = subprocess.run(
                gridctl(*words, "--json", "--instance", str(instance)),
                capture_output=True,
                text=True,
                check=False,
                timeout=40,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert json.loads(done.stdout)
        assert again.interrupt() == 0
