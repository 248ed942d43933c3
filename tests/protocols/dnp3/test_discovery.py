"""What a device tells of itself, and what is made of a device that tells little or lies."""

from __future__ import annotations

import struct

import pytest

from gridctl.model.errors import ConfigError, UnavailableError
from gridctl.model.measurement import PointKind
from gridctl.wallclock import system_clock
from protocols.discovery import Discovery
from protocols.dnp3.discovery import Inventory, discover
from protocols.dnp3.fragments import Fragment, Function
from tests.protocols.dnp3.scripted import Answer, Outstation, analogs, answer, classes, settings


def attribute(variation: int, kind: int, value: bytes) -> bytes:
    return bytes((0, variation, 0, 0, 0, kind, len(value))) + value


ATTRIBUTES = attribute(252, 1, b"Works") + attribute(240, 2, b"\x00\x08") + attribute(1, 5, b"\xab")
OUTPUTS = bytes((40, 3, 0, 4, 4)) + struct.pack("<Bf", 1, 12.5) + bytes((10, 2, 0, 7, 7, 0x81))
TEXT = bytes((110, 3, 0, 0, 0)) + b"1.2"


def talkative(request: Fragment) -> Answer:
    if request.function != Function.READ:
        return answer(request)
    if request.objects[:1] == b"\0":
        return answer(request, ATTRIBUTES)
    if 0 in classes(request):
        return answer(request, analogs(1.5, 2.5) + OUTPUTS + TEXT)
    return answer(request, iin=0x0200)


async def found(outstation: Outstation, *ask: str, points_max: int = 100) -> Discovery:
    await outstation.start()
    try:
        return await discover(
            settings(outstation.port),
            clock=system_clock(),
            ask=ask,
            points_max=points_max,
            timeout_s=10.0,
        )
    finally:
        await outstation.stop()


async def test_attributes_and_points_with_their_variations() -> None:
    outstation = Outstation(script=talkative)
    seen = await found(outstation, "30:1", "41:4", "30:99")
    assert {(a.native, a.name, a.value) for a in seen.attributes} == {
        ("g0v252", "manufacturer", "Works"),
        ("g0v240", "largest transmit fragment", "2048"),
        ("g0v1", "attribute 1", "ab"),
    }
    points = {p.address: p for p in seen.points}
    assert set(points) == {"30:0", "30:1", "41:4", "12:7", "110:0"}
    assert (points["30:1"].native_type, points["30:1"].value) == ("g30v5", 2.5)
    assert points["30:1"].quality is not None
    assert points["30:1"].quality.native == "0x01 ONLINE"
    assert (points["41:4"].kind, points["41:4"].command) == (PointKind.SETPOINT, "ao-float")
    assert (points["12:7"].value, points["12:7"].command) == (1.0, "crob-latch")
    assert points["110:0"].value_text == "1.2"
    assert seen.absent == ("30:99",)
    assert not seen.truncated
    assert not {"SELECT", "OPERATE", "DIRECT_OPERATE"} & set(outstation.functions())


@pytest.mark.parametrize(
    ("variation", "octets", "command"),
    [(1, 4, "ao-int32"), (2, 2, "ao-int16"), (3, 4, "ao-float"), (4, 8, "ao-double")],
)
def test_an_output_s_status_tells_of_its_command(variation: int, octets: int, command: str) -> None:
    inventory = Inventory(10)
    inventory.read(bytes((40, variation, 0x00, 4, 4, 0x01)) + bytes(octets))
    (point,) = inventory.points.values()
    assert (point.address, point.command, point.value) == ("41:4", command, 0.0)


async def test_more_points_than_asked_for_are_cut_off_and_it_is_said() -> None:
    seen = await found(Outstation(script=talkative), points_max=2)
    assert seen.truncated
    assert len(seen.points) == 2


async def test_a_device_without_attributes_says_so() -> None:
    def plain(request: Fragment) -> Answer:
        return answer(request, analogs(1.0) if 0 in classes(request) else b"", iin=0)

    seen = await found(Outstation(script=plain))
    assert "The device tells no attributes (g0)." in seen.notes


async def test_nobody_there_and_a_device_that_hangs_are_unavailable() -> None:
    with pytest.raises(UnavailableError, match="Connection refused"):
        await discover(
            settings(Outstation().port), clock=system_clock(), ask=(), points_max=9, timeout_s=3.0
        )
    silent = Outstation(script=lambda _: None)
    await silent.start()
    try:
        with pytest.raises(UnavailableError):
            await discover(
                settings(silent.port), clock=system_clock(), ask=(), points_max=9, timeout_s=1.0
            )
    finally:
        await silent.stop()


async def test_an_address_that_cannot_be_asked_for_is_refused() -> None:
    with pytest.raises(ConfigError, match="ns=2"):
        await found(Outstation(script=talkative), "ns=2;s=x")
