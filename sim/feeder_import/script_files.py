"""Files of an OpenDSS script, as Windows programs write and name them."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

from gridctl.model.errors import ConfigError
from sim.feeder_import.slips import holds_no_figure

_BYTES_MAX: Final = 200_000_000
_LOOKED_AT_BYTES: Final = 4096


def script_lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise ConfigError("larger than 200 MB", file=str(path))
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return text.decode("utf-16", "replace").splitlines()
    if b"\0" in text[:_LOOKED_AT_BYTES]:
        raise ConfigError("this is no text file", file=str(path))
    try:
        return text.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return text.decode("latin-1").splitlines()


def without_comment(line: str) -> str:
    """`line` up to "!" or "//" outside quotes."""
    quote = ""
    for i, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "!" or (letter == "/" and line[i : i + 2] == "//"):
            return line[:i].strip()
    return line


def found_file(folder: Path, name: str) -> Path | None:
    """The file `name` beside a script; case is forgiven, as scripts come from Windows."""
    if not name:
        return None
    path = folder
    for part in Path(name.replace("\\", "/")).parts:
        step = path / part
        if not step.exists() and path.is_dir():
            step = next((p for p in path.iterdir() if p.name.lower() == part.lower()), step)
        path = step
    return path.resolve() if path.is_file() else None


def has_no_figure(path: Path) -> bool:
    with path.open("rb") as file:
        return holds_no_figure(file.read(_LOOKED_AT_BYTES).decode("latin-1"))
