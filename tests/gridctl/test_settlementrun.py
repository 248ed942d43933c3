"""A settlement run: written once, made again to the bit, refused when anything differs; its CLI."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from gridctl.cli import app

DAYS = 120
EVENT = "2026-05-26T15:00/18:00"
START_S = 1_772_323_200.0
"""2026-03-01T00:00Z; the event is 86 days later, on a Tuesday."""
SHED_KW = 30.0


def readings(folder: Path, *, noise: float = 0.02, gap: bool = False) -> Path:
    """Hourly load of a shop with a shed of 30 kW in the event."""
    random = np.random.default_rng(7)
    hours = np.arange(DAYS * 24)
    load = 100.0 + 40.0 * np.sin(2 * np.pi * (hours - 9) / 24)
    load *= 1.0 + noise * random.standard_normal(len(hours))
    event = 86 * 24 + np.arange(15, 18)
    load[event] -= SHED_KW
    file = folder / "shop.csv"
    with file.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(["timestamp", "load_kw"])
        for k, value in enumerate(load.tolist()):
            if gap and k == event[1]:
                continue
            stamp = datetime.fromtimestamp(START_S + 3600 * k, UTC).isoformat()
            rows.writerow([stamp, f"{value:.3f}"])
    return file


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["settle", *words])


def settled(file: Path, *more: str) -> Result:
    return run(
        "baseline", str(file), "--event", EVENT, "--method", "pjm-high-4-of-5",
        "--committed", "30", *more,
    )  # fmt: skip


def test_from_readings_to_a_statement_and_back(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    told = settled(readings(tmp_path), "--json", "--out", str(out))
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["reduction_kwh"] == pytest.approx(3 * SHED_KW, abs=found["band_kwh"] + 5.0)
    assert found["probability"] > 0.99
    assert found["score"]["rrmse_pct"] < 5.0
    place = out / found["id"]
    assert {file.name for file in place.iterdir()} == {
        "inputs.csv", "methods.toml", "run.json", "intervals.csv", "statement.html",
        "statement.pdf",
    }  # fmt: skip
    page = (place / "statement.html").read_text("utf-8")
    assert f"{found['reduction_kwh']:,.1f}" in page
    assert "http" not in page
    printed = (place / "statement.pdf").read_text("ascii")
    assert f"{found['reduction_kwh']:,.1f}" in printed

    assert run("verify", str(place)).exit_code == 0
    # The same again is the same run and changes nothing.
    before = {f.name: f.stat().st_mtime_ns for f in place.iterdir()}
    assert settled(readings(tmp_path), "--out", str(out)).exit_code == 0
    assert {f.name: f.stat().st_mtime_ns for f in place.iterdir()} == before
    # Another commitment is another run.
    settled(readings(tmp_path), "--committed", "31", "--out", str(out))
    assert len(list(out.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("inputs.csv", "2026-05-20T15:00:00+00:00,", "2026-05-20T15:00:00+00:00,9"),
        ("run.json", '"committed_kw": 30.0', '"committed_kw": 20.0'),
        ("intervals.csv", "2026-05-26,15,", "2026-05-26,15,1"),
        ("methods.toml", "keep = 4, least = 4, choose = \"highest\"",
         "keep = 3, least = 3, choose = \"highest\""),
    ],
)  # fmt: skip
def test_a_run_that_was_tampered_with_is_seen(
    tmp_path: Path, name: str, old: str, new: str
) -> None:
    out = tmp_path / "runs"
    settled(readings(tmp_path), "--out", str(out))
    (place,) = out.iterdir()
    file = place / name
    text = file.read_text("utf-8")
    assert old in text
    file.chmod(0o644)
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    told = run("verify", str(place))
    assert told.exit_code == 1
    assert "differ" in told.stderr
    again = settled(readings(tmp_path), "--out", str(out))
    assert again.exit_code == 1
    assert "holds another run" in again.stderr


def test_a_baseline_that_is_not_good_enough_does_not_settle(tmp_path: Path) -> None:
    told = settled(readings(tmp_path, noise=0.45))
    assert told.exit_code == 1
    assert "does not settle: RRMSE" in told.stdout


def test_without_a_day_to_try_it_on_a_baseline_settles_nothing(tmp_path: Path) -> None:
    told = settled(
        readings(tmp_path), "--event", "2026-03-12T15:00/18:00", "--json", "--out", str(tmp_path)
    )
    assert told.exit_code == 1
    found = json.loads(told.stdout, parse_constant=lambda word: pytest.fail(f"{word} in JSON"))
    assert found["score"]["rrmse_pct"] is None
    assert found["why_not"] == ["0 placebo events, 40 are needed"]
    assert "nobody knows" in (tmp_path / found["id"] / "statement.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["--event", "yesterday"], 3, "is no event"),
        (["--event", "2026-05-26T18:00/15:00"], 1, "an event lies within one day"),
        (["--event", "2026-05-26T15:10/18:00"], 1, "no whole intervals"),
        (["--event", "2029-01-01T15:00/18:00"], 1, "is not in the readings"),
        (["--event", "2026-03-29T15:00/18:00", "--timezone", "Europe/Madrid"], 1, "23 hours"),
        (["--event", "2026-03-02T15:00/18:00"], 1, "0 like days"),
        (["--method", "best"], 1, "no method best"),
        (["--method", "weather-match"], 1, "no temperature"),
        (["--method", "firm-service-level"], 1, "must be named"),
        (["--holiday", "easter"], 3, "is no day"),
        (["--column", "kw"], 3, "no such column"),
    ],
)
def test_refused_in_words(tmp_path: Path, words: list[str], code: int, why: str) -> None:
    told = settled(readings(tmp_path), *words)
    assert told.exit_code == code, told.output
    assert why in told.stderr


def test_a_reading_of_the_event_that_is_missing_is_not_made_up(tmp_path: Path) -> None:
    told = settled(readings(tmp_path, gap=True))
    assert told.exit_code == 1
    assert "1 of 3 readings of the event are not usable" in told.stderr


def test_firm_service_level_settles_without_history(tmp_path: Path) -> None:
    told = settled(
        readings(tmp_path), "--method", "firm-service-level", "--firm-kw", "140", "--json"
    )
    assert told.exit_code == 0
    assert json.loads(told.stdout)["band_kwh"] is None


def test_a_portfolio_sums_before_it_compares(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    file = readings(tmp_path)
    settled(file, "--out", str(out))
    # A second customer whose level is below what it draws: it drew too much.
    settled(file, "--method", "firm-service-level", "--firm-kw", "40", "--out", str(out))
    places = sorted(out.iterdir())
    alone = [json.loads((place / "run.json").read_text("utf-8")) for place in places]
    told = run("portfolio", *(str(place) for place in places), "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    by_hand = [
        sum(one["rows"][k]["baseline_kw"] - one["rows"][k]["load_kw"] for one in alone)
        for k in range(3)
    ]
    assert found["reduction_kwh"] == pytest.approx(sum(max(0.0, kw) for kw in by_hand))
    assert found["reduction_kwh"] < sum(one["reduction_kwh"] for one in alone)
    assert found["band_kwh"] == pytest.approx(max(one["band_kwh"] or 0.0 for one in alone))
    assert "2 runs" in run("portfolio", *(str(place) for place in places)).stdout
    settled(file, "--event", "2026-05-27T15:00/18:00", "--out", str(out))
    told = run("portfolio", *(str(place) for place in out.iterdir()))
    assert told.exit_code == 1
    assert "not of one event" in told.stderr


def test_methods_are_listed() -> None:
    told = run("methods")
    assert told.exit_code == 0
    assert "caiso-10-in-10 " in told.stdout
