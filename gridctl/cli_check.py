"""`gridctl check …`: what this program holds itself to."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gridctl.safeguards import Safeguard

check_app = typer.Typer(help="What gridctl holds itself to.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def in_words(one: Safeguard) -> str:
    """One row for a person."""
    lines = [f"{one.id} {one.title}: {one.standing}", f"    {one.what}"]
    lines += [f"    {s.name} = {s.default} ({s.range})" for s in one.settings]
    lines += [f"    missing: {one.missing}"] if one.missing else []
    lines += [f"    left out: {one.left_out}"] if one.left_out else []
    lines += [f"    proved by {', '.join(one.tests)}"] if one.tests else []
    return "\n".join(lines)


@check_app.command("safeguards")
def safeguards(as_json: AsJson = False) -> None:
    """SG-01 to SG-37: what each does, where it is set, what proves it, what of it is missing.

    Needs the whole installation: the figures are read from office, field and store.
    """
    from gridctl.safeguards import REGISTER, Standing  # noqa: PLC0415 - lazy on purpose

    if as_json:
        rows = [{"id": one.id, **asdict(one)} for one in REGISTER]
        print(json.dumps({"safeguards": rows}, indent=2, ensure_ascii=False))
        return
    for one in REGISTER:
        print(in_words(one))
    count = {s: sum(one.standing is s for one in REGISTER) for s in Standing}
    print(", ".join(f"{number} {standing}" for standing, number in count.items()))
