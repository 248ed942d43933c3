"""`gridctl substation …`: one limit over the feeders of several offices."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridctl.cli_ending import EXIT_REFUSED, ending
from gridctl.model.errors import ConfigError

if TYPE_CHECKING:
    from gridctl.substation import Round, Substation
    from gridctl.substation_file import SubstationFile

substation_app = typer.Typer(
    help="One limit over the feeders of several offices.", no_args_is_help=True
)
WORKERS = os.cpu_count() or 1
File = Annotated[Path, typer.Argument(help="The substation's TOML file.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that plan, without --dask.")]
DaskAt = Annotated[
    str | None,
    typer.Option("--dask", metavar="ADDRESS", help="Scheduler of dask.distributed, for many."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a cycle on stdout.")]


@substation_app.command("plan")
def substation_plan(
    file: File,
    send: Annotated[bool, typer.Option("--send", help="Give each office its share.")] = False,
    workers: Workers = WORKERS,
    dask: DaskAt = None,
    as_json: AsJson = False,
) -> None:
    """Split the limit once and show who does how much; with --send each office is asked for it.

    Exit codes: 0 the limit is kept by verified plans, 1 it is not or an office has no part in it
    (told), 3 a file cannot be used.
    """
    _go(file, send=send, workers=workers, dask=dask, as_json=as_json, cycles=1)


@substation_app.command("run")
def substation_run(
    file: File,
    cycles: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    workers: Workers = WORKERS,
    dask: DaskAt = None,
    as_json: AsJson = False,
) -> None:
    """Split the limit every `cycle_s` and keep each office's share up to date, until stopped."""
    _go(file, send=True, workers=workers, dask=dask, as_json=as_json, cycles=cycles)


def _go(
    file: Path, *, send: bool, workers: int, dask: str | None, as_json: bool, cycles: int | None
) -> None:
    from gridctl.substation_file import load_substation  # noqa: PLC0415 - lazy on purpose

    try:
        with ending():
            found = load_substation(file)
            kept = asyncio.run(_cycles(found, send=send, workers=workers, dask=dask,
                                       as_json=as_json, cycles=cycles))  # fmt: skip
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    if not kept:
        raise typer.Exit(EXIT_REFUSED)


async def _cycles(
    file: SubstationFile,
    *,
    send: bool,
    workers: int,
    dask: str | None,
    as_json: bool,
    cycles: int | None,
) -> bool:
    """Whether the last cycle kept the limit with every office."""
    done, kept = 0, False
    async with _desk(file, workers=workers, dask=dask) as desk:
        while True:
            loop = asyncio.get_running_loop()
            began_s = loop.time()
            turn = await desk.cycle(send=send)
            kept = turn.plan is not None and turn.plan.kept and not turn.absent
            kept = kept and not any(s.trouble for s in turn.sent)
            for line in [json.dumps(as_json_of(turn))] if as_json else lines(turn):
                typer.echo(line)
            done += 1
            if cycles is not None and done >= cycles:
                return kept
            await asyncio.sleep(max(file.cycle_s - (loop.time() - began_s), 0.0))


@asynccontextmanager
async def _desk(
    file: SubstationFile, *, workers: int, dask: str | None
) -> AsyncIterator[Substation]:
    import aiohttp  # noqa: PLC0415 - the office's part alone has it

    from gridctl.substation import Substation  # noqa: PLC0415
    from optimizer.substation.engine import Dask, Engine, Ledger, Pool  # noqa: PLC0415

    own: Engine
    client: Any = None
    if dask is None:
        own = Pool(workers)
    else:
        try:
            from distributed import Client  # noqa: PLC0415 - an extra that few need
        except ImportError:
            raise ConfigError(
                "needs the extra", file="--dask", hint="pip install 'gridctl[cluster]'"
            ) from None
        make: Any = Client  # distributed has no types
        client = await asyncio.to_thread(make, dask)
        own = Dask(client)
    engine = Ledger(own)
    try:
        async with aiohttp.ClientSession() as http:
            yield Substation(file, http, engine)
    finally:
        engine.close()
        if client is not None:
            with suppress(OSError):
                await asyncio.to_thread(client.close)


def as_json_of(turn: Round) -> dict[str, Any]:
    """A cycle as one object, with every feeder's share and its plan in short."""
    found: dict[str, Any] = {
        "absent": dict(turn.absent),
        "sent": [asdict(s) for s in turn.sent],
        "substation": None,
    }
    if turn.task is None or turn.plan is None:
        return found
    plan = turn.plan
    found["substation"] = {
        "mrid": turn.task.mrid,
        "cycle": turn.task.cycle,
        "kept": plan.kept,
        "gap": plan.split.gap,
        "head_before_kw": plan.head_before_kw.tolist(),
        "head_after_kw": plan.head_after_kw.tolist(),
        "over_kw": plan.over_kw.tolist(),
        "price": plan.split.price.tolist(),
        "failed": dict(plan.failed),
        "feeders": {
            one.feeder.mrid: {
                "asked_kw": plan.asked_kw[k].tolist(),
                "status": plan.plans[one.feeder.mrid].status.value,
                "head_after_kw": list(plan.plans[one.feeder.mrid].head_after_kw),
                "cost": plan.plans[one.feeder.mrid].cost,
            }
            for k, one in enumerate(turn.task.feeders)
            if one.feeder.mrid in plan.plans
        },
        "solve_s": plan.solve_s,
    }
    return found


def lines(turn: Round) -> Iterator[str]:
    """A cycle as lines for a person."""
    from optimizer.substation.__main__ import words  # noqa: PLC0415

    if turn.task is not None and turn.plan is not None:
        yield from words(turn.task, turn.plan)
    else:
        yield "nobody to plan for"
    for url, reason in turn.absent.items():
        yield f"{url} has no part in it: {reason}"
    for one in turn.sent:
        told = f"; {one.trouble}" if one.trouble else ""
        yield (
            f"{one.feeder} at {one.url}: {one.kept} shares kept, {one.asked} asked for,"
            f" {one.withdrawn} withdrawn{told}"
        )
