"""Which areas an act is about: the person who does it must answer for all of them (SG-31)."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from gridctl.control.ports import Desk
from gridctl.model.resource import Resource
from gridctl.web.api import BadBody, body_object


class AreaRules:
    """Areas by what a request names. What does not exist is of no area: the handler says so."""

    def __init__(self, *, desk: Desk, resources: tuple[Resource, ...]) -> None:
        self._desk = desk
        self._area_of = {resource.mrid: resource.area for resource in resources}

    async def of_plan(self, request: web.Request) -> Iterable[str]:
        """The areas of the devices that the plan of the path commands."""
        view = await self._desk.plan(request.match_info["plan"])
        if view is None:
            return ()
        commanded = {s.resource for s in view.stored.plan.result.setpoints}
        return {self._area_of[mrid] for mrid in commanded if mrid in self._area_of}

    async def of_body(self, request: web.Request) -> Iterable[str]:
        """The area that the body names. Raises BadBody."""
        area = (await body_object(request)).get("area")
        if not isinstance(area, str):
            raise BadBody("field 'area' must be a text")
        return (area,)

    async def of_device(self, request: web.Request) -> Iterable[str]:
        """The area of the device that the body names. Raises BadBody."""
        device = (await body_object(request)).get("device")
        if not isinstance(device, str):
            raise BadBody("field 'device' must be a text")
        area = self._area_of.get(device)
        return () if area is None else (area,)

    async def of_tag(self, request: web.Request) -> Iterable[str]:
        """The area of the device that the tag of the path hangs on."""
        name = request.match_info["tag"]
        devices = {v.tag.device for v in self._desk.picture().tags if v.tag.id == name}
        return {self._area_of[mrid] for mrid in devices if mrid in self._area_of}

    async def all(self, request: web.Request) -> Iterable[str]:
        """Every area of the site."""
        return set(self._area_of.values())
