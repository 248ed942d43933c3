"""The thresholds of the rules, all of them settings. Values and sources: the VEE reference page."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from gridctl.model.errors import ConfigError
from gridctl.tomlplaces import line_of, places

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Defaults are the measured or published ones. `hard_low`, `hard_high`: None, then the rating
    decides when there is one. Shares are of the point's rating or of its trailing P99."""

    skew_suspect_s: float = 10.0
    skew_reject_s: float = 180.0
    future_s: float = 5.0
    stale_scans: float = 3.0
    stale_min_s: float = 60.0
    complete_share: float = 0.95
    hard_low: float | None = None
    hard_high: float | None = None
    rating_kw: float | None = None
    rating_share: float = 1.3
    soft_margin: float = 0.2
    history_days: float = 90.0
    warm_up_days: float = 14.0
    renew_days: float = 1.0
    rate_factor: float = 2.0
    spike_factor: float = 1.0
    hampel_sigmas: float = 10.0
    hampel_floor: float = 0.01
    hampel_alone_below_s: float = 0.0
    forecast_widths: float = 3.0
    peak_excess: float = 1.8
    frozen_samples: int = 4
    frozen_fast_s: float = 300.0
    frozen_slow_step_s: float = 600.0
    deadband: float = 0.0
    dead_zero_s: float = 3_600.0
    sum_share: float = 0.002
    register_multiplier_kwh: float = 1.0
    balance_sigmas: float = 3.0
    balance_share: float = 0.02
    consistency_share: float = 0.03
    state_probability: float = 0.99
    state_residual: float = 3.0
    linear_gap_s: float = 3_600.0
    reference_days: float = 28.0
    sign_correlation: float = -0.5
    multiplier_tolerance: float = 0.25
    shift_slack: float = 1.0
    shift_alarm: float = 10.0


_OPTIONAL = frozenset({"hard_low", "hard_high", "rating_kw"})
_SIGNED = frozenset({"hard_low", "hard_high", "sign_correlation"})


def load_balances(path: Path) -> tuple[Mapping[str, Any], ...]:
    """The tables `[[vee.balance]]` of a file that `load_thresholds` has read without complaint.

    Raises ConfigError for anything but head, parts, rating_kw, sigma_kw and loss_share.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"))["vee"].get("balance", [])
    found: list[Mapping[str, Any]] = []
    for k, row in enumerate(table if isinstance(table, list) else [None]):
        key = f"vee.balance[{k}]"
        if not isinstance(row, dict) or not {"head", "parts", "rating_kw"} <= row.keys():
            raise ConfigError("head, parts and rating_kw are expected", file=str(path), key=key)
        unknown = row.keys() - {"head", "parts", "rating_kw", "sigma_kw", "loss_share"}
        if unknown:
            raise ConfigError("no such key", file=str(path), key=f"{key}.{min(unknown)}")
        found.append(row)
    return tuple(found)


def load_thresholds(path: Path) -> tuple[Thresholds, Mapping[str, Thresholds]]:
    """`[vee]` for all points and `[vee.points."NAME"]` for single ones, laid over it.

    Raises ConfigError naming file, line and key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(error.strerror or "cannot be read", file=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(error), file=str(path)) from None
    vee = table.get("vee")
    if not isinstance(vee, dict):
        raise ConfigError("no table [vee]", file=str(path))
    where = places(text)
    points = vee.pop("points", {})
    vee.pop("balance", None)
    if not isinstance(points, dict) or not all(isinstance(t, dict) for t in points.values()):
        raise ConfigError("tables of points are expected", file=str(path), key="vee.points")
    common = _over({}, vee, path, where, "vee")
    return Thresholds(**common), {
        name: Thresholds(**_over(common, own, path, where, f"vee.points.{name}"))
        for name, own in points.items()
    }


def _over(
    common: Mapping[str, Any],
    table: Mapping[str, object],
    path: Path,
    where: Mapping[str, int],
    prefix: str,
) -> dict[str, Any]:
    known = {f.name for f in fields(Thresholds)}
    found: dict[str, Any] = dict(common)
    for name, value in table.items():
        key = f"{prefix}.{name}"
        line = line_of(where, key)
        if name not in known:
            hint = ", ".join(sorted(known))
            raise ConfigError("no such threshold", file=str(path), key=key, line=line, hint=hint)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError("a number is expected", file=str(path), key=key, line=line)
        if value < 0 and name not in _SIGNED:
            raise ConfigError("must not be negative", file=str(path), key=key, line=line)
        found[name] = value if name != "frozen_samples" else int(value)
    return found
