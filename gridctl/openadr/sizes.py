"""How many kilowatts a payload is worth that names none: its program says so, or nothing moves.

A level, a price, an offset or an alert has no size of its own, and nothing that moves power has a
default. A program gives the sizes in its attributes:

- GRIDCTL_SIMPLE_KW: three numbers, the reductions of the levels 1, 2 and 3 of SIMPLE.
- GRIDCTL_KW_OF_ and the payload's type: points {x, y} of a line, x the payload's value and y the
  reduction; between two points it is straight, beyond the ends it stays. For an alert, whose value
  is a text, one number: the reduction while it is on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from gridctl.openadr.wire import XY, ProgramRequest, ValuesMap

SIMPLE: Final = "SIMPLE"
SIMPLE_KW: Final = "GRIDCTL_SIMPLE_KW"
SIMPLE_LEVELS: Final = 3
KW_OF: Final = "GRIDCTL_KW_OF_"
LINES: Final = (
    "DISPATCH_SETPOINT",
    "PRICE",
    "PRICE_ALTERNATE",
    "GHG",
    "CONTROL_SETPOINT",
    "CONTROL_LEVEL_OFFSET",
    "CONTROL_LEVEL_OFFSET_PERCENT",
    "CHARGE_STATE_SETPOINT",
)
"""Types whose value is a number that a line turns into a reduction."""
ALERTS: Final = (
    "ALERT_GRID_EMERGENCY",
    "ALERT_BLACK_START",
    "ALERT_POSSIBLE_OUTAGE",
    "ALERT_FLEX_ALERT",
    "ALERT_FIRE",
    "ALERT_FREEZING",
    "ALERT_WIND",
    "ALERT_TSUNAMI",
    "ALERT_AIR_QUALITY",
    "ALERT_OTHER",
)
SIZED: Final = (SIMPLE, *LINES, *ALERTS)
"""Types that are acted on where the program gives them a size."""


class NothingToDoError(ValueError):
    """Why a payload asks nothing, in words."""


def has_size(type_: str, program: ProgramRequest) -> bool:
    """Whether `program` says how much `type_` is worth."""
    return bool(_attributes(type_, program))


def attribute(type_: str) -> str:
    """The attribute of a program that sizes `type_`."""
    return SIMPLE_KW if type_ == SIMPLE else KW_OF + type_


def sized_kw(payload: ValuesMap, program: ProgramRequest) -> float:
    """The reduction, kW, that `payload` asks for by its program. Raises NothingToDoError."""
    found = _attributes(payload.type, program)
    if len(found) != 1:
        raise NothingToDoError(
            f"{payload.type}: the program has no attribute {attribute(payload.type)} that says how "
            "many kW it is worth"
        )
    (values,) = found
    if payload.type == SIMPLE:
        return _level_kw(number(payload), values)
    if payload.type in ALERTS:
        size = ValuesMap.model_construct(type=attribute(payload.type), values=values)
        return positive(size)
    return _on_line(number(payload), _points(attribute(payload.type), values))


def number(payload: ValuesMap) -> float:
    """The one number of a payload. Raises NothingToDoError."""
    value = payload.values[0] if len(payload.values) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NothingToDoError(f"{payload.type} needs exactly one number")
    return float(value)


def positive(payload: ValuesMap) -> float:
    """The one number of a payload, which is not negative. Raises NothingToDoError."""
    value = number(payload)
    if value < 0:
        raise NothingToDoError(
            f"{payload.type} is negative: the amount of a reduction is a positive number"
        )
    return value


def _attributes(type_: str, program: ProgramRequest) -> list[Sequence[object]]:
    wanted = attribute(type_)
    return [one.values for one in program.attributes or () if one.type == wanted]


def _level_kw(level: float, steps: Sequence[object]) -> float:
    if level not in range(SIMPLE_LEVELS + 1):
        raise NothingToDoError(f"SIMPLE {level:g}: levels are 0 to {SIMPLE_LEVELS}")
    if level == 0:
        return 0.0
    if len(steps) != SIMPLE_LEVELS:
        raise NothingToDoError(f"{SIMPLE_KW} needs {SIMPLE_LEVELS} numbers, kW of level 1 to 3")
    kw = [positive(ValuesMap.model_construct(type=SIMPLE_KW, values=[step])) for step in steps]
    if kw != sorted(kw):
        raise NothingToDoError(f"{SIMPLE_KW}: a higher level may not be a smaller reduction")
    return kw[int(level) - 1]


def _points(name: str, values: Sequence[object]) -> list[tuple[float, float]]:
    points = [(float(one.x), float(one.y)) for one in values if isinstance(one, XY)]
    if not points or len(points) != len(values):
        raise NothingToDoError(f"{name} needs points with x and y")
    if any(first[0] >= second[0] for first, second in pairwise(points)):
        raise NothingToDoError(f"{name}: every x is greater than the one before")
    if any(y < 0 for _, y in points):
        raise NothingToDoError(f"{name}: a reduction is a positive number")
    return points


def _on_line(x: float, points: Sequence[tuple[float, float]]) -> float:
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]
