"""The command: what a person sees, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gridctl.model.canonical import plain
from optimizer.substation.__main__ import main
from tests.optimizer.substation.cases import substation


def written(folder: Path, **other: object) -> Path:
    """A substation of two feeders as files."""
    task = substation(2)
    for one in task.feeders:
        (folder / f"{one.feeder.mrid}.json").write_text(json.dumps(plain(one)), encoding="utf-8")
    body = {"mrid": "SUB", "limit_kw": task.limit_kw[0], "feeders": ["F0.json", "F1.json"]}
    path = folder / "substation.json"
    path.write_text(json.dumps(body | other), encoding="utf-8")
    return path


def test_a_substation_is_planned_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    assert main([str(path), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "SUB: limit kept; 2 feeders planned, 0 not" in out
    assert "above the best one" in out
    assert out.count("\n") > 30


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"limit_kw": "much"}, "limit_kw: a number, or one for each interval"),
        ({"limit_kw": [1.0, 2.0]}, "2 limits for 24 intervals"),
        ({"feeders": []}, "feeders: a list of file names"),
        ({"feeders": ["none.json"]}, "none.json: No such file"),
        ({"feeders": ["F0.json", "F0.json"]}, "feeder F0 is there twice"),
        ({"more": 1}, "exactly the keys"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    other: dict[str, object],
    words: str,
) -> None:
    assert main([str(written(tmp_path, **other)), "--workers", "1"]) == 2
    assert words in capsys.readouterr().err
