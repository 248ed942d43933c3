"""Looking at devices and holding files against them: pure, then over real wires of the mirror."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gridctl.commissioning import Severity, compare, is_fit, starter_file
from gridctl.model.measurement import PointKind, Quality, Validity
from gridctl.model.quantity import Unit
from protocols.discovery import Discovery, FoundPoint
from protocols.driver import PointAddress
from protocols.points import COLUMNS, load_points, parse_points
from tests.pilot import make_pilot

FOUND = Discovery(
    protocol="dnp3",
    endpoint="here",
    attributes=(),
    points=(
        FoundPoint(address="30:0", kind=PointKind.ANALOG, native_type="g30v5", value=1.0),
        FoundPoint(
            address="40:1",
            kind=PointKind.SETPOINT,
            native_type="g40v3",
            writable=True,
            command="ao-float",
            unit=Unit.KW,
            low=0.0,
            high=60.0,
        ),
        FoundPoint(address="1:7", kind=PointKind.DISCRETE, native_type="g1v2"),
    ),
)
ROWS = [
    "A,A,E,analog,kW,,L,30:0,,,1,0,0,2,,,,",
    "S,S,E,setpoint,kW,,L,41:1,ao-float,,1,0,0,2,A,0.5,0,60",
]


def rows(*lines: str) -> tuple[PointAddress, ...]:
    return parse_points([",".join(COLUMNS), *lines], file="points.csv")


def told(*lines: str, found: Discovery = FOUND) -> dict[str, Severity]:
    return {d.what: d.severity for d in compare(rows(*lines), found)}


def test_a_file_that_fits_has_only_extras() -> None:
    differences = compare(rows(*ROWS), FOUND)
    assert [(d.what, d.address, d.severity) for d in differences] == [("extra", "1:7", "info")]
    assert is_fit(differences)


def with_point(index: int, **changes: object) -> Discovery:
    points = list(FOUND.points)
    points[index] = replace(points[index], **changes)  # type: ignore[arg-type]
    return replace(FOUND, points=tuple(points))


@pytest.mark.parametrize(
    ("index", "changes", "what", "severity"),
    [
        (0, {"address": "30:9"}, "missing", Severity.ERROR),
        (0, {"kind": PointKind.DISCRETE}, "type", Severity.ERROR),
        (0, {"unit": Unit.AMPERE}, "unit", Severity.WARNING),
        (0, {"unit_text": "MW"}, "unit", Severity.WARNING),
        (0, {"quality": Quality(validity=Validity.INVALID)}, "quality", Severity.WARNING),
        (1, {"writable": False}, "not_writable", Severity.ERROR),
        (1, {"high": 50.0}, "range", Severity.ERROR),
        (1, {"low": 10.0}, "range", Severity.ERROR),
        (1, {"command": "crob-latch"}, "command", Severity.WARNING),
    ],
)
def test_each_difference_is_told(
    index: int, changes: dict[str, object], what: str, severity: Severity
) -> None:
    found = told(*ROWS, found=with_point(index, **changes))
    assert found[what] is severity


def test_how_a_relay_is_operated_is_for_its_owner_to_say() -> None:
    relay = FoundPoint(
        address="12:3",
        kind=PointKind.CONTROL,
        native_type="g10v2",
        writable=True,
        command="crob-latch",
    )
    found = replace(FOUND, points=(*FOUND.points[:2], relay))
    pulse = "R,R,E,control,state,,L,12:3,crob-pulse:500/100x1,,1,0,0,2,A,0,0,1"
    assert "command" not in told(*ROWS, pulse, found=found)
    # That a setpoint is an integer in the device is told.
    whole = replace(FOUND.points[1], command="ao-int16")
    found = replace(FOUND, points=(FOUND.points[0], whole))
    assert told(*ROWS, found=found)["command"] is Severity.WARNING


def test_a_range_is_compared_in_engineering_units() -> None:
    scaled = ROWS[1].replace(",1,0,0,2,A", ",0.001,0,0,2,A")
    fine = with_point(1, low=0.0, high=60_000.0, unit=None, unit_text="W")
    assert "range" not in told(ROWS[0], scaled, found=fine)
    assert told(ROWS[0], scaled, found=with_point(1, high=59_000.0))["range"] is Severity.ERROR


def test_a_starter_file_loads_and_commands_nothing() -> None:
    text = starter_file(FOUND, link="L")
    loaded = parse_points(io.StringIO(text), file="starter.csv")
    assert [a.address for a in loaded] == ["30:0", "40:1", "1:7"]
    assert not any(a.point.kind.commandable or a.command for a in loaded)
    assert [a.point.mrid for a in loaded] == ["L.AI0", "L.AO1", "L.BI7"]
    notes = [row["note"] for row in csv.DictReader(io.StringIO(text))]
    assert "could be commanded by ao-float: only after a person" in notes[1]
    assert "unit not known" in notes[0]
    assert (loaded[1].min_value, loaded[1].max_value) == (0.0, 60.0)
    assert (loaded[0].min_value, loaded[0].max_value) == (None, None)


def test_names_that_meet_are_told_apart() -> None:
    same = tuple(FoundPoint(address=f"nsu=u;s={k}", name="Power kW") for k in range(3))
    text = starter_file(replace(FOUND, points=same), link="L")
    loaded = parse_points(io.StringIO(text), file="starter.csv")
    assert [a.point.mrid for a in loaded] == ["L.Power_kW", "L.Power_kW-2", "L.Power_kW-3"]


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A pilot whose devices run, and nothing else."""
    folder = make_pilot(tmp_path_factory.mktemp("commissioning") / "pilot")
    with subprocess.Popen(
        [sys.executable, "-m", "gridctl.cli", "sim", "--instance", str(folder), "--page", "0"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "Ctrl-C ends it" not in said:
                said = process.stdout.readline()
                assert said, "the mirror has ended"
            yield folder
        finally:
            process.terminate()


def gridctl(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gridctl.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        cwd=cwd,
        env=None if cwd is None else os.environ | {"COLUMNS": "200"},
    )


@pytest.mark.parametrize("link", ["SUB", "DR", "DER"])
def test_the_pilots_own_file_fits_its_devices(mirror: Path, link: str) -> None:
    done = gridctl("points", "check", "--link", link, "-i", mirror)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fits" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("link", ["SUB", "DER"])
def test_a_probe_writes_a_file_that_loads_and_fits(mirror: Path, link: str, tmp_path: Path) -> None:
    starter = tmp_path / "starter.csv"
    done = gridctl("probe", "link", link, "-i", mirror, "--write", starter, "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert len(load_points(starter)) == len(shown["points"]) > 50
    check = gridctl("points", "check", starter, "--link", link, "-i", mirror, "--json")
    assert check.returncode == 0, check.stdout + check.stderr
    assert json.loads(check.stdout)["fit"] is True
    again = gridctl("probe", "link", link, "-i", mirror, "--write", starter)
    assert again.returncode == 1
    assert "is not overwritten" in again.stderr


def test_a_file_that_does_not_fit_says_so_by_line(mirror: Path, tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    text = (mirror / "points.csv").read_text()
    wrong = text.replace(",DR,20:0,", ",DR,20:999,")
    assert wrong != text
    file.write_text(wrong)
    done = gridctl("points", "check", file, "--link", "DR", "-i", mirror)
    assert done.returncode == 1
    assert ":missing: error: DR.HB the device does not have it" in done.stdout


def test_a_dnp3_device_by_its_address(mirror: Path) -> None:
    settings = (mirror / "gridctl.toml").read_text()
    port = settings.split('id = "DR"')[1].split("port = ")[1].split()[0]
    device = (f"127.0.0.1:{port}", "--master", "1", "--outstation", "20")
    done = gridctl("probe", "dnp3", *device, "--trace")
    assert done.returncode == 0, done.stderr
    assert "× g30v5\n    30:0  = " in done.stdout
    # What passed the wire, in words and apart from what was found: asked, then answered.
    lines = done.stderr.splitlines()
    asked = next(n for n, line in enumerate(lines) if "→ device" in line and "READ" in line)
    assert any("← device RESPONSE" in line for line in lines[asked:]), done.stderr


def test_a_file_and_a_dnp3_address_need_no_instance(mirror: Path, tmp_path: Path) -> None:
    """What somebody has who was handed a sheet and an address: no folder, no gridctl.toml."""
    file = tmp_path / "sheet.csv"
    file.write_text((mirror / "points.csv").read_text())
    port = (
        (mirror / "gridctl.toml").read_text().split('id = "DR"')[1].split("port = ")[1].split()[0]
    )
    device = ("--dnp3", f"127.0.0.1:{port}", "--outstation", "20")
    alone = gridctl("points", "check", file, cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    assert "no mistakes\nread by itself" in alone.stdout
    several = gridctl("points", "check", file, *device, cwd=tmp_path)
    assert several.returncode == 3
    assert "rows of several links (hint: --link DER or --link DR" in several.stderr
    held = gridctl("points", "check", file, *device, "--link", "DR", cwd=tmp_path)
    assert held.returncode == 0, held.stdout + held.stderr
    assert held.stdout.endswith("fits\n")
    file.write_text(file.read_text().replace(",DR,20:0,", ",DR,20:999,"))
    other = gridctl("points", "check", file, *device, "--link", "DR", cwd=tmp_path)
    assert other.returncode == 1
    assert "DR.HB the device does not have it" in other.stdout


def test_a_file_and_an_opcua_address_need_no_instance(mirror: Path, tmp_path: Path) -> None:
    file = tmp_path / "sheet.csv"
    file.write_text((mirror / "points.csv").read_text())
    der = tomllib.loads((mirror / "gridctl.toml").read_text())["field"]["links"]
    found = next(link for link in der if link["id"] == "DER")
    paths = ("certificate", "key", "server_certificate", "password_file")
    options = [f"--set={k}={(mirror / found[k]).resolve()}" for k in paths]
    options += [f"--set={k}={found[k]}" for k in ("user", "application_uri")]
    held = gridctl(
        "points", "check", file, "--opcua", found["url"], "--link", "DER", *options, cwd=tmp_path
    )
    assert held.returncode == 0, held.stdout + held.stderr
    assert held.stdout.endswith("fits\n")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([], 3, "name the points file: gridctl points check FILE"),
        (["nowhere.csv"], 3, "nowhere.csv: cannot be read"),
        (["x.csv", "--dnp3", "127.0.0.1:9"], 2, "an outstation has a link address"),
        (["x.csv", "--dnp3", "127.0.0.1:9", "--opcua", "opc.tcp://x"], 2, "one device at a time"),
    ],
)
def test_a_check_that_cannot_be_says_why(
    arguments: list[str], code: int, told: str, tmp_path: Path
) -> None:
    done = gridctl("points", "check", *arguments, cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr


def test_an_opcua_device_with_its_trace(mirror: Path) -> None:
    done = gridctl("probe", "link", "DER", "-i", mirror, "--trace", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["points"]) > 50
    lines = done.stderr.splitlines()
    asked = next(n for n, line in enumerate(lines) if "Browse" in line)
    assert any("Read" in line for line in lines[asked:]), done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["dnp3", "nowhere", "--master", "1", "--outstation", "2"], 2, "is not HOST:PORT"),
        (
            ["dnp3", "127.0.0.1:9", "--master", "1", "--outstation", "2", "--timeout", "3"],
            4,
            "127.0.0.1:9",
        ),
        (["opcua", "opc.tcp://127.0.0.1:9/x"], 3, "is missing"),
        (["dnp3", "127.0.0.1:9", "--master", "1", "--outstation", "1"], 3, "outstation_address"),
    ],
)
def test_a_probe_that_cannot_be_says_why(arguments: list[str], code: int, told: str) -> None:
    started_s = time.monotonic()
    done = gridctl("probe", *arguments)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started_s < 30


def test_a_reload_without_an_agent_is_no_answer(mirror: Path) -> None:
    done = gridctl("points", "reload", "-i", mirror, "--timeout", "1")
    assert done.returncode == 4
    assert "no field agent answered" in done.stderr
    assert not (mirror / "run" / "RELOAD").exists(), "no request is left behind for later"
