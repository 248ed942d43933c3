"""A scenario's file: what it may say. An unknown key, a wrong type, an impossible fault: a refusal
that names line and key and says what was probably meant."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime, time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from gridctl.model.errors import ConfigError
from gridctl.tomlplaces import line_of, places
from sim.fault_kinds import KINDS, Aim, Fault


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FrontTable(_Table):
    """A cloud front on the scenario's day, local time; `clearness` under it, 0.1 … 1."""

    starts: time
    ends: time
    clearness: float = Field(ge=0.1, le=1)


class ClimateTable(_Table):
    """`[climate]`."""

    latitude: float = Field(ge=-66, le=66)
    longitude: float = Field(ge=-180, le=180)
    day_max_c: float = Field(ge=-60, le=60)
    day_clearness: float = Field(gt=0, le=1)
    mean_max_c: float = Field(ge=-60, le=60)
    spread_c: float = Field(ge=0)
    front: tuple[FrontTable, ...] = ()


class WaveTable(_Table):
    """Demand times `factor` between two local times of the scenario's day, with soft edges."""

    starts: time
    ends: time
    factor: float = Field(gt=0, le=5)


class DemandTable(_Table):
    """`[demand]`: what differs from a usual day's."""

    scale: float = Field(default=1.0, gt=0, le=5)
    heating_share: float = Field(default=0.0, ge=0, le=3)
    holiday: bool = False
    wave: tuple[WaveTable, ...] = ()


class EventTable(_Table):
    """`[[event]]`: a fault at a local time of the scenario's day; `lasts_min` without it: for good.
    `targets` instead of `target` for several at once."""

    at: time
    fault: Fault
    target: str = ""
    targets: tuple[str, ...] = ()
    amount: float | None = Field(default=None, ge=0)
    lasts_min: float | None = Field(default=None, gt=0)


class BoundTable(_Table):
    """`[[exam.bound]]`: local times between which the office's safeguards let nothing be ordered,
    and which; what the head draws then is not held against it."""

    starts: time
    ends: time
    why: str = Field(min_length=10)


class ExamTable(_Table):
    """`[exam]`: how a run is judged."""

    good_operator: str
    hours: float = Field(gt=0, le=48)
    step_s: float = Field(default=30.0, ge=1, le=900)
    head_kw_min_max: float | None = Field(default=None, ge=0)
    voltage_pu_min_max: float | None = Field(default=None, ge=0)
    unserved_kwh_max: float | None = Field(default=None, ge=0)
    wasted_commands_max: int | None = Field(default=None, ge=0)
    discomfort_customer_h_max: float | None = Field(default=None, ge=0)
    bound: tuple[BoundTable, ...] = ()


class ScenarioFile(_Table):
    """The whole file."""

    name: str
    title: str
    feeder: str
    fleet: str = ""
    seed: int = Field(ge=0)
    start: datetime
    utc_offset_h: float = Field(ge=-14, le=14)
    head_limit_kw: float = Field(gt=0)
    voltage_min_pu: float = Field(gt=0.5, lt=1.5)
    voltage_max_pu: float = Field(gt=0.5, lt=1.5)

    @field_validator("voltage_max_pu")
    @classmethod
    def _above_the_lower_one(cls, value: float, info: ValidationInfo) -> float:
        low = info.data.get("voltage_min_pu")
        if low is not None and value <= low:
            raise ValueError(f"{value:g} is not above voltage_min_pu, {low:g}")
        return value

    loading_max_pct: float = Field(gt=0)
    history_days: int = Field(ge=1, le=366)
    series: str = ""
    climate: ClimateTable
    demand: DemandTable = DemandTable()
    regulator_vreg_v: dict[str, float] = Field(default_factory=dict)
    capacitor_band_pu: dict[str, tuple[float, float]] = Field(default_factory=dict)
    event: tuple[EventTable, ...] = ()
    exam: ExamTable | None = None


_KEYS: tuple[type[_Table], ...] = (
    ScenarioFile, ClimateTable, FrontTable, DemandTable, WaveTable, EventTable, ExamTable,
    BoundTable,
)  # fmt: skip


def read_scenario_file(path: Path) -> ScenarioFile:
    """The file at `path`. Raises ConfigError that names file, line and key of the first mistake."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", file=str(path)) from None
    lines = places(text)
    try:
        found = ScenarioFile.model_validate(raw)
    except ValidationError as error:
        raise _refusal(error, path, lines) from None
    for i, event in enumerate(found.event):
        reason = _impossible(event)
        if reason:
            key = f"event[{i}]"
            raise ConfigError(reason, file=str(path), key=key, line=line_of(lines, key))
    return found


def _impossible(event: EventTable) -> str:
    """Why the event cannot be, without knowing the feeder: "" when it can."""
    kind = KINDS[event.fault]
    aimed = bool(event.target or event.targets)
    if event.target and event.targets:
        return "target or targets, not both"
    if kind.aim is Aim.EVERYTHING and aimed:
        return f"{event.fault} concerns everything: it takes no target"
    if kind.aim not in (Aim.EVERYTHING, Aim.LINK_OR_ALL, Aim.SWITCH) and not aimed:
        return f"{event.fault} needs a target: {kind.aim}"
    if event.amount is not None and not kind.unit:
        return f"{event.fault} takes no amount"
    if event.amount is not None and event.amount > kind.amount_max:
        return f"{event.fault} takes at most {kind.amount_max:g} {kind.unit}"
    return ""


def _refusal(error: ValidationError, path: Path, lines: Mapping[str, int]) -> ConfigError:
    mistakes: list[Any] = list(error.errors(include_url=False))
    # A misspelt key is missing under its right name too: the misspelling is the mistake.
    first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    key = ""
    for part in first["loc"]:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else str(part)
    hint = ""
    message = str(first["msg"]).removeprefix("Value error, ")
    last = str(first["loc"][-1]) if first["loc"] else ""
    match first["type"]:
        case "extra_forbidden":
            message = "is no key of a scenario"
            known = [name for table in _KEYS for name in table.model_fields]
            near = get_close_matches(last, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "remove it"
        case "missing":
            message, hint = "is missing", "it has no default; write it down"
        case "enum":
            near = get_close_matches(str(first["input"]), [f.value for f in Fault], n=1)
            message = f"there is no fault {first['input']!r}"
            hint = f"did you mean {near[0]!r}?" if near else "gridctl sim faults lists them"
        case _:
            pass
    return ConfigError(message, file=str(path), key=key, hint=hint, line=line_of(lines, key))
