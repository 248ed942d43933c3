"""The platform API over real HTTP, beside the VTN, with a real store and a recording desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from gridctl.model.clock import ManualClock
from gridctl.openadr.routes import openadr_routes
from gridctl.platform_api.routes import platform_routes
from gridctl.store.engine import SqlStore, temporary_store
from gridctl.web.auth import Gate
from tests.gridctl.openadr.vtn import BASE as OPENADR
from tests.gridctl.openadr.vtn import NOON_S, SECRET, RecordingDesk

BASE = "/api/v1"
DEVICES = {"GRP1": "north", "GRP2": "south", "BESS1": "south"}


@dataclass
class House:
    """The server and what lies behind it; calls are made as `bl` unless said otherwise."""

    client: TestClient[web.Request, web.Application]
    store: SqlStore
    desk: RecordingDesk
    clock: ManualClock
    tokens: dict[str, str] = field(default_factory=dict)
    keys: int = 0

    async def call(
        self, method: str, path: str, body: object = None, *, who: str | None = "bl", **headers: str
    ) -> ClientResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        where = path if path.startswith(OPENADR) else BASE + path
        return await self.client.request(method, where, headers=sent, json=body)

    async def told(
        self, method: str, path: str, body: object = None, *, status: int = 200, **kw: Any
    ) -> dict[str, Any]:
        answer = await self.call(method, path, body, **kw)
        assert answer.status == status, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found

    async def made(self, path: str, body: object, **kw: Any) -> dict[str, Any]:
        return await self.told("POST", path, body, status=201, **kw)

    async def tag(self, path: str, *, who: str = "bl") -> str:
        return (await self.call("GET", path, who=who)).headers["ETag"]

    async def resource(self, name: str = "ice rink", **more: object) -> str:
        """A resource of a new customer."""
        customer = await self.made("/customers", {"name": f"customer of {name}"})
        site = await self.made("/sites", {"customerId": customer["id"], "name": "site"})
        made = await self.made("/resources", {"siteId": site["id"], "name": name, **more})
        return str(made["id"])

    async def enrolled(self, resource: str, **more: object) -> dict[str, Any]:
        body = {"resourceId": resource, "program": "peak", "state": "active", **more}
        return await self.made("/enrolments", body)

    async def ven_resource(self) -> str:
        """A resource at the VEN of client `ven`, in OpenADR; its id there."""
        ven = await self.made(f"{OPENADR}/vens", {"venName": "site-7"}, who="ven")
        body = {"resourceName": "rink", "venID": ven["id"]}
        return str((await self.made(f"{OPENADR}/resources", body, who="ven"))["id"])

    async def dispatch(self, **more: object) -> dict[str, Any]:
        self.keys += 1
        body = {
            "name": "hot afternoon",
            "start": "2026-08-05T16:00:00Z",
            "end": "2026-08-05T18:00:00Z",
            "targetKw": 400,
            **more,
        }
        return await self.made("/dispatch-requests", body, Idempotency_Key=f"key-{self.keys}")


@asynccontextmanager
async def running_house(*, with_people: bool = False, **limits: Any) -> AsyncIterator[House]:
    clock = ManualClock(grid_s=NOON_S, mono_s=100.0)
    async with temporary_store(clock) as store:
        desk = RecordingDesk(store)
        gate = Gate(store.sessions, secure=False, step_up_s=300.0) if with_people else None
        app = web.Application()
        app.add_subapp(OPENADR, openadr_routes(store=store, desk=desk, clock=clock))
        app.add_subapp(
            BASE,
            platform_routes(
                store=store, desk=desk, clock=clock, gate=gate, devices=DEVICES, **limits
            ),
        )
        for client_id, role in (("bl", "business-logic"), ("ven", "ven"), ("ven2", "ven")):
            await store.openadr.add_client(client_id, role, SECRET)
        async with TestClient(TestServer(app)) as client:
            house = House(client=client, store=store, desk=desk, clock=clock)
            for name in ("bl", "ven", "ven2"):
                form = {"grant_type": "client_credentials", "client_id": name}
                answer = await client.post(
                    f"{OPENADR}/auth/token", data={**form, "client_secret": SECRET}
                )
                house.tokens[name] = str((await answer.json())["access_token"])
            yield house
