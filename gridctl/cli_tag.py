"""`gridctl tag …`: tags on devices (SG-26), through the running office."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gridctl.cli_ending import guarded
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance, User

tag_app = typer.Typer(help="Tags on devices: who works where.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why; everybody reads it, and the audit keeps it.")]


@tag_app.command("list")
def tag_list(
    instance: Instance = DEFAULT_INSTANCE, user: User = "", as_json: AsJson = False
) -> None:
    """What hangs where, by whom and why, and whether the field enforces it."""
    guarded(lambda: _list(instance, user, as_json=as_json))


@tag_app.command("place")
def tag_place(
    device: str,
    kind: Annotated[
        str, typer.Option(help="control inhibit, control authority or caution.", show_default=False)
    ],
    reason: Reason,
    work_order: Annotated[str, typer.Option(help="Number of the work order.")] = "",
    hours: Annotated[float, typer.Option(help="For how long; 0: until it is removed.")] = 0.0,
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Hang a tag on a device."""
    body = {
        "device": device,
        "kind": kind,
        "reason": reason,
        "work_order": work_order,
        "hours": hours,
    }
    guarded(lambda: _send(instance, user, "/tags", body, as_json=as_json))


@tag_app.command("remove")
def tag_remove(
    tag: str,
    reason: Reason,
    instance: Instance = DEFAULT_INSTANCE,
    user: User = "",
    as_json: AsJson = False,
) -> None:
    """Take your own tag away; ask for the removal of another's, or agree to it."""
    body = {"reason": reason}
    guarded(lambda: _send(instance, user, f"/tags/{tag}/remove", body, as_json=as_json))


def _list(instance: Path, user: str, *, as_json: bool) -> None:
    from gridctl.cli_desk import signed_in  # noqa: PLC0415 - lazy on purpose

    with signed_in(instance, user) as remote:
        tags = remote.get("/tags")["tags"]
    if as_json:
        print(json.dumps({"tags": tags}, indent=2, ensure_ascii=False))
        return
    for tag in tags:
        _say(tag)
    if not tags:
        print("No device is tagged.")


def _send(instance: Path, user: str, path: str, body: dict[str, Any], *, as_json: bool) -> None:
    from gridctl.cli_desk import signed_in  # noqa: PLC0415 - lazy on purpose

    with signed_in(instance, user) as remote:
        answer = remote.post(path, body)
    if as_json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    tag = answer.get("tag", answer)
    if tag is None:
        print("The tag is gone.")
    else:
        _say(tag)


def _say(tag: dict[str, Any]) -> None:
    held = {True: "enforced by the field", False: "NOT YET IN THE FIELD", None: "warns only"}
    order = f", work order {tag['work_order']}" if tag["work_order"] else ""
    until = f" until {tag['until']}" if tag["until"] else ""
    print(f"{tag['id']:<10} {tag['device']:<12} {tag['kind']} by {tag['by']}{order}{until}")
    print(f"    {tag['reason']} ({held[tag['in_field']]})")
    asked = tag["removal"]
    if asked is not None:
        print(f"    {asked['by']} wants it removed: {asked['reason']}; another person has to agree")
