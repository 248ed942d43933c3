"""What every file of settings has in common: it is read, and all its mistakes are told at once.

Each mistake comes with file, line and key; an unknown key with the one that was probably meant.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from gridctl.model.errors import ConfigError
from gridctl.tomlplaces import line_of


def read_toml(file: Path, *, missing: str = "") -> dict[str, Any]:
    """The tables of `file`. Raises ConfigError, with `missing` as its hint where no file is."""
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise ConfigError("does not exist", file=str(file), hint=missing) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", file=str(file)) from None


def refused(
    file: Path | str,
    error: ValidationError,
    model: type[BaseModel] | None,
    lines: Mapping[str, int] | None = None,
    *,
    hint: str = "",
) -> ConfigError:
    """One ConfigError that tells every mistake of the file, the first one in the key. `hint`: what
    to do about it, where no mistake says so itself."""
    mistakes: list[tuple[str, str]] = []
    for item in error.errors(include_url=False, include_context=False):
        key = dotted(item["loc"])
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(item["loc"][-1]), _siblings(model, item["loc"]))
            text = "unknown key" + (f", did you mean {near[0]!r}?" if near else "")
            hint = hint or (f"did you mean {near[0]!r}?" if near else "remove it")
        elif item["type"] == "missing":
            text = "missing"
            hint = hint or "it has no default; write it down"
        else:
            text = item["msg"].removeprefix("Value error, ")
            if not isinstance(item["input"], Mapping):
                text += f", not {item['input']!r}"
        mistakes.append((key, text[:300]))
    return joined(file, mistakes, hint=hint, lines=lines or {})


def joined(
    file: Path | str, mistakes: Sequence[tuple[str, str]], *, hint: str, lines: Mapping[str, int]
) -> ConfigError:
    """One ConfigError of all `mistakes` (key, text); `lines` says where each key stands."""
    (key, text), *rest = mistakes
    for other, told in rest:
        line = line_of(lines, other)
        text += f"\n{file}:{line}:{other}: {told}" if line else f"\n{file}:{other}: {told}"
    return ConfigError(text, file=str(file), key=key, hint=hint, line=line_of(lines, key))


def dotted(location: Sequence[int | str]) -> str:
    """A key as people write it: `field.links[1].id`."""
    out = ""
    for part in location:
        out += f"[{part}]" if isinstance(part, int) else (f".{part}" if out else part)
    return out


def _siblings(model: type[BaseModel] | None, location: Sequence[int | str]) -> list[str]:
    """Keys that the table at `location` knows."""
    current: Any = model
    named = False
    for part in location[:-1]:
        if isinstance(part, int) or named:
            named = False
            continue
        fields = getattr(current, "model_fields", {})
        if part not in fields:
            return []
        current = fields[part].annotation
        named = get_origin(current) is dict
        args = [a for a in getattr(current, "__args__", ()) if isinstance(a, type)]
        current = args[0] if args else current
    fields = getattr(current, "model_fields", None) or getattr(current, "__dataclass_fields__", {})
    return list(fields)
