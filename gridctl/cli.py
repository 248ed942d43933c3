"""The command line. Imports are lazy: `gridctl field` never loads what the office needs.

Exit codes: 0 done; 1 refused or not fulfilled (the reason is on stderr); 2 wrong usage;
3 configuration that a human must mend; 4 a part of gridctl does not answer.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from gridctl import __version__
from gridctl.cli_alarms import alarms_app
from gridctl.cli_check import check_app
from gridctl.cli_command import command_app
from gridctl.cli_ending import (
    fail,
    guarded,
    run_guarded,
)
from gridctl.cli_estimate import estimate
from gridctl.cli_evidence import evidence_app, replay_plan
from gridctl.cli_feeder import feeder_app
from gridctl.cli_forecast import forecast_app
from gridctl.cli_health import health_app
from gridctl.cli_limits import limits_app
from gridctl.cli_mode import mode_app
from gridctl.cli_opcua import opcua_app
from gridctl.cli_plan import plan_app
from gridctl.cli_points import points_app
from gridctl.cli_probe import probe_app
from gridctl.cli_settle import settle_app
from gridctl.cli_sim import PAGE_PORT, sim_app
from gridctl.cli_substation import substation_app
from gridctl.cli_tag import tag_app
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance, User
from gridctl.cli_trace import trace_link
from gridctl.cli_user import user_app
from gridctl.cli_vee import vee_app

app = typer.Typer(
    name="gridctl",
    help="Demand response for distribution feeders: observe, forecast, optimize, verify, propose, "
    "approve, dispatch, confirm, settle.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 done, 1 refused, 2 wrong usage, 3 configuration, 4 no answer.",
)
audit_app = typer.Typer(help="The audit chain.", no_args_is_help=True)
db_app = typer.Typer(help="The database.", no_args_is_help=True)
mqtt_app = typer.Typer(help="The MQTT broker that tells changes.", no_args_is_help=True)
openadr_app = typer.Typer(help="Customer systems: who may trigger events.", no_args_is_help=True)
client_app = typer.Typer(help="API clients, by role.", no_args_is_help=True)
dead_app = typer.Typer(help="Notifications that were given up.", no_args_is_help=True)
app.add_typer(plan_app, name="plan")
app.add_typer(audit_app, name="audit")
app.add_typer(db_app, name="db")
app.add_typer(user_app, name="user")
app.add_typer(openadr_app, name="openadr")
app.add_typer(opcua_app, name="opcua")
app.add_typer(check_app, name="check")
app.add_typer(command_app, name="command")
app.add_typer(evidence_app, name="evidence")
app.command("replay")(replay_plan)
app.add_typer(forecast_app, name="forecast")
app.add_typer(feeder_app, name="feeder")
app.add_typer(alarms_app, name="alarms")
app.add_typer(mode_app, name="mode")
app.add_typer(limits_app, name="limits")
app.add_typer(points_app, name="points")
app.add_typer(probe_app, name="probe")
app.command("trace", short_help="What passes a running link, in words.")(trace_link)
app.add_typer(sim_app, name="sim")
app.add_typer(tag_app, name="tag")
app.add_typer(substation_app, name="substation")
app.add_typer(health_app, name="health")
app.command("estimate")(estimate)
app.add_typer(settle_app, name="settle")
app.add_typer(vee_app, name="vee")
openadr_app.add_typer(client_app, name="client")
openadr_app.add_typer(dead_app, name="dead")
openadr_app.add_typer(mqtt_app, name="mqtt")


def say(text: str) -> None:
    """A line for a person."""
    print(text)


def emit(value: object) -> None:
    """One JSON object for a program."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


