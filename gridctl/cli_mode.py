"""`gridctl mode …`: how far gridctl may go in each area (SG-37), through the running office."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from gridctl.model.errors import ConfigError, GridctlError, UnavailableError

EXIT_REFUSED, EXIT_CONFIG, EXIT_UNAVAILABLE = 1, 3, 4
DEFAULT_INSTANCE = Path(".gridctl/demo")

mode_app = typer.Typer(help="Modes of areas: off, shadow, advisory.", no_args_is_help=True)

Instance = Annotated[
    Path,
    typer.Option(
        "--instance",
        "-i",
        envvar="GRIDCTL_INSTANCE",
        help="Folder with gridctl.toml (made by `gridctl demo`).",
    ),
]
User = Annotated[str, typer.Option("--user", "-u", envvar="GRIDCTL_USER", help="Who you are.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def _guarded(work: Callable[[], None]) -> None:
    try:
        work()
    except GridctlError as error:
        print(f"gridctl: {error}", file=sys.stderr)
        code = EXIT_REFUSED
        if isinstance(error, ConfigError):
            code = EXIT_CONFIG
        elif isinstance(error, UnavailableError):
            code = EXIT_UNAVAILABLE
        raise typer.Exit(code) from None


@mode_app.command("list")
def mode_list(
    instance: Instance = DEFAULT_INSTANCE, user: User = "", as_json: AsJson = False
) -> None:
    """Each area: its mode, what is asked for, and what shadow plans have shown."""
    _guarded(lambda: _list(instance, user, as_json=as_json))


@mode_app.command("set")
def mode_set(
    area: str,
    mode: Annotated[str, typer.Argument(help="off, shadow or advisory.")],
    reason: Annotated[str, typer.Option(help="Why; goes to the audit.")],
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Go down at once, or ask to go up (two more persons approve)."""
    _guarded(
        lambda: _send(
            instance,
            user,
            "/modes",
            {"area": area, "mode": mode, "reason": reason},
            as_json=as_json,
        )
    )


@mode_app.command("approve")
def mode_approve(
    area: str, instance: Instance = DEFAULT_INSTANCE, user: User = "", as_json: AsJson = False
) -> None:
    """Say yes to what is asked for."""
    _guarded(lambda: _send(instance, user, "/modes/approve", {"area": area}, as_json=as_json))


def _list(instance: Path, user: str, *, as_json: bool) -> None:
    from gridctl.cli_desk import signed_in  # noqa: PLC0415 - lazy on purpose

    with signed_in(instance, user) as remote:
        areas = remote.get("/modes")["areas"]
    if as_json:
        print(json.dumps({"areas": areas}, indent=2, ensure_ascii=False))
        return
    for area in areas:
        _say(area)
        error = area["forecast_error_pct"]
        if area["scored"]:
            print(
                f"    {area['scored']} shadow plans scored, forecast {error:.1f} % off, "
                f"{area['relieved_kwh']:.0f} of {area['over_kwh']:.0f} kWh above the limit "
                "would have been taken off"
            )
        for reason in area["lacking"]:
            print(f"    not yet advisory: {reason}")


def _send(instance: Path, user: str, path: str, body: dict[str, Any], *, as_json: bool) -> None:
    from gridctl.cli_desk import signed_in  # noqa: PLC0415 - lazy on purpose

    with signed_in(instance, user) as remote:
        area = remote.post(path, body)
    if as_json:
        print(json.dumps(area, indent=2, ensure_ascii=False))
    else:
        _say(area)


def _say(area: dict[str, Any]) -> None:
    by = f" by {area['by']}: {area['reason']}" if area["by"] else ""
    print(f"{area['area']:<12} {area['mode']}{by}")
    asked = area["request"]
    if asked is not None:
        given = asked["approved_by"] or "nobody yet"
        print(f"    {asked['by']} asks for {asked['to']}: {asked['reason']} (approved by {given})")
