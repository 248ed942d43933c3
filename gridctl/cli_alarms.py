"""`gridctl alarms …`: how the alarms treat the operator (SG-29)."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance
from gridctl.model.errors import ConfigError, GridctlError, UnavailableError

if TYPE_CHECKING:
    from gridctl.control.alarmfigures import AlarmFigures

EXIT_REFUSED, EXIT_CONFIG, EXIT_UNAVAILABLE = 1, 3, 4
DAY_S = 86_400.0
ALARMS_MAX = 500

alarms_app = typer.Typer(help="Alarms: figures and reports.", no_args_is_help=True)


@alarms_app.callback()
def alarms() -> None:
    """Alarms: figures and reports."""


@alarms_app.command("report")
def report(
    days: Annotated[
        float, typer.Option(min=0.01, max=366, help="Days of grid time up to now.")
    ] = 30.0,
    instance: Instance = DEFAULT_INSTANCE,
    as_json: AsJson = False,
) -> None:
    """Rate, floods, stale and chattering alarms, the loudest; reads the database only."""
    try:
        found = asyncio.run(_figures(instance, days))
    except GridctlError as error:
        print(f"gridctl: {error}", file=sys.stderr)
        code = EXIT_REFUSED
        if isinstance(error, ConfigError):
            code = EXIT_CONFIG
        elif isinstance(error, UnavailableError):
            code = EXIT_UNAVAILABLE
        raise typer.Exit(code) from None
    if as_json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _say(found, days)


async def _figures(instance: Path, days: float) -> AlarmFigures:
    from gridctl.cli_store import opened  # noqa: PLC0415 - lazy on purpose
    from gridctl.control.alarmfigures import figures  # noqa: PLC0415

    async with opened(instance, read_only=True) as store:
        end_s = store.clock.now_s()
        start_s = end_s - days * DAY_S
        events = await store.duties.alarm_events(start_s=start_s, end_s=end_s)
        active = await store.alarms(limit=ALARMS_MAX)
    return figures(events, active, start_s=start_s, end_s=end_s)


def _say(found: AlarmFigures, days: float) -> None:
    print(f"Alarms of the last {days:g} days: {found.raised} raised")
    print(f"  a day                 {found.per_day:8.1f}   (150 are fine, 300 too many)")
    print(f"  in 10 minutes, mean   {found.per_10_min:8.2f}   (1 is fine)")
    print(f"  in 10 minutes, most   {found.most_in_10_min:8d}   (a flood begins above 10)")
    share = 100 * found.flood_s / max(found.end_s - found.start_s, 1.0)
    print(f"  floods                {found.floods:8d}   ({share:.2f} % of the time; below 1 %)")
    wait = found.acknowledged_after_s
    print(f"  acknowledged after    {'-' if wait is None else f'{wait:6.0f} s':>8}")
    shares = ", ".join(f"priority {p}: {n}" for p, n in found.priorities)
    print(f"  by priority           {shares or 'none'}")
    for key, count in found.top:
        print(f"  {count:6d}  {key}")
    for text in found.judged:
        print(f"NOT AS IT SHOULD BE: {text}")
    if not found.judged:
        print("All figures are as they should be.")
