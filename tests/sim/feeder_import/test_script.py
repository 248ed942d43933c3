"""The script's reader: errors with file and line, studies left out, odd spellings understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridctl.model.errors import ConfigError
from sim.engine import opendss_engine
from sim.feeder_import.report import Fate, Report
from sim.feeder_import.script import Script


def read(path: Path) -> Report:
    report = Report(source=str(path))
    Script(opendss_engine(), report).run(path)
    return report


def test_every_line_that_opendss_does_not_take_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text(
        "New Circuit.c basekv=12.47\n"
        "New Line.l bus1=sourcebus bus2=b linecode=nope\n"
        "New Lode.a bus1=b\n"
        "New Load.c bus1=b kww=2\n"
        "Redirect missing.dss\n"
    )
    with pytest.raises(ConfigError) as refused:
        read(path)
    said = str(refused.value)
    for expected in ("m.dss:2", "nope", "m.dss:3", "m.dss:4", "kww", "m.dss:5", "no file missing"):
        assert expected in said


def test_lines_of_a_redirected_file_are_counted_in_it(tmp_path: Path) -> None:
    (tmp_path / "Sub").mkdir()
    (tmp_path / "Sub" / "Loads.DSS").write_text(
        "! loads\n/* a\nblock */\nNew Load.x bus1=b kv=q\n~ foo=1\n"
    )
    path = tmp_path / "m.dss"
    path.write_text("New Circuit.c\nredirect sub\\loads.dss ! from Windows\nNew Load.y bus1=b\n")
    with pytest.raises(ConfigError, match=r"Loads\.DSS:5"):
        read(path)


def test_studies_and_output_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text(
        "New Circuit.c // comment\nNew Line.l bus1=sourcebus bus2=b\nSolve\nShow voltages\n"
        "Export voltages\nPlot circuit\nVisualize what=powers element=line.l\nEstimate\n"
        "Buscoords nowhere.csv\nSet datapath=elsewhere\n"
    )
    before = Path.cwd()
    report = read(path)
    assert Path.cwd() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.dss"]
    refused = [e.why for e in report.entries if e.fate is Fate.REFUSED]
    assert refused == [
        "command not carried out (m.dss:8)",
        "there is no file nowhere.csv (m.dss:9)",
    ]
    assert report.place("Line.l") == "m.dss:2"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"! nothing\nClear\n", "no circuit is defined here"),
        (b"\x7fELF\0\0\0", "no text file"),
        (b"redirect m.dss\n", "redirected more than 20 deep"),
    ],
)
def test_what_is_no_circuit_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "m.dss"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        read(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "none.dss")


def test_files_of_numbers_are_found_as_windows_spells_them(tmp_path: Path) -> None:
    (tmp_path / "Profiles").mkdir()
    (tmp_path / "Profiles" / "Load_1.csv").write_text("0.1\n0.5\n0.9\n")
    path = tmp_path / "m.dss"
    path.write_text(
        "New Circuit.c\n"
        "New Loadshape.a npts=3 interval=1 mult=(file=profiles\\load_1.csv)\n"
        "New Loadshape.b npts=3 interval=1 csvfile='Profiles\\Load_1.csv'\n"
        "New Loadshape.c npts=3 interval=1 mult=(file=nowhere.csv)\n"
        "New Line.l bus1=sourcebus bus2=b\n"
    )
    report = read(path)
    told = {e.element: e.why for e in report.entries}
    assert told == {"Loadshape.c": "its file of numbers is not there (m.dss:4)"}
    dss = opendss_engine()
    for name in ("a", "b"):
        dss.loadshapes.name = name
        assert list(dss.loadshapes.p_mult) == [0.1, 0.5, 0.9]
