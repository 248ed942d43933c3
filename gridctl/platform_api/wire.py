"""What clients say and what they are told: the models that the OpenAPI document is made from.

Unknown fields are refused; times are RFC 3339 with an offset; powers kW, durations s. Names of DER
groups are those of IEC 61968-5 (EndDeviceGroup, DERFunction).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)
from pydantic.alias_generators import to_camel

from gridctl.platform_api.times import at_s


def _is_time(text: str) -> str:
    at_s(text)
    return text


def _is_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _finite(value: float) -> float:
    if not -1e9 < value < 1e9:  # noqa: PLR2004 - no feeder has a terawatt
        raise ValueError("is out of any range")
    return value


Time = Annotated[
    StrictStr,
    Field(max_length=40, json_schema_extra={"format": "date-time"}),
    AfterValidator(_is_time),
]
Name = Annotated[StrictStr, Field(min_length=1, max_length=128), AfterValidator(_is_text)]
Text = Annotated[StrictStr, Field(max_length=500)]
Reason = Annotated[StrictStr, Field(min_length=3, max_length=500), AfterValidator(_is_text)]
ObjectId = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
Kw = Annotated[StrictInt | StrictFloat, AfterValidator(_finite)]
Seconds = Annotated[StrictInt | StrictFloat, Field(ge=0, le=31_622_400)]
Calls = Annotated[StrictInt, Field(ge=0, le=10_000)]
DaySeconds = Annotated[StrictInt, Field(ge=0, le=86_400)]
Weekday = Annotated[StrictInt, Field(ge=0, le=6, description="0 is Monday")]


class Said(BaseModel):
    """Base of bodies: camelCase, nothing unknown."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Period(Said):
    """From `start` to `end`."""

    start: Time
    end: Time

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if at_s(self.end) <= at_s(self.start):
            raise ValueError("end is not after start")
        return self


class Blackout(Period):
    """A window in which the resource may not be called."""

    reason: Text = ""


class WeeklyBlackout(Said):
    """The same each week, in seconds of the feeder's local standard day."""

    weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    from_s: DaySeconds
    to_s: DaySeconds
    reason: Text = ""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to_s <= self.from_s:
            raise ValueError("toS is not after fromS")
        return self


class Customer(Said):
    """Somebody who has sites."""

    name: Name
    reference: Text = Field(default="", description="the customer's number elsewhere")


class Site(Said):
    """A place of a customer."""

    customer_id: ObjectId
    name: Name
    address: Text = ""
    meter: Text = ""


class Resource(Said):
    """What can be called: a device that the field commands (`device`, its mRID in the resources
    file), or a resource of a VEN (`openadrResource`, its id in OpenADR); or neither, to be metered
    only."""

    site_id: ObjectId
    name: Name
    device: ObjectId | None = None
    openadr_resource: ObjectId | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.device is not None and self.openadr_resource is not None:
            raise ValueError("it has a device or a resource of a VEN, not both")
        return self


EnrolmentState = Literal["requested", "verified", "active", "suspended", "ended"]


class Enrolment(Said):
    """A resource takes part in a program, within limits that no plan exceeds.

    While it is not `active` its device is not called at all. A call is a start: a device that goes
    on under the next plan is not called again. `firstTime` to `lastTime` is its season.
    """

    resource_id: ObjectId
    program: Name
    state: EnrolmentState = "requested"
    first_time: Time | None = None
    last_time: Time | None = None
    baseline_method: Name = "high-5-of-10"
    commitment_kw: Annotated[Kw, Field(ge=0)] = 0
    calls_per_day: Calls | None = None
    calls_per_week: Calls | None = None
    calls_per_season: Calls | None = None
    notice_s: Seconds = 0
    emergency_notice_s: Seconds | None = Field(
        default=None, description="notice when the dispatch has priority 0; absent: no other"
    )
    acknowledge_within_s: Seconds = Field(
        default=900, description="after the dispatch was made; no answer by then is said so"
    )
    blackouts: Annotated[list[Blackout], Field(max_length=100)] = []
    weekly_blackouts: Annotated[list[WeeklyBlackout], Field(max_length=20)] = []

    @model_validator(mode="after")
    def _dates(self) -> Self:
        first, last = self.first_time, self.last_time
        if first is not None and last is not None and at_s(last) <= at_s(first):
            raise ValueError("lastTime is not after firstTime")
        return self


