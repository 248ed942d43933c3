"""`gridctl command`: what a person reads of one, without the office."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gridctl.cli import app
from gridctl.config import load_settings
from gridctl.model.command import CommandState
from gridctl.model.record import EvidenceRow
from gridctl.store.engine import open_store
from tests.gridctl.store.examples import T0, command
from tests.pilot import make_pilot

KEPT = EvidenceRow(
    command="C1",
    state=CommandState.ACCEPTED,
    at_s=T0 + 1,
    lines=("12:00 → device SELECT g41v3 2=40 | c403", "12:00 ← device RESPONSE | c481", "a note"),
)


@pytest.fixture(scope="module")
def pilot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_pilot(tmp_path_factory.mktemp("command") / "pilot")
    asyncio.run(_fill(folder))
    return folder


async def _fill(folder: Path) -> None:
    settings = load_settings(folder / "gridctl.toml")
    store = await open_store(settings.database.url, clock=settings.grid_clock())
    async with store.transaction() as unit:
        await unit.add_command(command(), state=CommandState.APPROVED, at_s=T0)
        await unit.move_command(
            "C1", to=CommandState.ORDERED, at_s=T0, order="O-1-1", status="", detail=""
        )
        await unit.add_evidence(KEPT)
        await unit.add_command(command("C2"), state=CommandState.APPROVED, at_s=T0)
    await store.close()


def gridctl(pilot: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["command", *words, "--instance", str(pilot)])


def test_a_person_reads_states_words_and_octets(pilot: Path) -> None:
    shown = gridctl(pilot, "show", "C1")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "Command C1 of plan P1, order O-1-1"
    assert any("approved" in line for line in lines)
    assert f"  accepted at 2026-08-06T07:06:41.123+00:00, SHA-256 {KEPT.digest}" in lines
    at = lines.index("    12:00 → device SELECT g41v3 2=40")
    assert lines[at + 1] == "      c403"
    assert "    a note" in lines


def test_what_never_reached_a_wire_is_said(pilot: Path) -> None:
    assert "nothing is kept" in gridctl(pilot, "show", "C2").stdout


def test_a_program_gets_one_object(pilot: Path) -> None:
    shown = json.loads(gridctl(pilot, "show", "C1", "--json").stdout)
    assert (shown["command"], shown["state"], shown["order"]) == ("C1", "ordered", "O-1-1")
    (kept,) = shown["evidence"]
    assert kept == {
        "state": "accepted",
        "at_s": T0 + 1,
        "sha256": KEPT.digest,
        "lines": list(KEPT.lines),
    }
    listed = json.loads(gridctl(pilot, "list", "--json").stdout)["commands"]
    assert [one["command"] for one in listed] == ["C1", "C2"]
    assert json.loads(gridctl(pilot, "list", "--plan", "none", "--json").stdout) == {"commands": []}


def test_an_unknown_command_is_refused(pilot: Path) -> None:
    found = gridctl(pilot, "show", "C9")
    assert found.exit_code == 1
    assert "there is no command C9" in found.stderr
