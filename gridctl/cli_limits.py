"""`gridctl limits …`: OT's signature on the limits file. The private key stays with OT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gridctl.cli_ending import guarded

limits_app = typer.Typer(help="OT's signature on the limits file.", no_args_is_help=True)


@limits_app.command("new-key")
def new_key(
    private: Annotated[Path, typer.Argument(help="Where OT keeps it; mode 0600.")],
    public: Annotated[Path, typer.Argument(help="For [field].limits_public_key.")],
) -> None:
    """Make OT's pair of keys."""
    from gridctl.pki import make_office_keys  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: make_office_keys(private=private, public=public))


@limits_app.command("closed-loop")
def closed_loop(
    file: Annotated[Path, typer.Argument(help="The limits file.")],
    area: Annotated[str, typer.Option(help="An area of it.")],
    max_kw: Annotated[float, typer.Option(help="Away from the defaults at once, at most.")],
    ramp_kw: Annotated[float, typer.Option(help="Moved within 5 minutes, at most.")],
) -> None:
    """Print a [[closed_loop]] table with every point of the area, for OT to thin out and to append
    to the file (SG-37); nothing is written."""
    from gridctl.limitsfile import closed_loop_table  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: print(closed_loop_table(file, area=area, max_kw=max_kw, ramp_kw=ramp_kw)))


@limits_app.command("sign")
def sign(
    file: Annotated[Path, typer.Argument(help="The limits file.")],
    key: Annotated[Path, typer.Option(help="OT's private key.")],
) -> None:
    """Read the limits, and sign them when nothing is wrong: `FILE.sig` beside the file."""
    from gridctl.limitsfile import sign_limits  # noqa: PLC0415 - lazy on purpose

    guarded(lambda: print(f"{file} is signed: {sign_limits(file, key)}"))