class OptOut(Said):
    """A resource is not there: once (`start`, `end`) or each week."""

    resource_id: ObjectId
    name: Name
    start: Time | None = None
    end: Time | None = None
    weekly: WeeklyBlackout | None = None
    reason: Text = ""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        once = self.start is not None and self.end is not None
        if once == (self.weekly is not None) or (self.start is None) != (self.end is None):
            raise ValueError("it has start and end, or weekly")
        if self.start is not None and self.end is not None and at_s(self.end) <= at_s(self.start):
            raise ValueError("end is not after start")
        return self


class EndDevice(Said):
    """A member of a group (IEC 61968-5), by the mRID of its resource here."""

    mrid: ObjectId = Field(alias="mRID")


class CimName(Said):
    """Name of IEC 61970: the name, and what kind of name it is."""

    name: Name
    name_type: Text = ""


class DerFunction(Said):
    """DERFunction of IEC 61968-5: what the group can be asked for."""

    connect_disconnect: StrictBool = False
    frequency_watt_curve_function: StrictBool = False
    max_real_power_limiting: StrictBool = False
    ramp_rate_control: StrictBool = False
    reactive_power_dispatch: StrictBool = False
    real_power_dispatch: StrictBool = True
    voltage_regulation: StrictBool = False
    volt_var_curve_function: StrictBool = False
    volt_watt_curve_function: StrictBool = False


class EndDeviceGroup(Said):
    """A DER group as IEC 61968-5 names it."""

    names: Annotated[list[CimName], Field(alias="Names", min_length=1, max_length=10)]
    der_function: DerFunction = Field(default=DerFunction(), alias="DERFunction")
    end_devices: Annotated[list[EndDevice], Field(alias="EndDevices", max_length=1_000)]


TestKind = Literal["communication", "capacity", "integration"]


class DispatchRequest(Said):
    """Reduce the feeder's import by `targetKw` from `start` to `end`.

    Who is asked to take part: the members of `group`, or `resources`, or everybody with an active
    enrolment (in `program`). What moves is decided by a plan that people approve; where a group or
    resources are named, their devices alone may answer, and bring all of `targetKw`. `test`:
    `communication` only asks for an acknowledgement and moves nothing; `capacity` asks for all
    that is committed when there is no `targetKw`; `integration` goes the whole way, marked.
    """

    name: Name
    start: Time
    end: Time
    target_kw: Annotated[Kw, Field(gt=0)] | None = None
    program: Name | None = None
    group: ObjectId | None = None
    resources: Annotated[list[ObjectId], Field(max_length=1_000)] | None = None
    priority: Annotated[StrictInt, Field(ge=0, le=1_000)] = 500
    test: TestKind | None = None
    reason: Text = ""

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if at_s(self.end) <= at_s(self.start):
            raise ValueError("end is not after start")
        if self.target_kw is None and self.test in (None, "integration"):
            raise ValueError("targetKw is missing")
        if self.group is not None and self.resources is not None:
            raise ValueError("it names a group or resources, not both")
        return self


class DispatchChange(Said):
    """What changes, before or while it runs, and why."""

    name: Name | None = None
    start: Time | None = None
    end: Time | None = None
    target_kw: Annotated[Kw, Field(gt=0)] | None = None
    reason: Reason


class Cancellation(Said):
    """Why it is off."""

    reason: Reason


class Extension(Said):
    """A later end, and why."""

    end: Time
    reason: Reason


class Answer(Said):
    """What a participant says to one dispatch."""

    answer: Literal["opt_in", "opt_out"]
    reason: Text = ""


Validity = Literal["good", "questionable", "invalid"]


class Reading(Said):
    """One value of one quantity of one resource."""

    resource_id: ObjectId
    quantity: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")] = "PowerKw"
    time: Time
    value: Kw
    quality: Validity = "good"
    estimated: StrictBool = False


class Readings(Said):
    """Up to 1,000 readings; each is answered for itself."""

    items: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1_000)] = Field(
        description="each a Reading; one that is wrong is refused for itself"
    )
