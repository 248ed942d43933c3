"""Quality survives its packing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridctl.model.measurement import Flag, Origin, Quality, TimeQuality, Validity
from gridctl.store.quality import packed, unpacked

QUALITIES = st.builds(
    Quality,
    validity=st.sampled_from(Validity),
    origin=st.sampled_from(Origin),
    flags=st.frozensets(st.sampled_from(Flag)),
    native=st.text(max_size=8),
)


@given(QUALITIES, st.sampled_from(TimeQuality))
def test_round_trip(quality: Quality, time_quality: TimeQuality) -> None:
    bits = packed(quality, time_quality)
    assert unpacked(bits, quality.native) == (quality, time_quality)
    assert (bits & 3 == 0) == quality.is_good
    assert 0 <= bits < 2**31


def test_numbers_on_disk_never_change() -> None:
    stale = Quality(validity=Validity.QUESTIONABLE, flags=frozenset({Flag.STALE, Flag.COMM_LOST}))
    assert packed(stale, TimeQuality.RECEIVED) == 0b1110_0001
