"""Where the feeders' work is done: in this process, in a few of its own, or by `dask.distributed`.

An engine takes jobs and gives each one's result or a reason; a job that fails, is late, or takes
its process down costs no other job its result. Work is a plain function of a job, so that it may be
done twice and count once: `Ledger` keeps results by (cycle, feeder, input digest, kind).
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from typing import Any, Protocol

BATCH = 10
"""Feeders a task of dask's: its scheduler costs about a millisecond a task."""
LEDGER_MAX = 20_000
END_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One feeder's piece of work: `digest` of all that goes in, `payload` pickled."""

    cycle: str
    feeder: str
    kind: str
    digest: str
    payload: bytes

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes two jobs the same."""
        return self.cycle, self.feeder, self.kind, self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a job has no result."""

    reason: str


Work = Callable[[Job], Any]


class Engine(Protocol):
    """Does the jobs within `deadline_s` real seconds; results in their order, Failure where none.
    `work` is a function of a module (it is sent by name)."""

    def run(self, work: Work, jobs: Sequence[Job], *, deadline_s: float) -> list[Any]: ...

    def close(self) -> None: ...


def done(work: Work, job: Job) -> Any:
    """The result of one job, or why there is none."""
    try:
        return work(job)
    except Exception as wrong:  # noqa: BLE001 - one bad feeder must not take the others along
        return Failure(reason=f"{type(wrong).__name__}: {wrong}")


class Here:
    """In this process, one after the other."""

    def run(self, work: Work, jobs: Sequence[Job], *, deadline_s: float) -> list[Any]:
        until_s = time.monotonic() + deadline_s
        return [
            done(work, job) if time.monotonic() < until_s else _late(deadline_s) for job in jobs
        ]

    def close(self) -> None:
        return


def _late(deadline_s: float) -> Failure:
    return Failure(reason=f"not done within {deadline_s:g} s")


def _serve(line: Connection) -> None:
    """A worker process: (work, job) in, result out, until the line ends."""
    while True:
        try:
            work, job = line.recv()
        except (EOFError, OSError):
            return
        line.send(done(work, job))


class _Worker:
    """One process and its line; started by spawn (never by fork: native threads)."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def ask(self, work: Work, job: Job, left_s: float) -> Any:
        """The result; TimeoutError when late, EOFError when the process has ended."""
        self._line.send((work, job))
        if not self._line.poll(max(left_s, 0.0)):
            raise TimeoutError
        return self._line.recv()

    def end(self) -> None:
        self._line.close()
        self.process.kill()
        self.process.join(END_S)


class Pool:
    """A few processes of this machine. A feeder always goes to the same one, which knows it from
    the last question. A process that is late or dies is killed and replaced at once."""

    def __init__(self, workers: int) -> None:
        """ValueError for less than one worker."""
        if workers < 1:
            raise ValueError(f"{workers} workers: at least one is needed")
        self._workers: list[_Worker | None] = [None] * workers
        self._homes: dict[str, int] = {}
        self._turn = threading.Lock()

    @property
    def pids(self) -> list[int | None]:
        """Process ids, None where none is running."""
        return [None if w is None else w.process.pid for w in self._workers]

    def run(self, work: Work, jobs: Sequence[Job], *, deadline_s: float) -> list[Any]:
        with self._turn:
            until_s = time.monotonic() + deadline_s
            results: list[Any] = [None] * len(jobs)
            queues: list[list[int]] = [[] for _ in self._workers]
            for k, job in enumerate(jobs):
                home = self._homes.setdefault(job.feeder, len(self._homes) % len(queues))
                queues[home].append(k)

            def work_off(number: int) -> None:
                for k in queues[number]:
                    results[k] = self._asked(number, work, jobs[k], until_s, deadline_s)

            with ThreadPoolExecutor(len(queues), "feeders") as threads:
                list(threads.map(work_off, range(len(queues))))
            return results

    def _asked(self, number: int, work: Work, job: Job, until_s: float, deadline_s: float) -> Any:
        left_s = until_s - time.monotonic()
        if left_s <= 0.0:
            return _late(deadline_s)
        worker = self._workers[number]
        if worker is None:
            worker = self._workers[number] = _Worker()
        try:
            return worker.ask(work, job, left_s)
        except TimeoutError:
            self._replace(number)
            return _late(deadline_s)
        except (EOFError, OSError) as gone:
            self._replace(number)
            return Failure(reason=f"its process ended ({type(gone).__name__})")

    def _replace(self, number: int) -> None:
        worker, self._workers[number] = self._workers[number], _Worker()
        if worker is not None:
            worker.end()

    def close(self) -> None:
        """End all processes."""
        for number, worker in enumerate(self._workers):
            self._workers[number] = None
            if worker is not None:
                worker.end()


def batch(work: Work, jobs: Sequence[Job]) -> list[Any]:
    """Several jobs as one task of dask's."""
    return [done(work, job) for job in jobs]


class Dask:
    """By the workers of a `dask.distributed` cluster, for more than one machine; `client` is a
    `distributed.Client`, which stays the caller's. A batch that is lost is a reason."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, work: Work, jobs: Sequence[Job], *, deadline_s: float) -> list[Any]:
        until_s = time.monotonic() + deadline_s
        parts = [list(jobs[k : k + BATCH]) for k in range(0, len(jobs), BATCH)]
        # The key of a batch names its inputs: dask gives a repeated question the known answer.
        futures = [
            self._client.submit(batch, work, part, key=f"feeders-{hash_of(part)}") for part in parts
        ]
        results: list[Any] = []
        for part, future in zip(parts, futures, strict=True):
            try:
                results += future.result(timeout=max(until_s - time.monotonic(), 0.0))
            except TimeoutError:
                future.cancel()
                results += [_late(deadline_s)] * len(part)
            except Exception as lost:  # noqa: BLE001 - whatever befell a far machine
                results += [Failure(reason=f"lost on the cluster: {lost}")] * len(part)
        return results

    def close(self) -> None:
        return


def hash_of(jobs: Sequence[Job]) -> str:
    """One name for a batch of jobs."""
    return sha256(repr([job.key for job in jobs]).encode()).hexdigest()[:32]


class Ledger:
    """Results by (cycle, feeder, digest, kind): what was done is not done, and does not count,
    twice. Failures are not kept. The oldest go when there are too many."""

    def __init__(self, engine: Engine, *, limit: int = LEDGER_MAX) -> None:
        self._engine = engine
        self._limit = limit
        self._kept: OrderedDict[tuple[str, str, str, str], Any] = OrderedDict()

    def run(self, work: Work, jobs: Sequence[Job], *, deadline_s: float) -> list[Any]:
        """As `Engine.run`, for what is not known yet."""
        new = {job.key: job for job in jobs if job.key not in self._kept}
        answers = self._engine.run(work, list(new.values()), deadline_s=deadline_s) if new else []
        fresh = dict(zip(new, answers, strict=True))
        results = [fresh[job.key] if job.key in fresh else self._kept[job.key] for job in jobs]
        for key, result in fresh.items():
            if not isinstance(result, Failure):
                self._kept[key] = result
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return results

    def close(self) -> None:
        self._engine.close()
