"""`gridctl estimate`: the state of a feeder from few measurements, and which of them do not fit."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridctl.cli_ending import EXIT_REFUSED, ending
from gridctl.model.errors import ConfigError, Refusal, RefusedError

if TYPE_CHECKING:
    from optimizer.estimation.feeder import FeederEstimator, FeederState, Meter

SHOWN_MAX = 10
COLUMNS = ("name", "quantity", "place", "phase", "value", "sigma")


def estimate(
    feeder: Annotated[str, typer.Argument(help="A feeder's name, or the file of your own.")],
    meters: Annotated[
        Path, typer.Argument(help="CSV: name, quantity, place, phase, value, sigma.")
    ],
    load: Annotated[
        float,
        typer.Option(
            help="What the forecast says: the consumers' load, as a share of the model's."
        ),
    ] = 1.0,
    sure: Annotated[
        float, typer.Option(help="How far one consumer may be off that share (sigma).")
    ] = 0.5,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")
    ] = False,
) -> None:
    """Estimate voltages and loads of a whole feeder from what is measured.

    Quantities: voltage_pu (place: node, phase), head_kw and head_kvar (phase, or empty for the
    sum), load_kw and load_kvar (place: consumer). The forecast stands in for what is not measured.
    Exit codes: 0 everything fits, 1 something does not (chi-square at 0.99; the suspects are
    named), 3 a file cannot be used.
    """
    with ending():
        body = estimated(feeder, meters, load=load, sure=sure)
    if as_json:
        print(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        _say(body)
    if not body["fits"] or body["suspects"] or body["removed"]:
        raise typer.Exit(EXIT_REFUSED)


def estimated(feeder: str, file: Path, *, load: float, sure: float) -> dict[str, Any]:
    """The report. Raises ConfigError, and RefusedError where no state fits at all."""
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    from optimizer.estimation.feeder import FeederEstimator  # noqa: PLC0415
    from sim.feeder import load_feeder  # noqa: PLC0415

    if not (load > 0.0 and sure > 0.0):
        raise ConfigError("must be above 0", file="command line", key="--load, --sure")
    own = FeederEstimator(load_feeder(feeder))
    given = read_meters(file)
    try:
        state = own.estimate(
            given, prior=np.full(len(own.consumers), load), prior_sigma=sure / load
        )
    except ValueError as wrong:
        raise RefusedError(Refusal(code="estimate", reasons=(str(wrong),))) from None
    return _report(own, given, state)


def read_meters(file: Path) -> list[Meter]:
    """Raises ConfigError naming file, line and column."""
    from optimizer.estimation.feeder import Meter, Quantity  # noqa: PLC0415 - lazy on purpose

    def wrong(text: str, line: int, key: str, hint: str = "") -> ConfigError:
        return ConfigError(text, file=str(file), line=line, key=key, hint=hint)

    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            rows = list(csv.DictReader(text))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(str(error), file=str(file)) from None
    missing = [name for name in COLUMNS if rows and name not in rows[0]]
    if not rows or missing:
        what = f"no column {missing[0]}" if missing else "no measurement"
        raise ConfigError(what, file=str(file), line=1, hint=", ".join(COLUMNS))
    found, seen = [], set()
    for line, row in enumerate(rows, start=2):
        name = (row["name"] or "").strip()
        if not name or name in seen:
            raise wrong("is empty" if not name else f"{name!r} is there twice", line, "name")
        seen.add(name)
        try:
            quantity = Quantity((row["quantity"] or "").strip())
        except ValueError:
            known = ", ".join(Quantity)
            raise wrong(f"{row['quantity']!r} is none", line, "quantity", known) from None
        value, sigma = (_number(row, key, line, wrong) for key in ("value", "sigma"))
        if sigma <= 0.0:
            raise wrong("must be above 0", line, "sigma", "one standard deviation of the meter")
        place, phase = ((row[key] or "").strip() for key in ("place", "phase"))
        found.append(
            Meter(name=name, quantity=quantity, value=value, sigma=sigma, place=place, phase=phase)
        )
    return found


def _number(row: Mapping[str, str], key: str, line: int, wrong: Any) -> float:
    try:
        value = float(row[key] or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise wrong(f"{row[key]!r} is no number", line, key)
    return value


def _report(own: FeederEstimator, meters: Sequence[Meter], state: FeederState) -> dict[str, Any]:
    import numpy as np  # noqa: PLC0415 - lazy on purpose

    nodes, v_pu = own.network.node_phases, state.flow.v_pu[:, 0]
    live = np.flatnonzero(own.network.energised)
    order = live[np.argsort(v_pu[live])]
    value = {meter.name: meter.value for meter in meters}
    return {
        "meters": len(meters),
        "fits": state.fits,
        "objective": round(state.objective, 3),
        "freedom": state.freedom,
        "iterations": state.iterations,
        "removed": list(state.removed),
        "suspects": list(state.suspects),
        "residuals": [
            {
                "name": name,
                "measured": value[name],
                "off": float(f"{residual:.4g}"),
                "normalised": None if not math.isfinite(rn) else round(rn, 2),
            }
            for name, residual, rn in sorted(
                state.residuals,
                key=lambda row: -abs(row[2]) if row[2] == row[2] else 0.0,
            )
        ],
        "lowest_pu": _voltage(nodes, v_pu, int(order[0])),
        "highest_pu": _voltage(nodes, v_pu, int(order[-1])),
        "voltages_pu": {_name(nodes[k]): round(float(v_pu[k]), 5) for k in live},
        "factors": {
            mrid: round(float(factor), 4)
            for mrid, factor in zip(own.consumers, state.factor_kw, strict=True)
        },
    }


def _name(node: Any) -> str:
    return node if isinstance(node, str) else ".".join(map(str, node))


def _voltage(nodes: Sequence[Any], v_pu: Any, k: int) -> dict[str, Any]:
    return {"at": _name(nodes[k]), "pu": round(float(v_pu[k]), 5)}


def _say(body: Mapping[str, Any]) -> None:
    verdict = "fits" if body["fits"] else "does not fit"
    print(
        f"{body['meters']} measurements, {verdict}: J {body['objective']:g} with "
        f"{body['freedom']} degrees of freedom, {body['iterations']} iterations"
    )
    for key in ("lowest_pu", "highest_pu"):
        print(f"{key[:-3]:<8} {body[key]['pu']:.4f} pu at {body[key]['at']}")
    for name in body["removed"]:
        print(f"removed: {name}")
    if body["suspects"]:
        print(f"suspects, one of them is wrong: {', '.join(body['suspects'])}")
    print("farthest off (measured minus estimated, in sigmas of the residual):")
    for row in body["residuals"][:SHOWN_MAX]:
        rn = "?" if row["normalised"] is None else f"{row['normalised']:.1f}"
        print(f"  {row['name']:<24} {row['measured']:>12g} {row['off']:>+12g}  {rn:>6}")
