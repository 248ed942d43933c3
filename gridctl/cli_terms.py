"""What commands to a running office have in common: whose, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
