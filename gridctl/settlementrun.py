"""Settlement runs on disk: a folder a run, written once, with everything needed to make it again.

    RUN/inputs.csv     the readings that were used, as they were used
    RUN/methods.toml   the methods' data
    RUN/run.json       what was asked and what came out
    RUN/intervals.csv  one row an interval
    RUN/statement.html, statement.pdf  for the customer

A run is never written over. `verify_run` computes it again from its own folder and compares.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from gridctl.intervalfile import read_intervals, zone
from gridctl.model.errors import ConfigError, Refusal, RefusedError
from gridctl.statement import statement_html, statement_pdf
from optimizer.arrays import FloatArray
from optimizer.baselines.history import history_of
from optimizer.baselines.methods import OWN_FILE, load_methods
from optimizer.baselines.run import Ask, Run, settle
from optimizer.validation.check import check
from optimizer.validation.estimate import estimated
from optimizer.validation.grid import Grid, to_grid
from optimizer.validation.marks import REJECTED, Mark, has
from optimizer.validation.thresholds import Thresholds

INPUTS, METHODS, RUN, INTERVALS, STATEMENT, PRINTED = (
    "inputs.csv", "methods.toml", "run.json", "intervals.csv", "statement.html", "statement.pdf",
)  # fmt: skip
_NO_SETTLING = REJECTED | Mark.GAP | Mark.ESTIMATED


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """Load and temperature of one customer on their grid."""

    grid: Grid
    load_kw: FloatArray
    temperature: FloatArray | None

    def text(self) -> str:
        """As they are stored; the digest of this is the run's inputs."""
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["timestamp", "load_kw", "temperature"])
        degrees = np.full(len(self.load_kw), np.nan)
        if self.temperature is not None:
            degrees = self.temperature
        for time_s, load, warm in zip(
            self.grid.time_s.tolist(), self.load_kw.tolist(), degrees.tolist(), strict=True
        ):
            stamp = datetime.fromtimestamp(time_s, UTC).isoformat()
            rows.writerow([stamp, _cell(load), _cell(warm)])
        return out.getvalue()


def read_readings(
    file: Path, *, column: str, temperature: str | None, timezone: str, is_energy: bool = False
) -> Readings:
    """From a CSV file. `is_energy`: the column holds kWh of each interval.

    Raises ConfigError, and RefusedError for a time base that cannot be used.
    """
    wanted = [column] if temperature is None else [column, temperature]
    read = read_intervals(file, timezone=timezone, columns=wanted)
    grid = to_grid(read.names, read.time_s, read.values, local=zone(timezone))
    factor = 3_600.0 / grid.step_s if is_energy else 1.0
    return Readings(
        grid=grid,
        load_kw=grid.values[0] * factor,
        temperature=None if temperature is None else grid.values[1],
    )


def make_run(readings: Readings, ask: Ask, *, methods_file: Path = OWN_FILE) -> Run:
    """Validate the readings, then settle. `ask.inputs` is filled in.

    Raises RefusedError in words of the reader.
    """
    grid = replace(
        readings.grid, names=("load_kw",), values=np.asarray(readings.load_kw)[None], misfits=()
    )
    own = Thresholds()
    checked = check(grid, {"load_kw": own})
    _, marked = estimated(checked, own, replace=_NO_SETTLING)
    marks = checked.marks[0]
    usable = np.where(has(marks, _NO_SETTLING), np.nan, grid.values[0])
    history = history_of(
        grid,
        usable,
        local=zone(ask.timezone),
        temperature=readings.temperature,
        holidays=[_day(text, "--holiday") for text in ask.holidays],
        event_days=[_day(text, "--event-day") for text in ask.event_days] + [ask.when],
    )
    day = (ask.when - history.first).days
    doubts = {
        int(grid.slot[k]): " ".join((m.name or "").lower() for m in Mark(int(marked.marks[0, k])))
        for k in np.flatnonzero((grid.day == day) & (marked.marks[0] != 0))
    }
    full = replace(ask, inputs=sha256(readings.text().encode()).hexdigest())
    return settle(history, full, load_methods(methods_file), doubts=doubts)


def _day(text: str, key: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is no day", file="command line", key=key, hint="such as 2026-07-14"
        ) from None


def as_json(run: Run) -> dict[str, Any]:
    """The run as it is stored."""
    found = asdict(run)
    found["ask"]["when"] = run.ask.when.isoformat()
    # What is not known is null: JSON has no word for it.
    for key, value in (found["score"] or {}).items():
        found["score"][key] = None if math.isnan(value) else value
    return found


def run_text(run: Run) -> str:
    """The run's JSON, as it is stored."""
    return json.dumps(as_json(run), indent=2, ensure_ascii=False) + "\n"


