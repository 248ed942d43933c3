"""`gridctl points …`: check a points file, against itself or against the device, and reload it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridctl.cli_ending import EXIT_REFUSED, EXIT_UNAVAILABLE, ending
from gridctl.cli_probe import (
    More,
    configured_link,
    discovered,
    dnp3_settings,
    opcua_settings,
)
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance
from gridctl.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gridctl.commissioning import Difference
    from protocols.discovery import Discovery
    from protocols.driver import LinkSettings, PointAddress

ANSWER_WITHIN_S = 30.0
LOOK_S = 0.2

points_app = typer.Typer(help="The points file: check it, reload it.", no_args_is_help=True)


@points_app.command("check")
def points_check(
    file: Annotated[
        Path | None, typer.Argument(help="Points file; the instance's own when left out.")
    ] = None,
    link: Annotated[
        str, typer.Option("--link", "-l", help="Compare with the device behind this link.")
    ] = "",
    instance: Annotated[
        Path | None,
        typer.Option(
            "--instance",
            "-i",
            envvar="GRIDCTL_INSTANCE",
            help="Folder with gridctl.toml; else .gridctl/demo where it is there.",
        ),
    ] = None,
    dnp3: Annotated[
        str, typer.Option(help="HOST:PORT of an outstation to compare with; no instance needed.")
    ] = "",
    master: Annotated[int, typer.Option(help="With --dnp3: our link address.")] = 1,
    outstation: Annotated[
        int | None, typer.Option(help="With --dnp3: the outstation's link address.")
    ] = None,
    opcua: Annotated[
        str, typer.Option(help="URL of an OPC UA server to compare with; no instance needed.")
    ] = "",
    more: More = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Real seconds.")] = 60.0,
    extra: Annotated[bool, typer.Option("--extra", help="List what only the device has.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read a points file as the field agent would; with a device, hold it against that too.

    The device is that of a --link of the instance, or one by its address (--dnp3, --opcua). A file
    whose rows name scan classes or groups needs the instance that has them.

    Exit codes: 0 fits, 1 differs in a way that must be mended, 3 the file cannot be used, 4 the
    device does not answer.
    """
    from gridctl.commissioning import compare, is_fit  # noqa: PLC0415 - lazy on purpose

    if dnp3 and opcua:
        raise typer.BadParameter("one device at a time: --dnp3 or --opcua")
    if dnp3 and outstation is None:
        raise typer.BadParameter("an outstation has a link address", param_hint="--outstation")
    by_address = bool(dnp3 or opcua)
    with ending():
        path, rows, alone = _read(file, instance, by_address=by_address)
        if not link and not by_address:
            _say_sound(path, len(rows), alone=alone, as_json=as_json)
            return
        link, rows = _rows_of(path, rows, link)
        if dnp3:
            settings = dnp3_settings(dnp3, master, outstation or 0, link=link, more=more)
        elif opcua:
            settings = opcua_settings(opcua, link=link, options={}, more=more)
        else:
            settings = configured_link(instance or DEFAULT_INSTANCE, link)
        found = _asked(settings, rows, timeout_s)
    differences = compare(rows, found)
    fit = is_fit(differences)
    if as_json:
        listed = [asdict(one) for one in differences]
        body = {"file": str(path), "link": link, "fit": fit, "differences": listed}
        print(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        _tell_differences(path, differences, extra=extra)
        beside = sum(one.line == 0 for one in differences)
        print(
            f"{len(rows)} rows, {len(found.points)} points in the device, "
            f"{beside} of them not in the file: {'fits' if fit else 'does not fit'}"
        )
    if not fit:
        raise typer.Exit(EXIT_REFUSED)


@points_app.command("reload")
def points_reload(
    instance: Instance = DEFAULT_INSTANCE,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=1, help="Real seconds to wait for the answer.")
    ] = ANSWER_WITHIN_S,
    as_json: AsJson = False,
) -> None:
    """Have the running field agent load points and links anew; healthy links keep their sessions.

    Run it on the field's host. A file that cannot be used is refused as a whole, with every
    mistake, and the old points stay in force (exit code 1); exit code 4 when no agent answers.
    """
    from gridctl.config import load_settings  # noqa: PLC0415 - lazy on purpose
    from gridctl.field.reload import answer_file, request_file  # noqa: PLC0415 - lazy on purpose

    with ending():
        stop_file = load_settings(instance / "gridctl.toml").field.stop_file
    request = uuid.uuid4().hex
    wanted, answer = request_file(stop_file), answer_file(stop_file)
    try:
        # Renamed into place: the agent never sees half a request.
        aside = wanted.with_suffix(".new")
        aside.write_text(request, encoding="utf-8")
        aside.replace(wanted)
    except OSError as error:
        typer.echo(f"gridctl: {wanted}: {error.strerror}", err=True)
        raise typer.Exit(EXIT_UNAVAILABLE) from None
    found = _answered(answer, request, timeout_s)
    if found is None:
        wanted.unlink(missing_ok=True)
        typer.echo(f"gridctl: no field agent answered within {timeout_s:g} s", err=True)
        raise typer.Exit(EXIT_UNAVAILABLE)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    elif found["accepted"]:
        print(found["text"])
    if not found["accepted"]:
        typer.echo(f"gridctl: refused, the old points stay: {found['text']}", err=True)
        raise typer.Exit(EXIT_REFUSED)


