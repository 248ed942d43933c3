"""What an event asks, and why others ask nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gridctl.model.planning import Forecast, Horizon
from gridctl.openadr.mapping import (
    ACTED_ON,
    NOT_ACTED_ON,
    Ask,
    asked,
    forecast_peak,
    of_event,
)
from gridctl.openadr.sizes import ALERTS, KW_OF, LINES, SIMPLE_KW, SIZED
from gridctl.openadr.wire import EventRequest, ProgramRequest
from tests.gridctl.openadr.vtn import NOON_S, event, program

SHARED = Path(os.environ.get("GRIDCTL_SHARED", Path(__file__).parents[4] / "shared"))


def ask(
    body: dict[str, Any],
    in_program: dict[str, Any] | None = None,
    devices: tuple[str, ...] | None = None,
) -> Ask:
    return asked(
        EventRequest.model_validate(body),
        ProgramRequest.model_validate(in_program or program()),
        client_id="bl",
        now_s=NOON_S,
        peak_kw=lambda start_s, end_s: 3300.0 if end_s <= NOON_S + 8 * 3600 else None,
        devices=devices,
    )


def payload(kind: str, *values: object) -> list[dict[str, Any]]:
    return [{"id": 0, "payloads": [{"type": kind, "values": list(values)}]}]


def test_relative() -> None:
    (request,) = ask(event("p", 400)).requests
    assert (request.target_kw, request.start_s) == (400.0, NOON_S + 4 * 3600)


def test_a_limit_is_held_against_the_forecast() -> None:
    (request,) = ask(event("p", intervals=payload("IMPORT_CAPACITY_LIMIT", 3000))).requests
    assert request.target_kw == 300.0
    nothing = ask(event("p", intervals=payload("IMPORT_CAPACITY_LIMIT", 3400)))
    assert "nothing is left" in nothing.reason
    late = {"start": "2026-08-05T19:00:00Z", "duration": "PT2H"}
    unknown = ask(event("p", intervals=payload("IMPORT_CAPACITY_LIMIT", 3000), intervalPeriod=late))
    assert "no forecast" in unknown.reason


def test_a_limit_of_export_is_kept_as_it_is() -> None:
    for most_kw in (200, 0):
        asks = ask(event("p", intervals=payload("EXPORT_CAPACITY_LIMIT", most_kw)))
        (request,) = asks.requests
        assert (request.target_kw, request.export_max_kw) == (0.0, float(most_kw))
    late = {"start": "2026-08-05T19:00:00Z", "duration": "PT2H"}
    far = ask(event("p", intervals=payload("EXPORT_CAPACITY_LIMIT", 200), intervalPeriod=late))
    assert far.requests, "it needs no forecast"


@pytest.mark.parametrize(
    ("values", "more", "devices", "reason"),
    [
        ([-1], {}, None, "negative"),
        ([], {}, None, "exactly one number"),
        (["200"], {}, None, "exactly one number"),
        ([200], {}, ("BAT1",), "with targets"),
        ([200], {"payloadDescriptors": []}, None, "a payload descriptor has to say KW"),
    ],
)
def test_a_limit_of_export_that_asks_nothing(
    values: list[object], more: dict[str, Any], devices: tuple[str, ...] | None, reason: str
) -> None:
    body = event("p", intervals=payload("EXPORT_CAPACITY_LIMIT", *values))
    asks = ask(body, program(**more), devices)
    assert not asks.requests
    assert reason in asks.reason


def test_a_level_is_as_much_as_its_program_says() -> None:
    sizes = program(attributes=[{"type": SIMPLE_KW, "values": [100, 250, 400]}])
    for level, kw in ((1, 100.0), (2, 250.0), (3, 400.0)):
        (request,) = ask(event("p", intervals=payload("SIMPLE", level)), sizes).requests
        assert request.target_kw == kw
    assert "nothing is left" in ask(event("p", intervals=payload("SIMPLE", 0)), sizes).reason


@pytest.mark.parametrize(
    ("level", "attributes", "reason"),
    [
        (2, None, "no attribute GRIDCTL_SIMPLE_KW"),
        (4, [100, 250, 400], "levels are 0 to 3"),
        (1.5, [100, 250, 400], "levels are 0 to 3"),
        (2, [100, 250], "needs 3 numbers"),
        (2, [100, "250", 400], "one number"),
        (2, [400, 250, 100], "higher level"),
    ],
)
def test_a_level_without_a_size_moves_nothing(
    level: float, attributes: list[object] | None, reason: str
) -> None:
    more: dict[str, Any] = (
        {} if attributes is None else {"attributes": [{"type": SIMPLE_KW, "values": attributes}]}
    )
    asks = ask(event("p", intervals=payload("SIMPLE", level)), program(**more))
    assert not asks.requests
    assert reason in asks.reason


def test_every_type_of_the_standard_is_acted_on_or_has_a_reason() -> None:
    published = SHARED / "openadr/enumerations-3.1.0/event-interval-payloads.schema.yaml"
    if not published.is_file():
        pytest.skip("the published enumerations are not on this machine")
    types = set(re.findall(r"^    ([A-Z0-9_]+):$", published.read_text(), re.MULTILINE))
    assert len(types) > 30
    assert types - set(ACTED_ON) - set(SIZED) == set(NOT_ACTED_ON)
    for type_ in NOT_ACTED_ON:
        asks = ask(event("p", intervals=payload(type_, 1)))
        assert not asks.requests
        assert NOT_ACTED_ON[type_] in asks.reason


PRICED = [{"x": 0.30, "y": 0}, {"x": 0.50, "y": 400}]


@pytest.mark.parametrize("type_", LINES)
@pytest.mark.parametrize(
    ("value", "kw"), [(0.1, None), (0.30, None), (0.40, 200.0), (0.50, 400.0), (9, 400.0)]
)
def test_a_value_is_worth_what_the_line_of_its_program_says(
    type_: str, value: float, kw: float | None
) -> None:
    sizes = program(attributes=[{"type": KW_OF + type_, "values": PRICED}])
    found = ask(event("p", intervals=payload(type_, value)), sizes).requests
    assert [r.target_kw for r in found] == pytest.approx([] if kw is None else [kw])


def test_a_line_may_fall() -> None:
    fall = [{"x": -10, "y": 500}, {"x": 0, "y": 0}]
    sizes = program(attributes=[{"type": KW_OF + "CONTROL_LEVEL_OFFSET", "values": fall}])
    (request,) = ask(event("p", intervals=payload("CONTROL_LEVEL_OFFSET", -7)), sizes).requests
    assert request.target_kw == pytest.approx(350.0)


@pytest.mark.parametrize("type_", ALERTS)
def test_an_alert_is_worth_what_its_program_says(type_: str) -> None:
    sizes = program(attributes=[{"type": KW_OF + type_, "values": [250]}])
    (request,) = ask(event("p", intervals=payload(type_, "please save power")), sizes).requests
    assert request.target_kw == 250.0


@pytest.mark.parametrize(
    ("type_", "size", "reason"),
    [
        ("PRICE", None, "no attribute GRIDCTL_KW_OF_PRICE"),
        ("PRICE", [], "points with x and y"),
        ("PRICE", [400], "points with x and y"),
        ("PRICE", [{"x": 1, "y": 2}, 3], "points with x and y"),
        ("PRICE", [{"x": 1, "y": 2}, {"x": 1, "y": 3}], "greater than the one before"),
        ("PRICE", [{"x": 1, "y": -2}], "positive number"),
        ("ALERT_FIRE", None, "no attribute GRIDCTL_KW_OF_ALERT_FIRE"),
        ("ALERT_FIRE", ["much"], "exactly one number"),
        ("ALERT_FIRE", [-1], "negative"),
    ],
)
def test_without_a_size_that_can_be_read_nothing_moves(
    type_: str, size: list[object] | None, reason: str
) -> None:
    sizes = [] if size is None else [{"type": KW_OF + type_, "values": size}]
    found = ask(event("p", intervals=payload(type_, 1)), program(attributes=sizes))
    assert not found.requests
    assert reason in found.reason


def test_targets_make_it_a_request_of_their_devices() -> None:
    (request,) = ask(event("p", 400), devices=("LG1", "LG2")).requests
    assert request.devices == ("LG1", "LG2")
    assert ask(event("p", 400)).requests[0].devices is None
    assert "it is for VENs" in ask(event("p", 400), devices=()).reason
    limit = event("p", intervals=payload("IMPORT_CAPACITY_LIMIT", 3000))
    assert "only the whole feeder" in ask(limit, devices=("LG1",)).reason


def test_requests_are_named_after_the_event_that_was_kept() -> None:
    found = of_event(ask(event("p", 400)), "event-1")
    assert [(r.mrid, r.event_id) for r in found.requests] == [("event-1-0", "event-1")]


def test_now_means_now() -> None:
    (request,) = ask(
        event("p", intervalPeriod={"start": "0001-01-01", "duration": "PT1H"})
    ).requests
    assert (request.start_s, request.end_s) == (NOON_S, NOON_S + 3600)


def test_an_interval_may_have_its_own_time() -> None:
    intervals = payload("DISPATCH_SETPOINT_RELATIVE", 10) + payload(
        "DISPATCH_SETPOINT_RELATIVE", 20
    )
    intervals[1]["intervalPeriod"] = {"start": "2026-08-05T20:00:00+02:00", "duration": "PT30M"}
    first, second = ask(event("p", intervals=intervals)).requests
    assert first.end_s == NOON_S + 6 * 3600
    assert (second.start_s, second.end_s) == (NOON_S + 6 * 3600, NOON_S + 6.5 * 3600)


def test_event_duration_cuts_off() -> None:
    intervals = payload("DISPATCH_SETPOINT_RELATIVE", 10) * 3
    requests = ask(event("p", intervals=intervals, duration="PT3H")).requests
    assert [r.end_s - r.start_s for r in requests] == [7200.0, 3600.0]


def test_the_program_gives_what_the_event_leaves_out() -> None:
    body = event("p")
    del body["intervalPeriod"]
    period = {"start": "2026-08-05T13:00:00Z", "duration": "P1D"}
    (request,) = ask(body, program(intervalPeriod=period)).requests
    assert request.end_s - request.start_s == 86_400.0


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"intervals": payload("DISPATCH_SETPOINT_RELATIVE", -400)}, "negative"),
        ({"intervals": payload("DISPATCH_SETPOINT_RELATIVE", True)}, "one number"),
        ({"intervals": payload("DISPATCH_SETPOINT_RELATIVE", 1, 2)}, "one number"),
        ({"intervals": payload("DISPATCH_SETPOINT_RELATIVE", "400")}, "one number"),
        ({"intervals": payload("DISPATCH_SETPOINT_RELATIVE", 0)}, "nothing is left"),
        ({"intervals": payload("DISPATCH_SETPOINT", 400)}, "acts on"),
        ({"intervals": []}, "no intervals"),
        ({"intervals": None}, "no intervals"),
        ({"intervals": [{"id": 0, "payloads": []}]}, "no payload"),
        ({"intervalPeriod": None}, "no start"),
        ({"intervalPeriod": {"start": "2026-08-05T16:00:00Z"}}, "no duration"),
        ({"intervalPeriod": {"start": "2026-08-05T08:00:00Z", "duration": "PT1H"}}, "over"),
        ({"intervalPeriod": {"start": "2026-08-05T16:00:00Z", "duration": "-PT1H"}}, "before"),
        ({"intervalPeriod": {"start": "2026-08-05T16:00:00Z", "duration": "P2Y"}}, "a year"),
        ({"intervalPeriod": {"start": "9999-12-31T23:00:00Z", "duration": "P1M"}}, "no end"),
        ({"duration": "P300D"}, "more than"),
        (
            {
                "payloadDescriptors": [
                    {
                        "objectType": "EVENT_PAYLOAD_DESCRIPTOR",
                        "payloadType": "DISPATCH_SETPOINT_RELATIVE",
                        "units": "MW",
                    }
                ]
            },
            "has to say KW",
        ),
    ],
)
def test_why_not(more: dict[str, Any], word: str) -> None:
    found = ask(event("p") | more)
    assert found.requests == ()
    assert word in found.reason


def test_no_units_no_kilowatts() -> None:
    assert "no units" in ask(event("p"), {"programName": "bare"}).reason


def test_peak_of_the_highest_quantile() -> None:
    forecast = Forecast(
        horizon=Horizon(start_s=0.0, step_s=900.0, count=4),
        quantiles=(0.5, 0.9),
        values_kw=((1.0, 2.0, 3.0, 4.0), (10.0, 40.0, 20.0, 30.0)),
        method="",
        history_days=1.0,
        nmae_pct=None,
    )
    peak = forecast_peak(forecast)
    assert peak(0.0, 900.0) == 10.0
    assert peak(0.0, 901.0) == 40.0
    assert peak(1800.0, 3600.0) == 30.0
    assert peak(1800.0, 3601.0) is None
    assert peak(-1.0, 900.0) is None
    assert peak(950.0, 950.0) == 40.0
    assert forecast_peak(None)(0.0, 1.0) is None


TEXTS = st.from_regex(
    r"-?P(\d{1,12}Y)?(\d{1,12}M)?(\d{1,12}[DW])?(T(\d{1,12}H)?(\d{1,12}M)?(\d{1,12}(\.\d{1,9})?S)?)?",
    fullmatch=True,
)
STARTS = st.one_of(
    st.datetimes().map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")),
    st.sampled_from(["0001-01-01", "9999-12-31T23:59:59Z", "0001-01-02T00:00:00+14:00"]),
)


@given(STARTS, TEXTS, TEXTS, st.floats(allow_nan=False, allow_infinity=False))
def test_it_never_raises_and_never_asks_without_an_end(
    start: str, length: str, whole: str, value: float
) -> None:
    body = event("p", value, intervalPeriod={"start": start, "duration": length}, duration=whole)
    try:
        found = ask(body)
    except ValidationError:
        return
    assert bool(found.requests) != bool(found.reason)
    for request in found.requests:
        assert request.target_kw > 0
        assert NOON_S < request.end_s <= NOON_S + 366 * 86_400
        assert request.start_s <= request.end_s
