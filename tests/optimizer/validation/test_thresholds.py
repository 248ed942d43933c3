"""Thresholds from a file: laid over each other, and refused with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from optimizer.validation.thresholds import load_thresholds


def write(folder: Path, text: str) -> Path:
    file = folder / "vee.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_point_over_the_common_ones(tmp_path: Path) -> None:
    text = '[vee]\nspike_factor = 1.2\n[vee.points."FDR.TotW"]\nrating_kw = 5000\n'
    own, points = load_thresholds(write(tmp_path, text))
    assert own.spike_factor == 1.2
    assert own.rating_kw is None
    assert points["FDR.TotW"].spike_factor == 1.2
    assert points["FDR.TotW"].rating_kw == 5000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[vee]\n\nspike_facto = 1", "vee.toml:3:vee.spike_facto: no such threshold"),
        ('[vee]\nspike_factor = "x"', "vee.toml:2:vee.spike_factor: a number is expected"),
        ("[vee]\nspike_factor = true", "a number is expected"),
        ("[vee]\nspike_factor = -1", "must not be negative"),
        ("[other]\n", "no table"),
        ("[vee", "vee.toml"),
        ("[vee]\npoints = 3", "tables of points"),
    ],
)
def test_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError) as told:
        load_thresholds(write(tmp_path, text))
    assert words in str(told.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"vee\.toml"):
        load_thresholds(tmp_path / "vee.toml")
