"""The zero sequence of a pandapower transformer, where its file has one.

A delta-star transformer is a way to earth for whatever its star side returns: the leakage to the
star, behind it the leakage to the delta beside the magnetising impedance of the zero sequence
(pandapower's T). `mag0_percent` is a ratio in files of pandapower 2, percent in those of 3.
"""

from __future__ import annotations

from collections.abc import Callable
from math import hypot, sqrt

from sim.feeder_import.net_file import Row

Figures = Callable[..., float]


def has_zero_sequence(row: Row) -> bool:
    """Whether the file says more of it than of the positive one."""
    return bool(row.get("vk0_percent"))


def star_admittance(row: Row, of: Figures, base_ohm: float, *, in_percent: bool) -> complex:
    """Siemens to earth of each phase on the star side when all phases are lifted together.

    `base_ohm`: the rated impedance on that side, of all parallel transformers together.
    `in_percent`: what `mag0_percent` is.
    """
    vk, vkr = of("vk0_percent"), of("vkr0_percent", 0.0) or of("vkr_percent", 0.0)
    bare = complex(vkr, sqrt(max(vk**2 - vkr**2, 0.0))) / 100.0 * base_ohm
    neutral = complex(of("rn_ohm", 0.0), of("xn_ohm", 0.0))
    leakage = bare + 3.0 * neutral
    share, percent = row.get("si0_hv_partial"), row.get("mag0_percent")
    if share is None or not percent:
        return 1.0 / leakage
    r_to_x = of("mag0_rx", 0.0)
    x_ohm = abs(bare) * float(percent) / (100.0 if in_percent else 1.0) / hypot(r_to_x, 1.0)
    magnetising = complex(x_ohm * r_to_x, x_ohm)
    to_delta = float(share) * leakage
    inner = to_delta * magnetising / (to_delta + magnetising)
    return 1.0 / ((1.0 - float(share)) * leakage + inner)


def of_positive(ohm: complex, iron_siemens: complex) -> complex:
    """The same of a transformer whose leakage `ohm` holds for all sequences, its iron amid it."""
    if iron_siemens == 0.0:
        return 1.0 / ohm
    half = ohm / 2.0
    return 1.0 / (half + 1.0 / (1.0 / half + iron_siemens))
