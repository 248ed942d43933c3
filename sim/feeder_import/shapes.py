"""Load shapes of an OpenDSS circuit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.feeder_import.circuit import Circuit
from sim.feeder_import.report import Fate, Report
from sim.load_shapes import PLAIN, LoadShape, Profile

_HOUR_S: Final = 3600.0
_FINEST_S: Final = 60.0
_VALUES_MAX: Final = 20_000_000


def shapes_of(
    circuit: Circuit, wanted: Mapping[str, Profile], report: Report
) -> tuple[dict[str, LoadShape], dict[str, Profile]]:
    """The load shapes that the `wanted` profiles name, and the profiles as they can be followed.

    The bases of `wanted` are what each load draws in all; they stay where a shape is in kW.
    """
    shapes = circuit.dss.loadshapes
    names = {profile.shape for profile in wanted.values()}
    found: dict[str, LoadShape] = {}
    actual = set()
    values = 0
    for name in shapes.names:
        key = str(name).lower()
        if key not in names:
            continue
        shapes.name = str(name)
        shape = _shape(shapes, key, report)
        values += len(shape.kw_pu) + len(shape.kvar_pu)
        if values > _VALUES_MAX:
            why = f"more than {_VALUES_MAX} values in all: this one and those after it are left out"
            report.add(f"LoadShape.{key}", Fate.REFUSED, why)
            break
        if shape.kw_pu:
            found[key] = shape
        if shapes.use_actual:
            actual.add(key)
    kept = {
        consumer: profile
        if profile.shape in actual
        else replace(profile, base_kw=PLAIN, base_kvar=PLAIN)
        for consumer, profile in wanted.items()
        if profile.shape in found and (profile.shape not in actual or profile.base_kw)
    }
    return found, kept


def _shape(shapes: Any, key: str, report: Report) -> LoadShape:
    """The engine's active load shape."""
    kw = np.asarray(shapes.p_mult, dtype=np.float64)
    kvar = np.asarray(shapes.q_mult, dtype=np.float64)
    has_kvar = kvar.shape == kw.shape and bool(kvar.any())
    step_s = float(shapes.hr_interval) * _HOUR_S
    if step_s <= 0.0:
        hours = np.asarray(shapes.time_array, dtype=np.float64)
        if hours.shape != kw.shape or len(hours) < 2 or not (np.diff(hours) > 0.0).all():  # noqa: PLR2004
            report.add(f"LoadShape.{key}", Fate.REFUSED, "its hours do not go with its values")
            return LoadShape(step_s=_HOUR_S, kw_pu=(), kvar_pu=())
        step_s = max(_FINEST_S, float(np.diff(hours).min()) * _HOUR_S)
        why = f"its own hours are read every {step_s:g} s"
        report.add(f"LoadShape.{key}", Fate.APPROXIMATED, why)
        kw, kvar = (_evenly(hours, v, step_s) for v in (kw, kvar if has_kvar else kw))
    return LoadShape(
        step_s=step_s,
        kw_pu=tuple(map(float, kw)),
        kvar_pu=tuple(map(float, kvar)) if has_kvar else (),
    )


def _evenly(
    hours: NDArray[np.float64], values: NDArray[np.float64], step_s: float
) -> NDArray[np.float64]:
    """`values` at whole steps after the start, up to the last hour."""
    count = max(1, round(float(hours[-1]) * _HOUR_S / step_s))
    found: NDArray[np.float64] = np.interp(
        np.arange(1, count + 1) * step_s / _HOUR_S, hours, values
    )
    return found
