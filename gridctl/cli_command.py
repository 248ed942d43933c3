"""`gridctl command …`: what became of a command, down to the octets on the wire.

Reads the office's database itself, beside a running office or without one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridctl.cli_ending import EXIT_REFUSED, run_guarded
from gridctl.cli_terms import DEFAULT_INSTANCE, AsJson, Instance

if TYPE_CHECKING:
    from gridctl.model.record import CommandRow, EvidenceRow


command_app = typer.Typer(
    help="Commands: what became of each, and what passed the wire.", no_args_is_help=True
)


@command_app.command("list")
def command_list(
    plan: Annotated[str, typer.Option(help="Of this plan only.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    instance: Instance = DEFAULT_INSTANCE,
    as_json: AsJson = False,
) -> None:
    """The newest commands, in the order in which they were made."""
    run_guarded(lambda: _list(instance, plan=plan, limit=limit, as_json=as_json))


@command_app.command("show")
def command_show(
    command: str, instance: Instance = DEFAULT_INSTANCE, as_json: AsJson = False
) -> None:
    """One command: every state with its time and the device's word, and the exact exchange."""
    run_guarded(lambda: _show(instance, command, as_json=as_json))


async def _list(instance: Path, *, plan: str, limit: int, as_json: bool) -> int:
    from gridctl.cli_store import opened  # noqa: PLC0415 - lazy on purpose

    async with opened(instance, read_only=True) as store:
        rows = await store.commands(plan=plan or None, limit=limit)
    if as_json:
        print(json.dumps({"commands": [_plain(row) for row in rows]}, indent=2))
        return 0
    if not rows:
        print("no commands")
        return 0
    print(f"{'COMMAND':<32} {'POINT':<24} {'VALUE':>10}  {'STATE':<12} SAYS")
    for row in rows:
        one = row.command
        print(f"{one.mrid:<32} {one.point:<24} {one.value:>10g}  {row.state:<12} {row.status}")
    return 0


async def _show(instance: Path, command: str, *, as_json: bool) -> int:
    from gridctl.cli_store import opened  # noqa: PLC0415 - lazy on purpose

    async with opened(instance, read_only=True) as store:
        row = await store.command(command)
        evidence = await store.evidence(command)
    if row is None:
        print(f"gridctl: there is no command {command}", file=sys.stderr)
        return EXIT_REFUSED
    if as_json:
        found = _plain(row) | {"evidence": [_plain_evidence(one) for one in evidence]}
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for line in _in_words(row, evidence):
        print(line)
    return 0


def _in_words(row: CommandRow, evidence: Sequence[EvidenceRow]) -> list[str]:
    one = row.command
    lines = [
        f"Command {one.mrid} of plan {one.plan}, order {row.order or 'none'}",
        f"  {one.point} → {one.value:g}, until {_time(one.lease_until_s)}",
        f"  default {one.default_value:g}; expects {one.expect_point} within {one.tolerance:g}",
        "",
        "What became of it",
    ]
    for state, at_s, status, detail in row.history:
        lines.append(f"  {_time(at_s)}  {state:<12} {': '.join(t for t in (status, detail) if t)}")
    lines += ["", "What passed the wire"]
    if not evidence:
        lines.append("  nothing is kept: it never reached a wire, or is older than this record")
    for kept in evidence:
        lines.append(f"  {kept.state} at {_time(kept.at_s)}, SHA-256 {kept.digest}")
        for line in kept.lines:
            words, _, octets = line.rpartition(" | ")
            lines.append(f"    {words or octets}")
            if words and octets:
                lines.append(f"      {octets}")
    return lines


def _plain(row: CommandRow) -> dict[str, Any]:
    one = row.command
    return {
        "command": one.mrid,
        "plan": one.plan,
        "order": row.order,
        "resource": one.resource,
        "point": one.point,
        "value": one.value,
        "expect_point": one.expect_point,
        "tolerance": one.tolerance,
        "default_value": one.default_value,
        "lease_until_s": one.lease_until_s,
        "effect_kw": one.effect_kw,
        "measured_kw": row.measured_kw,
        "state": row.state,
        "status": row.status,
        "detail": row.detail,
        "history": [
            {"state": state, "at_s": at_s, "status": status, "detail": detail}
            for state, at_s, status, detail in row.history
        ],
    }


def _plain_evidence(row: EvidenceRow) -> dict[str, Any]:
    return {
        "state": row.state,
        "at_s": row.at_s,
        "sha256": row.digest,
        "lines": list(row.lines),
    }


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).isoformat(timespec="milliseconds")
