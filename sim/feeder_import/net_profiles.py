"""Load profiles of a SimBench net, which pandapower keeps beside the tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gridctl.model.errors import ConfigError
from sim.feeder_import.net_file import NetFile
from sim.load_shapes import LoadShape

_QUARTER_S: Final = 900.0
_TIMES: Final = ("%d.%m.%Y %H:%M", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S")


def profiles_of(net: NetFile, wanted: set[str]) -> dict[str, LoadShape]:
    """The profiles `wanted` ("load.h0-a", "renewables.wp4") as shapes, in share of p_mw and q_mvar.

    ConfigError for a table of profiles that cannot be read.
    """
    profiles = net.extra.get("profiles")
    if not isinstance(profiles, dict) or not wanted:
        return {}
    found: dict[str, LoadShape] = {}
    for kind in ("load", "renewables"):
        if not any(name.startswith(f"{kind}.") for name in wanted):
            continue
        columns = _columns(profiles.get(kind), f"profiles.{kind}", net)
        step_s = _step_s(columns.pop("time", []))
        lower = {name.lower(): name for name in columns}
        for name in wanted:
            own = name.removeprefix(f"{kind}.")
            kw = lower.get(f"{own}_pload", lower.get(own)) if own != name else None
            if kw is not None:
                kvar = lower.get(f"{own}_qload")
                found[name] = LoadShape(
                    step_s=step_s,
                    kw_pu=tuple(map(float, columns[kw])),
                    kvar_pu=() if kvar is None else tuple(map(float, columns[kvar])),
                )
    return found


def _columns(value: Any, key: str, net: NetFile) -> dict[str, list[Any]]:
    if not isinstance(value, Mapping):
        return {}
    try:
        inner = value["_object"]
        frame = json.loads(inner) if isinstance(inner, str) else inner
        return dict(zip(frame["columns"], map(list, zip(*frame["data"], strict=True)), strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{key} cannot be read: {error}", file=str(net.file)) from None


def _step_s(times: list[Any]) -> float:
    for form in _TIMES:
        try:
            first, second = (datetime.strptime(str(t), form) for t in times[:2])  # noqa: DTZ007
        except ValueError:
            continue
        return (second - first).total_seconds()
    return _QUARTER_S
