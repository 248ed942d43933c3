"""Units and phases. A number without a unit does not enter the model."""

from __future__ import annotations

from enum import StrEnum


class Unit(StrEnum):
    """Units of measurement; UNECE Rec 20 codes belong to the OPC UA codec, not here."""

    KW = "kW"
    KVAR = "kvar"
    KWH = "kWh"
    VOLT_PU = "pu"
    AMPERE = "A"
    PERCENT = "%"
    DEGREE_C = "degC"
    W_PER_M2 = "W/m2"
    SECOND = "s"
    COUNT = "count"
    STATE = "state"


class Phase(StrEnum):
    """Phase of a point; ABC for three-phase totals, NONE where a phase has no meaning."""

    A = "A"
    B = "B"
    C = "C"
    ABC = "ABC"
    NONE = ""
