"""openadr3-client 2.4 through a life, without a subscription: it only reads those, and its
operations are still called GET and POST.

argv: base URL.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

from openadr3_client._models.common.interval import Interval  # type: ignore[import-not-found]
from openadr3_client._models.common.interval_period import (  # type: ignore[import-not-found]
    IntervalPeriod,
)
from openadr3_client.bl.http_factory import (  # type: ignore[import-not-found]
    BusinessLogicHttpClientFactory,
)
from openadr3_client.oadr310.models.event.event import NewEvent  # type: ignore[import-not-found]
from openadr3_client.oadr310.models.event.event_payload import (  # type: ignore[import-not-found]
    EventPayload,
    EventPayloadType,
)
from openadr3_client.oadr310.models.program.program import (  # type: ignore[import-not-found]
    NewProgram,
)
from openadr3_client.oadr310.models.report.report import (  # type: ignore[import-not-found]
    NewReport,
    ReportResource,
)
from openadr3_client.oadr310.models.report.report_payload import (  # type: ignore[import-not-found]
    ReportPayload,
    ReportPayloadType,
)
from openadr3_client.oadr310.models.ven.ven import (  # type: ignore[import-not-found]
    NewVenVenRequest,
)
from openadr3_client.ven.http_factory import (  # type: ignore[import-not-found]
    VirtualEndNodeHttpClientFactory,
)
from openadr3_client.version import OADRVersion  # type: ignore[import-not-found]

base = sys.argv[1]
how = {"version": OADRVersion.OADR_310, "allow_insecure_http": True}
bl = BusinessLogicHttpClientFactory.create_http_bl_client(base, "bl_client", "1001", **how)
ven = VirtualEndNodeHttpClientFactory.create_http_ven_client(base, "ven_client", "999", **how)
registered = ven.vens.create_ven(NewVenVenRequest(ven_name="elaad"))
program = bl.programs.create_program(NewProgram(program_name="elaad"))
start = datetime(2030, 1, 1, tzinfo=UTC)
interval = Interval(
    id=0,
    interval_period=IntervalPeriod(start=start, duration=timedelta(hours=1)),
    payloads=(EventPayload(type=EventPayloadType.SIMPLE, values=(1,)),),
)
event = bl.events.create_event(
    NewEvent(programID=program.id, event_name="from elaad", intervals=(interval,))
)
seen = [one.event_name for one in ven.events.get_events(None, None, program.id)]
measured = Interval(
    id=0,
    payloads=(ReportPayload(type=ReportPayloadType.READING, values=(12.5,)),),
)
report = ven.reports.create_report(
    NewReport(
        eventID=event.id,
        client_name="elaad",
        resources=(ReportResource(resource_name="meter", intervals=(measured,)),),
    )
)
read = bl.reports.get_report_by_id(report.id).id
gone = [
    ven.reports.delete_report_by_id(report.id).id,
    bl.events.delete_event_by_id(event.id).id,
    bl.programs.delete_program_by_id(program.id).id,
    ven.vens.delete_ven_by_id(registered.id).id,
]
told = {
    "seen": seen,
    "reported": read == report.id,
    "deleted": gone == [report.id, event.id, program.id, registered.id],
    "start": str(event.intervals[0].interval_period.start),
}
sys.stdout.write(json.dumps(told))
