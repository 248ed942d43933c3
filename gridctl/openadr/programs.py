"""Programs: what customers may take part in."""

from __future__ import annotations

from aiohttp import web

from gridctl.openadr.auth import Caller
from gridctl.openadr.body import read_model
from gridctl.openadr.crud import Crud, Draft
from gridctl.openadr.scopes import READ_TARGETED
from gridctl.openadr.wire import ProgramRequest
from gridctl.store.openadr_kinds import StoredObject


class Programs(Crud):
    """Handlers of /programs."""

    kind = "program"
    read_scopes = READ_TARGETED
    write_scopes = ("write_programs",)

    async def draft(self, request: web.Request, caller: Caller, old: StoredObject | None) -> Draft:
        """What the body says of a program."""
        program = await read_model(request, ProgramRequest)
        return Draft(
            client_id=caller.client.client_id if old is None else old.client_id,
            keys={"name": program.program_name},
            targets=program.targets or (),
            body=program.model_dump(by_alias=True, mode="json"),
            result=program.program_name,
        )
