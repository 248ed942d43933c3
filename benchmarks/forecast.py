"""The forecaster beside last week, the similar day, Hong's Vanilla and LightGBM, on real load.

    python -m benchmarks.forecast [--quick]      (make bench-forecast; BENCH=--quick)

The frozen protocol (`optimizer.forecasting.backtest`), the same for all: origins every 30 h,
horizons 1 to 48 h, refit every 28 days on what is known then, weather as it was. GEFCom2012: 2007,
20 zones and their sum; Tetouan: 2017-09-01 to 12-27, three substations. LightGBM lives in
`.peers-forecast`,
made at the first whole run; its quantiles are made of its own past errors, as ours are. `--quick`:
three zones, the last quarter of 2007, LightGBM not.

Reads GRIDCTL_SHARED or ../shared; says so and ends with 1 when the data are not there.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.begun import begun_figures
from benchmarks.report import Figure, main
from optimizer.arrays import FloatArray
from optimizer.forecasting import floors
from optimizer.forecasting.backtest import Fit, Protocol, ensemble_fit, run, standard_leads
from optimizer.forecasting.grid import LoadGrid
from optimizer.forecasting.online import Forecaster
from optimizer.forecasting.scores import Score, score
from optimizer.similar_day import Calendar

PEERS = Path(".peers-forecast")
PACKAGES = ("lightgbm==4.6.0",)
VERSIONS: dict[str, str] = {}
EPOCH = date(1970, 1, 1)
MOROCCO = ((9, 1), (9, 2), (9, 22), (11, 6), (11, 18), (12, 1))
"""Public holidays of 2017 in the scored months."""
QUICK_ZONES = (1, 10, 20)
ZONES = tuple(range(1, 22))
SYSTEM = 21
FEEDERS = 500
CORES = 2
SPAWN = get_context("spawn")
"""So that each process has the one thread that main() asks for."""
PEER_SERIES = ("gef12 1", "gef12 9", "gef12 10", "gef12 14", "gef12 21")
METHODS = ("ours", "last_week", "similar_day", "vanilla")


def folder() -> Path:
    root = os.environ.get("GRIDCTL_SHARED")
    found = (Path(root) if root else Path(__file__).parents[2] / "shared") / "data" / "load"
    if not found.is_dir():
        print(f"{found} is not there (set GRIDCTL_SHARED)", file=sys.stderr)
        sys.exit(1)
    return found


def rows_of(name: str) -> tuple[list[str], FloatArray]:
    with gzip.open(folder() / name, "rt") as text:
        rows = list(csv.reader(text))
    cells = np.array([[cell or "nan" for cell in row[1:]] for row in rows[1:]], dtype=np.float64)
    return rows[0][1:], cells


def us_holidays(years: Sequence[int]) -> frozenset[int]:
    """Federal holidays as day numbers."""

    def nth(year: int, month: int, weekday: int, count: int) -> date:
        first = date(year, month, 1)
        return first + timedelta((weekday - first.weekday()) % 7 + 7 * (count - 1))

    found = set()
    for year in years:
        end_of_may = date(year, 5, 31)
        found |= {
            date(year, 1, 1), nth(year, 1, 0, 3), nth(year, 2, 0, 3), date(year, 7, 4),
            end_of_may - timedelta(end_of_may.weekday()), nth(year, 9, 0, 1), nth(year, 10, 0, 2),
            date(year, 11, 11), nth(year, 11, 3, 4), date(year, 12, 25),
        }  # fmt: skip
    return frozenset((day - EPOCH).days for day in found)


def grid_of(load: FloatArray, temperature_c: FloatArray, first: date, per_day: int) -> LoadGrid:
    none = np.zeros((0, len(load)))
    return LoadGrid(
        load_kw=load,
        temperature_c=temperature_c,
        sun_w_m2=none,
        wind_ms=none,
        calendar=Calendar(first=(first - EPOCH).days * per_day, per_day=per_day),
        holidays=us_holidays(range(2004, 2009)),
    )


def cases(*, quick: bool) -> dict[str, tuple[LoadGrid, Protocol]]:
    """Each series with its protocol."""
    found = {}
    header, cells = rows_of("gefcom2012_load_hourly.csv.gz")
    load = cells[:, [header.index(f"z{k}") for k in range(1, 21)]]
    warm = (cells[:, [header.index(f"t{k}") for k in range(1, 12)]].T - 32.0) / 1.8
    first = date(2004, 1, 1)
    start, end = ((date(year, 1, 1) - first).days * 24 for year in (2007, 2008))
    if quick:
        start += 273 * 24
    for zone in QUICK_ZONES if quick else ZONES:
        own = load.sum(axis=1) if zone == SYSTEM else load[:, zone - 1]
        protocol = Protocol(start=start, end=end, leads=standard_leads(24))
        found[f"gef12 {zone}"] = (grid_of(own, warm, first, 24), protocol)
    _, cells = rows_of("tetouan2017_3zones_10min.csv.gz")
    first = date(2017, 1, 1)
    start, end = ((day - first).days * 144 for day in (date(2017, 9, 1), date(2017, 12, 28)))
    holidays = frozenset((date(2017, *day) - EPOCH).days for day in MOROCCO)
    for zone in (1, 2, 3):
        grid = grid_of(cells[:, 2 + zone], cells[:, :1].T, first, 144)
        protocol = Protocol(start=start, end=end, leads=standard_leads(144))
        found[f"tetouan {zone}"] = (replace(grid, holidays=holidays), protocol)
    return found


def measured(name: str, grid: LoadGrid, protocol: Protocol) -> dict[str, Any]:
    """All methods on one series."""
    fits: dict[str, Fit] = {
        "ours": ensemble_fit(grid, protocol.leads),
        "last_week": floors.last_week(grid, protocol.leads),
        "similar_day": floors.similar_day(grid, protocol.leads),
        "vanilla": floors.vanilla(grid, protocol.leads),
    }
    result: dict[str, Any] = {"name": name}
    for method, fit in fits.items():
        found = run(grid, protocol, fit, adaptive=method == "ours")
        result[method] = score(found.actual, found.quantiles)
        if method == "ours":
            result["fit_s"] = max(found.fit_s)
    print(f"{name}: {result['ours']}", file=sys.stderr)
    return result


def five_hundred(grid: LoadGrid) -> tuple[float, float]:
    """(wall seconds of 500 forecasts of 48 h on two cores, seconds of one training)."""
    end = 1_000 * 24
    whole = grid.cut(end + 48)
    began_s = time.perf_counter()
    trained = Forecaster.train(whole, end=end, reach=48)
    train_s = time.perf_counter() - began_s
    begin = end + 1 - 60 * 24
    recent = replace(
        whole,
        load_kw=whole.load_kw[begin:],
        temperature_c=whole.temperature_c[:, begin:],
        sun_w_m2=whole.sun_w_m2[:, begin:],
        wind_ms=whole.wind_ms[:, begin:],
        calendar=Calendar(first=whole.calendar.first + begin, per_day=24),
    )
    with ProcessPoolExecutor(CORES, SPAWN, initializer=_keep, initargs=(trained, recent)) as pool:
        list(pool.map(_forecasts, [2] * CORES))
        began_s = time.perf_counter()
        list(pool.map(_forecasts, [FEEDERS // CORES] * CORES))
        return time.perf_counter() - began_s, train_s


_KEPT: list[Any] = []


def _keep(trained: Forecaster, recent: LoadGrid) -> None:
    _KEPT[:] = [trained, recent]


def _forecasts(count: int) -> None:
    trained, recent = _KEPT
    leads = tuple(range(1, 49))
    for _ in range(count):
        # Each a forecaster of its own, an hour after its last forecast.
        own = Forecaster(
            trained.learned,
            trained_at=trained.trained_at,
            track=trained.track,
            widths=trained.widths,
            point=trained.point,
        )
        own.forecast(recent, origin=recent.count - 49, leads=leads)


def light_gbm(python: Path, name: str, grid: LoadGrid, protocol: Protocol) -> Score | None:
    """Trees of the peer's environment, through the same protocol by a file of points."""
    with tempfile.TemporaryDirectory() as there:
        given, answer = Path(there) / "given.npz", Path(there) / "points.npz"
        np.savez(
            given, load=grid.load_kw, temperature=grid.temperature_c, first=grid.calendar.first,
            per_day=grid.per_day, start=protocol.start, end=protocol.end, leads=protocol.leads,
            holidays=sorted(grid.holidays),
        )  # fmt: skip
        done = subprocess.run(
            [str(python), "benchmarks/forecast_peers.py", str(given), str(answer)],
            check=True, capture_output=True, text=True, timeout=1800.0,
            env={**os.environ, "OMP_NUM_THREADS": str(CORES)},
        )  # fmt: skip
        VERSIONS.update(json.loads(done.stdout))
        points = np.load(answer)
        origins, said = points["origins"], points["said"]

    def fit(_: int) -> Any:
        return lambda asked: said[np.searchsorted(origins, asked)][None]

    found = run(grid, protocol, fit, adaptive=False)
    print(f"LightGBM {name}", file=sys.stderr)
    return score(found.actual, found.quantiles)


