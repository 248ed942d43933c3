"""A story for a feeder that has none: the hot afternoon, told on somebody's own feeder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from gridctl.model.errors import ConfigError
from sim.feeder import feeder_file, feeder_names, load_feeder
from sim.fleet_made import write_fleet
from sim.history import history
from sim.scenario import load_scenario, scenario_feeder
from sim.scenario_file import read_scenario_file
from sim.toml_text import toml_table

BASE: Final = "hot-afternoon"
_LIMIT_SHARE: Final = 0.93
"""The head's limit as a share of the day's peak without control: something is to be done."""
_STEP_S: Final = 900.0
_SEED: Final = 1
_HISTORY_DAYS: Final = (7, 35)
_HISTORY_NODE_DAYS: Final = 14_000
"""History is solved quarter hour by quarter hour: a large feeder gets fewer days of it."""
_BY_HAND: Final = ("event", "exam", "regulator_vreg_v", "capacitor_band_pu", "demand")


def write_own_scenario(folder: Path, feeder_name: str) -> Path:
    """Write `scenario.toml` (and, for a feeder without devices, `fleet/`) into `folder`, which is
    made; its path.

    The limit of the head is 93 % of what that day's peak would be. ConfigError for an unknown
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
    _write(path, told | {"head_limit_kw": 1.0})
    story = load_scenario(str(path))
    end_s = story.start_s + 6 * 3600.0
    table = history(scenario_feeder(story), story, end_s=end_s, days=1, step_s=_STEP_S)
    peak_kw = max(table.head_kw)
    if peak_kw <= 0.0:
        raise ConfigError("this feeder draws nothing that could be limited", file=place)
    _write(path, told | {"head_limit_kw": round(_LIMIT_SHARE * peak_kw, 1)})
    return path


def _write(path: Path, told: dict[str, Any]) -> None:
    base = Path(__file__).parent / "scenarios" / f"{BASE}.toml"
    values: dict[str, Any] = read_scenario_file(base).model_dump(mode="json", exclude_none=True)
    climate = values.pop("climate")
    values = {k: v for k, v in values.items() if k not in _BY_HAND}
    values |= {"name": "own-afternoon", **told}
    start = values.pop("start")
    climate.pop("front", None)
    text = f"# The hot afternoon on a feeder of your own; edit as you like.\nstart = {start}\n"
    text += toml_table("", values).lstrip() + "\n" + toml_table("[climate]", climate)
    path.write_text(text, encoding="utf-8")
