"""A tap changer that does not move is told from one that need not, cannot, or has just moved."""

from __future__ import annotations

import pytest

from gridctl.control.tapwatch import DELAYS, GAP_S, STILL_AFTER_S, RelayReading, TapWatch


def reading(
    beyond_v: float, *, tap: int = 3, is_last: bool = False, delay_s: float = 30.0, name: str = "R1"
) -> RelayReading:
    return RelayReading(
        regulator=name, phases="A", tap=tap, reading_v=120.0 + beyond_v, set_v=120.0, band_v=2.0,
        beyond_v=beyond_v, delay_s=delay_s, is_last=is_last,
    )  # fmt: skip


def watched(*looks: tuple[float, RelayReading]) -> TapWatch:
    watch = TapWatch()
    for at_s, one in looks:
        watch.look([one], at_s)
    return watch


@pytest.mark.parametrize(
    ("looks", "is_still"),
    [
        ([(0.0, reading(-1.0)), (STILL_AFTER_S, reading(-1.5))], True),
        ([(0.0, reading(-1.0)), (STILL_AFTER_S - 1.0, reading(-1.5))], False),
        ([(0.0, reading(-1.0)), (150.0, reading(0.0)), (400.0, reading(-1.0))], False),
        ([(0.0, reading(-1.0)), (150.0, reading(-1.0, tap=4)), (400.0, reading(-1.0, tap=4))],
         False),
        ([(0.0, reading(-1.0)), (150.0, reading(1.0)), (400.0, reading(1.0))], False),
        ([(0.0, reading(-1.0, is_last=True)), (STILL_AFTER_S, reading(-1.0, is_last=True))], False),
        ([(0.0, reading(-1.0, delay_s=90.0)), (STILL_AFTER_S, reading(-1.0, delay_s=90.0))], False),
        ([(0.0, reading(-1.0, delay_s=90.0)), (90.0 * DELAYS, reading(-1.0, delay_s=90.0))], True),
        ([(0.0, reading(-1.0)), (GAP_S + 1.0, reading(-1.0))], False),
    ],
    ids=["still", "not-yet", "content-between", "moved", "other-way", "at-its-end", "slow-relay",
         "slow-and-still", "nobody-looked"],
)  # fmt: skip
def test_when_a_tap_changer_counts_as_standing_still(
    looks: list[tuple[float, RelayReading]], is_still: bool
) -> None:
    assert ("R1" in watched(*looks).still()) is is_still


def test_it_counts_as_standing_until_it_moves() -> None:
    watch = watched((0.0, reading(-1.0)), (STILL_AFTER_S, reading(-1.0)))
    watch.look([reading(0.0)], 500.0)
    assert "R1" in watch.still(), "content for a while says nothing"
    watch.look([reading(0.0, name="R2")], 600.0)
    assert "R1" in watch.still(), "a relay that cannot be read says nothing"
    watch.look([reading(-1.0, tap=4)], 700.0)
    assert watch.still() == {}
    watch.look([reading(-1.0, tap=4)], 700.0 + STILL_AFTER_S)
    assert watch.still()["R1"][0].since_s == 700.0