def peers() -> Path | None:
    """The peer's interpreter; made when it is not there."""
    python = PEERS / "bin" / "python"
    if not (PEERS / ".ready").is_file():
        print("making .peers-forecast with LightGBM (a minute) …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(PEERS)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True, stdout=sys.stderr)
        (PEERS / ".ready").touch()
    return python


def mean(results: Sequence[dict[str, Any]], method: str, field: str) -> float:
    return float(np.mean([getattr(one[method], field) for one in results]))


def figures_of(
    results: Sequence[dict[str, Any]], label: str, goals: tuple[float, float], *, whole: bool
) -> list[Figure]:
    """nMAE and nPin beside each floor, and coverage."""
    found = []
    for field, unit, goal in (("nmae_pct", "nMAE", goals[0]), ("npin_pct", "nPin", goals[1])):
        ours = mean(results, "ours", field)
        found += [
            Figure(
                name=f"{label}, {unit}, beside {peer.replace('_', ' ')}",
                ours=ours, peer=mean(results, peer, field), unit="%",
                goal=f"at most {goal:g} %" if whole else "",
                met=ours <= goal if whole else None,
            )
            for peer in METHODS[1:]
        ]  # fmt: skip
    for field, goal, slack in (("coverage_80_pct", 80.0, 2.0), ("coverage_95_pct", 95.0, 1.0)):
        ours = mean(results, "ours", field)
        found.append(
            Figure(
                name=f"{label}, inside the {goal:g} % band", ours=ours, peer=None, unit="%",
                goal=f"{goal:g} ± {slack:g} %", met=abs(ours - goal) <= slack if whole else None,
            )
        )  # fmt: skip
    return found


def measure(quick: bool) -> list[Figure]:
    series = cases(quick=quick)
    with ProcessPoolExecutor(CORES, SPAWN) as pool:
        results = list(pool.map(measured, series, *zip(*series.values(), strict=True), chunksize=1))
    gef = [one for one in results if one["name"].startswith("gef12")]
    tetouan = [one for one in results if one["name"].startswith("tetouan")]
    label = "GEFCom2012, 21 series" if not quick else "GEFCom2012, 3 zones, a quarter of 2007"
    found = figures_of(gef, label, (5.0, 1.26), whole=not quick)
    found += figures_of(tetouan, "Tetouan, 3 substations", (3.9, 1.0), whole=True)
    found += begun_figures(quick=quick)
    slowest = max(one["fit_s"] for one in results)
    found.append(
        Figure(
            name="slowest fit of a series, processor time", ours=slowest, peer=None, unit="s",
            goal="at most 3 s", met=slowest <= 3.0,
        )
    )  # fmt: skip
    python = None if quick else peers()
    if python is not None:
        by_name = {one["name"]: one for one in results}
        scores = {name: light_gbm(python, name, *series[name]) for name in PEER_SERIES}
        for field, unit in (("nmae_pct", "nMAE"), ("npin_pct", "nPin")):
            ours = float(np.mean([getattr(by_name[name]["ours"], field) for name in PEER_SERIES]))
            theirs = float(np.mean([getattr(one, field) for one in scores.values()]))
            found.append(
                Figure(
                    name=f"GEFCom2012 zones 1, 9, 10, 14 and the sum, {unit}, beside LightGBM",
                    ours=ours, peer=theirs, unit="%", goal="below LightGBM", met=ours < theirs,
                )
            )  # fmt: skip
    wall_s, train_s = five_hundred(series["gef12 1"][0])
    found.append(
        Figure(
            name="forecast of 48 h for 500 feeders on two cores", ours=wall_s, peer=None, unit="s",
            goal="at most 5 s", met=wall_s <= 5.0,
        )
    )  # fmt: skip
    found.append(
        Figure(
            name="training of a forecaster on 1000 days, its last 84 days replayed", ours=train_s,
            peer=None, unit="s", goal="", met=None,
        )
    )  # fmt: skip
    return found


if __name__ == "__main__":
    # One thread each: the series are what runs side by side.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(
        measure,
        about="The forecaster beside what utilities run",
        packages=("numpy", "scipy"),
        elsewhere=VERSIONS,
    )
