"""Our decoder of values against asyncua's: the same bytes give the same samples."""

from __future__ import annotations

from datetime import UTC

import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from protocols.opcua.wire import (
    ITEMS_MAX,
    MalformedError,
    Sample,
    decode_publish,
    decode_read,
    seconds_of,
)

T = ua.VariantType
MOMENT = ua.DateTime(2026, 11, 27, 12, 30, 0, 250_000, tzinfo=UTC)
TICKS = round(MOMENT.timestamp() * 1e7) + 116_444_736_000_000_000

scalars = st.one_of(
    st.floats(allow_nan=False).map(lambda v: ua.Variant(v, T.Double)),
    st.floats(width=32, allow_nan=False).map(lambda v: ua.Variant(v, T.Float)),
    st.booleans().map(lambda v: ua.Variant(v, T.Boolean)),
    st.integers(-(2**63), 2**63 - 1).map(lambda v: ua.Variant(v, T.Int64)),
    st.integers(0, 2**64 - 1).map(lambda v: ua.Variant(v, T.UInt64)),
    st.integers(-(2**31), 2**31 - 1).map(lambda v: ua.Variant(v, T.Int32)),
    st.integers(0, 2**32 - 1).map(lambda v: ua.Variant(v, T.UInt32)),
    st.integers(-(2**15), 2**15 - 1).map(lambda v: ua.Variant(v, T.Int16)),
    st.integers(0, 2**16 - 1).map(lambda v: ua.Variant(v, T.UInt16)),
    st.integers(-128, 127).map(lambda v: ua.Variant(v, T.SByte)),
    st.integers(0, 255).map(lambda v: ua.Variant(v, T.Byte)),
    st.text(max_size=5).map(lambda v: ua.Variant(v, T.String)),
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=3).map(
        lambda v: ua.Variant(v, T.Double)
    ),
    st.just(None),
)
codes = st.sampled_from(
    [None, StatusCodes.Good, StatusCodes.BadSensorFailure, StatusCodes.UncertainSubNormal, 0x480]
)
moments = st.sampled_from([None, MOMENT])


@st.composite
def data_values(draw: st.DrawFn) -> ua.DataValue:
    code = draw(codes)
    source, server = draw(moments), draw(moments)
    # asyncua writes the server's time before the source's picoseconds, against the standard.
    fine = source is not None and server is None and draw(st.booleans())
    return ua.DataValue(
        draw(scalars),
        StatusCode=None if code is None else ua.StatusCode(ua.UInt32(code)),
        SourceTimestamp=source,
        ServerTimestamp=server,
        SourcePicoseconds=ua.UInt16(100) if fine else None,
        ServerPicoseconds=ua.UInt16(100) if server is not None and draw(st.booleans()) else None,
    )


def expected(handle: int, value: ua.DataValue) -> Sample:
    variant = value.Value
    return Sample(
        handle=handle,
        kind=0 if variant is None else variant.VariantType.value,
        value=None if variant is None else variant.Value,
        status=0 if value.StatusCode is None else value.StatusCode.value,
        source_ticks=TICKS if value.SourceTimestamp is not None else 0,
        server_ticks=TICKS if value.ServerTimestamp is not None else 0,
    )


def response(*notifications: object) -> ua.PublishResponse:
    made = ua.PublishResponse()
    made.Parameters.SubscriptionId = 77
    made.Parameters.AvailableSequenceNumbers = [8, 9]
    made.Parameters.NotificationMessage.SequenceNumber = 9
    made.Parameters.NotificationMessage.NotificationData = list(notifications)
    return made


def change(values: list[tuple[int, ua.DataValue]]) -> ua.DataChangeNotification:
    return ua.DataChangeNotification(
        MonitoredItems=[
            ua.MonitoredItemNotification(ClientHandle=ua.UInt32(h), Value=v) for h, v in values
        ]
    )


