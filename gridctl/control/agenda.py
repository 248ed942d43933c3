"""Every periodic job of human scale in one table: settlement, audit check, what the assembly adds.

APScheduler only wakes these; nothing that moves power hangs on it (reliability.md, finding 2). The
control cycle, leases and deadlines have loops of their own on the injected clock. A job is a plain
`async def` that a test calls directly.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from gridctl.control.alarms import AlarmBook, Condition
from gridctl.model.errors import GridctlError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row: `run` every `every_s` real seconds, never twice at a time, late ones once."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[Any]]


class Agenda:
    """The table, running while the office runs."""

    def __init__(self, jobs: Sequence[Job], *, alarms: AlarmBook) -> None:
        self._jobs = tuple(jobs)
        self._alarms = alarms
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The table's rows."""
        return self._jobs

    def start(self) -> None:
        """Begin to wake the jobs. Called from the event loop."""
        for job in self._jobs:
            self._scheduler.add_job(
                self.run, "interval", args=[job], seconds=job.every_s, id=job.name, name=job.name
            )
        self._scheduler.start()

    def stop(self) -> None:
        """Wake no job any more."""
        self._scheduler.shutdown(wait=False)

    async def run(self, job: Job) -> None:
        """One run of one job; that it failed is an alarm until it succeeds again."""
        failed = ""
        try:
            await job.run()
        except GridctlError as error:
            failed = str(error)
            log.error("agenda: %s failed: %s", job.name, error)
        await self._alarms.follows(
            bool(failed),
            Condition(
                key=f"agenda.{job.name}",
                priority=3,
                text=f"the job {job.name} failed: {failed}",
                response="it is tried again at its next time; see the log",
            ),
        )
