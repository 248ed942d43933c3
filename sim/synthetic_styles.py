"""What streets and wires look like, by style: the figures of the synthetic feeders.

Our own choice, in the range of usual conductor tables (ACSR at 50 °C, aluminium cable at 20 °C) and
of what such feeders are built of; no utility's data.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Style(StrEnum):
    """Kinds of feeder that can be made."""

    URBAN = "urban"
    RURAL = "rural"
    EUROPEAN_LV = "european-lv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conductor:
    """Sequence impedances in ohm per km, susceptance in microsiemens per km, rating in A."""

    rating_a: float
    r1: float
    x1: float
    r0: float
    x0: float
    b1: float
    b0: float


def _overhead(rating_a: float, r1: float, x1: float) -> Conductor:
    # An earth return adds about 0.3 ohm/km of resistance and three times the reactance.
    return Conductor(
        rating_a=rating_a, r1=r1, x1=x1, r0=r1 + 0.32, x0=3.0 * x1 + 0.05, b1=4.1, b0=1.9
    )


OVERHEAD: Final = (
    _overhead(140, 1.66, 0.50),
    _overhead(180, 1.05, 0.49),
    _overhead(230, 0.70, 0.47),
    _overhead(340, 0.37, 0.43),
    _overhead(530, 0.19, 0.39),
    _overhead(900, 0.081, 0.36),
)
"""ACSR #4, #2, 1/0, 4/0, 336.4 and 795 kcmil."""
MV_CABLE: Final = (
    Conductor(rating_a=230, r1=0.32, x1=0.125, r0=1.1, x0=0.5, b1=72, b0=72),
    Conductor(rating_a=319, r1=0.206, x1=0.116, r0=0.95, x0=0.45, b1=80, b0=80),
    Conductor(rating_a=417, r1=0.125, x1=0.105, r0=0.85, x0=0.40, b1=94, b0=94),
    Conductor(rating_a=900, r1=0.06, x1=0.095, r0=0.7, x0=0.35, b1=120, b0=120),
)
"""Aluminium, 95, 150, 240 mm² and two of these side by side."""
LV_MAIN: Final = Conductor(rating_a=275, r1=0.206, x1=0.080, r0=0.82, x0=0.32, b1=0.0, b0=0.0)
LV_SERVICE: Final = Conductor(rating_a=123, r1=0.868, x1=0.085, r0=3.4, x0=0.34, b1=0.0, b0=0.0)
TRIPLEX: Final = Conductor(rating_a=200, r1=0.55, x1=0.12, r0=1.05, x0=0.52, b1=0.0, b0=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a style is built. Lengths in metres (from, to); `phase_shares` of laterals with one, two
    and three phases; `drop_max` is what the medium voltage may lose from head to end, pu, without
    its regulators."""

    kv: float
    frequency_hz: float
    conductors: tuple[Conductor, ...]
    span_m: tuple[float, float]
    lateral_nodes: tuple[int, int]
    phase_shares: tuple[float, float, float]
    customers: tuple[int, int]
    customer_kw: tuple[float, float]
    service_kva: tuple[float, ...]
    drop_m: tuple[float, float]
    line_regulators: int
    drop_max: float


SHAPES: Final = {
    Style.URBAN: Shape(
        kv=12.47, frequency_hz=60.0, conductors=OVERHEAD, span_m=(40.0, 90.0),
        lateral_nodes=(3, 12), phase_shares=(0.55, 0.15, 0.30), customers=(3, 8),
        customer_kw=(1.2, 4.5), service_kva=(25.0, 37.5, 50.0, 75.0, 100.0), drop_m=(15.0, 40.0),
        line_regulators=0, drop_max=0.045,
    ),
    Style.RURAL: Shape(
        kv=24.9, frequency_hz=60.0, conductors=OVERHEAD, span_m=(200.0, 700.0),
        lateral_nodes=(4, 18), phase_shares=(0.75, 0.10, 0.15), customers=(1, 3),
        customer_kw=(1.5, 6.0), service_kva=(10.0, 15.0, 25.0, 37.5, 50.0), drop_m=(20.0, 60.0),
        line_regulators=2, drop_max=0.09,
    ),
    Style.EUROPEAN_LV: Shape(
        kv=20.0, frequency_hz=50.0, conductors=MV_CABLE, span_m=(200.0, 600.0),
        lateral_nodes=(1, 3), phase_shares=(0.0, 0.0, 1.0), customers=(20, 60),
        customer_kw=(0.6, 2.4), service_kva=(250.0, 400.0, 630.0), drop_m=(20.0, 45.0),
        line_regulators=0, drop_max=0.03,
    ),
}  # fmt: skip
