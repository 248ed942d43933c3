"""docs/reference/cli.md: every command with its arguments, options and exit codes."""

from __future__ import annotations

from collections.abc import Iterator

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from gridctl import cli, cli_ending
from gridctl.script import BREAKS
from tests.docs.tables import GENERATED, table

_INTRO = """\
`gridctl COMMAND --help` says the same in the terminal. With `--json`, where a command lists it, stdout
has one JSON object (`doctor`: one list) and nothing else; what is meant for people goes to stderr then.

`--instance FOLDER` names the folder with `gridctl.toml`. Commands that act as a person take `--user`
and ask for the password, or read `GRIDCTL_PASSWORD`."""

_CODES = (
    (0, "done"),
    (cli_ending.EXIT_REFUSED, "refused, or not fulfilled: the reason is on stderr"),
    (2, "wrong usage"),
    (
        cli_ending.EXIT_CONFIG,
        "configuration that a human must mend: file, key and hint are on stderr",
    ),
    (cli_ending.EXIT_UNAVAILABLE, "a part of gridctl does not answer"),
)
_OWN_CODES = {
    "demo": "0 after Ctrl-C. With `--script`: 0 only if every stage really happened, else 1.",
    "doctor": "0, also with warnings; 1 when a finding is bad.",
    "audit verify": "0 when the chain is whole; 1 when it is broken.",
}
"""Commands whose exit code says more than the table."""


def cli_page() -> str:
    """The whole page."""
    root = typer.main.get_command(cli.app)
    assert isinstance(root, TyperGroup)
    codes = table(("exit code", "means"), [(str(code), text) for code, text in _CODES])
    parts = [f"# Command line\n\n{GENERATED}", _INTRO, codes]
    described = set(_OWN_CODES)
    for path, command in _commands(root, ()):
        parts.append(_section(" ".join(path), command))
        described.discard(" ".join(path))
    assert not described, f"commands that are gone: {described}"
    return "\n\n".join(parts) + "\n"


def _commands(
    group: TyperGroup, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, (*path, name))
        else:
            assert isinstance(command, TyperCommand)
            yield (*path, name), command


def _section(path: str, command: TyperCommand) -> str:
    arguments = [p for p in command.params if isinstance(p, TyperArgument)]
    shown = " ".join(
        [f"gridctl {path}", *(a.name.upper() for a in arguments if a.name), "[OPTIONS]"]
    )
    options = [p for p in command.params if isinstance(p, TyperOption) and not p.hidden]
    parts = [f"## {path}", f"```text\n{shown}\n```", " ".join((command.help or "").split())]
    if options:
        parts.append(table(("option", "what", "default"), [_row(o) for o in options]))
    if path == "demo":
        rows = [(f"`{name}`", stage) for name, stage in BREAKS.items()]
        parts.append(table(("`--break`", "the stage that must fail"), rows))
    if path in _OWN_CODES:
        parts.append(f"Exit code: {_OWN_CODES[path]}")
    return "\n\n".join(parts)


def _row(option: TyperOption) -> tuple[str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    variable = f" Or `{option.envvar}`." if isinstance(option.envvar, str) else ""
    if option.required:
        default = "none: must be given"
    elif option.is_flag:
        default = "off"
    elif option.default in (None, ""):
        default = "absent"
    else:
        default = f"`{option.default}`"
    return names, f"{(option.help or '').rstrip('.')}.{variable}", default
