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
        (b"redirect m.dss\n", r"m\.dss:1: redirects to m\.dss, which is being read"),
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


def test_batchedit_may_answer(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text(
        "New Circuit.c\nNew Line.l bus1=sourcebus bus2=b\nNew Load.x bus1=b kw=5\n"
        "Batchedit Load..* kw=7\n"
    )
    read(path)
    assert float(opendss_engine().text("? load.x.kw")) == 7.0


def test_of_several_circuits_in_a_file_the_last_one_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text(
        "Clear\nNew Circuit.first\nNew Line.a bus1=sourcebus bus2=b\nBuscoords none.csv\n"
        "Clear\nNew Circuit.second\nNew Line.b bus1=sourcebus bus2=c\n"
    )
    report = read(path)
    assert opendss_engine().circuit.name == "second"
    assert (report.place("line.a"), report.place("line.b")) == ("", "m.dss:7")
    assert report.entries == []


def test_two_circuits_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text("New Circuit.first\nNew Circuit.second\n")
    with pytest.raises(ConfigError, match=r"m\.dss:2: a second circuit"):
        read(path)


def test_a_model_of_the_users_own_code_is_refused_alone(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text(
        "New Circuit.c\nNew Line.l bus1=sourcebus bus2=b\n"
        "New Generator.own bus1=b kv=115 kw=5 model=6 Usermodel=Nowhere\n"
        "~ UserData=(rs=0.03)\nNew Load.x bus1=b kw=5\n"
    )
    (told,) = read(path).entries
    assert (told.element, told.fate) == ("Generator.own", Fate.REFUSED)
    assert "user-written model" in told.why
    assert opendss_engine().text("? generator.own.enabled").lower() in ("no", "false")


@pytest.mark.parametrize("codec", ["utf-8-sig", "latin-1"])
def test_files_as_windows_writes_them(tmp_path: Path, codec: str) -> None:
    folder = tmp_path / "Mein Netz" / "Büro"
    folder.mkdir(parents=True)
    lines = ["! Straße", "New Line.l bus1=sourcebus bus2=b", "~ length=2", "m units=km"]
    (folder / "Lines v2.dss").write_bytes("\r\n".join(lines).encode(codec))
    (folder / "XY.csv").write_bytes(b"b, 1.5, 2.5\r\n")
    (folder / "werte.csv").write_bytes(b"0.25\r\n0.75\r\n")
    path = tmp_path / "m.dss"
    main = [
        "New object=Circuit.c bus1=sourcebus ! größer",
        "New Loadshape.s npts=2 interval=1 csvfile='Mein Netz\\Büro\\Werte.csv'",
        "New Line.Straße bus1=b bus2=Größe",
        'Redirect "Mein Netz\\büro\\lines V2.dss"',
        'BusCoords "Mein Netz\\Büro\\xy.csv"',
    ]
    path.write_bytes("\r\n".join(main).encode(codec))
    report = read(path)
    assert report.place("Line.l") == "Mein Netz/Büro/Lines v2.dss:2"
    dss = opendss_engine()
    assert dss.text("? line.l.units") == "km"
    dss.circuit.set_active_bus("b")
    assert (dss.bus.x, dss.bus.y) == (1.5, 2.5)
    dss.loadshapes.name = "s"
    assert list(dss.loadshapes.p_mult) == [0.25, 0.75]


def write(folder: Path, text: str) -> Path:
    path = folder / "m.dss"
    path.write_text("New Circuit.c\nNew Line.l bus1=sourcebus bus2=b\n" + text)
    return path


def test_a_name_that_is_given_twice_is_told_with_both_places(tmp_path: Path) -> None:
    path = write(tmp_path, "New Load.x bus1=b kw=5\nNew LINE.L bus1=b bus2=c\n")
    with pytest.raises(ConfigError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}:4: LINE.L is here a second time; the first is at")
    assert "m.dss:2" in str(refused.value)


def test_a_definition_that_is_given_twice_is_told(tmp_path: Path) -> None:
    (told,) = read(write(tmp_path, "New Linecode.q r1=1\nNew Linecode.q r1=2\n")).entries
    assert (told.element, told.fate) == ("Linecode.q", Fate.APPROXIMATED)
    assert "m.dss:3 and again at m.dss:4" in told.why


def test_what_comes_before_the_circuit(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_text("New Linecode.q r1=1\nNew Circuit.c\n")
    with pytest.raises(ConfigError, match=r"m\.dss:1: Linecode\.q comes before any New Circuit"):
        read(path)


def test_a_block_comment_without_an_end(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"m\.dss:3: the block comment that begins here has no"):
        read(write(tmp_path, "/* never\nNew Load.x bus1=b kw=5\n"))


def test_lines_after_like_are_the_elements_own(tmp_path: Path) -> None:
    text = "New Load.a bus1=b kw=5\nNew Load.z like=a\n~ kw=7\nmore kv=9\nNew Load.e kw=1\n~ kw=2\n"
    (told,) = read(write(tmp_path, text)).entries
    assert (told.element, told.fate) == ("Load.z", Fate.KEPT)
    dss = opendss_engine()
    found = [float(dss.text(f"? load.{n}")) for n in ("a.kw", "z.kw", "z.kv", "e.kw")]
    assert found == [5.0, 7.0, 9.0, 2.0]


def test_line_to_line_is_a_delta(tmp_path: Path) -> None:
    read(
        write(tmp_path, "New Load.a bus1=b conn=LL\nNew Transformer.t conns=[LN ll] buses=[b c]\n")
    )
    dss = opendss_engine()
    assert dss.text("? load.a.conn").lower().startswith("d")
    assert [
        w[0] for w in dss.text("? transformer.t.conns").strip("[] ").lower().split(",")[:1]
    ] == ["w"]
    assert "delta" in dss.text("? transformer.t.conns").lower()


def test_controls_of_inverters_are_left_out_and_told(tmp_path: Path) -> None:
    text = "New InvControl.i PVSystemList=[nowhere]\n~ mode=voltvar vvc_curve1=none\n"
    (told,) = read(write(tmp_path, text)).entries
    assert (told.element, told.fate) == ("InvControl.i", Fate.REFUSED)


def test_a_warning_is_told_of_its_element(tmp_path: Path) -> None:
    (told,) = read(write(tmp_path, "New Load.a bus1=b daily=nope\n")).entries
    assert (told.element, told.place) == ("Load.a", "m.dss:3")
    assert "Not Found" in told.why


def test_a_file_of_numbers_without_any(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("none\n")
    text = "New Loadshape.s npts=3 interval=1 mult=(file=s.csv)\n"
    (told,) = read(write(tmp_path, text)).entries
    assert told.why == "its file of numbers holds none (m.dss:3)"


def test_utf_16_as_windows_shells_write_it(tmp_path: Path) -> None:
    path = tmp_path / "m.dss"
    path.write_bytes("New Circuit.c\nNew Line.l bus1=sourcebus bus2=b\n".encode("utf-16"))
    assert read(path).place("line.l") == "m.dss:2"