@app.command(short_help="A whole pilot on this machine: simulator to console.")
def demo(
    instance: Instance = DEFAULT_INSTANCE,
    port: Annotated[int, typer.Option(help="Port of the console.")] = 8080,
    rate: Annotated[float, typer.Option(help="Grid seconds per real second.")] = 10.0,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget the last pilot in this folder.")
    ] = False,
    feeder: Annotated[
        str, typer.Option(help="Another feeder: its name, or the folder of your own.")
    ] = "",
    sim_page: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port of the simulator's page on loopback; 0: none."),
    ] = PAGE_PORT,
    script: Annotated[
        bool, typer.Option("--script", help="No browser: scripted operators, accelerated.")
    ] = False,
    as_json: AsJson = False,
    break_: Annotated[
        str | None, typer.Option("--break", help="Break the loop on purpose (with --script).")
    ] = None,
) -> None:
    """Run a whole pilot on this machine: simulator, field agent, office and console."""
    # A person watches this terminal: all its processes write for a person.
    os.environ.setdefault("GRIDCTL_LOG", "text")
    if script:
        from gridctl.script import BREAKS, run_script  # noqa: PLC0415 - lazy on purpose

        if break_ is not None and break_ not in BREAKS:
            fail(f"--break knows {', '.join(BREAKS)}", 2)
        run_guarded(lambda: run_script(break_name=break_, as_json=as_json))
        return
    if break_ is not None:
        fail("--break needs --script", 2)
    from gridctl.demo import run_demo  # noqa: PLC0415 - lazy on purpose

    if feeder and instance == DEFAULT_INSTANCE:
        instance = DEFAULT_INSTANCE.with_name(f"demo-{Path(feeder).name}")
    run_guarded(
        lambda: run_demo(instance, port=port, rate=rate, fresh=fresh, feeder=feeder, page=sim_page)
    )


@app.command(short_help="Office, console and a supervised field agent.")
def run(instance: Instance = DEFAULT_INSTANCE) -> None:
    """The office with console and a supervised field agent: small sites, one host."""
    from gridctl.assembly import run_office  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: run_office(instance / "gridctl.toml", with_field=True))


@app.command(short_help="Office and console; the field agent dials in.")
def serve(
    instance: Instance = DEFAULT_INSTANCE,
    profile: Annotated[
        str | None,
        typer.Option(help="openadr-test: an empty VTN on loopback with published secrets."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the test profile.")] = 8080,
    webhook_https: Annotated[
        bool, typer.Option("--webhook-https", help="Test profile: refuse http callbacks.")
    ] = False,
    webhook_public: Annotated[
        bool, typer.Option("--webhook-public", help="Test profile: refuse private addresses.")
    ] = False,
    webhook_echo: Annotated[
        bool, typer.Option("--webhook-echo", help="Test profile: the challenge must be echoed.")
    ] = False,
) -> None:
    """The office with console only; the field agent runs elsewhere and dials in.

    With `--profile openadr-test` no office at all: an empty OpenADR 3.1.0 VTN on this machine, for
    other people's clients and suites.
    """
    if profile is None:
        from gridctl.assembly import run_office  # noqa: PLC0415 - lazy on purpose

        run_guarded(lambda: run_office(instance / "gridctl.toml", with_field=False))
        return
    if profile != "openadr-test":
        fail("--profile knows openadr-test", 2)
    from gridctl.assembly_vtn import run_test_vtn  # noqa: PLC0415 - lazy on purpose
    from gridctl.openadr.callbacks import CallbackPolicy, Echo  # noqa: PLC0415

    policy = CallbackPolicy(
        allow_http=not webhook_https,
        allow_private=not webhook_public,
        echo=Echo.REQUIRED if webhook_echo else Echo.ASKED,
    )
    run_guarded(lambda: run_test_vtn(port=port, policy=policy))


@app.command(short_help="The OT agent, the last line before the wire.")
def field(
    instance: Instance = DEFAULT_INSTANCE,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
) -> None:
    """The OT agent: reads the devices, checks every order again, sends the commands."""
    from gridctl.assembly_field import run_field_agent  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: run_field_agent(instance / "gridctl.toml", child=child))


@app.command()
def status(instance: Instance = DEFAULT_INSTANCE, user: User = "", as_json: AsJson = False) -> None:
    """What is going on: head against limit, links, plans, alarms."""
    from gridctl.cli_desk import show_status  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: show_status(instance, user=user, as_json=as_json))


@app.command(short_help="STOP all dispatch now; needs no password.")
def stop(
    instance: Instance = DEFAULT_INSTANCE,
    reason: Annotated[str, typer.Option(help="Why; goes to the audit.")] = "gridctl stop",
    as_json: AsJson = False,
) -> None:
    """STOP all dispatch now. Needs no password and works with console and office dead."""
    from gridctl.cli_desk import stop_dispatch  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: stop_dispatch(instance, reason=reason, as_json=as_json))


