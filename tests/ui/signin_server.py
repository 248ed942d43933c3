"""A real console on loopback in a thread of its own: real store, real proofs, a recording desk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web
from argon2 import PasswordHasher

from gridctl.model.alarm import Alarm, AlarmState
from gridctl.model.network import Feeder
from gridctl.store.engine import temporary_store
from gridctl.wallclock import system_clock
from gridctl.web.app import build_app
from gridctl.web.provider import Provider, ProviderSettings
from gridctl.web.routes import WebParts
from tests.gridctl.web.desk import BATTERY, FEEDER, RecordingDesk
from tests.gridctl.web.duty import duty_of
from tests.gridctl.web.forecasts import assets_of, forecasts_of, vee_of
from tests.gridctl.web.people import people_of
from tests.ports import free_port

START_S = 30.0
PROVIDER = ProviderSettings(
    issuer="http://127.0.0.1:9",
    client_id="gridctl",
    client_secret="s3cret",
    redirect="http://127.0.0.1:9/oidc/callback",
    name_claim="preferred_username",
    groups_claim="groups",
    roles=(),
)
"""An identity provider that is away: that is what the accounts beside it are for."""
ALARM = Alarm(
    key="sensor",
    priority=3,
    text="the sensor of node B scans late",
    response="send somebody when it lasts over an hour",
    raised_s=1_784_000_000.0,
    cleared_s=None,
    acked_by=None,
    state=AlarmState.UNACKED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInServer:
    """`origin`: by name, because browsers bind security keys to names."""

    origin: str
    desk: RecordingDesk

    @classmethod
    @contextmanager
    def started(
        cls,
        users: Mapping[str, str],
        *,
        password: str,
        step_up_s: float = 300.0,
        has_provider: bool = False,
        feeder: Feeder = FEEDER,
        desk: RecordingDesk | None = None,
    ) -> Iterator[SignInServer]:
        """`users`: roles by name. `has_provider`: they are the accounts beside an identity
        provider. Ends with the block."""
        desk, port = desk or RecordingDesk(), free_port()
        origin = f"http://localhost:{port}"
        ready, stop = threading.Event(), asyncio.Event()
        loop = asyncio.new_event_loop()

        async def serve() -> None:
            clock = system_clock()
            async with temporary_store(clock) as store:
                store.users._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
                for name, role in users.items():
                    await store.users.add_user(name, name.title(), role, password)
                async with store.transaction() as unit:
                    await unit.put_alarm(ALARM, at_s=ALARM.raised_s)
                duty = duty_of(store, clock)
                desk.tags = duty.tags.views
                app = build_app(
                    WebParts(
                        desk=desk,
                        duty=duty,
                        store=store,
                        forecasts=forecasts_of(store, clock),
                        assets=assets_of(store, clock),
                        vee=vee_of(store, clock),
                        people=people_of(
                            store,
                            origin=origin,
                            step_up_s=step_up_s,
                            local=frozenset(users) if has_provider else None,
                        ),
                        provider=Provider(PROVIDER, clock=clock, real=clock)
                        if has_provider
                        else None,
                        clock=clock,
                        time_rate=1.0,
                        feeder=feeder,
                        resources=(BATTERY,),
                        voltage_min_pu=0.95,
                        voltage_max_pu=1.05,
                        utc_offset_s=0.0,
                        secure=False,
                    ),
                    mounted=[],
                )
                runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", port).start()
                ready.set()
                await stop.wait()
                await runner.cleanup()

        thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
        thread.start()
        assert ready.wait(START_S), "the server did not start"
        try:
            yield cls(origin=origin, desk=desk)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(START_S)
            loop.close()
