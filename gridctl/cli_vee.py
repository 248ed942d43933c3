"""`gridctl vee …`: hold measured series against the rules, and estimate what is missing."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridctl.cli_ending import EXIT_REFUSED, ending

if TYPE_CHECKING:
    import numpy as np

    from gridctl.intervalfile import IntervalFile
    from optimizer.validation.check import Band, Checked
    from optimizer.validation.grid import Grid

LISTED_MAX = 20
REGISTER = "_register"
POWERS = ("_kvar", "_volt", "_ampere")
BAND = {"low": "_q025", "median": "_q50", "high": "_q975"}
VALIDITY = "_quality"

vee_app = typer.Typer(
    help="Validation and estimation of measured series (VEE).", no_args_is_help=True
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


@vee_app.command("check")
def vee_check(
    file: Annotated[Path, typer.Argument(help="CSV (.gz): a time column, one column a point.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="TOML with the thresholds ([vee]).")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", help="Which columns are points; all when left out."),
    ] = None,
    timezone: Annotated[
        str, typer.Option(help="Zone of times without an offset, and of the days.")
    ] = "UTC",
    out: Annotated[
        Path | None, typer.Option(help="Write raw values, marks and estimates as CSV.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the series of a CSV file; the file itself is only read.

    Columns NAME_q025, NAME_q50, NAME_q975 are taken as a one-step forecast of NAME, NAME_quality
    (0 good, 1 questionable, 2 invalid) as the protocol's word, NAME_register as its meter's count
    in kWh at the start of each interval, NAME_kvar, NAME_volt (line to line) and NAME_ampere as
    what belongs to its kW. Tables [[vee.balance]] of the thresholds name a head and its parts.

    Exit codes: 0 nothing rejected, no alarm and enough usable (complete_share), 1 not so, 3 the
    file or the thresholds cannot be used.
    """
    from optimizer.validation.estimate import estimated  # noqa: PLC0415 - lazy on purpose
    from optimizer.validation.thresholds import Thresholds  # noqa: PLC0415

    with ending():
        read, own, points = _read(file, config, columns, timezone)
        thresholds = {n: points.get(n, own) for n in _names(read)}
        checked, band = _checked(read, thresholds, timezone)
        checked = _together(read, checked, thresholds, config)
        found, checked = estimated(
            checked, own or Thresholds(), forecast=None if band is None else band.median
        )
    if out is not None:
        _write(out, checked, found)
    body = _as_json(file, checked, found, thresholds)
    if as_json:
        print(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        _say(body)
    if not body["fit"]:
        raise typer.Exit(EXIT_REFUSED)


def _read(
    file: Path, config: Path | None, columns: list[str] | None, timezone: str
) -> tuple[IntervalFile, Any, Any]:
    from gridctl.intervalfile import read_intervals  # noqa: PLC0415 - lazy on purpose
    from gridctl.model.errors import ConfigError  # noqa: PLC0415
    from optimizer.validation.thresholds import Thresholds, load_thresholds  # noqa: PLC0415

    own, points = (Thresholds(), {}) if config is None else load_thresholds(config)
    read = read_intervals(file, timezone=timezone, columns=columns)
    unknown = sorted(set(points) - set(read.names))
    if unknown:
        raise ConfigError(
            f"{file} has no such point", file=str(config), key=f"vee.points.{unknown[0]}"
        )
    return read, own, points


def _names(read: IntervalFile) -> tuple[str, ...]:
    """The points: columns that are not another one's forecast or quality."""
    beside = (*BAND.values(), VALIDITY, REGISTER, *POWERS)
    return tuple(
        n
        for n in read.names
        if not any(n.endswith(s) and n.removesuffix(s) in read.names for s in beside)
    )


def _checked(read: IntervalFile, thresholds: Any, timezone: str) -> tuple[Checked, Band | None]:
    from gridctl.intervalfile import zone  # noqa: PLC0415 - lazy on purpose
    from optimizer.validation.check import Band, check  # noqa: PLC0415
    from optimizer.validation.grid import to_grid  # noqa: PLC0415

    whole = to_grid(read.names, read.time_s, read.values, local=zone(timezone))
    names = _names(read)
    grid: Grid = replace(whole, names=names, values=_rows(whole, names))
    band = None
    if any(n + s in read.names for n in names for s in BAND.values()):
        band = Band(**{k: _rows(whole, tuple(n + s for n in names)) for k, s in BAND.items()})
    validity = None
    if any(n + VALIDITY in read.names for n in names):
        validity = _rows(whole, tuple(n + VALIDITY for n in names))
    return check(grid, thresholds, band=band, validity=validity), band


def _together(
    read: IntervalFile, checked: Checked, thresholds: Any, config: Path | None
) -> Checked:
    """Rules 14 to 16, for points that have what they need."""
    from gridctl.model.errors import ConfigError  # noqa: PLC0415 - lazy on purpose
    from optimizer.validation.grid import to_grid  # noqa: PLC0415
    from optimizer.validation.thresholds import load_balances  # noqa: PLC0415
    from optimizer.validation.together import (  # noqa: PLC0415
        Balance,
        against_parts,
        against_powers,
        against_register,
    )

    whole = to_grid(read.names, read.time_s, read.values)
    for row, name in enumerate(checked.grid.names):
        if name + REGISTER in whole.names:
            (register,) = _rows(whole, (name + REGISTER,))
            checked = against_register(checked, row, register, thresholds[name])
        if all(name + suffix in whole.names for suffix in POWERS):
            kvar, volt, ampere = _rows(whole, tuple(name + suffix for suffix in POWERS))
            checked = against_powers(
                checked, row, kvar=kvar, volt=volt, ampere=ampere, own=thresholds[name]
            )
    for given in () if config is None else load_balances(config):
        balance = Balance(**{**given, "parts": tuple(given["parts"])})
        for name in (balance.head, *balance.parts):
            if name not in checked.grid.names:
                raise ConfigError("no such point", file=str(config), key=f"vee.balance: {name}")
        checked = against_parts(checked, balance, thresholds[balance.head])
    return checked


def _rows(grid: Grid, names: tuple[str, ...]) -> np.ndarray:
    """The named rows; NaN for a name that is not there."""
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    none = np.full(grid.values.shape[1], np.nan)
    return np.vstack([grid.values[grid.names.index(n)] if n in grid.names else none for n in names])


def _as_json(file: Path, checked: Checked, found: np.ndarray, thresholds: Any) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    from optimizer.validation.marks import REJECTED, RULES, Action, bits_of, has  # noqa: PLC0415

    grid = checked.grid
    alarms = bits_of(Action.ALARM)
    points = []
    complete = True
    for row, name in enumerate(grid.names):
        count = checked.count(row)
        usable = np.isfinite(checked.usable()[row])
        complete &= bool(usable.mean() >= thresholds[name].complete_share)
        points.append(
            {
                "point": name,
                "usable_share": round(float(usable.mean()), 5),
                "estimated": int(np.isfinite(found[row]).sum()),
                "rules": [
                    {
                        "rule": rule.number,
                        "mark": (rule.mark.name or "").lower(),
                        "action": rule.action.value,
                        "what": rule.what,
                        "samples": count[rule.mark],
                        "first": _first(checked, row, int(rule.mark)),
                    }
                    for rule in RULES
                    if rule.mark in count
                ],
            }
        )
    return {
        "file": str(file),
        "step_s": grid.step_s,
        "from": _iso(float(grid.time_s[0])),
        "to": _iso(float(grid.time_s[-1] + grid.step_s)),
        "samples": int(grid.values.shape[1]),
        "misfits": [
            {"row": m.row + 2, "time": _iso(m.time_s), "why": m.why}
            for m in grid.misfits[:LISTED_MAX]
        ],
        "misfit_count": len(grid.misfits),
        "points": points,
        "fit": complete
        and not bool(has(checked.marks, REJECTED | alarms).any())
        and not grid.misfits,
    }


def _first(checked: Checked, row: int, bit: int) -> list[str]:
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    at = np.flatnonzero(checked.marks[row] & np.uint32(bit))[:LISTED_MAX]
    return [_iso(float(checked.grid.time_s[k])) for k in at]


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")


def _say(body: dict[str, Any]) -> None:
    print(
        f"{body['file']}: {body['samples']} intervals of {body['step_s']:g} s, "
        f"{body['from']} to {body['to']}"
    )
    for misfit in body["misfits"]:
        print(f"{body['file']}:{misfit['row']}: {misfit['time']} {misfit['why']}")
    if body["misfit_count"] > len(body["misfits"]):
        print(f"… {body['misfit_count'] - len(body['misfits'])} more rows without a slot")
    for point in body["points"]:
        print(
            f"{point['point']}: {point['usable_share']:.2%} usable, {point['estimated']} estimated"
        )
        for rule in point["rules"]:
            print(
                f"    rule {rule['rule']:>2} {rule['mark']:<12} {rule['action']:<8}"
                f"{rule['samples']:>7}  {rule['what']}; first {rule['first'][0]}"
            )
    print(
        "fit"
        if body["fit"]
        else "not fit: something is rejected, alarmed or has no slot, or too little is usable"
    )


def _write(out: Path, checked: Checked, found: np.ndarray) -> None:
    """One row an interval and point; the raw value as it came, the estimate beside it."""
    from optimizer.validation.marks import Mark  # noqa: PLC0415 - lazy on purpose

    grid = checked.grid
    words: dict[int, str] = {}
    with out.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(["timestamp", "point", "raw", "estimate", "marks"])
        for k, time_s in enumerate(grid.time_s.tolist()):
            stamp = _iso(time_s)
            for row, name in enumerate(grid.names):
                bits = int(checked.marks[row, k])
                if bits not in words:
                    words[bits] = " ".join((m.name or "").lower() for m in Mark(bits))
                rows.writerow(
                    [stamp, name, _cell(grid.values[row, k]), _cell(found[row, k]), words[bits]]
                )


def _cell(value: float) -> str:
    return "" if value != value else f"{value:.10g}"  # noqa: PLR0124 - NaN
