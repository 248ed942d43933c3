"""Which areas a person's write is about: the person has to answer for all of them (SG-31).

A customer system's token is not asked: it is trusted with the whole site or with its own alone.
What a request names and is not there is of no area; its handler says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web

from gridctl.openadr.body import parsed, read_bytes
from gridctl.openadr.problem import ProblemError as OpenadrError
from gridctl.store.engine import SqlStore
from gridctl.store.platform import PlatformObject


class PlatformAreas:
    """Areas by what a request names. `devices`: area of each device of the feeder."""

    def __init__(self, *, store: SqlStore, devices: Mapping[str, str]) -> None:
        self._store = store
        self._devices = devices

    async def of_dispatch(self, request: web.Request) -> Iterable[str]:
        """Those of the devices that a dispatch names; all, when it names none."""
        found = await self._present("dispatch", request)
        body = await _body(request) if found is None else dict(found.body)
        names = body.get("resources")
        wanted = [*names] if isinstance(names, list) else []
        wanted += [body["group"]] if isinstance(body.get("group"), str) else []
        if not wanted:
            return set(self._devices.values())
        devices = await self._store.platform.devices_of([str(name) for name in wanted])
        return self._areas(*devices)

    async def of_resource(self, request: web.Request) -> Iterable[str]:
        """That of the device that a resource has, and of the one that it is given."""
        found = await self._present("resource", request)
        given = (await _body(request)).get("device")
        return self._areas(given, None if found is None else found.body.get("device"))

    async def of_enrolment(self, request: web.Request) -> Iterable[str]:
        """That of the device whose resource is enrolled."""
        return await self._of_parent("enrolment", request)

    async def of_opt_out(self, request: web.Request) -> Iterable[str]:
        """That of the device whose resource is withdrawn."""
        return await self._of_parent("opt_out", request)

    async def of_participation(self, request: web.Request) -> Iterable[str]:
        """That of the device that is asked."""
        found = await self._present("participation", request)
        return self._areas(None if found is None else found.body.get("device"))

    async def _of_parent(self, kind: str, request: web.Request) -> Iterable[str]:
        found = await self._present(kind, request)
        id_ = (await _body(request)).get("resourceId") if found is None else found.parent
        resource = await self._store.platform.one("resource", str(id_))
        return self._areas(None if resource is None else resource.body.get("device"))

    async def _present(self, kind: str, request: web.Request) -> PlatformObject | None:
        id_ = request.match_info.get("id")
        return None if id_ is None else await self._store.platform.one(kind, id_)

    def _areas(self, *devices: object) -> set[str]:
        return {self._devices[d] for d in devices if isinstance(d, str) and d in self._devices}


async def _body(request: web.Request) -> dict[str, Any]:
    """The body, or nothing where it cannot be read: the handler refuses it."""
    try:
        found = parsed(await read_bytes(request))
    except OpenadrError:
        return {}
    return found if isinstance(found, dict) else {}
