"""The configuration of a backtest: which columns of a CSV file mean what, and what is scored."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gridctl.model.errors import ConfigError
from gridctl.tomlplaces import line_of, places

KW_PER_UNIT = {"W": 1e-3, "kW": 1.0, "MW": 1e3}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WeatherTable(_Table):
    """`[weather]`: columns of each quantity. Several temperatures are stations."""

    temperature: tuple[str, ...] = ()
    temperature_unit: Literal["C", "F"] = "C"
    sun: tuple[str, ...] = ()
    wind: tuple[str, ...] = ()


class BacktestTable(_Table):
    """`[backtest]`: what is scored. Without `start`: the last quarter of the data, at most a year.
    `end` is the first day that is not scored."""

    start: date | None = None
    end: date | None = None
    every_h: Annotated[int, Field(ge=1, le=168)] = 30
    refit_days: Annotated[int, Field(ge=1, le=366)] = 28
    horizons_h: tuple[Annotated[float, Field(gt=0, le=48)], ...] = ()
    floors: bool = True


class BacktestSettings(_Table):
    """The whole file."""

    timestamp: str = "timestamp"
    timestamp_format: str | None = None
    load: tuple[str, ...] = ("load",)
    unit: Literal["W", "kW", "MW"]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    timezone: str | None = None
    stamp: Literal["begin", "end"] = "begin"
    step_min: Annotated[int, Field(ge=5, le=60)] | None = None
    rated_kw: Annotated[float, Field(gt=0)] | None = None
    holidays: tuple[date, ...] = ()
    weather: WeatherTable = WeatherTable()
    backtest: BacktestTable = BacktestTable()

    @field_validator("load", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError):
                raise ValueError(f"{value!r} is no time zone of the IANA list") from None
        return value


def load_settings(file: Path) -> BacktestSettings:
    """Read a TOML file. Raises ConfigError that names file, line and key."""
    try:
        text = file.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        raise ConfigError(str(wrong), file=str(file)) from None
    try:
        return BacktestSettings.model_validate(found)
    except ValidationError as wrong:
        error = wrong.errors(include_url=False)[0]
        key = ".".join(str(part) for part in error["loc"])
        raise ConfigError(
            error["msg"], file=str(file), key=key, line=line_of(places(text), key)
        ) from None