@app.command(short_help="What is wrong here, and how to mend it.")
def doctor(instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False) -> None:
    """Check ports, certificates, database, clock and dependencies, and say how to mend each."""
    from gridctl.doctor import examine  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: examine(instance, as_json=as_json))


@app.command()
def version(as_json: AsJson = False) -> None:
    """The version of this gridctl."""
    if as_json:
        emit({"version": __version__})
    else:
        say(__version__)


@audit_app.command("verify")
def audit_verify(
    instance: Instance = DEFAULT_INSTANCE,
    checkpoints: Annotated[
        Path | None, typer.Option(help="Checkpoints from the second place; else the instance's.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The office's public key (PEM); else the instance's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the hash chain against its signed checkpoints; names the first bad row."""
    from gridctl.cli_store import verify_audit  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: verify_audit(instance, checkpoints=checkpoints, key=key, as_json=as_json))


@db_app.command("upgrade")
def db_upgrade(instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False) -> None:
    """Bring the database to this version's schema."""
    from gridctl.cli_store import upgrade_database  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: upgrade_database(instance, as_json=as_json))


@db_app.command("fence")
def db_fence(
    instance: Instance = DEFAULT_INSTANCE,
    epoch: Annotated[
        int | None,
        typer.Option(min=0, help="Newest epoch that the field has seen; else its memory is read."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """After a restore: go on after the orders that the field has seen. The office must not run."""
    from gridctl.cli_store import fence_orders  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: fence_orders(instance, epoch=epoch, as_json=as_json))


@client_app.command("add")
def openadr_add(
    client_id: str,
    role: Annotated[str, typer.Option(help="business-logic or ven.")] = "business-logic",
    instance: Instance = DEFAULT_INSTANCE,
    as_json: AsJson = False,
) -> None:
    """Add a customer system; its secret is made here and printed once. The office must not run."""
    from gridctl.cli_openadr import add_client  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: add_client(instance, client_id, role=role, as_json=as_json))


@client_app.command("list")
def openadr_list(instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False) -> None:
    """Who may ask for a token."""
    from gridctl.cli_openadr import list_clients  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: list_clients(instance, as_json=as_json))


@client_app.command("revoke")
def openadr_revoke(
    client_id: str, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False
) -> None:
    """Lock a customer system out; ends its tokens. The office must not run."""
    from gridctl.cli_openadr import revoke_client  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: revoke_client(instance, client_id, as_json=as_json))


@client_app.command("secret")
def openadr_secret(
    client_id: str, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False
) -> None:
    """Give a customer system a new secret, printed once; ends its tokens. Stop the office first."""
    from gridctl.cli_openadr import set_secret  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: set_secret(instance, client_id, as_json=as_json))


@client_app.command("signing")
def openadr_signing(
    client_id: str, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False
) -> None:
    """Give a customer system another secret that its webhooks are signed with, beside the one
    before. Stop the office first."""
    from gridctl.cli_openadr import set_signing  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: set_signing(instance, client_id, as_json=as_json))


@mqtt_app.command("acl")
def openadr_mqtt_acl(instance: Instance = DEFAULT_INSTANCE) -> None:
    """Who may read which topic, as mosquitto's acl_file; again after a VEN or client is new."""
    from gridctl.cli_openadr import mqtt_acl  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: mqtt_acl(instance))


@dead_app.command("list")
def openadr_dead(instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False) -> None:
    """Notifications that no callback took, at any rung of the ladder."""
    from gridctl.cli_openadr import list_dead  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: list_dead(instance, as_json=as_json))


@dead_app.command("replay")
def openadr_replay(
    number: int, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False
) -> None:
    """Try one of them again. The office must not run."""
    from gridctl.cli_openadr import replay_dead  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: replay_dead(instance, number, as_json=as_json))


def main() -> None:
    """Entry point of the `gridctl` command."""
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    # Before numpy comes. Our systems are small: threads of the linear algebra wait for each other
    # in a spin, and hold up the event loop beside them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    app()


if __name__ == "__main__":
    main()
