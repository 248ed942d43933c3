"""A feeder full of PV on a sunny afternoon: an event limits what it may feed back, a person
approves, PV is curtailed and the battery charges, and the customer system reads what came of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gridctl.cli import app
from tests.journeys.running_demo import running_demo
from tests.journeys.test_by_hand import Client, Operator, until
from tests.sim.feeder_import.agreement import CIRCUITS

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

READY_S, PLAN_S, CONFIRMED_S, OVER_S = 120.0, 120.0, 120.0, 240.0
MOST_KW = 120.0
OPENADR = "/openadr3/3.1.0"
UNITS = {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": "EXPORT_CAPACITY_LIMIT"}


def _limit(customer: Client, start: datetime) -> Any:
    """An event of twenty minutes."""
    program = {"programName": "feed-in", "payloadDescriptors": [UNITS | {"units": "KW"}]}
    made = customer.asks(f"{OPENADR}/programs", program)
    payload = {"type": "EXPORT_CAPACITY_LIMIT", "values": [MOST_KW]}
    period = {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "duration": "PT20M"}
    body = {"programID": made["id"], "eventName": "sunny afternoon", "intervalPeriod": period}
    return customer.asks(
        f"{OPENADR}/events", {**body, "intervals": [{"id": 0, "payloads": [payload]}]}
    )


def test_an_event_limits_what_a_sunny_feeder_feeds_back(tmp_path: Path) -> None:
    folder = tmp_path / "sunny"
    words = ["feeder", "import", str(CIRCUITS / "sunny.dss"), "-o", str(folder), "--name", "sunny"]
    made = CliRunner().invoke(app, words)
    assert made.exit_code == 0, made.output
    with running_demo(tmp_path / "pilot", rate=10.0, feeder=str(folder), ready_s=READY_S) as demo:
        operator = Operator(demo, "operator-a")
        customer = Client(demo, "customer-system", demo.secrets["customer-system"])
        before = until(
            lambda: (seen := operator.asks("status"))["head"]["kw"] is not None and seen,
            READY_S, demo.why,
        )  # fmt: skip
        assert before["head"]["kw"] < -MOST_KW, "the feeder does not feed back so much"
        now = datetime.fromisoformat(before["at"].replace("Z", "+00:00"))
        event = _limit(customer, now + timedelta(minutes=10))

        def waiting() -> Any:
            plans = operator.asks("plan", "list")["plans"]
            return next((p for p in plans if p["state"] == "proposed"), None)

        plan = until(waiting, PLAN_S, demo.why)
        assert plan["net_kw"] < 0.0, "a plan that raises the import says so"
        assert (
            "AC check (gridctl Z-bus): passed" in operator.says("plan", "show", plan["id"]).stdout
        )
        why = operator.says("plan", "explain", plan["id"]).stdout
        assert "sunny afternoon allows 120 kW of export" in why
        done = operator.says("plan", "approve", plan["id"], "--digest", plan["digest"][:12])
        assert done.returncode == 0, done.stderr

        def confirmed() -> Any:
            rows = operator.asks("command", "list", "--plan", plan["id"])["commands"]
            return [row for row in rows if row["state"] in ("confirmed", "effective")]

        moved = until(confirmed, CONFIRMED_S, demo.why)
        assert {row["point"][:2] for row in moved} <= {"PV", "BE"}, "a load was shed for export"
        outcome = f"/api/v1/dispatch-requests/{event['id']}/outcome"

        def settled() -> Any:
            told = customer.asks(outcome)
            return told if told["settlement"] is not None else None

        told = until(settled, OVER_S, demo.why)
        assert told["summary"]["took_part"] >= 1, told
        assert told["settlement"]["exportHeldShare"] is not None, told
        assert told["settlement"]["deliveredKwh"] > 0.0, told
