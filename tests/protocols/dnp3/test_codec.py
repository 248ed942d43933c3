"""Flags, times and addresses between the wire and the domain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridctl.model.errors import ConfigError
from gridctl.model.measurement import Flag, Origin, PointKind, TimeQuality, Validity
from protocols.dnp3.codec import PointTable, Sample, decode, quality_of
from protocols.driver import PointAddress
from tests.contracts import driver_peer as bench
from tests.contracts.peer_dnp3 import WIRES

ROWS = {row.point.mrid: row for row in bench.bench_points("BENCH", WIRES)}
GOOD, QUESTIONABLE, INVALID = Validity.GOOD, Validity.QUESTIONABLE, Validity.INVALID


@pytest.mark.parametrize(
    ("group", "octet", "validity", "flags"),
    [
        (30, 0x01, GOOD, set()),
        (1, 0x81, GOOD, set()),
        (30, 0x00, INVALID, {Flag.DEVICE_FAILURE}),
        (30, 0x04, INVALID, {Flag.COMM_LOST}),
        (30, 0x05, QUESTIONABLE, {Flag.COMM_LOST}),
        (30, 0x03, QUESTIONABLE, {Flag.RESTART}),
        (30, 0x21, QUESTIONABLE, {Flag.OUT_OF_RANGE}),
        (30, 0x41, QUESTIONABLE, {Flag.BAD_REFERENCE}),
        (40, 0x61, QUESTIONABLE, {Flag.OUT_OF_RANGE, Flag.BAD_REFERENCE}),
        (1, 0x21, QUESTIONABLE, {Flag.OSCILLATORY}),
        (3, 0x41, GOOD, set()),  # bits 6 and 7 of a double bit are its state
        (20, 0x21, GOOD, set()),  # a rollover is no fault
        (20, 0x41, QUESTIONABLE, {Flag.INCONSISTENT}),
    ],
)
def test_flag_octet_becomes_quality(
    group: int, octet: int, validity: Validity, flags: set[Flag]
) -> None:
    quality = quality_of(group, octet, "")
    assert quality.validity is validity
    assert set(quality.flags) == flags
    assert quality.native.startswith(f"0x{octet:02X}")


@pytest.mark.parametrize("octet", [0x09, 0x11, 0x19])
def test_a_forced_value_is_substituted_not_bad(octet: int) -> None:
    quality = quality_of(30, octet, "")
    assert (quality.validity, quality.origin) == (GOOD, Origin.SUBSTITUTED)


def test_every_octet_of_every_group_has_a_quality_and_only_online_can_be_good() -> None:
    for group in (1, 3, 10, 20, 21, 30, 40):
        for octet in range(256):
            quality = quality_of(group, octet, "")
            assert quality.is_good <= bool(octet & 0x01)
            assert quality.is_good == (not quality.flags)


def test_a_variation_without_flags_says_so() -> None:
    assert quality_of(30, None, "g30v3").native == "no flags (g30v3)"


def sample(**changes: object) -> Sample:
    base = Sample(
        group=30,
        index=7,
        value=2.0,
        flags=0x01,
        time_ms=None,
        synchronized=False,
        is_event=False,
        variation="g30v5",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def measured(**changes: object) -> tuple[float, Validity, float, TimeQuality]:
    table = PointTable([replace(ROWS[bench.VOLTAGE], scale=0.5, offset=10.0)])
    (binding,) = table.at(30, 7)
    m = decode(sample(**changes), binding, received_s=1_000.0)
    return m.value, m.quality.validity, m.source_time_s, m.time_quality


def test_scale_offset_and_time() -> None:
    assert measured() == (11.0, GOOD, 1_000.0, TimeQuality.RECEIVED)
    assert measured(time_ms=999_500, synchronized=True)[2:] == (999.5, TimeQuality.SYNCHRONIZED)
    assert measured(time_ms=999_500)[2:] == (999.5, TimeQuality.UNSYNCHRONIZED)


def test_a_device_ahead_of_us_is_not_synchronized_whatever_it_says() -> None:
    assert measured(time_ms=1_120_000, synchronized=True)[3] is TimeQuality.UNSYNCHRONIZED


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_invalid(value: float) -> None:
    assert measured(value=value)[:2] == (0.0, INVALID)


def table_error(*rows: PointAddress) -> str:
    with pytest.raises(ConfigError) as caught:
        PointTable(rows)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"address": "30"}, "2:address: '30' is not group:index"),
        ({"address": "30:70000"}, "is not group:index"),
        ({"address": "ns=2;s=x"}, "is not group:index"),
        ({"address": "1:0"}, "group 1 is not for kind analog: groups 30, 31, 40, 110"),
        ({"address": "99:0"}, "group 99 is not for kind analog"),
    ],
)
def test_a_bad_address_is_refused_with_its_place(changes: dict[str, str], told: str) -> None:
    assert told in table_error(replace(ROWS[bench.POWER], **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"command": "write"}, "command: 'write': a setpoint of DNP3 takes ao-float"),
        ({"lease": "30:1"}, "lease: '30:1' is not an analog output"),
        ({"lease": "41:12"}, "is the setpoint itself"),
    ],
)
def test_a_bad_command_is_refused(changes: dict[str, str], told: str) -> None:
    assert told in table_error(replace(ROWS[bench.SETPOINT], **changes))  # type: ignore[arg-type]


def test_duplicates_are_found_behind_different_spelling() -> None:
    power, voltage = ROWS[bench.POWER], ROWS[bench.VOLTAGE]
    assert "is already on line" in table_error(power, replace(voltage, address="30:00"))
    setpoint, locked = ROWS[bench.SETPOINT], ROWS[bench.LOCKED_SETPOINT]
    assert "commands the same output" in table_error(setpoint, replace(locked, address="40:12"))


def test_all_bad_rows_come_in_one_message() -> None:
    text = table_error(
        replace(ROWS[bench.POWER], address="x"), replace(ROWS[bench.VOLTAGE], address="y")
    )
    assert "bench.csv:2:address" in text
    assert "bench.csv:3:address" in text


def test_outputs_are_read_by_their_status_and_one_object_may_serve_two_points() -> None:
    feedback = replace(ROWS[bench.FEEDBACK], address="40:12")
    table = PointTable([ROWS[bench.SETPOINT], feedback])
    assert {b.mrid for b in table.at(40, 12)} == {bench.SETPOINT, bench.FEEDBACK}
    assert table.by_mrid[bench.SETPOINT].lease_index == 70
    assert table.at(40, 13) == ()
    control = replace(
        ROWS[bench.SETPOINT],
        point=replace(ROWS[bench.SETPOINT].point, kind=PointKind.CONTROL),
        address="12:4",
        command="crob-latch",
        lease="",
    )
    assert len(PointTable([control]).at(10, 4)) == 1
