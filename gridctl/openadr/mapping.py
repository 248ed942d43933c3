"""From an OpenADR event to what it asks of us, or to the reason why it asks nothing.

- DISPATCH_SETPOINT_RELATIVE: the value is the reduction of the feeder's import. The published
  schema allows no negative value, so a positive one is the amount of the change; its direction is
  the only one that a dispatch request has, down.
- IMPORT_CAPACITY_LIMIT: the value is the highest import. The reduction is what the forecast (at
  the highest quantile there is) shows above it, frozen at the time of the event.
- EXPORT_CAPACITY_LIMIT: the value is the highest export. It is not turned into a reduction: the
  plan keeps the import from falling below minus the value (batteries charge, PV is curtailed).
- What names no kilowatts (a level, a price, an offset, an alert) is worth what its program says:
  `gridctl.openadr.sizes`.

The first three are in units `KW`, named by a payload descriptor of the event or else of its
program. Targets that name devices here make the request one that those alone answer. What is not
acted on, and why, is `NOT_ACTED_ON`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gridctl.model.planning import Forecast
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.openadr.sizes import (
    SIZED,
    NothingToDoError,
    attribute,
    has_size,
    positive,
    sized_kw,
)
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
EXPORT_LIMIT = "EXPORT_CAPACITY_LIMIT"
ACTED_ON = (RELATIVE, LIMIT, EXPORT_LIMIT)
_FOR_VENS = "it is for a VEN, which reads it here: gridctl keeps it and moves nothing"
_CAPACITY = "it is part of a contract about capacity: it is kept for those who read it"
NOT_ACTED_ON: Mapping[str, str] = {
    "DISPATCH_INSTRUCTION": _FOR_VENS,
    "CTA2045_REBOOT": _FOR_VENS,
    "CTA2045_SET_OVERRIDE_STATUS": _FOR_VENS,
    "CURVE": _FOR_VENS,
    "OLS": _FOR_VENS,
    "EXPORT_PRICE": "a price of what is fed in reduces no import: it is kept for those who read it",
    "IMPORT_CAPACITY_SUBSCRIPTION": _CAPACITY,
    "IMPORT_CAPACITY_RESERVATION": _CAPACITY,
    "IMPORT_CAPACITY_RESERVATION_FEE": _CAPACITY,
    "IMPORT_CAPACITY_AVAILABLE": _CAPACITY,
    "IMPORT_CAPACITY_AVAILABLE_PRICE": _CAPACITY,
    "EXPORT_CAPACITY_SUBSCRIPTION": _CAPACITY,
    "EXPORT_CAPACITY_RESERVATION": _CAPACITY,
    "EXPORT_CAPACITY_RESERVATION_FEE": _CAPACITY,
    "EXPORT_CAPACITY_AVAILABLE": _CAPACITY,
    "EXPORT_CAPACITY_AVAILABLE_PRICE": _CAPACITY,
}
"""Types of the standard that are kept, listed and notified, and why they move nothing."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What an interval asks for: less import, or a limit of export, kW."""

    less_kw: float = 0.0
    export_max_kw: float | None = None

    @property
    def asks(self) -> bool:
        return self.less_kw > 0.0 or self.export_max_kw is not None


