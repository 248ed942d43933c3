"""`gridctl mode …`: how far gridctl may go in each area (SG-37), through the running office."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gridctl.cli_ending import guarded
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance, User

ALL = "all"
"""The devices that OT's limits file names for the area, each written into the envelope by name."""

mode_app = typer.Typer(
    help="Modes of areas: off, shadow, advisory, closed loop.", no_args_is_help=True
)


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


@mode_app.command("promote")
def mode_promote(
    area: str,
    max_kw: Annotated[float, typer.Option(help="Away from the defaults at once, at most.")],
    ramp_kw: Annotated[float, typer.Option(help="Moved within 5 minutes, at most.")],
    device: Annotated[
        list[str], typer.Option(help="May move; once for each. `all`: all that OT allows there.")
    ],
    from_hour: Annotated[int, typer.Option(help="First local hour, 0 to 23.")],
    to_hour: Annotated[int, typer.Option(help="Until before this local hour, 1 to 24.")],
    cause: Annotated[
        list[str], typer.Option(help="head limit, request or emergency; once for each.")
    ],
    life_h: Annotated[float, typer.Option(help="Hours for which it holds, 12 at most.")],
    reason: Annotated[str, typer.Option(help="Why; goes to the audit.")],
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Ask for closed loop inside an envelope (an engineer asks, two others approve)."""
    body = {
        "area": area,
        "max_kw": max_kw,
        "ramp_kw": ramp_kw,
        "devices": device,
        "from_hour": from_hour,
        "to_hour": to_hour,
        "causes": cause,
        "life_h": life_h,
        "reason": reason,
    }
    guarded(lambda: _ask(instance, user, body, as_json=as_json))


@mode_app.command("demote")
def mode_demote(
    area: str,
    reason: Annotated[
        str, typer.Option(help="Why; goes to the audit.")
    ] = "demoted from a terminal",
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """End closed loop at once: every plan needs people again."""
    body = {"area": area, "mode": "advisory", "reason": reason}
    guarded(lambda: _send(instance, user, "/modes", body, as_json=as_json))


@mode_app.command("approve")
def mode_approve(
    area: str,
    digest: Annotated[
        str,
        typer.Option(
            help="Of the envelope that you have read (`mode list`), or its first 12 characters."
        ),
    ] = "",
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Say yes to what is asked for."""
    guarded(lambda: _approve(instance, user, area, digest, as_json=as_json))


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
        if area["bound"] is not None and area["promotion"] is None:
            _say_evidence(area["evidence"], area["bound"])


def _say_evidence(evidence: dict[str, Any], bound: dict[str, Any]) -> None:
    """What closed loop would rest on, and what OT lets it do."""
    print(
        f"    OT allows {bound['max_kw']:g} kW at once, {bound['ramp_kw']:g} kW in 5 minutes, of "
        f"{', '.join(bound['devices'])}"
    )
    if evidence["scored"]:
        print(
            f"    {evidence['scored']} plans scored, {evidence['advisory']} of them approved by "
            f"people, over {evidence['days']:.1f} days; forecast "
            f"{evidence['forecast_error_pct']:.1f} % off, promised head "
            f"{evidence['plan_error_pct']:.1f} % off"
        )
    for reason in evidence["lacking"]:
        print(f"    not yet closed loop: {reason}")


def _ask(instance: Path, user: str, body: dict[str, Any], *, as_json: bool) -> None:
    from gridctl.cli_desk import signed_in  # noqa: PLC0415 - lazy on purpose

    with signed_in(instance, user) as remote:
        if body["devices"] == [ALL]:
            areas = remote.get("/modes")["areas"]
            bounds = [a["bound"] for a in areas if a["area"] == body["area"] and a["bound"]]
            body["devices"] = bounds[0]["devices"] if bounds else []
        area = remote.post("/modes/closed-loop", body)
    _told(area, as_json=as_json)


def _approve(instance: Path, user: str, area: str, digest: str, *, as_json: bool) -> None:
    from gridctl.cli_desk import DIGEST_SHOWN, signed_in  # noqa: PLC0415 - lazy on purpose

    with signed_in(instance, user) as remote:
        if len(digest) >= DIGEST_SHOWN:
            asked = [a["request"] for a in remote.get("/modes")["areas"] if a["area"] == area]
            envelopes = [r["envelope"] for r in asked if r is not None and r["envelope"]]
            digest = next(
                (e["digest"] for e in envelopes if e["digest"].startswith(digest)), digest
            )
        body = {"area": area, "digest": digest} if digest else {"area": area}
        answer = remote.post("/modes/approve", body)
    _told(answer, as_json=as_json)


def _send(instance: Path, user: str, path: str, body: dict[str, Any], *, as_json: bool) -> None:
    from gridctl.cli_desk import signed_in  # noqa: PLC0415 - lazy on purpose

    with signed_in(instance, user) as remote:
        area = remote.post(path, body)
    _told(area, as_json=as_json)


def _told(area: dict[str, Any], *, as_json: bool) -> None:
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
        _say_envelope(asked["envelope"])
    promotion = area["promotion"]
    if promotion is not None:
        allowed = " and ".join(promotion["approved_by"])
        print(f"    allowed by {allowed} until {promotion['expires']}")
        _say_envelope(promotion["envelope"])


def _say_envelope(envelope: dict[str, Any] | None) -> None:
    if envelope is None:
        return
    print(
        f"    at once {envelope['max_kw']:g} kW, in 5 minutes {envelope['ramp_kw']:g} kW, "
        f"{envelope['from_hour']} to {envelope['to_hour']} h, for {envelope['life_h']:g} h\n"
        f"    devices {', '.join(envelope['devices'])}; causes {', '.join(envelope['causes'])}\n"
        f"    digest {envelope['digest']}"
    )
