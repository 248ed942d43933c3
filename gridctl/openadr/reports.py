"""Reports: what a VEN says came of an event."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from aiohttp import web

from gridctl.openadr import listing
from gridctl.openadr.auth import Caller
from gridctl.openadr.body import read_model
from gridctl.openadr.crud import Crud, Draft, Filters
from gridctl.openadr.problem import ProblemError
from gridctl.openadr.scopes import READ_OWN
from gridctl.openadr.wire import ReportRequest
from gridctl.store.openadr_objects import StoredObject


class Reports(Crud):
    """Handlers of /reports. Written by VENs alone, about an event that they may see."""

    kind = "report"
    read_scopes = READ_OWN
    write_scopes = ("write_reports",)
    is_targeted = False
    filters: ClassVar[Filters] = {
        "programID": ("program_id", listing.object_id),
        "eventID": ("event_id", listing.object_id),
        "clientName": ("client_name", listing.name),
    }

    async def draft(self, request: web.Request, caller: Caller, old: StoredObject | None) -> Draft:
        """What the body says of a report."""
        report = await read_model(request, ReportRequest)
        if old is not None and old.keys["event_id"] == report.event_id:
            # the event may be gone by now; the report about it may still be mended
            program_id = old.keys["program_id"]
        else:
            event = await self._store.objects.one("event", report.event_id, reader=caller.reader())
            if event is None:
                raise ProblemError(HTTPStatus.CONFLICT, f"there is no event {report.event_id!r}")
            program_id = event.keys["program_id"]
        return Draft(
            client_id=caller.client.client_id,
            keys={
                "event_id": report.event_id,
                "program_id": program_id,
                "client_name": report.client_name,
            },
            targets=(),
            body=report.model_dump(by_alias=True, mode="json"),
            result=f"about {report.event_id}",
        )
