"""A stranger's feeder, from its file to confirmed commands: imported, the whole pilot on it, a plan
approved at the command line. One of each kind: split phase, all delta, European low voltage with
four wires, a pandapower net, and a thousand nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gridctl.cli import app
from tests.journeys.running_demo import running_demo
from tests.journeys.test_by_hand import Operator, until
from tests.sim.feeder_import.agreement import CIRCUITS

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

FEEDERS = {
    "split": ("import", str(CIRCUITS / "split_phase.dss")),
    "delta": ("import", str(CIRCUITS / "all_delta.dss")),
    "four": ("import", str(CIRCUITS / "four_wire.dss")),
    "net": ("import", str(CIRCUITS / "own_net.json")),
    "thousand": ("generate", "--nodes", "1000", "--style", "rural", "--seed", "7"),
}
READY_S, PLAN_S, CONFIRMED_S = 300.0, 120.0, 240.0


@pytest.mark.parametrize("kind", FEEDERS)
def test_from_the_file_to_confirmed_commands(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / kind
    made = CliRunner().invoke(app, ["feeder", *FEEDERS[kind], "-o", str(folder), "--name", kind])
    assert made.exit_code == 0, made.output
    assert "flows agree" in made.output
    with running_demo(tmp_path / "pilot", rate=10.0, feeder=str(folder), ready_s=READY_S) as demo:
        people = [Operator(demo, name) for name in ("operator-a", "operator-b")]

        def waiting() -> Any:
            plans = people[0].asks("plan", "list")["plans"]
            return next((p for p in plans if p["state"] == "proposed"), None)

        def confirmed() -> Any:
            rows = people[0].asks("command", "list", "--plan", plan["id"])["commands"]
            return [row for row in rows if row["state"] == "confirmed"]

        plan = until(waiting, PLAN_S, demo.why)
        shown = people[0].says("plan", "show", plan["id"])
        assert "AC check (gridctl Z-bus): passed" in shown.stdout
        for one in people[: plan["approvals_needed"]]:
            done = one.says("plan", "approve", plan["id"], "--digest", plan["digest"][:12])
            assert done.returncode == 0, done.stderr
        assert until(confirmed, CONFIRMED_S, demo.why)
