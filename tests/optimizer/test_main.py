"""`python -m optimizer`: a file in, a plan or a clear error out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gridctl.model.canonical import canonical_json, plain
from optimizer.__main__ import main
from tests.optimizer.small import group, hourly_task


def problem(folder: Path, **changes: Any) -> Path:
    body = plain(hourly_task([900, 1050, 950], group("G"))) | changes
    file = folder / "problem.json"
    file.write_text(json.dumps(body))
    return file


def test_feeder_may_lie_in_a_file_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = hourly_task([900, 1050, 950], group("G"))
    (tmp_path / "two.json").write_bytes(canonical_json(task.feeder))
    assert main([str(problem(tmp_path, feeder="two.json")), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["status"] == "optimal"
    assert max(told["head_after_kw"]) <= 1000.5


def test_nothing_to_do_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = {"head_import_kw": 2000.0, "voltage_min_pu": 0.9, "voltage_max_pu": 1.1}
    file = problem(tmp_path, limits={**limits, "loading_max_pct": 100.0})
    assert main([str(file)]) == 0
    assert capsys.readouterr().out.startswith("not_needed:")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quantile": "high"}, "quantile: "),
        ({"surprise": 1}, "surprise: "),
        ({"feeder": "nowhere.json"}, "nowhere.json: No such file"),
        ({"limits": {}}, "limits.head_import_kw: "),
    ],
)
def test_a_wrong_field_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], told: str
) -> None:
    assert main([str(problem(tmp_path, **changes))]) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert not said.out


@pytest.mark.parametrize(
    ("text", "told"), [("{", ":1:2:"), ("[1]", "JSON object"), ("\xff", "UTF")]
)
def test_what_is_no_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    file = tmp_path / "problem.json"
    file.write_bytes(text.encode("latin-1"))
    assert main([str(file)]) == 2
    assert told in capsys.readouterr().err


def test_no_plan_has_an_exit_code_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(problem(tmp_path, states=[]))]) == 1
    told = capsys.readouterr().out
    assert told.startswith("infeasible: head import cannot be kept")
    assert "1 excluded" in told


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"price_per_kwh": [0.1, 9.0, 0.1]}, "least cost at import prices"),
        ({"demand_charge_per_kw": 50.0, "peak_so_far_kw": 800.0}, "least peak at 50 per kW"),
        ({"loss_price_per_kwh": 500.0}, "least losses"),
        ({"voltage_band_pu": [0.98, 1.02]}, "voltages within 0.98 to 1.02 pu"),
        ({"reserve_kw": 50.0, "fairness": 1.0}, "a reserve of 50 kW; fair use"),
        ({"strict_priority": True, "precise": True}, "strict order by priority; the precise mode"),
        (
            {"scenarios": [{"probability": 1.0, "head_kw": [900.0, 1160.0, 900.0]}]},
            "1 scenarios",
        ),
        (
            {
                "ratings": [
                    {"branch": "line", "reference_c": 30.0, "above_pct_per_k": 1.0,
                     "below_pct_per_k": 1.0}
                ],
                "temperature_c": [30.0, 30.0, 30.0],
            },
            "1 ratings by temperature",
        ),
    ],
)  # fmt: skip
def test_each_objective_can_be_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], policy: dict[str, Any], words: str
) -> None:
    assert main([str(problem(tmp_path, policy=policy))]) == 0
    out = capsys.readouterr().out
    assert f"asked besides limits and events: {words}" in out
    assert "AC check" in out
