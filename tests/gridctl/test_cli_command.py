"""`gridctl command`: what a person reads of one, without the office."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from gridctl.cli import app
from gridctl.model.clock import ManualClock
from gridctl.model.command import CommandState
from gridctl.model.record import EvidenceRow
from gridctl.store.engine import open_store
from tests.gridctl.store.examples import T0, command

KEPT = EvidenceRow(
    command="C1",
    state=CommandState.ACCEPTED,
    at_s=T0 + 1,
    lines=("12:00 → device SELECT g41v3 2=40 | c403", "12:00 ← device RESPONSE | c481", "a note"),
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database with two commands, where the command line looks for it."""
    url = f"sqlite:///{tmp_path}/control.db"
    settings = SimpleNamespace(database=SimpleNamespace(url=url), grid_clock=ManualClock)
    monkeypatch.setattr("gridctl.cli_store.load_settings", lambda _: settings)
    asyncio.run(_fill(url))


async def _fill(url: str) -> None:
    store = await open_store(url, clock=ManualClock())
    async with store.transaction() as unit:
        await unit.add_command(command(), state=CommandState.APPROVED, at_s=T0)
        await unit.move_command("C1", to=CommandState.ORDERED, at_s=T0, order="O-1-1")
        await unit.add_evidence(KEPT)
        await unit.add_command(command("C2"), state=CommandState.APPROVED, at_s=T0)
    await store.close()


def gridctl(*words: str) -> Result:
    return CliRunner().invoke(app, ["command", *words])


pytestmark = pytest.mark.usefixtures("office")


def test_a_person_reads_states_words_and_octets() -> None:
    shown = gridctl("show", "C1")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "Command C1 of plan P1, order O-1-1"
    assert any("approved" in line for line in lines)
    assert f"  accepted at 2026-08-06T07:06:41.123+00:00, SHA-256 {KEPT.digest}" in lines
    at = lines.index("    12:00 → device SELECT g41v3 2=40")
    assert lines[at + 1] == "      c403"
    assert "    a note" in lines


def test_what_never_reached_a_wire_is_said() -> None:
    assert "nothing is kept" in gridctl("show", "C2").stdout


def test_a_program_gets_one_object() -> None:
    shown = json.loads(gridctl("show", "C1", "--json").stdout)
    assert (shown["command"], shown["state"], shown["order"]) == ("C1", "ordered", "O-1-1")
    (kept,) = shown["evidence"]
    assert kept == {
        "state": "accepted",
        "at_s": T0 + 1,
        "sha256": KEPT.digest,
        "lines": list(KEPT.lines),
    }
    listed = json.loads(gridctl("list", "--json").stdout)["commands"]
    assert [one["command"] for one in listed] == ["C1", "C2"]
    assert json.loads(gridctl("list", "--plan", "none", "--json").stdout) == {"commands": []}


def test_an_unknown_command_is_refused() -> None:
    found = gridctl("show", "C9")
    assert found.exit_code == 1
    assert "there is no command C9" in found.stderr
