"""Status to quality, which time is trusted, which number is it."""

from __future__ import annotations

from datetime import UTC

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from gridctl.model.measurement import (
    Flag,
    Measurement,
    Origin,
    Point,
    PointKind,
    TimeQuality,
    Validity,
)
from gridctl.model.quantity import Phase, Unit
from protocols.driver import PointAddress
from protocols.opcua.codec import (
    FLAGS,
    SUBSTITUTED,
    bare,
    is_bad,
    lost,
    measurement_of,
    quality_of,
    status_name,
    unreadable,
    variant_of,
)
from protocols.opcua.wire import Sample, decode_read

ROW = PointAddress(
    point=Point(
        mrid="P",
        name="P",
        equipment="E",
        kind=PointKind.ANALOG,
        unit=Unit.KW,
        phase=Phase.NONE,
        scan_s=1.0,
    ),
    link="DER",
    address="nsu=urn:x;s=P",
    command="",
    lease="",
    scale=0.5,
    offset=10.0,
    deadband=0.0,
    min_value=None,
    max_value=None,
    file="points.csv",
    line=2,
)
DOUBLE = ua.VariantType.Double


def at(seconds: float) -> ua.DateTime:
    return ua.DateTime.fromtimestamp(seconds, tz=UTC)


def sample(value: ua.DataValue) -> Sample:
    """The value as it comes off the wire."""
    (found,) = decode_read(struct_to_binary(ua.ReadResponse(Results=[value])))
    return found


def measured(
    value: ua.DataValue, last: Measurement | None = None, element: tuple[int, ...] = ()
) -> Measurement:
    return measurement_of(ROW, sample(value), element=element, last=last, received_s=1000.0)


