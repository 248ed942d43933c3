"""What attributes of a server's nodes mean, in our words: kinds, types, ranges, units, texts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum
from typing import Final

from asyncua import ua

from gridctl.model.measurement import PointKind
from gridctl.model.quantity import Unit
from protocols.opcua.codec import number_of
from protocols.opcua.wire import Sample

_TEXT_MAX: Final = 80
_BUILT_IN_MAX: Final = 25
_UNITS: Final[Mapping[str, Unit]] = {
    "KWT": Unit.KW,
    "KVR": Unit.KVAR,
    "KWH": Unit.KWH,
    "AMP": Unit.AMPERE,
    "P1": Unit.PERCENT,
    "CEL": Unit.DEGREE_C,
    "D54": Unit.W_PER_M2,
    "SEC": Unit.SECOND,
}
"""UNECE Recommendation 20 common codes of our units (OPC 10000-8 §5.6.4.3)."""
_TEXTS: Final[Mapping[str, Unit]] = {
    "kw": Unit.KW,
    "kvar": Unit.KVAR,
    "kwh": Unit.KWH,
    "kw·h": Unit.KWH,
    "a": Unit.AMPERE,
    "%": Unit.PERCENT,
    "°c": Unit.DEGREE_C,
    "degc": Unit.DEGREE_C,
    "w/m²": Unit.W_PER_M2,
    "w/m2": Unit.W_PER_M2,
    "s": Unit.SECOND,
    "pu": Unit.VOLT_PU,
    "p.u.": Unit.VOLT_PU,
}


def kind_of(sample: Sample, enumeration: str) -> PointKind | None:
    """What kind of point a value makes; None where it is no number."""
    if number_of(sample.value) is None:
        return None
    discrete = isinstance(sample.value, bool) or bool(enumeration)
    return PointKind.DISCRETE if discrete else PointKind.ANALOG


def type_name(data_type: object, sample: Sample) -> str:
    """The built-in type by its name; a type of the server's own by what its values are sent as."""
    name = ""
    if isinstance(data_type, ua.NodeId) and data_type.NamespaceIndex == 0:
        identifier = data_type.Identifier
        if isinstance(identifier, int) and 0 < identifier <= _BUILT_IN_MAX:
            name = ua.VariantType(identifier).name
    if not name:
        name = ua.VariantType(sample.kind).name if sample.kind in _KINDS else ""
    return f"{name}[]" if isinstance(sample.value, list) else name


_KINDS: Final = frozenset(int(one.value) for one in ua.VariantType)


def range_of(value: object) -> tuple[float | None, float | None]:
    """Low and high of an EURange that is one."""
    if not isinstance(value, ua.Range):
        return None, None
    low, high = float(value.Low), float(value.High)
    return (low, high) if low < high else (None, None)


def unit_of(value: object) -> tuple[Unit | None, str]:
    """Our unit, and the server's word for it. The code is three letters packed into a number."""
    if not isinstance(value, ua.EUInformation):
        return None, ""
    text = str(value.DisplayName.Text or "")
    code = int(value.UnitId)
    letters = code.to_bytes(4, "big").strip(b"\0").decode("ascii", "replace") if code > 0 else ""
    return _UNITS.get(letters) or _TEXTS.get(text.strip().lower()), text


def words_of(properties: Mapping[str, object]) -> str:
    """What the numbers of an enumeration mean: `0 Off, 1 On`; "" for what is none."""
    strings, values = properties.get("EnumStrings"), properties.get("EnumValues")
    if isinstance(strings, list):
        return ", ".join(f"{at} {getattr(one, 'Text', one)}" for at, one in enumerate(strings))
    if isinstance(values, list):
        pairs = [(one.Value, one.DisplayName.Text) for one in values if hasattr(one, "DisplayName")]
        return ", ".join(f"{number} {text}" for number, text in pairs)
    if "TrueState" in properties or "FalseState" in properties:
        off, on = (getattr(properties.get(n), "Text", "?") for n in ("FalseState", "TrueState"))
        return f"0 {off}, 1 {on}"
    return ""


def arguments_of(sample: Sample | None) -> str:
    """The arguments of a method, `name: type`."""
    if sample is None or not isinstance(sample.value, list):
        return ""
    return ", ".join(
        f"{getattr(one, 'Name', '?')}: {type_name(getattr(one, 'DataType', None), _EMPTY)}"
        for one in sample.value
    )


_EMPTY: Final = Sample(handle=0, kind=0, value=None, status=0, source_ticks=0, server_ticks=0)


_ENUMERATIONS: Final[Mapping[str, type[IntEnum]]] = {
    "state": ua.ServerState,
    "redundancy": ua.RedundancySupport,
}


def word_of(name: str, value: object) -> str:
    """An attribute of the server, enumerations by name."""
    kind = _ENUMERATIONS.get(name)
    if kind is not None and value in {one.value for one in kind}:
        return kind(value).name.rstrip("_")
    return text_of(value)


def text_of(value: object) -> str:
    """A value in a line of words."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    text = str(getattr(value, "Text", value)) if value is not None else ""
    return text if len(text) <= _TEXT_MAX else text[: _TEXT_MAX - 1] + "…"


def offer_of(endpoint: ua.EndpointDescription) -> str:
    """Policy and mode of an endpoint."""
    policy = str(endpoint.SecurityPolicyUri).rpartition("#")[2]
    return f"{policy} {endpoint.SecurityMode.name.rstrip('_')}"
