"""What an inverter gives besides kW: kvar inside its kVA, as rows or by its own volt-var curve.

The kVA are a circle; the rows are a polygon inside of it, with corners every 15 degrees on the
circle, the one of full kW at unity among them. So no setpoint of a plan leaves the circle, and a
plan without kvar may use all kW.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from gridctl.model.resource import Reactive
from optimizer.block import Rows, selection
from optimizer.timegrid import FloatArray, IntArray

CORNERS = 24
KVAR_COST_SHARE = 0.002
"""A kvar for an hour costs this share of a kWh: a little, so that none wanders for nothing."""


def takes_setpoint(reactive: Reactive | None) -> bool:
    """Whether a plan may ask for kvar: its volt-var curve does not decide."""
    return reactive is not None and not reactive.volt_var


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KvarColumns:
    """The two columns of each interval, kvar given and kvar drawn."""

    given: IntArray
    drawn: IntArray

    def matrix(self, columns: int) -> sp.csr_array:
        """(T, columns): kvar injected."""
        count = len(self.given)
        given = selection(count, columns, self.given, 1.0)
        return sp.csr_array(given - selection(count, columns, self.drawn, 1.0))


def kvar_columns(first: int, count: int) -> KvarColumns:
    """The columns from `first` on."""
    return KvarColumns(given=first + np.arange(count), drawn=first + count + np.arange(count))


def add_polygon(
    rows: Rows,
    reactive: Reactive,
    kvar: KvarColumns,
    kw: Sequence[Sequence[tuple[int, float]]],
    *,
    fixed_kw: FloatArray,
    most_kw: FloatArray,
) -> None:
    """Rows that keep kW and kvar of each interval inside the polygon. kW are `fixed_kw` (T,) plus
    the terms of `kw`; `most_kw` (T,) are possible at unity and stay so."""
    step = 2.0 * math.pi / CORNERS
    for t, terms in enumerate(kw):
        kva = max(reactive.rating_kva, float(most_kw[t]))
        for k in range(CORNERS):
            angle = (k + 0.5) * step
            cosine, sine = math.cos(angle), math.sin(angle)
            rows.add(
                [
                    *((column, cosine * value) for column, value in terms),
                    (int(kvar.given[t]), sine),
                    (int(kvar.drawn[t]), -sine),
                ],
                upper=kva * math.cos(step / 2.0) - cosine * float(fixed_kw[t]),
            )


def volt_var_kvar(reactive: Reactive, v_pu: FloatArray, kw: FloatArray) -> FloatArray:
    """What the curve gives at `v_pu` (T,), cut where `kw` (T,) leave no room in the kVA."""
    volts, kvars = zip(*reactive.volt_var, strict=True)
    wanted = np.interp(v_pu, volts, kvars)
    room = np.sqrt(np.maximum(reactive.rating_kva**2 - kw**2, 0.0))
    found: FloatArray = np.clip(wanted, -room, room)
    return found
