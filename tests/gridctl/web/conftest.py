"""A real HTTP server on loopback in front of a recording desk and a real store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridctl.store.engine import SqlStore, temporary_store
from gridctl.wallclock import system_clock
from gridctl.web.app import build_app
from gridctl.web.routes import WebParts
from tests.gridctl.web.desk import BATTERY, FEEDER, RecordingDesk
from tests.gridctl.web.duty import duty_of
from tests.gridctl.web.forecasts import assets_of, forecasts_of, vee_of
from tests.gridctl.web.people import people_of

PASSWORD = "correct horse battery"
OFFICE_KEY = Ed25519PrivateKey.generate()


@dataclass
class Console:
    """What a test talks to."""

    client: TestClient[web.Request, web.Application]
    desk: RecordingDesk
    store: SqlStore

    def beside(self) -> ClientSession:
        """Another browser on the same server: `async with console.beside() as other`."""
        return ClientSession(self.client.make_url("/"), cookie_jar=CookieJar(unsafe=True))

    async def sign_in(self, user: str) -> str:
        """The CSRF token of a new session."""
        answer = await self.client.post(
            "/api/v1/session", json={"user": user, "password": PASSWORD}
        )
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["csrf"])


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    clock = system_clock()
    async with temporary_store(clock) as store:
        # What is tested here is not how long a password takes: tests/gridctl/store/test_users.py.
        store.users._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        await store.users.add_user("op", "Operator", "OPERATOR", PASSWORD)
        desk = RecordingDesk()
        app = build_app(
            WebParts(
                desk=desk,
                duty=duty_of(store, clock),
                store=store,
                people=people_of(store),
                clock=clock,
                time_rate=1.0,
                feeder=FEEDER,
                resources=(BATTERY,),
                voltage_min_pu=0.95,
                voltage_max_pu=1.05,
                utc_offset_s=-18_000.0,
                secure=False,
                office_key=OFFICE_KEY,
                forecasts=forecasts_of(store, clock),
                assets=assets_of(store, clock),
                vee=vee_of(store, clock),
            ),
            mounted=[],
        )
        async with TestClient(TestServer(app)) as client:
            yield Console(client=client, desk=desk, store=store)
