"""What an image has told decides what of another server's changes is news."""

from __future__ import annotations

from gridctl.model.clock import ManualClock
from gridctl.model.measurement import Point, PointKind
from gridctl.model.quantity import Phase, Unit
from protocols.driver import PointAddress
from protocols.inbox import Inbox
from protocols.opcua.addresses import Target, parse_address
from protocols.opcua.image import PointImage
from protocols.opcua.wire import Sample, ticks_of

DOUBLE = 11


def image_of(*names: str) -> PointImage:
    """Points of which every change counts."""
    targets = []
    for name in names:
        address = f"nsu=urn:x;s={name}"
        parsed = parse_address(address)
        assert parsed is not None
        row = PointAddress(
            point=Point(
                mrid=name, name=name, equipment="E", kind=PointKind.ANALOG, unit=Unit.KW,
                phase=Phase.NONE, scan_s=1.0, expect=None, tolerance=None,
            ),
            link="L", address=address, command="", lease="", scale=2.0, offset=1.0, deadband=0.0,
            min_value=None, max_value=None, file="points.csv", line=2, soe=True,
        )  # fmt: skip
        targets.append(Target(row=row, node=parsed[0], commandable=False, method="", lease=None))
    clock = ManualClock(grid_s=1_000.0)
    return PointImage(targets, Inbox(10), clock, heartbeat="", tick_s=0.1)


def at(handle: int, value: float, seconds: float) -> Sample:
    return Sample(handle, DOUBLE, value, 0, ticks_of(seconds) + 3, 0)


def test_changes_that_the_former_server_told_are_left_out() -> None:
    image = image_of("A", "B")
    image.take([at(0, 44.0, 10.0), at(0, 45.0, 11.0), at(1, 7.0, 10.5)], ranged=set())
    kept = [at(0, 44.0, 10.0), at(1, 7.0, 10.5), at(0, 45.0, 11.0), at(0, 46.0, 12.0)]
    assert image.untold(kept) == [at(0, 46.0, 12.0)]


def test_a_change_that_was_not_told_is_never_left_out() -> None:
    image = image_of("A", "B")
    image.take([at(0, 44.0, 10.0)], ranged=set())
    # Another value at the same time, an older one of a clock that was set back, a point never told.
    news = [at(0, 45.0, 10.0), at(0, 46.0, 9.0), at(1, 7.0, 10.5)]
    assert image.untold(news) == news
