"""`gridctl alarms …`: how the alarms treat the operator (SG-29)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridctl.cli_ending import ending
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance

if TYPE_CHECKING:
    from gridctl.control.alarmfigures import AlarmFigures

HOUR_S, DAY_S = 3_600.0, 86_400.0
LONGEST_MONTH = 31

alarms_app = typer.Typer(help="Alarms: figures and reports.", no_args_is_help=True)


@alarms_app.callback()
def alarms() -> None:
    """Alarms: figures and reports."""


@alarms_app.command("report")
def report(
    days: Annotated[
        float, typer.Option(min=0.01, max=366, help="Days of grid time up to now.")
    ] = 30.0,
    month: Annotated[str, typer.Option(help="A local month instead, such as 2026-07.")] = "",
    instance: Instance = DEFAULT_INSTANCE,
    as_json: AsJson = False,
) -> None:
    """Rate, floods, stale and chattering alarms, the loudest; reads the database only."""
    with ending():
        found = asyncio.run(_figures(instance, days, month))
    if as_json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
    else:
        _say(found, month or f"the last {days:g} days")


@alarms_app.command("history")
def history(
    days: Annotated[
        float, typer.Option(min=0.01, max=366, help="Days of grid time up to now.")
    ] = 31.0,
    month: Annotated[str, typer.Option(help="A local month instead, such as 2026-07.")] = "",
    key: Annotated[str, typer.Option(help="Only alarms whose name has this in it.")] = "",
    instance: Instance = DEFAULT_INSTANCE,
) -> None:
    """What happened to alarms, as CSV, oldest first; reads the database only."""
    with ending():
        print(asyncio.run(_history(instance, days, month, key)), end="")


async def _figures(instance: Path, days: float, month: str) -> AlarmFigures:
    from gridctl.cli_store import opened  # noqa: PLC0415 - lazy on purpose
    from gridctl.control.alarmreport import alarm_figures  # noqa: PLC0415

    async with opened(instance, read_only=True) as store:
        now_s = store.clock.now_s()
        start_s, end_s = _span(instance, days, month, now_s)
        return await alarm_figures(store, start_s=start_s, end_s=end_s, now_s=now_s)


async def _history(instance: Path, days: float, month: str, key: str) -> str:
    from gridctl.cli_store import opened  # noqa: PLC0415 - lazy on purpose
    from gridctl.control.alarmreport import history_csv  # noqa: PLC0415

    async with opened(instance, read_only=True) as store:
        start_s, end_s = _span(instance, days, month, store.clock.now_s())
        events = await store.duties.alarm_events(start_s=start_s, end_s=end_s)
    return history_csv(events, key=key)


def _span(instance: Path, days: float, month: str, now_s: float) -> tuple[float, float]:
    """(start, end) in grid time: a month of the site, or the last days. Raises ConfigError,
    BadParameter."""
    from gridctl.config import load_settings  # noqa: PLC0415 - lazy on purpose

    if not month:
        return now_s - days * DAY_S, now_s
    offset_h = load_settings(instance / "gridctl.toml").site.utc_offset_h
    try:
        first = datetime.strptime(month, "%Y-%m").replace(
            tzinfo=timezone(timedelta(hours=offset_h))
        )
        after = (first + timedelta(days=LONGEST_MONTH)).replace(day=1)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{month!r}: such as 2026-07", param_hint="--month") from None
    if first.timestamp() >= now_s:
        raise typer.BadParameter(f"{month} has not begun", param_hint="--month")
    return first.timestamp(), after.timestamp()


def _say(found: AlarmFigures, span: str) -> None:
    hours = (found.end_s - found.start_s) / HOUR_S
    if hours <= 0:
        print(f"Alarms of {span}: there is no record of that time.")
        return
    print(f"Alarms of {span}: {found.raised} raised in {hours:,.1f} h of record")
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
