"""`gridctl vee check`: what it prints, what it leaves with."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from gridctl.cli import app
from tests.optimizer.validation.series import MONDAY_S, PER_DAY, load_kw

DAYS = 30
AT = 20 * PER_DAY


def series_file(folder: Path, *columns: np.ndarray) -> Path:
    file = folder / "load.csv"
    with file.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(["timestamp", *(f"p{k}" for k in range(len(columns)))])
        for k, values in enumerate(zip(*columns, strict=True)):
            stamp = datetime.fromtimestamp(MONDAY_S + 600 * k, UTC).isoformat()
            rows.writerow([stamp, *("" if np.isnan(v) else repr(float(v)) for v in values)])
    return file


def test_in_order_and_not(tmp_path: Path) -> None:
    own, other = load_kw(DAYS, seed=1), load_kw(DAYS, seed=2)
    file = series_file(tmp_path, own, other)
    fine = CliRunner().invoke(app, ["vee", "check", str(file), "--json"])
    assert fine.exit_code == 0, fine.output
    assert json.loads(fine.stdout)["fit"] is True

    own[AT] += 500.0
    own[AT + 50 : AT + 53] = np.nan
    file = series_file(tmp_path, own, other)
    out = tmp_path / "checked.csv"
    told = CliRunner().invoke(app, ["vee", "check", str(file), "--json", "--out", str(out)])
    assert told.exit_code == 1
    point = json.loads(told.stdout)["points"][0]
    count = {rule["mark"]: rule["samples"] for rule in point["rules"]}
    assert count["spike"] == 1
    assert count["gap"] == 3
    assert point["rules"][0]["first"]
    with out.open(encoding="utf-8", newline="") as text:
        rows = [row for row in csv.DictReader(text) if row["point"] == "p0"]
    # The raw value as it came, the estimate beside it.
    assert float(rows[AT]["raw"]) == float(f"{own[AT]:.10g}")
    assert float(rows[AT]["estimate"]) < own[AT] - 300.0
    assert "spike" in rows[AT]["marks"]
    assert "estimated" in rows[AT]["marks"]
    assert rows[AT + 51]["raw"] == ""
    words = CliRunner().invoke(app, ["vee", "check", str(file)])
    assert "rule  8 spike" in words.stdout
    assert "not fit" in words.stdout


def test_thresholds_of_a_point_that_is_not_there(tmp_path: Path) -> None:
    file = series_file(tmp_path, load_kw(3, seed=1))
    config = tmp_path / "vee.toml"
    config.write_text("[vee]\n[vee.points.other]\nrating_kw = 1\n", encoding="utf-8")
    told = CliRunner().invoke(app, ["vee", "check", str(file), "--config", str(config)])
    assert told.exit_code == 3
    assert "vee.points.other" in told.stderr


def test_a_band_and_a_quality_are_columns_beside_the_point(tmp_path: Path) -> None:
    own = load_kw(3, seed=1)
    text = "timestamp,kw,kw_q025,kw_q50,kw_q975,kw_quality\n"
    for k, value in enumerate(own.tolist()):
        stamp = datetime.fromtimestamp(MONDAY_S + 600 * k, UTC).isoformat()
        seen = value + (300.0 if k == 50 else 0.0)
        text += f"{stamp},{seen},{value - 9},{value},{value + 9},{2 if k == 60 else 0}\n"
    file = tmp_path / "load.csv"
    file.write_text(text, encoding="utf-8")
    told = CliRunner().invoke(app, ["vee", "check", str(file), "--json"])
    (point,) = json.loads(told.stdout)["points"]
    count = {rule["mark"]: rule["samples"] for rule in point["rules"]}
    assert count["forecast"] == 1
    assert count["protocol"] == 1


def test_a_register_the_powers_and_the_parts(tmp_path: Path) -> None:
    a, b = load_kw(3, seed=1), load_kw(3, seed=2)
    text = "timestamp,head,a,b,a_register,a_kvar,a_volt,a_ampere\n"
    counted = 0.0
    for k, (x, y) in enumerate(zip(a.tolist(), b.tolist(), strict=True)):
        stamp = datetime.fromtimestamp(MONDAY_S + 600 * k, UTC).isoformat()
        head = x + y + (200.0 if k == 40 else 0.0)
        ampere = x * 1e3 / 3**0.5 / 20_000.0 * (1.2 if k == 60 else 1.0)
        shown = x + (900.0 if k == 200 else 0.0)
        text += f"{stamp},{head + shown - x},{shown},{y},{counted},0,20000,{ampere}\n"
        counted += x / 6.0
    file, config = tmp_path / "load.csv", tmp_path / "vee.toml"
    file.write_text(text, encoding="utf-8")
    balance = '[[vee.balance]]\nhead = "head"\nparts = ["a", "b"]\nrating_kw = 3000\n'
    config.write_text(f"[vee]\n[vee.points.a]\nrating_kw = 1500\n{balance}", encoding="utf-8")
    told = CliRunner().invoke(app, ["vee", "check", str(file), "-c", str(config), "--json"])
    points = {one["point"]: one for one in json.loads(told.stdout)["points"]}
    assert set(points) == {"head", "a", "b"}
    count = {rule["mark"]: rule["samples"] for rule in points["a"]["rules"]}
    assert (count["sum"], count["balance"]) == (PER_DAY, 1)
    assert count["consistency"] >= 1
    config.write_text(f"[vee]\n{balance.replace('parts', 'part')}", encoding="utf-8")
    told = CliRunner().invoke(app, ["vee", "check", str(file), "-c", str(config)])
    assert told.exit_code == 3
    assert "head, parts and rating_kw are expected" in told.stderr


def test_a_series_that_is_mostly_doubt_is_not_fit(tmp_path: Path) -> None:
    for name, column in (("constant", np.full(300, 5.0)), ("holes", load_kw(3, seed=1))):
        if name == "holes":
            column[100:140] = np.nan
        told = CliRunner().invoke(app, ["vee", "check", str(series_file(tmp_path, column))])
        assert told.exit_code == 1, name
        assert "too little is usable" in told.stdout
    one_day = series_file(tmp_path, load_kw(1, seed=1))
    assert CliRunner().invoke(app, ["vee", "check", str(one_day)]).exit_code == 0
