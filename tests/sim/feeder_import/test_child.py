"""The engine's crash does not become ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from sim.feeder_import.child import import_apart


def test_a_crash_of_the_engine_is_an_error_with_a_line(tmp_path: Path) -> None:
    # MVAsc1 stays at its default of 2100: the zero-sequence impedance is no number, and the engine
    # falls over when it factorises it.
    path = tmp_path / "m.dss"
    path.write_text(
        "New Circuit.c basekv=12.47 mvasc3=100\n"
        "New Line.l bus1=sourcebus bus2=b\nCalcvoltagebases\n"
    )
    with pytest.raises(ConfigError, match=r"engine crashed, at m\.dss:3"):
        import_apart(path, "x")


def test_refusals_and_feeders_come_back_from_the_child(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text("New Circuit.c\nNew Lode.l\n")
    with pytest.raises(ConfigError, match=r"m\.dss:2"):
        import_apart(path, "x")
    path.write_text("New Circuit.c\nNew Line.l bus1=sourcebus bus2=b\n")
    assert [line.mrid for line in import_apart(path, "x").feeder.lines] == ["l"]
