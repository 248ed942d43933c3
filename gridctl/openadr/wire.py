"""The wire's types of OpenADR 3.1.0: what clients say of each kind of object.

Written from the contract (info.version of the published file: 1.0.0, API 3.1.0). Fields that the
server owns are ignored when a client sends them; unknown properties are ignored, as the contract
allows (3.1.1 adds some). Texts of times and durations come back as they came.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_serializer,
)
from pydantic.alias_generators import to_camel

from gridctl.openadr.periods import duration, instant

ID_PATTERN = r"^[a-zA-Z0-9_-]{1,128}$"
INTERVALS_MAX = 1_000


def _is_duration(text: str) -> str:
    duration(text)
    return text


def _not_null(text: str | None) -> str | None:
    # a default is not validated: this sees only what somebody wrote
    if text is None:
        raise ValueError("it may be left out, it is not null")
    return text


def _is_instant(text: str) -> str:
    instant(text)
    return text


Name = Annotated[StrictStr, Field(min_length=1, max_length=128)]
ObjectId = Annotated[StrictStr, Field(pattern=ID_PATTERN)]
Duration = Annotated[StrictStr, Field(max_length=64), AfterValidator(_is_duration)]
Instant = Annotated[StrictStr, Field(max_length=64), AfterValidator(_is_instant)]
Number = StrictInt | StrictFloat
Targets = Annotated[list[Name], Field(max_length=200)]


class Wire(BaseModel):
    """Base: camelCase names; an optional field that was not given leaves as null."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class Sparse(Wire):
    """Where the contract does not allow null (`omitted`) what was not given is left out."""

    omitted: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_forbidden_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {k: v for k, v in found.items() if v is not None or k not in self.omitted}


class XY(Wire):
    """A point of a curve."""

    x: Number
    y: Number


class ValuesMap(Wire):
    """A type and its values: `type` is one of the enumeration or a private string."""

    type: Name
    values: Annotated[list[Number | StrictBool | StrictStr | XY], Field(max_length=1_000)]


class IntervalPeriod(Sparse):
    """When, how long, and by how much clients shift their start."""

    omitted = frozenset({"start", "duration", "randomizeStart"})
    start: Instant | None = None
    duration: Duration | None = None
    randomize_start: Duration | None = None


class Interval(Sparse):
    """A window with its payloads; its own period overrides the event's."""

    omitted = frozenset({"intervalPeriod"})
    id: Annotated[StrictInt, Field(ge=-(2**31), lt=2**31)]
    interval_period: IntervalPeriod | None = None
    payloads: Annotated[list[ValuesMap], Field(max_length=50)]


class EventPayloadDescriptor(Wire):
    """What the values of a payload type mean."""

    object_type: Literal["EVENT_PAYLOAD_DESCRIPTOR"]
    payload_type: Name
    units: Name | None = None
    currency: StrictStr | None = None


class ReportPayloadDescriptor(Wire):
    """What the values of a report's payload type mean."""

    object_type: Literal["REPORT_PAYLOAD_DESCRIPTOR"]
    payload_type: Name
    reading_type: Name | None = None
    units: Name | None = None
    accuracy: Number | None = None
    confidence: Annotated[StrictInt, Field(ge=0, le=100)] | None = None


AnyDescriptor = Annotated[
    EventPayloadDescriptor | ReportPayloadDescriptor, Field(discriminator="object_type")
]


class ReportDescriptor(Wire):
    """A wish for a report."""

    payload_type: Name
    reading_type: Name | None = None
    units: Name | None = None
    targets: Targets | None = None
    aggregate: StrictBool = False
    start_interval: StrictInt = -1
    num_intervals: StrictInt = -1
    historical: StrictBool = True
    frequency: StrictInt = -1
    repeat: StrictInt = 1
    report_intervals: Literal["INTERVALS", "SUB_INTERVALS", "OPEN_INTERVALS"] = "INTERVALS"


class ProgramDescription(Wire):
    """A link to a description."""

    url: Annotated[StrictStr, Field(alias="URL", min_length=2, max_length=8_000)]


