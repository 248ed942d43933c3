"""`gridctl points …`: check a points file, against itself or against the device, and reload it."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gridctl.cli_probe import (
    EXIT_REFUSED,
    EXIT_UNAVAILABLE,
    configured_link,
    discovered,
    leave_with,
)
from gridctl.model.errors import GridctlError

ANSWER_WITHIN_S = 30.0
LOOK_S = 0.2

points_app = typer.Typer(help="The points file: check it, reload it.", no_args_is_help=True)
Instance = Annotated[
    Path,
    typer.Option(
        "--instance",
        "-i",
        envvar="GRIDCTL_INSTANCE",
        help="Folder with gridctl.toml (made by `gridctl demo`).",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
DEFAULT_INSTANCE = Path(".gridctl/demo")


@points_app.command("check")
def points_check(
    file: Annotated[
        Path | None, typer.Argument(help="Points file; the instance's own when left out.")
    ] = None,
    link: Annotated[
        str, typer.Option("--link", "-l", help="Compare with the device behind this link.")
    ] = "",
    instance: Instance = DEFAULT_INSTANCE,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="Real seconds.")] = 60.0,
    extra: Annotated[bool, typer.Option("--extra", help="List what only the device has.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read a points file as the field agent would; with --link, hold it against the device too.

    Exit codes: 0 fits, 1 differs in a way that must be mended, 3 the file cannot be used, 4 the
    device does not answer.
    """
    from gridctl.commissioning import compare, is_fit  # noqa: PLC0415 - lazy on purpose
    from gridctl.config import load_settings  # noqa: PLC0415 - lazy on purpose
    from protocols.points import load_points  # noqa: PLC0415 - lazy on purpose

    try:
        field = load_settings(instance / "gridctl.toml").field
        path = file if file is not None else field.points
        rows = [a for a in load_points(path, field.context()) if link in ("", a.link)]
        if not link:
            _say_sound(path, len(rows), as_json=as_json)
            return
        settings = configured_link(instance, link)
        found = asyncio.run(
            discovered(
                settings,
                ask=[a.address for a in rows],
                points_max=max(10_000, 2 * len(rows)),
                timeout_s=timeout_s,
            )
        )
    except GridctlError as error:
        leave_with(error)
    differences = compare(rows, found)
    fit = is_fit(differences)
    if as_json:
        listed = [asdict(one) for one in differences]
        body = {"file": str(path), "link": link, "fit": fit, "differences": listed}
        print(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        extras = [one for one in differences if one.line == 0]
        for one in differences:
            if one.line:
                print(f"{path}:{one.line}:{one.what}: {one.severity}: {one.point} {one.text}")
            elif extra:
                print(f"{one.address}: {one.text}")
        print(
            f"{len(rows)} rows, {len(found.points)} points in the device, "
            f"{len(extras)} of them not in the file: {'fits' if fit else 'does not fit'}"
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

    try:
        stop_file = load_settings(instance / "gridctl.toml").field.stop_file
    except GridctlError as error:
        leave_with(error)
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


def _say_sound(path: Path, rows: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": str(path), "rows": rows, "fit": True}, indent=2))
    else:
        print(f"{path}: {rows} points, no mistakes")
