"""Sample → Measurement: StatusCode → Quality, which time to trust, which number it is.

The mapping is the table of the design paper (opcua.md §6); the server's own word stays verbatim in
`Quality.native`. OPC 10000-4 §7.39 (StatusCode) and §7.11 (DataValue).
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final

from asyncua import ua
from asyncua.ua.status_codes import code_to_name_doc

from gridctl.model.measurement import (
    Flag,
    Measurement,
    Origin,
    Quality,
    TimeQuality,
    Validity,
)
from protocols.driver import PointAddress
from protocols.opcua.addresses import Identifier
from protocols.opcua.wire import Sample, seconds_of

_SEVERITY_MASK: Final = 0xC000_0000
_UNCERTAIN: Final = 0x4000_0000
_CODE_MASK: Final = 0xFFFF_0000
_INFO_MASK: Final = 0x0000_0C00
_INFO_DATA_VALUE: Final = 0x0000_0400
_LIMIT_MASK: Final = 0x0000_0300
_OVERFLOW: Final = 0x0000_0080

FLAGS: Final[Mapping[str, frozenset[Flag]]] = {
    "GoodClamped": frozenset({Flag.LIMITED}),
    "UncertainLastUsableValue": frozenset({Flag.STALE}),
    "UncertainNoCommunicationLastUsableValue": frozenset({Flag.STALE, Flag.COMM_LOST}),
    "UncertainEngineeringUnitsExceeded": frozenset({Flag.OUT_OF_RANGE}),
    "UncertainSubNormal": frozenset({Flag.INCONSISTENT}),
    "UncertainDataSubNormal": frozenset({Flag.INCONSISTENT}),
    "UncertainSensorNotAccurate": frozenset({Flag.BAD_REFERENCE}),
    "UncertainSensorCalibration": frozenset({Flag.BAD_REFERENCE}),
    "UncertainInitialValue": frozenset({Flag.INITIAL}),
    "UncertainConfigurationError": frozenset({Flag.CONFIG_ERROR}),
    "BadNotConnected": frozenset({Flag.COMM_LOST}),
    "BadNoCommunication": frozenset({Flag.COMM_LOST}),
    "BadCommunicationError": frozenset({Flag.COMM_LOST}),
    "BadServerNotConnected": frozenset({Flag.COMM_LOST}),
    "BadDeviceFailure": frozenset({Flag.DEVICE_FAILURE}),
    "BadSensorFailure": frozenset({Flag.DEVICE_FAILURE}),
    "BadOutOfService": frozenset({Flag.BLOCKED}),
    "BadWaitingForInitialData": frozenset({Flag.INITIAL}),
    "BadOutOfRange": frozenset({Flag.OUT_OF_RANGE}),
    "BadDataLost": frozenset({Flag.DATA_LOSS}),
    "BadNodeIdUnknown": frozenset({Flag.CONFIG_ERROR}),
    "BadNodeIdInvalid": frozenset({Flag.CONFIG_ERROR}),
    "BadAttributeIdInvalid": frozenset({Flag.CONFIG_ERROR}),
    "BadUserAccessDenied": frozenset({Flag.CONFIG_ERROR}),
    "BadNotReadable": frozenset({Flag.CONFIG_ERROR}),
    "BadNotSupported": frozenset({Flag.CONFIG_ERROR}),
    "BadTypeMismatch": frozenset({Flag.CONFIG_ERROR}),
    "BadConfigurationError": frozenset({Flag.CONFIG_ERROR}),
}
SUBSTITUTED: Final = frozenset(
    {
        "GoodLocalOverride",
        "UncertainSubstituteValue",
        "UncertainSimulatedValue",
        "UncertainTransducerInManual",
    }
)


def node_id(identifier: Identifier, namespace: int = 0) -> ua.NodeId:
    """A node id in asyncua's own number types."""
    index = ua.Int16(namespace)
    match identifier:
        case int():
            return ua.NodeId(ua.Int32(identifier), index)
        case uuid.UUID():
            return ua.NodeId(identifier, index, ua.NodeIdType.Guid)  # type: ignore[arg-type]
        case bytes():
            return ua.NodeId(ua.ByteString(identifier), index, ua.NodeIdType.ByteString)
        case _:
            return ua.NodeId(ua.String(identifier), index)


def status_name(code: int) -> str:
    """The standard's name of a status code; info bits or an unknown code are added in hex."""
    known = code_to_name_doc.get(code & _CODE_MASK)
    if known is None:
        return f"0x{code:08X}"
    return known[0] if not code & ~_CODE_MASK else f"{known[0]} (0x{code:08X})"


@lru_cache(maxsize=1024)
def quality_of(code: int) -> Quality:
    """IEC 61850 quality of an OPC UA status code, `native` being the code's own name."""
    known = code_to_name_doc.get(code & _CODE_MASK)
    name = known[0] if known is not None else ""
    match code & _SEVERITY_MASK:
        case 0:
            validity = Validity.GOOD
        case 0x4000_0000:
            validity = Validity.QUESTIONABLE
        case _:  # Bad, and the reserved severity, which clients must treat as Bad
            validity = Validity.INVALID
    flags = FLAGS.get(name, frozenset())
    if code & _INFO_MASK == _INFO_DATA_VALUE:
        if code & _LIMIT_MASK:
            flags |= {Flag.LIMITED}
        if code & _OVERFLOW:
            flags |= {Flag.DATA_LOSS}
    origin = Origin.SUBSTITUTED if name in SUBSTITUTED else Origin.PROCESS
    return Quality(validity=validity, origin=origin, flags=flags, native=status_name(code))


