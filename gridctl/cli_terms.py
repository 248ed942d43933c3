"""What commands to a running office have in common: whose, where, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from gridctl.model.errors import ConfigError, GridctlError, UnavailableError

EXIT_REFUSED, EXIT_CONFIG, EXIT_UNAVAILABLE = 1, 3, 4
DEFAULT_INSTANCE = Path(".gridctl/demo")

Instance = Annotated[
    Path,
    typer.Option(
        "--instance",
        "-i",
        envvar="GRIDCTL_INSTANCE",
        help="Folder with gridctl.toml (made by `gridctl demo`).",
    ),
]
User = Annotated[str, typer.Option("--user", "-u", envvar="GRIDCTL_USER", help="Who you are.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def guarded(work: Callable[[], None]) -> None:
    """Do `work`; what it refuses is said in one line, with an exit code of its kind."""
    try:
        work()
    except GridctlError as error:
        print(f"gridctl: {error}", file=sys.stderr)
        code = EXIT_REFUSED
        if isinstance(error, ConfigError):
            code = EXIT_CONFIG
        elif isinstance(error, UnavailableError):
            code = EXIT_UNAVAILABLE
        raise typer.Exit(code) from None
