"""/api/v1/evidence: the signed pack of a plan or an event, as `gridctl evidence` writes it."""

from __future__ import annotations

import re

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.control.evidence import packed
from gridctl.control.ports import Desk, Store
from gridctl.model.clock import Clock
from gridctl.web.auth import person_of
from gridctl.web.problem import problem


class EvidencePages:
    """The handler. `key` None: nothing here can sign."""

    def __init__(
        self, *, desk: Desk, store: Store, clock: Clock, key: Ed25519PrivateKey | None
    ) -> None:
        self._desk = desk
        self._store = store
        self._clock = clock
        self._key = key

    async def pack(self, request: web.Request) -> web.StreamResponse:
        """One zip; RefusedError (409) for what is neither a plan nor an event."""
        if self._key is None:
            return problem(503, "no_key", "This console has no key to sign with")
        about = request.match_info["about"]
        data = await packed(
            about,
            store=self._store,
            head_point=self._desk.picture().head_point,
            key=self._key,
            made_at_s=self._clock.now_s(),
            made_by=person_of(request).user,
        )
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", about)
        return web.Response(
            body=data,
            content_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
        )
