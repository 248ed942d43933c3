"""`gridctl probe …`: connect to a device, look at what it has, and go away again.

Only reads. The device sees one more master: some serve a single one, so a probe asks for a device
that a running agent has no session with, or for a moment at which losing it does no harm.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gridctl.cli_ending import EXIT_REFUSED, EXIT_USAGE, ending, fail
from gridctl.model.errors import ConfigError

if TYPE_CHECKING:
    from protocols.discovery import Discovery, FoundPoint
    from protocols.driver import LinkSettings

SHOWN_PER_TYPE = 8
COMMAND_LINE = "command line"

probe_app = typer.Typer(help="Look at a device: attributes, points, ranges.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
Write = Annotated[
    Path | None, typer.Option("--write", help="Write a starter points file (must not exist).")
]
LinkName = Annotated[str, typer.Option("--link", help="Id of the link in the starter file.")]
More = Annotated[
    list[str] | None,
    typer.Option("--set", help="Another option of the link, as in gridctl.toml: key=value."),
]
Traced = Annotated[bool, typer.Option("--trace", help="What passed the wire, in words, on stderr.")]
Max = Annotated[int, typer.Option("--points-max", min=1, help="Stop after so many points.")]
Patience = Annotated[float, typer.Option("--timeout", min=1, help="Real seconds for all of it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is looked at, and for how long (real seconds)."""

    points_max: int
    timeout_s: float


@probe_app.command("dnp3")
def probe_dnp3(
    endpoint: Annotated[str, typer.Argument(help="HOST:PORT of the outstation.")],
    master: Annotated[int, typer.Option(help="Our link address.")],
    outstation: Annotated[int, typer.Option(help="Its link address.")],
    write: Write = None,
    link: LinkName = "DEVICE",
    more: More = None,
    points_max: Max = 10_000,
    timeout_s: Patience = 30.0,
    trace: Traced = False,
    as_json: AsJson = False,
) -> None:
    """A DNP3 outstation: device attributes, and every point with its variation."""
    settings = dnp3_settings(endpoint, master, outstation, link=link, more=more)
    extent = Extent(points_max=points_max, timeout_s=timeout_s)
    _probe(settings, write, extent, trace=trace, as_json=as_json)


