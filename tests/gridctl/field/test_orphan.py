"""An agent whose parent is gone ends when it holds nothing, and ends at all."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gridctl.field import orphan
from gridctl.field.spool import FieldMemory, Lease
from gridctl.model.clock import ManualClock
from gridctl.model.command import CommandState
from tests.gridctl.field.test_agent import bench

LEASE_END_S = 1_000.0
TRY_S = 600.0
TRY_REMOVED_S = 20.0


class Stand:
    """A field's memory in a folder of its own, with one lease, and nobody who looks after it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "pilot" / "run"
        self.home.mkdir(parents=True)
        self.memory = FieldMemory(self.home / "field-state.json")
        self.clock = ManualClock(grid_s=900.0)
        self.stop = asyncio.Event()

    def hold(self) -> None:
        self.memory.hold(
            Lease(
                command="C",
                order="O",
                point="LG1.ShedSpt",
                value=40.0,
                default_value=0.0,
                until_s=LEASE_END_S,
            )
        )
        self.memory.save_if_dirty()

    async def looks(self, advance_s: float = 0.0) -> bool:
        """Whether the orphan has ended, some looks after this much time has passed."""
        self.clock.advance(advance_s)
        await asyncio.sleep(0.05)
        return self.stop.is_set()


@asynccontextmanager
async def orphaned(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, holds: bool
) -> AsyncIterator[Stand]:
    monkeypatch.setattr(orphan, "LOOK_S", 0.005)
    stand = Stand(folder)
    if holds:
        stand.hold()

    async def gone() -> None:
        return

    task = asyncio.create_task(
        orphan.outlive(
            gone,
            stand.memory,
            home=stand.home,
            clock=stand.clock,
            stop=stand.stop,
            try_s=TRY_S,
            try_removed_s=TRY_REMOVED_S,
        )
    )
    try:
        yield stand
    finally:
        stand.stop.set()
        await task


async def test_who_holds_nothing_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with orphaned(tmp_path, monkeypatch, holds=False) as stand:
        assert await stand.looks()


async def test_a_lease_is_held_to_its_end_and_until_the_device_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with orphaned(tmp_path, monkeypatch, holds=True) as stand:
        assert not await stand.looks(99.0)
        assert not await stand.looks(TRY_S - 2.0)  # run out since 499 s: still tried
        stand.memory.let_go("LG1.ShedSpt")
        assert await stand.looks()


async def test_a_device_that_is_never_reached_is_not_tried_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with orphaned(tmp_path, monkeypatch, holds=True) as stand:
        assert not await stand.looks(101.0)
        with caplog.at_level(logging.ERROR):
            assert await stand.looks(TRY_S + 1.0)
    assert "LG1.ShedSpt" in caplog.text


async def test_a_removed_folder_ends_the_leases_and_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with orphaned(tmp_path, monkeypatch, holds=True) as stand:
        assert not await stand.looks()
        shutil.rmtree(tmp_path / "pilot")
        assert not await stand.looks()
        (held,) = stand.memory.state.leases
        assert held.until_s == stand.clock.now_s()
        with pytest.raises(OSError, match="No such file"):
            stand.memory.save_if_dirty()
        assert not await stand.looks(TRY_REMOVED_S - 1.0)
        assert await stand.looks(2.0)
    assert not (tmp_path / "pilot").exists()


async def test_the_agent_returns_what_it_holds_though_its_folder_is_gone(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        command = made.command()
        await made.send(made.order(command))
        await made.reaches(command.mrid, CommandState.CONFIRMED)
        shutil.rmtree(tmp_path)
        made.site.parent.set()
        await made.site.ended("field", within_s=15.0)
        assert made.site.plant.setpoints["LG1.ShedSpt"] == 0.0
        assert not made.site.field_settings.spool.exists()
