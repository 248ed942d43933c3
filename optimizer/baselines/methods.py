"""Baseline methods as data: which days, which adjustment, which caps (`methods.toml`)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from gridctl.model.canonical import digest
from gridctl.model.errors import ConfigError

OWN_FILE = Path(__file__).with_name("methods.toml")


class Rule(StrEnum):
    """How a baseline comes about."""

    DAYS = "days"
    MATCH = "match"
    WEATHER = "weather"
    REGRESSION = "regression"
    MEAN = "mean"
    FIRM = "firm"


class Choose(StrEnum):
    """Which of the days looked at are kept."""

    ALL = "all"
    HIGHEST = "highest"
    MIDDLE = "middle"


class Adjust(StrEnum):
    """What the day of the event itself has to say."""

    NONE = "none"
    RATIO = "ratio"
    ADDITIVE = "additive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """`look` at so many eligible days of the event day's type, `keep` some; with fewer than `least`
    there is no baseline."""

    look: int
    keep: int
    least: int
    choose: Choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A row of the file. `pre`: [from, to) hours before the event's start, `post`: after its end.
    `cap`: of the ratio. `skip_days`: the latest days that are passed over. `guard_h`: hours beside
    the event that a match does not look at. `saturday` None: a Saturday is a day like a Sunday."""

    id: str
    title: str
    rule: Rule
    version: str
    weekday: Days | None = None
    saturday: Days | None = None
    weekend: Days | None = None
    lookback_days: int = 45
    skip_days: int = 0
    fill_with_event_days: bool = False
    low_usage_share: float = 0.0
    low_usage_seed_days: int = 0
    guard_h: float = 0.0
    adjust: Adjust = Adjust.NONE
    pre: tuple[float, float] | None = None
    post: tuple[float, float] | None = None
    cap: tuple[float, float] | None = None
    of: tuple[str, ...] = ()

    def digest(self) -> str:
        """What a settlement run is bound to."""
        return digest(self)


def load_methods(path: Path = OWN_FILE) -> Mapping[str, Method]:
    """All methods of a file by id. Raises ConfigError naming file and key."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(error), file=str(path)) from None
    version = table.get("version")
    rows = table.get("method")
    if not isinstance(version, str) or not isinstance(rows, list):
        raise ConfigError("version and [[method]] are expected", file=str(path))
    found: dict[str, Method] = {}
    for k, row in enumerate(rows):
        method = _method(row, version, path, f"method[{k}]")
        found[method.id] = method
    for method in found.values():
        for part in method.of:
            if part not in found or found[part].rule is Rule.MEAN:
                raise ConfigError("no such method to mean", file=str(path), key=f"{method.id}.of")
    return found


def _method(row: Mapping[str, Any], version: str, path: Path, key: str) -> Method:
    known = {f.name for f in fields(Method)}
    for name in row:
        if name not in known or name == "version":
            raise ConfigError("no such key", file=str(path), key=f"{key}.{name}")
    given = dict(row)
    try:
        for name in ("weekday", "saturday", "weekend"):
            if name in given:
                days = dict(given[name])
                days["choose"] = Choose(days["choose"])
                given[name] = Days(**days)
        for name in ("pre", "post", "cap"):
            if name in given:
                low, high = given[name]
                given[name] = (float(low), float(high))
        given["rule"] = Rule(given["rule"])
        given["adjust"] = Adjust(given.get("adjust", Adjust.NONE))
        given["of"] = tuple(given.get("of", ()))
        return Method(version=version, **given)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"cannot be used: {error}", file=str(path), key=key) from None
