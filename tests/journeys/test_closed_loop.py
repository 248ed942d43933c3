"""docs/howto/let-an-area-run-by-itself.md on a running pilot, command by command (SG-37)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from gridctl.model.command import CommandState
from gridctl.remote import Remote
from tests.journeys.closed_pilot import (
    AREAS,
    OPERATORS,
    PASSWORD,
    allow_closed_loop,
    run_block,
)
from tests.journeys.running_demo import RunningDemo, make_quick_pilot, running_demo
from tests.journeys.test_by_hand import at_devices

pytestmark = [pytest.mark.journey, pytest.mark.soak, pytest.mark.timeout(600)]
CONFIRMED = {CommandState.CONFIRMED, CommandState.EFFECTIVE}


def until(ask: Callable[[], Any], demo: RunningDemo, within_s: float = 90.0) -> Any:
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        found = ask()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {within_s:g} s:\n{demo.why()}")


def modes(who: Remote) -> dict[str, Any]:
    return {area["area"]: area for area in who.get("/modes")["areas"]}


def promote(demo: RunningDemo, areas: Sequence[str]) -> None:
    """What the engineer asked for is read and approved by two others, as the page says."""
    for user in OPERATORS:
        with demo.signed_in(user, PASSWORD) as desk:
            asked = modes(desk)
        for area in areas:
            digest = asked[area]["request"]["envelope"]["digest"][:12]
            words = {"NORTH": area, "1f0c6e0b7d52": digest}
            told = run_block("mode approve", demo.instance, user=user, **words)
            assert "OT allows 900 kW at once" in told
            assert digest in told


def test_sg37_the_how_to_leads_to_a_plan_that_nobody_was_asked_about(tmp_path: Path) -> None:
    instance = make_quick_pilot(tmp_path / "pilot")
    passwords = allow_closed_loop(instance)
    with running_demo(instance, rate=10.0) as demo:
        desk = demo.signed_in("operator-a", PASSWORD)
        waiting = until(lambda: desk.get("/overview")["plans"], demo)
        assert waiting[0]["state"] == "proposed"
        assert at_devices(demo) == 0
        asked = run_block("mode promote", instance, user="engineer", password=passwords["engineer"])
        assert asked.count("engineer asks for closed loop") == len(AREAS)
        promote(demo, AREAS[:2])
        # One area of the plan is still advisory: it waits, and says so.
        detail = desk.get(f"/plans/{desk.get('/overview')['plans'][0]['id']}")
        assert detail["state"] == "proposed"
        assert "area NORTH is advisory (SG-37)" in detail["left_to_people"]
        promote(demo, AREAS[2:])
        plan = until(
            lambda: [p for p in desk.get("/overview")["plans"] if p["state"] == "active"], demo
        )[0]
        approvals = desk.get(f"/plans/{plan['id']}")["approved_by"]
        assert [a["by"] for a in approvals] == ["operator-a", "operator-b"]
        assert all(a["standing"] for a in approvals)
        until(
            lambda: any(
                c["state"] in CONFIRMED
                for c in desk.get(f"/commands?plan={plan['id']}")["commands"]
            ),
            demo,
        )
        assert at_devices(demo) > 0
        run_block("mode demote", instance, user="operator-a")
        assert modes(desk)["NORTH"]["mode"] == "advisory"
        until(lambda: desk.get(f"/plans/{plan['id']}")["state"] == "stopped", demo)
        desk.post("/stop", {"reason": "the rest ends by STOP"})
        until(lambda: all(modes(desk)[a]["mode"] == "advisory" for a in AREAS), demo)
        assert "STOP holds" in modes(desk)["EAST"]["reason"]
        alarms = [a["key"] for a in desk.get("/alarms")["alarms"]]
        assert {"demoted.CENTRAL", "demoted.EAST"} <= set(alarms)
