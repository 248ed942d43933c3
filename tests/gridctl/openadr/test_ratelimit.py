"""The token bucket: never more than burst and rate allow, never less than they promise."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridctl.openadr.ratelimit import RateLimit

PER_S = st.floats(0.1, 100.0)
BURST = st.integers(1, 50)
GAPS = st.lists(st.floats(0.0, 5.0), min_size=1, max_size=200)


@given(PER_S, BURST, GAPS)
def test_in_any_span_at_most_the_burst_and_what_the_rate_gives(
    per_s: float, burst: int, gaps: list[float]
) -> None:
    limit = RateLimit(per_s=per_s, burst=burst, keys_max=10)
    now_s, taken = 0.0, []
    for gap in gaps:
        now_s += gap
        if limit.take("a", now_s) == 0:
            taken.append(now_s)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            count = last - first + 1
            assert count <= burst + per_s * (taken[last] - taken[first]) + 1e-6


@given(PER_S, BURST, GAPS)
def test_who_waits_as_told_is_let_in(per_s: float, burst: int, gaps: list[float]) -> None:
    limit = RateLimit(per_s=per_s, burst=burst, keys_max=10)
    now_s = 0.0
    for gap in gaps:
        now_s += gap
        wait_s = limit.take("a", now_s)
        assert wait_s >= 0
        if wait_s:
            now_s += wait_s + 1e-6
            assert limit.take("a", now_s) == 0


@given(PER_S, BURST, st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 2.0)), max_size=60))
def test_one_caller_does_not_take_from_another_and_left_is_what_can_be_taken(
    per_s: float, burst: int, asks: list[tuple[str, float]]
) -> None:
    together = RateLimit(per_s=per_s, burst=burst, keys_max=10)
    alone = {key: RateLimit(per_s=per_s, burst=burst, keys_max=1) for key in "abc"}
    now_s = 0.0
    for key, gap in asks:
        now_s += gap
        left = together.left(key, now_s)
        answer = together.take(key, now_s)
        assert answer == alone[key].take(key, now_s)
        assert (left >= 1.0) == (answer == 0)


@given(st.integers(1, 20), st.integers(1, 200))
def test_it_remembers_no_more_than_it_may(keys_max: int, callers: int) -> None:
    limit = RateLimit(per_s=1.0, burst=1, keys_max=keys_max)
    for number in range(callers):
        limit.take(str(number), float(number))
    assert len(limit._buckets) <= keys_max