@probe_app.command("opcua")
def probe_opcua(
    url: Annotated[str, typer.Argument(help="opc.tcp://HOST:PORT/PATH of the server.")],
    policy: Annotated[str, typer.Option(help="Security policy.")] = "Basic256Sha256",
    certificate: Annotated[Path | None, typer.Option(help="Our certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key.")] = None,
    server_certificate: Annotated[Path | None, typer.Option(help="The server's, pinned.")] = None,
    application_uri: Annotated[str | None, typer.Option(help="As in our certificate.")] = None,
    user: Annotated[str | None, typer.Option(help="Who we are to the server.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="One line.")] = None,
    write: Write = None,
    link: LinkName = "DEVICE",
    more: More = None,
    points_max: Max = 10_000,
    timeout_s: Patience = 60.0,
    trace: Traced = False,
    as_json: AsJson = False,
) -> None:
    """An OPC UA server: its build, and every variable with type, unit, range and access."""
    options: dict[str, Any] = {"security_policy": policy}
    for name, value in (
        ("certificate", certificate),
        ("key", key),
        ("server_certificate", server_certificate),
        ("application_uri", application_uri),
        ("user", user),
        ("password_file", password_file),
    ):
        if value is not None:
            options[name] = str(value.resolve()) if isinstance(value, Path) else value
    settings = opcua_settings(url, link=link, options=options, more=more)
    extent = Extent(points_max=points_max, timeout_s=timeout_s)
    _probe(settings, write, extent, trace=trace, as_json=as_json)


@probe_app.command("link")
def probe_link(
    link: Annotated[str, typer.Argument(help="Id of a [[field.links]] table.")],
    instance: Annotated[
        Path, typer.Option("--instance", "-i", envvar="GRIDCTL_INSTANCE", help="Its folder.")
    ] = Path(".gridctl/demo"),
    write: Write = None,
    points_max: Max = 10_000,
    timeout_s: Patience = 60.0,
    trace: Traced = False,
    as_json: AsJson = False,
) -> None:
    """The device behind a link that is configured already, with the link's own options."""
    with ending():
        settings = configured_link(instance, link)
    extent = Extent(points_max=points_max, timeout_s=timeout_s)
    _probe(settings, write, extent, trace=trace, as_json=as_json)


def dnp3_settings(
    endpoint: str, master: int, outstation: int, *, link: str, more: Sequence[str] | None
) -> LinkSettings:
    """A link to an outstation that stands in no file. Leaves when `endpoint` is no HOST:PORT."""
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        fail(f"{endpoint!r} is not HOST:PORT", EXIT_USAGE)
    options: dict[str, Any] = {
        "host": host.strip("[]"),
        "port": int(port),
        "master_address": master,
        "outstation_address": outstation,
        "response_timeout_s": 2.0,
        "select_timeout_s": 10.0,
        "time_sync": "none",
    }
    return _settings("dnp3", link, options | _more(more))


def opcua_settings(
    url: str, *, link: str, options: Mapping[str, Any], more: Sequence[str] | None
) -> LinkSettings:
    """A link to an OPC UA server that stands in no file."""
    basic = {"url": url, "security_policy": "Basic256Sha256", "publishing_ms": 500}
    return _settings("opcua", link, basic | dict(options) | _more(more))


def configured_link(instance: Path, link: str) -> LinkSettings:
    """The options of one link of an instance. Raises ConfigError."""
    from gridctl.assembly_field import field_settings  # noqa: PLC0415 - lazy on purpose
    from gridctl.config import load_settings  # noqa: PLC0415 - lazy on purpose

    found = {
        w.settings.id: w.settings
        for w in field_settings(load_settings(instance / "gridctl.toml")).links
    }
    if link not in found:
        raise ConfigError(
            f"link {link} is not configured",
            file=str(instance / "gridctl.toml"),
            key="field.links",
            hint=f"one of {', '.join(sorted(found))}",
        )
    return found[link]


async def discovered(
    settings: LinkSettings,
    *,
    ask: Sequence[str],
    points_max: int,
    timeout_s: float,
    trace: Callable[[str], None] | None = None,
) -> Discovery:
    """Ask the device, in its protocol's own way. Raises ConfigError or UnavailableError."""
    from gridctl.wallclock import system_clock  # noqa: PLC0415 - lazy on purpose

    # What the stacks log on the way is in the error that comes out, once.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        module = importlib.import_module(f"protocols.{settings.protocol}.discovery")
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"protocol {settings.protocol!r} cannot look at devices: {missing}",
            file=settings.file,
            key="field.links.protocol",
            hint="install gridctl with the extra 'field'",
        ) from missing
    found = await module.discover(
        settings,
        clock=system_clock(),
        ask=ask,
        points_max=points_max,
        timeout_s=timeout_s,
        trace=trace,
    )
    return cast("Discovery", found)


def _settings(protocol: str, link: str, options: Mapping[str, Any]) -> LinkSettings:
    from protocols.driver import LinkSettings  # noqa: PLC0415 - lazy on purpose

    return LinkSettings(id=link, protocol=protocol, file=COMMAND_LINE, options=options)


def _more(given: Sequence[str] | None) -> dict[str, Any]:
    """`--set key=value`, the value as TOML reads it, else as text."""
    import tomllib  # noqa: PLC0415 - lazy on purpose

    options: dict[str, Any] = {}
    for one in given or ():
        key, sign, value = one.partition("=")
        if not sign:
            fail(f"--set {one!r} is not key=value", EXIT_USAGE)
        try:
            options[key.strip()] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            options[key.strip()] = value.strip()
    return options


def _probe(
    settings: LinkSettings,
    write: Path | None,
    extent: Extent,
    *,
    trace: bool,
    as_json: bool,
) -> None:
    from gridctl.commissioning import starter_file  # noqa: PLC0415 - lazy on purpose

    if write is not None and write.exists():
        fail(f"{write} is there already and is not overwritten", EXIT_REFUSED)
    with ending():
        found = asyncio.run(
            discovered(
                settings,
                ask=(),
                points_max=extent.points_max,
                timeout_s=extent.timeout_s,
                trace=_to_stderr if trace else None,
            )
        )
    if write is not None:
        with write.open("x", encoding="utf-8") as file:
            file.write(starter_file(found, link=settings.id))
    if as_json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False, default=sorted))
        return
    _show(found, write)


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def _show(found: Discovery, write: Path | None) -> None:
    print(f"{found.protocol} {found.endpoint}, {found.took_s:.1f} s")
    for attribute in found.attributes:
        print(f"  {attribute.name}: {attribute.value}")
    cut = ", cut short by --points-max" if found.truncated else ""
    print(f"{len(found.points)} points{cut}")
    by_type: dict[str, list[FoundPoint]] = {}
    for point in found.points:
        by_type.setdefault(point.native_type or "unknown type", []).append(point)
    for name, points in by_type.items():
        print(f"  {len(points)} × {name}")
        for point in points[:SHOWN_PER_TYPE]:
            print(f"    {_in_words(point)}")
    if any(len(points) > SHOWN_PER_TYPE for points in by_type.values()):
        print("  --json or --write has all of them")
    for note in found.notes:
        print(f"note: {note}")
    if write is not None:
        print(
            f"{write}: every point, none commandable. Units, limits and names are yours to check."
        )


def _in_words(point: FoundPoint) -> str:
    parts = [point.address, point.path or point.name]
    if point.value_text or point.value is not None:
        shown = point.value_text or f"{point.value:g}"
        parts.append(f"= {shown} {point.unit_text or point.unit or ''}".rstrip())
    if point.low is not None and point.high is not None:
        parts.append(f"range {point.low:g} … {point.high:g}")
    if point.writable:
        parts.append("writable")
    if point.quality is not None and not point.quality.is_good:
        parts.append(point.quality.native or str(point.quality.validity))
    return "  ".join(part for part in parts if part)
