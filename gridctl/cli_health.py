"""`gridctl health …`: temperatures, wear and voltage statistics from files of measurements."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridctl.cli_ending import EXIT_REFUSED, ending
from gridctl.model.errors import ConfigError, Refusal, RefusedError

if TYPE_CHECKING:
    from optimizer.arrays import FloatArray
    from optimizer.health.thermal import Iec
    from optimizer.validation.grid import Grid

LOADED = ("q10", "q50", "q90")
QUANTILES = (0.1, 0.5, 0.9)
LOAD_MAX, AIR_MAX_C = 10.0, 80.0
"""Times the rating, and °C of air: more is a wrong unit."""
NO_CLAIM = "no failure probability is claimed: life used is that of the insulation alone"

health_app = typer.Typer(
    help="Transformer temperatures and life, breaker and tap-changer wear, voltage quality.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
File = Annotated[Path, typer.Argument(help="CSV (.gz) with a time column.")]
Zone = Annotated[str, typer.Option(help="Zone of times without an offset.")]


@health_app.command("transformer")
def health_transformer(
    file: File,
    rating_kva: Annotated[float, typer.Option("--rating", min=1, help="kVA.")],
    column: Annotated[str, typer.Option(help="Load, kVA or kW.")] = "load_kw",
    ambient: Annotated[str, typer.Option(help="Ambient temperature, °C.")] = "ambient_c",
    kind: Annotated[str, typer.Option(help="distribution-onan, onan or onaf.")] = "onan",
    upgraded: Annotated[
        bool, typer.Option("--upgraded", help="Thermally upgraded paper (else normal).")
    ] = False,
    timezone: Zone = "UTC",
    as_json: AsJson = False,
) -> None:
    """Hot spot, top oil, life used and headroom of a transformer (IEC 60076-7).

    Columns COLUMN_q10, COLUMN_q50 and COLUMN_q90 are its load forecast on rows whose COLUMN is
    empty. Exit codes: 0 within limits, 1 a limit is or will be passed, 3 the file cannot be used.
    """
    with ending():
        body = _transformer(
            file, rating_kva, column, ambient, kind, upgraded=upgraded, timezone=timezone
        )
    _tell(body, as_json=as_json)


def _believable(file: Path, column: str, values: FloatArray, most: float, unit: str) -> None:
    """Raises ConfigError where a value is none that this can be."""
    if float(values.max()) > most:
        raise ConfigError(
            f"{float(values.max()):.4g} {unit} cannot be",
            file=str(file),
            key=column,
            hint="is the unit right?",
        )


def _transformer(
    file: Path,
    rating_kva: float,
    column: str,
    ambient: str,
    kind: str,
    *,
    upgraded: bool,
    timezone: str,
) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    from optimizer.health.score import health  # noqa: PLC0415
    from optimizer.health.thermal import (  # noqa: PLC0415
        NORMAL,
        TYPES,
        ageing_ieee,
        ageing_normal,
        iec,
        life_used_pct,
    )

    if kind not in TYPES:
        raise ConfigError(
            f"no type {kind!r}", file="command line", key="--kind", hint=", ".join(TYPES)
        )
    grid = _grid(file, timezone)
    load, degrees = _row(grid, column, file), _row(grid, ambient, file)
    coverage = float(np.isfinite(load[: _last(load) + 1]).mean()) if _last(load) >= 0 else 0.0
    measured, temperature = _filled(load[: _last(load) + 1]), _filled(degrees)
    if not len(measured) or not np.isfinite(temperature).all():
        raise RefusedError(Refusal(code="health", reasons=("no load, or no ambient temperature",)))
    _believable(file, column, np.abs(measured) / rating_kva, LOAD_MAX, "times the rating")
    _believable(file, ambient, np.abs(temperature), AIR_MAX_C, "°C of air")
    own, step_min = TYPES[kind], grid.step_s / 60.0
    past = len(measured)
    found = iec(measured / rating_kva, temperature[:past], own, step_min=step_min)
    ageing = (ageing_ieee if upgraded else ageing_normal)(found.hot_spot_c)
    life_pct = float(life_used_pct(ageing, step_min=step_min))
    margin = float(np.quantile(found.hot_spot_c, 0.95)) / NORMAL.hot_spot_c
    body: dict[str, Any] = {
        "file": str(file),
        "kind": kind,
        "samples": past,
        "step_s": grid.step_s,
        "hot_spot_max_c": round(float(found.hot_spot_c.max()), 2),
        "hot_spot_max_at": _iso(float(grid.time_s[int(found.hot_spot_c.argmax())])),
        "hot_spot_last_c": round(float(found.hot_spot_c[-1]), 2),
        "top_oil_max_c": round(float(found.top_oil_c.max()), 2),
        "load_max_pct": round(100.0 * float(np.abs(measured).max()) / rating_kva, 1),
        "life_used_pct": life_pct,
        "ageing_mean": float(ageing.mean()),
        "limits": asdict(NORMAL),
        "coverage": round(coverage, 4),
    }
    passed = bool(
        (found.hot_spot_c > NORMAL.hot_spot_c).any() or (found.top_oil_c > NORMAL.top_oil_c).any()
    )
    ahead = [grid.names.index(f"{column}_{q}") for q in LOADED if f"{column}_{q}" in grid.names]
    if len(ahead) == len(LOADED) and past < len(load):
        paths = grid.values[ahead, past:] / rating_kva
        told, is_alarm = _transformer_ahead(
            paths, measured / rating_kva, temperature, own, step_min=step_min
        )
        body |= told
        passed |= is_alarm
    body["health"] = asdict(
        health({"life used": life_pct / 100.0, "thermal margin q95": margin}, coverage=coverage)
    )
    body["fit"] = not passed
    body["note"] = NO_CLAIM
    return body


def _transformer_ahead(
    paths: FloatArray, measured: FloatArray, temperature: FloatArray, own: Iec, *, step_min: float
) -> tuple[dict[str, Any], bool]:
    """What is forecast, by path of the load (times the rating); whether it is an alarm."""
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    from optimizer.health.outlook import outlook  # noqa: PLC0415
    from optimizer.health.thermal import NORMAL  # noqa: PLC0415

    if not np.isfinite(paths).all():
        raise RefusedError(Refusal(code="health", reasons=("the forecast has holes",)))
    # A day of the past brings the oil to where it is.
    back = min(len(measured), round(1_440.0 / step_min))
    history = np.broadcast_to(measured[-back:], (len(paths), back))
    seen = outlook(
        np.hstack([history, paths]),
        temperature[len(measured) - back :],
        own,
        quantiles=QUANTILES,
        step_min=step_min,
        limits=NORMAL,
        past=back,
    )
    told = {
        q: {
            "hot_spot_max_c": round(float(seen.temperatures.hot_spot_c[k, back:].max()), 2),
            "time_to_limit_min": _number(seen.time_to_limit_min[k]),
            "headroom": round(float(seen.headroom[k]), 3),
        }
        for k, q in enumerate(LOADED)
    }
    return {"outlook": told, "alarm_within_48_h": seen.is_alarm}, bool(seen.is_alarm)


@health_app.command("voltage")
def health_voltage(
    file: File,
    column: Annotated[list[str], typer.Option(help="Voltages, pu; one to three phases.")],
    medium: Annotated[bool, typer.Option("--medium", help="Medium voltage.")] = False,
    timezone: Zone = "UTC",
    as_json: AsJson = False,
) -> None:
    """Voltage quality week by week (EN 50160, ANSI C84.1).

    Exit codes: 0 every week complies or has too little data, 1 one does not, 3 the file cannot be
    used.
    """
    from optimizer.health.voltage import WEEK, means, unbalance_pct, voltage_week  # noqa: PLC0415

    with ending():
        import numpy as np  # noqa: PLC0415 - lazy on purpose

        grid = _grid(file, timezone)
        rows = [_row(grid, name, file) for name in column]
        try:
            table = [means(row, step_s=grid.step_s) for row in rows]
        except ValueError as error:
            raise RefusedError(Refusal(code="health", reasons=(str(error),))) from None
    weeks = [
        {
            "point": name,
            "from": _iso(float(grid.time_s[0]) + 600.0 * start),
            **asdict(voltage_week(row[start : start + WEEK], medium=medium)),
        }
        for name, row in zip(column, table, strict=True)
        for start in range(0, len(row), WEEK)
    ]
    body: dict[str, Any] = {"file": str(file), "weeks": weeks}
    if len(table) == 3:  # noqa: PLR2004 - three phases
        found = unbalance_pct(np.vstack(table))
        body["unbalance_max_pct"] = _number(np.nanmax(found) if np.isfinite(found).any() else None)
    body["fit"] = all(week["complies"] is not False for week in weeks)
    _tell(body, as_json=as_json)


@health_app.command("breaker")
def health_breaker(
    file: File,
    current: Annotated[str, typer.Option(help="Broken current of each opening, kA.")] = "ka",
    trip: Annotated[str | None, typer.Option(help="Trip time of each opening, ms.")] = None,
    commissioned_ms: Annotated[float | None, typer.Option(help="Trip time when new, ms.")] = None,
    mechanical: Annotated[str, typer.Option(help="M1 or M2 (IEC 62271-100).")] = "M1",
    as_json: AsJson = False,
) -> None:
    """Wear of a circuit-breaker from its openings, one row each.

    Exit codes: 0 fine or a warning, 1 an alarm (90 % used), 3 the file cannot be used.
    """
    from gridctl.intervalfile import read_intervals  # noqa: PLC0415 - lazy on purpose
    from optimizer.health.counters import MECHANICAL, breaker_wear  # noqa: PLC0415

    with ending():
        if mechanical not in MECHANICAL:
            raise ConfigError("M1 or M2", file="command line", key="--mechanical")
        read = read_intervals(file, columns=[current] if trip is None else [current, trip])
        wear = breaker_wear(
            read.column(current),
            mechanical_class=mechanical,
            trip_ms=None if trip is None else read.column(trip),
            commissioned_ms=commissioned_ms,
        )
    _tell(
        {**asdict(wear), "state": wear.state, "fit": wear.state != "alarm", "note": NO_CLAIM},
        as_json=as_json,
    )


@health_app.command("taps")
def health_taps(
    file: File,
    column: Annotated[str, typer.Option(help="Tap positions.")] = "tap",
    timezone: Zone = "UTC",
    as_json: AsJson = False,
) -> None:
    """Operations of a tap changer, and where it hunted.

    Exit codes: 0 it did not hunt, 1 it did, 3 the file cannot be used.
    """
    from gridctl.intervalfile import read_intervals  # noqa: PLC0415 - lazy on purpose
    from optimizer.health.counters import tap_counts  # noqa: PLC0415

    with ending():
        read = read_intervals(file, timezone=timezone, columns=[column])
        found = tap_counts(read.time_s, read.column(column))
    body = asdict(found) | {"hunting": [_iso(at) for at in found.hunting], "fit": not found.hunting}
    _tell(body, as_json=as_json)


def _grid(file: Path, timezone: str) -> Grid:
    from gridctl.intervalfile import read_intervals, zone  # noqa: PLC0415 - lazy on purpose
    from optimizer.validation.grid import to_grid  # noqa: PLC0415

    read = read_intervals(file, timezone=timezone)
    return to_grid(read.names, read.time_s, read.values, local=zone(timezone))


def _row(grid: Grid, name: str, file: Path) -> FloatArray:
    if name not in grid.names:
        raise ConfigError(
            "no such column", file=str(file), key=name, hint=f"there are {', '.join(grid.names)}"
        )
    found: FloatArray = grid.values[grid.names.index(name)]
    return found


def _last(values: FloatArray) -> int:
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    known = np.flatnonzero(np.isfinite(values))
    return int(known[-1]) if len(known) else -1


def _filled(values: FloatArray) -> FloatArray:
    """Holes by the line between their neighbours: the oil does not notice; coverage tells."""
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return values
    result: FloatArray = np.interp(np.arange(len(values)), known, values[known])
    return result


def _number(value: Any) -> float | None:
    return None if value is None or value != value else round(float(value), 4)  # noqa: PLR0124


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")


def _tell(body: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        for line in _lines(body, ""):
            print(line)
    if not body["fit"]:
        raise typer.Exit(EXIT_REFUSED)


def _lines(body: dict[str, Any], indent: str) -> list[str]:
    found: list[str] = []
    for key, value in body.items():
        name = key.replace("_", " ")
        if isinstance(value, dict):
            found += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        elif isinstance(value, list | tuple) and value and isinstance(value[0], dict):
            for item in value:
                found += [f"{indent}{name}:", *_lines(item, indent + "  ")]
        else:
            shown = f"{value:.6g}" if isinstance(value, float) else value
            found.append(f"{indent}{name:<22} {shown}")
    return found