@pytest.mark.parametrize(
    ("name", "validity", "flags", "origin"),
    MAPPING := [
        ("Good", Validity.GOOD, set(), Origin.PROCESS),
        ("GoodLocalOverride", Validity.GOOD, set(), Origin.SUBSTITUTED),
        ("GoodClamped", Validity.GOOD, {Flag.LIMITED}, Origin.PROCESS),
        ("UncertainLastUsableValue", Validity.QUESTIONABLE, {Flag.STALE}, Origin.PROCESS),
        (
            "UncertainEngineeringUnitsExceeded",
            Validity.QUESTIONABLE,
            {Flag.OUT_OF_RANGE},
            Origin.PROCESS,
        ),
        ("UncertainSubNormal", Validity.QUESTIONABLE, {Flag.INCONSISTENT}, Origin.PROCESS),
        ("UncertainSubstituteValue", Validity.QUESTIONABLE, set(), Origin.SUBSTITUTED),
        ("BadNoCommunication", Validity.INVALID, {Flag.COMM_LOST}, Origin.PROCESS),
        ("BadNotConnected", Validity.INVALID, {Flag.COMM_LOST}, Origin.PROCESS),
        ("BadDeviceFailure", Validity.INVALID, {Flag.DEVICE_FAILURE}, Origin.PROCESS),
        ("BadSensorFailure", Validity.INVALID, {Flag.DEVICE_FAILURE}, Origin.PROCESS),
        ("BadOutOfService", Validity.INVALID, {Flag.BLOCKED}, Origin.PROCESS),
        ("BadWaitingForInitialData", Validity.INVALID, {Flag.INITIAL}, Origin.PROCESS),
        ("BadNodeIdUnknown", Validity.INVALID, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("BadUserAccessDenied", Validity.INVALID, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("BadCommunicationError", Validity.INVALID, {Flag.COMM_LOST}, Origin.PROCESS),
        ("BadServerNotConnected", Validity.INVALID, {Flag.COMM_LOST}, Origin.PROCESS),
        (
            "UncertainNoCommunicationLastUsableValue",
            Validity.QUESTIONABLE,
            {Flag.STALE, Flag.COMM_LOST},
            Origin.PROCESS,
        ),
        ("UncertainDataSubNormal", Validity.QUESTIONABLE, {Flag.INCONSISTENT}, Origin.PROCESS),
        ("UncertainSensorNotAccurate", Validity.QUESTIONABLE, {Flag.BAD_REFERENCE}, Origin.PROCESS),
        ("UncertainSensorCalibration", Validity.QUESTIONABLE, {Flag.BAD_REFERENCE}, Origin.PROCESS),
        ("UncertainInitialValue", Validity.QUESTIONABLE, {Flag.INITIAL}, Origin.PROCESS),
        ("UncertainConfigurationError", Validity.QUESTIONABLE, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("UncertainSimulatedValue", Validity.QUESTIONABLE, set(), Origin.SUBSTITUTED),
        ("UncertainTransducerInManual", Validity.QUESTIONABLE, set(), Origin.SUBSTITUTED),
        ("BadOutOfRange", Validity.INVALID, {Flag.OUT_OF_RANGE}, Origin.PROCESS),
        ("BadDataLost", Validity.INVALID, {Flag.DATA_LOSS}, Origin.PROCESS),
        ("BadNodeIdInvalid", Validity.INVALID, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("BadAttributeIdInvalid", Validity.INVALID, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("BadNotReadable", Validity.INVALID, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("BadNotSupported", Validity.INVALID, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("BadTypeMismatch", Validity.INVALID, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("BadConfigurationError", Validity.INVALID, {Flag.CONFIG_ERROR}, Origin.PROCESS),
        ("BadUnexpectedError", Validity.INVALID, set(), Origin.PROCESS),
    ],
)
def test_status_becomes_quality(
    name: str, validity: Validity, flags: set[Flag], origin: Origin
) -> None:
    quality = quality_of(getattr(StatusCodes, name))
    assert (quality.validity, set(quality.flags), quality.origin) == (validity, flags, origin)
    assert quality.native == name


def test_no_entry_of_the_table_is_untested() -> None:
    assert {*FLAGS, *SUBSTITUTED} <= {name for name, *_ in MAPPING}


@pytest.mark.parametrize("limit", [0x100, 0x200, 0x300], ids=["low", "high", "constant"])
def test_each_limit_bit_is_kept_verbatim(limit: int) -> None:
    quality = quality_of(0x0000_0400 | limit)
    assert quality.flags == {Flag.LIMITED}
    assert quality.is_good
    assert quality.native == f"Good (0x{0x400 | limit:08X})"


def test_info_bits_become_flags() -> None:
    assert Flag.DATA_LOSS in quality_of(0x0000_0480).flags
    assert Flag.LIMITED in quality_of(0x0000_0600).flags
    assert quality_of(0x0000_0480).native == "Good (0x00000480)"
    assert quality_of(0x0000_0080).flags == frozenset()  # not marked as DataValue info bits


def test_unknown_and_reserved_codes_keep_their_severity() -> None:
    assert quality_of(0x8FFF_0000).validity is Validity.INVALID
    assert quality_of(0xC000_0000).validity is Validity.INVALID
    assert quality_of(0x4FFF_0000).validity is Validity.QUESTIONABLE
    assert status_name(0x8FFF_0000) == "0x8FFF0000"


@given(st.integers(min_value=0, max_value=0xFFFF_FFFF))
def test_no_code_is_better_than_its_severity(code: int) -> None:
    quality = quality_of(code)
    assert quality.native
    assert quality.is_good == (code >> 30 == 0)
    assert is_bad(code) == (quality.validity is Validity.INVALID)


def test_scale_offset_and_source_time() -> None:
    value = ua.DataValue(
        ua.Variant(4.0, DOUBLE), SourceTimestamp=at(900.5), ServerTimestamp=at(901.0)
    )
    found = measured(value)
    assert (found.value, found.source_time_s) == (12.0, 900.5)
    assert found.time_quality is TimeQuality.SYNCHRONIZED
    assert found.received_time_s == 1000.0


def test_time_falls_back_to_server_then_receipt() -> None:
    server = measured(ua.DataValue(ua.Variant(4.0, DOUBLE), ServerTimestamp=at(901.0)))
    assert (server.source_time_s, server.time_quality) == (901.0, TimeQuality.UNSYNCHRONIZED)
    none = measured(ua.DataValue(ua.Variant(4.0, DOUBLE)))
    assert (none.source_time_s, none.time_quality) == (1000.0, TimeQuality.RECEIVED)


def test_bad_status_keeps_the_last_value_but_not_its_quality() -> None:
    before = measured(ua.DataValue(ua.Variant(4.0, DOUBLE)))
    bad = ua.DataValue(StatusCode=ua.StatusCode(ua.UInt32(StatusCodes.BadSensorFailure)))
    found = measured(bad, before)
    assert found.value == 12.0
    assert found.quality.validity is Validity.INVALID
    assert measured(bad).value == 0.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "twelve", None, [1.0, 2.0]])
def test_good_status_without_a_number_is_not_good(value: object) -> None:
    found = measured(ua.DataValue(ua.Variant(value)))
    assert found.quality.validity is Validity.INVALID
    assert Flag.CONFIG_ERROR in found.quality.flags
    assert found.value == 0.0


@pytest.mark.parametrize(
    ("value", "expected"), [(True, 10.5), (False, 10.0), (7, 13.5), ("seven", None)]
)
def test_booleans_and_integers_are_numbers(value: object, expected: float | None) -> None:
    found = measured(ua.DataValue(ua.Variant(value)))
    if expected is None:
        assert not found.quality.is_good
    else:
        assert (found.value, found.quality.is_good) == (expected, True)


def test_lost_keeps_value_and_source_time() -> None:
    before = measured(ua.DataValue(ua.Variant(4.0, DOUBLE), SourceTimestamp=at(900.5)))
    found = lost(ROW, before, received_s=1010.0)
    assert (found.value, found.source_time_s, found.received_time_s) == (12.0, 900.5, 1010.0)
    assert found.quality.validity is Validity.QUESTIONABLE
    assert Flag.COMM_LOST in found.quality.flags
    assert lost(ROW, None, received_s=1.0).quality.validity is Validity.INVALID


def test_unreadable_is_a_configuration_error_with_the_servers_word() -> None:
    found = unreadable(ROW, StatusCodes.BadNodeIdUnknown, None, received_s=1.0)
    assert found.quality.validity is Validity.INVALID
    assert Flag.CONFIG_ERROR in found.quality.flags
    assert found.quality.native == "BadNodeIdUnknown"


@pytest.mark.parametrize(
    ("wire", "kind", "value"),
    [
        (2.5, ua.VariantType.Double, 2.5),
        (2.5, ua.VariantType.Float, 2.5),
        (3.0, ua.VariantType.Int16, 3),
        (1.0, ua.VariantType.Boolean, True),
        (2.5, ua.VariantType.Int32, None),
        (70_000.0, ua.VariantType.UInt16, None),
        (-1.0, ua.VariantType.UInt32, None),
        (2.0, ua.VariantType.Boolean, None),
        (1.0, ua.VariantType.String, None),
    ],
)
def test_a_command_is_written_in_the_nodes_type_and_never_rounded(
    wire: float, kind: ua.VariantType, value: object
) -> None:
    found = variant_of(wire, kind)
    if value is None:
        assert found is None
    else:
        assert found is not None
        assert (found.Value, found.VariantType) == (value, kind)


def test_written_values_carry_neither_time_nor_status() -> None:
    value = bare(ua.Variant(1.0, DOUBLE))
    assert (value.StatusCode, value.SourceTimestamp, value.ServerTimestamp) == (None, None, None)
