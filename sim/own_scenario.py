"""A story for a feeder that has none: the hot afternoon, told on somebody's own feeder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gridctl.model.errors import ConfigError
from sim.feeder import feeder_file, feeder_names, load_feeder
from sim.fleet_made import write_fleet
from sim.history import HistoryTable, history
from sim.scenario import Scenario, load_scenario, scenario_feeder
from sim.scenario_file import read_scenario_file
from sim.toml_text import toml_table

BASE: Final = "hot-afternoon"
_LIMIT_SHARE: Final = 0.93
"""The head's limit as a share of the day's peak without control: something is to be done."""
_STEP_S: Final = 900.0
_AHEAD_S: Final = 600.0
_NOON_H, _EVENING_H = 12, 19
_SEED: Final = 1
_HISTORY_DAYS: Final = (7, 35)
_HISTORY_NODE_DAYS: Final = 14_000
"""History is solved quarter hour by quarter hour: a large feeder gets fewer days of it."""
_BAND_60_HZ_PU: Final = (0.95, 1.05)
_BAND_50_HZ_PU: Final = (0.9, 1.1)
"""Service voltage of ANSI C84.1, range A; supply voltage of EN 50160."""
_EUROPEAN_HZ_MAX: Final = 55.0
_BY_HAND: Final = ("event", "exam", "regulator_vreg_v", "capacitor_band_pu", "demand")


def write_own_scenario(folder: Path, feeder_name: str) -> Path:
    """Write `scenario.toml` (and, for a feeder without devices, `fleet/`) into `folder`, which is
    made; its path.

    The limit of the head is 93 % of what that day's peak would be; the voltage band is that of the
    feeder's frequency: 0.95 to 1.05 pu at 60 Hz, 0.9 to 1.1 pu at 50 Hz. ConfigError for an unknown
    feeder, and for one that draws nothing.
    """
    feeder = load_feeder(feeder_name)
    file = feeder_file(feeder_name)
    folder.mkdir(parents=True, exist_ok=True)
    fleet = None if file is None else file.parent.resolve() / "fleet"
    if fleet is None or not fleet.is_dir():
        fleet = folder.resolve() / "fleet"
        write_fleet(fleet, feeder, seed=_SEED)
    path = folder / "scenario.toml"
    place = feeder_name if feeder_name in feeder_names() else str(file and file.resolve())
    days = min(max(_HISTORY_NODE_DAYS // len(feeder.nodes), _HISTORY_DAYS[0]), _HISTORY_DAYS[1])
    told: dict[str, Any] = {"feeder": place, "fleet": str(fleet)}
    told |= {"title": f"Hot afternoon on {feeder.name}", "history_days": days}
    low_pu, high_pu = _BAND_50_HZ_PU if feeder.frequency_hz < _EUROPEAN_HZ_MAX else _BAND_60_HZ_PU
    told |= {"voltage_min_pu": low_pu, "voltage_max_pu": high_pu}
    _write(path, told | {"head_limit_kw": 1.0})
    story = load_scenario(str(path))
    end_s = story.start_s + 6 * 3600.0
    table = history(scenario_feeder(story), story, end_s=end_s, days=1, step_s=_STEP_S)
    peak_kw = max(table.head_kw)
    if peak_kw <= 0.0:
        raise ConfigError("this feeder draws nothing that could be limited", file=place)
    limit_kw = round(_LIMIT_SHARE * peak_kw, 1)
    begin = _beforehand(story, table, limit_kw)
    _write(path, told | {"head_limit_kw": limit_kw}, begin)
    return path


def _beforehand(story: Scenario, table: HistoryTable, limit_kw: float) -> datetime:
    """Local time shortly before the head passes its limit on the afternoon of the story: a plan
    has something to do at once. The story's own where that is not between noon and the evening."""
    begin = _local(story, story.start_s)
    for i, kw in enumerate(table.head_kw):
        at = _local(story, table.start_s + i * table.step_s - _AHEAD_S)
        if at.date() == begin.date() and _NOON_H <= at.hour < _EVENING_H and kw > limit_kw:
            return at
    return begin


def _local(story: Scenario, at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s + story.utc_offset_s, UTC).replace(tzinfo=None)


def _write(path: Path, told: dict[str, Any], begin: datetime | None = None) -> None:
    base = Path(__file__).parent / "scenarios" / f"{BASE}.toml"
    values: dict[str, Any] = read_scenario_file(base).model_dump(mode="json", exclude_none=True)
    climate = values.pop("climate")
    values = {k: v for k, v in values.items() if k not in _BY_HAND}
    values |= {"name": "own-afternoon", **told}
    start = values.pop("start")
    if begin is not None:
        start = begin.isoformat()
    climate.pop("front", None)
    text = f"# The hot afternoon on a feeder of your own; edit as you like.\nstart = {start}\n"
    text += toml_table("", values).lstrip() + "\n" + toml_table("[climate]", climate)
    path.write_text(text, encoding="utf-8")