def _answered(answer: Path, request: str, timeout_s: float) -> dict[str, Any] | None:
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        try:
            found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        if found.get("request") == request:
            return found
        time.sleep(LOOK_S)
    return None


def _read(
    file: Path | None, instance: Path | None, *, by_address: bool
) -> tuple[Path, Sequence[PointAddress], bool]:
    """The file, its rows, and whether it was read by itself: no instance that knows its links.

    Raises ConfigError.
    """
    from gridctl.config import load_settings  # noqa: PLC0415 - lazy on purpose
    from protocols.pointgroups import BY_ITSELF  # noqa: PLC0415 - lazy on purpose
    from protocols.points import load_points  # noqa: PLC0415 - lazy on purpose

    there = (instance or DEFAULT_INSTANCE) / "gridctl.toml"
    if file is not None and instance is None and (by_address or not there.exists()):
        return file, load_points(file, BY_ITSELF), True
    if file is None and not there.exists():
        raise ConfigError(
            "no instance here",
            file=str(there),
            hint="name the points file: gridctl points check FILE",
        )
    field = load_settings(there).field
    path = file if file is not None else field.points
    return path, load_points(path, field.context()), False


def _rows_of(
    path: Path, rows: Sequence[PointAddress], link: str
) -> tuple[str, Sequence[PointAddress]]:
    """The link that a device by its address stands for, and its rows. Raises ConfigError."""
    names = sorted({row.link for row in rows})
    if link not in names and (link or len(names) != 1):
        said = f"no row of link {link}" if link else "rows of several links"
        raise ConfigError(
            said, file=str(path), hint=f"--link {' or --link '.join(names)}: which one is it?"
        )
    chosen = link or names[0]
    return chosen, [row for row in rows if row.link == chosen]


def _asked(settings: LinkSettings, rows: Sequence[PointAddress], timeout_s: float) -> Discovery:
    ask = [row.address for row in rows]
    points_max = max(10_000, 2 * len(rows))
    return asyncio.run(discovered(settings, ask=ask, points_max=points_max, timeout_s=timeout_s))


def _tell_differences(path: Path, differences: Sequence[Difference], *, extra: bool) -> None:
    for one in differences:
        if one.line:
            print(f"{path}:{one.line}:{one.what}: {one.severity}: {one.point} {one.text}")
        elif extra:
            print(f"{one.address}: {one.text}")


def _say_sound(path: Path, rows: int, *, alone: bool, as_json: bool) -> None:
    if as_json:
        body = {"file": str(path), "rows": rows, "fit": True, "links_known": not alone}
        print(json.dumps(body, indent=2))
    else:
        print(f"{path}: {rows} points, no mistakes")
        if alone:
            print("read by itself: its links, groups and scan classes are an instance's (-i)")