class ProgramRequest(Sparse):
    """What a client says about a program."""

    omitted = frozenset({"intervalPeriod"})
    program_name: Name
    interval_period: IntervalPeriod | None = None
    program_descriptions: Annotated[list[ProgramDescription], Field(max_length=50)] | None = None
    payload_descriptors: Annotated[list[AnyDescriptor], Field(max_length=100)] | None = None
    attributes: Annotated[list[ValuesMap], Field(max_length=100)] | None = None
    targets: Targets | None = None


class EventRequest(Sparse):
    """What a client says about an event."""

    omitted = frozenset({"intervalPeriod", "duration", "intervals"})
    program_id: Annotated[ObjectId, Field(alias="programID")]
    event_name: StrictStr | None = None
    duration: Duration | None = None
    priority: Annotated[StrictInt, Field(ge=0, lt=2**31)] | None = None
    targets: Targets | None = None
    report_descriptors: Annotated[list[ReportDescriptor], Field(max_length=50)] | None = None
    payload_descriptors: Annotated[list[EventPayloadDescriptor], Field(max_length=100)] | None = (
        None
    )
    interval_period: IntervalPeriod | None = None
    intervals: Annotated[list[Interval], Field(max_length=INTERVALS_MAX)] | None = None


class VenRequest(Wire):
    """What a client says about a VEN. Business logic names the client and the targets; what a VEN
    says of those is ignored: they are not its to say. 3.1.0 wants `objectType`, clients in the
    field leave it out: the role says the same."""

    object_type: Annotated[
        Literal["BL_VEN_REQUEST", "VEN_VEN_REQUEST"] | None, AfterValidator(_not_null)
    ] = None
    client_id: Annotated[Name, Field(alias="clientID")] = ""
    ven_name: Name
    targets: Targets | None = None
    attributes: Annotated[list[ValuesMap], Field(max_length=100)] | None = None


class ResourceRequest(Wire):
    """What a client says about a resource of a VEN. 3.1.1 lets business logic leave out `clientID`
    and a VEN `venID`: both are known. Left out is "" here; the contract allows no null."""

    object_type: Annotated[
        Literal["BL_RESOURCE_REQUEST", "VEN_RESOURCE_REQUEST"] | None, AfterValidator(_not_null)
    ] = None
    client_id: Annotated[Name, Field(alias="clientID")] = ""
    ven_id: Annotated[ObjectId, Field(alias="venID")] = ""
    resource_name: Name
    targets: Targets | None = None
    attributes: Annotated[list[ValuesMap], Field(max_length=100)] | None = None


class ReportResource(Sparse):
    """The values that were reported for one resource."""

    omitted = frozenset({"intervalPeriod"})
    resource_name: Name
    interval_period: IntervalPeriod | None = None
    intervals: Annotated[list[Interval], Field(max_length=INTERVALS_MAX)]


class ReportRequest(Wire):
    """What a VEN reports about an event."""

    event_id: Annotated[ObjectId, Field(alias="eventID")]
    client_name: Name
    report_name: StrictStr | None = None
    payload_descriptors: Annotated[list[ReportPayloadDescriptor], Field(max_length=100)] | None = (
        None
    )
    resources: Annotated[list[ReportResource], Field(max_length=500)]


ObjectType = Literal["PROGRAM", "EVENT", "REPORT", "SUBSCRIPTION", "VEN", "RESOURCE"]
Operation = Literal["READ", "CREATE", "UPDATE", "DELETE"]


class ObjectOperation(Wire):
    """Of which changes a subscriber wants to hear, and where."""

    objects: Annotated[list[ObjectType], Field(max_length=20)]
    operations: Annotated[list[Operation], Field(max_length=20)]
    callback_url: Annotated[StrictStr, Field(min_length=2, max_length=8_000)]
    bearer_token: Annotated[StrictStr, Field(max_length=8_000)] | None = None


class SubscriptionRequest(Sparse):
    """What a client says about a subscription."""

    omitted = frozenset({"programID"})
    client_name: Name
    program_id: Annotated[ObjectId | None, Field(alias="programID")] = None
    object_operations: Annotated[list[ObjectOperation], Field(max_length=20)]
    targets: Targets | None = None
