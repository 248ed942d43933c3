"""`gridctl settle …`: baselines and settlement runs from a file of readings."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridctl.cli_ending import EXIT_REFUSED, ending
from gridctl.model.errors import ConfigError

if TYPE_CHECKING:
    from optimizer.baselines.run import Ask, Run

_EVENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d):(\d\d)/(\d\d):(\d\d)")

settle_app = typer.Typer(help="Baselines and settlement runs.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


@settle_app.command("baseline")
def settle_baseline(
    file: Annotated[Path, typer.Argument(help="CSV (.gz) with the customer's readings.")],
    event: Annotated[
        str, typer.Option(help="Local time, such as 2026-07-14T15:00/19:00.", metavar="WHEN")
    ],
    method: Annotated[str, typer.Option(help="See `gridctl settle methods`.")],
    committed_kw: Annotated[float, typer.Option("--committed", min=0, help="kW agreed.")],
    column: Annotated[str, typer.Option(help="The column with the load.")] = "load_kw",
    temperature: Annotated[str | None, typer.Option(help="The column with it.")] = None,
    energy: Annotated[
        bool, typer.Option("--energy", help="The column is kWh an interval.")
    ] = False,
    timezone: Annotated[str, typer.Option(help="Zone of the customer's days.")] = "UTC",
    holiday: Annotated[list[str] | None, typer.Option(help="A day like a Sunday.")] = None,
    event_day: Annotated[list[str] | None, typer.Option(help="A day with another event.")] = None,
    firm_kw: Annotated[float | None, typer.Option(help="Firm service level, kW.")] = None,
    netting: Annotated[
        bool, typer.Option("--netting", help="Use above the baseline counts against.")
    ] = False,
    methods: Annotated[
        Path | None, typer.Option(help="The programme's own methods (TOML).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write the run into: JSON, CSV, statement.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Settle one event of one customer against a baseline; the readings are validated first.

    Exit codes: 0 it settles, 1 the baseline is not good enough or cannot be made (the reason is
    told), 3 a file cannot be used.
    """
    from gridctl.settlementrun import (  # noqa: PLC0415 - lazy on purpose
        as_json as run_json,
    )
    from gridctl.settlementrun import make_run, read_readings, write_run  # noqa: PLC0415
    from optimizer.baselines.methods import OWN_FILE  # noqa: PLC0415
    from optimizer.baselines.run import Ask  # noqa: PLC0415

    with ending():
        when, start_h, end_h = event_words(event)
        readings = read_readings(
            file, column=column, temperature=temperature, timezone=timezone, is_energy=energy
        )
        ask: Ask = Ask(
            resource=column,
            when=when,
            start_h=start_h,
            end_h=end_h,
            method=method,
            committed_kw=committed_kw,
            inputs="",
            timezone=timezone,
            holidays=tuple(sorted(holiday or ())),
            event_days=tuple(sorted(event_day or ())),
            firm_kw=firm_kw,
            is_netted=netting,
        )
        data = methods or OWN_FILE
        run = make_run(readings, ask, methods_file=data)
        place = None if out is None else write_run(run, readings, out, methods_file=data)
    if as_json:
        print(json.dumps(run_json(run), indent=2, ensure_ascii=False))
    else:
        _say(run, place)
    if run.why_not:
        raise typer.Exit(EXIT_REFUSED)


@settle_app.command("verify")
def settle_verify(
    folder: Annotated[Path, typer.Argument(help="The folder of one run.")],
) -> None:
    """Make a settlement run again from its own inputs and compare, to the bit.

    Exit codes: 0 the same, 1 something differs, 3 the folder cannot be read.
    """
    from gridctl.settlementrun import verify_run  # noqa: PLC0415 - lazy on purpose

    with ending():
        run = verify_run(folder)
    print(f"{run.id}: made again, the same")


@settle_app.command("portfolio")
def settle_portfolio(
    folders: Annotated[list[Path], typer.Argument(help="Folders of runs of one event.")],
    as_json: AsJson = False,
) -> None:
    """Sum the runs of one event: baselines and meters first, then the difference.

    Every run is made again before it counts. Exit codes: 0 all settle, 1 one does not or something
    differs, 3 a folder cannot be read.
    """
    from gridctl.settlementrun import portfolio  # noqa: PLC0415 - lazy on purpose

    with ending():
        found = portfolio(folders)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print(
            f"{len(found['runs'])} runs: {found['reduction_kwh']:,.1f} ± {found['band_kwh']:,.1f} "
            f"(90 %) kWh of {found['committed_kwh']:,.1f} kWh agreed"
        )
        for run in found["not_settling"]:
            print(f"{run}: does not settle")
    if found["not_settling"]:
        raise typer.Exit(EXIT_REFUSED)


@settle_app.command("methods")
def settle_methods(
    file: Annotated[Path | None, typer.Argument(help="A programme's own methods (TOML).")] = None,
) -> None:
    """List the baseline methods with version and digest."""
    from optimizer.baselines.methods import OWN_FILE, load_methods  # noqa: PLC0415 - lazy

    with ending():
        found = load_methods(file or OWN_FILE)
    for one in found.values():
        print(f"{one.id:<26}{one.version:<10}{one.digest()[:12]}  {one.title}")


def event_words(text: str) -> tuple[date, float, float]:
    """`2026-07-14T15:00/19:00` as day, start and end in hours. Raises ConfigError."""
    found = _EVENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError("not in that form")
        when = date.fromisoformat(found[1])
    except ValueError:
        raise ConfigError(
            f"{text!r} is no event",
            file="command line",
            key="--event",
            hint="day and local times of start and end, such as 2026-07-14T15:00/19:00",
        ) from None
    hours = [int(found[k]) + int(found[k + 1]) / 60.0 for k in (2, 4)]
    return when, hours[0], hours[1]


def _say(run: Run, place: Path | None) -> None:
    print(f"{run.id}  {run.ask.resource}  {run.ask.when}  {run.title}, {run.method_version}")
    print("  from   baseline kW     meter kW  reduction kW")
    for row in run.rows:
        minutes = round(row.start_h * 60)
        print(
            f"  {minutes // 60:02d}:{minutes % 60:02d}  {row.baseline_kw:>12,.1f} "
            f"{row.load_kw:>12,.1f}  {row.reduction_kw:>12,.1f}  {row.doubts}"
        )
    band = "" if run.band_kwh is None else f" ± {run.band_kwh:,.1f} (90 %)"
    share = (
        "" if run.performance_pct is None else f", {run.performance_pct:.0f} % of the commitment"
    )
    print(f"{run.reduction_kwh:,.1f}{band} kWh reduced{share}")
    if run.score is not None and run.score.events:
        print(
            f"{run.score.events} placebo events: RRMSE {run.score.rrmse_pct:.1f} %, "
            f"bias {run.score.bias_pct:+.1f} %"
        )
    for note in run.notes:
        print(f"note: {note}")
    for reason in run.why_not:
        print(f"does not settle: {reason}")
    if place is not None:
        print(f"written to {place}")
