"""One limit over two real offices: two whole pilots at one grid time, each with its own people, and
`gridctl substation` between them."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from gridctl.config import load_settings
from gridctl.demo import prepare_instance
from sim.instance_ports import reserved_ports
from tests.journeys.running_demo import RunningDemo, gridctl, make_quick_pilot, running_demo
from tests.journeys.test_by_hand import Operator, until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

RATE, STEP_S = 5.0, 900.0
READY_S, PLAN_S, HELD_S = 120.0, 120.0, 300.0
TIGHTER_KW = 300.0
"""Below what the two would draw if each kept its own limit only."""
NOISE = 1.005


def made(folder: Path) -> tuple[Path, Path]:
    """Two instances that begin at the same grid time: 123 nodes, and 34."""
    one, other = make_quick_pilot(folder / "one"), folder / "other"
    with reserved_ports(4) as (web, *devices):
        prepare_instance(other, port=web, rate=RATE, devices=devices, feeder="ieee34")
    begin_s = 0.0
    for instance in (one, other):
        clock = load_settings(instance / "gridctl.toml").clock
        assert clock is not None
        begin_s = max(begin_s, clock.anchor_grid_s)
    begin_s = (begin_s // STEP_S + 1) * STEP_S
    for instance in (one, other):
        (instance / "run").mkdir(exist_ok=True)
        (instance / "run" / "grid-time").write_text(f"{begin_s:.0f}\n", encoding="utf-8")
    return one, other


def split(file: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """A cycle of `gridctl substation plan`."""
    done = subprocess.run(
        gridctl("substation", "plan", str(file), "--json", *options),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def written(folder: Path, demos: list[RunningDemo], limit_kw: float) -> Path:
    members = ""
    for demo in demos:
        secret = folder / f"{demo.instance.name}.secret"
        secret.write_text(demo.secrets["customer-system"], encoding="utf-8")
        members += (
            f'[[feeder]]\nurl = "{demo.url}"\nclient_id = "customer-system"\n'
            f'secret_file = "{secret.name}"\n'
        )
    file = folder / "sub.toml"
    file.write_text(f'mrid = "SUB"\nlimit_kw = {limit_kw}\n{members}', encoding="utf-8")
    return file


class House:
    """One office's two people: they approve what waits."""

    def __init__(self, demo: RunningDemo) -> None:
        self.people = [Operator(demo, name) for name in ("operator-a", "operator-b")]

    def head_kw(self) -> float:
        return float(self.people[0].asks("status")["head"]["kw"])

    def approve(self) -> None:
        for plan in self.people[0].asks("plan", "list")["plans"]:
            if plan["state"] in ("proposed", "partial"):
                for one in self.people:
                    one.says("plan", "approve", plan["id"], "--digest", plan["digest"][:12])


def test_two_offices_hold_one_limit_together(tmp_path: Path) -> None:
    one, other = made(tmp_path)
    with (
        running_demo(one, rate=RATE, ready_s=READY_S) as first,
        running_demo(other, rate=RATE, feeder="ieee34", ready_s=READY_S) as second,
    ):
        demos = [first, second]

        def both_are_there() -> bool:
            _, turn = split(written(tmp_path, demos, 1e5))
            return not turn["absent"] and turn["substation"] is not None

        until(both_are_there, PLAN_S, first.why)
        _, loose = split(written(tmp_path, demos, 1e5))
        limit_kw = max(loose["substation"]["head_after_kw"]) - TIGHTER_KW
        file = written(tmp_path, demos, limit_kw)
        code, turn = split(file, "--send")
        assert code == 0, [(s["feeder"], s["trouble"]) for s in turn["sent"]] + list(
            turn["absent"].items()
        )
        assert turn["substation"]["kept"] is True
        assert not turn["absent"]
        assert [s["trouble"] for s in turn["sent"]] == ["", ""]
        assert sum(s["asked"] for s in turn["sent"]) > 0
        parts = turn["substation"]["feeders"]
        assert set(parts) == {"ieee123", "ieee34"}

        houses = [House(demo) for demo in demos]
        end_s, heads = time.monotonic() + HELD_S, [float("inf")] * 2
        while time.monotonic() < end_s and sum(heads) > NOISE * limit_kw:
            for house in houses:
                house.approve()
            split(file, "--send")
            heads = [house.head_kw() for house in houses]
            time.sleep(5.0)
        assert sum(heads) <= NOISE * limit_kw, (heads, limit_kw, first.why(), second.why())
