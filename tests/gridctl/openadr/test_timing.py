"""When an event happens, for any event that clients can write."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gridctl.openadr.periods import written
from gridctl.openadr.timing import TimingError, Window, ends_s, is_cancelled, windows
from gridctl.openadr.wire import EventRequest, ProgramRequest
from tests.gridctl.openadr.vtn import NOON_S

PROGRAM = ProgramRequest.model_validate({"programName": "p"})
STARTS = st.one_of(
    st.just("0001-01-01"),
    st.just("0001-01-01T00:00:00Z"),
    st.integers(-86_400, 10 * 86_400).map(lambda s: written(NOON_S + s)),
)
DURATIONS = st.one_of(
    st.just("P9999Y"),
    st.integers(0, 100_000).map(lambda s: f"PT{s}S"),
    st.integers(0, 48).map(lambda h: f"PT{h}H"),
    st.integers(0, 14).map(lambda d: f"P{d}D"),
)
PERIODS = st.fixed_dictionaries({}, optional={"start": STARTS, "duration": DURATIONS})
INTERVALS = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(0, 9), "payloads": st.just([])}, optional={"intervalPeriod": PERIODS}
    ),
    max_size=6,
)
EVENTS = st.fixed_dictionaries(
    {"programID": st.just("p"), "intervals": INTERVALS},
    optional={"intervalPeriod": PERIODS, "duration": DURATIONS},
).map(EventRequest.model_validate)
WHATEVER_CAN_BE_TOLD = settings(suppress_health_check=[HealthCheck.filter_too_much])


def found_in(event: EventRequest) -> list[Window]:
    try:
        return windows(event, PROGRAM, now_s=NOON_S)
    except TimingError:
        assume(False)  # said in words; what is left is what can be told
        raise


@WHATEVER_CAN_BE_TOLD
@given(EVENTS)
def test_windows_run_forward_and_only_the_last_of_a_row_may_be_endless(event: EventRequest) -> None:
    for window in found_in(event):
        assert window.end_s is None or window.end_s >= window.start_s


@WHATEVER_CAN_BE_TOLD
@given(EVENTS)
def test_the_end_is_that_of_the_last_window(event: EventRequest) -> None:
    found = found_in(event)
    assume(bool(found))
    ends = [w.end_s for w in found]
    told = ends_s(event, PROGRAM, now_s=NOON_S)
    if None in ends:
        assert told is None
    else:
        assert told == max(e for e in ends if e is not None)


@WHATEVER_CAN_BE_TOLD
@given(INTERVALS, st.integers(0, 100_000), st.integers(1, 100_000))
def test_nothing_of_an_event_lies_beyond_its_duration(
    intervals: list[dict[str, object]], length: int, total: int
) -> None:
    period = {"start": written(NOON_S), "duration": f"PT{length}S"}
    body = {"programID": "p", "intervals": intervals, "intervalPeriod": period}
    once = found_in(EventRequest.model_validate(body))
    assume(bool(once))
    for window in found_in(EventRequest.model_validate({**body, "duration": f"PT{total}S"})):
        assert window.end_s is not None
        assert window.end_s <= once[0].start_s + total


@given(st.lists(st.integers(1, 86_400), min_size=1, max_size=8), st.integers(0, 86_400))
def test_intervals_without_a_start_follow_one_another(lengths: list[int], start: int) -> None:
    event = EventRequest.model_validate(
        {
            "programID": "p",
            "intervalPeriod": {"start": written(NOON_S + start)},
            "intervals": [
                {"id": k, "payloads": [], "intervalPeriod": {"duration": f"PT{s}S"}}
                for k, s in enumerate(lengths)
            ],
        }
    )
    found = found_in(event)
    assert [w.start_s for w in found][1:] == [w.end_s for w in found][:-1]
    assert found[-1].end_s == pytest.approx(NOON_S + start + sum(lengths))


@given(st.integers(60, 3_600), st.integers(1, 20), st.floats(0.0, 0.99))
def test_a_longer_duration_repeats_the_intervals_until_it_is_over(
    length: int, times: int, part: float
) -> None:
    total = length * times + int(part * length)
    event = EventRequest.model_validate(
        {
            "programID": "p",
            "duration": f"PT{total}S",
            "intervalPeriod": {"start": written(NOON_S), "duration": f"PT{length}S"},
            "intervals": [{"id": 0, "payloads": []}],
        }
    )
    found = found_in(event)
    assert sum((w.end_s or 0.0) - w.start_s for w in found) == pytest.approx(total)
    assert found[-1].end_s == pytest.approx(NOON_S + total)


@WHATEVER_CAN_BE_TOLD
@given(EVENTS)
def test_now_for_no_time_means_cancelled_and_nothing_else_does(event: EventRequest) -> None:
    period = event.interval_period
    off = (
        period is not None
        and period.start is not None
        and period.start.startswith("0001-01-01")
        and period.duration in ("PT0S", "PT0H", "P0D")
    )
    assert is_cancelled(event) == off
