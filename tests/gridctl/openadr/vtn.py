"""A VTN over real HTTP in front of a real store and a desk that writes down what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from gridctl.control.ports import Person, Picture, PlanView, ResourceView
from gridctl.model.clock import ManualClock
from gridctl.model.errors import Refusal, RefusedError, UnavailableError
from gridctl.model.measurement import Snapshot
from gridctl.model.planning import Forecast, Horizon, PlanningTask
from gridctl.model.program import DispatchRequest, RequestState
from gridctl.openadr.broker_notifier import MqttPolicy
from gridctl.openadr.callbacks import CallbackPolicy
from gridctl.openadr.desk import DemandDesk
from gridctl.openadr.routes import STRICT, openadr_routes
from gridctl.store.engine import SqlStore, temporary_store

BASE = "/openadr3/3.1.0"
NOON_S = 1_785_931_200.0  # 2026-08-05T12:00:00Z
SECRET = "a-secret-of-the-customer-system"


class RecordingDesk:
    """Keeps requests in the store as the real desk does; remembers who asked."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.submitted: list[DispatchRequest] = []
        self.cancelled: list[str] = []
        self.people: list[Person] = []
        self.refusal: Refusal | None = None
        self.all_over = False
        self.task: PlanningTask | None = None
        self.resources: tuple[ResourceView, ...] = ()
        self.forecast: Forecast | None = Forecast(
            horizon=Horizon(start_s=NOON_S, step_s=900.0, count=32),
            quantiles=(0.5, 0.9),
            values_kw=((3000.0,) * 32, tuple(3000.0 + 10 * k for k in range(32))),
            method="test",
            history_days=20.0,
            nmae_pct=3.0,
        )

    def picture(self) -> Picture:
        return Picture(
            at_s=NOON_S,
            mode="advisory",
            stopped=False,
            field_connected=True,
            snapshot=Snapshot(revision=1, at_s=NOON_S),
            points={},
            head_point="FDR.TotW",
            head_limit_kw=3200.0,
            links=(),
            resources=self.resources,
            forecast=self.forecast,
            alarms=(),
            cycle=None,
            effect=None,
            blocked=(),
        )

    async def planning_task(self) -> PlanningTask:
        """The task, with the requests that are there."""
        if self.task is None:
            raise UnavailableError("the field is not connected")
        return replace(self.task, requests=tuple(await self._store.requests()))

    async def submit_request(self, request: DispatchRequest, *, person: Person) -> None:
        if self.refusal is not None:
            raise RefusedError(self.refusal)
        self.submitted.append(request)
        self.people.append(person)
        async with self._store.transaction() as unit:
            await unit.put_request(request)

    async def cancel_request(self, event_id: str, *, person: Person) -> None:
        self.cancelled.append(event_id)
        if self.all_over:
            raise RefusedError(Refusal(code="no_such_request", reasons=("it is over",)))
        for request in await self._store.requests():
            if request.event_id == event_id:
                async with self._store.transaction() as unit:
                    await unit.put_request(replace(request, state=RequestState.CANCELLED))

    async def plans(self, *, limit: int = 50) -> Sequence[PlanView]:
        return ()

    async def plan(self, mrid: str) -> PlanView | None:
        return None

    async def approve(self, mrid: str, *, shown_digest: str, person: Person) -> PlanView:
        raise _not_here()

    async def reject(
        self, mrid: str, *, shown_digest: str, reason: str, person: Person
    ) -> PlanView:
        raise _not_here()

    async def break_glass(
        self, mrid: str, *, shown_digest: str, reason: str, person: Person
    ) -> PlanView:
        raise _not_here()

    async def stop(self, *, reason: str, person: Person) -> float:
        raise _not_here()

    async def resume(self, *, reason: str, person: Person) -> None:
        raise _not_here()

    async def return_to_default(self, *, reason: str, person: Person) -> None:
        raise _not_here()

    async def acknowledge(self, key: str, *, person: Person) -> None:
        raise _not_here()

    async def propose_now(self, *, person: Person) -> str:
        raise _not_here()


def _not_here() -> RefusedError:
    return RefusedError(Refusal(code="not_here", reasons=("OpenADR may not do this",)))


@dataclass
class Vtn:
    """The server and what lies behind it; calls are made as `bl` unless said otherwise."""

    client: TestClient[web.Request, web.Application]
    store: SqlStore
    desk: RecordingDesk
    clock: ManualClock
    tokens: dict[str, str] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, body: object = None, *, who: str | None = "bl", **kw: Any
    ) -> ClientResponse:
        headers = {} if who is None else {"Authorization": f"Bearer {self.tokens[who]}"}
        if body is not None:
            kw["json"] = body
        return await self.client.request(method, BASE + path, headers=headers, **kw)

    async def made(self, path: str, body: object) -> dict[str, Any]:
        answer = await self.call("POST", path, body)
        assert answer.status == 201, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found

    async def token(self, client_id: str, secret: str = SECRET) -> str:
        answer = await self.client.post(
            f"{BASE}/auth/token",
            data={
                "grant_type": "client_credentials",
                "client_id": client_id,
                "client_secret": secret,
            },
        )
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["access_token"])


@asynccontextmanager
async def running_vtn(
    callbacks: CallbackPolicy = STRICT, mqtt: MqttPolicy | None = None
) -> AsyncIterator[Vtn]:
    clock = ManualClock(grid_s=NOON_S, mono_s=100.0)
    async with temporary_store(clock) as store:
        recording = RecordingDesk(store)
        desk: DemandDesk = recording
        app = web.Application()
        routes = openadr_routes(store=store, desk=desk, clock=clock, callbacks=callbacks, mqtt=mqtt)
        app.add_subapp(BASE, routes)
        await store.openadr.add_client("bl", "business-logic", SECRET)
        await store.openadr.add_client("ven", "ven", SECRET)
        async with TestClient(TestServer(app)) as client:
            vtn = Vtn(client=client, store=store, desk=recording, clock=clock)
            vtn.tokens = {name: await vtn.token(name) for name in ("bl", "ven")}
            yield vtn


def program(name: str = "Peak", **more: object) -> dict[str, object]:
    """A program whose relative setpoints are in kW."""
    descriptors = [
        {"objectType": "EVENT_PAYLOAD_DESCRIPTOR", "payloadType": kind, "units": "KW"}
        for kind in ("DISPATCH_SETPOINT_RELATIVE", "IMPORT_CAPACITY_LIMIT", "EXPORT_CAPACITY_LIMIT")
    ]
    return {"programName": name, "payloadDescriptors": descriptors, **more}


def event(program_id: str, value: object = 400.0, **more: object) -> dict[str, object]:
    """400 kW from 16:00 for two hours."""
    return {
        "programID": program_id,
        "eventName": "hot afternoon",
        "intervalPeriod": {"start": "2026-08-05T16:00:00Z", "duration": "PT2H"},
        "intervals": [
            {"id": 0, "payloads": [{"type": "DISPATCH_SETPOINT_RELATIVE", "values": [value]}]}
        ],
        **more,
    }