def is_bad(code: int) -> bool:
    """Whether the severity is Bad (or the reserved one)."""
    return code & _SEVERITY_MASK not in (0, _UNCERTAIN)


def measurement_of(
    row: PointAddress,
    sample: Sample,
    *,
    element: tuple[int, ...] = (),
    last: Measurement | None,
    received_s: float,
) -> Measurement:
    """`sample` in the point's unit, with quality and time.

    A number that the server does not give (Bad status, no number, not finite) is the last known
    one, or 0 when there was none; its quality is then INVALID. Source time, else the server's,
    else the time of receipt, `time_quality` saying which (opcua.md §1: open62541 and node-opcua
    answer reads without a server time). All times in grid seconds.
    """
    quality = quality_of(sample.status)
    value = sample.value
    # The way of nearly all values first: a finite float of a single point.
    wire = value if type(value) is float and value - value == 0.0 else number_of(value, element)
    if wire is None:
        engineering = last.value if last is not None else 0.0
        if not is_bad(sample.status):
            quality = quality.degraded(Flag.CONFIG_ERROR, Validity.INVALID)
    else:
        engineering = wire * row.scale + row.offset
    if sample.source_ticks:
        source_s, time_quality = seconds_of(sample.source_ticks), TimeQuality.SYNCHRONIZED
    elif sample.server_ticks:
        source_s, time_quality = seconds_of(sample.server_ticks), TimeQuality.UNSYNCHRONIZED
    else:
        source_s, time_quality = received_s, TimeQuality.RECEIVED
    return Measurement(
        point=row.point.mrid,
        value=engineering,
        quality=quality,
        source_time_s=source_s,
        time_quality=time_quality,
        received_time_s=received_s,
    )


def no_number(sample: Sample, element: tuple[int, ...]) -> str | None:
    """Why a sample that is not bad holds no number, in words; None when it does, or is bad."""
    value = sample.value
    if is_bad(sample.status) or number_of(value, element) is not None:
        return None
    match value:
        case None:
            return "holds no value"
        case float():
            return "holds a number that is not finite"
        case str() | bytes() | ua.LocalizedText():
            return "holds text, a point is a number"
        case list() if element:
            return f"holds an array without an element {','.join(str(i) for i in element)}"
        case list():
            return "holds an array: name the element, range=<i>;nsu=…"
        case _:
            return f"holds a structure ({type(value).__name__}): read its members as nodes"


def lost(row: PointAddress, last: Measurement | None, *, received_s: float) -> Measurement:
    """The last known value when the link is lost: questionable, or invalid when there was none."""
    if last is None:
        quality = Quality(
            validity=Validity.INVALID, flags=frozenset({Flag.INITIAL, Flag.COMM_LOST})
        )
        return Measurement(
            point=row.point.mrid,
            value=0.0,
            quality=quality,
            source_time_s=received_s,
            time_quality=TimeQuality.RECEIVED,
            received_time_s=received_s,
        )
    return replace(last, quality=last.quality.degraded(Flag.COMM_LOST), received_time_s=received_s)


def unreadable(
    row: PointAddress, code: int, last: Measurement | None, *, received_s: float
) -> Measurement:
    """A point that the server does not let us read: the points file and the server disagree."""
    return Measurement(
        point=row.point.mrid,
        value=last.value if last is not None else 0.0,
        quality=quality_of(code).degraded(Flag.CONFIG_ERROR, Validity.INVALID),
        source_time_s=received_s,
        time_quality=TimeQuality.RECEIVED,
        received_time_s=received_s,
    )


def number_of(value: object, element: tuple[int, ...] = ()) -> float | None:
    """The finite number that is meant, booleans and enumerations as integers; None for anything
    else. An array gives the element."""
    for index in element:
        if not isinstance(value, list) or index >= len(value):
            return None
        value = value[index]
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    return None


def alone(sample: Sample) -> Sample:
    """The sample of an element that the server picked: [[x]] as x."""
    value = sample.value
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return sample._replace(value=value)


_INTEGERS: Final[Mapping[ua.VariantType, tuple[int, int]]] = {
    ua.VariantType.SByte: (-(2**7), 2**7 - 1),
    ua.VariantType.Byte: (0, 2**8 - 1),
    ua.VariantType.Int16: (-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: (0, 2**16 - 1),
    ua.VariantType.Int32: (-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: (0, 2**32 - 1),
    ua.VariantType.Int64: (-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: (0, 2**64 - 1),
}


def variant_of(wire: float, kind: ua.VariantType) -> ua.Variant | None:
    """`wire` in the node's own type, for servers refuse any other (BadTypeMismatch).

    None when the type cannot hold the number exactly: a command is never rounded.
    """
    match kind:
        case ua.VariantType.Double | ua.VariantType.Float:
            return ua.Variant(float(wire), kind)
        case ua.VariantType.Boolean if wire in (0.0, 1.0):
            return ua.Variant(bool(wire), kind)
        case _ if kind in _INTEGERS and float(wire).is_integer():
            low, high = _INTEGERS[kind]
            return ua.Variant(int(wire), kind) if low <= wire <= high else None
        case _:
            return None


def bare(variant: ua.Variant) -> ua.DataValue:
    """A value to write: without status and timestamps, which many servers refuse to take
    (BadWriteNotSupported on open62541 and several PLCs, opcua.md §1)."""
    return ua.DataValue(variant, StatusCode=None)
