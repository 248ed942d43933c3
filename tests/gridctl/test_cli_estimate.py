"""`gridctl estimate` on the mirror's truth: a state that fits, a lying meter, files that do not."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gridctl.cli import app
from gridctl.cli_estimate import COLUMNS
from optimizer.estimation.feeder import Meter
from tests.optimizer.estimation.metered import LEVELS, meters, prior, truth

FEEDER = "ieee13"


def written(file: Path, measured: Sequence[Meter]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as text:
        rows = csv.DictWriter(text, COLUMNS)
        rows.writeheader()
        for one in measured:
            rows.writerow({name: getattr(one, name) for name in COLUMNS})
    return file


def run(file: Path, *options: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["estimate", FEEDER, str(file), *options])
    return done.exit_code, done.output


def test_a_state_that_fits_and_a_meter_that_lies(tmp_path: Path) -> None:
    real = truth(FEEDER, seed=3)
    measured = meters(real, LEVELS[1], seed=3)
    share = f"{float(prior(real, seed=3)[0]):.3f}"
    code, said = run(written(tmp_path / "fine.csv", measured), "--load", share, "--json")
    found = json.loads(said)
    assert (code, found["fits"], found["suspects"]) == (0, True, [])
    assert len(found["residuals"]) == len(measured)
    lowest = min(real.voltage_pu.values())
    assert found["lowest_pu"]["pu"] == pytest.approx(lowest, abs=0.01)
    at = next(k for k, one in enumerate(measured) if one.place)
    lying = [replace(m, value=m.value + 0.08) if k == at else m for k, m in enumerate(measured)]
    code, said = run(written(tmp_path / "lying.csv", lying), "--load", share)
    assert code == 1
    assert measured[at].name in said
    assert "does not fit" in said or "suspects" in said or "removed" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": "smell"}, ":2:quantity: 'smell' is none"),
        ({"value": "much"}, ":2:value: 'much' is no number"),
        ({"sigma": "0"}, ":2:sigma: must be above 0"),
        ({"name": ""}, ":2:name: is empty"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, change: dict[str, str], words: str) -> None:
    row = {
        "name": "head", "quantity": "head_kw", "place": "", "phase": "", "value": "1", "sigma": "1",
    } | change  # fmt: skip
    file = tmp_path / "meters.csv"
    file.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    code, said = run(file)
    assert code == 3
    assert words in said.replace("\n", "")


def test_a_place_that_the_feeder_does_not_have(tmp_path: Path) -> None:
    file = tmp_path / "meters.csv"
    file.write_text("name,quantity,place,phase,value,sigma\nv,voltage_pu,nowhere,A,1,0.01\n")
    code, said = run(file)
    assert code == 1
    assert "there is no nowhere.A" in said
