"""Interval files: times with and without offset, the doubled hour, and every refusal."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from gridctl.intervalfile import read_intervals
from gridctl.model.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    file = folder / "load.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_columns_empty_cells_and_words(tmp_path: Path) -> None:
    file = write(tmp_path, "timestamp,kw,day\n2026-07-01T00:00Z,1.5,Wed\n2026-07-01T00:15Z,,Wed\n")
    read = read_intervals(file)
    assert read.names == ("kw",)
    assert read.time_s.tolist() == [1_782_864_000.0, 1_782_864_900.0]
    assert read.column("kw")[0] == 1.5
    assert np.isnan(read.column("kw")[1])


def test_the_hour_that_comes_twice(tmp_path: Path) -> None:
    rows = [f"2026-10-25 0{h}:{m:02d},1" for h in (1, 2, 2, 3) for m in (0, 30)]
    read = read_intervals(write(tmp_path, "ts,kw\n" + "\n".join(rows)), timezone="Europe/Madrid")
    assert np.diff(read.time_s).tolist() == [1800.0] * 7


def test_gzip(tmp_path: Path) -> None:
    file = tmp_path / "load.csv.gz"
    with gzip.open(file, "wt", encoding="utf-8") as text:
        text.write("ts,kw\n2026-01-01,1\n")
    assert read_intervals(file).values.tolist() == [[1.0]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no header"),
        ("ts,kw\n", "no readings"),
        ("ts,kw\nyesterday,1\n", "load.csv:2:ts: 'yesterday' is no time"),
        ("ts,kw\n2026-01-01,1,2\n", "load.csv:2: 3 cells, the header has 2"),
        ("ts,kw\n2026-01-01,x\n", "no column holds numbers"),
    ],
)
def test_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        read_intervals(write(tmp_path, text))
    assert words in str(told.value)


def test_a_named_column_must_be_there_and_hold_numbers(tmp_path: Path) -> None:
    file = write(tmp_path, "ts,kw\n2026-01-01,1\n2026-01-02,x\n")
    with pytest.raises(ConfigError, match=r"kwh: no such column \(hint: there are ts, kw\)"):
        read_intervals(file, columns=["kwh"])
    with pytest.raises(ConfigError, match=r"load\.csv:3:kw: 'x' is no number"):
        read_intervals(file, columns=["kw"])
    with pytest.raises(ConfigError, match="no such time zone"):
        read_intervals(file, timezone="Mars/North")
    with pytest.raises(ConfigError, match="No such file"):
        read_intervals(tmp_path / "other.csv")
