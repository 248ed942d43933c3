"""`gridctl sim …`: the mirror alone, faults on demand, scenarios and exams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gridctl.cli_ending import EXIT_REFUSED, ending
from gridctl.model.errors import UnavailableError

PAGE_PORT = 8090
PILOTS = Path(".gridctl")
ALONE = PILOTS / "sim"

sim_app = typer.Typer(
    help="The feeder simulator: alone, its faults, scenarios and exams.",
    invoke_without_command=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
Running = Annotated[
    Path | None,
    typer.Option(
        "--instance",
        "-i",
        envvar="GRIDCTL_INSTANCE",
        help="Folder of the running pilot (else the one below .gridctl that runs).",
    ),
]


@sim_app.callback(invoke_without_command=True)
def sim(
    context: typer.Context,
    instance: Annotated[
        Path | None,
        typer.Option(
            "--instance",
            "-i",
            envvar="GRIDCTL_INSTANCE",
            help="Folder with gridctl.toml, made when it is not there (else .gridctl/sim, and "
            ".gridctl/sim-NAME with --scenario or --feeder).",
        ),
    ] = None,
    scenario: Annotated[
        str,
        typer.Option(
            help="Of a new folder: its name, or a .toml file of your own (else hot-afternoon)."
        ),
    ] = "",
    feeder: Annotated[
        str, typer.Option(help="Of a new folder: another feeder, its name or your own's folder.")
    ] = "",
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=1000, help="Grid time against real (else as before, at first 1)."
        ),
    ] = None,
    page: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the page on loopback; 0: no page.")
    ] = PAGE_PORT,
    record: Annotated[
        Path | None, typer.Option(help="Write each tick down: a .csv or .parquet file.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Show a recorded run again instead of a living feeder.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Go on from this file when it is there; kept in it at the end."),
    ] = None,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
) -> None:
    """The feeder simulator alone: DNP3 outstations and an OPC UA server in front of a real feeder.

    It prints what it serves. Loopback only: never let it face a network that you do not own.
    """
    if context.invoked_subcommand is not None:
        return
    from gridctl.assembly_sim import run_sim  # noqa: PLC0415 - lazy on purpose
    from gridctl.sim_alone import run_alone  # noqa: PLC0415 - lazy on purpose

    with ending():
        if instance is None:
            named = Path(scenario or feeder).stem
            instance = ALONE.with_name(f"{ALONE.name}-{named}") if named else ALONE
        if child:
            asyncio.run(run_sim(instance, page=page))
            return
        asyncio.run(
            run_alone(
                instance,
                scenario=scenario,
                feeder=feeder,
                rate=rate,
                page=page,
                record=record,
                replay=replay,
                state=state,
            )
        )


@sim_app.command("fault")
def switch_fault(
    name: Annotated[str, typer.Argument(help="Its name, see `gridctl sim faults`.")],
    on: Annotated[str, typer.Argument(metavar="on|off", help="Switch it on or off.")],
    target: Annotated[str, typer.Argument(help="Link, device, point or branch.")] = "",
    amount: Annotated[float | None, typer.Option(help="How much, in the fault's unit.")] = None,
    instance: Running = None,
    as_json: AsJson = False,
) -> None:
    """Switch a fault of the running simulator on or off."""
    from sim.fault_kinds import KINDS, Fault  # noqa: PLC0415 - lazy on purpose

    if on not in ("on", "off"):
        raise typer.BadParameter("on or off", param_hint="on|off")
    question: dict[str, object] = {
        "do": "fault", "name": name, "on": on == "on", "target": target,
    }  # fmt: skip
    if amount is not None:
        question["amount"] = amount
    with ending():
        status = _ask(instance, question)
        done = "done" if KINDS[Fault(name)].momentary else on
        _tell(status, as_json, " ".join(filter(None, (name, target, "is", done))))
        if not as_json:
            _tell_faults(status)


@sim_app.command("faults")
def list_faults(as_json: AsJson = False) -> None:
    """Every fault: what it is aimed at, and what it does."""
    from sim.fault_kinds import KINDS  # noqa: PLC0415 - lazy on purpose

    if as_json:
        rows = [
            {
                "name": k.fault.value,
                "aim": k.aim.value,
                "does": k.does,
                "unit": k.unit,
                "amount": k.amount,
            }
            for k in KINDS.values()
        ]
        print(json.dumps({"faults": rows}, indent=2, ensure_ascii=False))
        return
    for kind in KINDS.values():
        amount = f" [{kind.amount:g} {kind.unit}]" if kind.unit else ""
        print(f"{kind.fault:<20} {kind.aim.value}{amount}\n    {kind.does}")
    print("\nWhat is on now, and since when: gridctl sim status")


@sim_app.command("status")
def sim_status(instance: Running = None, as_json: AsJson = False) -> None:
    """The truth in the running simulator: head, commands received, faults, pace."""
    with ending():
        status = _ask(instance, {"do": "status"})
        pace = status["pace"]
        holds = "holds its pace" if pace.get("holds", True) else "does not hold its pace"
        told = (
            f"{status['local']}, head {status['head_kw']:.0f} kW, "
            f"{status['commands']['total']} commands, {holds}"
        )
        if status["replay"]:
            told = f"{status['replay']}; the feeder behind it stands still"
        _tell(status, as_json, told)
        if not as_json:
            _tell_faults(status)


@sim_app.command("scenarios")
def list_scenarios(as_json: AsJson = False) -> None:
    """The scenarios that come with the simulator, and what a good operator does in each."""
    from sim.scenario import load_scenario, scenario_names  # noqa: PLC0415 - lazy on purpose

    found = [load_scenario(name) for name in scenario_names()]
    if as_json:
        rows = [
            {
                "name": s.name,
                "title": s.title,
                "good_operator": s.exam.good_operator if s.exam else None,
                "events": len(s.events),
            }
            for s in found
        ]
        print(json.dumps({"scenarios": rows}, indent=2, ensure_ascii=False))
        return
    for story in found:
        print(f"{story.name:<26} {story.title}")
        if story.exam is not None:
            print(f"{'':<26} -> {story.exam.good_operator}")


@sim_app.command("exam")
def sim_exam(
    scenario: Annotated[str, typer.Argument(help="Its name, or a .toml file of your own.")],
    operator: Annotated[
        str,
        typer.Option(
            help="Who acts: nobody, scripted (the forecast and the optimizer, stepped), or office "
            "(all of gridctl over real protocols, plans approved over HTTP)."
        ),
    ] = "scripted",
    rate: Annotated[
        float, typer.Option(min=1, max=120, help="Grid time against real, for the office.")
    ] = 30.0,
    recording: Annotated[
        Path | None,
        typer.Option(help="Judge this recorded run instead (`gridctl sim --record FILE`)."),
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write the run down.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a scenario stepped, as fast as the machine can, and judge it; or judge a recorded run."""
    from gridctl.exam import examined  # noqa: PLC0415 - lazy on purpose

    with ending():
        outcome = examined(
            scenario, operator=operator, recording=recording, record=record, rate=rate
        )
    if as_json:
        print(json.dumps(outcome, indent=2, ensure_ascii=False))
    else:
        _print_outcome(outcome)
    if not outcome["score"]["passed"]:
        raise typer.Exit(EXIT_REFUSED)


