"""What the points file may say of a command, and the octets that a value becomes (Annex A)."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import pytest

from gridctl.model.errors import ConfigError, Refusal
from gridctl.model.measurement import PointKind
from protocols.dnp3.codec import PointTable
from protocols.dnp3.outputs import ANALOG_FORMS, AnalogForm, Output, RelayForm, read_form
from protocols.driver import PointAddress
from tests.protocols.dnp3.scripted import relay, setpoint

SETPOINT, CONTROL = PointKind.SETPOINT, PointKind.CONTROL
EVERYTHING = (-math.inf, math.inf)


def relay_form(text: str) -> RelayForm:
    form = read_form(CONTROL, text)
    assert isinstance(form, RelayForm), form
    return form


@pytest.mark.parametrize(
    ("text", "value", "octets"),
    [
        ("crob-latch", 1.0, (0x03, 1, 100, 100)),
        ("crob-latch", 0.0, (0x04, 1, 100, 100)),
        ("crob-pulse:500/100x1", 1.0, (0x01, 1, 500, 100)),
        ("crob-pulse:60000/0x20", 1.0, (0x01, 20, 60_000, 0)),
        ("crob-trip-close:250/0x1", 1.0, (0x41, 1, 250, 0)),  # close
        ("crob-trip-close:250/0x1", 0.0, (0x81, 1, 250, 0)),  # trip
    ],
)
def test_a_relay_s_octets(text: str, value: float, octets: tuple[int, ...]) -> None:
    output = relay_form(text).output(4, value)
    assert isinstance(output, Output)
    assert (
        output.object() == b"\x0c\x01\x28\x01\x00\x04\x00" + struct.pack("<BBII", *octets) + b"\x00"
    )


def test_a_pulse_cannot_be_taken_back_and_nothing_is_half_on() -> None:
    told = relay_form("crob-pulse:500/100x1").output(4, 0.0)
    assert isinstance(told, Refusal)
    assert "all that a pulse knows" in str(told)
    for text in ("crob-latch", "crob-trip-close:250/0x1"):
        assert isinstance(relay_form(text).output(4, 0.5), Refusal)


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        (SETPOINT, "write", "a setpoint of DNP3 takes ao-float, ao-double, ao-int16, ao-int32"),
        (SETPOINT, "crob-latch", "a setpoint of DNP3 takes"),
        (CONTROL, "ao-float", "a control of DNP3 takes crob-latch, crob-pulse"),
        (CONTROL, "crob-pulse", "ON/OFFxCOUNT in ms"),  # nothing that moves power has a default
        (CONTROL, "crob-pulse:500", "ON/OFFxCOUNT in ms"),
        (CONTROL, "crob-pulse:0/100x1", "on for 1 to 60000 ms"),
        (CONTROL, "crob-pulse:60001/100x1", "on for 1 to 60000 ms"),
        (CONTROL, "crob-trip-close:500/60001x1", "off for 0 to 60000 ms"),
        (CONTROL, "crob-trip-close:500/100x0", "1 to 20 times"),
        (CONTROL, "crob-trip-close:500/100x21", "1 to 20 times"),
    ],
)
def test_a_command_that_cannot_be_is_refused_with_what_could(
    kind: PointKind, text: str, told: str
) -> None:
    found = read_form(kind, text)
    assert isinstance(found, str)
    assert told in found
    row = setpoint(4) if kind is SETPOINT else relay(4)
    with pytest.raises(ConfigError, match=r"points\.csv:6:command"):
        PointTable([replace(row, command=text)])


LARGEST = {"ao-int16": 2.0**15 - 1, "ao-int32": 2.0**31 - 1, "ao-float": 3.4028234663852886e38}


@pytest.mark.parametrize(("name", "largest"), LARGEST.items())
def test_what_does_not_fit_is_refused_and_the_largest_fits(name: str, largest: float) -> None:
    form = ANALOG_FORMS[name]
    assert isinstance(form.output(4, largest, within=(-largest, largest), slack=0.0), Output)
    beyond = form.output(4, largest * 1.0001 + 1, within=EVERYTHING, slack=1e9)
    assert isinstance(beyond, Refusal)
    assert "does not fit" in str(beyond)


@pytest.mark.parametrize("form", ANALOG_FORMS.values(), ids=str)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused(form: AnalogForm, value: float) -> None:
    assert isinstance(form.output(4, value, within=EVERYTHING, slack=0.0), Refusal)


@pytest.mark.parametrize(
    ("wire", "within", "slack", "told"),
    [
        (500.00000000000006, (0.0, 1000.0), 0.0, 500),  # 25 / 0.05
        (25.3, (0.0, 100.0), 0.5, 25),
        (25.3, (0.0, 100.0), 0.2, None),
        (166.67, (0.0, 166.67), 0.7, 166),  # 167 would be over the limit
        (166.67, (0.0, 166.67), 0.5, None),
        (-0.4, (-0.4, 10.0), 0.5, 0),
    ],
)
def test_an_integer_is_inside_tolerance_and_limits_or_refused(
    wire: float, within: tuple[float, float], slack: float, told: int | None
) -> None:
    output = ANALOG_FORMS["ao-int32"].output(4, wire, within=within, slack=slack)
    if told is None:
        assert isinstance(output, Refusal)
        assert "tolerance" in str(output)
    else:
        assert isinstance(output, Output)
        assert struct.unpack("<i", output.octets) == (told,)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"command": "ao-int16", "max_value": 32_768.0}, "6:max: 32768 is 32768 on the wire"),
        ({"command": "ao-int16", "scale": 0.001}, "6:min: -100 is -100000 on the wire"),
        ({"command": "ao-float", "max_value": 1e39}, "6:max: "),
    ],
)
def test_limits_that_do_not_fit_are_found_when_the_file_is_read(
    changes: dict[str, object], told: str
) -> None:
    row: PointAddress = setpoint(4, **changes)
    with pytest.raises(ConfigError) as caught:
        PointTable([row])
    assert told in str(caught.value)
    assert "does not fit" in str(caught.value)
