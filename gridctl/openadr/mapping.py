"""From an OpenADR event to what it asks of us, or to the reason why it asks nothing.

Acted on, in kW of the whole feeder, units `KW` named by a payload descriptor of the event or else
of its program:

- DISPATCH_SETPOINT_RELATIVE: the value is the reduction of the feeder's import. The published
  schema allows no negative value, so a positive one is the amount of the change; its direction is
  the only one that a dispatch request has, down.
- IMPORT_CAPACITY_LIMIT: the value is the highest import. The reduction is what the forecast (at
  the highest quantile there is) shows above it, frozen at the time of the event.

DISPATCH_SETPOINT is the absolute consumption of one resource: read as a feeder's it would shed
nearly everything, so it is kept and not acted on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gridctl.model.planning import Forecast
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.openadr.timing import TimingError, Window, is_cancelled, windows
from gridctl.openadr.wire import (
    AnyDescriptor,
    EventPayloadDescriptor,
    EventRequest,
    ProgramRequest,
    ValuesMap,
)

RELATIVE = "DISPATCH_SETPOINT_RELATIVE"
LIMIT = "IMPORT_CAPACITY_LIMIT"
REQUESTS_MAX = 96
AHEAD_MAX_S = 366 * 86_400.0
PRIORITY_LOWEST = 1_000
"""Priority of an event that names none: in OpenADR a lower number is more important."""

Peak = Callable[[float, float], float | None]
"""Highest expected import, kW, between two grid times; None when it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What an event asks: requests, or a reason why there are none. `cancels`: the event says in
    OpenADR's way (now, for no time) that it is off."""

    requests: tuple[DispatchRequest, ...] = ()
    reason: str = ""
    cancels: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounded:
    start_s: float
    end_s: float
    payloads: Sequence[ValuesMap]


class _NothingToDoError(ValueError):
    """Carries the reason in words."""


def asked(
    event: EventRequest,
    program: ProgramRequest,
    *,
    event_id: str,
    client_id: str,
    now_s: float,
    peak_kw: Peak,
) -> Ask:
    """What `event` asks at grid time `now_s`. Pure; never raises for what a client wrote."""
    if is_cancelled(event):
        return Ask(reason="the event is cancelled (now, for no time)", cancels=True)
    try:
        if event.targets:
            raise _NothingToDoError("it has targets: only events for the whole feeder are acted on")
        if not event.intervals:
            raise _NothingToDoError("it has no intervals")
        unfolded = windows(event, program, now_s=now_s)
        if len(unfolded) > REQUESTS_MAX:
            raise _NothingToDoError(f"it has more than {REQUESTS_MAX} intervals")
        requests = [
            DispatchRequest(
                mrid=f"{event_id}-{index}",
                event_id=event_id,
                name=event.event_name or program.program_name,
                source=client_id,
                start_s=window.start_s,
                end_s=window.end_s,
                target_kw=target_kw,
                priority=PRIORITY_LOWEST if event.priority is None else event.priority,
                received_s=now_s,
                state=RequestState.RECEIVED,
            )
            for index, window in enumerate(_bounded(unfolded, now_s))
            if (target_kw := _target_kw(window, event, program, peak_kw)) > 0
            and window.end_s > max(now_s, window.start_s)
        ]
    except (_NothingToDoError, TimingError) as reason:
        return Ask(reason=str(reason))
    if not requests:
        return Ask(reason="nothing is left to reduce: it is over, or asks for 0 kW")
    return Ask(requests=tuple(requests))


def forecast_peak(forecast: Forecast | None) -> Peak:
    """The highest import of `forecast` at its highest quantile in a window that it covers."""

    def peak(start_s: float, end_s: float) -> float | None:
        if forecast is None:
            return None
        horizon = forecast.horizon
        last = (end_s - horizon.start_s) / horizon.step_s
        if start_s < horizon.start_s or last > horizon.count:
            return None
        first = int((start_s - horizon.start_s) // horizon.step_s)
        series = forecast.at_quantile(max(forecast.quantiles))
        return max(series[first : max(first + 1, -int(-last // 1))], default=None)

    return peak


def _bounded(found: Sequence[Window], now_s: float) -> list[_Bounded]:
    """A reduction has an end, and one within a year."""
    bounded = []
    for window in found:
        if window.end_s is None:
            raise _NothingToDoError("it has no end: a reduction needs one")
        if window.end_s - now_s > AHEAD_MAX_S:
            raise _NothingToDoError("it ends more than a year from now")
        bounded.append(
            _Bounded(start_s=window.start_s, end_s=window.end_s, payloads=window.interval.payloads)
        )
    return bounded


def _target_kw(
    window: _Bounded, event: EventRequest, program: ProgramRequest, peak_kw: Peak
) -> float:
    known = [payload for payload in window.payloads if payload.type in (RELATIVE, LIMIT)]
    if not known:
        types = ", ".join(payload.type for payload in window.payloads) or "no payload"
        raise _NothingToDoError(f"{types[:200]}: gridctl acts on {RELATIVE} and {LIMIT}")
    if len(known) > 1:
        raise _NothingToDoError("an interval has more than one payload to act on")
    payload = known[0]
    units = _units(payload.type, event, program)
    if units != "KW":
        raise _NothingToDoError(
            f"{payload.type} is in {units or 'no units'}: a payload descriptor has to say KW"
        )
    value_kw = _number(payload)
    if payload.type == RELATIVE:
        return value_kw
    expected_kw = peak_kw(window.start_s, window.end_s)
    if expected_kw is None:
        raise _NothingToDoError(f"{LIMIT}: there is no forecast for all of its time")
    return max(0.0, expected_kw - value_kw)


def _units(kind: str, event: EventRequest, program: ProgramRequest) -> str | None:
    descriptors: list[AnyDescriptor] = [
        *(event.payload_descriptors or ()),
        *(program.payload_descriptors or ()),
    ]
    for descriptor in descriptors:
        if isinstance(descriptor, EventPayloadDescriptor) and descriptor.payload_type == kind:
            return descriptor.units
    return None


def _number(payload: ValuesMap) -> float:
    value = payload.values[0] if len(payload.values) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NothingToDoError(f"{payload.type} needs exactly one number")
    if value < 0:
        raise _NothingToDoError(
            f"{payload.type} is negative: the amount of a reduction is a positive number"
        )
    return float(value)
