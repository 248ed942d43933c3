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
from gridctl.openadr.report_values import measurements
from gridctl.openadr.scopes import READ_OWN
from gridctl.openadr.wire import ReportRequest
from gridctl.store.openadr_kinds import StoredObject
from gridctl.store.openadr_objects import Search

RESOURCES_MAX = 10_000


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

    async def written(
        self,
        one: StoredObject,  # noqa: ARG002 - the body says it all
        old: StoredObject | None,  # noqa: ARG002
        draft: Draft,
        caller: Caller,
    ) -> dict[str, str]:
        """Its numbers go into the history, with their quality and when they came."""
        report = ReportRequest.model_validate(draft.body)
        names = {part.resource_name for part in report.resources}
        places = await self._places(caller, names)
        found = measurements(report, places, now_s=self._clock.now_s())
        if found:
            await self._store.add_samples(found)
        return {}

    async def _places(self, caller: Caller, names: set[str]) -> dict[str, str]:
        """Name of the VEN's resource → the platform's resource that it is, else its own id."""
        ven = await self._store.objects.ven_of(caller.client.client_id)
        if ven is None:
            return {}
        search = Search(skip=0, limit=RESOURCES_MAX, equal={"ven_id": ven.id})
        mine = await self._store.objects.page("resource", search, reader=caller.reader())
        platform = {
            str(known.body["openadrResource"]): known.id
            for known in await self._store.platform.page(
                "resource", limit=RESOURCES_MAX, owner=caller.client.client_id
            )
        }
        return {
            str(one.keys["name"]): platform.get(one.id, one.id)
            for one in mine
            if one.keys["name"] in names
        }
