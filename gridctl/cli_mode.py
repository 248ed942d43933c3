"""`gridctl mode …`: how far gridctl may go in each area (SG-37), through the running office."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance, User, guarded

mode_app = typer.Typer(help="Modes of areas: off, shadow, advisory.", no_args_is_help=True)


@mode_app.command("list")
def mode_list(
    instance: Instance = DEFAULT_INSTANCE, user: User = "", as_json: AsJson = False
) -> None:
    """Each area: its mode, what is asked for, and what shadow plans have shown."""
    guarded(lambda: _list(instance, user, as_json=as_json))


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
    guarded(
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
    guarded(lambda: _send(instance, user, "/modes/approve", {"area": area}, as_json=as_json))


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
