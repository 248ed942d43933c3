"""A run on paper: the same bytes each time, read back, judged, played, or refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from gridctl.model.clock import ManualClock
from gridctl.model.errors import ConfigError
from sim.fault_kinds import Fault
from sim.judge import judge
from sim.mischief import apply
from sim.plant import Plant, Verdict
from sim.recording import Playback, Recording, recording
from tests.sim.lively import Lively


def record(path: Path, ticks: int) -> Lively:
    """A run with commands and faults in it."""
    stage = Lively()
    with recording(path, stage.world) as recorder:
        for k in range(ticks):
            if k == 3:
                stage.world.command("LG13.ShedSpt", 20.0, lease_s=600.0)
                stage.world.command("EV01.ShedSpt", 1e9, lease_s=600.0)
                apply(stage.world, Fault.BAD_QUALITY, "FDR.TotW", on=True, amount=0.0)
                apply(stage.world, Fault.SPIKING_SENSOR, "WX.TmpC", on=True, amount=9.0)
            if k == 6:
                apply(stage.world, Fault.LINE_OUT, "L67-68", on=True, amount=0.0)
            if k == 9:
                apply(stage.world, Fault.LINE_OUT, "L67-68", on=False, amount=0.0)
            stage.run(1)
            recorder.take(stage.world)
    return stage


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    record(first, 14)
    record(second, 14)
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_text("utf-8").splitlines()) == 15


def test_a_recording_is_read_judged_and_played_back(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    stage = record(path, 14)
    found = Recording(path)
    moments = list(found.moments())
    assert len(moments) == 14
    assert (moments[-1].commands, moments[-1].wasted) == (2, 1)
    assert max(m.unserved_kw for m in moments) > 10.0
    assert judge(moments, stage.story).unserved_kwh > 0.0
    clock = ManualClock(grid_s=5_000.0)
    played: Plant = Playback(found, clock)
    before = played.read("FDR.TotW")
    assert (before.at_s, before.good) == (clock.now_s(), True)
    revision = played.revision()
    clock.advance(30.0 * 13)
    after = played.read("FDR.TotW")
    assert after.at_s == clock.now_s()
    assert after.value == stage.world.read("FDR.TotW").value
    assert not after.good
    assert played.revision() == revision + 13
    assert played.check("LG13.ShedSpt", 1.0) is Verdict.NOT_SUPPORTED
    assert played.command("LG13.ShedSpt", 1.0, lease_s=None) is Verdict.NOT_SUPPORTED
    with pytest.raises(KeyError):
        played.read("FDR.Nothing")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "does not begin with at_s"),
        ("t_s,head_kw\n1,2\n", "does not begin with at_s"),
        ("at_s,head_kw\n1,two\n", "could not convert"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        Recording(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Recording(tmp_path / "absent.csv")


def test_parquet_works_or_says_what_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    if importlib.util.find_spec("pyarrow") is None:
        with pytest.raises(ConfigError, match="pip install pyarrow"):
            record(path, 2)
        return
    stage = record(path, 4)
    found = Recording(path)
    assert found.reading("FDR.TotW", stage.world.at_s) == stage.world.read("FDR.TotW")
