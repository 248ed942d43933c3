"""VENs and their resources: who takes part, and what has been granted to them."""

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
from gridctl.openadr.wire import ResourceRequest, VenRequest
from gridctl.store.openadr_kinds import StoredObject

WRITE = ("write_vens",)


class Vens(Crud):
    """Handlers of /vens. A client has one VEN; only business logic grants targets."""

    kind = "ven"
    read_scopes = READ_OWN
    write_scopes = WRITE
    filters: ClassVar[Filters] = {"venName": ("name", listing.name)}

    async def draft(self, request: web.Request, caller: Caller, old: StoredObject | None) -> Draft:
        """What the body says of a VEN."""
        ven = await read_model(request, VenRequest)
        _check_role(ven.object_type, caller)
        if caller.is_business_logic:
            client_id = ven.client_id or ("" if old is None else old.client_id)
            targets = tuple(ven.targets or ())
        else:
            client_id = caller.client.client_id
            targets = () if old is None else old.targets
        if not client_id:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, "clientID: business logic has to say whose VEN this is"
            )
        body = ven.model_dump(by_alias=True, mode="json", include={"ven_name", "attributes"})
        return Draft(
            client_id=client_id,
            keys={"name": ven.ven_name},
            targets=targets,
            body=body,
            result=ven.ven_name,
        )


class Resources(Crud):
    """Handlers of /resources. A resource belongs to a VEN, and through it to a client."""

    kind = "resource"
    read_scopes = READ_OWN
    write_scopes = WRITE
    filters: ClassVar[Filters] = {
        "resourceName": ("name", listing.name),
        "venID": ("ven_id", listing.object_id),
    }

    async def draft(self, request: web.Request, caller: Caller, old: StoredObject | None) -> Draft:
        """What the body says of a resource."""
        resource = await read_model(request, ResourceRequest)
        _check_role(resource.object_type, caller)
        ven = await self._ven(resource, caller, old)
        if caller.is_business_logic:
            targets = tuple(resource.targets or ())
        else:
            targets = () if old is None else old.targets
        body = resource.model_dump(
            by_alias=True, mode="json", include={"resource_name", "attributes"}
        )
        return Draft(
            client_id=ven.client_id,
            keys={"ven_id": ven.id, "name": resource.resource_name},
            targets=targets,
            body={**body, "venID": ven.id},
            result=resource.resource_name,
        )

    async def _ven(
        self, resource: ResourceRequest, caller: Caller, old: StoredObject | None
    ) -> StoredObject:
        """The VEN that is meant: named, the one of before, or the caller's own."""
        id_ = resource.ven_id or ("" if old is None else str(old.keys["ven_id"]))
        if not id_ and caller.is_business_logic:
            raise ProblemError(
                HTTPStatus.BAD_REQUEST, "venID: business logic has to say whose resource this is"
            )
        ven = (
            await self._store.objects.ven_of(caller.client.client_id)
            if not id_
            else await self._store.objects.one("ven", id_, reader=caller.reader())
        )
        if ven is None:
            told = "you have no ven yet" if not id_ else f"there is no ven {id_!r}"
            raise ProblemError(HTTPStatus.CONFLICT, told)
        return ven


def _check_role(object_type: str | None, caller: Caller) -> None:
    """403 for a request that is written in the other role's name."""
    if object_type is not None and object_type.startswith("BL_") != caller.is_business_logic:
        role = "business logic" if caller.is_business_logic else "a VEN"
        raise ProblemError(HTTPStatus.FORBIDDEN, f"{role} does not send a {object_type}")