@given(st.lists(data_values(), max_size=40))
def test_publish_like_asyncua(values: list[ua.DataValue]) -> None:
    numbered = list(enumerate(values, start=1000))
    found = decode_publish(struct_to_binary(response(change(numbered), change(numbered[:3]))))
    assert list(found.samples) == [expected(*one) for one in [*numbered, *numbered[:3]]]
    assert (found.subscription, found.sequence, found.keepalive) == (77, 9, False)


@given(st.lists(data_values(), max_size=40))
def test_read_like_asyncua(values: list[ua.DataValue]) -> None:
    found = decode_read(struct_to_binary(ua.ReadResponse(Results=values)), first=7)
    assert found == [expected(place, one) for place, one in enumerate(values, start=7)]


def test_keepalive_end_and_events() -> None:
    keepalive = decode_publish(struct_to_binary(response()))
    assert keepalive.keepalive
    assert not keepalive.samples
    status = ua.StatusChangeNotification(Status=ua.StatusCode(ua.UInt32(StatusCodes.BadTimeout)))
    assert decode_publish(struct_to_binary(response(status))).ended == StatusCodes.BadTimeout
    fields = ua.EventFieldList(ClientHandle=ua.UInt32(5), EventFields=[ua.Variant("hot")])
    events = decode_publish(struct_to_binary(response(ua.EventNotificationList([fields])))).events
    assert [one.EventFields[0].Value for one in events] == ["hot"]


def test_header_with_diagnostics_is_left_to_asyncua() -> None:
    made = response(change([(1, ua.DataValue(ua.Variant(2.5, T.Double)))]))
    made.ResponseHeader.StringTable = ["why"]
    found = decode_publish(struct_to_binary(made))
    assert found.samples == [expected(1, ua.DataValue(ua.Variant(2.5, T.Double)))]
    read = ua.ReadResponse(Results=[ua.DataValue(ua.Variant(2.5, T.Double))])
    read.ResponseHeader.StringTable = ["why"]
    assert [one.value for one in decode_read(struct_to_binary(read))] == [2.5]


def _publish_bytes() -> bytes:
    values = [(n, ua.DataValue(ua.Variant(float(n), T.Double))) for n in range(20)]
    return struct_to_binary(response(change(values)))


@given(st.integers(0, len(_publish_bytes()) - 9))
def test_cut_answer_is_an_error_never_a_value_of_rubbish(length: int) -> None:
    with pytest.raises(Exception, match=r"."):
        decode_publish(_publish_bytes()[:length])


def test_lying_count_is_refused_before_it_costs_anything() -> None:
    data = bytearray(struct_to_binary(ua.ReadResponse(Results=[ua.DataValue(ua.Variant(1.0))])))
    at = data.index(b"\x01\x00\x00\x00", 20)
    data[at : at + 4] = (ITEMS_MAX + 1).to_bytes(4, "little")
    with pytest.raises(MalformedError):
        decode_read(bytes(data))


def test_ticks_are_utc_seconds() -> None:
    assert seconds_of(TICKS) == MOMENT.timestamp()


@pytest.mark.parametrize(
    "variant",
    [bytes.fromhex("0B 0000000000000440"), bytes.fromhex("0C 03000000 322E35")],
    ids=["double", "string"],
)
def test_times_stand_in_the_order_of_the_standard(variant: bytes) -> None:
    """OPC 10000-6 §5.2.2.17: value, status, source time and its picoseconds, then the server's."""
    value = (
        bytes([0x3F])
        + variant
        + bytes.fromhex("00000740")  # UncertainLastUsableValue's neighbour: kept as it is
        + TICKS.to_bytes(8, "little")
        + bytes.fromhex("2413")
        + (TICKS + 1).to_bytes(8, "little")
        + bytes.fromhex("2513")
    )
    empty = struct_to_binary(ua.ReadResponse(Results=[]))
    at = len(empty) - 8  # two empty arrays: results and diagnostics
    for count in (1, 3):
        data = empty[:at] + count.to_bytes(4, "little") + count * value + empty[-4:]
        for found in decode_read(data):
            assert (found.status, found.source_ticks, found.server_ticks) == (
                0x4007_0000,
                TICKS,
                TICKS + 1,
            )
