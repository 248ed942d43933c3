"""Settlement runs in the office: from a customer's readings, or from a point's own history.

A run is kept with its readings and its method and is never changed; another run of the same event
is its next version. What is shown of a run is made again from what was kept: a record that somebody
has edited does not come out as a statement.
"""

from __future__ import annotations

import asyncio
import csv
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from gridctl.control.audit import entry
from gridctl.control.ports import Person, Store
from gridctl.model.clock import Clock
from gridctl.model.errors import Refusal, RefusedError
from gridctl.model.record import KeptRun
from gridctl.settlementrun import (
    ask_of,
    intervals_csv,
    make_run,
    read_readings,
    run_text,
)
from gridctl.statement import statement_html, statement_pdf
from optimizer.baselines.methods import OWN_FILE
from optimizer.baselines.run import Ask, Run

HISTORY_DAYS = 120
STEP_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A kept run, and what people read of it."""

    kept: KeptRun
    run: Run
    is_new: bool = False

    def page(self, form: str) -> str:
        """`html`, `pdf` or `csv`."""
        made = {"html": statement_html, "pdf": statement_pdf, "csv": intervals_csv}
        return made[form](self.run)


class SettlementDesk:
    """Settles, lists, shows."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def settle(
        self, ask: Ask, *, readings: str | None, temperature: str | None, person: Person
    ) -> Shown:
        """`readings`: CSV whose column `ask.resource` is the load in kW; None: the point
        `ask.resource` of our own history, in quarters of an hour. Raises RefusedError, ConfigError
        and UnavailableError in words of the reader."""
        text = readings if readings is not None else await self._own(ask)
        methods = OWN_FILE.read_text(encoding="utf-8")
        run, inputs = await asyncio.to_thread(_made, text, ask, temperature, methods)
        kept = KeptRun(
            id=run.id,
            event=f"{ask.resource} {ask.when.isoformat()} {ask.start_h:g}-{ask.end_h:g} h",
            version=0,
            made_s=self._clock.now_s(),
            who=person.user,
            body=run_text(run),
            inputs=inputs,
            methods=methods,
        )
        row = entry(
            at_s=self._clock.now_s(),
            person=person,
            action="settlement.run",
            object_=run.id,
            after=f"{kept.event}: {run.reduction_kwh:.1f} kWh by {ask.method}",
            reason="; ".join(run.why_not),
        )
        is_new = await self._store.settlements.one(run.id) is None
        kept = await self._store.settlements.add(kept, audit=row)
        return Shown(kept=kept, run=run, is_new=is_new)

    async def listed(self) -> Sequence[KeptRun]:
        """The newest first, without what they were made of."""
        return await self._store.settlements.listed()

    async def shown(self, id_: str) -> Shown | None:
        """A run, made again from its own inputs. Raises RefusedError when it comes out otherwise
        than it was kept."""
        kept = await self._store.settlements.one(id_)
        if kept is None:
            return None
        return Shown(kept=kept, run=await asyncio.to_thread(_again, kept))

    async def _own(self, ask: Ask) -> str:
        """Quarters of an hour of a point's history up to the event's day, as CSV."""
        local = ZoneInfo(ask.timezone)
        end = datetime(ask.when.year, ask.when.month, ask.when.day, tzinfo=local)
        end += timedelta(days=1)
        start_s = (end - timedelta(days=HISTORY_DAYS)).timestamp() // STEP_S * STEP_S
        series = await self._store.series(
            ask.resource, start_s=start_s, end_s=end.timestamp(), step_s=STEP_S
        )
        known = [k for k, kw in enumerate(series.values) if kw is not None]
        if not known:
            raise RefusedError(
                Refusal(code="settlement", reasons=(f"{ask.resource} has no history",))
            )
        out = io.StringIO()
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["timestamp", ask.resource])
        for k in range(known[0], known[-1] + 1):
            kw = series.values[k]
            stamp = datetime.fromtimestamp(start_s + k * STEP_S, UTC).isoformat()
            rows.writerow([stamp, "" if kw is None else repr(kw)])
        return out.getvalue()


def _made(text: str, ask: Ask, temperature: str | None, methods: str) -> tuple[Run, str]:
    """The run, and its readings as they are kept."""
    with tempfile.TemporaryDirectory() as there:
        file, data = Path(there) / "readings.csv", Path(there) / "methods.toml"
        file.write_text(text, encoding="utf-8")
        data.write_text(methods, encoding="utf-8")
        readings = read_readings(
            file, column=ask.resource, temperature=temperature, timezone=ask.timezone
        )
        return make_run(readings, ask, methods_file=data), readings.text()


def _again(kept: KeptRun) -> Run:
    try:
        ask = ask_of(kept.body)
        with tempfile.TemporaryDirectory() as there:
            file, data = Path(there) / "readings.csv", Path(there) / "methods.toml"
            file.write_text(kept.inputs, encoding="utf-8")
            data.write_text(kept.methods, encoding="utf-8")
            warm = any(row["temperature"] for row in csv.DictReader(io.StringIO(kept.inputs)))
            readings = read_readings(
                file,
                column="load_kw",
                temperature="temperature" if warm else None,
                timezone=ask.timezone,
            )
            run = make_run(readings, ask, methods_file=data)
    except (ValueError, KeyError, TypeError) as wrong:
        raise _refused(f"run {kept.id} cannot be read: {wrong}") from None
    if run.id != kept.id or run_text(run) != kept.body:
        raise _refused(f"run {kept.id} comes out otherwise than it was kept: it was edited")
    return run


def _refused(why: str) -> RefusedError:
    return RefusedError(Refusal(code="settlement", reasons=(why,)))
