"""The report of a span, and of a local month at the command line (SG-29)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gridctl.cli import app
from gridctl.config import load_settings
from gridctl.control.alarmreport import alarm_figures, history_csv
from gridctl.control.audit import OFFICE, entry
from gridctl.model.clock import ManualClock
from gridctl.model.duty import AlarmEvent
from gridctl.store.engine import open_store, temporary_store
from tests.gridctl.store.examples import T0, alarm
from tests.pilot import make_pilot

HOUR_S, DAY_S = 3_600.0, 86_400.0


async def test_sg29_rates_are_those_of_the_time_that_is_on_record() -> None:
    async with temporary_store(ManualClock(grid_s=T0)) as store:
        async with store.transaction() as unit:
            await unit.audit(
                entry(at_s=T0, person=OFFICE, action="office.start", object_="x", after="")
            )
            for number in range(20):
                one = replace(alarm(f"K{number}"), raised_s=T0 + 60.0 * number)
                await unit.put_alarm(one, at_s=one.raised_s)
        now_s = T0 + 2 * HOUR_S
        found = await alarm_figures(store, start_s=now_s - 30 * DAY_S, end_s=now_s, now_s=now_s)
        assert (found.raised, found.start_s, found.end_s) == (20, T0, now_s)
        assert found.per_day == pytest.approx(240.0)
        past = await alarm_figures(store, start_s=T0 - DAY_S, end_s=T0 - HOUR_S, now_s=now_s)
        assert (past.raised, past.start_s, past.stale) == (0, past.end_s, ())


def test_the_history_is_a_table_and_never_a_formula() -> None:
    events = [
        AlarmEvent(key=key, priority=2, what="raised", at_s=1_786_000_000.5, by=by)
        for key, by in (("link.DER", ""), ("=HYPERLINK(1)", "-anne"), ('say "hi", you', "b"))
    ]
    assert history_csv(events).splitlines() == [
        "at,alarm,priority,what,by",
        "2026-08-06T07:06:40.500Z,link.DER,2,raised,",
        "2026-08-06T07:06:40.500Z,'=HYPERLINK(1),2,raised,'-anne",
        '2026-08-06T07:06:40.500Z,"say ""hi"", you",2,raised,b',
    ]
    assert len(history_csv(events, key="link").splitlines()) == 2


def test_sg29_a_local_month_at_the_command_line(tmp_path: Path) -> None:
    pilot = make_pilot(tmp_path / "pilot")
    settings = load_settings(pilot / "gridctl.toml")
    # The site is five hours behind UTC: its July begins at five, UTC.
    july_s = datetime(2026, 7, 1, 5, tzinfo=UTC).timestamp()

    async def fill() -> None:
        store = await open_store(settings.database.url, clock=settings.grid_clock())
        try:
            async with store.transaction() as unit:
                start = entry(
                    at_s=july_s - DAY_S, person=OFFICE, action="office.start", object_="x"
                )
                await unit.audit(start)
                for key, at_s in (("june", july_s - 1.0), ("july", july_s + 1.0)):
                    await unit.put_alarm(replace(alarm(key), raised_s=at_s), at_s=at_s)
        finally:
            await store.close()

    asyncio.run(fill())

    def says(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["alarms", *words, "--instance", str(pilot)])
        return done.exit_code, done.output

    code, text = says("report", "--month", "2026-07", "--json")
    assert (code, json.loads(text)["top"]) == (0, [["july", 1]])
    assert json.loads(text)["start_s"] == july_s
    code, text = says("history", "--month", "2026-06")
    assert (code, [line.split(",")[1] for line in text.splitlines()]) == (0, ["alarm", "june"])
    assert "no record of that time" in says("report", "--month", "2026-05")[1]
    for month in ("2026-13", "next", "2099-01", "9999-12"):
        code, text = says("report", "--month", month)
        assert (code, "--month" in text) == (2, True), text
