"""Composition of the OT agent: nothing of the office, so that an OT host needs none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from gridctl.config import Settings, load_settings
from gridctl.field.agent import run_field
from gridctl.field.settings import FieldSettings, WatchedLink
from gridctl.interpreter import collect_seldom
from gridctl.model.errors import ConfigError
from gridctl.observe import set_up_logging
from gridctl.provenance import check_provenance
from gridctl.supervise import hangup_on_signal, parent_gone, stop_on_signals
from gridctl.wallclock import check_machine_clock
from protocols.driver import LinkSettings


def field_settings(settings: Settings) -> FieldSettings:
    """The agent's part of the file. Raises ConfigError for links without a heartbeat."""
    links = []
    found = settings.lines()
    for i, link in enumerate(settings.field.links):
        lines = _lines(found, f"field.links[{i}]")
        if link.heartbeat is None:
            raise ConfigError(
                "missing",
                file=str(settings.file),
                key=f"field.links[{i}].heartbeat",
                line=lines.get("", 0),
                hint="name the counter point of this link that moves each second (SG-23)",
            )
        watched = LinkSettings(
            id=link.id,
            protocol=link.protocol,
            file=str(settings.file),
            options=link.options(),
            lines=lines,
        )
        links.append(WatchedLink(settings=watched, heartbeat=link.heartbeat))
    return FieldSettings(
        agent=f"{settings.site.name} field",
        points=settings.field.points,
        context=settings.field.context(),
        limits=settings.field.limits,
        limits_public_key=settings.field.limits_public_key,
        links=tuple(links),
        socket=settings.link.socket,
        office_public_key=settings.link.office_public_key,
        stop_file=settings.field.stop_file,
        spool=settings.field.spool,
        confirm_timeout_s=settings.dispatch.confirm_timeout_s,
    )


def _lines(found: Mapping[str, int], table: str) -> dict[str, int]:
    """Lines of the keys of one table, "" for the table itself."""
    own = {
        key.removeprefix(f"{table}."): line
        for key, line in found.items()
        if key.startswith(f"{table}.")
    }
    return {"": found.get(table, 0)} | own


async def run_field_agent(file: Path, *, child: bool) -> None:
    """Run the agent until a signal. A `child` whose parent is gone stays until the last lease has
    run out and its device is back at its default, then ends (SG-22, `gridctl.field.orphan`)."""
    set_up_logging(level="info")
    check_provenance()
    check_machine_clock()
    settings = load_settings(file)
    stop = asyncio.Event()
    stop_on_signals(stop)
    hangup = asyncio.Event()
    hangup_on_signal(hangup)
    collect_seldom()
    await run_field(
        field_settings(settings),
        clock=settings.grid_clock(),
        stop=stop,
        again=lambda: field_settings(load_settings(file)),
        hangup=hangup,
        parent_gone=parent_gone if child else None,
    )
