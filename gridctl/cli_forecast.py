"""`gridctl forecast …`: how good the forecaster is on data of your own."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridctl.cli_ending import ending
from gridctl.model.errors import ConfigError

if TYPE_CHECKING:
    from optimizer.forecasting.backtest import Run
    from optimizer.forecasting.grid import LoadGrid
    from optimizer.forecasting.settings import BacktestSettings


forecast_app = typer.Typer(help="The forecaster on data of your own.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


@forecast_app.command("backtest")
def backtest(
    file: Annotated[Path, typer.Argument(help="CSV of load and weather (may be .gz).")],
    config: Annotated[Path, typer.Option("--config", help="TOML: which column means what.")],
    forecasts: Annotated[
        Path | None, typer.Option(help="Write every forecast to this CSV: quantiles and actual.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score the forecaster on a CSV file by the frozen protocol, beside what it must beat.

    Nothing after an origin is used for it. Format: docs/reference/forecast-csv.md.
    """
    from optimizer.forecasting.settings import load_settings  # noqa: PLC0415 - lazy on purpose

    with ending():
        found = scored(file, load_settings(config), forecasts=forecasts)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for one in found["series"]:
        print("\n".join(_in_words(one)))
    if len(found["series"]) > 1:
        print("mean      " + _line(found["mean"]))
    print(f"weather: {found['weather']}")


def scored(
    file: Path, settings: BacktestSettings, *, forecasts: Path | None = None
) -> dict[str, Any]:
    """The report of all load columns. `forecasts`: a CSV to write. Raises ConfigError for what
    cannot be scored, or written."""
    from optimizer.forecasting.readings import read_csv  # noqa: PLC0415 - lazy on purpose
    from optimizer.forecasting.report import mean_of, protocol_of, series_report  # noqa: PLC0415

    readings = read_csv(file, settings)
    runs: dict[str, Run] = {}
    series = [
        series_report(
            grid,
            settings,
            file=str(file),
            column=name,
            vintages=readings.vintages,
            marks=readings.marks[name],
            keep=partial(runs.__setitem__, name),
        )
        for name, grid in readings.grids.items()
    ]
    if forecasts is not None:
        leads = {
            name: protocol_of(grid, settings.backtest, file=str(file), column=name).leads
            for name, grid in readings.grids.items()
        }
        _write(forecasts, readings.grids, leads, runs)
    known = settings.weather
    weather = "none"
    if known.temperature or known.sun or known.wind:
        weather = "archived forecasts" if readings.vintages else "as it was (ex post)"
    return {
        "file": str(file),
        "weather": weather,
        "quantiles": [0.025, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.975],
        "mean": mean_of(series),
        "series": series,
    }


def _write(
    place: Path,
    grids: Mapping[str, LoadGrid],
    leads: Mapping[str, Sequence[int]],
    runs: Mapping[str, Run],
) -> None:
    from optimizer.forecasting.conformal import LEVELS  # noqa: PLC0415 - lazy on purpose
    from optimizer.forecasting.report import forecast_rows  # noqa: PLC0415

    try:
        with place.open("w", encoding="utf-8", newline="") as text:
            rows = csv.writer(text, lineterminator="\n")
            header = ["series", "origin", "target", "lead_h", "actual_kw"]
            rows.writerow([*header, *(f"q{level:g}" for level in LEVELS)])
            for name, grid in grids.items():
                rows.writerows([name, *row] for row in forecast_rows(grid, leads[name], runs[name]))
    except OSError as wrong:
        raise ConfigError(wrong.strerror or "cannot be written", file=str(place)) from None


def _line(figures: Mapping[str, Any]) -> str:
    inside = f"{figures['coverage_80_pct']:.1f} / {figures['coverage_95_pct']:.1f} %"
    return (
        f"nMAE {figures['nmae_pct']:6.2f} %  nPin {figures['npin_pct']:6.3f} %  "
        f"inside the 80 / 95 % band {inside}"
    )


def _in_words(one: Mapping[str, Any]) -> list[str]:
    lines = [f"{one['name']}: {one['method']}, {one['history_days']} days known at the start,"]
    lines.append(f"    {one['origins']} origins, {one['count']} targets")
    lines.append("ours      " + _line(one))
    lines += [f"{k:10}" + _line(v) for k, v in one["horizons"].items() if v is not None]
    for name, figures in one["floors"].items():
        said = "not run: it needs temperature and 400 days" if figures is None else _line(figures)
        lines.append(f"{name:14}  {said}")
    lines += [f"    marked: {mark['text']} ({mark['count']})" for mark in one["marks"]]
    return lines