def asked(
    event: EventRequest,
    program: ProgramRequest,
    *,
    client_id: str,
    now_s: float,
    peak_kw: Peak,
    devices: tuple[str, ...] | None = None,
) -> Ask:
    """What `event` asks at grid time `now_s`, its requests numbered (`of_event` names them). Pure;
    never raises for what a client wrote. `devices`: those that its targets name, () for targets
    that name none; None: it has no targets."""
    if is_cancelled(event):
        return Ask(reason="the event is cancelled (now, for no time)", cancels=True)
    try:
        if devices == ():
            raise NothingToDoError(
                "its targets name no device, area, group or resource here: it is for VENs"
            )
        if not event.intervals:
            raise NothingToDoError("it has no intervals")
        unfolded = windows(event, program, now_s=now_s)
        if len(unfolded) > REQUESTS_MAX:
            raise NothingToDoError(f"it has more than {REQUESTS_MAX} intervals")
        requests = [
            DispatchRequest(
                mrid=str(index),
                event_id="",
                name=event.event_name or program.program_name,
                source=client_id,
                start_s=window.start_s,
                end_s=window.end_s,
                target_kw=wish.less_kw,
                export_max_kw=wish.export_max_kw,
                priority=PRIORITY_LOWEST if event.priority is None else event.priority,
                received_s=now_s,
                state=RequestState.RECEIVED,
                devices=devices,
            )
            for index, window in enumerate(_bounded(unfolded, now_s))
            if (wish := _wish(window, event, program, peak_kw, devices)).asks
            and window.end_s > max(now_s, window.start_s)
        ]
    except (NothingToDoError, TimingError) as reason:
        return Ask(reason=str(reason))
    if not requests:
        return Ask(reason="nothing is left to reduce: it is over, or asks for 0 kW")
    return Ask(requests=tuple(requests))


def of_event(ask: Ask, event_id: str) -> Ask:
    """`ask` in the name of the event that was kept: its requests are told from other events'."""
    named = (replace(r, mrid=f"{event_id}-{r.mrid}", event_id=event_id) for r in ask.requests)
    return replace(ask, requests=tuple(named))


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
            raise NothingToDoError("it has no end: a reduction needs one")
        if window.end_s - now_s > AHEAD_MAX_S:
            raise NothingToDoError("it ends more than a year from now")
        bounded.append(
            _Bounded(start_s=window.start_s, end_s=window.end_s, payloads=window.interval.payloads)
        )
    return bounded


def _wish(
    window: _Bounded,
    event: EventRequest,
    program: ProgramRequest,
    peak_kw: Peak,
    devices: tuple[str, ...] | None,
) -> _Wish:
    known = [
        payload
        for payload in window.payloads
        if payload.type in ACTED_ON or has_size(payload.type, program)
    ]
    if not known:
        raise NothingToDoError(_why_not([payload.type for payload in window.payloads]))
    if len(known) > 1:
        raise NothingToDoError("an interval has more than one payload to act on")
    payload = known[0]
    if payload.type not in ACTED_ON:
        return _Wish(less_kw=sized_kw(payload, program))
    units = _units(payload.type, event, program)
    if units != "KW":
        raise NothingToDoError(
            f"{payload.type} is in {units or 'no units'}: a payload descriptor has to say KW"
        )
    value_kw = positive(payload)
    if payload.type == RELATIVE:
        return _Wish(less_kw=value_kw)
    if devices is not None:
        raise NothingToDoError(f"{payload.type} with targets: only the whole feeder has a forecast")
    if payload.type == EXPORT_LIMIT:
        return _Wish(export_max_kw=value_kw)
    expected_kw = peak_kw(window.start_s, window.end_s)
    if expected_kw is None:
        raise NothingToDoError(f"{LIMIT}: there is no forecast for all of its time")
    return _Wish(less_kw=max(0.0, expected_kw - value_kw))


def _why_not(types: Sequence[str]) -> str:
    """Why payloads of `types` ask nothing, and what would."""
    reasons = dict(NOT_ACTED_ON)
    for type_ in types[:2]:
        if type_ in SIZED:
            reasons[type_] = (
                f"the program has no attribute {attribute(type_)} that says how many kW it is worth"
            )
    told = [f"{type_}: {reasons[type_]}" for type_ in types[:2] if type_ in reasons]
    names = ", ".join(types)[:200] or "no payload"
    acts = f"gridctl acts on {', '.join(ACTED_ON)} and what a program gives a size"
    return f"{'; '.join(told) or names}. {acts}"


def _units(kind: str, event: EventRequest, program: ProgramRequest) -> str | None:
    descriptors: list[AnyDescriptor] = [
        *(event.payload_descriptors or ()),
        *(program.payload_descriptors or ()),
    ]
    for descriptor in descriptors:
        if isinstance(descriptor, EventPayloadDescriptor) and descriptor.payload_type == kind:
            return descriptor.units
    return None
