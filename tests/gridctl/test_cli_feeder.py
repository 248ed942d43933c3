"""`gridctl feeder …` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gridctl.cli import app
from protocols.pointgroups import PointContext, PointGroup
from protocols.points import load_points
from sim.outstation_image import OutstationImage
from sim.plant import Reading, Verdict
from sim.plant_points import read_plant_points
from tests.sim.feeder_import.agreement import CIRCUITS

RUN = CliRunner()


class _Nothing:
    """A plant that is not there."""

    def read(self, point: str) -> Reading:
        raise KeyError(point)

    def check(self, point: str, value: float) -> Verdict:
        return Verdict.NOT_SUPPORTED

    def command(self, point: str, value: float, *, lease_s: float | None) -> Verdict:
        return Verdict.NOT_SUPPORTED

    def revision(self) -> int:
        return 0


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def say(*words: str, code: int = 0) -> str:
    result = RUN.invoke(app, ["feeder", *words])
    assert result.exit_code == code, result.output
    return result.output


def test_import_writes_a_feeder_that_the_other_commands_know() -> None:
    told = say("import", str(CIRCUITS / "split_phase.dss"))
    assert "power flows agree" in told
    assert "PVSystem.roof (split_phase.dss:26)" in told
    folder = Path(".gridctl/feeders/split_phase")
    assert sorted(p.name for p in folder.iterdir()) == [
        "feeder.json", "fleet", "points.csv", "profiles.csv", "report.json", "shapes.csv",
    ]  # fmt: skip
    report = json.loads((folder / "report.json").read_text())
    assert report["agreement"]["difference_pu"] < 1e-6
    shown = json.loads(say("show", "split_phase", "--json"))
    assert shown["digest"] == report["digest"]
    names = [f["name"] for f in json.loads(say("list", "--json"))["feeders"]]
    assert {"ieee13", "ieee34", "ieee123", "split_phase"} <= set(names)
    assert "agree" in say("check", str(folder))
    assert say("draw", "split_phase").startswith("<svg")
    assert "not overwritten" in say("import", str(CIRCUITS / "split_phase.dss"), code=3)
    points = (folder / "points.csv").read_text()
    assert "30:0" in points
    assert "nsu=urn:gridctl:feeder:1" in points


def test_a_load_beyond_all_measure_is_refused_with_its_line(tmp_path: Path) -> None:
    lines = [
        "New Circuit.c basekv=12.47",
        "New Line.l bus1=sourcebus bus2=b length=10 units=km r1=0.3 x1=0.5",
        "New Load.huge bus1=b kv=12.47 kw={kw} kvar={kvar} {more}",
        "Set voltagebases=[12.47]",
        "Calcvoltagebases",
    ]
    for kw, more, told in (
        (900_000, "", "this feeder supplies nobody: 0.026 pu at b."),
        (60_000, "vminpu=0.05", "does not converge: at 10% of its load b.A is at"),
    ):
        text = "\n".join(lines).format(kw=kw, kvar=kw // 2, more=more)
        (tmp_path / "absurd.dss").write_text(text)
        said = say("import", "absurd.dss", code=1 if "nobody" in told else 4)
        assert told in said
        assert f"huge {kw:g} kW at b (absurd.dss:3)" in said
        assert not (tmp_path / ".gridctl").exists()


def test_errors_are_sentences_with_a_place(tmp_path: Path) -> None:
    (tmp_path / "bad.dss").write_text("New Circuit.c\nNew Lode.x bus1=b\n")
    assert "bad.dss:2" in say("import", "bad.dss", code=3)
    assert "cannot be read" in say("import", "none.dss", code=3)
    assert "known feeders" in say("show", "ieee8500", code=3)
    assert "use --one-line" in say("draw", "ieee13", "--map", code=1)
    Path("broken.json").write_text("{}")
    assert "no feeder model" in say("check", "broken.json", code=3)


def test_a_generated_feeder_is_a_folder_like_an_imported_one() -> None:
    said = json.loads(say("generate", "--nodes", "80", "--style", "rural", "--seed", "7", "--json"))
    assert said["size"]["nodes"] == 80
    assert said["agreement"]["difference_pu"] < 1e-6
    assert "agree" in say("check", said["folder"])
    assert "can be made" in say("generate", "--nodes", "5", code=2)
    assert "european-lv" in say("generate", "--nodes", "80", "--style", "moon", code=2)
    drawn = say("draw", "rural-80-7", "--out", "picture.svg")
    assert "map" in drawn
    assert Path("picture.svg").read_text().startswith("<svg")


def test_alike_elements_are_told_in_one_line(tmp_path: Path) -> None:
    told = say("import", str(CIRCUITS / "own_net.json"))
    lines = [line for line in told.splitlines() if "zero sequence assumed" in line]
    assert len(lines) == 1
    assert "and 4 more" in lines[0]
    assert told.index("refused ") < told.index("approximated  ")


def test_points_of_any_feeder_are_a_sound_points_file() -> None:
    """As the field agent reads them, and as the simulator serves them."""
    say("import", str(CIRCUITS / "all_delta.dss"))
    say("generate", "--nodes", "2000", "--style", "european-lv", "--name", "large")
    context = PointContext(groups={"switches": PointGroup()})
    for name in ("all_delta", "large"):
        file = Path(".gridctl/feeders") / name / "points.csv"
        rows = load_points(file, context)
        points = read_plant_points(file)
        assert len(rows) == len(points)
        assert len({(p.link, p.address) for p in points}) == len(points)
        taken = {(p.link, p.address) for p in points} & {(p.link, p.lease) for p in points}
        assert taken == set()
        for link in ("SUB", "DR"):
            assert OutstationImage([p for p in points if p.link == link], _Nothing()).points
