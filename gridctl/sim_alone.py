"""`gridctl sim`: the mirror without anybody in front of it, for a master of the user's own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from gridctl.demo import SCENARIO, set_keys
from gridctl.model.errors import ConfigError
from gridctl.observe import set_up_logging
from gridctl.provenance import check_provenance
from gridctl.supervise import stop_on_signals
from gridctl.wallclock import system_clock
from sim.feeder import feeder_file
from sim.instance import Ports, create_instance
from sim.instance_ports import reserved_ports
from sim.own_scenario import write_own_scenario
from sim.process import Simulator, run_simulator
from sim.scenario import Scenario, load_scenario
from sim.served import page_of, what_is_served
from sim.state_file import read_state

HISTORY_DAYS: Final = 2
RESUME_IN_S: Final = 5.0
WARNING: Final = (
    "A test instrument: no access control on DNP3, faults at the push of a button. It listens on "
    "loopback only; never let it face a network that you do not own."
)


async def run_alone(
    instance: Path,
    *,
    scenario: str,
    feeder: str,
    rate: float | None,
    page: int,
    record: Path | None,
    replay: Path | None,
    state: Path | None = None,
) -> None:
    """Make the folder when it is not there, serve it until a signal. `state`: from where it goes
    on, its clock too, and where the world is kept at the end. Raises ConfigError."""
    set_up_logging(level="warning")
    check_provenance()
    if scenario and feeder:
        raise ConfigError(
            "--scenario and --feeder: a scenario has a feeder of its own",
            file="gridctl sim",
            hint="one of the two; for a scenario on another feeder write one with that feeder",
        )
    kept, file = read_state(state), instance / "gridctl.toml"
    if file.exists():
        _check_same(instance, load_scenario(scenario) if scenario else None, feeder)
        _wind(file, rate=rate, at_s=None if kept is None else float(kept["at_s"]))
    else:
        if feeder:
            scenario = str(write_own_scenario(instance, feeder).resolve())
        _make(instance, scenario or SCENARIO, rate or 1.0)
        if kept is not None:
            _wind(file, rate=None, at_s=float(kept["at_s"]))
    stop = asyncio.Event()
    stop_on_signals(stop)

    @asynccontextmanager
    async def say(simulator: Simulator) -> AsyncIterator[None]:
        served = what_is_served(instance, simulator)
        async with contextlib.AsyncExitStack() as stack:
            if page:
                shown = page_of(simulator, served, port=page)
                served = {"page": await stack.enter_async_context(shown), **served}
            _print(served)
            yield

    await run_simulator(instance, stop=stop, record=record, replay=replay, state=state, say=say)


def _check_same(instance: Path, wanted: Scenario | None, feeder: str) -> None:
    """A folder keeps its scenario. Raises ConfigError when another one is asked for."""
    if wanted is None and not feeder:
        return
    settings = tomllib.loads((instance / "gridctl.toml").read_text(encoding="utf-8"))
    there = load_scenario(str(settings.get("sim", {}).get("scenario", "")))
    if wanted is not None and wanted.name == there.name:
        return
    if wanted is None and _place(there.feeder) == _place(feeder):
        return
    raise ConfigError(
        f"this folder has {there.name!r} on {there.feeder} already, and keeps it",
        file=str(instance),
        key="--scenario" if wanted is not None else "--feeder",
        hint="name a new folder with --instance, or none: then each has one of its own",
    )


def _place(feeder: str) -> Path | str:
    file = feeder_file(feeder)
    return feeder if file is None else file.resolve()


def _wind(file: Path, *, rate: float | None, at_s: float | None) -> None:
    """Set the clock of a folder: from now on another `rate`, or (`at_s`) grid time from where a
    state was kept, once everything is likely to listen. None: as it is."""
    if rate is None and at_s is None:
        return
    clock = tomllib.loads(file.read_text(encoding="utf-8"))["clock"]
    now_s = system_clock().now_s()
    grid_s = clock["anchor_grid_s"] + (now_s - clock["anchor_real_s"]) * clock["rate"]
    set_keys(
        file,
        {
            ("clock", "anchor_real_s"): now_s if at_s is None else now_s + RESUME_IN_S,
            ("clock", "anchor_grid_s"): grid_s if at_s is None else at_s,
            ("clock", "rate"): clock["rate"] if rate is None else rate,
        },
    )


def _make(instance: Path, scenario: str, rate: float) -> None:
    # The devices first: their ports are then those of the tutorial where nobody else has them.
    with reserved_ports(4) as (sub, dr, der, web):
        create_instance(
            instance,
            scenario=scenario,
            rate=rate,
            now_real_s=system_clock().now_s(),
            ports=Ports(web=web, sub=sub, dr=dr, der=der),
            history_days=HISTORY_DAYS,
        )
    print(f"Made {instance} for {scenario}.", file=sys.stderr)


def _print(served: Mapping[str, str]) -> None:
    width = max(len(what) for what in served)
    print()
    for what, value in served.items():
        print(f"  {what:<{width}}  {value}")
    print(f"\n  {WARNING}")
    print("  Ctrl-C ends it.\n", flush=True)
