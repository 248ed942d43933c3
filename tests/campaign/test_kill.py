"""kill -9 at named points of a dispatch, against an outstation that records what it was told.

At each point the process dies and is started again. Nothing is executed twice, nothing unapproved,
nothing stays under way, the chain is whole. Beside it a naive office, which sends again whatever
has no good end: the same check sees its double executions, so the check can fail.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gridctl.control.journal import ENDED
from gridctl.pki import make_office_keys
from gridctl.store.engine import open_store
from gridctl.wallclock import grid_clock
from tests.campaign.child import FIELD_POINTS, NAIVE_POINTS, OFFICE_POINTS, RATE
from tests.campaign.plant import Recorder, recording
from tests.gridctl.small_site import ANCHOR_S, limits_text, write_points

OVER_S = 60.0
MODULE = "tests.campaign.child"
APPROVALS_NEEDED = 2


@dataclass(frozen=True)
class Found:
    """What one run left behind."""

    point: str
    executed: int
    double: int
    unapproved: int
    stuck: int
    chain_ok: bool

    @property
    def is_clean(self) -> bool:
        return not (self.double or self.unapproved or self.stuck) and self.chain_ok

    def __str__(self) -> str:
        return (
            f"{self.point:<24} executed {self.executed:2}  double {self.double}  "
            f"unapproved {self.unapproved}  stuck {self.stuck}  "
            f"chain {'whole' if self.chain_ok else 'BROKEN'}"
        )


@contextmanager
def child(role: str, folder: Path, anchor_s: float, *words: str) -> Iterator[subprocess.Popen[str]]:
    with (folder / f"{role}.log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, role, str(folder), repr(anchor_s), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            text=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _prepare(folder: Path) -> None:
    folder.mkdir()
    write_points(folder / "points.csv")
    (folder / "limits.toml").write_text(limits_text(), encoding="utf-8")
    make_office_keys(private=folder / "office.key", public=folder / "office.pub")


async def run(folder: Path, point: str, *, naive: bool = False) -> Found:
    """One dispatch, killed at `point`, and what comes after."""
    _prepare(folder)
    anchor_s = time.time()
    with recording(folder / "plant.sock") as plant:
        if point in FIELD_POINTS:
            _kill_field(folder, anchor_s, point)
        else:
            _kill_office(folder, anchor_s, point, act="naive" if naive else "watch")
    return await judged(folder, point, plant, anchor_s)


def _kill_office(folder: Path, anchor_s: float, point: str, *, act: str) -> None:
    with child("field", folder, anchor_s, "watch"):
        with child("office", folder, anchor_s, "propose", point) as first:
            assert first.wait(OVER_S) == -signal.SIGKILL, (folder / "office.log").read_text()
        with child("office", folder, anchor_s, act) as second:
            assert second.wait(OVER_S) == 0, (folder / "office.log").read_text()


def _kill_field(folder: Path, anchor_s: float, point: str) -> None:
    with child("office", folder, anchor_s, "propose") as office:
        with child("field", folder, anchor_s, "watch", point) as first:
            assert first.wait(OVER_S) == -signal.SIGKILL, (folder / "field.log").read_text()
        with child("field", folder, anchor_s, "watch"):
            assert office.wait(OVER_S) == 0, (folder / "office.log").read_text()


async def judged(folder: Path, point: str, plant: Recorder, anchor_s: float) -> Found:
    clock = grid_clock(anchor_real_s=anchor_s, anchor_grid_s=ANCHOR_S, rate=RATE)
    store = await open_store(f"sqlite:///{folder}/control.db", clock=clock, read_only=True)
    try:
        rows = {row.command.mrid: row for row in await store.commands()}
        plans = {p.plan.mrid: p for p in await store.plans()}
        check = await store.verify_audit()
    finally:
        await store.close()
    # The field's own returns to the default are no orders: writing a default twice does no harm.
    ordered = [(c, p) for c, p, _ in plant.operated if not c.startswith("default-")]
    intended = Counter((c.removesuffix(".again"), p) for c, p in ordered)
    approved = {
        mrid
        for mrid, row in rows.items()
        if len(plans[row.command.plan].approvals) >= APPROVALS_NEEDED
    }
    return Found(
        point=point,
        executed=len(ordered),
        double=sum(count - 1 for count in intended.values()),
        unapproved=sum(command not in approved for command, _ in ordered),
        stuck=sum(row.state not in ENDED for row in rows.values())
        + sum(not p.state.is_final for p in plans.values()),
        chain_ok=check.ok,
    )


@pytest.mark.soak
async def test_sg19_kill_9_at_every_point(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [await run(tmp_path / p, p) for p in (*OFFICE_POINTS, *FIELD_POINTS)]
    naive = [await run(tmp_path / f"naive {p}", p, naive=True) for p in NAIVE_POINTS]
    lines = ["", "kill -9, then recovery by the journal:", *(f"  {one}" for one in found)]
    lines += ["kill -9, then a naive resend:", *(f"  {one}" for one in naive), ""]
    with capsys.disabled():
        sys.stdout.write("\n".join(lines))
    assert [str(one) for one in found if not one.is_clean] == []
    assert sum(one.executed for one in found) >= len(found) // 2, "hardly anything was executed"
    assert sum(one.double for one in naive) > 0, "the check cannot see a double execution"


@pytest.mark.soak
async def test_sg19_kill_9_of_the_office_after_an_order_has_left(tmp_path: Path) -> None:
    """One point of the campaign, for who works on it."""
    found = await run(tmp_path / "one", "outcome.operated")
    assert found.is_clean, str(found)
    assert found.executed >= 1
