"""A scenario: which feeder, which day, which weather, and the limit that the day will pass."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gridctl.model.errors import ConfigError
from gridctl.model.network import Feeder
from sim.feeder import load_feeder
from sim.weather import DAY_S, Climate

_SCENARIOS: Final = Path(__file__).parent / "scenarios"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Climate(_Table):
    latitude: float = Field(ge=-66, le=66)
    longitude: float = Field(ge=-180, le=180)
    day_max_c: float
    day_clearness: float = Field(gt=0, le=1)
    mean_max_c: float
    spread_c: float = Field(ge=0)


class _File(_Table):
    name: str
    title: str
    feeder: str
    seed: int = Field(ge=0)
    start: datetime
    utc_offset_h: float = Field(ge=-14, le=14)
    head_limit_kw: float = Field(gt=0)
    voltage_min_pu: float
    voltage_max_pu: float
    loading_max_pct: float
    history_days: int = Field(ge=1, le=366)
    climate: _Climate
    regulator_vreg_v: dict[str, float] = Field(default_factory=dict)
    capacitor_band_pu: dict[str, tuple[float, float]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`start_s`: grid time at which the story begins. Limits are what the instance is given.

    `regulator_vreg_v`: relay settings (V on the 120 V base) that differ from the published ones.
    `capacitor_band_pu`: (close below, open above) of the banks that have a voltage control.
    """

    name: str
    title: str
    feeder: str
    seed: int
    start_s: float
    utc_offset_s: float
    head_limit_kw: float
    voltage_min_pu: float
    voltage_max_pu: float
    loading_max_pct: float
    history_days: int
    climate: Climate
    regulator_vreg_v: Mapping[str, float]
    capacitor_band_pu: Mapping[str, tuple[float, float]]


def scenario_names() -> tuple[str, ...]:
    """The scenarios that come with the simulator."""
    return tuple(sorted(p.stem for p in _SCENARIOS.glob("*.toml")))


def load_scenario(name: str) -> Scenario:
    """The scenario `name`; ConfigError when there is none or its file is wrong."""
    path = _SCENARIOS / f"{name}.toml"
    if not path.is_file():
        raise ConfigError(
            f"no scenario {name!r}",
            file=str(path),
            hint=f"known scenarios: {', '.join(scenario_names())}",
        )
    try:
        with path.open("rb") as stream:
            found = _File.model_validate(tomllib.load(stream))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigError(str(error), file=str(path)) from None
    utc_offset_s = found.utc_offset_h * 3600.0
    # The file has local wall-clock time without a zone; reading it as UTC and taking off the
    # offset gives grid time.
    local_s = found.start.replace(tzinfo=UTC).timestamp()
    climate = found.climate
    return Scenario(
        name=found.name,
        title=found.title,
        feeder=found.feeder,
        seed=found.seed,
        start_s=local_s - utc_offset_s,
        utc_offset_s=utc_offset_s,
        head_limit_kw=found.head_limit_kw,
        voltage_min_pu=found.voltage_min_pu,
        voltage_max_pu=found.voltage_max_pu,
        loading_max_pct=found.loading_max_pct,
        history_days=found.history_days,
        climate=Climate(
            **climate.model_dump(),
            utc_offset_s=utc_offset_s,
            seed=found.seed,
            day=int(local_s // DAY_S),
        ),
        regulator_vreg_v=found.regulator_vreg_v,
        capacitor_band_pu=found.capacitor_band_pu,
    )


def scenario_feeder(scenario: Scenario) -> Feeder:
    """The scenario's feeder with the scenario's relay settings; ConfigError for an unknown one."""
    feeder = load_feeder(scenario.feeder)
    volts, bands = dict(scenario.regulator_vreg_v), dict(scenario.capacitor_band_pu)
    regulators, capacitors = [], []
    for regulator in feeder.regulators:
        vreg_v = volts.pop(regulator.mrid, None)
        regulators.append(
            regulator
            if vreg_v is None
            else replace(regulator, vreg_v=(vreg_v,) * len(regulator.phases))
        )
    for bank in feeder.capacitors:
        low, high = bands.pop(bank.mrid, (None, None))
        capacitors.append(replace(bank, close_below_pu=low, open_above_pu=high))
    for key, what, left in (
        ("regulator_vreg_v", "regulator", volts),
        ("capacitor_band_pu", "capacitor", bands),
    ):
        if left:
            raise ConfigError(
                f"feeder {feeder.mrid} has no {what} {', '.join(sorted(left))}",
                file=str(_SCENARIOS / f"{scenario.name}.toml"),
                key=key,
            )
    return replace(feeder, regulators=tuple(regulators), capacitors=tuple(capacitors))