def ask_of(text: str) -> Ask:
    """What a stored run was asked. Raises ValueError, KeyError or TypeError for another text."""
    given = dict(json.loads(text)["ask"])
    given["when"] = date.fromisoformat(given["when"])
    for name in ("holidays", "event_days"):
        given[name] = tuple(given[name])
    return Ask(**given)


def write_run(run: Run, readings: Readings, folder: Path, *, methods_file: Path = OWN_FILE) -> Path:
    """Write the run's folder under `folder`. One that is there already is compared, never changed.

    Raises RefusedError when a run of this name holds something else.
    """
    place = folder / run.id
    parts = {
        INPUTS: readings.text(),
        METHODS: methods_file.read_text(encoding="utf-8"),
        RUN: run_text(run),
        INTERVALS: intervals_csv(run),
        STATEMENT: statement_html(run),
        PRINTED: statement_pdf(run),
    }
    if place.exists():
        differing = [name for name, text in parts.items() if _read(place / name) != text]
        if differing:
            raise _refused(f"{place} holds another run: {', '.join(differing)} differ")
        return place
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{run.id}-", dir=folder))
    try:
        for name, text in parts.items():
            (aside / name).write_text(text, encoding="utf-8", newline="")
            (aside / name).chmod(0o444)
        aside.chmod(0o755)
        # Renamed into place: there is no half of a run.
        aside.rename(place)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return place


def verify_run(place: Path) -> Run:
    """Make the run of a folder again from its own inputs.

    Raises RefusedError when anything differs, ConfigError when the folder cannot be read.
    """
    try:
        ask = ask_of((place / RUN).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(error.strerror or "cannot be read", file=str(place / RUN)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"not a settlement run: {error}", file=str(place / RUN)) from None
    readings = read_readings(
        place / INPUTS,
        column="load_kw",
        temperature="temperature" if _has_temperature(place / INPUTS) else None,
        timezone=ask.timezone,
    )
    run = make_run(readings, ask, methods_file=place / METHODS)
    differing = [
        name
        for name, text in {
            INPUTS: readings.text(),
            RUN: run_text(run),
            INTERVALS: intervals_csv(run),
            STATEMENT: statement_html(run),
            PRINTED: statement_pdf(run),
        }.items()
        if _read(place / name) != text
    ]
    if run.id != place.name:
        differing.append("the name")
    if differing:
        raise _refused(f"{place}: computed again, {', '.join(differing)} differ")
    return run


def intervals_csv(run: Run) -> str:
    """One row an interval."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["run", "date", "start_h", "load_kw", "baseline_kw", "reduction_kw", "doubts"])
    for row in run.rows:
        rows.writerow(
            [run.id, run.ask.when.isoformat(), f"{row.start_h:g}"]
            + [f"{value:.6f}" for value in (row.load_kw, row.baseline_kw, row.reduction_kw)]
            + [row.doubts]
        )
    return out.getvalue()


def portfolio(places: Sequence[Path]) -> dict[str, Any]:
    """Runs of one event together: baselines and meters are summed first, then compared, so that
    what one draws too much counts against what another does not draw. Errors are taken as
    independent; a run without an error of its own adds none.

    Raises RefusedError when a folder differs from its name's run, or the events do.
    """
    runs = [verify_run(place) for place in places]
    events = {(run.ask.when, run.ask.start_h, run.ask.end_h, len(run.rows)) for run in runs}
    if len(events) != 1:
        raise _refused("these runs are not of one event")
    hours = (runs[0].ask.end_h - runs[0].ask.start_h) / len(runs[0].rows)
    rows = [
        {
            "start_h": at[0].start_h,
            "baseline_kw": sum(row.baseline_kw for row in at),
            "load_kw": sum(row.load_kw for row in at),
        }
        for at in zip(*(run.rows for run in runs), strict=True)
    ]
    kept = [max(0.0, row["baseline_kw"] - row["load_kw"]) for row in rows]
    committed_kwh = sum(run.committed_kwh for run in runs)
    reduction_kwh = sum(kept) * hours
    return {
        "runs": [run.id for run in runs],
        "rows": rows,
        "reduction_kwh": reduction_kwh,
        "band_kwh": float(np.sqrt(sum((run.band_kwh or 0.0) ** 2 for run in runs))),
        "committed_kwh": committed_kwh,
        "performance_pct": 100.0 * reduction_kwh / committed_kwh if committed_kwh else None,
        "not_settling": [run.id for run in runs if run.why_not],
    }


def _has_temperature(file: Path) -> bool:
    with file.open(encoding="utf-8", newline="") as text:
        return any(row["temperature"] for row in csv.DictReader(text))


def _read(file: Path) -> str | None:
    try:
        with file.open(encoding="utf-8", newline="") as text:
            return text.read()
    except OSError:
        return None


def _cell(value: float) -> str:
    return "" if np.isnan(value) else repr(value)


def _refused(why: str) -> RefusedError:
    return RefusedError(Refusal(code="settlement", reasons=(why,)))
