"""What the field must not forget, and what it does with a file that it cannot read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.field.spool import MOVES_KEPT_S, FieldMemory, Lease, UnderWay
from gridctl.model.budget import Move
from gridctl.model.errors import ConfigError
from tests.gridctl.model.test_words import command

HELD = Lease(command="C", order="O", point="X", value=40.0, default_value=0.0, until_s=100.0)


def admitted(memory: FieldMemory, name: str = "C", now_s: float = 50.0) -> None:
    memory.admit(
        epoch=2,
        sequence=7,
        commands=[UnderWay(command=command(mrid=name), order="O")],
        moves=[Move(at_s=now_s, point="X", area="A", kw=40.0)],
        now_s=now_s,
    )


def test_it_comes_back_with_its_state(tmp_path: Path) -> None:
    memory = FieldMemory(tmp_path / "spool.json")
    admitted(memory)
    memory.hold(HELD)
    memory.set_stopped(True, epoch=2, sequence=8)
    assert FieldMemory(tmp_path / "spool.json").state == memory.state
    assert memory.state.leases == (HELD,)
    assert memory.state.under_way == ()
    assert (memory.state.epoch, memory.state.sequence, memory.state.stopped) == (2, 8, True)


def test_a_kill_before_the_late_save_leaves_the_command_under_way(tmp_path: Path) -> None:
    memory = FieldMemory(tmp_path / "spool.json")
    admitted(memory)
    memory.hold(HELD)  # not saved yet
    after = FieldMemory(tmp_path / "spool.json").state
    assert [u.command.mrid for u in after.under_way] == ["C"]
    assert after.leases == ()
    memory.save_if_dirty()
    after = FieldMemory(tmp_path / "spool.json").state
    assert after.under_way == ()
    assert after.leases == (HELD,)


def test_a_half_written_file_changes_nothing(tmp_path: Path) -> None:
    memory = FieldMemory(tmp_path / "spool.json")
    admitted(memory)
    (tmp_path / "spool.json.new").write_bytes(b'{"version": 1, "ep')
    assert FieldMemory(tmp_path / "spool.json").state == memory.state


@pytest.mark.parametrize("text", ["", "{", "null", '{"version": 9}', '{"version": 1, "x": 2}'])
def test_a_damaged_file_is_a_refusal_to_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "spool.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"damaged|another version"):
        FieldMemory(tmp_path / "spool.json")


def test_what_cannot_be_written_has_not_happened(tmp_path: Path) -> None:
    memory = FieldMemory(tmp_path / "spool.json")
    (tmp_path / "spool.json.new").mkdir()
    with pytest.raises(OSError, match="directory"):
        admitted(memory)
    assert memory.state.sequence == 0
    assert memory.state.under_way == ()


def test_old_moves_are_forgotten_and_one_lease_a_point_is_kept(tmp_path: Path) -> None:
    memory = FieldMemory(tmp_path / "spool.json")
    admitted(memory, "C-1", now_s=50.0)
    admitted(memory, "C-2", now_s=51.0 + MOVES_KEPT_S)
    assert len(memory.state.moves) == 1
    memory.hold(HELD)
    memory.hold(replace(HELD, command="C-2", value=60.0))
    assert [held.value for held in memory.state.leases] == [60.0]
    memory.let_go("X")
    assert memory.lease("X") is None


def test_leases_can_be_ended_now_and_follow_a_clock_set_back(tmp_path: Path) -> None:
    memory = FieldMemory(tmp_path / "spool.json")
    memory.hold(HELD)
    memory.shift(-30.0)
    assert memory.state.leases[0].until_s == 70.0
    memory.expire_all(60.0)
    assert memory.state.leases[0].until_s == 60.0
    memory.expire_all(65.0)
    assert memory.state.leases[0].until_s == 60.0