def _print_outcome(outcome: Mapping[str, Any]) -> None:
    score = outcome["score"]
    print(f"{outcome['scenario']}: {outcome['title']}")
    print(f"  a good operator: {outcome['good_operator']}")
    print(f"  this run:        {outcome['operator']}, {score['minutes']:.0f} min of grid time")
    for key, unit in (
        ("head_kw_min", "kW·min above the head's limit"),
        ("head_kw_min_bound", "kW·min above it while the safeguards let nobody act"),
        ("voltage_pu_min", "pu·min outside the band"),
        ("unserved_kwh", "kWh not served"),
        ("commands", "commands"),
        ("wasted_commands", "of them wasted"),
        ("discomfort_customer_h", "customer·h under shed"),
    ):
        print(f"  {score[key]:12.3f} {unit}" if isinstance(score[key], float)
              else f"  {score[key]:12d} {unit}")  # fmt: skip
    for reason in score["failed"]:
        print(f"  FAILED {reason}")
    print("  passed" if score["passed"] else "  not passed")


def _ask(instance: Path | None, question: dict[str, object]) -> dict[str, Any]:
    """The answer of the running simulator. Raises UnavailableError."""
    from gridctl.instructor import Instructor, is_there  # noqa: PLC0415 - lazy on purpose

    if instance is not None:
        folders, where = [instance], str(instance)
    else:
        folders, where = sorted(p.parents[1] for p in PILOTS.glob("*/run/sim.sock")), str(PILOTS)
    running = [folder for folder in folders if is_there(folder / "run" / "sim.sock")]
    if not running:
        raise UnavailableError(
            f"no simulator runs in {where}: start gridctl sim or gridctl demo, or name its folder "
            "with --instance"
        )
    if len(running) > 1:
        raise UnavailableError(
            f"several simulators run, in {', '.join(str(f) for f in running)}: name the folder of "
            "one with --instance"
        )
    return asyncio.run(Instructor(running[0] / "run" / "sim.sock").ask(question))


def _tell_faults(status: Mapping[str, Any]) -> None:
    for fault in status["faults"]:
        named = " ".join(filter(None, (fault["name"], fault["target"])))
        much = f", {fault['amount']:g} {fault['unit']}" if fault["unit"] and fault["amount"] else ""
        print(f"  on: {named}{much}, since {fault['since']}")


def _tell(status: Mapping[str, Any], as_json: bool, line: str) -> None:
    print(json.dumps(status, indent=2, ensure_ascii=False) if as_json else line)
