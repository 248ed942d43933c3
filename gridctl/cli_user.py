"""`gridctl user …`: people who may sign in, from a shell on the site's host. What changes the
database needs it for itself: on SQLite the office must not run."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from gridctl.cli_ending import run_guarded
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance

user_app = typer.Typer(help="People who may sign in.", no_args_is_help=True)


@user_app.command("add")
def user_add(
    name: str,
    role: Annotated[str, typer.Option(help="VIEWER, OPERATOR, SUPERVISOR, SECAUD …")],
    full_name: Annotated[str, typer.Option(help="Name as colleagues know it.")],
    instance: Instance = DEFAULT_INSTANCE,
    as_json: AsJson = False,
) -> None:
    """Add a person; the password is made here and printed once. The office must not run."""
    from gridctl.cli_store import add_user  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: add_user(instance, name, role=role, full_name=full_name, as_json=as_json))


@user_app.command("password")
def user_password(
    name: str, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False
) -> None:
    """Give a person a new password, printed once; ends their sessions. The office must not run."""
    from gridctl.cli_store import set_password  # noqa: PLC0415 - lazy on purpose

    run_guarded(lambda: set_password(instance, name, as_json=as_json))


@user_app.command("list")
def user_list(instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False) -> None:
    """Everybody: role, areas, second factors, locks; no secrets."""
    run_guarded(lambda: _list(instance, as_json=as_json))


@user_app.command("enrol")
def user_enrol(name: str, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False) -> None:
    """Give a person a code generator; its secret is printed once. The office must not run."""
    run_guarded(lambda: _enrol(instance, name, as_json=as_json))


@user_app.command("reset")
def user_reset(name: str, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False) -> None:
    """End password, factors and sessions; prints a link to begin again. The office must not run."""
    run_guarded(lambda: _reset(instance, name, as_json=as_json))


@user_app.command("remove")
def user_remove(name: str, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False) -> None:
    """Take away a person's account; what was done under the name stays in the audit. The office
    must not run."""
    run_guarded(lambda: _remove(instance, name, as_json=as_json))


async def _remove(instance: Path, name: str, *, as_json: bool) -> None:
    from gridctl.cli_store import journal_entry, opened, told  # noqa: PLC0415 - lazy on purpose

    async with opened(instance, read_only=False) as store:
        await store.users.remove(name, audit=journal_entry(store, "remove user", name))
    told({"user": name, "removed": True}, f"User {name} is removed.", as_json=as_json)


async def _list(instance: Path, *, as_json: bool) -> None:
    from gridctl.cli_store import opened  # noqa: PLC0415 - lazy on purpose

    rows = []
    async with opened(instance, read_only=True) as store:
        for user in await store.users.users():
            held = await store.factors.of(user.name)
            rows.append(
                {
                    "name": user.name,
                    "full_name": user.full_name,
                    "role": user.role,
                    "areas": user.areas,
                    "source": user.source,
                    "code": held.totp is not None,
                    "keys": len(held.keys),
                }
            )
    if as_json:
        print(json.dumps({"users": rows}, indent=2, ensure_ascii=False))
        return
    print(f"{'USER':<16} {'ROLE':<11} {'AREAS':<16} {'SECOND FACTOR':<22} NAME")
    for row in rows:
        factors = (["code"] if row["code"] else []) + ([f"{row['keys']} keys"] * bool(row["keys"]))
        areas = {"*": "all", "": "none"}.get(str(row["areas"]), str(row["areas"]))
        print(
            f"{row['name']:<16} {row['role']:<11} {areas:<16} "
            f"{', '.join(factors) or 'none':<22} {row['full_name']}"
        )


async def _enrol(instance: Path, name: str, *, as_json: bool) -> None:
    from gridctl.cli_store import journal_entry, opened  # noqa: PLC0415 - lazy on purpose
    from gridctl.config import load_settings  # noqa: PLC0415
    from gridctl.model.errors import Refusal, RefusedError  # noqa: PLC0415
    from gridctl.model.totp import SECRET_BYTES, shown, step_at, uri_of  # noqa: PLC0415
    from gridctl.sealing import load_sealer  # noqa: PLC0415
    from gridctl.wallclock import system_clock  # noqa: PLC0415

    settings = load_settings(instance / "gridctl.toml")
    sealer = load_sealer(settings.users_key)
    secret = secrets.token_bytes(SECRET_BYTES)
    async with opened(instance, read_only=False) as store:
        if await store.users.user(name) is None:
            raise RefusedError(Refusal(code="no_such_user", reasons=(f"there is no user {name}",)))
        await store.factors.put_totp(
            name,
            sealer.seal(secret, about=name),
            step=step_at(system_clock().now_s()) - 1,
            audit=journal_entry(store, "enrol code generator", name),
        )
    uri = uri_of(secret, user=name, issuer=settings.site.name)
    if as_json:
        print(json.dumps({"user": name, "secret": shown(secret), "uri": uri}))
    else:
        print(f"User {name}: secret of the code generator (shown once): {shown(secret)}\n{uri}")


async def _reset(instance: Path, name: str, *, as_json: bool) -> None:
    from gridctl.cli_store import journal_entry, opened  # noqa: PLC0415 - lazy on purpose
    from gridctl.config import load_settings  # noqa: PLC0415
    from gridctl.wallclock import system_clock  # noqa: PLC0415

    settings = load_settings(instance / "gridctl.toml")
    until_s = system_clock().now_s() + SETUP_LIFE_S
    async with opened(instance, read_only=False) as store:
        token = await store.factors.reset(
            name, until_s=until_s, audit=journal_entry(store, "reset user", name)
        )
    link = f"{settings.origin}/#/setup/{token}"
    if as_json:
        print(json.dumps({"user": name, "link": link}))
    else:
        print(f"User {name} begins again with this link, good for 72 hours and once:\n{link}")


SETUP_LIFE_S = 72 * 3_600.0
